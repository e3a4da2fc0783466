# Verbs of the project. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
JOBS ?= $(shell nproc)

.PHONY: help setup build test run bench lockstep lockstep-programs plan-tool plan-grid chip-search synth synth-bless mutate coverage asan ubsan dev format tidy clean

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: ## install what Debian packages are missing (root or sudo)
	@scripts/setup.sh

build: setup ## build the program (release) at build/quadrille, and nothing else
	@cmake --preset release >/dev/null
	@cmake --build --preset release -j $(JOBS) --target quadrille

test: setup ## set up, build and run all tests
	@cmake --preset release
	@cmake --build --preset release -j $(JOBS)
	@cd build && ctest -j $(JOBS) --output-on-failure --no-tests=error

dev: setup ## build with warnings as errors and run the tests
	@cmake --preset dev
	@cmake --build --preset dev -j $(JOBS)
	@cd build-dev && ctest -j $(JOBS) --output-on-failure --no-tests=error

asan: setup ## tests under the address sanitizer
	@cmake --preset asan && cmake --build --preset asan -j $(JOBS)
	@cd build-asan && LSAN_OPTIONS=suppressions=$(CURDIR)/testbench/lsan.supp:print_suppressions=0 ctest -j $(JOBS) --output-on-failure --no-tests=error

ubsan: setup ## tests under the undefined-behaviour sanitizer
	@cmake --preset ubsan && cmake --build --preset ubsan -j $(JOBS)
	@cd build-ubsan && ctest -j $(JOBS) --output-on-failure --no-tests=error

run: build ## the main job: real text through a trained layer on the chip, both twins
	@build/quadrille run -w licences-softmax -c default -o out/licences-softmax
	@build/quadrille run -w licences-damf -c default -o out/licences-damf

bench: build ## speed as ratios in one run; writes build/bench.json
	@cmake --build --preset release -j $(JOBS) --target quadrille_bench
	@build/quadrille rtl build -c default
	@OMP_NUM_THREADS=1 build/testbench/quadrille_bench build/bench.json

lockstep-programs: setup
	@cmake --preset release >/dev/null
	@cmake --build --preset release -j $(JOBS) --target test_lockstep

lockstep: lockstep-programs ## long lockstep of every engine with RTL (CHIP=my.yaml: at that chip's sizes only; QUADRILLE_SEED, QUADRILLE_LOCKSTEP_RUNS)
	@for source in testbench/lockstep/*_lockstep_test.cpp; do \
	  program=$${source##*/}; program=build/testbench/test_lockstep_$${program%_lockstep_test.cpp}; \
	  $(if $(CHIP),QUADRILLE_CHIP=$(CHIP)) QUADRILLE_LOCKSTEP_RUNS=$${QUADRILLE_LOCKSTEP_RUNS:-$(if $(CHIP),2000,100000)} \
	    $$program $(if $(CHIP),--gtest_filter='*AtAnyChip*') || exit 1; done

plan-grid: plan-tool ## judge plans over a drawn grid of workloads and chips; writes docs/plan_quality.md (QUADRILLE_SEED, QUADRILLE_POINTS)
	@build/testbench/quadrille_plan_grid grid docs/plan_quality.md

chip-search: plan-tool ## short runs on drawn chips, tile and beat, with data: no crash, no hang, no exit 3 (QUADRILLE_SEED, QUADRILLE_POINTS)
	@build/testbench/quadrille_plan_grid search

plan-tool: setup
	@cmake --preset release >/dev/null
	@cmake --build --preset release -j $(JOBS) --target quadrille_plan_grid

mutate: lockstep-programs ## plant faults in RTL and SystemC engines, count what the tests catch (ENGINES, SEED; hours)
	@mkdir -p build/mutation
	@rtl=0; scripts/mutate_rtl.py $(ENGINES) --seed $(or $(SEED),1) --jobs $(JOBS) || rtl=$$?; \
	systemc=0; scripts/mutate_systemc.py $(ENGINES) --seed $(or $(SEED),1) --jobs $(JOBS) || systemc=$$?; \
	[ $$rtl -eq 0 ] && [ $$systemc -eq 0 ]

coverage: lockstep-programs ## line and toggle coverage of the RTL by the lockstep tests (ENGINES)
	@scripts/rtl_coverage.py --self-test
	@scripts/rtl_coverage.py $(ENGINES)

synth: build ## yosys on every engine: checks, cells, flip-flops, memories, longest path, change
	@build/quadrille rtl list -c default --sources build/rtl/synth >/dev/null
	@python3 scripts/synth/synth.py --jobs $(JOBS)

synth-bless: build ## the same, and rewrite the baseline and the tables of docs/synthesis.md
	@build/quadrille rtl list -c default --sources build/rtl/synth >/dev/null
	@python3 scripts/synth/synth.py --jobs $(JOBS) --bless

format: ## rewrite all C++ in the project's format
	@git ls-files '*.h' '*.cpp' | xargs clang-format -i

tidy: ## clang-tidy over model, hw and app
	@cmake --preset dev -B build-tidy -D CMAKE_DISABLE_PRECOMPILE_HEADERS=ON >/dev/null
	@git ls-files 'model/*.cpp' 'hw/*.cpp' 'app/*.cpp' | xargs -P $(JOBS) -n 4 clang-tidy -p build-tidy --quiet

clean: ## remove build folders
	@rm -rf build build-dev build-asan build-ubsan build-coverage build-tidy

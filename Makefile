# Verbs of the project. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
JOBS ?= $(shell nproc)

.PHONY: help setup build test run bench lockstep plan-grid chip-search synth synth-bless mutate coverage asan ubsan dev format tidy clean

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: ## install what Debian packages are missing (root or sudo)
	@scripts/setup.sh

build: setup ## build the program (release) at build/quadrille
	@cmake --preset release
	@cmake --build --preset release -j $(JOBS)

test: build ## set up, build and run all tests
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
	@OMP_NUM_THREADS=1 build/testbench/quadrille_bench build/bench.json

lockstep: build ## the long lockstep run of every engine with RTL (QUADRILLE_SEED, QUADRILLE_LOCKSTEP_RUNS)
	@for source in testbench/lockstep/*_lockstep_test.cpp; do \
	  program=$${source##*/}; program=build/testbench/test_lockstep_$${program%_lockstep_test.cpp}; \
	  QUADRILLE_LOCKSTEP_RUNS=$${QUADRILLE_LOCKSTEP_RUNS:-100000} $$program || exit 1; done

plan-grid: build ## judge plans over a drawn grid of workloads and chips; writes docs/plan_quality.md (QUADRILLE_SEED, QUADRILLE_POINTS)
	@build/testbench/quadrille_plan_grid grid docs/plan_quality.md

chip-search: build ## short runs on drawn chips, tile and beat, with data: no crash, no hang, no exit 3 (QUADRILLE_SEED, QUADRILLE_POINTS)
	@build/testbench/quadrille_plan_grid search

mutate: build ## plant faults in RTL and SystemC engines, count what the tests catch (ENGINES, SEED; hours)
	@mkdir -p build/mutation
	@rtl=0; scripts/mutate_rtl.py $(ENGINES) --seed $(or $(SEED),1) --jobs $(JOBS) || rtl=$$?; \
	systemc=0; scripts/mutate_systemc.py $(ENGINES) --seed $(or $(SEED),1) --jobs $(JOBS) || systemc=$$?; \
	[ $$rtl -eq 0 ] && [ $$systemc -eq 0 ]

coverage: build ## line and toggle coverage of the RTL by the lockstep tests (ENGINES)
	@scripts/rtl_coverage.py --self-test
	@scripts/rtl_coverage.py $(ENGINES)

synth: setup ## yosys on every engine: checks, cells, flip-flops, memories, longest path, change
	@cmake --preset release >/dev/null
	@cmake --build --preset release --target rtl_sources -j $(JOBS) >/dev/null
	@python3 scripts/synth/synth.py --jobs $(JOBS)

synth-bless: setup ## the same, and rewrite the baseline and the tables of docs/synthesis.md
	@cmake --preset release >/dev/null
	@cmake --build --preset release --target rtl_sources -j $(JOBS) >/dev/null
	@python3 scripts/synth/synth.py --jobs $(JOBS) --bless

format: ## rewrite all C++ in the project's format
	@git ls-files '*.h' '*.cpp' | xargs clang-format -i

tidy: ## clang-tidy over model, hw and app
	@cmake --preset dev -B build-tidy -D CMAKE_DISABLE_PRECOMPILE_HEADERS=ON >/dev/null
	@ninja -C build-tidy $$(ninja -C build-tidy -t targets all | grep -oE '^rtl/[^:]*/V[^:/]*\.h') >/dev/null
	@git ls-files 'model/*.cpp' 'hw/*.cpp' 'app/*.cpp' | xargs -P $(JOBS) -n 4 clang-tidy -p build-tidy --quiet

clean: ## remove build folders
	@rm -rf build build-dev build-asan build-ubsan build-coverage build-tidy

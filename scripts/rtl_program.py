"""Gives an engine's lockstep programs another model of its smallest point: that of the chip `small`.

The programs stay as they are: they load the library from a cache of their own, where
mutate_rtl.py puts a netlist with faults and rtl_coverage.py an instrumented model.
"""

import argparse
import os
import pathlib
import shlex
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"

# The engines with RTL, and which tests run the smallest point: the others would only cost time.
ENGINES = {
    "cim": "-*Default*:*Wrong*:*AnyChip*:*OddPoint*",
    "softmax": "-*Default*:*Wrong*:*AnyChip*:*OddPoint*:*OneLane*",
    "damf": "-*Default*:*Wrong*:*AnyChip*:*Tile.*:*Beat.*:*WiderPoint*",
    "sinkhorn": "-*Default*:*Wrong*:*AnyChip*",
    "linear": "-*Default*:*Wrong*:*AnyChip*:*OddPoint*:*ChunkForEveryToken*",
}


# The engines without.
SYSTEMC_ONLY = ["vector"]


def lockstep_programs(engine):
    """Names of the test programs that hold the engine's RTL against its SystemC body."""
    sources = (ROOT / "testbench/lockstep").glob(f"{engine}*_lockstep_test.cpp")
    return sorted((f"test_lockstep_{s.name.removesuffix('_lockstep_test.cpp')}" for s in sources), key=len)


class ToolError(Exception):
    """A tool or a program failed, or a file is not as it should be."""


def run(command, log, cwd=BUILD):
    """Runs a command (a list), its output in the file `log`."""
    with open(log, "w", encoding="utf-8") as output:
        output.write(shlex.join(str(word) for word in command) + "\n")
        output.flush()
        code = subprocess.run(command, cwd=cwd, stdout=output, stderr=subprocess.STDOUT, check=False)
    if code.returncode != 0:
        raise ToolError(f"{command[0]} failed: see {log}")


def positive(text):
    """A whole number above zero, for argparse."""
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number above zero, found {text}")
    return int(text)


def built_engines(wanted):
    """The wanted engines (all when none is named) that have RTL in this build."""
    present = []
    for engine in wanted or ENGINES:
        if engine not in ENGINES:
            raise ToolError(f"no engine {engine}; expected one of {', '.join(ENGINES)}")
        present.append(engine)
    return present


def summary_file(folder, name, partial):
    """Where a run's table goes. Part of a run does not overwrite the table of a whole one."""
    return folder / (f"{name}_some.md" if partial else f"{name}.md")


class Point:
    """An engine at its size in the chip `small`."""

    def __init__(self, engine):
        sources = BUILD / "rtl/sources"
        program = BUILD / "quadrille"
        if not program.exists():
            raise ToolError(f"no {program}: expected a built project")
        sources.mkdir(parents=True, exist_ok=True)
        run([program, "rtl", "list", "-c", "small", "--engine", engine, "--sources", sources],
            sources / f"{engine}.log")
        self.engine = engine
        self.top, parameters, self.key = (sources / f"{engine}.point").read_text().split()
        self.parameters = dict(p.split("=") for p in parameters.split(";"))
        self.pins = sources / f"{engine}_pins.h"
        files = (sources / f"{engine}.f").read_text().split()
        self.waivers = [f for f in files if f.endswith(".vlt")]
        self.sources = [f for f in files if f.endswith(".sv")]

    def verilate(self, folder, top, options):
        """Runs Verilator and compiles its C++ to one object file."""
        folder.mkdir(parents=True, exist_ok=True)
        run(["verilator", "--cc", "-Wno-fatal", "--x-assign", "fast", "--x-initial", "fast", "--prefix", "Vengine",
             "--top-module", top, "--Mdir", folder, *options], folder / "verilator.log")
        sources = sorted(p.name for p in folder.glob("*.cpp"))
        (folder / "all.cc").write_text("".join(f'#include "{s}"\n' for s in sources))
        return folder / "all.cc"


def verilator_root():
    return subprocess.run(["verilator", "--getenv", "VERILATOR_ROOT"], check=True, capture_output=True,
                          text=True).stdout.strip()


def make_library(point, folder, level, definitions=(), more_sources=()):
    """Compiles FOLDER/all.cc and the interface to the point's library, in a cache of its own: FOLDER/cache."""
    include = pathlib.Path(verilator_root()) / "include"
    interface = ROOT / "rtl/interface"
    shutil.copy(point.pins, folder / "engine_pins.h")
    words = ["c++", "-std=c++17", "-w", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique", *definitions, f"-I{folder}",
             f"-I{interface}", f"-I{include}", f"-I{include}/vltstd"]
    objects = []
    sources = [(folder / "all.cc", level), (interface / "quadrille_rtl.cpp", "-O1"), (include / "verilated.cpp", "-O2"),
               (include / "verilated_threads.cpp", "-O2"), *((include / s, "-O1") for s in more_sources)]
    for source, optimisation in sources:
        objects.append(folder / f"{source.stem}.o")
        run([*words, optimisation, "-c", source, "-o", objects[-1]], folder / f"{source.stem}.log")
    (folder / "cache").mkdir(exist_ok=True)
    run(["c++", "-shared", "-Wl,-Bsymbolic", "-o", folder / "cache" / f"{point.key}.so", *objects, "-pthread"],
        folder / "link.log")


def programs_with(point, folder):
    """The engine's lockstep programs, and the environment in which they load the library of make_library()."""
    programs = [BUILD / "testbench" / name for name in lockstep_programs(point.engine)]
    for program in programs:
        if not program.exists():
            raise ToolError(f"no {program}: expected a built project")
    return programs, dict(os.environ, QUADRILLE_RTL_CACHE=str(folder / "cache"))

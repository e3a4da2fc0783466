"""Links an engine's lockstep programs against another model of its smallest point.

The programs, their tests and their drivers stay as they are: only the verilated class
and the adapter that is compiled against it are exchanged. mutate_rtl.py puts a
netlist with faults there, rtl_coverage.py an instrumented model.
"""

import argparse
import json
import pathlib
import re
import shlex
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"

# The engines with RTL, and which tests run the smallest point: the others would only cost time.
ENGINES = {
    "cim": "-*Default*:*Wrong*:*Names*:*SmallPoint*",
    "softmax": "-*Default*:*Wrong*:*Names*:*OddPoint*:*OneLane*",
    "damf": "-*Default*:*Wrong*:*Names*:*Tile.*:*Beat.*:*WiderPoint*",
    "sinkhorn": "-*Default*:*Wrong*:*Names*",
    "linear": "-*Default*:*Wrong*:*Names*:*OddPoint*:*ChunkForEveryToken*",
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
        if (BUILD / "rtl/sources" / f"{engine}.points").exists():
            present.append(engine)
        else:
            raise ToolError(f"{engine}: no RTL in this build")
    return present


def summary_file(folder, name, partial):
    """Where a run's table goes. Part of a run does not overwrite the table of a whole one."""
    return folder / (f"{name}_some.md" if partial else f"{name}.md")


class Point:
    """The smallest point of an engine: the first one that its CMakeLists.txt lists."""

    def __init__(self, engine):
        sources = BUILD / "rtl/sources"
        prefix, top, *parameters = (sources / f"{engine}.points").read_text().splitlines()[0].split()
        self.engine = engine
        self.prefix = prefix
        self.top = top
        self.parameters = dict(p.split("=") for p in ";".join(parameters).split(";") if p)
        self.library = f"librtl_{engine}_{prefix.removeprefix(f'V{engine}Engine')}.a"
        files = (sources / f"{engine}.f").read_text().split()
        self.waivers = [f for f in files if f.endswith(".vlt")]
        self.sources = [f for f in files if f.endswith(".sv")]

    def verilate(self, folder, top, options):
        """Runs Verilator and compiles its C++ to one object file."""
        folder.mkdir(parents=True, exist_ok=True)
        run(["verilator", "--cc", "-Wno-fatal", "--x-assign", "fast", "--x-initial", "fast", "--prefix", self.prefix,
             "--top-module", top, "--Mdir", folder, *options], folder / "verilator.log")
        sources = sorted(p.name for p in folder.glob("*.cpp"))
        (folder / "all.cc").write_text("".join(f'#include "{s}"\n' for s in sources))
        return folder / "all.cc"


def verilator_root():
    return subprocess.run(["verilator", "--getenv", "VERILATOR_ROOT"], check=True, capture_output=True,
                          text=True).stdout.strip()


def compile_model(folder, level, definitions=()):
    """Compiles FOLDER/all.cc."""
    include = verilator_root() + "/include"
    run(["c++", "-std=c++17", level, "-w", *definitions, f"-I{folder}", f"-I{include}", f"-I{include}/vltstd",
         "-c", folder / "all.cc", "-o", folder / "model.o"], folder / "compile.log")
    return folder / "model.o"


def compile_command(source):
    """The compile command of a source of the build, as a list without `-o` and `-c`."""
    if not (BUILD / "compile_commands.json").exists():
        raise ToolError(f"no {BUILD}/compile_commands.json: expected a built project")
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        if entry["file"] == str(source):
            words = shlex.split(entry["command"])
            if words[0].endswith("ccache"):
                words = words[1:]
            place = words.index("-o")
            del words[place:place + 2]
            place = words.index("-c")
            del words[place:place + 2]
            return words
    raise ToolError(f"{source} is not in {BUILD}/compile_commands.json")


def link_command(program):
    """The link command of a test program, as a list: run it in the build folder."""
    answer = subprocess.run(["ninja", "-C", BUILD, "-t", "commands", f"testbench/{program}"], check=False,
                            capture_output=True, text=True)
    for command in reversed(answer.stdout.splitlines()):
        match = re.match(rf": && (.* -o testbench/{program} .*?) && ", command)
        if match:
            return shlex.split(match.group(1))
    raise ToolError(f"no link command for {program} in {BUILD}: expected a built project")


def link_with_model(point, folder, model, extra=()):
    """Links the engine's lockstep programs with `model` in place of its smallest point; returns their paths."""
    adapter = ROOT / f"hw/engines/{point.engine}/rtl_adapter.cpp"
    words = compile_command(adapter)
    run([words[0], f"-I{folder}", *words[1:], "-c", adapter, "-o", folder / "adapter.o"], folder / "adapter.log")
    programs = []
    for program in lockstep_programs(point.engine):
        words = link_command(program)
        replaced = [w for w in words if w.endswith("/" + point.library)]
        if not replaced:
            raise ToolError(f"{program} does not link {point.library}")
        words = [str(model) if w in replaced else w for w in words]
        place = words.index("-o")
        words[place + 1] = str(folder / program)
        words[place:place] = [str(folder / "adapter.o"), *map(str, extra)]
        run(words, folder / "link.log")
        programs.append(folder / program)
    return programs

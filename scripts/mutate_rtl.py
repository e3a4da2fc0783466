#!/usr/bin/env python3
"""Plants single faults in the engines' RTL and counts those the lockstep tests catch.

    scripts/mutate_rtl.py [ENGINE...] [--count 200] [--seed 1] [--jobs 2]
    scripts/mutate_rtl.py ENGINE --faults 12,88     these of the same draw, after a change of tests

yosys reads an engine at its smallest point, removes what drives nothing, draws the
faults (`mutate -list`) and plants all of them in one netlist: an input selects the
fault, 0 none. The netlist takes the model's place in the programs test_lockstep_ENGINE*,
which then run once per fault. Results: build/mutation/rtl_ENGINE.csv; exit 1 below 95 %.
Needs a built project. testbench/mutate/explained_rtl.csv explains equivalent faults.
"""

import argparse
import concurrent.futures
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time

from explained import Explanations
from live_bits import LiveBits
from rtl_program import (BUILD, ENGINES, ROOT, SYSTEMC_ONLY, Point, ToolError, built_engines, make_library,
                         programs_with, positive, run, summary_file)

FOLDER = BUILD / "mutation"
EXPLAINED = ROOT / "testbench/mutate/explained_rtl.csv"
GOAL_PERCENT = 95.0
COUNT = 200  # Faults of an engine.
# What the fast lockstep test does not find gets a longer one (QUADRILLE_LOCKSTEP_RUNS).
LONG_RUNS = {"cim": 10_000, "softmax": 400_000, "damf": 20_000, "sinkhorn": 6_000, "linear": 60_000}
LONG_SEED = 4711
# A run that takes this many times as long as without a fault has stopped for good: caught.
HANG = 5
# Cells that ask of an input whether any of its bits is 1, or all are.
ANY_OF_BITS = ("$reduce_or", "$reduce_bool", "$logic_or", "$logic_and", "$logic_not")
ALL_OF_BITS = ("$reduce_and",)
EQUALITIES = ("$eq", "$ne", "$eqx", "$nex")
COMPARISONS = ("$lt", "$le", "$gt", "$ge", *EQUALITIES)


def design_script(point):
    """yosys: the flat, optimised netlist, memories kept."""
    parameters = " ".join(f"-set {name} {value}" for name, value in point.parameters.items())
    return "\n".join([
        f"read_verilog -sv -DSYNTHESIS {' '.join(point.sources)}",
        f"chparam {parameters} {point.top}" if parameters else "",
        f"hierarchy -check -top {point.top}",
        "proc", "flatten", "memory_collect", "opt -full", "wreduce", "opt -full", "clean",
        f"rename -top {point.top}",
    ])


def plant(point, folder, count, seed):
    """Writes netlist.v with the pin mutant_i and returns the faults: `count` of those that change something."""
    (folder / "plant.ys").write_text("\n".join([
        design_script(point),
        f"write_json {folder}/design.json",
        f"mutate -list {count + count // 3 + 20} -seed {seed} -ctrl mutant_i 16 1 -o {folder}/list.ys",
        f"script {folder}/list.ys",
        f"write_verilog -noattr {folder}/netlist.v",
    ]) + "\n")
    run(["yosys", "-q", "-s", folder / "plant.ys"], folder / "yosys.log", cwd=folder)
    module = json.loads((folder / "design.json").read_text())["modules"][point.top]
    module["cells"] = {name.removeprefix("\\"): cell for name, cell in module["cells"].items()}
    live = LiveBits(module)
    faults = [Fault(line) for line in (folder / "list.ys").read_text().splitlines()]
    kept = [fault for fault in faults if not fault.changes_nothing(module["cells"], live)]
    print(f"{point.engine}: {len(faults) - len(kept)} of {len(faults)} drawn faults change nothing by the netlist alone")
    if len(kept) < count:
        raise ToolError(f"{point.engine}: {len(kept)} faults are left of the draw, expected {count}")
    return kept[:count]


class Fault:
    """One line of yosys' list."""

    def __init__(self, line):
        words = line.split()
        value = {}
        sources = []
        for place, word in enumerate(words):
            if word == "-src":
                sources.append(words[place + 1])
            elif word == "-ctrl":
                self.number = int(words[place + 3])
            elif word.startswith("-") and place + 1 < len(words):
                value[word] = words[place + 1]
        self.mode = value["-mode"]
        self.cell = value["-cell"]
        self.bits = (value["-port"].lstrip("\\"), int(value["-portbit"]), int(value.get("-ctrlbit", value["-portbit"])))
        # `$flatten\\u_a.$add$/path/file.sv:12$345` is u_a.add; every cell has such a number.
        self.shown = re.sub(r"\$\d+$", "", value["-cell"]).replace("$flatten", "").replace("\\", "")
        self.shown = re.sub(r"\$(\w+)\$/.*", r"\1", self.shown)
        self.shown = re.sub(r"\$auto\$(\w+)\.cc:\d+:\w+", r"\1", self.shown)
        self.port = f"{value['-port']}[{value['-portbit']}]"
        if "-ctrlbit" in value:
            self.port += f" by [{value['-ctrlbit']}]"
        wire = value.get("-wire", "").replace("\\", "")
        self.wire = f"{wire}[{value.get('-wirebit', '')}]" if wire else ""
        # The last attribute is the statement, the ones before are declarations.
        self.source = re.sub(r"\S*/", "", sources[-1]).split(".sv:")[0] + ".sv:" + \
            sources[-1].split(".sv:")[1].split(".")[0] if sources and ".sv:" in sources[-1] else ""

    def text(self):
        """What explanations are matched with: no line, which moves, and no number of a cell."""
        return f"{self.mode} {self.wire or '-'} {self.shown}.{self.port} in {self.source.split(':')[0]}"

    def changes_nothing(self, cells, live):
        """True when the netlist alone shows that no pin can differ: a constant bit is tied to its own value, or waits
        for a constant that never comes; the bit reaches no pin; or a reduction has its value from the other bit."""
        port, bit, control = self.bits
        cell = cells[self.cell]
        bits = cell["connections"][port]
        if not live.reach(self.cell, port, bit) or compared_above(cell, port, bit):
            return True
        if self.mode in ("const0", "const1"):
            return bits[bit] in (self.mode[-1], "x")
        if bits[bit] == "x":
            return True
        if self.mode not in ("cnot0", "cnot1") or control == bit:
            return False
        if bits[control] in ("0", "1", "x"):
            return bits[control] != self.mode[-1]
        return decides_alone(cell, port, control, self.mode[-1])


def constant_operand(cell, port):
    """The value that a comparison holds the port against, None unless it is a constant."""
    other = cell["connections"].get({"A": "B", "B": "A"}.get(port), ["x"])
    if cell["type"] not in COMPARISONS or any(bit not in ("0", "1") for bit in other) or \
            any(int(cell["parameters"][f"{p}_SIGNED"], 2) for p in "AB"):
        return None
    return sum(1 << place for place, bit in enumerate(other) if bit == "1")


def threshold(cell, port):
    """T when an order is `port >= T` or its contrary; None of other cells."""
    constant = constant_operand(cell, port)
    if constant is None or cell["type"] in EQUALITIES:
        return None
    return constant + (cell["type"] in (("$le", "$gt") if port == "A" else ("$lt", "$ge")))


def compared_above(cell, port, bit):
    """True when the cell orders the port against a constant by the bits above `bit` alone."""
    limit = threshold(cell, port)
    return limit is not None and limit % (2 << bit) == 0


def decides_alone(cell, port, control, value):
    """True when the input bit `control` with this value fixes the cell's result, whatever the port's others are."""
    if cell["port_directions"][port] != "input":
        return False
    if cell["type"] in EQUALITIES:
        constant = constant_operand(cell, port)
        return constant is not None and str(constant >> control & 1) != value
    limit = threshold(cell, port)
    if limit is not None:
        return value == "1" and 1 << control >= limit
    return cell["type"] in (ANY_OF_BITS if value == "1" else ALL_OF_BITS)


def write_wrapper(point, folder):
    """A top module with the engine's pins that reads the fault's number from QUADRILLE_MUTANT."""
    netlist = (folder / "netlist.v").read_text()
    start = netlist.index(f"module {point.top}(")
    body = netlist[start:]
    ports = re.findall(r"^  (input|output) (\[\d+:0\] )?(\w+);$", body[:body.index("endmodule")], re.M)
    pins = [p for p in ports if p[2] != "mutant_i"]
    if len(pins) != len(ports) - 1:
        raise ToolError("the netlist has no pin mutant_i")
    declared = ",\n".join(f"  {direction} logic {width}{name}" for direction, width, name in pins)
    connected = ", ".join(f".{name}" for _, _, name in pins)
    (folder / "wrapper.sv").write_text(
        f"module mutant_select (\n{declared}\n);\n"
        "  logic [15:0] mutant_i;\n"
        '  initial mutant_i = 16\'($c32("(std::getenv(\\"QUADRILLE_MUTANT\\") ? '
        'std::atoi(std::getenv(\\"QUADRILLE_MUTANT\\")) : 0)"));\n'
        f"  {point.top} u_netlist ({connected}, .mutant_i);\nendmodule\n")


def build(point, folder, count, seed):
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "model", ignore_errors=True)
    faults = plant(point, folder, count, seed)
    write_wrapper(point, folder)
    model = folder / "model"
    point.verilate(model, "mutant_select", ["-O3", folder / "netlist.v", folder / "wrapper.sv"])
    make_library(point, model, "-O2")
    return faults, *programs_with(point, model)


def attempt(programs, environment, number, tests_filter, timeout_s, runs=None, seed=None):
    """Runs the tests on one fault: the empty string when all pass, else what failed."""
    environment = dict(environment, QUADRILLE_MUTANT=str(number), GTEST_FAIL_FAST="1", GTEST_FILTER=tests_filter)
    environment.pop("QUADRILLE_SEED", None)
    environment.pop("QUADRILLE_LOCKSTEP_RUNS", None)
    if runs:
        environment["QUADRILLE_LOCKSTEP_RUNS"] = str(runs)
    if seed:
        environment["QUADRILLE_SEED"] = str(seed)
    for program in programs:
        try:
            result = subprocess.run([program], env=environment, capture_output=True, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired:
            return "hang"
        if result.returncode != 0:
            failed = re.search(r"\[  FAILED  \] (\w+\.\w+)", result.stdout.decode(errors="replace"))
            return failed.group(1) if failed else f"end with code {result.returncode}"
    return ""


def time_without_fault(engine, programs, environment, tests, runs=None, seed=None):
    """Seconds that the tests take on the netlist without a fault, which they must pass."""
    start = time.monotonic()
    broken = attempt(programs, environment, 0, tests, 3600, runs, seed)
    if broken:
        raise ToolError(f"{engine}: the netlist without a fault fails {broken}")
    return time.monotonic() - start


def study(engine, arguments):
    """One engine: its table row, and whether the goal is met."""
    folder = FOLDER / engine
    point = Point(engine)
    faults, programs, environment = build(point, folder, arguments.count, arguments.seed)
    if arguments.faults:
        faults = [fault for fault in faults if fault.number in arguments.faults]
    tests = ENGINES[engine]
    short_s = time_without_fault(engine, programs, environment, tests)
    long_s = time_without_fault(engine, programs, environment, tests, LONG_RUNS[engine], LONG_SEED)
    print(f"{engine}: {len(faults)} faults; without one the tests take {short_s:.1f} s, the long run {long_s:.1f} s",
          flush=True)

    def judge(fault):
        by = attempt(programs, environment, fault.number, tests, 20 + HANG * short_s)
        if by:
            return fault, "caught", by
        by = attempt(programs, environment, fault.number, tests, 20 + HANG * long_s, LONG_RUNS[engine], LONG_SEED)
        return fault, "caught long" if by else "survived", by

    results = []
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for result in pool.map(judge, faults):
            results.append(result)
            if len(results) % 50 == 0:
                print(f"{engine}: {len(results)} of {len(faults)} faults", flush=True)
    some = arguments.faults or arguments.count < COUNT
    return report(engine, results, FOLDER / (f"rtl_{engine}_some.csv" if some else f"rtl_{engine}.csv"), not some)


def report(engine, results, path, whole):
    explanations = Explanations(EXPLAINED, engine)
    counts = {"caught": 0, "caught long": 0, "explained": 0, "missed": 0}
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["number", "result", "by", "fault", "source"])
        for fault, result, by in results:
            if result == "survived":
                reason = explanations.reason(fault.text())
                result, by = ("explained", reason) if reason else ("missed", "")
            counts[result] += 1
            table.writerow([fault.number, result, by, fault.text(), fault.source])
            if result == "missed":
                print(f"missed: {engine} {fault.number}: {fault.text()} at {fault.source}")
    found = [fault.text() for fault, result, _ in results if result != "survived"]
    wrong = explanations.contradicted(found)
    for pattern, text in wrong:
        print(f"wrong explanation: {engine}: '{pattern}' matches a fault that is caught: {text}")
    if whole:
        for pattern in explanations.unused():
            print(f"{engine}: the explanation '{pattern}' matches no survivor of this draw")
    caught = counts["caught"] + counts["caught long"]
    percent = 100.0 * caught / max(1, caught + counts["missed"])
    row = [engine, len(results), counts["caught"], counts["caught long"], counts["explained"], counts["missed"],
           f"{percent:.1f} %"]
    return row, percent >= GOAL_PERCENT and not wrong


def numbers(text):
    """12,88 -> [12, 88], for argparse."""
    return [positive(word) for word in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("engines", nargs="*")
    parser.add_argument("--count", type=positive, default=COUNT)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=numbers, default=[])
    parser.add_argument("--jobs", type=positive, default=2)
    arguments = parser.parse_args()
    engines = [engine for engine in arguments.engines if engine not in SYSTEMC_ONLY]
    if arguments.engines and not engines:
        print(f"no RTL to plant faults in: {', '.join(arguments.engines)}")
        return 0
    good = True
    lines = ["| engine | faults | caught | caught by the long run | explained | missed | caught of what can be |",
             "|---|---|---|---|---|---|---|"]
    try:
        for engine in built_engines(engines):
            row, met = study(engine, arguments)
            good = good and met
            lines.append("| " + " | ".join(str(cell) for cell in row) + " |")
    except ToolError as error:
        print(f"mutate_rtl: {error}", file=sys.stderr)
        return 2
    print("\n".join(lines))
    partial = bool(arguments.engines or arguments.faults) or arguments.count < COUNT
    summary_file(FOLDER, "rtl", partial).write_text("\n".join(lines) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Line and toggle coverage of the engines' RTL by the lockstep tests.

    scripts/rtl_coverage.py [ENGINE...] [--runs N]
    scripts/rtl_coverage.py --self-test

Every engine's smallest point is verilated with coverage and takes the model's place
in the programs test_lockstep_ENGINE*. A point is covered when any instance of its module covers it,
whatever that instance's parameters; assertions (not SYNTHESIS) are no design and do
not count. A line point is a block or branch of Verilator's, a toggle point one bit.
Verilator leaves signals wider than --coverage-max-width out of the toggle points
without a word: it is set above the widest here, and --self-test proves that it counts.
Results: build/coverage/ENGINE.csv (every point that is not covered); exit 1 below the
goals. Cells of memories (arrays in modules named *_sram) do not count, their ports do;
testbench/coverage/explained.csv takes points out, each with its reason.
"""

import argparse
import csv
import os
import re
import shutil
import subprocess
import sys

from explained import Explanations
from rtl_program import (BUILD, ENGINES, ROOT, Point, ToolError, built_engines, make_library,
                         positive, programs_with, run, summary_file)

FOLDER = BUILD / "coverage"
EXPLAINED = ROOT / "testbench/coverage/explained.csv"
GOALS = {"line": 98.0, "toggle": 90.0}
MAX_WIDTH = 100000
OPTIONS = ["--coverage-line", "--coverage-toggle", "--coverage-max-width", str(MAX_WIDTH), "-DSYNTHESIS"]

# Every body's model writes its counts when it is finished, to a file of its own: the library is loaded
# anew for each, so that nothing in it can count them.
WRITER = """module coverage_writer;
  final $c("vlSymsp->_vm_contextp__->coveragep()->write((std::string(std::getenv(\\"QUADRILLE_COVERAGE\\")) + ",
     "std::to_string(std::chrono::steady_clock::now().time_since_epoch().count()) + \\".dat\\").c_str());");
endmodule
bind TOP coverage_writer u_coverage_writer ();
"""


def memory_cells(sources):
    """Verilator's configuration that leaves the cells of memories out: only their ports count."""
    lines = ["`verilator_config"]
    for source in sources:
        if source.endswith("_sram.sv"):
            for number, line in enumerate(open(source, encoding="utf-8"), 1):
                if re.match(r"\s*logic\s*(\[[^\]]*\]\s*)*\w+\s*\[", line):
                    lines.append(f'coverage_off -file "*/{os.path.basename(source)}" -lines {number}')
    return "\n".join(lines) + "\n"


def build(point, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "coverage_writer.sv").write_text(WRITER.replace("TOP", point.top))
    (folder / "memories.vlt").write_text(memory_cells(point.sources))
    parameters = [f"-G{name}={value}" for name, value in point.parameters.items()]
    point.verilate(folder, point.top, [*OPTIONS, *parameters, folder / "memories.vlt", *point.waivers,
                                       *point.sources, folder / "coverage_writer.sv"])
    make_library(point, folder, "-O0", ["-DVM_COVERAGE=1", "-include", "cstdlib", "-include", "chrono", "-include", "verilated_cov.h"],
                 ["verilated_cov.cpp"])
    return programs_with(point, folder)


def read_points(path, points):
    """Adds one coverage.dat to `points`: {(kind, place, name): count}."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        match = re.match(r"C '(.*)' (\d+)$", line)
        if not match:
            continue
        fields = dict(part.split("\x02", 1) for part in match.group(1).split("\x01") if "\x02" in part)
        page = fields.get("page", "")
        kind = "toggle" if page.startswith("v_toggle") else "line"
        file = os.path.basename(fields["f"])
        if file == "coverage_writer.sv":
            continue
        name = fields.get("o", "")
        place = f"{file}:{fields['l']}"
        if kind == "line":
            name = f"{name} column {fields['n']}"
        key = (kind, place, name)
        points[key] = points.get(key, 0) + int(match.group(2))


def measure(engine, runs):
    """One engine's rows of the table, and whether the goals are met."""
    folder = FOLDER / engine
    points = {}
    programs, environment = build(Point(engine), folder)
    for program in programs:
        environment = dict(environment, QUADRILLE_COVERAGE=str(folder / f"{program.name}_"))
        if runs is not None:
            environment["QUADRILLE_LOCKSTEP_RUNS"] = str(runs)
        result = subprocess.run([program, f"--gtest_filter={ENGINES[engine]}"], env=environment, capture_output=True,
                                text=True, check=False)
        if result.returncode != 0:
            raise ToolError(f"{engine}: {program.name} fails:\n{result.stdout[-2000:]}{result.stderr[-500:]}")
        for path in sorted(folder.glob(f"{program.name}_*.dat")):
            read_points(path, points)
    return report(engine, points)


def point_text(kind, place, name):
    """What explanations are matched with: no line, which moves."""
    return f"{kind} {place.split(':')[0]} {name}"


def report(engine, points):
    explanations = Explanations(EXPLAINED, engine)
    rows = []
    good = True
    with open(FOLDER / f"{engine}.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["kind", "place", "name", "explanation"])
        for kind, goal in GOALS.items():
            covered = total = explained = 0
            for (point_kind, place, name), count in sorted(points.items()):
                if point_kind != kind:
                    continue
                reason = explanations.reason(point_text(kind, place, name))
                if reason:
                    explained += 1
                else:
                    total += 1
                    covered += count > 0
                if count == 0:
                    table.writerow([kind, place, name, reason or ""])
            percent = 100.0 * covered / max(1, total)
            good = good and total > 0 and percent >= goal
            rows.append([engine, kind, f"{covered:,}", f"{total:,}", f"{percent:.1f} %", f"{explained:,}",
                         f"≥ {goal:.0f} %"])
    for pattern in explanations.unused():
        print(f"{engine}: the explanation '{pattern}' matches nothing")
    wrong = explanations.contradicted([point_text(*key) for key, count in points.items() if count > 0])
    for pattern, text in wrong:
        print(f"{engine}: the explanation '{pattern}' matches a point that is reached: {text}")
    return rows, good and not wrong


def self_test():
    """A bus of 3,000 bits has 3,000 toggle points here, and none with Verilator's own limit."""
    folder = FOLDER / f"self_test_{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "wide_bus.sv").write_text(
        "module wide_bus (input logic clk_i, input logic flip_i, output logic any_o);\n"
        "  logic [2999:0] bus_q;\n"
        "  always_ff @(posedge clk_i) bus_q <= flip_i ? ~bus_q : bus_q;\n"
        "  assign any_o = ^bus_q;\nendmodule\n")
    counts = []
    for name, options in (("default", ["--coverage-line", "--coverage-toggle"]), ("wide", OPTIONS)):
        run(["verilator", "--cc", "-Wno-fatal", "--top-module", "wide_bus", "--Mdir", folder / name, *options,
             folder / "wide_bus.sv"], folder / f"{name}.log")
        text = "".join(p.read_text() for p in (folder / name).glob("*.cpp"))
        counts.append(len(re.findall(r'__vlCoverInsert\([^;]*"v_toggle/[^;]*"bus_q\[\d+\]"', text)))
    shutil.rmtree(folder)
    print(f"toggle points of a bus of 3,000 bits: {counts[0]} by default, {counts[1]} here")
    return 0 if counts == [0, 3000] else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("engines", nargs="*")
    parser.add_argument("--runs", type=positive, default=None)
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    good = True
    lines = ["| engine | points | covered | of | share | explained, not counted | goal |", "|---|---|---|---|---|---|---|"]
    try:
        if arguments.self_test:
            return self_test()
        for engine in built_engines(arguments.engines):
            rows, met = measure(engine, arguments.runs)
            good = good and met
            lines += ["| " + " | ".join(row) + " |" for row in rows]
    except ToolError as error:
        print(f"rtl_coverage: {error}", file=sys.stderr)
        return 2
    print("\n".join(lines))
    summary_file(FOLDER, "rtl", bool(arguments.engines) or arguments.runs is not None).write_text("\n".join(lines) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

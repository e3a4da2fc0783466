#!/usr/bin/env python3
"""Synthesises every engine at its default point with yosys: checks, cells,
flip-flops, memories, longest paths, and what changed against the baseline.

Needs what `quadrille rtl list -c default --sources build/rtl/synth` writes. Method and
figures: docs/synthesis.md. Exit code 1 when a check fails."""
import argparse
import collections
import csv
import json
import os
import sys
import time

import checks
import flow
import netlist
import timing

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BASELINE = os.path.join(ROOT, "rtl", "synth_baseline.csv")
MEMORY_BASELINE = os.path.join(ROOT, "rtl", "synth_memories.csv")
PAGE = os.path.join(ROOT, "docs", "synthesis.md")
MARKS = ("<!-- written by `make synth-bless` -->\n", "<!-- end of what `make synth-bless` writes -->\n")

# Gate levels between registers at 500 MHz: docs/synthesis.md.
BUDGET = 55
# Area in two-input NAND gates, textbook cells: docs/synthesis.md.
NAND_EQUIVALENTS = {"$_NOT_": 0.67, "$_AND_": 1.33, "$_OR_": 1.33, "$_XOR_": 2.33, "$_MUX_": 2.33}
FLIP_FLOP_EQUIVALENTS = 5.67

FIGURES = ["gates", "flip_flops", "nand_equivalents", "memory_bits", "register_to_register", "from_memory",
           "pin_to_register", "register_to_pin"]
TITLES = {"gates": "gates", "flip_flops": "flip-flops", "nand_equivalents": "NAND2 equivalents",
          "memory_bits": "memory bits", "register_to_register": "register to register",
          "from_memory": "of these from a memory", "pin_to_register": "pin to register",
          "register_to_pin": "register to pin"}
MEMORY_FIELDS = ["engine", "point", "module", "instances", "width", "depth", "bits", "read_ports", "fixed_reads",
                 "write_ports"]


class Report:
    """What is known of an engine after its run."""

    def __init__(self, engine, point):
        self.engine, self.point = engine, point
        self.findings = []
        self.figures = {}
        self.paths = {}
        self.memories = []
        self.modules = []  # (module, instances, gates, flip-flops, longest path inside)


def fail(message):
    """Bad input: one line, exit code 2."""
    sys.stderr.write("synth: %s\n" % message)
    sys.exit(2)


def positive(text):
    """A whole number above zero, for argparse."""
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError("expected a whole number above zero, found %s" % text)
    return int(text)


def engine_table(path):
    """[(engine, point)] of engines.txt."""
    with open(path) as file:
        return [tuple(line.split()) for line in file if line.split() and not line.startswith("#")]


def read_point(folder, engine):
    """(top, sources, parameters) as `quadrille rtl list --sources` wrote them."""
    if not os.path.exists(os.path.join(folder, engine + ".point")):
        fail("%s: no sources of %s; expected what `quadrille rtl list -c CHIP --sources %s` writes" %
             (folder, engine, folder))
    with open(os.path.join(folder, engine + ".f")) as file:
        sources = [line.strip() for line in file if line.strip().endswith(".sv")]
    with open(os.path.join(folder, engine + ".point")) as file:
        top, parameters, _ = file.read().split()
    return top, sources, [tuple(pair.split("=")) for pair in parameters.split(";") if pair]


def memory_rows(engine, point, module, instances, mapped):
    """Shape and ports of each memory of a mapped *_sram module."""
    rows = []
    for cell in mapped["cells"].values():
        if cell["type"] != "$mem_v2":
            continue
        p = cell["parameters"]
        width, depth, address = int(p["WIDTH"], 2), int(p["SIZE"], 2), int(p["ABITS"], 2)
        reads = int(p["RD_PORTS"], 2)
        where = cell["connections"]["RD_ADDR"]
        moving = sum(any(isinstance(net, int) for net in where[port * address:(port + 1) * address])
                     for port in range(reads))
        rows.append({"engine": engine, "point": point, "module": module, "instances": instances, "width": width, "depth": depth,
                     "bits": width * depth * instances, "read_ports": moving, "fixed_reads": reads - moving,
                     "write_ports": int(p["WR_PORTS"], 2)})
    return rows


def judge_words(design, waivers):
    """Findings of an elaborated engine, before anything is optimised."""
    findings = checks.check_warnings(design.warnings, waivers)
    for module in design.modules.values():
        findings += checks.check_module(module, design.modules, waivers)
    return list(dict.fromkeys(findings))


def judge(report, elaborated, mapped, waivers, budget):
    """Checks, sums and times one engine. `mapped`: module -> (JSON file, warnings)."""
    modules = elaborated.modules
    order, instances = netlist.children_first(modules, elaborated.top)
    abstracts, total = {}, collections.Counter()
    for name in order:
        module = modules[name]
        file_name, warnings = mapped[name]
        report.findings += checks.check_warnings(warnings, waivers)
        with open(file_name) as file:
            netlists = json.load(file)["modules"]
        data = netlists.get(name) or netlists[name.lstrip("\\")]
        abstract = timing.analyse(module.hdlname, data, abstracts)
        # A JSON cell names its type without the backslash of RTLIL.
        abstracts[name] = abstracts[name.lstrip("\\")] = abstract
        report.findings += checks.check_mapped(module.hdlname, abstract.counts, module.is_sram)
        memories = memory_rows(report.engine, report.point, module.hdlname, instances[name], data)
        report.memories += memories
        for kind, count in abstract.counts.items():
            total[kind] += count * instances[name]
        flip_flops = sum(n for kind, n in abstract.counts.items() if timing.is_flip_flop(kind))
        gates = sum(n for kind, n in abstract.counts.items() if kind in timing.GATES)
        report.modules.append((module.hdlname, instances[name], gates, flip_flops, abstract.inside))
    report.findings += checks.check_paths(report.engine, abstract, budget)
    report.findings += ["waiver `%s` is not needed" % rule for rule in waivers.unused.values()]
    report.findings = list(dict.fromkeys(report.findings))
    _sum_up(report, abstract, total)


def _sum_up(report, abstract, total):
    gates = sum(n for kind, n in total.items() if kind in timing.GATES)
    flip_flops = sum(n for kind, n in total.items() if timing.is_flip_flop(kind))
    area = flip_flops * FLIP_FLOP_EQUIVALENTS + sum(n * NAND_EQUIVALENTS[kind] for kind, n in total.items()
                                                    if kind in timing.GATES)
    report.paths = {"register_to_register": abstract.inside, "from_memory": abstract.from_memory,
                    "pin_to_register": timing.longest_in(abstract, report.engine),
                    "register_to_pin": timing.longest_out(abstract, report.engine)}
    report.figures = {"gates": gates, "flip_flops": flip_flops, "nand_equivalents": round(area),
                      "memory_bits": sum(row["bits"] for row in report.memories)}
    report.figures.update({what: max(path.levels, 0) for what, path in report.paths.items()})


def synthesise(points, jobs, cache, folder, budget=BUDGET):
    """points: [(engine, point, top, sources, parameters, waivers)] -> [Report]."""
    reports, elaborated = [], {}
    for engine, point, top, sources, parameters, waivers in points:
        report = Report(engine, point)
        reports.append(report)
        try:
            design = flow.elaborate(top, sources, parameters, os.path.join(folder, engine))
        except flow.FlowError as error:
            report.findings.append("yosys: %s" % error)
            continue
        report.findings += judge_words(design, waivers)
        if not report.findings:  # What fails here is not worth the minutes of mapping.
            elaborated[engine] = design
    mapped, errors = flow.map_modules(jobs, cache, elaborated)
    for report, point in zip(reports, points):
        if report.engine not in elaborated:
            continue
        report.findings += errors[report.engine]
        if report.findings:
            continue
        try:
            judge(report, elaborated[report.engine], mapped[report.engine], point[5], budget)
        except timing.TimingError as error:
            report.findings.append(str(error))
    return reports


# ---------------------------------------------------------------- output


def read_csv(path):
    if not os.path.exists(path):
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def write_csv(path, fields, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, fields, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def figure_rows(reports):
    return [dict(report.figures, engine=report.engine, point=report.point) for report in reports if report.figures]


def change(now, before):
    """'' or ' (+3.2 %)' or ' (new)'."""
    if before is None:
        return " (new)"
    if now == int(before):
        return ""
    return " (%+.1f %%)" % (100.0 * (now - int(before)) / int(before)) if int(before) else " (was 0)"


# A memory that keeps these is the same memory; the number of its instances may change.
SAME_MEMORY = ["module", "width", "depth", "read_ports", "fixed_reads", "write_ports"]


def memory_counts(rows):
    """Instances by shape."""
    counts = collections.Counter()
    for row in rows:
        counts[tuple(str(row[field]) for field in SAME_MEMORY)] += int(row["instances"])
    return counts


def memory_lines(rows, baseline):
    """An engine's memories, each with its change; then those that it has no more. No baseline of this point: all new."""
    now, before = memory_counts(rows), memory_counts(baseline)
    lines = []
    for shape in [*now, *(shape for shape in before if shape not in now)]:
        module, width, depth, reads, fixed, writes = shape
        text = "  memory %-28s %6d x %5s words of %5s bits, %sr%s%sw" % (
            module, now[shape], depth, width, reads, "+%s fixed " % fixed if fixed != "0" else "", writes)
        if now[shape] != before[shape]:
            text += " (was %d)" % before[shape] if before[shape] else " (new)"
        lines.append(text)
    return lines


def print_table(reports, baseline, memory_baseline, out):
    before = {(row["engine"], row["point"]): row for row in baseline}
    for report in reports:
        out.write("%s %s\n" % (report.engine, report.point))
        if not report.figures:
            continue
        for figure in FIGURES:
            now = report.figures[figure]
            old = before.get((report.engine, report.point), {}).get(figure)
            text = "  %-26s %12s%s" % (TITLES[figure], format(now, ","), change(now, old))
            path = report.paths.get(figure)
            if path and path.levels >= 0:
                text += "   %s -> %s, in %s" % (path.start, path.end, path.module)
            out.write(text.rstrip() + "\n")
        old_memories = [row for row in memory_baseline
                        if (row["engine"], row["point"]) == (report.engine, report.point)]
        for line in memory_lines(report.memories, old_memories):
            out.write(line + "\n")
    for report in reports:
        for finding in report.findings:
            out.write("FAIL %s: %s\n" % (report.engine, finding))


def markdown(reports):
    """The tables of docs/synthesis.md."""
    lines = ["| engine | point | " + " | ".join(TITLES[f] for f in FIGURES) + " |",
             "|---|---|" + "---:|" * len(FIGURES)]
    for r in reports:
        lines.append("| %s | %s | %s |" % (r.engine, r.point, " | ".join(format(r.figures[f], ",") for f in FIGURES)))
    lines += ["", "Longest path between registers:", "", "| engine | levels | in | from | to |", "|---|---:|---|---|---|"]
    for r in reports:
        path = r.paths["register_to_register"]
        lines.append("| %s | %d | `%s` | `%s` | `%s` |" % (r.engine, path.levels, path.module, path.start, path.end))
    lines += ["", "Memories (`fixed`: words that are readable all at once, without an address):", "",
              "| engine | module | instances | words | bits per word | bits in all | ports |", "|---|---|---:|---:|---:|---:|---|"]
    for r in reports:
        for row in r.memories:
            ports = [("%d read", row["read_ports"]), ("%d fixed", row["fixed_reads"]), ("%d write", row["write_ports"])]
            lines.append("| %s | `%s` | %s | %s | %s | %s | %s |" % (
                row["engine"], row["module"], format(row["instances"], ","), format(row["depth"], ","),
                format(row["width"], ","), format(row["bits"], ","), ", ".join(t % n for t, n in ports if n)))
    return "\n".join(lines) + "\n"


def module_lines(reports):
    lines = ["engine,module,instances,gates,flip_flops,levels_inside\n"]
    for r in reports:
        lines += ["%s,%s,%d,%d,%d,%d\n" % (r.engine, name, n, gates, ffs, max(path.levels, 0))
                  for name, n, gates, ffs, path in r.modules]
    return "".join(lines)


def bless(reports):
    """Rewrites the baseline, the list of memories and the tables of the page."""
    write_csv(BASELINE, ["engine", "point"] + FIGURES, figure_rows(reports))
    write_csv(MEMORY_BASELINE, MEMORY_FIELDS, [row for r in reports for row in r.memories])
    with open(PAGE) as file:
        head, rest = file.read().split(MARKS[0])
    with open(PAGE, "w") as file:
        file.write(head + MARKS[0] + "\n" + markdown(reports) + "\n" + MARKS[1] + rest.split(MARKS[1])[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("engines", nargs="*", help="engines of the table (all)")
    parser.add_argument("--build", default=os.path.join(ROOT, "build"), help="configured build folder")
    parser.add_argument("--jobs", type=positive, default=os.cpu_count())
    parser.add_argument("--bless", action="store_true", help="rewrite the baseline and the page's tables")
    options = parser.parse_args()
    table = engine_table(os.path.join(HERE, "engines.txt"))
    for engine in options.engines:
        if engine not in [row[0] for row in table]:
            fail("no engine %s in scripts/synth/engines.txt; expected one of %s" %
                 (engine, ", ".join(row[0] for row in table)))
    table = [row for row in table if not options.engines or row[0] in options.engines]
    if options.bless and options.engines:
        fail("--bless takes all engines, found %s" % ", ".join(options.engines))

    points = []
    for engine, point in table:
        top, sources, parameters = read_point(os.path.join(options.build, "rtl", "synth"), engine)
        try:
            waivers = checks.read_waivers(os.path.join(ROOT, "rtl", engine, engine + ".synth"))
        except ValueError as error:
            fail(error)
        points.append((engine, point, top, sources, parameters, waivers))

    started = time.time()
    folder = os.path.join(options.build, "synth")
    reports = synthesise(points, options.jobs, os.path.join(folder, "cache"), folder)
    print_table(reports, read_csv(BASELINE), read_csv(MEMORY_BASELINE), sys.stdout)
    write_csv(os.path.join(folder, "synth.csv"), ["engine", "point"] + FIGURES, figure_rows(reports))
    write_csv(os.path.join(folder, "memories.csv"), MEMORY_FIELDS, [row for r in reports for row in r.memories])
    with open(os.path.join(folder, "modules.csv"), "w") as file:
        file.write(module_lines(reports))
    failed = any(report.findings for report in reports)
    if options.bless:
        if failed:
            print("not blessed: a check failed")
        else:
            bless(reports)
    print("%s, %.0f s" % ("a check failed" if failed else "all checks passed", time.time() - started))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Plants single faults in the engines' C++ (hw/engines) and counts those the tests catch.

    scripts/mutate_systemc.py [ENGINE...] [--count 108] [--seed 1] [--jobs 2]

Faults are drawn by the seed, the same number in every engine, every kind of fault
alike: operators, comparisons, constants one off, conditions dropped (ready, valid and
stalls among them), signs, rounding, widths, minimum for maximum. Each is compiled alone,
in a folder of its own, and linked into the tests, which run until one fails: lockstep
and unit tests of the engine, then all unit and timing tests. What does not compile is
replaced by another. A test that does not end has caught its fault.
Results: build/mutation/systemc.csv (of part of the faults: systemc_some.csv); exit 1 below 95 %. Needs a built project.
testbench/mutate/explained_systemc.csv explains faults that change nothing.
"""

import argparse
import concurrent.futures
import csv
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

from explained import Explanations
from rtl_program import ENGINES as RTL_ENGINES
from rtl_program import (BUILD, ROOT, SYSTEMC_ONLY, ToolError, compile_command, link_command, lockstep_programs,
                         positive, run, summary_file)

FOLDER = BUILD / "mutation/systemc"
EXPLAINED = ROOT / "testbench/mutate/explained_systemc.csv"
GOAL_PERCENT = 95.0
COUNT = 108  # Faults of all engines.
ENGINES = [*RTL_ENGINES, *SYSTEMC_ONLY]
# A stage that takes this many times as long as without a fault has stopped for good: caught.
HANG = 5
# Tests of the engine first; all of a program only for what those let through.
LOCKSTEP_TESTS = "*:-*Default*:*Wrong*:*Names*"
STAGES = [("test_unit", "*{Engine}*:*Vector*"),
          ("test_timing", "*{Engine}*"), ("test_unit", "*"), ("test_timing", "*")]

SWAPS = {
    "operator": {"+": "-", "-": "+", "*": "/", "/": "*", "%": "/", "+=": "-=", "-=": "+=", "++": "--", "--": "++",
                 "&": "|", "|": "&", "<<": ">>", ">>": "<<"},
    "comparison": {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="},
}
TOKEN = re.compile(r"\w+|<<=|>>=|<=|>=|==|!=|&&|\|\||\+\+|--|\+=|-=|<<|>>|->|::|\S")
NUMBER = re.compile(r"(0[xX][0-9a-fA-F']+|\d[\d']*)([uUlL]*)$")
STALL = re.compile(r"ready|valid|stall|credit|full|empty|space|room|pending|waits|offered|done|go\b")


class Fault:
    def __init__(self, path, start, end, new, kind):
        self.path, self.start, self.end, self.new, self.kind = path, start, end, new, kind
        text = path.read_text()
        self.line = text.count("\n", 0, start) + 1
        begin = text.rfind("\n", 0, start) + 1
        stop = text.find("\n", end)
        self.before = " ".join(text[begin:stop].split())
        self.after = " ".join((text[begin:start] + new + text[end:stop]).split())
        self.engine = path.parent.name

    def text(self):
        """What explanations are matched with: no line number, which moves."""
        return f"{self.path.name} {self.kind}: {self.before} => {self.after}"

    def source(self):
        text = self.path.read_text()
        return text[:self.start] + self.new + text[self.end:]


def blank(text):
    """The text with comments, strings, preprocessor lines and declarations that hold no code blanked."""
    def spaces(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    for pattern in (r"//[^\n]*", r"/\*.*?\*/", r'"(\\.|[^"\\\n])*"', r"'(\\.|[^'\\\n])'", r"^\s*#[^\n]*(\\\n[^\n]*)*",
                    r"\b(static_assert|throw|using|template|typedef|namespace)\b[^;{]*"):
        text = re.sub(pattern, spaces, text, flags=re.S | re.M)
    return text


def closing(text, place):
    """The place of the bracket that closes the one at `place`."""
    depth = 0
    for i in range(place, len(text)):
        depth += (text[i] in "([{") - (text[i] in ")]}")
        if depth == 0:
            return i
    return len(text)


def operand(text, place):
    """Where the operand of && or || that starts at `place` ends."""
    i = place
    while i < len(text) and text[i] not in ");?,{}" and text[i:i + 2] not in ("&&", "||"):
        i = closing(text, i) + 1 if text[i] in "([" else i + 1
    return i


def candidates(path):
    """Every single fault of a file."""
    code = blank(path.read_text())
    tokens = [(m.group(0), m.start(), m.end()) for m in TOKEN.finditer(code)]
    faults = []

    def add(start, end, new, kind):
        faults.append(Fault(path, start, end, new, kind))

    for i in range(1, len(tokens) - 1):
        token, start, end = tokens[i]
        spaced = code[start - 1] in " \n" and code[end] in " \n"
        for kind, swap in SWAPS.items():
            if token in swap and (spaced or token in ("++", "--")):
                add(start, end, swap[token], kind)
        if token in ("&&", "||") and spaced:
            stop = operand(code, end)
            kind = "stall dropped" if STALL.search(code[end:stop]) else "condition dropped"
            add(end, stop, " true" if token == "&&" else " false", kind)
        if token == "if" and code[end:end + 2] == " (":
            stop = closing(code, end + 1)
            condition = code[end + 2:stop]
            if ";" not in condition:
                add(end + 2, stop, f"!({path.read_text()[end + 2:stop]})",
                    "stall dropped" if STALL.search(condition) else "condition dropped")
        if token == "!" and code[end] != "=":
            add(start, end, "", "stall dropped" if STALL.search(tokens[i + 1][0]) else "condition dropped")
        number = NUMBER.match(token)
        if number and tokens[i - 1][0] != ".":
            value = int(number.group(1).replace("'", ""), 0)
            kind = "width" if tokens[i - 1][0] in ("<<", ">>") or value in (7, 8, 15, 16, 31, 32, 62, 63, 64) else \
                "one off"
            add(start, end, str(value + 1) + number.group(2), kind)
            if value > 0:
                add(start, end, str(value - 1) + number.group(2), kind)
        if token in ("min", "max") and tokens[i - 1][0] == "::":
            add(start, end, "max" if token == "min" else "min", "minimum for maximum")
        if token == "round_shift" and code[end] == "(":
            # The floor of the same shift.
            stop = closing(code, end)
            inside = path.read_text()[end + 1:stop]
            comma = operand_comma(inside)
            if comma:
                begin = tokens[i - 2][1] if tokens[i - 1][0] == "::" else start
                add(begin, stop + 1, f"(({inside[:comma]}) >> ({inside[comma + 1:]}))", "rounding")
    return faults


def operand_comma(text):
    i = 0
    while i < len(text):
        if text[i] == ",":
            return i
        i = closing(text, i) + 1 if text[i] in "([{" else i + 1
    return 0


def sources(engine):
    """The files that faults are planted in, with the objects each takes part in. Headers that a test
    includes are left out: a test's own copy of their code could hide the fault; so are the adapters and the
    entries in the list of engines, which compute no values."""
    folder = ROOT / "hw/engines" / engine
    tests = "".join(p.read_text() for p in (ROOT / "testbench").rglob("*.[ch]*"))
    users = {}
    for path in (ROOT / "hw").rglob("*.cpp"):
        users[path] = reached(path)
    result = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("rtl_") or path.name.endswith(("_command.h", "_entry.cpp", "_entry.h")):
            continue
        if path.suffix == ".cpp":
            result[path] = [path]
        elif f'"{path.relative_to(ROOT)}"' not in tests:
            using = [p for p, headers in users.items() if path in headers and p.name != "rtl_adapter.cpp"]
            if 0 < len(using) <= 4:
                result[path] = using
    return result


def reached(path):
    """The project's headers that a file includes, directly or not."""
    found, open_files = set(), [path]
    while open_files:
        for name in re.findall(r'#include "([^"]+)"', open_files.pop().read_text()):
            header = ROOT / name
            if header.exists() and header not in found:
                found.add(header)
                open_files.append(header)
    return found


def draw(engine, count, generator):
    """Faults of an engine in the order in which they are tried: one kind after the other."""
    kinds = {}
    for path in sources(engine):
        for fault in candidates(path):
            kinds.setdefault(fault.kind, []).append(fault)
    order = []
    for faults in kinds.values():
        generator.shuffle(faults)
    while any(kinds.values()) and len(order) < 4 * count:
        for kind in sorted(kinds):
            if kinds[kind]:
                order.append(kinds[kind].pop())
    return order


def compile_fault(fault, users, folder):
    """The object files with the fault, or None when it does not compile."""
    objects = []
    copy = folder / fault.path.relative_to(ROOT)
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(fault.source())
    for number, user in enumerate(users):
        words = compile_command(user)
        source = copy if user == fault.path else user
        place = next(i for i, word in enumerate(words) if word.startswith("-I"))
        words.insert(place, f"-I{folder}")
        try:
            run([*words, "-O1", "-w", "-c", source, "-o", folder / f"{number}.o"], folder / "compile.log")
        except ToolError:
            return None
        objects.append(str(folder / f"{number}.o"))
    return objects


def stages(engine):
    """(program, tests) in the order in which they run."""
    name = engine.capitalize()
    return [(program, LOCKSTEP_TESTS) for program in lockstep_programs(engine)] + \
        [(program, tests.format(Engine=name)) for program, tests in STAGES]


def link(program, objects, folder):
    words = link_command(program)
    place = words.index("-o")
    words[place + 1] = str(folder / program)
    words[place:place] = objects
    run(words, folder / "link.log")


def run_stage(program, tests, objects, folder, timeout_s):
    """The first failing test of one stage on the linked objects, or the empty string."""
    if not (folder / program).exists():
        link(program, objects, folder)
    environment = dict(os.environ, GTEST_FAIL_FAST="1")
    try:
        result = subprocess.run([folder / program, f"--gtest_filter={tests}"], cwd=BUILD / "testbench", env=environment,
                                capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        return "hang"
    if result.returncode == 0:
        return ""
    failed = re.search(r"\[  FAILED  \] ([\w/]+\.[\w/]+)", result.stdout.decode(errors="replace"))
    return failed.group(1) if failed else f"end with code {result.returncode}"


def limits_of(engine):
    """Seconds after which each stage has stopped for good, from what it takes without a fault, which it must pass."""
    limits = []
    with tempfile.TemporaryDirectory(dir=FOLDER) as name:
        folder = pathlib.Path(name)
        for program, tests in stages(engine):
            if not (folder / program).exists():
                link(program, [], folder)
            start = time.monotonic()
            broken = run_stage(program, tests, [], folder, 3600)
            if broken:
                raise ToolError(f"{engine}: without a fault fails {broken}")
            limits.append(20 + HANG * (time.monotonic() - start))
    return limits


def judge(fault, users, limits):
    with tempfile.TemporaryDirectory(dir=FOLDER) as name:
        folder = pathlib.Path(name)
        objects = compile_fault(fault, users, folder)
        if objects is None:
            return fault, "does not compile", ""
        for (program, tests), limit_s in zip(stages(fault.engine), limits):
            by = run_stage(program, tests, objects, folder, limit_s)
            if by:
                return fault, "caught", by
        return fault, "survived", ""


def study(engine, count, arguments):
    """The first `count` faults of an engine that compile, with what became of them."""
    users = sources(engine)
    limits = limits_of(engine)
    faults = iter(draw(engine, count, random.Random(f"{arguments.seed} {engine}")))
    results = []
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        while len(results) < count:
            batch = [fault for _, fault in zip(range(count - len(results)), faults)]
            if not batch:
                raise ToolError(f"{engine}: {len(results)} faults compile, expected {count}")
            for fault, result, by in pool.map(lambda f: judge(f, users[f.path], limits), batch):
                if result != "does not compile":
                    results.append((fault, result, by))
                    print(f"{engine} {len(results)}/{count} {result} {by}: {fault.text()}" if arguments.verbose else "",
                          end="\n" if arguments.verbose else "", flush=True)
    return results


def report(engine, results, table):
    explanations = Explanations(EXPLAINED, engine)
    counts = {"caught": 0, "explained": 0, "missed": 0}
    for fault, result, by in results:
        if result == "survived":
            reason = explanations.reason(fault.text())
            result, by = ("explained", reason) if reason else ("missed", "")
        counts[result] += 1
        table.writerow([engine, result, by, fault.kind, f"{fault.path.relative_to(ROOT)}:{fault.line}", fault.before,
                        fault.after])
        if result == "missed":
            print(f"missed: {engine} {fault.path.name}:{fault.line}: {fault.text()}")
    for pattern in explanations.unused():
        print(f"{engine}: the explanation '{pattern}' matches no survivor of this draw")
    wrong = explanations.contradicted([fault.text() for fault, result, _ in results if result == "caught"])
    for pattern, text in wrong:
        print(f"wrong explanation: {engine}: '{pattern}' matches a fault that is caught: {text}")
    return counts, not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("engines", nargs="*")
    parser.add_argument("--count", type=positive, default=COUNT)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=positive, default=2)
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    engines = arguments.engines or ENGINES
    for engine in engines:
        if engine not in ENGINES:
            print(f"mutate_systemc: no engine {engine}; expected one of {', '.join(ENGINES)}", file=sys.stderr)
            return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    lines = ["| engine | faults | caught | explained | missed | caught of what can be |", "|---|---|---|---|---|---|"]
    total = {"caught": 0, "explained": 0, "missed": 0}
    good = True

    def line(name, counts):
        found = 100.0 * counts["caught"] / max(1, counts["caught"] + counts["missed"])
        lines.append(f"| {name} | {sum(counts.values())} | {counts['caught']} | {counts['explained']} | "
                     f"{counts['missed']} | {found:.1f} % |")
        return found

    partial = bool(arguments.engines) or arguments.count < COUNT
    name = "systemc_some" if partial else "systemc"
    try:
        with open(BUILD / f"mutation/{name}.csv", "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["engine", "result", "by", "kind", "place", "before", "after"])
            for engine in engines:
                results = study(engine, -(-arguments.count // len(engines)), arguments)
                counts, consistent = report(engine, results, table)
                good = good and consistent
                for key, value in counts.items():
                    total[key] += value
                line(engine, counts)
                file.flush()
    except ToolError as error:
        print(f"mutate_systemc: {error}", file=sys.stderr)
        return 2
    good = line("all", total) >= GOAL_PERCENT and good
    print("\n".join(lines))
    summary_file(BUILD / "mutation", "systemc", partial).write_text("\n".join(lines) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

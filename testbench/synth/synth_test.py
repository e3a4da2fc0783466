#!/usr/bin/env python3
"""Does `make synth` find what it has to find, and are its levels true? Planted
faults, one per file, and netlists of known depth. Argument: the build folder."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "scripts", "synth"))

import checks  # noqa: E402
import flow  # noqa: E402
import netlist  # noqa: E402
import synth  # noqa: E402
import timing  # noqa: E402

FAULTS = {  # file -> what a finding has to say
    "fault_latch": "latch",
    "fault_undriven": "used but has no driver",
    "fault_partly_driven": "used but has no driver",
    "fault_two_drivers": "conflicting drivers",
    "fault_two_registers": "conflicting drivers",
    "fault_constant_driver": "data_o has two drivers",
    "fault_array": "array mem of 8192 bits outside",
    "fault_register_array": "array mem_q of 8192 bits became registers",
    "fault_vector_array": "picked from as from an array",
    "fault_black_box": "lackbox|black box",
    "fault_missing_module": "nowhere.* not part of the design",
    "fault_open_input": "input b_i of u_taker is left open",
    "fault_port_width": "Resizing cell port",
    "fault_loop": "a loop of gates",
    "fault_mealy": "output pin b_o depends on input pin a_i",
    "fault_slow": r"levels register to register.*budget 55",
    "fault_async_read": "read port without a clock",
    "fault_packed_structs": ".",
}


def run(folder, name, waivers=""):
    return synth.synthesise([(name, "test", name, sources(name), [], checks.Waivers(waivers))], 1,
                            os.path.join(folder, "cache"), folder)[0]


def sources(name):
    files = [os.path.join(HERE, name + ".sv")]
    return files if name != "path_top" else files + [os.path.join(HERE, "path_leaf.sv")]


class Checks(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def test_every_planted_fault_is_found(self):
        for name, text in FAULTS.items():
            with self.subTest(name):
                findings = run(self.folder.name, name).findings
                self.assertTrue(any(re.search(text, finding) for finding in findings), findings)

    def test_a_waiver_needs_a_reason_and_a_use(self):
        for wrong in ("array fault_array mem", "array fault_array -- a test", "warning -- a test", "warning ( -- a test"):
            with self.subTest(wrong), self.assertRaisesRegex(ValueError, "^rtl/x.synth: line 2: expected"):
                checks.Waivers("# waivers\n" + wrong, "rtl/x.synth")
        design = flow.elaborate("fault_register_array", sources("fault_register_array"), [], self.folder.name)
        waivers = checks.Waivers("array fault_register_array mem_q -- a test")
        self.assertNotIn("became registers", " ".join(synth.judge_words(design, waivers)))
        report = run(self.folder.name, "path_top", "array nowhere nothing -- a test")
        self.assertEqual(report.findings, ["waiver `array nowhere nothing` is not needed"])


class Engines(unittest.TestCase):
    """The words of the real engines at their smallest points: what `make synth` finds before it maps."""

    def test_words_have_no_finding(self):
        folder = os.path.join(BUILD, "rtl", "sources")
        for engine, _ in synth.engine_table(os.path.join(ROOT, "scripts", "synth", "engines.txt")):
            with self.subTest(engine), tempfile.TemporaryDirectory() as work:
                top, files, parameters = synth.read_point(folder, engine)
                design = flow.elaborate(top, files, parameters, work)
                waivers = checks.read_waivers(os.path.join(ROOT, "rtl", engine, engine + ".synth"))
                self.assertEqual(synth.judge_words(design, waivers), [])


class Changes(unittest.TestCase):
    @staticmethod
    def memory(module, instances, depth):
        return {"module": module, "instances": instances, "width": 8, "depth": depth, "read_ports": 1, "fixed_reads": 0,
                "write_ports": 1}

    def test_every_change_of_a_memory_shows(self):
        now = [self.memory("same_sram", 2, 64), self.memory("more_sram", 3, 64), self.memory("deeper_sram", 1, 128)]
        before = [self.memory("same_sram", "2", "64"), self.memory("more_sram", "1", "64"),
                  self.memory("deeper_sram", "1", "64")]
        lines = [" ".join(line.split()) for line in synth.memory_lines(now, before)]
        self.assertEqual(lines, ["memory same_sram 2 x 64 words of 8 bits, 1r1w",
                                 "memory more_sram 3 x 64 words of 8 bits, 1r1w (was 1)",
                                 "memory deeper_sram 1 x 128 words of 8 bits, 1r1w (new)",
                                 "memory deeper_sram 0 x 64 words of 8 bits, 1r1w (was 1)"])


class Paths(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def test_five_levels_over_four_modules(self):
        report = run(self.folder.name, "path_top")
        self.assertEqual(report.findings, [])
        path = report.paths["register_to_register"]
        self.assertEqual(path.levels, 5)
        self.assertRegex(path.start, r"^u_first\.[xy]_q$")
        self.assertEqual((path.end, path.module), ("u_last.x_q", "path_top"))
        self.assertEqual(report.paths["pin_to_register"].levels, 0)
        self.assertEqual(report.paths["register_to_pin"].levels, 2)
        # Two registers here, three in each leaf, gates: 4 a leaf and 1.
        self.assertEqual((report.figures["flip_flops"], report.figures["gates"]), (11, 13))

    def test_a_memory_starts_a_path_and_is_listed(self):
        report = run(self.folder.name, "memory_path")
        self.assertEqual(report.findings, [])
        self.assertEqual(report.paths["from_memory"].levels, 1)
        self.assertEqual(report.figures["memory_bits"], 8192)
        row = report.memories[0]
        self.assertEqual((row["module"], row["width"], row["depth"], row["read_ports"], row["write_ports"]),
                         ("small_sram", 8, 1024, 1, 1))

    def check_against_ltp(self, top, files, parameters):
        """The composed levels are those of yosys' ltp on the same gates, flat."""
        design = flow.elaborate(top, files, parameters, self.folder.name)
        mapped, errors = flow.map_modules(2, os.path.join(self.folder.name, "cache"), {top: design})
        self.assertEqual(errors[top], [])
        abstracts = {}
        order, _ = netlist.children_first(design.modules, design.top)
        reads = ""
        for name in order:
            file_name = mapped[top][name][0]
            reads += "read_json %s\n" % file_name
            with open(file_name) as file:
                modules = json.load(file)["modules"]
            data = modules.get(name) or modules[name.lstrip("\\")]
            abstract = timing.analyse(name, data, abstracts)
            abstracts[name] = abstracts[name.lstrip("\\")] = abstract
        script = os.path.join(self.folder.name, "flat.ys")
        with open(script, "w") as file:
            file.write(reads + "hierarchy -top %s\nflatten\nltp -noff\n" % design.top)
        text = subprocess.run(["yosys", "-s", script], capture_output=True, text=True, check=True).stdout
        longest = int(re.search(r"Longest topological path in .*\(length=(\d+)\)", text).group(1))
        levels = max([abstract.inside.levels, timing.longest_in(abstract, "").levels,
                      timing.longest_out(abstract, "").levels] +
                     [n for sources in abstract.through.values() for _, n in sources])
        self.assertEqual(levels, longest)
        self.assertGreater(levels, 0)

    def test_levels_are_those_of_ltp_on_the_flat_netlist(self):
        self.check_against_ltp("path_top", sources("path_top"), [])
        with open(os.path.join(BUILD, "rtl", "sources", "damf.f")) as file:
            files = [line.strip() for line in file if line.strip().endswith(".sv")]
        self.check_against_ltp("prim_adder_tree", files, [("Lanes", "5"), ("InW", "6")])
        self.check_against_ltp("damf_row_pipeline", files, [("MaxTokens", "64"), ("TokenW", "7")])


if __name__ == "__main__":
    BUILD = os.path.abspath(sys.argv.pop(1))
    unittest.main()

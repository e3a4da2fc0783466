#!/usr/bin/env python3
"""Does `make mutate` leave out only faults that change nothing? Bits of cells with known readers
(scripts/live_bits.py); comparisons with a constant, for every value (scripts/mutate_rtl.py)."""
import itertools
import json
import operator
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))

import mutate_rtl  # noqa: E402
from live_bits import LiveBits  # noqa: E402


def live_bits(body):
    """LiveBits of a module with 8-bit inputs a, b, a select s and the output y."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "design.sv"), "w") as file:
            file.write("module design (input logic clk, input logic s, input logic [7:0] a, b, output logic [7:0] y);\n"
                       f"{body}\nendmodule\n")
        subprocess.run(["yosys", "-q", "-p", "read_verilog -sv design.sv; proc; write_json design.json"], cwd=folder,
                       check=True)
        with open(os.path.join(folder, "design.json")) as file:
            return LiveBits(json.load(file)["modules"]["design"])


def reached(live, kind, port):
    """The bits of the port of the only cell of a kind that reach a pin."""
    name = next(name for name, cell in live.cells.items() if cell["type"] == kind)
    return [bit for bit in range(len(live.cells[name]["connections"][port])) if live.reach(name, port, bit)]


class LiveBitsTest(unittest.TestCase):
    def test_a_multiplexer_has_the_bits_that_are_read(self):
        live = live_bits("logic [7:0] m; assign m = s ? a : b; assign y = m >> 4;")
        self.assertEqual(reached(live, "$mux", "A"), [4, 5, 6, 7])
        self.assertEqual(reached(live, "$mux", "Y"), [4, 5, 6, 7])
        self.assertEqual(reached(live, "$mux", "S"), [0])

    def test_a_carry_goes_up_only(self):
        live = live_bits("logic [7:0] m; assign m = a + b; assign y = {7'b0, m[3]};")
        self.assertEqual(reached(live, "$add", "A"), [0, 1, 2, 3])
        self.assertEqual(reached(live, "$add", "Y"), [3])

    def test_every_bit_of_an_amount_moves_every_bit(self):
        live = live_bits("logic [7:0] m; assign m = a << b[2:0]; assign y = {7'b0, m[0]};")
        self.assertEqual(reached(live, "$shl", "A"), [0])
        self.assertEqual(reached(live, "$shl", "B"), [0, 1, 2])

    def test_a_comparison_reads_all(self):
        live = live_bits("assign y = {7'b0, a < b};")
        self.assertEqual(reached(live, "$lt", "A"), list(range(8)))

    def test_a_register_passes_its_bits_and_loops_end(self):
        live = live_bits("logic [7:0] q; always_ff @(posedge clk) q <= s ? q + a : q; assign y = {7'b0, q[2]};")
        self.assertEqual(reached(live, "$dff", "D"), [0, 1, 2])
        self.assertEqual(reached(live, "$add", "B"), [0, 1, 2])

    def test_what_no_pin_sees_is_dead(self):
        live = live_bits("logic [7:0] q; always_ff @(posedge clk) q <= q + a; assign y = b;")
        self.assertEqual(reached(live, "$add", "A"), [])


RELATIONS = {"$lt": operator.lt, "$le": operator.le, "$gt": operator.gt, "$ge": operator.ge, "$eq": operator.eq,
             "$ne": operator.ne}
WIDTH = 4


class ComparisonsTest(unittest.TestCase):
    """A port of four bits against every constant of five."""

    def each(self):
        for (kind, relation), port, constant in itertools.product(RELATIONS.items(), "AB", range(32)):
            other = "B" if port == "A" else "A"
            cell = {"type": kind, "parameters": {"A_SIGNED": "0", "B_SIGNED": "0"},
                    "port_directions": {"A": "input", "B": "input", "Y": "output"},
                    "connections": {port: [2, 3, 4, 5], other: [str(constant >> i & 1) for i in range(5)]}}
            result = [relation(v, constant) if port == "A" else relation(constant, v) for v in range(1 << WIDTH)]
            yield cell, port, result

    def test_bits_below_the_threshold_count_for_nothing(self):
        claims = 0
        for cell, port, result in self.each():
            for bit in range(WIDTH):
                if mutate_rtl.compared_above(cell, port, bit):
                    claims += 1
                    self.assertEqual(result, [result[v ^ 1 << bit] for v in range(1 << WIDTH)], (cell, bit))
        self.assertGreater(claims, 100)

    def test_a_bit_that_decides_alone(self):
        claims = 0
        for cell, port, result in self.each():
            for control, value in itertools.product(range(WIDTH), "01"):
                if mutate_rtl.decides_alone(cell, port, control, value):
                    claims += 1
                    self.assertEqual(len({result[v] for v in range(1 << WIDTH) if str(v >> control & 1) == value}), 1)
        self.assertGreater(claims, 100)


if __name__ == "__main__":
    unittest.main()

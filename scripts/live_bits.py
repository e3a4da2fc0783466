"""Which bits of a flat yosys netlist (write_json) can reach an output pin.

`opt_clean` removes whole cells and wires; a wide cell keeps bits that nobody reads, such as the
low bits of a shifter whose reader takes the high ones. A fault in such a bit changes nothing.
"""

# Output bit i depends on input bits i only, and on the one-bit inputs.
BITWISE = {"$mux", "$and", "$or", "$xor", "$xnor", "$not", "$pos", "$dff", "$dffe", "$adff", "$adffe", "$sdff",
           "$sdffe", "$sdffce", "$aldff", "$dlatch"}
# Output bit i depends on input bits 0 to i.
UPWARD = {"$add", "$sub", "$neg", "$mul", "$shl", "$sshl"}
# Of other cells every output bit may depend on every input bit.


class LiveBits:
    def __init__(self, module):
        self.cells = module["cells"]
        self.drivers = {net: (name, port, index) for name, cell in self.cells.items()
                        for port, nets in cell["connections"].items() if cell["port_directions"][port] == "output"
                        for index, net in enumerate(nets)}
        self.live = {net for port in module["ports"].values() if port["direction"] == "output"
                     for net in port["bits"]}
        self._spread()

    def _spread(self):
        waiting = list(self.live)
        while waiting:
            driver = self.drivers.get(waiting.pop())
            if driver is None:
                continue
            for net in self._sources(*driver):
                if isinstance(net, int) and net not in self.live:
                    self.live.add(net)
                    waiting.append(net)

    def _sources(self, name, _, index):
        """Nets that an output bit of a cell depends on."""
        cell = self.cells[name]
        for port, nets in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                for place, net in enumerate(nets):
                    if _reaches(cell["type"], port, len(nets), place, index):
                        yield net

    def reach(self, name, port, index):
        """True when the bit `index` of a cell's port can reach an output pin."""
        cell = self.cells[name]
        nets = cell["connections"][port]
        if cell["port_directions"][port] == "output":
            return nets[index] in self.live
        outputs = [bits for p, bits in cell["connections"].items() if cell["port_directions"][p] == "output"]
        return any(net in self.live and _reaches(cell["type"], port, len(nets), index, place)
                   for bits in outputs for place, net in enumerate(bits))


def _reaches(kind, port, width, source, result):
    """Whether bit `source` of the input `port` of `width` bits can change bit `result` of the output."""
    if kind in BITWISE:
        # The sign of a narrow input is extended.
        return width == 1 or source == result or (source == width - 1 and result >= width)
    if kind in UPWARD and not (kind in ("$shl", "$sshl") and port == "B"):
        return width == 1 or source <= result
    return True

"""RTLIL text as yosys writes it after `proc`: split into modules, read by line.

Only what the checks and the flow need is understood: ports, arrays, cells,
attributes. Word-level RTLIL of a large engine is a tenth of its JSON.
"""
import re

FLIP_FLOPS = {"$dff", "$dffe", "$adff", "$adffe", "$sdff", "$sdffe", "$sdffce", "$aldff", "$aldffe", "$dffsr"}
LATCHES = {"$dlatch", "$adlatch", "$dlatchsr", "$sr"}
OUTPUTS = {"\\Y", "\\Q", "\\X", "\\CO", "\\DATA", "\\RD_DATA"}  # of yosys' own cells
_signal = re.compile(r"([\\$]\S+)(?: \[(\d+)(?::(\d+))?\])?")
_array_entry = re.compile(r"^(\\.+)\[\d+\]$")
_memory = re.compile(r"^  memory (?:width (\d+) )?(?:size (\d+) )?(?:offset \d+ )?(\S+)$")


class Module:
    """One module: its own text without source positions, and what is in it."""

    def __init__(self, name, attributes, lines):
        self.name = name
        self.hdlname = _plain(attributes.get("hdlname", '"' + name + '"').strip('"'))
        self.blackbox = "blackbox" in attributes or "whitebox" in attributes
        self.lines = lines
        self.ports = {}  # name -> (direction, width)
        self.port_lines = []
        self.memories = {}  # name -> (width, depth)
        self.register_arrays = {}  # name -> bits, arrays that became registers
        self.cells = []  # (type, name, parameters, connections)
        self.widths = {}  # of all wires
        self.assigned = []  # left sides of connections
        self._read()
        q = " ".join(pins.get("\\Q", "") for kind, _, _, pins in self.cells if kind in FLIP_FLOPS)
        held = {_plain(entry) for entry in re.findall(r"(\\\S+?)\[\d+\](?=\s|$)", q)}
        self.register_arrays = {name: bits for name, bits in self.register_arrays.items() if name in held}

    def _read(self):
        cell = None
        for line in self.lines:
            if cell is not None:
                word = line.split(None, 2)
                if word[0] == "parameter":
                    word = [w for w in line.split() if w not in ("signed", "real")]
                    cell[2][word[1]] = word[2]
                elif word[0] == "connect":
                    cell[3][word[1]] = word[2].strip()
                elif word[0] == "end":
                    cell = None
                continue
            if line.startswith("  cell "):
                _, kind, name = line.split()
                cell = (kind, name, {}, {})
                self.cells.append(cell)
            elif line.startswith("  connect "):
                self.assigned.append(_left_side(line[len("  connect "):]))
            elif line.startswith("  wire "):
                self._read_wire(line)
            elif line.startswith("  memory "):
                width, size, name = _memory.match(line).groups()
                self.memories[_plain(name)] = (int(width or 1), int(size or 1))

    def _read_wire(self, line):
        words = line.split()
        width = int(words[words.index("width") + 1]) if "width" in words else 1
        self.widths[words[-1]] = width
        for direction in ("input", "output", "inout"):
            if direction in words[:-1]:
                self.ports[words[-1]] = (direction, width)
                self.port_lines.append(line)
        entry = _array_entry.match(words[-1])
        if entry:
            name = _plain(entry.group(1))
            self.register_arrays[name] = self.register_arrays.get(name, 0) + width

    @property
    def is_sram(self):
        return self.hdlname.endswith("_sram")

    def doubly_driven(self, modules):
        """Names of wires with a bit that has two drivers: ports, cells and
        connections alike. yosys' check overlooks constants."""
        driven, twice = set(), {}
        signals = [name for name, (direction, _) in self.ports.items() if direction == "input"] + self.assigned
        for kind, _, _, pins in self.cells:
            for pin, signal in pins.items():
                if kind in modules:
                    if modules[kind].ports.get(pin, ("",))[0] == "output":
                        signals.append(signal)
                elif pin in OUTPUTS and not (kind == "$memwr" or kind.startswith("$memwr")):
                    signals.append(signal)
        for signal in signals:
            for name, high, low in _signal.findall(signal):
                first = int(low or high or 0)
                last = int(high) if high else self.widths.get(name, 1) - 1
                for bit in range(first, last + 1):
                    if (name, bit) in driven:
                        twice[_plain(name)] = None
                    driven.add((name, bit))
        return list(twice)

    def text(self):
        return "module %s\n%s\nend\n" % (self.name, "\n".join(self.lines))

    def stub(self):
        return "attribute \\blackbox 1\nmodule %s\n%s\nend\n" % (self.name, "\n".join(self.port_lines))


def _left_side(text):
    """The first signal of `SIGNAL SIGNAL`, either of them in braces or sliced."""
    if text.startswith("{"):
        return text[:text.index("}")]
    match = _signal.match(text)
    return match.group(0) if match else ""


def _plain(name):
    return name.replace("\\\\", "\\").lstrip("\\")


def read_modules(text):
    """name -> Module, in the order of the text. Source positions are dropped,
    so that a module's text only changes when the module does."""
    modules, attributes, name, lines = {}, {}, None, []
    for line in text.split("\n"):
        if name is None:
            if line.startswith("attribute \\"):
                key, value = line[len("attribute \\"):].split(" ", 1)
                attributes[key] = value
            elif line.startswith("module "):
                name, lines = line.split()[1], []
        elif line == "end":
            modules[name] = Module(name, attributes, lines)
            attributes, name = {}, None
        elif not line.lstrip().startswith("attribute \\src "):
            lines.append(line)
    return modules


def children_first(modules, top):
    """Names of the modules below `top`, every one after those it instantiates,
    and how often each occurs in the whole."""
    order, seen = [], set()

    def visit(name):
        if name in seen:
            return
        seen.add(name)
        for kind, _, _, _ in modules[name].cells:
            if kind in modules:
                visit(kind)
        order.append(name)

    visit(top)
    count = dict.fromkeys(order, 0)
    count[top] = 1
    for name in reversed(order):
        for kind, _, _, _ in modules[name].cells:
            if kind in modules:
                count[kind] += count[name]
    return order, count

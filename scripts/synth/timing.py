"""Longest paths of a hierarchical netlist in gate levels.

A gate is one level, an inverter too; flip-flops and memories start and end
paths at no cost. Each module is reduced, bit by bit, to what its parent has to
know: levels from a register to an output (`launch`), from an input to a
register (`capture`), from an input through to an output (`through`).
"""
import collections

GATES = {
    "$_NOT_": "A", "$_AND_": "AB", "$_OR_": "AB", "$_XOR_": "AB", "$_MUX_": "ABS",
    "$_NAND_": "AB", "$_NOR_": "AB", "$_XNOR_": "AB", "$_ANDNOT_": "AB", "$_ORNOT_": "AB",
}
# A module with more gate visits than this gets its `through` by input port
# instead of by input bit: never less levels than the truth.
MOST_VISITS = 20_000_000

Path = collections.namedtuple("Path", "levels start end module")
NO_PATH = Path(-1, "", "", "")


class TimingError(Exception):
    pass


class Abstract:
    """What a parent knows of a module."""

    def __init__(self):
        self.launch = {}  # (port, bit) -> (levels, start name)
        self.launch_memory = {}  # the same from memories only
        self.capture = {}  # (port, bit) -> (levels, end name)
        self.through = {}  # (out port, bit) -> [((in port, bit), levels)]
        self.inside = NO_PATH  # register to register, children included
        self.from_memory = NO_PATH  # memory to register or memory
        self.counts = collections.Counter()  # cells by type, children excluded


def is_flip_flop(kind):
    return kind.startswith("$_") and "DFF" in kind


class _Graph:
    """Nodes are net bits; every driven bit has one gate."""

    def __init__(self, module, abstracts):
        self.inputs, self.outputs = {}, {}  # (port, bit) -> net
        self.drivers = {}  # net -> [(input net, levels)]
        self.starts = {}  # net -> (levels, name): registers and below
        self.memory_starts = {}
        self.ends = []  # (net, levels, name)
        self.names = _names(module)
        for port, data in module["ports"].items():
            target = self.outputs if data["direction"] == "output" else self.inputs
            for bit, net in enumerate(data["bits"]):
                if isinstance(net, int):
                    target[port, bit] = net
        for name, cell in module["cells"].items():
            self._add(name, cell, abstracts)

    def _add(self, name, cell, abstracts):
        kind, pins = cell["type"], cell["connections"]
        if kind in GATES:
            inputs = [(pins[pin][0], 1) for pin in GATES[kind] if isinstance(pins[pin][0], int)]
            self._drive(pins["Y"][0], inputs)
        elif kind == "$_BUF_":
            self._drive(pins["Y"][0], [(net, 0) for net in pins["A"] if isinstance(net, int)])
        elif is_flip_flop(kind):
            q = self.names.get(pins["Q"][0], name)
            self.starts[pins["Q"][0]] = (0, q)
            for pin, nets in pins.items():
                if pin not in ("Q", "C") and isinstance(nets[0], int):
                    self.ends.append((nets[0], 0, q if pin == "D" else q + " (" + pin + ")"))
        elif kind == "$mem_v2":
            self._add_memory(cell)
        elif kind in abstracts:
            self._add_instance(name, pins, abstracts[kind])
        else:
            raise TimingError("cell %s has type %s, which is no gate" % (name, kind))

    def _drive(self, net, inputs):
        self.drivers[net] = inputs

    def _add_memory(self, cell):
        pins, parameters = cell["connections"], cell["parameters"]
        memory = parameters["MEMID"].lstrip("\\")
        clocked = parameters["RD_CLK_ENABLE"][::-1]
        width, address = int(parameters["WIDTH"], 2), int(parameters["ABITS"], 2)
        for port in range(len(clocked) if int(parameters["RD_PORTS"], 2) else 0):
            where = pins["RD_ADDR"][port * address:(port + 1) * address]
            if clocked[port] == "0" and any(isinstance(net, int) for net in where):
                raise TimingError("memory %s has a read port without a clock" % memory)
            for net in pins["RD_DATA"][port * width:(port + 1) * width]:
                self.starts[net] = self.memory_starts[net] = (0, memory + " (read)")
        for pin, nets in pins.items():
            if pin not in ("RD_DATA", "RD_CLK", "WR_CLK"):
                for net in nets:
                    if isinstance(net, int):
                        self.ends.append((net, 0, "%s (%s)" % (memory, pin.lower())))

    def _add_instance(self, name, pins, child):
        name = name.lstrip("\\")

        def net(place):
            port, bit = place
            nets = pins.get(port, [])
            return nets[bit] if bit < len(nets) and isinstance(nets[bit], int) else None

        for starts, launch in ((self.starts, child.launch), (self.memory_starts, child.launch_memory)):
            for place, (levels, start) in launch.items():
                if net(place) is not None:
                    starts[net(place)] = (levels, name + "." + start)
        for place, (levels, end) in child.capture.items():
            if net(place) is not None:
                self.ends.append((net(place), levels, name + "." + end))
        for place, sources in child.through.items():
            if net(place) is not None:
                self._drive(net(place), [(net(s), levels) for s, levels in sources if net(s) is not None])

    def order(self):
        """Driven nets, every one after its inputs."""
        users, waiting = collections.defaultdict(list), {}
        for net, inputs in self.drivers.items():
            count = 0
            for source in {source for source, _ in inputs}:
                if source in self.drivers:
                    users[source].append(net)
                    count += 1
            waiting[net] = count
        ready = [net for net, count in waiting.items() if count == 0]
        for net in ready:
            for user in users[net]:
                waiting[user] -= 1
                if waiting[user] == 0:
                    ready.append(user)
        if len(ready) != len(self.drivers):
            loop = [self.names[n] for n, count in waiting.items() if count and n in self.names]
            raise TimingError("a loop of gates through " + ", ".join(sorted(loop)[:8] or ["unnamed nets"]))
        return ready


def _names(module):
    """net -> its name in the source."""
    names = {}
    for name, data in module["netnames"].items():
        if data["hide_name"]:
            continue
        bits = data["bits"]
        for index, net in enumerate(bits):
            if isinstance(net, int) and net not in names:
                names[net] = name if len(bits) == 1 else "%s[%d]" % (name, index)
    return names


def _forward(graph, order, starts):
    """net -> (levels, name of the start) of the longest path to it."""
    arrival = dict(starts)
    for net in order:
        best = arrival.get(net)  # An instance can both start at and pass to a net.
        for source, levels in graph.drivers[net]:
            at = arrival.get(source)
            if at is not None and (best is None or at[0] + levels > best[0]):
                best = (at[0] + levels, at[1])
        if best is not None:
            arrival[net] = best
    return arrival


def _backward(graph, order):
    """net -> (levels, name of the end) of the longest path from it."""
    left = {}
    for net, levels, name in graph.ends:
        if net not in left or levels > left[net][0]:
            left[net] = (levels, name)
    for net in reversed(order):
        at = left.get(net)
        if at is None:
            continue
        for source, levels in graph.drivers[net]:
            if source not in left or at[0] + levels > left[source][0]:
                left[source] = (at[0] + levels, at[1])
    return left


def _through(graph, order):
    """out place -> [(in place, levels)]; by input port if bits are too many."""
    reaches = set(graph.outputs.values())
    for net in reversed(order):
        if net in reaches:
            reaches.update(source for source, _ in graph.drivers[net])
    inputs = {place: net for place, net in graph.inputs.items() if net in reaches}
    users = collections.defaultdict(list)
    position = {net: index for index, net in enumerate(order)}
    for net in order:
        if net in reaches:
            for source, levels in graph.drivers[net]:
                users[source].append((net, levels))
    places = collections.defaultdict(list)  # net -> out places
    for place, net in graph.outputs.items():
        places[net].append(place)

    visits = 0

    def cone(seeds):
        """Nets reached from the seeds, with levels, in topological order."""
        nonlocal visits
        seen, stack = set(seeds), list(seeds)
        while stack:
            for user, _ in users[stack.pop()]:
                if user not in seen:
                    seen.add(user)
                    stack.append(user)
        visits += len(seen)
        at = dict.fromkeys(seeds, 0)
        for net in sorted(seen, key=lambda n: position.get(n, -1)):
            for user, levels in users[net]:
                at[user] = max(at.get(user, -1), at[net] + levels)
        return at

    result = collections.defaultdict(list)
    for place, net in inputs.items():
        for reached, levels in cone([net]).items():
            for out in places[reached]:
                result[out].append((place, levels))
        if visits > MOST_VISITS:
            break
    else:
        return dict(result)
    result.clear()
    ports = collections.defaultdict(list)
    for place in inputs:
        ports[place[0]].append(place)
    for members in ports.values():
        for reached, levels in cone([inputs[place] for place in members]).items():
            for out in places[reached]:
                result[out].extend((place, levels) for place in members)
    return dict(result)


def analyse(name, module, abstracts):
    """The Abstract of a mapped module (its JSON) from those of its children."""
    graph = _Graph(module, abstracts)
    order = graph.order()
    arrival = _forward(graph, order, graph.starts)
    memory_arrival = _forward(graph, order, graph.memory_starts)
    left = _backward(graph, order)

    result = Abstract()
    result.counts = collections.Counter(cell["type"] for cell in module["cells"].values())
    for kind in result.counts:
        if kind in abstracts:
            result.inside = max(result.inside, abstracts[kind].inside)
            result.from_memory = max(result.from_memory, abstracts[kind].from_memory)
    for field, arrivals in (("inside", arrival), ("from_memory", memory_arrival)):
        best = getattr(result, field)
        for net, levels, end in graph.ends:
            if net in arrivals and arrivals[net][0] + levels > best.levels:
                best = Path(arrivals[net][0] + levels, arrivals[net][1], end, name)
        setattr(result, field, best)
    for place, net in graph.outputs.items():
        if net in arrival:
            result.launch[place] = arrival[net]
        if net in memory_arrival:
            result.launch_memory[place] = memory_arrival[net]
    for place, net in graph.inputs.items():
        if net in left:
            result.capture[place] = left[net]
    result.through = _through(graph, order)
    return result


def longest_in(abstract, name):
    """From an input pin to a register."""
    best = max(((levels, place, end) for place, (levels, end) in abstract.capture.items()), default=None)
    return Path(best[0], "pin %s[%d]" % best[1], best[2], name) if best else NO_PATH


def longest_out(abstract, name):
    """From a register to an output pin."""
    best = max(((levels, place, start) for place, (levels, start) in abstract.launch.items()), default=None)
    return Path(best[0], best[2], "pin %s[%d]" % best[1], name) if best else NO_PATH


def through_pins(abstract):
    """Pairs of an input and an output port with gates alone between them."""
    return sorted({(source[0], out[0]) for out, sources in abstract.through.items() for source, _ in sources})

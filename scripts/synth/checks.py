"""What makes an engine fail: everything here returns findings, one line each."""
import os
import re

import netlist
import timing

ARRAY_BITS = 4096  # Above, an array has to be a memory in a module named *_sram.
_replaced = re.compile(r"Replacing memory \S+ with list of registers")


class Waivers:
    """rtl/ENGINE/ENGINE.synth, a line each, the reason after ` -- `:

        array MODULE NAME -- why this is no memory
        warning REGEX -- why yosys may say so
    """

    def __init__(self, text="", path="waivers"):
        """Throws ValueError with one line, `PATH: line N: expected ...`."""
        self.arrays, self.warnings, self.unused = set(), [], {}
        for number, line in enumerate(text.split("\n"), 1):
            line = line.split("#")[0].strip()
            if not line:
                continue
            rule, _, reason = line.partition(" -- ")
            words = rule.split()
            shaped = len(words) == 3 if words[0] == "array" else words[0] == "warning" and len(words) > 1
            if not reason.strip() or not shaped:
                raise ValueError("%s: line %d: expected `array MODULE NAME -- reason` or `warning REGEX -- reason`"
                                 % (path, number))
            if words[0] == "array":
                self.arrays.add((words[1], words[2]))
                self.unused[words[1], words[2]] = rule
            else:
                pattern = rule.split(None, 1)[1]
                try:
                    self.warnings.append(re.compile(pattern))
                except re.error as error:
                    raise ValueError("%s: line %d: expected a regular expression: %s" % (path, number, error)) from error
                self.unused[pattern] = rule

    def array(self, module, name):
        self.unused.pop((module, name), None)
        return (module, name) in self.arrays

    def warning(self, text):
        for pattern in self.warnings:
            if pattern.search(text):
                self.unused.pop(pattern.pattern, None)
                return True
        return False


def read_waivers(path):
    """The waivers of a file; none when there is no such file. ValueError as Waivers()."""
    if not os.path.exists(path):
        return Waivers()
    with open(path) as file:
        return Waivers(file.read(), path)


def check_warnings(warnings, waivers):
    """Every warning of yosys counts. Arrays that become registers are judged
    by their size, in check_module()."""
    return ["yosys: " + text for text in warnings if not _replaced.search(text) and not waivers.warning(text)]


def check_module(module, modules, waivers):
    """One elaborated module, before any optimisation."""
    findings = []
    where = module.hdlname
    if module.blackbox:
        findings.append("%s: a black box" % where)
    for name in module.doubly_driven(modules):
        findings.append("%s: %s has two drivers" % (where, name))
    for name, (width, depth) in module.memories.items():
        if width * depth > ARRAY_BITS and not module.is_sram and not waivers.array(where, name):
            findings.append("%s: array %s of %d bits outside of a *_sram module" % (where, name, width * depth))
    for name, bits in module.register_arrays.items():
        if bits > ARRAY_BITS and not waivers.array(where, name):
            findings.append("%s: array %s of %d bits became registers" % (where, name, bits))
    for kind, name, parameters, pins in module.cells:
        if kind in netlist.LATCHES:
            findings.append("%s: latch %s on %s" % (where, name, pins.get("\\Q", "?")))
        elif kind in ("$shiftx", "$shift") and not module.is_sram:
            width = int(parameters.get("\\A_WIDTH", "0"))
            if width > ARRAY_BITS and not waivers.array(where, pins["\\A"].lstrip("\\")):
                findings.append("%s: %s of %d bits is picked from as from an array" % (where, pins["\\A"], width))
        elif kind in modules:
            child = modules[kind]
            for port, (direction, _) in child.ports.items():
                if direction == "inout":
                    findings.append("%s: port %s has two directions" % (child.hdlname, port.lstrip("\\")))
                elif direction == "input" and not pins.get(port, "{ }").strip("{ }"):
                    findings.append("%s: input %s of %s is left open" % (where, port.lstrip("\\"), name.lstrip("\\")))
    return findings


def check_mapped(where, counts, is_sram):
    """One mapped module: what must not be left."""
    findings = []
    for kind in counts:
        if kind.startswith("$_DLATCH") or kind.startswith("$_SR_"):
            findings.append("%s: latch after mapping" % where)
        elif kind == "$mem_v2" and not is_sram:
            findings.append("%s: a memory is left outside of a *_sram module" % where)
    return findings


def check_paths(engine, abstract, budget):
    """The whole engine: pins are functions of registers, paths fit the clock."""
    findings = []
    for source, out in timing.through_pins(abstract):
        findings.append("%s: output pin %s depends on input pin %s of the same cycle" % (engine, out, source))
    for what, path in (("register to register", abstract.inside),
                       ("pin to register", timing.longest_in(abstract, engine)),
                       ("register to pin", timing.longest_out(abstract, engine))):
        if path.levels > budget:
            findings.append("%s: %d levels %s, %s to %s in %s (budget %d)" %
                            (engine, path.levels, what, path.start, path.end, path.module, budget))
    return findings

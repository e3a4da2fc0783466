"""yosys runs: one that elaborates an engine, one per distinct module that maps
it to gates. Modules are mapped side by side and kept in a cache by their text."""
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess

import netlist

# The wide stages look at words, `techmap` makes gates (carries: Brent-Kung),
# abc maps for least levels (yosys' own script for it saves area first and
# doubles the levels of an adder). Enables and synchronous resets stay gates before a
# plain flip-flop, so that they are counted.
MAP_LOGIC = """
opt -nodffe -nosdff
wreduce; peepopt; opt_clean
alumacc
opt -fast -nodffe -nosdff
{memories}
opt -fast -full -nodffe -nosdff
techmap; opt -fast -nodffe -nosdff
abc -g simple -script +strash;balance;map,-B,0.9
opt_clean
"""
SMALL_MEMORIES = "opt_mem; opt_mem_priority; opt_mem_feedback; memory_collect; memory_map"
# A memory compiler's module: the read register belongs to the memory. A sum of many
# terms is mapped to adders first, which a selection does not see in the same pass.
MAP_SRAM = """
opt -full
opt_mem; opt_mem_priority; opt_mem_feedback; memory_dff; memory_collect; opt_clean
wreduce t:$mem_v2 %n; alumacc t:$mem_v2 %n
simplemap t:$dffe t:$sdffe t:$sdff t:$sdffce t:$adffe
dffunmap
techmap t:$mem_v2 %n; techmap t:$mem_v2 %n; opt -fast -nodffe -nosdff
abc -g simple -script +strash;balance;map,-B,0.9
opt_clean
"""

_warning = re.compile(r"^Warning: (.*)$")
_error = re.compile(r"^ERROR: (.*)$")
_latch = re.compile(r"^(Latch inferred for signal .*)$")


class FlowError(Exception):
    """yosys gave up; the message is its own."""


class Elaborated:
    def __init__(self, modules, top, warnings):
        self.modules, self.top, self.warnings = modules, top, warnings


def _run(script, log):
    """yosys on a script; returns its findings (warnings, latches) and its error."""
    os.makedirs(os.path.dirname(log), exist_ok=True)
    script_file = log[:-len(".log")] + ".ys"
    with open(script_file, "w") as file:
        file.write(script)
    result = subprocess.run(["yosys", "-Q", "-T", "-l", log, "-s", script_file], stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True, check=False)
    findings, error = [], None
    with open(log, errors="replace") as file:
        for line in file:
            if _warning.match(line):
                findings.append(_warning.match(line).group(1).strip())
            elif _latch.match(line):
                findings.append(_latch.match(line).group(1).strip())
            elif _error.match(line):
                error = _error.match(line).group(1).strip()
    if result.returncode != 0 and error is None:
        error = "yosys ended with %d: %s" % (result.returncode, result.stderr.strip()[-200:])
    return list(dict.fromkeys(findings)), error


def elaborate(top, sources, parameters, folder):
    """The hierarchy as words, checked for drivers before anything is optimised."""
    output = os.path.join(folder, "elaborated.il")
    overrides = "".join(" -set %s %s" % pair for pair in parameters)
    chparam = "chparam%s %s" % (overrides, top) if parameters else ""
    warnings, error = _run("""
read_verilog -sv -DSYNTHESIS %s
%s
hierarchy -simcheck -top %s
proc -norom -noopt
check
write_rtlil %s
""" % (" ".join(sources), chparam, top, output), os.path.join(folder, "elaborate.log"))
    if error:
        raise FlowError(error)
    with open(output) as file:
        modules = netlist.read_modules(file.read())
    tops = [name for name, module in modules.items() if module.hdlname == top]
    return Elaborated(modules, tops[0], warnings)


def _map(module, children, cache, version):
    """Maps one module; returns (JSON file, warnings)."""
    if module.is_sram:
        steps = MAP_SRAM
    else:
        steps = MAP_LOGIC.format(memories=SMALL_MEMORIES if module.memories else "")
    text = "".join(child.stub() for child in children) + module.text()
    key = hashlib.sha256((version + steps + text).encode()).hexdigest()[:24]
    base = os.path.join(cache, "%s-%s" % (re.sub(r"\W", "_", module.hdlname), key))
    if not os.path.exists(base + ".done"):
        with open(base + ".il", "w") as file:
            file.write(text)
        warnings, error = _run("read_rtlil %s.il\nselect -module %s\n%s\nselect -clear\ncheck\n"
                               "delete =A:blackbox\nwrite_json %s.json\n" % (base, module.name, steps, base),
                               base + ".log")
        if error:
            raise FlowError("%s: %s" % (module.hdlname, error))
        with open(base + ".done", "w") as file:
            json.dump(warnings, file)
    with open(base + ".done") as file:
        return base + ".json", json.load(file)


def map_modules(jobs, cache, elaborated):
    """Maps all modules of all engines, each distinct one once. `elaborated` is
    engine -> Elaborated; the results are engine -> module -> (JSON file,
    warnings) and engine -> errors."""
    os.makedirs(cache, exist_ok=True)
    version = subprocess.run(["yosys", "-V"], capture_output=True, text=True, check=True).stdout
    tasks = []
    for engine, design in elaborated.items():
        for name in netlist.children_first(design.modules, design.top)[0]:
            module = design.modules[name]
            kinds = sorted({kind for kind, _, _, _ in module.cells if kind in design.modules})
            tasks.append((len(module.lines), engine, module, [design.modules[kind] for kind in kinds]))
    tasks.sort(key=lambda task: -task[0])  # The largest first: they take longest.
    result = {engine: {} for engine in elaborated}
    errors = {engine: [] for engine in elaborated}
    seen, unique = {}, []
    for task in tasks:  # The same module of two engines is one task.
        text = task[2].text()
        if text not in seen:
            seen[text] = len(unique)
            unique.append(task)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(_map, module, children, cache, version) for _, _, module, children in unique]
        for _, engine, module, _ in tasks:
            try:
                result[engine][module.name] = futures[seen[module.text()]].result()
            except FlowError as error:
                errors[engine].append("yosys: %s" % error)
    return result, errors

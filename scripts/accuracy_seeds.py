#!/usr/bin/env python3
"""The accuracy of shipped layers over seeds: median and range of the SQNR of the chip's output.

    scripts/accuracy_seeds.py [WORKLOAD...] [--seeds N] [--program FILE]

Runs every workload (the BERT-base attention layers when none is named) on the chip `default` with seeds 1 to N
(12) and prints a table. Each figure is against the level `float` of the mechanism's own formula: dB of different
mechanisms are no comparison of them.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAYERS = ["bert-base-mhsa-softmax", "bert-base-mhsa-damf", "bert-base-mhsa-sinkhorn", "bert-base-mhsa-linear"]


def sqnr_db(program, workload, seed):
    """dB of one run; None for no error at all."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "run"
        answer = subprocess.run([program, "run", "-w", workload, "-c", "default", "--seed", str(seed), "-o", out],
                                capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            sys.exit(f"accuracy_seeds: {workload}, seed {seed}: {answer.stderr.strip()}")
        return json.loads((out / "summary.json").read_text())["error"]["sqnr_db"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*", default=LAYERS)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--program", default=ROOT / "build/quadrille")
    arguments = parser.parse_args()
    print(f"| workload, seeds 1 to {arguments.seeds} | SQNR, dB: median | least to most |")
    print("|---|---|---|")
    for workload in arguments.workloads:
        found = [sqnr_db(arguments.program, workload, seed) for seed in range(1, arguments.seeds + 1)]
        if None in found:
            sys.exit(f"accuracy_seeds: {workload}: a run without any error, expected quantised numbers")
        print(f"| {workload} | {statistics.median(found):.1f} | {min(found):.1f} to {max(found):.1f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

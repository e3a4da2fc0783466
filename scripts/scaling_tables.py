#!/usr/bin/env python3
"""Rewrites the tables of `scaleformer-scaling` in docs/experiments.md from a run.

    build/quadrille run -w scaleformer-scaling -c default -o out/scaling
    scripts/scaling_tables.py out/scaling

Figures in the text around the tables are not touched: read them again.
"""

import csv
import json
import pathlib
import sys

PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "experiments.md"
LENGTHS = [64, 256, 1024, 4096, 16384, 65536, 131072]
VARIANTS = {
    "softmax": "softmax",
    "softmax_enlarged": "softmax, enlarged chip",
    "linear": "linear",
    "linear_causal": "linear, causal",
    "linear_positions": "linear, positions",
    "linear_causal_positions": "linear, causal, positions",
}


def table(rows):
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0])] + lines[1:])


def figure_table(points, slopes, columns, last):
    rows = [["L"] + list(VARIANTS.values())]
    for length in LENGTHS:
        row = [f"{length:,}"]
        for variant in VARIANTS:
            point = points[variant, length]
            ran = point["ran"] == "true"
            row.append(f"{sum(int(point[c]) for c in columns):,}" if ran else "refused")
        rows.append(row)
    if last:
        rows.append(["slope"] + ["" if slopes[v] is None else f"{slopes[v]:.3f}" for v in VARIANTS])
    return table(rows)


def crossover(row, prefix):
    if row[prefix + "_refused_from"]:
        return f"refused from {int(row[prefix + '_refused_from']):,}"
    if row[prefix + "_not_up_to"]:
        return f"not up to {int(row[prefix + '_not_up_to']):,}"
    tokens = f"{float(row[prefix + '_tokens']):,.0f}"
    return "≤ " + tokens if row[prefix + "_at_or_below"] == "true" else tokens


def area_table(areas):
    rows = [["linear lanes", "macros", "area, linear over CIM", "peak MACs, linear", "CIM",
             "crossover", "causal"]]
    for row in areas:
        # All lanes beside the default chip's macros, and where the condition fails.
        fair = row["linear_peak_macs_at_most_cim"] == "true"
        if row["cim_macros"] != "64" and fair:
            continue
        rows.append([row["linear_lanes"], row["cim_macros"], f"{float(row['area_ratio']):.3f}",
                     f"{int(row['linear_peak_macs_per_cycle']):,}" + ("" if fair else " (more)"),
                     f"{int(row['cim_peak_macs_per_cycle']):,}", crossover(row, "crossover"),
                     crossover(row, "causal_crossover")])
    return table(rows)


def replace_block(page, name, text):
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    head, rest = page.split(begin)
    return head + begin + "\n" + text + "\n\n" + end + rest.split(end)[1]


def main(folder):
    folder = pathlib.Path(folder)
    with open(folder / "scaling.csv") as file:
        points = {(row["variant"], int(row["tokens"])): row for row in csv.DictReader(file)}
    with open(folder / "crossover.csv") as file:
        areas = list(csv.DictReader(file))
    figures = json.loads((folder / "summary.json").read_text())["figures"]
    slopes = {v: figures["variants"][v]["cycles_slope"] for v in VARIANTS}
    page = PAGE.read_text()
    page = replace_block(page, "cycles", figure_table(points, slopes, ["cycles"], True))
    page = replace_block(
        page, "SRAM bytes",
        figure_table(points, slopes, ["sram_read_bytes", "sram_write_bytes"], False))
    page = replace_block(page, "crossover", area_table(areas))
    PAGE.write_text(page)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

#!/usr/bin/env python3
"""Writes the inputs of the shipped regression cases into traces/cases/.

usage: scripts/make_cases.py [DIR]

Standard library only; the same script writes the same bytes. It writes
case.yaml and input.safetensors; `quadrille regress --bless --all` then makes the
goldens. Cases are small: all of them together stay below 4 MB.
"""

import json
import math
import os
import random
import struct
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FORMATS = {"I8": "b", "F32": "f"}


def save(path, tensors, metadata):
    """tensors: name -> (dtype, shape, values)."""
    header, data = {"__metadata__": metadata}, b""
    for name, (dtype, shape, values) in tensors.items():
        blob = struct.pack(f"<{len(values)}{FORMATS[dtype]}", *values)
        begin = len(data)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, begin + len(blob)]}
        data += blob
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def normal(rng, shape, deviation=1.0):
    return ("F32", list(shape), [rng.gauss(0, deviation) for _ in range(math.prod(shape))])


def codes(rng, shape):
    """8-bit codes whose histogram is that of a quantised Gaussian."""
    values = [max(-127, min(127, round(rng.gauss(0, 40)))) for _ in range(math.prod(shape))]
    return ("I8", list(shape), values)


def write(folder, name, lines, tensors, metadata=None):
    target = os.path.join(folder, name)
    os.makedirs(target, exist_ok=True)
    with open(os.path.join(target, "case.yaml"), "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    save(os.path.join(target, "input.safetensors"), tensors, metadata or {})


def operator(folder, name, op, settings, tensors, metadata=None):
    lines = ["kind: operator", "chip: small", f"operator: {op}"]
    if settings:
        lines += ["settings:"] + [f"  {key}: {value}" for key, value in settings.items()]
    write(folder, name, lines, tensors, metadata)


def softmax_cases(folder):
    for length in (1, 7, 33, 128):
        for causal in ("false", "true"):
            name = f"softmax-{length}" + ("-causal" if causal == "true" else "")
            rng = random.Random(name)
            tensors = {n: codes(rng, (length, 16)) for n in "QKV"}
            scales = {"Q.scale": "0.025", "K.scale": "0.025", "V.scale": "0.01"}
            operator(folder, name, "softmax", {"causal": causal}, tensors, scales)
    # More keys than queries, values of another width, a sharp scale, floats in.
    rng = random.Random("softmax-cross")
    tensors = {"Q": normal(rng, (7, 24)), "K": normal(rng, (33, 24)), "V": normal(rng, (33, 5))}
    operator(folder, "softmax-cross", "softmax", {"scale": "1.5"}, tensors)


def damf_cases(folder):
    def attend(name, length, width, settings):
        rng = random.Random(name)
        tensors = {"s": codes(rng, (length,)), "t": codes(rng, (length,)),
                   "V": codes(rng, (length, width))}
        scales = {"s.scale": "0.02", "t.scale": "0.03", "V.scale": "0.01"}
        operator(folder, name, "damf", settings, tensors, scales)

    for mode in ("maclaurin", "shift", "collapsed"):
        for length in (1, 7, 33, 128):
            for causal in ("false", "true"):
                name = f"damf-{mode}-{length}" + ("-causal" if causal == "true" else "")
                attend(name, length, 16, {"mode": mode, "causal": causal})
    # Every reading of A_max and of the rounding, signed and clamped.
    for amax in ("global", "row", "abs"):
        for rounding in ("linear", "log", "floor"):
            for causal in ("false", "true"):
                name = f"damf-shift-{amax}-{rounding}" + ("-causal" if causal == "true" else "")
                attend(name, 33, 8, {"mode": "shift", "amax": amax, "rounding": rounding,
                                     "causal": causal})
        for mode in ("maclaurin", "collapsed"):
            for negative in ("signed", "clamp"):
                attend(f"damf-{mode}-{amax}-{negative}", 33, 8,
                       {"mode": mode, "amax": amax, "negative": negative, "causal": "true"})
    for guard_bits in (0, 8, 16):
        attend(f"damf-shift-each-{guard_bits}", 33, 8,
               {"mode": "shift", "shift_order": "each", "guard_bits": guard_bits,
                "negative": "clamp"})
    # The collapsed form on the linear-attention engine.
    for amax in ("global", "row", "abs"):
        for causal in ("false", "true"):
            attend(f"damf-linear-{amax}" + ("-causal" if causal == "true" else ""), 33, 8,
                   {"mode": "collapsed", "engine": "linear", "amax": amax, "causal": causal})
    # From X and weights, with the singular vectors and sigma kept.
    for mode in ("maclaurin", "shift", "collapsed"):
        name = f"damf-from-x-{mode}"
        rng = random.Random(name)
        tensors = {"X": normal(rng, (33, 48))}
        for weights in ("WQ", "WK", "WV"):
            tensors[weights] = normal(rng, (48, 16), 0.15)
        operator(folder, name, "damf", {"mode": mode, "sigma": "keep", "causal": "true"}, tensors)


def sinkhorn_cases(folder):
    def matrix(name, shape, settings, **more):
        rng = random.Random(name)
        tensors = {"C": normal(rng, shape, more.get("deviation", 1.0))}
        if "values" in more:
            tensors["V"] = normal(rng, (shape[-1], more["values"]))
        if more.get("warm"):
            tensors["c0"] = ("F32", list(shape[:-2] + shape[-1:]),
                             [math.exp(rng.gauss(0, 0.5)) for _ in range(shape[-1])])
        operator(folder, name, "sinkhorn", settings, tensors)

    for length in (1, 7, 33):
        matrix(f"sinkhorn-{length}", (length, length), {}, values=5)
    matrix("sinkhorn-33-causal", (33, 33), {"causal": "true"}, values=5)
    matrix("sinkhorn-wide", (7, 33), {"iterations": 8})
    matrix("sinkhorn-tall", (33, 7), {"iterations": 9})
    matrix("sinkhorn-tall-causal", (33, 7), {"causal": "true", "iterations": 3}, values=2)
    matrix("sinkhorn-damped", (33, 33), {"update": "damped", "iterations": 12})
    matrix("sinkhorn-damped-wide", (7, 33), {"update": "damped", "iterations": 6}, values=3)
    matrix("sinkhorn-tolerance", (33, 33), {"tolerance": 0.01, "iterations": 100}, values=3)
    matrix("sinkhorn-matrix", (17, 9), {"form": "matrix", "iterations": 7}, values=3)
    matrix("sinkhorn-kernel", (17, 9), {"hold": "kernel", "iterations": 7}, values=3)
    matrix("sinkhorn-kernel-tolerance", (9, 9), {"hold": "kernel", "tolerance": 0.01})
    matrix("sinkhorn-sharp", (33, 33), {"epsilon": 0.05, "iterations": 20})
    matrix("sinkhorn-warm", (33, 33), {"iterations": 4}, warm=True)
    matrix("sinkhorn-warm-damped", (33, 33), {"update": "damped", "iterations": 4}, warm=True)
    matrix("sinkhorn-batch", (70, 4, 4), {"iterations": 40})
    matrix("sinkhorn-batch-tolerance", (70, 4, 4), {"tolerance": 0.001, "iterations": 40})
    matrix("sinkhorn-batch-kernel", (20, 5, 3), {"hold": "kernel", "iterations": 10})
    # Beyond the tile memory of the small chip: read anew for every sweep.
    matrix("sinkhorn-streamed", (40, 40), {"iterations": 5}, values=5)
    matrix("sinkhorn-streamed-tolerance", (40, 40), {"tolerance": 0.05, "iterations": 30})
    for name, settings in (("sinkhorn-attention", {}),
                           ("sinkhorn-attention-causal", {"causal": "true", "iterations": 3})):
        rng = random.Random(name)
        tensors = {n: normal(rng, (33, 16)) for n in "QKV"}
        operator(folder, name, "sinkhorn", settings, tensors)
    rng = random.Random("sinkhorn-attention-cross")
    tensors = {"Q": codes(rng, (7, 24)), "K": codes(rng, (33, 24)), "V": codes(rng, (33, 5))}
    scales = {"Q.scale": "0.025", "K.scale": "0.025", "V.scale": "0.01"}
    operator(folder, "sinkhorn-attention-cross", "sinkhorn", {"scale": "0.4"}, tensors, scales)


def linear_cases(folder):
    def attention(name, queries, keys, width, columns, causal, horizon=None):
        rng = random.Random(name)
        tensors = {"Q": codes(rng, (queries, width)), "K": codes(rng, (keys, width)),
                   "V": codes(rng, (keys, columns))}
        scales = {"Q.scale": "0.025", "K.scale": "0.02", "V.scale": "0.01"}
        if horizon is not None:
            tensors["RP"] = codes(rng, (2 * horizon + 1, width))
            scales["RP.scale"] = "0.03"
        operator(folder, name, "linear", {"causal": causal}, tensors, scales)

    for length in (1, 7, 33):
        for causal in ("false", "true"):
            name = f"linear-{length}" + ("-causal" if causal == "true" else "")
            attention(name, length, length, 16, 4, causal)
            attention(name + "-rp", length, length, 16, 4, causal, 2)
    for causal in ("false", "true"):
        end = "-causal" if causal == "true" else ""
        attention("linear-more-keys" + end, 7, 33, 8, 4, causal, 3)
        attention("linear-more-queries" + end, 33, 7, 8, 4, causal, 3)
        # Values wider than the small chip's lanes, keys of several beats.
        attention("linear-wide" + end, 17, 17, 30, 13, causal, 4)
    attention("linear-rp-0", 9, 9, 8, 3, "false", 0)
    rng = random.Random("linear-floats")
    tensors = {n: normal(rng, (13, 8)) for n in "QKV"}
    operator(folder, "linear-floats", "linear", {"causal": "true"}, tensors)


def matmul_cases(folder):
    for name, shape, bits in (("matmul-8x8", (7, 70, 33), (8, 8)),
                              ("matmul-4x2", (33, 64, 16), (4, 2)),
                              ("matmul-1x1", (1, 130, 5), (1, 1))):
        rows, inner, columns = shape
        rng = random.Random(name)
        tensors = {"X": normal(rng, (rows, inner)), "W": normal(rng, (inner, columns))}
        operator(folder, name, "matmul", {"input_bits": bits[0], "weight_bits": bits[1]}, tensors)


def layer_cases(folder):
    def layer(name, mechanism, tokens, width, heads, head_width, causal, damf=None):
        rng = random.Random(name)
        inner = heads * head_width
        lines = ["kind: layer", "chip: small", "workload:", f"  name: {name}",
                 "  kind: attention-layer", f"  mechanism: {mechanism}", f"  tokens: {tokens}",
                 f"  model_width: {width}", f"  heads: {heads}", f"  head_width: {head_width}",
                 f"  causal: {causal}"]
        if damf:
            lines += ["  damf:"] + [f"    {key}: {value}" for key, value in damf.items()]
        lines += ["  data:", "    source: file", "    tensors: input.safetensors"]
        tensors = {"X": normal(rng, (tokens, width))}
        for weights in ("WQ", "WK", "WV"):
            tensors[weights] = normal(rng, (width, inner), width**-0.5)
        tensors["WO"] = normal(rng, (inner, width), inner**-0.5)
        write(folder, name, lines, tensors)

    layer("layer-softmax-1", "softmax", 1, 16, 2, 8, "false")
    layer("layer-softmax-7", "softmax", 7, 24, 3, 8, "true")
    layer("layer-softmax-33", "softmax", 33, 32, 4, 8, "false")
    layer("layer-softmax-128-causal", "softmax", 128, 32, 2, 16, "true")
    layer("layer-damf-1", "damf", 1, 16, 2, 8, "false", {"mode": "shift"})
    layer("layer-damf-7", "damf", 7, 24, 3, 8, "true", {"mode": "maclaurin", "amax": "abs"})
    layer("layer-damf-33", "damf", 33, 32, 4, 8, "false", {"mode": "shift", "rounding": "log"})
    layer("layer-damf-33-collapsed", "damf", 33, 32, 4, 8, "true", {"mode": "collapsed"})
    layer("layer-damf-128-causal", "damf", 128, 32, 2, 16, "true",
          {"mode": "shift", "amax": "row", "negative": "clamp"})


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "traces", "cases")
    softmax_cases(folder)
    damf_cases(folder)
    sinkhorn_cases(folder)
    linear_cases(folder)
    matmul_cases(folder)
    layer_cases(folder)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Recomputes reference.safetensors with numpy alone, as an example of a reader.

    check_reference.py DIR

The forward pass below is written from the README's description of the files
and shares no code with the training. Exits 1 if a value differs by more than
1e-4.
"""

import json
import math
import os
import struct
import sys

import numpy as np

TOLERANCE = 1e-4


def read(path):
    with open(path, "rb") as f:
        (length,) = struct.unpack("<Q", f.read(8))
        header, data = json.loads(f.read(length)), f.read()
    meta = header.pop("__metadata__")
    return meta, {
        name: np.frombuffer(data[slice(*e["data_offsets"])], "<f4").reshape(e["shape"]).astype(float)
        for name, e in header.items()
    }


def layer_norm(x, w, name):
    x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5)
    return x * w[name + ".weight"] + w[name + ".bias"]


def gelu(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def softmax_head(x, w_q, w_k, v):
    scores = (x @ w_q) @ (x @ w_k).T / math.sqrt(w_q.shape[1])
    scores[np.triu_indices(len(x), 1)] = -np.inf
    weights = np.exp(scores - scores.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True) @ v


def damf_head(x, w_q, w_k, v, amax):
    """Formulas (6), (8) without sigma, (13), causal, one query after the other."""
    u, _, vt = np.linalg.svd(w_q @ w_k.T)
    s, t = x @ u[:, 0], x @ vt[0]
    out, largest = np.empty_like(v), -np.inf
    for m in range(len(x)):
        scores = s[m] * t[: m + 1]
        largest = max(largest, (np.abs(scores) if amax == "abs" else scores).max())
        denominator = (m + 1) * largest + scores.sum()
        if largest > 0 and denominator > 0:
            out[m] = (largest + scores) / denominator @ v[: m + 1]
        else:
            out[m] = v[: m + 1].mean(0)
    return out


def forward(w, meta, text):
    """Logits [L, 256], and the output of head 0 of layer 0 before c_proj."""
    width, heads, length = int(meta["n_embd"]), int(meta["n_head"]), len(text)
    h = width // heads
    x = w["wpe.weight"][:length].copy()
    for j in range(int(meta["n_shift"])):
        table = w["wte.weight" if j == 0 else f"wte_shift.{j}.weight"]
        x[j:] += table[list(text[: length - j])]
    first = None
    for n in range(int(meta["n_layer"])):
        p = f"h.{n}."
        y = layer_norm(x, w, p + "ln_1")
        q, k, v = np.split(w[p + "attn.c_attn.weight"], 3, axis=1)
        outs = []
        for i in range(heads):
            c = slice(i * h, (i + 1) * h)
            if meta["attention"] == "damf":
                outs.append(damf_head(y, q[:, c], k[:, c], y @ v[:, c], meta["damf.amax"]))
            else:
                outs.append(softmax_head(y, q[:, c], k[:, c], y @ v[:, c]))
        first = outs[0] if first is None else first
        x = x + np.concatenate(outs, 1) @ w[p + "attn.c_proj.weight"]
        y = layer_norm(x, w, p + "ln_2")
        y = gelu(y @ w[p + "mlp.c_fc.weight"] + w[p + "mlp.c_fc.bias"])
        x = x + y @ w[p + "mlp.c_proj.weight"] + w[p + "mlp.c_proj.bias"]
    return layer_norm(x, w, "ln_f") @ w["wte.weight"].T, first


def main():
    where = sys.argv[1]
    _, expected = read(os.path.join(where, "reference.safetensors"))
    with open(os.path.join(where, "heldout.txt"), "rb") as f:
        text = f.read(128)
    worst = 0.0
    for kind in ("softmax", "damf"):
        meta, w = read(os.path.join(where, kind + ".safetensors"))
        logits, head = forward(w, meta, text)
        top = logits.max(1, keepdims=True)
        log_p = logits - top - np.log(np.exp(logits - top).sum(1, keepdims=True))
        nll = -log_p[np.arange(127), list(text[1:])]
        for name, value in {
            "logits_last": logits[-1],
            "nll": nll,
            "mean_nll": nll.mean(),
            "h.0.head.0.attn_out": head,
        }.items():
            error = np.abs(value - expected[f"{kind}.{name}"]).max()
            print(f"{kind}.{name}: max abs difference {error:.1e}")
            worst = max(worst, error)
    return 1 if not worst <= TOLERANCE else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Evaluates trained twins and writes what the README quotes and tests read.

    report.py DIR

DIR holds what train.py wrote. Everything is computed in double precision from
the stored float32 weights, the DAMF weights by their definition (formula (13)
over the whole L x L scores), not by the prefix sums used in training. Writes
DIR/results.json, DIR/heldout.txt and DIR/reference.safetensors.
"""

import argparse
import json
import math
import os

import torch
from torch.nn import functional as F

import corpus as corpora
import safetensors_io
from evaluate import twin_nll
from twin import Twin, causal_running_max

REFERENCE_BYTES = 128
SAMPLE_BYTES = 6000


def load(path):
    """A twin in evaluation mode, double precision, DAMF in its rank-one form."""
    tensors, meta = safetensors_io.load(path)
    model = Twin(
        meta["attention"], int(meta["n_embd"]), int(meta["n_layer"]), int(meta["n_head"]),
        int(meta["n_ctx"]), int(meta["n_shift"]), meta.get("damf.amax", "abs"), 0.0, 0.0,
    )
    for name, parameter in model.tensors().items():
        parameter.copy_(tensors[name])  # shares memory with the model
    model.set_full_rank(0.0)
    return model.double().eval(), meta


def set_ablation(model, attention_off=False, uniform=False):
    for block in model.blocks:
        block.attention_off = attention_off
        block.attn.uniform = uniform


@torch.no_grad()
def losses(model, kind, text):
    """Held-out loss as deployed and under each ablation, nats per byte."""
    out = {"deployed": twin_nll(model, text)}
    if kind == "damf":
        model.set_full_rank(1.0)
        out["full_rank_M"] = twin_nll(model, text)
        model.set_full_rank(0.0)
    set_ablation(model, uniform=True)
    out["uniform_weights"] = twin_nll(model, text)
    set_ablation(model, attention_off=True)
    out["attention_zeroed"] = twin_nll(model, text)
    set_ablation(model)
    return {name: round(value, 5) for name, value in out.items()}


@torch.no_grad()
def sigma_shares(model):
    """sigma_max / sum of sigma, [layer][head]."""
    out = []
    for attention in model.attentions:
        sigma = attention.decompose()[1]
        out.append([round(x, 5) for x in (sigma[:, 0] / sigma.sum(1)).tolist()])
    return out


@torch.no_grad()
def denominator_facts(model, text):
    """How far formula (13)'s denominator cancels, over the text's whole windows.

    The share is denominator / (count * A_max): 1 where the scores sum to zero,
    0 where the weights fall back to uniform.
    """
    shares, seen = [], []

    def watch(module, inputs):
        scores = module.damf_scores(inputs[0])
        largest = causal_running_max(scores.abs() if module.amax == "abs" else scores)
        count = torch.arange(1, scores.shape[-1] + 1, dtype=scores.dtype)
        share = 1 + scores.tril().sum(-1) / (count * largest)
        seen.append((largest <= 0) | (share <= 0))
        shares.append(torch.where(seen[-1], torch.zeros_like(share), share))

    hooks = [a.register_forward_pre_hook(watch) for a in model.attentions]
    size = model.context
    data = torch.tensor(list(text[: len(text) // size * size])).view(-1, size)
    for chunk in data.split(16):
        model(chunk)
    for hook in hooks:
        hook.remove()
    uniform = torch.cat(seen).double().mean((0, 1))
    share = torch.cat(shares)
    later = share[:, :, 1:]
    return {
        "uniform_rows_first_position": round(uniform[0].item(), 5),
        "uniform_rows_other_positions": round(uniform[1:].mean().item(), 7),
        "share_below": {str(b): round((later < b).double().mean().item(), 5) for b in (1e-3, 1e-2, 0.1)},
        "share_mean": round(later.mean().item(), 4),
    }


@torch.no_grad()
def reference(model, kind, text):
    """What another implementation is checked against, for the text's first bytes."""
    data = torch.tensor([list(text[:REFERENCE_BYTES])])
    logits = model(data)[0]
    nll = F.cross_entropy(logits[:-1], data[0, 1:], reduction="none")
    x = model.blocks[0].ln_1(model.embed(data))
    attention = model.attentions[0]
    out = {
        "logits_last": logits[-1],
        "nll": nll,
        "mean_nll": nll.mean().view(1),
        "h.0.head.0.attn_out": attention.heads_out(x)[0, 0],
    }
    if kind == "damf":
        u, v, sigma = attention.rank_one()
        out["h.0.head.0.u"], out["h.0.head.0.v"] = u[0], v[0]
        out["h.0.head.0.sigma_max"] = sigma[:1]
        out["h.0.head.0.s"], out["h.0.head.0.t"] = x[0] @ u[0], x[0] @ v[0]
    return {f"{kind}.{name}": t for name, t in out.items()}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("dir")
    p.add_argument("--source", default=corpora.SOURCE, help="directory with the licence texts")
    a = p.parse_args()
    torch.set_num_threads(1)
    data = corpora.build(a.source)

    def at(name):
        return os.path.join(a.dir, name)

    sample = data.held_out[: data.held_out.rindex(b"\n\n", 0, SAMPLE_BYTES) + 1]
    with open(at("heldout.txt"), "wb") as f:
        f.write(sample)

    results = {"corpus_sha256": data.sha256, "corpus": data.facts, "unit": "nats per byte"}
    tensors = {}
    for kind in ("softmax", "damf"):
        model, meta = load(at(f"{kind}.safetensors"))
        assert meta["corpus_sha256"] == data.sha256, "trained on another corpus"
        results[kind] = {"heldout": losses(model, kind, data.held_out)}
        results[kind]["valid"] = round(twin_nll(model, data.valid), 5)
        results[kind]["train"] = round(twin_nll(model, data.train), 5)
        if kind == "damf":
            results[kind]["sigma_max_over_sum"] = sigma_shares(model)
            results[kind]["denominator"] = denominator_facts(model, data.held_out)
        tensors.update(reference(model, kind, sample))
    for kind in ("softmax", "damf", "none", "ngram"):
        if os.path.exists(at(f"result_{kind}.json")):
            with open(at(f"result_{kind}.json")) as f:
                trained = json.load(f)
            for name in ("corpus_sha256", "corpus"):
                trained.pop(name)
            results.setdefault(kind, {}).update(trained)
    with open(at("results.json"), "w") as f:
        json.dump(results, f, indent=1)
        f.write("\n")
    facts = {"bytes": str(REFERENCE_BYTES), "of": "heldout.txt", "computed_in": "float64"}
    safetensors_io.save(at("reference.safetensors"), tensors, facts)
    for kind in ("softmax", "damf"):
        for name, nats in results[kind]["heldout"].items():
            print(f"{kind:8} {name:18} {nats:.4f} nats  {nats / math.log(2):.4f} bits")


if __name__ == "__main__":
    main()

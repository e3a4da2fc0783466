#!/usr/bin/env python3
"""Trains one twin, or counts the n-gram baseline, on the licences corpus.

    train.py --twin softmax|damf|none|ngram --seed N --out DIR

A twin writes DIR/TWIN.safetensors, DIR/loss_TWIN.csv and DIR/result_TWIN.json;
`ngram` writes DIR/result_ngram.json. The last weights of a fixed schedule are
the result; no checkpoint is picked by its loss. One thread, so that the same
seed gives the same weights on the same machine and library versions.
"""

import argparse
import csv
import json
import math
import os
import time

import torch
from torch.nn import functional as F

import corpus as corpora
import safetensors_io
from evaluate import twin_nll
from ngram import KneserNey
from twin import Twin


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--twin", required=True, choices=["softmax", "damf", "none", "ngram"])
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--out", required=True)
    p.add_argument("--source", default=corpora.SOURCE, help="directory with the licence texts")
    p.add_argument("--steps", type=int, default=2500)
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--rate", type=float, default=4e-3, help="peak learning rate")
    p.add_argument("--warmup", type=int, default=100)
    p.add_argument("--weight-decay", type=float, default=0.2)
    p.add_argument("--width", type=int, default=128)
    p.add_argument("--layers", type=int, default=4)
    p.add_argument("--heads", type=int, default=8)
    p.add_argument("--context", type=int, default=128)
    p.add_argument("--shifts", type=int, default=6, help="bytes in the n-gram embedding; 1 is GPT-2")
    p.add_argument("--dropout", type=float, default=0.1)
    p.add_argument("--shift-dropout", type=float, default=0.15)
    p.add_argument("--amax", choices=["abs", "global"], default="abs")
    p.add_argument("--l-ms", type=float, default=0.1, help="weight of formula (9)")
    p.add_argument("--anneal", type=float, nargs=2, default=(0.1, 0.25), metavar=("FROM", "TO"),
                   help="shares of the steps between which M turns from full rank to rank one")
    p.add_argument("--evaluate-every", type=int, default=250)
    return p.parse_args()


def learning_rate(step, a):
    """Linear warm-up, then a cosine down to 2 % of the peak."""
    if step < a.warmup:
        return a.rate * (step + 1) / a.warmup
    done = (step - a.warmup) / max(1, a.steps - a.warmup)
    return a.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))


def full_rank_share(step, a):
    begin, end = (round(x * a.steps) for x in a.anneal)
    return min(1.0, max(0.0, (end - step) / max(1, end - begin)))


def batches(text, a, generator):
    """Endless batches of random windows: inputs and the bytes that follow them."""
    data = torch.tensor(list(text))
    offsets = torch.arange(a.context + 1)
    while True:
        starts = torch.randint(len(data) - a.context, (a.batch, 1), generator=generator)
        windows = data[starts + offsets]
        yield windows[:, :-1], windows[:, 1:]


def train(model, data, a):
    """Runs the schedule; returns the rows of the loss curve."""
    decay = [p for p in model.parameters() if p.dim() == 2]
    rest = [p for p in model.parameters() if p.dim() != 2]
    groups = [{"params": decay, "weight_decay": a.weight_decay}, {"params": rest, "weight_decay": 0}]
    optimiser = torch.optim.AdamW(groups, lr=a.rate, betas=(0.9, 0.98))
    source = batches(data.train, a, torch.Generator().manual_seed(a.seed))
    rows, running, began = [], [], time.time()
    for step in range(a.steps):
        model.train()
        model.set_full_rank(full_rank_share(step, a) if a.twin == "damf" else 0)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, a)
        inputs, targets = next(source)
        cross_entropy = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        loss = cross_entropy
        if a.twin == "damf":
            loss = loss + a.l_ms * model.l_ms()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        running.append(cross_entropy.item())
        if (step + 1) % a.evaluate_every == 0 or step + 1 == a.steps:
            row = {
                "step": step + 1,
                "train_loss": sum(running) / len(running),
                "heldout_loss": twin_nll(model, data.held_out),
                "valid_loss": twin_nll(model, data.valid),
            }
            if a.twin == "damf":
                row["L_MS"] = model.l_ms().item()
            rows.append({k: v if k == "step" else round(v, 5) for k, v in row.items()})
            running = []
            print(rows[-1], f"{time.time() - began:.0f} s", flush=True)
    return rows


def metadata(a, data):
    out = {
        "format": "pt",
        "n_head": a.heads,
        "n_layer": a.layers,
        "n_embd": a.width,
        "n_ctx": a.context,
        "n_shift": a.shifts,
        "layer_norm_epsilon": 1e-5,
        "activation_function": "gelu_new",
        "attention": a.twin,
        "seed": a.seed,
        "corpus_sha256": data.sha256,
    }
    if a.twin == "damf":
        out.update({"damf.mode": "maclaurin", "damf.amax": a.amax, "damf.sigma": "omit"})
    return {k: str(v) for k, v in out.items()}


def main():
    a = arguments()
    os.makedirs(a.out, exist_ok=True)
    data = corpora.build(a.source)
    result = {"corpus_sha256": data.sha256, "corpus": data.facts}
    if a.twin == "ngram":
        result["heldout_nats_per_byte"] = {
            f"kneser_ney_{n}": round(KneserNey(data.train, n).nll(data.held_out), 5)
            for n in range(3, 9)
        }
        print(json.dumps(result["heldout_nats_per_byte"]))
    else:
        torch.set_num_threads(1)
        torch.manual_seed(a.seed)
        model = Twin(a.twin, a.width, a.layers, a.heads, a.context, a.shifts, a.amax,
                     a.dropout, a.shift_dropout)
        result["parameters"] = sum(p.numel() for p in model.parameters())
        result["settings"] = {k: v for k, v in vars(a).items() if k not in ("out", "source")}
        rows = train(model, data, a)
        result["last"] = rows[-1]
        with open(os.path.join(a.out, f"loss_{a.twin}.csv"), "w", newline="") as f:
            writer = csv.DictWriter(f, rows[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        path = os.path.join(a.out, f"{a.twin}.safetensors")
        safetensors_io.save(path, model.tensors(), metadata(a, data))
    with open(os.path.join(a.out, f"result_{a.twin}.json"), "w") as f:
        json.dump(result, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()

"""Loss of a twin over a whole text, every byte predicted once."""

import torch
from torch.nn import functional as F


@torch.no_grad()
def twin_nll(model, text, start=b"\n", stride=64):
    """Mean negative log-likelihood in nats per byte.

    Windows of the model's context move on by `stride`; each predicts only the
    bytes the one before did not, so a byte sees at least context - stride
    earlier bytes where the text has them.
    """
    was_training = model.training
    model.eval()
    data = torch.tensor(list(start + text))
    size, last = model.context, len(data) - 1
    begins = list(range(0, last - size, stride)) + [max(0, last - size)]
    windows = torch.stack([data[b : b + size + 1] for b in begins])
    total, done = 0.0, 0
    for k in range(0, len(begins), 16):
        chunk = windows[k : k + 16]
        losses = F.cross_entropy(
            model(chunk[:, :-1]).transpose(1, 2), chunk[:, 1:], reduction="none"
        )
        for begin, row in zip(begins[k : k + 16], losses):
            total += row[done - begin :].double().sum().item()
            done = begin + size
    assert done == last
    model.train(was_training)
    return total / last

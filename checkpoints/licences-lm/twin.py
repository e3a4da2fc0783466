"""The twins: one GPT-2-shaped byte model, two attentions.

`softmax` is exact causal softmax attention. `damf` is the first-order softmax
of the DAMF paper's formula (13) over the scores A_mn = x_m M x_n^T,
M = W_Q W_K^T, with formula (9)'s loss on the singular values of M, so that
the rank-one form A_mn = (x_m u)(x_n v) of formula (8) is what the model has
learnt to run on. `none` has no attention at all; it is a yardstick.

Shape: pre-LN blocks, learned positions, tanh GELU, final LN, tied head.
Attention projections have no bias. The embedding of position i is
wpe[i] + sum_j shift_j[byte i-j], j = 0 ... shifts-1 (a neural n-gram, Bengio
2003); bytes before the window contribute nothing.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

VOCABULARY = 256


def causal_running_max(values):
    """max over the visible scores so far: [..., m, n] -> [..., m], n <= m."""
    length = values.shape[-1]
    hidden = torch.ones(length, length, dtype=torch.bool).triu(1)
    rows = values.masked_fill(hidden, float("-inf")).max(-1).values
    return rows.cummax(-1).values


def maclaurin(scores, amax):
    """Formula (13) under a causal mask, as weights [..., m, n].

    A_max runs over the scores visible so far (`abs`: over their magnitudes).
    Where A_max or the denominator is not positive, the weights are uniform
    over the visible keys.
    """
    length = scores.shape[-1]
    visible = torch.ones(length, length, dtype=scores.dtype).tril()
    largest = causal_running_max(scores.abs() if amax == "abs" else scores)
    numerator = (largest.unsqueeze(-1) + scores) * visible
    count = visible.sum(-1)
    denominator = count * largest + (scores * visible).sum(-1)
    good = ((largest > 0) & (denominator > 0)).unsqueeze(-1)
    safe = torch.where(good, denominator.unsqueeze(-1), torch.ones_like(scores[..., :1]))
    return torch.where(good, numerator / safe, visible / count.unsqueeze(-1))


class Attention(nn.Module):
    """All heads of one layer. Weights are laid out as in GPT-2's Conv1D: y = x W."""

    # In training, a row whose denominator has cancelled to less than this share
    # of count * A_max counts as cancelled altogether: its gradient is noise.
    CANCELLED = 1e-3

    def __init__(self, kind, width, heads, amax):
        super().__init__()
        self.kind, self.heads, self.amax = kind, heads, amax
        self.c_attn = nn.Parameter(torch.randn(width, 3 * width) * width**-0.5)
        self.c_proj = nn.Parameter(torch.randn(width, width) * (0.5 * width**-0.5))
        self.full_rank = 1.0  # share of M beyond its largest singular value
        self.uniform = False  # ablation: ignore the scores
        self.l_ms = torch.zeros(())

    def split(self, x):
        """[B, L, heads * h] -> [B, heads, L, h]"""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def head_matrices(self):
        """W_Q and W_K per head, [heads, width, h]."""
        width = self.c_attn.shape[0]
        w_q, w_k = self.c_attn[:, :width], self.c_attn[:, width : 2 * width]
        return [w.unflatten(1, (self.heads, -1)).transpose(0, 1) for w in (w_q, w_k)]

    def decompose(self):
        """SVD of M = W_Q W_K^T per head, without forming M: U, sigma, V."""
        w_q, w_k = self.head_matrices()
        q_q, r_q = torch.linalg.qr(w_q)
        q_k, r_k = torch.linalg.qr(w_k)
        u, sigma, vt = torch.linalg.svd(r_q @ r_k.transpose(1, 2))
        return q_q @ u, sigma, q_k @ vt.transpose(1, 2)

    def rank_one(self):
        """u_max, v_max, sigma_max per head, and L_MS (9), differentiable.

        The decomposition itself is not differentiated. sigma_i = u_i^T M v_i
        has the exact gradient; u = M v / |M v| has it up to terms in
        (sigma_2 / sigma_max)^2, and stays finite where sigmas coincide.
        """
        w_q, w_k = self.head_matrices()
        with torch.no_grad():
            u_all, _, v_all = self.decompose()
            # The pair (u, v) is free in its sign: the largest entry of u is positive.
            at = u_all[:, :, 0].abs().argmax(1, keepdim=True)
            sign = u_all[:, :, 0].gather(1, at).sign().unsqueeze(-1)
            u_all, v_all = u_all * sign, v_all * sign
        sigma = ((w_q.transpose(1, 2) @ u_all) * (w_k.transpose(1, 2) @ v_all)).sum(1)
        self.l_ms = 1 - sigma[:, 0] / sigma.sum(1)
        mv = w_q @ (w_k.transpose(1, 2) @ v_all[:, :, :1])
        mu = w_k @ (w_q.transpose(1, 2) @ u_all[:, :, :1])
        return F.normalize(mv[..., 0], dim=1), F.normalize(mu[..., 0], dim=1), sigma[:, 0]

    def damf_scores(self, x):
        """A_mn per head, [B, heads, L, L]: rank one, or blended with the full M."""
        u, v, sigma = self.rank_one()
        s, t = (x @ u.t()).transpose(1, 2), (x @ v.t()).transpose(1, 2)
        scores = s.unsqueeze(-1) * t.unsqueeze(-2)
        if self.full_rank > 0:
            width = x.shape[-1]
            q, k, _ = map(self.split, (x @ self.c_attn).split(width, -1))
            scores = sigma.view(-1, 1, 1) * scores
            scores = scores + self.full_rank * (q @ k.transpose(-1, -2) - scores)
        return scores

    def weights(self, x):
        """Attention weights as the definition gives them, [B, heads, L, L]."""
        length, width = x.shape[-2:]
        if self.uniform:
            visible = torch.ones(length, length, dtype=x.dtype).tril()
            return (visible / visible.sum(-1, keepdim=True)).expand(len(x), self.heads, -1, -1)
        if self.kind == "damf":
            return maclaurin(self.damf_scores(x), self.amax)
        q, k, _ = map(self.split, (x @ self.c_attn).split(width, -1))
        hidden = torch.full((length, length), float("-inf"), dtype=x.dtype).triu(1)
        q, k = q.flatten(0, 1) / math.sqrt(q.shape[-1]), k.flatten(0, 1)
        scores = torch.baddbmm(hidden, q, k.transpose(1, 2))
        return scores.softmax(-1).unflatten(0, (-1, self.heads))

    def damf_training(self, x, v):
        """weights(x) @ v in training: the same sums, fewer passes over L x L."""
        length = x.shape[1]
        count = torch.arange(1, length + 1, dtype=x.dtype).view(-1, 1)
        sum_v = v.cumsum(2)
        if self.full_rank > 0:
            scores = self.damf_scores(x)
            largest = causal_running_max(scores.abs() if self.amax == "abs" else scores)
            scores = scores.tril()
            sum_a, sum_av = scores.sum(-1), scores @ v
        else:  # the collapsed form: prefix sums of t and t V
            u, w, _ = self.rank_one()
            s, t = (x @ u.t()).transpose(1, 2), (x @ w.t()).transpose(1, 2)
            if self.amax == "abs":
                rows = s.abs() * t.abs().cummax(-1).values
            else:
                rows = torch.maximum(s * t.cummax(-1).values, s * t.cummin(-1).values)
            largest = rows.cummax(-1).values
            sum_a = s * t.cumsum(-1)
            sum_av = s.unsqueeze(-1) * (t.unsqueeze(-1) * v).cumsum(2)
        positive = largest > 0
        largest = torch.where(positive, largest, torch.ones_like(largest)).unsqueeze(-1)
        share = 1 + sum_a.unsqueeze(-1) / (largest * count)
        good = positive.unsqueeze(-1) & (share > self.CANCELLED)
        share = torch.where(good, share, torch.ones_like(share))
        mean = sum_v / count
        return torch.where(good, (mean + sum_av / (largest * count)) / share, mean)

    def heads_out(self, x):
        """The heads' outputs before c_proj, [B, heads, L, h]."""
        width = x.shape[-1]
        v = self.split(x @ self.c_attn[:, 2 * width :])
        if self.kind == "damf" and self.training:
            return self.damf_training(x, v)
        return self.weights(x) @ v

    def forward(self, x):
        return self.heads_out(x).transpose(1, 2).flatten(2) @ self.c_proj


class Block(nn.Module):
    def __init__(self, kind, width, heads, amax, dropout):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = None if kind == "none" else Attention(kind, width, heads, amax)
        self.c_fc = nn.Parameter(torch.randn(width, 4 * width) * width**-0.5)
        self.c_fc_bias = nn.Parameter(torch.zeros(4 * width))
        self.c_proj = nn.Parameter(torch.randn(4 * width, width) * (0.25 * width**-0.5))
        self.c_proj_bias = nn.Parameter(torch.zeros(width))
        self.dropout = nn.Dropout(dropout)
        self.attention_off = False  # ablation: the attention's output is zero

    def forward(self, x):
        if self.attn is not None and not self.attention_off:
            x = x + self.dropout(self.attn(self.ln_1(x)))
        hidden = F.gelu(self.ln_2(x) @ self.c_fc + self.c_fc_bias, approximate="tanh")
        return x + self.dropout(self.dropout(hidden) @ self.c_proj + self.c_proj_bias)


class Twin(nn.Module):
    def __init__(self, kind, width, layers, heads, context, shifts, amax, dropout, shift_dropout):
        super().__init__()
        self.kind, self.heads, self.context, self.amax = kind, heads, context, amax
        self.shift_dropout = shift_dropout
        self.shifts = nn.ParameterList(
            nn.Parameter(torch.randn(VOCABULARY, width) * 0.05) for _ in range(shifts)
        )
        self.wpe = nn.Parameter(torch.randn(context, width) * 0.02)
        self.blocks = nn.ModuleList(
            Block(kind, width, heads, amax, dropout) for _ in range(layers)
        )
        self.ln_f = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def embed(self, bytes_):
        """[B, L] -> [B, L, width]. In training each earlier byte may drop out."""
        x = F.embedding(bytes_, self.shifts[0]) + self.wpe[: bytes_.shape[1]]
        for j, table in enumerate(self.shifts[1:], 1):
            e = F.embedding(bytes_[:, :-j], table)
            if self.training and self.shift_dropout > 0:
                kept = torch.rand(e.shape[:2]) >= self.shift_dropout
                e = e * kept.unsqueeze(-1)
            x = x + F.pad(e, (0, 0, j, 0))
        return self.dropout(x)

    def forward(self, bytes_):
        x = self.embed(bytes_)
        for block in self.blocks:
            x = block(x)
        return self.ln_f(x) @ self.shifts[0].t()

    @property
    def attentions(self):
        return [b.attn for b in self.blocks if b.attn is not None]

    def set_full_rank(self, share):
        for attention in self.attentions:
            attention.full_rank = share

    def l_ms(self):
        """Formula (9) as the last forward pass saw it: mean over layers and heads."""
        return torch.stack([a.l_ms.mean() for a in self.attentions]).mean()

    def tensors(self):
        """The parameters under Hugging Face's GPT-2 names; absent biases are zero."""
        width = self.wpe.shape[1]
        out = {"wte.weight": self.shifts[0], "wpe.weight": self.wpe}
        for j, table in enumerate(self.shifts[1:], 1):
            out[f"wte_shift.{j}.weight"] = table
        for n, b in enumerate(self.blocks):
            h = f"h.{n}."
            out[h + "ln_1.weight"], out[h + "ln_1.bias"] = b.ln_1.weight, b.ln_1.bias
            if b.attn is not None:
                out[h + "attn.c_attn.weight"] = b.attn.c_attn
                out[h + "attn.c_attn.bias"] = torch.zeros(3 * width)
                out[h + "attn.c_proj.weight"] = b.attn.c_proj
                out[h + "attn.c_proj.bias"] = torch.zeros(width)
            out[h + "ln_2.weight"], out[h + "ln_2.bias"] = b.ln_2.weight, b.ln_2.bias
            out[h + "mlp.c_fc.weight"], out[h + "mlp.c_fc.bias"] = b.c_fc, b.c_fc_bias
            out[h + "mlp.c_proj.weight"], out[h + "mlp.c_proj.bias"] = b.c_proj, b.c_proj_bias
        out["ln_f.weight"], out["ln_f.bias"] = self.ln_f.weight, self.ln_f.bias
        return {name: t.detach() for name, t in out.items()}

"""Interpolated modified Kneser-Ney over bytes (Chen and Goodman, 1999).

The highest order uses raw counts, the lower orders the number of distinct
left neighbours; three discounts per order come from the counts of counts.
The unigram is interpolated with the uniform distribution over 256 bytes.
"""

import math
from collections import Counter, defaultdict


class KneserNey:
    def __init__(self, text, order):
        self.order = order
        counts = [None] * (order + 1)
        counts[order] = Counter(text[i : i + order] for i in range(len(text) - order + 1))
        for n in range(order - 1, 0, -1):
            # Each distinct (n+1)-gram is one left neighbour of its last n bytes.
            # The first n bytes of the text have none and count once.
            longer = counts[n + 1]
            counts[n] = Counter(g[1:] for g in longer)
            counts[n][text[:n]] += 1
        self.levels = [self._level(counts[n]) for n in range(1, order + 1)]

    @staticmethod
    def _level(counts):
        """(context -> byte -> count), (context -> total, weight of the lower order), discounts."""
        of = Counter(counts.values())
        n1, n2, n3, n4 = (max(of[k], 1) for k in (1, 2, 3, 4))
        y = n1 / (n1 + 2 * n2)
        discount = [0.0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
        discount = [min(max(d, 0.0), float(k)) for k, d in enumerate(discount)]
        table = defaultdict(dict)
        for gram, c in counts.items():
            table[gram[:-1]][gram[-1]] = c
        rest = {}
        for context, following in table.items():
            total = sum(following.values())
            removed = sum(discount[min(c, 3)] for c in following.values())
            rest[context] = (total, removed / total)
        return table, rest, discount

    def probability(self, context, byte):
        p = 1 / 256
        for n, (table, rest, discount) in enumerate(self.levels):
            history = context[len(context) - n :] if n else b""
            if n > len(context) or history not in rest:
                break
            total, weight = rest[history]
            c = table[history].get(byte, 0)
            p = (c - discount[min(c, 3)]) / total + weight * p
        return p

    def nll(self, text, start=b"\n"):
        """Mean negative log-likelihood in nats per byte, every byte once."""
        whole = start + text
        loss = 0.0
        for i in range(len(start), len(whole)):
            context = whole[max(0, i - self.order + 1) : i]
            loss -= math.log(self.probability(context, whole[i]))
        return loss / len(text)

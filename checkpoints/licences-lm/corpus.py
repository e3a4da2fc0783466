"""The corpus: the licence texts every Debian machine carries, split without overlap.

The texts of /usr/share/common-licenses (package base-files, Essential) are
cut into paragraphs at blank lines. Versions of one licence share whole
paragraphs, so the split is made over clusters of similar paragraphs, never
over single ones:

1. A paragraph is normalised: lower case, every run of other characters than
   a-z and 0-9 becomes one space. Paragraphs equal after this count once.
2. Two paragraphs are similar if they share at least 20 % of the five-word
   shingles of the shorter one. Clusters are the connected components.
3. Clusters are sorted by the SHA-256 of their first normalised paragraph.
   In this order they go to the held-out text until it has 10 % of all bytes,
   then to the validation text (5 %), then to the training text. A cluster of
   more than 4,000 bytes always goes to training.
4. Held-out and validation keep the first paragraph of each cluster; training
   keeps all distinct ones. Bytes are kept as they are in the file; paragraphs
   stand in file order, one blank line between them.
"""

import hashlib
import os
import re
from collections import defaultdict
from typing import NamedTuple

SOURCE = "/usr/share/common-licenses"
SHINGLE_WORDS = 5
SIMILAR = 0.20
HELD_OUT_SHARE = 0.10
VALID_SHARE = 0.05
LARGEST_HELD_OUT_CLUSTER = 4000


class Corpus(NamedTuple):
    """The three texts, and what is needed to recognise and describe them."""

    train: bytes
    valid: bytes
    held_out: bytes
    sha256: str  # of train, valid and held_out, one after the other
    facts: dict


def read_paragraphs(source):
    """Paragraphs of all regular files in `source`, by file name; links are skipped."""
    paragraphs, files = [], {}
    for name in sorted(os.listdir(source)):
        path = os.path.join(source, name)
        if os.path.islink(path) or not os.path.isfile(path):
            continue
        with open(path, "rb") as f:
            text = f.read()
        files[name] = hashlib.sha256(text).hexdigest()
        for paragraph in re.split(rb"\n\s*\n", text):
            if paragraph.strip():
                paragraphs.append(paragraph.strip(b"\n\f"))
    return paragraphs, files


def normalise(paragraph):
    return re.sub(rb"[^a-z0-9]+", b" ", paragraph.lower()).strip()


def shingles(normalised):
    words = normalised.split()
    count = len(words) - SHINGLE_WORDS + 1
    return {tuple(words[i : i + SHINGLE_WORDS]) for i in range(count)} or {tuple(words)}


def cluster(normalised):
    """Lists of indices of similar paragraphs: connected components, in order."""
    sets = [shingles(n) for n in normalised]
    holders = defaultdict(list)
    for i, s in enumerate(sets):
        for shingle in s:
            holders[shingle].append(i)
    shared = defaultdict(int)
    for members in holders.values():
        for k, b in enumerate(members):
            for a in members[:k]:
                shared[a, b] += 1

    parent = list(range(len(sets)))

    def root(i):
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for (a, b), count in shared.items():
        if count >= SIMILAR * min(len(sets[a]), len(sets[b])):
            ra, rb = root(a), root(b)
            parent[max(ra, rb)] = min(ra, rb)
    clusters = defaultdict(list)
    for i in range(len(sets)):
        clusters[root(i)].append(i)
    return list(clusters.values())


def build(source=SOURCE):
    """Builds the three texts; the same files give the same bytes."""
    paragraphs, files = read_paragraphs(source)
    distinct = {}
    for p in paragraphs:
        distinct.setdefault(normalise(p), p)
    distinct.pop(b"", None)
    normalised, texts = list(distinct), list(distinct.values())

    def size(members):
        return sum(len(texts[i]) + 2 for i in members)

    clusters = cluster(normalised)
    clusters.sort(key=lambda c: hashlib.sha256(normalised[c[0]]).digest())
    total = size(range(len(texts)))
    held_out, valid, train = [], [], []
    for c in clusters:
        small = size(c) <= LARGEST_HELD_OUT_CLUSTER
        if small and size(held_out) < HELD_OUT_SHARE * total:
            held_out.append(c[0])
        elif small and size(valid) < VALID_SHARE * total:
            valid.append(c[0])
        else:
            train.extend(c)

    def join(members):
        return b"\n\n".join(texts[i] for i in sorted(members)) + b"\n"

    parts = [join(part) for part in (train, valid, held_out)]
    facts = {
        "files": files,
        "paragraphs": len(paragraphs),
        "paragraphs_distinct": len(texts),
        "clusters": len(clusters),
        "bytes": {n: len(p) for n, p in zip(("train", "valid", "held_out"), parts)},
        "held_out_shingles_in_train": overlap(parts[0], parts[2]),
    }
    return Corpus(*parts, hashlib.sha256(b"".join(parts)).hexdigest(), facts)


def overlap(train, held_out, words=8):
    """Share of the held-out's eight-word sequences that occur in the training text."""

    def sequences(text):
        w = normalise(text).split()
        return [tuple(w[i : i + words]) for i in range(len(w) - words + 1)]

    known = set(sequences(train))
    wanted = sequences(held_out)
    return sum(s in known for s in wanted) / len(wanted)


if __name__ == "__main__":
    import json

    corpus = build()
    print(json.dumps({"sha256": corpus.sha256, **corpus.facts}, indent=1))

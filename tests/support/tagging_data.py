"""Small examples with one tag per step, which the tests of taggers share."""

import numpy as np

from seqzoo.tasks import Examples, ManyToManyAligned

ENDINGS = {"s": "B-x", "t": "I-x", "é": "B-y", "n": "O", "r": "O"}


def sentences(count: int, seed: int, longest: int = 7) -> Examples:
    """Sentences of words whose last letter determines the tag; the BIO tags are well formed."""
    random = np.random.default_rng(seed)
    inputs, targets = [], []
    for length in random.integers(2, longest + 1, count):
        words, tags = [], []
        for _ in range(length):
            before = tags[-1] if tags else "O"
            endings = [e for e, tag in ENDINGS.items() if tag != "I-x" or before[1:] == "-x"]
            ending = str(random.choice(endings))
            stem = "".join(random.choice(list("abcdE"), random.integers(1, 4)))
            words.append(stem + ending)
            tags.append(ENDINGS[ending])
        inputs.append(words)
        targets.append(tags)
    return Examples(inputs, targets)


def texts(count: int, seed: int) -> Examples:
    """Texts in which letters have the tag "yes" and all other characters "no"."""
    inputs = ["-".join(words) for words in sentences(count, seed).inputs]
    return Examples(inputs, [["yes" if c.isalpha() else "no" for c in text] for text in inputs])


def numbers(count: int, seed: int) -> Examples:
    """Series of shape (time, 2), of different lengths, with the sign of their running sum."""
    random = np.random.default_rng(seed)
    inputs = [random.normal(size=(n, 2)) for n in random.integers(2, 9, count)]
    signs = [np.where(one.sum(1).cumsum() > 0, "+", "-").tolist() for one in inputs]
    return Examples(inputs, signs)


MAKERS = {"words": sentences, "characters": texts, "series": numbers}


def tagger(**choices) -> ManyToManyAligned:
    """A small word tagger."""
    small = {"cell": "gru", "units": 7, "embedding": 6, "character_embedding": 5}
    return ManyToManyAligned(**{**small, **choices})

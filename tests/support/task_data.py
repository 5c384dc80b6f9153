"""Small examples that the tests of `seqzoo.tasks` share."""

from dataclasses import replace

import numpy as np

from seqzoo.tasks import Examples, ManyToOne, Splits, TrainingSettings
from seqzoo.tasks.data.batches import Plan

LETTERS = {"A": "abcx", "B": "defx", "C": "ghéx"}


def names(count: int, seed: int, longest: int = 9) -> Examples:
    """Words whose letters determine their class."""
    random = np.random.default_rng(seed)
    labels = random.choice(list(LETTERS), count)
    lengths = random.integers(2, longest + 1, count)
    words = [
        "".join(random.choice(list(LETTERS[label]), length))
        for label, length in zip(labels, lengths, strict=True)
    ]
    return Examples(words, labels.tolist())


def splits(train: int = 96, validation: int = 40, test: int = 40) -> Splits:
    """Splits of names that can be learned in a few steps."""
    return Splits(names(train, 1), names(validation, 2), names(test, 3), "names", "Names.")


def template(**choices) -> ManyToOne:
    """A small template for names."""
    return ManyToOne(
        **{"input": "characters", "cell": "gru", "units": 8, "embedding": 6, **choices}
    )


def settings(**choices) -> TrainingSettings:
    """Settings for a few training steps, without a warm-up."""
    few = {"epochs": 2, "batch_size": 16, "learning_rate": 0.02, "warmup_steps": 0}
    return TrainingSettings(**{**few, **choices})


def series(count: int, seed: int) -> list[np.ndarray]:
    """Series of shape (time, 2), of different lengths."""
    random = np.random.default_rng(seed)
    return [
        random.normal([3.0, -1.0], [2.0, 0.5], (length, 2))
        for length in random.integers(2, 8, count)
    ]


def repeat(plan: Plan, times: int) -> Plan:
    """A plan that repeats the only batch of another."""
    bounds = np.arange(times + 1) * len(plan.rows)
    one = ("rows", "weights", "lengths", "target_lengths")
    parts = {name: np.concatenate([getattr(plan, name)] * times) for name in one}
    return replace(plan, bounds=bounds, **parts)

"""The lengths that the programs of a training run are compiled for."""

import numpy as np
import tensorflow as tf

from seqzoo.cells.engine.lengths import MOST_PADDED, program_length, use_lengths
from seqzoo.tasks.data.batches import COMPILATION, Plan

SMALL_LAYER = 128
"""Number of units up to which padded steps take next to no time."""


def padded_step(units: int) -> float:
    """Time that a padded step takes in a program for longer sequences, relative to one that runs.

    Measured on two cores, in training: at most 0.02 in layers of 32 to 128 units, 0.06 to 0.15 in
    masked GRUs of 256 and LSTMs of 512.
    """
    return 0.02 if units <= SMALL_LAYER else 0.1


def program_lengths(
    plan: Plan, epochs: int, units: int, among: tuple[int, ...] = ()
) -> tuple[int, ...]:
    """The lengths that minimise the time of all epochs, compilation included, shortest first.

    Inputs and targets of a few batches are padded to a length of others rather than compiling
    programs for their own.

    Args:
        plan: the batches of one epoch.
        epochs: number of epochs.
        units: number of units of the layers.
        among: a previous result, from which lengths are chosen; by default, from all.
    """
    padded = np.concatenate([plan.lengths, plan.target_lengths])
    rows = np.tile(epochs * np.diff(plan.bounds), 2)[padded > 0]
    with use_lengths(among):
        lengths = program_length(tf.constant(padded[padded > 0], tf.int32)).numpy()
    counts = {int(one): int(rows[lengths == one].sum()) for one in np.unique(lengths)}
    return merged(counts, padded_step(units))


def merged(rows: dict[int, int], padded_step: float) -> tuple[int, ...]:
    """The lengths to keep, of all whose number of rows is given, so that the others, padded to the
    next one kept, take the least time.

    Args:
        rows: the number of rows of every length.
        padded_step: time that a padded step takes, relative to one that runs.
    """
    lengths = sorted(rows)
    # best[k]: the least cost of the k shortest lengths, and those kept.
    best: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    for end, longest in enumerate(lengths):
        options = []
        for begin in range(end + 1):
            if longest <= MOST_PADDED * lengths[begin]:
                group = lengths[begin : end + 1]
                padding = sum(rows[length] * (longest - length) for length in group)
                cost, kept = best[begin]
                options.append((cost + COMPILATION + padded_step * padding, (*kept, longest)))
        best.append(min(options))
    return best[-1][1]

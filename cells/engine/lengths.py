"""The lengths that loops are compiled for.

XLA compiles a loop for each length, so sequences are padded to one of a few.
"""

import contextlib
import contextvars
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

MOST_PADDED = 3
"""The most times as many steps as a sequence has that a program of `use_lengths` may have."""

OCTAVES = 30
"""Number of powers of two between which there are lengths."""


class AdjustableLengths:
    """Lengths for `use_lengths` that can be set again after a graph was traced with them."""

    def __init__(self) -> None:
        with tf.device("CPU:0"):  # where shapes are computed
            self.programs = tf.Variable(_program_lengths(())[1], trainable=False)

    def set(self, lengths: tuple[int, ...]) -> None:
        """Sets the lengths, in order, that graphs pad to from now on."""
        self.programs.assign(_program_lengths(lengths)[1])


_lengths = contextvars.ContextVar[tuple[int, ...] | AdjustableLengths](
    "lengths of programs", default=()
)


@contextlib.contextmanager
def use_lengths(lengths: tuple[int, ...] | AdjustableLengths) -> Iterator[None]:
    """A context in which graphs pad sequences to one of these lengths, in order, if it is at most
    `MOST_PADDED` times the length that a program would be compiled for otherwise.

    Fewer lengths take less time to compile. Only the steps that a sequence has are run; the others
    are cleared memory. Elementwise loops, which compute all steps at once, are not affected.
    """
    token = _lengths.set(lengths)
    try:
        yield
    finally:
        _lengths.reset(token)


def program_length(steps: Any) -> Any:
    """The length that a program for sequences of this many steps is compiled for: `coarse_length`,
    or one of `use_lengths`."""
    lengths = _lengths.get()
    if isinstance(lengths, AdjustableLengths):
        return _smallest(steps, _program_lengths(())[0], lengths.programs)
    return _smallest(steps, *_program_lengths(lengths))


def coarse_length(steps: Any) -> Any:
    """Rounds a length up to one of even fewer values: 16, 32, and from there two per power of two,
    but four from 512 steps on, where memory counts more than compilation.

    For loops that compute products: each padded step, whose memory is merely cleared, costs them
    about a tenth of a step that runs.
    """
    return _smallest(steps, *_program_lengths(()))


def round_length(steps: Any, octave: int = 4) -> Any:
    """Rounds a length up to one of a few values, since a loop is compiled for each length.

    Args:
        steps: the length, at least 1.
        octave: number of lengths per power of two.
    """
    lengths = _multiples(tuple(max(2**k // octave, 4) for k in range(OCTAVES)))
    return _smallest(steps, lengths, lengths)


def _smallest(steps: Any, lengths: np.ndarray, results: Any) -> Any:
    """The result of the shortest of the lengths that `steps` fits in; results are in order.

    As few operations as possible, since each layer has its own: they are traced with the model.
    """
    fits = lengths >= tf.expand_dims(steps, -1)
    return tf.reduce_min(tf.where(fits, results, tf.int32.max), -1)


@functools.cache
def _program_lengths(known: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """All results of `coarse_length`, and the lengths of the programs that these run."""
    powers = [2**k for k in range(OCTAVES)]
    coarse = _multiples(tuple(max(p // (2 if p < 512 else 4), 16) for p in powers))
    programs = coarse.copy()
    for length in reversed(known):
        programs[(coarse <= length) & (length <= MOST_PADDED * coarse)] = length
    return coarse, programs


@functools.cache
def _multiples(units: tuple[int, ...]) -> np.ndarray:
    """From each power of two to the next, the multiples of the unit of that power."""
    lengths = {
        length
        for k, unit in enumerate(units)
        for length in range(unit, 2 ** (k + 1) + 1, unit)
        if length >= 2**k
    }
    return np.array(sorted(lengths), "int32")

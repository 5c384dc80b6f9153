"""Measures an update of all weights: seqzoo's Adam, in one operation per variable, beside Keras'.

    python -m benchmarks.adam

The optimizers alternate; milliseconds are medians. "trace" is the first call, in seconds.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.measurements import machine
from seqzoo.tasks.training.fused_adam import FusedAdam

SHAPES = {
    "a table of 98,304 x 64": [(98_304, 64)],
    "25 matrices of 64 x 256": [(64, 256)] * 25,
    "25 matrices of 8 x 32": [(8, 32)] * 25,
}
UPDATES = 100
HEADS = "| weights | Keras, ms | seqzoo, ms | trace, Keras, s | trace, seqzoo, s |"


def update(optimizer: Any, shapes: list[tuple[int, ...]]) -> Callable[[], None]:
    """A compiled function that updates weights of these shapes once."""
    random = np.random.default_rng(0)
    variables = [keras.Variable(random.normal(size=shape), dtype="float32") for shape in shapes]
    gradients = [tf.constant(random.normal(size=shape), tf.float32) for shape in shapes]
    optimizer.build(variables)
    return tf.function(lambda: optimizer.apply(gradients, variables))


def seconds_of(function: Callable[[], None]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    """Prints the table."""
    print(f"{machine()}\n\n{HEADS}\n|{' --- |' * 5}")
    for name, shapes in SHAPES.items():
        kinds = (keras.optimizers.Adam, FusedAdam)
        updates = [update(kind(1e-3), shapes) for kind in kinds]
        traces = [seconds_of(function) for function in updates]
        rounds = [[seconds_of(function) for function in updates] for _ in range(UPDATES)]
        medians = 1000 * np.median(rounds, 0)
        figures = [*(f"{ms:.2f}" for ms in medians), *(f"{s:.2f}" for s in traces)]
        print(f"| {name} | {' | '.join(figures)} |", flush=True)


if __name__ == "__main__":
    main()

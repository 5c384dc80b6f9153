"""Compares cells with the same number of parameters on problems that test memory.

    python -m benchmarks.which_cell [--problems copy] [--cells lstm] [--write docs/choosing.md]

- adding: the sum of two marked numbers among 200; the mean squared error (1/6 for always
  predicting 1).
- copy: ten symbols, each one of eight, to be repeated after 100 blank steps; nats per symbol (2.08
  for guessing).
- pixels: digits of MNIST, one pixel per step in a fixed random order; accuracy on 2,000 test
  digits.

Two layers of each cell get the number of units at which the model has about 20,000 parameters: with
one layer, cells without recurrent matrices would get thousands, which only read two numbers. All
get the same batches in the same order, the same optimizer and few steps: this compares how fast
cells learn, not what they reach in the end. Existing measurements are skipped; --write writes the
table from them.

Source of the copy problem: Arjovsky, Shah and Bengio, "Unitary Evolution Recurrent Neural
Networks", 2016, section 5.1; of the pixels: Le, Jaitly and Hinton, "A Simple Way to Initialize
Recurrent Networks of Rectified Linear Units", 2015, section 4.2.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import functools
import pathlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from benchmarks import adding
from benchmarks.measurements import Measurements, machine, path_of, write_section
from seqzoo.cells import Recurrent, create

PARAMETERS, LAYERS, BATCH, LEARNING_RATE, CLIP = 20_000, 2, 64, 3e-3, 1.0
SYMBOLS, COPIED, DELAY = 8, 10, 100
CELLS = ("lstm", "gru", "mgu", "janet", "indrnn", "lem", "orthogonal", "mingru", "lru", "s5")
COMMAND = "python -m benchmarks.which_cell --write docs/choosing.md"


class Problem(NamedTuple):
    """A problem that cells are trained on.

    Attributes:
        title: heading of its column.
        features: number of features of each step.
        outputs: number of outputs of the dense layer.
        sequence: whether each step has an output.
        steps: number of training steps.
        batch: number of a training step -> inputs and targets; negative numbers give test batches.
        loss: targets and outputs -> the training loss.
        metric: targets and outputs -> the metric that is reported.
    """

    title: str
    features: int
    outputs: int
    sequence: bool
    steps: int
    batch: Callable
    loss: Callable
    metric: Callable


def copies(step: Any) -> tuple[Any, Any]:
    """One-hot inputs (batch, 2 * COPIED + DELAY, SYMBOLS + 2) and the symbols (batch, COPIED)."""
    symbols = tf.random.stateless_uniform(
        [BATCH, COPIED], tf.stack([step, 0]), 0, SYMBOLS, tf.int32
    )
    blank = tf.fill([BATCH, DELAY - 1], SYMBOLS)
    signal, rest = tf.fill([BATCH, 1], SYMBOLS + 1), tf.fill([BATCH, COPIED], SYMBOLS)
    ids = tf.concat([symbols, blank, signal, rest], 1)
    return tf.one_hot(ids, SYMBOLS + 2), symbols


def _nats(symbols: Any, outputs: Any) -> Any:
    logits = outputs[:, -COPIED:]
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(symbols, logits))


@functools.cache
def _digits() -> tuple[Any, ...]:
    """Permuted pixels and labels of the training split, then of the test split."""
    import tensorflow_datasets as tfds

    order = np.random.default_rng(0).permutation(784)
    results = []
    for split in ("train", "test[:2000]"):
        images, labels = tfds.as_numpy(
            tfds.load("mnist", split=split, batch_size=-1, as_supervised=True)
        )
        results += [images.reshape(len(images), 784, 1)[:, order], labels.astype("int32")]
    return tuple(results)


def pixels(step: Any) -> tuple[Any, Any]:
    """Pixels (batch, 784, 1) from 0 to 1, and digits (batch,)."""
    images, labels, test_images, test_labels = _digits()
    if int(step) < 0:
        rows = (-1 - int(step)) * BATCH + np.arange(BATCH)
        images, labels = test_images, test_labels
    else:
        rows = np.random.default_rng(int(step)).integers(0, len(images), BATCH)
    return tf.constant(images[rows] / np.float32(255)), tf.constant(labels[rows])


def _cross_entropy(digits: Any, outputs: Any) -> Any:
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(digits, outputs))


def _accuracy(digits: Any, outputs: Any) -> Any:
    return tf.reduce_mean(tf.cast(tf.argmax(outputs, 1, tf.int32) == digits, tf.float32))


def _squared(sums: Any, outputs: Any) -> Any:
    return tf.reduce_mean((outputs - sums) ** 2)


PROBLEMS = {
    "adding": Problem(
        "adding, 200 steps: squared error",
        2,
        1,
        False,
        1500,
        lambda step: adding.sequences(BATCH, step, 200),
        _squared,
        _squared,
    ),
    "copy": Problem(
        "copy memory, 100 steps: nats",
        SYMBOLS + 2,
        SYMBOLS,
        True,
        1500,
        copies,
        _nats,
        _nats,
    ),
    "pixels": Problem(
        "permuted pixels, 784 steps: accuracy",
        1,
        10,
        False,
        400,
        pixels,
        _cross_entropy,
        _accuracy,
    ),
}
TEST_BATCHES = 16

GUESSES = {
    "adding": "a squared error of 0.167",
    "copy": "2.08 nats",
    "pixels": "an accuracy of 0.1",
}
"""The metric of a model that has learned nothing, by problem."""


def model_of(cell: str, units: int, problem: Problem) -> Any:
    """A model of `LAYERS` layers of the cell and a dense layer."""
    inputs = values = keras.Input((None, problem.features))
    for layer in range(1, LAYERS + 1):
        sequence = problem.sequence or layer < LAYERS
        values = Recurrent(create(cell, units), return_sequences=sequence)(values)
    return keras.Model(inputs, keras.layers.Dense(problem.outputs)(values))


def units_of(cell: str, problem: Problem) -> int:
    """The number of units that brings the model closest to PARAMETERS parameters."""

    def parameters(units: int) -> int:
        count, features = (units + 1) * problem.outputs, problem.features
        for _ in range(LAYERS):
            inner = create(cell, units)
            inner.build((None, features))
            count, features = count + inner.count_params(), units
        return count

    low, high = 1, 2
    while parameters(high) < PARAMETERS:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if parameters(middle) < PARAMETERS else (low, middle)
    return min((low, high), key=lambda units: abs(parameters(units) - PARAMETERS))


def measure(cell: str, name: str) -> dict[str, Any]:
    """Trains a cell on a problem; returns a row of the measurements."""
    problem = PROBLEMS[name]
    keras.utils.set_random_seed(0)
    units = units_of(cell, problem)
    model = model_of(cell, units, problem)
    optimizer = keras.optimizers.Adam(LEARNING_RATE, global_clipnorm=CLIP)
    optimizer.build(model.trainable_variables)
    variables = [variable.value for variable in model.trainable_variables]

    @tf.function(autograph=False)
    def train(x: Any, y: Any) -> None:
        with tf.GradientTape() as tape:
            loss = problem.loss(y, model(x, training=True))
        optimizer.apply(tape.gradient(loss, variables), model.trainable_variables)

    @tf.function(autograph=False)
    def test(x: Any, y: Any) -> Any:
        return problem.metric(y, model(x, training=False))

    train(*problem.batch(0))  # compiled before timing starts; it counts as a step
    began = time.monotonic()
    for step in range(1, problem.steps):
        train(*problem.batch(step))
    seconds = time.monotonic() - began
    values = [float(test(*problem.batch(-1 - k))) for k in range(TEST_BATCHES)]
    return {
        "problem": name,
        "cell": cell,
        "units": units,
        "parameters": model.count_params(),
        "steps": problem.steps,
        "metric": f"{np.mean(values):.4f}",
        "seconds": f"{seconds:.0f}",
    }


def section(measured: Measurements) -> str:
    """The section with the table of the measurements, one row per cell."""
    problems = [name for name in PROBLEMS if any(r["problem"] == name for r in measured.rows)]
    steps = ", ".join(
        f"{name} {int(next(r['steps'] for r in measured.rows if r['problem'] == name)):,}"
        for name in problems
    )
    rows = []
    for cell in dict.fromkeys(row["cell"] for row in measured.rows):
        fields = [f"`{cell}`"]
        for name in problems:
            row = measured.find(name, cell)
            fields.append(row["metric"].replace("nan", "diverged") if row else "")
        rows.append(f"| {' | '.join(fields)} |")
    heads = [PROBLEMS[name].title for name in problems]
    return "\n".join(
        [
            "### Cells on problems that test memory",
            f"Two layers with the number of units at which the model has about {PARAMETERS:,} "
            f"parameters, batches of {BATCH}, Adam at {LEARNING_RATE:g} for all, one seed, and "
            f"few training steps ({steps}): how fast a cell learns, not what it reaches in the "
            f"end. Guessing gives {', '.join(GUESSES[name] for name in problems)}. {machine()}. "
            "Measured by",
            "",
            f"    {COMMAND}",
            "",
            f"| cell | {' | '.join(heads)} |",
            "| " + " | ".join(["---"] * (1 + len(heads))) + " |",
            *rows,
        ]
    )


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Compares cells on problems that test memory.")
    parser.add_argument("--problems", default=",".join(PROBLEMS))
    parser.add_argument("--cells", default=",".join(CELLS))
    parser.add_argument("--results", type=pathlib.Path, default=path_of("which-cell"))
    parser.add_argument("--write", type=pathlib.Path, help="page to write the table into")
    arguments = parser.parse_args()
    measured = Measurements(arguments.results, ("problem", "cell"))
    for problem in filter(None, arguments.problems.split(",")):
        for cell in arguments.cells.split(","):
            if measured.find(problem, cell) is None:
                measured.add(measure(cell, problem))
                print(*measured.rows[-1].values(), sep="\t", flush=True)
    if arguments.write:
        write_section(arguments.write, COMMAND, section(measured))


if __name__ == "__main__":
    main()

"""The adding problem for every cell: the number of training steps needed to learn it.

    python -m benchmarks.adding [--cells lstm,gru] [--write docs/cells.md]
    python -m benchmarks.adding --again

A sequence has 50 numbers from 0 to 1, two of which are marked, one in each half; the answer is
their sum. Always predicting 1 has a mean squared error of 1/6. All cells have the same number of
units and the same optimizer, and see the same sequences in the same order. Cells that have been
measured are skipped, so an interrupted run can be continued; --write writes the table of the
results so far. --again retrains the cells that have not learned the problem: after a dense layer
with ReLU, which can multiply a number by its mark, so that only the memory is tested; with two
layers; and then also with a higher learning rate.

Source of the problem: Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997, section 5.4, in
the form of Arjovsky, Shah and Bengio, "Unitary Evolution Recurrent Neural Networks", 2016.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import pathlib
import time
from typing import Any

import keras
import tensorflow as tf

from benchmarks.measurements import Measurements, machine, path_of, write_section
from seqzoo.cells import CELLS, Recurrent, create

TIME, UNITS, BATCH = 50, 64, 64
LEARNING_RATE, CLIP = 3e-3, 1.0
MAX_STEPS, EVAL_EVERY, EVAL_SEQUENCES = 2000, 50, 1024
"""Maximum number of training steps, steps between evaluations, and sequences per evaluation."""

LEARNED = 0.01
"""Mean squared error below which the problem counts as learned."""

AGAIN = (("dense, 1", LEARNING_RATE), ("2", LEARNING_RATE), ("2", 1e-2))
"""Layers and learning rates to try with cells that have not learned it. "dense, 1" is a dense layer
with ReLU before one recurrent layer."""

REASONS = {
    "vanilla": "its gradient vanishes within about ten steps",
    "feed-forward": "it only sees a window of inputs",
    "echo-state": "its recurrent weights are not trained",
}
"""Why some cells do not learn it within `MAX_STEPS`."""

COMMAND = "python -m benchmarks.adding --write docs/cells.md"


def sequences(count: int, seed: Any, time: int = TIME) -> tuple[Any, Any]:
    """Inputs (count, time, 2), which are numbers and marks, and targets (count, 1), the sums."""
    half = time // 2
    numbers = tf.random.stateless_uniform([count, time], tf.stack([seed, 0]))
    positions = tf.random.stateless_uniform([count, 2], tf.stack([seed, 1]), 0, half, tf.int32)
    marks = tf.concat(
        [tf.one_hot(positions[:, 0], half), tf.one_hot(positions[:, 1], time - half)], 1
    )
    return tf.stack([numbers, marks], 2), tf.reduce_sum(numbers * marks, 1, keepdims=True)


def network(name: str, layers: str = "1") -> Any:
    """A model of recurrent layers and a dense layer: (batch, TIME, 2) -> (batch, 1)."""
    inputs = keras.Input((TIME, 2))
    values: Any = inputs
    *dense, count = layers.split(", ")
    if dense:
        values = keras.layers.Dense(UNITS, "relu")(values)
    for below in reversed(range(int(count))):
        cell = create(name, UNITS)
        if cell.takes_time:  # one unit of time between steps
            values = (values, keras.ops.ones_like(inputs[:, :, 0]))
        values = Recurrent(cell, return_sequences=below > 0)(values)
    return keras.Model(inputs, keras.layers.Dense(1)(values))


def measure(
    name: str,
    max_steps: int = MAX_STEPS,
    *,
    layers: str = "1",
    learning_rate: float = LEARNING_RATE,
) -> dict[str, Any]:
    """Trains a cell until it has learned the problem, or for `max_steps`; returns a table row."""
    keras.utils.set_random_seed(0)
    model = network(name, layers)
    optimizer = keras.optimizers.Adam(learning_rate, global_clipnorm=CLIP)
    optimizer.build(model.trainable_variables)
    variables = [variable.value for variable in model.trainable_variables]

    @tf.function(autograph=False)
    def train(step: Any) -> None:
        x, y = sequences(BATCH, step)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
        optimizer.apply(tape.gradient(loss, variables), model.trainable_variables)

    @tf.function(autograph=False)
    def error() -> Any:
        x, y = sequences(EVAL_SEQUENCES, -1)
        return tf.reduce_mean((model(x, training=False) - y) ** 2)

    value, seconds, steps = float(error()), 0.0, 0
    train(tf.constant(0))  # compiled before timing starts; it counts as a step
    while steps < max_steps and value >= LEARNED and value == value:  # or until NaN
        began = time.monotonic()
        for step in range(max(steps, 1), steps + EVAL_EVERY):
            train(tf.constant(step))
        seconds += time.monotonic() - began
        steps += EVAL_EVERY
        value = float(error())
    return {
        "cell": name,
        "parameters": model.count_params(),
        "steps": steps if value < LEARNED else "",
        "seconds": f"{seconds:.1f}",
        "error": f"{value:.5f}",
    }


def measure_again(name: str, measured: Measurements) -> None:
    """Trains a cell with each setting of `AGAIN` in turn, until it learns the problem without a
    dense layer."""
    for layers, rate in AGAIN:
        row = measured.find(name, layers, str(rate))
        if row is None:
            result = measure(name, layers=layers, learning_rate=rate)
            row = {"cell": name, "layers": layers, "learning_rate": rate} | result
            measured.add(row)
            print(*row.values(), sep="\t", flush=True)
        if row["steps"] and layers.isdigit():
            return


def remark(row: dict[str, str], again: Measurements) -> str:
    """The note in the table on a cell that has not learned the problem."""
    parts = [REASONS[row["cell"]]] if row["cell"] in REASONS else []
    for layers, rate in AGAIN:
        other = again.find(row["cell"], layers, str(rate))
        if other is None:
            continue
        how = f"{layers} layers" if layers.isdigit() else "after a dense layer with ReLU"
        how += f" at {rate:g}" * (rate != LEARNING_RATE)
        steps = f"{int(other['steps']):,} steps" if other["steps"] else "not learned"
        parts.append(f"{how}: {steps} ({float(other['error']):.4f})")
    return "; ".join(parts)


def section(measured: Measurements, again: Measurements) -> str:
    """The table of the measurements, fastest learners first."""
    rows = sorted(
        measured.rows, key=lambda row: (not row["steps"], int(row["steps"] or 0), row["error"])
    )
    lines = [
        "### Cells on the adding problem",
        "Training steps until the mean squared error of the sum of two marked numbers among "
        f"{TIME} is below {LEARNED} (1/6 for always predicting 1): {UNITS} units, batches of "
        f"{BATCH}, Adam at {LEARNING_RATE:g}, at most {MAX_STEPS:,} steps, one seed. {machine()}.",
        "",
        "| cell | parameters | steps | final error | notes |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        steps = f"{int(row['steps']):,}" if row["steps"] else "not learned"
        reason = "" if row["steps"] else remark(row, again)
        lines.append(
            f"| `{row['cell']}` | {int(row['parameters']):,} | {steps} "
            f"| {float(row['error']):.4f} | {reason}{' ' * bool(reason)}|"
        )
    return "\n".join(lines)


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="The adding problem for every cell.")
    names = [name for name, cell in CELLS.items() if cell.input_rank == 2]
    parser.add_argument("--cells", default=",".join(names))
    parser.add_argument("--results", type=pathlib.Path, default=path_of("adding"))
    parser.add_argument(
        "--again", action="store_true", help="retrain cells that have not learned it"
    )
    parser.add_argument("--write", type=pathlib.Path, help="page to write the table into")
    arguments = parser.parse_args()
    measured = Measurements(arguments.results, ("cell",))
    again = Measurements(path_of("adding-again"), ("cell", "layers", "learning_rate"))
    if arguments.again:
        for row in measured.rows:
            if not row["steps"] and row["cell"] != "feed-forward":
                measure_again(row["cell"], again)
        return
    for name in arguments.cells.split(","):
        if measured.find(name) is None:
            measured.add(measure(name))
            print(*measured.rows[-1].values(), sep="\t", flush=True)
    if arguments.write:
        write_section(arguments.write, COMMAND, section(measured, again))


if __name__ == "__main__":
    main()

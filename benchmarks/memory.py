"""Memory span of cells: the longest sequences of three problems that they learn within a budget.

    python -m benchmarks.memory [--cells lstm,gru] [--write docs/gradients.md]
    python -m benchmarks.memory --curves

Each cell is trained on sequences of 10 steps, then anew on 20, and so on to 160, until it fails to
learn a length within the budget. All cells have the same number of units, the same optimizer and
the same sequences. --curves measures the error on the adding problem of 200 steps during the
training of a GRU and of a vanilla cell. Existing rows are skipped, so an interrupted run can be
continued; --write writes the table of the results so far.

    adding          the sum of two marked numbers, one in each half; learned below an error of 0.02
    copy            two symbols, each one of four, at the beginning, to be repeated at the end;
                    learned above an accuracy of 95%
    temporal order  two symbols among six others, in the first tenth and after the middle; which of
                    the four orders it is; learned above an accuracy of 95%

Sources: Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997, sections 5.4 and 5.6; Arjovsky,
Shah and Bengio, "Unitary Evolution Recurrent Neural Networks", 2016, sections 5.1 and 5.2.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import pathlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from benchmarks.measurements import Measurements, machine, path_of, write_section
from seqzoo.cells import Recurrent, create
from seqzoo.tasks.inspection.gradients import gradient_flow
from seqzoo.tasks.inspection.trace import trace

CELLS = (
    "vanilla",
    "gated",
    "irnn",
    "lstm",
    "janet",
    "gru",
    "mgu",
    "indrnn",
    "lem",
    "cornn",
    "lru",
    "mingru",
)
LENGTHS = (10, 20, 40, 80, 160)
UNITS, BATCH, STEPS, EVAL_EVERY, EVAL_SEQUENCES = 32, 32, 600, 50, 512
LEARNING_RATE, CLIP = 5e-3, 1.0

SYMBOLS, COPIED = 4, 2
"""Number of different symbols in the copy problem, and number of symbols to copy."""

DISTRACTORS = 6
"""Number of different irrelevant symbols in the temporal order problem."""

CURVE_LENGTH, CURVE_UNITS, CURVE_BATCH, CURVE_STEPS, CURVE_ERROR = 200, 64, 64, 4000, 1e-3
"""Settings of the curves; `CURVE_ERROR` is the error at which training stops."""

COMMAND = "python -m benchmarks.memory --write docs/gradients.md"


class Problem(NamedTuple):
    """A problem that tests memory.

    Attributes:
        sequences: (count, length, seed) -> inputs (count, steps, features), targets.
        features: number of features per step.
        outputs: number of outputs per step.
        predicted_steps: number of steps at the end that have a target.
        metric: (outputs, targets) -> the metric by which the problem counts as learned.
        learned: whether a value of the metric is good enough.
    """

    sequences: Callable[[int, int, Any], tuple[Any, Any]]
    features: int
    outputs: int
    predicted_steps: int
    metric: Callable[[Any, Any], Any]
    learned: Callable[[float], bool]


def adding(count: int, length: int, seed: Any) -> tuple[Any, Any]:
    """Inputs (count, length, 2), numbers and marks, and targets (count, 1, 1), the sums."""
    half = length // 2
    numbers = tf.random.stateless_uniform([count, length], tf.stack([seed, 0]))
    positions = tf.random.stateless_uniform([count, 2], tf.stack([seed, 1]), 0, half, tf.int32)
    rest = length - half
    marks = tf.concat([tf.one_hot(positions[:, 0], half), tf.one_hot(positions[:, 1], rest)], 1)
    sums = tf.reduce_sum(numbers * marks, 1)
    return tf.stack([numbers, marks], 2), sums[:, None, None]


def copying(count: int, length: int, seed: Any) -> tuple[Any, Any]:
    """Inputs (count, length + 2 COPIED, SYMBOLS + 2): symbols, `length` blanks of which the last is
    the start symbol, and blanks; the symbols (count, COPIED)."""
    shape = [count, COPIED]
    symbols = tf.random.stateless_uniform(shape, tf.stack([seed, 2]), 0, SYMBOLS, tf.int32)
    blank = tf.fill([count, length - 1], SYMBOLS)
    start, end = tf.fill([count, 1], SYMBOLS + 1), tf.fill(shape, SYMBOLS)
    return tf.one_hot(tf.concat([symbols, blank, start, end], 1), SYMBOLS + 2), symbols


def ordering(count: int, length: int, seed: Any) -> tuple[Any, Any]:
    """Inputs (count, length, DISTRACTORS + 2) and which of four orders they have, (count, 1)."""
    shape = [count, length]
    distractors = tf.random.stateless_uniform(shape, tf.stack([seed, 3]), 0, DISTRACTORS, tf.int32)
    which = tf.random.stateless_uniform([count, 2], tf.stack([seed, 4]), 0, 2, tf.int32)
    tenth = max(length // 10, 1)
    offsets = tf.random.stateless_uniform([count, 2], tf.stack([seed, 5]), 0, tenth, tf.int32)
    for half, start in enumerate((0, length // 2)):
        here = tf.range(length) == start + offsets[:, half : half + 1]
        distractors = tf.where(here, DISTRACTORS + which[:, half : half + 1], distractors)
    return tf.one_hot(distractors, DISTRACTORS + 2), 2 * which[:, :1] + which[:, 1:]


def _error(outputs: Any, targets: Any) -> Any:
    return tf.reduce_mean((outputs - targets) ** 2)


def _accuracy(outputs: Any, targets: Any) -> Any:
    return tf.reduce_mean(tf.cast(tf.argmax(outputs, -1, tf.int32) == targets, tf.float32))


PROBLEMS = {
    "adding": Problem(adding, 2, 1, 1, _error, lambda error: error < 0.02),
    "copy": Problem(copying, SYMBOLS + 2, SYMBOLS, COPIED, _accuracy, lambda item: item > 0.95),
    "temporal order": Problem(ordering, DISTRACTORS + 2, 4, 1, _accuracy, lambda item: item > 0.95),
}


class Training:
    """A cell trained on a problem.

    Args:
        cell: its name.
        problem: a name in `PROBLEMS`.
        length: the length of the sequences.
        units: number of units of the cell.
        batch: number of sequences per training step.
    """

    def __init__(
        self, cell: str, problem: str, length: int, units: int = UNITS, batch: int = BATCH
    ):
        keras.utils.set_random_seed(0)
        spec = self.problem = PROBLEMS[problem]
        self.layer = Recurrent(create(cell, units), return_sequences=True)
        inputs = keras.Input((spec.sequences(1, length, 0)[0].shape[1], spec.features))
        outputs = keras.layers.Dense(spec.outputs)(self.layer(inputs)[:, -spec.predicted_steps :])
        self.model = keras.Model(inputs, outputs)
        optimizer = keras.optimizers.Adam(LEARNING_RATE, global_clipnorm=CLIP)
        optimizer.build(self.model.trainable_variables)
        variables = [variable.value for variable in self.model.trainable_variables]

        @tf.function(autograph=False)
        def train(step: Any) -> None:
            x, y = spec.sequences(batch, length, step)
            with tf.GradientTape() as tape:
                loss = self.loss(self.model(x, training=True), y)
            optimizer.apply(tape.gradient(loss, variables), self.model.trainable_variables)

        @tf.function(autograph=False)
        def score() -> Any:
            x, y = spec.sequences(EVAL_SEQUENCES, length, -1)
            return spec.metric(self.model(x, training=True), y)

        self._train, self._score = train, score

    def loss(self, outputs: Any, targets: Any) -> Any:
        """The loss of outputs (batch, predicted steps, outputs)."""
        if self.problem.metric is _error:
            return _error(outputs, targets)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, outputs)
        return tf.reduce_mean(losses)

    def run(self, steps: int) -> float:
        """Trains for `EVAL_EVERY` steps, numbered from `steps` on; returns the metric."""
        for step in range(steps, steps + EVAL_EVERY):
            self._train(tf.constant(step))
        return float(self._score())


def reach(cell: str, problem: str) -> dict[str, Any]:
    """The longest of `LENGTHS` up to which a cell learns a problem within the budget."""
    began, longest, needed = time.process_time(), 0, 0
    for length in LENGTHS:
        training, learned = Training(cell, problem, length), False
        for steps in range(0, STEPS, EVAL_EVERY):
            if learned := training.problem.learned(training.run(steps)):
                needed = steps + EVAL_EVERY
                break
        keras.backend.clear_session()
        if not learned:
            break
        longest = length
    seconds = f"{time.process_time() - began:.0f}"
    return {"cell": cell, "problem": problem, "reach": longest, "steps": needed, "seconds": seconds}


def curve(cell: str, file: Measurements, flows: Measurements, max_steps: int = CURVE_STEPS) -> None:
    """Measures the error on the adding problem of `CURVE_LENGTH` steps during the training of a
    cell, and the flow of gradients before and after.

    Args:
        cell: name of the cell.
        file: gets a row per evaluation.
        flows: gets the gradients.
        max_steps: number of steps after which training stops, unless the error is small earlier.
    """
    training = Training(cell, "adding", CURVE_LENGTH, CURVE_UNITS, CURVE_BATCH)
    flow(cell, training, flows, "before")
    for steps in range(0, max_steps, EVAL_EVERY):
        error = training.run(steps)
        file.add({"cell": cell, "steps": steps + EVAL_EVERY, "error": f"{error:.6f}"})
        if error < CURVE_ERROR:
            break
    flow(cell, training, flows, "after")


def flow(cell: str, training: Training, file: Measurements, when: str) -> None:
    """Adds rows with the fraction of a sequence's gradient left at every fifth step back."""
    x, y = adding(1, CURVE_LENGTH, -1)
    traced = trace(training.model, lambda: training.model(x), lambda out: training.loss(out, y))
    norms = gradient_flow(traced)[0].norms
    for back in range(0, CURVE_LENGTH + 1, 5):
        share = f"{norms[back] / norms[0]:.3g}"
        file.add({"cell": cell, "when": when, "back": back, "share": share})


def section(measured: Measurements) -> str:
    """The section with the table of the measurements, cells with the longest memory first."""
    results = {(row["cell"], row["problem"]): row for row in measured.rows}
    cells = list(dict.fromkeys(row["cell"] for row in measured.rows))

    def entry(cell: str, problem: str) -> str:
        row = results.get((cell, problem))
        if row is None:
            return ""
        return f"{row['reach']} ({row['steps']} steps)" if int(row["reach"]) else "none"

    def total(cell: str) -> int:
        return sum(
            int(results[cell, item]["reach"]) for item in PROBLEMS if (cell, item) in results
        )

    lines = [
        "### Memory span of cells",
        f"The longest sequences, out of {', '.join(map(str, LENGTHS[:-1]))} and {LENGTHS[-1]} "
        f"steps, on which each cell learns a problem within {STEPS} training steps, and how many "
        f"training steps it took: {UNITS} units, "
        f"batches of {BATCH}, Adam at {LEARNING_RATE:g}, one seed. With a larger budget, "
        f"cells that learn slowly might reach further. {machine()}.",
        "",
        f"| cell | {' | '.join(PROBLEMS)} |",
        f"| --- |{' --- |' * len(PROBLEMS)}",
    ]
    for cell in sorted(cells, key=lambda item: -total(item)):
        lines.append(f"| `{cell}` | {' | '.join(entry(cell, item) for item in PROBLEMS)} |")
    return "\n".join(lines)


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Memory span of cells.")
    parser.add_argument("--cells", default=",".join(CELLS))
    parser.add_argument("--results", type=pathlib.Path, default=path_of("memory"))
    parser.add_argument("--curves", action="store_true", help="measure learning curves instead")
    parser.add_argument("--write", type=pathlib.Path, help="page to write the table into")
    arguments = parser.parse_args()
    if arguments.curves:
        file = Measurements(path_of("adding-curves"), ("cell", "steps"))
        flows = Measurements(path_of("adding-gradients"), ("cell", "when", "back"))
        for cell in ("gru", "vanilla"):
            if file.find(cell, EVAL_EVERY) is None:
                # The vanilla cell gets as many steps as the GRU took.
                curve(cell, file, flows, int(file.rows[-1]["steps"]) if file.rows else CURVE_STEPS)
                print(*file.rows[-1].values(), sep="\t", flush=True)
        return
    measured = Measurements(arguments.results, ("cell", "problem"))
    for cell in arguments.cells.split(","):
        for problem in PROBLEMS:
            if measured.find(cell, problem) is None:
                measured.add(reach(cell, problem))
                print(*measured.rows[-1].values(), sep="\t", flush=True)
    if arguments.write:
        write_section(arguments.write, COMMAND, section(measured))


if __name__ == "__main__":
    main()

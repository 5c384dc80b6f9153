"""Measures how the time of a training step grows with the sizes of a model and its batches.

    python -m benchmarks.growth [--axes steps,batch] [--write docs/scaling.md]

Each axis changes one size and leaves the others as they are. The first three measure the forward
and backward pass of an LSTM; beside it, in the same rounds, the matrix products of that pass alone,
in a compiled loop over time that computes nothing else. "vocabulary" measures complete training
steps, with the optimizer, of a language model and of a classifier, which has an embedding but no
large output layer, with dense and with lazy updates of embeddings; beside them, the products of the
language model's output layer. "cores" measures in processes that are pinned to one or two cores.

The points of an axis alternate; each figure is a median. Each row is appended to a CSV file; an
axis that is in the file is not measured again. The picture is drawn from that file by
`python -m docs.write_pictures growth`.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from benchmarks import contestants
from benchmarks.contestants import Shape
from benchmarks.measurements import Measurements, machine, path_of, write_section

COMMAND = "python -m benchmarks.growth --write docs/scaling.md"

ROUNDS, LEAST, REPEATS = 5, 0.05, 3
"""Rounds over the points of an axis, seconds that a point takes at least in each round, and times
that each process of "cores" is started."""

BASE = Shape(32, 100, 64, 128)
STEPS = (100, 300, 1_000, 3_000, 10_000)
BATCHES = (1, 4, 16, 64, 256, 1_024)
UNITS = (32, 64, 128, 256, 512, 1_024, 2_048)
VOCABULARY = (1_000, 5_000, 20_000, 50_000, 200_000)
LENGTH, ROWS, BATCHES_OF_WORDS, WORDS = 20, 32, 30, 20_000
LAYER, PRODUCTS, SMALLEST = "LSTM", "products", "smallest"

ON_CORES = (LAYER, PRODUCTS, "language model, 20,000 words", "products of its output layer")
"""What is measured with one and with two cores."""

APART = "two processes"
"""Two processes at the same time, with a core each and nothing in common."""

LITTLE = 8
"""Units of the LSTM whose time shows what a step costs besides its products."""

Run = Callable[[], Any]


class Point(NamedTuple):
    """A measurement of an axis.

    Attributes:
        series: what is measured.
        size: the size that the axis changes.
        run: a pass or a training step.
    """

    series: str
    size: int
    run: Run


def layer(shape: Shape) -> Run:
    """A forward and backward pass of an LSTM."""
    inputs, upstream, _ = contestants.data(shape, "plain")
    model = contestants.seqzoo_layer("lstm", shape, "plain")
    return contestants.tensorflow_run(model, inputs, upstream, None, training=True)


def products(shape: Shape) -> Run:
    """The matrix products of a forward and backward pass of an LSTM.

    Those with the states are in loops over time, as in the LSTM; those with the inputs and the
    gradients of the weights are over all steps at once. The other operations are replaced by one
    addition, without which the loop could be left out.
    """
    random = np.random.default_rng(0)
    batch, steps, features, units = shape
    columns = 4 * units

    def normal(*size: int) -> Any:
        return tf.constant(random.normal(size=size).astype("float32"))

    x, w, u = normal(steps * batch, features), normal(features, columns), normal(units, columns)
    h, z = normal(steps * batch, units), normal(steps * batch, columns)

    @tf.function(jit_compile=True, autograph=False)
    def run(x: Any, w: Any, u: Any, h: Any, z: Any) -> Any:
        first, last = h[:batch], z[:batch]

        def forward(t: Any, state: Any) -> Any:
            return t + 1, first + 1e-3 * tf.matmul(state, u)[:, :units]

        def backward(t: Any, state: Any) -> Any:
            return t + 1, first + 1e-3 * tf.matmul(last + tf.tile(state, [1, 4]), u, False, True)

        ends = [
            tf.while_loop(lambda t, _: t < steps, body, (0, first))[1]
            for body in (forward, backward)
        ]
        gradients = tf.matmul(x, z, True), tf.matmul(h, z, True), tf.matmul(z, w, False, True)
        return ends, tf.matmul(x, w)[-1], gradients[:2], gradients[2][-1]

    return lambda: tf.nest.map_structure(lambda item: item.numpy(), run(x, w, u, h, z))


def flops(shape: Shape) -> float:
    """Floating-point operations of the products of a forward and backward pass of an LSTM."""
    return 3 * 2 * shape.batch * shape.time * (shape.features + shape.units) * 4 * shape.units


def training_step(words: int, model: str, updates: str) -> Run:
    """A training step of a model of seqzoo.

    Args:
        words: number of words in the vocabulary, which occur equally often.
        model: "language model" or "classifier".
        updates: "dense" or "lazy".
    """
    import keras

    from seqzoo.tasks import Examples, ManyToManyAligned, ManyToOne, TrainingSettings
    from seqzoo.tasks.data.batches import Padding
    from seqzoo.tasks.training.step import Loop

    count = max(BATCHES_OF_WORDS * ROWS, -(-words // LENGTH))
    ids = np.random.default_rng(0).permutation(np.arange(count * LENGTH) % words)
    texts = [" ".join(f"w{item}" for item in row) for row in ids.reshape(count, LENGTH)]
    sizes: Any = {"cell": "lstm", "units": 128, "embedding": 64, "minimum_count": 1}
    sizes["vocabulary_size"] = words + 10
    if model == "classifier":
        template, examples = ManyToOne("words", **sizes), Examples(texts, list("ab") * (count // 2))
    else:
        template, examples = ManyToManyAligned("words", "next", **sizes), Examples(texts)
    settings = TrainingSettings(batch_size=ROWS, embedding_updates=updates)  # pyright: ignore[reportArgumentType]
    keras.utils.set_random_seed(0)
    task = template.adapt(examples)
    data = task.data(examples)
    plan = data.plan(Padding.choose(data, 1, ROWS), settings, seed=(0, 0))
    loop = Loop(task, settings, len(plan), tf.distribute.get_strategy())

    def steps() -> Iterator[None]:
        while True:
            yield from loop.train(data, plan)
            loop.next_epoch()

    running = steps()
    return lambda: next(running)


def output_products(words: int) -> Run:
    """The three products of an output layer: its logits and the gradients of both factors."""
    random = np.random.default_rng(0)
    h, w = (
        tf.constant(random.normal(size=size).astype("float32"))
        for size in ((ROWS * LENGTH, 128), (128, words))
    )

    @tf.function
    def run(h: Any, w: Any) -> Any:
        z = tf.matmul(h, w)
        return tf.matmul(h, z, True)[0], tf.matmul(z, w, False, True)[0]

    return lambda: [item.numpy() for item in run(h, w)]


def points(axis: str) -> list[Point]:
    """The measurements of an axis."""
    if axis == "vocabulary":
        kinds = [(model, kind) for model in MODELS for kind in ("dense", "lazy")]
        measured = [
            Point(f"{model}, {kind}", size, training_step(size, model, kind))
            for size in VOCABULARY
            for model, kind in kinds
        ]
        return measured + [Point(PRODUCTS, size, output_products(size)) for size in VOCABULARY]
    measured = [
        Point(series, size, make(shape))
        for size, shape in SHAPES[axis].items()
        for series, make in ((LAYER, layer), (PRODUCTS, products))
    ]
    if axis == "units":
        shape = SHAPES[axis][UNITS[0]]._replace(units=LITTLE)
        measured.append(Point(SMALLEST, LITTLE, layer(shape)))
    return measured


MODELS = ("language model", "classifier")

SHAPES = {
    "steps": {size: BASE._replace(time=size) for size in STEPS},
    "batch": {size: BASE._replace(batch=size) for size in BATCHES},
    "units": {size: BASE._replace(units=size, time=50) for size in UNITS},
}


def series_of(measured: Measurements, axis: str, series: str) -> dict[int, float]:
    """Milliseconds by size."""
    return {
        int(row["size"]): float(row["ms"])
        for row in measured.rows
        if (row["axis"], row["series"]) == (axis, series)
    }


def work(axis: str, size: int) -> float:
    """The units of work of a point: steps, rows, floating-point operations or words."""
    return flops(SHAPES[axis][size]) if axis == "units" else size


def relative(axis: str, times: dict[int, float]) -> dict[int, float]:
    """Time per unit of work, divided by that of the best point."""
    per_unit = {size: value / work(axis, size) for size, value in times.items()}
    best = min(per_unit.values())
    return {size: value / best for size, value in per_unit.items()}


def output_layer(measured: Measurements) -> dict[int, float]:
    """Milliseconds of the output layer by words: of the language model, less the classifier's."""
    whole, without = (
        series_of(measured, "vocabulary", f"{model}, dense") for model in (MODELS[0], MODELS[1])
    )
    return {size: value - without[size] for size, value in whole.items()}


INTRODUCTION = """## How the time of a step grows

The time of a training step, forward and backward, when one size changes; in the pictures and in
the columns "relative" per unit of work (time step, row of the batch, floating-point operation of
the matrix products, word of the vocabulary), divided by that of the best point. "Products" are the
matrix products alone, in a compiled loop that computes nothing else.

![time per unit of work against steps, batch size, units and words](images/growth.png)
"""

HEADS = {"steps": "time steps", "batch": "batch size", "units": "units"}

TITLES = {
    "steps": "An LSTM of 128 units with 64 features, batches of 32 rows, per time step:",
    "batch": "The same LSTM over 100 steps, per row:",
    "units": "An LSTM with 64 features over 50 steps, 32 rows, per floating-point operation:",
}


REASONS = {
    "steps": """\
Flat within 4% from 300 steps on. A pass has a fixed cost of 1 to 2 ms, which counts at 100 steps;
the products have it too.""",
    "batch": """\
Flat from 256 rows on, and within 20% from 64. Below, the time is that of the products: their time
per row rises in the same way, because each step reads all weights for a few rows.""",
    "units": """\
Flat within 3% from 512 units on. Below, the products alone also take longer per operation, and
what is not a product takes its share: an LSTM of 8 units takes {smallest:.1f} ms for the same
steps and rows, more than half of the time with 32 units.""",
    "vocabulary": """\
Flat within 14% from 20,000 words on, and within 10% for the output layer: the language model less
the classifier, which has the same embedding and LSTM. At 1,000 words more than half of the time is
theirs. The products are half of an output layer's time; the other half passes over logits,
gradients and moments, and also grows with the words. Lazy updates make no difference here, since
every word has a gradient in the output layer. The classifier has no such layer: with dense
updates its time grows by 24 ms, for the moments and weights of all words, with lazy updates by less
than 1 ms, since only the rows of a batch are read and written.""",
    "cores": """\
Two processes with a core each do not slow each other down, so what is lost on two cores is lost
in dividing the work of a step. In the LSTM two threads share the products of each time step,
which take under 0.1 ms, and the products alone gain as little. Of the language model, the
products of the output layer gain most; its softmax, loss and updates, and the LSTM, gain less.""",
}

WORDS_TITLE = """A language model and a classifier with an embedding of 64 and an LSTM of 128 units,
trained with Adam on batches of 32 rows of 20 words, per word:"""

CORES_TITLE = "The LSTM over 100 steps, and the language model, on one and two cores:"


def layer_table(measured: Measurements, axis: str) -> str:
    """The table of an axis of the LSTM."""
    ours, bare = (series_of(measured, axis, name) for name in (LAYER, PRODUCTS))
    ours_relative, bare_relative = relative(axis, ours), relative(axis, bare)
    lines = [
        f"| {HEADS[axis]} | LSTM, ms | relative | products, ms | relative |",
        "| --- | --- | --- | --- | --- |",
    ]
    for size, value in ours.items():
        lines.append(
            f"| {size:,} | {value:,.1f} | {ours_relative[size]:.2f} | {bare[size]:,.1f} | "
            f"{bare_relative[size]:.2f} |"
        )
    return "\n".join(lines)


def vocabulary_table(measured: Measurements) -> str:
    """The table of the vocabulary."""
    kinds = [f"{model}, {updates}" for model in MODELS for updates in ("dense", "lazy")]
    columns = [series_of(measured, "vocabulary", name) for name in (*kinds, PRODUCTS)]
    parts = [relative("vocabulary", times) for times in (columns[0], output_layer(measured))]
    lines = [
        "| words | language model, ms | relative | output layer, relative | its products, ms "
        "| with lazy updates, ms | classifier, ms | with lazy updates, ms |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for size in columns[0]:
        model, lazy, other, lazy_other, bare = (f"{times[size]:,.1f}" for times in columns)
        share = " | ".join(f"{part[size]:.2f}" for part in parts)
        cells = (f"{size:,}", model, share, bare, lazy, other, lazy_other)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def cores_table(measured: Measurements) -> str:
    """The table of cores."""
    lines = [
        "| what | 1 core, ms | 2 cores, ms | speed-up | two processes with a core each, speed-up |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in ON_CORES:
        rows = [measured.find("cores", name, size) for size in ("1", "2", APART)]
        one, two, apart = (float(row["ms"]) for row in rows if row is not None)
        lines.append(
            f"| {name} | {one:.1f} | {two:.1f} | {one / two:.2f} | {2 * one / apart:.2f} |"
        )
    return "\n".join(lines)


def section(measured: Measurements) -> str:
    """The section of docs/scaling.md."""
    conditions = f"{machine()}; other jobs on the machine were paused"
    parts = [f"{INTRODUCTION}\n{conditions}. Measured by\n\n    {COMMAND}\n"]
    for axis, title in TITLES.items():
        reason = REASONS[axis]
        if axis == "units":
            reason = reason.format(smallest=series_of(measured, axis, SMALLEST)[LITTLE])
        parts.append(f"{title}\n\n{layer_table(measured, axis)}\n\n{reason}\n")
    parts.append(f"{WORDS_TITLE}\n\n{vocabulary_table(measured)}\n\n{REASONS['vocabulary']}\n")
    parts.append(f"{CORES_TITLE}\n\n{cores_table(measured)}\n\n{REASONS['cores']}")
    return "\n".join(parts)


def measure(runs: Sequence[Run]) -> list[float]:
    """The median seconds of each function; each is called once before, and they alternate."""
    for run in runs:
        run()
        run()
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(ROUNDS):
        for run, seconds in zip(runs, times, strict=True):
            end = time.perf_counter() + LEAST
            while True:
                start = time.perf_counter()
                run()
                now = time.perf_counter()
                seconds.append(now - start)
                if now > end:
                    break
    return [statistics.median(seconds) for seconds in times]


def on_cores(count: int, processes: int = 1) -> dict[str, float]:
    """Mean seconds of each of `ON_CORES` in processes that run at the same time.

    Args:
        count: number of cores that each process is pinned to.
        processes: number of processes, each on other cores.
    """
    command = [sys.executable, "-m", "benchmarks.growth", "--worker"]
    cores, started = sorted(os.sched_getaffinity(0)), []
    for index in range(processes):
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        os.sched_setaffinity(started[-1].pid, cores[count * index :][:count])
    results = [json.loads(item.communicate()[0].splitlines()[-1]) for item in started]
    return {name: statistics.mean(item[name] for item in results) for name in ON_CORES}


def worker() -> None:
    """Prints the seconds of each of `ON_CORES` as JSON."""
    runs = layer(BASE), products(BASE), training_step(WORDS, MODELS[0], "dense")
    runs += (output_products(WORDS),)
    print(json.dumps(dict(zip(ON_CORES, measure(runs), strict=True))))


def add_axis(axis: str, measured: Measurements) -> None:
    """Measures an axis and adds its rows."""
    if axis == "cores":
        ways = {"1": (1,), "2": (2,), APART: (1, 2)}
        rounds = [{size: on_cores(*way) for size, way in ways.items()} for _ in range(REPEATS)]
        rows = [
            (name, size, statistics.median(times[size][name] for times in rounds))
            for size in ways
            for name in ON_CORES
        ]
    else:
        chosen = points(axis)
        seconds = measure([point.run for point in chosen])
        rows = [(p.series, p.size, s) for p, s in zip(chosen, seconds, strict=True)]
    for series, size, value in rows:
        measured.add({"axis": axis, "series": series, "size": size, "ms": f"{1e3 * value:.3f}"})
        print(*measured.rows[-1].values(), sep="\t", flush=True)


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--axes", default="steps,batch,units,vocabulary,cores")
    parser.add_argument("--results", type=pathlib.Path, default=path_of("growth"))
    parser.add_argument("--write", type=pathlib.Path, help="page to write the section into")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker()
        return
    measured = Measurements(args.results, ("axis", "series", "size"))
    for axis in args.axes.split(","):
        if not any(row["axis"] == axis for row in measured.rows):
            add_axis(axis, measured)
    if args.write:
        write_section(args.write, COMMAND, section(measured))


if __name__ == "__main__":
    main()

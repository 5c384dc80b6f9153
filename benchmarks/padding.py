"""Compares seqzoo's batches with those of the usual methods: padding and time per epoch.

    python -m benchmarks.padding FILES [NAME ...] [--data-dir DIR] [--page docs/data.md]

FILES is the folder that `benchmarks.tables` filled. The preset's model is trained on some of the
batches that each method makes for an epoch; the methods alternate in one process. See `PREFACE`.
"""

import argparse
import dataclasses
import pathlib
import statistics
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from benchmarks.measurements import machine
from seqzoo.tasks import ManyToManyEncoderDecoder
from seqzoo.tasks.data.batches import Data, Padding, Plan, Sequences, make_plan
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.training.step import Loop
from seqzoo.zoo.data.open import open_source
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.presets import PRESETS

HEADING = "## Padding\n"
PREFACE = """
Padding wastes computation. This table compares three methods of making batches, with the model
of each data set's preset: `ours` (a few lengths chosen once from the data, one length per batch),
`batch` (shuffled examples, each batch padded to its longest example) and `data` (shuffled,
everything padded to the longest of all).

"padding" is the share of padded steps among all steps of inputs and targets, as a mean over the
epoch and for the worst batch. The time of an epoch is computed from its batches: they are sorted by
their number of steps and divided into {bins} parts of equal size; the median step of each part is
measured on some of its batches, with the three methods alternating, and multiplied by their number.
The time for tracing and compiling is separate, and covers only the batches that were measured.
"shapes" counts the different shapes in an epoch, "programs" the input lengths for which the time
loop is compiled. Seconds depend on the machine and its load; "times ours" compares measurements
that alternated. Measured by

    python -m benchmarks.padding FILES --page docs/data.md

{machine}
"""
BINS = 8
HEADS = (
    "data",
    "method",
    "batches",
    "padding, mean",
    "worst",
    "shapes",
    "programs",
    "epoch, s",
    "times ours",
    "compiling, s",
)


class Case(NamedTuple):
    """A data set and the model that is trained on it.

    Attributes:
        source: source of the examples; if `data` has a suffix, it is a file in FILES.
        task: the template.
        settings: the settings of its training.
    """

    source: Source
    task: Any
    settings: TrainingSettings


def of_preset(name: str, **source: Any) -> Case:
    """A preset, with fields of its source replaced."""
    preset = PRESETS[name]
    return Case(dataclasses.replace(preset.source, **source), preset.task, preset.training)


CASES = {
    "languages": of_preset("language-id"),
    "imdb": of_preset(
        "imdb-sentiment",
        data="imdb.tsv",
        input="text",
        target="label",
        columns=("label", "stars", "id", "text"),
    ),
    "ewt": of_preset("upos-tagger", data="ewt-train.conllu.gz"),
    "cmudict": of_preset("pronunciation", data="cmudict.tsv"),
    "dates": of_preset("date-normaliser"),
    "tatoeba": Case(
        Source("tatoeba.tsv", "words", "words", input="english", target="french"),
        ManyToManyEncoderDecoder(input="words", target="words", cell="gru", units=256),
        TrainingSettings(epochs=10, batch_size=64, batch_steps=1000, learning_rate=2e-3),
    ),
}


def methods(task: Any, data: Data, settings: TrainingSettings) -> dict[str, Plan]:
    """The batches of an epoch, by method."""
    padding = Padding.choose(data, settings.buckets, settings.batch_size, epochs=settings.epochs)
    longest = [int(sequence.lengths.max()) for sequence in _sequences(data)]
    to_longest = Padding(longest[:1], longest[1:])
    return {
        "ours": data.plan(padding, settings, seed=(0, 0)),
        "batch": by_batch(data, settings.batch_size),
        "data": make_plan(data, to_longest, settings.batch_size, seed=(0, 0)),
    }


def by_batch(data: Data, size: int) -> Plan:
    """Shuffled examples, each batch padded to its longest example; the last one is filled up."""
    rows = np.random.default_rng(0).permutation(len(data)).astype(np.int32)
    missing = -len(rows) % size
    weights = np.ones(len(rows) + missing, np.float32)
    weights[len(rows) :] = 0
    rows = np.concatenate([rows, np.repeat(rows[-1:], missing)])
    lengths = [sequence.lengths[rows].reshape(-1, size).max(1) for sequence in _sequences(data)]
    targets = lengths[1] if len(lengths) > 1 else np.zeros_like(lengths[0])
    bounds = np.arange(0, len(rows) + 1, size)
    return Plan(rows, weights, bounds, lengths[0], targets, size, None)


def _sequences(data: Data) -> list[Sequences]:
    """The inputs, and the targets if these are sequences, too."""
    return [data.inputs, *([data.targets] if isinstance(data.targets, Sequences) else [])]


def shares(data: Data, plan: Plan) -> tuple[float, float]:
    """The share of padding in all batches together, and in the worst batch."""
    real = sum(sequence.lengths[plan.rows] for sequence in _sequences(data)) * plan.weights
    used = np.add.reduceat(real, plan.bounds[:-1])
    padded = steps(plan)
    return float(1 - used.sum() / padded.sum()), float((1 - used / padded).max())


def steps(plan: Plan) -> np.ndarray:
    """The number of steps in each batch, padding and targets included."""
    lengths = plan.lengths.astype(np.int64) + plan.target_lengths
    return np.diff(plan.bounds) * lengths


def programs(plan: Plan) -> int:
    """Number of lengths that the time loop over inputs is compiled for."""
    from seqzoo.cells.engine.lengths import coarse_length

    if plan.length is not None:
        return 1
    return len({int(coarse_length(tf.constant(length))) for length in np.unique(plan.lengths)})


def sample_batches(plan: Plan, count: int) -> tuple[Plan, np.ndarray, np.ndarray]:
    """Samples about `count` batches, equally many from each of `BINS` parts of an epoch.

    Returns:
        A plan of the sampled batches; the part of each; and the number of batches in each part.
    """
    parts = np.array_split(np.argsort(steps(plan), kind="stable"), min(BINS, len(plan)))
    random = np.random.default_rng(1)
    per_part = max(count // len(parts), 1)
    picks = [random.permutation(np.resize(random.permutation(part), per_part)) for part in parts]
    at = np.stack(picks, 1).reshape(-1)  # alternating between the parts
    rows = np.concatenate([np.arange(*plan.bounds[i : i + 2].tolist()) for i in at])
    plan = dataclasses.replace(
        plan,
        rows=plan.rows[rows],
        weights=plan.weights[rows],
        bounds=np.concatenate([[0], np.cumsum(np.diff(plan.bounds)[at])]),
        lengths=plan.lengths[at],
        target_lengths=plan.target_lengths[at],
        views={name: view[rows] for name, view in plan.views.items()},
    )
    return plan, np.tile(np.arange(len(parts)), per_part), np.array([len(part) for part in parts])


def timed(loops: dict[str, Loop], data: Data, plans: dict[str, Plan]) -> dict[str, list[float]]:
    """Seconds of each step, by method; the methods alternate."""
    training = {name: loop.train(data, plans[name]) for name, loop in loops.items()}
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for at in range(max(map(len, plans.values()))):
        order = list(loops) if at % 2 else list(reversed(loops))
        for name in order:
            if at < len(plans[name]):
                began = time.perf_counter()
                next(training[name])
                loops[name].step.numpy()
                seconds[name].append(time.perf_counter() - began)
    return seconds


def measure(name: str, case: Case, count: int) -> list[list[str]]:
    """Measures all methods on one data set; returns the rows of the table."""
    splits, source = open_source(case.source)
    task = case.task.adapt(splits.train)
    data = task.data(splits.train)
    plans = methods(task, data, case.settings)
    keras.utils.set_random_seed(0)
    loops = {
        method: Loop(task, case.settings, len(plan), tf.distribute.get_strategy())
        for method, plan in plans.items()
    }
    samples = {method: sample_batches(plan, count) for method, plan in plans.items()}
    first = timed(loops, data, {method: sample[0] for method, sample in samples.items()})
    second = timed(loops, data, {method: sample[0] for method, sample in samples.items()})
    epochs, rows = {}, []
    for method, plan in plans.items():
        _, parts, counts = samples[method]
        times = np.array(second[method])
        medians = [statistics.median(times[parts == part]) for part in range(len(counts))]
        epochs[method] = float(np.dot(medians, counts))
        compiling = max(sum(first[method]) - sum(second[method]), 0.0)
        mean, worst = shares(data, plan)
        shapes = {*zip(np.diff(plan.bounds), plan.lengths, plan.target_lengths, strict=True)}
        rows.append(
            [
                f"{name}, {len(data):,}" if method == "ours" else "",
                f"`{method}`",
                f"{len(plan):,}",
                f"{mean:.1%}",
                f"{worst:.1%}",
                str(len(shapes)),
                str(programs(plan)),
                f"{epochs[method]:.1f}",
                f"{epochs[method] / epochs['ours']:.2f}",
                f"{compiling:.0f}",
            ]
        )
    return rows


def line(cells: Sequence[str]) -> str:
    """A row of the table."""
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", type=pathlib.Path, help="folder that benchmarks.tables filled")
    parser.add_argument("names", nargs="*", choices=[[], *CASES], help="data; all by default")
    parser.add_argument("--data-dir", help="folder of tfds data sets")
    parser.add_argument("--limit", type=int, help="maximum number of examples per split")
    parser.add_argument(
        "--steps", type=int, default=240, help="number of steps to measure per method"
    )
    parser.add_argument("--page", type=pathlib.Path, help="page to write the table to")
    args = parser.parse_args()
    lines = [line(HEADS), line(["---"] * len(HEADS))]
    for name in args.names or CASES:
        case = CASES[name]
        source = dataclasses.replace(case.source, data_dir=args.data_dir, limit=args.limit)
        if source.suffix:
            source = dataclasses.replace(source, data=str(args.files / source.data))
        for cells in measure(name, case._replace(source=source), args.steps):
            lines.append(line(cells))
            print(lines[-1], flush=True)
    if args.page:
        before = args.page.read_text(encoding="utf-8").partition(HEADING)[0].rstrip("\n")
        preface = PREFACE.format(bins=BINS, machine=machine())
        table = "\n".join(lines)
        args.page.write_text(f"{before}\n\n{HEADING}{preface}\n{table}\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Measures what the first epoch of each preset costs in addition to its steps.

    python -m benchmarks.first_epoch FILES [NAME ...] [--data-dir DIR] [--write docs/speed.md]

FILES is the folder that `benchmarks.tables` filled, with ETTh1.csv copied into it, and DIR the
folder of tfds data sets. Each preset is trained in its small size in a new process; see
`INTRODUCTION`.
"""

import argparse
import dataclasses
import gc
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks.measurements import machine, write_section
from benchmarks.quality import RUNS

ROOT = pathlib.Path(__file__).resolve().parent.parent

COMMAND = "python -m benchmarks.first_epoch FILES --data-dir DIR --write docs/speed.md"

INTRODUCTION = """## The first epoch
Seconds by which the first epoch of each preset in its small size takes longer than later ones, in
a new process. All data is read, but only some batches are trained: the first one of each shape in
the epoch (rows, padded lengths of the inputs and of the targets), and the first {more} of all.
Validation has the first batch of each shape. Both are run four times.

"overhead" is the first run, including the start of the input pipeline, minus the faster of the last
two, and "second" the second run minus the same. The parts of "overhead" are "tracing", in which
Python builds graphs; "XLA", which compiles the time loops; "graphs", TensorFlow's graph optimiser;
"batch", in which the data are copied to tensors and the first batch is made; and the rest, mostly
the start of graphs. "model" is the creation of the model, its weights and the optimizer, and "data"
the time to read, divide and encode all examples; neither is part of the overhead. "functions"
counts traced functions, "programs" compilations of loops, and "shapes" those of the batches in
training.

XLA compiles two programs, forward and backward, for each kind of layer and each length that layers
are compiled for (16, 32, 48, 64, 96, 128, ... steps), at about a quarter of a second each; equal
layers share them. Lengths whose padding takes less time than compiling for them are left out: in
the first epoch, those whose padding takes less time in this epoch, so that its results come soon;
from the second on, those whose padding takes less time in all epochs. An encoder and a decoder need
programs of their own, and so do layers with another number of inputs. A recurrent layer that reads
the characters of distinct words, as in the taggers' base size, needs programs for each of a few
numbers of words; their small size reads them with a convolution, for which nothing is compiled.

Attempts to compile faster, on `inflection` and `number-reader`, when these had 22 and 18 programs,
with XLA's options in `XLA_FLAGS`: LLVM's optimisation level 0 makes compilation a fifth faster, but
in a trial outside this benchmark, steps of a GRU took twice as long;
generating machine code in a single thread (`--xla_cpu_parallel_codegen_split_count=1`) takes as
long; without fusion emitters (`--xla_cpu_use_fusion_emitters=false`), compilation takes a quarter
less, but in a trial outside this benchmark, steps of ten cells took 7% longer with gradients and
25% longer without, and the results of some differed in the last bits; with programs cached on disk
(`TF_XLA_FLAGS`, see above), a second process has an overhead of 7.0 and 8.6 s, but the first one
14.5 s or more. In a trial outside this benchmark, compiling the loops of four lengths at the same
time took 2.2 to 2.5 s on two cores, instead of 2.5 to 2.7 one after the other, since compilation
already keeps 1.4 cores busy. In another trial, a thread in the background compiled the programs of
all lengths as soon as a layer was traced, while the rest of the model was. On two cores with other
work this took longer: an overhead of 7.9 instead of 6.8 s for `pronunciation` and of 9.7 instead of
7.9 s for `upos-tagger`, because tracing and compilation compete for the cores.

Further trials outside this benchmark: with programs for the longest length of `inflection` only, 48
steps, the first epoch was 1.8 s shorter and each of the 40 epochs, of 3.8 s, 8% longer. Without
TensorFlow's graph optimiser, it was about 0.5 s shorter, and steps of eight presets took up to 8%
longer; without the optimiser's passes for layouts, fused operations, arithmetic, loops and shapes,
steps took as long as with them, and the first epoch of `entity-tagger` was 0.3 s shorter. A decoder
whose loop has a mask would share programs with an encoder of the same size, but a mask makes the
loop of a GRU 2 to 10% slower (64 rows, 96 to 256 units), which takes longer than compiling over 40
epochs.

Of the 480 ms that the forward program of a GRU takes on one core, measured outside this benchmark,
TensorFlow's translation takes 80 and LLVM about 220, of which 93 are for the transposes of weights
and states; without these, compilation takes a tenth less. XLA's options for other libraries of
matrix products (XNNPACK, YNNPACK, oneDNN) make a step's product no faster, most of them slower, by
up to a factor of two.
"""

HEADS = (
    "preset",
    "shapes",
    "functions",
    "programs",
    "tracing",
    "XLA",
    "graphs",
    "batch",
    "rest",
    "overhead",
    "second",
    "model",
    "data",
)

MORE = 8
"""Number of batches that are trained in addition to one of each shape."""

LOGGED = {
    "TF_CPP_MIN_LOG_LEVEL": "0",
    "TF_CPP_VMODULE": "device_compilation_profiler=1,meta_optimizer=1",
}
"""Variables that make TensorFlow log the time of each compilation and graph optimisation."""

COMPILED = re.compile(r"Compiled \S+ \d+ times, compile time: (\d+) us")
OPTIMISED = re.compile(r"meta_optimizer.*, time = ([\d.]+)ms\.")
PHASE = "first_epoch phase "

FILES = {"etth1": ("ETTh1.csv",)}
"""Files of presets whose scores `benchmarks.quality` does not measure."""


class Tracing:
    """Counts and times the functions that TensorFlow traces, nested ones within the outermost."""

    def __init__(self) -> None:
        from tensorflow.python.eager.polymorphic_function import tracing_compilation

        self.count, self.seconds, self._depth = 0, 0.0, 0
        self._create = tracing_compilation._create_concrete_function
        tracing_compilation._create_concrete_function = self._timed

    def _timed(self, *args: Any, **kwargs: Any) -> Any:
        self.count += 1
        self._depth += 1
        start = time.perf_counter()
        try:
            return self._create(*args, **kwargs)
        finally:
            self._depth -= 1
            if not self._depth:
                self.seconds += time.perf_counter() - start


def shapes(plan: Any) -> list[tuple[int, int, int]]:
    """The shape of each batch: rows, padded length of inputs, and of targets."""
    rows = (plan.bounds[1:] - plan.bounds[:-1]).tolist()
    return list(zip(rows, plan.lengths.tolist(), plan.target_lengths.tolist(), strict=True))


def shortened(plan: Any, more: int) -> Any:
    """A plan of the first batch of each shape and the first `more` batches, in their order."""
    import numpy as np

    first: dict[tuple[int, int, int], int] = {}
    for index, shape in enumerate(shapes(plan)):
        first.setdefault(shape, index)
    at = np.array(sorted({*first.values(), *range(min(more, len(plan)))}))
    rows = np.concatenate([np.arange(*plan.bounds[i : i + 2]) for i in at])
    sizes = (plan.bounds[1:] - plan.bounds[:-1])[at]
    return dataclasses.replace(
        plan,
        rows=plan.rows[rows],
        weights=plan.weights[rows],
        bounds=np.concatenate([[0], np.cumsum(sizes)]),
        lengths=plan.lengths[at],
        target_lengths=plan.target_lengths[at],
        views={name: view[rows] for name, view in plan.views.items()},
    )


def source_of(name: str, files: pathlib.Path, data_dir: str | None) -> Any:
    """The source of a preset, with its files."""
    from seqzoo.zoo.presets import PRESETS

    preset = PRESETS[name]
    source = dataclasses.replace(preset.source, data_dir=data_dir)
    if name == "number-reader":
        folder = max(pathlib.Path(data_dir or "").glob("digit_lines/*"))
        return dataclasses.replace(source, data=str(folder), input="image", target="text")
    options: dict[str, Any] = {}
    given = FILES[name] if name in FILES else RUNS[name].files if name in RUNS else ()
    for field, file in zip(("data", "validation", "test"), given, strict=False):
        if file:
            options[field] = str(files / file)
    if name in RUNS:
        words = RUNS[name].options
        pairs = zip(words[::2], words[1::2], strict=True)
        options |= {option.strip("-").replace("-", "_"): value for option, value in pairs}
    return dataclasses.replace(source, **options)


def measure(name: str, files: pathlib.Path, data_dir: str | None) -> dict[str, Any]:
    """Measures one preset in this process; the log on standard error has the rest."""
    from seqzoo.tasks.startup import start_devices

    start_devices()
    import keras
    import tensorflow as tf

    from seqzoo.tasks.data.batches import Padding
    from seqzoo.tasks.training.epochs import Epochs
    from seqzoo.zoo.data.open import open_source
    from seqzoo.zoo.presets import PRESETS

    gc.freeze()  # as commands do after the import, see `seqzoo.tasks.startup`
    tracing = Tracing()
    preset = PRESETS[name]
    settings = preset.training
    result: dict[str, Any] = {}
    start = time.perf_counter()
    splits, _ = open_source(source_of(name, files, data_dir))
    task = preset.sized("small").adapt(splits.train)
    training = task.data(splits.train)
    validation = task.data(splits.validation) if splits.validation else None
    task.weigh(settings, training)
    padding = Padding.choose(
        training, settings.buckets, settings.batch_size, epochs=settings.epochs
    )
    result["data"] = time.perf_counter() - start
    keras.utils.set_random_seed(settings.seed)
    start = time.perf_counter()
    epochs = Epochs(task, settings, padding, training, validation, tf.distribute.get_strategy())
    result["model"] = time.perf_counter() - start
    plan = epochs.plan(0)
    result["shapes"] = len(set(shapes(plan)))
    batches = shortened(plan, MORE)
    loop = epochs.loop
    loop.steps = len(batches)
    scored = None
    if validation is not None:
        scored = validation, shortened(epochs._plan(validation), 0)
    count, seconds = tracing.count, tracing.seconds
    start = time.perf_counter()
    next(iter(loop._batches(training, batches)))
    reading = time.perf_counter() - start
    result["batch"] = reading - (tracing.seconds - seconds)
    runs: list[float] = []
    for run in range(4):
        print(f"\n{PHASE}{run}", file=sys.stderr, flush=True)
        start = time.perf_counter()
        for _ in loop.train(training, batches):
            pass
        loop.step.numpy()
        if scored is not None:
            loop.score(*scored)
        runs.append(time.perf_counter() - start)
        loop.next_epoch()
        loop.lengths.set(epochs.lengths)
        if run == 0:
            result |= {"functions": tracing.count - count, "tracing": tracing.seconds - seconds}
    print(f"\n{PHASE}end", file=sys.stderr, flush=True)
    later = min(runs[2:])
    overheads = {"overhead": reading + runs[0] - later, "second": runs[1] - later}
    return result | overheads | {"runs": runs}


def row(name: str, files: pathlib.Path, data_dir: str | None) -> dict[str, Any]:
    """Measures one preset in a new process."""
    command = [sys.executable, "-m", "benchmarks.first_epoch", str(files), name, "--here"]
    command += ["--data-dir", data_dir] if data_dir else []
    with tempfile.TemporaryFile("w+") as log:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=ROOT,
            env=os.environ | LOGGED,
        )
        log.seek(0)
        text = log.read()
    if done.returncode:
        lines = [line for line in text.splitlines() if "meta_optimizer" not in line]
        raise RuntimeError(f"{name} failed:\n" + "\n".join(lines[-30:]))
    result = json.loads(done.stdout.splitlines()[-1])
    first = text.partition(f"{PHASE}0")[2].partition(PHASE)[0]
    compiled, optimised = COMPILED.findall(first), OPTIMISED.findall(first)
    result |= {"programs": len(compiled), "XLA": sum(map(int, compiled)) / 1e6}
    result["graphs"] = sum(map(float, optimised)) / 1e3
    parts = sum(result[name] for name in ("tracing", "XLA", "graphs", "batch"))
    return result | {"rest": max(result["overhead"] - parts, 0.0)}


def line(name: str, result: dict[str, Any]) -> str:
    """A row of the table."""
    counts = [str(result[head]) for head in HEADS[1:4]]
    seconds = [f"{result[head]:.1f}" for head in HEADS[4:]]
    return f"| {' | '.join([f'`{name}`', *counts, *seconds])} |"


def main() -> None:
    """Runs the benchmark from the command line."""
    from seqzoo.zoo.presets import PRESETS

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", type=pathlib.Path, help="folder that benchmarks.tables filled")
    parser.add_argument("names", nargs="*", choices=[[], *PRESETS], help="presets; all by default")
    parser.add_argument("--data-dir", help="folder of tfds data sets")
    parser.add_argument("--here", action="store_true", help="measure one preset in this process")
    parser.add_argument("--json", type=pathlib.Path, help="file of results, reused if they exist")
    parser.add_argument("--write", type=pathlib.Path, help="page to write the section to")
    args = parser.parse_args()
    if args.here:
        print(json.dumps(measure(args.names[0], args.files, args.data_dir)))
        return
    heads = [f"| {' | '.join(HEADS)} |", f"|{' --- |' * len(HEADS)}"]
    print("\n".join(heads), flush=True)
    results: dict[str, Any] = {}
    if args.json and args.json.exists():
        results = json.loads(args.json.read_text())
    for name in args.names or PRESETS:
        if name not in results:
            results[name] = row(name, args.files, args.data_dir)
            if args.json:
                args.json.write_text(json.dumps(results))
        print(line(name, results[name]), flush=True)
    if args.write:
        lines = [line(name, results[name]) for name in args.names or PRESETS]
        made = f"{machine()}. Measured by\n\n    {COMMAND}\n"
        introduction = INTRODUCTION.format(more=MORE)
        write_section(args.write, COMMAND, "\n".join([introduction, made, *heads, *lines]))


if __name__ == "__main__":
    main()

"""Time and memory for tables larger than memory: `python -m benchmarks.large_data`.

Writes a table of short texts with two classes, by default 2,000,000 rows in 200 MB, in the format
of the extension --suffix and in one or several files, and trains a classifier on it, each time in a
new process:

- memory: with --storage memory, for tables that fit;
- first: from disk with an empty cache;
- again: from disk with the cache of the previous run.

Reports the seconds from the end of the imports to the beginning of the first training step, when
its batch is ready, and to its end, which includes tracing and compilation; the latter also as CPU
time, which other work on the machine affects less; the milliseconds per later step; the seconds for
reading, for the epoch and in total; and the peak memory of the process, including pages of mapped
files.

    python -m benchmarks.large_data [--rows 2000000] [--kind characters]
        [--suffix .csv|.tsv|.jsonl|.parquet|.arrow|.feather] [--files 1] [--steps 300]
        [--ways memory,first,again] [--folder /tmp/large]

With --steps, training ends after that number of steps; otherwise after an epoch and the evaluation.
"""

import argparse
import csv
import json
import os
import pathlib
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import accumulate, islice
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

DISTINCT, MEAN_WORDS = 50_000, 15
"""Number of distinct words, and mean number of words in a text."""

WAYS = {"memory": "memory", "first": "disk", "again": "disk"}

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet", ".arrow", ".feather")

NAMES = ("text", "label")

ROW_GROUP = 1 << 20
"""Number of rows per row group of Parquet, pyarrow's default, and per record batch of Arrow."""


def texts(rows: int) -> Iterator[tuple[str, str]]:
    """Yields random texts, the same in each call, with their class; word frequencies follow Zipf's
    law."""
    generator = random.Random(0)
    letters = "etaoinshrdlcumwfgypbvk"
    words = [
        "".join(generator.choices(letters, k=generator.randint(2, 9))) for _ in range(DISTINCT)
    ]
    weights = list(accumulate(1 / (rank + 5) for rank in range(DISTINCT)))
    for _ in range(rows):
        text = generator.choices(
            words, cum_weights=weights, k=generator.randint(MEAN_WORDS - 5, MEAN_WORDS + 5)
        )
        yield " ".join(text) + ".", "up" if text[0] < "m" else "down"


def write(path: pathlib.Path, rows: Iterable[tuple[str, str]]) -> None:
    """Writes a table in the format of its extension."""
    if path.suffix in (".csv", ".tsv"):
        with path.open("w", encoding="utf-8", newline="") as file:
            delimiter = "," if path.suffix == ".csv" else "\t"
            writer = csv.writer(file, lineterminator="\n", delimiter=delimiter)
            writer.writerow(NAMES)
            writer.writerows(rows)
    elif path.suffix == ".jsonl":
        with path.open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(dict(zip(NAMES, row, strict=True))) + "\n")
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pa.schema([(name, pa.string()) for name in NAMES])
        writer = (
            pq.ParquetWriter(path, schema)
            if path.suffix == ".parquet"
            else pa.ipc.new_file(path, schema)
        )
        with writer:
            rows = iter(rows)
            while group := list(islice(rows, ROW_GROUP)):
                columns = [pa.array(column, pa.string()) for column in zip(*group, strict=True)]
                table = pa.table(columns, schema=schema)
                writer.write_table(table, ROW_GROUP)


def measure(path: pathlib.Path, kind: str, storage: str, steps: int | None) -> dict[str, Any]:
    """Trains in this process; returns and prints how much time and memory that takes."""
    from seqzoo.tasks import ManyToOne, TrainingSettings, train
    from seqzoo.tasks.startup import start_devices
    from seqzoo.tasks.training.progress import Silent
    from seqzoo.zoo.data.open import open_source
    from seqzoo.zoo.data.source import Source

    start_devices()
    import keras

    import seqzoo.tasks.training.trainer  # noqa: F401  imported before the clock starts

    imported = peak()
    began, processor = time.perf_counter(), time.process_time()
    results: dict[str, Any] = {"imports_mb": imported}

    def report() -> None:
        results.update(resident(), peak_mb=peak())
        print(json.dumps(results), flush=True)

    class Probe(Silent):
        def step(self, done: int, loss: float, metric: float, tokens: int) -> None:
            now = time.perf_counter()
            results.setdefault("first_step", now - began)
            results.setdefault("first_step_processor", time.process_time() - processor)
            self.first = getattr(self, "first", (now, done))
            if done > self.first[1]:
                seconds, count = now - self.first[0], done - self.first[1]
                results["step_ms"] = 1000 * seconds / count
            if steps is not None and done >= steps:
                report()
                os._exit(0)

        def row(self, row: dict[str, Any]) -> None:
            results["epoch"] = row["seconds"]

    class Beginning(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            results.setdefault("first_batch", time.perf_counter() - began)

    source = Source(str(path), kind, input="text", target="label", storage=storage)  # pyright: ignore
    splits, source = open_source(source)
    results["read"] = time.perf_counter() - began
    template = ManyToOne(input=kind, units=16, embedding=16, pooling="mean")
    settings = TrainingSettings(epochs=1, batch_size=512)
    with tempfile.TemporaryDirectory() as folder:
        run = train(
            template,
            splits,
            settings,
            pathlib.Path(folder) / "run",
            progress=Probe(),
            callbacks=[Beginning()],
        )
        assert splits.test is not None
        results["accuracy"] = run.evaluate(splits.test)["accuracy"]
    results["all"] = time.perf_counter() - began
    report()
    return results


def peak() -> float:
    """Peak memory of this process, in MB, pages of mapped files included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def resident() -> dict[str, float]:
    """Memory of this process now, in MB: its own pages, and those of mapped files, which the kernel
    reclaims when memory is short."""
    status = pathlib.Path("/proc/self/status")
    if not status.exists():
        return {}
    values = dict(line.split(":", 1) for line in status.read_text().splitlines())
    names = {"own_mb": "RssAnon", "mapped_mb": "RssFile"}
    return {name: int(values[key].split()[0]) / 1e3 for name, key in names.items()}


def main() -> None:
    """Runs the benchmark, each way in a new process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--kind", default="characters")
    parser.add_argument("--suffix", default=".csv", choices=SUFFIXES)
    parser.add_argument("--files", type=int, default=1)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    args = parser.parse_args()
    root = args.folder or pathlib.Path(tempfile.gettempdir()) / "seqzoo-large-data"
    folder = root if args.files == 1 else root / f"{args.rows}-in-{args.files}"
    name = str(args.rows) if args.files == 1 else "*"
    path = folder / f"{name}{args.suffix}"
    os.environ["SEQZOO_CACHE"] = str(folder / "cache")
    if args.only:
        from seqzoo.tasks.errors import called

        with called("seqzoo"):  # keeps TensorFlow from importing what it does not need
            measure(path, args.kind, WAYS[args.only], args.steps)
        return
    folder.mkdir(parents=True, exist_ok=True)
    files = [path]
    if args.files > 1:
        files = [folder / f"{number:03d}{args.suffix}" for number in range(args.files)]
    if not all(file.exists() for file in files):
        rows = texts(args.rows)
        for file in files:
            write(file, islice(rows, -(-args.rows // args.files)))
    size = sum(file.stat().st_size for file in files)
    print(f"{args.rows:,} rows, {size / 1e6:,.0f} MB in {args.suffix}, {args.kind}")
    for way in filter(None, args.ways.split(",")):
        if way == "first":
            shutil.rmtree(folder / "cache", ignore_errors=True)
        command = [sys.executable, "-m", "benchmarks.large_data", "--only", way]
        command += ["--rows", str(args.rows), "--kind", args.kind, "--suffix", args.suffix]
        command += ["--folder", str(root), "--files", str(args.files)]
        command += [] if args.steps is None else ["--steps", str(args.steps)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        result = json.loads(output.splitlines()[-1])
        print(way, {name: round(value, 2) for name, value in result.items()}, flush=True)


if __name__ == "__main__":
    main()

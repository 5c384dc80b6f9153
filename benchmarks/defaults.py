"""Compares the former default training settings with candidates, on real data.

    python -m benchmarks.tables DATA FILES
    python -m benchmarks.defaults FILES RESULTS [--sets NAME ...] [--settings NAME ...]

A template, otherwise with default options, is trained on every data set with each of the settings,
with seed 0 and for the same number of epochs. RESULTS is a JSON Lines file; runs in it are not
repeated. The printed table has the lowest validation loss (without label smoothing) of each run and
its CPU time in seconds, including compilation.
"""

import argparse
import json
import pathlib
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from seqzoo.tasks import TEMPLATES
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.zoo.data.source import Source


@dataclass(frozen=True)
class DataSet:
    """Real examples for a template.

    Attributes:
        template: name of the template.
        epochs: number of epochs.
        source: fields of the `Source`; `data` and `validation` are names of files.
        task: options of the template that differ from its defaults.
    """

    template: str
    epochs: int
    source: Mapping[str, Any]
    task: Mapping[str, Any] = field(default_factory=dict)


SETS = {
    "names": DataSet(
        "many-to-one",
        5,
        {"data": "names.tsv", "input": "name", "target": "nationality", "limit": 10000},
        {"input": "characters"},
    ),
    "sentence polarity": DataSet(
        "many-to-one",
        3,
        {"data": "polarity.tsv", "input": "text", "target": "label", "limit": 5000},
        {"input": "words"},
    ),
    "spoken digits": DataSet(
        "many-to-one",
        8,
        {"data": "digits.tsv", "input": "file", "target": "digit", "split_column": "split"},
        {"input": "audio", "sample_rate": 8000},
    ),
    "emoji": DataSet(
        "one-to-many",
        5,
        {"data": "emoji/captions.tsv", "input": "file", "target": "en", "split_column": "split"},
        {"image_size": (36, 36)},
    ),
    "glyphs": DataSet("one-to-many", 4, {"data": "glyphs", "limit": 3000}),
    "emoji in German": DataSet(
        "one-to-many",
        5,
        {"data": "emoji/captions.tsv", "input": "file", "target": "de", "split_column": "split"},
        {"image_size": (36, 36)},
    ),
    "WNUT 17": DataSet(
        "many-to-many-aligned",
        3,
        {"data": "wnut17-train.conll", "validation": "wnut17-dev.conll", "test": 0.0},
    ),
    "tiny Shakespeare": DataSet(
        "many-to-many-aligned",
        1,
        {"data": "shakespeare.txt", "test": 0.0, "whole": True},
        {"input": "characters", "target": "next", "whole": True},
    ),
    "JSB chorales": DataSet(
        "many-to-many-aligned",
        10,
        {
            "data": "chorales-train.jsonl",
            "validation": "chorales-valid.jsonl",
            "test": 0.0,
            "input": "notes",
        },
        {"input": "notes", "target": "next"},
    ),
    "daily temperatures": DataSet(
        "many-to-many-aligned",
        10,
        {"data": "temperatures.npz", "whole": True},
        {"input": "series", "target": "next", "whole": True},
    ),
    "ETTh1": DataSet(
        "many-to-many-aligned",
        10,
        {"data": "transformer.npz", "whole": True},
        {"input": "series", "target": "next", "whole": True},
    ),
    "Tatoeba English-French": DataSet(
        "many-to-many-encoder-decoder",
        4,
        {"data": "tatoeba.tsv", "input": "english", "target": "french", "limit": 10000},
        {"input": "words", "target": "words"},
    ),
    "CMUdict": DataSet(
        "many-to-many-encoder-decoder",
        4,
        {"data": "cmudict.tsv", "input": "word", "target": "phonemes", "limit": 6000},
        {"target": "words"},
    ),
    "SIGMORPHON 2017 German": DataSet(
        "many-to-many-encoder-decoder",
        4,
        {"data": "inflection.tsv", "input": "lemma", "target": "form", "limit": 5000},
    ),
}

SETTINGS: dict[str, dict[str, Any]] = {
    "64, 1e-3": {"batch_size": 64, "learning_rate": 1e-3, "warmup_steps": 0},
    "64, 3e-3, warm-up": {"batch_size": 64, "learning_rate": 3e-3},
    "32, 2e-3, warm-up": {"batch_size": 32, "learning_rate": 2e-3},
    "32, 3e-3, warm-up": {"batch_size": 32, "learning_rate": 3e-3},
    "16, 3e-3, warm-up, 60 epochs": {"batch_size": 16, "learning_rate": 3e-3, "epochs": 60},
    "32, 2e-3, warm-up, smoothing": {
        "batch_size": 32,
        "learning_rate": 2e-3,
        "label_smoothing": 0.1,
    },
}
"""Training settings by name; the first ones are the former defaults of all templates."""


def measure(name: str, setting: str, files: pathlib.Path) -> dict[str, Any]:
    """Trains on a data set with one of the settings.

    Returns:
        "set", "settings", "metric", "losses" and "metrics" of each epoch on the validation
        examples, and "seconds" of CPU time.
    """
    from seqzoo.tasks.training.trainer import train
    from seqzoo.zoo.data.open import open_source

    data_set, options = SETS[name], SETTINGS[setting]
    names = {item.name for item in fields(TrainingSettings)}
    training = {key: value for key, value in options.items() if key in names}
    task_options = {key: value for key, value in options.items() if key not in names}
    task = TEMPLATES[data_set.template](**{**data_set.task, **task_options})
    paths = {
        key: str(files / value)
        for key, value in data_set.source.items()
        if key in ("data", "validation") and (files / str(value)).is_file()
    }
    source = Source(**{**data_set.source, **paths, "kind": task.input, "target_kind": task.target})
    splits, _ = open_source(source)
    settings = TrainingSettings(**{"epochs": data_set.epochs, **training})
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        run = train(task, splits, settings, pathlib.Path(folder) / "run")
        seconds = time.process_time() - began
        rows, metric = run.history, run.task.metric
    return {
        "set": name,
        "settings": setting,
        "metric": metric,
        "losses": [row["validation_loss"] for row in rows],
        "metrics": [row[f"validation_{metric}"] for row in rows],
        "seconds": round(seconds, 1),
    }


def table(results: list[dict[str, Any]], settings: list[str]) -> str:
    """One row per data set, one column per training run."""
    rows = {(row["set"], row["settings"]): row for row in results}
    heads = ["data set", "epochs", *settings]
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
    for name, value in SETS.items():
        cells = [name, str(value.epochs)]
        for setting in settings:
            row = rows.get((name, setting))
            cells.append(f"{min(row['losses']):.3f} ({row['seconds']:.0f} s)" if row else "")
        if any(cells[2:]):
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", type=pathlib.Path, help="folder that benchmarks.tables filled")
    parser.add_argument("results", type=pathlib.Path, help="JSON Lines file to continue")
    parser.add_argument("--sets", nargs="*", choices=list(SETS), default=list(SETS))
    parser.add_argument("--settings", nargs="*", choices=list(SETTINGS), default=list(SETTINGS))
    args = parser.parse_args()
    lines = args.results.read_text().splitlines() if args.results.exists() else []
    results = [json.loads(line) for line in lines]
    done = {(row["set"], row["settings"]) for row in results}
    for name in args.sets:
        for setting in args.settings:
            if (name, setting) in done:
                continue
            results.append(measure(name, setting, args.files))
            print(name, setting, min(results[-1]["losses"]), results[-1]["seconds"], flush=True)
            with args.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(results[-1]) + "\n")
    print(table(results, args.settings))


if __name__ == "__main__":
    main()

"""Ablations of training options on small real data sets, each compared with a run without it.

    python -m benchmarks.tables DATA FILES names ts_classics
    python -m benchmarks.training_options FILES RESULTS [--ways NAME ...] [--seeds 0 1 2]

RESULTS is a JSON Lines file; runs in it are not repeated. The printed tables have the test scores
and the CPU time in seconds, both as means over the seeds.
"""

import argparse
import json
import pathlib
import tempfile
import time
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.defaults import SETS
from seqzoo.tasks import TEMPLATES
from seqzoo.tasks.data.examples import Splits
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.zoo.data.source import Source

NAMES: dict[str, Any] = {"epochs": 4, "batch_size": 64, "learning_rate": 4e-3}
SERIES: dict[str, Any] = {"epochs": 30, "batch_size": 16, "learning_rate": 3e-3}

WAYS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "names": ("names", {}, NAMES),
    "names, class_weight balanced": ("names", {}, NAMES | {"class_weight": "balanced"}),
    "names, focal 2": ("names", {}, NAMES | {"focal": 2.0}),
    "names, average ema, decay 0.99": ("names", {}, NAMES | {"average": "ema", "decay": 0.99}),
    "names, average best": ("names", {}, NAMES | {"average": "best"}),
    "names, constant rate": ("names", {}, NAMES | {"schedule": "constant"}),
    "names, constant rate, average ema, decay 0.99": (
        "names",
        {},
        NAMES | {"schedule": "constant", "average": "ema", "decay": 0.99},
    ),
    "names, batches of 16": ("names", {}, NAMES | {"batch_size": 16}),
    "names, batches of 16, accumulate 4": (
        "names",
        {},
        NAMES | {"batch_size": 16, "accumulate": 4},
    ),
    "names, clip_norm none": ("names", {}, NAMES | {"clip_norm": None}),
    "names, clip_layer 0.3": ("names", {}, NAMES | {"clip_norm": None, "clip_layer": 0.3}),
    "names, clip_value 0.01": ("names", {}, NAMES | {"clip_norm": None, "clip_value": 0.01}),
    "names, calibrate": ("names", {}, NAMES | {"calibrate": True}),
    "names, two labels in five wrong": ("names", {"wrong": 0.4}, NAMES),
    "names, two labels in five wrong, of weight 0.1": (
        "names",
        {"wrong": 0.4, "weight": 0.1},
        NAMES,
    ),
    "temperatures, squared": ("daily temperatures", {"window": 200}, SERIES),
    "temperatures, absolute": ("daily temperatures", {"window": 200, "loss": "absolute"}, SERIES),
    "temperatures, huber": ("daily temperatures", {"window": 200, "loss": "huber"}, SERIES),
    "temperatures, summed over steps": (
        "daily temperatures",
        {"window": 200},
        SERIES | {"loss_reduction": "sum"},
    ),
    "temperatures, bptt_every 20, bptt_back 40": (
        "daily temperatures",
        {"window": 200},
        SERIES | {"bptt_every": 20, "bptt_back": 40},
    ),
    "temperatures, bptt_every 20, bptt_back 20": (
        "daily temperatures",
        {"window": 200},
        SERIES | {"bptt_every": 20},
    ),
    "temperatures, bptt_every 1, bptt_back 1": (
        "daily temperatures",
        {"window": 200},
        SERIES | {"bptt_every": 1},
    ),
}
"""Experiments by name: the data set, options of the task ("wrong" is the share of training examples
that get a random label, and "weight" their weight), and training settings."""

SCORES = ("loss", "accuracy", "macro_accuracy", "mae", "rmse")


def measure(name: str, seed: int, files: pathlib.Path) -> dict[str, Any]:
    """Runs an experiment with a seed; returns the test scores and the CPU time."""
    from seqzoo.tasks.training.trainer import train
    from seqzoo.zoo.data.open import open_source

    data, options, training = WAYS[name]
    data_set, options = SETS[data], dict(options)
    wrong, weight = options.pop("wrong", 0.0), options.pop("weight", 1.0)
    task = TEMPLATES[data_set.template](**{**data_set.task, **options})
    source = Source(
        **{
            **data_set.source,
            "data": str(files / data_set.source["data"]),
            "kind": task.input,
            "target_kind": task.target,
        }
    )
    splits, _ = open_source(source)
    if wrong:
        splits = _with_wrong_labels(splits, wrong, weight)
    settings = TrainingSettings(**{**training, "seed": seed})
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        run = train(task, splits, settings, pathlib.Path(folder) / "run")
        seconds = time.process_time() - began
        assert splits.test is not None
        figures, rows = run.evaluate(splits.test), run.history
    results = {key: figures[key] for key in SCORES if key in figures}
    calibration = figures.get("calibration", {})
    if "error" in calibration:
        results["calibration_error"] = calibration["error"]
    if "before" in calibration:
        results["before"] = calibration["before"]["error"]
        results["temperature"] = calibration["temperature"]
    if "clipped" in rows[0]:
        results["clipped"] = float(np.mean([row["clipped"] for row in rows]))
    return {"way": name, "seed": seed, "seconds": round(seconds, 1), **results}


def _with_wrong_labels(splits: Splits, share: float, weight: float) -> Splits:
    """Splits in which a share of the training examples has a random label and this weight."""
    train, random = splits.train, np.random.default_rng(0)
    labels, names = np.array(train.targets), sorted(set(train.targets))
    chosen = random.random(len(labels)) < share
    labels[chosen] = random.choice(names, chosen.sum())
    weights = np.where(chosen, weight, 1.0).tolist()
    return replace(splits, train=replace(train, targets=labels.tolist(), weights=weights))


def table(results: list[dict[str, Any]]) -> str:
    """Tables with one row per experiment: means over the seeds."""
    parts = []
    for data in ("names", "temperatures"):
        selected = [row for row in results if row["way"].startswith(data)]
        keys = [
            key for key in dict.fromkeys(key for row in selected for key in row) if key != "seed"
        ]
        heads = ["way", "seeds", *keys[1:]]
        lines = [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
        for way in WAYS:
            rows = [row for row in selected if row["way"] == way]
            if not rows:
                continue
            cells = [way, str(len(rows))]
            for key in keys[1:]:
                values = [row[key] for row in rows if key in row]
                cells.append(f"{np.mean(values):.4g}" if values else "")
            lines.append(f"| {' | '.join(cells)} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", type=pathlib.Path, help="folder that benchmarks.tables filled")
    parser.add_argument("results", type=pathlib.Path, help="JSON Lines file to continue")
    parser.add_argument("--ways", nargs="*", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    args = parser.parse_args()
    lines = args.results.read_text().splitlines() if args.results.exists() else []
    results = [json.loads(line) for line in lines]
    done = {(row["way"], row["seed"]) for row in results}
    for seed in args.seeds:
        for name in args.ways:
            if (name, seed) in done:
                continue
            results.append(measure(name, seed, args.files))
            print(results[-1], flush=True)
            with args.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(results[-1]) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()

"""Trains presets on real data and writes a table of their scores.

    python -m benchmarks.tables DATA FILES
    python -m benchmarks.quality FILES RUNS [NAME ...] [--output PAGE]

A finished run is not trained again; an interrupted one is resumed. A row has the score of a
preset on its test split, with seed 0, and the target score.
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent

PREFACE = """# Quality

Test scores of presets on real data, with seed 0, on {cores} cores ({machine}). "seconds" are from
the start of the command to the score. Measured by

    python -m benchmarks.tables DATA FILES
    python -m benchmarks.quality FILES RUNS --output PAGE

"""


@dataclass(frozen=True)
class Quality:
    """A preset on real data.

    Attributes:
        files: values of --data, --validation and --test, names in the folder that
            `benchmarks.tables` fills; "" for none.
        metric: name of the metric in the evaluation.
        target: the score to reach; None if it is only reported.
        higher: whether higher scores are better.
        options: other options of the command.
    """

    files: tuple[str, ...]
    metric: str
    target: float | None = None
    higher: bool = True
    options: tuple[str, ...] = ()


RUNS = {
    "language-id": Quality((), "accuracy", 0.865),
    "name-nationality": Quality(("names.tsv",), "accuracy"),
    "spam-filter": Quality(("spam.tsv",), "accuracy"),
    "spoken-digits": Quality(("digits.tsv",), "accuracy", options=("--split-column", "split")),
    "mnist-rows": Quality((), "accuracy", 0.988),
    "mnist-pixels": Quality((), "accuracy"),
    "mnist-permuted": Quality((), "accuracy", 0.96),
    "imdb-sentiment": Quality((), "accuracy", 0.87),
    "glyph-captioner": Quality((), "exact_match", 0.90),
    "emoji-captioner": Quality(
        ("emoji/captions.tsv",),
        "exact_match",
        0.60,
        options=("--target", "en", "--split-column", "split"),
    ),
    "upos-tagger": Quality(
        ("ewt-train.conllu.gz", "ewt-dev.conllu.gz", "ewt-test.conllu.gz"), "accuracy", 0.940
    ),
    "shakespeare": Quality(("shakespeare.txt",), "nats", 1.88, higher=False),
    "chorales": Quality(
        ("chorales-train.jsonl", "chorales-valid.jsonl", "chorales-test.jsonl"),
        "nll",
        8.45,
        higher=False,
    ),
    "date-normaliser": Quality((), "exact_match", 0.99),
    "python-highlighter": Quality((), "accuracy"),
    "python-source": Quality((), "bits"),
    "forecaster": Quality(("temperatures.npz",), "mae"),
    "entity-tagger": Quality(
        ("wnut17-train.conll", "wnut17-dev.conll", "wnut17-test.conll"), "entities.f1", 0.40
    ),
    "english-french": Quality(("tatoeba.tsv",), "bleu_4"),
    "pronunciation": Quality(("cmudict.tsv",), "token_error", 0.07, higher=False),
    "inflection": Quality(("german-train-high.tsv", "", "german-dev.tsv"), "exact_match", 0.92),
}


def measure(name: str, files: pathlib.Path, runs: pathlib.Path) -> dict:
    """Trains a preset unless that has been done, and returns its scores and seconds."""
    run, quality = runs / name, RUNS[name]
    names = ("--data", "--validation", "--test")
    options = [
        word
        for option, file in zip(names, quality.files, strict=False)
        if file
        for word in (option, str(files / file))
    ]
    options += quality.options
    done = run / "quality.json"
    if not done.exists():
        command = [sys.executable, str(ROOT / "cli.py"), "train", name, *options]
        began = time.monotonic()
        resume = ["--resume"] if run.exists() else []
        subprocess.run([*command, "--run", str(run), *resume], check=True)
        seconds = {"seconds": round(time.monotonic() - began), "whole": not resume}
        done.write_text(json.dumps(seconds))
    scores = json.loads((run / "scores" / "evaluation.json").read_text(encoding="utf-8"))
    return {"name": name, "scores": scores, **json.loads(done.read_text())}


def row(result: dict) -> str:
    """A row of the table as Markdown."""
    quality, scores = RUNS[result["name"]], result["scores"]
    value: Any = scores
    for part in quality.metric.split("."):
        value = value[part]
    metric = quality.metric.translate(str.maketrans("_.", "  "))
    target, reached = "", ""
    if quality.target is not None:
        is_higher = value >= quality.target
        reached = "yes" if is_higher == quality.higher or value == quality.target else "no"
        target = f"{'≥' if quality.higher else '≤'} {quality.target:g}"
    seconds = str(result["seconds"]) if result["whole"] else "resumed"
    return (
        f"| `{result['name']}` | {scores['examples']:,} | {metric} "
        f"| {value:.4f} | {target} | {reached} | {seconds} |"
    )


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", type=pathlib.Path, help="folder that benchmarks.tables filled")
    parser.add_argument("runs", type=pathlib.Path, help="folder of the runs")
    parser.add_argument("names", nargs="*", choices=[[], *RUNS], help="presets; all by default")
    parser.add_argument("--output", type=pathlib.Path, help="page to write")
    args = parser.parse_args()
    heads = ["preset", "test examples", "metric", "score", "target", "reached", "seconds"]
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
    for name in args.names or RUNS:
        lines.append(row(measure(name, args.files, args.runs)))
        print(lines[-1], flush=True)
    if args.output:
        preface = PREFACE.format(cores=os.cpu_count(), machine=platform.machine())
        args.output.write_text(preface + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Writes an evaluation to files: metrics, a table of classes, plots and samples."""

import pathlib
from collections.abc import Sequence
from typing import Any

from seqzoo.tasks.atomic_files import naming_full_disk, write_json, write_table, write_text
from seqzoo.tasks.plots import plot_confusion, plot_reliability
from seqzoo.tasks.runs.interlinear import interlinear


def write_evaluation(folder: pathlib.Path, metrics: dict[str, Any]) -> None:
    """Writes the metrics, and the tables and plots made from them, to a folder, which is created if
    needed."""
    with naming_full_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "evaluation.json", metrics)
    table: Sequence[dict[str, Any]] = metrics.get("classes", ())
    if table:
        write_table(folder / "per_class.csv", table)
    if "confusion" in metrics:
        plot_confusion(folder / "confusion.png", metrics)
    if "calibration" in metrics:
        plot_reliability(folder / "reliability.png", metrics["calibration"])
    tagged = [sample for sample in metrics.get("samples", ()) if sample.get("tokens")]
    if tagged:
        texts = [interlinear(item["tokens"], item["answer"], item["truth"]) for item in tagged]
        write_text(folder / "samples.txt", "\n\n\n".join(texts) + "\n")

"""The result of a comparison of cells: a table, a plot, and a sentence about which cell is best."""

import math
import pathlib
import statistics
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seqzoo.tasks.atomic_files import write_json, write_table, write_text
from seqzoo.zoo.comparison.gradient_flow import PLOT, flow_table

HEADERS = (
    "cell",
    "units",
    "parameters",
    "relative to {reference}",
    "{metric}",
    "lowest",
    "highest",
    "seconds per epoch",
    "peak memory (MiB)",
)


@dataclass(frozen=True)
class Result:
    """The finished training runs of a cell.

    Attributes:
        cell: its name.
        units: units per layer.
        parameters: parameter count of the model.
        scores: one per seed; NaN if the metric is undefined.
        seconds: the duration of each epoch of all seeds, except for those that include compilation.
        peak_bytes: the largest peak memory of its training runs.
        failed: messages of its failed training runs, by seed.
    """

    cell: str
    units: int
    parameters: int
    scores: dict[int, float]
    seconds: list[float]
    peak_bytes: int
    failed: dict[int, str]

    @property
    def mean(self) -> float:
        """Mean of the scores."""
        return statistics.fmean(self.scores.values())

    @property
    def spread(self) -> float:
        """The difference between the highest and the lowest score."""
        return max(self.scores.values()) - min(self.scores.values())


@dataclass(frozen=True)
class Comparison:
    """A comparison of cells.

    Attributes:
        name: the name of the preset, template or file that was trained.
        metric: name of the score.
        better: 1 if a larger score is better, -1 if a smaller one is.
        split: the split that was scored.
        reference: the cell whose parameter count the others were matched to.
        wanted: the parameter count of the reference.
        seeds: the seeds of each cell.
        results: the best cell first; those without a score last.
        folder: the folder that it is written to.
        flow: rows of the cells' gradient flow, if it was requested.
    """

    name: str
    metric: str
    better: int
    split: str
    reference: str
    wanted: int
    seeds: Sequence[int]
    results: Sequence[Result]
    folder: pathlib.Path = pathlib.Path()
    flow: Sequence[dict[str, Any]] = ()

    def rows(self) -> list[dict[str, Any]]:
        """The table as plain values, one row per cell; None for missing values."""
        return [
            {
                "cell": result.cell,
                "units": result.units,
                "parameters": result.parameters,
                "parameters_difference": result.parameters / self.wanted - 1,
                "score": result.mean if result.scores else None,
                "lowest": min(result.scores.values(), default=None),
                "highest": max(result.scores.values(), default=None),
                "seeds": len(result.scores),
                "seconds_an_epoch": statistics.median(result.seconds) if result.seconds else None,
                "peak_bytes": result.peak_bytes or None,
            }
            for result in self.results
        ]

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Column names and rows of a readable table."""
        headers = [
            header.format(metric=self.metric.replace("_", " "), reference=self.reference)
            for header in HEADERS
        ]
        rows = [
            [
                row["cell"],
                str(row["units"]),
                f"{row['parameters']:,}",
                f"{row['parameters_difference']:+.2%}",
                *(_number(row[key]) for key in ("score", "lowest", "highest")),
                "-" if row["seconds_an_epoch"] is None else f"{row['seconds_an_epoch']:.1f}",
                "-" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 2**20:,.0f}",
            ]
            for row in self.rows()
        ]
        return headers, rows

    def verdict(self) -> str:
        """Which cell is best, and whether the seeds separate it from the others."""
        scored = [result for result in self.results if result.scores]
        failed = [result.cell for result in self.results if result.failed]
        note = f" Training runs of {', '.join(failed)} failed." if failed else ""
        if not scored:
            return f"No cell has a score.{note}"
        best, *others = scored
        metric = self.metric.replace("_", " ")
        sentence = f"Best on {self.split} examples: {best.cell}, {metric} {best.mean:.4f}"
        if not others:
            return f"{sentence}; there is no other cell to compare it with.{note}"
        second = others[0]
        sentence += f"; {second.cell} follows with {second.mean:.4f}"
        if min(len(item.scores) for item in scored) < 2:
            return (
                f"{sentence}. One seed says nothing about the spread over seeds, so the difference "
                f"may be chance; train with more --seeds.{note}"
            )
        alike = [other for other in others if _gap(best, other) <= max(best.spread, other.spread)]
        gap, spread = _gap(best, second), max(best.spread, second.spread)
        difference = f"The difference, {gap:.4f}, is {{}} than the spread over seeds, {spread:.4f}"
        if not alike:
            return f"{sentence}. {difference.format('larger')}: choose {best.cell}.{note}"
        *names, last = best.cell, *(item.cell for item in alike)
        larger = "not larger" if second in alike else "larger"
        return (
            f"{sentence}. {difference.format(larger)}; these seeds cannot tell "
            f"{', '.join(names)} and {last} apart: "
            f"choose the fastest of them, or train with more --seeds.{note}"
        )

    def markdown(self) -> str:
        """The comparison as a page."""
        headers, rows = self.table()
        lines = [
            f"# Cells for {self.name}",
            "",
            "Each cell has the number of units that brings the whole model closest to the "
            f"{self.wanted:,} parameters that it has with {self.reference}. Seeds: "
            f"{', '.join(map(str, self.seeds))}. Scores are means over seeds, on {self.split} "
            f"examples; {'higher' if self.better > 0 else 'lower'} is better. Times are medians of "
            f"the epochs after the first; memory is the peak of a training process.",
            "",
            _row(headers),
            _row(["---"] * len(headers)),
            *map(_row, rows),
            "",
            self.verdict(),
            "",
            "![scores](comparison.png)",
        ]
        failed = [
            f"- {result.cell}, seed {seed}: {message}"
            for result in self.results
            for seed, message in result.failed.items()
        ]
        if self.flow:
            headers, rows = flow_table(self.flow)
            lines += [
                "",
                "## Gradient flow",
                "",
                "Fraction of the gradient that reaches states this far back, before any training.",
                "",
                _row(headers),
                _row(["---"] * len(headers)),
                *map(_row, rows),
                "",
                f"![gradient flow]({PLOT})",
            ]
        return "\n".join([*lines, *(["", "Failed:", "", *failed] if failed else []), ""])

    def to_json(self) -> dict[str, Any]:
        """The comparison, JSON-serialisable."""
        rows = [
            {
                **row,
                "scores": {str(seed): score for seed, score in result.scores.items()},
                "failed": {str(seed): message for seed, message in result.failed.items()},
            }
            for row, result in zip(self.rows(), self.results, strict=True)
        ]
        return {
            "name": self.name,
            "metric": self.metric,
            "better": self.better,
            "split": self.split,
            "reference": self.reference,
            "reference_parameters": self.wanted,
            "cells": rows,
            "verdict": self.verdict(),
            **({"gradient_flow": list(self.flow)} if self.flow else {}),
        }

    def write(self) -> None:
        """Writes comparison.md, .csv, .json and .png into the folder."""
        folder = self.folder
        write_table(folder / "comparison.csv", self.rows())
        write_json(folder / "comparison.json", self.to_json())
        write_text(folder / "comparison.md", self.markdown())
        if any(result.scores for result in self.results):
            self.plot(folder / "comparison.png")

    def plot(self, path: pathlib.Path) -> None:
        """Plots the score of each seed for each cell, with a line at the mean."""
        from matplotlib.figure import Figure

        from seqzoo.tasks.plots import INK, TRAINING, save

        scored = [result for result in self.results if result.scores]
        figure = Figure(figsize=(max(4.0, 1.1 * len(scored) + 2), 4.2), layout="constrained")
        axes = figure.add_subplot()
        for position, item in enumerate(scored):
            values = list(item.scores.values())
            axes.plot([position] * len(values), values, "o", color=TRAINING, alpha=0.7)
            axes.plot([position - 0.2, position + 0.2], [item.mean] * 2, color=INK)
            axes.annotate(f" {item.mean:.4g}", (position + 0.2, item.mean), color=INK, va="center")
        labels = [f"{textwrap.fill(item.cell, 15)}\n{item.units} units" for item in scored]
        axes.set_xticks(range(len(scored)), labels, fontsize=8)
        axes.set_xlim(-0.6, len(scored) - 0.2)
        better = "higher" if self.better > 0 else "lower"
        axes.set_ylabel(f"{self.metric.replace('_', ' ')} ({better} is better)")
        name = self.name.replace("$", r"\$")  # matplotlib would read it as a formula
        axes.set_title(f"{name}: about {self.wanted:,} parameters each", color=INK)
        axes.grid(axis="y", alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        save(figure, path)


def ordered(results: Sequence[Result], better: int) -> list[Result]:
    """The results from the best cell to the worst; cells without a score come last, unsorted."""

    def place(item: Result) -> float:
        return math.inf if not item.scores or math.isnan(item.mean) else -better * item.mean

    return sorted(results, key=place)


def _gap(best: Result, other: Result) -> float:
    return abs(best.mean - other.mean)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

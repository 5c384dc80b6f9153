"""Tables and lines that commands print: drawn on a terminal, separated by tabs on a pipe."""

import csv
import io
import math
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from seqzoo.tasks.printable import printable

WORST = 10
"""Number of classes and confusions that an evaluation lists."""


NAMES = {
    "macro_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "entity F1": "entity F1",
}
"""Metrics that are printed under another name."""


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table: drawn on a terminal; on a pipe, columns separated by tabs below their headers."""
    if sys.stdout is None or not sys.stdout.isatty():
        return "\n".join("\t".join(map(one_line, row)) for row in [headers, *rows])
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*map(printable, headers), box=SIMPLE)
    for row in rows:
        # `Text`, so that brackets are not read as markup.
        drawn.add_row(*(Text(printable(cell)) for cell in row))
    # Written to a string first, so that it is printed as a whole.
    console = Console(file=io.StringIO(), width=Console().width, force_terminal=True)
    console.print(drawn)
    return console.file.getvalue().strip("\n")  # pyright: ignore[reportAttributeAccessIssue]


def csv_record(fields: Sequence[Any]) -> str:
    """Fields as a CSV record, quoted where needed, without the line ending."""
    file = io.StringIO()
    # Python quotes a line break in a field only if it is one of the line ending's characters.
    csv.writer(file, lineterminator="\r\n").writerow(fields)
    return file.getvalue().removesuffix("\r\n")


def metrics_line(metrics: dict[str, Any]) -> str:
    """The metrics that are single numbers: "accuracy 0.8132, loss 0.7011"."""
    calibration = metrics.get("calibration", {})
    if "temperature" in calibration:
        metrics = metrics | {
            "temperature": calibration["temperature"],
            "calibration error": calibration["error"],
            "before calibration": calibration["before"]["error"],
        }
    if same_number(metrics.get("nll"), metrics.get("loss")):
        metrics = {name: value for name, value in metrics.items() if name != "loss"}
    return ", ".join(
        f"{metric_name(name)} {value:,}"
        if isinstance(value, int)
        else f"{metric_name(name)} {value:.4f}"
        for name, value in metrics.items()
        if isinstance(value, int | float)
    )


def metric_name(name: str) -> str:
    """The name of a metric as it is printed: "token error"."""
    return NAMES.get(name, re.sub(r"\bf1\b", "F1", name.replace("_", " ")))


def same_number(one: float | None, other: float | None) -> bool:
    """Whether two metrics exist and differ only by rounding."""
    return one is not None and other is not None and math.isclose(one, other, rel_tol=1e-4)


def evaluation_text(metrics: dict[str, Any]) -> str:
    """The summary of an evaluation: metrics, weakest classes, confusions."""
    parts = [metrics_line(metrics)]
    if "baselines" in metrics:
        parts.append(f"\n{baselines_table(metrics)}")
    classes = [row for row in metrics.get("classes", ()) if row["examples"]]
    if classes:
        classes.sort(key=lambda row: (row["f1"], row["label"]))
        names = list(classes[0])
        parts.append(f"\nBy label, worst first ({min(WORST, len(classes))} of {len(classes)}):")
        rows = [[_cell(row[name]) for name in names] for row in classes[:WORST]]
        parts.append(table(names, rows))
    confusions = metrics.get("confusions", ())[:WORST]
    if confusions:
        parts.append("\nMost frequent confusions:")
        names = list(confusions[0])
        parts.append(table(names, [[_cell(row[name]) for name in names] for row in confusions]))
    return "\n".join(parts) + "\n"


def baselines_table(metrics: dict[str, Any]) -> str:
    """The scores of a forecast next to those of baselines on the same windows."""
    rows = {"model": metrics, **metrics["baselines"]}
    names = [
        name
        for name in metrics
        if any(isinstance(value.get(name), float) for value in metrics["baselines"].values())
    ]
    cells = [[name, *(_cell(row.get(score)) for score in names)] for name, row in rows.items()]
    return table(["", *map(metric_name, names)], cells)


def shown_target(target: Any) -> str:
    """A target as text, formatted like a predicted label."""
    if isinstance(target, str):
        return target
    if hasattr(target, "__len__"):
        return ", ".join(map(shown_target, target))
    return f"{float(target):.6g}"


def one_line(text: str) -> str:
    """A label as a tab-separated field: tabs and line breaks become spaces, and other control
    characters are escaped."""
    return printable(" ".join(text.splitlines()).replace("\t", " "))


def shown_inputs(value: Any) -> str:
    """The named inputs of an example that are texts or numbers, on one line; empty if there are no
    named inputs."""
    parts = value.values() if isinstance(value, Mapping) else ()
    return shortened(" | ".join(str(part) for part in parts if isinstance(part, str | int | float)))


def shortened(text: str, maximum: int = 60) -> str:
    """A text on one line, shortened to at most `maximum` characters."""
    text = printable(" ".join(text.split()))
    return text if len(text) <= maximum else f"{text[: maximum - 1]}…"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def without_samples(metrics: dict[str, Any]) -> dict[str, Any]:
    """An evaluation without its samples, which are stored in the run folder."""
    return {name: value for name, value in metrics.items() if name != "samples"}


def finite(value: Any) -> Any:
    """A JSON value with None for numbers that are NaN or infinite, which JSON cannot represent."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value

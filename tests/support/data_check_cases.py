"""Tables with faults, and what a check finds in them."""

import csv
import pathlib
import random

import seqzoo.zoo as zoo
from seqzoo.zoo.data_check.check import DataReport
from seqzoo.zoo.finding import Finding

WORDS = "red green blue cold warm dark light soft hard round flat long short old new".split()


def write(path: pathlib.Path, rows: list[dict]) -> str:
    """Writes a CSV file and returns its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def labelled_texts(count: int = 60) -> list[dict]:
    """Rows of different texts, half of them with each of two labels."""
    draw = random.Random(0)
    rows = []
    for number in range(count):
        words = draw.choices(WORDS, k=6)
        rows.append({"text": " ".join([*words, str(number)]), "label": ("up", "down")[number % 2]})
    return rows


def check(path: str, **fields) -> DataReport:
    """The report on a file."""
    return zoo.check(path, timing=False, **fields)


def found(report: DataReport, subject: str, part: str) -> Finding:
    """The only finding on a subject whose message contains a text."""
    matching = [
        finding
        for finding in report.findings
        if finding.subject == subject and part in finding.message
    ]
    assert len(matching) == 1, [(finding.subject, finding.message) for finding in report.findings]
    return matching[0]

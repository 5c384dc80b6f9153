"""Measurements in a CSV file that a benchmark appends to, and the tables made from it."""

import csv
import pathlib
import platform
import re
from importlib import metadata
from typing import Any

from seqzoo.cells.engine.dispatch import cores

FOLDER = pathlib.Path(__file__).parent / "results"
END = "<!-- End of the generated part. -->"


class Measurements:
    """The rows of a CSV file; each is on disk as soon as it is added.

    Args:
        path: the file, created with the first row.
        keys: names of the columns that identify a row.
    """

    def __init__(self, path: pathlib.Path, keys: tuple[str, ...]):
        self.path = path
        self.keys = keys
        self.rows: list[dict[str, str]] = []
        if path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                self.rows = list(csv.DictReader(file))

    def find(self, *key: Any) -> dict[str, str] | None:
        """The row with these values of the key columns, or None."""
        values = [str(value) for value in key]
        return next((row for row in self.rows if [row[name] for name in self.keys] == values), None)

    def add(self, row: dict[str, Any]) -> None:
        """Appends a row to `rows` and to the file."""
        text = {name: str(value) for name, value in row.items()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(text), lineterminator="\n")
            if not self.rows:
                writer.writeheader()
            writer.writerow(text)
        self.rows.append(text)


def machine() -> str:
    """The processor, number of cores and versions: "AMD EPYC, 2 cores, TensorFlow 2.21.0, ..."."""
    name = platform.processor() or platform.machine()
    information = pathlib.Path("/proc/cpuinfo")
    if information.exists():
        match = re.search(r"model name\s*:\s*(.+)", information.read_text(encoding="utf-8"))
        name = match[1].strip() if match else name
    versions = ", ".join(
        f"{title} {metadata.version(package)}"
        for title, package in (("TensorFlow", "tensorflow"), ("Keras", "keras"))
    )
    return f"{name}, {cores()} cores, {versions}"


def path_of(benchmark: str) -> pathlib.Path:
    """The file of a benchmark's measurements on this machine with the installed versions."""
    slug = re.sub(r"[^a-z0-9.]+", "-", machine().lower()).strip("-")
    return FOLDER / f"{benchmark}-{slug}.csv"


def write_section(page: pathlib.Path, command: str, section: str) -> None:
    """Writes a section of a page between two markers, or at the end if there are none.

    Args:
        page: the Markdown file.
        command: the command that writes the section, named in the first marker.
        section: its text, from the heading on.
    """
    begin = f"<!-- Written by `{command}`. -->"
    text = page.read_text(encoding="utf-8")
    head, marker, rest = text.partition(begin)
    tail = rest.partition(END)[2] if marker else "\n"
    head = head if marker else f"{text.rstrip()}\n\n"
    page.write_text(f"{head}{begin}\n{section.strip()}\n\n{END}{tail}", encoding="utf-8")

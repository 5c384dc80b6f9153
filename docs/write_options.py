"""Writes the tables of cli-reference.md: `python -m docs.write_options`."""

import pathlib

from seqzoo.zoo.commands import reference

if __name__ == "__main__":
    page = pathlib.Path(__file__).parent / "cli-reference.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(reference.updated(text), encoding="utf-8")

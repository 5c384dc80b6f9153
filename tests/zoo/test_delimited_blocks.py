"""Blocks of a delimited file: the records of Python's `csv`, with their lines."""

import csv
import io
import random

import numpy as np
import pytest

from seqzoo.zoo.data import delimited, records
from seqzoo.zoo.data.delimited_blocks import split_block
from seqzoo.zoo.data.records import Request
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data.utf8 import Utf8Texts

PARTS = ["a", "b c", ",", '"', '""', "\n", "\r\n", "ü", "日本", "\U0001f600", " ", ""]


def _field(generator, tabs: bool) -> str:
    """Mostly a field as `csv` writes it, sometimes as no program should."""
    parts = [part for part in PARTS if not (tabs and part.isspace() and part != " ")]
    text = "".join(generator.choices(parts, k=generator.randint(0, 4)))
    if tabs or generator.random() < 0.01:
        return text
    quoted = '"' + text.replace('"', '""') + '"'
    return quoted if set(text) & set(',"\r\n') or generator.random() < 0.2 else text


def _file(generator, tabs: bool) -> str:
    end, delimiter = generator.choice(["\n", "\r\n"]), "\t" if tabs else ","
    lines = [delimiter.join(["text", "label", "part"])]
    for _ in range(generator.randint(1, 12)):
        count = 2 if generator.random() < 0.01 else 3
        lines += [""] * (generator.random() < 0.1)
        lines.append(delimiter.join(_field(generator, tabs) for _ in range(count)))
    return end.join(lines) + generator.choice(["", end])


def _chunks(found) -> tuple[list, bool]:
    """The records of the chunks, and whether all are there."""
    rows = []
    for chunk in found.chunks():
        if chunk is None:
            return rows, False
        rows += zip(chunk.numbers, *chunk.fields.values(), strict=True)
    return rows, True


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_chunks_are_the_records(tmp_path, monkeypatch, suffix) -> None:
    generator, complete = random.Random(1), 0
    for number in range(300):
        monkeypatch.setattr(records, "BLOCK", generator.choice([7, 40, 1 << 20]))
        path = tmp_path / f"{number}{suffix}"
        text = generator.choice(["", "\ufeff"]) + _file(generator, suffix == ".tsv")
        path.write_bytes(text.encode())
        source = Source(str(path), "characters", input="text", target="label")
        request = Request(source, ("target", "input"))
        rows = list(delimited.read(path, request).records)
        chunked, ended = _chunks(delimited.read(path, request))
        good = [(row.number, *row.fields.values()) for row in rows if not row.error]
        assert chunked == (good if ended else good[: len(chunked)]), text
        assert ended <= all(not row.error for row in rows)
        complete += ended
    assert complete > 150


def test_blocks_of_ordinary_files_are_split_at_once() -> None:
    rows = [['said "no", twice', "a"], ["two\r\nlines", "b"], ["", "c"], ['"', "日本"], ["x", ""]]
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([["text", "label"], *rows])
    data = text.getvalue().encode() + b'\r\n"not yet'
    block = split_block(data, ord(","), 2, {"input": 0, "target": 1}, quoted=True, skip=True)
    assert block is not None
    assert [list(row) for row in zip(*block.fields.values(), strict=True)] == rows
    assert block.starts == [1, 2, 4, 5, 6] and block.lines == 8
    assert data[block.size :] == b'"not yet'
    for malformed in (b'a"b,c\n', b'"a"b,c\n', b"a\n", b"a,b,c\n", b"\xff,c\n", b"a\0,c\n"):
        found = split_block(malformed, ord(","), 2, {"input": 0}, quoted=True)
        assert found is None, malformed


def test_blank_and_equal_texts_are_found() -> None:
    def texts(*values):
        encoded = [value.encode() for value in values]
        ends = np.cumsum([len(value) for value in encoded])
        return Utf8Texts(np.frombuffer(b"".join(encoded), np.uint8), ends)

    for code in range(0x3100):
        text = chr(code) * 2
        assert texts("a", text, "b").has_blank() == (not text.strip()), hex(code)
    assert texts("a", "").has_blank() and not texts(" a", "\u3000b").has_blank()
    names, indices = texts("b", "a", "日", "a", "b").distinct()
    assert names == ["b", "a", "日"] and indices.tolist() == [0, 1, 2, 1, 0]
    assert texts("b", "ä", "c")[1] == "ä" and texts("b", "ä", "c")[1:] == ["ä", "c"]

"""Chunks of Parquet, Arrow and JSON Lines are their records, and on disk as in memory."""

import json
import pathlib
import random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from source_cases import inputs_of

from seqzoo.tasks.data import cache
from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data import arrow, arrow_tables, formats, json_lines, records
from seqzoo.zoo.data.open import open_source
from seqzoo.zoo.data.records import Request
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data.utf8 import Utf8Texts

SUFFIXES = [".parquet", ".arrow", ".feather", ".jsonl"]
PARTS = ["a", "b c", '"', "\n", "\r", "ü", "日本", "\U0001f600", " ", "\\", "\u2028", "\ufeff", ""]
TEXT_TYPES = [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))


def write(path: pathlib.Path, columns: dict[str, Any], size: int | None = None) -> pathlib.Path:
    """Writes columns in the format of a path's extension, with `size` rows per group or batch."""
    table = pa.table(columns)
    if path.suffix == ".jsonl":
        lines = (json.dumps(row, ensure_ascii=False) for row in table.to_pylist())
        path.write_bytes("".join(line + "\n" for line in lines).encode())
    elif path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=size)
    else:
        # The stream format and compressed batches, and the file format.
        new = pa.ipc.new_file if path.suffix == ".arrow" else pa.ipc.new_stream
        compression = pa.ipc.IpcWriteOptions(compression="lz4" if size else None)
        with pa.OSFile(str(path), "wb") as file:
            with new(file, table.schema, options=compression) as writer:
                writer.write_table(table, size)
    return path


def text(generator: random.Random) -> str:
    return "".join(generator.choices(PARTS, k=generator.randint(0, 4)))


def column(generator: random.Random, count: int) -> Any:
    """A column of texts in any type, or of anything else."""
    kind = generator.choice(["text", "text", "null", "integer", "boolean", "list"])
    if kind in ("text", "null"):
        texts: list[str | None] = [text(generator) for _ in range(count)]
        if kind == "null":
            texts[generator.randrange(count)] = None
        return pa.array(texts, generator.choice([*TEXT_TYPES, pa.string_view()]))
    values = {"integer": [0, 1, -7], "boolean": [True, False], "list": [["a"], []]}[kind]
    return pa.array(generator.choices(values, k=count))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_chunks_are_the_records(tmp_path, monkeypatch, suffix) -> None:
    generator, encoded = random.Random(1), 0
    for number in range(100):
        monkeypatch.setattr(records, "BLOCK", generator.choice([7, 40, 1 << 20]))
        monkeypatch.setattr(arrow_tables, "BLOCK", records.BLOCK)
        monkeypatch.setattr(arrow, "MAPPED", generator.choice([0, 1 << 23]))
        count = generator.randint(1, 12)
        columns = {name: column(generator, count) for name in ("other", "text", "label")}
        if suffix == ".parquet":  # which has no views
            columns = {
                name: item.cast(pa.string()) if item.type == pa.string_view() else item
                for name, item in columns.items()
            }
        path = tmp_path / f"{number}{suffix}"
        write(path, columns, generator.choice([None, 1, 3]))
        source = Source(str(path), "characters", input="text", target="label")
        request = Request(source, ("target", "input"))
        rows = [(row.number, *row.fields.values()) for row in formats.read(path, request).records]
        found = formats.read(path, request)
        assert found.chunks is not None
        chunked: list[Any] = []
        for chunk in found.chunks():
            assert chunk is not None
            encoded += isinstance(chunk.fields["input"], Utf8Texts)
            chunked += zip(chunk.numbers, *chunk.fields.values(), strict=True)
        assert chunked == rows
    assert suffix == ".jsonl" or encoded > 50


BAD_LINES = ["{", '{"text": "x"}', "[1]", '{"text": "x", "label": "y"} z', "9" * 5000, "[" * 9999]


@pytest.mark.parametrize("line", BAD_LINES, ids=lambda line: line[:30])
@pytest.mark.parametrize("block", [9, 1 << 20])
def test_chunks_of_lines_end_before_a_malformed_one(tmp_path, monkeypatch, line, block) -> None:
    monkeypatch.setattr(records, "BLOCK", block)
    good = ' {"text": "a", "label": "b"}\t'
    path = tmp_path / "t.jsonl"
    path.write_text("\n\n".join([good, good, line, good]), newline="\r\n")
    source = Source(str(path), "characters", input="text", target="label")
    found = json_lines.read(path, Request(source, ("input", "target")))
    assert found.chunks is not None
    chunks = list(found.chunks())
    assert chunks.pop() is None
    numbers = [number for chunk in chunks if chunk for number in chunk.numbers]
    assert numbers == [1, 3][: len(numbers)]
    assert [row.number for row in found.records if row.error] == [5]


def test_row_groups_and_batches_are_not_decoded_as_a_whole(tmp_path) -> None:
    texts = [f"{number:06d} {'long ' * 200}" for number in range(4000)]
    for suffix in SUFFIXES[:3]:
        path = write(tmp_path / f"t{suffix}", {"text": texts, "other": texts}, 4000)
        table = formats.read(path, Request(Source(str(path), "words", input="text")))
        assert table.chunks is not None
        sizes = [len(chunk.numbers) for chunk in table.chunks() if chunk]
        assert sum(sizes) == 4000 and max(sizes) <= arrow_tables.BLOCK // 1000


def _open(path: pathlib.Path, storage: str, **options: Any) -> tuple[Any, str]:
    fields = {"kind": "words", "input": "text", "target": "label", **options}
    splits = open_source(Source(str(path), storage=storage, **fields))[0]  # pyright: ignore
    return splits, splits.description.partition(" Examples are read from disk")[0]


LABELS: dict[str, Any] = {
    "texts": lambda number: " ab"[number % 3] + "c",
    "integers": lambda number: number % 3 - 1,
    "booleans": lambda number: number % 2 == 0,
    "whole numbers": lambda number: float(number % 2),
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("files", [1, 3])
def test_the_same_splits_as_in_memory(tmp_path, suffix, labels, files) -> None:
    generator = random.Random(3)
    for file in range(files):
        rows = range(120)
        columns = {
            "text": [f"{text(generator)} {generator.randrange(60)}" for _ in rows],
            "label": [LABELS[labels](number + file) for number in rows],
            "part": [("train", "train", "val", "test")[number % 4] for number in rows],
            "weight": [number / 2 for number in rows],
            "translation": [f"x{text(generator)}" for _ in rows],
        }
        write(tmp_path / f"{file}{suffix}", columns, 50)
    path = tmp_path / (f"*{suffix}" if files > 1 else f"0{suffix}")
    for options in (
        {},
        {"split_column": "part"},
        {"weight_column": "weight", "limit": 20},
        {"target": "translation", "target_kind": "characters"},
    ):
        (stored, note), (plain, whole) = (
            _open(path, item, **options) for item in ("disk", "memory")
        )
        assert note.partition(suffix)[0] == whole.partition(suffix)[0]
        assert inputs_of(stored) == inputs_of(plain) and not isinstance(stored.train.inputs, list)
        for name in ("train", "validation", "test"):
            one, other = getattr(stored, name), getattr(plain, name)
            assert list(one.targets) == list(other.targets)
            assert one.weights is None or list(one.weights) == list(other.weights)
            places = [[item.location(at) for at in range(len(item))] for item in (one, other)]
            assert places[0] == places[1]


BAD: dict[str, dict[str, Any]] = {
    "a missing text": {"text": ["a", "b", None], "label": ["x", "y", "x"]},
    "an empty text": {"text": ["a", "b", "\u2003"], "label": ["x", "y", "x"]},
    "an empty label": {"text": ["a", "b", "c"], "label": ["x", "y", " "]},
    "a fraction": {"text": ["a", "b", "c"], "label": [1.0, 2.0, 0.5]},
    "a number for a text": {"text": [1, 2, 3], "label": ["x", "y", "x"]},
    "no such column": {"texts": ["a", "b", "c"], "label": ["x", "y", "x"]},
    "a list": {"text": ["a", "b", "c"], "label": [["x"], ["y"], []]},
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("files", [1, 2])
def test_the_same_errors_as_in_memory(tmp_path, suffix, case, files) -> None:
    good = {"text": ["a", "b"], "label": ["x", "y"]}
    if files > 1:
        write(tmp_path / f"0{suffix}", good)
    bad = write(tmp_path / f"1{suffix}", BAD[case], 2)
    path = tmp_path / f"*{suffix}" if files > 1 else bad
    errors = []
    for storage in ("memory", "disk"):
        with pytest.raises(SeqzooError) as caught:
            _open(path, storage, validation=0, test=0)
        errors.append(caught.value)
    assert str(errors[0]) == str(errors[1]) and str(bad) in str(errors[0])
    assert vars(errors[0]) == vars(errors[1])
    if case not in ("no such column", "a number for a text", "a list"):
        unit = "line 3" if suffix == ".jsonl" else "row 3"
        assert unit in str(errors[0])


def test_texts_that_are_not_unicode_are_named(tmp_path) -> None:
    buffers = [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\3\0\0\0"), pa.py_buffer(b"ab\xff")]
    broken = pa.Array.from_buffers(pa.string(), 2, buffers)
    for suffix in SUFFIXES[:3]:
        path = write(tmp_path / f"t{suffix}", {"text": broken, "label": ["x", "y"]})
        for storage in ("memory", "disk"):
            with pytest.raises(SeqzooError, match="row 2: 'text' is not UTF-8: byte 2 is 0xff"):
                _open(path, storage)
    path = tmp_path / "t.jsonl"
    path.write_bytes(b'{"text": "a", "label": "x"}\n{"text": "ab\xff", "label": "y"}\n')
    for storage in ("memory", "disk"):
        with pytest.raises(SeqzooError, match="line 2, byte 13: 0xff is not UTF-8"):
            _open(path, storage)

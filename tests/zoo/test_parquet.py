"""Parquet files: they mean what the same rows mean in JSON Lines and CSV, and name bad rows."""

import datetime
import decimal
import gzip
import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_cases import seqzoo
from source_cases import csv_source, open_source, sound, write
from table_cases import read_table

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data import arrow_tables, fields, json_lines
from seqzoo.zoo.data.open import open_examples, read_file
from seqzoo.zoo.data.prediction_inputs import File, of_file
from seqzoo.zoo.data.records import Request
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data_check.columns import guess

DAY, NOON = datetime.date(2020, 1, 31), datetime.datetime(2020, 1, 31, 12)


def parquet_of(path, columns: dict[str, Any]):
    """Writes columns to a file and names it."""
    pq.write_table(pa.table(columns), path)
    return path


ALIKE: dict[str, tuple[str, str, list, list]] = {
    "words and classes": ("words", "class", ["it was good", " so\nbad "], ["good", " bad"]),
    "integers": ("words", "class", ["a", "b"], [1, 0]),
    "truth values": ("characters", "class", ["a", "b"], [True, False]),
    "labels in a list": ("words", "labels", ["a", "b"], [["x", "y"], []]),
    "labels in a text": ("words", "labels", ["a", "b"], ["x, y", "x"]),
    "series": ("series", "value", [[1.5, 2, 3], [4.0]], [0.5, 2]),
    "series of several numbers": ("series", "values", [[[1, 2]], [[3, 4], [5, 6]]], [[1], [2, 3]]),
    "series in a text": ("series", "value", ["1 2.5", "[3, 4]"], ["1", "2 "]),
    "words and tags": ("words", "tags", [["New York", "is"], ["far"]], [["B", "O"], ["O"]]),
    "sentences and tags": ("words", "tags", ["a dog", "barks"], ["D N", "V"]),
    "images": ("rows", "class", [[[1, 2], [3, 4]], [[5, 6], [7, 8]]], ["a", "b"]),
}


@pytest.mark.parametrize("case", ALIKE)
def test_rows_mean_what_they_mean_in_json_lines(case, tmp_path) -> None:
    kind, target_kind, inputs, targets = ALIKE[case]
    rows = [{"in": i, "out": o} for i, o in zip(inputs, targets, strict=True)]
    jsonl = write(tmp_path / "t.jsonl", "\n".join(map(json.dumps, rows)))
    path = parquet_of(tmp_path / "t.parquet", {"in": inputs, "out": targets, "further": [None] * 2})
    results = [
        read_file(str(item), Source(str(item), kind, target_kind, input="in", target="out"))[0]
        for item in (jsonl, path)
    ]
    assert results[1].keys == results[0].keys
    assert results[1].labels == results[0].labels
    for name in ("inputs", "targets"):
        pairs = zip(*(getattr(item.examples, name) for item in results), strict=True)
        assert all(np.array_equal(one, other) and type(one) is type(other) for one, other in pairs)
    assert results[1].examples.location(1) == "row 2"


@pytest.mark.parametrize(
    "column, expected",
    [
        (pa.array([DAY, None]), ["2020-01-31", None]),
        (pa.array([DAY]).dictionary_encode(), ["2020-01-31"]),
        (
            pa.array([NOON, NOON.replace(microsecond=500)]),
            ["2020-01-31 12:00:00", "2020-01-31 12:00:00.0005"],
        ),
        (pa.array([1], pa.timestamp("ns", "UTC")), ["1970-01-01 00:00:00.000000001Z"]),
        (pa.array([datetime.time(12, 30)]), ["12:30:00"]),
        (pa.array([decimal.Decimal("1.50"), None]), ["1.50", None]),
        (pa.array(["b", "a", None]).dictionary_encode(), ["b", "a", None]),
        (pa.array(["a"], pa.large_string()), ["a"]),
        (pa.array([b"a\xff"]), [b"a\xff"]),
        (pa.array([{"bytes": b"x", "path": "p"}, {"bytes": None, "path": "p"}]), [b"x", "p"]),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_types_become_what_csv_holds(column, expected, tmp_path) -> None:
    path = parquet_of(tmp_path / "t.parquet", {"a": column})
    assert read_table(path).column("a") == expected


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".arrow"])
def test_fields_of_nested_objects_are_columns(suffix: str, tmp_path, monkeypatch) -> None:
    rows: list[dict[str, Any]] = [
        {"id": n, "translation": {"en": f"a dog {n}", "more": {"fr": f"un chien {n}"}}}
        for n in range(40)
    ]
    monkeypatch.setenv("SEQZOO_CACHE", str(tmp_path / "cache"))

    def table(name: str, rows: list[dict[str, Any]]) -> str:
        path = tmp_path / f"{name}{suffix}"
        if suffix == ".jsonl":
            write(path, "\n".join(map(json.dumps, rows)))
        elif suffix == ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        else:
            with pa.ipc.new_file(path, pa.Table.from_pylist(rows).schema) as file:
                file.write(pa.Table.from_pylist(rows))
        return str(path)

    names: dict[str, Any] = {"input": "translation.en", "target": "translation.more.fr"}
    source = Source(table("t", rows), "words", "words", **names)
    for storage in ("memory", "disk"):
        examples = open_examples(replace(source, storage=storage), "all")
        assert (examples.inputs[3], examples.targets[3]) == ("a dog 3", "un chien 3")
    assert guess(source.data, {}).source.input == "translation.en"
    assert [item.field for item in of_file(File(Path(source.data)), source)][1] == "a dog 1"
    with pytest.raises(SeqzooError, match=r"\(id, translation.en, translation.more.fr\), got 'tr"):
        open_examples(replace(source, input="translation"), "all")
    rows[1]["translation"] = {"en": "a cat", "more": {"fr": None}}
    rows[2]["translation"] = None
    lacking = replace(source, data=table("u", rows))
    with pytest.raises(SeqzooError, match="(line|row) 2: 'translation.more.fr' is missing"):
        open_examples(lacking, "all")
    with pytest.raises(SeqzooError, match="(line|row) 3: 'translation.en' is missing"):
        open_examples(replace(lacking, target="translation.en", input="id", kind="class"), "all")
    flat = [
        {"a.b": f"flat {n}", "a": {"b": f"nested {n}"}, "c": "x", "d": {"e": "y"}}
        for n in range(40)
    ]
    source = Source(table("v", flat), "words", "words", input="a.b", target="c")
    for target in ("c", "d.e"):
        assert open_examples(replace(source, target=target), "all").inputs[0] == "flat 0"


def test_objects_without_fixed_fields_are_not_columns(tmp_path) -> None:
    rows = [{"text": f"w{n}", "label": "a", "counts": {f"w{n}": n}} for n in range(200)]
    path = write(tmp_path / "t.jsonl", "\n".join(map(json.dumps, rows)))
    records = json_lines.read(path, Request(csv_source(path), ()))
    assert len(records.names) < 110
    source = Source(str(path), "words", input="text", target="counts.w150")
    with pytest.raises(SeqzooError, match="line 1: 'counts.w150' is missing"):
        open_examples(source, "all")


def test_only_the_columns_that_are_needed_are_read_in_several_batches(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(arrow_tables, "ROWS", 3)
    path = parquet_of(tmp_path / "t.parquet", {"a": list(range(10)), "a.b": ["x"] * 10})
    table = read_table(path, only=["a.b"])
    assert table.names == ("a", "a.b")
    assert table.rows == [{"a.b": "x"}] * 10
    assert read_table(path, only=["a"]).rows == [{"a": n} for n in range(10)]
    assert table.lines == list(range(1, 11))


def test_file_that_is_compressed_as_a_whole(tmp_path) -> None:
    data = parquet_of(tmp_path / "t.parquet", {"a": ["x"]}).read_bytes()
    packed = write(tmp_path / "t.parquet.gz", gzip.compress(data))
    assert read_table(packed).rows == [{"a": "x"}]


def test_audio_and_images_in_bytes_are_read_as_from_their_files(tmp_path) -> None:
    samples = np.arange(-400, 400, dtype=np.int16)
    name = sound(tmp_path / "a.wav", samples)
    data = (tmp_path / "a.wav").read_bytes()
    by_path, by_bytes = (fields.audio(item, tmp_path) for item in (name, data))
    np.testing.assert_array_equal(by_bytes[0], by_path[0])
    assert by_bytes[1] == by_path[1] == 8000
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 2, 2)
    assert fields.image(header, tmp_path) == header
    with pytest.raises(SeqzooError, match="of 5 bytes is not a PNG, JPEG, BMP or GIF image"):
        fields.rows(b"a,b,c", tmp_path)
    with pytest.raises(SeqzooError, match="of 5 bytes is not a WAV, FLAC or OGG file"):
        fields.audio(b"a,b,c", tmp_path)


NOT_UTF8 = pa.Array.from_buffers(
    pa.string(), 2, [None, pa.py_buffer(np.array([0, 1, 3], np.int32)), pa.py_buffer(b"ab\xff")]
)

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a null": (
        {"text": ["a", None], "label": ["x", "y"]},
        "t.parquet, row 2: 'text' is missing (null); fill it in or leave it out.",
    ),
    "a null label": (
        {"text": ["a", "b"], "label": pa.nulls(2)},
        "t.parquet, row 1: 'label' is missing (null); fill it in or leave it out.",
    ),
    "an empty text": (
        {"text": ["a", " "], "label": ["x", "y"]},
        "t.parquet, row 2: 'text' is empty; fill it in or leave it out.",
    ),
    "a number for a text": (
        {"text": [1.5, 2.5], "label": ["x", "y"]},
        "t.parquet, row 1: 'text' must be text, got 1.5.",
    ),
    "bytes that are not UTF-8": (
        {"text": [b"a", b"ab\xff"], "label": ["x", "y"]},
        "t.parquet, row 2: 'text' is not UTF-8: byte 3 is 0xff.",
    ),
    "text that is not UTF-8": (
        {"text": NOT_UTF8, "label": ["x", "y"]},
        "t.parquet, row 2: 'text' is not UTF-8: byte 2 is 0xff.",
    ),
    "no such column": (
        {"texts": ["a"], "label": ["x"]},
        "t.parquet (texts, label), got 'text'; did you mean 'texts'?",
    ),
    "no rows": ({"text": pa.array([], pa.string()), "label": []}, "has no rows (text, label)."),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tables_name_file_row_and_column(case, tmp_path) -> None:
    columns, message = BAD[case]
    path = parquet_of(tmp_path / "t.parquet", columns)
    with pytest.raises(SeqzooError) as caught:
        open_source(csv_source(path))
    assert str(caught.value).endswith(message)
    assert "\n" not in str(caught.value)


def test_words_in_a_list_are_checked_one_by_one(tmp_path) -> None:
    with pytest.raises(SeqzooError, match=r"contains a word \(number 2\) that is missing \(null\)"):
        fields.words(["a", None])
    with pytest.raises(SeqzooError, match="is empty"):
        fields.words([])


def test_damaged_files_get_one_line(tmp_path) -> None:
    path = parquet_of(tmp_path / "t.parquet", {"text": [f"text {n}" for n in range(999)]})
    data = path.read_bytes()
    for damaged, message in (
        (b"", "is empty"),
        (b"text,label\na,b\n", "is not a Parquet file: it begins with b'text'"),
        (data[:-20], "cannot be read: "),
        (data[:4] + b"\xff" * 400 + data[404:], "cannot be read from row 1 on: "),
    ):
        write(path, damaged)
        with pytest.raises(SeqzooError, match=message) as caught:
            read_table(path)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(SeqzooError, match="cannot be read: No such file"):
        read_table(path)
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]), path)
    with pytest.raises(SeqzooError, match="two columns are named 'a'"):
        read_table(path)


@pytest.mark.slow
def test_train_evaluate_and_predict(tmp_path) -> None:
    texts = [f"text {n}" for n in range(40)]
    columns = {"text": texts, "label": [n % 2 for n in range(40)]}
    data = parquet_of(tmp_path / "reviews.parquet", columns)
    held = {"text": [f"held {n}" for n in range(4)], "label": [0, 1, 0, 1]}
    test = parquet_of(tmp_path / "test.parquet", held)
    run = str(tmp_path / "run")
    named = ["--data", data, "--kind", "words", "--input", "text", "--target", "label"]
    short = "--units 3 --epochs 1 --batch-size 16 --quiet".split()
    result = seqzoo("train", "many-to-one", *named, "--test", test, *short, "--run", run)
    assert result.exit_code == 0, result.stderr
    result = seqzoo("evaluate", run, "--data", test, "--split", "all", "--json")
    assert json.loads(result.stdout)["examples"] == 4

    path = parquet_of(tmp_path / "new.parquet", {"text": ["text 1", None, "text 2"]})
    result = seqzoo("predict", run, "--input-file", path, "--json")
    assert [json.loads(line)["line"] for line in result.stdout.splitlines()] == [1, 3]
    assert result.stderr == "Row 2 is missing (null); fill it in or leave it out.\n"
    assert result.exit_code == 2
    result = seqzoo("predict", run, "--input-file", path, "--input", "txt")
    assert f"`input` must name a column of {path} (text), got 'txt'; did you mean" in result.stderr


def test_a_column_of_numbers_is_one_series_with_whole(tmp_path) -> None:
    path = parquet_of(tmp_path / "t.parquet", {"temp": [0.5 * n for n in range(60)]})
    source = Source(str(path), "series", "next", input="temp", whole=True)
    (series,) = open_examples(source, "all").inputs
    np.testing.assert_array_equal(series, np.arange(60) / 2)

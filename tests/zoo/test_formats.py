"""The registry of file formats: each has a reader, and all read the same rows alike."""

import json
import pathlib
import pkgutil
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from table_cases import of_file

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.formats import FORMATS, SUFFIXES, format_of
from seqzoo.zoo.data.open import open_source, read_file
from seqzoo.zoo.data.prediction_inputs import File
from seqzoo.zoo.data.source import Source

TEXTS = ["it was good", "so bad", "fine, mostly"]
LABELS = ["good", "bad", "good"]


def write(folder: pathlib.Path, name: str) -> pathlib.Path:
    """The rows as a file of a format that has columns."""
    rows = list(zip(TEXTS, LABELS, strict=True))
    path = folder / f"t{FORMATS[name].suffixes[0]}"
    if name == "csv":
        path.write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows))
    elif name == "tsv":
        path.write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows))
    elif name == "json lines":
        objects = [{"text": text, "label": label} for text, label in rows]
        path.write_text("".join(json.dumps(item) + "\n" for item in objects))
    elif name in ("parquet", "arrow"):
        table = pa.table({"text": TEXTS, "label": LABELS})
        (pq.write_table if name == "parquet" else feather.write_feather)(table, str(path))
    else:
        np.savez(path, text=np.array(TEXTS), label=np.array(LABELS))
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_a_reader_and_a_line(name) -> None:
    read = pkgutil.resolve_name(FORMATS[name].location)
    assert read.__name__ == "read" and read.__doc__
    assert FORMATS[name].summary.endswith(".")
    for suffix in FORMATS[name].suffixes:
        assert format_of(f"a{suffix}") == format_of(f"A{suffix.upper()}.gz") == name


def test_lemmas_may_be_in_a_file_of_a_split() -> None:
    assert format_of("german.train", lemmas=True) == "unimorph"
    with pytest.raises(SeqzooError, match="if it has one word per line"):
        format_of("german.train")


def test_no_two_formats_have_one_suffix() -> None:
    assert len(set(SUFFIXES)) == len(SUFFIXES)


@pytest.mark.parametrize("name", ["tsv", "json lines", "parquet", "arrow", "npz"])
def test_rows_mean_the_same_in_all_formats(tmp_path, name) -> None:
    results = []
    for item in ("csv", name):
        path = write(tmp_path, item)
        part, _ = read_file(str(path), Source(str(path), "words", input="text", target="label"))
        inputs = of_file(File(path), {"kind": "words", "input": "text"})
        results.append(
            (part.keys, part.labels, part.examples.targets, [one.field for one in inputs])
        )
    assert results[0] == results[1]
    assert results[0][1:] == ([(label,) for label in LABELS], LABELS, TEXTS)


@pytest.mark.parametrize(
    "path, how, name",
    [
        ("a.dat", {"delimiter": ";"}, "csv"),
        ("a.txt", {}, "text"),
        ("a.txt", {"tagged": True}, "conll"),
        ("a.txt", {"tagged": True, "delimiter": "|"}, "csv"),
        ("a.jsonl", {"delimiter": ";"}, "json lines"),
    ],
)
def test_a_delimiter_makes_a_table_of_other_names(path, how, name) -> None:
    assert format_of(path, **how) == name


def test_an_uninformative_name_is_an_error() -> None:
    with pytest.raises(SeqzooError, match="a.xlsx must end in one of .csv, .* save it as .csv"):
        format_of("a.xlsx")


@pytest.mark.parametrize("name", ["json lines", "parquet", "arrow", "npz"])
def test_options_of_delimited_files_are_refused_for_other_formats(tmp_path, name) -> None:
    path = write(tmp_path, name)
    options: dict[str, Any] = {"columns": ["text", "label"], "delimiter": ";"}
    for field, value in options.items():
        source = Source(str(path), "words", "class", "text", "label", **{field: value})
        with pytest.raises(SeqzooError, match=f"`{field}` is for .csv and .tsv files, got .*t"):
            read_file(source.data, source)
        # The file of another split may have another format, and so may that of predictions.
        read_file(str(path), Source("t.csv", "words", "class", "text", "label", **{field: value}))
    run = {"columns": ["text", "label"], "target": "label"}
    assert len(list(of_file(File(path, column="text"), run))) == len(TEXTS)
    with pytest.raises(SeqzooError, match="`columns` is for .csv and .tsv files"):
        list(of_file(File(path, column="text", columns=("text", "label")), {}))


def test_options_of_files_are_refused_for_data_sets() -> None:
    options: dict[str, Any] = {"columns": ["a"], "delimiter": ";", "storage": "disk"}
    for field, value in options.items():
        with pytest.raises(SeqzooError, match=f"`{field}` .*is for .*, got dates; leave it out"):
            open_source(Source("dates", "characters", "characters", **{field: value}))

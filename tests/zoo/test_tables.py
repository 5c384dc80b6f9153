"""Fields of CSV, TSV and JSON Lines files: how they are read, and the errors of bad ones."""

import gzip
import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from source_cases import csv_source, open_source, reviews, sound, write
from table_cases import read_table

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data import fields
from seqzoo.zoo.data.histories import read_histories
from seqzoo.zoo.data.source import Source


def test_csv_follows_the_rules_for_quotes(tmp_path) -> None:
    text = 'a,b\r\n"x, ""y""\nz",1\r\n\r\nlast,2\r\n'
    table = read_table(write(tmp_path / "t.csv", b"\xef\xbb\xbf" + text.encode()))
    assert table.names == ("a", "b")
    assert table.rows == [{"a": 'x, "y"\nz', "b": "1"}, {"a": "last", "b": "2"}]
    assert table.lines == [2, 5]


def test_tsv_takes_quotes_as_they_are(tmp_path) -> None:
    table = read_table(write(tmp_path / "t.tsv", 'a\tb\n"no end\t1\nx\t2\n'))
    assert table.column("a") == ['"no end', "x"]


@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson", "t.jsonl.gz"])
def test_json_lines(tmp_path, name) -> None:
    rows = [{"a": "x\u2028y", "b": [1, 2]}, {"a": "z", "b": []}]
    data = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()
    data = gzip.compress(data) if name.endswith("gz") else data
    table = read_table(write(tmp_path / name, data))
    assert table.rows == rows
    assert table.lines == [1, 3]


def test_file_without_a_header_and_with_another_delimiter(tmp_path) -> None:
    path = write(tmp_path / "t.txt", "good;a text\nbad;another\n")
    table = read_table(path, columns=["label", "text"], delimiter=";")
    assert table.column("text") == ["a text", "another"]
    assert table.lines == [1, 2]


@pytest.mark.parametrize("first", ["sep=;\r\n", '"sep=;"\n', "\ufeffSEP=;\n"])
def test_the_first_line_names_the_delimiter_as_in_excel(tmp_path, first) -> None:
    path = write(tmp_path / "t.csv", f"{first}text;label\na, b;good\n")
    table = read_table(path)
    assert (table.column("text"), table.lines) == (["a, b"], [3])
    for storage in ("memory", "disk"):
        splits, _ = open_source(csv_source(path, storage=storage, validation=0, test=0))
        assert list(splits.train.inputs) == ["a, b"]
    dated = write(tmp_path / "dated.csv", f"{first}date;sold\n2020-01-01;1,5\n2020-01-02;2\n")
    source = Source(str(dated), "history", "horizon", date_column="date")
    (one,), _, _ = read_histories(source.absolute())
    assert one.values.tolist() == [[1.5], [2]]


BAD_TABLES: dict[str, tuple[str, bytes, str]] = {
    "empty": ("t.csv", b"", "t.csv is empty."),
    "blank": ("t.csv", b" \n\n", "t.csv is empty."),
    "only a header": ("t.csv", b"a,b\n", "t.csv has no rows below its header (a, b)."),
    "a byte that is no UTF-8": (
        "t.csv",
        "a,b\nö,caf".encode() + b"\xe9\n",
        "t.csv, line 2, byte 7: 0xe9 is not UTF-8; save the file as UTF-8.",
    ),
    "too many fields": (
        "t.csv",
        b"a,b\nx,1\nx,y,1\n",
        "t.csv, line 3 has 3 fields, expected 2 (a, b).",
    ),
    "too few fields": (
        "t.tsv",
        b"a\tb\nx\n",
        "t.tsv, line 2 has 1 field, expected 2 (a, b).",
    ),
    "a quote without end": (
        "t.csv",
        b'a,b\nx,1\n"x,1\n',
        "line 3 has a quote that is never closed.",
    ),
    "a quote without end in a later field": (
        "t.csv",
        b'a,b\n"x\ny","1\n2,3\n',
        "line 2 has a quote, opened on line 3, that is never closed.",
    ),
    "two columns of the same name": (
        "t.csv",
        b"a,a\n1,2\n",
        "t.csv: two columns are named 'a'; if its",
    ),
    "broken JSON": (
        "t.jsonl",
        b'{"a": 1}\n{"a": \n',
        "line 2 is not JSON (Expecting value, character 7).",
    ),
    "JSON that is not an object": (
        "t.jsonl",
        b"[1]\n",
        "line 1 must be a JSON object, got '[1]'.",
    ),
    "an unknown ending": ("t.xls", b"a", "t.xls must end in one of .csv, .tsv"),
    "JSON too deep": (
        "t.jsonl",
        b"[" * 100_000,
        "t.jsonl, line 1 cannot be read (maximum recursion",
    ),
    "JSON with an endless number": ("t.jsonl", b'{"a": ' + b"9" * 5000 + b"}", "line 1 cannot be"),
    "a damaged gzip": (
        "t.csv.gz",
        gzip.compress(b"a,b\n", mtime=0)[:10] + b"\xff" * 20,
        "t.csv.gz cannot be read: Error -3 while decompressing data",
    ),
    "no gzip": ("t.csv.gz", b"a,b", "t.csv.gz cannot be read: Not a gzipped file"),
}


@pytest.mark.parametrize("name, data, message", BAD_TABLES.values(), ids=BAD_TABLES)
def test_bad_table_is_a_clear_error(tmp_path, name, data, message) -> None:
    with pytest.raises(SeqzooError) as error:
        read_table(write(tmp_path / name, data))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_columns_without_names_are_numbered(tmp_path) -> None:
    path = write(tmp_path / "t.csv", "a,column 3,,\n1,2,3,4\n")
    assert read_table(path).rows == [{"a": "1", "column 3": "2", "column 3_": "3", "column 4": "4"}]


def test_file_that_is_not_there(tmp_path) -> None:
    with pytest.raises(SeqzooError, match=r"There is no file .*nothing\.csv\."):
        open_source(csv_source(tmp_path / "nothing.csv"))
    with pytest.raises(SeqzooError, match=r"There is no file .*nothing\.csv\."):
        read_table(tmp_path / "nothing.csv")


def test_a_missing_column_lists_the_columns_and_the_nearest(tmp_path) -> None:
    path = reviews(tmp_path)
    with pytest.raises(SeqzooError, match=r"\(text, label\).* did you mean 'text'") as caught:
        open_source(csv_source(path, input="txt"))
    assert (caught.value.field, caught.value.got) == ("input", "txt")
    with pytest.raises(SeqzooError, match="text, label") as caught:
        open_source(csv_source(path, target=None))
    assert caught.value.field == "target"
    lines = write(tmp_path / "t.jsonl", '{"text": "a", "label": "x"}\n{"text": "b"}\n')
    with pytest.raises(SeqzooError, match="line 2 has no 'label', only text"):
        open_source(csv_source(lines))


# Fields

BAD_FIELDS: dict[str, tuple[str, str, Any, Any, str]] = {
    "empty text": ("words", "class", "  ", "x", "'in' is empty; fill it in or leave it out."),
    "text that is none": ("words", "class", 3, "x", "'in' must be text, got 3."),
    "empty label": ("words", "class", "a", " ", "'out' is empty; fill it in or leave it out."),
    "no number": ("words", "value", "a", "three", "'out' must contain numbers, but 'three' is"),
    "decimal comma": (
        "words",
        "value",
        "a",
        "3,5",
        "'out' must contain numbers, but '3,5' is not a number; write a decimal point, 3.5.",
    ),
    "decimal or thousands comma": (
        "words",
        "value",
        "a",
        "3,500",
        "'out' must contain numbers, but '3,500' is not a number; leave out thousands separators, "
        "3500, or write a decimal point, 3.500.",
    ),
    "underscore": ("series", "class", "1 1_000", "x", "'in' must contain numbers, but '1_000' is"),
    "NaN as a value": ("words", "value", "a", "nan", "'out' contains NaN at position 1"),
    "NaN in a series": ("series", "class", "1 2 nan", "x", "'in' contains NaN at position 3"),
    "null in a series": ("series", "class", [1, None], "x", "'in' contains NaN at position 2"),
    "infinity": ("series", "class", "1 inf", "x", "'in' contains an infinite number at position 2"),
    "empty series": ("series", "class", "[]", "x", "'in' is empty; fill it in or leave it out."),
    "words in a series": (
        "series",
        "class",
        "1 x",
        "x",
        "must contain numbers, but 'x' is not a number",
    ),
    "ragged series": ("series", "class", [[1, 2], [3]], "x", "its lists have different lengths"),
    "too large a number": ("series", "class", "1 -1e39", "x", "'in' contains a number beyond 3.4e"),
    "too large a value": ("words", "value", "a", 1e39, "'out' contains a number beyond 3.4e+38"),
    "far too large a number": (
        "series",
        "class",
        [1, 10**400],
        "x",
        "'in' must contain numbers, but",
    ),
    "a list too deep": ("series", "class", "[" * 100_000, "x", "'in' is a JSON list that cannot"),
    "half a character": ("words", "class", "a\ud800", "x", "'in' is not Unicode text (character 2"),
    "half a character in a label": ("words", "class", "a", "\ud800", "'out' is not Unicode text"),
    "broken list": ("series", "class", "[1, 2", "x", "'in' is not a JSON list"),
    "no labels": ("words", "labels", "a", 3, "'out' must be a list of labels, got 3."),
    "no sound": ("audio", "class", "a.wav", "x", "'in' names a file that does not exist"),
    "no image": ("rows", "class", "a.png", "x", "'in' names a file that does not exist"),
    "rows of a series": ("rows", "class", "[1, 2]", "x", "'in' must be a list of rows of numbers"),
}


@pytest.mark.parametrize(
    "kind, target_kind, given, target, message", BAD_FIELDS.values(), ids=BAD_FIELDS
)
def test_bad_field_is_named_with_its_line(
    tmp_path, kind, target_kind, given, target, message
) -> None:
    good: Any = {"words": "a", "series": [1, 2], "rows": [[1]]}.get(kind, given)
    row: dict[str, Any] = {"in": good, "out": 1 if target_kind == "value" else "x"}
    rows = [row, {"in": given, "out": target}] if kind != "audio" else [{"in": given, "out": "x"}]
    path = write(tmp_path / "t.jsonl", "\n".join(map(json.dumps, rows)))
    with pytest.raises(SeqzooError) as error:
        open_source(Source(str(path), kind, target_kind, "in", "out"))
    assert error.value.location == f"{path}, line {len(rows)}"
    assert error.value.field == ("target" if "'out'" in message else "input")
    assert message in str(error.value)


@pytest.mark.parametrize(
    "kind, first, second, message",
    [
        ("series", [[1, 2]], [[1, 2, 3]], "'in' has 3 numbers per step, expected 2."),
        ("series", [1, 2], [[1, 2]], "'in' has 2 numbers per step, expected 1."),
    ],
)
def test_inputs_of_unequal_shapes(tmp_path, kind, first, second, message) -> None:
    rows = [{"in": first, "out": "x"}, {"in": second, "out": "y"}]
    path = write(tmp_path / "t.jsonl", "\n".join(map(json.dumps, rows)))
    with pytest.raises(SeqzooError) as error:
        open_source(Source(str(path), kind, input="in", target="out"))
    assert (error.value.field, error.value.location) == ("input", f"{path}, line 2")
    assert message in str(error.value)


def test_series_and_values() -> None:
    np.testing.assert_array_equal(fields.series(" 1 2.5\t-3e1 "), [1, 2.5, -30])
    np.testing.assert_array_equal(fields.series("[[1, 2], [3, 4]]"), [[1, 2], [3, 4]])
    assert fields.value("2.5") == fields.value(2.5) == fields.value("[2.5]") == 2.5
    assert fields.value("1 2") == fields.value([1, 2]) == (1.0, 2.0)


def test_labels() -> None:
    assert fields.labels(" a , b,,c ") == ("a", "b", "c")
    assert fields.labels("a,b|c", "|") == ("a,b", "c")
    assert fields.labels('["a", "b, c"]') == fields.labels(["a", "b, c"]) == ("a", "b, c")
    assert fields.labels("") == ()
    assert (fields.label(3), fields.label(True), fields.label(" x ")) == ("3", "true", "x")
    assert fields.label(3.0) == "3"  # JSON has one type of numbers
    for number in (2.5, float("nan")):
        with pytest.raises(SeqzooError, match=f"must be text or a whole number, got {number}"):
            fields.label(number)


def test_labels_that_begin_with_a_bracket() -> None:
    assert fields.label("[SEP]") == "[SEP]"
    assert fields.labels("[PAD],x, [a]") == ("[PAD]", "x", "[a]")
    assert fields.labels('["[1]"]') == ("[1]",)
    assert fields.labels("[1, 2]") == ("1", "2")
    assert fields.tags("[CLS] O [SEP]") == fields.tags('["[CLS]", "O", "[SEP]"]')
    assert fields.tags("[CLS] O [SEP]") == ("[CLS]", "O", "[SEP]")
    for broken in ('["a", "b', "['a', 'b']"):
        for read in (fields.labels, fields.tags):
            with pytest.raises(SeqzooError, match="is not a JSON list"):
                read(broken)


def test_whole_numbers_of_json_are_classes(tmp_path) -> None:
    rows = [{"in": f"text {i}", "out": [1, 0.0][i % 2]} for i in range(20)]
    path = write(tmp_path / "t.jsonl", "\n".join(map(json.dumps, rows)))
    splits, _ = open_source(Source(str(path), "words", input="in", target="out"))
    assert set(splits.train.targets) == {"0", "1"}


def test_paths_that_begin_with_a_bracket(tmp_path) -> None:
    (tmp_path / "[1] a.png").write_bytes(
        tf.io.encode_png(np.eye(3, dtype=np.uint8)[..., None]).numpy()
    )
    assert fields.rows("[1] a.png", tmp_path).shape == (3, 3)
    with pytest.raises(SeqzooError, match="is not a JSON list"):
        fields.rows("[[1, 2], [3", tmp_path)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_audio_of_every_bit_depth(tmp_path, width) -> None:
    top = 2 ** (8 * width - 1)
    middle = 128 if width == 1 else 0
    samples = middle + np.array([[0, 0], [top // 2, top // 2], [-top, 0]])
    name = sound(tmp_path / "s.wav", samples, rate=11025, width=width)
    found, rate = fields.audio(name, tmp_path)
    assert rate == 11025
    np.testing.assert_allclose(found, [0, 0.5, -0.5], atol=1e-6)
    assert found.dtype == np.float32


def test_audio_files_of_a_table_have_one_rate(tmp_path) -> None:
    noise = np.random.default_rng(0).integers(-9999, 9999, (12, 800))
    rows = [sound(tmp_path / f"{i}.wav", noise[i]) + f",{'ab'[i % 2]}" for i in range(12)]
    path = write(tmp_path / "t.csv", "text,label\n" + "\n".join(rows))
    splits, source = open_source(csv_source(path, kind="audio"))
    assert source.sample_rate == 8000
    assert [len(samples) for samples in splits.train.inputs] == [800] * len(splits.train)
    sound(tmp_path / "5.wav", noise[5], rate=16000)
    with pytest.raises(
        SeqzooError, match="line 7: 'text' has 16,000 samples per second, expected 8,000"
    ):
        open_source(csv_source(path, kind="audio"))
    write(tmp_path / "5.wav", b"RIFF")
    with pytest.raises(SeqzooError, match=r"line 7: 'text' .*5\.wav is not a WAV, FLAC"):
        open_source(csv_source(path, kind="audio"))
    sound(tmp_path / "5.wav", noise[5][:0])
    with pytest.raises(SeqzooError, match=r"line 7: 'text' .*5\.wav has no samples"):
        open_source(csv_source(path, kind="audio"))


def test_images_from_files_and_lists(tmp_path) -> None:
    import tensorflow as tf

    image = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    write(tmp_path / "i.png", tf.io.encode_png(image).numpy())
    np.testing.assert_array_equal(fields.rows("i.png", tmp_path), image[..., 0])
    np.testing.assert_array_equal(fields.rows("[[1, 2]]", tmp_path), [[1, 2]])
    with pytest.raises(SeqzooError, match="is not a PNG, JPEG, BMP or GIF image"):
        fields.rows(write(tmp_path / "bad.png", b"no image").name, tmp_path)


@pytest.mark.parametrize("read", [fields.rows, fields.image])
def test_bmp_files_are_read_unless_their_palette_would_be_ignored(read, tmp_path) -> None:
    grey = np.arange(0, 240, 20, dtype=np.uint8).reshape(3, 4)
    image = Image.fromarray(grey)
    for mode, expected in (("L", grey), ("RGB", np.stack([grey] * 3, -1))):
        image.convert(mode).save(tmp_path / "a.bmp")
        np.testing.assert_array_equal(fields.rows("a.bmp", tmp_path), expected)
        read("a.bmp", tmp_path)
    for other, bits in ((image.quantize(4), "8 bits"), (image.convert("1"), "1 bit")):
        other.save(tmp_path / "a.bmp")
        message = rf"a\.bmp is a BMP file with {bits} per pixel .*; save it as PNG, or as RGB$"
        with pytest.raises(SeqzooError, match=message):
            read("a.bmp", tmp_path)

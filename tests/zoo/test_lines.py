"""Lines only end at line feeds, wherever they are read, and a byte order mark is not text."""

import codecs
import csv
import gzip
import io
import json

import pytest
from cli_cases import seqzoo
from source_cases import inputs_of, open_source, write
from table_cases import of_file, read_table

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.config.toml_reader import read_config
from seqzoo.zoo.data import prediction_inputs
from seqzoo.zoo.data.conll import read_conll
from seqzoo.zoo.data.lines import split_lines
from seqzoo.zoo.data.prediction_inputs import File
from seqzoo.zoo.data.records import read_text
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.output import csv_record

INSIDE = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
"""All line ends of `str.splitlines`, except for line feeds and carriage returns."""

TEXTS = [f"{i} a{sign}b" for i, sign in enumerate(INSIDE)]


def test_a_line_ends_at_a_line_feed() -> None:
    assert len(INSIDE.splitlines()) == len(INSIDE)
    assert split_lines("a\r\nb\rc\n\nd") == ["a", "b\rc", "", "d"]
    assert split_lines("a\n") == split_lines("a") == ["a"] and split_lines("") == []


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_training_and_predictions_count_the_same_lines(tmp_path, end) -> None:
    path = write(tmp_path / "t.txt", "".join(text + end for text in TEXTS))
    splits, _ = open_source(Source(str(path), "characters", "next"))
    assert sorted(text for part in inputs_of(splits) for text in part) == sorted(TEXTS)
    inputs = list(of_file(File(path), {}))
    assert [(item.number, item.field) for item in inputs] == list(enumerate(TEXTS, 1))
    with open(path, "rb") as file:
        assert list(prediction_inputs.of_lines(file)) == inputs


def test_lines_of_other_formats(tmp_path) -> None:
    rows = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in TEXTS)
    path = write(tmp_path / "t.jsonl", rows)
    assert read_table(path).column("text") == TEXTS
    assert [item.field for item in of_file(File(path), {})] == TEXTS
    path = write(tmp_path / "t.conll", "".join(f"a{sign}b\tX\n" for sign in INSIDE))
    assert read_conll(path).sentences == [tuple(f"a{sign}b" for sign in INSIDE)]
    for name, separator in (("t.tsv", "\t"), ("t.csv", ",")):
        path = write(tmp_path / name, "".join(f"{item}{separator}x\n" for item in ("text", *TEXTS)))
        table = read_table(path)
        assert table.column("text") == TEXTS and table.lines == list(range(2, 10))


def test_folder_of_translations_keeps_lines_together(tmp_path) -> None:
    write(tmp_path / "en.train.txt", "".join(f"{text}\n" for text in TEXTS * 3))
    mark = b"\xef\xbb\xbf"
    write(tmp_path / "fr.train.txt", mark + b"".join(b"%d\r\n" % (i % 8) for i in range(24)))
    source = Source(str(tmp_path), "words", "words", "en", "fr", validation=0, test=0.3)
    splits, _ = open_source(source)
    assert len(splits.train) + len(splits.test) == 24
    for text, answer in zip(splits.train.inputs, splits.train.targets, strict=True):
        assert text.startswith(f"{answer} a")
    write(tmp_path / "fr.train.txt", "1\n2\n")
    with pytest.raises(
        SeqzooError, match="the same number of lines in train, got 24 in en, 2 in fr"
    ):
        open_source(source)


def test_lines_of_a_config_are_counted_the_same_way(tmp_path) -> None:
    text = 'template = "many-to-one"\n# \u2028 \x85\n[task]\ninput = "characters"\nunits = "x"\n'
    path = write(tmp_path / "c.toml", text)
    with pytest.raises(SeqzooError, match=r"c\.toml, line 5: "):
        read_config(str(path))


def test_a_byte_order_mark_is_not_text(tmp_path, trained) -> None:
    mark, texts = "\ufeff", ["axyz1", "bzzy2"]
    marked = (mark + "\n".join(texts)).encode()
    results = [line.field for line in prediction_inputs.of_lines(io.BytesIO(marked))]
    assert results == texts
    results = [
        argument.field
        for argument in prediction_inputs.of_arguments([mark + item for item in texts])
    ]
    assert results == texts
    run = trained / "run"
    expected = seqzoo("predict", run, *texts).stdout
    assert seqzoo("predict", run, stdin=marked).stdout == expected
    assert seqzoo("predict", run, *(mark + text for text in texts)).stdout == expected
    path = write(tmp_path / "t.txt", marked)
    assert seqzoo("predict", run, "--input-file", path).stdout == expected


@pytest.mark.parametrize("name", ["t.txt", "t.txt.gz", "t.csv"])
def test_a_file_of_a_byte_order_mark_alone_is_empty(tmp_path, trained, name) -> None:
    content = codecs.BOM_UTF8 + b"\r\n"
    path = write(tmp_path / name, gzip.compress(content) if name.endswith(".gz") else content)
    result = seqzoo("predict", trained / "run", "--input-file", path)
    assert (result.exit_code, result.stderr) == (2, f"Error: {path} is empty.\n")


def test_utf_16_is_named(tmp_path) -> None:
    for encoding in ("utf-16-le", "utf-16-be"):
        path = write(tmp_path / "t.txt", "\ufeffa text\n".encode(encoding))
        with pytest.raises(SeqzooError, match=r"t\.txt is UTF-16; save the file as UTF-8\."):
            read_text(path)


def test_records_quote_line_breaks_of_all_kinds() -> None:
    fields = ["a\nb", "c\rd", "e\r\nf", 'g"h', "i,j", "k"]
    rows = list(csv.reader(io.StringIO(csv_record(fields), newline="")))
    assert rows == [fields]

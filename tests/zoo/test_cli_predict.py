"""`seqzoo predict` of files: predictions in the order of the inputs, and errors that name the
line."""

import csv
import gzip
import json
import re

import numpy as np
import pytest
from cli_cases import seqzoo
from table_cases import of_file

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data import prediction_inputs as inputs

TEXTS = ["axyz1", "bzzy, 2", "ax\ty", 'b "x" z', "azz 5"]


@pytest.fixture(scope="module")
def run(trained):
    return trained / "run"


@pytest.fixture(scope="module")
def expected(run) -> list[list[str]]:
    lines = seqzoo("predict", run, *TEXTS).stdout.splitlines()
    return [line.split("\t") for line in lines]


def write(folder, kind: str) -> tuple[str, list[int]]:
    """Writes the texts as a file; returns its path and the line that each begins at."""
    path = folder / f"texts.{kind}"
    if kind == "txt":
        path.write_text("\n".join(TEXTS))
        return str(path), [1, 2, 3, 4, 5]
    if kind == "jsonl":
        lines = [json.dumps({"n": n, "text": text}) for n, text in enumerate(TEXTS)]
        path.write_text("\n\n".join(lines))
        return str(path), [1, 3, 5, 7, 9]
    if kind == "csv.gz":
        rows = "".join('{},"{}"\n'.format(n, t.replace('"', '""')) for n, t in enumerate(TEXTS))
        path.write_bytes(gzip.compress(f"n,text\n{rows}".encode()))
    else:
        plain = [text.replace("\t", " ") for text in TEXTS]
        rows = "".join(f"{n}\t{text}\n" for n, text in enumerate(plain))
        path.write_text(f"n\ttext\n{rows}")
    return str(path), [2, 3, 4, 5, 6]


@pytest.mark.parametrize("kind", ["txt", "jsonl", "csv.gz", "tsv"])
def test_files_give_the_predictions_of_texts(run, expected, tmp_path, kind) -> None:
    path, lines = write(tmp_path, kind)
    answers = seqzoo("predict", run, "--input-file", path, "--format", "csv")
    assert (answers.exit_code, answers.stderr) == (0, "")
    rows = list(csv.DictReader(answers.stdout.splitlines()))
    assert list(rows[0]) == ["line", "answer", "probability"]
    assert [int(row["line"]) for row in rows] == lines
    if kind != "tsv":  # where a tab could not be written
        assert [row["answer"] for row in rows] == [label for label, _ in expected]
        results = [float(row["probability"]) for row in rows]
        assert results == pytest.approx([float(p) for _, p in expected], abs=2e-4)


@pytest.mark.slow
def test_formats_agree(run, expected, tmp_path) -> None:
    path, _ = write(tmp_path, "txt")
    command = ["predict", run, "--input-file", path, "--top", 2]
    text = seqzoo(*command).stdout.splitlines()
    rows = list(csv.reader(seqzoo(*command, "--format", "csv").stdout.splitlines()))
    objects = [json.loads(line) for line in seqzoo(*command, "--json").stdout.splitlines()]
    same = seqzoo(*command, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in same] == objects
    assert rows[0] == ["line", "answer", "probability", "answer_2", "probability_2"]
    for line, row, record, (label, _) in zip(text, rows[1:], objects, expected, strict=True):
        first, p, second, q = line.split("\t")
        assert (first, second) == (row[1], row[3]) == tuple(record["alternatives"])
        assert (first, int(row[0])) == (label, record["line"])
        assert float(p) == pytest.approx(float(row[2]), abs=1e-4) and float(q) <= 0.5


BAD = {
    "texts.csv": (
        b'text,n\naxyz,1\nb,2,3\n,4\nb\xffz,5\n"b"x,6\n\'b,7\nlast,8\n"open,9\n',
        ["has 3 fields, expected 2 (text, n)", "is empty", "is not UTF-8: byte 2 is 0xff"],
        [
            (3, 0),
            (4, 1),
            (5, 2),
            (6, "has text after a closing quote"),
            (9, "has a quote that is never closed"),
        ],
        [2, 7, 8],
    ),
    "texts.jsonl": (
        b'{"text": "axyz"}\nno\n[1]\n{"txt": 1}\n{"text": 7}\n{"text": "b\xff"}\n\n{"text": "b"}\n',
        [],
        [
            (2, "is not JSON (Expecting value, character 1)"),
            (3, "must be a JSON object"),
            (4, "has no 'text', only txt"),
            (5, "must be text, got 7"),
            (6, "is not UTF-8"),
        ],
        [1, 8],
    ),
    "texts.txt": (
        b"\xef\xbb\xbfaxyz\r\n\r\nb\xff\nlast",
        [],
        [(2, "is empty"), (3, "is not UTF-8: byte 2 is 0xff")],
        [1, 4],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_invalid_lines_are_reported_and_the_others_predicted(run, tmp_path, name) -> None:
    content, words, wrong, right = BAD[name]
    (tmp_path / name).write_bytes(content)
    result = seqzoo("predict", run, "--input-file", tmp_path / name, "--json")
    assert result.exit_code == 2
    assert [json.loads(line)["line"] for line in result.stdout.splitlines()] == right
    messages = result.stderr.splitlines()
    assert len(messages) == len(wrong), messages
    for line, (number, message) in zip(messages, wrong, strict=True):
        expected = words[message] if isinstance(message, int) else message
        assert line.startswith(f"Line {number} {expected}"), line


def test_columns_and_delimiters(run, tmp_path) -> None:
    path = tmp_path / "plain.data"
    path.write_text("1;axyz\n2;bxyz\n")
    columns = ["--delimiter", ";", "--columns", "n,text"]
    result = seqzoo("predict", run, "--input-file", path, *columns)
    assert result.stdout == seqzoo("predict", run, "axyz", "bxyz").stdout
    (tmp_path / "other.csv").write_text("word\naxyz\n")
    named = ["predict", run, "--input-file", tmp_path / "other.csv"]
    assert seqzoo(*named, "--input", "word").exit_code == 0
    for words, message in (
        (named, r"`input` must name a column of .*\(word\), got 'text'"),
        ([*named, "--input", "wort"], "got 'wort'; did you mean 'word'"),
        ([*named, "axyz"], "Give texts or --input-file, not both"),
        (["predict", run, "axyz", "--input", "word"], "are for --input-file"),
        ([*named, "--json", "--format", "csv"], "got --format csv; leave one of them out"),
        (["predict", run, "--input-file", path], "must end in one of .* --delimiter"),
        (["predict", run, "--input-file", tmp_path / "no.csv"], "There is no file .*no.csv"),
    ):
        result = seqzoo(*words)
        assert (result.exit_code, result.stdout) == (2, ""), words
        assert re.search(message, result.stderr), result.stderr


def test_sentences_of_conll_need_no_tags(tmp_path) -> None:
    path = tmp_path / "some.conllu"
    rows = ["1\tA", "2\tb", "", "# text", "1\tC", ""]
    path.write_text("\n".join(row + "\t_" * 8 if row[:1].isdigit() else row for row in rows))
    results = list(of_file(inputs.File(path), {}))
    assert [(item.number, item.field) for item in results] == [(1, ("A", "b")), (5, ("C",))]
    (tmp_path / "plain.conll").write_text("A\nb\n\nC\n")
    plain = inputs.File(tmp_path / "plain.conll", "1")
    assert [item.field for item in of_file(plain, {})] == [("A", "b"), ("C",)]


def test_the_column_is_that_of_the_training_or_the_only_one(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,y\n1,2\n")

    def fields(source, **choices):
        return [item.field for item in of_file(inputs.File(path, **choices), source)]

    assert fields({"input": "y"}) == ["2"]
    assert fields({"input": "y"}, column="x") == ["1"]
    assert fields({"input": "b", "columns": ["a", "b"]}) == ["y", "2"]
    with pytest.raises(SeqzooError, match="must name a column"):
        fields({})
    path.write_text("x\n\n1\n")
    assert fields({}) == ["1"]


def test_a_file_that_is_not_an_image_is_named_only_by_its_line(tmp_path) -> None:
    path = tmp_path / "no.png"
    path.write_text("no image")
    result = seqzoo("predict", "glyph-captioner", path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "A PNG, JPEG, BMP or GIF image was expected, but input 1 is not one.\n"
    )


@pytest.mark.parametrize(
    "content, message",
    [
        ("text\nabc\n".encode("utf-16"), "a.csv is UTF-16; save the file as UTF-8"),
        (b'"text\nabc\n', "line 1 has a quote that is never closed"),
        (b"sep=;\n", "line 1 names no columns"),
    ],
)
def test_an_invalid_line_of_names_is_reported(tmp_path, content, message) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(SeqzooError, match=message):
        list(of_file(inputs.File(path, "text"), {}))


def test_order_is_kept_over_many(run, tmp_path) -> None:
    texts = [f"{'ab'[i % 2]}xyz{i % 7}" if i % 50 else "" for i in range(1100)]
    (tmp_path / "many.csv").write_text("n,text\n" + "".join(f"0,{line}\n" for line in texts))
    result = seqzoo("predict", run, "--input-file", tmp_path / "many.csv", "--format", "csv")
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert [int(row["line"]) for row in rows] == [i + 2 for i in range(1100) if i % 50]
    shown = ", ".join(str(i + 2) for i in range(50, 1050, 50))
    assert result.stderr.splitlines() == [
        "Line 2 is empty; fill it in or leave it out.",
        f"21 more lines had the same error as line 2: {shown}, ...",
    ]
    distinct = sorted(set(texts) - {""})
    direct = csv.DictReader(
        seqzoo("predict", run, *distinct, "--format", "csv").stdout.splitlines()
    )
    expected = {text: _chance(row) for text, row in zip(distinct, direct, strict=True)}
    assert len(expected) == 14 and np.ptp(list(expected.values())) > 2e-3
    for row in rows:
        wanted = expected[texts[int(row["line"]) - 2]]
        assert _chance(row) == pytest.approx(wanted, abs=2e-4)


def _chance(row: dict[str, str]) -> float:
    """The probability of one of the two labels, whichever the answer is."""
    chance = float(row["probability"])
    return chance if row["answer"] == "a-text" else 1 - chance


def test_predictions_are_written_to_a_file(run, tmp_path) -> None:
    given, output = tmp_path / "words.csv", tmp_path / "answers.csv"
    given.write_text('word\naxyz\n""\nbxyz\n')
    command = ["predict", run, "--input-file", given, "--input", "word", "--format", "csv"]
    shown = seqzoo(*command)
    result = seqzoo(*command, "--output", output)
    assert result.exit_code == 2 and result.stdout == "" and "empty" in result.stderr
    assert output.read_text() == shown.stdout
    for words, expected in [
        ([*command, "--output", output], "already exists; name another file"),
        (
            [*command, "--output", output, "--resume"],
            "is finished, or was not written by `predict`",
        ),
        ([*command, "--resume"], "--resume continues the file that --output names"),
        (["predict", run, "a", "--output", output], "--output is for --input-file"),
    ]:
        result = seqzoo(*words)
        assert result.exit_code == 2 and expected in result.stderr

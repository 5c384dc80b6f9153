"""Files that are almost certainly mistakes: refused, reported, or read correctly."""

import json
import pathlib
from dataclasses import replace

import numpy as np
import pytest
from cli_cases import seqzoo
from source_cases import csv_source, inputs_of, open_source, write
from table_cases import of_file, read_table

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.open import open_examples
from seqzoo.zoo.data.prediction_inputs import File
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data.suspicions import shown_spellings, spelling

ROWS = [(f"text {i}", "good" if i % 2 else "bad") for i in range(24)]


def delimited(path, separator: str, form: str = "{}") -> pathlib.Path:
    rows = [("text", "label"), *ROWS]
    lines = (separator.join(form.format(field) for field in row) + "\n" for row in rows)
    return write(path, "".join(lines))


def test_series_of_one_step_and_labels_with_another_separator(tmp_path) -> None:
    rows = "".join(f"0.{n},{'ab'[n % 2]}\n" for n in range(24))
    path = write(tmp_path / "t.csv", f"x,label\n{rows}")
    splits, _ = open_source(csv_source(path, kind="series", input="x"))
    assert "Each of the 24 series of t.csv has one step." in splits.description.replace(
        f"{tmp_path}/", ""
    )
    rows = "".join(f"text {n},{('a; b', 'b')[n % 2]}\n" for n in range(24))
    path = write(tmp_path / "u.csv", f"text,label\n{rows}")
    splits, _ = open_source(csv_source(path, target_kind="labels"))
    assert "a label is 'a; b'; is ';' the --separator?" in splits.description
    splits, _ = open_source(csv_source(path, target_kind="labels", separator=";"))
    assert "separator" not in splits.description


# Delimiters and quotes


@pytest.mark.parametrize("separator, shown", [(";", "';'"), ("|", "'|'"), ("\t", "tab")])
def test_another_delimiter_is_named(tmp_path, separator, shown) -> None:
    path = delimited(tmp_path / "t.csv", separator)
    message = f"has one column, .* with --delimiter {shown}".replace("|", r"\|")
    with pytest.raises(SeqzooError, match=message):
        open_source(csv_source(path))
    with pytest.raises(SeqzooError, match=message):
        list(of_file(File(tmp_path / "t.csv"), {"input": "text"}))
    splits, _ = open_source(csv_source(path, delimiter=separator))
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 24


def test_a_column_without_a_delimiter_is_one_column(tmp_path) -> None:
    path = write(tmp_path / "t.csv", '"text; or so"\na\n')
    with pytest.raises(SeqzooError, match="has one column"):
        read_table(path)
    assert read_table(path, columns=["text"]).column("text") == ["text; or so", "a"]


def test_spaces_before_quotes_are_left_out(tmp_path) -> None:
    path = write(tmp_path / "t.csv", 'text, label\n"a, ""b""", "x"\n"c",  "y, z"\n')
    table = read_table(path)
    assert table.column("text") == ['a, "b"', "c"]
    assert table.column("label") == ["x", "y, z"]
    inputs = list(of_file(File(path, "label"), {}))
    assert [item.field for item in inputs] == ["x", "y, z"]


@pytest.mark.parametrize("text", ['a, "b" c', 'he said, "no', ' "a"', '"x, ""y"" z"'])
def test_other_quotes_stay(tmp_path, text) -> None:
    quoted = '"{}"'.format(text.replace('"', '""'))
    path = write(tmp_path / "t.csv", f"text,label\n{quoted},x\nplain, y\n")
    table = read_table(path)
    assert table.rows == [{"text": text, "label": "x"}, {"text": "plain", "label": " y"}]


def test_tsv_whose_names_are_quoted(tmp_path) -> None:
    path = delimited(tmp_path / "t.tsv", "\t", '"{}"')
    splits, _ = open_source(csv_source(path))
    assert {*splits.train.targets} == {"good", "bad"}
    assert all(text.startswith("text ") for text in splits.train.inputs)


# Targets and inputs


def test_labels_in_quotes_are_reported(tmp_path) -> None:
    rows = "".join(f'{text}\t"{label}"\n' for text, label in ROWS)
    splits, _ = open_source(csv_source(write(tmp_path / "t.tsv", "text\tlabel\n" + rows)))
    assert "The quotes around labels of" in splits.description and '"bad"' in splits.description


@pytest.mark.parametrize("other", ["Good", "GOOD", "good.", '"good"', "go\u200bod", "good \u200f"])
def test_labels_written_in_two_ways_are_reported(tmp_path, other) -> None:
    rows = "".join(f"{text}\t{other if text == 'text 3' else label}\n" for text, label in ROWS)
    splits, _ = open_source(csv_source(write(tmp_path / "t.tsv", "text\tlabel\n" + rows), seed=1))
    assert "count as different, although they are spelled almost the same" in splits.description


@pytest.mark.parametrize(
    "one, two",
    [("❤\ufe0f", "❤"), ("ＧＯＯＤ", "good"), ("ｶﾞｽ", "ガス"), ("ﬁne ĳ", "fine ij"), ("\u212b", "Å")],
)
def test_spellings_that_look_alike(one: str, two: str) -> None:
    assert spelling(one) == spelling(two)


@pytest.mark.parametrize(
    "one, two",
    [
        ("\U0001f3f4\U000e0067\U000e0062", "\U0001f3f4\U000e0067\U000e0063"),  # parts of flags
        *[("🇩🇪", "🇫🇷"), ("1\ufe0f\u20e3", "1"), ("²", "2"), ("①", "1"), ("10²", "102")],
        *[("Ａ", "A"), ("ß", "ẞ"), ("Ⅳ", "IV"), ("a", "A")],
    ],
)
def test_spellings_that_look_different(one: str, two: str) -> None:
    assert spelling(one) != spelling(two)


def test_variation_selectors_are_shown_as_escapes() -> None:
    assert shown_spellings(["❤\ufe0f", "❤"]) == [r"'\u2764\ufe0f'", r"'\u2764'"]


def test_labels_written_in_one_way_are_not_reported(tmp_path) -> None:
    rows = "".join(f"{text}\t{'aAbB'[i % 4]}\n" for i, (text, _) in enumerate(ROWS))
    splits, _ = open_source(csv_source(write(tmp_path / "l.tsv", "text\tlabel\n" + rows)))
    assert "almost alike" not in splits.description
    splits, _ = open_source(csv_source(delimited(tmp_path / "t.tsv", "\t")))
    assert "almost alike" not in splits.description and "quotes" not in splits.description


@pytest.mark.parametrize("numbers, message", [(True, "--target-kind value"), (False, "--target.")])
def test_a_column_of_ids_is_not_a_class(tmp_path, numbers, message) -> None:
    rows = "".join(f"{text},{i if numbers else f'id{i}'}\n" for i, (text, _) in enumerate(ROWS))
    path = write(tmp_path / "t.csv", "text,label\n" + rows)
    with pytest.raises(
        SeqzooError, match="'label' .* has 24 classes, each with one example"
    ) as error:
        open_source(csv_source(path))
    assert message in str(error.value)
    rows = "".join(f"{text},{min(i, 20)}.5\n" for i, (text, _) in enumerate(ROWS))
    write(path, "text,label\n" + rows)
    splits, _ = open_source(csv_source(path))
    assert "has 21 classes in 24 examples, few of which can be learned" in splits.description


def test_equal_inputs_and_a_column_named_twice(tmp_path) -> None:
    path = write(tmp_path / "t.csv", "text,label\n" + "same,x\nsame,y\n" * 8)
    with pytest.raises(SeqzooError, match="All 16 inputs of .* are equal; is `input`"):
        open_source(csv_source(path))
    with pytest.raises(SeqzooError, match="only one role, but 'text' has two") as caught:
        open_source(csv_source(path, target="text"))
    assert caught.value.field == "target"
    for options in ({"further_inputs": {"label": "static"}}, {"weight_column": "label"}):
        with pytest.raises(SeqzooError, match="only one role, but 'label' has two"):
            csv_source(path, **options)


def test_one_word_per_row_is_not_a_sentence(tmp_path) -> None:
    rows = "".join(f"{i // 4},word{i},{'XY'[i % 2]}\n" for i in range(24))
    path = write(tmp_path / "t.csv", "sentence,text,label\n" + rows)
    advice = r"name it with --sentence-column; .* \.conll file"
    with pytest.raises(SeqzooError, match=f"Each of the 24 inputs .* is one word; .* {advice}"):
        open_source(csv_source(path, target_kind="tags"))


# Endings and formats


@pytest.mark.parametrize(
    "name, message",
    [
        ("a.mat", "numpy.savez"),
        ("a.npy", "numpy.savez"),
        ("a.xlsx", "save it as .csv"),
        ("a.json", "one object per line"),
        ("a.arff", "its series with `numpy.savez`"),
        ("a.fasta", "a column of names and one of sequences"),
        ("a.tmx", "a column per language"),
        ("eng.testa", "rename it to .conll"),
        ("a.wav", "a table with a column of paths to such files"),
        ("a.dat", "set its delimiter with --delimiter"),
    ],
)
def test_unsupported_files_get_advice(tmp_path, name, message) -> None:
    path = write(tmp_path / name, b"MATLAB\xb3")
    for ask in (
        lambda: open_source(csv_source(path)),
        lambda: of_file(File(path), {}),
    ):
        with pytest.raises(SeqzooError, match=f"{name} must end in one of .csv.*") as error:
            ask()
        assert message in str(error.value)


def test_columns_without_names(tmp_path) -> None:
    path = write(tmp_path / "t.csv", "spam,spam\nham,x\n")
    with pytest.raises(SeqzooError, match="two columns are named 'spam'; .* with --columns"):
        read_table(path)
    rows = "".join(f"{n},,text {n},{n % 2}\n" for n in range(20))
    write(path, ",,text,label\n" + rows)
    source = Source(str(path), "words", input="text", target="label")
    assert open_examples(source, "all").inputs[:2] == ["text 0", "text 1"]
    with pytest.raises(SeqzooError, match="first line .text, label.; leave out --columns"):
        open_examples(replace(source, columns=("a", "b", "text", "label")), "all")
    write(path, rows)
    named = replace(source, columns=("a", "b", "text", "label"))
    assert open_examples(named, "all").inputs[0] == "text 0"


def test_conll_in_a_txt_is_read_as_such(tmp_path) -> None:
    sentence = "Anna NN B-PER\nsleeps VB O\n\n"
    path = write(tmp_path / "train.txt", "-DOCSTART- -X- O\n\n" + sentence * 6 + "Bern NN B-LOC\n")
    source = Source(str(path), "words", "tags", validation=0, test=0)
    splits, _ = open_source(source)
    assert list(splits.train.inputs[0]) == ["Anna", "sleeps"]
    assert list(splits.train.targets[-1]) == ["B-LOC"] and len(splits.train) == 7
    write(path, "A sentence\nof a text without tags.\n")
    with pytest.raises(SeqzooError, match="line 2: .* is read as CoNLL: a word and its tag per"):
        open_source(source)


def test_a_plain_text_has_no_targets(tmp_path) -> None:
    path = write(tmp_path / "t.txt", "a\nb\n")
    with pytest.raises(SeqzooError, match=r"has no targets; .* named LANGUAGE\.SPLIT\.txt"):
        open_source(Source(str(path), "words", "words"))
    with pytest.raises(SeqzooError, match="has no targets; name a .csv") as error:
        open_source(Source(str(path), "words", "class"))
    assert "LANGUAGE" not in str(error.value)
    # With a delimiter it is a table, as for predictions.
    table = delimited(tmp_path / "t.txt", ";")
    splits, _ = open_source(csv_source(table, delimiter=";"))
    assert len(inputs_of(splits)[0]) > 10
    inputs = of_file(File(tmp_path / "t.txt", "text", delimiter=";"), {})
    assert [item.field for item in inputs] == [text for text, _ in ROWS]


def test_a_text_that_begins_with_a_dash(trained) -> None:
    for command in ("predict", "generate"):
        refused = seqzoo(command, trained / "run", "-5 degrees")
        assert refused.exit_code == 2
        assert f"begins with -, as in `seqzoo {command} RUN -- '-5 degrees'`" in refused.stderr
    assert seqzoo("predict", trained / "run", "--", "-5 degrees").exit_code == 0


# Series


def test_a_column_of_numbers_is_one_series(tmp_path) -> None:
    numbers = np.round(np.sin(np.arange(60)), 3)
    rows = "".join(f"day {i},{number}\n" for i, number in enumerate(numbers))
    path = write(tmp_path / "t.csv", "date,temp\n" + rows)
    source = Source(str(path), "series", "next", input="temp")
    with pytest.raises(SeqzooError, match="'temp' has one number per row, .* --whole reads"):
        open_source(source)
    splits, _ = open_source(Source(str(path), "series", "next", input="temp", whole=True))
    parts = [part.inputs[0] for part in (splits.train, splits.validation, splits.test)]
    np.testing.assert_allclose(np.concatenate(parts), numbers, rtol=1e-6)
    assert [len(part) for part in parts] == [48, 6, 6]
    known = {"kind": "series", "target_kind": "next", "input": "temp", "whole": True}
    (item,) = of_file(File(path), known)
    np.testing.assert_allclose(item.field, numbers, rtol=1e-6)
    # Rows of several numbers stay series of their own.
    lines = "".join(json.dumps({"temp": [1, 2, i]}) + "\n" for i in range(20))
    path = write(tmp_path / "t.jsonl", lines)
    splits, _ = open_source(Source(str(path), "series", "next", input="temp", whole=True))
    assert len(splits.train) == 16
    assert len(list(of_file(File(path), known))) == 20


@pytest.mark.slow
def test_the_forecaster_reads_an_array_as_one_series(tmp_path) -> None:
    values = np.random.default_rng(0).normal(size=(300, 3)).cumsum(0).astype(np.float32)
    path = tmp_path / "t.npz"
    np.savez(path, values=values)
    small = ["--units", 3, "--epochs", 1, "--window", 20]
    run = tmp_path / "run"
    trained = seqzoo("train", "forecaster", "--data", path, *small, "--run", run)
    assert trained.exit_code == 0, trained.output
    assert "'values' was read as one series of 300 steps with 3 values each" in trained.stdout
    answered = seqzoo("predict", run, "--input-file", path, "--json")
    assert answered.exit_code == 0 and len(answered.stdout.splitlines()) == 1
    np.savez(path, values=values[:, :2])
    refused = seqzoo("predict", run, "--input-file", path)
    assert refused.exit_code == 2 and len(refused.stderr.splitlines()) == 1
    assert "must have 3 numbers per step, as in training, got 300x2" in refused.stderr
    splits, _ = open_source(Source(str(path), "series", "next"))
    assert "read as 300 series of 2 steps (--whole reads one" in splits.description


def test_repeated_errors_are_reported_once(trained) -> None:
    lines = ["axyz1", "", "bzzy2", *[" "] * 21]
    answered = seqzoo("predict", trained / "run", stdin="\n".join(lines) + "\n")
    assert answered.exit_code == 2 and len(answered.stdout.splitlines()) == 2
    assert answered.stderr == (
        "Line 2 is empty; fill it in or leave it out.\n21 more lines had the same error as line 2: "
        f"{', '.join(map(str, range(4, 24)))}, ...\n"
    )


# Splits as they are published


def test_splits_may_be_kept_as_they_are(tmp_path) -> None:
    head = "text,label\n"
    train = write(tmp_path / "train.csv", head + "".join(f"{t},{item}\n" for t, item in ROWS))
    test = write(tmp_path / "test.csv", head + "text 2,bad\ntext 3,good\nother,bad\n")
    choices = {"validation": 0.0, "test": str(test)}
    splits, _ = open_source(csv_source(train, **choices))
    assert (len(splits.train), len(splits.test)) == (22, 3)
    assert "2 inputs in " in splits.description
    assert "(use `--duplicates keep` to keep them)" in splits.description
    splits, source = open_source(csv_source(train, **choices, duplicates="keep"))
    assert (len(splits.train), len(splits.test)) == (24, 3)
    assert (
        "2 inputs in " in splits.description and "also occur in other splits" in splits.description
    )
    assert Source(**source.to_config()) == source
    choices["test"] = str(train)
    with pytest.raises(SeqzooError, match="use `--duplicates keep` to keep them"):
        open_source(csv_source(train, **choices))

"""One text gets one answer, however it comes: typed, piped, in a file of any kind, from Python, or
asked of the exported model."""

import csv
import gzip
import io
import json
import pathlib
import unicodedata

import numpy as np
import pytest
import tensorflow as tf
from cli_cases import SMALL, seqzoo
from source_cases import write

from seqzoo.tasks.runs.run import Run

TEXTS = {
    "plain": "axyz1",
    "composed": "a café ÅÅ 대한민국",
    "decomposed": unicodedata.normalize("NFD", "a café ÅÅ 대한민국"),
    "spaces around": "  b xyz  ",
    "tabs": "a\tx\ty",
    "quotes": 'b "x", y\'s "z"',
    "delimiters": "a;x,y|z",
    "emoji": "b 🙂👩🏽‍🚀",
    "a separator of lines": "a x\u2028y\x85z\x0c1",
    "a dash": "-b xyz",
    "a mark within": "bx\ufeffyz",
}
"""Texts that are written on one line."""

INPUTS = list(TEXTS.values())


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> pathlib.Path:
    """A run of characters in their composed form, which all of the texts are made of."""
    folder = tmp_path_factory.mktemp("one-answer")
    texts = [*TEXTS.values(), "axyz", "bzyx", "ayxz 2", "bxzy 1", "azx", "byx"]
    rows = [{"text": text, "label": f"{text.strip(' -')[0]}-text"} for text in texts] * 2
    write(folder / "data.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    columns = ["--kind", "characters", "--input", "text", "--target", "label", "--nfc"]
    command = ["train", "many-to-one", "--data", folder / "data.jsonl", *columns, *SMALL]
    trained = seqzoo(*command, "--run", folder / "run", "--learning-rate", 0.05)
    assert trained.exit_code == 0, trained.output
    return folder / "run"


@pytest.fixture(scope="module")
def expected(run) -> list[tuple[str, float]]:
    answers = Run.open(run).predict(INPUTS)
    return [(answer.label, answer.probability or 0.0) for answer in answers]


def answered(run, *words: object, stdin: bytes | None = None) -> list[tuple[str, float]]:
    result = seqzoo("predict", run, "--format", "jsonl", *words, stdin=stdin)
    assert (result.exit_code, result.stderr) == (0, ""), result.stderr
    rows = [json.loads(line) for line in result.stdout.split("\n") if line]
    return [(row["answer"], row["probability"]) for row in rows]


def assert_same(found, expected) -> None:
    assert [label for label, _ in found] == [label for label, _ in expected]
    probabilities = [item for _, item in expected]
    assert [item for _, item in found] == pytest.approx(probabilities, abs=1e-5)


@pytest.mark.slow
def test_both_forms_of_a_text_are_one(expected) -> None:
    composed, decomposed = (INPUTS.index(TEXTS[form]) for form in ("composed", "decomposed"))
    assert TEXTS["composed"] != TEXTS["decomposed"]
    assert_same([expected[composed]], [expected[decomposed]])
    # Otherwise nothing below could fail.
    assert len({round(item, 5) for _, item in expected}) == len(expected) - 1


@pytest.mark.slow
def test_arguments_and_standard_input(run, expected) -> None:
    assert_same(answered(run, "--", *INPUTS), expected)
    for mark in ("", "\ufeff"):
        for end in ("\n", "\r\n"):
            lines = (mark + "".join(text + end for text in INPUTS)).encode()
            assert_same(answered(run, stdin=lines), expected)


def _csv(texts: list[str], delimiter: str = ",") -> str:
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter).writerows([["text", "n"], *((t, 1) for t in texts)])
    return file.getvalue()


FILES = {
    "t.txt": lambda texts: "".join(f"{text}\n" for text in texts),
    "t.csv": _csv,
    "t.jsonl": lambda texts: "".join(
        json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts
    ),
    "t.ndjson": lambda texts: "".join(json.dumps({"text": text}) + "\n" for text in texts),
}


@pytest.mark.quick_for("-True-t.csv", "-True-t.ndjson")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("mark, packed", [("", True), ("\ufeff", False)])
def test_files(run, expected, tmp_path, name, mark, packed) -> None:
    data = (mark + FILES[name](INPUTS)).encode()
    path = write(tmp_path / (name + ".gz" * packed), gzip.compress(data) if packed else data)
    column = [] if name == "t.txt" else ["--input", "text"]  # lines have no columns
    assert_same(answered(run, "--input-file", path, *column), expected)


def test_files_with_other_delimiters(run, expected, tmp_path) -> None:
    path = write(tmp_path / "t.csv", _csv(INPUTS, ";"))
    arguments = ["--input-file", path, "--input", "text", "--delimiter", ";"]
    assert_same(answered(run, *arguments), expected)
    # A tab cannot be written within a field of .tsv.
    kept = [index for index, text in enumerate(INPUTS) if "\t" not in text]
    rows = "".join(f"{INPUTS[index]}\t1\n" for index in kept)
    path = write(tmp_path / "t.tsv", "text\tn\n" + rows)
    arguments = ["--input-file", path, "--input", "text"]
    assert_same(answered(run, *arguments), [expected[index] for index in kept])


@pytest.mark.slow
def test_arrays(run, expected, tmp_path) -> None:
    np.savez(tmp_path / "t.npz", text=np.array(INPUTS))
    arguments = ["--input-file", tmp_path / "t.npz", "--input", "text"]
    assert_same(answered(run, *arguments), expected)
    np.savez(tmp_path / "b.npz", text=np.array([text.encode() for text in INPUTS]))
    arguments = ["--input-file", tmp_path / "b.npz", "--input", "text"]
    assert_same(answered(run, *arguments), expected)


@pytest.mark.slow
def test_the_exported_model(run, expected, tmp_path) -> None:
    Run.open(run).export(tmp_path / "exported", check=False)
    model = tf.saved_model.load(str(tmp_path / "exported")).signatures["serving_default"]
    for texts, item in ((INPUTS, expected), (INPUTS[2:3], expected[2:3])):
        result = model(tf.constant([text.encode() for text in texts]))
        labels = [label.decode() for label in result["label"].numpy()]
        probabilities = result["probabilities"].numpy().max(1)
        assert_same(list(zip(labels, probabilities, strict=True)), item)


@pytest.mark.slow
@pytest.mark.exhaustive  # one of the longest
def test_words_with_tags_in_every_form(tmp_path) -> None:
    sentence = "Ann\u0303a lives in Zu\u0308rich 🙂"
    words = sentence.split()
    rows = "".join(f"{word}\t{'P' if word[0].isupper() else 'O'}\n" for word in words)
    sentences = "".join(f"{rows}{'O' * (i + 1)}\tO\n\n" for i in range(12))
    data = write(tmp_path / "train.conll", sentences)
    columns = ["--kind", "words", "--target-kind", "tags", "--nfc", "--validation", 0, "--test", 0]
    command = ["train", "many-to-many-aligned", "--data", data, *columns, *SMALL]
    fast = ["--epochs", 40, "--learning-rate", 0.05]
    trained = seqzoo(*command, *fast, "--run", tmp_path / "run")
    assert trained.exit_code == 0, trained.output
    run, answers = tmp_path / "run", []
    for form in ("NFC", "NFD"):
        text = unicodedata.normalize(form, sentence)
        normalised = unicodedata.normalize(form, rows)
        answers += [
            answered(run, text),
            answered(run, stdin=b"\xef\xbb\xbf" + text.encode()),
            answered(run, "--input-file", write(tmp_path / "t.txt", "\ufeff" + text)),
            answered(run, "--input-file", write(tmp_path / "t.conll", "\ufeff" + normalised)),
        ]
        label = Run.open(run).predict([text])[0].value
        answers.append([(list(label), None)])
    assert [answer[0][0] for answer in answers] == [["P", "O", "O", "P", "O"]] * 10

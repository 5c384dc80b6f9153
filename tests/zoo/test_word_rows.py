"""Tables of one word per row: the rows of a sentence are one example; errors name the line."""

import json

import pytest
from cli_cases import seqzoo
from source_cases import inputs_of, open_source, write

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.open import open_examples
from seqzoo.zoo.data.prediction_inputs import File, of_file
from seqzoo.zoo.data.source import Source

HEADER = "Sentence #,Word,POS,Tag\n"
KAGGLE = HEADER + 'Sentence: 1,London,NNP,B-geo\n, is ,VBZ,O\n,",",",",O\nSentence: 2,Rain,NN,O\n'


def words_of(path, **choices) -> Source:
    choices = {"input": "Word", "target": "Tag", "sentence_column": "Sentence #", **choices}
    return Source(str(path), "words", "tags", **choices)


def test_rows_of_a_sentence_are_one_example(tmp_path) -> None:
    path = write(tmp_path / "ner.csv", KAGGLE)
    examples = open_examples(words_of(path), "all")
    assert examples.inputs == [("London", "is", ","), ("Rain",)]
    assert examples.targets == [("B-geo", "O", "O"), ("O",)]
    assert examples.lines == [2, 5]
    ids = [0, None, float("nan"), 1]
    rows = zip(ids, ["London", "is", ",", "Rain"], ["B-geo", "O", "O", "O"], strict=True)
    names = ("Sentence #", "Word", "Tag")
    lines = "\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in rows)
    same = open_examples(words_of(write(tmp_path / "ner.jsonl", lines)), "all")
    assert (same.inputs, same.targets) == (examples.inputs, examples.targets)


def test_splits_are_of_sentences(tmp_path) -> None:
    rows = "".join(f"{i // 3},word{i},X,{'AB'[i % 2]}\n" for i in range(60))
    splits, _ = open_source(words_of(write(tmp_path / "t.csv", HEADER + rows)))
    assert list(map(len, inputs_of(splits))) == [16, 2, 2]
    assert all(len(item) == 3 for part in inputs_of(splits) for item in part)


@pytest.mark.parametrize(
    "rows, message",
    [
        (
            ",a,X,O\n",
            "line 2 does not begin a sentence: 'Sentence #' is empty.",
        ),
        ("1,a,X,O\n,,X,O\n", "line 3 has no 'Word'."),
        ("1,a,X,O\n1,b,X, \n", "line 3 has no 'Tag'."),
        ("1,a,X,O\n2,b,X,O\n1,c,X,O\n", "line 4 has 'Sentence #' '1', as line 2 does; the rows of"),
    ],
)
def test_malformed_rows(tmp_path, rows, message) -> None:
    path = write(tmp_path / "t.csv", HEADER + rows)
    with pytest.raises(SeqzooError) as error:
        open_examples(words_of(path), "all")
    assert message in str(error.value)


def test_predictions_read_such_tables_and_others(tmp_path) -> None:
    source = words_of(tmp_path / "train.csv")
    broken = KAGGLE + ",,X,O\nSentence: 3,Sun,NN,O\n"
    results = list(of_file(File(write(tmp_path / "new.csv", broken)), source))
    assert [(item.number, item.field, item.wrong) for item in results] == [
        (2, ["London", "is", ","], None),
        (6, None, "has no 'Word'"),
        (7, ["Sun"], None),
    ]
    whole = File(write(tmp_path / "new.tsv", "Word\nLondon is wet\n"))
    assert [item.field for item in of_file(whole, source)] == ["London is wet"]
    lines = File(write(tmp_path / "new.txt", "London is wet\n"))
    assert [item.field for item in of_file(lines, source)] == ["London is wet"]
    named = File(whole.path, sentence_column="Sentence")
    with pytest.raises(SeqzooError, match="`sentence_column` must name a column"):
        list(of_file(named, source))


def test_other_kinds_and_files_have_no_such_column(tmp_path) -> None:
    with pytest.raises(SeqzooError, match="is for input 'words' and target 'tags'"):
        Source("t.csv", "words", sentence_column="s")
    with pytest.raises(SeqzooError, match="`sentence_column` is for tables, got"):
        open_examples(words_of(write(tmp_path / "t.conll", "a X\n")), "all")
    rows = "".join(f"{i // 3},word{i},X,{'AB'[i % 2]}\n" for i in range(60))
    path = write(tmp_path / "t.csv", HEADER + rows)
    columns = ("--input", "Word", "--target", "Tag", "--sentence-column", "Sentence #")
    result = seqzoo("check", path, *columns, "--no-timing")
    assert "2 different tags among 48" in result.output, result.output

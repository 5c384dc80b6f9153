"""CoNLL and CoNLL-U files: words and tags by column, and errors that name the line."""

import gzip
import pathlib
from dataclasses import replace

import pytest

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data import fields
from seqzoo.zoo.data.conll import read_conll
from seqzoo.zoo.data.prediction_inputs import File, of_file
from seqzoo.zoo.data.source import Source

UNIVERSAL = """# newdoc id = a
# text = It's\u00a0so.
1-2\tIt's\t_\t_\t_\t_\t_\t_\t_\t_
1\tIt\tit\tPRON\tPRP\t_\t2\tx\t_\t_
2\t's\tbe\tAUX\tVBZ\t_\t0\tx\t_\t_
2.1\tvery\tvery\tADV\tRB\t_\t_\t_\t2:x\t_
3\t20 000\tso\tNUM\tRB\t_\t2\tx\t_\t_

# text = #
1\t#\t#\tSYM\tNN\t_\t0\tx\t_\t_
"""


def _write(path: pathlib.Path, text: str) -> pathlib.Path:
    path.write_bytes(text.encode())
    return path


def test_conllu(tmp_path) -> None:
    path = _write(tmp_path / "a.conllu", UNIVERSAL)
    result = read_conll(path)
    assert result.sentences == [("It", "'s", "20 000"), ("#",)]
    assert result.tags == [("PRON", "AUX", "NUM"), ("SYM",)]
    assert result.lines == [4, 10]
    assert read_conll(path, "lemma", "xpos").tags == [("PRP", "VBZ", "RB"), ("NN",)]
    assert read_conll(path, 3, 5) == read_conll(path, "lemma", "xpos")
    packed = tmp_path / "a.conllu.gz"
    packed.write_bytes(gzip.compress(UNIVERSAL.replace("\n", "\r\n").encode()))
    assert read_conll(packed) == result


def test_conllu_plus(tmp_path) -> None:
    columns = "# global.columns = ID FORM UPOS PARSEME:MWE\n"
    rows = "# text = It's\n1-2\tIt's\t_\t*\n1\tIt\tPRON\t*\n2\t's\tAUX\t1:x\n"
    path = _write(tmp_path / "a.conllup", columns + rows)
    assert read_conll(path).tags == [("PRON", "AUX")]
    assert read_conll(path, None, "parseme:mwe").tags == [("*", "1:x")]
    with pytest.raises(SeqzooError, match="line 4: expected 4 fields separated by tabs, got 3"):
        read_conll(_write(tmp_path / "b.conllup", f"{columns}\n1\ta\tX\t*\n2\tb\tX\n"))
    with pytest.raises(SeqzooError, match="must begin with the line # global.columns ="):
        read_conll(_write(tmp_path / "c.conllup", rows))


def test_columns_by_number(tmp_path) -> None:
    text = "-DOCSTART- -X- O\n\nEU NNP B-ORG\n# is O\n\n# id 7 of 9\n\u2028 NN O\n \t\n"
    path = _write(tmp_path / "a.conll", "\ufeff" + text)
    result = read_conll(path, 1, -1)
    assert read_conll(path) == result
    assert result.sentences[0] == ("EU", "#")
    assert result.tags[0] == ("B-ORG", "O") and result.lines[0] == 3
    assert read_conll(path, "1", "2").tags[0] == ("NNP", "is")


@pytest.mark.parametrize("marker", ["-DOCSTART-", "-DOCSTART- -X- O O"])
def test_beginnings_of_documents_may_have_any_number_of_fields(tmp_path, marker) -> None:
    text = f"{marker}\n\nAnna B-PER\nran O\n\n{marker}\n\nhe O\n"
    result = read_conll(_write(tmp_path / "a.conll", text))
    assert result.sentences == [("Anna", "ran"), ("he",)]


def test_spaces_inside_fields_where_there_are_tabs(tmp_path) -> None:
    path = _write(tmp_path / "a.txt", "20 000\tNUM\n#\tSYM\n\t\n# a comment\nto  day\tNOUN")
    result = read_conll(path, 1, 2)
    assert result.sentences == [("20 000", "#"), ("to  day",)]
    assert result.lines == [1, 5]


@pytest.mark.parametrize("header", ["word pos ner\n", "# global.columns = WORD POS NER\n"])
def test_columns_by_name(tmp_path, header) -> None:
    path = _write(tmp_path / "a.conll", header + "a DT O\nb NN B\n\nc NN O\n")
    result = read_conll(path, "word", "ner")
    assert result.sentences == [("a", "b"), ("c",)] and result.tags == [("O", "B"), ("O",)]
    assert result.lines == [2, 5]


@pytest.mark.parametrize(
    "name, text, columns, message",
    [
        ("a.conll", "a O\nb\n", (1, 2), r"line 2: expected 2 fields, got 1\.$"),
        ("a.conll", "\xa0\na O\n", (1, 2), "line 2: expected 1 field, got 2"),
        ("a.conll", "a\tO\nb O\n", (1, 2), "line 2: expected 2 fields separated by tabs, got 1"),
        ("a.conll", "a\tO\n\nb\t\n", (1, 2), "line 3: field 2 is empty"),
        ("a.conll", "a O\n", (1, 3), "`target` must be from 1 to 2, .* got 3"),
        ("a.conll", "a O\n", (0, 2), "`input` must be from 1 to 2, .* got 0"),
        ("a.conll", "word tag\na O\n", ("word", "tags"), "`target` must name .*'tags'.*'tag'"),
        ("a.conll", "word tag\n", ("word", "tag"), "contains no sentences"),
        ("a.conll", "-DOCSTART- O\n\n", (1, 2), "contains no sentences"),
        ("a.conllu", "# text = a\n", ("form", "upos"), "contains no sentences"),
        (
            "a.conllu",
            "1\ta\tNOUN\n",
            ("form", "upos"),
            "line 1: expected 10 fields separated by tabs, got 3",
        ),
        ("a.conllu", UNIVERSAL, ("form", "uposs"), "`target` must name .*'uposs'.*'upos'"),
        ("a.conllu", UNIVERSAL.replace("1\tIt", "x\tIt"), (1, 2), "line 4: .*got 'x'"),
        ("a.conllu", "", ("form", "upos"), "is empty"),
    ],
)
def test_errors(tmp_path, name, text, columns, message) -> None:
    with pytest.raises(SeqzooError, match=message) as error:
        read_conll(_write(tmp_path / name, text), *columns)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_real_files(shared_data) -> None:
    trees = read_conll(shared_data / "ud_english_ewt" / "en_ewt-ud-train.conllu.gz")
    assert len(trees.sentences) == 12_544 and sum(map(len, trees.tags)) == 204_577
    assert len({tag for tags in trees.tags for tag in tags}) == 17
    entities = read_conll(shared_data / "wnut17" / "emerging.test.annotated", 1, 2)
    assert len(entities.sentences) == 1_287 and sum(map(len, entities.tags)) == 23_394
    assert sum(tag[0] == "B" for tags in entities.tags for tag in tags) == 1_079


def test_words_in_a_field_may_be_a_json_list() -> None:
    assert fields.words('["Anna", "New York"]') == ("Anna", "New York")
    for sentence in ("[CLS] Anna", "[1]", "[1, 2]", '["Yes" he said] Anna', "['tis so] Anna", "7"):
        assert fields.words(sentence) == tuple(sentence.split())
    with pytest.raises(SeqzooError, match="single quotes, as Python prints lists; write it with"):
        fields.words("['Anna', 'lives']")


def test_a_tagger_that_was_trained_on_a_txt_predicts_from_one(tmp_path) -> None:
    train = _write(tmp_path / "train.txt", "# one\nBern B\nis O\nhere O\n\nshe O\nknows O\n")
    source = Source(str(train), "words", "tags")
    for text, expected in (
        ("Anna NN B\nsleeps VB O\n\nBern NN B\n", [("Anna", "sleeps"), ("Bern",)]),
        ("Anna\nsleeps\n\nBern\n", [("Anna", "sleeps"), ("Bern",)]),
        (
            "# a comment here\nAnna B\nsleeps O\n\n# no. 2\nBern B\n",
            [("Anna", "sleeps"), ("Bern",)],
        ),
        ("Anna B\nsleeps O\n", [("Anna", "sleeps")]),
        ("Anna sleeps\nBern sings\n", ["Anna sleeps", "Bern sings"]),
        ("Anna sleeps .\nBern is a city .\n", ["Anna sleeps .", "Bern is a city ."]),
        ("Ada ran to\nBob ate to\n\n", ["Ada ran to", "Bob ate to", ""]),
        ("\nAnna sleeps\nBern sings\n", ["", "Anna sleeps", "Bern sings"]),
        ("Ada ran to\n\nBob ate to\n", ["Ada ran to", "", "Bob ate to"]),
        ("Anna B\nsleeps O\n\n", [("Anna", "sleeps")]),
    ):
        path = _write(tmp_path / "new.txt", text)
        found = [item.field for item in of_file(File(path), source)]
        assert [tuple(item) if isinstance(item, list) else item for item in found] == expected
    table = replace(source, data="train.csv")
    _write(path, "Anna\nsleeps\n\nBern\n")
    assert [item.field for item in of_file(File(path), table)] == ["Anna", "sleeps", "", "Bern"]

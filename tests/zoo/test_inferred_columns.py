"""The roles of columns that a check infers."""

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_check_cases import check, found, labelled_texts, write

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data_check.columns import guess

STREETS = ["Elm", "Oak", "Pine", "Park", "Main"]


GUESSED: dict[str, tuple[Any, dict]] = {
    "pairs of texts": (
        lambda n: {
            **{"id": n, "one": f"who is this {n % 3}", "two": f"who is {n}"},
            **{"length": 7 * n % 16 + 10, "same": n % 2},
        },
        {"input": "one", "target": "same", "target_kind": "class"},
    ),
    "translations with a licence": (
        lambda n: {
            "en": f"who is {n}?",
            "fr": f"qui est {n} ?",
            "licence": "CC-BY 2.0 (France) " * 3,
        },
        {"input": "en", "target": "fr", "target_kind": "words"},
    ),
    "texts with numbers of rows and users": (
        lambda n: {"": n, "tweet": f"it was number {n}", "user_id": 7 * n % 16},
        {"input": "tweet", "target": None, "target_kind": "next"},
    ),
    "normal forms": (
        lambda n: {
            "raw": f"{n % 4} {STREETS[n % 5]} st.".lower(),
            "normal": f"{STREETS[n % 5]} Street {n % 4}",
        },
        {"input": "raw", "target": "normal", "target_kind": "characters"},
    ),
    "several labels": (
        lambda n: {"text": f"a story {n}", "topics": ["sport; money", "money", "sport"][n % 3]},
        {"target": "topics", "target_kind": "labels", "separator": ";"},
    ),
    "numbered chapters": (
        lambda n: {"text": f"a story {n}", "chapter": f"{n % 3}.2.{n % 2}"},
        {"target": "chapter", "target_kind": "class"},
    ),
    "pairs of numbered labels": (
        lambda n: {"text": f"a story {n}", "labels": ["2,12", "3", "1,5", "12"][n % 4]},
        {"target": "labels", "target_kind": "labels", "separator": ","},
    ),
    "texts sorted by a number": (
        lambda n: {"comment": f"this is comment {n}", "likes": 3 * n + 1},
        {"input": "comment", "target": "likes", "target_kind": "value"},
    ),
    "texts sorted by a large number": (
        lambda n: {"comment": f"this is comment {n}", "population": 10**8 + 999 * n},
        {"input": "comment", "target": "population", "target_kind": "value"},
    ),
    "texts of one class": (
        lambda n: {"review": f"this is review {n}", "outcome": "pos"},
        {"input": "review", "target": "outcome", "target_kind": "class"},
    ),
    "texts of which one is a number": (
        lambda n: {"title": f"the book number {n}" if n else "1984", "genre": "ab"[n % 2]},
        {"input": "title", "target": "genre", "target_kind": "class"},
    ),
    "a tag per letter": (
        lambda n: {"sequence": f"AC{n:04b}", "sites": " ".join(f"IE{n:04b}".replace("1", "E"))},
        {"input": "sequence", "target": "sites", "target_kind": "tags", "kind": "characters"},
    ),
}


@pytest.mark.parametrize("row, expected", GUESSED.values(), ids=GUESSED)
def test_columns_are_inferred(tmp_path, row, expected) -> None:
    report = check(write(tmp_path / "data.csv", [row(number) for number in range(16)]))
    assert {name: getattr(report.source, name) for name in expected} == expected


@pytest.mark.parametrize(
    "kind, beginning",
    [
        *[("audio", item) for item in (b"RIFF\x24\0\0\0WAVE", b"fLaC", b"OggS", b"ID3")],
        *[("rows", item) for item in (b"\x89PNG", b"\xff\xd8\xff\xe0", b"GIF89a", b"BM")],
        ("rows", b"RIFF\x24\0\0\0WEBP"),
    ],
)
@pytest.mark.parametrize("with_path", [False, True])
def test_contents_of_files_are_recognised(tmp_path, kind, beginning, with_path) -> None:
    files: list[Any] = [beginning + bytes([n, 200]) for n in range(16)]
    if with_path:
        files = [{"bytes": file, "path": "a"} for file in files]
    table = pa.table({"file": files, "label": ["a", "b"] * 8})
    pq.write_table(table, tmp_path / "data.parquet")
    source = guess(str(tmp_path / "data.parquet"), {}).source
    assert (source.input, source.kind, source.target) == ("file", kind, "label")


def test_columns_that_are_no_targets_are_named(tmp_path) -> None:
    rows = [{"text": f"a story {n}", "row": n, "user_id": 7 * n % 16} for n in range(16)]
    report = check(write(tmp_path / "data.csv", rows))
    assert report.source.target_kind == "next"
    finding = found(report, "columns", "2 columns ('row', 'user_id') are not taken for the target")
    assert finding.state == "ok" and finding.values == {"columns": ["row", "user_id"]}
    times = [{"text": f"a story {n}", "time": 1_700_000_000 + n % 6} for n in range(16)]
    finding = found(check(write(tmp_path / "times.csv", times)), "columns", "column 'time' is not")
    assert "its values are constant, are times, or identify rows" in finding.message
    report = check(write(tmp_path / "data.csv", rows), target="row")
    assert not [item for item in report.findings if item.subject == "columns"]
    report = check(write(tmp_path / "two.csv", [{"text": f"story {n}", "n": n} for n in (1, 2)]))
    assert (report.source.target, report.source.target_kind) == ("n", "value")


def test_decimal_commas_do_not_separate_labels(tmp_path) -> None:
    rows = [{"text": f"a story {n}", "score": f"{n % 3},{n % 5}"} for n in range(16)]
    with pytest.raises(SeqzooError, match=r"'score' must contain numbers.* decimal point, 0\.0"):
        check(write(tmp_path / "data.csv", rows))


def test_a_mistake_among_decimal_commas_does_not_make_them_labels(tmp_path) -> None:
    scores = [f"{n % 7},{n % 5}" if n != 9 else "x" for n in range(40)]
    rows = [{"text": f"a story {n}", "score": score} for n, score in enumerate(scores)]
    assert guess(write(tmp_path / "data.csv", rows), {}).guessed["target_kind"] == "value"


def test_lists_of_numbers_are_no_mistakes_among_decimal_commas(tmp_path) -> None:
    targets = [
        str(n % 9) if n < 60 else f"{n % 9},{n % 5}" if n < 96 else "1,2,3" for n in range(100)
    ]
    rows = [{"text": f"a story {n}", "target": target} for n, target in enumerate(targets)]
    inferred = guess(write(tmp_path / "data.csv", rows), {}).guessed
    assert (inferred["target_kind"], inferred["separator"]) == ("labels", ",")


def test_units_below_the_header_are_reported(tmp_path) -> None:
    path = tmp_path / "weather.csv"
    rows = [f"{day:02}.01.2024 00:00;{day},12;10{day:02},2" for day in range(1, 32)]

    def write_rows(second: str) -> None:
        path.write_text("\n".join(["Zeit;Temperatur;Druck", second, *rows]), encoding="utf-8")

    for second, shown in (
        ("[dd.mm.yyyy hh:mm];[°C];[hPa]", r"'\[dd.mm.yyyy hh:mm\]', '\[°C\]', '\[hPa\]' are"),
        (";;hPa", "'hPa' is"),
    ):
        write_rows(second)
        with pytest.raises(SeqzooError, match=f"line 2: {shown} followed .* delete this line"):
            check(str(path), delimiter=";")
    for second in ("31.12.2023 00:00;NA;-", "31.12.2023 00:00;[°C];[hPa]"):  # a row with mistakes
        write_rows(second)
        assert guess(str(path), {"delimiter": ";"}).guessed["date_column"] == "Zeit"


@pytest.mark.parametrize(
    "points, weight, is_header",
    [("pts", "kg", True), ("tbd", "..", False), ("soon", "soon", False)],
)
def test_fields_without_numbers_are_a_header_only_in_columns_with_a_role(
    tmp_path, points: str, weight: str, is_header: bool
) -> None:
    rows = [
        {"review": f"a story {n}", "points": n, "weight": n % 7, "label": "ab"[n % 2]}
        for n in range(40)
    ]
    rows[0] |= {"points": points, "weight": weight}
    path = write(tmp_path / "games.csv", rows)
    assert guess(path, {"input": "review"}).guessed["target"] == "label"
    if is_header:
        with pytest.raises(SeqzooError, match="line 2: 'pts', 'kg' are followed almost only by"):
            guess(path, {"target": "points"})
    else:
        assert guess(path, {"target": "points"}).guessed["target_kind"] == "value"


def test_a_column_of_splits_is_no_target(tmp_path) -> None:
    rows = [
        {
            "text": f"words {number}",
            "mood": "ab"[number % 2],
            "part": ("train", "Test")[number % 3 > 1],
        }
        for number in range(30)
    ]
    report = check(write(tmp_path / "data.csv", rows))
    assert report.guessed == {
        **{"input": "text", "kind": "characters", "target": "mood", "target_kind": "class"},
        "split_column": "part",
    }
    assert "10 test examples" in found(report, "rows", "test examples").message
    named = [{"text": row["text"], "split": "train"} for row in rows]
    report = check(write(tmp_path / "named.csv", named))
    assert report.guessed["split_column"] == "split" and "target" not in report.guessed
    assert check(write(tmp_path / "named.csv", named), target="split").source.target == "split"
    part = [{**row, "part": "x", "split": "test"} for row in rows]
    report = check(write(tmp_path / "part.csv", part))
    assert report.guessed["target"] == "mood" and "split_column" not in report.guessed


def test_columns_of_steps_are_told_how_to_name_them(tmp_path) -> None:
    rows = [{f"V{step}": step * n % 7 for step in range(12)} for n in range(20)]
    with pytest.raises(SeqzooError, match=r"If the 12 columns .* --kind series --input 'V\*'"):
        check(write(tmp_path / "t.csv", rows))
    lines = [
        "\t".join([str(n % 2), *(f"{step / 17 + n / 99:.3f}" for step in range(12))])
        for n in range(20)
    ]
    (tmp_path / "t.tsv").write_text("\n".join(lines))
    with pytest.raises(
        SeqzooError, match=r"--columns 'label,\*' --kind series --input '\*' --target"
    ):
        check(str(tmp_path / "t.tsv"))


def test_tags_are_recognised(tmp_path) -> None:
    path = tmp_path / "data.conll"
    path.write_text("".join(f"the DET\ncat{n} NOUN\nsat VERB\n\n" for n in range(30)))
    report = check(str(path))
    assert report.suggestion is not None
    assert report.suggestion.template == "many-to-many-aligned"
    assert "3 different tags" in found(report, "labels", "most frequent").message


@pytest.mark.parametrize("first_only", [True, False])
def test_one_word_per_row_is_recognised(tmp_path, first_only: bool) -> None:
    words = [("the", "DET"), ("cat", "NOUN"), ("sat", "VERB")]
    rows = [
        {
            "Sentence #": "" if first_only and place else f"s{n}",
            "Word": f"{word}{n % 5}",
            "Tag": tag,
        }
        for n in range(30)
        for place, (word, tag) in enumerate(words)
    ]
    report = check(write(tmp_path / "t.csv", rows))
    assert not report.broken and report.guessed["sentence_column"] == "Sentence #"
    assert report.guessed["input"] == "Word"
    assert report.suggestion is not None and "--sentence-column 'Sentence #'" in (
        report.suggestion.command
    )
    names = {"Sentence #": "sentence_id", "Word": "words", "Tag": "labels"}
    renamed = [{names[name]: item for name, item in row.items()} for row in rows]
    assert check(write(tmp_path / "r.csv", renamed)).guessed["input"] == "words"
    # Sentences of one row each are texts.
    texts = [{"sentence": n, "text": f"cat{n}", "label": "ab"[n % 2]} for n in range(60)]
    assert "sentence_column" not in check(write(tmp_path / "s.csv", texts)).guessed


@pytest.mark.parametrize(
    "options",
    [
        {"input": "text", "target": "text"},
        {"input": "text,text", "target": "label"},
        {"input": "text", "target": "label", "static_columns": ["label"]},
        {"input": "text", "target": "label", "split_column": "label"},
    ],
)
def test_a_column_with_two_roles_is_an_error(tmp_path, options: dict) -> None:
    path = write(tmp_path / "t.csv", labelled_texts())
    with pytest.raises(SeqzooError, match="Each column can have only one role, but '(text|label)'"):
        check(path, **options)


@pytest.mark.parametrize(
    "input_column, column, number, target_kind",
    [
        ("tokens", "tags", False, "tags"),
        ("tokens", "ner_tags", True, "tags"),
        ("text", "themes", False, "labels"),
    ],
)
def test_lists_are_words_tags_or_labels(
    tmp_path, input_column: str, column: str, number: bool, target_kind: str
) -> None:
    rows = []
    for id_, row in enumerate(labelled_texts()):
        words = row["text"].split()
        tags = [len(word) if number else f"T{len(word)}" for word in words]
        if target_kind == "labels":
            tags = sorted(set(tags))
        given = words if input_column == "tokens" else row["text"]
        rows.append({"id": id_, input_column: given, column: tags})
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = check(str(path))
    assert not report.broken and report.guessed == {
        "input": input_column,
        "kind": "words",
        "target": column,
        "target_kind": target_kind,
    }

"""Checks of data before training: each planted fault is found and reported with its location."""

import csv
import datetime
import json
import pathlib
import random
import shlex
from typing import Any

import numpy as np
import pytest
from cli_cases import seqzoo

import seqzoo.zoo as zoo
from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.splits import letters_of
from seqzoo.zoo.data_check.check import DataReport
from seqzoo.zoo.data_check.columns import guess, is_number
from seqzoo.zoo.data_check.report import write_page
from seqzoo.zoo.finding import Finding

WORDS = "red green blue cold warm dark light soft hard round flat long short old new".split()


def _table(path: pathlib.Path, rows: list[dict]) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def _rows(count: int = 60) -> list[dict]:
    draw = random.Random(0)
    rows = []
    for number in range(count):
        words = draw.choices(WORDS, k=6)
        rows.append({"text": " ".join([*words, str(number)]), "label": ("up", "down")[number % 2]})
    return rows


def _check(path: str, **fields) -> DataReport:
    return zoo.check(path, timing=False, **fields)


def _found(report: DataReport, subject: str, part: str) -> Finding:
    matching = [
        finding
        for finding in report.findings
        if finding.subject == subject and part in finding.message
    ]
    assert len(matching) == 1, [(finding.subject, finding.message) for finding in report.findings]
    return matching[0]


def test_clean_data_are_described_and_a_training_is_suggested(tmp_path) -> None:
    report = _check(_table(tmp_path / "a b.csv", _rows()))
    assert report.guessed == {
        "input": "text",
        "kind": "words",
        "target": "label",
        "target_kind": "class",
    }
    assert not report.broken
    assert {finding.state for finding in report.findings if finding.subject == "labels"} == {"ok"}
    assert _found(report, "rows", "48 training examples").values["test"] == 6
    lengths = _found(report, "lengths", "words").values
    assert (lengths["minimum"], lengths["median"], lengths["maximum"]) == (7, 7, 7)
    assert report.suggestion is not None and report.suggestion.template == "many-to-one"
    assert "--kind words" in report.suggestion.command
    assert f"--data '{tmp_path}/a b.csv'" in report.suggestion.command


@pytest.mark.slow
def test_the_suggested_command_trains(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    report = zoo.check(_table(tmp_path / "data.csv", _rows()))
    assert report.suggestion is not None
    assert 0 < (report.suggestion.epoch_seconds or 0) < 60
    words = shlex.split(report.suggestion.command)
    result = seqzoo(*words[words.index("train") :], "--epochs", "1", "--units", "4", "--quiet")
    assert result.exit_code == 0, result.stderr


def test_all_malformed_rows_are_reported(tmp_path) -> None:
    rows = _rows()
    rows[3]["text"] = rows[10]["text"] = ""
    rows[20]["label"] = " "
    report = _check(_table(tmp_path / "data.csv", rows))
    assert report.broken and report.suggestion is None
    finding = _found(report, "rows", "'text' is empty")
    assert finding.state == "broken" and finding.values["lines"] == [5, 12]
    assert _found(report, "rows", "'label' is empty").values["lines"] == [22]
    # The others are still examined.
    assert _found(report, "rows", "45 training examples")


def test_equal_inputs_and_contradictions(tmp_path) -> None:
    rows = _rows()
    rows.append({"text": rows[0]["text"], "label": "down"})
    rows.append(rows[1])
    report = _check(_table(tmp_path / "data.csv", rows))
    finding = _found(report, "labels", "different targets")
    assert "line 2 and line 62" in finding.message and finding.values["examples"] == 2
    duplicates = [item for item in report.findings if item.subject == "duplicates"]
    assert sum(duplicate.values["repeated"] for duplicate in duplicates) == 2


def test_leaks_between_splits(tmp_path) -> None:
    rows = _rows()
    train, test = rows[:50], rows[50:]
    test += [rows[0], {"text": rows[1]["text"].upper() + " !", "label": "down"}]
    report = _check(_table(tmp_path / "train.csv", train), test=_table(tmp_path / "test.csv", test))
    assert _found(report, "leaks", "also occurs in test").values["inputs"] == 1
    assert _found(report, "leaks", "case, spaces or punctuation").values["texts"] == 1


def test_labels_are_counted_and_compared(tmp_path) -> None:
    rows = _rows(100)
    for number, row in enumerate(rows):
        row["label"] = "Down " if number == 7 else "down" if number % 20 else "up"
    rows[0]["label"] = rows[20]["label"] = "Up"
    path = _table(tmp_path / "data.csv", rows)
    report = _check(path)
    spellings = _found(report, "labels", "several ways").values["spellings"]
    assert sorted(map(sorted, spellings)) == [["Down", "down"], ["Up", "up"]]
    assert "Up" in _found(report, "labels", "fewer than 5").values["rare"]
    balance = _found(report, "labels", "predicting the most frequent one")
    assert balance.state == "note" and balance.values["baseline"] > 0.9


def test_held_out_labels_that_training_lacks(tmp_path) -> None:
    rows = _rows()
    test = [{"text": "a new thing", "label": "sideways"}]
    report = _check(_table(tmp_path / "data.csv", rows), test=_table(tmp_path / "t.csv", test))
    assert report.broken
    assert "'sideways' (line 2)" in _found(report, "labels", "does not occur").message


def test_columns_that_leak_the_label(tmp_path) -> None:
    rows = _rows()
    for number, row in enumerate(rows):
        row |= {"code": number % 2, "id": number, "noise": number % 3}
    rows[1]["noise"] = 2
    report = _check(_table(tmp_path / "data.csv", rows))
    leaks = [
        finding.values.get("columns") for finding in report.findings if finding.subject == "leaks"
    ]
    assert leaks == [["code"]]
    for row in rows:
        row["text"] += f" {row['label']}"
    report = _check(_table(tmp_path / "told.csv", rows))
    assert _found(report, "leaks", "their own label").values["share"] == 1


def test_columns_that_leak_the_target_are_one_finding(tmp_path) -> None:
    rows = [
        {"text": f"a story {n}", "y": n % 7 / 2, "code": f"c{n % 7}", "key": f"k{n % 7}"}
        | {f"V{k}": k * (n % 7) for k in range(1, 9)}
        for n in range(60)
    ]
    report = _check(_table(tmp_path / "data.csv", rows), input="text", target="y")
    scaled = _found(report, "leaks", "8 columns ('V1', 'V2', 'V3', 'V4', 'V5', ...) are the target")
    assert scaled.values["columns"][-1] == "V8" and scaled.fix.startswith("leave them out")
    pure = _found(report, "leaks", "2 columns ('code', 'key') in at least 100.0% of rows")
    assert pure.values["shares"] == {"code": 1.0, "key": 1.0}


def test_encodings_and_markup(tmp_path) -> None:
    rows = _rows()
    rows[2]["text"] += " caf\u00c3\u00a9"
    rows[4]["text"] += " \ufffd"
    rows[6]["text"] += " <br>"
    rows[8]["text"] += " e\u0301"
    rows[12]["text"] += " \u0430\u0431\u0432"
    report = _check(_table(tmp_path / "data.csv", rows), validation=0, test=0)
    for part in ("U+FFFD", "another encoding", "markup", "composed form"):
        assert _found(report, "characters", part).values["texts"] == 1, part
    scripts = _found(report, "characters", "distinct").values["scripts"]
    assert scripts["Cyrillic"] == 3 and max(scripts, key=scripts.get) == "Latin"


def test_labels_that_do_not_occur_in_test_are_listed(tmp_path) -> None:
    rows = [(f"text {n} of many", "abc"[n % 3 if n < 40 else 0], n) for n in range(60)]
    lines = [f"{text},{label},{'train' if n < 40 else 'test'}" for text, label, n in rows]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["text,label,split", *lines]))
    findings = _check(str(path)).findings
    (finding,) = [item for item in findings if "untested" in item.values]
    assert finding.message == "2 of 3 do not occur in test: b, c"


def test_unknown_words_of_held_out_texts(tmp_path) -> None:
    rows = [{"text": "red blue", "label": str(number % 2)} for number in range(20)]
    for number, row in enumerate(rows):
        row["text"] = ("red blue green", "green red blue", "blue blue red")[number % 3]
    test = [{"text": "red blue purple pink", "label": "0"}]
    report = _check(
        _table(tmp_path / "data.csv", rows),
        kind="words",
        target_kind="class",
        input="text",
        target="label",
        validation=0,
        test=_table(tmp_path / "t.csv", test),
        duplicates="keep",
    )
    assert _found(report, "vocabulary", "50.00% of the words in test are").values == {
        "shares": {"test": 0.5}
    }


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
    report = _check(_table(tmp_path / "data.csv", [row(number) for number in range(16)]))
    assert {name: getattr(report.source, name) for name in expected} == expected


def test_columns_that_are_no_targets_are_named(tmp_path) -> None:
    rows = [{"text": f"a story {n}", "row": n, "user_id": 7 * n % 16} for n in range(16)]
    report = _check(_table(tmp_path / "data.csv", rows))
    assert report.source.target_kind == "next"
    finding = _found(report, "columns", "2 columns ('row', 'user_id') are not taken for the target")
    assert finding.state == "ok" and finding.values == {"columns": ["row", "user_id"]}
    report = _check(_table(tmp_path / "data.csv", rows), target="row")
    assert not [item for item in report.findings if item.subject == "columns"]
    report = _check(_table(tmp_path / "two.csv", [{"text": f"story {n}", "n": n} for n in (1, 2)]))
    assert (report.source.target, report.source.target_kind) == ("n", "value")


def test_decimal_commas_do_not_separate_labels(tmp_path) -> None:
    rows = [{"text": f"a story {n}", "score": f"{n % 3},{n % 5}"} for n in range(16)]
    with pytest.raises(SeqzooError, match=r"'score' must contain numbers.* decimal point, 0\.0"):
        _check(_table(tmp_path / "data.csv", rows))


def test_targets_that_do_not_fit_their_inputs(tmp_path) -> None:
    rows = [{"text": "ACGTA"[n % 3 :], "tags": "IEIEI"[n % 3 :]} for n in range(20)]
    report = _check(
        _table(tmp_path / "data.csv", rows),
        kind="characters",
        input="text",
        target="tags",
        target_kind="tags",
    )
    finding = _found(report, "targets", "There must be one tag per step, but line ")
    assert finding.state == "broken" and "separate the tags by spaces" in finding.message
    assert report.suggestion is None


def test_inputs_that_do_not_fit_together(tmp_path) -> None:
    rows = [{"x": "[[1, 2]]" if n else "[[1, 2, 3]]", "y": n % 2} for n in range(20)]
    path = _table(tmp_path / "data.csv", rows)
    report = _check(path, kind="series", input="x", target="y", target_kind="class")
    assert _found(report, "inputs", "has 2 numbers per step, expected 3").state == "broken"
    result = seqzoo("check", path, "--kind", "series", "--input", "x", "--target", "y")
    assert result.exit_code == 1 and "BROKEN  inputs: " in result.output


def test_numbers_that_stand_out(tmp_path) -> None:
    draw = np.random.default_rng(0)
    rows = [
        {"series": " ".join(f"{item:.3f}" for item in draw.normal(size=5)), "y": f"{number}.5"}
        for number in range(40)
    ]
    rows[3]["series"] = "-999 0 0 0 0"
    rows[5]["series"] = "2 2 2 2 2"
    rows[7]["y"] = "100000"
    report = _check(_table(tmp_path / "data.csv", rows), validation=0, test=0)
    assert report.source.kind == "series" and report.source.target_kind == "value"
    assert "-999" in _found(report, "numbers", "interquartile").message
    assert "line 7" in _found(report, "numbers", "constant").message
    assert "line 9" in _found(report, "targets", "interquartile").message


def test_a_column_of_splits_is_no_target(tmp_path) -> None:
    rows = [
        {
            "text": f"words {number}",
            "mood": "ab"[number % 2],
            "part": ("train", "Test")[number % 3 > 1],
        }
        for number in range(30)
    ]
    report = _check(_table(tmp_path / "data.csv", rows))
    assert report.guessed == {
        **{"input": "text", "kind": "characters", "target": "mood", "target_kind": "class"},
        "split_column": "part",
    }
    assert "10 test examples" in _found(report, "rows", "test examples").message
    named = [{"text": row["text"], "split": "train"} for row in rows]
    report = _check(_table(tmp_path / "named.csv", named))
    assert report.guessed["split_column"] == "split" and "target" not in report.guessed
    assert _check(_table(tmp_path / "named.csv", named), target="split").source.target == "split"
    part = [{**row, "part": "x", "split": "test"} for row in rows]
    report = _check(_table(tmp_path / "part.csv", part))
    assert report.guessed["target"] == "mood" and "split_column" not in report.guessed


def test_empty_lines_of_a_text_are_left_out_as_in_training(tmp_path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("\n\n".join(f"line {number}" for number in range(20)))
    report = _check(path, kind="characters", target_kind="next")
    assert "16 training examples" in _found(report, "rows", "training examples").message
    with pytest.raises(SeqzooError, match="`target` names a column, and .* has none"):
        _check(path, kind="characters", target_kind="next", target="x")


def test_dates_out_of_order(tmp_path) -> None:
    rows = [{"date": f"2020-01-{day:02}", "value": day} for day in range(1, 29)]
    rows[4], rows[9] = rows[9], rows[4]
    del rows[15]
    path = _table(tmp_path / "data.csv", rows)
    report = _check(path, kind="series", input="value", target_kind="next", whole=True)
    finding = _found(report, "dates", "from 2020-01-01")
    assert finding.values["backwards"] == 2 and "1 gap where" in finding.message


def _shops() -> list[dict]:
    """Rows of two series: one value is far too large, one step is missing, two rows are swapped."""
    rows = []
    for shop, scale in (("a", 1), ("b", 50)):
        for day in range(60):
            date = datetime.date(2024, 1, 1) + datetime.timedelta(day)
            sold = scale * (day % 7 + 1)
            rows.append({"day": f"{date:%d.%m.%Y}", "shop": shop, "sold": sold, "price": 2 * sold})
    rows[10]["sold"] = 9999
    rows[20], rows[30] = rows[30], rows[20]
    del rows[40]
    return rows


def test_a_table_with_dates_is_checked_as_a_forecast(tmp_path) -> None:
    path = _table(tmp_path / "data.csv", _shops())
    report = _check(path, target="sold", known_columns=["price"])
    assert report.guessed == {
        "kind": "history",
        "target_kind": "horizon",
        "date_column": "day",
        "series_column": "shop",
    }
    rows = _found(report, "rows", "2 series of 60 steps, one per day, from 2024-01-01 to")
    assert rows.values["targets"] == ["sold"]
    assert _found(report, "dates", "earlier than the previous row").values["backwards"] == 2
    assert "1 after 2024-02-09" in _found(report, "gaps", "Missing steps").message
    assert "9999 on 2024-01-11 of series 'a'" in _found(report, "numbers", "quartile").message
    assert not [item for item in report.findings if item.subject == "leaks"]  # but for the outlier
    suggestion = report.suggestion
    assert suggestion is not None and suggestion.template == "forecast"
    # The test split has six steps.
    for words in ("--date-column day --series-column shop", "--horizon 6 --look-back 24"):
        assert words in suggestion.command
    assert "--target sold --known-columns price" in suggestion.command


def test_splits_of_a_table_with_dates_are_not_those_of_a_forecast(tmp_path) -> None:
    rows = [{"split": "train", "date": f"2020-01-{day:02}", "value": day} for day in range(1, 31)]
    report = _check(_table(tmp_path / "data.csv", rows))
    assert report.guessed == {"kind": "history", "target_kind": "horizon", "date_column": "date"}
    assert report.suggestion is not None and report.suggestion.template == "forecast"


def test_mistakes_in_tables_with_dates_are_found(tmp_path) -> None:
    rows = _shops()
    rows[10]["sold"] = rows[10]["price"] / 2
    report = _check(_table(tmp_path / "a.csv", rows), target="sold", known_columns=["price"])
    assert "correlation is 1.0000" in _found(report, "leaks", "'price' gives 'sold' away").message
    for row in rows:
        row |= {"sold": 3, "price": 1}
    report = _check(_table(tmp_path / "b.csv", rows), target="sold", past_columns=["price"])
    assert _found(report, "numbers", "'sold' is constant in 2 of 2 series ('a', 'b')")
    assert _found(report, "covariates", "'price' is constant")
    rows[5]["day"] = rows[6]["day"]
    report = _check(_table(tmp_path / "c.csv", rows), series_column="shop")
    assert report.broken and report.suggestion is None
    assert "line 8: the date 2024-01-07" in _found(report, "dates", "already in line 7").message
    assert _found(report, "dates", "1 row repeats a date of the same series").state == "broken"


def test_many_numbered_series_are_found(tmp_path) -> None:
    rows = [
        {"date": f"2024-01-{day:02}", "count": 100 * day + n, "device": n, "heat": n * day / 7}
        for day in range(1, 10)
        for n in range(40)
    ]
    assert _check(_table(tmp_path / "t.csv", rows)).guessed["series_column"] == "device"
    # One series, one of whose dates occurs twice.
    rows = [{"date": f"{2000 + n // 12}-{n % 12 + 1:02}", "count": n % 40} for n in range(120)]
    rows.append({"date": rows[0]["date"], "count": 7})
    assert "series_column" not in _check(_table(tmp_path / "u.csv", rows)).guessed


@pytest.mark.parametrize(
    "symbols, times, columns",
    [
        ("ABC", ["09:30"] * 3, ("date", "symbol")),
        ("ABC", ["09:30", "08:00", "09:30"], ("date", "symbol")),
        ("123", ["09:30", "08:00", "09:30"], ("date", "symbol")),
        ("AAA", ["08:00", "09:30", "10:00"], ("date,opening", None)),
        ("ABB", ["08:00", "08:00", "09:30"], ("date,opening", None)),
    ],
)
def test_a_time_that_only_describes_a_row_is_no_part_of_its_date(
    tmp_path, symbols: str, times: list[str], columns: tuple
) -> None:
    rows = [
        {"date": f"2024-01-{day:02}", "symbol": symbol, "opening": time, "price": day * 1.5 + row}
        for day in range(1, 29)
        for row, (symbol, time) in enumerate(zip(symbols, times, strict=True))
    ]
    source = guess(_table(tmp_path / "t.csv", rows), {}).source
    assert source.date_column == columns[0]
    assert columns[1] is None or source.series_column == columns[1]


@pytest.mark.parametrize(
    "text, column",
    [
        ("Month,Passengers\n1949-01,112\n1949-02,118\n1949-03,132\n1949-04,129\n", "Month"),
        ("wert;tag\n1,5;31.12.2020\n2,5;01.01.2021\n2,5;02.01.2021\n1;03.01.2021\n", "tag"),
        (
            "Date,High,Close,Volume,Change\n"
            '"Jan 01, 2019",1,$9.81,"1,234,567",-0.5%\n"Jan 02, 2019",2,$9.85,"1,034,567",1.2%\n'
            '"Jan 03, 2019",4,$9.70,"2,234,500",0.1%\n"Jan 04, 2019",2,$9.70,"2,000,500",0.4%\n',
            "Date",
        ),
        ("t,value\n1467331200,1\n1467331260,2\n1467331320,4\n1467331380,2\n", None),
        ("Year,Level\n2001,1\n2002,2\n2003,4\n2004,2\n", "Year"),
        ("year,month,value\n2001,1,1\n2001,2,2\n2001,3,4\n2001,4,2\n", "year,month"),
        ("number,value\n2001,1\n2002,2\n2003,4\n2004,2\n", None),
    ],
)
def test_dates_are_recognised_in_any_form(tmp_path, text: str, column: str | None) -> None:
    (tmp_path / "t.csv").write_text(text)
    delimiter = {"delimiter": ";"} if ";" in text else {}
    if column is None:  # they could be any numbers
        with pytest.raises(SeqzooError, match="cannot be inferred"):
            _check(str(tmp_path / "t.csv"), **delimiter)
        return
    report = _check(str(tmp_path / "t.csv"), validation=0, test=1, **delimiter)
    assert report.guessed["date_column"] == column and not report.broken


def test_columns_of_steps_are_told_how_to_name_them(tmp_path) -> None:
    rows = [{f"V{step}": step * n % 7 for step in range(12)} for n in range(20)]
    with pytest.raises(SeqzooError, match=r"If the 12 columns .* --kind series --input 'V\*'"):
        _check(_table(tmp_path / "t.csv", rows))
    lines = [
        "\t".join([str(n % 2), *(f"{step / 17 + n / 99:.3f}" for step in range(12))])
        for n in range(20)
    ]
    (tmp_path / "t.tsv").write_text("\n".join(lines))
    with pytest.raises(
        SeqzooError, match=r"--columns 'label,\*' --kind series --input '\*' --target"
    ):
        _check(str(tmp_path / "t.tsv"))


def test_tags_are_recognised(tmp_path) -> None:
    path = tmp_path / "data.conll"
    path.write_text("".join(f"the DET\ncat{n} NOUN\nsat VERB\n\n" for n in range(30)))
    report = _check(str(path))
    assert report.suggestion is not None
    assert report.suggestion.template == "many-to-many-aligned"
    assert "3 different tags" in _found(report, "labels", "most frequent").message


def test_dates_whose_day_and_month_are_not_clear_are_dates(tmp_path) -> None:
    rows = [{"day": f"{day:02}/02/2020", "value": day} for day in (1, 3, 4, 8, 9, 11)]
    report = _check(_table(tmp_path / "t.csv", rows))
    assert report.guessed["date_column"] == "day" and report.broken
    assert _found(report, "dates", "set its format with --date-format")


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
    report = _check(_table(tmp_path / "t.csv", rows))
    assert not report.broken and report.guessed["sentence_column"] == "Sentence #"
    assert report.guessed["input"] == "Word"
    assert report.suggestion is not None and "--sentence-column 'Sentence #'" in (
        report.suggestion.command
    )
    names = {"Sentence #": "sentence_id", "Word": "words", "Tag": "labels"}
    renamed = [{names[name]: item for name, item in row.items()} for row in rows]
    assert _check(_table(tmp_path / "r.csv", renamed)).guessed["input"] == "words"
    # Sentences of one row each are texts.
    texts = [{"sentence": n, "text": f"cat{n}", "label": "ab"[n % 2]} for n in range(60)]
    assert "sentence_column" not in _check(_table(tmp_path / "s.csv", texts)).guessed


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
    path = _table(tmp_path / "t.csv", _rows())
    with pytest.raises(SeqzooError, match="Each column can have only one role, but '(text|label)'"):
        _check(path, **options)


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
    for id_, row in enumerate(_rows()):
        words = row["text"].split()
        tags = [len(word) if number else f"T{len(word)}" for word in words]
        if target_kind == "labels":
            tags = sorted(set(tags))
        given = words if input_column == "tokens" else row["text"]
        rows.append({"id": id_, input_column: given, column: tags})
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = _check(str(path))
    assert not report.broken and report.guessed == {
        "input": input_column,
        "kind": "words",
        "target": column,
        "target_kind": target_kind,
    }


def test_the_reason_why_no_row_can_be_read_is_given(tmp_path) -> None:
    text = "text,label\n" + "".join(f"café {n},{n % 2}\n" for n in range(60))
    (tmp_path / "latin.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(SeqzooError, match=r"no rows .* \(text, label\): line 2 is not UTF-8"):
        _check(str(tmp_path / "latin.csv"))
    (tmp_path / "ragged.csv").write_text(text.replace("café", "tea, coffee"))
    with pytest.raises(SeqzooError, match="line 2 has 3 fields, expected 2"):
        _check(str(tmp_path / "ragged.csv"))


def test_an_unknown_field_is_named(tmp_path) -> None:
    with pytest.raises(SeqzooError, match="got 'inptu'; did you mean 'input'?"):
        _check(_table(tmp_path / "data.csv", _rows()), inptu="text")


def test_a_preset(tmp_path) -> None:
    with pytest.raises(SeqzooError, match="upos-tagger needs your own data"):
        zoo.check("upos-tagger")


def test_command(tmp_path) -> None:
    path, page = _table(tmp_path / "data.csv", _rows()), tmp_path / "page.html"
    result = seqzoo("check", path, "--no-timing", "--html", page)
    assert result.exit_code == 0
    assert (
        "note    rows: 48 training examples, 6 validation examples, 6 test examples\n"
        in result.stdout
    )
    assert result.stdout.splitlines()[-1].startswith("  ")
    written = page.read_text(encoding="utf-8")
    assert "48 training examples" in written and "http" not in written
    report = json.loads(seqzoo("check", path, "--no-timing", "--json").stdout)
    assert report["healthy"] and report["suggestion"]["template"] == "many-to-one"
    rows = _rows()
    rows[0]["text"] = ""
    result = seqzoo("check", _table(tmp_path / "bad.csv", rows), "--no-timing")
    assert result.exit_code == 1 and "BROKEN  rows: 1 of 60: 'text' is empty" in result.stdout
    result = seqzoo("check", tmp_path)
    assert result.exit_code == 2 and "set it with --kind" in result.stderr
    assert seqzoo("check", tmp_path / "none.csv").exit_code == 2


def test_words_from_right_to_left_do_not_reorder_the_page(tmp_path) -> None:
    rows = [{**row, "label": ("العربية", "ע ברית")[row["label"] == "up"]} for row in _rows()]
    report = _check(_table(tmp_path / "data.csv", rows))
    assert _found(report, "labels", "ע ברית 50.0%, العربية 50.0%")
    write_page(report, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<bdi>ע ברית</bdi> 50.0%, <bdi>العربية</bdi> 50.0%" in page


def test_options_are_those_of_training(tmp_path) -> None:
    rows = [{"at": f"2020-01-{day:02}", "value": day, "MULL": day % 3} for day in range(1, 29)]
    path = _table(tmp_path / "data.csv", rows)
    chosen = {"kind": "series", "input": "value", "whole": True}
    report = _check(path, **chosen, target_kind="next", time_column="at")
    assert "target" not in report.guessed and report.source.time_column == "at"
    texts = _table(tmp_path / "texts.csv", _rows())
    assert _found(_check(texts, limit=10), "rows", "10 training examples")
    with pytest.raises(SeqzooError, match=r"`input` must name a column \(text, label\), got 'txt'"):
        _check(texts, input="txt")
    (tmp_path / "head.csv").write_text("text,label\n")
    with pytest.raises(SeqzooError, match="has no rows that can be read"):
        _check(str(tmp_path / "head.csv"))
    result = seqzoo("check", texts, "--html", tmp_path / "none" / "page.html")
    assert result.exit_code == 2 and not result.stdout


def test_a_few_values_of_another_kind_do_not_stop_the_check(tmp_path) -> None:
    rows: list[dict] = _rows(100)
    for number, row in enumerate(rows):
        row["day"] = f"2024-01-{number % 28 + 1:02}" if number != 7 else "unknown"
        row["size"] = str(number / 7) if number != 9 else "n/a"
    rows[11]["day"] = "2024-02-31"
    report = _check(_table(tmp_path / "t.csv", rows), input="text", target="label")
    assert any("2 of its values are not dates" in item.message for item in report.findings)
    numbers = _check(_table(tmp_path / "n.csv", [{**row, "label": row["size"]} for row in rows]))
    assert isinstance(numbers, DataReport)
    assert not is_number(10**400)


def test_vowel_signs_distinguish_texts(tmp_path) -> None:
    draw, rows = random.Random(0), []
    for number in range(40):
        text = " ".join(
            draw.choices(["\u0915\u093e\u092e", "\u0928\u093e\u092e", "\u0930\u093e\u091c"], k=9)
        )
        rows.append({"text": f"{text} {number}", "label": "ab"[number % 2], "part": "train"})
        other = rows[-1]["text"].replace("\u093e", "\u0940")
        rows.append({"text": other, "label": "ab"[number % 2], "part": "test"})
    report = _check(_table(tmp_path / "a.csv", rows), split_column="part")
    assert not [item for item in report.findings if "only in case" in item.message]
    assert letters_of("E\u0301t\u00e9-1!\ufe0f") == "\u00e9t\u00e91" and letters_of("\ufe0f!") == ""


def test_several_labels_have_no_order(tmp_path) -> None:
    rows = [{**row, "label": "a|b"} for row in _rows()]
    rows += [{**row, "label": "b|a"} for row in rows]
    report = _check(
        _table(tmp_path / "a.csv", rows),
        input="text",
        kind="words",
        target="label",
        target_kind="labels",
        separator="|",
        duplicates="keep",
    )
    assert not [item for item in report.findings if "different targets" in item.message]
    finding = _found(report, "labels", "2 different labels")
    assert "100.0% of the examples have the most frequent one" in finding.message
    assert finding.values["baseline"] == 1


def test_infinite_numbers_hide_no_leak(tmp_path) -> None:
    rows = [{**row, "label": n, "copy": 2 * n + 1} for n, row in enumerate(_rows())]
    rows[7]["copy"] = "inf"
    path = _table(tmp_path / "a.csv", rows)
    report = _check(path, input="text", kind="words", target="label", target_kind="value")
    assert _found(report, "leaks", "column 'copy' is the target 'label' up to scale")


def test_an_option_is_advised_only_if_the_template_has_it(tmp_path) -> None:
    path = tmp_path / "a.conll"
    rows = ["red\tA", "blue\tB"]
    sentences = [[f"w{n}\tA", *rows * (150 if n % 100 == 0 else 2)] for n in range(300)]
    path.write_text("\n\n".join(map("\n".join, sentences)) + "\n")
    report = _check(str(path))
    finding = _found(report, "lengths", "99% have at most")
    assert finding.values["maximum"] == 301 and not finding.fix

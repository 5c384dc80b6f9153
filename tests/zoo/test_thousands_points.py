"""Whole numbers whose thousands are separated by points, which may also be decimal points."""

import json
import pathlib
from dataclasses import replace

import pytest

from seqzoo.zoo.data.histories import read_histories
from seqzoo.zoo.data.source import Source

EXPORT = ("950", "1.020", "", "998", "-1.234")


def _table(path: pathlib.Path, numbers: tuple[str, ...], delimiter: str = ";") -> Source:
    rows = [f"2024-01-0{day}{delimiter}{number}" for day, number in enumerate(numbers, 1)]
    path.write_text("\n".join([f"date{delimiter}sold", *rows]) + "\n", encoding="utf-8")
    return Source(str(path), "history", date_column="date", delimiter=delimiter, target="sold")


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_points_that_may_separate_thousands_are_noted(delimiter, tmp_path) -> None:
    source = _table(tmp_path / "t.csv", EXPORT, delimiter)
    _, _, notes = read_histories(source)
    assert notes[0] == (
        "Numbers of sold are read with a decimal point, '1.020' as 1.02; if their points separate "
        "thousands, set --decimal-comma."
    )
    for decimal_comma, number in ((True, 1020.0), (False, 1.02)):
        given = replace(source, decimal_comma=decimal_comma)
        (one,), _, notes = read_histories(given)
        assert one.values[1] == number and len(notes) == 1


@pytest.mark.parametrize(
    "numbers",
    [
        ("950", "1.020", "998.5"),
        ("95", "1.020", "9"),
        ("950", "1.020", "1998"),
        ("1.020", "1.125"),
        ("0.125", "100"),
        ("950", "1020"),
    ],
)
def test_ordinary_numbers_are_not_noted(numbers: tuple[str, ...], tmp_path: pathlib.Path) -> None:
    assert read_histories(_table(tmp_path / "t.csv", numbers))[2] == []


def test_numbers_of_json_have_no_thousands_points(tmp_path: pathlib.Path) -> None:
    rows = [{"date": f"2024-01-0{day}", "sold": sold} for day, sold in ((1, 950), (2, 1.125))]
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    assert read_histories(Source(str(path), "history", date_column="date"))[2] == []

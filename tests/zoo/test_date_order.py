"""Dates whose days and months have an order that a short table does not tell."""

import pathlib
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cli_cases import seqzoo

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.histories import read_histories
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data_check.columns import guess
from seqzoo.zoo.inference import backtest, forecasts, open_run
from seqzoo.zoo.training.train import INFERRED

DAY_FIRST, MONTH_FIRST = "%d/%m/%Y", "%m/%d/%Y"


def _table(path: pathlib.Path, form: str, first: str, days: int, time: str = "") -> Source:
    dates = (np.datetime64(first) + np.arange(days)).tolist()
    rows = [f"{date:{form}}{time},{number}" for number, date in enumerate(dates)]
    path.write_text("\n".join(["date,sold", *rows]) + "\n", encoding="utf-8")
    return Source(str(path), "history", date_column="date", target="sold")


def _first(source: Source) -> str:
    return str(read_histories(source)[0][0].dates[0])[:10]


@pytest.mark.parametrize(
    "form, order", [(DAY_FIRST, "day/month/year"), (MONTH_FIRST, "month/day/year")]
)
def test_short_files_have_the_order_of_the_training_data(
    form: str, order: str, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "t.csv"
    _, source, _ = read_histories(_table(path, form, "2021-11-01", 90))
    assert source.date_format == order and "date_format" in INFERRED  # a run resumes with it
    short = _table(path, form, "2022-02-01", 4, " 06:00")
    assert _first(source) == "2022-02-01"
    with pytest.raises(SeqzooError, match="--date-format day/month/year or month/day/year."):
        read_histories(short)
    for other in ("%Y-%m-%d", "%d %B %Y", DAY_FIRST, MONTH_FIRST):
        _table(path, other, "2022-02-10", 9)
        assert _first(source) == "2022-02-10"


def test_dates_that_are_the_same_in_either_order_tell_none(tmp_path: pathlib.Path) -> None:
    (tmp_path / "t.csv").write_text("date,sold\n01/01/2020,1\n01/01/2021,2\n")
    source = Source(str(tmp_path / "t.csv"), "history", date_column="date")
    assert read_histories(source)[1].date_format is None
    given = replace(source, date_format="%m/%d/%Y")
    assert read_histories(given)[1].date_format == "%m/%d/%Y"


def test_an_order_is_no_format_of_other_columns(tmp_path: pathlib.Path) -> None:
    rows = [f"{1990 + day},0{day}/02/2020,{day}" for day in range(1, 5)]
    (tmp_path / "t.csv").write_text("\n".join(["code,when,sold", *rows]) + "\n")
    guessed = guess(str(tmp_path / "t.csv"), {"date_format": "day/month/year"})
    assert guessed.source.date_column == "when"


def test_the_order_of_parts_of_dates(tmp_path: pathlib.Path) -> None:
    rows = [f"0{day}/02/2020,6,{day}" for day in range(1, 5)]
    (tmp_path / "t.csv").write_text("\n".join(["date,hour,sold", *rows]) + "\n")
    source = Source(str(tmp_path / "t.csv"), "history", date_column="date,hour")
    assert _first(replace(source, date_format="day/month/year")) == "2020-02-01"


@pytest.mark.parametrize("command", ["predict", "backtest"])
def test_commands_on_a_run_take_a_format(command: str, monkeypatch) -> None:
    found: list[Any] = []

    def open(*values: Any, **options: Any) -> Any:
        found.extend([*values, options.get("given")])
        raise SeqzooError("enough")

    monkeypatch.setattr(forecasts, "is_forecast", lambda _: True)
    monkeypatch.setattr(forecasts, "forecast_text", open)
    monkeypatch.setattr(backtest, "Forecaster", SimpleNamespace(open=open))
    file = "--input-file" if command == "predict" else "--data"
    seqzoo(command, "run", file, "t.csv", "--date-format", DAY_FIRST)
    assert any(isinstance(item, dict) and item["date_format"] == DAY_FIRST for item in found)


@pytest.mark.parametrize("command", ["explain", "inspect"])
def test_inspections_take_a_format(command: str, monkeypatch) -> None:
    found: list[Any] = []
    template = SimpleNamespace(name="forecast", input="series")
    run = SimpleNamespace(template=template, folder="runs/sales")

    def forecaster(_: Any, given: Any) -> Any:
        found.append(given)
        raise SeqzooError("enough")

    monkeypatch.setattr(forecasts, "Forecaster", forecaster)
    monkeypatch.setattr(open_run, "open_run", lambda *_: run)
    words = [command, "run", "t.csv", "--date-format", DAY_FIRST]
    assert "enough" in seqzoo(*words).stderr
    assert found == [{"date_format": DAY_FIRST}]
    template.name = "many-to-one"
    result = seqzoo(*words)
    assert result.exit_code == 2 and "is a run of many-to-one; leave it out." in result.stderr
    if command == "inspect":
        result = seqzoo("inspect", "run", "--date-format", DAY_FIRST)
        assert result.exit_code == 2 and "for the tables given as INPUT" in result.stderr

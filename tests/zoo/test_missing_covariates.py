"""Empty fields of covariates in tables with dates."""

import pathlib
from types import SimpleNamespace

import numpy as np
import pytest

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.forecast.task import ForecastPrediction
from seqzoo.zoo.data.histories import read_histories
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.inference.forecasts import Forecaster


def _table(path: pathlib.Path, promos: str, temps: str, steps: int = 5) -> Source:
    """A table with covariates in digits, "." for an empty field; after `steps` is the future."""
    rows = [
        f"2024-01-0{day},{day if day <= steps else ''},{promo},{temp}".replace(".", "")
        for day, (promo, temp) in enumerate(zip(promos, temps, strict=True), 1)
    ]
    path.write_text("\n".join(["day,sold,promo,temp", *rows]) + "\n", encoding="utf-8")
    return Source(
        str(path), "history", date_column="day", target="sold", known_columns=["promo"],
        past_columns=["temp"],
    )  # fmt: skip


def test_empty_covariates_are_counted(tmp_path: pathlib.Path) -> None:
    _, _, notes = read_histories(_table(tmp_path / "t.csv", "10100.1.", "3..21..."))
    assert notes == [
        "Missing values of covariates are read as the mean in training: 2 of 5 of temp, 2 of 8 of "
        "promo."
    ]
    assert read_histories(_table(tmp_path / "t.csv", "10100010", "34521..."))[2] == []


def test_a_future_without_values_of_a_covariate_is_refused(tmp_path: pathlib.Path) -> None:
    forecaster = Forecaster.__new__(Forecaster)
    answer = ForecastPrediction("", value=(1.0, 2.0), dates=np.arange(2))
    forecaster.run = SimpleNamespace(
        template=SimpleNamespace(horizon=2, levels=(), transform="none", distribution="point"),
        predict=lambda histories: [answer],
    )
    forecaster.source = _table(tmp_path / "t.csv", "10100..1", "34521...")
    histories, _ = forecaster.read(tmp_path / "t.csv")
    message = "The table has no value of promo in the 2 rows after its last value; fill in"
    with pytest.raises(SeqzooError, match=message):
        forecaster.forecast(histories)
    for promos in ("10100.11", "........"):  # partly given, or never
        forecaster.source = _table(tmp_path / "t.csv", promos, "34521...")
        histories, _ = forecaster.read(tmp_path / "t.csv")
        assert forecaster.forecast(histories) == [answer]

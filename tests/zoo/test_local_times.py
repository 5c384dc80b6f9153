"""Local times: converted to UTC when they are read, and back in what is shown."""

import pathlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seqzoo.tasks.data.history import History
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.forecast import plot
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data.time_zones import to_utc
from seqzoo.zoo.inference.backtest import backtest
from seqzoo.zoo.inference.forecasts import Forecaster


def test_a_repeated_hour_in_rows_from_the_last_to_the_first() -> None:
    times = [f"2024-10-27T0{hour}:{half}" for hour in (1, 2, 2, 3) for half in ("00", "30")]
    up = np.array(times, "datetime64[s]")
    dates = np.stack([up, up[::-1]], axis=1).ravel()  # one series is in descending order
    utc = to_utc(dates, ["up", "down"] * len(up), "Europe/Berlin", str).reshape(-1, 2)
    assert (np.diff(utc[:, 0]) == np.timedelta64(30, "m")).all()
    assert utc[:, 1].tolist() == utc[::-1, 0].tolist()


def test_plots_have_the_local_times_of_the_table(monkeypatch) -> None:
    figures: list[Any] = []
    monkeypatch.setattr(plot, "save", lambda figure, _: figures.append(figure))
    hours = np.datetime64("2024-07-01T00:00:00") + np.arange(6) * np.timedelta64(1, "h")
    history = History(hours[:4], np.arange(4.0)[:, None])
    ahead = SimpleNamespace(dates=hours[4:], value=(4.0, 5.0), quantiles=None, series="")
    for timezone, first in ((None, "2024-07-01T00:00:00"), ("Asia/Tokyo", "2024-07-01T09:00:00")):
        own: Any = SimpleNamespace(
            run=SimpleNamespace(template=SimpleNamespace(levels=())),
            targets=["x"],
            source=SimpleNamespace(timezone=timezone),
        )
        Forecaster.plot(own, "plot.png", [history], [ahead])
        lines = [line.get_xdata() for line in figures.pop().axes[0].get_lines()]
        shown = np.concatenate(lines).astype("datetime64[s]")
        assert shown.tolist() == (np.datetime64(first) + (hours - hours[0])).tolist()


def test_origins_of_a_backtest_are_local_times(tmp_path: pathlib.Path, monkeypatch) -> None:
    hours = np.datetime64("2024-07-01T00") + np.arange(40)
    rows = [f"{str(hour).replace('T', ' ')}:00,{number}" for number, hour in enumerate(hours)]
    (tmp_path / "t.csv").write_text("\n".join(["hour,sold", *rows]) + "\n", encoding="utf-8")
    source = Source(
        str(tmp_path / "t.csv"), "history", date_column="hour", timezone="Asia/Tokyo"
    )  # nine hours before UTC
    template: Any = SimpleNamespace(horizon=5)
    task = SimpleNamespace(features=SimpleNamespace(config={"until": "2024-07-01T15:00"}))
    evaluate = lambda _: {"mse": 1.0, "baselines": {}}  # noqa: E731
    run = SimpleNamespace(template=template, task=task, folder="run", evaluate=evaluate)
    opened = SimpleNamespace(run=run, source=source)
    trained: list[Any] = []
    module = "seqzoo.zoo.inference.backtest"
    monkeypatch.setattr(f"{module}.Forecaster.open", lambda *_: opened)
    monkeypatch.setattr(
        f"{module}.train_temporarily", lambda _, splits: trained.append(splits) or run
    )
    results = backtest("run", given={}, origins=2)["origins"]
    assert [item["origin"] for item in results] == ["2024-07-02 06:00", "2024-07-02 11:00"]
    with pytest.raises(SeqzooError, match="origin, 2024-07-01 15:00, .* end at 2024-07-02 00:00"):
        backtest("run", given={})
    printed: list[str] = []
    backtest("run", given={}, refit=True, origins=1, print_fn=printed.append)
    assert printed == ["Training up to 2024-07-02 11:00."]
    (splits,) = trained
    (history,) = splits.test.inputs
    assert history.dates[history.since] == np.datetime64("2024-07-02T02:00")

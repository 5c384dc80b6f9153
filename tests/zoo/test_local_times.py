"""Local times: converted to UTC when they are read, and back in what is shown."""

import pathlib
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seqzoo.tasks.data.history import History
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.forecast import plot
from seqzoo.zoo.data.histories import read_histories
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


def _source(path: pathlib.Path, times: list[str], **options: Any) -> Source:
    rows = [f"{time},{number}" for number, time in enumerate(times)]
    path.write_text("\n".join(["time,sold", *rows]) + "\n", encoding="utf-8")
    given = {"timezone": "Europe/Berlin", **options}
    return Source(str(path), "history", date_column="time", target="sold", **given)


@pytest.mark.parametrize("hours, step, bad", [(3, "3 hours", "03:00"), (2, "2 hours", "04:00")])
def test_steps_that_do_not_divide_an_hour_take_no_time_zone(hours, step, bad, tmp_path) -> None:
    days = ("2024-10-26", "2024-10-27", "2024-10-28")
    times = [f"{day} {hour:02}:00" for day in days for hour in range(0, 24, hours)]
    source = _source(tmp_path / "t.csv", times)
    row = 2 + times.index(f"2024-10-27 {bad}")
    message = (
        f"line {row}: the date 2024-10-27 {bad} is not a whole number of steps after the first, "
        f"2024-10-26 00:00, with one step per {step}, since clocks in Europe/Berlin change in "
        "between; leave out --timezone, which is for steps that divide an hour."
    )
    with pytest.raises(SeqzooError, match=message):
        read_histories(source)
    ((history,), _, notes) = read_histories(replace(source, timezone=None))
    assert len(history) == len(times) and not notes


def test_messages_on_rows_have_the_local_times_of_the_table(tmp_path: pathlib.Path) -> None:
    times = [f"2024-07-01 {hour:02}:00" for hour in range(9)]
    path = tmp_path / "t.csv"
    wrong = [*times, "2024-07-01 09:20"]
    with pytest.raises(SeqzooError, match="01 09:20 is .*-01 00:00, with .* hour; fix it, or set"):
        read_histories(_source(path, wrong))
    with pytest.raises(SeqzooError, match="the date 2024-07-01 08:00 is already in line 10"):
        read_histories(_source(path, [*times, times[-1]]))
    _, _, (note, _) = read_histories(_source(path, times[:4] + times[5:]))
    assert "1 after 2024-07-01 03:00 (line 5)" in note
    with pytest.raises(SeqzooError, match="rows from 2024-07-01 to 2044-07-01, which"):
        ends = ["2024-07-01 00:00:00", "2044-07-01 00:00:00"]
        read_histories(_source(path, ends, frequency="second"))

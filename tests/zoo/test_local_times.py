"""Local times: converted to UTC when they are read, and back in what is shown."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from seqzoo.tasks.data.history import History
from seqzoo.tasks.forecast import plot
from seqzoo.zoo.data.time_zones import to_utc
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

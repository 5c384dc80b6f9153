"""Steps of a month and longer: series of month ends, and series of another day of the month."""

import pathlib

import numpy as np
import pytest

from seqzoo.tasks.data.frequency import Frequency
from seqzoo.zoo.data.histories import read_histories
from seqzoo.zoo.data.source import Source


@pytest.mark.parametrize(
    "dates, frequency, following",
    [
        (["2020-04-30"], "month", ["2020-05-31", "2020-06-30", "2020-07-31"]),
        (["2021-02-28"], "month", ["2021-03-31", "2021-04-30", "2021-05-31"]),
        (["2023-02-28", "2023-04-30"], "month", ["2023-05-31", "2023-06-30"]),
        (["2024-06-30", "2024-09-30"], "quarter", ["2024-12-31", "2025-03-31"]),
        (["2023-02-28"], "year", ["2024-02-29", "2025-02-28"]),
        (["2020-03-30", "2020-04-30"], "month", ["2020-05-30", "2020-06-30"]),
        (["2020-01-28", "2021-02-28"], "month", ["2021-03-28", "2021-04-28"]),
        (["2020-01-29", "2020-02-29"], "month", ["2020-03-29", "2020-04-29"]),
    ],
)
def test_dates_that_all_are_month_ends_continue_at_month_ends(
    dates: list[str], frequency: str, following: list[str]
) -> None:
    array = np.array(dates, "datetime64[s]")
    result = Frequency.parse(frequency).following(array, len(following))
    assert result.astype("datetime64[D]").astype(str).tolist() == following
    both = np.concatenate([array, result])
    steps, whole = Frequency.parse(frequency).positions(both)
    assert whole.all() and (Frequency.parse(frequency).at(both, steps) == both).all()


def test_missing_steps_between_short_months_are_month_ends(tmp_path: pathlib.Path) -> None:
    rows = ["2024-01-31,a,1", "2024-02-29,a,2", "2024-03-31,a,3", "2024-04-30,a,4"]
    rows += ["2024-02-29,b,5", "2024-04-30,b,6"]
    (tmp_path / "t.csv").write_text("\n".join(["date,shop,sold", *rows]) + "\n")
    source = Source(
        str(tmp_path / "t.csv"), "history", date_column="date", series_column="shop", target="sold"
    )
    (_, other), _, _ = read_histories(source)
    days = other.dates.astype("datetime64[D]").astype(str).tolist()
    assert days == ["2024-02-29", "2024-03-31", "2024-04-30"]

"""Dates with an offset from UTC, in histories and in the predict.py of an export."""

import datetime

import numpy as np
import pytest

from seqzoo.tasks import History, SeqzooError
from seqzoo.tasks.data.offset_dates import in_utc
from seqzoo.tasks.export.predict.histories import dates_in_seconds


@pytest.mark.parametrize(
    "text, expected",
    [
        ("2024-01-31T14:00+01:00", "2024-01-31T13:00"),
        ("2024-01-31 14:00:30-0330", "2024-01-31T17:30:30"),
        ("2024-01-31T14+05", "2024-01-31T09:00"),
        ("2024-01-31T00:15-00:30", "2024-01-31T00:45"),
        ("2024-01-31T14:00:00.5+01:00", "2024-01-31T13:00:00.500"),
        ("2024-01-31T14:00Z", "2024-01-31T14:00"),
        ("2024-01-31T14:00", "2024-01-31T14:00"),
        ("2024-01-31", "2024-01-31"),
        ("2024-01", "2024-01"),
    ],
)
def test_offsets_are_subtracted(text: str, expected: str) -> None:
    assert in_utc(text) == expected


def test_histories_take_dates_with_offsets_without_a_warning() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=1))
    times = [datetime.datetime(2024, 1, 31, hour) for hour in (13, 14)]
    forms = (
        times,
        [time.replace(tzinfo=datetime.UTC).astimezone(zone) for time in times],
        ["2024-01-31T14:00+01:00", "2024-01-31T15:00+01:00"],
        ["2024-01-31T13:00Z", "2024-01-31T14:00Z"],
    )
    for form in forms:
        assert History(form, [1.0, 2.0]).dates.tolist() == times
    for form in forms[2:]:
        seconds = np.array(times, "datetime64[s]").astype(np.int64)
        assert dates_in_seconds(form).tolist() == seconds.tolist()
    for wrong in ("2024-02-30T14:00+01:00", datetime.datetime(1, 1, 1, tzinfo=zone)):
        with pytest.raises(SeqzooError, match="must be dates such as 2024-01-31T14:00: "):
            History([wrong], [1.0], frequency="hour")

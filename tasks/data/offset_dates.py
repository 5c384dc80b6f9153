"""Dates with an offset, in UTC; imports no other module of the project: predict.py includes it."""

import datetime
import re
from typing import Any

import numpy as np

OFFSET = re.compile(r"(.+)[Zz]|(.+[T ][\d:.]+)([+-]\d\d):?(\d\d)?")
"""A date in UTC, or one with an offset from it."""


def in_utc(date: Any) -> Any:
    """A date without its time zone: "2024-01-31T14:00+01:00" as "2024-01-31T13:00", and a
    `datetime` with a time zone as one without. A date without a time zone is unchanged.

    Raises:
        ValueError: the text before an offset is not a date.
    """
    if isinstance(date, datetime.datetime) and date.tzinfo is not None:
        return date.astimezone(datetime.UTC).replace(tzinfo=None)
    match = OFFSET.fullmatch(date.strip()) if isinstance(date, str) else None
    if match is None:
        return date
    zulu, text, hours, minutes = match.groups()
    if zulu:
        return zulu
    offset = int(f"{hours[0]}{minutes or 0}") + 60 * int(hours)
    return str(np.datetime64(text) - np.timedelta64(offset, "m"))

"""Histories of series with dates as inputs, and the forecasts of their next steps."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.data.offset_dates import in_utc
from seqzoo.tasks.export.predict.outputs_per_example import OutputsPerExample
from seqzoo.tasks.preprocessing.static_numbers import static_numbers


class HistoryReader:
    """Reads histories: dictionaries with "values", numbers per step or rows of them, None or NaN
    where missing, and what else the model was trained with:

    - "dates" of the values and of the horizon, in UTC, as in "2024-01-31T14:00" or in seconds since
      1970, or with an offset, as in "2024-01-31T15:00+01:00". Local times need the offset. If steps
      have a fixed length, the dates of the horizon may be left out.
    - "past", a row of covariates for each value; "known", also for each step of the horizon.
    - "series", the name of the series, and "static", a list of its static covariates.

    Args:
        about: "input" of model.json.
    """

    def __init__(self, about: dict[str, Any]):
        self.about = about

    def tensors(self, inputs: Sequence[Any]) -> dict[str, np.ndarray]:
        """Histories -> arrays of the last steps, by name."""
        rows = [self.arrays(history) for history in inputs]
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def arrays(self, history: dict[str, Any]) -> dict[str, np.ndarray]:
        """One history as arrays of fixed sizes, by name."""
        about = self.about
        if not isinstance(history, dict) or "values" not in history:
            raise ValueError("a history must be a dictionary (an object in JSON) with 'values'")
        look_back, horizon = about["look_back"], about["horizon"]
        values = self.columns(history, "values")
        present = np.flatnonzero(np.isfinite(values).any(1))
        if not len(present):
            raise ValueError("a history needs at least one value")
        if about["above"] is not None and (values <= about["above"]).any():
            raise ValueError(
                f"'values' must be above {about['above']:g}, got {np.nanmin(values):g}"
            )
        end, count = int(present[-1]) + 1, len(values)
        results = {"values": last_steps(values[:end], look_back)}
        for name in about["inputs"]:
            if name == "dates":
                steps = self.dates(history, end, count)
                results[name] = last_steps(steps, look_back + horizon, steps[0])
            elif name == "past":
                rows = self.columns(history, name)
                check_rows(name, rows, count, (end, count))
                results[name] = last_steps(rows[:end], look_back)
            elif name == "known":
                rows = self.columns(history, name)
                if len(rows) < end + horizon or len(rows) not in (count, end + horizon):
                    raise ValueError(
                        f"'known' must have a row for each value and each step of the horizon "
                        f"({end + horizon}), got {len(rows)}"
                    )
                results[name] = last_steps(rows[: end + horizon], look_back + horizon)
            elif name == "series":
                results[name] = self.series(history)
            elif name == "static":
                results[name] = self.static(history.get(name))
        return results

    def columns(self, history: dict[str, Any], name: str) -> np.ndarray:
        """The rows of "values" or of covariates, (time, columns), float32."""
        expected = self.about["columns"][name]
        try:
            rows = np.asarray(history.get(name, ()), np.float32)
        except (TypeError, ValueError) as error:
            numbers = "numbers" if expected == 1 else f"rows of {expected} numbers"
            raise ValueError(f"'{name}' of a history must be {numbers}") from error
        rows = rows[:, None] if rows.ndim == 1 else rows
        if rows.ndim != 2 or rows.shape[1] != expected:
            raise ValueError(
                f"'{name}' of a history must have {expected} column{'s' * (expected > 1)}, got an "
                f"array of shape {rows.shape}"
            )
        return rows

    def dates(self, history: dict[str, Any], end: int, count: int) -> np.ndarray:
        """The dates of the first `end` of `count` rows and of the horizon, in seconds since
        1970."""
        horizon, seconds = self.about["horizon"], self.about["seconds"]
        dates = history.get("dates")
        if dates is None or not len(dates):
            raise ValueError(
                "a history lacks 'dates', from which this model takes the time of day or of year"
            )
        given = dates_in_seconds(dates)
        lengths = (end + horizon, count) if seconds is None else (end, end + horizon, count)
        check_rows("dates", given, count, lengths)
        steps = np.diff(given)
        wrong = steps <= 0 if seconds is None else steps != seconds
        if wrong.any():
            expected = (
                "in order" if seconds is None else f"{seconds} seconds apart in UTC, as in training"
            )
            raise ValueError(f"'dates' must be {expected}, but date {wrong.argmax() + 2} is not")
        if len(given) < end + horizon:
            if seconds is None:
                raise ValueError(
                    f"'dates' must include those of the horizon, {end + horizon} in all, got "
                    f"{len(given)}"
                )
            following = np.arange(1, end + horizon - len(given) + 1)
            given = np.concatenate([given, given[-1] + seconds * following])
        return given[: end + horizon]

    def series(self, history: dict[str, Any]) -> np.ndarray:
        """The index of the series in training, from 1; 0 for another one."""
        if "series" not in history:
            raise ValueError("a history must have 'series', the name of its series")
        name, names = str(history["series"]), self.about["series"]
        return np.array(names.index(name) + 1 if name in names else 0, np.int32)

    def static(self, values: Any) -> np.ndarray:
        """Static covariates: numbers standardised, names as one number for each known name."""
        expected = self.about["static"]
        if not isinstance(values, list | tuple) or len(values) != len(expected):
            raise ValueError(f"'static' of a history must be a list of {len(expected)}")
        encoded: list[float] = []
        for value, learned in zip(values, expected, strict=True):
            try:
                encoded += static_numbers(value, learned)
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"a value of 'static' must be a number, as in training, got {value!r}"
                ) from error
        return np.array(encoded, np.float32)

    def from_argument(self, argument: str) -> Any:
        """The history in a JSON file that is named on the command line."""
        if pathlib.Path(argument).suffix != ".json":
            raise ValueError(f"this model reads .json files, got {argument!r}")
        try:
            return json.loads(pathlib.Path(argument).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{argument} is not a JSON file: {error}") from error


class Forecasts(OutputsPerExample):
    """The values of the next steps, and their "quantiles" by level."""

    def answer(self, outputs: dict[str, np.ndarray], length: Any) -> dict[str, Any]:
        def rows(numbers: np.ndarray) -> list:
            return (numbers[:, 0] if numbers.shape[1] == 1 else numbers).tolist()

        forecast = outputs["forecast"]
        label = ", ".join(" ".join(f"{number:.6g}" for number in row) for row in forecast)
        levels = self.model.answer["levels"]
        return {
            "label": label,
            "value": rows(forecast),
            "probability": None,
            "alternatives": [],
            "quantiles": {
                f"{level:g}": rows(outputs["quantiles"][..., number])
                for number, level in enumerate(levels)
            },
        }


def last_steps(steps: np.ndarray, count: int, padding: Any = np.nan) -> np.ndarray:
    """The last `count` steps of (time, ...), padded at the beginning."""
    missing = [(max(count - len(steps), 0), 0)] + [(0, 0)] * (steps.ndim - 1)
    return np.pad(steps[-count:], missing, constant_values=padding)


def check_rows(name: str, rows: np.ndarray, count: int, lengths: Sequence[int]) -> None:
    """Raises a ValueError for a number of rows that cannot belong to the values."""
    if len(rows) not in lengths:
        raise ValueError(
            f"'{name}' must have one row for each of the {count} rows of 'values', got {len(rows)}"
        )


def dates_in_seconds(dates: Any) -> np.ndarray:
    """Dates, as text or in seconds since 1970, in UTC or with an offset, as int64."""
    try:
        if all(isinstance(date, str) for date in dates):
            given = np.array([in_utc(date) for date in dates], "datetime64[s]")
            if np.isnat(given).any():
                raise ValueError("a date is missing")
            return given.astype(np.int64)
        given = np.asarray(dates)
        if given.dtype.kind == "M":
            given = given.astype("datetime64[s]").astype(np.int64)
        if given.ndim != 1 or given.dtype.kind not in "iu":
            raise ValueError("neither text nor whole numbers")
        return given.astype(np.int64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "'dates' of a history must be dates such as 2024-01-31T14:00, or seconds since 1970"
        ) from error

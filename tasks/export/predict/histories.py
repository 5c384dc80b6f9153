"""Histories of series with dates as inputs, and the forecasts of their next steps."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.export.predict.outputs_per_example import OutputsPerExample


class HistoryReader:
    """Reads histories: dictionaries with "values", numbers per step or rows of them, None or NaN
    where missing, and what else the model was trained with:

    - "dates" of all steps, as in "2024-01-31T14:00" or in seconds since 1970. If steps have a fixed
      length, dates of the horizon may be left out.
    - "past", rows of covariates of the same steps; "known", also those of the horizon.
    - "series", the name of the series, and "static", a list of its static covariates.

    Args:
        about: "input" of model.json.
    """

    def __init__(self, about: dict[str, Any]):
        self.about = about

    def tensors(self, inputs: Sequence[Any]) -> dict[str, np.ndarray]:
        """Histories -> arrays of the last steps, by name."""
        try:
            rows = [self.arrays(history) for history in inputs]
        except TypeError as error:  # from NumPy, such as None among dates
            raise ValueError(f"a history cannot be read: {error}") from error
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
        end = int(present[-1]) + 1
        results = {"values": last_steps(values[:end], look_back)}
        for name in about["inputs"]:
            if name == "dates":
                steps = self.dates(history, end)[: end + horizon]
                results[name] = last_steps(steps, look_back + horizon, steps[0])
            elif name in ("past", "known"):
                stop = end if name == "past" else end + horizon
                columns = self.columns(history, name)[:stop]
                if len(columns) < stop:
                    raise ValueError(f"'{name}' must have {stop} rows, got {len(columns)}")
                size = look_back + stop - end
                results[name] = last_steps(columns, size)
            elif name == "series":
                names = about["series"]
                index = names.index(history[name]) + 1 if history.get(name) in names else 0
                results[name] = np.array(index, np.int32)
            elif name == "static":
                results[name] = self.static(history.get(name, ()))
        return results

    def columns(self, history: dict[str, Any], name: str) -> np.ndarray:
        """The rows of "values" or of covariates, (time, columns), float32."""
        rows = np.asarray(history.get(name, ()), np.float32)
        rows = rows[:, None] if rows.ndim == 1 else rows
        expected = self.about["columns"][name]
        if rows.ndim != 2 or rows.shape[1] != expected:
            raise ValueError(
                f"'{name}' of a history must have {expected} column{'s' * (expected > 1)}, got an "
                f"array of shape {rows.shape}"
            )
        return rows

    def dates(self, history: dict[str, Any], end: int) -> np.ndarray:
        """The dates of at least `end` steps and those of the horizon, in seconds since 1970."""
        given = np.asarray(history.get("dates", ()))
        if given.dtype.kind in "UM":
            given = given.astype("datetime64[s]")
        given = given.astype(np.int64)
        missing, seconds = end + self.about["horizon"] - len(given), self.about["seconds"]
        if missing > 0 and (seconds is None or len(given) < end):
            raise ValueError(
                f"'dates' must have {end + self.about['horizon']} dates, those of the horizon "
                f"included, got {len(given)}"
            )
        return np.concatenate([given, given[-1:] + (seconds or 0) * np.arange(1, missing + 1)])

    def static(self, values: Sequence[Any]) -> np.ndarray:
        """Static covariates: numbers standardised, names as one number for each known name."""
        encoded: list[float] = []
        if len(values) != len(self.about["static"]):
            raise ValueError(
                f"'static' of a history must have {len(self.about['static'])} values, got "
                f"{len(values)}"
            )
        for value, learned in zip(values, self.about["static"], strict=True):
            if isinstance(learned, list):
                encoded += [float(str(value) == name) for name in learned]
            else:
                number = (float(value) - learned["mean"]) / learned["scale"]
                encoded.append(number if np.isfinite(number) else 0.0)
        return np.array(encoded, np.float32)

    def from_argument(self, argument: str) -> Any:
        """The history in a JSON file that is named on the command line."""
        if pathlib.Path(argument).suffix != ".json":
            raise ValueError(f"this model reads .json files, got {argument!r}")
        return json.loads(pathlib.Path(argument).read_text(encoding="utf-8"))


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

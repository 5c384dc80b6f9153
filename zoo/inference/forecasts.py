"""Forecasts of the series in a table, as a table of dates, values and quantiles."""

import json
import math
import pathlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import NormalDist
from typing import Any

import numpy as np

from seqzoo.tasks.atomic_files import read_json
from seqzoo.tasks.data.column_names import split_names, target_names
from seqzoo.tasks.data.frequency import Frequency, shown_dates
from seqzoo.tasks.data.history import History
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.kinds import FORECAST
from seqzoo.tasks.runs.layout import CONFIG, is_run
from seqzoo.tasks.wording import agreed, counted
from seqzoo.zoo.data.histories import read_histories
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data.time_zones import to_local
from seqzoo.zoo.inference.open_run import open_runs
from seqzoo.zoo.inference.reply import Reply
from seqzoo.zoo.inference.rollouts import roll_out
from seqzoo.zoo.output import csv_record, finite, table

ANOMALY = 3.0
"""Minimum score of an anomaly, in standard deviations of a normal distribution."""


def is_forecast(folder: str) -> bool:
    """Whether a folder is a run of the `forecast` template; does not import TensorFlow."""
    path = pathlib.Path(folder).expanduser()
    if not is_run(path):
        return False
    config = read_json(path / CONFIG)
    return isinstance(config, dict) and config.get("template") == FORECAST


@dataclass(frozen=True)
class ForecastTable:
    """Forecasts or anomalies as a table.

    Attributes:
        headers: names of the columns.
        rows: rows of numbers and strings.
        notes: sentences about what is not in the table.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]
    notes: Sequence[str] = ()

    def text(self, form: str) -> str:
        """The table as "text" (drawn on a terminal, tabs on a pipe), "csv" or "jsonl"."""
        if form == "jsonl":
            rows = [dict(zip(self.headers, row, strict=True)) for row in self.rows]
            return "\n".join(json.dumps(finite(row), ensure_ascii=False) for row in rows)
        rows = [[_shown(field) for field in row] for row in self.rows]
        if form == "text":
            return table(self.headers, rows)
        return "\n".join(csv_record(row) for row in [self.headers, *rows])


class Forecaster:
    """A run of the `forecast` template, with the columns of its table.

    Args:
        run: the run, or an ensemble of several.
        given: fields of the run's source that differ for the files to read.

    Raises:
        SeqzooError: the run uses a different template, or was trained from Python.

    Attributes:
        delimiter: the delimiter of the files to read; None for that of the training data, if their
            extension is the same.
    """

    delimiter: str | None = None

    def __init__(self, run: Any, given: dict[str, Any] | None = None):
        if run.template.name != FORECAST:
            raise SeqzooError(
                f"{run.folder} is a run of the {run.template.name} template, not of {FORECAST}; "
                f"train one with `train {FORECAST}`."
            )
        self.run = run
        self.source = replace(Source.of_run(run), **(given or {}))
        self.delimiter = (given or {}).get("delimiter")

    @classmethod
    def open(
        cls,
        folder: str,
        given: dict[str, Any] | None = None,
        device: str | None = None,
        others: Sequence[str] = (),
    ) -> "Forecaster":
        """Opens runs by their folders or names; see `seqzoo.zoo.inference.open_run`."""
        return cls(open_runs(folder, others, device), given)

    @property
    def targets(self) -> list[str]:
        """Names of the targets."""
        return target_names(self.source.target, self.run.task.features.targets)

    def read(self, path: str | pathlib.Path) -> tuple[list[History], list[str]]:
        """Reads all series of a table, regardless of the limit used in training.

        Returns: the series, and notes on missing steps and values.

        Raises:
            SeqzooError: see `seqzoo.zoo.data.histories.read_histories`; or most steps are missing,
                because the table has another frequency than the one in training.
        """
        delimiter = self.delimiter or self.source.delimiter_of(str(path))
        source = replace(self.source, data=str(path), delimiter=delimiter, limit=None).absolute()
        histories, source, notes = read_histories(source)
        self.source = replace(self.source, date_column=source.date_column)
        for history in histories:
            present = np.isfinite(history.values).any(1)
            other = Frequency.infer(history.dates[present])
            if 2 * present.sum() < history.end and other not in (None, history.frequency):
                raise SeqzooError(
                    f"{_whose(history, str(path))} has one value per {other}, but the model was "
                    f"trained with one per {history.frequency}; give it values at that frequency.",
                    field="frequency",
                )
        return histories, notes

    def forecast(self, histories: Sequence[History], horizon: int | None = None) -> list[Any]:
        """A `ForecastPrediction` for each series.

        Args:
            histories: the series.
            horizon: steps to forecast; None for the model's horizon. If it is longer than that,
                forecasts are appended to the history, and the model is run again; see
                `seqzoo.zoo.inference.rollouts.roll_out`.

        Raises:
            SeqzooError: a series has no value, known covariates are not given for all steps, or
                one is empty in all of them.
        """
        steps = horizon or self.run.template.horizon
        needed = math.ceil(steps / self.run.template.horizon) * self.run.template.horizon
        for history in histories:
            if not history.end:
                whose = _whose(history, "The table")
                raise SeqzooError(f"{whose} has no value to forecast from; remove its rows.")
        in_parts = ""
        if needed > steps:
            in_parts = f" in parts of {self.run.template.horizon:,}, the model's horizon"
        for history in histories:
            future = len(history) - history.end
            if history.known.shape[1] and future < needed:
                whose = _whose(history, "The table")
                names = ", ".join(self.source.known_columns or ())
                raise SeqzooError(
                    f"{whose} must go on for {needed:,} rows after its last value, with future "
                    f"values of {names}, to forecast {counted(steps, 'step')}{in_parts}, but has "
                    f"{future:,}.",
                    field="known_columns",
                    got=future,
                )
            present = np.isfinite(history.known)
            empty = present[: history.end].any(0) & ~present[history.end :][:needed].any(0)
            if empty.any():
                whose = _whose(history, "The table")
                name = (self.source.known_columns or ())[int(empty.argmax())]
                raise SeqzooError(
                    f"{whose} has no value of {name} in the {needed:,} rows after its last value; "
                    "fill in its future values.",
                    field="known_columns",
                )
        return roll_out(self.run, histories, steps)

    def table(self, predictions: Sequence[Any]) -> ForecastTable:
        """Forecasts as a table with a row per step: the series (if there are several), the date,
        and the value and the quantiles of each target."""
        levels, targets = self.run.template.levels, self.targets
        several = self.source.series_column is not None
        has_quantiles = any(prediction.quantiles is not None for prediction in predictions)
        headers = [str(self.source.series_column)] if several else []
        parts = split_names(self.source.date_column or "date")
        headers.append(parts[0] if len(parts) == 1 else "date")
        for name in targets:
            headers += [name, *(f"{name}_{level:g}" for level in levels if has_quantiles)]
        rows = []
        for prediction in predictions:
            values = np.asarray(prediction.value, np.float64).reshape(len(prediction.dates), -1)
            dates = shown_dates(to_local(prediction.dates, self.source.timezone))
            for step, date in enumerate(dates):
                row: list[Any] = [prediction.series, date] if several else [date]
                for column in range(len(targets)):
                    row.append(float(values[step, column]))
                    if has_quantiles:
                        row += [float(item) for item in prediction.quantiles[step, column]]
                rows.append(row)
        return ForecastTable(headers, rows)

    def plot(
        self, path: str | pathlib.Path, histories: Sequence[History], predictions: Sequence[Any]
    ) -> None:
        """Plots history, forecast and the bands between quantiles, with dates as in `table`."""
        from seqzoo.tasks.forecast.plot import plot_forecasts

        levels = self.run.template.levels
        shown = partial(to_local, name=self.source.timezone)
        plot_forecasts(
            pathlib.Path(path), histories, predictions, self.targets, levels, shown=shown
        )

    def anomalies(
        self, histories: Sequence[History], minimum_score: float = ANOMALY
    ) -> ForecastTable:
        """The steps whose values are far from their forecasts.

        Each step is forecast from the steps before it, except for those of the first look-back
        window of a series. Its score is the distance between value and
        forecast, divided by the standard deviation of a normal distribution with the same outer
        quantiles.

        Args:
            histories: the series.
            minimum_score: minimum score of an anomaly.

        Raises:
            SeqzooError: the run forecasts no quantiles, or the series are too short.
        """
        rows: list[list[Any]] = []
        levels = self.run.template.levels
        if levels[-1] <= 0.5 or levels[0] >= 0.5:
            raise SeqzooError(
                f"Anomaly detection needs a level below and one above 0.5, got {list(levels)}.",
                field="levels",
            )
        # A step can be forecast only if a value precedes it.
        histories = [item for item in histories if np.isfinite(item.values).any(1).sum() > 1]
        if not histories:
            raise SeqzooError(
                "Anomaly detection needs a series of at least two values, but there is none."
            )
        normal = [NormalDist().inv_cdf(level) for level in (levels[0], levels[-1])]
        scored = known = 0
        for history in histories:
            forecast, origins = self.run.task.one_step(self.run.model, history)
            scored += int(np.isfinite(history.values[origins]).sum())
            known += int(np.isfinite(history.values).sum())
            if not len(origins):
                continue
            low, high = forecast["quantiles"][..., 0], forecast["quantiles"][..., -1]
            if not (high > low).any():
                raise SeqzooError(
                    f"{self.run.folder} forecasts no quantiles to detect anomalies with; train it "
                    "with --distribution, or with validation examples."
                )
            deviation = (high - low) / (normal[1] - normal[0])
            # An interval without width, of a constant series, is as wide as a rounding error.
            rounding = np.spacing(np.abs(forecast["values"]))
            deviation = np.where(high > low, deviation, rounding)
            actual = history.values[origins]
            scores = np.abs(actual - forecast["values"]) / deviation
            dates = shown_dates(to_local(history.dates[origins], self.source.timezone))
            for step, column in zip(*np.nonzero(scores >= minimum_score), strict=True):
                position = (step, column)
                numbers = (actual, forecast["values"], low, high, scores)
                rows.append(
                    [history.name, dates[step], self.targets[column]]
                    + [float(number[position]) for number in numbers]
                )
        if not scored:
            raise SeqzooError(
                "Anomaly detection needs a series of which a value follows another within the "
                f"look-back of {counted(self.run.template.look_back, 'step')}, but there is none."
            )
        headers = ["series", "date", "target", "value", "expected", "low", "high", "score"]
        notes = []
        if left := known - scored:
            are = agreed(left, "was", "were")
            notes.append(
                f"{left:,} of {counted(known, 'value')} {are} not examined: those of the first "
                "look-back window of each series."
            )
        return ForecastTable(headers, rows, notes)


def _whose(history: History, table: str) -> str:
    """What a message says about a history: the name of its series, or of the table."""
    return f"The series {history.name!r}" if history.name else table


def _shown(field: Any) -> str:
    """A field as text; numbers have six significant digits, or all digits before the decimal
    point."""
    if not isinstance(field, float):
        return str(field)
    return f"{field:.6g}" if abs(field) < 100_000 else f"{field:.0f}"


def forecast_text(
    folder: str,
    path: str,
    *,
    given: dict[str, Any],
    horizon: int | None = None,
    form: str = "text",
    plot: str | None = None,
    anomalies: bool = False,
    device: str | None = None,
    others: Sequence[str] = (),
) -> Iterator[Reply]:
    """The output of `seqzoo predict` for a run of the `forecast` template.

    Args:
        folder: the folder of the run.
        path: path of a table with the history, followed by future values of the known covariates.
        given: fields of the source that were given.
        horizon: steps to forecast; None for the model's horizon.
        form: "text", "csv" or "jsonl".
        plot: file to plot the forecasts to; None for no plot.
        anomalies: whether to look for anomalies instead of forecasting.
        device: see `seqzoo.zoo.devices.choose`.
        others: further runs, whose forecasts are averaged with those of the first.

    Raises:
        SeqzooError: the run uses a different template, the table does not fit it, or the plot is
            not a .png file.
    """
    if plot and pathlib.Path(plot).suffix.lower() != ".png":
        raise SeqzooError(field="plot", expected="a .png file", got=plot)
    if plot and not (place := pathlib.Path(plot).expanduser().absolute().parent).is_dir():
        raise SeqzooError(
            f"`plot` must be a .png file in an existing folder, but {place} does not exist.",
            field="plot",
            got=plot,
        )
    forecaster = Forecaster.open(folder, given, device, others)
    histories, notes = forecaster.read(path)
    for note in notes:
        yield Reply(note, aside=True)
    if anomalies:
        found = forecaster.anomalies(histories)
        for note in found.notes:
            yield Reply(note, aside=True)
        if found.rows or form != "jsonl":  # no rows are no lines of JSON
            yield Reply(found.text(form))
        return
    predictions = forecaster.forecast(histories, horizon)
    if plot:
        forecaster.plot(pathlib.Path(plot).expanduser(), histories, predictions)
    yield Reply(forecaster.table(predictions).text(form))

"""`Forecast` with what it learned from training examples."""

import math
import pathlib
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import tensorflow as tf

from seqzoo.tasks.base import Outcome, Prediction, PredictionOptions, Task
from seqzoo.tasks.data.batches import Data
from seqzoo.tasks.data.column_names import target_names
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.data.frequency import shown_dates
from seqzoo.tasks.data.history import History
from seqzoo.tasks.data.windows import SampledData
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.forecast.network import SegmentForecaster
from seqzoo.tasks.layers.recurrent import cell_choices
from seqzoo.tasks.metrics.conformal import level_corrections
from seqzoo.tasks.metrics.forecasts import forecast_metrics
from seqzoo.tasks.metrics.linear_forecast import MAX_WINDOWS, fit_linear, is_last
from seqzoo.tasks.preprocessing.histories import HistoryFeatures
from seqzoo.tasks.preprocessing.history_windows import WINDOWS_AT_ONCE, HistoryWindows
from seqzoo.tasks.targets.distributions import DISTRIBUTIONS, Units

MIN_WINDOWS = 5
"""Minimum number of training windows for a linear model, one of which is held out."""

MAX_RESIDUALS = 2**24
"""Maximum number of values, about, minus their quantiles, on which folds are calibrated; further
windows are skipped, evenly."""


@dataclass(frozen=True)
class ForecastPrediction(Prediction):
    """The forecast of one series.

    Attributes:
        series: the name of the series.
        dates: the dates of the steps of the horizon, datetime64, (horizon,); in UTC if those of the
            history are.
        quantiles: values for each level, target and step, (horizon, targets, levels); None for
            point forecasts without calibrated intervals.
    """

    series: str = ""
    dates: Any = field(default=None, compare=False)
    quantiles: Any = field(default=None, compare=False)


class ForecastTask(Task):
    """A model that forecasts all steps of a horizon at once.

    Examples are series; batches consist of their windows.

    Args:
        template: the options, a `Forecast`.
        features: how inputs become tensors.
    """

    metric = "mse"
    better = -1
    sums = 1
    best_by = "loss"

    def __init__(self, template: Any, features: HistoryFeatures):
        self.template = template
        self.features = features
        kind = DISTRIBUTIONS[template.distribution]
        self.distribution = kind(template.levels, template.loss)

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> Self:
        features = HistoryFeatures.learn(template, examples)
        if template.window_normalization == "season" and features.season >= template.look_back:
            raise SeqzooError(
                f"`look_back` must be longer than a season ({features.season} steps) for the "
                f"window normalisation 'season', got {template.look_back}.",
                field="look_back",
            )
        return cls(template, features)

    @classmethod
    def restore(cls, template: Any, config: dict[str, Any], vocabularies: dict) -> Self:
        features = HistoryFeatures.from_config(template, config["features"], vocabularies)
        return cls(template, features)

    def build(self, precision: str = "float32") -> SegmentForecaster:
        template, features = self.template, self.features
        model = SegmentForecaster(
            template.look_back,
            template.horizon,
            self.segment,
            layout=features.layout,
            series=len(features.names),
            outputs=self.distribution.size,
            center=self.distribution.center,
            levels=len(template.levels),
            gaps=features.config["gaps"],
            **cell_choices(template),
            form=template.form,
            normalization=template.window_normalization,
            season=features.season,
            locations=self.distribution.locations,
            linear=template.linear,
            precision=precision,
            name="forecast",
        )
        model.build()
        return model

    @property
    def segment(self) -> int:
        """Length of a segment, in steps: a season, halved until the look-back and the horizon both
        have at least two segments."""
        template = self.template
        if template.segment is not None:
            return template.segment
        size, largest = self.features.season, max(min(template.look_back, template.horizon) // 2, 1)
        while size > largest:
            size = -(-size // 2)
        return size

    def encode(self, examples: Examples, targets: bool) -> Data:
        if not targets:
            return Data(self.features.encode(examples))
        return SampledData(self.features.windows(examples), max_sequences=self.template.windows)

    def forward(self, model: Any, batch: dict[str, Any], training: bool) -> Outcome:
        outputs, units, truth, observed = self._run(model, batch, training)
        losses = tf.where(observed, self.distribution.losses(outputs, truth, units), 0.0)
        errors = tf.square(self.distribution.point(outputs, units) - truth)
        squares = tf.reduce_sum(tf.where(observed, errors, 0.0), [1, 2])
        return Outcome(tf.reduce_sum(losses, [1, 2]), squares[:, None])

    def _run(self, model: Any, batch: dict[str, Any], training: bool = False) -> tuple:
        """The outputs for a batch, their units, the true values, and whether each true value is
        known."""
        values = batch["values"]
        outputs, level, spread = model(values, training=training)
        look_back, horizon = self.template.look_back, self.template.horizon
        ahead = self.features.layout.split(values[:, look_back : look_back + horizon])
        units = Units(level, spread, ahead["mean"][:, :1], ahead["scale"][:, :1])
        outputs = tf.cast(outputs, tf.float32)
        units = Units(*(tf.cast(unit, tf.float32) for unit in units))
        return outputs, units, ahead["values"], ahead["observed"] > 0

    def points(self, model: Any, batch: dict[str, Any]) -> Any:
        """The point forecasts for the encoded windows of a batch, transformed and standardised,
        (batch, horizon, targets)."""
        outputs, units, _, _ = self._run(model, batch)
        return self.distribution.point(outputs, units)

    def counts(self, batch: dict[str, Any]) -> Any:
        look_back, horizon = self.template.look_back, self.template.horizon
        steps = batch["values"][:, look_back : look_back + horizon]
        return tf.reduce_sum(self.features.layout.split(steps)["observed"], [1, 2])

    def measure(self, sums: np.ndarray, count: float) -> float:
        return float(sums[0] / count)

    def infer(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        outputs, units, _, _ = self._run(model, batch)
        quantiles = self.distribution.quantiles(outputs, units)
        corrected = quantiles + model.correction * units.spread[..., None]
        if 0.5 in self.template.levels:  # the median is not corrected and stays between the others
            median = quantiles[..., self.template.levels.index(0.5), None]
            below = tf.constant([level < 0.5 for level in self.template.levels])
            above = tf.constant([level > 0.5 for level in self.template.levels])
            corrected = tf.where(below, tf.minimum(corrected, median), corrected)
            corrected = tf.where(above, tf.maximum(corrected, median), corrected)
        corrected = tf.sort(corrected, -1)
        inverse = self.features.values.inverse
        return {
            "values": inverse(self.distribution.point(outputs, units) * units.scale + units.mean),
            "quantiles": inverse(corrected * units.scale[..., None] + units.mean[..., None]),
        }

    def uncorrected(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        outputs, units, truth, observed = self._run(model, batch)
        quantiles = self.distribution.quantiles(outputs, units)
        # Relative to the window's spread, so that windows that vary more get larger corrections.
        above = (truth[..., None] - quantiles) / units.spread[..., None]
        return {"above": tf.where(observed[..., None], above, math.nan)}

    def folds(self, training: Data, validation: Data | None, count: int) -> list[tuple[Data, Data]]:
        windows: Any = training.inputs
        assert isinstance(windows, HistoryWindows)
        if validation is not None:
            others: Any = validation.inputs
            windows = windows.joined(others)
        fold, overlaps = np.zeros(len(windows), int), np.zeros((count, len(windows)), bool)
        ends = np.flatnonzero(np.diff(windows.examples)) + 1  # windows are sorted by series
        for rows in np.split(np.arange(len(windows)), ends):
            fold[rows] = np.arange(len(rows)) * count // len(rows)
            first, after = windows.spans[rows].T
            for index in np.unique(fold[rows]):
                held_out = fold[rows] == index
                overlaps[index, rows] = (after > first[held_out].min()) & (
                    first < after[held_out].max()
                )
        size = self.template.horizon * self.features.targets * len(self.template.levels)
        results = []
        for index in range(count):
            (kept,), (held_out,) = np.nonzero(~overlaps[index]), np.nonzero(fold == index)
            least = MIN_WINDOWS if self.template.linear else 1
            if len(kept) < least or not len(held_out):
                raise SeqzooError(
                    f"`conformal_folds` must leave at least {least} windows to train on, got "
                    f"{count}, with which fold {index + 1} has {len(held_out)} of {len(windows)} "
                    f"windows and leaves {len(kept)} that do not overlap them.",
                    field="conformal_folds",
                )
            step = -(-len(held_out) * size * count // MAX_RESIDUALS)
            results.append(
                (
                    replace(training, inputs=windows.subset(kept)),
                    Data(windows.subset(held_out[::step])),
                )
            )
        return results

    def corrections(self, results: dict[str, list]) -> np.ndarray:
        # The median is the forecast, so it is not corrected.
        levels = [math.nan if level == 0.5 else level for level in self.template.levels]
        return level_corrections(np.stack(results["above"]), levels)

    def fit_linear(self, model: Any, training: Data) -> bool:
        windows: Any = training.inputs
        assert isinstance(windows, HistoryWindows)
        layout = self.features.layout
        if len(windows) < MIN_WINDOWS:
            return False
        step = max(-(-len(windows) * layout.values // MAX_WINDOWS), 1)
        chosen = np.arange(0, len(windows), step)
        _, counts = np.unique(windows.examples[chosen], return_counts=True)
        is_held_out = np.concatenate([is_last(count) for count in counts])
        if not is_held_out.any():  # one or two windows of each series
            is_held_out = is_last(len(chosen))
        parts = []
        for start in range(0, len(chosen), WINDOWS_AT_ONCE):
            values = np.stack([windows[row] for row in chosen[start : start + WINDOWS_AT_ONCE]])
            pair = model.linear_windows(tf.constant(values))
            # (windows x targets, steps)
            parts.append([np.swapaxes(item, 1, 2).reshape(-1, item.shape[1]) for item in pair])
        behind, ahead = (
            np.concatenate(item).astype(np.float64) for item in zip(*parts, strict=True)
        )
        behind = np.concatenate([behind, np.ones_like(behind[:, :1])], 1)
        weights = fit_linear(behind, ahead, np.repeat(is_held_out, layout.values))
        model.linear.kernel.assign(weights[:-1])
        model.linear.bias.assign(weights[-1])
        return True

    def points_and_truth(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        outputs, units, truth, observed = self._run(model, batch)
        truth = tf.where(observed, truth, math.nan)
        return {"points": self.distribution.point(outputs, units), "truth": truth}

    def respond(self, model: Any, raw: tuple, options: PredictionOptions) -> dict[str, Any]:
        values, _ = self.features.transform(*raw)
        result = self.infer(model, {"values": values}, options)
        return {name: result[name] for name in ("values", "quantiles")}

    def predictions(
        self, results: dict[str, list], inputs: Any, options: PredictionOptions
    ) -> list[Prediction]:
        return [
            self._prediction(history, history.end, values, quantiles)
            for history, values, quantiles in zip(
                inputs, results["values"], results["quantiles"], strict=True
            )
        ]

    def _prediction(
        self, history: History, origin: int, values: Any, quantiles: Any
    ) -> ForecastPrediction:
        """The forecast of a history from step `origin` on."""
        frequency = self.features.frequency
        dates = frequency.at(history.dates, np.arange(origin, origin + len(values)))
        rows = [tuple(map(float, row)) for row in values]
        shown = [" ".join(f"{number:.6g}" for number in row) for row in rows]
        has_intervals = self.distribution.has_quantiles or np.ptp(quantiles, -1).any()
        return ForecastPrediction(
            f"{shown_dates(dates)[0]}: {', '.join(shown)}",
            tuple(row[0] for row in rows) if values.shape[1] == 1 else tuple(rows),
            series=history.name,
            dates=dates,
            quantiles=quantiles if has_intervals else None,
        )

    def illustrate(
        self,
        model: Any,
        examples: Examples,
        results: dict[str, list],
        folder: pathlib.Path,
        options: PredictionOptions,
        target: str | None = None,
    ) -> None:
        """Writes forecasts.png: the last window of each series, with the actual values."""
        from seqzoo.tasks.forecast.plot import PANELS, plot_forecasts

        histories, predictions, truths, behind = [], [], [], 0
        for history in examples.inputs:
            origins = self.features.origins(history)
            if not len(origins) or len(predictions) >= PANELS:
                continue
            behind, origin = behind + len(origins), int(origins[-1])
            values, quantiles = (results[name][behind - 1] for name in ("values", "quantiles"))
            histories.append(history.cut(origin))
            predictions.append(self._prediction(history, origin, values, quantiles))
            truth = history.values[origin : origin + len(values)]
            missing = ((0, len(values) - len(truth)), (0, 0))
            truths.append(np.pad(truth, missing, constant_values=np.nan))
        count = self.features.targets
        names = target_names(target, count) if target or count > 1 else [""]
        levels, path = self.template.levels, folder / "forecasts.png"
        plot_forecasts(path, histories, predictions, names, levels, truths)

    def compute_metrics(
        self, results: dict[str, list], data: Data, examples: Examples, options: PredictionOptions
    ) -> dict[str, Any]:
        windows: Any = data.inputs
        assert isinstance(windows, HistoryWindows)
        return forecast_metrics(
            self.features,
            examples,
            windows,
            np.stack(results["values"]),
            np.stack(results["quantiles"]),
            self.template,
            has_quantiles=self.distribution.has_quantiles,
        )

    def one_step(self, model: Any, history: History) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Forecasts each step of a history from the steps before it.

        Args:
            model: the trained model.
            history: a history of more than one step; the steps of the first look-back window are
                not forecast, unless there are no others.

        Returns:
            "values", (steps, targets), and "quantiles", (steps, targets, levels); and the indices
            of these steps in the history. There are none if no value follows another within the
            look-back window.
        """
        end = history.end
        history = history.cut(end, since=max(min(self.template.look_back, end - 1), 1))
        origins = self.features.origins(history, full_horizons=False)
        if not len(origins):
            nothing = np.zeros((0, self.features.targets, len(self.template.levels)))
            return {"values": nothing[..., 0], "quantiles": nothing}, origins
        windows = self.features.windows(Examples([history]), full_horizons=False)
        parts: dict[str, list] = {"values": [], "quantiles": []}
        for start in range(0, len(windows), WINDOWS_AT_ONCE):
            rows = range(start, min(start + WINDOWS_AT_ONCE, len(windows)))
            values = tf.constant(np.stack([windows[row] for row in rows]))
            result = self.infer(model, {"values": values}, PredictionOptions())
            for name, part in parts.items():
                part.append(result[name][:, 0].numpy())
        return {name: np.concatenate(part) for name, part in parts.items()}, windows.origins

    def to_config(self) -> dict[str, Any]:
        return {"features": self.features.to_config()}

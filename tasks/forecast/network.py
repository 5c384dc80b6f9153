"""The network of the `forecast` template: from a window's segments to those of its horizon."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks.forecast.linear_part import LinearPart, filled
from seqzoo.tasks.layers.recurrent import recurrent_layers
from seqzoo.tasks.preprocessing.histories import Layout

MIN_SPREAD = 1e-2
"""Minimum standard deviation by which windows are divided, relative to that of their series."""


@keras.saving.register_keras_serializable(package="seqzoo")
class SegmentForecaster(keras.Model):
    """From the steps of a window to outputs for each step of its horizon (SegRNN, Lin et al. 2023).

    Targets are processed independently. Each normalised segment of the look-back window goes
    through a dense layer with ReLU and the recurrent layers. Continuing from their last states,
    each segment of the horizon takes one more step, whose input is the sum of embeddings of the
    segment's position, the target and the series, and a projection of the known covariates.

    Args:
        look_back: length of the look-back window, in steps.
        horizon: number of steps to forecast.
        segment: length of a segment, in steps.
        layout: the sizes of the parts of an encoded step; see `Layout`.
        series: number of series in training.
        outputs: number of outputs per step and target.
        center: index of the output that is the point forecast.
        levels: number of quantiles that are corrected.
        gaps: whether inputs have a feature that marks missing values.
        cell: name of the cell in `seqzoo.cells.CELLS`.
        units: units per layer.
        layers: number of recurrent layers.
        dropout: dropout rate on the inputs of all layers except the first, and on the last
            features.
        recurrent_dropout: dropout rate on the recurrent inputs.
        cell_options: other options of the cell's class.
        recompute: see `Recurrent`.
        form: "parallel" or "recurrent"; see `Forecast`.
        normalization: "last", "mean", "season" or "none"; see `Forecast`.
        season: length of a season, in steps, for the normalisation "season".
        locations: number of outputs, the first ones, that are values and not scales.
        linear: whether there is a linear part; see `LinearPart`.
        precision: Keras' dtype policy for the layers.
        **kwargs: passed to `keras.Model`.
    """

    def __init__(
        self,
        look_back: int,
        horizon: int,
        segment: int,
        layout: Sequence[int],
        series: int,
        outputs: int,
        center: int,
        levels: int,
        gaps: bool,
        cell: str,
        units: int,
        layers: int = 1,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        cell_options: Mapping[str, Any] | None = None,
        recompute: int | None = None,
        form: str = "parallel",
        normalization: str = "last",
        season: int = 1,
        locations: int = 1,
        linear: bool = False,
        precision: str = "float32",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.choices = {
            "look_back": look_back,
            "horizon": horizon,
            "segment": segment,
            "layout": list(layout),
            "series": series,
            "outputs": outputs,
            "center": center,
            "levels": levels,
            "gaps": gaps,
            "cell": cell,
            "units": units,
            "layers": layers,
            "dropout": dropout,
            "recurrent_dropout": recurrent_dropout,
            "cell_options": dict(cell_options or {}),
            "recompute": recompute,
            "form": form,
            "normalization": normalization,
            "season": season,
            "locations": locations,
            "linear": linear,
            "precision": precision,
        }
        self.layout = Layout(*layout)
        self.read, self.written = -(-look_back // segment), -(-horizon // segment)
        self.segments = keras.layers.Dense(units, "relu", dtype=precision, name="segments")
        self.recurrent = recurrent_layers(
            cell,
            units,
            layers,
            recurrent_dropout=recurrent_dropout,
            cell_options=cell_options,
            recompute=recompute,
            return_state=True,
            dtype=precision,
        )
        self.between = keras.layers.Dropout(dropout, dtype=precision)
        self.positions = keras.layers.Embedding(self.written, units, dtype=precision)
        self.channels = keras.layers.Embedding(self.layout.values, units, dtype=precision)
        # Series that were not in training have index 0, whose vector stays at its initial value.
        self.owners = keras.layers.Embedding(series + 1, units, "zeros", dtype=precision)
        self.about = keras.layers.Dense(units, use_bias=False, dtype=precision, name="about")
        self.output_layer = keras.layers.Dense(segment * outputs, dtype="float32", name="outputs")
        self.linear = LinearPart(look_back, horizon, name="linear") if linear else None

    def build(self, *_: Any) -> None:
        """Creates all weights by running the model on one window."""
        steps = self.choices["look_back"] + self.choices["horizon"]
        self.correction = self.add_weight(
            shape=(self.choices["horizon"], self.layout.values, self.choices["levels"]),
            initializer="zeros",
            trainable=False,
            name="correction",
        )
        with seqzoo.cells.portable():
            self.call(tf.zeros([1, steps, sum(self.layout)]))
        self.built = True

    def call(self, values: Any, training: bool = False) -> tuple[Any, Any, Any]:
        """Computes the outputs for a batch of windows.

        Args:
            values: encoded steps, (batch, look-back + horizon, features); in the horizon only the
                known covariates are read.
            training: whether dropout is on.

        Returns:
            The outputs, (batch, horizon, targets, outputs), float32; and the level and the spread
            with which they are normalised, (batch, horizon or 1, targets) and (batch, 1, targets).
        """
        choices, size = self.choices, self.choices["segment"]
        look_back, horizon, targets = choices["look_back"], choices["horizon"], self.layout.values
        behind = self.layout.split(values[:, :look_back])
        ahead = self.layout.split(values[:, look_back : look_back + horizon])
        level, level_ahead, spread = self._window_scales(behind["values"], behind["observed"])
        steps = self.normalized(behind, level, spread)
        # The first segment is padded with zeros before the earliest steps.
        steps = tf.pad(steps, [[0, 0], [self.read * size - look_back, 0], [0, 0], [0, 0]])
        width = steps.shape[-1]
        steps = tf.reshape(steps, [-1, self.read, size, targets, width])
        steps = tf.transpose(steps, [0, 3, 1, 2, 4])
        features = tf.reshape(steps, [-1, self.read, size * width])  # (batch x targets, ...)
        features = self.segments(features)
        states = []
        for index, layer in enumerate(self.recurrent):
            features = self.between(features, training=training) if index else features
            features, *last = layer(features, training=training)
            states.append(last)

        queries = self._queries(behind, ahead)
        forecast = self._all_segments if choices["form"] == "parallel" else self._one_by_one
        try:
            outputs = forecast(queries, states, training)
        finally:
            self._reset_dropout()
        outputs = tf.reshape(outputs, [-1, targets, self.written * size, choices["outputs"]])[
            :, :, :horizon
        ]
        outputs = tf.transpose(outputs, [0, 2, 1, 3])
        if self.linear is not None and not training:
            normal = self.without_gaps(behind, level, spread)
            outputs = self.linear.averaged(outputs, normal, choices["center"], choices["locations"])
        return outputs, level_ahead, spread

    def linear_windows(self, values: Any) -> tuple[Any, Any]:
        """What the linear part reads and what it should forecast, normalised: (batch, look-back,
        targets) and (batch, horizon, targets), NaN where missing.

        Args:
            values: encoded steps, with the targets in the horizon; see `call`.
        """
        look_back = self.choices["look_back"]
        behind, ahead = (
            self.layout.split(part) for part in (values[:, :look_back], values[:, look_back:])
        )
        level, level_ahead, spread = self._window_scales(behind["values"], behind["observed"])
        truth = tf.where(ahead["observed"] > 0, ahead["values"], math.nan)
        return self.without_gaps(behind, level, spread), (truth - level_ahead) / spread

    def without_gaps(self, behind: dict[str, Any], level: Any, spread: Any) -> Any:
        """The normalised values of a look-back window, with replacements for missing ones: the
        value of the season before, or the last value."""
        values, observed = behind["values"], behind["observed"]
        if self.choices["normalization"] == "season":
            return observed * (values - level) / spread
        return (filled(values, observed, self.choices["look_back"]) - level) / spread

    def normalized(self, behind: dict[str, Any], level: Any, spread: Any) -> Any:
        """The features of each step of the look-back window and each target: its normalised value;
        if the training data have gaps, whether it was observed; and the covariates, (batch,
        look-back, targets, features)."""
        normal = behind["observed"] * (behind["values"] - level) / spread
        channels = [normal[..., None]]
        if self.choices["gaps"]:
            channels.append(behind["observed"][..., None])
        shared = tf.concat([behind["past"], behind["known"]], -1)[:, :, None]
        channels.append(tf.repeat(shared, self.layout.values, 2))
        return tf.concat(channels, -1)

    def _window_scales(self, values: Any, observed: Any) -> tuple[Any, Any, Any]:
        """The level with which windows (batch, time, targets) are normalised, (batch, time or 1,
        targets), that of the horizon, (batch, horizon or 1, targets), and the spread of both,
        (batch, 1, targets)."""
        if self.choices["normalization"] == "season":
            level, ahead = self._season_levels(values, observed)
            return level, ahead, tf.ones_like(values[:, :1])
        level, spread = self._constant_scales(values, observed)
        return level, level, spread

    def _season_levels(self, values: Any, observed: Any) -> tuple[Any, Any]:
        """For each step of a window and of the horizon, the last observed value a whole number of
        seasons earlier; in the first season, and where there is no such value, the value itself."""
        choices, season = self.choices, self.choices["season"]
        padding = [[0, 0], [-choices["look_back"] % season, 0], [0, 0]]
        values, observed = tf.pad(values, padding), tf.pad(observed, padding) > 0
        time = choices["look_back"] + padding[1][0]
        last, is_known, levels = values[:, :season], observed[:, :season], []
        for start in range(0, time, season):
            now, has_value = (item[:, start : start + season] for item in (values, observed))
            levels.append(tf.where(is_known, last, now))
            last = tf.where(has_value, now, levels[-1])
            is_known = is_known | has_value
        seasons = -(-choices["horizon"] // season)
        ahead = tf.tile(last, [1, seasons, 1])[:, : choices["horizon"]]
        return tf.concat(levels, 1)[:, -choices["look_back"] :], ahead

    def _constant_scales(self, values: Any, observed: Any) -> tuple[Any, Any]:
        """The level and spread with which windows (batch, time, targets) are normalised, (batch, 1,
        targets) each."""
        zeros = tf.zeros_like(values[:, :1])
        normalization = self.choices["normalization"]
        if normalization == "none":
            return zeros, zeros + 1.0
        if normalization == "last":
            steps = tf.range(1.0, self.choices["look_back"] + 1.0)[:, None]
            last = tf.argmax(observed * steps, 1)  # if none is observed, the first step, which is 0
            level = tf.gather(tf.transpose(values, [0, 2, 1]), last, batch_dims=2)
            return level[:, None], zeros + 1.0
        count = tf.maximum(tf.reduce_sum(observed, 1, keepdims=True), 1.0)
        level = tf.reduce_sum(values * observed, 1, keepdims=True) / count
        squares = tf.reduce_sum(tf.square((values - level) * observed), 1, keepdims=True)
        return level, tf.maximum(tf.sqrt(squares / count), MIN_SPREAD)

    def _queries(self, behind: dict[str, Any], ahead: dict[str, Any]) -> Any:
        """The input of each segment of the horizon, (batch, targets, segments, units)."""
        size, targets = self.choices["segment"], self.layout.values
        positions = self.positions(tf.range(self.written))
        channels = self.channels(tf.range(targets))[:, None]
        owners = self.owners(tf.cast(behind["series"][:, 0, 0], tf.int32))[:, None, None]
        queries = positions + channels + owners
        padding = [[0, 0], [0, self.written * size - self.choices["horizon"]], [0, 0]]
        known = tf.pad(ahead["known"], padding)
        calendar = tf.pad(ahead["calendar"], padding)[:, ::size]  # the first step of each segment
        static = tf.repeat(behind["static"][:, :1], self.written, 1)
        rows = tf.shape(known)[0]  # not -1, which requires at least one covariate
        known = tf.reshape(known, [rows, self.written, size * self.layout.known])
        about = tf.concat([known, calendar, static], -1)
        if about.shape[-1]:
            queries += self.about(about)[:, None]
        return queries

    def _all_segments(self, queries: Any, states: list, training: bool) -> Any:
        """The outputs of all segments, computed at once: one step from the last states for each."""
        units = queries.shape[-1]
        features = tf.reshape(queries, [-1, units])
        for index, (layer, item) in enumerate(zip(self.recurrent, states, strict=True)):
            item = [tf.repeat(state, self.written, 0) for state in item]
            features = self.between(features, training=training) if index else features
            features, _ = layer.cell(features, item, training=training)
        return self.output_layer(self.between(features, training=training))

    def _one_by_one(self, queries: Any, states: list, training: bool) -> Any:
        """The outputs of all segments, computed one after the other: each step continues from the
        states of the previous step, and reads that step's forecast like a segment of the look-back
        window."""
        size, outputs = self.choices["segment"], self.choices["outputs"]
        queries = tf.reshape(queries, [-1, self.written, queries.shape[-1]])
        before, results = None, []
        width = self.segments.kernel.shape[0]
        for index in range(self.written):
            features = queries[:, index]
            if before is not None:
                center = self.choices["center"]
                forecast = tf.reshape(before, [-1, size, outputs])[..., center : center + 1]
                if self.choices["gaps"]:
                    forecast = tf.concat([forecast, tf.ones_like(forecast)], -1)
                rest = width // size - forecast.shape[-1]  # covariates are not forecast
                filled = tf.pad(forecast, [[0, 0], [0, 0], [0, rest]])
                features += self.segments(tf.reshape(filled, [-1, width]))
            following = []
            for number, (layer, state) in enumerate(zip(self.recurrent, states, strict=True)):
                features = self.between(features, training=training) if number else features
                features, new = layer.cell(features, state, training=training)
                following.append(list(new))
            states = following
            before = self.output_layer(self.between(features, training=training))
            results.append(before)
        return tf.stack(results, 1)

    def _reset_dropout(self) -> None:
        """Resets the dropout masks of the cells, as `Recurrent` does after each sequence: the next
        call may be in another graph or have another number of rows."""
        for layer in self.recurrent:
            layer.cell.reset_dropout_mask()
            layer.cell.reset_recurrent_dropout_mask()

    def get_config(self) -> dict:
        return {"name": self.name, **self.choices}

    def get_build_config(self) -> dict:
        return {"look_back": self.choices["look_back"]}

    def build_from_config(self, config: dict) -> None:
        self.build()

"""Series of numbers, standardised with the statistics of the training examples."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.data.timed_series import TimedSeries
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.layers.recurrent import takes_mask, takes_time
from seqzoo.tasks.preprocessing.base import Features, empty, finite, moments, with_a_step


class SeriesFeatures(Features):
    """One or more numbers per step; for time-aware cells, also the time since the previous step.

    Times are divided by their mean in training, so that a model does not depend on whether they are
    in seconds or days. In series with times, features that consist only of zeros and ones are
    not standardised, because they may be the masks of observed values that gru-d takes; for such a
    cell, the statistics are those of the observed values.

    Args:
        template: a template with `cell` and `maximum_length`.
        mean: mean of each feature in the training data.
        scale: standard deviation of each feature in the training data.
        time_unit: mean time between steps in the training data; None if the cell is not
            time-aware.
    """

    chunk = 256

    def __init__(self, template: Any, mean: list, scale: list, time_unit: float | None = None):
        self.template = template
        self.mean = mean
        self.scale = scale
        self.time_unit = time_unit
        self.takes_time = time_unit is not None

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> "SeriesFeatures":
        timed, locations = takes_time(template.cell), examples.locations
        series, elapsed = _split_times(examples.inputs, locations, template.cell if timed else None)
        width = _two_axes(series[0], locations[0]).shape[1]
        features = cls(template, [0.0] * width, [1.0] * width, 1.0 if timed else None)
        values = np.concatenate(features.check(series, locations))
        features.mean, features.scale = moments(values)
        columns = list(values.T)
        if takes_mask(template.cell):
            half = width // 2
            for k, observed in enumerate(columns[half:]):
                columns[k] = columns[k][observed == 1]
                if len(columns[k]):
                    (features.mean[k],), (features.scale[k],) = moments(columns[k][:, None])
        if timed:
            binary = np.array([np.isin(column, (0, 1)).all() for column in columns])
            features.mean = np.where(binary, 0.0, features.mean).tolist()
            features.scale = np.where(binary, 1.0, features.scale).tolist()
            between = np.concatenate([item[1:] for item in elapsed])
            features.time_unit = (float(between.mean()) if between.size else 0.0) or 1.0
        return features

    def check(self, inputs: Any, locations: Sequence[str]) -> list[np.ndarray]:
        """Converts inputs to arrays of shape (time, features), float32, and checks them.

        Raises:
            SeqzooError: an input is empty, not finite or of the wrong shape, or lacks the masks
                that the cell takes.
        """
        masked = takes_mask(self.template.cell)
        series = []
        for item, location in zip(inputs, locations, strict=True):
            array = finite(_two_axes(item, location), location)
            if array.shape[1] != len(self.mean):
                raise SeqzooError(
                    f"The number of values per step must be {len(self.mean)}, as in the first "
                    f"training example, but {location} has {array.shape[1]}.",
                    location=location,
                )
            if masked:
                _check_mask(array, self.template.cell, location)
            series.append(array)
        return series

    def raw(self, inputs: Any, locations: Sequence[str]) -> tuple:
        series, elapsed = _split_times(
            inputs, locations, self.template.cell if self.takes_time else None
        )
        values, lengths = pad(self.check(series, locations))
        if not self.takes_time:
            return values, lengths
        return values, pad(elapsed)[0], lengths

    def transform(self, *raw: Any) -> tuple[Any, Any]:
        values, *elapsed, lengths = raw
        values = self.scaled(values, *elapsed)
        limit = self.template.maximum_length
        if limit is not None:
            values, lengths = values[:, :limit], tf.minimum(lengths, limit)
        return with_a_step(values, 0.0), lengths

    def scaled(self, values: Any, elapsed: Any = None) -> Any:
        """Standardised steps, with the elapsed time as the last feature if it is passed."""
        values = (values - tf.constant(self.mean)) / tf.constant(self.scale)
        if elapsed is None:
            return values
        return tf.concat([values, (elapsed / tf.constant(self.time_unit))[..., None]], -1)

    @property
    def signature(self) -> list:
        elapsed = tf.TensorSpec((None, None), tf.float32, "elapsed")
        return [
            tf.TensorSpec((None, None, len(self.mean)), tf.float32, "values"),
            *([elapsed] if self.takes_time else []),
            tf.TensorSpec((None,), tf.int32, "lengths"),
        ]

    @property
    def step(self) -> tuple[tuple[int, ...], str]:
        return (len(self.mean) + self.takes_time,), "float32"

    def to_config(self) -> dict[str, Any]:
        config = {"mean": self.mean, "scale": self.scale}
        return {**config, "time_unit": self.time_unit} if self.takes_time else config

    @classmethod
    def from_config(cls, template: Any, config: dict, vocabularies: dict) -> "SeriesFeatures":
        return cls(template, **config)


def pad(arrays: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Pads arrays of shape (time, ...) into one of shape (n, longest, ...); also returns their
    lengths, int32."""
    lengths = np.array([len(array) for array in arrays], np.int32)
    padded = np.zeros((len(arrays), lengths.max(), *arrays[0].shape[1:]), np.float32)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return padded, lengths


def _split_times(
    inputs: Any, locations: Sequence[str], cell: str | None
) -> tuple[list[Any], list[np.ndarray]]:
    """The values and the elapsed times of inputs.

    Args:
        inputs: raw inputs.
        locations: the location of each input, for messages.
        cell: the time-aware cell; None if the cell is not time-aware.

    Raises:
        SeqzooError: an input has times that the cell does not take, or lacks those that it needs.
    """
    if cell is None:
        # A single array of all series has no times and need not be searched.
        for item, location in (
            zip(inputs, locations, strict=True) if isinstance(inputs, list) else ()
        ):
            if isinstance(item, TimedSeries):
                raise SeqzooError(
                    "A series without times was expected, since the cell is not time-aware, but "
                    f"{location} has times; choose a time-aware cell, or leave them out.",
                    location=location,
                )
        return inputs, []
    for item, location in zip(inputs, locations, strict=True):
        if not isinstance(item, TimedSeries):
            raise SeqzooError(
                f"The cell {cell!r} needs the time of each step, but {location} has none; pass a "
                "`TimedSeries`, or name the time column with --time-column.",
                location=location,
            )
    return [item.values for item in inputs], [item.elapsed for item in inputs]


def _check_mask(array: np.ndarray, cell: str, location: str) -> None:
    """Checks that the second half of the features, (time, features), is a mask of the first.

    Raises:
        SeqzooError: it is not.
    """
    half, odd = divmod(array.shape[1], 2)
    wrong = f"has {array.shape[1]} per step"
    if not odd:
        other = ~np.isin(array[:, half:], (0, 1)).all(0)
        if not other.any():
            return
        wrong = f"has other numbers as number {half + int(other.argmax()) + 1} of a step"
    raise SeqzooError(
        f"The cell {cell!r} needs n values per step, followed by n zeros and ones that say which "
        f"were observed, but {location} {wrong}; add a column of zeros and ones for each value.",
        location=location,
    )


def _two_axes(value: Any, location: str) -> np.ndarray:
    try:
        array = np.asarray(value, np.float32)
    except (TypeError, ValueError) as error:
        raise SeqzooError(
            f"Numbers were expected, but {location} does not consist of numbers.",
            location=location,
        ) from error
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise SeqzooError(
            f"A series must have shape (time,) or (time, features), but {location} has "
            f"{array.shape}.",
            location=location,
        )
    if not len(array):
        raise empty(location)
    return array

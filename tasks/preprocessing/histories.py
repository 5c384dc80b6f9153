"""Series with dates and covariates as windows: the look-back, and the horizon to forecast."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.data.frequency import Frequency
from seqzoo.tasks.data.history import Continuation, History
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.base import Features, empty
from seqzoo.tasks.preprocessing.history_scales import (
    coarse_remarks,
    column_moments,
    learned_static,
    original_moments,
    pooled_moments,
)
from seqzoo.tasks.preprocessing.history_windows import (
    WINDOWS_AT_ONCE,
    HistoryWindows,
    Scales,
    joined_scales,
)
from seqzoo.tasks.preprocessing.static_numbers import is_missing_number, static_numbers
from seqzoo.tasks.preprocessing.statics import mixed_remarks
from seqzoo.tasks.preprocessing.value_transforms import TRANSFORMS, check_counts
from seqzoo.tasks.wording import agreed

DAY = 86_400
"""Length of a day, in seconds."""

CYCLES = {"day": DAY, "week": 604_800, "year": 31_556_952}
"""Lengths of the calendar's cycles, in seconds."""

REPETITIONS = 2
"""How often a cycle must occur in training before a model gets it as a feature."""


class Layout(NamedTuple):
    """The sizes of the parts of an encoded step, in this order.

    Attributes:
        values: targets, transformed and standardised; missing ones are zero.
        observed: whether each target was observed.
        past: covariates that are not known in the future.
        known: covariates that are known in the future.
        calendar: sines and cosines of the date.
        static: static covariates of the series.
        series: the index of the series in training from 1, or 0 if it was not in training.
        mean: the mean of each target in its series, after the transform.
        scale: the standard deviation of each target in its series, after the transform.
    """

    values: int
    observed: int
    past: int
    known: int
    calendar: int
    static: int
    series: int
    mean: int
    scale: int

    def split(self, steps: Any) -> dict[str, Any]:
        """Splits encoded steps (..., features), an array or a tensor, into their parts by name."""
        parts, start = {}, 0
        for name, size in self._asdict().items():
            parts[name] = steps[..., start : start + size]
            start += size
        return parts


class HistoryFeatures(Features):
    """Series with dates; each target is transformed (see `Forecast.transform`), and standardised by
    its series' mean and standard deviation in training.

    A series that was not in training is standardised by the statistics of its look-back window.

    Args:
        template: a `Forecast`.
        config: the learned state; see `learn`.
    """

    def __init__(self, template: Any, config: dict[str, Any]):
        self.template = template
        self.config = config
        self._remarks: list[str] = []
        self.frequency = Frequency.parse(config["frequency"])
        self.values = TRANSFORMS[template.transform]
        self.mean = np.array(config["mean"], np.float32)  # (series, targets)
        self.scale = np.array(config["scale"], np.float32)
        self.names = {name: index for index, name in enumerate(config["series"])}
        self.length = template.look_back + template.horizon
        static = sum(len(item) if isinstance(item, list) else 1 for item in config["static"])
        self.layout = Layout(
            self.targets,
            self.targets,
            len(config["past"]),
            len(config["known"]),
            2 * len(config["cycles"]),
            static,
            1,
            self.targets,
            self.targets,
        )

    @property
    def targets(self) -> int:
        """Number of targets."""
        return self.mean.shape[1]

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> "HistoryFeatures":
        histories, locations = list(examples.inputs), examples.locations
        values = TRANSFORMS[template.transform]
        for history, location in zip(histories, locations, strict=True):
            _check_type(history, location)
            values.check(history, location, template.transform)
            if template.distribution == "negative-binomial":
                check_counts(history, location)
        first = histories[0]
        widths = [
            (
                history.values.shape[1],
                history.past.shape[1],
                history.known.shape[1],
                len(history.static),
            )
            for history in histories
        ]
        for width, location in zip(widths, locations, strict=True):
            if width != widths[0]:
                raise SeqzooError(
                    "All histories must have as many targets and covariates as the first, "
                    f"{widths[0]}, but {location} has {width}.",
                    location=location,
                )
        frequency = next(
            (history.frequency for history in histories if history.frequency is not None), None
        )
        if frequency is None:
            raise SeqzooError("A history of at least two steps is needed, but there is none.")
        names = [history.name for history in histories]
        if len(set(names)) < len(names):
            duplicate = next(name for name in names if names.count(name) > 1)
            raise SeqzooError(f"Each series must be one history, but two are named {duplicate!r}.")
        scales = [column_moments(values.arrays(history.values)) for history in histories]
        blank = next((i for i, history in enumerate(histories) if not history.end), None)
        if blank is not None:
            raise SeqzooError(
                f"{locations[blank]} has no numeric values to learn from; leave it out."
            )
        span = max(len(history) for history in histories) * frequency.seconds
        cycles = [
            name
            for name, seconds in CYCLES.items()
            if template.calendar
            and frequency.unit != "microsecond"
            and seconds >= 2 * frequency.seconds
            and seconds * REPETITIONS <= span
        ]
        covariates = {
            name: list(
                zip(*pooled_moments([getattr(history, name) for history in histories]), strict=True)
            )
            for name in ("past", "known")
        }
        static = [
            learned_static([history.static[i] for history in histories])
            for i in range(len(first.static))
        ]
        config = {
            "frequency": str(frequency),
            "series": names,
            "mean": [mean.tolist() for mean, _ in scales],
            "scale": [scale.tolist() for _, scale in scales],
            **original_moments(histories, template),
            **covariates,
            "static": static,
            "cycles": cycles,
            "gaps": any(
                not np.isfinite(history.values[: history.end]).all() for history in histories
            ),
            "until": str(max(history.dates[-1] for history in histories)),
        }
        result = cls(template, config)
        result._remarks = [
            remark
            for index, learned in enumerate(static)
            if isinstance(learned, list)
            for remark in mixed_remarks(
                [
                    value
                    for value in (history.static[index] for history in histories)
                    if not is_missing_number(value)
                ]
            )
        ]
        result._remarks += coarse_remarks(histories, scales)
        short = sum(len(history) < result.length for history in histories)
        if short:
            whose = f"{short:,} of the {len(histories):,} series {agreed(short, 'is', 'are')}"
            result._remarks.append(
                f"{whose if len(histories) > 1 else 'The series is'} shorter for training than a "
                f"look-back and a horizon, {result.length:,} steps; the missing steps are padded."
            )
        return result

    @property
    def remarks(self) -> Sequence[str]:
        return self._remarks

    @property
    def season(self) -> int:
        """Number of steps in a season."""
        return self.template.season or self.frequency.season

    # From a history to the inputs of `transform`.

    def check(self, history: Any, location: str) -> History:
        """Checks that a history fits those of training, and returns it.

        Raises:
            SeqzooError: it has different columns or static values, a different frequency, or a
                value that cannot be transformed.
        """
        _check_type(history, location)
        self.values.check(history, location, self.template.transform)
        counts = self.template.distribution == "negative-binomial"
        if counts and not isinstance(history, Continuation):
            check_counts(history, location)
        for name, expected in (
            ("values", self.targets),
            *((item, len(self.config[item])) for item in ("past", "known")),
        ):
            width = getattr(history, name).shape[1]
            if width != expected:
                raise SeqzooError(
                    f"The number of columns of `{name}` must be {expected}, as in training, but "
                    f"{location} has {width}.",
                    location=location,
                )
        if len(history.static) != len(self.config["static"]):
            raise SeqzooError(
                f"The number of values of `static` must be {len(self.config['static'])}, as in "
                f"training, but {location} has {len(history.static)}.",
                location=location,
            )
        if history.frequency not in (None, self.frequency):
            raise SeqzooError(
                f"The frequency of the steps must be {self.frequency}, as in training, but that of "
                f"{location} is {history.frequency}.",
                location=location,
            )
        return history

    def raw(self, inputs: Any, locations: Sequence[str]) -> tuple:
        look_back, horizon = self.template.look_back, self.template.horizon
        parts: dict[str, list] = {spec.name: [] for spec in self.signature}
        for item, location in zip(inputs, locations, strict=True):
            history = self.check(item, location)
            end = history.end
            if not end:
                raise empty(location)
            future = len(history) - end
            if self.layout.known and future < horizon:
                raise SeqzooError(
                    "The last value must be followed by at least as many rows with known "
                    f"covariates as the horizon, {horizon}, but {location} has {future}.",
                    location=location,
                )
            window = _window(history, end - look_back, end + horizon, self.frequency)
            arrays = {
                "values": window.values[:look_back],
                "dates": _seconds(window.dates),
                "past": window.past[:look_back],
                "known": window.known,
                "series": history.name.encode("utf-8"),
                "static": self._static(history.static, location),
            }
            for name, rows in parts.items():
                rows.append(arrays[name])
        dtypes = {spec.name: spec.dtype.as_numpy_dtype for spec in self.signature}
        return tuple(np.array(rows, dtypes[name]) for name, rows in parts.items())

    def transform(self, *raw: Any) -> tuple[Any, Any]:
        tensors = dict(zip((spec.name for spec in self.signature), raw, strict=True))
        if "series" in tensors:
            tensors["series"] = self.indices(tensors["series"])
        return self.transform_indexed(tensors)

    def transform_indexed(self, tensors: dict[str, Any]) -> tuple[Any, Any]:
        """`transform` for tensors by name, with the indices of series instead of their names."""
        look_back, horizon = self.template.look_back, self.template.horizon
        rows = tf.shape(tensors["values"])[0]
        values = self.values.tensors(_last(tensors["values"], look_back, math.nan))
        index, mean, scale = self._scales(values, tensors.get("series"))
        future = tf.fill([rows, horizon, self.targets], math.nan)
        past = tensors.get("past")
        if past is not None:
            past = tf.pad(
                _last(past, look_back, math.nan),
                [[0, 0], [0, horizon], [0, 0]],
                constant_values=math.nan,
            )
        known, dates = tensors.get("known"), tensors.get("dates")
        known = None if known is None else _last(known, self.length, math.nan)
        if dates is not None:
            # Steps before the first one get evenly spaced dates.
            dates = _last_dates(dates, self.length, self.frequency.seconds)
        steps = self.steps(
            tf.concat([values, future], 1),
            dates,
            past,
            known,
            tensors.get("static"),
            index,
            mean,
            scale,
        )
        return steps, tf.fill([rows], self.length)

    def indices(self, series: Any) -> Any:
        """The indices of series by name, from 1; 0 for those that were not in training."""
        same = series[:, None] == tf.constant(list(self.names))
        return tf.where(tf.reduce_any(same, 1), tf.argmax(same, 1, tf.int32) + 1, 0)

    def _scales(self, values: Any, indices: Any) -> tuple[Any, Any, Any]:
        """The index, the mean and the standard deviation of the series of each row; without
        `indices`, those of the only series in training."""
        index = tf.ones([tf.shape(values)[0]], tf.int32) if indices is None else indices
        mean, scale = (
            tf.gather(item, tf.maximum(index - 1, 0)) for item in (self.mean, self.scale)
        )
        if indices is None:
            return index, mean, scale
        observed = tf.math.is_finite(values)
        count = tf.maximum(tf.reduce_sum(tf.cast(observed, tf.float32), 1), 1.0)
        own_mean = tf.reduce_sum(tf.where(observed, values, 0.0), 1) / count
        deviations = tf.where(observed, values - own_mean[:, None], 0.0)
        own_scale = tf.sqrt(tf.reduce_sum(tf.square(deviations), 1) / count)
        highest = tf.reduce_max(tf.where(observed, values, -math.inf), 1)
        lowest = tf.reduce_min(tf.where(observed, values, math.inf), 1)
        own_scale = tf.where((highest > lowest) & (own_scale > 0), own_scale, 1.0)
        known = (index > 0)[:, None]
        return index, tf.where(known, mean, own_mean), tf.where(known, scale, own_scale)

    def steps(
        self,
        values: Any,
        dates: Any,
        past: Any,
        known: Any,
        static: Any,
        index: Any,
        mean: Any,
        scale: Any,
    ) -> Any:
        """Encodes steps in `layout`, (rows, time, features); parts that do not exist are None.

        Args:
            values: transformed values, (rows, time, targets), not finite where missing.
            dates: seconds since the beginning of 1970, int64, (rows, time).
            past: (rows, time, past).
            known: (rows, time, known).
            static: encoded static covariates, (rows, static).
            index: the index of the series from 1, or 0 if it was not in training, (rows,).
            mean: the mean of each target, (rows, targets).
            scale: the scale of each target, (rows, targets).
        """
        observed = tf.math.is_finite(values)
        standard = (values - mean[:, None]) / scale[:, None]
        parts = [tf.where(observed, standard, 0.0), tf.cast(observed, tf.float32)]
        for name, item in (("past", past), ("known", known)):
            if item is not None:
                learned = tf.constant(self.config[name], tf.float32)  # (columns, 2)
                item = (item - learned[:, 0]) / learned[:, 1]
                parts.append(tf.where(tf.math.is_finite(item), item, 0.0))
        for name in self.config["cycles"]:
            radians = 2 * math.pi / CYCLES[name]
            seconds = tf.cast(dates % CYCLES[name], tf.int32)
            # In two parts, since an export in float16 has few bits for the radians of a second.
            days, rest = (tf.cast(part, tf.float32) for part in (seconds // DAY, seconds % DAY))
            phase = days * (DAY * radians) + rest * radians
            parts += [tf.sin(phase)[..., None], tf.cos(phase)[..., None]]
        constant = [] if static is None else [static]
        constant += [tf.cast(index, tf.float32)[:, None], mean, scale]
        constant = tf.concat(constant, -1)[:, None]
        time = tf.shape(values)[1]
        parts.append(tf.repeat(constant, time, 1))
        steps = tf.concat(parts, -1)
        steps.set_shape([None, None, sum(self.layout)])
        return steps

    # Windows of complete series, for training and evaluation.

    def windows(self, examples: Examples, *, full_horizons: bool = True) -> HistoryWindows:
        """All windows of examples whose horizon begins at or after `History.since`. A window that
        extends beyond either end of its series is filled with missing values.

        Args:
            examples: histories.
            full_horizons: whether the last horizon ends where the history ends, if the history is
                long enough; if False, a horizon begins at every step.

        Raises:
            SeqzooError: an example does not fit those of training, or there is no window.
        """
        flat, starts, owners, origins, spans, offset = [], [], [], [], [], 0
        scales: list[Scales | None] = []
        look_back, horizon = self.template.look_back, self.template.horizon
        for number in range(len(examples)):
            location = examples.location(number)
            history = self.check(examples.inputs[number], location)
            steps = self.origins(history, full_horizons=full_horizons)
            if not len(steps):
                continue
            begin, stop = int(steps[0]) - look_back, int(steps[-1]) + horizon
            padded = _window(history, begin, stop, self.frequency)
            flat.append(self._encoded(history, padded, location))
            own = self._is_new(history)
            scales.append(self._own_scales(padded, steps - steps[0]) if own else None)
            starts.append(offset + steps - steps[0])
            owners.append(np.full(len(steps), number))
            origins.append(steps)
            both = np.stack([steps, steps + horizon], 1)
            spans.append(self.frequency.at(history.dates, both.reshape(-1)).reshape(-1, 2))
            offset += len(padded)
        if not flat:
            raise SeqzooError(
                "There is no step to forecast: no series has a numeric value that follows another."
            )
        return HistoryWindows(
            np.concatenate(flat),
            np.concatenate(starts),
            self.length,
            np.concatenate(owners),
            np.concatenate(origins),
            np.concatenate(spans),
            [history.name for history in examples.inputs],
            joined_scales(scales, [len(steps) for steps in origins]),
        )

    def _own_scales(self, padded: History, starts: np.ndarray) -> Scales:
        """The scales of the windows of a series that was not in training, each of which is
        standardised by its own look-back window, as in `transform`.

        Args:
            padded: the series, with the steps before and after it that its windows extend to.
            starts: the first step of each window.
        """
        parts = []
        for first in range(0, len(starts), WINDOWS_AT_ONCE):
            steps = starts[first : first + WINDOWS_AT_ONCE, None]
            values = padded.values[steps + np.arange(self.template.look_back)]
            new = tf.zeros([len(steps)], tf.int32)
            parts.append(self._scales(self.values.tensors(tf.constant(values, tf.float32)), new))
        _, *scales = zip(*parts, strict=True)
        return Scales(self.layout, *(np.concatenate(item) for item in scales))

    def _is_new(self, history: History) -> bool:
        """Whether the series was not in training. If there was only one in training, all are taken
        for it."""
        return len(self.names) > 1 and history.name not in self.names

    def origins(self, history: History, *, full_horizons: bool = True) -> np.ndarray:
        """The first steps of the horizons of a history's windows; see `windows`."""
        look_back, horizon, steps = self.template.look_back, self.template.horizon, history.end
        first = history.since
        if not first:
            first = look_back if steps - horizon >= look_back else max((steps - horizon) // 2, 1)
        result = np.arange(first, max(first, steps - horizon) + 1 if full_horizons else steps)
        # A window needs a value in its look-back and one in its horizon; counts[t] is the number of
        # steps before t that have values.
        counts = np.concatenate([[0], np.isfinite(history.values).any(1).cumsum()])
        behind = counts[np.clip(result, 0, len(history))]
        before = counts[np.clip(result - look_back, 0, len(history))]
        ahead = counts[np.clip(result + horizon, 0, len(history))]
        return result[(behind > before) & (ahead > behind)]

    def _encoded(self, history: History, padded: History, location: str) -> np.ndarray:
        """The encoded steps of a history after padding, (time, features), not standardised if the
        series was not in training."""
        mean, scale = self.scales_of(history)
        if self._is_new(history):
            mean, scale = np.zeros_like(mean), np.ones_like(scale)
        static = self._static(history.static, location)[None] if self.layout.static else None
        index = self.names.get(history.name, -1) + 1 if len(self.names) > 1 else 1
        result = self.steps(
            self.values.tensors(tf.constant(padded.values[None], tf.float32)),
            tf.constant(_seconds(padded.dates)[None]),
            tf.constant(padded.past[None], tf.float32) if self.layout.past else None,
            tf.constant(padded.known[None], tf.float32) if self.layout.known else None,
            static,
            tf.constant([index]),
            tf.constant(mean[None]),
            tf.constant(scale[None]),
        )
        return result[0].numpy()

    def scales_of(self, history: History) -> tuple[np.ndarray, np.ndarray]:
        """The mean and standard deviation of the transformed targets of a history, float32: those
        that standardise its series, or, for a series that was not in training, those of its steps
        before the scored ones, for the scores."""
        return self._moments_of(history, self.values.arrays(history.values), self.mean, self.scale)

    def original_scales_of(self, history: History) -> tuple[np.ndarray, np.ndarray]:
        """The mean and standard deviation of the targets of a history before the transform,
        float32, by which scores are standardised."""
        names = ("original_mean", "original_scale")
        if names[0] not in self.config:  # there is no transform
            return self.scales_of(history)
        mean, scale = (np.array(self.config[name], np.float32) for name in names)
        return self._moments_of(history, history.values, mean, scale)

    def _moments_of(
        self, history: History, values: np.ndarray, mean: np.ndarray, scale: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The rows of `mean` and `scale`, (series, targets), for a history with the given values;
        those of the values themselves if its series was not in training."""
        if not self._is_new(history):
            index = self.names.get(history.name, 0)
            return mean[index], scale[index]
        # Only of the steps before the scored ones, if some are not scored.
        own_mean, own_scale = column_moments(values[: history.since or len(history)])
        return own_mean.astype(np.float32), own_scale.astype(np.float32)

    def _static(self, values: Sequence[Any], location: str) -> np.ndarray:
        """Encodes static covariates: numbers are standardised, names one-hot encoded, float32."""
        encoded: list[float] = []
        for value, learned in zip(values, self.config["static"], strict=True):
            try:
                encoded += static_numbers(value, learned)
            except (TypeError, ValueError) as error:
                raise SeqzooError(
                    f"A static value must be a number, as in training, but {location} has "
                    f"{value!r}.",
                    location=location,
                ) from error
        return np.array(encoded, np.float32)

    @property
    def signature(self) -> list:
        specs = [tf.TensorSpec((None, None, self.targets), tf.float32, "values")]
        if self.config["cycles"]:
            specs.append(tf.TensorSpec((None, None), tf.int64, "dates"))
        for name in ("past", "known"):
            if width := getattr(self.layout, name):
                specs.append(tf.TensorSpec((None, None, width), tf.float32, name))
        if len(self.names) > 1:
            specs.append(tf.TensorSpec((None,), tf.string, "series"))
        if self.layout.static:
            specs.append(tf.TensorSpec((None, self.layout.static), tf.float32, "static"))
        return specs

    @property
    def step(self) -> tuple[tuple[int, ...], str]:
        return (sum(self.layout),), "float32"

    def dummy_inputs(self) -> list[Any]:
        """Random histories with the same columns as in training, the same on every call."""
        random, horizon = np.random.default_rng(0), self.template.horizon
        results = []
        for index, steps in enumerate((self.template.look_back, self.template.look_back // 2 + 1)):
            dates = self.frequency.at(
                np.array(["2001-01-01"], "datetime64[s]"), np.arange(steps + horizon)
            )
            series = index % len(self.names)
            values = random.normal(
                self.mean[series], self.scale[series], (len(dates), self.targets)
            )
            values = self.values.array_inverse(values)
            values[steps:] = np.nan
            covariates: Any = {
                name: random.normal(size=(len(dates), getattr(self.layout, name)))
                for name in ("past", "known")
            }
            static = tuple(
                item[0] if isinstance(item, list) else item["mean"]
                for item in self.config["static"]
            )
            name = self.config["series"][series]
            results.append(
                History(
                    dates, values, **covariates, static=static, name=name, frequency=self.frequency
                )
            )
        return results

    def to_config(self) -> dict[str, Any]:
        return self.config

    @classmethod
    def from_config(cls, template: Any, config: dict, vocabularies: dict) -> "HistoryFeatures":
        return cls(template, config)


def _check_type(history: Any, location: str) -> None:
    if not isinstance(history, History):
        raise SeqzooError(
            f"A `History` was expected, but {location} is of type {type(history).__name__}.",
            location=location,
        )


def _window(history: History, begin: int, stop: int, frequency: Frequency) -> History:
    """The steps of a history from `begin` to `stop`; values of steps outside it are missing."""
    inside = slice(max(begin, 0), min(stop, len(history)))
    padding = ((inside.start - begin, max(stop - max(len(history), inside.start), 0)), (0, 0))
    parts: Any = {
        name: np.pad(getattr(history, name)[inside], padding, constant_values=np.nan)
        for name in ("values", "past", "known")
    }
    dates = frequency.at(history.dates, np.arange(begin, stop))
    return History(dates, **parts, name=history.name, frequency=frequency)


def _seconds(dates: np.ndarray) -> np.ndarray:
    """Dates as seconds since the beginning of 1970, int64."""
    return dates.astype("datetime64[s]").astype(np.int64)


def _last(values: Any, steps: int, padding: float) -> Any:
    """The last steps of (rows, time, features), padded at the beginning."""
    if values.shape[1] == steps:  # an exported part, for runtimes without `tf.ensure_shape`
        return values
    missing = tf.maximum(steps - tf.shape(values)[1], 0)
    padded = tf.pad(values, [[0, 0], [missing, 0], [0, 0]], constant_values=padding)
    return tf.ensure_shape(padded[:, -steps:], [None, steps, values.shape[-1]])


def _last_dates(dates: Any, steps: int, seconds: float) -> Any:
    """The last dates of (rows, time), preceded by earlier ones if there are too few."""
    if dates.shape[1] == steps:
        return dates
    missing = tf.maximum(steps - tf.shape(dates)[1], 0)
    earlier = dates[:, :1] - tf.cast(tf.range(missing, 0, -1), tf.int64) * seconds
    return tf.ensure_shape(tf.concat([earlier, dates], 1)[:, -steps:], [None, steps])

"""Series with dates and covariates as windows: steps to look back at, and steps to forecast."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.batches import Sequences
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.data.frequency import Frequency
from seqzoo.tasks.data.history import History
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.base import Features, empty

CYCLES = {"day": 86_400, "week": 604_800, "year": 31_556_952}
"""Lengths of the calendar's cycles, in seconds."""

REPETITIONS = 2
"""How often a cycle must occur in training before a model gets it as a feature."""


class Layout(NamedTuple):
    """The groups of numbers in an encoded step, in this order; each is a count.

    Attributes:
        values: targets, standardised; missing ones are zero.
        observed: whether each target was observed.
        past: covariates that are not known in the future.
        known: covariates that are.
        calendar: sines and cosines of the date.
        static: static covariates of the series.
        series: its index in training from 1, or 0 if it was not in training.
        mean: the mean of each target in its series.
        scale: the standard deviation of each target in its series.
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
        """The parts of encoded steps (..., features), by name; of arrays and tensors."""
        parts, start = {}, 0
        for name, size in self._asdict().items():
            parts[name] = steps[..., start : start + size]
            start += size
        return parts


class HistoryWindows(Sequences):
    """Windows of equal length, which may overlap.

    Args:
        flat: the encoded steps of all series, one after the other.
        starts: the first step of each window.
        length: steps of a window.
        examples: the example that each belongs to.
        origins: the first step of each, in its history, that is forecast.
    """

    def __init__(
        self,
        flat: np.ndarray,
        starts: np.ndarray,
        length: int,
        examples: np.ndarray,
        origins: np.ndarray,
    ):
        super().__init__(flat, np.full(len(starts), length, np.int32))
        self.starts = starts
        self.examples = examples
        self.origins = origins


class HistoryFeatures(Features):
    """Series with dates; each target is standardised by its series' mean and standard deviation in
    training.

    A series that was not in training is standardised by its look-back window.

    Args:
        template: a `Forecast`.
        config: the learned state; see `learn`.
    """

    def __init__(self, template: Any, config: dict[str, Any]):
        self.template = template
        self.config = config
        self.frequency = Frequency.parse(config["frequency"])
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
        for one, location in zip(histories, locations, strict=True):
            _check_type(one, location)
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
            twice = next(name for name in names if names.count(name) > 1)
            raise SeqzooError(f"Each series must be one history, but two are named {twice!r}.")
        scales = [_moments(history.values) for history in histories]
        blank = next((i for i, history in enumerate(histories) if not history.end), None)
        if blank is not None:
            raise SeqzooError(f"{locations[blank]} has no number to learn from; leave it out.")
        span = max(len(history) for history in histories) * frequency.seconds
        cycles = [
            name
            for name, seconds in CYCLES.items()
            if template.calendar
            and seconds >= 2 * frequency.seconds
            and seconds * REPETITIONS <= span
        ]
        covariates = {
            name: list(
                zip(*_pooled([getattr(history, name) for history in histories]), strict=True)
            )
            for name in ("past", "known")
        }
        static = [
            _learn_static([history.static[i] for history in histories])
            for i in range(len(first.static))
        ]
        config = {
            "frequency": str(frequency),
            "series": names,
            "mean": [mean.tolist() for mean, _ in scales],
            "scale": [scale.tolist() for _, scale in scales],
            **covariates,
            "static": static,
            "cycles": cycles,
            "gaps": any(
                not np.isfinite(history.values[: history.end]).all() for history in histories
            ),
            "until": str(max(history.dates[-1] for history in histories)),
        }
        return cls(template, config)

    @property
    def season(self) -> int:
        """Steps of a season."""
        return self.template.season or self.frequency.season

    # From a history to the inputs of `transform`.

    def check(self, one: Any, location: str) -> History:
        """Checks that a history fits those of training.

        Raises:
            SeqzooError: it does not.
        """
        _check_type(one, location)
        for name, expected in (
            ("values", self.targets),
            *((item, len(self.config[item])) for item in ("past", "known")),
        ):
            width = getattr(one, name).shape[1]
            if width != expected:
                raise SeqzooError(
                    f"`{name}` must have {expected} columns, as in training, but {location} has "
                    f"{width}.",
                    location=location,
                )
        if len(one.static) != len(self.config["static"]):
            raise SeqzooError(
                f"`static` must have {len(self.config['static'])} values, as in training, but "
                f"{location} has {len(one.static)}.",
                location=location,
            )
        if one.frequency not in (None, self.frequency):
            raise SeqzooError(
                f"Steps must be one {self.frequency} apart, as in training, but those of "
                f"{location} are one {one.frequency} apart.",
                location=location,
            )
        return one

    def raw(self, inputs: Any, locations: Sequence[str]) -> tuple:
        look_back, horizon = self.template.look_back, self.template.horizon
        parts: dict[str, list] = {spec.name: [] for spec in self.signature}
        for one, location in zip(inputs, locations, strict=True):
            one = self.check(one, location)
            end = one.end
            if not end:
                raise empty(location)
            future = len(one) - end
            if self.layout.known and future < horizon:
                raise SeqzooError(
                    f"Future covariates must be given for all {horizon} steps of the "
                    f"horizon, but {location} has {future} rows after its last number.",
                    location=location,
                )
            whole = _window(one, end - look_back, end + horizon, self.frequency)
            sizes = {
                "values": whole.values[:look_back],
                "dates": whole.dates.astype(np.int64),
                "past": whole.past[:look_back],
                "known": whole.known,
                "series": one.name.encode("utf-8"),
                "static": self._static(one.static, location),
            }
            for name, rows in parts.items():
                rows.append(sizes[name])
        dtypes = {spec.name: spec.dtype.as_numpy_dtype for spec in self.signature}
        return tuple(np.array(rows, dtypes[name]) for name, rows in parts.items())

    def transform(self, *raw: Any) -> tuple[Any, Any]:
        given = dict(zip((spec.name for spec in self.signature), raw, strict=True))
        look_back, horizon = self.template.look_back, self.template.horizon
        rows = tf.shape(given["values"])[0]
        values = _last(given["values"], look_back, math.nan)
        index, mean, scale = self._scales(values, given.get("series"))
        future = tf.fill([rows, horizon, self.targets], math.nan)
        past = given.get("past")
        if past is not None:
            past = tf.pad(
                _last(past, look_back, math.nan),
                [[0, 0], [0, horizon], [0, 0]],
                constant_values=math.nan,
            )
        known, dates = given.get("known"), given.get("dates")
        known = None if known is None else _last(known, self.length, math.nan)
        if dates is not None:
            # Steps before the first one get evenly spaced dates.
            dates = _last_dates(dates, self.length, self.frequency.seconds)
        steps = self.steps(
            tf.concat([values, future], 1),
            dates,
            past,
            known,
            given.get("static"),
            index,
            mean,
            scale,
        )
        return steps, tf.fill([rows], self.length)

    def _scales(self, values: Any, series: Any) -> tuple[Any, Any, Any]:
        """The index, the mean and the standard deviation of the series of each row."""
        rows = tf.shape(values)[0]
        if series is None:
            index = tf.ones([rows], tf.int32)
        else:
            same = series[:, None] == tf.constant(list(self.names))
            result = tf.argmax(same, 1, tf.int32)
            index = tf.where(tf.reduce_any(same, 1), result + 1, 0)
        mean, scale = (
            tf.gather(item, tf.maximum(index - 1, 0)) for item in (self.mean, self.scale)
        )
        if series is None:
            return index, mean, scale
        observed = tf.math.is_finite(values)
        count = tf.maximum(tf.reduce_sum(tf.cast(observed, tf.float32), 1), 1.0)
        own_mean = tf.reduce_sum(tf.where(observed, values, 0.0), 1) / count
        apart = tf.where(observed, values - own_mean[:, None], 0.0)
        own_scale = tf.sqrt(tf.reduce_sum(tf.square(apart), 1) / count)
        own_scale = tf.where(own_scale > 0, own_scale, 1.0)
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
        """Encoded steps in `layout`, (rows, time, features); parts that do not exist are None.

        Args:
            values: (rows, time, targets), NaN where missing.
            dates: seconds since 1970, int64, (rows, time).
            past: (rows, time, past).
            known: (rows, time, known).
            static: encoded, (rows, static).
            index: the index of the series from 1, or 0, (rows,).
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
            seconds = tf.cast(dates % CYCLES[name], tf.float32)
            phase = seconds * (2 * math.pi / CYCLES[name])
            parts += [tf.sin(phase)[..., None], tf.cos(phase)[..., None]]
        constant = [] if static is None else [static]
        constant += [tf.cast(index, tf.float32)[:, None], mean, scale]
        constant = tf.concat(constant, -1)[:, None]
        time = tf.shape(values)[1]
        parts.append(tf.repeat(constant, time, 1))
        steps = tf.concat(parts, -1)
        steps.set_shape([None, None, sum(self.layout)])
        return steps

    # Windows of whole series, for training and scores.

    def windows(self, examples: Examples, *, whole: bool = True) -> HistoryWindows:
        """All windows of examples whose horizon begins at or after `History.since`. A window that
        extends beyond either end of its series is filled with missing values.

        Args:
            examples: histories.
            whole: whether horizons end where a history ends, if it is long enough; otherwise every
                step of it is the first one of a horizon.

        Raises:
            SeqzooError: an example does not fit, or there is no window.
        """
        flat, starts, owners, origins, offset = [], [], [], [], 0
        look_back = self.template.look_back
        for number in range(len(examples)):
            location = examples.location(number)
            one = self.check(examples.inputs[number], location)
            result = self.origins(one, whole=whole)
            if not len(result):
                continue
            begin = int(result[0]) - look_back
            padded = _window(one, begin, int(result[-1]) + self.template.horizon, self.frequency)
            flat.append(self._encoded(one, padded, location))
            starts.append(offset + result - result[0])
            owners.append(np.full(len(result), number))
            origins.append(result)
            offset += len(padded)
        if not flat:
            raise SeqzooError(
                "There is no step to forecast: no series has a number that follows another."
            )
        return HistoryWindows(
            np.concatenate(flat),
            np.concatenate(starts),
            self.length,
            np.concatenate(owners),
            np.concatenate(origins),
        )

    def origins(self, one: History, *, whole: bool = True) -> np.ndarray:
        """The first steps of the horizons of a history's windows; see `windows`."""
        look_back, horizon, steps = self.template.look_back, self.template.horizon, one.end
        first = one.since
        if not first:
            first = look_back if steps - horizon >= look_back else max((steps - horizon) // 2, 1)
        result = np.arange(first, max(first, steps - horizon) + 1 if whole else steps)
        seen = np.concatenate([[0], np.isfinite(one.values).any(1).cumsum()])
        behind = seen[np.clip(result, 0, len(one))]
        before = seen[np.clip(result - look_back, 0, len(one))]
        ahead = seen[np.clip(result + horizon, 0, len(one))]
        return result[(behind > before) & (ahead > behind)]

    def _encoded(self, one: History, whole: History, location: str) -> np.ndarray:
        """The encoded steps of a padded history, (time, features)."""
        mean, scale = self.scales_of(one)
        static = self._static(one.static, location)[None] if self.layout.static else None
        index = self.names.get(one.name, -1) + 1 if len(self.names) > 1 else 1
        result = self.steps(
            tf.constant(whole.values[None], tf.float32),
            tf.constant(whole.dates.astype(np.int64)[None]),
            tf.constant(whole.past[None], tf.float32) if self.layout.past else None,
            tf.constant(whole.known[None], tf.float32) if self.layout.known else None,
            static,
            tf.constant([index]),
            tf.constant(mean[None]),
            tf.constant(scale[None]),
        )
        return result[0].numpy()

    def scales_of(self, one: History) -> tuple[np.ndarray, np.ndarray]:
        """The mean and standard deviation that standardise the targets of a history, float32."""
        index = self.names.get(one.name) if len(self.names) > 1 else 0
        if index is not None:
            return self.mean[index], self.scale[index]
        # For a series that was not in training, the steps before those that are scored.
        mean, scale = _moments(one.values[: one.since or len(one)])
        return mean.astype(np.float32), scale.astype(np.float32)

    def _static(self, values: Sequence[Any], location: str) -> np.ndarray:
        """Numbers standardised, names one-hot, float32."""
        encoded: list[float] = []
        for value, learned in zip(values, self.config["static"], strict=True):
            if isinstance(learned, list):
                encoded += [float(str(value) == name) for name in learned]
                continue
            try:
                number = (float(value) - learned["mean"]) / learned["scale"]
            except (TypeError, ValueError) as error:
                raise SeqzooError(
                    f"A static value must be a number, as in training, but {location} has "
                    f"{value!r}.",
                    location=location,
                ) from error
            encoded.append(number if math.isfinite(number) else 0.0)
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
        """Random histories that look like those of training; the same ones each time."""
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


def _check_type(one: Any, location: str) -> None:
    if not isinstance(one, History):
        raise SeqzooError(
            f"A `History` was expected, but {location} is {type(one).__name__}.", location=location
        )


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column, ignoring missing values; 0 and 1 if there are no
    others."""
    observed = np.isfinite(values)
    count = np.maximum(observed.sum(0), 1)
    mean = np.where(observed, values, 0).sum(0) / count
    scale = np.sqrt(np.where(observed, np.square(values - mean), 0).sum(0) / count)
    return mean, np.where(scale > 0, scale, 1.0)


def _pooled(arrays: Sequence[np.ndarray]) -> tuple[list[float], list[float]]:
    mean, scale = _moments(np.concatenate(arrays))
    return mean.tolist(), scale.tolist()


def _learn_static(values: Sequence[Any]) -> Any:
    """The mean and standard deviation of numbers, or the names that occur."""
    try:
        numbers = np.array([[float(value)] for value in values])
    except (TypeError, ValueError):
        return sorted({str(value) for value in values})
    (mean,), (scale,) = _pooled([numbers])
    return {"mean": mean, "scale": scale}


def _window(one: History, begin: int, stop: int, frequency: Frequency) -> History:
    """The steps of a history from `begin` to `stop`, which may be outside it, where values are
    missing."""
    inside = slice(max(begin, 0), min(stop, len(one)))
    padding = ((inside.start - begin, max(stop - max(len(one), inside.start), 0)), (0, 0))
    parts: Any = {
        name: np.pad(getattr(one, name)[inside], padding, constant_values=np.nan)
        for name in ("values", "past", "known")
    }
    dates = frequency.at(one.dates, np.arange(begin, stop))
    return History(dates, **parts, name=one.name, frequency=frequency)


def _last(values: Any, steps: int, padding: float) -> Any:
    """The last steps of (rows, time, features), padded at the beginning."""
    missing = tf.maximum(steps - tf.shape(values)[1], 0)
    padded = tf.pad(values, [[0, 0], [missing, 0], [0, 0]], constant_values=padding)
    return tf.ensure_shape(padded[:, -steps:], [None, steps, values.shape[-1]])


def _last_dates(dates: Any, steps: int, seconds: int) -> Any:
    """The last dates of (rows, time), preceded by earlier ones if there are too few."""
    missing = tf.maximum(steps - tf.shape(dates)[1], 0)
    earlier = dates[:, :1] - tf.cast(tf.range(missing, 0, -1), tf.int64) * seconds
    return tf.ensure_shape(tf.concat([earlier, dates], 1)[:, -steps:], [None, steps])

"""What a forecaster outputs per step: a number, quantiles, or the parameters of a distribution.

A network's outputs are on the normalised scale of the window that it reads; distributions convert
them to the standardised scale of the series, or to counts.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

MIN_SCALE = 1e-3
"""Smallest standard deviation of a distribution, relative to the window's spread."""

HALVINGS = 40
"""Number of bisection steps for quantiles that have no closed form."""


class Units(NamedTuple):
    """The scales of a window, each with a shape that broadcasts with (batch, 1, targets).

    Attributes:
        level: what the window's normalisation subtracts, on the standardised scale.
        spread: what the window's normalisation divides by, on the standardised scale.
        mean: the mean of the series.
        scale: the standard deviation of the series.
    """

    level: Any
    spread: Any
    mean: Any
    scale: Any


class Distribution(ABC):
    """A type of forecast; `outputs` are (batch, horizon, targets, `size`), float32.

    Args:
        levels: the levels of the quantiles to report.
        loss: the name of the loss of point forecasts.
    """

    has_quantiles = True

    def __init__(self, levels: Sequence[float], loss: str = "absolute"):
        self.levels = tuple(levels)
        self.loss_name = loss

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of network outputs for each value that is forecast."""

    @property
    def center(self) -> int:
        """Index of the output that is the point forecast."""
        return 0

    @property
    def locations(self) -> int:
        """Number of network outputs, the first ones, that are values, not scales or shapes."""
        return 1

    @abstractmethod
    def losses(self, outputs: Any, truth: Any, units: Units) -> Any:
        """The loss of each forecast, (batch, horizon, targets).

        Args:
            outputs: the outputs of the network.
            truth: the true values on the standardised scale, (batch, horizon, targets).
            units: the scales of the windows.
        """

    @abstractmethod
    def point(self, outputs: Any, units: Units) -> Any:
        """The point forecasts on the standardised scale, (batch, horizon, targets)."""

    @abstractmethod
    def quantiles(self, outputs: Any, units: Units) -> Any:
        """The quantiles on the standardised scale, (batch, horizon, targets, levels)."""


class Point(Distribution):
    """A point forecast; all quantiles equal it until they are corrected."""

    has_quantiles = False

    @property
    def size(self) -> int:
        return 1

    def losses(self, outputs: Any, truth: Any, units: Units) -> Any:
        difference = self.point(outputs, units) - truth
        if self.loss_name == "squared":
            return tf.square(difference)
        size = tf.abs(difference)
        if self.loss_name == "absolute":
            return size
        return tf.where(size < 1, 0.5 * tf.square(difference), size - 0.5)

    def point(self, outputs: Any, units: Units) -> Any:
        return outputs[..., 0] * units.spread + units.level

    def quantiles(self, outputs: Any, units: Units) -> Any:
        return tf.repeat(self.point(outputs, units)[..., None], len(self.levels), -1)


class Quantiles(Distribution):
    """The median and the quantiles of `levels`, trained with the quantile loss (Koenker and
    Bassett 1978)."""

    @property
    def _all_levels(self) -> tuple[float, ...]:
        return tuple(sorted({*self.levels, 0.5}))

    @property
    def size(self) -> int:
        return len(self._all_levels)

    @property
    def center(self) -> int:
        return self._all_levels.index(0.5)

    @property
    def locations(self) -> int:
        return self.size

    def losses(self, outputs: Any, truth: Any, units: Units) -> Any:
        # Unsorted, so that each output learns its own level.
        difference = truth[..., None] - self._restored(outputs, units)
        levels = tf.constant(self._all_levels)
        return 2 * tf.reduce_mean(tf.maximum(levels * difference, (levels - 1) * difference), -1)

    def point(self, outputs: Any, units: Units) -> Any:
        return self._sorted(outputs, units)[..., self.center]

    def quantiles(self, outputs: Any, units: Units) -> Any:
        positions = [self._all_levels.index(level) for level in self.levels]
        return tf.gather(self._sorted(outputs, units), positions, axis=-1)

    def _restored(self, outputs: Any, units: Units) -> Any:
        return outputs * units.spread[..., None] + units.level[..., None]

    def _sorted(self, outputs: Any, units: Units) -> Any:
        return tf.sort(self._restored(outputs, units), -1)


class Gaussian(Distribution):
    """The mean and the standard deviation of a normal distribution."""

    @property
    def size(self) -> int:
        return 2

    def _parameters(self, outputs: Any, units: Units) -> tuple[Any, Any]:
        scale = tf.nn.softplus(outputs[..., 1]) + MIN_SCALE
        return outputs[..., 0] * units.spread + units.level, scale * units.spread

    def losses(self, outputs: Any, truth: Any, units: Units) -> Any:
        mean, scale = self._parameters(outputs, units)
        deviation = (truth - mean) / scale
        return 0.5 * tf.square(deviation) + tf.math.log(scale) + 0.5 * math.log(2 * math.pi)

    def point(self, outputs: Any, units: Units) -> Any:
        return self._parameters(outputs, units)[0]

    def quantiles(self, outputs: Any, units: Units) -> Any:
        mean, scale = self._parameters(outputs, units)
        return mean[..., None] + scale[..., None] * tf.math.ndtri(tf.constant(self.levels))


class StudentT(Distribution):
    """The mean, the scale and the degrees of freedom (more than two) of Student's t distribution,
    whose tails are heavier than those of a normal distribution."""

    @property
    def size(self) -> int:
        return 3

    def _parameters(self, outputs: Any, units: Units) -> tuple[Any, Any, Any]:
        scale = tf.nn.softplus(outputs[..., 1]) + MIN_SCALE
        freedom = 2.0 + tf.nn.softplus(outputs[..., 2])
        return outputs[..., 0] * units.spread + units.level, scale * units.spread, freedom

    def losses(self, outputs: Any, truth: Any, units: Units) -> Any:
        mean, scale, freedom = self._parameters(outputs, units)
        deviation = (truth - mean) / scale
        half = 0.5 * (freedom + 1)
        return (
            half * tf.math.log1p(tf.square(deviation) / freedom)
            + tf.math.log(scale)
            + 0.5 * tf.math.log(math.pi * freedom)
            + tf.math.lgamma(0.5 * freedom)
            - tf.math.lgamma(half)
        )

    def point(self, outputs: Any, units: Units) -> Any:
        return self._parameters(outputs, units)[0]

    def quantiles(self, outputs: Any, units: Units) -> Any:
        mean, scale, freedom = (item[..., None] for item in self._parameters(outputs, units))
        tails = tf.constant([min(level, 1 - level) for level in self.levels])
        signs = tf.constant([1.0 if level > 0.5 else -1.0 for level in self.levels])

        def above(x: Any) -> Any:
            # P(|t| > size) = I(x; freedom / 2, 1 / 2), where x = freedom / (freedom + size^2) is
            # what the search looks for.
            half = tf.broadcast_to(0.5 * freedom, tf.shape(x))
            return tf.math.betainc(half, 0.5 * tf.ones_like(x), x) >= 2 * tails

        zero = tf.zeros_like(freedom * tails)
        x = tf.clip_by_value(_smallest(above, zero, zero + 1.0), 1e-30, 1.0)
        return mean + scale * signs * tf.sqrt(freedom * (1 - x) / x)


class NegativeBinomial(Distribution):
    """The mean and the dispersion of counts: the variance is mean + dispersion x mean^2
    (Salinas et al. 2020, section 3.1)."""

    @property
    def size(self) -> int:
        return 2

    def _parameters(self, outputs: Any, units: Units) -> tuple[Any, Any]:
        """The mean, in counts, and 1 / dispersion."""
        standard = outputs[..., 0] * units.spread + units.level
        mean = units.scale * tf.nn.softplus(standard + units.mean / units.scale) + MIN_SCALE
        return mean, 1 / (tf.nn.softplus(outputs[..., 1]) + MIN_SCALE)

    def losses(self, outputs: Any, truth: Any, units: Units) -> Any:
        # Differences of large logarithms need the precision of float64.
        mean, number = (tf.cast(item, tf.float64) for item in self._parameters(outputs, units))
        count = tf.cast(tf.maximum(tf.round(truth * units.scale + units.mean), 0), tf.float64)
        losses = (
            tf.math.lgamma(number)
            + tf.math.lgamma(count + 1)
            - tf.math.lgamma(count + number)
            + number * tf.math.log1p(mean / number)
            + count * (tf.math.log1p(number / mean))
        )
        return tf.cast(losses, outputs.dtype)

    def point(self, outputs: Any, units: Units) -> Any:
        return (self._parameters(outputs, units)[0] - units.mean) / units.scale

    def quantiles(self, outputs: Any, units: Units) -> Any:
        mean, number = (
            tf.cast(item, tf.float64)[..., None] for item in self._parameters(outputs, units)
        )
        levels = tf.constant(self.levels, tf.float64)

        def reached(count: Any) -> Any:
            # P(counts <= count) = I(number / (number + mean); number, count + 1).
            probability = tf.broadcast_to(number / (number + mean), tf.shape(count))
            shape = tf.broadcast_to(number, tf.shape(count))
            return tf.math.betainc(shape, tf.floor(count) + 1, probability) >= levels

        # By Cantelli's inequality, no quantile exceeds this bound.
        deviation = tf.sqrt(mean + tf.square(mean) / number)
        upper = mean + deviation * tf.sqrt(levels / (1 - levels)) + 2
        counts = tf.floor(_smallest(reached, -tf.ones_like(upper), upper))
        counts = tf.cast(counts, units.mean.dtype)
        return (counts - units.mean[..., None]) / units.scale[..., None]


def _smallest(reached: Any, low: Any, high: Any) -> Any:
    """The smallest values between two bounds at which a condition holds, by bisection."""

    def body(step: Any, low: Any, high: Any) -> tuple[Any, Any, Any]:
        middle = 0.5 * (low + high)
        inside = reached(middle)
        return step + 1, tf.where(inside, low, middle), tf.where(inside, middle, high)

    start = (tf.constant(0), low, high)
    _, _, smallest = tf.while_loop(lambda step, *_: step < HALVINGS, body, start)
    return smallest


DISTRIBUTIONS: dict[str, type[Distribution]] = {
    "point": Point,
    "quantiles": Quantiles,
    "gaussian": Gaussian,
    "student-t": StudentT,
    "negative-binomial": NegativeBinomial,
}
"""The distributions that can be forecast for each step, by name."""

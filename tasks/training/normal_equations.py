"""Ridge regression from sums over examples, which need not fit in memory."""

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

LEAST_FREE = 0.1
"""Least share of the degrees of freedom that a fit leaves if there are no validation examples."""

PENALTIES = 10.0 ** np.arange(-14, 3.5, 0.5)
"""The penalties to choose from, relative to the mean variance of the features."""

SMALL = 1e-10
"""Penalty below which the equations are solved without the eigenvalues of the covariance."""


class Moments(NamedTuple):
    """Weighted sums over n examples of features x (d,) and targets y (k,), float64.

    With z = [x, y, 1], they are all in one matrix: the sum of z z'.

    Attributes:
        matrix: the sum of z z', (d + k + 1, d + k + 1).
        features: the number of features, d.
    """

    matrix: Any
    features: int

    @classmethod
    def shape(cls, features: int, targets: int) -> tuple[int, int]:
        """Shape of `matrix`."""
        size = features + targets + 1
        return size, size

    @staticmethod
    def of(x: Any, y: Any, weights: Any) -> Any:
        """`matrix` of a batch, with TensorFlow operations: x (n, d), y (n, k), weights (n,)."""
        weights = tf.cast(weights, tf.float64)[:, None]
        parts = [tf.cast(x, tf.float64), tf.cast(y, tf.float64), tf.ones_like(weights)]
        # Not a product: padding must not add 0 * NaN.
        z = tf.where(weights > 0, tf.concat(parts, 1), 0.0)
        return tf.matmul(z, z * weights, transpose_a=True)

    @property
    def count(self) -> float:
        """The sum of the weights."""
        return float(self.matrix[-1, -1])

    @property
    def means(self) -> tuple[np.ndarray, np.ndarray]:
        """Means of the features, (d,), and of the targets, (k,)."""
        means = self.matrix[:-1, -1] / self.count
        return means[: self.features], means[self.features :]


class Fit(NamedTuple):
    """The weights of an output layer.

    Attributes:
        kernel: (features, targets).
        bias: (targets,).
        penalty: the penalty, relative to the mean variance of the features.
        freedom: the effective number of degrees of freedom of each target's fit.
    """

    kernel: np.ndarray
    bias: np.ndarray
    penalty: float
    freedom: float


def ridge(training: Moments, validation: Moments | None, penalty: float | None = None) -> Fit:
    """The fit for one penalty, or the best of several fits; see `fits`.

    Without a penalty, the one of `PENALTIES` with the smallest squared error on the validation
    examples is chosen or, if there are none, the one with the smallest generalised
    cross-validation error on the training examples (Golub, Heath and Wahba, "Generalized
    Cross-Validation as a Method for Choosing a Good Ridge Parameter", Technometrics 21, 1979). All
    errors are computed from the moments.

    Args:
        training: the moments to fit.
        validation: the moments on which the penalty is chosen, or None.
        penalty: the penalty, or None to choose it.
    """
    if penalty is not None:
        return next(fits(training, [penalty]))

    def error(fit: Fit) -> float:
        if validation is not None:
            return squared_error(fit, validation)
        # The squared error divided by the square of the share of degrees of freedom that are left;
        # if hardly any are, both are near zero.
        free = 1 - fit.freedom / training.count
        return squared_error(fit, training) / free**2 if free > LEAST_FREE else math.inf

    return min(fits(training, PENALTIES), key=error)


def fits(moments: Moments, penalties: Iterable[float]) -> Iterator[Fit]:
    """Yields, for each penalty, the fit that minimises the sum of (W x + b - y)^2 plus
    n * penalty * v * (the sum of W^2).

    v is the mean variance of the features; b has no penalty.
    """
    d = moments.features
    mean_x, mean_y = moments.means
    means = np.concatenate([mean_x, mean_y])
    covariance = moments.matrix[:-1, :-1] / moments.count - np.outer(means, means)
    values, vectors = np.linalg.eigh(covariance[:d, :d])
    values = np.maximum(values, 0.0)
    scale = float(values.mean()) or 1.0
    rotated = vectors.T @ covariance[:d, d:]
    for penalty in penalties:
        if penalty < SMALL:
            # Eigenvalues this small are rounding errors, which must not become divisors.
            matrix = covariance[:d, :d] + penalty * scale * np.eye(d)
            try:
                if not penalty:  # then features may depend linearly on each other
                    raise np.linalg.LinAlgError
                kernel = np.linalg.solve(matrix, covariance[:d, d:])
            except np.linalg.LinAlgError:
                kernel = np.linalg.lstsq(matrix, covariance[:d, d:])[0]
        else:
            kernel = vectors @ (rotated / (values + penalty * scale)[:, None])
        shrunk = values + penalty * scale
        freedom = 1 + float(np.divide(values, shrunk, where=shrunk > 0, out=np.ones(d)).sum())
        yield Fit(kernel, mean_y - mean_x @ kernel, penalty, freedom)


def squared_error(fit: Fit, moments: Moments) -> float:
    """The mean over examples of the sum of (W x + b - y)^2 over targets."""
    # W x + b - y = A z
    a = np.concatenate([fit.kernel.T, -np.eye(len(fit.bias)), fit.bias[:, None]], 1)
    return float(np.einsum("ki,ij,kj->", a, moments.matrix, a) / moments.count)

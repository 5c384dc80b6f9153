"""Singular values and eigenvalues of many matrices, with TensorFlow.

NumPy's threads compete for the cores with TensorFlow's, which spin while they wait: 26 products of
128 x 128 matrices and their norms took 29 s with NumPy and 0.4 s with TensorFlow.
"""

from typing import Any

import numpy as np
import tensorflow as tf


def singular_values(matrices: Any) -> np.ndarray:
    """(..., n, m) -> (..., min(n, m)), largest first, float64."""
    matrices = np.asarray(matrices, np.float64)
    if not np.isfinite(matrices).all():
        return np.full((*matrices.shape[:-2], min(matrices.shape[-2:])), np.nan)
    return tf.linalg.svd(matrices, compute_uv=False).numpy()


def eigenvalues(matrices: Any) -> np.ndarray:
    """(..., n, n) -> (..., n), complex, largest modulus first."""
    matrices = np.asarray(matrices, np.float64)
    if not np.isfinite(matrices).all():
        return np.full(matrices.shape[:-1], np.nan, np.complex128)
    result = tf.linalg.eigvals(matrices).numpy()
    order = np.argsort(-np.abs(result), axis=-1, kind="stable")
    return np.take_along_axis(result, order, -1)

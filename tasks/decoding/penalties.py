"""The score by which beam search ranks texts: s(Y, X) = log P(Y | X) / lp(Y) + cp(X, Y).

Wu et al. 2016, "Google's Neural Machine Translation System", equation 14.
"""

from typing import Any

import numpy as np
import tensorflow as tf

MIN_COVERAGE = float(np.finfo(np.float32).tiny)
"""Lower bound of the coverage of a step, so that its logarithm is finite."""


def length_penalty(length: Any, alpha: float) -> Any:
    """lp(Y) = (5 + |Y|)^alpha / (5 + 1)^alpha.

    Args:
        length: |Y|, including the end token.
        alpha: exponent; 0 for no penalty.
    """
    return tf.pow((5.0 + tf.cast(length, tf.float32)) / 6.0, alpha)


def coverage_penalty(coverage: Any, inside: Any, beta: float) -> Any:
    """cp(X, Y) = beta * sum over i of log(min(sum over j of p_ij, 1)).

    Args:
        coverage: shape (batch, beams, source): attention summed over all steps, including the
            one that generates the end token.
        inside: shape (batch, source), bool: false for padding.
        beta: factor; 0 for no penalty.

    Returns:
        Shape (batch, beams).
    """
    logs = tf.math.log(tf.clip_by_value(coverage, MIN_COVERAGE, 1.0))
    return beta * tf.reduce_sum(tf.where(inside[:, None, :], logs, 0.0), axis=2)

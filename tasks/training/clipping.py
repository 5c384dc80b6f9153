"""Gradient clipping: by value, by the norm of each variable, and by the global norm."""

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.training.sparse_gradients import multiply, values_of


def clip(
    gradients: Sequence[Any], norm: Any, settings: TrainingSettings, scale: Any = None
) -> tuple[list[Any], Any]:
    """Clips gradients by each limit that is set, in this order: elements to `clip_value`, then
    the norm of each variable to `clip_layer`, then the global norm to `clip_norm` (Pascanu, Mikolov
    and Bengio 2013, section 3.2).

    Args:
        gradients: one per variable: dense, or sparse, in which case each row occurs once.
        norm: their global norm.
        settings: the training settings, which contain the limits.
        scale: the factor that the loss was multiplied by; None for a loss that was not scaled.

    Returns:
        The clipped gradients, and whether a limit was exceeded, a scalar bool tensor. Gradients
        that are not finite do not count as clipped.
    """
    gradients, exceeded = list(gradients), tf.constant(False)

    def scaled(limit: float) -> Any:
        return limit if scale is None else limit * tf.cast(scale, norm.dtype)

    if settings.clip_value is not None:
        limit = scaled(settings.clip_value)
        largest = [tf.reduce_max(tf.abs(values_of(gradient))) for gradient in gradients]
        exceeded |= tf.reduce_max(tf.stack(largest)) > limit
        gradients = [tf.clip_by_value(gradient, -limit, limit) for gradient in gradients]
        if scale is not None:
            # Without this, an optimizer that skips updates with overflows would not find them.
            factor = tf.where(tf.math.is_finite(norm), 1.0, math.nan)
            gradients = [multiply(gradient, factor) for gradient in gradients]
    if settings.clip_layer is not None:
        limit = scaled(settings.clip_layer)
        norms = [tf.norm(values_of(gradient)) for gradient in gradients]
        exceeded |= tf.reduce_max(tf.stack(norms)) > limit
        gradients = [tf.clip_by_norm(gradient, limit) for gradient in gradients]
    if settings.clip_norm is not None:
        limit = scaled(settings.clip_norm)
        if settings.clip_value is not None or settings.clip_layer is not None:
            current = tf.linalg.global_norm(gradients)
        else:
            current = norm
        exceeded |= current > limit
        gradients, _ = tf.clip_by_global_norm(gradients, limit, current)
    return list(gradients), exceeded & tf.math.is_finite(norm)


def clips(settings: TrainingSettings) -> bool:
    """Whether any limit is set."""
    limits = (settings.clip_norm, settings.clip_layer, settings.clip_value)
    return any(limit is not None for limit in limits)

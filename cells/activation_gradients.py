"""Derivatives of activations, computed from their outputs."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

DERIVATIVES: dict[Callable, Callable] = {
    keras.activations.tanh: lambda y: 1 - y * y,
    keras.activations.sigmoid: lambda y: y * (1 - y),
    keras.activations.relu: lambda y: ops.cast(y > 0, y.dtype),
    keras.activations.linear: ops.ones_like,
}
"""y = f(z) -> df/dz, by activation f."""


def have_derivatives(*activations: Any) -> bool:
    """Whether the derivative of each activation can be computed from its output."""
    return all(activation in DERIVATIVES for activation in activations)


def derivative(activation: Any, value: Any) -> Any:
    """d activation(z) / dz, with the shape of `value` = activation(z)."""
    return DERIVATIVES[activation](value)

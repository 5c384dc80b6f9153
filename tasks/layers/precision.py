"""The precision of losses: at least float32, and float64 for float64 models."""

from typing import Any

import tensorflow as tf


def loss_precision(policy: str) -> str:
    """The dtype of a model's outputs, given the dtype policy of its layers."""
    return "float64" if policy == "float64" else "float32"


def at_least_float32(values: Any) -> Any:
    """Numbers, with half precision converted to float32."""
    return values if values.dtype == tf.float64 else tf.cast(values, tf.float32)

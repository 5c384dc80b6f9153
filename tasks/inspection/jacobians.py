"""Jacobians of single steps and of sequences of steps."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from keras import tree

from seqzoo.cells.private_keras import backend
from seqzoo.tasks.inspection.gradients import Decay, decay_of_logarithms
from seqzoo.tasks.inspection.linear_algebra import eigenvalues, singular_values
from seqzoo.tasks.inspection.trace import LayerTrace, cell_step, projected

ROWS_PER_CALL = 8192
"""Maximum number of rows in one call of a cell; a step with n state values takes n of them."""


def step_jacobians(cell: Any, inputs: np.ndarray, states: np.ndarray) -> np.ndarray:
    """d new states / d old states of single steps.

    Each step is run on n equal rows, one per state value, and each row yields the gradient of a
    different value: one forward and one backward pass for many steps.

    Args:
        cell: any cell, built.
        inputs: inputs of each step, (steps, features).
        states: states before each step, concatenated, (steps, n).

    Returns:
        (steps, n, n); entry [t, i, j] is d state_i after step t / d state_j before it.
    """
    n = sum(tree.flatten(cell.state_size))
    result = np.empty(
        (len(states), n, n), cell.compute_dtype if cell.compute_dtype == "float64" else "float32"
    )
    at_once = max(1, ROWS_PER_CALL // n)
    inputs, states = (tf.cast(array, cell.compute_dtype) for array in (inputs, states))
    for start in range(0, len(states), at_once):
        part = slice(start, start + at_once)
        result[part] = np.asarray(jacobians_at(cell, inputs[part], states[part]))
    return result


def jacobians_at(cell: Any, inputs: Any, states: Any) -> Any:
    """Like `step_jacobians`, but on tensors and in a single call; works inside a `tf.function`."""
    sizes = tree.flatten(cell.state_size)
    n = sum(sizes)
    with backend.AutocastScope(cell.compute_dtype):
        x = projected(cell, inputs)
        before = tf.repeat(states, n, 0)
        with tf.GradientTape() as tape:
            tape.watch(before)
            _, new = cell_step(cell)(tf.repeat(x, n, 0), tf.split(before, sizes, axis=-1))
            chosen = tf.tile(tf.eye(n, dtype=before.dtype), [tf.shape(states)[0], 1])
            after = tf.reduce_sum(tf.concat(new, -1) * chosen)
        gradient = tape.gradient(after, before, unconnected_gradients="zero")
    return tf.reshape(gradient, [-1, n, n])


@dataclass(frozen=True)
class JacobianFlow:
    """Jacobians of a layer along an input, going back from a chosen step.

    Attributes:
        name: name of the layer.
        positions: positions of the steps in the input, the chosen one first, (steps,).
        largest: largest singular value of each step's Jacobian, (steps,).
        radii: spectral radius of each Jacobian, (steps,).
        products: spectral norms of the products of the Jacobians from a step to the chosen one,
            (steps + 1,): entry k is that of k Jacobians, entry 0 is 1. Within the range of numbers:
            from about 1e-304 to 1e304, unless it is 0.
        decay: the decay of the products, also beyond that range.
    """

    name: str
    positions: np.ndarray
    largest: np.ndarray
    radii: np.ndarray
    products: np.ndarray
    decay: Decay


def jacobian_flow(layer_trace: LayerTrace, step: int | None = None, row: int = 0) -> JacobianFlow:
    """Per-step Jacobians of a layer, and the norms of their products.

    The norm of a product bounds the fraction of a gradient that is left after that many steps back
    along the layer's states, whatever the loss. If the loss also depends on earlier outputs of the
    layer, through attention or pooling, the gradient can be larger.

    Args:
        layer_trace: the layer's trace.
        step: position in the input to go back from; None for the last step that the layer ran.
        row: row of the batch.
    """
    if step is None:
        last = layer_trace.steps - 1
    else:
        last = int(np.flatnonzero(layer_trace.positions == step)[0])
    jacobians = step_jacobians(
        layer_trace.cell, layer_trace.inputs[row, : last + 1], layer_trace.state(row)[: last + 1]
    )
    return flow_of(jacobians, layer_trace.name, layer_trace.positions[: last + 1])


def flow_of(jacobians: np.ndarray, name: str = "", positions: Any = None) -> JacobianFlow:
    """The flow through Jacobians (steps, n, n), in the order in which the steps ran."""
    back = tf.constant(jacobians[::-1].astype(np.float64))
    product, log_scale = tf.eye(back.shape[-1], dtype=tf.float64), 0.0
    normalised, scales = [product], [0.0]
    for jacobian in tf.unstack(back):
        product = product @ jacobian
        size = float(tf.norm(product))
        if size > 0 and np.isfinite(size):  # rescaled, so that a thousand steps do not underflow
            product, log_scale = product / size, log_scale + np.log(size)
        normalised.append(product)
        scales.append(log_scale)
    norms = singular_values(tf.stack(normalised))[:, 0]
    with np.errstate(divide="ignore"):
        logarithms = np.log(norms) + scales
    input_positions = np.arange(len(jacobians)) if positions is None else np.asarray(positions)
    return JacobianFlow(
        name,
        input_positions[::-1],
        singular_values(back)[:, 0],
        np.abs(eigenvalues(back)[:, 0]),
        norms * np.exp(np.clip(scales, -700, 700)),
        decay_of_logarithms(logarithms),
    )

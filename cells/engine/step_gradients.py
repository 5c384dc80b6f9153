"""One step forward with what its gradient needs, and that gradient.

A cell may bring both, written by hand (`step_with_values`, `step_gradient`); for all others they
come from automatic differentiation of `step`, whose arguments are then what is kept.
"""

import weakref
from typing import Any

import keras
import tensorflow as tf

from seqzoo.cells.base import RecurrentCell


def forward_step(cell: RecurrentCell, x: Any, r: Any, states: list) -> tuple[Any, list, list]:
    """`cell.step`, and the values that `backward_step` asks for."""
    if brings_gradient(cell):
        output, new, values = cell.step_with_values(x, r, states)
        check_output(cell, output, new)
        return output, new, list(values)
    sums = [a if g in cell.separate else a + b for g, a, b in zip(cell.gates, x, r, strict=True)]
    apart = [getattr(r, gate) for gate in cell.separate]
    output, new = _step_of_sums(cell, sums, apart, states)
    check_output(cell, output, new)
    return output, new, [*sums, *apart, *states]


def backward_step(cell: RecurrentCell, values: list, d_states: list) -> tuple[list, Any, list]:
    """Gradients of a step.

    Args:
        cell: whose step it is.
        values: as `forward_step` returned them.
        d_states: gradients of the new states.

    Returns:
        Gradients of x, of r (None where equal to that of x), and of the old states.
    """
    if brings_gradient(cell):
        dx, dr, d_old = cell.step_gradient(values, d_states)
        return list(dx), None if dr is None else list(dr), list(d_old)
    gates, apart = len(cell.gates), len(cell.separate)
    arguments = values[:gates], values[gates : gates + apart], values[gates + apart :]
    with tf.GradientTape() as tape:
        tape.watch(values)
        _, new = _step_of_sums(cell, *arguments)
    dx, dr_apart, d_old = tape.gradient(
        new, arguments, d_states, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    if not apart:
        return dx, None, d_old
    dr = dict(zip(cell.gates, dx, strict=True)) | dict(zip(cell.separate, dr_apart, strict=True))
    return dx, list(dr.values()), d_old


def brings_gradient(cell: RecurrentCell) -> bool:
    """Whether the cell has a gradient by hand of the very `step` it has.

    A subclass may override `step` alone: the gradient it inherits is then that of another step.
    """

    def origin(name):
        return next(kind for kind in type(cell).__mro__ if name in vars(kind))

    return cell.has_step_gradient and issubclass(origin("step_gradient"), origin("step"))


def reads_weights(cell: RecurrentCell) -> bool:
    """Whether `step` itself reads a weight, whose gradient only the general loops add up."""
    if brings_gradient(cell) or not cell.built:
        return False
    if cell not in _reads_weights:
        state = tf.TensorSpec([1, cell.units], cell.compute_dtype)
        gates = cell.Gates(*[state for _ in cell.gates])
        states = [state for _ in cell.get_initial_state(1)]
        with tf.init_scope(), keras.StatelessScope():
            step = tf.function(cell.step, autograph=False)
            _reads_weights[cell] = bool(step.get_concrete_function(gates, gates, states).variables)
    return _reads_weights[cell]


_reads_weights: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def check_output(cell: RecurrentCell, output: Any, states: list) -> None:
    """Makes sure of what the loops build on: that a cell's output is the first of its states."""
    if output is not states[0]:
        raise TypeError(
            f"{type(cell).__name__} must return the same tensor as its output and as its first "
            "state, got two; run it with `keras.layers.RNN`, or make the output a state."
        )


def _step_of_sums(cell: RecurrentCell, sums: list, apart: list, states: list) -> tuple[Any, list]:
    r = dict.fromkeys(cell.gates, tf.zeros_like(sums[0])) | dict(
        zip(cell.separate, apart, strict=True)
    )
    return cell.step(cell.Gates(*sums), cell.Gates(**r), states)

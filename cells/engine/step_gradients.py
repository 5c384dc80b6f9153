"""A forward step that returns the values its gradient needs, and that gradient.

A cell may define both itself (`step_with_values`, `step_gradient`). For other cells, `step` is
differentiated automatically, and the values are its arguments.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqzoo.cells.base import RecurrentCell, as_list, shape_of
from seqzoo.cells.engine.programs import STEP_CHECKS, are_same, attributes_of


def forward_step(
    cell: RecurrentCell, x: Any, r: Any, states: list, weights: tuple = ()
) -> tuple[Any, list, list]:
    """`cell.step`, and the values that `backward_step` needs."""
    if defines_gradient(cell):
        output, new, values = cell.step_with_values(x, r, states, *weights)
        check_output(cell, output, new)
        return output, new, list(values)
    summed = _summed_gates(cell)
    sums = [a + getattr(r, g) if g in summed else a for g, a in zip(cell.gates, x, strict=True)]
    separate = [b for g, b in zip(cell.recurrent_gates, r, strict=True) if g not in summed]
    output, new = _step_of_sums(cell, sums, separate, states, weights)
    check_output(cell, output, new)
    return output, new, [*sums, *separate, *states]


def backward_step(
    cell: RecurrentCell, values: list, d_states: list, weights: tuple = ()
) -> tuple[list, Any, list, list]:
    """Gradients of a step.

    Args:
        cell: the cell.
        values: the values that `forward_step` returned.
        d_states: gradients of the new states.
        weights: the additional arguments of `step`.

    Returns:
        Gradients of x, of r (None if equal to those of x), of the old states, and of each unit
        weight; the last are not yet summed over the batch.
    """
    if defines_gradient(cell):
        dx, dr, d_old, *d_weights = cell.step_gradient(values, d_states, *weights)
        return list(dx), None if dr is None else list(dr), list(d_old), list(*d_weights)
    summed = _summed_gates(cell)
    gates = len(cell.gates)
    separate = len(cell.recurrent_gates) - len(summed)
    arguments = values[:gates], values[gates : gates + separate], values[gates + separate :]
    # Each has the shape of a state; their gradients are summed over the batch after the loop.
    spread = [w + tf.zeros_like(d_states[0]) for named in weights for w in named]
    with tf.GradientTape() as tape:
        tape.watch([values, spread])
        named = (cell.UnitWeights(*spread),) if weights else ()
        _, new = _step_of_sums(cell, *arguments, named)
    dx, dr_separate, d_old, d_weights = tape.gradient(
        new, (*arguments, spread), d_states, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    if not separate and tuple(cell.recurrent_gates) == tuple(cell.gates):
        return dx, None, d_old, d_weights
    remaining = iter(dr_separate)
    by_gate = dict(zip(cell.gates, dx, strict=True))
    dr = [by_gate[g] if g in summed else next(remaining) for g in cell.recurrent_gates]
    return dx, dr, d_old, d_weights


def state_derivatives(
    cell: RecurrentCell, values: list, states: list, weights: tuple = ()
) -> list[list]:
    """Derivatives of each new state with respect to each old one, for cells without a recurrent
    product.

    Args:
        cell: the cell.
        values: the values that `forward_step` returned.
        states: the old states.
        weights: the additional arguments of `step`.

    Returns:
        derivatives[i][j], of new state i with respect to old state j; None if i does not depend on
        j.
    """
    ones, zeros = tf.ones_like(states[0]), tf.zeros_like(states[0])
    if defines_gradient(cell):
        count = range(len(states))
        upstream = [[ones if i == k else zeros for i in count] for k in count]
        derivatives = [backward_step(cell, values, d, weights)[2] for d in upstream]
        depends = _dependencies(cell, states, weights)
        return [
            [d if depends[i][j] else None for j, d in enumerate(row)]
            for i, row in enumerate(derivatives)
        ]
    gates = len(cell.gates)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(states)
        _, new = _step_of_sums(cell, values[:gates], [], states, weights)
    return [tape.gradient(state, states) for state in new]


def copied_gates(cell: RecurrentCell, weights: tuple = ()) -> dict[int, int]:
    """States that only pass a gate's projected input on to the next step.

    Args:
        cell: a cell without a recurrent product.
        weights: the additional arguments of `step`.

    Returns:
        A map from the index of a state to that of the gate that it copies.
    """
    zeros = [tf.zeros([1, cell.units], cell.compute_dtype) for _ in range(len(cell.gates) + 1)]
    x = cell.Gates(*zeros[1:])
    states = [zeros[0] for _ in cell.get_initial_state(1)]
    _, new = cell.step(x, cell.RecurrentGates(), states, *weights)
    return {k: g for k, state in enumerate(new) for g, gate in enumerate(x) if k and state is gate}


def _dependencies(cell: RecurrentCell, states: list, weights: tuple) -> list[list[bool]]:
    """Whether each new state depends on each old one; XLA removes the operations of this check."""
    x = cell.Gates(*[tf.zeros_like(states[0]) for _ in cell.gates])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(states)
        _, new = cell.step(x, cell.RecurrentGates(), states, *weights)
    return [[d is not None for d in tape.gradient(state, states)] for state in new]


def defines_gradient(cell: RecurrentCell) -> bool:
    """Whether the cell has a hand-written gradient for its own `step`.

    Not if a subclass overrides only `step`: the gradient that it inherits is then wrong.
    """

    def defining_class(name):
        return next(base for base in type(cell).__mro__ if name in vars(base))

    has_current_gradient = issubclass(defining_class("step_gradient"), defining_class("step"))
    return cell.has_step_gradient and has_current_gradient


class StepChecks:
    """What is known about the `step` of a cell, until an attribute is assigned a new value.

    Args:
        attributes: the attributes on which the results depend.
    """

    def __init__(self, attributes: dict[str, Any]):
        self.attributes = attributes
        self.results: dict[Callable, bool] = {}


def _checked(check: Callable[[RecurrentCell], bool], cell: RecurrentCell) -> bool:
    """The result of a check of `step`, which is stored with the cell."""
    attributes = attributes_of(cell)
    checks = cell.__dict__.get(STEP_CHECKS)
    if checks is None or not are_same(attributes, checks.attributes):
        # Not through Keras' `__setattr__`, which would track the cells and weights among them.
        checks = cell.__dict__[STEP_CHECKS] = StepChecks(attributes)
    if check not in checks.results:
        with tf.init_scope(), keras.StatelessScope():
            checks.results[check] = check(cell)
    return checks.results[check]


def reads_weights(cell: RecurrentCell) -> bool:
    """Whether `step` itself reads a variable, whose gradient only the general loops compute."""
    return not defines_gradient(cell) and cell.built and _checked(_reads_weights, cell)


def is_elementwise(cell: RecurrentCell) -> bool:
    """Whether `step` computes each element of the new states only from those of its arguments in
    the same position, so that the loops may pass it transposed tensors.

    It does not if an activation is a softmax over the units, or if a state has another size than
    `units`. The first is tested with random numbers.
    """
    if any(shape_of(size) != (cell.units,) for size in as_list(cell.state_size)):
        return False
    return defines_gradient(cell) or not cell.built or _checked(_reads_or_is_elementwise, cell)


def _reads_weights(cell: RecurrentCell) -> bool:
    state = tf.TensorSpec([1, cell.units], cell.compute_dtype)
    x = cell.Gates(*[state for _ in cell.gates])
    r = cell.RecurrentGates(*[state for _ in cell.recurrent_gates or ()])
    states = [tf.TensorSpec(each.shape, cell.compute_dtype) for each in cell.get_initial_state(1)]
    weights = [cell.UnitWeights(*[state for _ in cell.unit_weights])] if cell.unit_weights else []
    step = tf.function(cell.step, autograph=False)
    return bool(step.get_concrete_function(x, r, states, *weights).variables)


def _reads_or_is_elementwise(cell: RecurrentCell) -> bool:
    if reads_weights(cell):
        return True
    # With as many rows as units, a constant with a number per unit would fit a transposed tensor.
    shape = (16 if cell.units != 16 else 17, cell.units)
    everywhere, kept = np.ones(shape, bool), np.random.default_rng(1).random(shape) < 0.5
    new = _new_states(cell, everywhere)
    try:
        transposed = _new_states(cell, everywhere, np.transpose)
        changed = _new_states(cell, kept, np.transpose)
    except Exception:  # of the same numbers in another shape
        return False
    one = tf.as_dtype(cell.compute_dtype).as_numpy_dtype(1)
    tolerance = min(100 * float(np.spacing(one)), 1e-2)
    return all(
        a.shape == b.shape == shape
        and np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
        # Rounded alike, so that even the slightest influence of the other elements shows.
        and np.array_equal(b[kept], c[kept], equal_nan=True)
        for a, b, c in zip(new, transposed, changed, strict=True)
    )


def _new_states(cell: RecurrentCell, kept: Any, orient: Callable = np.asarray) -> list[np.ndarray]:
    """The states after a step from random numbers, the same in each call.

    Args:
        cell: the cell.
        kept: boolean, (rows, units); where it is false, the arguments are other numbers.
        orient: applied to each argument of the step, (rows, units) or (1, units), and to the
            states.
    """
    random = np.random.default_rng(0)

    def draw(shape: tuple[int, ...]) -> np.ndarray:
        # Small numbers too: rounding would hide a small change of a large state.
        return random.uniform(-2, 2, shape) * 10 ** random.uniform(-6, 0, shape)

    def tensors(values: list) -> list:
        return [tf.cast(orient(value), cell.compute_dtype) for value in values]

    def elements(names: Any) -> list:
        return tensors([np.where(kept, draw(kept.shape), draw(kept.shape)) for _ in names])

    x = cell.Gates(*elements(cell.gates))
    r = cell.RecurrentGates(*elements(cell.recurrent_gates or ()))
    states = elements(cell.get_initial_state(1))
    units = [draw((1, cell.units)) for _ in cell.unit_weights]
    weights = [cell.UnitWeights(*tensors(units))] if units else []
    _, new = cell.step(x, r, states, *weights)
    return [orient(np.array(tf.cast(state, "float64"))) for state in new]


def check_output(cell: RecurrentCell, output: Any, states: list) -> None:
    """Checks that a cell's output is the first of its states, as the loops assume.

    Raises:
        TypeError: the output is a different tensor.
    """
    if output is not states[0]:
        raise TypeError(
            f"{type(cell).__name__} must return the same tensor as its output and as its first "
            "state, got two tensors; run it with `keras.layers.RNN`, or make the output a state."
        )


def _summed_gates(cell: RecurrentCell) -> list[str]:
    """The gates for which `step` uses only the sum of the projected input and the recurrent
    product."""
    both = set(cell.recurrent_gates or ()) - set(cell.separate)
    return [gate for gate in cell.gates if gate in both]


def _step_of_sums(
    cell: RecurrentCell, sums: list, separate: list, states: list, weights: tuple
) -> tuple[Any, list]:
    remaining, zeros = iter(separate), tf.zeros_like(states[0])
    summed = _summed_gates(cell)
    r = [zeros if gate in summed else next(remaining) for gate in cell.recurrent_gates or ()]
    return cell.step(cell.Gates(*sums), cell.RecurrentGates(*r), states, *weights)

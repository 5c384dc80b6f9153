"""The two time loops of a cell that overrides `advance`; XLA compiles them.

The backward loop differentiates one step at a time, from the states that the forward loop stored,
and sums the gradients of the weights as it goes. It works for every cell, but is slower than the
loops of product_loops.py, which documents the arguments and results of the functions.
"""

from typing import Any

import keras
import tensorflow as tf

from seqzoo.cells.base import RecurrentCell, as_list, shape_of
from seqzoo.cells.engine.private_tensorflow import scratch_graph
from seqzoo.cells.engine.product_loops import output_shape, upstream
from seqzoo.cells.engine.step_gradients import check_output
from seqzoo.cells.engine.xla_slices import read_step, time_major, while_steps, write_step
from seqzoo.cells.private_keras import backend


def tensors_of(cell: RecurrentCell, x: Any) -> dict:
    """The inputs of the loops: the projected input, (time, batch, columns), and the weights."""
    return {"x": tf.cast(cell.project(x), cell.compute_dtype), "weights": weights_of(cell)}


def weights_of(cell: RecurrentCell) -> list:
    """Values of `float_weights` in their stored dtype, in which their gradients are summed."""
    with backend.AutocastScope(None):
        return [tf.convert_to_tensor(variable) for variable in float_weights(cell)]


def forward(cell: RecurrentCell, tensors: dict, sequences: bool, keep: bool) -> dict:
    """Runs a cell forward through time; "values" are the states before each step."""
    length = tf.shape(tensors["x"])[0]

    # Slices are read one step ahead, as in product_loops.py.
    def read(t):
        t = tf.minimum(t, length - 1)
        return {name: read_step(tensors[name], t) for name in ("x", "mask") if name in tensors}

    def body(t, slices, states, written):
        following = read(t + 1)
        new = _advance(cell, tensors, slices, states)
        values = {"trajectory": new[0], "values": states}
        values = {name: values[name] for name in written}
        written = tf.nest.map_structure(lambda w, value: write_step(w, value, t), written, values)
        return t + 1, following, new, written

    def buffer(state):
        return tf.zeros(tf.concat([[length], tf.shape(state)], 0), state.dtype)

    states = tensors["states"]
    written: dict = {"trajectory": buffer(states[0])} if sequences else {}
    if keep:
        written["values"] = [buffer(state) for state in states]
    _, states, written = while_steps(tensors["steps"], body, read(0), states, written)
    return {"states": states, **written}


def backward(cell: RecurrentCell, tensors: dict, sequences: bool) -> dict:
    """Runs the backward pass of `forward`; returns the gradients of the states, x and weights."""

    steps, weights = tensors["steps"], tensors["weights"]

    def read(t):
        t = tf.maximum(t, 0)
        slices = {name: read_step(tensors[name], t) for name in ("x", "mask") if name in tensors}
        slices["states"] = [read_step(value, t) for value in tensors["values"]]
        if sequences:
            slices["d_output"] = read_step(tensors["d_sequence"], t)
        return slices

    def step_gradient(slices, d_states, unconnected):
        sources = {"x": slices["x"], "states": slices["states"], "weights": weights}
        with tf.GradientTape() as tape:
            tape.watch(sources)
            new = _advance(cell, tensors, slices, slices["states"])
        return tape.gradient(new, sources, d_states, unconnected)

    # A trace outside the program, for the weights that a step reads.
    with scratch_graph():
        traced = step_gradient(read(0), tensors["d_states"], tf.UnconnectedGradients.NONE)
    summed = [k for k, d in enumerate(traced["weights"]) if d is not None]

    def body(count, slices, d_states, d_x, d_weights):
        t = steps - 1 - count
        following = read(t - 1)
        if sequences:
            # Transposing reverses all axes: (units, batch) -> (batch, units).
            d_states = [d_states[0] + tf.transpose(slices["d_output"]), *d_states[1:]]
        d = step_gradient(slices, d_states, tf.UnconnectedGradients.ZERO)
        d_weights = [a + d["weights"][k] for a, k in zip(d_weights, summed, strict=True)]
        return count + 1, following, d["states"], write_step(d_x, d["x"], t), d_weights

    _, d_states, d_x, d_weights = while_steps(
        steps,
        body,
        read(steps - 1),
        tensors["d_states"],
        tf.zeros_like(tensors["x"]),
        [tf.zeros_like(weights[k]) for k in summed],
    )
    by_weight = dict(zip(summed, d_weights, strict=True))
    d_weights = [by_weight.get(k, tf.zeros_like(weight)) for k, weight in enumerate(weights)]
    return {"states": d_states, "x": d_x, "weights": d_weights}


def sequence(result: dict, steps: Any = None) -> Any:
    """The first state after each step, (batch, time, units), from the results of `forward`."""
    return time_major(result["trajectory"][:steps])


__all__ = [
    "BACKWARD_NEEDS",
    "backward",
    "forward",
    "gradients",
    "output_shape",
    "sequence",
    "tensors_of",
    "upstream",
]

BACKWARD_NEEDS = ("steps", "x", "weights", "mask", "recurrent_mask", "values")


def gradients(tensors: dict, d: dict) -> dict:
    """The results of `backward` are already the gradients of all arguments."""
    return d


def _advance(cell: RecurrentCell, tensors: dict, slices: dict, states: list) -> list:
    # `tf.while_loop` loses static sizes, which convolutions need.
    sizes = [(None, *shape_of(size)) for size in as_list(cell.state_size)]
    states = [tf.ensure_shape(s, size) for s, size in zip(states, sizes, strict=True)]
    x = tf.ensure_shape(slices["x"], tensors["x"].shape[1:])
    values = zip(float_weights(cell), tensors["weights"], strict=True)
    scope = backend.AutocastScope(cell.compute_dtype)
    with keras.StatelessScope(state_mapping=list(values)), scope:
        output, new = cell.advance(x, states, tensors.get("recurrent_mask"))
    check_output(cell, output, new)
    if "mask" in slices:
        new = [tf.where(expand(slices["mask"], a), a, b) for a, b in zip(new, states, strict=True)]
    return list(new)


def expand(values: Any, state: Any) -> Any:
    """Reshapes (batch,) to broadcast with a state, (batch, ...)."""
    return tf.reshape(values, [-1] + [1] * (state.shape.rank - 1))


def float_weights(cell: RecurrentCell) -> list:
    """A cell's floating-point variables, frozen ones included.

    A loop takes all of them as tensors, since it must not read a variable that a tape may watch.
    """
    return [weight for weight in cell.weights if keras.backend.is_float_dtype(weight.dtype)]

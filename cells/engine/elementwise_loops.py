"""The two time loops of a cell without a recurrent product, which consists only of `step`.

Memory limits them, so they move little of it: the gates of a step are computed within the loop, and
once more on the way back, from the input and the states before the step; of all steps only the
states are kept. Sequences of states are (batch, time, units), as the layer's output is, and are
never transposed. A single feature is projected within the loops as well, where its gradient and
those of the weights are summed. product_loops.py documents the arguments and results.
"""

from typing import Any

import tensorflow as tf

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.engine import product_loops
from seqzoo.cells.engine.portability import within_portable
from seqzoo.cells.engine.product_loops import output_shape
from seqzoo.cells.engine.step_gradients import backward_step, forward_step
from seqzoo.cells.engine.xla_slices import (
    read_row,
    read_step,
    time_major,
    while_steps,
    write_row,
    write_step,
)

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

BACKWARD_NEEDS = (
    "steps",
    "x",
    "kernel",
    "bias",
    "unit_weights",
    "mask",
    "states",
    "trajectory",
    "values",
)


def tensors_of(cell: RecurrentCell, x: Any) -> dict:
    """The inputs of the loops: the projected input, (time, batch, columns), and the weights.

    A single feature remains as it is, and the loops project it.
    """
    if x.shape[-1] == 1 and product_loops.projects(cell):
        return product_loops.tensors_of(cell, x)
    tensors: dict = {"x": tf.cast(cell.project(x), cell.compute_dtype)}
    for weights in cell.step_weights():
        tensors["unit_weights"] = [tf.cast(weight, cell.compute_dtype) for weight in weights]
    return tensors


def forward(cell: RecurrentCell, tensors: dict, sequences: bool, keep: bool) -> dict:
    """Runs a cell forward through time.

    Returns:
        "states": list of the last states; "trajectory": the first state after each step, (batch,
        time, units); "values": list of the other states, of the same shape, for `backward`.
    """
    weights = _step_weights(cell, tensors)
    # Programs that are exported can only write along the first axis.
    write = write_step if within_portable() else write_row

    def body(t, states, written):
        x = _projected(cell, tensors, read_step(tensors["x"], t))
        _, new, _ = forward_step(cell, x, cell.RecurrentGates(), states, weights)
        if "mask" in tensors:
            live = read_step(tensors["mask"], t)[:, None]
            new = [tf.where(live, a, b) for a, b in zip(new, states, strict=True)]
        written = [write(whole, part, t) for whole, part in zip(written, new, strict=False)]
        return t + 1, list(new), written

    states = tensors["states"]
    length, batch = tf.shape(tensors["x"])[0], tf.shape(tensors["x"])[1]
    axes = [length, batch] if within_portable() else [batch, length]
    count = len(states) if keep else int(sequences)
    written = [tf.zeros([*axes, cell.units], states[0].dtype) for _ in range(count)]
    states, written = while_steps(tensors["steps"], body, states, written)
    if within_portable():
        written = [time_major(whole) for whole in written]
    result = {"states": states}
    if sequences or keep:
        result["trajectory"] = written[0]
    if keep:
        result["values"] = written[1:]
    return result


def backward(cell: RecurrentCell, tensors: dict, sequences: bool) -> dict:
    """Runs the backward pass of `forward`; returns the gradients of all its arguments."""
    steps, x = tensors["steps"], tensors["x"]
    weights = _step_weights(cell, tensors)
    history = [tensors["trajectory"], *tensors["values"]]
    # In half precision, sums over all steps would lose their digits.
    dtype = tf.float32 if x.dtype.size == 2 else x.dtype
    projects = "kernel" in tensors

    def body(count, d_states, sums, d_x):
        t = steps - 1 - count
        if sequences:
            d_states = [d_states[0] + read_row(tensors["d_sequence"], t), *d_states[1:]]
        earlier = [read_row(whole, tf.maximum(t - 1, 0)) for whole in history]
        states = [tf.where(t > 0, a, b) for a, b in zip(earlier, tensors["states"], strict=True)]
        given = read_step(x, t)
        gates = _projected(cell, tensors, given)
        _, _, values = forward_step(cell, gates, cell.RecurrentGates(), states, weights)
        d_new = d_states
        if "mask" in tensors:
            live = read_step(tensors["mask"], t)[:, None]
            d_new = [tf.where(live, d, tf.zeros_like(d)) for d in d_states]
        d_gates, _, d_old, d_weights = backward_step(cell, values, d_new, weights)
        if "mask" in tensors:
            d_old = [tf.where(live, a, b) for a, b in zip(d_old, d_states, strict=True)]
        d_input = tf.concat(d_gates, 1)
        parts = {"unit_weights": list(d_weights)}
        if projects:
            # Small products, which are faster than sums as large as the states.
            exact = tf.cast(d_input, dtype)
            column = tf.cast(given, dtype)
            parts["kernel"] = [tf.matmul(column, exact, transpose_a=True)]
            parts["bias"] = [tf.matmul(tf.ones_like(column), exact, transpose_a=True)]
            d_input = tf.matmul(d_input, tensors["kernel"], transpose_b=True)
        sums = {
            name: [s + tf.cast(part, dtype) for s, part in zip(own, parts[name], strict=True)]
            for name, own in sums.items()
        }
        return count + 1, list(d_old), sums, write_step(d_x, d_input, t)

    length, batch = tf.shape(x)[0], tf.shape(x)[1]
    columns = len(cell.gates) * cell.units
    sums = {name: [tf.zeros([1, columns], dtype)] for name in ("kernel", "bias") if name in tensors}
    if "unit_weights" in tensors:
        sums["unit_weights"] = [
            tf.zeros([batch, cell.units], dtype) for _ in tensors["unit_weights"]
        ]
    d_x = tf.zeros([length, batch, 1 if projects else columns], x.dtype)
    d_states, sums, d_x = while_steps(steps, body, tensors["d_states"], sums, d_x)
    d = {"states": d_states, "x": d_x}
    for name in sums.keys() - {"unit_weights"}:
        d[name] = tf.cast(tf.reshape(sums[name][0], tensors[name].shape), x.dtype)
    if "unit_weights" in sums:
        d["unit_weights"] = [
            tf.cast(_summed_as(each, weight), weight.dtype)
            for each, weight in zip(sums["unit_weights"], tensors["unit_weights"], strict=True)
        ]
    return d


def upstream(d: Any) -> Any:
    """Gradients of the trajectory, (batch, time, units), as `backward` takes them."""
    return d


def sequence(result: dict) -> Any:
    """The first state after each step, (batch, time, units), from the results of `forward`."""
    return result["trajectory"]


def gradients(tensors: dict, result: dict, d: dict) -> dict:
    """The results of `backward` are already all gradients."""
    return d


def _projected(cell: RecurrentCell, tensors: dict, x: Any) -> Any:
    """The gates' projected inputs of one step."""
    if "kernel" in tensors:
        x = x * tensors["kernel"]
        if "bias" in tensors:
            x = x + tensors["bias"]
    return cell.split(x)


def _step_weights(cell: RecurrentCell, tensors: dict) -> tuple:
    """The last arguments of `step`."""
    if "unit_weights" not in tensors:
        return ()
    return (cell.UnitWeights(*tensors["unit_weights"]),)


def _summed_as(d: Any, weight: Any) -> Any:
    """(batch, units) summed to the shape of a unit weight, (units,) or (1,)."""
    return tf.reduce_sum(d)[None] if weight.shape[0] == 1 else tf.reduce_sum(d, 0)

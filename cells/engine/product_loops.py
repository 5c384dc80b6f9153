"""The two time loops of a cell with `recur` and `step`: forward, and backward from stored values.

XLA compiles them. Outside a loop, sequences are (time, batch, units), or (batch, time, units) if no
gradient is requested, and states (batch, units). Inside, tensors are (units, batch), so that the
weights are on the left of every product and a gate is a block of rows. A loop reads the slices of a
step during the previous step; otherwise XLA would fuse the strided read into the elementwise
operations, which would then no longer be vectorised.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from seqzoo.cells.base import RecurrentCell, shape_of
from seqzoo.cells.engine.private_tensorflow import scratch_graph
from seqzoo.cells.engine.step_gradients import backward_step, forward_step
from seqzoo.cells.engine.xla_slices import (
    pad_time,
    read_row,
    read_step,
    size_of,
    time_major,
    while_steps,
    write_columns,
    write_row,
    write_step,
)

JOINED_UNITS = 256
"""The largest number of units for which the products of the input and of the state are joined."""


def tensors_of(cell: RecurrentCell, x: Any) -> dict:
    """The inputs of the loops: the input, (time, batch, features), and the weights."""
    tensors = {"x": x}
    if projects(cell):
        tensors |= {"kernel": cell.input_matrix(), "bias": cell.input_bias()}
    else:
        tensors["x"] = cell.project(x)
    if cell.recurrent_gates:
        tensors["recurrent_kernel"] = cell.recurrent_matrix()
        tensors["recurrent_bias"] = cell.recurrent_bias()
    tensors = {
        name: tf.cast(value, cell.compute_dtype)
        for name, value in tensors.items()
        if value is not None
    }
    for weights in cell.step_weights():
        tensors["unit_weights"] = [tf.cast(weight, cell.compute_dtype) for weight in weights]
    return tensors


def projects(cell: RecurrentCell) -> bool:
    """Whether the loops compute the product of the input: not if a cell overrides `project`."""
    return type(cell).project is RecurrentCell.project


def forward(cell: RecurrentCell, tensors: dict, sequences: bool, keep: bool) -> dict:
    """Runs a cell forward through time.

    Args:
        cell: the cell whose `step` is run.
        tensors: the tensors of `tensors_of`; "steps", the number of x's time steps to run;
            "states", list of (batch, units); and optionally "mask", (time, batch), and
            "recurrent_mask", (batch, units). "rows", (batch, time, features), may replace "x",
            which saves a transposition without `keep`.
        sequences: whether to return the first state of each step.
        keep: whether to return the values that `backward` needs.

    Returns:
        "states": list of the last states; "trajectory": the first state before the first step and
        after each, (1 + time, batch, units), or with "rows" after each, (batch, time, units);
        "values": list of (time, units, batch), for `backward`; with "rows", "visited" then is the
        trajectory that `backward` needs. Sorted by name, the results that `keep` adds come last.
    """
    if "rows" in tensors and keep:
        return _forward_from_rows(cell, tensors, sequences)
    if "rows" in tensors:
        batch, length, _ = tf.unstack(tf.shape(tensors["rows"]))
    else:
        length, batch, _ = tf.unstack(tf.shape(tensors["x"]))
    joined = _joins_products(cell, tensors)
    products = (_joined_products if joined else _products)(cell, tensors)
    weights = _step_weights(cell, tensors)

    def read(t):
        t = tf.minimum(t, length - 1)
        slices = {
            name: tf.transpose(read_step(tensors[name], t))
            for name in ("x", "mask")
            if name in tensors
        }
        if "rows" in tensors:
            slices["x"] = tf.transpose(read_row(tensors["rows"], t))
        return slices

    def advance(slices, states):
        x, r = products(slices["x"], states[0])
        _, new, values = forward_step(cell, x, r, states, weights)
        if "mask" in slices:
            new = [tf.where(slices["mask"], a, b) for a, b in zip(new, states, strict=True)]
        return new, values

    def body(t, slices, states, written):
        following = read(t + 1)
        new, values = advance(slices, states)
        if "trajectory" in written:
            output = tf.transpose(new[0])
            if "rows" in tensors:
                written["trajectory"] = write_row(written["trajectory"], output, t)
            else:
                written["trajectory"] = write_step(written["trajectory"], output, t + 1)
        if "values" in written:
            pairs = zip(written["values"], values, strict=True)
            written["values"] = [write_step(w, value, t) for w, value in pairs]
        return t + 1, following, new, written

    states = [tf.transpose(state) for state in tensors["states"]]
    written: dict = {}
    if "rows" in tensors:
        if sequences:
            written["trajectory"] = tf.zeros([batch, length, cell.units], states[0].dtype)
    elif sequences or keep:
        steps = tf.zeros([length + 1, batch, cell.units], states[0].dtype)
        written["trajectory"] = write_step(steps, tensors["states"][0], 0)
    if keep:
        # A trace outside the program, for the number of values that a step stores.
        with scratch_graph():
            kept = advance(read(0), states)[1]
        written["values"] = [tf.zeros([length, cell.units, batch], v.dtype) for v in kept]
    _, states, written = while_steps(tensors["steps"], body, read(0), states, written)
    return {"states": [tf.transpose(state) for state in states], **written}


def with_steps(tensors: dict, result: dict) -> tuple[dict, dict]:
    """Tensors with "rows" and the result of `forward` for them, as they are with "x" instead."""
    result = result | {"trajectory": result["visited"]}
    del result["visited"]
    return _rows_as_steps(tensors), result


def _rows_as_steps(tensors: dict) -> dict:
    """Tensors with "x", (time, batch, features), in place of "rows"."""
    others = {name: tensor for name, tensor in tensors.items() if name != "rows"}
    return {"x": time_major(tensors["rows"]), **others}


def _forward_from_rows(cell: RecurrentCell, tensors: dict, sequences: bool) -> dict:
    """`forward` with "rows" and `keep`, for a call without `keep` whose gradient is requested."""
    result = forward(cell, _rows_as_steps(tensors), sequences=True, keep=True)
    result["visited"] = result.pop("trajectory")
    if sequences:
        result["trajectory"] = time_major(result["visited"][1:])
    return result


def backward(cell: RecurrentCell, tensors: dict, sequences: bool) -> dict:
    """Runs the backward pass of `forward`.

    Args:
        cell: the cell.
        tensors: the tensors of `forward`, what it returned for training, "d_states", list of
            (batch, units), and, with `sequences`, "d_sequence", (time, units, batch).
        sequences: whether the first state of each step has a gradient.

    Returns:
        "d_states": list of (batch, units), gradients of the initial states; "d_recurrent" and
        "d_projected": gradients of the recurrent product, (recurrent gates * units, time * batch),
        and of the projected input, (gates * units, time * batch); "d_recurrent" is omitted
        if there are no recurrent gates, and "d_projected" if it equals "d_recurrent";
        "d_unit_weights": list of gradients, if the cell has unit weights.
    """
    values, steps = tensors["values"], tensors["steps"]
    length, _, batch = tf.unstack(tf.shape(values[0]))
    kernel = tensors.get("recurrent_kernel")
    weights = _step_weights(cell, tensors)
    recurrent_mask = _transposed(tensors.get("recurrent_mask"))

    def read(t):
        t = tf.maximum(t, 0)
        slices = {"values": [read_step(value, t) for value in values]}
        if sequences:
            slices["d_output"] = read_step(tensors["d_sequence"], t)
        if "mask" in tensors:
            slices["mask"] = tf.transpose(read_step(tensors["mask"], t))
        return slices

    def body(count, slices, d_states, d_weights, written):
        t = steps - 1 - count
        following = read(t - 1)
        if sequences:
            d_states = [d_states[0] + slices["d_output"], *d_states[1:]]
        live = slices.get("mask")
        d_new = d_states
        if live is not None:
            d_new = [tf.where(live, d, tf.zeros_like(d)) for d in d_states]
        dx, dr, d_old, d_step = backward_step(cell, slices["values"], d_new, weights)
        if live is not None:
            d_old = [tf.where(live, a, b) for a, b in zip(d_old, d_states, strict=True)]
        d_weights = [a + tf.cast(b, a.dtype) for a, b in zip(d_weights, d_step, strict=True)]
        parts = {}
        if kernel is not None:
            parts["d_recurrent"] = tf.concat(dx if dr is None else dr, 0)
        if "d_projected" in written:
            parts["d_projected"] = tf.concat(dx, 0)
        written = {
            name: write_columns(written[name], part, t * batch) for name, part in parts.items()
        }
        if kernel is None:
            return count + 1, following, d_old, d_weights, written
        dh = tf.matmul(kernel, parts["d_recurrent"])
        if recurrent_mask is not None:
            dh = dh * recurrent_mask
        return count + 1, following, [d_old[0] + dh, *d_old[1:]], d_weights, written

    written = {
        name: tf.zeros([gates * cell.units, length * batch], values[0].dtype)
        for name, gates in _gradient_gates(cell).items()
    }
    d_states = [tf.transpose(d) for d in tensors["d_states"]]
    # In half precision, sums over many steps lose the small terms.
    d_weights = [
        tf.zeros([cell.units, batch], tf.float32 if w.dtype.size == 2 else w.dtype)
        for w in tensors.get("unit_weights", [])
    ]
    _, d_states, d_weights, written = while_steps(
        steps, body, read(steps - 1), d_states, d_weights, written
    )
    if d_weights:
        pairs = zip(d_weights, tensors["unit_weights"], strict=True)
        written["d_unit_weights"] = [
            tf.cast(_summed_as(d, weight), weight.dtype) for d, weight in pairs
        ]
    return {"d_states": [tf.transpose(d) for d in d_states], **written}


def output_shape(cell: RecurrentCell) -> tuple:
    """Shape of the state whose trajectory is returned, without the batch axis."""
    return shape_of(cell.output_size)


def upstream(d: Any, length: Any) -> Any:
    """Gradients of the trajectory, (batch, time, ...), as `backward` expects them.

    That is (length, ..., batch), padded with zeros, with the axes between those two reversed.
    """
    return pad_time(tf.transpose(d, [1, *reversed(range(2, d.shape.rank)), 0]), length)


def sequence(result: dict, steps: Any = None) -> Any:
    """The first state after each step, (batch, time, units), from the results of `forward`.

    Args:
        result: the results of `forward`.
        steps: number of steps to return, from the first; None for all.
    """
    return time_major(result["trajectory"][1 : None if steps is None else steps + 1])


BACKWARD_NEEDS = ("steps", "recurrent_kernel", "unit_weights", "mask", "recurrent_mask", "values")
"""Names of the arguments and results of `forward` that `backward` reads."""


def gradients(tensors: dict, d: dict) -> dict:
    """Gradients of the arguments of `forward`, from the results of `backward`.

    Args:
        tensors: the tensors of `forward`, and what it returned for training.
        d: the results of `backward`.
    """
    # Only the steps that have run: products of the padding would take as long as theirs.
    length, batch, features = tf.unstack(tf.shape(tensors["x"]))
    x, steps = tensors["x"][: tensors["steps"]], tensors["steps"]
    columns = steps * batch
    live = {name: d[name][:, :columns] for name in ("d_recurrent", "d_projected") if name in d}
    d_recurrent = live.get("d_recurrent")
    d_projected = live.get("d_projected", d_recurrent)
    results = {"states": d["d_states"]}
    if "unit_weights" in tensors:
        results["unit_weights"] = d["d_unit_weights"]
    if "recurrent_kernel" in tensors:
        before = tensors["trajectory"][:steps]
        if "recurrent_mask" in tensors:
            before = before * tensors["recurrent_mask"]
        results["recurrent_kernel"] = _summed_product(before, d_recurrent)
    if "recurrent_bias" in tensors:
        results["recurrent_bias"] = tf.reduce_sum(d_recurrent, 1)
    if "bias" in tensors:
        results["bias"] = tf.reduce_sum(d_projected, 1)
    d_x = d_projected
    if "kernel" in tensors:
        results["kernel"] = _summed_product(x, d_projected)
        d_x = tf.matmul(tensors["kernel"], d_projected)
    d_x = tf.transpose(tf.reshape(d_x, [features, steps, batch]), [1, 2, 0])
    results["x"] = pad_time(d_x, length)
    return results


def _products(cell: RecurrentCell, tensors: dict) -> Callable:
    """A function: x and h of one step -> the gates' projected inputs and recurrent products."""
    recurrent = _transposed(tensors.get("recurrent_kernel"))
    recurrent_bias = _column(tensors.get("recurrent_bias"))
    kernel, bias = _transposed(tensors.get("kernel")), _column(tensors.get("bias"))
    recurrent_mask = _transposed(tensors.get("recurrent_mask"))

    def products(x, h):
        r = None
        if recurrent is not None:
            r = tf.matmul(recurrent, h if recurrent_mask is None else h * recurrent_mask)
        if recurrent_bias is not None:
            r = r + recurrent_bias
        if kernel is not None:
            x = kernel * x if kernel.shape[1] == 1 else tf.matmul(kernel, x)
        if bias is not None:
            x = x + bias
        return cell.split(x, axis=0), cell.split_recurrent(r, axis=0)

    return products


def _joins_products(cell: RecurrentCell, tensors: dict) -> bool:
    """Whether a loop computes the products of the input and of the state as one.

    Without gradients, one product of both takes less time than two, up to a size. In training it
    does not, since XLA then fuses the elementwise operations differently.
    """
    sums = not cell.separate and tuple(cell.recurrent_gates) == tuple(cell.gates)
    several = "kernel" in tensors and tensors["kernel"].shape[0] > 1
    return "rows" in tensors and sums and several and cell.units <= JOINED_UNITS


def _joined_products(cell: RecurrentCell, tensors: dict) -> Callable:
    """Like `_products`; the gates' sums take the place of the inputs, beside zeros."""
    kernels = tf.transpose(tf.concat([tensors["recurrent_kernel"], tensors["kernel"]], 0))
    biases = [_column(tensors[n]) for n in ("bias", "recurrent_bias") if n in tensors]
    recurrent_mask = _transposed(tensors.get("recurrent_mask"))

    def products(x, h):
        h = h if recurrent_mask is None else h * recurrent_mask
        sums = tf.matmul(kernels, tf.concat([h, x], 0))
        for bias in biases:
            sums = sums + bias
        gates = cell.split(sums, axis=0)
        return gates, cell.RecurrentGates(*map(tf.zeros_like, gates))

    return products


def _step_weights(cell: RecurrentCell, tensors: dict) -> tuple:
    """The additional arguments of `step`, as columns that broadcast with (units, batch)."""
    if "unit_weights" not in tensors:
        return ()
    return (cell.UnitWeights(*map(_column, tensors["unit_weights"])),)


def _gradient_gates(cell: RecurrentCell) -> dict[str, int]:
    """Number of gates in each array of gradients that `backward` writes."""
    if not cell.recurrent_gates:
        return {"d_projected": len(cell.gates)}
    gates = {"d_recurrent": len(cell.recurrent_gates)}
    if cell.separate or cell.recurrent_gates != cell.gates:
        gates["d_projected"] = len(cell.gates)
    return gates


def _summed_as(d: Any, weight: Any) -> Any:
    """(units, batch) summed to the shape of a unit weight, (units,) or (1,)."""
    return tf.reduce_sum(d)[None] if weight.shape[0] == 1 else tf.reduce_sum(d, 1)


def _summed_product(rows: Any, columns: Any) -> Any:
    """(time, batch, n) and (m, time * batch) -> (n, m), summed over time and batch."""
    rows = tf.reshape(rows, [-1, size_of(rows, 2)])
    return tf.transpose(tf.matmul(columns, rows))


def _transposed(matrix: Any) -> Any:
    return None if matrix is None else tf.transpose(matrix)


def _column(vector: Any) -> Any:
    return None if vector is None else vector[:, None]

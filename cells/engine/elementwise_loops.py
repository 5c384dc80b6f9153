"""The two time loops of a cell without a recurrent product, whose recurrence is only `step`.

The forward loop computes the gates of each step and stores only the states. The backward pass
recomputes the gates from the inputs and the stored states, for all steps of a chunk at once, then
the derivatives of each state with respect to the previous states, and, after a linear recurrence
over these, the gradients of the gates. Sequences of states are (batch, time, units), like the
layer's output, and are transposed only in exports. A single feature is projected within the loop,
too; in that case, the backward pass recomputes states that merely copy a gate from the previous
step's input.
product_loops.py documents the arguments and results.
"""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.engine import product_loops
from seqzoo.cells.engine.linear_scans import scan_back
from seqzoo.cells.engine.portability import within_portable
from seqzoo.cells.engine.product_loops import output_shape
from seqzoo.cells.engine.step_gradients import (
    backward_step,
    copied_gates,
    forward_step,
    state_derivatives,
)
from seqzoo.cells.engine.xla_slices import (
    pad_time,
    read_at,
    read_row,
    read_step,
    time_major,
    while_steps,
    write_at,
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

MAX_BACKWARD_CHUNK = 64
"""Maximum number of steps that the backward pass computes at once."""


def tensors_of(cell: RecurrentCell, x: Any) -> dict:
    """The inputs of the loops: the projected input, (time, batch, columns), and the weights.

    A single feature is not projected here: the loops do that.
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
        time, units); "values": list of the other states, of the same shape, for `backward`, except
        those that `backward` can take from the inputs.
    """
    weights = _step_weights(cell, tensors)
    # Exported programs can write only along the first axis.
    write = write_step if within_portable() else write_row

    def read(t):
        t = tf.minimum(t, length - 1)
        return {name: read_step(tensors[name], t) for name in ("x", "mask") if name in tensors}

    def body(t, slices, states, written):
        following = read(t + 1)
        x = _projected(cell, tensors, slices["x"])
        _, new, _ = forward_step(cell, x, cell.RecurrentGates(), states, weights)
        if "mask" in slices:
            live = slices["mask"][:, None]
            new = [tf.where(live, a, b) for a, b in zip(new, states, strict=True)]
        written = [write(array, new[k], t) for array, k in zip(written, kept, strict=True)]
        return t + 1, following, list(new), written

    states = tensors["states"]
    length, batch = tf.shape(tensors["x"])[0], tf.shape(tensors["x"])[1]
    axes = [length, batch] if within_portable() else [batch, length]
    kept = _kept_states(cell, tensors) if keep else [0] if sequences else []
    written = [tf.zeros([*axes, cell.units], states[0].dtype) for _ in kept]
    _, states, written = while_steps(tensors["steps"], body, read(0), states, written)
    if within_portable():
        written = [time_major(array) for array in written]
    result = {"states": states}
    if sequences or keep:
        result["trajectory"] = written[0]
    if keep:
        result["values"] = written[1:]
    return result


def backward(cell: RecurrentCell, tensors: dict, sequences: bool) -> dict:
    """Runs the backward pass of `forward`; returns the gradients of all its arguments.

    It processes chunks of time steps from the last to the first, so that intermediate results stay
    in the CPU's cache. All steps of a chunk are computed at once, except for the gradients of the
    states, which are linear recurrences: one per state, unless two states depend on each other.
    """
    chunk, count = _chunks(tf.shape(tensors["x"])[0])
    # The time axis becomes two axes: the chunk, and the step within it.
    x = _split_axis(tensors["x"], 0, chunk)
    mask = _split_axis(tensors["mask"], 0, chunk) if "mask" in tensors else None
    history = [
        _split_axis(array, 1, chunk) for array in (tensors["trajectory"], *tensors["values"])
    ]
    kept = _kept_states(cell, tensors)
    first = [
        tf.concat([tensors["states"][k][:, None], array[:, :-1, -1]], 1)
        for k, array in zip(kept, history, strict=True)
    ]
    d_sequence = _split_axis(tensors["d_sequence"], 1, chunk) if sequences else None
    earlier = _states_of_earlier_inputs(cell, tensors)
    x_before = tf.concat([tf.zeros_like(tensors["x"][:1]), tensors["x"][:-1]], 0)
    x_before = _split_axis(x_before, 0, chunk) if earlier else None
    # In half precision, sums over all steps would lose precision.
    dtype = tf.float32 if x.dtype.size == 2 else x.dtype
    summed = [name for name in ("kernel", "bias", "unit_weights") if name in tensors]

    def read(c):
        # Chunks are read one iteration ahead: XLA would fuse a read with functions such as sigmoid,
        # which would then no longer be vectorised.
        c = tf.maximum(c, 0)
        part = {"x": read_at(x, c, 0), "first": [read_at(each, c, 1) for each in first]}
        part["after"] = [read_at(array, c, 1) for array in history]
        if earlier:
            part["x_before"] = read_at(x_before, c, 0)
        elif len(kept) < len(tensors["states"]):
            part["begins"] = c == 0
            part["x_before"] = read_step(tensors["x"], tf.maximum(c * chunk - 1, 0))
        if mask is not None:
            part["mask"] = read_at(mask, c, 0)
        if sequences:
            part["d_sequence"] = read_at(d_sequence, c, 1)
        return part

    def body(k, part, later, d_x, d_x_before, sums):
        c = count - 1 - k
        following = read(c - 1)
        time = c * chunk + tf.range(chunk)[None, :, None]
        final = time == tensors["steps"] - 1
        end = time == (c + 1) * chunk - 1
        zeros = tf.zeros_like(part["after"][0])
        received = [
            tf.where(final, d[:, None], zeros) + tf.where(end, after[:, None], zeros)
            for d, after in zip(tensors["d_states"], later, strict=True)
        ]
        if sequences:
            received[0] += part["d_sequence"]
        d = _backward_chunk(cell, tensors, part, received, time, dtype)
        d_x = write_at(d_x, d["x"], c, 0)
        if earlier:
            d_x_before = write_at(d_x_before, d["x_before"], c, 0)
        added = [tf.nest.map_structure(tf.add, s, d[n]) for s, n in zip(sums, summed, strict=True)]
        return k + 1, following, d["states"], d_x, d_x_before, added

    start = [tf.zeros_like(state) for state in tensors["states"]]
    zeros = [
        tf.nest.map_structure(lambda weight: tf.zeros(tf.shape(weight), dtype), tensors[name])
        for name in summed
    ]
    d_x_before = tf.zeros_like(x if earlier else x[:0])
    _, d_states, d_x, d_x_before, sums = while_steps(
        count, body, read(count - 1), start, tf.zeros_like(x), d_x_before, zeros
    )
    d = {"states": d_states, "x": tf.reshape(d_x, tf.shape(tensors["x"]))}
    if earlier:
        d_before = tf.reshape(d_x_before, tf.shape(tensors["x"]))
        last = _gradients_of_last_copies(cell, tensors, earlier, dtype)
        d["x"] += tf.concat([d_before[1:], tf.zeros_like(d_before[:1])], 0) + last["x"]
        sums = [total + last.get(name, 0) for name, total in zip(summed, sums, strict=True)]
    for name, total in zip(summed, sums, strict=True):
        d[name] = tf.nest.map_structure(
            lambda each, w: tf.cast(each, w.dtype), total, tensors[name]
        )
    return d


def _backward_chunk(
    cell: RecurrentCell, tensors: dict, part: dict, received: list, time: Any, dtype: Any
) -> dict:
    """`backward` for one chunk: gradients of its inputs, the states before it, and the weights."""
    weights = _step_weights(cell, tensors)
    x = time_major(part["x"])
    live = time < tensors["steps"]
    if "mask" in part:
        live = live & tf.transpose(part["mask"])[:, :, None]
    gates = _projected(cell, tensors, x)
    kept = _kept_states(cell, tensors)
    around = dict(zip(kept, zip(part["first"], part["after"], strict=True), strict=True))
    earlier = _states_of_earlier_inputs(cell, tensors)
    if earlier:
        x_before = time_major(part["x_before"])
        gates_before = _projected(cell, tensors, x_before)
    elif "x_before" in part:
        gates_before = _projected(cell, tensors, part["x_before"])
        for k, gate in copied_gates(cell, weights).items():
            initial = tensors["states"][k]
            around[k] = tf.where(part["begins"], initial, gates_before[gate]), gates[gate]
    before = [
        tf.where(time == 0, tensors["states"][k][:, None], gates_before[earlier[k]])
        if k in earlier
        else tf.concat([around[k][0][:, None], around[k][1][:, :-1]], 1)
        for k in range(len(tensors["states"]))
    ]
    _, _, values = forward_step(cell, gates, cell.RecurrentGates(), before, weights)
    derivatives = state_derivatives(cell, values, before, weights)
    valid = time < tensors["steps"] if "mask" in part else None
    d_new, d_states, d_copied = _recurrences(derivatives, received, live, valid, earlier)
    d_live = [tf.where(live, d, tf.zeros_like(d)) for d in d_new]
    d_gates, _, _, d_weights = backward_step(cell, values, d_live, weights)

    # The gradient of a copied gate is that of the old state at the next step, so it belongs to the
    # input of the step before. Only the very first step has an initial state instead.
    begins = time[:, 0] == 0
    d: dict = {"states": d_states}
    for k in earlier:
        d_states[k] = tf.where(begins, d_states[k], tf.zeros_like(d_states[k]))
    if "kernel" in tensors:
        # Gate by gate, because concatenating the gradients takes as long as the products.
        now, last = _with_ones(x, dtype), None
        rows = dict.fromkeys(range(len(d_gates)), now)
        if earlier:
            last = _with_ones(x_before, dtype) * tf.cast(_rows(time > 0, x), dtype)
        for k, gate in earlier.items():
            d_gates[gate], rows[gate] = d_copied[k], last
        exact = [tf.cast(tf.reshape(each, [-1, cell.units]), dtype) for each in d_gates]
        products = [tf.matmul(rows[g], each, transpose_a=True) for g, each in enumerate(exact)]
        d_kernel, d["bias"] = tf.unstack(tf.concat(products, 1), 2)
        d["kernel"] = d_kernel[None]
        kernels = cell.split(tensors["kernel"][0])
        parts = [tf.linalg.matvec(a, b) for a, b in zip(d_gates, kernels, strict=True)]
        copied = set(earlier.values())
        current = [part for gate, part in enumerate(parts) if gate not in copied]
        d["x"] = time_major(tf.add_n(current)[:, :, None])
        if earlier:
            d_before = tf.add_n([parts[gate] for gate in copied])[:, :, None]
            d["x_before"] = time_major(d_before)
    else:
        d["x"] = time_major(tf.concat(d_gates, 2))
    if "unit_weights" in tensors:
        d["unit_weights"] = [
            _summed_as(tf.cast(each, dtype), weight)
            for each, weight in zip(d_weights, tensors["unit_weights"], strict=True)
        ]
    return d


def _kept_states(cell: RecurrentCell, tensors: dict) -> list[int]:
    """Indices of the states that are stored for `backward`. States that copy a gate are stored only
    if there is a mask, because masked steps then repeat older values."""
    copied = {} if "mask" in tensors else copied_gates(cell, _step_weights(cell, tensors))
    return [k for k in range(len(tensors["states"])) if k not in copied]


def _states_of_earlier_inputs(cell: RecurrentCell, tensors: dict) -> dict[int, int]:
    """Maps the index of each state that the backward pass computes from the previous step's input
    to the gate that it copies; empty unless the loops project the input and there is no mask."""
    if "mask" in tensors or "kernel" not in tensors:
        return {}
    return copied_gates(cell, _step_weights(cell, tensors))


def _gradients_of_last_copies(
    cell: RecurrentCell, tensors: dict, earlier: dict[int, int], dtype: Any
) -> dict:
    """Gradients of the input and its weights through the last states that copy a gate."""
    last = tensors["steps"] - 1
    row = _with_ones(read_step(tensors["x"], last)[:, None], dtype)
    kernels = cell.split(tensors["kernel"][0])
    zeros = tf.zeros([2, cell.units], dtype)
    products, d_last = [zeros for _ in kernels], []
    for k, gate in earlier.items():
        d_state = tensors["d_states"][k]
        products[gate] = tf.matmul(row, tf.cast(d_state, dtype), transpose_a=True)
        d_last.append(tf.linalg.matvec(d_state, kernels[gate]))
    d_kernel, d_bias = tf.unstack(tf.concat(products, 1), 2)
    at_last = tf.range(tf.shape(tensors["x"])[0])[:, None] == last
    d_x = tf.where(at_last, tf.add_n(d_last)[None], tf.zeros([], tensors["x"].dtype))
    return {"kernel": d_kernel[None], "bias": d_bias, "x": d_x[:, :, None]}


def _with_ones(x: Any, dtype: Any) -> Any:
    """(batch, time, 1) -> (batch * time, 2): the feature and a one (for the bias)."""
    column = tf.cast(tf.reshape(x, [-1, 1]), dtype)
    return tf.concat([column, tf.ones_like(column)], 1)


def _rows(steps: Any, x: Any) -> Any:
    """(1, time, 1) -> (batch * time, 1), in the order of the rows of `_with_ones`."""
    return tf.reshape(tf.broadcast_to(steps, tf.shape(x)), [-1, 1])


def _chunks(length: Any) -> tuple[Any, Any]:
    """Length and number of the chunks of a backward pass over `length` steps."""
    lengths = tf.range(1, MAX_BACKWARD_CHUNK + 1)
    chunk = tf.reduce_max(tf.where(length % lengths == 0, lengths, 1))
    return chunk, length // chunk


def _split_axis(tensor: Any, axis: int, chunk: Any) -> Any:
    """A tensor with one axis split into two: chunks, and the steps of each."""
    shape = tf.shape(tensor)
    return tf.reshape(tensor, tf.concat([shape[:axis], [-1, chunk], shape[axis + 1 :]], 0))


def dependence_order(derivatives: list[list]) -> list[int] | None:
    """Sorts the states topologically: each after all others whose new values depend on it.

    Args:
        derivatives: the derivatives from `state_derivatives`.

    Returns:
        Indices of the states; None if the dependencies are circular.
    """
    order: list[int] = []
    while len(order) < len(derivatives):
        remaining = [j for j in range(len(derivatives)) if j not in order]
        free = [j for j in remaining if all(derivatives[i][j] is None or i == j for i in remaining)]
        if not free:
            return None
        order += free
    return order


def _recurrences(
    derivatives: list[list], received: list, live: Any, valid: Any, copied: Iterable[int]
) -> tuple[list, list, dict[int, Any]]:
    """Gradients of the states after each step, (batch, time, units), of those before the first, and
    of the copied states before each step.

    Args:
        derivatives: the derivatives from `state_derivatives`, for all steps.
        received: gradients of the states after each step, excluding what later steps pass back.
        live: boolean, (batch, time, 1), false for steps that are masked or padding.
        valid: the same, but false for padding only; None if there is no mask.
        copied: indices of states that copy a gate; the caller passes their gradients on to the
            previous step, and those after each step are only what was received.
    """
    count = range(len(received))

    def factor(i, j):
        """The factor by which new state i's gradient is multiplied in old state j's, or None."""
        repeated = i == j and valid is not None
        if derivatives[i][j] is None and not repeated:
            return None
        zeros = tf.zeros_like(received[j])
        otherwise = tf.cast(valid, zeros.dtype) + zeros if repeated else zeros
        return tf.where(live, zeros if derivatives[i][j] is None else derivatives[i][j], otherwise)

    def passed_back(j):
        """The gradient of old state j at each step, through the other new states."""
        others = [factors[i][j] * d_new[i] for i in count if i != j and factors[i][j] is not None]
        return tf.add_n([tf.zeros_like(received[j]), *others])

    factors = [[factor(i, j) for j in count] for i in count]
    order = dependence_order(derivatives)
    if order is None:
        d_new, d_first = _joint_recurrence(factors, received)
        for k in copied:
            d_new[k] = received[k]
        return d_new, d_first, {k: passed_back(k) for k in copied}
    d_new: list = [None for _ in count]
    d_old: list = [None for _ in count]
    for j in order:
        d_old[j] = passed_back(j)
        if j in copied:
            d_new[j] = received[j]
            continue
        if factors[j][j] is not None:
            d_old[j] = scan_back(factors[j][j], d_old[j] + factors[j][j] * received[j])
        later = tf.concat([d_old[j][:, 1:], tf.zeros_like(d_old[j][:, :1])], 1)
        d_new[j] = received[j] + later
    return d_new, [d[:, 0] for d in d_old], {k: d_old[k] for k in copied}


def _joint_recurrence(factors: list[list], received: list) -> tuple[list, list]:
    """`_recurrences` for states that depend on each other, step by step."""
    count = range(len(received))
    length = tf.shape(received[0])[1]

    def body(k, later, d_new):
        t = length - 1 - k
        now = [read_row(array, t) + each for array, each in zip(received, later, strict=True)]
        d_new = [write_row(array, each, t) for array, each in zip(d_new, now, strict=True)]
        passed_back = [
            [read_row(factors[i][j], t) * now[i] for i in count if factors[i][j] is not None]
            for j in count
        ]
        return k + 1, [tf.add_n([tf.zeros_like(now[0]), *each]) for each in passed_back], d_new

    start = [tf.zeros_like(array[:, 0]) for array in received]
    later, d_new = while_steps(length, body, start, [tf.zeros_like(array) for array in received])
    return d_new, later


def upstream(d: Any, length: Any) -> Any:
    """Gradients of the trajectory, (batch, length, units), as `backward` expects them."""
    return pad_time(d, length, axis=1)


def sequence(result: dict, steps: Any = None) -> Any:
    """The first state after each step, (batch, time, units), from the results of `forward`."""
    return result["trajectory"][:, :steps]


def gradients(tensors: dict, d: dict) -> dict:
    """The results of `backward` are already the gradients of all arguments."""
    return d


def _projected(cell: RecurrentCell, tensors: dict, x: Any) -> Any:
    """The projected inputs of the gates, for one step or for all steps of a chunk."""
    if "kernel" in tensors:
        x = x * tensors["kernel"]
        if "bias" in tensors:
            x = x + tensors["bias"]
    return cell.split(x)


def _step_weights(cell: RecurrentCell, tensors: dict) -> tuple:
    """The additional arguments of `step`: the named tuple of unit weights, if there are any."""
    if "unit_weights" not in tensors:
        return ()
    return (cell.UnitWeights(*tensors["unit_weights"]),)


def _summed_as(d: Any, weight: Any) -> Any:
    """(batch, time, units) summed to the shape of a unit weight, (units,) or (1,)."""
    if weight.shape[0] == 1:
        return tf.reduce_sum(d)[None]
    rows = tf.reshape(d, [-1, weight.shape[0]])
    # A matrix product, because XLA is slower at summing over rows.
    return tf.matmul(tf.ones([1, tf.shape(rows)[0]], d.dtype), rows)[0]

"""Gradient checkpointing: time loops in segments, which store only the states before each segment.

The backward pass runs the segments from last to first: each one forward again from its initial
states, this time storing the values that the gradient needs, and then backward. Memory thus holds
the values of one segment instead of those of all steps, at the cost of one more forward pass.
Inputs are projected within the segments, too.

Reference: Chen, Xu, Zhang and Guestrin, "Training Deep Nets with Sublinear Memory Cost", arXiv
1604.06174, 2016, section 4; for recurrent networks: Gruslys, Munos, Danihelka, Lanctot and Graves,
"Memory-Efficient Backpropagation Through Time", NIPS 2016.
"""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import keras
import tensorflow as tf

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.engine import general_loops, product_loops
from seqzoo.cells.engine.private_tensorflow import dynamic_update_slice
from seqzoo.cells.engine.xla_slices import while_steps, write_step
from seqzoo.cells.private_keras import backend

SUMMED = ("kernel", "bias", "recurrent_kernel", "recurrent_bias", "unit_weights", "weights")
"""The arguments of the loops whose gradients are sums over the segments."""


class Recomputing:
    """Loops over segments, with the same functions as the module whose loops run each segment.

    The length of the tensors' time axis must be a multiple of `every`.

    Args:
        loops: `product_loops` or `general_loops`.
        every: number of steps per segment, at least 1.
    """

    def __init__(self, loops: ModuleType, every: int):
        self.loops = loops
        self.every = every

    def tensors_of(self, cell: RecurrentCell, x: Any) -> dict:
        """The inputs of the loops: unprojected, (time, batch, features), and the weights."""
        if self._loops_project(cell):
            return self.loops.tensors_of(cell, x)
        # Projecting all steps would take as much memory as recomputation saves, so `tensors_of`
        # gets only the first step, and its result for x is replaced.
        tensors = self.loops.tensors_of(cell, x[:1])
        weights = general_loops.weights_of(cell)
        return tensors | {"x": tf.cast(x, cell.compute_dtype), "weights": weights}

    def forward(self, cell: RecurrentCell, tensors: dict, sequences: bool, keep: bool) -> dict:
        """Runs a cell forward through time; see `product_loops.forward`.

        Returns:
            "states": list of the last states; "trajectory": the first state after each step,
            (batch, time, ...); "values": list of the states before each segment, (segments,
            batch, ...); "values_last": what the loops return for the last segment, with which the
            backward pass begins, so that it is not recomputed.
        """
        length, used = tf.shape(tensors["x"])[0], self._used(tensors)

        def run(k, states, written, keep=False):
            segment = self._segment(cell, tensors, k) | {"states": states}
            # `product_loops` stores the state of each step with the values.
            with_steps = sequences or (keep and self.loops is product_loops)
            result = self.loops.forward(cell, segment, with_steps, keep)
            if "values" in written:
                pairs = zip(written["values"], states, strict=True)
                written["values"] = [write_step(w, state, k) for w, state in pairs]
            if "trajectory" in written:
                rows = self.loops.sequence(result)
                written["trajectory"] = _write_steps(
                    written["trajectory"], rows, k, self.every, axis=1
                )
            return result, written

        def body(k, states, written):
            result, written = run(k, states, written)
            return k + 1, result["states"], written

        states = tensors["states"]
        written: dict = {}
        if sequences:
            batch, *rest = tf.unstack(tf.shape(states[0]))
            shape = [batch, length, *rest]
            written["trajectory"] = tf.zeros(shape, states[0].dtype)
        if not keep:
            states, written = while_steps(used, body, states, written)
            return {"states": states, **written}
        written["values"] = [
            tf.zeros(tf.concat([[length // self.every], tf.shape(state)], 0), state.dtype)
            for state in states
        ]
        states, written = while_steps(used - 1, body, states, written)
        last, written = run(used - 1, states, written, keep=True)
        return {"states": last["states"], "values_last": last, **written}

    def gradients(
        self, cell: RecurrentCell, gradients_of_segment: Callable[..., dict], tensors: dict
    ) -> dict:
        """Gradients of the arguments of `forward`: states, x and weights.

        Only the loops within a segment are compiled. The products for the weights' gradients are
        faster outside compiled loops.

        Args:
            cell: the cell.
            gradients_of_segment: function from the tensors of a segment, with the gradients
                "d_states" and, if `tensors` has it, "d_sequence", and optionally the segment's
                values, to the gradients of the segment's arguments.
            tensors: the tensors of `forward`, what it returned for training, the gradients of the
                last states, "d_states", and, if the trajectory has a gradient, "d_sequence",
                (batch, time, ...).
        """
        used = self._used(tensors)
        weights = {name: tensors[name] for name in SUMMED if name in tensors}
        # In half precision, each segment would round the sums again.
        zeros = tf.nest.map_structure(
            lambda w: tf.zeros(w.shape, tf.float32 if w.dtype.size == 2 else w.dtype), weights
        )

        def backward(k, d_states, d_x, sums, values=None):
            segment = self._segment(cell, tensors, k)
            segment["states"] = [value[k] for value in tensors["values"]]
            segment["d_states"] = d_states
            if "d_sequence" in tensors:
                segment["d_sequence"] = _read_steps(tensors["d_sequence"], k, self.every, axis=1)
            d = gradients_of_segment(segment, values)
            if not self._loops_project(cell):
                d |= self._gradients_of_projection(cell, tensors, k, d)
            sums = tf.nest.map_structure(
                lambda total, part: (
                    total + tf.ensure_shape(tf.cast(part, total.dtype), total.shape)
                ),
                sums,
                {name: d[name] for name in weights},
            )
            pairs = zip(d["states"], d_states, strict=True)
            d_states = [tf.ensure_shape(new, old.shape) for new, old in pairs]
            return k - 1, d_states, d_x.write(k, d["x"]), sums

        x = tensors["x"]
        segments = tf.shape(x)[0] // self.every
        # Segments of padding are never written, and are read as zeros.
        d_x = tf.TensorArray(x.dtype, segments, element_shape=[self.every, *x.shape[1:]])
        first = (used - 1, tensors["d_states"], d_x, zeros)
        _, d_states, d_x, sums = tf.while_loop(
            lambda k, *_: k >= 0,
            backward,
            backward(*first, tensors["values_last"]),
            parallel_iterations=1,
        )
        sums = tf.nest.map_structure(lambda total, w: tf.cast(total, w.dtype), sums, weights)
        return {"states": d_states, "x": tf.reshape(d_x.stack(), tf.shape(x)), **sums}

    def output_shape(self, cell: RecurrentCell) -> tuple:
        """Shape of the state whose trajectory is returned, without the batch axis."""
        return self.loops.output_shape(cell)

    def sequence(self, result: dict, steps: Any = None) -> Any:
        """The first state after each step, (batch, time, ...), from the results of `forward`."""
        return result["trajectory"][:, :steps]

    def _loops_project(self, cell: RecurrentCell) -> bool:
        """Whether the loops project the inputs themselves."""
        return self.loops is product_loops and product_loops.projects(cell)

    def _used(self, tensors: dict) -> Any:
        """Number of segments that contain a step to run; the others are padding."""
        return -(-tensors["steps"] // self.every)

    def _segment(self, cell: RecurrentCell, tensors: dict, k: Any) -> dict:
        """The tensors of segment k, without states."""
        segment = {
            name: tensor
            for name, tensor in tensors.items()
            if name not in ("values", "values_last", "trajectory", "d_sequence", "d_states")
        }
        for name in ("x", "mask"):
            if name in tensors:
                segment[name] = _read_steps(tensors[name], k, self.every)
        segment["steps"] = tf.minimum(self.every, tensors["steps"] - k * self.every)
        if not self._loops_project(cell):
            segment["x"] = _projected(cell, segment["x"], tensors["weights"])
        return segment

    def _gradients_of_projection(self, cell: RecurrentCell, tensors: dict, k: Any, d: dict) -> dict:
        """Gradients of the inputs and weights, from those of a segment with projected inputs."""
        sources = [_read_steps(tensors["x"], k, self.every), tensors["weights"]]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            projected = _projected(cell, *sources)
        d_x, d_weights = tape.gradient(projected, sources, d["x"], tf.UnconnectedGradients.ZERO)
        if "weights" in d:
            d_weights = [a + b for a, b in zip(d_weights, d["weights"], strict=True)]
        return {"x": d_x, "weights": d_weights}


@functools.cache
def recomputing(loops: ModuleType, every: int) -> Recomputing:
    """A `Recomputing`; the same object for equal arguments, since its methods are part of the keys
    of compiled programs."""
    return Recomputing(loops, every)


def _projected(cell: RecurrentCell, x: Any, weights: list) -> Any:
    """`cell.project` with the cell's weights replaced by tensors."""
    mapping = zip(general_loops.float_weights(cell), weights, strict=True)
    scope = backend.AutocastScope(cell.compute_dtype)
    with keras.StatelessScope(state_mapping=list(mapping)), scope:
        return tf.cast(cell.project(x), cell.compute_dtype)


def _read_steps(array: Any, k: Any, every: int, axis: int = 0) -> Any:
    """The steps of segment k of `array`; `k` may depend on an argument of a compiled program, as in
    `read_step`."""
    sizes = tf.shape(array)
    segments = tf.concat([sizes[:axis], [-1, every], sizes[axis + 1 :]], 0)
    part = tf.gather(tf.reshape(array, segments), k, axis=axis)
    shape = array.shape.as_list()
    shape[axis] = every
    return tf.ensure_shape(part, shape)


def _write_steps(array: Any, part: Any, k: Any, every: int, axis: int = 0) -> Any:
    """`array` with the steps of segment k replaced by `part`."""
    start = [k * every if a == axis else 0 for a in range(array.shape.rank)]
    return dynamic_update_slice(array, part, tf.stack(start))

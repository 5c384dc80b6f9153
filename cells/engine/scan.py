"""The fast scan: compiled loops run a cell through time on all cores, with a custom gradient.

The batch is split into one piece per core. Each piece runs through all time steps independently, so
that the cores never wait for each other. The gradient of each weight matrix is a single product
after the backward loop.
"""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

import tensorflow as tf

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.engine import diagonal_loops, elementwise_loops, general_loops
from seqzoo.cells.engine import product_loops as loops
from seqzoo.cells.engine.dispatch import cores, has_gpu
from seqzoo.cells.engine.lengths import program_length, round_length
from seqzoo.cells.engine.portability import within_portable
from seqzoo.cells.engine.private_tensorflow import (
    extend_call,
    keep_gradient_in_graph,
    recording,
)
from seqzoo.cells.engine.programs import CellPrograms
from seqzoo.cells.engine.recomputing import Recomputing, recomputing
from seqzoo.cells.engine.step_gradients import is_elementwise, reads_weights
from seqzoo.cells.engine.xla_slices import pad_time, size_of, time_major

# The graph has one call per piece: many calls take a long time to trace, and small pieces waste
# a core.
ROWS_PER_PIECE = 8
# XLA splits larger kernels among threads, and starting these takes longer than a step.
NUMBERS_PER_STEP = 1024
FEW_PIECES = 4
MAX_PIECES = 16
BATCH_AXIS = {"x": 1, "rows": 0, "states": 0, "mask": 1, "recurrent_mask": 0}
# Axes of unknown size in the signatures of programs, by tensor.
FREE_AXES = {
    "x": (0, 1),
    "rows": (0, 1),
    "states": (0,),
    "mask": (0, 1),
    "recurrent_mask": (0,),
    "d_sequence": (0, -1),
    "trajectory": (0, 1),
    "d_states": (0,),
}

_training_programs = contextvars.ContextVar("training programs", default=False)


@contextlib.contextmanager
def use_training_programs() -> Iterator[None]:
    """A context in which graphs run the training programs although no gradient is computed.

    Meant for validation during training, which then needs no compilation. Storing the values for
    the gradient takes as much time and memory as in training.
    """
    token = _training_programs.set(True)
    try:
        yield
    finally:
        _training_programs.reset(token)


class ScanOptions(NamedTuple):
    """Options of a scan.

    Attributes:
        sequences: whether the first state of each step is returned.
        keep: whether the values that the gradient needs are stored.
        fixed: the number of steps, if it is fixed in a graph; otherwise None.
    """

    sequences: bool
    keep: bool
    fixed: int | None


class Scan:
    """Runs one cell through time, with the module of loops that `loops_of` chooses.

    Args:
        cell: the cell.
        recompute: number of steps per segment: only the states before each segment are stored for
            the gradient, and the steps within it are recomputed; None to store all steps.
        pieces: number of pieces into which a batch is split; None for the result of `pieces_of`.
    """

    def __init__(
        self, cell: RecurrentCell, recompute: int | None = None, pieces: int | None = None
    ):
        self.cell = cell
        self.pieces = pieces
        self.every = recompute or 1
        self.chosen = loops_of(cell)
        self.loops: Any = self.chosen
        if recompute is not None:
            loops_of_segments: Any = loops if self.loops is elementwise_loops else self.loops
            self.loops = recomputing(loops_of_segments, recompute)
        self.programs = CellPrograms(cell)

    def fits(self, cell: RecurrentCell) -> bool:
        """Whether this scan runs `cell`, as its attributes are now."""
        return cell is self.cell and loops_of(cell) is self.chosen

    def __call__(
        self,
        x: Any,
        states: list,
        mask: Any = None,
        recurrent_mask: Any = None,
        sequences: bool = True,
        training: bool = False,
    ) -> tuple[Any, list]:
        """Runs the cell.

        Args:
            x: (batch, time, features).
            states: list of (batch, units), the states before the first step.
            mask: boolean, (batch, time), false for steps that leave the states unchanged, or None.
            recurrent_mask: (batch, units), which multiplies the recurrent input, or None.
            sequences: whether to return the first state of each step.
            training: whether a gradient is likely to be requested later, for a graph that is being
                built without a tape; a recording tape is detected automatically.

        Returns:
            The first state after each step, (batch, time, units), or None without `sequences`;
            and the list of the last states.
        """
        dtype = self.cell.compute_dtype
        steps = tf.unstack(tf.shape(x))[1]
        eager = tf.executing_eagerly()
        # A fixed length in a graph is compiled once; other lengths are rounded up to a few values.
        fixed = None if eager else x.shape[1]
        length = fixed or (round_length if elementwise(self.loops) else program_length)(steps)
        # Pad to a multiple of the segment length here, not in the compiled loops: XLA in TensorFlow
        # 2.21 writes out of bounds when it pads rows of four float64 values by one row.
        length = -(-length // self.every) * self.every
        constants = {"steps": steps}
        if mask is not None:
            constants["mask"] = time_major(tf.cast(mask, "bool"), length)
        if recurrent_mask is not None:
            # Keras makes the mask from a state; a tape that watches the states would watch it too.
            constants["recurrent_mask"] = tf.stop_gradient(tf.cast(recurrent_mask, dtype))
        x = tf.cast(x, dtype)
        projects = self.loops is loops and loops.projects(self.cell)
        may_read_rows = projects and not within_portable()
        if not may_read_rows:
            x = time_major(x, length)
        tensors = self.loops.tensors_of(self.cell, x)
        tensors["states"] = [tf.cast(state, dtype) for state in states]
        keep = recording(tf.nest.flatten(tensors))
        keep = keep or ((training or _training_programs.get()) and not eager)
        if may_read_rows and keep:
            tensors["x"] = time_major(x, length)
        elif may_read_rows:
            del tensors["x"]
            tensors["rows"] = pad_time(x, length, axis=1)
        return self._scan(tensors, constants, ScanOptions(sequences, keep, fixed))

    def _scan(self, tensors: dict, constants: dict, options: ScanOptions) -> tuple:
        if within_portable():  # an exported graph has no gradient
            pieces, results = self._run(tensors | constants, options)
            outputs = self._outputs(tensors, constants, results, options)
            return (outputs[0], outputs[1:]) if options.sequences else (None, outputs)
        flat = tf.nest.flatten(tensors)

        @tf.custom_gradient
        def scan(*flat):
            arguments = tf.nest.pack_sequence_as(tensors, hide_from_tapes(flat)) | constants
            pieces, results = self._run(arguments, options)

            def gradient(*upstream):
                @tf.custom_gradient
                def once(*_):
                    d = self._gradient(pieces, results, hide_from_tapes(upstream), options)
                    gradients = tf.nest.flatten({name: d[name] for name in tensors})
                    for gradient, tensor in zip(gradients, flat, strict=True):
                        gradient.set_shape(tensor.shape)
                    return gradients, refuse_second_order

                gradients = list(once(*upstream, *flat))
                keep_gradient_in_graph(gradients)
                return gradients

            return self._outputs(tensors, constants, results, options), gradient

        outputs = list(scan(*flat))
        keep_gradient_in_graph(outputs)
        return (outputs[0], outputs[1:]) if options.sequences else (None, outputs)

    def _run(self, tensors: dict, options: ScanOptions) -> tuple[list[dict], list]:
        """The pieces of a batch, and the results of each."""
        pieces = split_batch(
            tensors, self.pieces, self.cell.units if elementwise(self.loops) else None
        )
        program = self._forward_program(pieces[0], options)
        return pieces, [program(piece) for piece in pieces]

    def _outputs(self, tensors: dict, constants: dict, results: list, options: ScanOptions) -> list:
        """The last states, preceded by the outputs of all steps if these are requested."""
        outputs = [tf.concat(s, 0) for s in zip(*(r["states"] for r in results), strict=True)]
        if options.sequences:
            whole = options.fixed and options.fixed % self.every == 0
            steps = None if whole else constants["steps"]
            if "rows" in tensors:
                parts = [result["trajectory"][:, :steps] for result in results]
            else:
                parts = [self.loops.sequence(result, steps) for result in results]
            rows = tf.concat(parts, 0)
            size = self.loops.output_shape(self.cell)
            batch = tensors["states"][0].shape[0]
            rows.set_shape([batch, options.fixed, *size])
            outputs = [rows, *outputs]
        return outputs

    def _gradient(self, pieces: list, results: list, upstream: list, options: ScanOptions) -> dict:
        if not options.keep:
            options = options._replace(keep=True)
            results = self._with_values(pieces, results, options)
        results = [hide_in_graph(result) for result in results]
        return self._gradient_from(pieces, results, upstream, options)

    def _gradient_from(
        self, pieces: list, results: list, upstream: list, options: ScanOptions
    ) -> dict:
        if "rows" in pieces[0]:
            pairs = [loops.with_steps(*pair) for pair in zip(pieces, results, strict=True)]
            pieces, results = [piece for piece, _ in pairs], [result for _, result in pairs]
            d = self._gradient_from(pieces, results, upstream, options)
            d["rows"] = time_major(d.pop("x"))
            return d
        rows = [size_of(piece["x"], 1) for piece in pieces]
        d_sequences = tf.split(upstream.pop(0), rows, 0) if options.sequences else None
        d_states = [tf.split(d, rows, 0) for d in upstream]
        parts = []
        for k, (piece, result) in enumerate(zip(pieces, results, strict=True)):
            part = result | piece  # "states" are those before the first step
            part["d_states"] = [d[k] for d in d_states]
            if d_sequences is not None:
                part["d_sequence"] = d_sequences[k]
                if isinstance(self.loops, Recomputing):
                    part["d_sequence"] = pad_time(d_sequences[k], _length(piece), axis=1)
            parts.append(part)
        if isinstance(self.loops, Recomputing):
            run = functools.partial(self.loops.gradients, self.cell, self._gradients_of_segment)
        else:
            run = self._gradients_of(self.loops, parts[0])
        return join_gradients([run(part) for part in parts])

    def _gradients_of(
        self, time_loops: Any, part: dict, replaced: Mapping[str, Any] = {}
    ) -> Callable[[dict], dict]:
        """A function from tensors like those of `part` to the gradients of the arguments.

        Args:
            time_loops: the module of the loops.
            part: the arguments and results of `forward`, and the gradients of the latter.
            replaced: what the products outside of the loops use instead of tensors of `part`.
        """

        def needed(part):
            names = (*time_loops.BACKWARD_NEEDS, "d_states")
            tensors = {name: part[name] for name in names if name in part}
            if "d_sequence" in part:
                tensors["d_sequence"] = time_loops.upstream(part["d_sequence"], _length(part))
            return tensors

        backward = self._program(time_loops, "backward", needed(part), "d_sequence" in part)
        return lambda part: time_loops.gradients({**part, **replaced}, backward(needed(part)))

    def _gradients_of_segment(self, segment: dict, values: dict | None = None) -> dict:
        """The gradients of a segment's arguments; it is run forward unless `values` are given."""
        time_loops = self.loops.loops
        if values is None:
            arguments = {k: v for k, v in segment.items() if k not in ("d_states", "d_sequence")}
            forward = self._program(time_loops, "forward", arguments, time_loops is loops, True)
            values = forward(arguments)
        part = values | segment
        # The products of all steps of a segment, run or not: an outer graph that XLA compiles
        # cannot cut it to a number of steps that depends on the segment.
        return self._gradients_of(time_loops, part, {"steps": self.every})(part)

    def _with_values(self, pieces: list, results: list, options: ScanOptions) -> list:
        """The results of `forward`, completed with the values that `backward` needs.

        In a graph, the existing calls are changed to return more. If that is not possible, the
        loops are run again.
        """
        program = self._forward_program(pieces[0], options)
        complete = []
        for piece, result in zip(pieces, results, strict=True):
            outputs = extend_call(tf.nest.flatten(result), program)
            if outputs is None:
                complete.append(program(piece))
            else:
                complete.append(tf.nest.pack_sequence_as(program.structured_outputs, outputs))
        return complete

    def _forward_program(self, piece: dict, options: ScanOptions) -> Any:
        # The values that these loops store for the gradient include the state of each step.
        keeps = self.loops is loops or self.loops is elementwise_loops
        keeps = keeps and "rows" not in piece
        sequences = options.sequences or (options.keep and keeps)
        return self._program(self.loops, "forward", piece, sequences, options.keep)

    def _program(
        self, time_loops: Any, name: str, tensors: dict, *options: bool
    ) -> Callable[[dict], dict]:
        """The compiled loop `name`, "forward" or "backward", for tensors like these."""
        signature = {name: specs_of(time_loops, name, value) for name, value in tensors.items()}
        return self.programs.get(getattr(time_loops, name), options, signature)


class DiagonalScan(Scan):
    """Runs a `DiagonalCell`, whose output is read from its complex state after the loop."""

    def __call__(
        self,
        x: Any,
        states: list,
        mask: Any = None,
        recurrent_mask: Any = None,
        sequences: bool = True,
        training: bool = False,
    ) -> tuple[Any, list]:
        """Runs the cell; see `Scan`."""
        before, *parts = states
        state = tf.concat(parts, 1)
        trajectory, (state,) = super().__call__(x, [state], mask, None, sequences, training)
        mask = None if mask is None else tf.cast(mask, "bool")
        outputs = None
        if sequences:
            outputs = self.cell.read(trajectory, self.cell.skip(x))
            if mask is not None:
                outputs = hold_outputs(outputs, mask, before)
            last = outputs[:, -1]
        elif mask is None:
            last = self.cell.read(state, self.cell.skip(x[:, -1]))
        else:
            live = tf.reduce_any(mask, 1)[:, None]
            skip = self.cell.skip(tf.gather(x, last_true(mask)[:, -1], batch_dims=1))
            last = tf.where(live, self.cell.read(state, skip), before)
        return outputs, [last, *tf.split(state, 2, axis=1)]


class OutputScan:
    """Runs a cell whose output is computed from an inner cell's output, after the inner loop."""

    def __init__(
        self, cell: RecurrentCell, recompute: int | None = None, pieces: int | None = None
    ):
        self.cell = cell
        self.scan = scan_of(cell.cell, recompute, pieces)

    def fits(self, cell: RecurrentCell) -> bool:
        """Whether this scan runs `cell`, as its attributes are now."""
        return cell is self.cell and self.scan.fits(cell.cell)

    def __call__(
        self,
        x: Any,
        states: list,
        mask: Any = None,
        recurrent_mask: Any = None,
        sequences: bool = True,
        training: bool = False,
    ) -> tuple[Any, list]:
        """Runs the cell; see `Scan`."""
        before, *inner = states
        rows, inner = self.scan(x, inner, mask, recurrent_mask, sequences, training)
        mask = None if mask is None else tf.cast(mask, "bool")
        if sequences:
            outputs = self.cell.combine(rows, x)
            if mask is not None:
                outputs = hold_outputs(outputs, mask, before)
            return outputs, [outputs[:, -1], *inner]
        if mask is None:
            return None, [self.cell.combine(inner[0], x[:, -1]), *inner]
        last = self.cell.combine(inner[0], tf.gather(x, last_true(mask)[:, -1], batch_dims=1))
        return None, [tf.where(tf.reduce_any(mask, 1)[:, None], last, before), *inner]


def scan_of(cell: RecurrentCell, recompute: int | None = None, pieces: int | None = None) -> Any:
    """A `Scan` for a cell, or another object with the same `__call__`."""
    if cell.combines_output:
        return OutputScan(cell, recompute, pieces)
    if cell.recurs_diagonally:
        return DiagonalScan(cell, pieces=pieces)
    return Scan(cell, recompute, pieces)


def loops_of(cell: RecurrentCell) -> ModuleType:
    """The module with the loops that run a cell."""
    if cell.recurs_diagonally:
        return diagonal_loops
    if not cell.recurs_by_product or reads_weights(cell) or not is_elementwise(cell):
        return general_loops
    return loops if cell.recurrent_gates else elementwise_loops


def elementwise(loop_module: Any) -> bool:
    """Whether a module's loops compute only elementwise functions."""
    return loop_module is elementwise_loops or loop_module is diagonal_loops


def last_true(mask: Any) -> Any:
    """Boolean (batch, time) -> at each step, the index of the last true step so far.

    Before the first true step, this is the index of that step; in rows without one, it is 0.
    """
    steps = tf.range(tf.shape(mask)[1])[None]
    true_first = tf.argsort(tf.where(mask, steps, steps + tf.shape(mask)[1]), axis=1)
    rank = tf.maximum(tf.cumsum(tf.cast(mask, "int32"), axis=1) - 1, 0)
    return tf.gather(true_first, rank, batch_dims=1)


def hold_outputs(outputs: Any, mask: Any, before: Any) -> Any:
    """Outputs in which masked steps repeat the last unmasked output, or `before` if there is none
    yet."""
    started = tf.cumsum(tf.cast(mask, "int32"), axis=1)[..., None] > 0
    return tf.where(started, tf.gather(outputs, last_true(mask), batch_dims=1), before[:, None])


def hide_from_tapes(tensors: Any) -> list:
    """Hides tensors from tapes, which would otherwise differentiate the operations of the loops."""
    return [tf.stop_gradient(tensor) for tensor in tensors]


def hide_in_graph(result: dict) -> dict:
    """Hides what a call in a graph returned from tapes, by operations in the same graph.

    The gradient of a `tf.function` reads these tensors from another graph. Under a persistent tape,
    or several tapes, TensorFlow also differentiates the tensors that a gradient reads, until a
    gradient reads no further ones; so each tensor is hidden only once.
    """

    def hide(tensor):
        if not tf.is_symbolic_tensor(tensor):
            return tensor
        graph = tensor.graph
        if not hasattr(graph, "_hidden_from_tapes"):
            graph._hidden_from_tapes = {}
        if tensor.name not in graph._hidden_from_tapes:
            with graph.as_default():
                graph._hidden_from_tapes[tensor.name] = tf.stop_gradient(tensor)
        return graph._hidden_from_tapes[tensor.name]

    return tf.nest.map_structure(hide, result)


def refuse_second_order(*_: Any) -> Any:
    """Raises an error for the gradient of the gradient, which forward mode also requests."""
    raise tf.errors.UnimplementedError(
        None,
        None,
        "The fast scan supports neither second-order gradients nor forward-mode derivatives "
        "(`tf.autodiff.ForwardAccumulator`); create the layer with `Recurrent(cell, fast=False)`, "
        "and also pass `unroll=True` for forward mode inside a `tf.function`.",
    )


def split_batch(tensors: dict, count: int | None = None, units: int | None = None) -> list[dict]:
    """Splits tensors with a batch axis into pieces; each piece gets all weights.

    Args:
        tensors: the tensors of a scan.
        count: number of pieces; None for the result of `pieces_of`.
        units: number of units, for `pieces_of`.
    """
    x, axis = (tensors["rows"], 0) if "rows" in tensors else (tensors["x"], 1)
    count = count or pieces_of(x.shape[axis], units)
    if count == 1:
        return [tensors]
    batch = size_of(x, axis)
    ends = [batch * k // count for k in range(count + 1)]
    sizes = [end - start for start, end in zip(ends, ends[1:], strict=False)]
    pieces = [dict(tensors) for _ in range(count)]
    for name in BATCH_AXIS.keys() & tensors.keys():
        flat = [tf.split(t, sizes, BATCH_AXIS[name]) for t in tf.nest.flatten(tensors[name])]
        for k, piece in enumerate(pieces):
            piece[name] = tf.nest.pack_sequence_as(tensors[name], [parts[k] for parts in flat])
    return pieces


def pieces_of(batch: int | None, units: int | None = None) -> int:
    """The number of pieces into which a batch is split: one per core, or more in elementwise loops.

    Args:
        batch: number of rows; None if it is not fixed.
        units: number of units of a cell in elementwise loops; None for other loops.
    """
    if has_gpu():
        return 1
    if batch is None:
        return min(cores(), FEW_PIECES)
    count = min(cores(), batch // ROWS_PER_PIECE)
    if units is not None and count > 1:
        count = max(count, min(batch * units // NUMBERS_PER_STEP, batch // 2))
    return max(1, min(count, MAX_PIECES))


def join_gradients(gradients: list[dict]) -> dict:
    """Joins the gradients of the pieces: concatenates those with a batch axis, sums the others."""

    def join(name, *parts):
        return tf.concat(parts, BATCH_AXIS[name]) if name in BATCH_AXIS else tf.add_n(parts)

    return {
        name: tf.nest.map_structure(
            lambda *parts, name=name: join(name, *parts), *(g[name] for g in gradients)
        )
        for name in gradients[0]
    }


def _length(piece: dict) -> Any:
    """Number of steps that the tensors of a piece have, padding included."""
    return size_of(piece["x"], 0)


def specs_of(loop_module: Any, name: str, tensors: Any) -> Any:
    """Specs with unknown batch and time sizes, so that other sizes need no new trace."""
    free = FREE_AXES.get(name, ())
    if name == "values":
        free = (0, 2) if loop_module is loops else (0, 1)
    if name == "d_sequence" and elementwise(loop_module):
        free = (0, 1)

    def spec(tensor):
        rank = tensor.shape.rank
        axes = [axis % rank for axis in free]
        shape = [None if axis in axes else size for axis, size in enumerate(tensor.shape)]
        return tf.TensorSpec(shape, tensor.dtype)

    return tf.nest.map_structure(spec, tensors)

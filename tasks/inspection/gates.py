"""Gates by name: their values over an input, and the memory length of units."""

import contextlib
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from keras import tree

from seqzoo.cells import RecurrentCell
from seqzoo.cells.private_keras import backend
from seqzoo.cells.wrappers.wrapper import WrapperCell
from seqzoo.tasks.inspection.jacobians import step_jacobians
from seqzoo.tasks.inspection.trace import LayerTrace, cell_step, projected

CLOSED, OPEN = 0.1, 0.9
"""Values below and above which a gate counts as saturated."""

NONLINEAR = frozenset(
    "Sigmoid Tanh Relu Relu6 LeakyRelu Elu Selu Softplus Softsign Softmax Exp Sin Cos".split()
)
"""TensorFlow operations that compute a gate from a sum."""


@dataclass(frozen=True)
class GateTrace:
    """One gate, or one candidate, over an input.

    Attributes:
        name: the name of the gate, as the cell names it; after the name of the inner cell for a
            wrapper with several, as in "cell 2 forget".
        values: its values in the order of the input, (time, units).
        bounded: whether it is a gate in the strict sense, with values between 0 and 1.
    """

    name: str
    values: np.ndarray
    bounded: bool

    @property
    def mean(self) -> float:
        """The mean over steps and units."""
        return float(self.values.mean())

    @property
    def closed(self) -> float:
        """Fraction of values below `CLOSED`."""
        return float((self.values < CLOSED).mean())

    @property
    def open(self) -> float:
        """Fraction of values above `OPEN`."""
        return float((self.values > OPEN).mean())


def gate_values(layer_trace: LayerTrace, row: int = 0) -> list[GateTrace]:
    """The values of a layer's gates over an input, by the names that the cell gives them.

    A gate is found in the graph of a step: it is the result of the first nonlinear operation that
    depends on the gate's columns of the projected input. This needs no support from the cell, but
    cannot find gates without a nonlinearity.

    Args:
        layer_trace: the trace of the layer.
        row: row of the batch.

    Returns:
        One trace per gate, in the order of `cell.gates`; for a wrapper, those of its inner cells in
        the order in which they run, without gates of the wrapper itself. None for cells that are
        not from `seqzoo.cells`.
    """
    cell = layer_trace.cell
    if not isinstance(cell, RecurrentCell):
        return []
    order = np.argsort(layer_trace.positions)
    with backend.AutocastScope(cell.compute_dtype):
        x = projected(cell, tf.cast(layer_trace.inputs[row], cell.compute_dtype))
    states = [state[row, :-1] for state in layer_trace.states]
    results = []
    for step in _steps("", cell, np.asarray(x), states):
        gates = _Gates(step.cell, step.x.shape[-1])
        for name, values in gates.values(step.x, step.states).items():
            results.append(
                GateTrace(f"{step.name} {name}".strip(), values[order], gates.bounded[name])
            )
    return results


@dataclass(frozen=True)
class _Steps:
    """What a cell with gates receives at each step: x, (time, width), and states, (time, size)."""

    name: str
    cell: RecurrentCell
    x: np.ndarray
    states: list[np.ndarray]


def _steps(
    name: str, cell: RecurrentCell, x: np.ndarray, states: list[np.ndarray]
) -> Iterator[_Steps]:
    """The steps of a cell, or of the cells within it whose own steps it runs."""
    calls: list[_Steps] = []
    inner_cells = cell.inner_cells() if isinstance(cell, WrapperCell) else {}

    def recorded(key: str, inner: RecurrentCell) -> Any:
        advance = inner.advance

        def call(x: Any, states: Any, *mask: Any) -> Any:
            arrays = [np.asarray(state) for state in states]
            calls.append(_Steps(f"{name} {key}".strip(), inner, np.asarray(x), arrays))
            return advance(x, states, *mask)

        return call

    for key, inner in inner_cells.items():
        inner.advance = recorded(key, inner)
    try:
        if inner_cells:
            dtype = tf.as_dtype(cell.compute_dtype)
            with backend.AutocastScope(cell.compute_dtype):
                cell_step(cell)(tf.cast(x, dtype), [tf.cast(state, dtype) for state in states])
    finally:
        for inner in inner_cells.values():
            del inner.advance
    for call in calls:
        yield from _steps(call.name, call.cell, call.x, call.states)
    if not calls and cell.gates:  # otherwise, the cell's gates are those of the cells within it
        yield _Steps(name, cell, x, states)


class _Gates:
    """The graph of one step of a cell, with the tensor of each gate."""

    def __init__(self, cell: RecurrentCell, width: int):
        self.cell = cell
        self.sizes = tree.flatten(cell.state_size)
        dtype = tf.as_dtype(cell.compute_dtype)
        activations: list[Any] = []

        def step(x: Any, *states: Any) -> Any:
            with backend.AutocastScope(cell.compute_dtype), _recorded(cell, activations):
                return cell_step(cell)(x, list(states))[0]

        shapes = [(None, size) for size in (width, *self.sizes)]
        specs = [tf.TensorSpec(shape, dtype) for shape in shapes]
        graph = tf.compat.v1.wrap_function(step, specs)
        inside = {op for activation in activations for op in activation.inside}
        with graph.graph.as_default():
            candidates = [
                tensor
                for op in list(graph.graph.get_operations())
                for tensor in self._results(op, activations, inside)
                if tensor.shape.rank == 2
            ]
        # Only the placeholders of the arguments are fed, not captured values.
        self._run = graph.prune(graph.inputs[: len(specs)], candidates)
        self.columns = _columns(cell, width)
        self._find(width)

    def _results(
        self, op: Any, activations: list["_Activation"], inside: set[Any]
    ) -> Iterator[Any]:
        for activation in activations:
            if activation.output.op is op:
                yield activation.output
                return
        if op.type in NONLINEAR and op not in inside:
            (result,) = op.outputs
            users = {user.type for user in result.consumers()}
            # -softplus(-x) is the logarithm of the gate sigmoid(x).
            yield tf.exp(-result) if op.type == "Softplus" and users == {"Neg"} else result

    def _find(self, width: int) -> None:
        random = np.random.default_rng(0)
        rows = 4
        x = random.normal(0, 0.5, (rows, width))
        states = [random.normal(0, 0.5, (rows, size)) for size in self.sizes]
        base = self._candidates(x, states)

        def after(columns: np.ndarray, shift: float) -> list[np.ndarray]:
            shifted = x.copy()
            shifted[:, columns] += shift
            return self._candidates(shifted, states)

        changed: dict[str, list[int]] = {}
        direct: dict[str, list[int]] = {}
        for name, columns in self.columns.items():
            pairs = list(zip(base, after(columns, 0.37), strict=True))
            changed[name] = [
                k for k, (a, b) in enumerate(pairs) if a.shape[1] == len(columns) and (a != b).any()
            ]
            # Columns that only reach a result through a matrix product change all of its units.
            one = after(columns[:1], 0.37)
            units = {k: np.flatnonzero((base[k] != one[k]).any(0)) for k in changed[name]}
            direct[name] = [k for k in changed[name] if units[k].tolist() == [0]]
        # If no gate has columns of its own, as after a normalisation, any change counts.
        found = direct if any(direct.values()) else changed
        self.indices = {name: results[0] for name, results in found.items() if results}
        self.bounded: dict[str, bool] = {}
        for name, index in self.indices.items():
            saturated = [after(self.columns[name], sign)[index] for sign in (-30, 30)]
            low, high = np.min(saturated), np.max(saturated)
            self.bounded[name] = bool(low >= 0 and high <= 1 and high - low > 0.5)

    def _candidates(self, x: np.ndarray, states: Sequence[np.ndarray]) -> list[np.ndarray]:
        dtype = tf.as_dtype(self.cell.compute_dtype)
        tensors = [tf.cast(item, dtype) for item in (x, *states)]
        return [np.asarray(result) for result in self._run(*tensors)]

    def values(self, x: np.ndarray, states: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        result = self._candidates(x, states)
        return {name: result[index] for name, index in self.indices.items()}


@dataclass(frozen=True)
class _Activation:
    """The result of one of the cell's activation functions, and the operations that compute it."""

    output: Any
    inside: frozenset[Any]


@contextlib.contextmanager
def _recorded(cell: Any, activations: list[_Activation]) -> Iterator[None]:
    """A context in which the results of a cell's activation functions are recorded."""
    functions = {name: value for name, value in vars(cell).items() if inspect.isfunction(value)}

    def recorded(function: Any) -> Any:
        def call(value: Any) -> Any:
            graph = tf.compat.v1.get_default_graph()
            before = set(graph.get_operations())
            result = function(value)
            inside = frozenset(set(graph.get_operations()) - before)
            activations.append(_Activation(result, inside))
            return result

        return call

    for name, function in functions.items():
        setattr(cell, name, recorded(function))
    try:
        yield
    finally:
        for name, function in functions.items():
            setattr(cell, name, function)


def _columns(cell: RecurrentCell, width: int) -> dict[str, np.ndarray]:
    """The indices of each gate's columns in the projected input.

    They are those that the cell's own `split` passes on unchanged, if its step calls it; otherwise
    each gate has `units` columns, in order.
    """
    tensors: list[Any] = []
    split = cell.split

    def kept(columns: Any, axis: int = -1) -> Any:
        parts = split(columns, axis)
        tensors.append(parts)
        return parts

    rows = width + 1  # no column, and each column alone
    x = tf.cast(tf.concat([tf.zeros([1, width]), tf.eye(width)], 0), cell.compute_dtype)
    states = [tf.zeros([rows, size], cell.compute_dtype) for size in tree.flatten(cell.state_size)]
    cell.split = kept
    try:
        with backend.AutocastScope(cell.compute_dtype):
            cell_step(cell)(x, states)
    finally:
        del cell.split
    if tensors:
        effects = {}
        for name, value in tensors[0]._asdict().items():
            value = np.asarray(value, np.float64)
            effects[name] = value[1:] - value[:1]
        total = np.sum([np.abs(effect).sum(1) for effect in effects.values()], 0)
        # The columns that affect one unit of one gate.
        alone = np.isclose(total, 1, atol=1e-2).reshape(-1, 1)
        passed = {name: alone & np.isclose(item, 1, atol=1e-2) for name, item in effects.items()}
        return {name: item.argmax(0) for name, item in passed.items() if item.any(0).all()}
    units = [np.arange(k * cell.units, (k + 1) * cell.units) for k in range(len(cell.gates))]
    pairs = zip(cell.gates, units, strict=True)
    return {name: item for name, item in pairs if item[-1] < width}


@dataclass(frozen=True)
class Memory:
    """The memory lengths of the units of one state.

    Attributes:
        state: index of the state.
        retention: the factor that multiplies a unit's own old value in a step, with the recurrent
            product held constant: the geometric mean of its absolute values over the steps,
            (units,). For an LSTM's cell state it is the forget gate, for a GRU's state the update
            gate.
        lengths: 1 / (1 - retention), the number of steps after which about 1 / e of the old value
            is left, (units,).
    """

    state: int
    retention: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Memory lengths in steps, (units,); infinite for units that lose nothing."""
        with np.errstate(divide="ignore"):
            return np.where(self.retention < 1, 1 / (1 - np.minimum(self.retention, 1)), np.inf)


def memory_lengths(layer_trace: LayerTrace, row: int = 0) -> list[Memory]:
    """The effective memory length of each unit of each state over an input.

    It is computed from `Memory.retention`, d new / d old of a unit, whichever gate determines it.
    For cells whose recurrence is not a single product, d new / d old is the diagonal of the step's
    Jacobian.

    Args:
        layer_trace: the trace of the layer.
        row: row of the batch.
    """
    cell = layer_trace.cell
    sizes = tree.flatten(cell.state_size)
    states = [tf.cast(state[row, :-1], cell.compute_dtype) for state in layer_trace.states]
    if isinstance(cell, RecurrentCell) and cell.recurs_by_product:
        with backend.AutocastScope(cell.compute_dtype):
            x = cell.split(projected(cell, tf.cast(layer_trace.inputs[row], cell.compute_dtype)))
            r = cell.split_recurrent(cell.recur(states[0]) if cell.recurrent_gates else None)
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(states)
                _, new = cell.step(x, r, states, *cell.step_weights())
            kept = [
                tape.gradient(after, before, unconnected_gradients="zero")
                for after, before in zip(new, states, strict=True)
            ]
    else:
        jacobians = step_jacobians(cell, layer_trace.inputs[row], layer_trace.state(row)[:-1])
        kept = np.split(np.diagonal(jacobians, axis1=1, axis2=2), np.cumsum(sizes)[:-1], axis=-1)
    logs = [np.log(np.maximum(np.abs(np.asarray(item, np.float64)), 1e-12)) for item in kept]
    return [Memory(state, np.exp(log.mean(0))) for state, log in enumerate(logs)]

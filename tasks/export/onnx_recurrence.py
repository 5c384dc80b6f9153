"""Recurrent layers in ONNX: its own LSTM and GRU operators if the cell matches one of them,
otherwise a Scan over the cell's step."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqzoo.cells.engine.dispatch import keeps_contract
from seqzoo.cells.gru.gru import GRUCell
from seqzoo.cells.lstm.lstm import LSTMCell
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.export.onnx_graph import Translator, Writer, element_type

ACTIVATIONS = {"tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu"}
"""Nonlinearities of ONNX's recurrent operators, by Keras' names."""


class Recurrences:
    """A runner (see `seqzoo.cells.engine.runners`) that replaces layers with placeholders and
    stores their translations."""

    def __init__(self) -> None:
        self.replaced: dict[str, Callable] = {}
        self._last: _Recurrence | None = None

    def __call__(
        self, layer: Any, sequences: Any, states: list, mask: Any
    ) -> tuple[Any, Any, list]:
        cell = layer.cell
        if not keeps_contract(cell):
            raise SeqzooError(
                f"A layer of {type(cell).__name__} cannot be converted to ONNX, because that is "
                "not a seqzoo cell; export a saved-model instead."
            )
        batch, time = sequences.shape[:2]
        recurrence = _Recurrence(layer, sequences, states, mask)
        sizes = cell.state_size if isinstance(cell.state_size, list | tuple) else [cell.state_size]
        specs = [(batch, time, cell.output_size), *((batch, size) for size in sizes)]
        tensors = [tf.compat.v1.placeholder(sequences.dtype, shape) for shape in specs]
        for index, tensor in enumerate(tensors):
            self.replaced[tensor.op.name] = _Part(recurrence, index)
        before, self._last = self._last, recurrence
        if before is not None and before.pairs_with(recurrence):
            before.partner, recurrence.partner = recurrence, before
        outputs, *new = tensors
        if layer.go_backwards:
            # In the order in which the steps ran: Keras expects this, and reverses them again.
            outputs = tf.reverse(outputs, [1])
        return new[0], outputs, new


class _Part:
    """One output of a recurrence, called by the translator in place of a placeholder."""

    def __init__(self, recurrence: "_Recurrence", index: int):
        self.recurrence = recurrence
        self.index = index

    @property
    def needs(self) -> list[Any]:
        """The tensors that must be written first."""
        recurrence = self.recurrence
        directions = [recurrence] + ([] if recurrence.partner is None else [recurrence.partner])
        return [tensor for direction in directions for tensor in direction.inputs]

    def __call__(self, translator: Translator, operation: Any) -> list[str]:
        return [self.recurrence.write(translator)[self.index]]


class _Recurrence:
    """One layer that runs over a sequence, in one direction."""

    def __init__(self, layer: Any, sequences: Any, states: list, mask: Any):
        self.layer = layer
        self.cell = layer.cell
        self.sequences = sequences
        self.states = states
        self.mask = mask
        self.backwards = layer.go_backwards
        self.kind = _operator(self.cell)
        self.partner: _Recurrence | None = None
        self._names: list[str] | None = None
        # The part of the cell's graph that depends only on the input.
        self.projected: Any = None
        if self.kind is None:
            self.projected = self.cell.projected(sequences)

    @property
    def inputs(self) -> list[Any]:
        first = self.sequences if self.projected is None else self.projected
        return [first, *self.states, *([] if self.mask is None else [self.mask])]

    def pairs_with(self, other: "_Recurrence") -> bool:
        """Whether this layer and another are the two directions of a bidirectional layer."""
        return (
            self.kind is not None
            and self.kind == other.kind
            and not self.backwards
            and other.backwards
            and self.sequences is other.sequences
            and self.mask is other.mask
            and self.cell.units == other.cell.units
        )

    def write(self, translator: Translator) -> list[str]:
        """Writes the layer, unless it has already been written; returns the names of the outputs
        (batch, time, units), in the order of the input, and of the last states (batch, units)."""
        if self._names is None:
            if self.kind is None:
                self._names = _scan(self, translator)
            else:
                directions: list[_Recurrence] = [self]
                if self.partner is not None:
                    directions.append(self.partner)
                directions.sort(key=lambda direction: direction.backwards)
                names = _native(self.kind, directions, translator)
                for direction, names_of_one in zip(directions, names, strict=True):
                    direction._names = names_of_one
        assert self._names is not None
        return self._names


def _operator(cell: Any) -> str | None:
    """The ONNX operator that computes what a cell does, or None."""
    # Not RNN: ONNX Runtime computes its activation element by element, through a function pointer.
    # A Scan is as fast for one row, and three times as fast for 8 or more.
    kind = {LSTMCell: "LSTM", GRUCell: "GRU"}.get(type(cell))
    if kind is None:
        return None
    functions = [cell.activation, cell.recurrent_activation]
    supported = all(_name(function) in ACTIVATIONS for function in functions)
    return kind if supported and cell.compute_dtype == "float32" else None


def _name(function: Any) -> str:
    return str(keras.activations.serialize(function))


def _numpy(value: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(value)


def _weights(kind: str, cell: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ONNX's W (gates * units, features), R (gates * units, units) and B (2 * gates * units,)."""
    # Indices of ONNX's gates among ours: input, output, forget, candidate; update, reset,
    # candidate.
    order = {"LSTM": [0, 3, 1, 2], "GRU": [0, 1, 2]}[kind]
    count, units = len(order), cell.units

    def arranged(columns: np.ndarray) -> np.ndarray:
        parts = np.split(columns, count, axis=-1)
        return np.concatenate([parts[index] for index in order], axis=-1)

    bias = np.zeros((2, count * units), np.float32)
    if cell.bias is not None:
        cell_bias = _numpy(cell.bias)
        bias[: len(cell_bias) if cell_bias.ndim == 2 else 1] = cell_bias
    kernels = (_numpy(cell.kernel), _numpy(cell.recurrent_kernel))
    w, r = (np.ascontiguousarray(arranged(kernel).T) for kernel in kernels)
    return w, r, np.concatenate([arranged(item) for item in bias])


def _native(kind: str, directions: list[_Recurrence], translator: Translator) -> list[list[str]]:
    """Writes one node for a layer, or for both directions of a bidirectional one; returns the names
    of the outputs and last states of each direction."""
    writer, first = translator.writer, directions[0]
    weights = [_weights(kind, direction.cell) for direction in directions]
    w, r, b = (writer.constant(np.stack(item), "weight") for item in zip(*weights, strict=True))
    by_step = writer.add("Transpose", [translator.translate(first.sequences)], perm=[1, 0, 2])
    lengths = "" if first.mask is None else _lengths(first.mask, translator)

    def begin(index: int) -> str:
        states = [direction.states[index] for direction in directions]
        if all(_is_zero(state, translator) for state in states):
            return ""
        names = [
            writer.add("Unsqueeze", [translator.translate(state), writer.integers(0)])
            for state in states
        ]
        return names[0] if len(names) == 1 else writer.add("Concat", names, axis=0)

    inputs = [by_step, w, r, b, lengths, *(begin(index) for index in range(len(first.states)))]
    while not inputs[-1]:
        inputs.pop()
    functions = [ACTIVATIONS[_name(first.cell.recurrent_activation)]]
    functions += [ACTIVATIONS[_name(first.cell.activation)]] * (2 if kind == "LSTM" else 1)
    attributes: dict[str, Any] = {
        "hidden_size": first.cell.units,
        "direction": "bidirectional"
        if len(directions) == 2
        else ("reverse" if first.backwards else "forward"),
        "activations": functions * len(directions),
    }
    if kind == "GRU":
        attributes["linear_before_reset"] = int(first.cell.reset_after)
    outputs, *last = writer.add(kind, inputs, 1 + len(first.states), **attributes)
    results = []
    for index in range(len(directions)):
        # (time, directions, batch, units) -> (batch, time, units)
        steps = writer.add("Gather", [outputs, writer.constant(np.array(index))], axis=1)
        steps = writer.add("Transpose", [steps], perm=[1, 0, 2])
        at = writer.constant(np.array(index))
        results.append([steps, *(writer.add("Gather", [state, at], axis=0) for state in last)])
    return results


def _is_zero(tensor: Any, translator: Translator) -> bool:
    """Whether a state is known to be all zeros, for any number of rows."""
    operation = tensor.op
    if operation.type == "Fill":
        tensor = operation.inputs[1]
    elif operation.type == "ZerosLike":
        return True
    return translator.is_constant(tensor.op) and not translator.value(tensor).any()


def _lengths(mask: Any, translator: Translator) -> str:
    """The number of unmasked steps, which come first, (batch,), int32."""
    writer = translator.writer
    number = writer.cast(translator.translate(mask), np.int32)
    return writer.add("ReduceSum", [number, writer.integers(1)], keepdims=0)


class _FusedSum:
    """A matrix product plus another term as one Gemm, called by the translator in place of the
    addition: with few rows per step, each node saved counts."""

    def __init__(self, product: Any, other: Any):
        self.product = product
        self.other = other

    @property
    def needs(self) -> list[Any]:
        """The tensors that must be written first."""
        return [*self.product.inputs, self.other]

    def __call__(self, translator: Translator, operation: Any) -> list[str]:
        transposed = [int(self.product.get_attr(f"transpose_{item}")) for item in "ab"]
        inputs = [translator.translate(tensor) for tensor in self.needs]
        return [translator.writer.add("Gemm", inputs, transA=transposed[0], transB=transposed[1])]


def _fused_sums(translator: Translator) -> dict[str, _FusedSum]:
    """The additions of a step that become a Gemm, by name. All matrices of a step have either one
    row per row of the batch or a single row, so the other term always fits the product."""
    results = {}
    for operation in translator.graph.get_operations():
        if operation.type not in ("AddV2", "BiasAdd") or translator.is_constant(operation):
            continue
        for tensor, other in (operation.inputs, reversed(operation.inputs)):
            product = _only_source(tensor)
            if product is None or product.type != "MatMul" or translator.is_constant(product):
                continue
            if other.shape.rank in (1, 2):
                results[operation.name] = _FusedSum(product, other)
                break
    return results


def _only_source(tensor: Any) -> Any:
    """The operation that a tensor comes from, skipping splits into a single part; None if another
    operation uses the tensor, too."""
    while len(tensor.consumers()) == 1:
        operation = tensor.op
        if operation.type not in ("Split", "SplitV") or operation.get_attr("num_split") > 1:
            return operation
        tensor = operation.inputs[1 if operation.type == "Split" else 0]
    return None


def _scan(recurrence: _Recurrence, translator: Translator) -> list[str]:
    """Writes a Scan whose body is the cell's step, translated from its trace; returns the names of
    the outputs and the last states."""
    from onnx import helper

    writer, cell = translator.writer, recurrence.cell
    masked = recurrence.mask is not None
    sizes = [state.shape[-1] for state in recurrence.states]
    dtype = recurrence.sequences.dtype
    width = recurrence.projected.shape[-1]

    def step(*tensors: Any) -> list[Any]:
        states, (x, *rest) = list(tensors[: len(sizes)]), tensors[len(sizes) :]
        output, new = cell.advance(x, states)
        output = tf.identity(output)
        if masked:
            new = [tf.where(rest[0], a, b) for a, b in zip(new, states, strict=True)]
            output = tf.where(rest[0], output, tf.zeros_like(output))
        return [*(tf.identity(state) for state in new), output]

    specs = [tf.TensorSpec([None, size], dtype) for size in sizes]
    specs.append(tf.TensorSpec([None, width], dtype))
    if masked:
        specs.append(tf.TensorSpec([None, 1], tf.bool))
    function = tf.function(step, autograph=False).get_concrete_function(*specs)
    body = Writer(writer.name("step") + "/")
    names = {tensor.op.name: body.name("input") for tensor in function.inputs[: len(specs)]}
    inner = Translator(function, body, names)
    inner.replaced |= _fused_sums(inner)
    results = [inner.translate(tensor) for tensor in function.outputs]
    # An output that is an input or a constant, or occurs twice, needs its own node.
    taken = {*names.values(), *body.constants}
    for index, result in enumerate(results):
        if result in taken:
            results[index] = body.add("Identity", [result])
        taken.add(results[index])
    input_infos = [
        helper.make_tensor_value_info(name, element_type(spec.dtype), [None, spec.shape[1]])
        for name, spec in zip(names.values(), specs, strict=True)
    ]
    output_infos = [
        helper.make_tensor_value_info(name, element_type(dtype), [None, size])
        for name, size in zip(results, [*sizes, cell.output_size], strict=True)
    ]
    graph = helper.make_graph(
        body.nodes, writer.name("step"), input_infos, output_infos, list(body.constants.values())
    )
    inputs = [translator.translate(state) for state in recurrence.states]
    inputs.append(translator.translate(recurrence.projected))
    if masked:
        mask = translator.translate(recurrence.mask)
        inputs.append(writer.add("Unsqueeze", [mask, writer.integers(2)]))
    count = 1 + masked
    names = writer.add(
        "Scan",
        inputs,
        len(sizes) + 1,
        body=graph,
        num_scan_inputs=count,
        scan_input_axes=[1] * count,
        scan_output_axes=[1],
        scan_input_directions=[int(recurrence.backwards)] * count,
        scan_output_directions=[int(recurrence.backwards)],
    )
    *last, outputs = names
    return [outputs, *last]

"""Translates a TensorFlow graph to ONNX nodes, operation by operation, with constants folded."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.export.onnx_operations import RENAMED, SAME_NAME, WRITTEN

OPSET = 18
"""Version of ONNX's operator set: the first in which all reductions take their axes as an input."""

PASSED_ON = ("Identity", "IdentityN", "StopGradient", "PreventGradient", "EnsureShape", "Snapshot")


class Writer:
    """Collects the nodes and constants of an ONNX graph.

    Args:
        prefix: prefix of all names in the graph; each subgraph has its own.
    """

    def __init__(self, prefix: str = ""):
        self.prefix = prefix
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self._known: dict[Any, str] = {}
        self._count = 0

    def name(self, hint: str) -> str:
        """A new, unique name."""
        self._count += 1
        return f"{self.prefix}{hint}_{self._count}"

    def constant(self, value: Any, hint: str = "constant") -> str:
        """The name of a constant; equal constants are shared."""
        from onnx import numpy_helper

        value = np.array(value, order="C")
        key = (value.dtype.str, value.shape, hashlib.sha256(value).digest())
        if key not in self._known:
            self._known[key] = name = self.name(hint)
            self.constants[name] = numpy_helper.from_array(value, name)
        return self._known[key]

    def integers(self, *values: int) -> str:
        """The name of a constant vector of integers, such as a shape, axes or indices."""
        return self.constant(np.array(values, np.int64))

    def add(self, kind: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any) -> Any:
        """Adds a node; returns the name of its output, or their names if there are several."""
        from onnx import helper

        names = [self.name(kind.lower()) for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def cast(self, value: str, dtype: Any) -> str:
        """Adds a cast; returns the name of its output."""
        return self.add("Cast", [value], to=element_type(dtype))


class Translator:
    """Translates the operations that compute the tensors of a traced function.

    Args:
        function: a concrete function; its variables are exported with their current values.
        writer: collects the nodes.
        inputs: the ONNX name of each of the function's placeholders, by placeholder name.
        replaced: functions that write replacements for operations, by operation name:
            (translator, operation) -> the names of the replacement's outputs. More may be added
            before `translate` is called.

    Raises:
        SeqzooError: `translate` reaches an operation that has no translation.
    """

    def __init__(
        self,
        function: Any,
        writer: Writer,
        inputs: dict[str, str],
        replaced: dict[str, Callable[["Translator", Any], list[str]]] | None = None,
    ):
        self.graph = function.graph
        self.writer = writer
        self.replaced = dict(replaced or {})
        self._outputs: dict[str, list[str]] = {name: [value] for name, value in inputs.items()}
        self._inputs = frozenset(inputs)
        self._variables, self._captured = _captures(function)
        self._constant: dict[str, bool] = {}
        self._values: dict[str, np.ndarray] = {}
        self._session: Any = None

    def translate(self, tensor: Any) -> str:
        """Writes the nodes that compute a tensor; returns its ONNX name."""
        if self.is_constant(tensor.op):
            return self.writer.constant(self.value(tensor), "weight")
        # Iterative rather than recursive, because graphs may be deep.
        pending = [tensor.op]
        while pending:
            operation = pending[-1]
            if operation.name in self._outputs:
                pending.pop()
                continue
            missing = [
                item.op
                for item in self._needed(operation)
                if not self.is_constant(item.op) and item.op.name not in self._outputs
            ]
            if missing:
                pending += missing
                continue
            self._outputs[operation.name] = self._write(operation)
            pending.pop()
        return self._outputs[tensor.op.name][tensor.value_index]

    def _needed(self, operation: Any) -> list[Any]:
        replacement = self.replaced.get(operation.name)
        if replacement is not None:
            return getattr(replacement, "needs", [])
        return [item for item in operation.inputs if item.op.name not in self._variables]

    def is_constant(self, operation: Any) -> bool:
        """Whether the result of an operation does not depend on the inputs."""
        pending = [operation]
        while pending:
            current = pending[-1]
            if current.name in self._constant:
                pending.pop()
                continue
            if current.name in self._inputs or current.name in self.replaced:
                self._constant[current.name] = False
            elif current.name in self._captured or current.type in ("Const", "ReadVariableOp"):
                self._constant[current.name] = True
            elif (
                current.name in self._variables or not current.inputs or current.op_def.is_stateful
            ):
                self._constant[current.name] = False
            else:
                unknown = [i.op for i in current.inputs if i.op.name not in self._constant]
                if unknown:
                    pending += unknown
                    continue
                self._constant[current.name] = all(
                    self._constant[i.op.name] for i in current.inputs
                )
            pending.pop()
        return self._constant[operation.name]

    def value(self, tensor: Any) -> np.ndarray:
        """The value of a constant tensor."""
        if tensor.name not in self._values:
            if self._session is None:
                self._session = tf.compat.v1.Session(graph=self.graph)
                feeds: dict[str, np.ndarray] = {}
                for operation in self.graph.get_operations():
                    if operation.name in self._captured:
                        feeds[operation.outputs[0].name] = self._captured[operation.name]
                    elif operation.type == "ReadVariableOp":
                        feeds[operation.outputs[0].name] = self._variables[
                            operation.inputs[0].op.name
                        ].numpy()
                self._feeds = feeds
            self._values[tensor.name] = self._session.run(tensor.name, self._feeds)
        return self._values[tensor.name]

    def _write(self, operation: Any) -> list[str]:
        if operation.name in self.replaced:
            return self.replaced[operation.name](self, operation)
        kind = operation.type
        if kind in PASSED_ON:
            return [self.translate(value) for value in operation.inputs]
        if kind in WRITTEN:
            names = WRITTEN[kind](self, operation)
            return names if isinstance(names, list) else [names]
        onnx_name = RENAMED.get(kind, kind if kind in SAME_NAME else None)
        if onnx_name is None or any(value.dtype == tf.resource for value in operation.inputs):
            raise SeqzooError(
                f"The operation {kind} ({operation.name!r}) has no translation to ONNX; export a "
                "saved-model instead."
            )
        return [self.writer.add(onnx_name, [self.translate(value) for value in operation.inputs])]

    # Helpers for the functions of `onnx_operations`.

    def input(self, operation: Any, index: int) -> str:
        """The name of an operation's input."""
        return self.translate(operation.inputs[index])

    def constant_input(self, operation: Any, index: int, what: str = "") -> np.ndarray:
        """The value of an input, which must be constant."""
        tensor = operation.inputs[index]
        if not self.is_constant(tensor.op):
            raise SeqzooError(
                f"The operation {operation.type} ({operation.name!r}) has {what or 'an input'} "
                "known only at run time, and therefore no translation to ONNX; export a "
                "saved-model instead."
            )
        return self.value(tensor)

    def int64_vector(self, tensor: Any) -> str:
        """A tensor of integers, scalar or vector, as the vector of int64 that ONNX expects."""
        if self.is_constant(tensor.op):
            return self.writer.constant(np.atleast_1d(self.value(tensor)).astype(np.int64))
        name = self.writer.cast(self.translate(tensor), np.int64)
        if tensor.shape.rank == 0:
            name = self.writer.add("Unsqueeze", [name, self.writer.integers(0)])
        return name

    def table(self, operation: Any) -> str:
        """The first input: a tensor, or a variable that the operation reads by its handle."""
        tensor = operation.inputs[0]
        if tensor.dtype != tf.resource:
            return self.translate(tensor)
        return self.writer.constant(self._variables[tensor.op.name].numpy(), "weight")


def element_type(dtype: Any) -> int:
    """ONNX's code for a dtype."""
    from onnx import helper

    dtype = tf.as_dtype(dtype).as_numpy_dtype
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def _captures(function: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Variables, by the placeholders of their handles, and other captured tensors, by the names of
    their placeholders."""
    handles = {id(variable.handle): variable for variable in function.graph.variables}
    variables, values = {}, {}
    for outside, inside in function.graph.captures:
        if id(outside) in handles:
            variables[inside.op.name] = handles[id(outside)]
        elif outside.dtype not in (tf.resource, tf.variant):
            values[inside.op.name] = outside.numpy()
    return variables, values

"""Compiled programs, shared by all cells of this process that would trace the same one.

Weights are arguments of a program, so most layers of a model, both directions of a bidirectional
layer, and models of the same configuration run the same few programs. There are two ways to find a
program that a cell can share. A cell of this package is described by its class and attributes; if a
program was traced for a cell with an equal description, it is used without tracing. Any other cell,
and one with an activation that is not from Keras, may depend on any Python object. It is traced,
and shares a program whose graph is the same, operation by operation. A program whose graph captures
a tensor or a variable is not shared.

Programs hold no reference to the cell that they were traced with, so neither keeps the other alive.
"""

import functools
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from types import FunctionType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.types.experimental import ConcreteFunction

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.engine.portability import within_portable
from seqzoo.cells.engine.private_tensorflow import outside_of_graphs

MAX_PROGRAMS = 512
"""Maximum number of programs in the cache. A program that cells of this package share counts twice,
since it can be found in both ways, and a layer uses two programs in training."""

MAX_ARRAY_SIZE = 64
"""Maximum size of an array whose values are part of a description."""


STEP_CHECKS = "_step_checks"
"""The attribute of a cell with what `step_gradients` has found out about its `step`."""


class Programs:
    """A thread-safe LRU cache of programs.

    Args:
        max_programs: number of programs above which the least recently used is evicted.
    """

    def __init__(self, max_programs: int = MAX_PROGRAMS):
        self.max_programs = max_programs
        self._programs: OrderedDict[Hashable, Callable] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._programs)

    def get(self, key: Hashable) -> Callable | None:
        """The program for a key, or None."""
        with self._lock:
            if key in self._programs:
                self._programs.move_to_end(key)
            return self._programs.get(key)

    def keep(self, key: Hashable, program: Callable) -> Callable:
        """Adds a program and returns it, or returns the one already stored under the key."""
        with self._lock:
            program = self._programs.setdefault(key, program)
            self._programs.move_to_end(key)
            while len(self._programs) > self.max_programs:
                self._programs.popitem(last=False)
            return program

    def clear(self) -> None:
        """Removes all programs."""
        with self._lock:
            self._programs.clear()


SHARED = Programs()


class CellPrograms:
    """The programs of one cell, shared or not.

    Args:
        cell: the cell.
    """

    def __init__(self, cell: RecurrentCell):
        self.cell = cell
        self._unshared: dict[Hashable, Callable] = {}
        self._attributes: dict[str, Any] = {}

    def get(self, loop: Callable, options: tuple, signature: dict) -> Callable:
        """The compiled form of a loop.

        Args:
            loop: (cell, tensors, *options) -> dictionary of tensors.
            options: other arguments, hashable.
            signature: nested structure with a `tf.TensorSpec` for each tensor; the same for all
                shapes that share a trace.

        Returns:
            A function that takes the tensors.
        """
        key = (loop, options, _hashable(signature), within_portable())
        cell_description = description(self.cell)
        if cell_description is not None:
            shared = SHARED.get((key, cell_description))
            if shared is not None:
                return shared
        else:
            self._forget_if_changed()
        entry = key, cell_description
        if entry not in self._unshared:
            program = self._trace(key, signature)
            if cell_description is not None and isinstance(program, ConcreteFunction):
                return SHARED.keep((key, cell_description), program)
            self._unshared[entry] = program
        return self._unshared[entry]

    def _trace(self, key: tuple, signature: dict) -> Callable:
        loop, options, *_ = key
        cells = [self.cell]

        def trace(tensors):
            return loop(cells[0], tensors, *options)

        function = tf.function(
            trace, input_signature=[signature], jit_compile=True, autograph=False
        )
        try:
            with outside_of_graphs():
                program = function.get_concrete_function()
        except Exception:
            return function  # depends on the outer graph; any other error recurs when it is called
        if program.captured_inputs:
            return function
        cells.clear()
        return SHARED.keep((key, digest(program)), program)

    def _forget_if_changed(self) -> None:
        """Drops the unshared programs if an attribute of the cell has changed since their trace."""
        attributes = attributes_of(self.cell)
        if not are_same(attributes, self._attributes):
            self._attributes = attributes
            self._unshared.clear()


def description(cell: RecurrentCell) -> Hashable | None:
    """Everything that a cell's trace depends on, as a hashable value; None if that is unknown."""
    try:
        return _describe(cell)
    except _Indescribable:
        return None


class _Indescribable(Exception):
    """A value on which a trace may depend in unknown ways."""


def _describe(value: Any) -> Hashable:
    if isinstance(value, RecurrentCell):
        return _describe_cell(value)
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes, np.generic)):
        return type(value), repr(value)
    if isinstance(value, (list, tuple)):
        return ("sequence", *map(_describe, value))
    if isinstance(value, dict):
        return ("dictionary", *((key, _describe(item)) for key, item in value.items()))
    if isinstance(value, keras.Variable):
        return "variable", tuple(value.shape), str(value.dtype)
    if isinstance(value, np.ndarray) and value.size <= MAX_ARRAY_SIZE and value.dtype != object:
        return "array", value.shape, str(value.dtype), value.tobytes()
    if isinstance(value, (keras.initializers.Initializer, keras.random.SeedGenerator)):
        return None  # only creates weights and masks, which are arguments
    if isinstance(value, FunctionType) and value in _keras_activations():
        return value
    raise _Indescribable


def _describe_cell(cell: RecurrentCell) -> Hashable:
    cell_class = type(cell)
    if not cell_class.__module__.startswith("seqzoo.cells."):
        raise _Indescribable
    attributes = {name: v for name, v in vars(cell).items() if not _irrelevant(name)}
    return (
        cell_class,
        _definition(cell_class),
        cell.dtype_policy.name,
        *((name, _describe(attributes[name])) for name in sorted(attributes)),
    )


def _definition(cell_class: type) -> Hashable:
    """The methods and properties of a class, since a test may have replaced some of them."""
    return tuple(
        value
        for base in cell_class.__mro__[: cell_class.__mro__.index(RecurrentCell) + 1]
        for value in vars(base).values()
        if callable(value) or isinstance(value, property)
    )


def attributes_of(cell: RecurrentCell) -> dict[str, Any]:
    """The attributes of a cell and of the cells that it wraps that may have an effect on traces."""
    unused = _attributes_of_layers()
    attributes = {
        name: value
        for name, value in vars(cell).items()
        if name not in unused and not name.startswith("_self_")
    }
    for name, value in list(attributes.items()):
        for k, item in enumerate(value if isinstance(value, (list, tuple)) else [value]):
            if isinstance(item, RecurrentCell):
                inner = attributes_of(item).items()
                attributes |= {f"{name}.{k}.{attribute}": v for attribute, v in inner}
    return attributes


def are_same(attributes: dict[str, Any], others: dict[str, Any]) -> bool:
    """Whether no attribute has been assigned a new value."""
    return attributes.keys() == others.keys() and all(
        _is_same(value, others[name]) for name, value in attributes.items()
    )


def _irrelevant(name: str) -> bool:
    """Whether an attribute has no effect on traces: it belongs to Keras or TensorFlow, or is used
    only to create weights or masks."""
    return name in _attributes_of_layers() or name.startswith("_self_")


@functools.cache
def _attributes_of_layers() -> frozenset[str]:
    dropout = {"_dropout_mask", "_recurrent_dropout_mask", "_drawn_mask", "_dropout_seed", "seed"}
    weights = {
        f"{weight}_{option}"
        for weight in ("kernel", "recurrent", "bias")
        for option in ("regularizer", "constraint")
    }
    return frozenset(vars(keras.layers.Layer())) | dropout | weights | {STEP_CHECKS}


@functools.cache
def _keras_activations() -> frozenset[Callable]:
    functions = (f for f in vars(keras.activations).values() if isinstance(f, FunctionType))
    return frozenset(f for f in functions if f.__module__.startswith("keras.src."))


def _is_same(a: Any, b: Any) -> bool:
    plain = (bool, int, float, str, bytes)
    return a is b or (type(a) is type(b) and isinstance(a, plain) and a == b)


def _hashable(signature: dict) -> tuple:
    """The signature as a hashable tuple."""
    return tuple(
        (name, *((tuple(spec.shape), spec.dtype) for spec in tf.nest.flatten(specs)))
        for name, specs in sorted(signature.items())
    )


def digest(program: Any) -> str:
    """A hash of a program's graph, equal for traces that differ only in names."""
    library = {f.signature.name: f for f in program.graph.as_graph_def().library.function}
    digests: dict[str, str] = {}

    def function(definition):
        arguments = {
            arg.name: f"argument {k}" for k, arg in enumerate(definition.signature.input_arg)
        }
        nodes = {node.name: f"node {k}" for k, node in enumerate(definition.node_def)}
        names = arguments | nodes

        def renamed(reference):
            control = "^" if reference.startswith("^") else ""
            name, *output = reference.removeprefix("^").split(":")
            return control + ":".join([names[name], *output])

        lines = [f"{arg.type}" for arg in definition.signature.input_arg]
        for node in definition.node_def:
            inputs = [renamed(reference) for reference in node.input]
            lines.append(f"{node.op} {node.device} {inputs} {attributes(node.attr)}")
        for output in definition.signature.output_arg:
            lines.append(f"{output.type} {renamed(definition.ret[output.name])}")
        lines += sorted(nodes[name] for name in definition.control_ret.values())
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def named(func):
        if func.name not in library:
            return func.name
        if func.name not in digests:
            digests[func.name] = function(library[func.name])
        return digests[func.name] + attributes(func.attr)

    def attributes(attr):
        # `_gradient_op_type` is the serial number of a gradient function, which is not used here.
        names = sorted(attr.keys() - {"_gradient_op_type", "_class"})
        return str([(name, attribute(attr[name])) for name in names])

    def attribute(value):
        if value.HasField("func"):
            return named(value.func)
        if value.HasField("list") and value.list.func:
            return str([named(func) for func in value.list.func])
        return value.SerializeToString(deterministic=True).hex()

    structure = tf.nest.map_structure(lambda output: output.shape, program.structured_outputs)
    return f"{function(program.function_def)} {structure}"

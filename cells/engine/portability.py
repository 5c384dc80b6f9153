"""Makes exporters trace the plain loop, because graphs with compiled loops cannot be saved."""

import contextlib
import contextvars
import functools
import inspect
import sys
from collections.abc import Iterator
from types import CodeType
from typing import Any

import keras

from seqzoo.cells.private_keras import backend

_portable = contextvars.ContextVar("portable", default=False)

REFUSAL = (
    "a compiled loop of seqzoo.cells, which runs only in this process. To save a function, trace "
    "it within seqzoo.cells.portable()"
)
"""TensorFlow quotes this text when it refuses to save a graph."""


@contextlib.contextmanager
def portable() -> Iterator[None]:
    """A context in which layers trace the plain loop, whose graphs run wherever TensorFlow does.

    Not needed for what `model.export`, `keras.export.ExportArchive` and `tf.saved_model.save` trace
    themselves. A function that was traced before must be traced again in this context; otherwise
    `tf.saved_model.save` refuses to save it.
    """
    token = _portable.set(True)
    try:
        yield
    finally:
        _portable.reset(token)


def within_portable() -> bool:
    """Whether the calling code runs within `portable`."""
    return _portable.get()


def exporting() -> bool:
    """Whether a graph is being traced for an export: within `portable`, or by an exporter."""
    import tensorflow as tf

    if _portable.get():
        return True
    if tf.executing_eagerly():
        return False
    exporters = _exporters()
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code in exporters:
            return True
        frame = frame.f_back
    return False


def tie_to_process(cell: Any) -> None:
    """Makes TensorFlow refuse to save the graph that is being traced, if there is one."""
    from seqzoo.cells.engine.private_tensorflow import take_unowned_input

    # XLA requires all variables of a graph to be on one device: that of the weights.
    with backend.AutocastScope(None):
        device = getattr(cell.weights[0].value, "device", None) if cell.weights else None
    take_unowned_input(REFUSAL, device or None)


def unportable_operations(graph: Any, compiled: bool = False) -> set[str]:
    """The operations that keep a graph from running wherever TensorFlow does.

    Args:
        graph: a GraphDef.
        compiled: whether functions may be compiled where TensorFlow has XLA.

    Returns:
        Names of cuDNN and XLA operations, and of functions that must be compiled.
    """
    functions = graph.library.function
    nodes = [*graph.node, *(node for function in functions for node in function.node_def)]
    results = {node.op for node in nodes if node.op.startswith(("CudnnRNN", "Xla"))}
    if compiled:
        return results
    marked = [(node.op, node) for node in nodes]
    marked += [(function.signature.name, function) for function in functions]
    return results | {name for name, item in marked if item.attr["_XlaMustCompile"].b}


@functools.cache
def _exporters() -> frozenset[CodeType]:
    """The code objects of the public functions that save a model.

    Looked up by their public names, whichever module defines them.
    """
    import tensorflow as tf

    archive = type(keras.export.ExportArchive())
    functions = [keras.Model.export, tf.saved_model.save]
    functions += [
        function
        for base in archive.__mro__[:-1]
        for function in vars(base).values()
        if inspect.isfunction(function)
    ]
    unwrapped = [inspect.unwrap(function) for function in functions]
    return frozenset(function.__code__ for function in [*functions, *unwrapped])

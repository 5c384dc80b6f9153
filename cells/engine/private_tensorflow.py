"""The private names of TensorFlow that the engine depends on."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

# Writes at a position that is known only at run time; the public operations become XLA scatters.
# Reads use `tf.slice`: XLA gets the same operation as from `xla.dynamic_slice`, which TensorFlow
# takes 10 ms to translate each time it occurs in a program.
from tensorflow.compiler.tf2xla.python import xla

# Stops and restarts the tapes of this thread.
from tensorflow.python import pywrap_tfe

# Whether a tape would record an operation on some tensors; there is no public function for that.
from tensorflow.python.eager.record import should_record_backprop

# Where `tf.custom_gradient` stores the gradient function of each call in a graph.
from tensorflow.python.framework.ops import gradient_registry

dynamic_update_slice = xla.dynamic_update_slice


def recording(tensors: list) -> bool:
    """Whether a gradient tape that is currently recording watches one of the tensors."""
    return should_record_backprop(tensors)


def keep_gradient_in_graph(results: list) -> None:
    """Makes the gradient function of a `tf.custom_gradient` live only as long as its graph.

    TensorFlow never forgets the gradient function of a call in a graph, and with it all tensors and
    objects that the function uses: every traced graph, and every model, would stay in memory.

    Args:
        results: the results of the call; nothing is done for a call outside of a graph.
    """
    first = results[0]
    if tf.is_symbolic_tensor(first):
        name = first.op.get_attr("_gradient_op_type").decode()
        entry = gradient_registry._registry[name]
        if not hasattr(first.graph, "_gradients_of_calls"):
            first.graph._gradients_of_calls = {}
        first.graph._gradients_of_calls[name] = entry["type"]
        entry["type"] = functools.partial(_gradient_in_graph, name)


def _gradient_in_graph(name: str, operation: Any, *upstream: Any) -> Any:
    return operation.graph._gradients_of_calls[name](operation, *upstream)


@contextlib.contextmanager
def outside_of_graphs() -> Iterator[None]:
    """`tf.init_scope`, but tapes keep recording, since the traced code may compute gradients."""
    with tf.init_scope():
        pywrap_tfe.TFE_Py_TapeSetRestartOnThread()
        try:
            yield
        finally:
            pywrap_tfe.TFE_Py_TapeSetStopOnThread()


def scratch_graph() -> Any:
    """A context in which operations may use the tensors of the graph that is being traced, but are
    not added to it; for the shapes and types of their results."""
    return tf.__internal__.FuncGraph("scratch").as_default()


def of_this_replica(variable: Any) -> Any:
    """The copy of a variable in this replica of a `tf.distribute` strategy; without one, the
    variable itself.

    `tf.gather` reads single rows of a copy, but all rows of the strategy's wrapper.
    """
    return variable._get() if isinstance(variable, tf.distribute.DistributedValues) else variable


def take_unowned_input(name: str, device: str | None) -> None:
    """Adds an input to the graph that is being traced, so that the graph cannot be saved.

    The input is the handle of a variable that no object owns and that is never created or read.
    `tf.saved_model.save` refuses such a graph and quotes the name. Does nothing outside the graph
    of a `tf.function`.

    Args:
        name: text for the error message.
        device: device of the handle; None for the default.
    """
    graph: Any = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
    if hasattr(graph, "capture"):
        graph.capture(_unowned_handle(name, device))


@functools.cache
def _unowned_handle(name: str, device: str | None) -> Any:
    with tf.init_scope(), tf.device(device):
        handle = tf.raw_ops.VarHandleOp(dtype=tf.bool, shape=[], shared_name=name)
    # TensorFlow quotes the name as the handle's owner. Without an owner, it would search all
    # objects for one, which takes up to a minute.
    handle._parent_trackable = lambda: name
    return handle


def extend_call(outputs: list, program: Any) -> list | None:
    """Replaces the program that a call in a graph runs with one that has more outputs.

    TensorFlow does the same for calls of functions whose gradient is requested: `_set_func_attr`
    sets the function that a call runs, `_set_type_list_attr` sets the types of its outputs, and
    `_add_outputs` adds the new tensors to the operation.

    Args:
        outputs: all outputs of the call, in the graph of a `tf.function`.
        program: a `tf.types.experimental.ConcreteFunction` with the arguments of the call, whose
            outputs begin with those of the call.

    Returns:
        All outputs of the changed call, or None if it cannot be changed.
    """
    concrete = isinstance(program, tf.types.experimental.ConcreteFunction)
    if not (concrete and tf.is_symbolic_tensor(outputs[0])):
        return None
    call, graph = outputs[0].op, outputs[0].graph
    if call.type not in ("PartitionedCall", "StatefulPartitionedCall"):
        return None
    # Without an outer graph, this is not the graph of a `tf.function` and may have run already.
    if not hasattr(graph, "outer_graph"):
        return None
    specs = program.function_type.flat_outputs
    if call.get_attr("f").name != program.name.decode():
        program.add_to_graph(graph)
        call._set_func_attr("f", program.name)
        call._set_type_list_attr("Tout", [spec.dtype for spec in specs])
        added = specs[len(call.outputs) :]
        call._add_outputs([s.dtype.as_datatype_enum for s in added], [s.shape for s in added])
    for output, spec in zip(call.outputs, specs, strict=True):
        output.set_shape(spec.shape)
    return list(call.outputs)

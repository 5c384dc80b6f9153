"""Building blocks of decoding: the loop, which keeps values of each step, and small operations."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

_compiles = contextvars.ContextVar("compiles", default=False)


@contextlib.contextmanager
def compiled_loops() -> Iterator[None]:
    """A context in which decoding loops are traced for XLA, which compiles them for each shape."""
    token = _compiles.set(True)
    try:
        yield
    finally:
        _compiles.reset(token)


def generate(
    step: Callable, variables: dict[str, Any], kept: dict[str, tuple[Any, int]], max_steps: Any
) -> tuple[Any, Any, dict[str, Any]]:
    """Runs steps until one reports that it was the last.

    Args:
        step: (t, variables) -> whether to continue, the new variables, and the values to keep, by
            name. The first step is always run, so that the kept values have a shape.
        variables: the loop variables before the first step, by name: tensors, and "states", a nest
            of tensors.
        kept: dtype and number of axes of the kept values, by name.
        max_steps: maximum number of steps.

    Returns:
        The number of steps, the variables after the last one, and the kept values, each with a
        leading axis of steps.
    """
    # In a compiled loop the size of arrays must not depend on its inputs.
    compiles = _compiles.get() and isinstance(max_steps, int)
    shapes = {
        name: tf.TensorShape([None] * variable.shape.rank)
        for name, variable in variables.items()
        if name != "states"
    }
    shapes["states"] = free_rows(variables["states"])

    def run() -> tuple[Any, Any, dict[str, Any]]:
        arrays = {
            name: tf.TensorArray(dtype, max_steps, element_shape=[None] * axes)
            for name, (dtype, axes) in kept.items()
        }

        def body(t, running, variables, arrays):
            running, variables, results = step(t, variables)
            arrays = {name: array.write(t, results[name]) for name, array in arrays.items()}
            return t + 1, running, variables, arrays

        steps, _, last, arrays = tf.while_loop(
            lambda t, running, *_: running,
            body,
            (tf.constant(0), True, variables, arrays),
            (
                tf.TensorShape([]),
                tf.TensorShape([]),
                shapes,
                {name: tf.TensorShape(None) for name in arrays},
            ),
        )
        if compiles:
            return steps, last, {name: array.stack() for name, array in arrays.items()}
        # The arrays are empty for steps that were not run.
        ran = tf.range(steps)
        return steps, last, {name: array.gather(ran) for name, array in arrays.items()}

    if not compiles:
        return run()
    steps, last, results = tf.function(run, jit_compile=True, autograph=False)()
    return steps, last, {name: values[:steps] for name, values in results.items()}


def write(history: Any, values: Any, t: Any) -> Any:
    """Writes values (...) at step t of a history (..., time); steps beyond its end are ignored."""
    return tf.where(tf.range(tf.shape(history)[-1]) == t, values[..., None], history)


def repeat(values: Any, times: int) -> Any:
    """A nest of (batch, ...) -> (batch * times, ...), the copies of a row next to each other."""
    return tf.nest.map_structure(lambda value: tf.repeat(value, times, axis=0), values)


def free_rows(states: Any) -> Any:
    """The shapes of a nest of states, with the size of the first axis unknown."""
    return tf.nest.map_structure(lambda value: tf.TensorShape([None, *value.shape[1:]]), states)


def largest(values: Any) -> Any:
    """The maximum of a vector of non-negative numbers; 0 if it is empty."""
    return tf.maximum(tf.reduce_max(values), 0)

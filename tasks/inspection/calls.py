"""Contexts in which the inputs of a layer are observed, or its outputs changed."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf


@contextlib.contextmanager
def changed_output(
    layer: Any, change: Callable[[Any], Any], method: str = "call"
) -> Iterator[None]:
    """A context in which a method of a layer returns `change(output)` instead of its output."""
    call = getattr(layer, method)

    def changed(*arguments: Any, **options: Any) -> Any:
        return change(call(*arguments, **options))

    setattr(layer, method, changed)
    try:
        yield
    finally:
        delattr(layer, method)


@contextlib.contextmanager
def changed_steps(layer: Any, change: Callable[[Any], Any]) -> Iterator[None]:
    """A context in which a layer that sums vectors of steps, those of its method `of_steps`,
    returns the sum of `change(vectors)`."""

    def changed(*arguments: Any) -> Any:
        return tf.reduce_sum(change(layer.of_steps(*arguments)), 1)

    layer.call = changed
    try:
        yield
    finally:
        del layer.call


@contextlib.contextmanager
def observed_inputs(layer: Any, observe: Callable[[Any], Any]) -> Iterator[None]:
    """A context in which `observe(inputs)` is called before each call of a layer."""
    call = layer.call

    def observed(inputs: Any, *arguments: Any, **options: Any) -> Any:
        observe(inputs)
        return call(inputs, *arguments, **options)

    layer.call = observed
    try:
        yield
    finally:
        del layer.call

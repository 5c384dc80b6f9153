"""Observes or changes what a layer returns, without changing the model."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def changed_output(layer: Any, change: Callable[[Any], Any]) -> Iterator[None]:
    """A context in which a layer returns `change(output)` instead of its output."""
    call = layer.call

    def changed(*arguments: Any, **options: Any) -> Any:
        return change(call(*arguments, **options))

    layer.call = changed
    try:
        yield
    finally:
        del layer.call

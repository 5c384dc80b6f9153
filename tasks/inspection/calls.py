"""Looks at what a layer returns, or changes it, without a change to the model."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def changed_output(layer: Any, change: Callable[[Any], Any]) -> Iterator[None]:
    """Within it, a layer returns what `change` makes of its output."""
    call = layer.call

    def changed(*given: Any, **options: Any) -> Any:
        return change(call(*given, **options))

    layer.call = changed
    try:
        yield
    finally:
        del layer.call

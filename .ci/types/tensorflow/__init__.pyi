"""Leaves TensorFlow untyped: the partial stubs that pyright brings along are of an old release."""

from typing import Any

def __getattr__(name: str) -> Any: ...

"""Suggestions for misspelled names of cells and of their options."""

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

LAYER_OPTIONS = ("name", "dtype", "trainable", "autocast", "activity_regularizer")
"""The options that `keras.layers.Layer` takes."""


def suggestion(name: str, valid: Iterable[str]) -> str:
    """The end of an error message: "; did you mean 'gru'?", or "" if no valid name is similar."""
    matches = get_close_matches(name, list(valid), n=1)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def check_options(cell: type, options: Mapping[str, Any]) -> None:
    """Checks the keyword arguments that a cell's `__init__` passes on to `keras.layers.Layer`.

    Args:
        cell: the cell's class.
        options: the keyword arguments that it does not declare itself.

    Raises:
        ValueError: the cell has no such option.
    """
    unknown = [name for name in options if name not in LAYER_OPTIONS]
    if not unknown:
        return
    valid = list(LAYER_OPTIONS)
    for base in cell.__mro__:
        if "__init__" in vars(base) and base.__module__.partition(".")[0] != "keras":
            parameters = inspect.signature(base.__init__).parameters.values()
            valid += [each.name for each in parameters if each.kind is not each.VAR_KEYWORD]
    hint = suggestion(unknown[0], valid)
    raise ValueError(f"{cell.__name__} has no option {unknown[0]!r}{hint or '.'}")

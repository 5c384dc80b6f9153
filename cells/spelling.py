"""Suggestions for misspelled names of cells and of their options."""

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

LAYER_OPTIONS = ("name", "dtype", "trainable", "autocast", "activity_regularizer")
"""The options that `keras.layers.Layer` takes."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """The end of a message: "; did you mean 'gru'?", or nothing if no known name is similar."""
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def check_options(cell: type, options: Mapping[str, Any]) -> None:
    """Checks the keyword arguments that no constructor of a cell names.

    Raises:
        ValueError: the cell has no such option.
    """
    unknown = [name for name in options if name not in LAYER_OPTIONS]
    if not unknown:
        return
    known = list(LAYER_OPTIONS)
    for kind in cell.__mro__:
        if "__init__" in vars(kind) and kind.__module__.partition(".")[0] != "keras":
            parameters = inspect.signature(kind.__init__).parameters.values()
            known += [item.name for item in parameters if item.kind is not item.VAR_KEYWORD]
    hint = suggestion(unknown[0], known)
    raise ValueError(f"{cell.__name__} has no option {unknown[0]!r}{hint or '.'}")

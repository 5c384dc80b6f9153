"""Checks the types of cells' options; ranges are checked in the cells."""

import inspect
import math
from typing import Any, get_args, get_type_hints
from weakref import WeakKeyDictionary

import keras

PLAIN = (bool, int, float, str, bytes, list, tuple, dict, type(None))
"""Types of values that are checked; tensors, variables and NumPy's numbers are left to the cell."""

EXPECTED = {bool: "True or False", int: "a whole number", float: "a finite number", str: "text"}
"""Descriptions of the values that each annotated type allows."""


def check_types(kind: type, options: dict[str, Any]) -> None:
    """Checks options against the annotations of `__init__` in a cell's class and its base classes.

    Args:
        kind: the class of the cell.
        options: the options that were given, by name.

    Raises:
        ValueError: one is not of its type, or a number is not finite.
    """
    for name, hint in _hints(kind).items():
        if name not in options or not isinstance(options[name], PLAIN):
            continue
        value, allowed = options[name], get_args(hint) or (hint,)
        wanted = next((item for item in allowed if item in EXPECTED), None)
        others = set(allowed) - {wanted, type(None)}
        if wanted is None or others:
            continue
        if not (value is None and type(None) in allowed) and not _fits(value, wanted):
            none = " or None" if type(None) in allowed else ""
            raise ValueError(f"`{name}` must be {EXPECTED[wanted]}{none}, got {value!r}.")


def _fits(value: Any, wanted: type) -> bool:
    if wanted is float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and math.isfinite(value)
    return isinstance(value, wanted) and (wanted is not int or not isinstance(value, bool))


_HINTS: WeakKeyDictionary[type, dict[str, Any]] = WeakKeyDictionary()
"""Results of `_hints`, which keep no class alive."""


def _hints(kind: type) -> dict[str, Any]:
    """The annotations of the options of a class, those of the class itself first; `units` and what
    cannot be resolved are left out."""
    if kind not in _HINTS:
        _HINTS[kind] = _read_hints(kind)
    return _HINTS[kind]


def _read_hints(kind: type) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for item in kind.__mro__:
        initializer = vars(item).get("__init__")
        if not inspect.isfunction(initializer) or item is keras.layers.Layer:
            continue
        try:
            hints = get_type_hints(initializer)
        except (NameError, TypeError):
            continue
        results = {**hints, **results}
        parameters = inspect.signature(initializer).parameters.values()
        if not any(each.kind is each.VAR_KEYWORD for each in parameters):
            break  # it passes no options on
    return {name: hint for name, hint in results.items() if name not in ("units", "return")}


def from_keras(option: str, value: Any) -> Any:
    """An activation, initializer, regularizer or constraint of Keras by its name.

    Args:
        option: the name of the option, which ends in its kind: "kernel_initializer".
        value: a name, a configuration, an object, or None.

    Raises:
        ValueError: Keras does not have it.
    """
    kind = option.rpartition("_")[2]
    try:
        return getattr(keras, f"{kind}s").get(value)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"`{option}` must be one of Keras' {kind}s, by name or as an object, got {value!r}."
        ) from error

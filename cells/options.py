"""Checks the types of cells' options; ranges are checked in the cells."""

import inspect
import math
import operator
from typing import Any, get_args, get_type_hints
from weakref import WeakKeyDictionary

import keras
import numpy as np

PLAIN = (bool, int, float, str, bytes, list, tuple, dict, type(None))
"""Types of values that are checked; tensors and variables are left to the cell."""

DEFAULTS: dict[str, Any] = {
    "activation": keras.activations.tanh,
    "recurrent_initializer": keras.initializers.Orthogonal(seed=0),  # None would draw a seed
    "bias_initializer": keras.initializers.Zeros(),
}
"""The defaults of `RecurrentCell` for the options that may be in `unused_options`."""

EXPECTED = {bool: "True or False", int: "a whole number", float: "a finite number", str: "text"}
"""What an error message calls a value of each annotated type."""


def check_types(cell_class: type, options: dict[str, Any]) -> None:
    """Checks options against the annotations of `__init__` in a cell's class and its base classes.

    Args:
        cell_class: the class of the cell.
        options: the keyword arguments that were passed, by name.

    Raises:
        ValueError: an option does not have its annotated type, or a number is not finite.
    """
    for name, hint in _hints(cell_class).items():
        value = options.get(name)
        if isinstance(value, np.generic):
            value = value.item()
        if name not in options or not isinstance(value, PLAIN):
            continue
        allowed = get_args(hint) or (hint,)
        expected = next((item for item in allowed if item in EXPECTED), None)
        others = set(allowed) - {expected, type(None)}
        if expected is None or others:
            continue
        if not (value is None and type(None) in allowed) and not _has_type(value, expected):
            none = " or None" if type(None) in allowed else ""
            raise ValueError(f"`{name}` must be {EXPECTED[expected]}{none}, got {value!r}.")


def _has_type(value: Any, expected: type) -> bool:
    if expected is float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and math.isfinite(value)
    return isinstance(value, expected) and (expected is not int or not isinstance(value, bool))


_HINTS: WeakKeyDictionary[type, dict[str, Any]] = WeakKeyDictionary()
"""Cache of `_hints`; its weak keys keep no class alive."""


def _hints(cell_class: type) -> dict[str, Any]:
    """Annotations of a class's options by name; a subclass overrides those of its base classes.

    Excludes `units` and annotations that cannot be resolved.
    """
    if cell_class not in _HINTS:
        _HINTS[cell_class] = _read_hints(cell_class)
    return _HINTS[cell_class]


def _read_hints(cell_class: type) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for base in cell_class.__mro__:
        constructor = vars(base).get("__init__")
        if not inspect.isfunction(constructor) or base is keras.layers.Layer:
            continue
        try:
            hints = get_type_hints(constructor)
        except (NameError, TypeError):
            continue
        results = {**hints, **results}
        parameters = inspect.signature(constructor).parameters.values()
        if not any(each.kind is each.VAR_KEYWORD for each in parameters):
            break  # it passes no options on to its base classes
    return {name: hint for name, hint in results.items() if name not in ("units", "return")}


def check_unused(cell: Any) -> None:
    """Checks that the options that a cell has no use for are the defaults, which configurations
    contain.

    Args:
        cell: a cell that has its options.

    Raises:
        ValueError: an option in the cell's `unused_options` is not the default.
    """
    for option in cell.unused_options:
        value, default = getattr(cell, option), DEFAULTS[option]
        unchanged = value is default
        if type(value) is type(default) and isinstance(value, keras.initializers.Initializer):
            given, expected = value.get_config(), default.get_config()
            unchanged = given == {key: None if key == "seed" else expected[key] for key in expected}
        if not unchanged:
            raise ValueError(f"`{option}` has no effect in {type(cell).__name__}; leave it out.")


def whole_number(option: str, value: Any, minimum: int = 1, *, optional: bool = False) -> Any:
    """A whole number, which may be one of NumPy's, as a Python integer.

    Args:
        option: name of the cell's or layer's option.
        value: its value.
        minimum: the smallest valid number.
        optional: whether None is valid.

    Raises:
        ValueError: the value is not a whole number, or is below the minimum.
    """
    if value is None and optional:
        return None
    try:
        number = operator.index(value)  # pyright: ignore[reportArgumentType]
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < minimum:
        kind = "a positive integer" if minimum == 1 else f"a whole number of at least {minimum}"
        none = " or None" if optional else ""
        raise ValueError(f"`{option}` must be {kind}{none}, got {value!r}.")
    return number


def from_keras(option: str, value: Any) -> Any:
    """Gets an activation, initializer, regularizer or constraint from Keras.

    Args:
        option: name of the cell's option, whose last word is the kind, as in "kernel_initializer".
        value: a name, a configuration, an object, or None.

    Raises:
        ValueError: Keras has no such activation, initializer, regularizer or constraint.
    """
    kind = option.rpartition("_")[2]
    expected = f"`{option}` must be one of Keras' {kind}s, by name or as an object, got {value!r}."
    if kind == "initializer" and value is None:  # Keras takes it, and fails when it is called
        raise ValueError(expected)
    try:
        return getattr(keras, f"{kind}s").get(value)
    except (ValueError, TypeError) as error:
        raise ValueError(expected) from error

"""Types of settings in words, and checks of the values in a file against them."""

import contextlib
import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from seqzoo.tasks.errors import nearest
from seqzoo.tasks.fields import Range, note

NONE = "none"
"""None as it is written in a file, for settings that are not text. Text settings that are None, and
settings that are None by default, are left out."""

PLAIN = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
SEVERAL = {int: "whole numbers", float: "numbers", str: "texts"}


class WrongType(Exception):
    """A value has the wrong type; the message says what was expected."""


def described(hint: Any) -> str:
    """A type in words, with its range: "a whole number of at least 1", "one of 1, 2"."""
    if hint in PLAIN:
        return PLAIN[hint]
    origin, members = get_origin(hint), get_args(hint)
    if origin is Annotated:
        allowed = str(note(hint, Range) or "")
        preposition = "of " if allowed.startswith("at ") else ""
        return f"{described(members[0])} {preposition}{allowed}".rstrip()
    if origin is Literal:
        return f"one of {', '.join(map(json.dumps, members))}"
    if origin in (Union, types.UnionType):
        parts = [described(member) for member in members if member is not types.NoneType]
        if takes_none(hint):
            parts.append(json.dumps(NONE))
        return " or ".join(parts)
    if origin is Sequence:
        return f"a list of {SEVERAL.get(members[0], 'values')}"
    return "a table of names and values" if origin is Mapping else "any value"


def takes_none(hint: Any) -> bool:
    """Whether a file may set a field of this type to `NONE`."""
    members = get_args(hint)
    return types.NoneType in members and str not in members


def converted(value: Any, hint: Any) -> Any:
    """A value from a file, converted to the type of its field: `NONE` becomes None.

    Raises:
        WrongType: it has a different type.
    """
    origin, members = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value == NONE and takes_none(hint):
            return None
        for member in members:
            try:
                return converted(value, member)
            except WrongType:
                continue
    elif origin is Literal:
        if value in members:
            return value
        near = nearest(value, members) if isinstance(value, str) else "."
        raise WrongType(f"must be {described(hint)}, got {json.dumps(value, default=str)}{near}")
    elif origin is Sequence:
        if isinstance(value, list):
            return [converted(item, members[0]) for item in value]
    elif origin is Mapping:
        if isinstance(value, dict):
            return value
    elif hint is Any:
        return value
    elif hint is float and isinstance(value, int) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            return float(value)
    elif type(value) is hint:
        return value
    raise WrongType(f"must be {described(hint)}, got {json.dumps(value, default=str)}.")


def default(field: Field) -> Any:
    """The default of a dataclass field; `MISSING` if it has none."""
    return field.default if field.default_factory is MISSING else field.default_factory()

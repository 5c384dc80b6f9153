"""Type annotations of settings: their ranges and their command-line options.

Settings are fields of frozen dataclasses. A field is annotated once, `units: Count = 128`; its
check, its command-line option with the range, and the comment in a configuration file are derived
from that. The field's entry in the docstring is the help of the option.
"""

import dataclasses
import functools
import math
import numbers
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from seqzoo.tasks.errors import SeqzooError

CONVOLVED = ("columns", "rows", "audio")
"""Kinds of inputs that convolutional blocks may read before recurrent layers."""

VIEWS = ("random_shift", "random_zoom", "random_shear")
"""Options of the random views of images and spectrograms in training."""

IMAGE_OPTIONS: dict[str, tuple[str, ...]] = {
    "filters": CONVOLVED,
    "random_shift": CONVOLVED,
    "random_zoom": CONVOLVED,
    "random_shear": ("columns", "rows"),
    "columns_per_step": ("columns",),
}
"""For each option of images and spectrograms that are read by steps, the kinds of inputs it is
for."""


@dataclass(frozen=True)
class Range:
    """The range of a number; None for no bound.

    Attributes:
        minimum: inclusive lower bound.
        above: exclusive lower bound.
        maximum: inclusive upper bound.
        below: exclusive upper bound; infinity allows any finite number.
    """

    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    below: float | None = None

    def __contains__(self, value: float) -> bool:
        # Comparisons with NaN are false, so NaN is outside every range that has a bound.
        return isinstance(value, numbers.Real) and (
            (self.minimum is None or value >= self.minimum)
            and (self.above is None or value > self.above)
            and (self.maximum is None or value <= self.maximum)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        """The range in words: "at least 0 and below 1"."""
        parts = [
            f"{word} {bound}"
            for word, bound in (
                ("at least", self.minimum),
                ("above", self.above),
                ("at most", self.maximum),
                ("below", self.below),
            )
            if bound is not None and bound != math.inf
        ]
        return " and ".join(parts + ["finite"] * (self.below == math.inf))


@dataclass(frozen=True)
class Named:
    """Annotation of a field whose command-line option has a different name.

    Attributes:
        option: the name of the option without leading dashes, such as "max-tokens".
        off: for a switch, the option that turns it off; empty for "no-" followed by the name.
    """

    option: str = ""
    off: str = ""


@dataclass(frozen=True)
class NotTyped:
    """Annotation of a field that has no command-line option.

    Attributes:
        reason: why it has none.
    """

    reason: str


Count = Annotated[int, Range(minimum=1)]
"""A whole number of at least 1."""

Share = Annotated[float, Range(minimum=0, below=1)]
"""A fraction of at least 0 and below 1."""


@functools.cache
def hints_of(kind: type) -> dict[str, Any]:
    """The types of a dataclass's fields, with their annotations."""
    return get_type_hints(kind, include_extras=True)


def plain(hint: Any) -> Any:
    """A type without annotations and without None: int for `Count | None`."""
    if get_origin(hint) is Annotated:
        return plain(get_args(hint)[0])
    members = [plain(member) for member in get_args(hint) if member is not type(None)]
    return members[0] if type(None) in get_args(hint) and len(members) == 1 else hint


def note(hint: Any, kind: type) -> Any:
    """The annotation of a given class on a type, such as its `Range`; None if it has none."""
    for part in (hint, *get_args(hint)):
        if get_origin(part) is Annotated:
            for annotation in part.__metadata__:
                if isinstance(annotation, kind):
                    return annotation
    return None


MAX_COUNT = 2**31 - 1
"""Largest whole number in a field without an upper bound, since TensorFlow uses 32-bit integers."""

TYPES: dict[Any, tuple[type, str]] = {
    int: (numbers.Integral, "a whole number"),
    float: (numbers.Real, "a number"),
    str: (str, "a string"),
    Mapping: (Mapping, "a dictionary"),
}
"""For each field type, the class that values must be instances of, and its name in messages."""


class Limits(NamedTuple):
    """The checks of a field."""

    type: Any
    """Key of `TYPES`; None for other types."""

    range: Range | None
    """The range of the value; None for any."""

    names: tuple[Any, ...]
    """The values that a `Literal` allows; empty for other types."""

    optional: bool
    """Whether the value may be None."""


@functools.cache
def _limits(kind: type) -> dict[str, Limits]:
    """The checks of each field of a dataclass."""
    results = {}
    for name in (field.name for field in dataclasses.fields(kind)):
        hint = hints_of(kind)[name]
        type_ = plain(hint)
        names = get_args(type_) if get_origin(type_) is Literal else ()
        base = get_origin(type_) or type_
        optional = type_ is Any or types.NoneType in _members(hint)
        results[name] = Limits(base if base in TYPES else None, note(hint, Range), names, optional)
    return results


def _members(hint: Any) -> tuple[Any, ...]:
    """The members of a union type."""
    if get_origin(hint) is Annotated:
        return _members(get_args(hint)[0])
    return get_args(hint)


def as_python(value: Any) -> Any:
    """A number as Python's own type, which JSON can represent, if it is NumPy's."""
    if isinstance(value, numbers.Number) and type(value).__module__ == "numpy":
        return value.item()  # pyright: ignore[reportAttributeAccessIssue]
    return value


def check(settings: Any) -> None:
    """Checks the fields of a dataclass against their types, ranges and allowed names, and converts
    NumPy's numbers to Python's.

    Args:
        settings: the dataclass.

    Raises:
        SeqzooError: a field has the wrong type or is out of range; the error's `field` names it.
    """
    for name, limits in _limits(type(settings)).items():
        value = as_python(given := getattr(settings, name))
        if value is not given:
            object.__setattr__(settings, name, value)
        if value is None and limits.optional:
            continue
        if limits.names:
            if value not in limits.names:
                expected = f"one of {', '.join(map(repr, limits.names))}"
                raise SeqzooError(field=name, expected=expected, got=value)
            continue
        kind, words = TYPES.get(limits.type, (object, ""))
        if not isinstance(value, kind) or value is None:
            expected = words or "a value"
            if limits.range is not None:
                expected += f" {'of ' * str(limits.range).startswith('at ')}{limits.range}"
            raise SeqzooError(field=name, expected=expected, got=value)
        if limits.range is not None and value not in limits.range:
            raise SeqzooError(field=name, expected=str(limits.range), got=value)
        if limits.type is int and value > MAX_COUNT and limits.range is not None:
            if limits.range.maximum is None and limits.range.below is None:
                raise SeqzooError(field=name, expected=f"at most {MAX_COUNT}", got=value)


def checked_count(name: str, value: Any, minimum: int = 1, maximum: int = MAX_COUNT) -> int:
    """An argument that is a whole number, as an `int`.

    Raises:
        SeqzooError: it is not a whole number, or out of range; the error's `field` is `name`.
    """
    value = as_python(value)
    if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
        bounds = f"at least {minimum:,}" + f" and at most {maximum:,}" * (maximum < MAX_COUNT)
        raise SeqzooError(field=name, expected=f"a whole number of {bounds}", got=value)
    return value


def whole_numbers(name: str, values: Any) -> tuple[int, ...]:
    """The value of a field that holds one or more positive whole numbers, as a tuple.

    Raises:
        SeqzooError: there are no numbers, or one is not a whole number of at least 1.
    """
    values = tuple(values) if isinstance(values, list | tuple) else (values,)
    values = tuple(map(as_python, values))
    if not values or any(type(value) is not int or value < 1 for value in values):
        raise SeqzooError(field=name, expected="whole numbers of at least 1", got=values)
    return values


def input_kinds(template: Any) -> tuple[str, ...]:
    """The kinds of a template's inputs: that of the first one, and those of further inputs."""
    return (template.input, *getattr(template, "further_inputs", {}).values())


def check_kinds_of_options(template: Any, options: Mapping[str, Sequence[str]]) -> None:
    """Checks that the options of a template are for the kind of one of its inputs.

    Args:
        template: the template.
        options: the kinds of inputs that each option is for. Options that the template lacks are
            ignored, and so are those that have their default value.

    Raises:
        SeqzooError: no input is of a kind that an option is for; the error's `field` names it.
    """
    defaults = {field.name: field.default for field in dataclasses.fields(template)}
    given = input_kinds(template)
    for option, kinds in options.items():
        if getattr(template, option, None) == defaults.get(option) or set(given) & set(kinds):
            continue
        *others, last = kinds
        words = f"{', '.join(others)} and {last}" if others else last
        hint = "; `--filters none` turns off those of a preset" * (option == "filters")
        raise SeqzooError(
            f"`{option}` is for {words}, got input{'s' * (len(given) > 1)} "
            f"{', '.join(map(repr, given))}{hint}.",
            field=option,
        )


def check_images(template: Any) -> None:
    """Checks the options of a template that are for images and spectrograms, `IMAGE_OPTIONS`, and
    makes `filters` a tuple, which is empty for no convolutions.

    Raises:
        SeqzooError: `filters` are not whole numbers of at least 1, or an option is for other kinds
            of inputs.
    """
    unset = isinstance(template.filters, list | tuple) and not template.filters
    filters = () if unset else whole_numbers("filters", template.filters)
    object.__setattr__(template, "filters", filters)
    check_kinds_of_options(template, IMAGE_OPTIONS)


def height_and_width(image_size: Any) -> tuple[int, ...] | None:
    """The value of a template's `image_size`, as a tuple; None for the size of the training images.

    Raises:
        SeqzooError: the value is not two whole numbers of at least 1.
    """
    if image_size is None:
        return None
    result = whole_numbers("image_size", image_size)
    if len(result) != 2:
        raise SeqzooError(field="image_size", expected="a height and a width", got=result)
    return result

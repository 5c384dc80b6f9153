"""The space of a search: ranges and choices of options, from a configuration file or by default."""

import json
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.fields import Range, hints_of, note, plain
from seqzoo.zoo.catalogue import source_docs
from seqzoo.zoo.config import field_types
from seqzoo.zoo.config.resolve import Choices

SEARCHED_OF_SOURCE = ("past_columns", "known_columns", "static_columns", "resample")
"""Fields of a source that can be searched: they do not change which examples are scored."""

FIXED = {
    "input": "it is the same for all trials",
    "target": "it is the same for all trials",
    "further_inputs": "they are the same for all trials",
    "linear": "trials are compared by the network alone",
    "best_by": "it determines how trials are compared",
    "seed": "the best of several seeds is the luckiest one; see `train --repeat`",
}
"""Fields that cannot be searched, and why."""

FORMS = "a list of choices, or a range such as {low = 0.1, high = 0.5}"
"""What an option of a search space must be, for messages."""

FACTOR = 5
"""Maximum factor between the learning rate of the settings and those of the default space."""

CELLS = ("gru", "lstm", "mgu")
"""Cells of the default space, in addition to the cell of the settings."""


@dataclass(frozen=True)
class Interval:
    """A range of numbers, both ends included.

    Attributes:
        low: the smallest value.
        high: the largest value.
        log: whether to sample on a logarithmic scale, on which a value from 0.001 to 0.01 is as
            likely as one from 0.01 to 0.1.
        step: distance between successive values; None for any number, or any integer.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __contains__(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if not self.low <= value <= self.high:
            return False
        steps = 0.0 if self.step is None else (value - self.low) / self.step
        return abs(steps - round(steps)) < 1e-9

    def distribution(self) -> Any:
        """The `optuna.distributions.BaseDistribution`."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if isinstance(self.low, int):
            return IntDistribution(self.low, int(self.high), self.log, int(self.step or 1))
        return FloatDistribution(self.low, self.high, self.log, self.step)

    def value(self, drawn: Any) -> Any:
        """Converts a value from Optuna to a value of the option: 0.15, not 0.15000000000000002."""
        return round(drawn, 12) if self.step is not None and isinstance(drawn, float) else drawn

    def drawn(self, value: Any) -> Any:
        """Converts a value of the option to a value for Optuna."""
        return value

    def to_config(self) -> dict[str, Any]:
        """The range as it is written to a file."""
        config = {"low": self.low, "high": self.high}
        return (
            config
            | ({"log": True} if self.log else {})
            | ({"step": self.step} if self.step else {})
        )


@dataclass(frozen=True)
class Choice:
    """A list of values to choose from.

    Attributes:
        values: the values, of any type that the option takes.
    """

    values: tuple[Any, ...]

    def __contains__(self, value: Any) -> bool:
        return any(_label(item) == _label(value) for item in self.values)

    def distribution(self) -> Any:
        """The `optuna.distributions.BaseDistribution`."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(list(map(_label, self.values)))

    def value(self, drawn: Any) -> Any:
        """Converts a value from Optuna to a value of the option."""
        return next(item for item in self.values if _label(item) == drawn)

    def drawn(self, value: Any) -> Any:
        """Converts a value of the option to a value for Optuna."""
        return _label(value)

    def to_config(self) -> list[Any]:
        """The choices as they are written to a file."""
        return [field_types.NONE if value is None else value for value in self.values]


Space = Mapping[str, Interval | Choice]
"""The search space, by the name of a field, or of an entry of one: "cell_options.reset_after"."""


def _label(value: Any) -> str:
    """A value as text for Optuna, to which 1, 1.0 and True would be the same value."""
    return value if isinstance(value, str) else json.dumps(value)


def read_space(table: Mapping[str, Any], choices: Choices) -> dict[str, Interval | Choice]:
    """Reads a search space.

    Args:
        table: ranges and choices by option name, as in the [search] table of a file.
        choices: the settings, some of which trials change.

    Raises:
        SeqzooError: an option does not exist, cannot be searched, or does not take such values; the
            error's `field` is the option.
    """
    space: dict[str, Interval | Choice] = {}
    for name, given in table.items():
        part = _owner(name, choices)
        hint = hints_of(type(part))[name]
        if get_origin(plain(hint)) is Mapping and isinstance(given, Mapping):
            for key, inner in given.items():
                space[f"{name}.{key}"] = _read(f"{name}.{key}", inner, _Values(Any, None))
        else:
            values = _Values(get_type_hints(type(part))[name], note(hint, Range))
            space[name] = _read(name, given, values)
    if not space:
        raise SeqzooError(
            f"The space is empty; [search] needs options, each with {FORMS}.", field="search"
        )
    return space


class _Values(NamedTuple):
    """The values that an option takes."""

    type: Any
    range: Range | None


def _owner(name: str, choices: Choices) -> Any:
    """The dataclass of the settings that has a field.

    Raises:
        SeqzooError: there is none, or it cannot be searched.
    """
    if name in FIXED:
        raise SeqzooError(f"`{name}` cannot be searched: {FIXED[name]}.", field=name)
    task, settings, source = choices.parts()
    for part in (settings, task, source):
        if any(field.name == name for field in fields(part)):
            if part is source and name not in SEARCHED_OF_SOURCE:
                raise SeqzooError(
                    f"`{name}` cannot be searched: trials must be scored on the same examples.",
                    field=name,
                )
            return part
    known = [
        field.name for part in (settings, task) for field in fields(part) if field.name not in FIXED
    ]
    raise SeqzooError(
        f"{task.name} has no option {name!r} to search{nearest(name, known)}", field=name
    )


def _read(name: str, given: Any, allowed: _Values) -> Interval | Choice:
    if isinstance(given, list | tuple):
        values = tuple(_fitted(name, item, allowed) for item in given)
        if len({_label(value) for value in values}) < max(2, len(values)):
            raise SeqzooError(field=name, expected="at least two different choices", got=given)
        return Choice(values)
    if not isinstance(given, Mapping) or not {"low", "high"} <= given.keys():
        raise SeqzooError(field=name, expected=FORMS, got=given)
    for item in given:
        if item not in ("low", "high", "log", "step"):
            known = ("low", "high", "log", "step")
            raise SeqzooError(
                f"The range of `{name}` has no {item!r}{nearest(item, known)}", field=name
            )
    low, high = (_fitted(name, given[item], allowed) for item in ("low", "high"))
    if not all(
        isinstance(item, int | float) and not isinstance(item, bool) for item in (low, high)
    ):
        raise SeqzooError(
            field=name, expected="a list of choices, since its values are not numbers", got=given
        )
    if not (isinstance(low, int) and isinstance(high, int)):
        low, high = float(low), float(high)
    log, step = given.get("log", False), given.get("step")
    if low >= high:
        raise SeqzooError(field=name, expected="a range whose `low` is below `high`", got=given)
    if not isinstance(log, bool):
        raise SeqzooError(field=name, expected="a range whose `log` is true or false", got=given)
    if log and (low <= 0 or step is not None):
        expected = (
            "a range without `step` if it has `log`"
            if low > 0
            else "a range above 0 if it has `log`"
        )
        raise SeqzooError(field=name, expected=expected, got=given)
    whole = isinstance(low, int)
    if step is not None:
        if type(step) not in ((int,) if whole else (int, float)) or not 0 < step <= high - low:
            expected = (
                f"a range whose `step` is a {'whole ' * whole}number above 0 that fits into it"
            )
            raise SeqzooError(field=name, expected=expected, got=given)
        # The end of the range is reduced to a whole number of steps from its start.
        last = int((high - low) / step + 1e-9)
        high = low + last * step if whole else round(low + last * step, 12)
    return Interval(low, high, log, step)


def _fitted(name: str, value: Any, allowed: _Values) -> Any:
    """A value of an option, converted to its type.

    Raises:
        SeqzooError: it has a different type, or is out of range.
    """
    if value == field_types.NONE and types.NoneType in get_args(allowed.type):
        return None
    try:
        result = field_types.converted(value, allowed.type)
    except field_types.WrongType as error:
        raise SeqzooError(f"`{name}` {error}", field=name) from error
    if allowed.range is not None and result is not None and result not in allowed.range:
        raise SeqzooError(field=name, expected=str(allowed.range), got=value)
    if name == "cell" and result not in source_docs.cells():
        known = source_docs.cells()
        raise SeqzooError(f"There is no cell {result!r}{nearest(str(result), known)}", field=name)
    return result


def default_space(choices: Choices) -> dict[str, Interval | Choice]:
    """The default space around the given settings: learning rate, batch size, units, dropout, and
    the cell if it can be replaced."""
    task, settings, source = choices.parts()
    space: dict[str, Interval | Choice] = {}
    if settings.readout == "gradient":
        rate, batch = settings.learning_rate, settings.batch_size
        space["learning_rate"] = Interval(rate / FACTOR, rate * FACTOR, log=True)
        space["batch_size"] = Choice(tuple(dict.fromkeys([max(1, batch // 2), batch, 2 * batch])))
    units = task.units
    step = max(1, units // 4)
    low = max(1, units - 2 * step)
    space["units"] = Interval(low, low + (2 * units - low) // step * step, step=step)
    if settings.readout == "gradient" and any(field.name == "dropout" for field in fields(task)):
        usual = Interval(0.0, 0.6, step=0.05)
        between = Interval(0.0, max(0.6, task.dropout))  # contains any other value
        space["dropout"] = usual if task.dropout in usual else between
    if not task.cell_options and source.time_column is None and settings.readout == "gradient":
        space["cell"] = Choice(tuple(dict.fromkeys([task.cell, *CELLS])))
    return space


def current(space: Space, choices: Choices) -> dict[str, Any] | None:
    """The values of the settings for the options of a space; None if one is outside the space."""
    results = {}
    for name, item in space.items():
        field, _, entry = name.partition(".")
        value = getattr(_owner(field, choices), field)
        if entry:
            if entry not in value:
                return None
            value = value[entry]
        if isinstance(item, Interval) and isinstance(item.low, float) and type(value) is int:
            value = float(value)
        if value not in item:
            return None
        results[name] = value
    return results


def applied(values: Mapping[str, Any], choices: Choices) -> Choices:
    """Settings with the values of a trial.

    Raises:
        SeqzooError: the values are incompatible.
    """
    changes: list[dict[str, Any]] = [{}, {}, {}]
    parts = choices.parts()
    for name, value in values.items():
        field, _, entry = name.partition(".")
        owner = _owner(field, choices)
        part_changes = changes[next(i for i, part in enumerate(parts) if part is owner)]
        if entry:
            value = {**part_changes.get(field, getattr(owner, field)), entry: value}
        part_changes[field] = value
    task, settings, source = changes
    return Choices(
        replace(choices.task, **task),
        replace(choices.settings, **settings),
        replace(choices.source, **source),
    )


def located(error: SeqzooError, location: Callable[[str], str] | None) -> SeqzooError:
    """An error in a search space, with its location in the file."""
    return error if location is None else error.at(location(re.split(r"\.", error.field)[0]))

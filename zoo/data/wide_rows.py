"""Tables with a row per series and a column per step, whose columns a pattern names: "t*"."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from seqzoo.tasks.errors import SeqzooError, some_of
from seqzoo.tasks.preprocessing.static_numbers import MISSING
from seqzoo.zoo.data.records import INPUT, STEP, Record, Records, Request
from seqzoo.zoo.data.source import ROLES, Source


def is_wide(source: Source) -> bool:
    """Whether the input of a source may be a pattern of columns."""
    wildcard = source.input is not None and not {"*", "?"}.isdisjoint(source.input)
    return source.kind == "series" and source.series_column is None and wildcard


def matching(source: Source, names: Sequence[str]) -> list[str]:
    """The columns, in the order of the file, that the input of a source names: one, or those that
    match a pattern and have no other role."""
    pattern = source.input or ""
    if pattern in names or not is_wide(source):
        return [name for name in names if name == pattern]
    taken = {getattr(source, role) for role in ROLES} | source.further_inputs.keys()
    return [name for name in names if name not in taken and fnmatchcase(name, pattern)]


def request_of(path: object, request: Request, names: Sequence[str]) -> Request:
    """A request for the columns of all steps, with the role `INPUT` for the first and roles that
    begin with `STEP` for the others.

    Args:
        path: the file, for messages.
        request: a request whose input is a pattern.
        names: the names of all columns of the file.

    Raises:
        SeqzooError: no column matches.
    """
    source = request.source
    matched = matching(source, names)
    if not matched:
        raise SeqzooError(
            f"`input` must match columns of {path} ({some_of(names)}) that have no other role, "
            f"got {source.input!r}.",
            field="input",
            got=source.input,
        )
    first, *others = matched
    roles = (*request.roles, *(f"{STEP}{name}" for name in others))
    return replace(request, source=replace(source, input=first), roles=roles)


def joined_steps(records: Records, pattern: str) -> Records:
    """The steps of each row as one list, without missing steps at its end.

    Args:
        records: records with a role per step.
        pattern: the pattern that names the columns, for messages.
    """
    roles = [role for role in records.columns if role == INPUT or role.startswith(STEP)]
    notes = _note_on_order([records.columns[role] for role in roles], pattern)

    def joined() -> Iterator[Record]:
        for record in records.records:
            if record.error:
                yield record
                continue
            steps = [record.fields[role] for role in roles]
            while steps and _is_missing(steps[-1]):
                steps.pop()
            fields = {role: field for role, field in record.fields.items() if role not in roles}
            yield record._replace(fields={**fields, INPUT: steps})

    others = {role: name for role, name in records.columns.items() if role not in roles}
    columns = {INPUT: pattern, **others}
    notes = (*records.notes, *notes)
    return replace(records, records=joined(), columns=columns, chunks=None, notes=notes)


def _note_on_order(names: Sequence[str], pattern: str) -> list[str]:
    """A note if the last numbers in the names of the columns are not in order, as after sorting
    them as texts: "t1", "t10", "t2"."""
    found = [re.findall(r"\d+", name) for name in names]
    numbers = [int(each[-1]) for each in found if each]
    if len(numbers) < len(names) or numbers == sorted(numbers):
        return []
    place = next(k for k in range(1, len(names)) if numbers[k] < numbers[k - 1])
    return [
        f"The columns that {pattern!r} stands for are read in the order of the file, in which "
        f"{names[place]!r} follows {names[place - 1]!r}."
    ]


def _is_missing(field: Any) -> bool:
    return field is None or str(field).strip().lower() in MISSING

"""Reads data for a check: rows that training would reject are reported, and the others are read."""

import itertools
import pathlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.wording import agreed, counted
from seqzoo.zoo.data import formats, splits
from seqzoo.zoo.data.examples import NAMES, part_of, readers_of, roles_of
from seqzoo.zoo.data.open import folder_of_fields, open_source, split_file, with_stored_splits
from seqzoo.zoo.data.records import INPUT, Record, Records, Request
from seqzoo.zoo.data.remote import local
from seqzoo.zoo.data.several_files import files_of, is_pattern
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data.splits import Part
from seqzoo.zoo.finding import Finding

SPLITS = ("train", "validation", "test")

LISTED_LOCATIONS = 3
"""Maximum number of locations that a finding lists."""

LISTED_ERRORS = 5
"""Maximum number of kinds of errors of rows that have a finding each."""

_VALUE = re.compile(
    r"""'(?:[^'\\]|\\.)*(?:'|\.\.\.)|"(?:[^"\\]|\\.)*(?:"|\.\.\.)"""
    r"|: /.*|(?<= )/.+? (?=is not|has no|cannot|contains)|0x[0-9a-f]+|\d+(?:[.,]\d+)*",
    re.DOTALL,
)
"""Quoted values, which may be shortened, paths, bytes, and numbers in a message."""


@dataclass(frozen=True)
class Rows:
    """The readable examples, by split.

    Attributes:
        source: the source, with inferred fields filled in and absolute paths.
        parts: "train", and "validation" and "test" if they exist; none if the inputs do not fit
            together.
        findings: findings about rows that could not be read.
    """

    source: Source
    parts: Mapping[str, Part]
    findings: list[Finding] = field(default_factory=list)


def read(source: Source) -> Rows:
    """Reads all examples; malformed rows of a file become findings.

    Raises:
        SeqzooError: the source does not exist, or no example can be read.
    """
    if not source.is_file():
        opened, source = open_source(source)
        parts = {
            name: part_of_examples(f"{opened.name} ({name})", examples, source)
            for name in SPLITS
            if (examples := getattr(opened, name)) is not None
        }
        return Rows(source, parts)
    source = with_stored_splits(source.absolute())
    path = local(source.data)
    formats.check_delimited(path, source)
    files = files_of(path) if is_pattern(path) else [pathlib.Path(path)]
    folder = folder_of_fields(files, source)
    records, findings = _valid_records(pathlib.Path(path), source, folder)
    try:
        whole, rate = part_of(records, source, folder)
    except SeqzooError as error:  # the inputs do not fit together
        findings.append(Finding("inputs", _without_full_stop(error), "broken"))
        return Rows(source, {}, findings)
    source = replace(source, sample_rate=rate)
    try:
        by_name = split_file(whole, source)
        if source.limit is not None:
            splits.limit(by_name, source.limit, source.seed)
        parts = {name: part for name in SPLITS if (part := by_name.get(name)) is not None}
    except SeqzooError as error:
        findings.append(Finding("splits", _without_full_stop(error), "broken"))
        parts = {"train": whole}
    if source.target_kind not in NAMES:  # labels are those of targets, not classes as inputs
        parts = {name: replace(part, labels=None) for name, part in parts.items()}
    return Rows(source, parts, findings)


def part_of_examples(name: str, examples: Examples, source: Source) -> Part:
    """A split with the keys and labels that are used to compare its examples with others."""
    labels = None
    if examples.targets is not None and source.target_kind in NAMES:
        labels = [
            (target,) if isinstance(target, str) else tuple(target) for target in examples.targets
        ]
    return Part(name, examples, [splits.input_key(item) for item in examples.inputs], labels)


def _valid_records(
    path: pathlib.Path, source: Source, folder: pathlib.Path
) -> tuple[Records, list[Finding]]:
    """The records of a file whose fields can all be read, and findings on the others."""
    request = Request(source, roles_of(source), strict=False)
    records = formats.read(path, request)
    if formats.format_of_request(str(path), request) == "text":  # training leaves out empty lines
        lines = (item for item in records.records if item.error or item.fields[INPUT].strip())
        records = replace(records, records=lines)
    valid = []
    invalid: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    names = {*records.names, *records.columns.values()}

    def without_values(error: str) -> str:
        """An error with the names of columns that it quotes, but no values."""
        return _VALUE.sub(lambda match: match[0] if match[0][1:-1] in names else "", error)

    for record, role, error in _checked(records, source, folder):
        if error:
            invalid[role, without_values(error)].append((record.number, error))
        else:
            valid.append(record)
    total = len(valid) + sum(map(len, invalid.values()))
    groups = sorted(invalid.values(), key=len, reverse=True)
    findings = []
    for group in groups[:LISTED_ERRORS]:
        (_, message), count = group[0], len(group)
        lines = [records.line(number) for number, _ in group]
        alike = all(error == message for _, error in group)
        first = "" if alike else f", such as {_listed(lines[:1], records.unit)}"
        findings.append(
            Finding(
                "rows",
                f"{count:,} of {total:,}{first}: {message} ({_listed(lines, records.unit)})",
                "broken",
                "correct or delete them; training stops at the first one",
                {"rows": count, "error": message, f"{records.unit}s": lines},
            )
        )
    if others := groups[LISTED_ERRORS:]:
        lines = [records.line(number) for number, _ in sorted(itertools.chain(*others))]
        count = len(lines)
        findings.append(
            Finding(
                "rows",
                f"{count:,} of {total:,} {agreed(count, 'has', 'have')} "
                f"{counted(len(others), 'other error')} ({_listed(lines, records.unit)})",
                "broken",
                "correct those above, and check again",
                {"rows": count, f"{records.unit}s": lines},
            )
        )
    if not valid and not invalid:
        raise SeqzooError(f"{path} is empty.")
    if not valid:
        number, error = min(group[0] for group in groups)
        raise SeqzooError(
            f"No row of {path} can be read: {records.unit} {records.line(number)} {error}."
        )
    findings += [Finding("rows", note.removesuffix("."), "note") for note in records.notes]
    return replace(records, records=valid), findings


def _listed(lines: Sequence[int | str], unit: str) -> str:
    """The first locations of rows, and the number of the others."""
    shown = [f"{line:,}" if isinstance(line, int) else line for line in lines[:LISTED_LOCATIONS]]
    more = len(lines) - len(shown)
    return f"{unit}{'s' * (len(lines) > 1)} {', '.join(shown)}{f' and {more:,} more' * (more > 0)}"


def _checked(
    records: Records, source: Source, folder: pathlib.Path
) -> Iterator[tuple[Record, str, str]]:
    """Each record with its error, an empty string if it is valid, and before that the role of the
    field that is invalid, if it is one field."""
    readers = readers_of(source, folder)
    for record in records.records:
        error, invalid = record.error, ""
        for role, reader in readers.items():
            if error:
                break
            try:
                reader(record.fields[role])
            except SeqzooError as problem:
                column = f"{records.columns[role]!r} " if role in records.columns else ""
                error, invalid = f"{column}{problem}", role
        yield record, invalid, error


def _without_full_stop(error: Exception) -> str:
    return str(error).removesuffix(".")

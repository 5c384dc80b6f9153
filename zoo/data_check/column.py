"""A column of a table, and the most likely kind of its values."""

import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from seqzoo.zoo.data.date_parsing import FORMS
from seqzoo.zoo.data_check.dated_columns import DATE_NAMES, OF_A_KIND, begins_with_dates

Content = Literal["numbers", "series", "dates", "audio", "image", "names", "lists", "text", "other"]

ID_NAME = re.compile(r"(.*[\W_])?id|idx|index", re.IGNORECASE)
"""Names of columns of identifiers."""

TIME_NAME = re.compile(r".*time(stamp)?|(.*[\W_])?(date|ts|epoch|created|at|utc)", re.IGNORECASE)
"""Names of columns of times, in which increasing numbers may be times since 1970."""

MIN_COUNTED = 3
"""Minimum number of rows to take numbers with steps of 1 for the numbers of the rows."""

DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?")

EPOCH_FORMS = [re.compile(form) for name, form in FORMS.items() if name.endswith("since 1970")]

FILES = {"audio": (".wav", ".flac", ".ogg"), "image": (".png", ".jpg", ".jpeg", ".bmp", ".gif")}

SIGNATURES = {
    "audio": (b"RIFF", b"fLaC", b"OggS", b"ID3", b"FORM", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"),
    "image": (b"\x89PNG", b"\xff\xd8", b"GIF8", b"BM"),
}
"""The first bytes of the contents of files, for columns that contain these."""

FEW_NAMES = 0.5
"""Maximum fraction of distinct values in a column of names."""

SHORT = 40
"""Maximum mean length, in characters, of repeated strings that are names rather than texts."""

FEW_WORDS = 3.0
"""Maximum mean number of words of names, and of texts that are read character by character."""


@dataclass(frozen=True)
class Column:
    """The values of a column, as they are stored in the file.

    Attributes:
        name: the name of the column.
        values: the value of each row: text or another type; None if it is missing.
    """

    name: str
    values: Sequence[Any]

    @cached_property
    def present(self) -> list[Any]:
        """The values that are not missing."""
        return [value for value in self.values if value is not None and value != ""]

    @cached_property
    def content(self) -> Content:
        """The most likely kind of the values."""
        if not self.present:
            return "other"
        tests: dict[Content, Any] = {
            "numbers": is_number,
            "series": _is_series,
            "dates": lambda item: (
                isinstance(item, str) and DATE.fullmatch(item.strip()) is not None
            ),
            "audio": lambda item: _is_file(item, "audio"),
            "image": lambda item: _is_file(item, "image"),
            "lists": _is_list,
        }
        for content, test in tests.items():
            if sum(map(test, self.present)) >= OF_A_KIND * len(self.present):
                return content
        if not all(isinstance(item, str | bool | int) for item in self.present):
            return "other"
        if begins_with_dates(self.present):
            return "dates"
        texts = list(map(str, self.present))
        distinct = len(set(texts))
        short = sum(map(len, texts)) <= SHORT * len(texts)
        short &= sum(len(text.split()) for text in texts) <= FEW_WORDS * len(texts)
        return "names" if short and distinct <= FEW_NAMES * len(texts) else "text"

    @cached_property
    def are_whole_numbers(self) -> bool:
        """Whether all values that are numbers are whole, and there are any."""
        numbers = [item for item in self.present if is_number(item)]
        return bool(numbers) and all(float(item).is_integer() for item in numbers)

    @cached_property
    def are_repeated_whole_numbers(self) -> bool:
        """Whether the values are whole numbers, which occur several times each."""
        return self.are_whole_numbers and self.distinct <= FEW_NAMES * len(self.present)

    @cached_property
    def are_few_whole_numbers(self) -> bool:
        """Whether the values are a few whole numbers, which occur several times each."""
        return self.are_repeated_whole_numbers and self.distinct <= 30

    @cached_property
    def is_constant(self) -> bool:
        """Whether all rows have the same value."""
        texts = map(str, self.present)
        first = next(texts, None)
        return len(self.present) > 1 and all(text == first for text in texts)

    @cached_property
    def identifies_rows(self) -> bool:
        """Whether the values are distinct whole numbers that have the name of identifiers, or that
        count the rows."""
        if not self._are_distinct_whole_numbers:
            return False
        counted = len(self._steps) >= MIN_COUNTED - 1 and set(self._steps) == {1}
        return counted or ID_NAME.fullmatch(self.name.strip()) is not None

    @cached_property
    def are_epochs(self) -> bool:
        """Whether the values are times since 1970: they have the form of these, and the column has
        the name of dates, or they increase from row to row and it has a name of times."""
        name = self.name.strip()
        named = name.lower() in DATE_NAMES
        named |= self.may_identify_rows and TIME_NAME.fullmatch(name) is not None
        texts = list(map(str, self.present))
        return named and any(all(map(form.fullmatch, texts)) for form in EPOCH_FORMS if texts)

    @cached_property
    def may_identify_rows(self) -> bool:
        """Whether the values are distinct whole numbers that increase from row to row, such as
        identifiers, or the values of a sorted column."""
        return self._are_distinct_whole_numbers and min(self._steps) > 0

    @cached_property
    def _are_distinct_whole_numbers(self) -> bool:
        whole = self.content == "numbers" and self.are_whole_numbers
        return whole and self.distinct == len(self.present) > 1

    @cached_property
    def _steps(self) -> list[float]:
        """The differences between each number and the one before."""
        numbers = [float(item) for item in self.present if is_number(item)]
        return [later - earlier for earlier, later in itertools.pairwise(numbers)]

    @cached_property
    def distinct(self) -> int:
        """The number of distinct values."""
        return len(set(map(str, self.present)))


def _is_list(value: Any) -> bool:
    """Whether a field is a list of strings."""
    return isinstance(value, list | tuple) and all(isinstance(x, str) for x in value)


def is_number(value: Any) -> bool:
    """Whether a field is one number."""
    if isinstance(value, bool):
        return False
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _is_series(value: Any) -> bool:
    if isinstance(value, bytes):
        return False
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return False
    if isinstance(value, str):
        value = value.split()
    return hasattr(value, "__len__") and len(value) > 1 and all(map(is_number, list(value)))


def _is_file(value: Any, content: str) -> bool:
    """Whether a field is the name or the contents of a file."""
    if isinstance(value, bytes):
        if value[8:12] == b"WEBP":  # in a RIFF file, as is a recording
            return content == "image"
        return value.startswith(SIGNATURES[content])
    return isinstance(value, str) and value.lower().endswith(FILES[content])

"""The forms that dates take in the locales of the world, read from the CLDR data included in Babel.

The raw material of the `dates` data set: which patterns each locale has, and which days are
ambiguous in them. Needs only Babel.
"""

import collections
import datetime
import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from babel import Locale, localedata
from babel.dates import DateTimePattern, parse_pattern

from seqzoo.zoo.datasets import cldr

PIVOT = 1950
"""The first of the hundred years that two-digit years stand for."""

WELL_KNOWN = frozenset(
    "ar bn cs da de el en es fa fi fr he hi hu id it ja ko nl no pl pt ro ru sv ta th tr uk vi zh"
    .split()
)  # fmt: skip
"""Languages that take precedence if a word also occurs in a less well-known language."""

# The zero of each numbering system that is the default of a locale: Babel names these systems but
# does not include their digits. The other digits follow the zero in Unicode.
ZEROS = {
    "adlm": "\U0001e950",
    "arab": "\u0660",
    "arabext": "\u06f0",
    "beng": "\u09e6",
    "cakm": "\U00011136",
    "deva": "\u0966",
    "hmnp": "\U0001e140",
    "mtei": "\uabf0",
    "mymr": "\u1040",
    "nkoo": "\u07c0",
    "olck": "\u1c50",
    "tibt": "\u0f20",
}

_FIELD = re.compile(r"'[^']*'|([A-Za-z])\1*")
_NUMBER = re.compile(r"\d+")
_PLACEHOLDER = re.compile(r"M\d\d")


@dataclass(frozen=True)
class Form:
    """One way of writing a date in one locale.

    Attributes:
        locale: the locale's identifier, such as "en_GB".
        pattern: the CLDR pattern, such as "EEE, d MMM y".
        months: the months whose names are unambiguous in this form, 1 to 12; None if it writes
            months as numbers.
    """

    locale: str
    pattern: str
    months: frozenset[int] | None

    def write(self, day: datetime.date, native: bool = False) -> str | None:
        """The day in this form; None if the text could also be read as another day.

        Args:
            day: the day to write.
            native: whether to write the locale's own digits, if it has any.
        """
        if self.months is None and readings(_bare(self, day)) != {day}:
            return None
        if self.months is not None and day.month not in self.months:
            return None
        text = cldr.typed(_parsed(self.pattern).apply(day, _locale(self.locale)))
        return text.translate(digits(self.locale)) if native else text


def readings(text: str) -> set[datetime.date]:
    """All days that a numeric date can mean; empty if it is not a date.

    A year of four digits that comes first is followed by the month and the day, as in ISO 8601.
    Otherwise the order is any that a well-known language uses with these separators: dots imply the
    order day, month, year, while slashes are used in more than one order. If there is no such
    order, or none of them gives a date, any order is possible. Two-digit years stand for the
    hundred years from `PIVOT` on.
    """
    numbers = _NUMBER.findall(text)
    if len(numbers) != 3:
        return set()
    first, second, third = (len(number) == 4 for number in numbers)
    possible = {
        (True, False, False): {"ymd"},
        (False, False, True): {"dmy", "mdy"},
        (False, False, False): {"dmy", "mdy", "ymd"},
    }.get((first, second, third), set())
    known = _orders().get((_separators(text), first or third), possible)
    return _days(numbers, possible & known) or _days(numbers, possible)


def _days(numbers: list[str], orders: Iterable[str]) -> set[datetime.date]:
    """The days that three numbers mean in the given orders."""
    results = set()
    for order in orders:
        values = dict(zip(order, map(int, numbers), strict=True))
        year = values["y"]
        if year < 100:
            year = PIVOT + (year - PIVOT) % 100
        try:
            results.add(datetime.date(year, values["m"], values["d"]))
        except ValueError:
            continue
    return results


@functools.cache
def _orders() -> dict[tuple[tuple[str, ...], bool], set[str]]:
    """The orders of day, month and year in the numeric dates of `WELL_KNOWN` languages.

    Returns: the text before, between and after the numbers, and whether the year has four
        digits -> orders, such as "dmy".
    """
    results = collections.defaultdict(set)
    for identifier in localedata.locale_identifiers():
        if _locale(identifier).language not in WELL_KNOWN:
            continue
        for pattern in _patterns(_locale(identifier)):
            form = _form(identifier, pattern)
            if form is None or form.months is not None:
                continue
            text = _bare(form, _sample(10))
            order = [match[1] for match in _FIELD.finditer(_without_weekday(pattern)) if match[1]]
            named = "".join(order).replace("M", "m").replace("L", "m")
            if sorted(named) == ["d", "m", "y"]:
                results[_separators(text), "2024" in text].add(named)
    return dict(results)


def _separators(text: str) -> tuple[str, ...]:
    """The text before, between and after the numbers of a date."""
    return tuple(_NUMBER.split(text))


def forms() -> dict[str, dict[str, list[Form]]]:
    """Every language's forms, in each of its locales that writes dates in its own way.

    These are left out: locales without month names, and those that write all dates as an earlier
    locale of their language does; forms with a one-letter month; forms that name the month but have
    a two-digit year; and forms for which CLDR has only placeholders ("2021 M03 4", English weekdays
    in another language).

    One word may name different months in a form that two languages share: "25 Kas 2024" is in
    November in Turkish and in May in Taita. It keeps the meaning that it has in `WELL_KNOWN`
    languages; if there is none, or more than one, it is left out of that form in all of them.

    Returns: language -> locale -> forms, such as forms()["en"]["en_GB"]; in a fixed order.
    """
    results: dict[str, dict[str, list[Form]]] = collections.defaultdict(dict)
    seen = set()
    for identifier in sorted(localedata.locale_identifiers()):
        locale = _locale(identifier)
        locale_forms = [
            form for pattern in _patterns(locale) if (form := _form(identifier, pattern))
        ]
        if _PLACEHOLDER.fullmatch(locale.months["format"]["wide"][1]):
            continue
        texts = tuple(form.write(_sample(month)) for form in locale_forms for month in range(1, 13))
        key = (locale.language, locale.default_numbering_system, texts)
        if key not in seen:
            seen.add(key)
            results[locale.language][identifier] = locale_forms
    meanings = _meanings(
        form for locales in results.values() for value in locales.values() for form in value
    )
    return {
        language: {
            identifier: [_certain(form, meanings) for form in value]
            for identifier, value in locales.items()
        }
        for language, locales in results.items()
    }


@functools.cache
def digits(locale: str) -> dict[int, str]:
    """The locale's own digits, for `str.translate`; empty if they are 0-9."""
    zero = ZEROS.get(_locale(locale).default_numbering_system)
    return {ord("0") + n: chr(ord(zero) + n) for n in range(10)} if zero else {}


def _meanings(forms: Iterable[Form]) -> dict[str, set[int]]:
    """The months that a name can mean in a form: text of a day, without the weekday -> months."""
    well_known: dict[str, set[int]] = collections.defaultdict(set)
    meanings: dict[str, set[int]] = collections.defaultdict(set)
    for form in forms:
        for month in form.months or ():
            text = _bare(form, _sample(month))
            meanings[text].add(month)
            if _locale(form.locale).language in WELL_KNOWN:
                well_known[text].add(month)
    return meanings | well_known


def _certain(form: Form, meanings: dict[str, set[int]]) -> Form:
    """The form, restricted to the months whose names are unambiguous."""
    if form.months is None:
        return form
    kept = {month for month in form.months if meanings[_bare(form, _sample(month))] == {month}}
    return replace(form, months=frozenset(kept))


def _form(identifier: str, pattern: str) -> Form | None:
    """A locale's form; None if CLDR has only placeholders for its words."""
    locale = _locale(identifier)
    fields = [match[0] for match in _FIELD.finditer(pattern) if match[1]]
    weekdays = [field for field in fields if field[0] in "Ec"]
    if weekdays and locale.language != "en":
        week = [datetime.date(2024, 1, day) for day in range(1, 8)]
        shown = [
            [_parsed(weekdays[0]).apply(day, item) for day in week]
            for item in (locale, _locale("root"))
        ]
        if shown[0] == shown[1]:
            return None
    months = [field for field in fields if field[0] in "ML" and len(field) > 2]
    if not months:
        return Form(identifier, pattern, None)
    words = [_parsed(months[0]).apply(_sample(month), locale) for month in range(1, 13)]
    if any(map(_PLACEHOLDER.fullmatch, words)):
        return None
    # Some locales have only numbers instead of names.
    named = all(any(map(str.isalpha, word)) for word in words)
    return Form(identifier, pattern, frozenset(range(1, 13)) if named else None)


def _patterns(locale: Locale) -> list[str]:
    """The patterns of a locale's dates with a year, a month and a day; each once."""
    results = [
        locale.date_formats[length].pattern for length in ("full", "long", "medium", "short")
    ]
    for skeleton, pattern in sorted(locale.datetime_skeletons.items()):
        if set("yMd") <= set(skeleton) <= set("yMdE"):
            results.append(pattern.pattern)
    return [pattern for pattern in dict.fromkeys(results) if _is_clear(pattern)]


def _is_clear(pattern: str) -> bool:
    fields = {match[0] for match in _FIELD.finditer(pattern)}
    if fields & {"MMMMM", "LLLLL"}:
        return False
    return "yy" not in fields or not fields & {"MMM", "MMMM", "LLL", "LLLL"}


def _bare(form: Form, day: datetime.date) -> str:
    """The day in a form without its weekday, whose name may contain a number ("thứ 5")."""
    return cldr.typed(_parsed(_without_weekday(form.pattern)).apply(day, _locale(form.locale)))


@functools.cache
def _without_weekday(pattern: str) -> str:
    return _FIELD.sub(lambda match: "" if match[1] in ("E", "c") else match[0], pattern)


def _sample(month: int) -> datetime.date:
    """A day whose number cannot be read as a month or a year."""
    return datetime.date(2024, month, 25)


@functools.cache
def _locale(identifier: str) -> Locale:
    return Locale.parse(identifier)


@functools.cache
def _parsed(pattern: str) -> DateTimePattern:
    return parse_pattern(pattern)

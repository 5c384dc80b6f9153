"""Names of things in the languages of the world, read from the CLDR data included in Babel.

The raw material of the `languages` data set: what each locale itself calls territories, languages,
scripts, currencies, cities, time zones, months, days and units. Needs only Babel.
"""

import collections
import functools
import pickle
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import babel
from babel import localedata

# Locales that are left out, because many of their names are those of a better-known language. The
# percentages say how many of their names, in CLDR 47, also occur in that language, which would
# otherwise lose these names.
NEAR_COPIES = {
    "bs_Cyrl": "sr",  # 71%
    "en_Dsrt": "en",  # English letter by letter in the Deseret and Shavian alphabets,
    "en_Shaw": "en",  # which nobody would call English text
    "kxv_Deva": "hi",  # 53%; Kuvi in Latin script, with names of its own, is kept
    "kxv_Orya": "or",  # 28%
    "kxv_Telu": "te",  # 79%
    "hi_Latn": "en",  # 29%; Hindi mixed with English
    "trw": "ur",  # 88%
    "xnr": "hi",  # 67%
    "yue": "zh",  # 90%, in traditional Chinese
}

# Languages, by the one that they borrow from: their locales use its names if they have none of
# their own, and such names do not count as theirs. (Without this, English keeps 511 names and loses
# 770 to Wolof, Xhosa, Filipino and Igbo.)
BORROWERS = {
    "en": ("fil", "ha", "ie", "ig", "om", "so", "wo", "xh"),
    "es": ("qu",),
    "id": ("jv",),
}

# Nynorsk lists only its differences from Bokmål; both are Norwegian here.
MERGED = {"nb": "no", "nn": "no"}

# Languages without a name in CLDR's English locale.
ENGLISH_NAMES = {"lld": "Ladin", "no": "Norwegian"}

_DATED = re.compile(r"\s*[(（][^()（）]*\d[^()（）]*[)）]")  # "peso argentino (1983–1985)"
_PLACEHOLDER = re.compile(r"\{\d\}")
# Soft hyphens, zero-width spaces and direction marks are typography; zero-width (non-)joiners are
# part of the spelling in Persian and in Indic scripts, and are kept.
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_JOINERS = "\u200c\u200d"
_DIGIT = re.compile(r"\d")
_LETTER = re.compile(r"[^\W\d_]")
_OUTSIDE_LATIN = re.compile(r"[^\W\d_A-Za-z\u00c0-\u02ff\u1e00-\u1eff]")


def typed(text: str) -> str:
    """The text as a person would type it: with accents composed (NFC), a single space for every run
    of whitespace, and no direction marks or soft hyphens."""
    text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text))
    return " ".join(text.split()).strip(_JOINERS)


def clean(name: str) -> str:
    """The name as a person would type it, without bracketed years; empty if it is not a word.
    Single characters, names that contain digits or no letter, and names all in capitals (codes and
    abbreviations) are not words.
    """
    text = typed(_PLACEHOLDER.sub("", _DATED.sub("", unicodedata.normalize("NFC", name))))
    if len(text) < 2 or _DIGIT.search(text) or text.isupper() or not _LETTER.search(text):
        return ""
    return text


def english_name(language: str) -> str:
    """The English name of a language code: "fr" -> "French"."""
    return ENGLISH_NAMES.get(language) or babel.Locale("en").languages.get(language, language)


def names(minimum: int) -> dict[str, dict[str, str]]:
    """Every language's own names, each with the item that it names.

    A name is kept only if it belongs to a single language, ignoring case; a language is kept only
    if it has at least `minimum` names. Languages are dropped one at a time, the one with the fewest
    names first, so that the names it shared return to the others.

    Returns: language -> name -> item, such as names(300)["fr"]["Allemagne"] == "territories/DE";
        languages and names in a fixed order.
    """
    result = _all_names()
    for lender, borrowers in BORROWERS.items():
        for borrower in borrowers:
            for key in result[lender].keys() & result[borrower].keys():
                del result[borrower][key]
    holders: dict[str, set[str]] = collections.defaultdict(set)
    for language, keys in result.items():
        for key in keys:
            holders[key].add(language)
    alone = {
        language: sum(len(holders[key]) == 1 for key in keys) for language, keys in result.items()
    }
    while alone:
        fewest = min(alone, key=lambda language: (alone[language], language))
        if alone[fewest] >= minimum:
            break
        del alone[fewest]
        for key in result.pop(fewest):
            holders[key].remove(fewest)
            if len(holders[key]) == 1:
                alone[next(iter(holders[key]))] += 1
    return {
        language: dict(
            sorted(named for key, named in result[language].items() if len(holders[key]) == 1)
        )
        for language in sorted(result)
    }


def _all_names() -> dict[str, dict[str, tuple[str, str]]]:
    """language -> name in lower case -> (name, item), before shared names are left out."""
    results: dict[str, dict[str, tuple[str, str]]] = collections.defaultdict(dict)
    for locale in sorted(localedata.locale_identifiers()):
        language = locale.split("_")[0]
        if locale == "root" or locale in NEAR_COPIES or language in NEAR_COPIES:
            continue
        data = _own_data(locale)
        language = MERGED.get(language, language)
        for item, name in _named(data):
            text = clean(name)
            if text:
                results[language].setdefault(text.casefold(), (text, item))
    return {language: _in_own_script(keys) for language, keys in results.items()}


def _own_data(locale: str) -> dict[str, Any]:
    """A locale without inherited data: Haitian Creole would otherwise contain all of French.

    It is not read with `localedata.load`, whose cache does not distinguish complete locales from
    such parts: whichever is loaded first would be returned for both.
    """
    with open(localedata.resolve_locale_filename(locale), "rb") as file:
        return pickle.load(file)


def _named(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each (item, name) of a locale; an item's plural forms and the like share the item."""
    for kind in ("territories", "languages", "scripts", "variants", "currency_names"):
        for code, name in data.get(kind, {}).items():
            if name.casefold() != code.casefold():  # not a code that is its own name
                yield f"{kind}/{code}", name
    for code, forms in data.get("currency_names_plural", {}).items():
        yield from ((f"currency_names/{code}", name) for name in forms.values())
    for zone, entry in data.get("time_zones", {}).items():
        if "city" in entry:
            yield f"cities/{zone}", entry["city"]
    for zone, entry in data.get("meta_zones", {}).items():
        long = _table(entry.get("long"))
        # One form per zone: the summer and winter forms only add a word.
        for form in ("generic", "standard"):
            if form in long:
                yield f"zones/{zone}", long[form]
                break
    for kind in ("months", "days"):
        for context in data.get(kind, {}).values():
            for number, name in _table(_table(context).get("wide")).items():
                yield f"{kind}/{number}", name
    for unit, forms in data.get("unit_display_names", {}).items():
        if "long" in forms:
            yield f"units/{unit}", forms["long"]


def _table(entry: object) -> dict:
    """A locale's own part of a table that may refer to another."""
    if isinstance(entry, tuple):  # (alias, what differs from it)
        entry = entry[1]
    return entry if isinstance(entry, dict) else {}


def _in_own_script(keys: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Leaves out names in a script that a language hardly uses: they belong to another language, or
    are codes."""
    scripts = {key: _script(name) for key, (name, _) in keys.items()}
    used = collections.Counter(scripts.values())
    return {key: named for key, named in keys.items() if used[scripts[key]] >= 0.03 * len(keys)}


def _script(name: str) -> str:
    """The script of a name's first non-Latin letter, otherwise Latin ("IPA 拼音" is Chinese)."""
    letter = _OUTSIDE_LATIN.search(name)
    return _letter_script(letter[0]) if letter else "LATIN"


@functools.cache
def _letter_script(letter: str) -> str:
    """The first word of a letter's Unicode name, which is its script."""
    return unicodedata.name(letter, "?").split()[0]

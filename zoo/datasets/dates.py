"""The `dates` data set: dates as people write them in about 280 languages -> ISO 8601."""

import datetime
import random
from collections.abc import Iterator
from typing import NamedTuple

import babel
import tensorflow_datasets as tfds

from seqzoo.zoo.datasets import date_forms
from seqzoo.zoo.datasets.hash_splits import split_of

PAIRS = 150_000
"""Number of dates in the data set."""
FIRST_YEAR, LAST_YEAR = 1900, 2099
FIRST_RECENT, LAST_RECENT = 1980, 2039
"""The years from which half of the dates are drawn; the others are from all years."""

WELL_KNOWN_SHARE = 4
"""Number of dates in a well-known language, as a multiple of that in any other language."""


class Pair(NamedTuple):
    """A date as written in a locale ("25 mars 2021", "fr") and in ISO 8601 ("2021-03-25")."""

    text: str
    iso: str
    locale: str


class Dates(tfds.core.GeneratorBasedBuilder):
    """Dates as people write them, in about 280 languages -> ISO 8601.

    Made, without a download, from the Unicode CLDR data included in Babel; see `date_forms.py`.
    `text` is a date in one of the forms of `locale`: full ("jeudi 25 mars 2021"), long, medium,
    short ("25/03/2021"), with or without the day of the week; `iso` is the same day as
    "2021-03-25". All days are in the Gregorian calendar. In locales with their own digits, half of
    the dates are written in them. The years are 1900 to 2099; two thirds of the dates are from
    1980 to 2039.

    Each text occurs once and has a single meaning:

    - Numeric dates are kept only if they can be read in one way. 2021-03-04 is March 4: a year
      of four digits that comes first is followed by month and day. 25/03/2021 and 3/25/2021 are
      the same day, since there is no month 25; 03/04/2021 is left out, 03/03/2021 is kept. With
      dots between the numbers, well-known languages write the day first: 03.04.2021 is April 3.
    - Two digits are a year from 1950 to 2049: 25.3.99 and 03.03.21 are kept, 3/4/21 is left out.
    - A word that names different months in two languages (Kas: November in Turkish, May in Taita)
      has one meaning in forms that both languages write alike: that of the better-known language.

    Split by day: no day of one split occurs in another in any locale, so that the test dates do not
    occur in training in any form. The number of dates in a language does not depend on the number
    of its locales; there are four times as many in each of 31 well-known languages as in each of
    the others. Half of them are in the language's main locale, the rest in regional ones that write
    dates differently, if there are any.
    """

    # The second number is Babel's release; see `Languages`.
    VERSION = tfds.core.Version("2.{}{:02d}.0".format(*map(int, babel.__version__.split(".")[:2])))
    RELEASE_NOTES = {str(VERSION): f"Dots put the day first; from Babel {babel.__version__}."}

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=Dates.__doc__,
            features=tfds.features.FeaturesDict(
                {name: tfds.features.Text() for name in Pair._fields}
            ),
            supervised_keys=("text", "iso"),
            homepage="https://cldr.unicode.org",
            license="Unicode License v3",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        result = pairs(PAIRS)
        return {
            split: self._generate_examples(result, split)
            for split in ("train", "validation", "test")
        }

    def _generate_examples(
        self, pairs: list[Pair], split: str
    ) -> Iterator[tuple[str, dict[str, str]]]:
        for pair in pairs:
            if split_of(pair.iso) == split:
                yield pair.text, pair._asdict()


def pairs(count: int, seed: int = 0) -> list[Pair]:
    """Draws dates, each text once; the same ones every time.

    Args:
        count: number of dates; above a few hundred thousand the short forms run out.
        seed: the random seed.
    """
    languages = list(date_forms.forms().items())
    weights = [WELL_KNOWN_SHARE if name in date_forms.WELL_KNOWN else 1 for name, _ in languages]
    generator = random.Random(seed)
    results: dict[str, Pair] = {}
    while len(results) < count:
        language, locales = generator.choices(languages, weights)[0]
        others = [locale for locale in locales if locale != language]
        is_own = language in locales and (not others or generator.random() < 0.5)
        locale = language if is_own else generator.choice(others)
        form = generator.choice(locales[locale])
        day = _day(generator)
        text = form.write(day, native=generator.random() < 0.5)
        if text is not None:
            results.setdefault(text, Pair(text, day.isoformat(), locale))
    return list(results.values())


def _day(generator: random.Random) -> datetime.date:
    is_recent = generator.random() < 0.5
    first, last = (FIRST_RECENT, LAST_RECENT) if is_recent else (FIRST_YEAR, LAST_YEAR)
    start, end = datetime.date(first, 1, 1), datetime.date(last + 1, 1, 1)
    return start + datetime.timedelta(days=generator.randrange((end - start).days))

"""The data set `dates`: each text has one right answer, and test days are not trained on."""

import collections
import datetime
import hashlib
import os
import pathlib
import re
import statistics
import subprocess
import sys

import pytest

from seqzoo.zoo import datasets
from seqzoo.zoo.datasets import date_forms

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEEKDAYS = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}


@pytest.fixture(scope="module")
def forms():
    return date_forms.forms()


@pytest.fixture(scope="module")
def pairs():
    from seqzoo.zoo.datasets import dates

    return dates.pairs(5000)


def day(iso: str) -> datetime.date:
    return datetime.date.fromisoformat(iso)


def written(locales, iso: str) -> set[str | None]:
    """A day in every form of a language."""
    return {form.write(day(iso)) for locale in locales.values() for form in locale}


@pytest.mark.parametrize(
    "text, days",
    [
        ("2021-03-04", ["2021-03-04"]),
        ("2021. 3. 4.", ["2021-03-04"]),
        ("2021-13-04", []),
        ("25/03/2021", ["2021-03-25"]),
        ("3/25/2021", ["2021-03-25"]),
        ("03/04/2021", ["2021-03-04", "2021-04-03"]),
        ("3.3.2021", ["2021-03-03"]),
        ("٢٥‏/٣‏/٢٠٢١", ["2021-03-25"]),
        ("25.3.99", ["1999-03-25"]),
        ("99/3/25", ["1999-03-25"]),
        ("25.3.49", ["2049-03-25"]),
        ("25.3.50", ["1950-03-25"]),
        ("25.3.21", ["2021-03-25"]),
        ("03.04.2021", ["2021-04-03"]),
        ("03.03.21", ["2021-03-03"]),
        ("1/2/03", ["2003-01-02", "2003-02-01"]),
        ("29.2.2023", []),
        ("25 March 2021", []),
        ("3/2021", []),
    ],
)
def test_readings(text: str, days: list[str]) -> None:
    assert date_forms.readings(text) == set(map(day, days))


@pytest.mark.parametrize(
    "language, iso, text",
    [
        ("en", "2021-03-25", "Thursday, March 25, 2021"),
        ("en", "2021-03-25", "3/25/2021"),
        ("en", "2021-03-25", "25/03/2021"),
        ("en", "2021-03-04", "4 Mar 2021"),
        ("en", "2021-03-04", "2021-03-04"),
        ("de", "2021-03-04", "Donnerstag, 4. März 2021"),
        ("de", "1999-05-31", "31.05.99"),
        ("fr", "2000-12-01", "1 décembre 2000"),
        ("es", "1944-06-06", "6 de junio de 1944"),
        ("ru", "1961-04-12", "12 апреля 1961 г."),
        ("zh", "2021-03-04", "2021年3月4日星期四"),
        ("ja", "2021-03-04", "2021年3月4日木曜日"),
        ("ko", "2021-03-04", "2021년 3월 4일 목요일"),
        ("vi", "2021-03-04", "4 tháng 3, 2021"),
        ("tr", "2024-11-25", "25 Kas 2024"),
    ],
)
def test_forms_of_well_known_languages(forms, language: str, iso: str, text: str) -> None:
    # In whichever of its locales: CLDR's order decides which of two equal ones is kept.
    assert text in written(forms[language], iso)


@pytest.mark.parametrize(
    "language, iso, text",
    [
        ("en", "2021-03-04", "3/4/2021"),
        ("en", "2021-03-04", "04/03/2021"),
        ("en", "2021-03-04", "3/4/21"),
        ("ky", "2021-03-04", "2021-04-03"),
        ("dav", "2024-05-25", "25 Kas 2024"),
    ],
)
def test_ambiguous_dates_are_not_written(forms, language, iso, text) -> None:
    assert text not in written(forms[language], iso)


def test_native_digits(forms) -> None:
    texts = {form.write(day("2021-03-25"), native=True) for form in forms["bn"]["bn"]}
    assert "২৫ মার্চ, ২০২১" in texts
    english = forms["en"]["en"][0]
    assert english.write(day("2021-03-25"), native=True) == english.write(day("2021-03-25"))


def test_no_text_of_any_form_means_two_days(forms) -> None:
    # Brute force over all forms: small and large days of all months, two years.
    days = [
        datetime.date(year, month, number)
        for month in range(1, 13)
        for year, number in ((2012, month % 12 + 1), (2012, 10), (2011, 12), (2011, 25))
    ]
    meanings = collections.defaultdict(set)
    everything = [f for locales in forms.values() for locale in locales.values() for f in locale]
    for form in everything:
        for each in days:
            meanings[form.write(each)].add(each)
    del meanings[None]
    assert {text: found for text, found in meanings.items() if len(found) > 1} == {}
    assert len(meanings) > 20_000


def test_well_known_languages_have_all_months(forms) -> None:
    # A language that fewer people know must not cost them a word.
    for language in date_forms.WELL_KNOWN:
        for locale, value in forms[language].items():
            if locale == language:
                assert {form.months for form in value} <= {None, frozenset(range(1, 13))}, language


def test_texts_contain_the_day_and_the_year(pairs) -> None:
    for text, iso, _ in pairs:
        numbers = {int(number) for number in re.findall(r"\d+", text)}
        assert day(iso).day in numbers
        assert numbers & {day(iso).year, day(iso).year % 100}, text


def test_texts_are_clean_and_without_placeholders(pairs) -> None:
    for text, _, locale in pairs:
        assert text == " ".join(text.split()) and "\u200f" not in text
        assert not re.search(r"M\d\d", text), (text, locale)
        # CLDR has no names of weekdays for these, Babel returns the English ones.
        if locale.split("_")[0] in ("nnh", "tok", "ff"):
            assert not WEEKDAYS & set(re.findall(r"\w+", text)), (text, locale)


def test_dates_of_numbers_only_are_read_in_one_way(pairs) -> None:
    checked = 0
    for text, iso, _ in pairs:
        numbers = re.findall(r"\d+", text)
        if re.search(r"[^\W\d]", text) or not any(len(number) == 4 for number in numbers):
            continue
        ascii_text = "-".join(str(int(number)) for number in numbers)
        # Months come first between slashes, or where the day could not.
        months_first = ("%m-%d-%Y",) if "/" in text or int(numbers[1]) > 12 else ()
        results = set()
        for form in ("%Y-%m-%d", "%d-%m-%Y", *months_first):
            try:
                results.add(datetime.datetime.strptime(ascii_text, form).date())
            except ValueError:
                continue
        assert results == {day(iso)}, text
        checked += 1
    assert checked > 500


def test_shares(pairs) -> None:
    assert len({pair.text for pair in pairs}) == len(pairs) == 5000
    years = [day(pair.iso).year for pair in pairs]
    assert 1900 <= min(years) < 1910 and 2090 < max(years) <= 2099
    # Half of all, and of the other half 60 years of 200.
    assert 0.62 < sum(1980 <= year < 2040 for year in years) / len(years) < 0.68
    counts = collections.Counter(pair.locale.split("_")[0] for pair in pairs)
    known = statistics.mean(counts[name] for name in date_forms.WELL_KNOWN)
    others = statistics.mean(n for name, n in counts.items() if name not in date_forms.WELL_KNOWN)
    assert 3 < known / others < 5
    regional = [pair.locale for pair in pairs if pair.locale.startswith("en")]
    assert 0.3 < regional.count("en") / len(regional) < 0.7


@pytest.mark.exhaustive
@pytest.mark.slow
def test_pairs_are_the_same_in_another_process(pairs) -> None:
    program = (
        "import hashlib; from seqzoo.zoo.datasets import dates\n"
        "print(hashlib.sha256(repr(dates.pairs(300)).encode()).hexdigest())"
    )
    output = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "5"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert output.strip() == hashlib.sha256(repr(pairs[:300]).encode()).hexdigest()


def test_splits_share_no_day(tmp_path, pairs, monkeypatch) -> None:
    from seqzoo.zoo.datasets import dates

    monkeypatch.setattr(dates, "pairs", lambda count: pairs[:2000])
    builder = datasets.load("dates", tmp_path)
    found, days = [], {}
    for split in ("train", "validation", "test"):
        data = builder.as_dataset(split=split, batch_size=-1)
        columns = ([v.decode("utf-8") for v in data[name].numpy()] for name in dates.Pair._fields)
        prepared = [dates.Pair(*values) for values in zip(*columns, strict=True)]
        days[split] = {pair.iso for pair in prepared}
        found += prepared
    assert sorted(found) == sorted(pairs[:2000])
    assert not days["train"] & days["test"] and not days["train"] & days["validation"]
    assert not days["validation"] & days["test"]
    assert all(150 < len(days[split]) < 250 for split in ("validation", "test"))

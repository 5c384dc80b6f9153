"""Tables with dates: forms of dates, frequencies, gaps, duplicates, and splits by time."""

import datetime
import pathlib
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seqzoo.tasks import Examples, Forecast, SeqzooError
from seqzoo.tasks.data.frequency import Frequency, shown_dates
from seqzoo.tasks.data.history import History
from seqzoo.zoo.data.date_parsing import joined_dates, parse_dates
from seqzoo.zoo.data.histories import open_histories, read_histories, split_by_time
from seqzoo.zoo.data.source import UNDATED, Source
from seqzoo.zoo.data.time_zones import to_local
from seqzoo.zoo.data_check.check import check
from seqzoo.zoo.data_check.columns import guess
from seqzoo.zoo.inference.backtest import backtest
from seqzoo.zoo.inference.forecasts import Forecaster, ForecastTable
from seqzoo.zoo.training.train import INFERRED


def _dates(texts: list[str], form: str | None = None) -> list[str]:
    result = parse_dates(texts, lambda row: f"a.csv, line {row + 2}", "date", form)
    return result.astype(str).tolist()


@pytest.mark.parametrize(
    "text, date",
    [
        ("2016-07-01 03:00:00", "2016-07-01T03:00:00"),
        ("2016-07-01T03:00:00+02:00", "2016-07-01T01:00:00"),
        ("2016-07-01 03:00:00+02", "2016-07-01T01:00:00"),
        ("2016/7/1", "2016-07-01T00:00:00"),
        ("20160701", "2016-07-01T00:00:00"),
        ("2016070103", "2016-07-01T03:00:00"),
        ("201607010345", "2016-07-01T03:45:00"),
        ("31.12.2016 7:05", "2016-12-31T07:05:00"),
        ("12/31/2016 12:30 AM", "2016-12-31T00:30:00"),
        ("1 January 2016", "2016-01-01T00:00:00"),
        ("01-Jan-16", "2016-01-01T00:00:00"),
        ("March 3, 2016", "2016-03-03T00:00:00"),
        ("1949-01", "1949-01-01T00:00:00"),
        ("Jan 2016", "2016-01-01T00:00:00"),
        ("2016Q3", "2016-07-01T00:00:00"),
        ("Sept. 2016", "2016-09-01T00:00:00"),
        ("Jan-16", "2016-01-01T00:00:00"),
        ("Q3 2016", "2016-07-01T00:00:00"),
        ("3Q2016", "2016-07-01T00:00:00"),
        ("Mon 4 Jan 2016 9am", "2016-01-04T09:00:00"),
        ("Wednesday, January 6, 2016", "2016-01-06T00:00:00"),
        ("Thurs 2016-01-07", "2016-01-07T00:00:00"),
        ("2016-W05", "2016-02-01T00:00:00"),
        ("1999", "1999-01-01T00:00:00"),
        ("1467331200", "2016-07-01T00:00:00"),
        ("2016-07-01 03:00:00.25", "2016-07-01T03:00:00.250000"),
        ("31.7.2016 3:00:00,000250000 PM", "2016-07-31T15:00:00.000250"),
        ("1467331200.5", "2016-07-01T00:00:00.500000"),
        ("1467331200250", "2016-07-01T00:00:00.250000"),
        ("146733120250", "1974-08-26T07:12:00.250000"),
        ("1467331200250123", "2016-07-01T00:00:00.250123"),
        ("1467331200250123456", "2016-07-01T00:00:00.250123"),
    ],
)
def test_dates_are_read_in_any_common_form(text: str, date: str) -> None:
    assert _dates([text]) == [date]


def test_a_column_says_whether_the_day_or_the_month_comes_first() -> None:
    weeks = ["03/02/2020", "10/02/2020", "02/03/2020", "09/03/2020"]
    assert _dates(weeks)[1] == "2020-02-10T00:00:00"
    months = [f"{month}/1/{year}" for year in (1949, 1950) for month in range(1, 13)]
    assert _dates(months)[1] == "1949-02-01T00:00:00"
    assert _dates(["01/01/2019", "01/01/2020"])[1] == "2020-01-01T00:00:00"  # in either case
    assert _dates(["01/02/2020", "01/31/2020"])[0] == "2020-01-02T00:00:00"
    for either in (["01/02/2020"], ["01/01/2020", "02/01/2020", "03/01/2020"]):
        with pytest.raises(
            SeqzooError, match="the day or the month first.*--date-format day/month"
        ):
            _dates(either)
    assert _dates(["01/02/2020"], "%d/%m/%Y") == ["2020-02-01T00:00:00"]


def test_columns_that_are_left_out_for_how_their_numbers_are_written(tmp_path) -> None:
    rows = "".join(
        f'2024-01-{day:02},{day}.5,${day}.47,"1,669,{day:03}",x{day}\n' for day in range(1, 29)
    )
    text = "date,open,close,volume,note\n" + rows
    _, source, notes = read_histories(_table(tmp_path, text, target=None).absolute())
    assert source.target == "open"
    (note,) = (item for item in notes if item.startswith("Not forecast"))
    assert "close ('$1.47'), volume ('1,669,001')." in note
    text = "date,cpu\n2024-01-01,7\n2024-01-02,50.000 %\n2024-01-03,51.000 %\n"
    message = r"\(date, cpu\); cpu \('50.000 %'\) has numbers that are not written as 1234.5; corr"
    with pytest.raises(SeqzooError, match=message):
        read_histories(_table(tmp_path, text, target=None).absolute())


@pytest.mark.parametrize(
    "names, row",
    [
        ("Date,Time", "{0.day:02}/{0.month:02}/{0.year},{0.hour:02}.00.00"),
        ("Date,Time", "{0.day}/{0.month}/{0.year},{0.hour:02}:00:00"),
        ("year,month,day,hour", "{0.year},{0.month},{0.day},{0.hour}"),
        ("date,hour", "{0:%Y%m%d},{0.hour}"),
    ],
)
def test_parts_of_a_date_in_several_columns(tmp_path, names: str, row: str) -> None:
    hours = [datetime.datetime(2024, 3, 30) + datetime.timedelta(hours=hour) for hour in range(60)]
    rows = "".join(f"{row.format(hour)},{index}.5\n" for index, hour in enumerate(hours))
    source = _table(tmp_path, f"{names},sold\n{rows},{',' * names.count(',')}\n", date_column=names)
    (history,), source, _ = read_histories(source.absolute())
    assert (source.frequency, source.target, len(history)) == ("hour", "sold", 60)
    assert history.dates[[0, -1]].astype(str).tolist() == [
        "2024-03-30T00:00:00",
        "2024-04-01T11:00:00",
    ]
    guessed = guess(source.data, {} if names != "date,hour" else {"date_column": names})
    assert guessed.source.date_column == names
    assert guessed.source.series_column is None
    run: Any = SimpleNamespace(
        template=SimpleNamespace(name="forecast", levels=(), input="history", target="horizon"),
        task=SimpleNamespace(features=SimpleNamespace(targets=1)),
        source=source.to_config(),
        folder="run",
    )
    prediction = SimpleNamespace(value=(1.0,), quantiles=None, dates=history.dates[:1])
    assert Forecaster(run).table([prediction]).headers == ["date", "sold"]


def test_a_missing_part_of_a_date_is_named(tmp_path: pathlib.Path) -> None:
    text = "date,time,sold\n2024-01-01,18:00,1\n2024-01-01,,2\n"
    with pytest.raises(SeqzooError, match="line 3: 'date, time' has no date"):
        read_histories(_table(tmp_path, text, date_column="date,time").absolute())
    with pytest.raises(SeqzooError, match=r"`date_column` must name a column .* got 'hour'"):
        read_histories(_table(tmp_path, text, date_column="date,hour").absolute())


def test_local_times_when_clocks_change(tmp_path: pathlib.Path) -> None:
    hours = np.datetime64("2024-10-26T22") + np.arange(30)  # UTC
    local = sorted([*range(24), 2])  # this day has 25 hours
    rows = "".join(f"2024-10-27 {hour:02}:00,{hour}\n" for hour in local)
    rows += "".join(f"2024-10-28 {hour:02}:00,{hour}\n" for hour in range(5))
    text = "date,sold\n" + rows
    (history,), source, notes = read_histories(
        _table(tmp_path, text, timezone="Europe/Berlin").absolute()
    )
    assert history.dates.tolist() == hours.tolist() and not notes
    assert shown_dates(to_local(history.dates[2:6], "Europe/Berlin")) == [
        f"2024-10-27 {hour:02}:00" for hour in (2, 2, 3, 4)
    ]
    starts = split_by_time(
        [history], replace(source, split_at=["2024-10-27 12:00", "2024-10-27 20:00"])
    )[0]
    tested: Any = starts.test
    assert str(tested.inputs[0].dates[tested.inputs[0].since]) == "2024-10-27T19:00:00"
    plain = _table(tmp_path, text)
    with pytest.raises(SeqzooError, match="if clocks went back, name the time zone with --time"):
        read_histories(plain.absolute())
    (finding,) = [
        item for item in check(plain.data, timing=False).findings if "repeat" in item.message
    ]
    assert finding.fix.endswith("or the time zone with --timezone, if clocks went back")
    skipped = "date,sold\n2024-03-31 01:00,1\n2024-03-31 02:00,2\n"
    message = "line 3: there is no 2024-03-31 02:00 in Europe/Berlin"
    with pytest.raises(SeqzooError, match=message):
        read_histories(_table(tmp_path, skipped, timezone="Europe/Berlin").absolute())
    for offset in ("Z", "+01:00", " UTC"):
        zoned = skipped.replace(":00,", f":00{offset},")
        with pytest.raises(SeqzooError, match="line 2: '.*' has a time zone of its own, so"):
            read_histories(_table(tmp_path, zoned, timezone="Europe/Berlin").absolute())
    for zoned in ("1711843200", "1711843200000", "2024-03-31 1:00 AM UTC"):
        with pytest.raises(SeqzooError, match="line 2: '.*' (is already in UTC|has a time zone)"):
            read_histories(
                _table(tmp_path, f"date,sold\n{zoned},1\n", timezone="Europe/Berlin").absolute()
            )
    for form in ("%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M%z"):
        with pytest.raises(SeqzooError, match="has a time zone of its own"):
            parse_dates(["2024-03-31T01:00Z"], str, "date", form, "Europe/Berlin")
    with pytest.raises(SeqzooError, match="`split_at`: '.*' has a time zone of its own"):
        split_by_time([history], replace(source, split_at=["2024-10-27 12:00Z"]))
    for wrong in ("Europe", "Europe/Berlim"):
        with pytest.raises(SeqzooError, match="`timezone` must be .* such as Europe/Berlin"):
            _table(tmp_path, text, timezone=wrong)


@pytest.mark.parametrize(
    "columns, date",
    [
        ({"year": [2010], "quarter": [3]}, "2010-07-01"),
        ({"Year": [2010], "Week": [1]}, "2010-01-04"),
        ({"quarter": [3], "year": [2010]}, "2010-07-01"),
        ({"yy": [10], "m": [1], "d": [15]}, "2010-01-15"),
        ({"month": [1], "year": [2010]}, "2010-01-01"),
        ({"day": [15], "month": [1], "year": [10]}, "2010-01-15"),
        ({"year": [2010], "day": [11]}, None),
        ({"day": [11], "year": [2010]}, None),
        ({"year": [2010], "hour": [11]}, None),
        ({"a": [10], "b": [1], "c": [15]}, None),
    ],
)
def test_numbers_are_the_parts_that_their_columns_name(columns: dict, date: str | None) -> None:
    texts = joined_dates(columns)
    if date is None:
        with pytest.raises(SeqzooError, match="must be a date, .* --date-format"):
            _dates(texts)
    else:
        assert _dates(texts) == [f"{date}T00:00:00"]


def test_fractions_of_seconds(tmp_path: pathlib.Path) -> None:
    times = np.datetime64("2024-01-01") + 250 * np.arange(40).astype("timedelta64[ms]")
    rows = "".join(f"{time},{index}\n" for index, time in enumerate(times.tolist()))
    (history,), source, _ = read_histories(_table(tmp_path, "date,sold\n" + rows).absolute())
    assert (source.frequency, len(history)) == ("250 milliseconds", 40)
    following = shown_dates(history.frequency.following(history.dates, 2))
    assert following == ["2024-01-01 00:00:10.000", "2024-01-01 00:00:10.250"]
    assert history.frequency.season == 4
    assert Forecast(look_back=8, horizon=4).adapt(Examples([history])).features.frequency.count
    # Fractions that only disturb even spacing are left out.
    jobs = ["2024-01-01 02:00:00.013", "2024-01-02 02:00:00.841", "2024-01-03 02:00:00.007"]
    assert _dates(jobs) == [f"2024-01-0{day}T02:00:00" for day in (1, 2, 3)]
    assert _dates(["00.000 2024", "02.500 2024"], "%S.%f %Y")[1] == "2024-01-01T00:00:02.500000"


def test_times_with_and_without_a_time_zone_are_not_mixed() -> None:
    mixed = ["2024-03-31T00:00Z", "2024-03-31T01:00", "2024-03-31T02:00Z"]
    message = (
        r"a.csv, line 3: 'date' has a time without a time zone, '2024-03-31T01:00', but "
        r"'2024-03-31T00:00Z' in a.csv, line 2 has one; write all of them"
    )
    with pytest.raises(SeqzooError, match=message):
        _dates(mixed)
    assert len(_dates([mixed[0], mixed[2]])) == 2 and len(_dates(["2024-03-30", mixed[1]])) == 2


def test_a_wrong_date_is_named_with_its_line() -> None:
    with pytest.raises(SeqzooError, match=r"a.csv, line 3: 'date' must be a date .* '2020-02-30'"):
        _dates(["2020-02-29", "2020-02-30"])
    with pytest.raises(SeqzooError, match="a.csv, line 2: 'date' must be a date, .* 'Market 2020'"):
        _dates(["Market 2020"])
    with pytest.raises(SeqzooError, match="a.csv, line 3: 'date' has no date"):
        _dates(["2020-02-29", ""])
    with pytest.raises(SeqzooError, match="a.csv, line 2: 'date' must be a date"):
        _dates(["0001-01-01 00:00+02:00"])  # before all years that there are


def test_rows_below_the_last_date_are_named(tmp_path: pathlib.Path) -> None:
    rows = "".join(f"{day}.1.2024,{day}\n" for day in range(1, 15))
    path = tmp_path / "sales.csv"
    path.write_text(f"date,sold\n{rows}Total,105\n")
    (finding,) = [
        item for item in check(str(path), timing=False).findings if item.state == "broken"
    ]
    assert finding.message == (
        f"{path}, line 16: 'date' must be a date, got 'Total' below the last date, 14.1.2024; "
        "delete the row at the end of the table"
    )
    with pytest.raises(SeqzooError, match="line 3: .* delete the rows at the end"):
        _dates(["2024-01-01", "Total", "Average"])
    with pytest.raises(SeqzooError, match="line 3: .* like those before it"):
        _dates(["2024-01-01", "holiday", "2024-01-03"])


@pytest.mark.parametrize(
    "dates, frequency, season, following",
    [
        (["2020-01-01T00", "2020-01-01T01", "2020-01-01T03"], "hour", 24, "2020-01-01T04:00:00"),
        (["2020-01-01T00:00", "2020-01-01T00:15"], "15 minutes", 96, "2020-01-01T00:30:00"),
        (["2020-01-30", "2020-01-31", "2020-02-01"], "day", 7, "2020-02-02T00:00:00"),
        (["2020-01-31", "2020-02-29", "2020-03-31"], "month", 12, "2020-04-30T00:00:00"),
        (["2020-01-01", "2020-04-01", "2020-10-01"], "quarter", 4, "2021-01-01T00:00:00"),
        (["2019-01-01", "2020-01-01"], "year", 1, "2021-01-01T00:00:00"),
        (["2020-01-06", "2020-01-13"], "week", 52, "2020-01-20T00:00:00"),
        (
            [f"2020-01-{day:02}" for day in (6, 7, 8, 9, 10, 13, 14, 15, 16, 17)],
            "business day",
            5,
            "2020-01-20T00:00:00",
        ),
    ],
)
def test_frequencies_are_inferred(
    dates: list[str], frequency: str, season: int, following: str
) -> None:
    array = np.array(dates, "datetime64[s]")
    result = Frequency.infer(array)
    assert result is not None and str(result) == frequency and result.season == season
    assert Frequency.parse(frequency) == result
    assert result.following(array, 1).astype(str).tolist() == [following]
    steps, whole = result.positions(array)
    assert whole.all() and (result.at(array, steps) == array).all()


def test_a_history_has_evenly_spaced_dates() -> None:
    days = np.arange("2020-01-01", "2020-01-06", dtype="datetime64[D]")
    assert History(days, range(5)).values.shape == (5, 1)
    with pytest.raises(SeqzooError, match="evenly spaced, one per day; add a row of NaN"):
        History(days[[0, 1, 3]], range(3))
    with pytest.raises(SeqzooError, match="one row per date"):
        History(days, range(4))
    for wrong in (days[::-1], days[[0, 1, 1, 2, 3]], [*days[:4], "NaT"]):
        with pytest.raises(SeqzooError, match="in order, without duplicates"):
            History(wrong, range(5))
    with pytest.raises(SeqzooError, match="one or more dates"):
        History([], [], frequency=Frequency.parse("day"))
    with pytest.raises(SeqzooError, match="must be dates such as 2024-01-31T14:00"):
        History(["1 May", "2 May"], range(2))


def _table(folder: pathlib.Path, text: str, **options: Any) -> Source:
    (folder / "t.csv").write_text(text, encoding="utf-8")
    choices = {"validation": 2, "test": 2, "date_column": "date", **options}
    return Source(str(folder / "t.csv"), "history", "horizon", **choices)


def test_gaps_are_missing_values_and_named(tmp_path: pathlib.Path) -> None:
    text = "date,a,b\n" + "".join(
        f"2020-01-{day:02},{'' if day == 9 else day},{2 * day}\n"
        for day in (3, 2, 1, 4, 5, 6, 8, 9, 10, 11)
    )
    (one,), source, notes = read_histories(_table(tmp_path, text).absolute())
    assert one.values[:, 0].tolist()[:6] == [1, 2, 3, 4, 5, 6] and len(one) == 11
    assert np.isnan(one.values[6]).all() and np.isnan(one.values[8, 0])
    assert (source.target, source.frequency) == ("a,b", "day")
    assert notes == [
        "Missing steps are read as missing values: 1 after 2020-01-06 (line 7).",
        "3 of 22 values are missing.",
    ]


def test_thousands_separators_with_a_decimal_comma(tmp_path: pathlib.Path) -> None:
    rows = (("1.234,50", "1.000"), ("1.000", "1.25"), ("-2,5", "2.125"), ("0.125", "1"))
    text = "date;a;b\n" + "".join(f"2020-01-0{n};{a};{b}\n" for n, (a, b) in enumerate(rows, 1))
    (one,), _, _ = read_histories(_table(tmp_path, text, delimiter=";").absolute())
    assert one.values.T.tolist() == [[1234.5, 1000, -2.5, 0.125], [1, 1.25, 2.125, 1]]


def test_commas_before_a_decimal_point_are_not_decimal_commas(tmp_path: pathlib.Path) -> None:
    days = [f"2020-01-{day:02};5,{day:03};{100 * day}.50" for day in range(1, 31)]
    rows = "\n".join(["date;a;b", *days])
    (one,), _, notes = read_histories(_table(tmp_path, rows, delimiter=";").absolute())
    assert one.values[1].tolist() == [5.002, 200.5]
    assert notes == [
        "Numbers of a are read with a decimal comma, '5,001' as 5.001; if their commas separate "
        "thousands, delete these."
    ]
    thousands = _table(tmp_path, f"{rows}\n2020-01-31;5,031;3,100.50\n", delimiter=";").absolute()
    for decimal_comma, number in ((None, "1234.5"), (True, "1.234,5")):
        changed = replace(thousands, target="b", decimal_comma=decimal_comma)
        with pytest.raises(SeqzooError, match=f"line 32: 'b' .* such as {number}, got '3,100.50'"):
            read_histories(changed)


@pytest.mark.parametrize("cap", ["4,400.5", "12,345,678"])
def test_files_keep_the_thousands_commas_of_the_first(cap: str, tmp_path: pathlib.Path) -> None:
    rows = "".join(f"2020-01-0{day};10.27;9,790;{cap}\n" for day in range(1, 9))
    source = _table(tmp_path, "date;close;volume;cap\n" + rows, delimiter=";").absolute()
    (one,), first, notes = read_histories(source)
    assert first.target == "close" and one.values[0].tolist() == [10.27]
    assert first.decimal_comma is False
    assert notes == [
        "Not forecast, because their numbers are not written as 1234.5: volume ('9,790'), cap "
        f"('{cap}')."
    ]
    _table(tmp_path, "date;close\n2020-01-01;5,100\n")
    with pytest.raises(SeqzooError, match="line 2: 'close' .* such as 1234.5, got '5,100'"):
        read_histories(first)


def test_static_covariates_with_three_decimals_are_reported(tmp_path: pathlib.Path) -> None:
    given = {"delimiter": ";", "static_columns": ["size"], "target": "a"}
    text = "date;a;size\n2020-01-01;10,5;5,100\n2020-01-02;10,5;5,100\n"
    (one,), _, (note,) = read_histories(_table(tmp_path, text, **given).absolute())
    assert one.static == ("5.1",)
    assert note.startswith("Numbers of size are read with a decimal comma, '5,100' as 5.1;")


def test_static_covariates_may_have_points_in_a_table_with_decimal_commas(
    tmp_path: pathlib.Path,
) -> None:
    given = {"delimiter": ";", "static_columns": ["size"], "series_column": "shop", "target": "a"}
    rows = [f"2020-01-0{n};{shop};{n},5" for n in (1, 2) for shop in ("x;1.25", "y;1.125")]
    text = "\n".join(["date;shop;size;a", *rows])
    histories, _, _ = read_histories(_table(tmp_path, text, **given).absolute())
    assert [history.static for history in histories] == [("1.25",), ("1.125",)]


def test_numbers_with_a_decimal_comma_may_have_an_exponent(tmp_path: pathlib.Path) -> None:
    text = "date;a\n2020-01-01;1,5e3\n2020-01-02;0,125\n"
    (one,), _, notes = read_histories(_table(tmp_path, text, delimiter=";").absolute())
    assert one.values.tolist() == [[1500], [0.125]] and not notes


def test_later_files_have_the_decimal_comma_of_the_first(tmp_path: pathlib.Path) -> None:
    text = "date;shop;a;size\n2020-01-01;x;1.234,50;100,5\n2020-01-02;x;1.858;100,5\n"
    given = {"delimiter": ";", "series_column": "shop", "static_columns": ["size"], "target": "a"}
    (one,), source, _ = read_histories(_table(tmp_path, text, **given).absolute())
    assert one.values.tolist() == [[1234.5], [1858.0]] and one.static == ("100.5",)
    assert source.decimal_comma is True and "decimal_comma" in INFERRED  # a run resumes with it
    _table(tmp_path, "date;shop;a;size\n2020-01-02;x;1.858;7\n2020-01-03;x;1.859;7\n")
    (later,), _, _ = read_histories(source)
    assert later.values.tolist() == [[1858.0], [1859.0]]
    (points,), _, _ = read_histories(replace(source, decimal_comma=False))
    assert points.values.tolist() == [[1.858], [1.859]]
    (unknown,), source, _ = read_histories(replace(source, decimal_comma=None))
    assert unknown.values.tolist() == points.values.tolist() and source.decimal_comma is None


def test_a_duplicate_date_is_named_with_both_lines(tmp_path: pathlib.Path) -> None:
    text = "date,a\n2020-01-01,1\n2020-01-02,2\n2020-01-02,3\n"
    with pytest.raises(SeqzooError, match=r"line 4: the date 2020-01-02 is already in line 3"):
        read_histories(_table(tmp_path, text).absolute())


PANEL = "date,shop,size,sold,price\n" + "".join(
    f"2020-01-{day:02},{shop},{size},{day if day < 11 else ''},{10 * day}\n"
    for shop, size in (("x", 3), ("y", 5))
    for day in range(1, 13)
)


def test_series_of_a_panel_are_split_at_the_same_dates(tmp_path: pathlib.Path) -> None:
    options: dict[str, Any] = {
        "series_column": "shop",
        "target": "sold",
        "known_columns": ["price"],
        "static_columns": ["size"],
    }
    splits, _ = open_histories(_table(tmp_path, PANEL, **options))
    assert splits.description.startswith(
        "t.csv: 2 series, 1 target, one step per day: 2020-01-01 to 2020-01-06 for training, "
        "2020-01-07 to 2020-01-08 for validation, 2020-01-09 to 2020-01-10 for testing."
    )
    assert splits.validation is not None and splits.test is not None
    assert [len(item) for item in splits.train.inputs] == [6, 6]
    assert [(item.name, item.since, len(item), item.static) for item in splits.test.inputs] == [
        ("x", 8, 10, ("3",)),
        ("y", 8, 10, ("5",)),
    ]
    at = _table(tmp_path, PANEL, **options, split_at=["2020-01-05", "2020-01-08", "2020-01-10"])
    splits, _ = open_histories(at)
    assert splits.validation is not None and splits.test is not None
    assert [len(splits.train.inputs[0]), splits.validation.inputs[0].since] == [4, 4]
    assert (splits.test.inputs[0].since, len(splits.test.inputs[0])) == (7, 9)
    # The test may end where the table does.
    at = _table(tmp_path, PANEL, **options, split_at=["2020-01-05", "2020-01-08", "2020-01-11"])
    whole = open_histories(at)[0].test
    assert whole is not None and len(whole.inputs[0]) == 10


@pytest.mark.parametrize(
    "options, message",
    [
        ({"series_column": "shp"}, "`series_column` must name a column .* did you mean 'shop'"),
        ({}, "line 14: the date 2020-01-01 is already in line 2.*--series-column"),
        ({"series_column": "shop", "target": "shop"}, "'shop' has two"),
        ({"series_column": "shop", "split_at": ["1999-01-01"]}, "within those of the table"),
        ({"series_column": "shop", "validation": 10}, "leave some of the 12 steps to train on"),
        (
            {"series_column": "shop", "split_at": ["2020-01-05", "2020-01-12 12:00"]},
            "within those of the table",
        ),
        (
            {"series_column": "shop", "split_at": ["2020-01-05 08:00", "2020-01-05 12:00"]},
            "at least one step of the table apart, got '?2020-01-05 08:00,",
        ),
        ({"series_column": "shop", "static_columns": ["price"]}, "same in all rows of a series"),
        ({"series_column": "shop", "frequency": "fortnight"}, "a number and one of microsecond"),
        ({"series_column": "shop", "frequency": "2 days"}, "line 3: the date 2020-01-02 is no"),
        ({"target": "date"}, "'date' has two"),
    ],
)
def test_mistakes_are_reported_in_one_line(
    tmp_path: pathlib.Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(SeqzooError, match=message) as error:
        open_histories(_table(tmp_path, PANEL, **options))
    assert "\n" not in str(error.value)


def test_steps_far_too_short_for_the_dates_are_refused(tmp_path: pathlib.Path) -> None:
    text = "date,a\n2020-01-01 00:00:00,1\n2020-01-01 00:00:01,2\n2030-01-01 00:00:00,3\n"
    with pytest.raises(SeqzooError, match="3 rows from 2020-01-01 .* one per second; fix"):
        read_histories(_table(tmp_path, text).absolute())


def test_origins_are_those_of_the_longest_series(tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    rows = [f"2020-01-{day:02},z,{day}" for day in range(1, 13)]
    rows += [f"2020-01-{day:02},{shop}," for shop in "ab" for day in range(9, 13)]
    rows[-1] += "4"  # the series b has one number, and the series a none
    text = "date,shop,sold\n" + "\n".join(rows) + "\n"
    source = _table(tmp_path, text, series_column="shop", target="sold")
    run = SimpleNamespace(template=SimpleNamespace(horizon=2))
    opened = SimpleNamespace(run=run, source=source)
    monkeypatch.setattr(Forecaster, "open", lambda *_: opened)
    with pytest.raises(SeqzooError, match="at most 5 with a stride of 2 in 12 steps, got 9"):
        backtest("run", given={}, origins=9)


def test_forecasts_cover_all_series_even_if_training_was_limited(
    tmp_path: pathlib.Path,
) -> None:
    forecaster = Forecaster.__new__(Forecaster)
    forecaster.source = _table(
        tmp_path, PANEL, series_column="shop", target="sold", known_columns=["price"], limit=1
    )
    assert [item.name for item in forecaster.read(tmp_path / "t.csv")[0]] == ["x", "y"]
    forecaster.source = replace(forecaster.source, delimiter=";")
    (tmp_path / "t.csv").write_text(PANEL.replace(",", ";"), encoding="utf-8")
    (tmp_path / "u.tsv").write_text(PANEL.replace(",", "\t"), encoding="utf-8")
    for name in ("t.csv", "u.tsv"):
        assert len(forecaster.read(tmp_path / name)[0]) == 2


def test_a_history_of_another_frequency_is_refused(tmp_path: pathlib.Path) -> None:
    rows = [f"{np.datetime64('2020-01-01') + 7 * week},{week}" for week in range(9)]
    forecaster = Forecaster.__new__(Forecaster)
    forecaster.source = _table(tmp_path, "date,a\n" + "\n".join(rows), frequency="day")
    with pytest.raises(SeqzooError, match="one value per week, but .* one per day"):
        forecaster.read(tmp_path / "t.csv")
    forecaster.source = _table(tmp_path, "date,a\n2020-01-01,1\n2020-01-09,2\n")
    forecaster.source = replace(forecaster.source, frequency="day")
    with pytest.raises(SeqzooError, match="one value per 8 days"):
        forecaster.read(tmp_path / "t.csv")


def test_rows_of_known_covariates_must_cover_all_steps(tmp_path: pathlib.Path) -> None:
    forecaster = Forecaster.__new__(Forecaster)
    forecaster.source = _table(
        tmp_path, PANEL, series_column="shop", target="sold", known_columns=["price"]
    )
    forecaster.run = SimpleNamespace(template=SimpleNamespace(horizon=8))
    histories, _ = forecaster.read(tmp_path / "t.csv")
    future = len(histories[0]) - histories[0].end
    ahead = "'x' must go on for 16 rows after .* values of price, .* 12 steps in parts of 8"
    message = f"{ahead}.* but has {future}."
    with pytest.raises(SeqzooError, match=message):
        forecaster.forecast(histories, 12)


def test_a_number_with_a_typo_is_named_rather_than_its_column_left_out(
    tmp_path: pathlib.Path,
) -> None:
    rows = [f"2020-01-{day:02},{day},{day if day != 5 else '5o'},red" for day in range(1, 20)]
    text = "date,a,b,colour\n" + "\n".join(rows) + "\n"
    with pytest.raises(
        SeqzooError, match="t.csv, line 6: 'b' must be a number such as 1234.5, got '5o'; .*name"
    ):
        read_histories(_table(tmp_path, text).absolute())
    _, source, _ = read_histories(_table(tmp_path, text, target="a").absolute())
    assert source.target == "a"
    _, source, _ = read_histories(_table(tmp_path, text.replace("5o", "")).absolute())
    assert source.target == "a,b"


def test_rows_of_several_files_are_named_by_file_and_line(tmp_path: pathlib.Path) -> None:
    for part, days in ((1, range(1, 10)), (2, range(9, 20))):
        rows = "".join(f"2020-01-{day:02},{day}\n" for day in days)
        (tmp_path / f"part{part}.csv").write_text("date,a\n" + rows)
    source = Source(str(tmp_path / "part*.csv"), "history", "horizon", date_column="date")
    message = "line 2 of .*part2.csv: the date 2020-01-09 is already in line 10 of .*part1.csv"
    with pytest.raises(SeqzooError, match=message):
        read_histories(source.absolute())


@pytest.mark.parametrize("name", UNDATED)
def test_options_of_other_data_are_refused(name: str) -> None:
    given = {"separator": ";", "resample": True, "sample_rate": 8000, "duplicates": "keep"}
    given |= {"storage": "disk", "time_values": "elapsed"}
    with pytest.raises(SeqzooError, match=f"`{name}` is not for forecasts"):
        Source("a.csv", "history", "horizon", date_column="d", **{name: given.get(name, "x")})


def test_large_forecasts_keep_their_digits() -> None:
    result = ForecastTable(["sold"], [[1234567.8], [-123456.2], [0.000123456789], [9.0]])
    assert result.text("csv").split() == ["sold", "1234568", "-123456", "0.000123457", "9"]


def test_a_history_is_finite_and_cut_within_its_steps() -> None:
    days = np.arange("2024-01-01", "2024-01-10", dtype="datetime64[D]")
    with pytest.raises(SeqzooError, match="`values` of a history must be finite.* step 8 is inf"):
        History(days, [*range(8), np.inf])
    history = History(days, range(9))
    for stop, since, name in ((10, 0, "stop"), (0, 0, "stop"), (-3, 0, "stop"), (3, 4, "since")):
        with pytest.raises(SeqzooError, match=f"`{name}` must be at least"):
            history.cut(stop, since)
    assert len(history.cut(9, 9)) == 9
    assert len(history.without_last(20)) == 9 and history.without_last(20).end == 1


def test_columns_with_dates_are_for_tables_with_dates() -> None:
    with pytest.raises(SeqzooError, match="`date_column` is for input 'history'"):
        Source("a.csv", "series", "next", date_column="date")


def test_dates_to_split_at_have_the_format_of_the_table(tmp_path: pathlib.Path) -> None:
    rows = [f"{day:02d}/{month:02d}/2020,{day}" for month in (1, 2) for day in range(1, 13)]
    text = "\n".join(["date,a", *rows]) + "\n"
    options: dict[str, Any] = {"date_format": "%d/%m/%Y", "frequency": "day"}
    for at in (["05/02/2020", "09/02/2020"], ["2020-02-05", "2020-02-09"]):
        splits, _ = open_histories(_table(tmp_path, text, **options, split_at=at))
        assert splits.validation is not None and splits.test is not None
        first = splits.validation.inputs[0]
        assert str(first.dates[first.since])[:10] == "2020-02-05"


def test_a_row_without_a_series_is_named(tmp_path: pathlib.Path) -> None:
    text = PANEL.replace("\n2020-01-03,x,", "\n2020-01-03,,", 1)
    assert text != PANEL
    with pytest.raises(SeqzooError, match="line 4: 'shop' is empty; name the series or delete"):
        open_histories(_table(tmp_path, text, series_column="shop", target="sold"))


def _daily(path: pathlib.Path, days: int = 60, form: str = "%Y-%m-%d") -> Source:
    """A table with a value for each day from 2020-07-01 on."""
    first = datetime.date(2020, 7, 1)
    rows = [f"{first + datetime.timedelta(day):{form}},{day % 7}" for day in range(days)]
    path.write_text("\n".join(["day,sold", *rows]) + "\n")
    return Source(str(path), "history", date_column="day", target="sold")


def test_the_smallest_fraction_holds_out_a_step(tmp_path: pathlib.Path) -> None:
    source = replace(_daily(tmp_path / "t.csv"), validation=0.004, test=0.0)
    splits, _ = open_histories(source)
    assert splits.test is None and splits.validation is not None
    assert len(splits.validation.inputs[0]) - splits.validation.inputs[0].since == 1


def test_notes_are_on_the_series_and_steps_that_are_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "t.csv"
    rows = [f"2024-01-{day:02},a,{'' if day == 5 else day},1" for day in range(1, 21)]
    rows += [f"2024-02-{day:02},a,,1" for day in range(1, 11)]
    rows += ["2024-01-01,b,1,1", "2024-03-01,b,1,1"]
    path.write_text("\n".join(["day,shop,sold,open", *rows]) + "\n")
    source = Source(
        str(path), "history", date_column="day", series_column="shop", target="sold", limit=1,
        known_columns=["open"],
    )  # fmt: skip
    histories, _, notes = read_histories(source)
    assert [item.name for item in histories] == ["a"]
    assert notes[1] == "1 of 20 values is missing." and "(line 23)" not in notes[0]
    assert notes[2].endswith(": 11 of 41 of open.")


def test_codes_with_underscores_are_no_numbers(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "t.csv"
    rows = [f"2024-01-{day:02},{day},1_{day}0" for day in range(1, 21)]
    path.write_text("\n".join(["day,sold,code", *rows]) + "\n")
    assert read_histories(Source(str(path), "history", date_column="day"))[1].target == "sold"


def test_origins_of_a_backtest_are_not_in_the_format_of_the_table(tmp_path, monkeypatch) -> None:
    table = _daily(tmp_path / "t.csv", days=40, form="%Y-%d-%m")
    source = replace(table, date_format="%Y-%d-%m")
    template: Any = SimpleNamespace(horizon=5)
    task = SimpleNamespace(features=SimpleNamespace(config={"until": "2020-08-05"}))
    run = SimpleNamespace(
        template=template, task=task, evaluate=lambda _: {"mse": 1.0, "baselines": {}}
    )
    trained: list[Any] = []
    module = "seqzoo.zoo.inference.backtest"
    monkeypatch.setattr(
        f"{module}.Forecaster.open",
        lambda *_: SimpleNamespace(run=run, source=source, read=lambda _: read_histories(source)),
    )
    monkeypatch.setattr(
        f"{module}.train_temporarily", lambda _, splits: trained.append(splits) or run
    )
    backtest("run", given={}, origins=1, refit=True, print_fn=lambda _: None)
    (splits,) = trained
    (history,) = splits.test.inputs
    assert history.dates[history.since] == np.datetime64("2020-08-05")

"""Checks of tables with dates, which are those of forecasts."""

import datetime

import pytest
from data_check_cases import check, found, labelled_texts, write

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data_check.columns import guess


def test_dates_out_of_order(tmp_path) -> None:
    rows = [{"date": f"2020-01-{day:02}", "value": day} for day in range(1, 29)]
    rows[4], rows[9] = rows[9], rows[4]
    del rows[15]
    path = write(tmp_path / "data.csv", rows)
    report = check(path, kind="series", input="value", target_kind="next", whole=True)
    finding = found(report, "dates", "from 2020-01-01")
    assert finding.values["backwards"] == 2 and "1 gap where" in finding.message


def test_the_order_of_dates_matters_only_in_one_series(tmp_path) -> None:
    rows = [
        {**row, "day": f"2020-01-{n * 5 % 28 + 1:02}"} for n, row in enumerate(labelled_texts())
    ]
    report = check(write(tmp_path / "data.csv", rows))
    finding = found(report, "dates", "'day'")
    assert finding.message == "'day': from 2020-01-01 00:00:00 to 2020-01-28 00:00:00"
    assert (finding.state, finding.fix) == ("ok", "")


def _shops() -> list[dict]:
    """Rows of two series: one value is far too large, one step is missing, two rows are swapped."""
    rows = []
    for shop, scale in (("a", 1), ("b", 50)):
        for day in range(60):
            date = datetime.date(2024, 1, 1) + datetime.timedelta(day)
            sold = scale * (day % 7 + 1)
            rows.append({"day": f"{date:%d.%m.%Y}", "shop": shop, "sold": sold, "price": 2 * sold})
    rows[10]["sold"] = 9999
    rows[20], rows[30] = rows[30], rows[20]
    del rows[40]
    return rows


def test_a_table_with_dates_is_checked_as_a_forecast(tmp_path) -> None:
    path = write(tmp_path / "data.csv", _shops())
    report = check(path, target="sold", known_columns=["price"])
    assert report.guessed == {
        "kind": "history",
        "target_kind": "horizon",
        "date_column": "day",
        "series_column": "shop",
    }
    rows = found(report, "rows", "2 series of 60 steps, one per day, from 2024-01-01 to")
    assert rows.values["targets"] == ["sold"]
    assert found(report, "dates", "earlier than the previous row").values["backwards"] == 2
    assert "1 after 2024-02-09" in found(report, "values", "Missing steps").message
    assert "9999 on 2024-01-11 of series 'a'" in found(report, "numbers", "quartile").message
    assert not [item for item in report.findings if item.subject == "leaks"]  # but for the outlier
    suggestion = report.suggestion
    assert suggestion is not None and suggestion.template == "forecast"
    # The test split has six steps.
    for words in ("--date-column day --series-column shop", "--horizon 6 --look-back 24"):
        assert words in suggestion.command
    assert "--target sold --known-columns price" in suggestion.command


def test_splits_of_a_table_with_dates_are_not_those_of_a_forecast(tmp_path) -> None:
    rows = [{"split": "train", "date": f"2020-01-{day:02}", "value": day} for day in range(1, 31)]
    report = check(write(tmp_path / "data.csv", rows))
    assert report.guessed == {"kind": "history", "target_kind": "horizon", "date_column": "date"}
    assert report.suggestion is not None and report.suggestion.template == "forecast"


def test_mistakes_in_tables_with_dates_are_found(tmp_path) -> None:
    rows = _shops()
    rows[10]["sold"] = rows[10]["price"] / 2
    report = check(write(tmp_path / "a.csv", rows), target="sold", known_columns=["price"])
    assert "correlation is 1.0000" in found(report, "leaks", "'price' gives 'sold' away").message
    for row in rows:
        row |= {"sold": 3, "price": 1}
    report = check(write(tmp_path / "b.csv", rows), target="sold", past_columns=["price"])
    assert found(report, "numbers", "'sold' is constant in 2 of 2 series ('a', 'b')")
    assert found(report, "covariates", "'price' is constant")
    rows[5]["day"] = rows[6]["day"]
    report = check(write(tmp_path / "c.csv", rows), series_column="shop")
    assert report.broken and report.suggestion is None
    assert "line 8: the date 2024-01-07" in found(report, "dates", "already in line 7").message
    assert found(report, "dates", "1 row repeats a date of the same series").state == "broken"


def test_covariates_that_give_a_target_away_are_found_within_each_series(tmp_path) -> None:
    rows = [
        {
            "date": f"2024-01-{day:02}",
            "shop": f"shop {shop}",
            "sold": (sold := 100**shop + day * 7 % 11 / 10),
            "area": 1.1 * 100**shop,
            "copy": (shop + 1) * sold - 5 * shop,
        }
        for shop in range(3)
        for day in range(1, 29)
    ]
    path = write(tmp_path / "data.csv", rows)
    report = check(path, target="sold", known_columns=["area", "copy"])
    (leak,) = [item for item in report.findings if item.subject == "leaks"]
    assert leak.message == (
        "'copy' gives 'sold' away: within a series, their median correlation is 1.0000"
    )


@pytest.mark.parametrize("scale", [1, 10**3, 10**6, 10**9])
def test_times_since_1970_are_not_targets(tmp_path, scale: int) -> None:
    rows = [
        {"Time": (1_700_000_000 + 60 * n) * scale, "cpu": f"{n * 1.25:.3f} %"} for n in range(60)
    ]
    report = check(write(tmp_path / "cpu.csv", rows))
    assert report.guessed["date_column"] == "Time"
    assert "cpu ('0.000 %') has numbers" in found(report, "dates", "not written as").message
    rows = [{"text": f"a text {n}", **row} for n, row in enumerate(rows)]
    for name in ("Time", "created", "ts", "event_timestamp"):
        logged = [{"text": row["text"], name: row["Time"]} for row in rows]
        assert guess(write(tmp_path / "logs.csv", logged), {}).guessed["target_kind"] == "next"


def test_many_numbered_series_are_found(tmp_path) -> None:
    rows = [
        {"date": f"2024-01-{day:02}", "count": 100 * day + n, "device": n, "heat": n * day / 7}
        for day in range(1, 10)
        for n in range(40)
    ]
    assert check(write(tmp_path / "t.csv", rows)).guessed["series_column"] == "device"
    # One series, one of whose dates occurs twice.
    rows = [{"date": f"{2000 + n // 12}-{n % 12 + 1:02}", "count": n % 40} for n in range(120)]
    rows.append({"date": rows[0]["date"], "count": 7})
    assert "series_column" not in check(write(tmp_path / "u.csv", rows)).guessed


@pytest.mark.parametrize(
    "symbols, times, columns",
    [
        ("ABC", ["09:30"] * 3, ("date", "symbol")),
        ("ABC", ["09:30", "08:00", "09:30"], ("date", "symbol")),
        ("123", ["09:30", "08:00", "09:30"], ("date", "symbol")),
        ("AAA", ["08:00", "09:30", "10:00"], ("date,opening", None)),
        ("ABB", ["08:00", "08:00", "09:30"], ("date,opening", None)),
    ],
)
def test_a_time_that_only_describes_a_row_is_no_part_of_its_date(
    tmp_path, symbols: str, times: list[str], columns: tuple
) -> None:
    rows = [
        {"date": f"2024-01-{day:02}", "symbol": symbol, "opening": time, "price": day * 1.5 + row}
        for day in range(1, 29)
        for row, (symbol, time) in enumerate(zip(symbols, times, strict=True))
    ]
    source = guess(write(tmp_path / "t.csv", rows), {}).source
    assert source.date_column == columns[0]
    assert columns[1] is None or source.series_column == columns[1]


@pytest.mark.parametrize(
    "text, column",
    [
        ("Month,Passengers\n1949-01,112\n1949-02,118\n1949-03,132\n1949-04,129\n", "Month"),
        ("wert;tag\n1,5;31.12.2020\n2,5;01.01.2021\n2,5;02.01.2021\n1;03.01.2021\n", "tag"),
        (
            "Date,High,Close,Volume,Change\n"
            '"Jan 01, 2019",1,$9.81,"1,234,567",-0.5%\n"Jan 02, 2019",2,$9.85,"1,034,567",1.2%\n'
            '"Jan 03, 2019",4,$9.70,"2,234,500",0.1%\n"Jan 04, 2019",2,$9.70,"2,000,500",0.4%\n',
            "Date",
        ),
        ("t,value\n1467331200,1\n1467331260,2\n1467331320,4\n1467331380,2\n", None),
        ("Year,Level\n2001,1\n2002,2\n2003,4\n2004,2\n", "Year"),
        ("year,month,value\n2001,1,1\n2001,2,2\n2001,3,4\n2001,4,2\n", "year,month"),
        ("number,value\n2001,1\n2002,2\n2003,4\n2004,2\n", None),
    ],
)
def test_dates_are_recognised_in_any_form(tmp_path, text: str, column: str | None) -> None:
    (tmp_path / "t.csv").write_text(text)
    delimiter = {"delimiter": ";"} if ";" in text else {}
    if column is None:  # they could be any numbers
        name = text.partition(",")[0]
        message = f"cannot be inferred.* If '{name}' has dates, name it with --date-column {name}."
        with pytest.raises(SeqzooError, match=message):
            check(str(tmp_path / "t.csv"), **delimiter)
        return
    report = check(str(tmp_path / "t.csv"), validation=0, test=1, **delimiter)
    assert report.guessed["date_column"] == column and not report.broken


@pytest.mark.parametrize(
    "text, advice",
    [
        ("sold in 1000,year of sale\n1,1990\n2,1991\n", "--date-column 'year of sale'."),
        ("d,v\n1,100\n2,200\n", "--target-kind."),
        ("d\n1990\n1991\n", "--target-kind."),
    ],
)
def test_a_column_that_may_have_dates_is_named(tmp_path, text: str, advice: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(SeqzooError, match=f"{advice}$"):
        guess(str(tmp_path / "t.csv"), {})


def test_dates_whose_day_and_month_are_not_clear_are_dates(tmp_path) -> None:
    rows = [{"day": f"{day:02}/02/2020", "value": day} for day in (1, 3, 4, 8, 9, 11)]
    report = check(write(tmp_path / "t.csv", rows))
    assert report.guessed["date_column"] == "day" and report.broken
    assert found(report, "dates", "say which with --date-format day/month/year or")

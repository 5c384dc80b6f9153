"""Lists of column names in one text, with names that contain commas."""

import shlex
from types import SimpleNamespace
from typing import Any

import pytest
from cli_cases import seqzoo
from hypothesis import given
from hypothesis import strategies as st

from seqzoo.tasks.data.column_names import join_names, split_names
from seqzoo.zoo import check
from seqzoo.zoo.config.command_line import as_options
from seqzoo.zoo.config.resolve import chosen
from seqzoo.zoo.data.histories import read_histories
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.inference.forecasts import Forecaster


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("title", ["title"]),
        (" title , body", ["title", "body"]),
        ('"size, kg"', ["size, kg"]),
        ('a,"b, ""c""" , d', ["a", 'b, "c"', "d"]),
        ('12" screens,"', ['12" screens', '"']),
        ("a\nb,", ["a\nb", ""]),
    ],
)
def test_names_are_separated_by_commas_outside_of_quotes(text: str, names: list[str]) -> None:
    assert split_names(text) == names


@given(st.lists(st.text('ab ,"\n'), min_size=1))
def test_any_names_are_found_again(names: list[str]) -> None:
    assert split_names(join_names(names)) == names


def test_columns_with_commas_are_typed_as_they_are_shown(tmp_path) -> None:
    path = tmp_path / "products.csv"
    rows = [f'thing {n},"{n}, big",{"ab"[n % 2]}' for n in range(12)]
    path.write_text("\n".join(['"name, short",description,kind', *rows]) + "\n")
    options = ["--target", "kind", "--kind", "words", "--input", '"name, short",description']
    result = seqzoo("check", path, *options, "--no-timing")
    assert result.exit_code == 0, result.output
    assert "--input '\"name, short\"'" in result.output
    fields: Any = {"data": str(path), "kind": "words", "target": "kind", "input": '"name, short"'}
    shown = as_options(chosen("many-to-one", fields))
    assert chosen("many-to-one", fields).source.input == "name, short"
    assert '"name, short"' in shlex.split(shown)


def test_targets_with_commas_are_forecast(tmp_path) -> None:
    path = tmp_path / "weather.csv"
    rows = [f"2024-01-{day:02d},{day},{day % 7}" for day in range(1, 32)]
    path.write_text("\n".join(['date,"wind, km/h","rain, mm"', *rows]) + "\n")
    source = Source(str(path), "history", date_column="date")
    histories, source, _ = read_histories(source)
    assert histories[0].values.shape == (31, 2)
    assert split_names(str(source.target)) == ["wind, km/h", "rain, mm"]
    one = Source(str(path), "history", date_column="date", target="rain, mm")
    assert read_histories(one)[0][0].values.shape == (31, 1)
    found = {item.subject: item for item in check(str(path), timing=False).findings}
    assert found["rows"].values["targets"] == ["wind, km/h", "rain, mm"]


def test_a_table_of_forecasts_names_a_date_column_with_a_comma(tmp_path) -> None:
    path = tmp_path / "sales.csv"
    rows = [f"2024-01-{day:02d},{day}" for day in range(1, 32)]
    path.write_text("\n".join(['"Date, local",sales', *rows]) + "\n")
    source = Source(str(path), "history", date_column="Date, local")
    completed = read_histories(source)[1]
    assert completed.date_column == '"Date, local"'
    assert read_histories(completed)[1] == completed
    template = SimpleNamespace(name="forecast", input="history", target="horizon", levels=())
    run: Any = SimpleNamespace(
        template=template,
        task=SimpleNamespace(features=SimpleNamespace(targets=1)),
        source=completed.to_config(),
    )
    for forecaster in (Forecaster(run), Forecaster(run, {"date_column": "Date, local"})):
        forecaster.read(path)
        assert forecaster.table([]).headers == ["Date, local", "sales"]

"""Files with a column, or an array, of the times of steps."""

import json
import pathlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_cases import seqzoo
from source_cases import open_source, write

from seqzoo.tasks import SeqzooError
from seqzoo.zoo.data import prediction_inputs
from seqzoo.zoo.data.date_parsing import parse_dates
from seqzoo.zoo.data.open import open_examples
from seqzoo.zoo.data.source import Source

VALUES = [[1.0, 2.0, 3.0], [4.0, 5.0]]
TIMES = [[10.0, 12.0, 19.0], [7.5, 8.0]]
ELAPSED = [[0, 2, 7], [0, 0.5]]


def source(path: pathlib.Path, target: str | None = "y", **choices: Any) -> Source:
    kind = "class" if target else "next"
    given = {"input": "x", "target": target, "time_column": "t", **choices}
    return Source(str(path), "series", kind, **given)


def table(path: pathlib.Path, times: list) -> pathlib.Path:
    rows = [
        {"x": values, "t": time, "y": "ab"[index % 2]}
        for index, (values, time) in enumerate(zip(VALUES, times, strict=True))
    ]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        write(path, "".join(json.dumps(row) + "\n" for row in rows))
    else:
        lines = [f"{_spaced(row['x'])},{_spaced(row['t'])},{row['y']}\n" for row in rows]
        write(path, "x,t,y\n" + "".join(lines))
    return path


def _spaced(values: list) -> str:
    return " ".join(map(str, values))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
@pytest.mark.parametrize("meaning", ["timestamps", "elapsed"])
def test_a_column_of_times(tmp_path, name: str, meaning: str) -> None:
    given = source(table(tmp_path / name, TIMES), time_values=meaning)
    found = open_examples(given, "all").inputs
    for series, values, times, gaps in zip(found, VALUES, TIMES, ELAPSED, strict=True):
        np.testing.assert_array_equal(series.values, values)
        np.testing.assert_array_equal(series.elapsed, gaps if meaning == "timestamps" else times)


def test_dates_become_seconds(tmp_path) -> None:
    days = [["2020-02-28T12:00", "2020-02-29T12:00:01", "2020-03-01T12:00:01Z"], ["2020-01-01"] * 2]
    gaps = [[0, 86_401, 86_400], [0, 0]]
    for name in ("a.csv", "a.jsonl"):
        found = open_examples(source(table(tmp_path / name, days)), "all").inputs
        assert [series.elapsed.tolist() for series in found] == gaps


def test_a_table_of_steps_is_one_series(tmp_path) -> None:
    rows = [f"2020-01-{day:02} 00:00:00,{day}\n" for day in (1, 2, 4, 5, 9, 10, 12, 13, 15, 20)]
    path = write(tmp_path / "a.csv", "t,x\n" + "".join(rows))
    splits, _ = open_source(source(path, None, whole=True, test=0.2, validation=0.2))
    days = 86_400
    assert (splits.train.inputs[0].elapsed / days).tolist() == [0, 1, 2, 1, 4, 1]
    assert (splits.validation.inputs[0].elapsed / days).tolist() == [2, 1]
    assert splits.test.inputs[0].values.tolist() == [15, 20]
    inputs = prediction_inputs.of_file(
        prediction_inputs.File(path), source(path, None, whole=True), width=1
    )
    (one,) = inputs
    assert len(one.field["values"]) == len(one.field["times"]) == 10


def test_arrays_of_times(tmp_path) -> None:
    path = tmp_path / "a.npz"
    times = 1.6e9 + np.cumsum(np.full((6, 4), 0.25), 1)
    given = Source(str(path), "series", "value", time_column="t")
    np.savez(path, inputs=np.ones((6, 4, 2)), t=times, targets=np.arange(6))
    assert open_examples(given, "all").inputs[5].elapsed.tolist() == [0, 0.25, 0.25, 0.25]
    joined = {"inputs": np.ones(5), "lengths": [3, 2], "targets": np.arange(2)}
    np.savez(path, **joined, t=np.array([1.0, 2, 4, 3, 8]))
    found = open_examples(given, "all").inputs
    assert [series.elapsed.tolist() for series in found] == [[0, 1, 2], [0, 5]]
    np.savez(path, **joined, t=np.zeros(4))
    with pytest.raises(SeqzooError, match="'t' must fit the lengths of the inputs .2 lengths of"):
        open_examples(given, "all")


@pytest.mark.parametrize(
    "times, meaning, message",
    [
        ([[1, 2], [0, 1]], "elapsed", "line 2: 't' must have one time per step, 3 in all, got 2"),
        (
            [[0, 1, 2], [0, -1]],
            "elapsed",
            "line 3: 't' must be at least 0, got -1 at step 1",
        ),
        (
            [[5, 4, 6], [0, 1]],
            "timestamps",
            "line 2: 't' must not decrease, got 4 after 5 at step 1",
        ),
        (
            [["2020-01-01", "noon", "2020-01-02"], [0, 1]],
            "timestamps",
            "line 2: 't' must be times: numbers, or dates such as .* got 'noon'",
        ),
        ([[0, 1, "x"], [0, 1]], "timestamps", "line 2: 't' must contain numbers, but 'x' is not"),
    ],
)
def test_invalid_times_are_reported_with_their_line(
    tmp_path, times, meaning: str, message: str
) -> None:
    path = table(tmp_path / "a.csv", times)
    with pytest.raises(SeqzooError, match=message):
        open_examples(source(path, time_values=meaning), "all")


def test_a_time_column_must_fit(tmp_path) -> None:
    with pytest.raises(SeqzooError, match="`time_column` is for input 'series', got input 'words'"):
        Source("a.csv", "words", time_column="t")
    with pytest.raises(SeqzooError, match="`time_values` must be one of 'timestamps', 'elapsed'"):
        Source("a.csv", "series", time_values="seconds")  # pyright: ignore[reportArgumentType]
    with pytest.raises(SeqzooError, match=r"must name a column of .*\(x, t, y\), got 'u'"):
        open_source(source(table(tmp_path / "a.csv", TIMES), time_column="u"))
    path = write(tmp_path / "a.txt", "1 2 3\n")
    with pytest.raises(SeqzooError, match="`time_column` is for tables and arrays"):
        open_source(source(path, None, input=None))


ALIGNED = ("train", "many-to-one", "--kind", "series", "--input", "x", "--target", "y")
SMALL = ("--units", 4, "--epochs", 1, "--batch-size", 8)


def test_a_cell_and_its_times_go_together_before_data_are_read(tmp_path) -> None:
    path = write(tmp_path / "a.csv", "not,read\n")
    lacking = seqzoo(*ALIGNED, "--data", path, "--cell", "cfc", *SMALL)
    assert lacking.exit_code == 2 and lacking.stderr.endswith(
        "The cell 'cfc' needs the time of each step, got none; name the time column with "
        "--time-column.\n"
    )
    unwanted = seqzoo(*ALIGNED, "--data", path, "--time-column", "t", *SMALL)
    assert unwanted.exit_code == 2 and unwanted.stderr.endswith(
        "`time_column` applies only to time-aware cells (cfc, ltc, gru-d), got cell 'gru'.\n"
    )


@pytest.mark.slow
def test_commands(tmp_path) -> None:
    random = np.random.default_rng(0)
    lines = []
    for index in range(60):
        gaps = random.uniform(0.5, 1.5, 6) * (1 + 2 * (index % 2))
        lines.append(
            {"x": random.normal(size=6).tolist(), "t": gaps.tolist(), "y": "ab"[index % 2]}
        )
    path = write(tmp_path / "a.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    run = tmp_path / "run"
    timed = ("--time-column", "t", "--time-values", "elapsed", "--cell", "cfc")
    trained = seqzoo(*ALIGNED, "--data", path, *timed, *SMALL, "--run", run)
    assert trained.exit_code == 0, trained.output
    assert '"times": [' in trained.output  # the suggested command
    assert json.loads((run / "config.json").read_text())["source"]["time_column"] == "t"
    assert seqzoo("evaluate", run).exit_code == 0
    predicted = seqzoo("predict", run, "--input-file", path)
    assert predicted.exit_code == 0 and len(predicted.output.splitlines()) == 60
    one = json.dumps({"values": lines[0]["x"], "times": lines[0]["t"]})
    assert seqzoo("predict", run, one).output == predicted.output.splitlines()[0] + "\n"
    plain = seqzoo("predict", run, "1 2 3")
    assert plain.exit_code == 2 and "Input 1 lacks the times of its steps" in plain.stderr
    short = seqzoo("predict", run, '{"values": [1, 2], "times": [1]}')
    assert "must have one time per step, 2 in all, got 1" in short.stderr
    assert seqzoo("inspect", run, one, "--output", tmp_path / "page").exit_code == 0


def test_the_first_second_and_dates_out_of_range() -> None:
    def location(index: int) -> str:
        return f"line {index + 1}"

    seconds = parse_dates(["000000000", "000086400"], location, "day")
    assert seconds.astype("datetime64[D]").astype(str).tolist() == ["1970-01-01", "1970-01-02"]
    with pytest.raises(SeqzooError, match="line 1: 'day' must have the format"):
        parse_dates(["0001-01-01 00:00 +0100"], location, "day", "%Y-%m-%d %H:%M %z")


def test_deeply_nested_json_is_an_invalid_line() -> None:
    with pytest.raises(SeqzooError, match="is not a JSON object"):
        prediction_inputs._timed_series('{"a":' * 100_000, Source("x.csv", kind="series"))

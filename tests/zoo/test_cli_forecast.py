"""Forecasts on the command line: tables in, tables out, plots, anomalies and backtests."""

import csv
import io
import json
import pathlib

import numpy as np
import pytest
from cli_cases import seqzoo

from seqzoo.cells import portable

pytestmark = pytest.mark.slow
WEEKS = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    """A table of two series with a weekly pattern and one wild value, and a run on it."""
    folder = tmp_path_factory.mktemp("forecast")
    random, lines = np.random.default_rng(0), ["day,shop,sold"]
    for shop, scale in (("x", 1), ("y", 20)):
        for step in range(7 * WEEKS):
            sold = scale * (step % 7 + 3 + random.normal(0, 0.1))
            if (shop, step) == ("y", 200):
                sold *= 4
            day = np.datetime64("2024-01-01") + step
            lines.append(f"{day},{shop},{sold:.3f}")
    (folder / "sold.csv").write_text("\n".join(lines) + "\n")
    words = ["train", "forecast", "--data", folder / "sold.csv", "--date-column", "day"]
    words += ["--series-column", "shop", "--target", "sold", "--horizon", "7"]
    words += ["--look-back", "14", "--units", "16", "--epochs", "24", "--batch-size", "16"]
    words += ["--learning-rate", "0.01", "--validation", "28", "--test", "28", "--no-calendar"]
    with portable():
        result = seqzoo(*map(str, words), "--run", str(folder / "run"))
    assert result.exit_code == 0, result.output
    assert "seasonal naive" in result.stdout and "coverage 80" in result.stdout
    return folder


def test_an_option_of_audio_is_refused_in_one_line(tmp_path: pathlib.Path) -> None:
    rows = "".join(f"2024-01-{day:02},{day}\n" for day in range(1, 31))
    (tmp_path / "t.csv").write_text("day,sold\n" + rows)
    words = ["train", "forecast", "--data", tmp_path / "t.csv", "--date-column", "day", "--target"]
    words += ["sold", "--look-back", "5", "--horizon", "2", "--sample-rate", "8000"]
    result = seqzoo(*map(str, words), "--run", str(tmp_path / "run"))
    assert result.exit_code == 2 and not (tmp_path / "run").exists()
    assert result.stderr.count("\n") == 1 and "`sample_rate` is not for forecasts" in result.stderr


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_forecast_is_a_table_of_dates_values_and_quantiles(folder: pathlib.Path) -> None:
    words = ["predict", str(folder / "run"), "--input-file", str(folder / "sold.csv")]
    plot = folder / "plot.png"
    result = seqzoo(*words, "--format", "csv", "--horizon", "10", "--plot", str(plot))
    assert result.exit_code == 0, result.output
    rows = _rows(result.stdout)
    heads = ["shop", "day", "sold", "sold_0.1", "sold_0.25", "sold_0.5", "sold_0.75", "sold_0.9"]
    assert list(rows[0]) == heads and len(rows) == 20
    assert rows[0]["day"] == "2024-07-29" and rows[9]["day"] == "2024-08-07"
    # A Monday to a Wednesday of the week after, the last three by a forecast of forecasts.
    expected = [step % 7 + 3 for step in range(10)]
    for start, scale in ((0, 1), (10, 20)):
        scaled = [float(row["sold"]) / scale for row in rows[start : start + 10]]
        # The fall from Sunday to Monday is learned last; the last value, 9, would be 3 away.
        assert np.median(np.abs(np.array(scaled) - expected)) < 1
    assert all(float(row["sold_0.1"]) <= float(row["sold_0.9"]) for row in rows)
    assert plot.read_bytes().startswith(b"\x89PNG")
    first = json.loads(seqzoo(*words, "--json").stdout.splitlines()[0])
    assert first["shop"] == "x" and first["sold"] == pytest.approx(float(rows[0]["sold"]), rel=1e-4)


@pytest.mark.parametrize(
    "words",
    [
        ["--top", 3],
        ["--method", "beam"],
        ["--seed", 1],
        ["--tokenize", "auto"],
        ["--resample"],
        ["--attention"],
        ["--input", "sold"],
    ],
)
def test_options_of_other_templates_are_refused(folder: pathlib.Path, words: list) -> None:
    result = seqzoo("predict", folder / "run", "--input-file", folder / "sold.csv", *words)
    assert result.exit_code == 2 and not result.stdout
    assert result.stderr.startswith(f"Error: {words[0]} is not for forecasts, and ")


def test_gaps_of_a_history_are_noted_on_standard_error(folder: pathlib.Path) -> None:
    lines = (folder / "sold.csv").read_text().splitlines(keepends=True)
    (folder / "gap.csv").write_text("".join(lines[:100] + lines[101:]))
    words = ["predict", folder / "run", "--format", "csv", "--input-file"]
    gapped = seqzoo(*words, folder / "gap.csv")
    assert gapped.stderr.startswith("Missing steps are read as missing values: 1 after 2024-04-08")
    assert len(_rows(gapped.stdout)) == len(_rows(seqzoo(*words, folder / "sold.csv").stdout)) == 14


def test_forecasts_of_several_runs_are_averaged(folder: pathlib.Path) -> None:
    table, one = str(folder / "sold.csv"), str(folder / "run")
    other, short = str(folder / "other"), str(folder / "short")
    config = ["train", "forecast", "--data", table, "--date-column", "day", "--target", "sold"]
    config += ["--series-column", "shop", "--validation", "28", "--test", "28", "--no-calendar"]
    config += ["--epochs", "1", "--units", "8", "--look-back", "14"]
    for run, horizon in ((other, 7), (short, 6)):
        result = seqzoo(*config, "--horizon", str(horizon), "--run", run)
        assert result.exit_code == 0, result.output
    words = ["--input-file", table, "--format", "csv"]
    alone = [_rows(seqzoo("predict", run, *words).stdout) for run in (one, other)]
    both = _rows(seqzoo("predict", one, "--with", other, *words).stdout)
    for first, second, mean in zip(*alone, both, strict=True):
        assert (mean["shop"], mean["day"]) == (first["shop"], first["day"])
        for name in ("sold", "sold_0.1", "sold_0.9"):
            wanted = (float(first[name]) + float(second[name])) / 2
            assert float(mean[name]) == pytest.approx(wanted, rel=1e-4)

    metrics = [
        json.loads(seqzoo("evaluate", *runs, "--json").stdout)
        for runs in ([one], [other], [one, "--with", other])
    ]
    losses = [item["loss"] for item in metrics]
    assert losses[2] == pytest.approx(np.mean(losses[:2])) and losses[0] < losses[1]
    # By Jensen's inequality.
    squares = [item["mse"] for item in metrics]
    assert 0 < squares[2] < np.mean(squares[:2])
    assert metrics[2]["baselines"] == metrics[0]["baselines"]

    result = seqzoo("predict", one, "--with", short, *words)
    assert result.exit_code == 2
    assert "must have the same horizon, got 7 in" in result.stderr and "and 6 in" in result.stderr
    result = seqzoo("predict", one, "--with", other, *words, "--anomalies")
    assert "--anomalies takes a single run; leave --with out." in result.stderr


def test_the_outlier_is_an_anomaly(folder: pathlib.Path) -> None:
    words = ["predict", str(folder / "run"), "--input-file", str(folder / "sold.csv")]
    rows = _rows(seqzoo(*words, "--anomalies", "--format", "csv").stdout)
    wildest = max(rows, key=lambda row: float(row["score"]))
    assert (wildest["series"], wildest["date"]) == ("y", "2024-07-19")
    assert float(wildest["value"]) > 2 * float(wildest["high"])


def test_a_backtest_has_a_row_per_origin(folder: pathlib.Path) -> None:
    words = ["backtest", str(folder / "run"), "--origins", "3", "--json"]
    results = json.loads(seqzoo(*words).stdout)
    origins = [item["origin"] for item in results["origins"]]
    assert origins == ["2024-07-08", "2024-07-15", "2024-07-22"]
    mean = np.mean([item["mae"] for item in results["origins"]])
    assert results["mean"]["mae"] == pytest.approx(mean)
    text = seqzoo(*words[:-1]).stdout.splitlines()
    assert text[0].startswith("origin\tloss\tmse\tmae") and text[4].startswith("mean\t")
    result = seqzoo("backtest", str(folder / "run"), "--origins", "9")
    assert result.exit_code == 2 and "use fewer origins, or --refit" in result.stderr


@pytest.mark.exhaustive
def test_a_backtest_retrains_at_each_origin(folder: pathlib.Path) -> None:
    with portable():
        words = ["backtest", str(folder / "run"), "--origins", "2", "--stride", "35", "--refit"]
        result = seqzoo(*words, "--json")
    assert result.stderr.count("Training up to") == 2
    results = json.loads(result.stdout)
    assert results["origins"][0]["origin"] == "2024-06-17"
    assert results["mean"]["mae"] < 0.5 * results["mean"]["baselines"]["naive"]["mae"]


def test_an_export_with_covariates_of_the_future_forecasts_without_tensorflow(
    tmp_path: pathlib.Path,
) -> None:
    random = np.random.default_rng(0)
    days = (np.datetime64("2024-01-01") + np.arange(100)).astype(str).tolist()
    prices = random.normal(size=100).round(3).tolist()
    sold = (10 + 2 * np.array(prices) + random.normal(0, 0.1, 100)).round(3).tolist()
    table, run, exported = (str(tmp_path / name) for name in ("sold.csv", "run", "exported"))
    lines = [f"{day},{value},{price}" for day, value, price in zip(days, sold, prices, strict=True)]
    lines[90:] = [f"{day},,{price}" for day, price in zip(days[90:], prices[90:], strict=True)]
    pathlib.Path(table).write_text("\n".join(["day,sold,price", *lines]) + "\n")
    words = ["train", "forecast", "--data", table, "--date-column", "day", "--target", "sold"]
    words += ["--known-columns", "price", "--horizon", "7", "--look-back", "14", "--units", "8"]
    words += ["--epochs", "1", "--validation", "20", "--test", "20", "--linear", "--run", run]
    with portable():
        result = seqzoo(*words)
    assert "The linear model has a share of" in result.stderr, result.output
    result = seqzoo("export", run, exported, "--format", "onnx")
    assert result.exit_code == 0, result.output
    assert f"python {exported}/predict.py FILE.json ..." in result.stdout
    history = {"values": sold[:90], "dates": days[:90], "known": [[price] for price in prices[:97]]}
    (tmp_path / "history.json").write_text(json.dumps(history))
    answer = json.loads(seqzoo("predict", exported, "--json", tmp_path / "history.json").stdout)
    rows = _rows(seqzoo("predict", run, "--input-file", table, "--format", "csv").stdout)
    expected = [float(row["sold"]) for row in rows]
    np.testing.assert_allclose(answer["answer"], expected, rtol=1e-3)


@pytest.mark.parametrize(
    "words, message",
    [
        (["predict", "RUN"], "A forecast needs --input-file"),
        (
            ["predict", "RUN", "--input-file", "TABLE", "--format", "conllu"],
            "text, csv or jsonl, not conllu",
        ),
        (["predict", "language-id", "--horizon", "3", "hola"], "are for runs of the `forecast`"),
        (
            ["predict", "RUN", "--input-file", "TABLE", "--anomalies", "--plot", "a.png"],
            "leave --horizon and --plot out",
        ),
        (
            ["predict", "RUN", "--input-file", "TABLE", "--plot", "a.xyz"],
            "`plot` must be a .png file, got 'a.xyz'",
        ),
        (
            ["predict", "RUN", "--input-file", "TABLE", "--plot", "none/a.png"],
            "`plot` must be a .png file in an existing folder, but ",
        ),
        (["train", "forecast", "--data", "TABLE"], "must name a column of"),
        (["train", "forecast"], "forecast needs --data"),
        (["backtest", "language-id"], "is a run of the many-to-one template, not of forecast"),
        (["check", "TABLE", "--date-column", "d"], "`date_column` must name a column (day"),
        (["export", "RUN", "OUT", "--format", "keras"], "must be saved-model, onnx or litert"),
        (["inspect", "RUN", "none.csv"], "There is no file none.csv"),
    ],
)
def test_mistakes_are_reported_in_one_line(
    folder: pathlib.Path, words: list[str], message: str
) -> None:
    names = {"RUN": folder / "run", "TABLE": folder / "sold.csv", "OUT": folder / "out"}
    result = seqzoo(*(str(names.get(word, word)) for word in words))
    assert result.exit_code == 2 and message in result.stderr, result.output
    assert result.stderr.strip().splitlines()[-1].startswith("Error: ")


def test_a_step_of_the_horizon_of_one_of_several_targets_is_explained(tmp_path) -> None:
    days = np.datetime64("2024-01-01") + np.arange(60)
    rows = [f"{day},{day.astype(int) % 7},{day.astype(int) % 5}" for day in days]
    (tmp_path / "shop.csv").write_text("\n".join(["day,sold,returned", *rows]) + "\n")
    words = ["train", "forecast", "--data", tmp_path / "shop.csv", "--date-column", "day"]
    words += ["--horizon", "3", "--look-back", "7", "--units", "4", "--epochs", "1"]
    with portable():
        result = seqzoo(*map(str, words), "--run", str(tmp_path / "run"))
    assert result.exit_code == 0, result.output
    explain = ["explain", tmp_path / "run", tmp_path / "shop.csv"]
    for more, name in (([], "sold"), (["--answer", "returned"], "returned")):
        result = seqzoo(*explain, "--step", 1, *more)
        assert result.stdout.startswith(f"2024-03-02 {name}  (standardised value "), result.output
    result = seqzoo(*explain, "--step", 3)
    assert result.exit_code == 2 and "`step` must be from 0 to 2" in result.stderr
    result = seqzoo(*explain, "--answer", "return")
    assert result.exit_code == 2 and "did you mean 'returned'?" in result.stderr


@pytest.mark.slow
def test_a_forecast_is_inspected_and_explained(folder, tmp_path) -> None:
    run, only = folder / "run", ("--only", "attribution,states")
    result = seqzoo("inspect", run, "--examples", 2, *only, "--output", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    numbers = json.loads(result.stdout)
    held_out = 7 * WEEKS - 7  # the last horizon is left to forecast
    first = np.datetime64("2024-01-01") + held_out
    for item in numbers["inputs"]:
        assert len(item["labels"]) == 14 and item["labels"][-1] == str(first - 1)
        assert item["steps"] == [str(first + step) for step in range(7)]
    result = seqzoo("explain", run, folder / "sold.csv", "--step", 0, "--json")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [len(answer["values"]) for answer in answers] == [14, 14]
    assert answers[0]["explained"] == str(np.datetime64("2024-01-01") + 7 * WEEKS)
    for answer in answers:
        change = answer["score"] - answer["baseline"]
        assert sum(answer["values"]) == pytest.approx(change, rel=0.02, abs=1e-4)

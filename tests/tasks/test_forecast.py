"""Forecasts: distributions, windows, baselines, corrections, and a trained panel."""

import pathlib
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast, get_args

import numpy as np
import pytest
import tensorflow as tf
from cell_names import BEFORE_RELEASES
from figure_boxes import disjoint

import seqzoo.cells
from seqzoo.tasks import Examples, Forecast, History, SeqzooError, Splits, TrainingSettings, train
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.data.windows import SampledData
from seqzoo.tasks.forecast import plot
from seqzoo.tasks.forecast.network import SegmentForecaster
from seqzoo.tasks.forecast.plot import plot_forecasts
from seqzoo.tasks.forecast.task import ForecastTask
from seqzoo.tasks.forecast.template import HorizonForm
from seqzoo.tasks.metrics.conformal import level_corrections
from seqzoo.tasks.metrics.linear_forecast import LinearForecast
from seqzoo.tasks.preprocessing.base import moments
from seqzoo.tasks.preprocessing.histories import HistoryFeatures
from seqzoo.tasks.preprocessing.history_scales import column_moments, learned_static
from seqzoo.tasks.preprocessing.static_numbers import static_numbers
from seqzoo.tasks.preprocessing.value_transforms import TRANSFORMS
from seqzoo.tasks.runs.ensemble import Ensemble
from seqzoo.tasks.targets.distributions import DISTRIBUTIONS, Units
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.inference.forecasts import Forecaster

LEVELS = (0.1, 0.5, 0.9)


def _days(count: int) -> np.ndarray:
    return np.datetime64("2020-01-01") + np.arange(count)


def _oracle(name: str, outputs: np.ndarray) -> Any:
    """The distribution of SciPy for outputs of a window with level 0.5, spread 2, of a series with
    mean 20 and standard deviation 4."""
    stats = pytest.importorskip("scipy.stats")
    first = outputs[0] * 2 + 0.5
    soft = np.log1p(np.exp(outputs[1:])) + 1e-3
    if name == "gaussian":
        return stats.norm(first, 2 * soft[0])
    if name == "student-t":
        return stats.t(2 + np.log1p(np.exp(outputs[2])), first, 2 * soft[0])
    mean = 4 * np.log1p(np.exp(first + 20 / 4)) + 1e-3
    number = 1 / soft[0]
    return stats.nbinom(number, number / (number + mean))


@pytest.mark.parametrize("name", ["gaussian", "student-t", "negative-binomial"])
def test_distributions_have_the_losses_and_quantiles_of_scipy(name: str) -> None:
    distribution = DISTRIBUTIONS[name](LEVELS)
    numbers = np.array([0.7, -0.4, 0.3][: distribution.size], np.float32)
    one = tf.constant([[[1.0]]])
    units = Units(0.5 * one, 2 * one, 20 * one, 4 * one)
    outputs = tf.constant(numbers[None, None, None])
    oracle = _oracle(name, numbers.astype(np.float64))
    truth = tf.constant([[[0.75]]])  # a count of 23
    counts = name == "negative-binomial"
    expected = -oracle.logpmf(23) if counts else -oracle.logpdf(0.75)
    np.testing.assert_allclose(
        distribution.losses(outputs, truth, units).numpy(), expected, rtol=1e-4
    )
    quantiles, expected = (
        distribution.quantiles(outputs, units)[0, 0, 0].numpy(),
        oracle.ppf(LEVELS),
    )
    if counts:
        quantiles = quantiles * 4 + 20
    np.testing.assert_allclose(quantiles, expected, rtol=1e-4, atol=1e-4)


def test_large_counts_have_the_loss_and_quantiles_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    distribution = DISTRIBUTIONS["negative-binomial"](LEVELS)
    one = tf.constant([[[1.0]]])
    units = Units(0 * one, one, 0 * one, one)
    outputs = tf.constant([[[[1e6, -6.2]]]])  # a dispersion of 0.003
    number = 1 / (np.log1p(np.exp(-6.2)) + 1e-3)
    oracle = stats.nbinom(number, number / (number + 1e6 + 1e-3))
    loss = distribution.losses(outputs, tf.constant([[[1.1e6]]]), units)
    np.testing.assert_allclose(loss, -oracle.logpmf(1_100_000), rtol=1e-5)
    quantiles = distribution.quantiles(outputs, units)[0, 0, 0]
    np.testing.assert_allclose(quantiles, oracle.ppf(LEVELS), rtol=1e-5)


def test_the_quantile_loss_is_least_at_quantiles() -> None:
    distribution = DISTRIBUTIONS["quantiles"](LEVELS)
    values = np.random.default_rng(0).exponential(size=4_000).astype(np.float32)
    one = tf.constant([[[1.0]]])
    units = Units(0 * one, one, 0 * one, one)
    truth = tf.constant(values[:, None, None])

    def loss(quantiles: Any) -> float:
        outputs = tf.tile(tf.constant(quantiles, tf.float32)[None, None, None], [4_000, 1, 1, 1])
        return float(tf.reduce_mean(distribution.losses(outputs, truth, units)))

    best = np.quantile(values, LEVELS)
    for position in range(3):
        for step in (-0.1, 0.1):
            other = best.copy()
            other[position] += step
            assert loss(other) > loss(best)


def test_corrections_give_quantiles_their_coverage() -> None:
    above = np.random.default_rng(0).normal(2.0, 3.0, (500, 2, 1, 3))
    result = level_corrections(above, [0.1, np.nan, 0.9])
    assert not result[..., 1].any()
    for step in range(2):
        below = (above[:, step, 0] <= result[step, 0]).mean(0)
        np.testing.assert_allclose(below[[0, 2]], [0.1, 0.9], atol=0.005)
    # The 91st smallest of 100 values: ceil(101 * 0.9).
    few = np.arange(100.0)[:, None, None, None]
    assert level_corrections(few, [0.9]).item() == 90
    assert level_corrections(few, [0.1]).item() == 9


def _features(histories: list[History], **options: Any) -> HistoryFeatures:
    template = Forecast(**{"look_back": 4, "horizon": 2, "calendar": False, **options})
    return HistoryFeatures.learn(template, Examples(histories))


def test_windows_look_back_at_what_came_before_the_split() -> None:
    values = np.arange(12.0)
    values[9] = np.nan
    whole = History(_days(12), values)
    features = _features([whole.cut(8)])
    trained = features.windows(Examples([whole.cut(8)]))
    assert trained.origins.tolist() == [4, 5, 6]
    scored = features.windows(Examples([whole.cut(12, since=8)]))
    assert scored.origins.tolist() == [8, 9, 10]
    parts = features.layout.split(scored[1])
    mean, scale = values[:8].mean(), values[:8].std()
    np.testing.assert_allclose(
        parts["values"][:, 0] * scale + mean * parts["observed"][:, 0],
        [5, 6, 7, 8, 0, 10],
        atol=1e-4,
    )
    assert parts["observed"][:, 0].tolist() == [1, 1, 1, 1, 0, 1]
    # A series that is shorter than a window is padded at the start.
    short = features.windows(Examples([whole.cut(4)]))
    assert short.origins.tolist() == [1, 2]
    assert features.layout.split(short[0])["observed"][:, 0].tolist() == [0, 0, 0, 1, 1, 1]


def test_the_last_values_of_a_history_become_its_future() -> None:
    values = np.arange(9.0)
    values[8] = np.nan
    one = History(_days(9), values, known=np.arange(9.0), since=2)
    hidden = one.without_last(3)
    assert (len(hidden), hidden.end, hidden.since) == (8, 5, 0)
    assert hidden.known[:, 0].tolist() == [*range(8)]
    assert one.without_last(20).end == 1 and one.end == 8
    late = History(_days(9), np.where(np.arange(9) < 6, np.nan, 1.0))
    assert late.without_last(5).end == 7


def test_each_epoch_samples_new_windows() -> None:
    one = History(_days(60), np.arange(60.0))
    data = SampledData(_features([one]).windows(Examples([one])), max_sequences=20)
    padding = Padding.choose(data, 1, 8)
    settings = TrainingSettings(batch_size=8)
    epochs = [data.plan(padding, settings, seed=(0, epoch)) for epoch in range(2)]
    drawn = [{*item.rows[item.weights > 0].tolist()} for item in epochs]
    assert [len(item) for item in drawn] == [20, 20] and drawn[0] != drawn[1]
    assert len({*data.plan(padding, settings).rows.tolist()}) == len(data) == 55


def test_the_linear_baseline_finds_a_linear_recurrence() -> None:
    series = np.zeros(200)
    series[:2] = 1.0, 0.4
    for step in range(2, 200):
        series[step] = 1.8 * series[step - 1] - series[step - 2]
    result = LinearForecast.fit([series[:150, None]], Forecast(look_back=4, horizon=3))
    assert result is not None
    forecast = result.predict([series[:, None]], np.zeros(2, int), np.array([160, 190]))
    expected = np.stack([series[160:163], series[190:193]])[..., None]
    np.testing.assert_allclose(forecast, expected, atol=1e-3)


STEPS = 400


def _panel(name: str, scale: float, seed: int) -> History:
    """A series whose values are a known covariate plus noise."""
    random = np.random.default_rng(seed)
    known = random.normal(size=(STEPS, 1))
    noise = random.normal(0, 0.3, STEPS)
    values = scale * (known[:, 0] + noise + 3)
    return History(_days(STEPS), values, known=known, static=(name[0],), name=name)


@pytest.fixture(scope="module")
def panel() -> Splits:
    whole = [_panel("a", 1.0, 0), _panel("b", 50.0, 1)]
    return Splits(
        Examples([item.cut(200) for item in whole]),
        Examples([item.cut(300, 200) for item in whole]),
        Examples([item.cut(STEPS, 300) for item in whole]),
    )


@pytest.fixture(scope="module")
def run(panel: Splits, tmp_path_factory) -> Any:
    template = Forecast(units=16, look_back=8, horizon=4, segment=2, distribution="gaussian")
    settings = TrainingSettings(epochs=6, batch_size=32, learning_rate=1e-2)
    with seqzoo.cells.portable():  # which compiles nothing
        return train(template, panel, settings, tmp_path_factory.mktemp("runs") / "panel")


def test_a_panel_is_forecast_with_known_covariates(run: Any, panel: Splits) -> None:
    assert panel.test is not None
    metrics = run.evaluate(panel.test)
    # Noise has a share of 0.09 / 1.09 of the variance.
    assert metrics["mse"] < 0.2 < 0.8 * min(value["mse"] for value in metrics["baselines"].values())
    # Of 200 steps; by chance it is 0.03 away.
    assert abs(metrics["coverage_80"] - 0.8) < 0.09
    one = panel.test.inputs[0]
    error = np.abs(one.values[7:200] - one.values[:193]).mean()
    naive = metrics["baselines"]["seasonal naive"]
    assert set(naive) == {"mse", "mae", "rmse", "mase", "smape"}
    assert 0.8 < naive["mae"] * one.values[:200].std() / error / naive["mase"] < 1.25


def test_an_unseen_series_is_scaled_by_its_own_history(run: Any) -> None:
    one = replace(_panel("a", 1.0, 2), name="new")
    values = one.values.copy()
    values[-4:] = np.nan
    one = replace(one, values=values)
    other = replace(one, values=10 * values + 5)
    answers = run.predict([one, other])
    np.testing.assert_allclose(
        np.array(answers[0].value) * 10 + 5, answers[1].value, rtol=1e-3, atol=1e-3
    )
    assert answers[0].dates.astype(str).tolist()[0] == "2021-01-31T00:00:00"
    assert (np.diff(answers[0].quantiles, axis=-1) >= 0).all()


def test_the_windows_of_an_unseen_series_are_evaluated_as_they_are_predicted(run: Any) -> None:
    known = _panel("a", 1.0, 2)
    trend = 3 * np.arange(len(known))[:, None]
    new = replace(known, name="new", values=known.values + trend)
    examples = Examples([known, new])
    data = run.task.data(examples)
    for row in (0, len(data) // 2 + 5, len(data) - 1):
        history = examples.inputs[data.inputs.examples[row]]
        origin = int(data.inputs.origins[row])
        behind = np.where(np.arange(len(history))[:, None] < origin, history.values, np.nan)
        raw = run.task.features.raw([replace(history, values=behind)], ["it"])
        encoded, _ = run.task.features.transform(*raw)
        look_back = run.template.look_back
        np.testing.assert_allclose(data.inputs[row][:look_back], encoded[0, :look_back], atol=1e-5)
        padded = data.inputs.padded(np.array([row, 0]), len(data.inputs[row]))
        np.testing.assert_array_equal(padded[0], data.inputs[row])
    # Later values change no forecast.
    later = new.values.copy()
    later[-3:] += 1000
    changed = run.task.data(Examples([known, replace(new, values=later)]))
    one = len(data) // 2 + 5
    np.testing.assert_array_equal(changed.inputs[one], data.inputs[one])
    both = data.inputs.subset(np.array([0, one])).joined(data.inputs.subset(np.array([one])))
    np.testing.assert_array_equal(both[1], data.inputs[one])
    seen = run.task.data(Examples([known])).inputs
    assert seen.scales is None
    mixed = seen.subset(np.array([0])).joined(data.inputs.subset(np.array([one])))
    np.testing.assert_array_equal(mixed[0], seen[0])
    np.testing.assert_array_equal(mixed[1], data.inputs[one])


def test_static_numbers_may_be_missing() -> None:
    learned = learned_static(["10", "", "NA", None, "30"])
    assert learned == {"mean": 20.0, "scale": 10.0}
    assert static_numbers("10", learned) == [-1.0]
    assert all(static_numbers(value, learned) == [0.0] for value in ("", None, "na", r"\N"))
    assert learned_static(["a", "", "b"]) == ["", "a", "b"] and learned_static(["", ""]) == [""]


def test_series_of_fewer_than_two_numbers_have_no_anomalies(run: Any, panel: Splits) -> None:
    forecaster = Forecaster.__new__(Forecaster)
    forecaster.run, forecaster.source = run, Source("a.csv", "history", "horizon", target="sold")
    whole = panel.train.inputs[0].cut(40)
    values = np.full_like(whole.values, np.nan)
    blank = replace(whole, values=values, name="blank")
    values = values.copy()
    values[0] = 1.0
    one = replace(whole, values=values, name="one")
    result = forecaster.anomalies([blank, one, whole], minimum_score=0.0)
    assert [row[0] for row in result.rows] == ["a"] * 32  # all but the first look-back
    assert "8 of 40 values were not examined" in "".join(result.notes)
    with pytest.raises(SeqzooError, match="a series of at least two values"):
        forecaster.anomalies([blank, one])
    values[[1, 30]] = 2.0  # no value is within the look-back before the last one
    sparse = replace(whole, values=values, name="sparse")
    again = forecaster.anomalies([sparse, whole], minimum_score=0.0)
    assert again.rows == result.rows
    with pytest.raises(SeqzooError, match="within the look-back of 8 steps, but there is none"):
        forecaster.anomalies([sparse])
    with pytest.raises(SeqzooError, match="The series 'blank' has no value to forecast from"):
        forecaster.forecast([whole, blank])


def test_a_second_correction_changes_nothing(run: Any, panel: Splits) -> None:
    from seqzoo.tasks.runs.correction import correct

    before = run.model.correction.numpy().copy()
    assert before.any()
    validation = run.task.data(panel.validation)
    result = run._inference.collect(run.task.uncorrected, validation, PredictionOptions())
    correct(run.folder, run._inference, [result])
    np.testing.assert_allclose(run.model.correction.numpy(), before, atol=1e-6)


def test_mistakes_are_reported(run: Any) -> None:
    one = _panel("a", 1.0, 3)
    with pytest.raises(SeqzooError, match="as the horizon, 4, but example 0 has 0"):
        run.predict([one])
    with pytest.raises(SeqzooError, match="columns of `known` must be 1, .*has 0"):
        run.predict([History(_days(9), range(9))])
    hours = np.datetime64("2020-01-01T00") + np.arange(9)
    with pytest.raises(SeqzooError, match="must be day, as in training, .* is hour"):
        run.predict([History(hours, range(9), known=np.zeros(9), static=("a",))])
    with pytest.raises(SeqzooError, match="`levels` must be numbers above 0 and below 1"):
        Forecast(levels=(0.5, 1.0))
    assert Forecast(levels=cast(Any, 0.5)).levels == (0.5,)
    with pytest.raises(SeqzooError, match=r"`levels` must be numbers .*, got \['a'\]"):
        Forecast(levels=cast(Any, ["a"]))
    with pytest.raises(SeqzooError, match="`segment` must be at most the horizon"):
        Forecast(horizon=6, segment=12)


@pytest.mark.parametrize(
    "cell, form",
    [
        pytest.param("mingru", "recurrent", marks=pytest.mark.slow),
        pytest.param("lstm", "parallel", marks=BEFORE_RELEASES),
        pytest.param("lstm", "recurrent", marks=BEFORE_RELEASES),
    ],
)
@pytest.mark.usefixtures("kept_process")
def test_any_cell_and_form_is_exported_with_all_inputs(
    cell: str, form: Any, panel: Splits, tmp_path: pathlib.Path
) -> None:
    template = Forecast(
        cell=cell,
        units=6,
        layers=2,
        look_back=8,
        horizon=5,
        segment=2,
        form=form,
        window_normalization="mean",
        distribution="quantiles",
    )
    settings = TrainingSettings(epochs=1, batch_size=32)
    with seqzoo.cells.portable():
        run = train(template, panel, settings, tmp_path / "run")
    names = [spec.name for spec in run.task.signature]
    assert names == ["values", "dates", "known", "series", "static"]
    assert run.export(tmp_path / "exported")["difference"] < 1e-4
    with pytest.raises(SeqzooError, match="saved-model, onnx or litert for the `forecast`"):
        run.export(tmp_path / "other", format="keras")


def _growing(name: str, scale: float, seed: int) -> History:
    """A series that grows by a percent each day, with a weekly pattern in proportion."""
    steps = np.arange(120)
    noise = np.random.default_rng(seed).normal(0, 0.05, len(steps))
    values = scale * np.exp(0.01 * steps + 0.3 * np.sin(steps * 2 * np.pi / 7) + noise)
    return History(_days(len(steps)), values, name=name)


def _split(histories: list[History]) -> Splits:
    return Splits(
        Examples([item.cut(70) for item in histories]),
        Examples([item.cut(95, 70) for item in histories]),
        Examples([item.cut(120, 95) for item in histories]),
    )


@pytest.fixture(scope="module")
def growth(tmp_path_factory) -> tuple[Any, Any, list[History]]:
    """A run with a transform, a run without it on logarithms, and the histories."""
    histories = [_growing("a", 1.0, 0), _growing("b", 500.0, 1)]
    logarithms = [replace(item, values=np.log(item.values)) for item in histories]
    settings, folder = TrainingSettings(epochs=3, batch_size=16), tmp_path_factory.mktemp("runs")
    runs = []
    with seqzoo.cells.portable():
        cases: Any = (("log", histories), ("none", logarithms))
        for transform, items in cases:
            template = Forecast(
                units=8,
                look_back=14,
                horizon=7,
                segment=7,
                distribution="quantiles",
                transform=transform,
            )
            runs.append(train(template, _split(items), settings, folder / transform))
    return runs[0], runs[1], histories


@pytest.mark.slow
def test_a_transform_equals_transformed_data(growth: tuple) -> None:
    run, plain, histories = growth
    new = replace(_growing("new", 3.0, 2), name="new")
    histories = [*histories, new]  # a series that was not in training
    logarithms = [replace(item, values=np.log(item.values)) for item in histories]
    for ours, theirs in zip(run.predict(histories), plain.predict(logarithms), strict=True):
        np.testing.assert_allclose(ours.value, np.exp(theirs.value), rtol=2e-3)
        np.testing.assert_allclose(ours.quantiles, np.exp(theirs.quantiles), rtol=2e-3)
        assert (np.diff(ours.quantiles, axis=-1) >= 0).all()
    # Scores are those of the values, the coverage is the same.
    metrics, others = (
        item.evaluate(_split(data).test)
        for item, data in ((run, histories[:2]), (plain, logarithms[:2]))
    )
    assert metrics["coverage_80"] == pytest.approx(others["coverage_80"], abs=0.01)
    assert metrics["mse"] != pytest.approx(others["mse"], rel=0.1)


@pytest.mark.slow
def test_scores_after_a_transform_are_those_of_the_values(growth: tuple) -> None:
    run, _, histories = growth
    one = histories[1]
    metrics = run.evaluate(Examples([one.cut(120, 95)]))
    origins = range(95, 114)
    scale = one.values[:70].std()

    def mse(forecasts: Any) -> float:
        truth = [one.values[origin : origin + 7, 0] for origin in origins]
        return float(np.square((np.array(forecasts) - truth) / scale).mean())

    forecasts = [run.predict([one.cut(origin)])[0].value for origin in origins]
    assert metrics["mse"] == pytest.approx(mse(forecasts), rel=1e-3)
    seasonal = [one.values[origin - 7 : origin, 0] for origin in origins]
    assert metrics["baselines"]["seasonal naive"]["mse"] == pytest.approx(mse(seasonal), rel=1e-3)
    # The linear model has the logarithms, too: it follows the growth.
    logarithms = np.log(one.values)
    mean, deviation = logarithms[:70].mean(), logarithms[:70].std()
    standard = (logarithms - mean) / deviation
    linear = LinearForecast.fit([standard[:70]], run.template)
    assert linear is not None
    forecasts = linear.predict([standard], np.zeros(19, int), np.array(origins))[..., 0]
    forecasts = forecasts * deviation + mean
    assert metrics["baselines"]["linear"]["mse"] == pytest.approx(mse(np.exp(forecasts)), rel=1e-3)


@pytest.mark.slow
def test_an_export_takes_and_returns_values(growth: tuple, tmp_path: pathlib.Path) -> None:
    run, _, histories = growth
    assert run.export(tmp_path / "exported")["difference"] < 1e-4
    graph = tf.saved_model.load(str(tmp_path / "exported")).signatures["serving_default"]
    one = histories[1]
    results = graph(
        values=tf.constant(one.values[None, -14:], tf.float32),
        dates=tf.constant(one.dates[None, -14:].astype("datetime64[s]").astype(np.int64)),
        series=tf.constant(["b"]),
    )
    (expected,) = run.predict([one])
    np.testing.assert_allclose(results["values"][0, :, 0], expected.value, rtol=1e-4)
    np.testing.assert_allclose(results["quantiles"][0], expected.quantiles, rtol=1e-4)


@pytest.mark.parametrize("name", ["log", "log1p"])
def test_transforms_are_inverted(name: str) -> None:
    transform = TRANSFORMS[name]
    values = np.array([0.01, 1.0, 700_000.0])
    for back in (
        transform.array_inverse(transform.arrays(values)),
        transform.inverse(transform.tensors(tf.constant(values, tf.float32))),
    ):
        np.testing.assert_allclose(back, values, rtol=1e-5)
    np.testing.assert_allclose(transform.tensors(values), transform.arrays(values))


@pytest.mark.slow
def test_values_that_cannot_be_transformed_are_reported(growth: tuple) -> None:
    run, _, histories = growth
    values = histories[0].values.copy()
    values[60] = 0.0
    bad = replace(histories[0], values=values)
    message = (
        r"The transform 'log' needs positive values, got 0 on 2020-03-01 in series 'a' "
        r"\(example 0\); use 'log1p' for values of at least 0, or 'none'."
    )
    with pytest.raises(SeqzooError, match=message):
        run.predict([bad])
    with pytest.raises(SeqzooError, match=message):
        HistoryFeatures.learn(Forecast(transform="log"), Examples([bad]))
    HistoryFeatures.learn(Forecast(transform="log1p"), Examples([bad]))
    with pytest.raises(SeqzooError, match="needs values above -1, got -3.*in series 'a'"):
        HistoryFeatures.learn(
            Forecast(transform="log1p"), Examples([replace(bad, values=-2 - values)])
        )
    with pytest.raises(
        SeqzooError, match="'negative-binomial', which is for counts, not their log"
    ):
        Forecast(transform="log", distribution="negative-binomial")


def test_seasonal_levels_are_the_last_values_of_a_season_ago() -> None:
    model = SegmentForecaster(
        8, 5, 2, (1, 1, 0, 0, 0, 0, 1, 1, 1), 1, 1, 0, 1, False, "gru", 4,
        normalization="season", season=3,
    )  # fmt: skip
    values = np.array([5, 1, 2, 3, 4, 0, 6, 7.0])
    observed = np.array([1, 1, 1, 1, 1, 0, 1, 1.0])
    level, ahead, spread = model._window_scales(
        *(tf.constant(item[None, :, None], tf.float32) for item in (values, observed))
    )
    # The first two are the end of a season, whose first step is unknown; the sixth is missing.
    assert level[0, :, 0].numpy().tolist() == [5, 1, 2, 5, 1, 2, 3, 4]
    assert ahead[0, :, 0].numpy().tolist() == [2, 6, 7, 2, 6]
    assert spread.numpy().tolist() == [[[1]]]


@pytest.mark.slow
@pytest.mark.parametrize("form", get_args(HorizonForm))
def test_batches_of_several_sizes_are_trained_on_with_recurrent_dropout(form: str) -> None:
    model = SegmentForecaster(
        4, 4, 2, (1, 1, 0, 0, 0, 0, 1, 1, 1), 1, 1, 0, 1, False, "gru", 4,
        recurrent_dropout=0.2, form=form,
    )  # fmt: skip
    trained = tf.function(lambda values: model(values, training=True)[0], autograph=False)
    for rows in (3, 2):
        assert trained(tf.ones((rows, 8, 5))).shape == (rows, 4, 1, 1)


def test_without_a_network_the_forecast_is_the_season_before() -> None:
    one = _growing("a", 1.0, 0)
    template = Forecast(
        units=4, look_back=21, horizon=10, window_normalization="season", calendar=False
    )
    task = ForecastTask.learn(template, Examples([one]))
    model = task.build()
    model.output_layer.kernel.assign(tf.zeros_like(model.output_layer.kernel))
    raw = tuple(map(tf.constant, task.features.raw([one], ["a"])))
    result = task.infer(model, task.features.tensors(*raw), PredictionOptions())
    expected = one.values[-7:, 0][np.arange(10) % 7]
    np.testing.assert_allclose(result["values"][0, :, 0], expected, rtol=1e-4)
    with pytest.raises(SeqzooError, match=r"longer than a season \(7 steps\) .*, got 7"):
        ForecastTask.learn(replace(template, look_back=7), Examples([one]))


@pytest.mark.parametrize("wrong", [-1.0, 2.5])
def test_a_distribution_of_counts_needs_counts(wrong: float) -> None:
    values = np.arange(40.0)
    values[3], values[7] = np.nan, wrong
    history = History(np.datetime64("2024-01-01") + np.arange(40), values[:, None], name="a")
    template = Forecast(look_back=8, horizon=4, distribution="negative-binomial")
    with pytest.raises(SeqzooError, match=rf"needs counts, got {wrong:g} on 2024-01-08 in series"):
        template.adapt(Examples([history]))


def test_equal_values_have_a_scale_of_one() -> None:
    for value in (0.1, 0.3, 1.7, 20.3):
        values = np.full((380, 1), value)
        assert column_moments(values)[1].tolist() == [1.0]
        assert moments(values)[1] == [1.0]
    varying = np.array([[1.0], [np.nan], [3.0]])
    assert [item.tolist() for item in column_moments(varying)] == [[2.0], [1.0]]


@pytest.mark.parametrize("level, coarse", [(1.7e9, True), (1e5, False)])
def test_values_too_close_for_their_size_are_remarked_on(level: float, coarse: bool) -> None:
    values = level + 10 * np.random.default_rng(0).normal(size=100)
    examples = Examples([History(_days(100), values, name="a")])
    features = HistoryFeatures.learn(Forecast(look_back=8, horizon=4), examples)
    remarks = [text for text in features.remarks if "too little for numbers of 32 bits" in text]
    assert len(remarks) == coarse and all("'a' vary by" in text for text in remarks)
    constant = Examples([History(_days(100), np.full(100, level), name="a")])
    remarks = HistoryFeatures.learn(Forecast(look_back=8, horizon=4), constant).remarks
    assert not any("too little" in text for text in remarks)


def test_the_legend_of_a_plot_names_the_bands_and_covers_nothing(monkeypatch) -> None:
    figures: list = []
    monkeypatch.setattr(plot, "save", lambda figure, _: figures.append(figure))
    history = History(_days(20), np.arange(40.0).reshape(20, 2), name="a")
    quantiles = np.arange(8.0).reshape(2, 4, 1) + np.array([-3, -1, 0, 1, 3])
    quantiles = quantiles.reshape(2, 2, 2, 5)[:, 0]
    prediction = SimpleNamespace(
        dates=_days(22)[-2:], value=[(1.0, 2.0)] * 2, quantiles=quantiles, series="a"
    )
    levels, truths = (0.025, 0.25, 0.5, 0.75, 0.9), [np.ones((2, 2))]
    plot_forecasts(pathlib.Path(), [history], [prediction], ["x", "y"], levels, truths)
    (figure,) = figures
    (legend,) = figure.legends
    names = ["history", "87.5% interval", "50% interval", "forecast", "observed"]
    assert [text.get_text() for text in legend.get_texts()] == names
    outer, inner = (np.asarray(band.get_facecolor())[0, 1] for band in figure.axes[0].collections)
    assert outer > inner
    titles = [axes.title for axes in figure.axes]
    assert disjoint(figure, [legend, *figure.axes]) and disjoint(figure, [legend, *titles])
    quantiles = np.repeat(np.arange(4.0).reshape(2, 2, 1), 19, -1)
    prediction.quantiles, levels = quantiles, [k / 20 for k in range(1, 20)]
    plot_forecasts(pathlib.Path(), [history], [prediction], ["x", "y"], levels, truths)
    (legend,) = figures[1].legends
    figures[1].draw_without_rendering()
    assert 0 <= legend.get_window_extent().x0


@pytest.mark.slow
def test_plots_of_an_evaluation_name_the_columns(
    run: Any, panel: Splits, monkeypatch, tmp_path
) -> None:
    titles: list[str] = []
    monkeypatch.setattr(
        plot,
        "save",
        lambda figure, _: titles.extend(axes.get_title("left") for axes in figure.axes),
    )
    monkeypatch.setattr(run, "source", {"target": "sold, pcs"})
    assert panel.test is not None
    for model in (run, Ensemble([run, run])):
        model.evaluate(panel.test, folder=tmp_path)
    assert titles == ["a · sold, pcs", "b · sold, pcs"] * 2


def test_names_with_dollar_signs_are_no_formulas_in_plots(tmp_path: pathlib.Path) -> None:
    dates = np.datetime64("2024-01-01", "s") + np.arange(9) * np.timedelta64(1, "D")
    history = History(dates, np.arange(9.0)[:, None], name="$AAPL")
    prediction = SimpleNamespace(dates=dates[-2:], value=(1.0, 2.0), quantiles=None, series="$AAPL")
    plot_forecasts(tmp_path / "plot.png", [history], [prediction], ["close_$"], [])
    assert (tmp_path / "plot.png").stat().st_size > 1000

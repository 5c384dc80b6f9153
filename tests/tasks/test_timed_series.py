"""Series with the time between their steps, for time-aware cells."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks import (
    Examples,
    ManyToManyAligned,
    ManyToOne,
    PredictionOptions,
    SeqzooError,
    Splits,
    TimedSeries,
    TrainingSettings,
)
from seqzoo.tasks.layers.recurrent import make_cell
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.training.trainer import train

pytestmark = pytest.mark.usefixtures("plain_loop")


def spaced(count: int, seed: int) -> Examples:
    """Noise, whose label is whether its steps are further apart than others; in seconds."""
    random = np.random.default_rng(seed)
    inputs, targets = [], []
    for index in range(count):
        steps = random.integers(6, 10)
        elapsed = random.uniform(50, 150, steps) * (1 + 2 * (index % 2))
        inputs.append(TimedSeries(random.normal(size=steps), elapsed))
        targets.append(["near", "far"][index % 2])
    return Examples(inputs, targets)


def without(examples: Examples) -> Examples:
    return Examples([item.values for item in examples.inputs], examples.targets)


SETTINGS = TrainingSettings(epochs=8, batch_size=16, learning_rate=0.02, warmup_steps=0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Reads in both directions."""
    template = ManyToOne(input="series", cell="cfc", units=6, bidirectional=True)
    folder = tmp_path_factory.mktemp("runs") / "spaced"
    with seqzoo.cells.portable():
        return train(template, Splits(spaced(96, 0)), SETTINGS, folder)


@pytest.mark.parametrize("unit", ["s", "D", "ns", "text", "datetime"])
def test_dates_are_times_in_seconds(unit: str) -> None:
    days = np.array(["2020-01-01", "2020-01-03", "2020-01-04"], "datetime64[D]")
    times: Any = [f"{day}T00:00" for day in days] if unit == "text" else days.astype(object)
    if unit not in ("text", "datetime"):
        times = days.astype(f"datetime64[{unit}]")
    elif unit == "datetime":
        times = days.astype("datetime64[s]").tolist()
    expected = [0, 2 * 86_400, 86_400]
    assert TimedSeries.at([1, 2, 3], times).elapsed.tolist() == expected
    columns = {"x": [[1, 2, 3]], "t": [times]}
    (series,) = Examples.from_columns(columns, input="x", time="t").inputs
    assert series.elapsed.tolist() == expected
    gaps = np.diff(days, prepend=days[:1])
    assert TimedSeries([1, 2, 3], gaps).elapsed.tolist() == expected


def test_times_that_are_none_are_refused() -> None:
    for times in (["yesterday", "today"], [[1], [2, 3]], [{}, 1]):
        with pytest.raises(SeqzooError, match="`timestamps` must be numbers, or dates and times"):
            TimedSeries.at([1, 2], times)
    columns = {"x": [[1, 2]], "t": [[1, 2]]}
    wrong: Any = "Elapsed"
    with pytest.raises(SeqzooError, match="one of timestamps, elapsed, got 'Elapsed'; did you me"):
        Examples.from_columns(columns, input="x", time="t", time_values=wrong)


@pytest.mark.slow
def test_a_label_encoded_in_the_times_is_learned_from_them(run: Run) -> None:
    test = spaced(80, 1)
    assert run.evaluate(test)["accuracy"] > 0.95
    even = [TimedSeries(item.values, np.full(len(item), 200.0)) for item in test.inputs]
    assert run.evaluate(Examples(even, test.targets))["accuracy"] < 0.7


@pytest.mark.slow
def test_without_times_it_is_not_learned(tmp_path) -> None:
    test = spaced(80, 1)
    blind = ManyToOne(input="series", cell="gru", units=6)
    other = train(blind, Splits(without(spaced(96, 0))), SETTINGS, tmp_path / "blind")
    assert other.evaluate(without(test))["accuracy"] < 0.7


def test_times_are_in_units_of_their_mean_in_training(run: Run) -> None:
    features = run.task.features
    elapsed = np.concatenate([item.elapsed[1:] for item in spaced(96, 0).inputs])
    np.testing.assert_allclose(features.time_unit, elapsed.mean())
    one = TimedSeries([3.0, 5.0], [0.0, features.time_unit])
    values, lengths = features.transform(*features.raw([one], ["one"]))
    np.testing.assert_allclose(values[0, :, 1], [0, 1], rtol=1e-6)
    np.testing.assert_allclose(values[0, :, 0] * features.scale[0] + features.mean[0], [3, 5])
    assert list(lengths) == [2]


@pytest.mark.slow
def test_an_opened_run_and_its_export_take_times(run: Run, tmp_path) -> None:
    inputs = spaced(8, 2).inputs
    answers = run.predict(inputs)
    again = Run.open(run.folder)
    assert [item.label for item in again.predict(inputs)] == [answer.label for answer in answers]
    alone: Any = [again.predict([item])[0].probability for item in inputs]
    together: Any = [answer.probability for answer in answers]
    np.testing.assert_allclose(alone, together, rtol=1e-4)
    run.export(tmp_path / "saved", check=False)
    served = tf.saved_model.load(str(tmp_path / "saved")).signatures["serving_default"]
    values, elapsed, lengths = run.task.features.raw(inputs, [""] * 8)
    named = served(
        values=tf.constant(values), elapsed=tf.constant(elapsed), lengths=tf.constant(lengths)
    )
    assert [item.decode() for item in named["label"].numpy()] == [
        answer.label for answer in answers
    ]


def test_observation_masks_are_not_standardised() -> None:
    values = np.array([[5.0, 1], [0, 0], [9, 1]])
    examples = Examples([TimedSeries(values, [0, 1, 2])] * 2, ["a", "b"])
    features = ManyToOne(input="series", cell="gru-d").adapt(examples).features
    assert features.mean[1] == 0 and features.scale[1] == 1 and features.mean[0] > 4


@pytest.mark.parametrize(
    "values, message",
    [
        ([[5.0], [0.0]], "n zeros and ones that say .* but .* has 1 per step; add a"),
        ([[5.0, 1, 7], [0, 0, 1]], "has 3 per step; add"),
        ([[5.0, 1, 0, 3], [0, 0, 1, 1]], "but .* 0 has other numbers as number 4 of a step; add"),
    ],
)
def test_a_cell_that_needs_a_mask_says_so(values: Any, message: str) -> None:
    examples = Examples([TimedSeries(values, [0, 1])] * 2, ["x", "y"])
    with pytest.raises(SeqzooError, match=message):
        ManyToOne(input="series", cell="gru-d").adapt(examples)


@pytest.mark.parametrize("missing", [0.0, -9999.0])
def test_what_stands_for_missing_values_has_no_effect(missing: float) -> None:
    values = np.array([[5.0, 1, missing, 1, 1, 0], [missing] * 3 + [0, 0, 0], [9, 0, 4, 1, 1, 0]])
    examples = Examples([TimedSeries(values, [0, 1, 2])] * 2, ["a", "b"])
    features = ManyToOne(input="series", cell="gru-d").adapt(examples).features
    assert features.mean == [7, 0, 0, 0, 0, 0] and features.scale == [2, 1, 1, 1, 1, 1]
    features.raw([TimedSeries(values, [0, 1, 2])], ["here"])
    values[1, 3] = 7
    with pytest.raises(SeqzooError, match="but here has other numbers as number 4 of a step"):
        features.raw([TimedSeries(values, [0, 1, 2])], ["here"])


def test_a_cell_that_needs_a_mask_is_not_stacked() -> None:
    with pytest.raises(SeqzooError, match="`layers` must be 1 for the cell 'gru-d'"):
        make_cell(ManyToOne(input="series", cell="gru-d", layers=2))


def test_a_forecaster_knows_the_time_of_the_step_that_it_predicts() -> None:
    series = [TimedSeries([1.0, 2, 4], [7, 1, 3]), TimedSeries([3.0, 5], [0, 2])]
    template = ManyToManyAligned(input="series", target="next", cell="cfc", units=3, horizon=2)
    task: Any = template.adapt(Examples(series))
    assert task.features.time_unit == 2  # the time before a series does not count
    values, lengths = task.features.transform(*task.features.raw(series, ["", ""]))
    given, following = task._pairs(values)
    np.testing.assert_allclose(given[0, :, 1], [0.5, 1.5])  # until the next step
    np.testing.assert_allclose(given[..., 0], values[:, :-1, 0])
    np.testing.assert_allclose(following, values[:, 1:, :1])

    model = task.build()
    batch = {"values": values, "lengths": lengths, "rows": tf.range(2)}
    found = task.infer(model, batch, PredictionOptions())["values"]
    assert found.shape == (2, 2, 1)
    # The first forecast follows the last step of each series after one unit of time.
    until = np.array([[0.5, 1.5, 1.0]], np.float32)
    whole = np.concatenate([values[:1, :, :1], until[..., None]], -1)
    outputs, _ = model(whole)
    np.testing.assert_allclose(found[0, :1], outputs[0, -1:], rtol=1e-5)
    alone = {name: value[1:] for name, value in batch.items()} | {"values": values[1:, :2]}
    np.testing.assert_allclose(
        task.infer(model, alone, PredictionOptions())["values"][0], found[1], rtol=1e-5
    )


def test_columns_become_series_with_times() -> None:
    columns = {"x": [[1.0, 2.0], [3.0, 4.0, 5.0]], "t": [[10, 12], [3, 3, 9]]}
    found = Examples.from_columns(columns, input="x", time="t").inputs
    np.testing.assert_array_equal(found[0].elapsed, [0, 2])
    np.testing.assert_array_equal(found[1].elapsed, [0, 0, 6])
    columns["t"] = [[10, 12], [3, 3, 9]]
    same = Examples.from_columns(columns, input="x", time="t", time_values="elapsed").inputs
    np.testing.assert_array_equal(same[1].elapsed, [3, 3, 9])
    np.testing.assert_array_equal(same[1][1:].values, [4, 5])


TIMED = Examples([TimedSeries([1.0, 2], [0, 1])] * 2, ["a", "b"])
PLAIN = Examples([[1.0, 2]] * 2, ["a", "b"])


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: ManyToOne(input="series", cell="ltc").adapt(PLAIN),
            "cell 'ltc' needs the time of each step, but example 0 has none",
        ),
        (
            lambda: ManyToOne(input="series", cell="lstm").adapt(TIMED),
            "without times was expected, since the cell is not time-aware, but example 0 has times",
        ),
        (
            lambda: ManyToOne(input="words", cell="cfc").adapt(Examples(["a"], ["b"])),
            "`cell` must be a cell that is not time-aware for input 'words'",
        ),
        (
            lambda: TimedSeries([1.0, 2], [0, -1.5]),
            "`elapsed` must be at least 0, got -1.5 at step 1",
        ),
        (lambda: TimedSeries([1.0, 2], [0, np.nan]), "`elapsed` must be finite, got nan at step 1"),
        (
            lambda: TimedSeries([1.0, 2], [0]),
            "`elapsed` must have one time per step, 2 in all, got 1",
        ),
        (
            lambda: TimedSeries([1.0, 2], [[0], [1]]),
            r"`elapsed` must have shape \(time,\), got \(2, 1\)",
        ),
        (lambda: TimedSeries(["a"], [0]), "`values` must be numbers"),
        (
            lambda: TimedSeries.at([1.0, 2], [5, 3]),
            "`timestamps` must not decrease, got 3 after 5 at step 1",
        ),
        (
            lambda: Examples.from_columns({"x": [[1.0, 2]], "t": [[5, 3]]}, input="x", time="t"),
            "example 0: `timestamps` must not decrease",
        ),
    ],
)
def test_invalid_times_are_reported_in_one_line(make, message: str) -> None:
    with pytest.raises(SeqzooError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_other_formats_of_export_are_refused(run: Run, tmp_path) -> None:
    with pytest.raises(
        SeqzooError, match="`format` must be saved-model for the cell 'cfc'.*got 'keras'"
    ):
        run.export(tmp_path / "onnx", format="keras")

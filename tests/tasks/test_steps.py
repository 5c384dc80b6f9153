"""Numbers at each step, forecasts and notes: losses, continuations, padding, and exports."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from task_data import repeat, settings

import seqzoo.cells
from seqzoo.tasks import Examples, ManyToManyAligned, SeqzooError, Splits
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.data.batches import Padding, batches
from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.preprocessing.series import pad
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.training.step import Loop
from seqzoo.tasks.training.trainer import describe, train


@pytest.fixture(autouse=True)
def plain_loop():
    """Traces the plain loop, which costs no compilation."""
    with seqzoo.cells.portable():
        yield


def _template(kind: str, **choices) -> ManyToManyAligned:
    sort = {"target": "values"} if kind in ("values", "text") else {"target": "next"}
    sort["input"] = {"values": "series", "text": "characters"}.get(kind, kind)
    return ManyToManyAligned(
        **{**sort, "cell": "gru", "units": 7, "horizon": 5, "minimum_count": 1, **choices}
    )


def _examples(kind: str, count: int = 9, seed: int = 0) -> Examples:
    random = np.random.default_rng(seed)
    lengths = random.integers(2, 12, count)
    if kind == "notes":
        return Examples([(random.random((n, 3)) < 0.4).astype(float) for n in lengths])
    series = [random.normal([3.0, -40.0], [2.0, 0.5], (n, 2)).cumsum(0) for n in lengths]
    if kind == "series":
        return Examples(series)
    targets = [item[:, :1] * 10 + np.arange(3) for item in series]
    if kind == "values":
        return Examples(series, targets)
    return Examples(["".join(random.choice(list("abé"), n)) for n in lengths], targets)


KINDS = ["values", "text", "series", "notes"]


def _run(folder, kind: str, **choices) -> Run:
    """A run whose model has random weights, biases included."""
    chosen, examples = _template(kind, **choices), _examples(kind)
    task = chosen.adapt(examples)
    config = describe(chosen, task, settings(batch_size=4), {}, Padding([5, 12], [5, 12]))
    run = Run.create(folder, config, task)
    model = task.build("float32")
    random = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(random.normal(0, 0.6, weight.shape))
    model.save(folder / "model.keras")
    return run


def _vanilla(run: Run, steps: np.ndarray) -> np.ndarray:
    """Outputs of a model with one "vanilla" layer after each step, in its own units."""
    layers = getattr(run.model, "recurrent", run.model.layers)
    (cell,) = (layer.cell for layer in layers if isinstance(layer, keras.layers.RNN))
    kernel, recurrent, bias = (weight.numpy() for weight in cell.weights)
    dense, offset = (weight.numpy() for weight in run.model.weights[-2:])
    h, rows = np.zeros(7), []
    for step in steps:
        h = np.tanh(step @ kernel + h @ recurrent + bias)
        rows.append(h @ dense + offset)
    return np.array(rows)


def _moments(arrays: list) -> tuple[np.ndarray, np.ndarray]:
    flat = np.concatenate(arrays)
    return flat.mean(0), flat.std(0)


def test_values_are_scored_in_the_units_of_the_data(tmp_path) -> None:
    run = _run(tmp_path / "run", "values", cell="vanilla", bidirectional=False)
    train_set, test = _examples("values"), _examples("values", 6, 5)
    (mean, scale), (low, spread) = _moments(train_set.inputs), _moments(train_set.targets)
    predicted = [_vanilla(run, (item - mean) / scale) * spread + low for item in test.inputs]
    flat = np.concatenate(predicted) - np.concatenate(test.targets)
    metrics = run.evaluate(test)
    assert metrics["mae"] == pytest.approx(np.abs(flat).mean(), rel=1e-4)
    assert metrics["rmse"] == pytest.approx(np.sqrt(np.square(flat).mean()), rel=1e-4)
    assert metrics["loss"] == pytest.approx(np.square(flat / spread).mean(), rel=1e-4)
    _check_mean(metrics, np.concatenate(test.targets), low)
    for item, answer in zip(predicted, run.predict(test.inputs), strict=True):
        np.testing.assert_allclose(answer.value, item, rtol=1e-3, atol=1e-3)
        assert answer.label.count(",") == len(item) - 1


def test_small_differences_between_large_values_are_predicted(tmp_path) -> None:
    """In 32 bits, numbers of this size are multiples of 128."""
    large = 1.7e9
    for kind in ("values", "series"):
        template, examples = _template(kind, cell="vanilla", horizon=4), _examples(kind)
        shifted = [item + large for item in (examples.targets or examples.inputs)]
        both = [examples.inputs, shifted] if kind == "values" else [shifted, None]
        task, model = template.adapt(Examples(*both)), None
        run = Run.create(
            tmp_path / kind, describe(template, task, settings(), {}, Padding([12], [12])), task
        )
        model = task.build("float32")
        model.save(run.folder / "model.keras")
        values = np.concatenate([np.ravel(answer.value) for answer in run.predict(both[0])])
        assert len(np.unique(values.round(3))) > 20


def _check_mean(metrics: dict, truth: np.ndarray, mean: np.ndarray) -> None:
    """Metrics of predictions that are always the mean of the training data, against NumPy."""
    off = truth - mean
    assert abs(off.mean()) > 0.01  # else the mean of the test would do
    assert metrics["mae_of_mean"] == pytest.approx(np.abs(off).mean(), rel=1e-4)
    assert metrics["rmse_of_mean"] == pytest.approx(np.sqrt(np.square(off).mean()), rel=1e-4)


def test_next_steps_are_scored_one_step_ahead(tmp_path) -> None:
    run = _run(tmp_path / "run", "series", cell="vanilla")
    test = _examples("series", 6, 5)
    mean, scale = _moments(_examples("series").inputs)
    predicted = [_vanilla(run, (item - mean) / scale)[:-1] * scale + mean for item in test.inputs]
    flat = np.concatenate(predicted) - np.concatenate([item[1:] for item in test.inputs])
    metrics = run.evaluate(test)
    assert metrics["mae"] == pytest.approx(np.abs(flat).mean(), rel=1e-4)
    assert metrics["loss"] == pytest.approx(np.square(flat / scale).mean(), rel=1e-4)
    last = np.concatenate([np.diff(item, axis=0) for item in test.inputs])
    assert metrics["rmse_of_last"] == pytest.approx(np.sqrt(np.square(last).mean()), rel=1e-4)
    assert metrics["mae_of_last"] == pytest.approx(np.abs(last).mean(), rel=1e-4)
    _check_mean(metrics, np.concatenate([item[1:] for item in test.inputs]), mean)


def test_notes_are_scored_by_frame(tmp_path) -> None:
    run = _run(tmp_path / "run", "notes", cell="vanilla")
    test = _examples("notes", 6, 5)
    logits = np.concatenate([_vanilla(run, item)[:-1] for item in test.inputs])
    actual = np.concatenate([item[1:] for item in test.inputs])
    odds = 1 / (1 + np.exp(-logits))
    nll = -np.log(np.where(actual > 0, odds, 1 - odds)).sum(1).mean()
    metrics = run.evaluate(test)
    assert metrics["nll"] == pytest.approx(nll, rel=1e-5)
    assert metrics["loss"] == pytest.approx(nll, rel=1e-5)
    hits, either = ((odds > 0.5) & (actual > 0)).sum(), ((odds > 0.5) | (actual > 0)).sum()
    assert metrics["note_accuracy"] == pytest.approx(hits / either)


def test_predictions_are_fed_back(tmp_path) -> None:
    run = _run(tmp_path / "run", "series", cell="vanilla")
    inputs = _examples("series", 7, 5).inputs
    mean, scale = _moments(_examples("series").inputs)
    options = PredictionOptions(decoding=Decoding(maximum_length=3))
    for item, answer in zip(inputs, run.predict(inputs, options), strict=True):
        steps = (item - mean) / scale
        for _ in range(3):
            steps = np.concatenate([steps, _vanilla(run, steps)[-1:]])
        np.testing.assert_allclose(answer.value, steps[-3:] * scale + mean, rtol=1e-3, atol=1e-3)
    assert len(run.predict(inputs[:1])[0].value) == 5


def test_notes_are_drawn_by_their_probabilities(tmp_path) -> None:
    run = _run(tmp_path / "run", "notes", cell="vanilla")
    prompt = _examples("notes", 1, 5).inputs[0]
    options = PredictionOptions(decoding=Decoding("sample", maximum_length=2), seed=3)
    drawn = [answer.value for answer in run.predict([prompt] * 2000, options)]
    assert drawn[:5] == [answer.value for answer in run.predict([prompt] * 5, options)]
    odds = 1 / (1 + np.exp(-_vanilla(run, prompt)[-1]))
    shares = [np.mean([note in frames[0] for frames in drawn]) for note in range(3)]
    np.testing.assert_allclose(shares, odds, atol=0.05)
    # The second frame hears the first one.
    first = drawn[0][0]
    roll = np.isin(np.arange(3), first).astype(float)
    odds = 1 / (1 + np.exp(-_vanilla(run, np.concatenate([prompt, roll[None]]))[-1]))
    same = [frames[1] for frames in drawn if frames[0] == first]
    shares = [np.mean([note in frame for frame in same]) for note in range(3)]
    np.testing.assert_allclose(shares, odds, atol=4 * 0.5 / np.sqrt(len(same)))
    greedy = PredictionOptions(decoding=Decoding(maximum_length=2))
    best = tuple(np.flatnonzero(_vanilla(run, prompt)[-1] > 0).tolist())
    assert run.predict([prompt], greedy)[0].value[0] == best


@pytest.mark.quick_for("gru-values", rest="exhaustive")
@pytest.mark.parametrize(
    "cell, kind",
    [("gru", "values"), ("gru", "text"), ("lstm", "series"), ("lstm", "notes")],
)
def test_core_cell_learns_and_never_sees_padding(cell: str, kind: str, tmp_path) -> None:
    examples = _examples(kind, 12)
    task = _template(kind, cell=cell, layers=1 + (cell == "lstm")).adapt(examples)
    keras.utils.set_random_seed(0)
    chosen = settings(batch_size=12, learning_rate=0.02)
    data = task.data(examples)
    plan = data.plan(Padding([16], []), chosen, seed=None)
    loop = Loop(task, chosen, 30, tf.distribute.get_strategy())
    losses = [loop.means()[0] * i for i, _ in enumerate(loop.train(data, repeat(plan, 30)), 1)]
    assert losses[-1] - losses[-2] < (0.9 if kind == "notes" else 0.8) * losses[0]
    assert loop._train is not None and loop._train.experimental_get_tracing_count() == 1
    (batch,) = batches(data, plan)
    inside = np.arange(16) < batch["lengths"].numpy()[:, None]
    random, noisy = np.random.default_rng(0), dict(batch)
    for name in {"values", "targets"} & set(batch):
        value = batch[name].numpy()
        noise = random.integers(0, 4, value.shape).astype(value.dtype)
        keep = inside.reshape(*inside.shape, *[1] * (value.ndim - 2))
        noisy[name] = tf.constant(np.where(keep, value, noise))
    options = PredictionOptions(decoding=Decoding(maximum_length=3))
    results = [task.score(loop.model, item, options) for item in (batch, noisy)]
    np.testing.assert_allclose(results[1]["loss"], results[0]["loss"], rtol=1e-5)
    predicted = [task.infer(loop.model, item, options) for item in (batch, noisy)]
    answers = [
        [
            answer.label
            for answer in task.predictions(
                {name: list(value.numpy()) for name, value in item.items()}, None, options
            )
        ]
        for item in predicted
    ]
    assert answers[0] == answers[1]
    loop.model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    loss = task.score(again, batch, options)["loss"]
    np.testing.assert_allclose(loss, results[0]["loss"], rtol=1e-6)


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, precision",
    [
        pytest.param("values", "mixed_bfloat16", marks=pytest.mark.slow),
        ("series", "mixed_float16"),
        pytest.param("notes", "mixed_bfloat16", marks=pytest.mark.slow),
    ],
)
def test_half_precision_trains(kind: str, precision: str, tmp_path) -> None:
    splits = Splits(_examples(kind, 20), _examples(kind, 5, 3))
    chosen = settings(batch_size=8, precision=precision, epochs=5, learning_rate=0.03)
    run = train(_template(kind, window=6), splits, chosen, tmp_path / "run")
    assert run.history[-1]["loss"] < run.history[0]["loss"]
    (answer,) = run.predict(splits.train.inputs[:1], PredictionOptions(seed=0))
    assert np.isfinite(np.concatenate([np.ravel(step) for step in answer.value])).all()


def _raw(kind: str, inputs: Any) -> dict[str, Any]:
    """Inputs as a caller of the exported model hands them in, with noise for padding."""
    if kind == "text":
        return {"text": np.array([text.encode() for text in inputs], object)}
    values, lengths = pad([np.asarray(one) for one in inputs])
    noise = np.random.default_rng(2).integers(0, 2, values.shape)
    inside = np.arange(values.shape[1])[:, None] < lengths[:, None, None]
    return {"values": np.where(inside, values, noise).astype(np.float32), "lengths": lengths}


@pytest.mark.exhaustive
@pytest.mark.slow
def test_exported_model_does_not_need_seqzoo(tmp_path, clean_tensorflow) -> None:
    options, runs = PredictionOptions(seed=4), {}
    for kind in KINDS:
        runs[kind] = _run(tmp_path / kind, kind, layers=2)
        runs[kind].export(tmp_path / kind / "saved", options, check=False)
    for kind, run in runs.items():
        inputs = _examples(kind, 7, 8).inputs
        answers = run.predict(inputs, options)
        theirs = clean_tensorflow.answers(tmp_path / kind / "saved", _raw(kind, inputs))
        for index, answer in enumerate(answers):
            expected = theirs["values"][index]
            if kind == "notes":
                assert answer.value == tuple(tuple(np.flatnonzero(f).tolist()) for f in expected)
                assert len(answer.value) == 5
                continue
            if kind in ("values", "text"):
                length = int(theirs["lengths"][index])
                assert not expected[length:].any()
                expected = expected[:length]
            np.testing.assert_allclose(answer.value, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "kind, examples, message",
    [
        (
            "values",
            Examples([[1.0, 2.0]], [[[1.0]]]),
            r"target of example 0 must have the shape \(2, 1\)",
        ),
        ("values", Examples([[1.0, 2.0]]), "Training and evaluation need targets"),
        (
            "values",
            Examples([[1.0]], [["a"]]),
            "the target of example 0 does not consist of numbers",
        ),
        ("values", Examples([[1.0]], [[float("nan")]]), r"target of example 0 .* \(1 of 1\)"),
        ("series", Examples([[1.0, 2.0], [3.0]]), "two steps, but example 1 has only one"),
        ("notes", Examples([np.full((3, 2), 0.5)]), "zeros and ones, but example 0 has 0.5"),
        ("notes", Examples([[1.0, 0.0]]), "shape"),
    ],
)
def test_invalid_examples_are_reported(kind: str, examples: Examples, message: str) -> None:
    with pytest.raises(SeqzooError, match=message):
        _template(kind).adapt(examples).data(examples)


def test_an_unsupported_continuation_is_reported(tmp_path) -> None:
    run = _run(tmp_path / "run", "series")
    options = PredictionOptions(decoding=Decoding("beam"))
    with pytest.raises(SeqzooError, match="series must be predicted with the method 'greedy' and"):
        run.predict(_examples("series").inputs, options)
    with pytest.raises(SeqzooError, match="not a language model"):
        run.score(["a"])

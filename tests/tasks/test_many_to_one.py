"""The model of `ManyToOne`: every cell learns in it, padding has no effect, and saving needs no
custom objects."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cell_cases import CORE
from task_data import names, repeat, series, settings, template

import seqzoo.cells
from seqzoo.tasks import Examples, SeqzooError
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.data.batches import Padding, batches, make_plan
from seqzoo.tasks.training.step import Loop

KINDS = [(name, both) for name in CORE for both in (False, True)]


@pytest.fixture(autouse=True)
def plain_loop():
    """Traces the plain loop: compiling each cell's fast one is tested where the cells are."""
    with seqzoo.cells.portable():
        yield


def _batch(task, examples: Examples, padded: int) -> dict:
    data = task.data(examples)
    plan = make_plan(data, Padding([padded], []), len(data))
    return next(iter(batches(data, plan)))


def _outputs(model, batch: dict) -> np.ndarray:
    inputs = {name: tf.convert_to_tensor(batch[name]) for name in ("values", "lengths")}
    return model(inputs).numpy()


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("cell", ["gru", pytest.param("lstm", marks=pytest.mark.slow)])
def test_core_cell_learns_a_batch_and_never_sees_padding(cell: str) -> None:
    choices = template(cell=cell, bidirectional=True, layers=2)
    examples = names(32, 1)
    task = choices.adapt(examples)
    keras.utils.set_random_seed(0)
    loop = Loop(task, settings(batch_size=32), 30, tf.distribute.get_strategy())
    data = task.data(examples)
    repeated = repeat(make_plan(data, Padding([9], []), 32), 30)
    losses = [loop.means()[0] * step for step, _ in enumerate(loop.train(data, repeated), 1)]
    assert losses[-1] - losses[-2] < 0.5 * losses[0]
    batch = _batch(task, examples, 14)
    noise = np.random.default_rng(0).integers(0, 9, batch["values"].shape)
    inside = np.arange(14) < batch["lengths"].numpy()[:, None]
    noisy = {**batch, "values": np.where(inside, batch["values"], noise)}
    outputs = [_outputs(loop.model, b) for b in (batch, noisy, _batch(task, examples, 9))]
    np.testing.assert_allclose(outputs[1], outputs[0], atol=1e-6)
    np.testing.assert_allclose(outputs[2], outputs[0], atol=1e-6)


def _gradients(examples: Examples, rows: int, **choices) -> list[np.ndarray]:
    """The gradients of the first step on a batch of this many rows."""
    task = template().adapt(names(40, 1))
    keras.utils.set_random_seed(0)
    chosen = settings(batch_size=rows, **choices)
    loop = Loop(task, chosen, 1, tf.distribute.get_strategy())
    caught = []
    loop.optimizer.apply = lambda gradients, variables: caught.extend(gradients)
    data = task.data(examples)
    with seqzoo.cells.portable():
        loop._train_replica(next(iter(batches(data, make_plan(data, Padding([9], []), rows)))))
    return [gradient.numpy() for gradient in caught]


def test_filler_rows_change_nothing() -> None:
    examples = names(5, 3)
    for full, filled in zip(_gradients(examples, 5), _gradients(examples, 8), strict=True):
        np.testing.assert_allclose(filled, full, atol=1e-6)


def test_gradients_are_clipped_by_their_global_norm() -> None:
    def norm(gradients: list[np.ndarray]) -> float:
        return np.sqrt(sum(np.square(gradient).sum() for gradient in gradients))

    examples = names(8, 3)
    free = _gradients(examples, 8, clip_norm=None)
    assert norm(free) > 0.2
    clipped = _gradients(examples, 8, clip_norm=0.1)
    assert norm(clipped) == pytest.approx(0.1, rel=1e-4)
    for one, other in zip(free, clipped, strict=True):
        np.testing.assert_allclose(other, one * (0.1 / norm(free)), atol=1e-6)
    for one, other in zip(free, _gradients(examples, 8, clip_norm=100.0), strict=True):
        np.testing.assert_allclose(other, one, atol=1e-7)


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_pooling_covers_the_steps_of_each_sequence(pooling: str) -> None:
    choices = template(input="series", pooling=pooling, cell="vanilla")
    inputs = series(6, 0)
    task = choices.adapt(Examples(inputs, ["a", "b"] * 3))
    model = task.build("float32")
    cell = next(layer for layer in model.layers if isinstance(layer, keras.layers.RNN)).cell
    kernel, recurrent, bias = (weight.numpy() for weight in cell.weights)
    dense = [weight.numpy() for weight in model.get_layer("outputs").weights]
    batch = _batch(task, Examples(inputs, ["a"] * 6), 11)
    got_all = _outputs(model, batch)
    for row, length, got in zip(batch["values"].numpy(), batch["lengths"], got_all, strict=True):
        h, states = np.zeros(8), []
        for step in row[: int(length)]:
            h = np.tanh(step @ kernel + h @ recurrent + bias)
            states.append(h)
        pooled = {"last": states[-1], "mean": np.mean(states, 0), "max": np.max(states, 0)}
        np.testing.assert_allclose(got, pooled[pooling] @ dense[0] + dense[1], atol=1e-5)


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_an_empty_sequence_gives_a_finite_answer(pooling: str) -> None:
    task = template(pooling=pooling, bidirectional=True).adapt(names(20, 1))
    raw = (tf.constant(["", "abc"]),)
    answer = task.respond(task.build("float32"), raw, PredictionOptions(2))
    assert np.isfinite(answer["probabilities"]).all()


@pytest.mark.quick_for("lstm-True", rest="exhaustive")
@pytest.mark.parametrize("cell, bidirectional", KINDS)
def test_saved_without_custom_objects(cell: str, bidirectional: bool, tmp_path) -> None:
    choices = template(cell=cell, bidirectional=bidirectional, pooling="max", dropout=0.1)
    task = choices.adapt(names(20, 1))
    model = task.build("mixed_bfloat16")
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    batch = _batch(task, names(5, 2), 9)
    np.testing.assert_array_equal(_outputs(again, batch), _outputs(model, batch))


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_precision(precision: str) -> None:
    task = template(pooling="mean").adapt(names(20, 1))
    model = task.build(precision)
    recurrent = next(layer for layer in model.layers if isinstance(layer, keras.layers.RNN))
    assert recurrent.dtype_policy.name == recurrent.cell.dtype_policy.name == precision
    assert model.output.dtype == "float32"
    assert all(weight.dtype == "float32" for weight in model.weights)


def test_options_reach_the_cell() -> None:
    choices = template(
        cell="gru", cell_options={"reset_after": False}, recurrent_dropout=0.3, layers=2
    )
    model = choices.adapt(names(20, 1)).build("float32")
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]
    assert len(layers) == 2
    assert all(layer.cell.reset_after is False for layer in layers)
    assert all(layer.cell.recurrent_dropout == 0.3 for layer in layers)


@pytest.mark.parametrize(
    "choices, message",
    [
        ({"cell": "gruu"}, "no cell named 'gruu'.*'gru'"),
        ({"cell_options": {"reset": 1}}, "reset"),
    ],
)
def test_an_invalid_cell_is_reported_before_anything_is_learned(
    choices: dict, message: str
) -> None:
    with pytest.raises(SeqzooError, match=message):
        template(**choices).adapt(Examples([None], [None]))


@pytest.mark.parametrize("name, own", [("units", "`units`"), ("dtype", "`precision`")])
def test_options_of_a_cell_leave_those_of_the_template_alone(name: str, own: str) -> None:
    with pytest.raises(SeqzooError, match=f"must not contain '{name}'.*{own}") as caught:
        template(cell_options={name: 1})
    assert caught.value.field == "cell_options"

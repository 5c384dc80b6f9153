"""The model of `OneToMany`: every cell learns in it, padding has no effect, and saving needs no
custom objects."""

import json
from dataclasses import asdict

import keras
import numpy as np
import pytest
import tensorflow as tf
from one_to_many_data import KINDS, captioned, inputs, template
from task_data import repeat, settings

import seqzoo.cells
from seqzoo.tasks import Examples, OneToMany, SeqzooError
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.data.batches import Padding, batches, make_plan
from seqzoo.tasks.training.step import Loop


@pytest.fixture(autouse=True)
def plain_loop():
    """Traces the plain loop: compiling each cell's fast one is tested where the cells are."""
    with seqzoo.cells.portable():
        yield


def _batch(task, examples: Examples, rows: int, longest: int = 5) -> dict:
    data = task.data(examples)
    return next(iter(batches(data, make_plan(data, Padding([1], [longest]), rows))))


def _loop(task, steps: int, **choices) -> Loop:
    keras.utils.set_random_seed(0)
    return Loop(task, settings(**choices), steps, tf.distribute.get_strategy())


def _logits(model, batch: dict) -> np.ndarray:
    tokens = tf.pad(batch["targets"][:, :-1], [[0, 0], [1, 0]], constant_values=2)
    given = {"values": batch["values"], "lengths": batch["lengths"], "tokens": tokens}
    return model(given).numpy()


@pytest.mark.quick_for("vector-gru-2", rest="exhaustive")
@pytest.mark.parametrize(
    "kind, cell, layers",
    [
        ("image", "gru", 1),
        ("vector", "gru", 2),
        pytest.param("class", "lstm", 1, marks=pytest.mark.slow),
    ],
)
def test_core_cell_learns_a_batch(kind: str, cell: str, layers: int) -> None:
    examples = captioned(kind)
    attention = {"image": "additive", "vector": "none", "class": "multiplicative"}[kind]
    task = template(kind, cell=cell, layers=layers, attention=attention).adapt(examples)
    loop = _loop(task, 25, batch_size=12)
    data = task.data(examples)
    repeated = repeat(make_plan(data, Padding([1], [5]), 12), 25)
    sums = [loop.means()[0] * step for step, _ in enumerate(loop.train(data, repeated), 1)]
    assert sums[-1] - sums[-2] < 0.5 * sums[0]


@pytest.mark.quick_for("image-additive", "class-additive", rest="exhaustive")
@pytest.mark.parametrize(
    "kind, attention",
    [(kind, "additive") for kind in KINDS] + [("image", "multiplicative"), ("image", "none")],
)
def test_padding_has_no_effect(kind: str, attention: str) -> None:
    examples = captioned(kind, 5)
    task = template(kind, attention=attention).adapt(examples)
    keras.utils.set_random_seed(3)
    model = task.build("float32")
    batch = _batch(task, examples, 5, longest=9)
    random = np.random.default_rng(0)
    behind = np.arange(9) >= batch["target_lengths"].numpy()[:, None]
    targets = np.where(behind, random.integers(2, 6, behind.shape), batch["targets"])
    values = np.repeat(batch["values"].numpy(), 3, axis=1)
    values[:, 1:] = random.integers(0, 3, values[:, 1:].shape)
    noisy = {**batch, "values": values, "targets": targets.astype(np.int32)}
    plain, other = (task.forward(model, one, training=False) for one in (batch, noisy))
    np.testing.assert_allclose(other.losses, plain.losses, rtol=1e-5)
    np.testing.assert_array_equal(other.sums, plain.sums)
    short = task.forward(model, _batch(task, examples, 5), training=False)
    np.testing.assert_allclose(short.losses, plain.losses, rtol=1e-5)
    answers = [task.infer(model, one, PredictionOptions()) for one in (batch, noisy)]
    np.testing.assert_array_equal(answers[0]["texts"], answers[1]["texts"])


@pytest.mark.parametrize("normalization", ["group", "batch"])
def test_filler_rows_change_nothing(normalization: str) -> None:
    examples = captioned(count=5)
    caught = []
    for rows in (5, 8):
        task = template(normalization=normalization).adapt(captioned())
        loop = _loop(task, 1, batch_size=rows)
        gradients: list = []
        loop.optimizer.apply = lambda found, _, keep=gradients: keep.extend(found)
        loop._train_replica(_batch(task, examples, rows))
        moved = [variable.numpy() for variable in loop.model.non_trainable_variables[:4]]
        caught.append([gradient.numpy() for gradient in gradients] + moved)
    for full, filled in zip(*caught, strict=True):
        np.testing.assert_allclose(filled, full, atol=1e-5)


@pytest.mark.quick_for("class")
@pytest.mark.parametrize("kind", ["image", "class"])
def test_saved_without_custom_objects(kind: str, tmp_path) -> None:
    examples = captioned(kind)
    choices = {"dropout": 0.1, "tied": True, **({"random_shift": 0.2} if kind == "image" else {})}
    task = template(kind, **choices).adapt(examples)
    model = task.build("mixed_bfloat16")
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    batch = _batch(task, examples, 12)
    np.testing.assert_array_equal(_logits(again, batch), _logits(model, batch))
    assert again.decoder.dtype_policy.name == "mixed_bfloat16"


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(
    "precision", ["mixed_bfloat16", pytest.param("mixed_float16", marks=pytest.mark.slow)]
)
def test_mixed_precision_trains(precision: str) -> None:
    examples = captioned()
    task = template(normalization="batch", tied=True, random_shear=0.1).adapt(examples)
    loop = _loop(task, 3, batch_size=12, precision=precision)
    data = task.data(examples)
    steps = repeat(make_plan(data, Padding([1], [5]), 12), 3)
    sums = [loop.means()[0] * step for step, _ in enumerate(loop.train(data, steps), 1)]
    assert sums[-1] - sums[-2] < sums[0]
    assert all(weight.dtype == "float32" for weight in loop.model.trainable_weights)


def test_a_stored_template_equals_a_new_one() -> None:
    choices = template(image_size=(6, 4), cell_options={"reset_after": False})
    stored = json.loads(json.dumps(choices.to_config()))
    assert stored == choices.to_config()
    assert OneToMany.from_config(stored) == choices
    assert set(stored) == set(asdict(choices))


def test_without_attention_the_states_summarise_the_image() -> None:
    examples = captioned()
    for pooling in ("mean", "flatten"):
        task = template(attention="none", pooling=pooling).adapt(examples)
        model = task.build("float32")
        batch = _batch(task, examples, 12)
        mixed = {**batch, "values": tf.roll(batch["values"], 1, axis=0)}
        difference = np.abs(_logits(model, batch) - _logits(model, mixed)).max(axis=(1, 2))
        assert difference.min() > 1e-4


@pytest.mark.parametrize(
    "choices, message",
    [
        ({"filters": ()}, "`filters` must be whole numbers of at least 1"),
        ({"filters": (8, 0)}, "`filters` must be whole numbers"),
        ({"image_size": (8,)}, "`image_size` must be a height and a width"),
        ({"random_zoom": 1.0}, "`random_zoom` must be at least 0 and below 1"),
        ({"frozen": True}, "`frozen` needs an encoder from keras.applications"),
        ({"normalization": "layer"}, "`normalization` must be one of 'batch'"),
        ({"input": "rows"}, "`input` must be one of 'image'"),
    ],
)
def test_invalid_options_are_named(choices: dict, message: str) -> None:
    with pytest.raises(SeqzooError, match=message):
        OneToMany(**choices)


@pytest.mark.parametrize(
    "choices, message",
    [
        ({"cell": "gruu"}, "no cell named 'gruu'"),
        ({"encoder": "MobilNetV2"}, "'MobilNetV2'; did you mean 'MobileNetV2'"),
    ],
)
def test_invalid_names_are_reported_before_anything_is_learned(choices: dict, message: str) -> None:
    with pytest.raises(SeqzooError, match=message):
        template(**choices).adapt(Examples([None], [None]))


def test_examples_are_needed() -> None:
    with pytest.raises(SeqzooError, match="Training needs examples"):
        template().adapt(Examples(inputs("image", 3)[:0], []))
    with pytest.raises(SeqzooError, match="Training and evaluation need targets"):
        template().adapt(Examples(inputs("image", 3)))

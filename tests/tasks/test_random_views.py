"""Random views of images that are read by steps, and of spectrograms."""

from typing import Any

import numpy as np
import pytest

import seqzoo.cells
from seqzoo.tasks import (
    Examples,
    ManyToManyEncoderDecoder,
    ManyToManyUnaligned,
    ManyToOne,
    OneToMany,
    Run,
    SeqzooError,
    Splits,
    TrainingSettings,
    train,
)
from seqzoo.tasks.fields import VIEWS
from seqzoo.tasks.layers.random_views import RandomStepView, fractions_of
from seqzoo.tasks.preprocessing.joined import part_template

COLUMNS, HEIGHT, TIME = 2, 9, 10
MIDDLE = (HEIGHT - 1) / 2


def _views(rows: int, **fractions: float) -> np.ndarray:
    """Views of an image whose value at column y and height x is 100 * y + x, with that value
    plus 0.5 in a second channel: (rows, columns, height)."""
    y, x = np.meshgrid(np.arange(TIME * COLUMNS), np.arange(HEIGHT), indexing="ij")
    image = np.stack([100.0 * y + x, 100.0 * y + x + 0.5], -1).astype("f")
    values = np.repeat(image.reshape(1, TIME, -1), rows, 0)
    mask = np.ones((rows, TIME), bool)
    layer = RandomStepView(COLUMNS, HEIGHT, 2, **fractions)
    np.testing.assert_array_equal(layer(values, mask, training=False), values)
    results = layer(values, mask, training=True).numpy()
    assert not np.array_equal(results, layer(values, mask, training=True))
    results = results.reshape(rows, TIME * COLUMNS, HEIGHT, 2)
    np.testing.assert_allclose(results[..., 1] - results[..., 0], 0.5, atol=1e-3)
    return results[..., 0]


def _spread(values: np.ndarray, limit: float) -> None:
    """Checks that random values fill the range from -limit to limit."""
    assert np.abs(values).max() <= limit * (1 + 1e-3)
    assert values.min() < -limit / 2 and values.max() > limit / 2


def test_shifts_move_all_steps_of_a_sequence_alike() -> None:
    views = _views(50, shift=0.2)
    heights = views - 100.0 * np.arange(TIME * COLUMNS)[:, None]
    moved = heights[:, 0, 4] - 4
    _spread(moved, 0.2 * HEIGHT)
    expected = np.clip(np.arange(HEIGHT) + moved[:, None], 0, HEIGHT - 1)
    np.testing.assert_allclose(
        heights, np.broadcast_to(expected[:, None], heights.shape), atol=2e-3
    )


def test_zooms_stretch_the_height_around_its_middle() -> None:
    views = _views(50, zoom=0.3)
    heights = views - 100.0 * np.arange(TIME * COLUMNS)[:, None]
    scale = heights[:, 0, 5] - heights[:, 0, 4]
    _spread(scale - 1, 0.3)
    expected = np.clip(MIDDLE + scale[:, None] * (np.arange(HEIGHT) - MIDDLE), 0, HEIGHT - 1)
    np.testing.assert_allclose(
        heights, np.broadcast_to(expected[:, None], heights.shape), atol=2e-3
    )


def test_shears_slant_columns_around_the_middle_of_the_height() -> None:
    views = _views(50, shear=0.1)
    columns = (views - np.arange(HEIGHT)) / 100
    moved = (columns - np.arange(TIME * COLUMNS)[:, None])[:, 3:-3]  # the others repeat the edges
    _spread(moved[:, 0, -1], 0.1 * (HEIGHT - 1))
    slant = moved[:, 0, -1] / MIDDLE
    expected = slant[:, None, None] * (np.arange(HEIGHT) - MIDDLE)
    np.testing.assert_allclose(moved, np.broadcast_to(expected, moved.shape), atol=2e-3)


def test_views_do_not_depend_on_the_padding() -> None:
    values = np.random.default_rng(0).normal(size=(20, TIME, COLUMNS * HEIGHT)).astype("f")
    longer = np.pad(values, ((0, 0), (0, 4), (0, 0)), constant_values=9.0)
    layer = RandomStepView(COLUMNS, HEIGHT, shift=0.1, zoom=0.1, shear=0.3)
    seed = layer.seed_generator.state.numpy()

    def view(given: np.ndarray) -> np.ndarray:
        layer.seed_generator.state.assign(seed)
        mask = np.tile(np.arange(given.shape[1]) < TIME, (len(given), 1))
        return np.asarray(layer(given, mask, training=True))[:, :TIME]

    np.testing.assert_allclose(view(longer), view(values), rtol=1e-5, atol=1e-5)


def test_a_layer_is_restored_from_its_configuration() -> None:
    layer = RandomStepView(COLUMNS, HEIGHT, shift=0.1, zoom=0.2, shear=0.3, dtype="mixed_bfloat16")
    again = RandomStepView.from_config(layer.get_config())
    assert (again.frame, again.fractions) == (layer.frame, layer.fractions)
    values, mask = np.ones((2, TIME, COLUMNS * HEIGHT), "f"), np.ones((2, TIME), bool)
    assert again(values, mask, training=True).dtype == "bfloat16"


SMALL: dict[str, Any] = {"units": 4, "minimum_count": 1}
AUDIO: dict[str, Any] = {"input": "audio", "sample_rate": 800, "mel_bins": 4}


@pytest.mark.parametrize(
    ("kind", "options", "views"),
    [
        (ManyToOne, {"input": "rows", **SMALL}, VIEWS),
        (ManyToManyUnaligned, {"input": "columns", **SMALL}, VIEWS),
        (ManyToManyUnaligned, {**AUDIO, **SMALL}, VIEWS[:2]),
        (ManyToManyEncoderDecoder, {"input": "columns", **SMALL}, VIEWS),
    ],
    ids=["rows", "columns", "audio", "generated"],
)
@pytest.mark.quick_for("rows")
def test_views_are_for_training_only(kind: Any, options: dict, views: Any, tmp_path) -> None:
    random = np.random.default_rng(0)
    inputs: Any = random.integers(0, 256, (24, 5, 4), dtype=np.uint8)
    if options["input"] == "audio":
        inputs = list(random.uniform(-1, 1, (24, 100)).astype("f"))
    examples = Examples(inputs, ["ab"[index % 2] for index in range(24)])
    settings = TrainingSettings(epochs=1, batch_size=8)
    with seqzoo.cells.portable():
        plain, varied = (
            train(kind(**options, **more), Splits(examples), settings, tmp_path / name)
            for name, more in (("plain", {}), ("varied", dict.fromkeys(views, 0.2)))
        )
    assert np.isfinite(varied.history[0]["loss"])
    model = Run.open(tmp_path / "varied").model
    plain.model.set_weights(model.get_weights())
    batch = plain.task.features.tensors(*plain.task.features.raw(inputs[:3], ["a", "b", "c"]))
    batch["tokens"] = np.ones((3, 2), np.int32)  # for the encoder-decoder
    inputs = {name: np.asarray(batch[name]) for name in ("values", "lengths", "tokens")}
    if kind is not ManyToManyEncoderDecoder:
        del inputs["tokens"]
    np.testing.assert_array_equal(model(inputs), plain.model(inputs))
    np.testing.assert_allclose(plain.model(inputs, training=True), model(inputs), atol=1e-5)
    assert np.abs(model(inputs, training=True) - model(inputs)).max() > 1e-4


def test_further_inputs_have_the_views_that_fit_them() -> None:
    views = dict.fromkeys(VIEWS, 0.1)
    several: Any = ManyToOne("columns", further_inputs={"sound": "audio"}, **views)
    captions: Any = OneToMany("image", further_inputs={"picture": "columns"}, **views)
    assert fractions_of(part_template(several, "columns")) == dict.fromkeys(
        ("shift", "zoom", "shear"), 0.1
    )
    assert fractions_of(part_template(several, "audio")) == {"shift": 0.1, "zoom": 0.1, "shear": 0}
    assert not any(fractions_of(part_template(captions, "columns")).values())


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (ManyToOne, {"input": "words", "random_shift": 0.1}, "columns, rows and audio, got"),
        (ManyToOne, {"input": "pixels", "random_zoom": 0.1}, "columns, rows and audio, got"),
        (
            ManyToManyUnaligned,
            {"input": "audio", "random_shear": 0.1},
            "`random_shear` is for columns and rows, got input 'audio'",
        ),
        (ManyToManyUnaligned, {"random_shift": 1.0}, "at least 0 and below 1"),
        (ManyToManyEncoderDecoder, {"random_shear": 0.1}, "columns and rows, got .*characters"),
        (ManyToManyEncoderDecoder, {"columns_per_step": 2}, "is for columns, got .*characters"),
        (ManyToManyEncoderDecoder, {"filters": (8,)}, "`--filters none` turns off those of a"),
        (OneToMany, {"input": "class", "random_shift": 0.1}, "is for image, got input 'class'"),
        (OneToMany, {"input": "vector", "pooling": "mean"}, "is for image, got input 'vector'"),
    ],
)
def test_views_of_other_inputs_are_refused(kind: Any, options: dict, message: str) -> None:
    with pytest.raises(SeqzooError, match=message):
        kind(**options)

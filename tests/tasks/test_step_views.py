"""Random views of images that are read by steps, and of spectrograms."""

from typing import Any

import numpy as np
import pytest

import seqzoo.cells
from seqzoo.tasks import (
    Examples,
    ManyToManyUnaligned,
    ManyToOne,
    Run,
    SeqzooError,
    Splits,
    TrainingSettings,
    train,
)
from seqzoo.tasks.layers.step_views import RandomStepView

COLUMNS, HEIGHT, TIME = 2, 9, 10
MIDDLE = (HEIGHT - 1) / 2


def _views(rows: int, **fractions: float) -> np.ndarray:
    """Views of an image whose value at column y and height x is 100 * y + x, with that value
    plus 0.5 in a second channel: (rows, columns, height)."""
    y, x = np.meshgrid(np.arange(TIME * COLUMNS), np.arange(HEIGHT), indexing="ij")
    image = np.stack([100.0 * y + x, 100.0 * y + x + 0.5], -1).astype("f")
    values = np.repeat(image.reshape(1, TIME, -1), rows, 0)
    layer = RandomStepView(COLUMNS, HEIGHT, 2, **fractions)
    np.testing.assert_array_equal(layer(values, training=False), values)
    results = layer(values, training=True).numpy()
    assert not np.array_equal(results, layer(values, training=True))
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


def test_views_are_for_training_only(tmp_path) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (24, 5, 4), dtype=np.uint8)
    examples = Examples(images, [str(number) for number in images[:, 0, 0] % 2])
    views: dict[str, Any] = {"random_shift": 0.2, "random_zoom": 0.2, "random_shear": 0.2}
    settings = TrainingSettings(epochs=1, batch_size=8)
    with seqzoo.cells.portable():
        runs = {
            name: train(
                ManyToOne("rows", units=4, **options), Splits(examples), settings, tmp_path / name
            )
            for name, options in (("plain", {}), ("varied", views))
        }
    plain, varied = (run.history[0]["loss"] for run in runs.values())
    assert plain != varied
    model = Run.open(tmp_path / "varied").model
    runs["plain"].model.set_weights(model.get_weights())
    inputs = {"values": images[:3], "lengths": np.full(3, 5, np.int32)}
    np.testing.assert_array_equal(model(inputs), runs["plain"].model(inputs))


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
    ],
)
def test_views_of_other_inputs_are_refused(kind: Any, options: dict, message: str) -> None:
    with pytest.raises(SeqzooError, match=message):
        kind(**options)

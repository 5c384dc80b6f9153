"""Grids of features from images, against NumPy; random views; Keras' applications."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.tasks import Examples, OneToMany, SeqzooError
from seqzoo.tasks.layers.random_views import RandomView
from seqzoo.tasks.one_to_many.convolutions import (
    ApplicationGrid,
    ConvolutionalGrid,
    application_module,
)
from seqzoo.tasks.one_to_many.encoders import ImageEncoder, VectorEncoder
from seqzoo.tasks.preprocessing.images import ImageFeatures


def _images(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def _randomised(layer) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    for variable in layer.weights:
        low = 0.5 if "variance" in variable.name else -0.7
        variable.assign(random.uniform(low, 0.9, variable.shape))
    return [variable.numpy() for variable in layer.weights]


def _stage(values: np.ndarray, kernel: np.ndarray, normalise) -> np.ndarray:
    """(batch, height, width, channels): convolved, normalised, cut at zero, halved."""
    batch, height, width, _ = values.shape
    around = np.pad(values, ((0, 0), (1, 1), (1, 1), (0, 0)))
    result = np.zeros((batch, height, width, kernel.shape[-1]))
    for y in range(height):
        for x in range(width):
            result[:, y, x] = np.einsum("byxc,yxcf->bf", around[:, y : y + 3, x : x + 3], kernel)
    result = np.maximum(normalise(result), 0)
    halves = [-(-height // 2), -(-width // 2)]
    pooled = np.zeros((batch, *halves, result.shape[-1]))
    for y in range(halves[0]):
        for x in range(halves[1]):
            pooled[:, y, x] = result[:, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].max((1, 2))
    return pooled


@pytest.mark.parametrize("normalization", ["group", "batch", "none"])
def test_stages_are_what_they_say(normalization: str) -> None:
    layer = ConvolutionalGrid([8, 12], normalization)
    images = _images(2, 7, 6, 3)
    layer(images)
    _randomised(layer)
    got = layer(images).numpy()
    assert got.shape == (2, 2, 2, 12)
    values = images / 255

    def normalise(found: np.ndarray) -> np.ndarray:
        if normalization == "none":
            return found + layer.convolutions[index].bias.numpy()
        norm = layer.normalizations[index]
        if normalization == "batch":
            mean, variance = norm.moving_mean.numpy(), norm.moving_variance.numpy()
        else:
            groups = 8 if found.shape[-1] == 8 else 4
            each = found.reshape(2, -1, groups, found.shape[-1] // groups)
            size = found.shape[-1] // groups
            mean = each.mean((1, 3)).repeat(size, 1)[:, None, None]
            variance = each.var((1, 3)).repeat(size, 1)[:, None, None]
        scaled = (found - mean) / np.sqrt(variance + norm.epsilon)
        return scaled * norm.gamma.numpy() + norm.beta.numpy()

    for index in range(2):
        values = _stage(values, layer.convolutions[index].kernel.numpy(), normalise)
    np.testing.assert_allclose(got, values, atol=2e-4)


def test_what_cannot_be_seen_changes_nothing() -> None:
    images = _images(2, 6, 4, 4)
    images[0, :, :2, 3], images[1, ..., 3] = 0, 255
    hidden = images.copy()
    hidden[0, :, :2, :3] = 7
    white = images[..., :3].copy()
    white[0, :, :2] = 255
    layer = ConvolutionalGrid([4])
    one, other = layer(images).numpy(), layer(hidden).numpy()
    np.testing.assert_array_equal(one, other)
    images[0, :, 2:, 3] = 255
    np.testing.assert_allclose(layer(images), layer(white), atol=1e-5)
    assert layer.convolutions[0].kernel.shape == (3, 3, 3, 4)


def test_statistics_are_those_of_the_valid_images() -> None:
    images = _images(3, 1, 8, 6, 1)
    moved, memories = [], []
    for given, lengths in ((images[:2], [1, 1]), (images, [1, 1, 0]), (images[:1], [0])):
        keras.utils.set_random_seed(0)
        encoder = ImageEncoder(ConvolutionalGrid([4], "batch"))
        encoder(given, tf.constant(lengths))
        memories.append(encoder(given, tf.constant(lengths), training=True)[0].numpy())
        moved.append([variable.numpy() for variable in encoder.grid.non_trainable_weights])
    assert np.abs(moved[0][0]).max() > 1e-4
    for two, three in zip(moved[0], moved[1], strict=True):
        np.testing.assert_allclose(three, two, atol=1e-6)
    np.testing.assert_allclose(memories[1][:2], memories[0], atol=1e-6)
    assert memories[1].shape[0] == 3 and all(np.isfinite(memory).all() for memory in memories)
    assert all(np.isfinite(item).all() for item in moved[2])  # a replica may get no image at all


@pytest.mark.parametrize("pooling", ["mean", "flatten"])
def test_the_memory_is_the_grid_row_by_row(pooling: str) -> None:
    encoder = ImageEncoder(ConvolutionalGrid([4]), summaries=2, pooling=pooling)
    images = _images(3, 1, 6, 10)
    lengths = tf.ones(3, tf.int32)
    memory, mask, summaries = encoder(images, lengths)
    grid = encoder.grid(images[:, 0, ..., None]).numpy()
    assert encoder.grid_shape == (3, 5) and len(summaries) == 2
    for y in range(3):
        for x in range(5):
            np.testing.assert_array_equal(memory[:, 5 * y + x], grid[:, y, x])
    assert mask.numpy().all() and mask.shape == (3, 15)
    expected = grid.mean((1, 2)) if pooling == "mean" else grid.reshape(3, -1)
    np.testing.assert_allclose(summaries[1], expected, atol=1e-5)


def _ramps(count: int, height: int, width: int) -> np.ndarray:
    """Images whose two channels are the position of each pixel: x and y, from the middle."""
    x, y = np.meshgrid(np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2)
    return np.repeat(np.stack([x, y], -1)[None], count, 0).astype(np.float32)


@pytest.mark.parametrize("share", ["shift", "zoom", "shear"])
def test_views_stay_within_their_shares(share: str) -> None:
    keras.utils.set_random_seed(2)
    layer = RandomView(**{share: 0.2})
    ramps = _ramps(400, 21, 31)
    np.testing.assert_array_equal(layer(ramps, training=False), ramps)
    views = np.asarray(layer(ramps, training=True))
    # Away from the edges, where nothing came in from outside, views of ramps are ramps.
    middle, right, below = views[:, 10, 15], views[:, 10, 17], views[:, 12, 15]
    moved, across, down = middle, (right - middle) / 2, (below - middle) / 2
    still = {
        "shift": [(across, [1, 0]), (down, [0, 1])],
        "zoom": [(moved, [0, 0]), (across[:, 1], 0), (down[:, 0], 0)],
        "shear": [(moved, [0, 0]), (across, [1, 0]), (down[:, 1], 1)],
    }[share]
    for found, expected in still:
        np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=1e-4)
    # What the top is moved by against the middle, of the height, is half the slope.
    changes, limits = {
        "shift": (moved, [0.2 * 31, 0.2 * 21]),
        "zoom": (np.stack([across[:, 0], down[:, 1]], 1) - 1, [0.2, 0.2]),
        "shear": (down[:, :1] / 2, [0.2]),
    }[share]
    for change, limit in zip(changes.T, limits, strict=True):
        assert np.abs(change).max() <= limit * (1 + 1e-4)
        assert change.max() > 0.9 * limit and change.min() < -0.9 * limit
        assert len(np.unique(change.round(3))) > 100


def test_a_vector_is_a_memory_of_one_step() -> None:
    vectors = np.random.default_rng(0).normal(size=(3, 1, 4)).astype(np.float32)
    layer = VectorEncoder(None, 5, summaries=2)
    layer(vectors, tf.ones(3, tf.int32))
    kernel, bias = _randomised(layer)
    memory, mask, summaries = layer(vectors, tf.ones(3, tf.int32))
    expected = np.tanh(vectors[:, 0] @ kernel + bias)
    np.testing.assert_allclose(memory[:, 0], expected, atol=1e-6)
    np.testing.assert_allclose(summaries[1], expected, atol=1e-6)
    assert memory.shape == (3, 1, 5) and mask.numpy().all()


class _Seen:
    """Stands in for an application's network: keeps what it is given."""

    def __call__(self, images, training):
        self.images, self.training = np.asarray(images), training
        return images


def test_applications_get_colours_in_their_own_scale(monkeypatch) -> None:
    module = application_module("MobileNetV2")
    monkeypatch.setattr(module, "MobileNetV2", lambda **options: keras.Sequential())
    layer = ApplicationGrid("MobileNetV2", (4, 5))
    seen = layer.network = _Seen()
    layer.call(np.array([[[[0], [51]]]], np.uint8), training=True)
    np.testing.assert_allclose(seen.images[0, 0], [[-1, -1, -1], [-0.6] * 3], atol=1e-6)
    layer.call(np.array([[[[10, 20, 30, 0], [51, 0, 255, 255]]]], np.uint8))
    np.testing.assert_allclose(seen.images[0, 0], [[1, 1, 1], [-0.6, -1, 1]], atol=1e-6)
    assert seen.training is False


@pytest.mark.slow
def test_a_frozen_application_does_not_change(tmp_path) -> None:
    images = _images(2, 1, 32, 35, 3)
    lengths = tf.ones(2, tf.int32)
    grid = ApplicationGrid("MobileNet", (32, 35), frozen=True, dtype="mixed_bfloat16")
    encoder = ImageEncoder(grid)
    assert keras.config.dtype_policy().name == "float32"
    assert grid.network.layers[1].dtype_policy.name == "mixed_bfloat16"
    plain = encoder(images, lengths)[0].numpy()
    np.testing.assert_array_equal(encoder(images, lengths, training=True)[0], plain)
    assert not grid.trainable_weights
    again = ImageEncoder.from_config(encoder.get_config())
    again(images, lengths)
    assert len(again.weights) == len(encoder.weights) and not again.grid.trainable_weights


@pytest.mark.parametrize(
    "size, weights, message",
    [
        ((8, 40), None, "MobileNet cannot be built for images of 8 by 40: .*at least 32x32"),
        ((40, 40), "missing.h5", "MobileNet cannot be built .*missing.h5"),
    ],
)
def test_what_an_application_cannot_do_is_reported(size: tuple, weights, message: str) -> None:
    with pytest.raises(SeqzooError, match=message):
        ApplicationGrid("MobileNet", size, weights)
    assert keras.config.dtype_policy().name == "float32"


def test_grey_images_may_be_of_any_format() -> None:
    grey = tf.io.encode_png(np.full((4, 3, 1), 90, np.uint8)).numpy()
    features = ImageFeatures.learn(OneToMany("image"), Examples([grey, grey]))
    assert features.channels == 1
    header = (54).to_bytes(4, "little") + (40).to_bytes(4, "little")
    size = (3).to_bytes(4, "little") + (4).to_bytes(4, "little") + b"\x01\x00\x18\x00" + bytes(24)
    bitmap = b"BM" + bytes(8) + header + size + (bytes([90] * 9) + bytes(3)) * 4
    (images,) = features.raw([grey, bitmap], ["a", "b"])
    np.testing.assert_array_equal(images, np.full((2, *features.shape), 90))


@pytest.mark.parametrize("damaged", [b"\xff\xd8\xff\xe0abcd", b"\x89PNG\r\n"])
def test_a_damaged_image_is_named_in_learning_or_reading(damaged: bytes) -> None:
    whole = tf.io.encode_png(np.zeros((4, 3, 1), np.uint8)).numpy()
    with pytest.raises(SeqzooError, match="image was expected, but line 5 is not one"):
        features = ImageFeatures.learn(OneToMany("image"), Examples([whole, damaged], lines=[4, 5]))
        features.raw([whole, damaged], ["line 4", "line 5"])

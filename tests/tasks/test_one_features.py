"""Images, vectors and classes to tensors: one step each, and clear errors for what is none."""

import io

import numpy as np
import pytest
import tensorflow as tf
from one_to_many_data import CLASSES, SHAPE, inputs, template
from PIL import Image

from seqzoo.tasks import Examples, SeqzooError
from seqzoo.tasks.kinds import features_class
from seqzoo.tasks.preprocessing.images import ImageFeatures, channels_of, decoded
from seqzoo.tasks.preprocessing.vocabulary import SPECIAL


def _places(count: int) -> list[str]:
    return [f"example {index}" for index in range(count)]


def _png(image: np.ndarray) -> bytes:
    image = image[..., None] if image.ndim == 2 else image
    return tf.io.encode_png(image).numpy()


def _palette_bmp() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 3), "red").quantize(4).save(file, "BMP")
    return file.getvalue()


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 1), (5, 4, 3), (5, 4, 4), (5, 4, 7)])
def test_images_stay_bytes_one_step_each(shape: tuple) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, *shape)).astype(np.uint8)
    result = features_class("image").learn(template(), Examples(images))
    encoded = result.encode(Examples(list(images)))
    assert encoded.flat.dtype == np.uint8 and result.step == (shape, "uint8")
    np.testing.assert_array_equal(encoded.flat, images)
    np.testing.assert_array_equal(encoded.lengths, np.ones(6))
    again = ImageFeatures.from_config(template(), result.to_config(), {})
    np.testing.assert_array_equal(again.encode(Examples(images)).flat, images)


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 1), (5, 4, 3), (5, 4, 4)])
def test_encoded_images_are_the_images(shape: tuple) -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, *shape)).astype(np.uint8)
    files = [_png(image) for image in images]
    learned = ImageFeatures.learn(template(), Examples(files))
    assert learned.channels == (shape[2] if len(shape) == 3 else 1)
    result = ImageFeatures(template(), shape)
    np.testing.assert_array_equal(result.encode(Examples(files)).flat, images)
    np.testing.assert_array_equal(result.decode(tf.constant(files)), images)


def test_opacity_is_asked_for_and_not_always_there() -> None:
    random = np.random.default_rng(2)
    grey = np.full((8, 8, 1), 77, np.uint8)
    for image, expected in (
        (grey, [77, 77, 77, 255]),
        (np.concatenate([grey, grey // 7], 2), [77, 77, 77, 11]),
        (np.concatenate([grey, grey + 1, grey + 2], 2), [77, 78, 79, 255]),
    ):
        np.testing.assert_array_equal(decoded(tf.constant(_png(image)), 4)[3, 5], expected)
    jpeg = tf.io.encode_jpeg(random.integers(0, 256, (8, 9, 3)).astype(np.uint8)).numpy()
    assert decoded(tf.constant(jpeg), 4).shape == (8, 9, 4)
    assert (decoded(tf.constant(jpeg), 4)[..., 3].numpy() == 255).all()


def test_images_of_other_sizes_are_resized_to_one() -> None:
    # Halves of one colour each: what a smaller image must look like is known without an oracle.
    large = np.zeros((12, 8, 3), np.uint8)
    large[6:, :, 1] = 200
    small = np.zeros((4, 2, 3), np.uint8)
    small[2:, :, 1] = 200
    result = features_class("image").learn(template(image_size=(4, 2)), Examples([large]))
    encoded = result.encode(Examples([large, small, _png(large)]))
    assert encoded.flat.shape == (3, 4, 2, 3)
    for image in encoded.flat:
        np.testing.assert_allclose(image[[0, 3]], small[[0, 3]], atol=1)
        np.testing.assert_array_equal(image[..., [0, 2]], 0)
    fixed = features_class("image").learn(template(), Examples([small]))
    np.testing.assert_array_equal(fixed.encode(Examples([_png(small)])).flat[0], small)


@pytest.mark.parametrize(
    "image, message",
    [
        (np.zeros((3, 4, 3), np.float32), "example 1 is float32 of shape"),
        (np.zeros(4, np.uint8), "example 1 is uint8 of shape"),
        (np.zeros((3, 0, 3), np.uint8), "example 1 is uint8 of shape"),
        (np.zeros((4, 4, 3), np.uint8), r"example 1 has \(4, 4, 3\); .*`image_size`"),
        (np.zeros((3, 4, 4), np.uint8), r"channels of those in training, .*example 1 has"),
        (np.zeros((3, 4), np.uint8), "axes and channels .*example 1 has"),
        (b"no image", "A PNG, JPEG, BMP or GIF image was expected, but example 1 is not one"),
        (_palette_bmp(), "example 1 is a BMP file with 8 bits .*; save it as PNG, or as"),
        ("cat.png", "example 1 is <U7"),
    ],
)
def test_files_that_are_not_images_are_reported(image, message: str) -> None:
    good = np.zeros((3, 4, 3), np.uint8)
    result = features_class("image").learn(template(), Examples([good]))
    with pytest.raises(SeqzooError, match=message):
        result.encode(Examples([good, image]))
    if isinstance(image, bytes):
        with pytest.raises(SeqzooError, match="example 0 is (not one|a BMP file with)"):
            features_class("image").learn(template(), Examples([image]))


def test_vectors_are_standardised() -> None:
    vectors = np.asarray(inputs("vector", 30))
    result = features_class("vector").learn(template("vector"), Examples(vectors))
    encoded = result.encode(Examples(list(vectors)))
    np.testing.assert_allclose(encoded.flat.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(encoded.flat.std(0), 1, atol=1e-5)
    expected = (vectors - vectors.mean(0)) / vectors.std(0)
    np.testing.assert_allclose(encoded.flat, expected, atol=1e-4)
    for wrong, message in (
        ([1.0, 2.0], "must be 4, .*example 0 has 2"),
        ([[1.0] * 4], "example 0 has shape"),
        ([1, np.nan, 2, 3], "example 0 contains NaN or infinite values \\(1 of 4\\)"),
        (["a"] * 4, "example 0 does not consist of numbers"),
    ):
        with pytest.raises(SeqzooError, match=message):
            result.encode(Examples([wrong]))


def test_classes_are_those_of_training() -> None:
    result = features_class("class").learn(template("class"), Examples(inputs("class", 10)))
    encoded = result.encode(Examples(CLASSES))
    assert sorted(encoded.flat.tolist()) == [SPECIAL, SPECIAL + 1, SPECIAL + 2]
    vocabulary = result.vocabulary
    assert vocabulary is not None
    names = [vocabulary.tokens[index - SPECIAL] for index in encoded.flat]
    assert names == CLASSES and encoded.lengths.tolist() == [1, 1, 1]
    with pytest.raises(SeqzooError, match="line 8 is 'ü c'; did you mean 'ü b'"):
        result.encode(Examples(["a", "ü c"], lines=[7, 8]))
    with pytest.raises(SeqzooError, match="Text was expected, but example 0 is of type int"):
        result.encode(Examples([3]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="does not occur in training"):
        result.transform(tf.constant(["a", "c"]))


def test_images_of_their_own_shape_are_not_copied() -> None:
    images = inputs("image", 5)
    result = ImageFeatures(template(), SHAPE)
    assert result.raw(images, _places(5))[0] is images


@pytest.mark.parametrize("channels", [[1, 3], [3, 1], [1, 4], [2, 1], [2, 2]])
def test_no_image_loses_its_colours_whichever_comes_first(channels: list[int]) -> None:
    random = np.random.default_rng(0)
    pixels = [random.integers(0, 256, (6, 5, count), np.uint8) for count in channels]
    files = [tf.io.encode_png(image).numpy() for image in pixels]
    result = ImageFeatures.learn(template(), Examples(files))
    expected = 4 if max(channels) in (2, 4) or 2 in channels else 3
    assert result.shape == (6, 5, expected)
    (images,) = result.raw(files, ["a", "b"])
    for image, original in zip(images, pixels, strict=True):
        np.testing.assert_array_equal(image[..., 0], original[..., 0])
    assert [channels_of(file) for file in files] == channels


def test_channels_are_read_from_headers() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    assert channels_of(tf.io.encode_jpeg(image).numpy()) == 3
    assert channels_of(tf.io.encode_jpeg(image[..., :1]).numpy()) == 1
    palette = io.BytesIO()
    Image.fromarray(image).quantize(4).save(palette, "PNG", transparency=0)
    assert channels_of(palette.getvalue()) == decoded(palette.getvalue(), 0).shape[2] == 4

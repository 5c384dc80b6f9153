"""Images of the same size, as bytes; encoded images, such as PNG files, are resized to it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.base import Features
from seqzoo.tasks.preprocessing.bmp import bmp_fault

DECODED = (1, 3, 4)
"""Numbers of channels that an encoded image can have: greyscale, RGB and RGBA."""

PALETTE = 3
"""Color type of PNG files with a palette."""

PNG_CHANNELS = {0: 1, 2: 3, PALETTE: 3, 4: 2, 6: 4}
"""Number of channels by the color type of a PNG file, byte 25."""


class ImageFeatures(Features):
    """An image as a sequence of one step: (batch, 1, height, width[, channels]), uint8.

    Args:
        template: a template with `image_size`.
        shape: (height, width) or (height, width, channels).
    """

    def __init__(self, template: Any, shape: Sequence[int]):
        self.template = template
        self.shape = tuple(shape)

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> "ImageFeatures":
        first = examples.inputs[0]
        if isinstance(first, bytes):
            with _naming_image(first, examples.location(0)):
                first = decoded(tf.constant(first), 0).numpy()
        first = _bytes(first, examples.location(0))
        size = first.shape[:2] if template.image_size is None else template.image_size
        if not all(isinstance(image, bytes) for image in examples.inputs):
            return cls(template, (*size, *first.shape[2:]))
        # No image loses its colours or its opacity, whichever comes first.
        channels = 1
        for index, image in enumerate(examples.inputs):
            with _naming_image(image, examples.location(index)):
                channels = max(channels, channels_of(image))
        return cls(template, (*size, channels if channels in DECODED else DECODED[-1]))

    @property
    def channels(self) -> int:
        """Number of channels of an image."""
        return self.shape[2] if len(self.shape) == 3 else 1

    def raw(self, inputs: Any, locations: Sequence[str]) -> tuple:
        if isinstance(inputs, np.ndarray) and inputs.dtype == np.uint8:
            if inputs.shape[1:] == self.shape:
                return (inputs,)
        return (np.stack([self._one(*pair) for pair in zip(inputs, locations, strict=True)]),)

    def _one(self, image: Any, location: str) -> np.ndarray:
        if isinstance(image, bytes):
            if self.channels not in DECODED:
                raise SeqzooError(f"Images must be arrays of shape {self.shape}, as in training.")
            with _naming_image(image, location):
                return self._decode(tf.constant([image])).numpy()[0]
        image = _bytes(image, location)
        if image.shape == self.shape:
            return image
        if image.shape[2:] != self.shape[2:]:
            raise SeqzooError(
                f"Images must have the axes and channels of those in training, {self.shape}, but "
                f"{location} has {image.shape}.",
                location=location,
            )
        if self.template.image_size is None:
            raise SeqzooError(
                f"Images must have the shape {self.shape} of those in training, but {location} has "
                f"{image.shape}; resize them to one size, or train with `image_size`.",
                location=location,
            )
        axes = tf.reshape(image, (*image.shape[:2], self.channels))
        return resized(axes, self.shape[:2]).numpy().reshape(self.shape)

    @cached_property
    def _decode(self) -> Any:
        """`decode`, traced once."""
        return tf.function(self.decode, input_signature=self.encoded_signature, autograph=False)

    def decode(self, encoded: Any) -> Any:
        """PNG, JPEG, BMP or GIF images, strings (batch,) -> the images of `signature`."""

        def decode_one(image: Any) -> Any:
            return resized(decoded(image, self.channels), self.shape[:2])

        spec = tf.TensorSpec((*self.shape[:2], self.channels), tf.uint8)
        images = tf.map_fn(decode_one, encoded, fn_output_signature=spec)
        return tf.reshape(images, (-1, *self.shape))

    @property
    def encoded_signature(self) -> list:
        """The `tf.TensorSpec`s of `decode`."""
        return [tf.TensorSpec((None,), tf.string, "encoded_images")]

    def transform(self, *raw: Any) -> tuple[Any, Any]:
        (images,) = raw
        return images[:, None], tf.ones(tf.shape(images)[:1], tf.int32)

    @property
    def signature(self) -> list:
        return [tf.TensorSpec((None, *self.shape), tf.uint8, "images")]

    @property
    def step(self) -> tuple[tuple[int, ...], str]:
        return self.shape, "uint8"

    def to_config(self) -> dict[str, Any]:
        return {"shape": list(self.shape)}

    @classmethod
    def from_config(cls, template: Any, config: dict, vocabularies: dict) -> "ImageFeatures":
        return cls(template, **config)


def channels_of(encoded: bytes) -> int:
    """The number of channels of a PNG, JPEG, BMP or GIF file, from its header."""
    if encoded.startswith(b"\x89PNG") and len(encoded) > 25:
        transparent = b"tRNS" in encoded.partition(b"IDAT")[0]
        return PNG_CHANNELS.get(encoded[25], 3) + (encoded[25] == PALETTE and transparent)
    if encoded.startswith(b"\xff\xd8"):
        return int(tf.io.extract_jpeg_shape(encoded)[2])
    return 3


def decoded(encoded: Any, channels: int) -> Any:
    """Decodes one image to (height, width, channels), uint8; if `channels` is 0, with those of the
    file."""
    if channels == 1:  # TensorFlow decodes neither BMP nor GIF to grey values
        others = tf.equal(tf.strings.substr(encoded, 0, 2), "BM")
        others |= tf.equal(tf.strings.substr(encoded, 0, 3), "GIF")
        return tf.cond(
            others,
            lambda: tf.image.rgb_to_grayscale(
                tf.io.decode_image(encoded, 3, expand_animations=False)
            ),
            lambda: tf.io.decode_image(encoded, 1, expand_animations=False),
        )
    if channels != 4:
        # With `expand_animations`, animations have four axes, and the graph does not know the rank.
        return tf.io.decode_image(encoded, channels, expand_animations=False)
    image = tf.io.decode_image(encoded, expand_animations=False)
    count = tf.shape(image)[2]
    colours = tf.gather(image, tf.where(count >= 3, [0, 1, 2], [0, 0, 0]), axis=2)
    # The last of two or four channels is the alpha channel. Images are decoded with the channels of
    # the file, because a JPEG cannot be decoded with an alpha channel.
    opacity = tf.where(count % 2 == 0, image[:, :, -1:], tf.constant(255, tf.uint8))
    return tf.concat([colours, opacity], 2)


def resized(image: Any, size: Sequence[int]) -> Any:
    """Resizes one or more images, ([batch,] height, width, channels); the result is uint8, or
    float32 if they are not bytes."""
    result = tf.image.resize(image, size, antialias=True)
    if image.dtype != tf.uint8:
        return result
    return tf.cast(tf.clip_by_value(tf.round(result), 0, 255), tf.uint8)


@contextmanager
def _naming_image(image: bytes, location: str) -> Iterator[None]:
    """Adds the location of an example to the error for an image that cannot be decoded.

    Raises:
        SeqzooError: it is not an image, or a BMP file that would be misread.
    """
    expected = "A PNG, JPEG, BMP or GIF image was expected, but"
    if wrong := bmp_fault(image):
        raise SeqzooError(f"{expected} {location} {wrong}.", location=location)
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        raise SeqzooError(f"{expected} {location} is not one.", location=location) from error


def _bytes(image: Any, location: str) -> np.ndarray:
    try:
        image = np.asarray(image)
    except ValueError as error:
        raise SeqzooError(
            f"An image was expected, but {location} is not an array.",
            location=location,
        ) from error
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or 0 in image.shape:
        raise SeqzooError(
            "An image must be bytes (uint8) of shape (height, width) or (height, width, channels), "
            f"but {location} is {image.dtype} of shape {image.shape}.",
            location=location,
        )
    return image

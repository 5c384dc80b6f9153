"""Images, read one row or one pixel per step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.base import Features, empty, finite, moments
from seqzoo.tasks.preprocessing.images import resized


class RowFeatures(Features):
    """Images of the same size, or resized to it, read from left to right and from top to bottom; a
    step is a row or a pixel with all its channels.

    Bytes stay bytes until the model scales them to the range from 0 to 1; other values are
    standardised. Pixels may be read in a different order, the same for all images.

    Args:
        template: a template with `input`, "rows" or "pixels", `maximum_length` and, if images may
            have any size, `image_size`.
        shape: (height, width) or (height, width, channels).
        dtype: "uint8" or "float32".
        mean: the mean of values that are not bytes, a list with one entry.
        scale: their standard deviation.
        order: the index of the pixel that each step reads; None for the order of the image.
    """

    def __init__(
        self,
        template: Any,
        shape: tuple,
        dtype: str,
        mean: list,
        scale: list,
        order: list[int] | None = None,
    ):
        self.template = template
        self.shape = shape
        self.dtype = dtype
        self.mean = mean
        self.scale = scale
        self.order = order

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> "RowFeatures":
        images = _of_one_size(template, examples.inputs, examples.locations)
        if images.ndim not in (3, 4) or images.dtype.kind not in "buif":
            raise SeqzooError(
                "Images must be numeric arrays of shape (n, height, width) or (n, height, width, "
                f"channels), got {images.dtype} of shape {images.shape}."
            )
        dtype = "uint8" if images.dtype == np.uint8 else "float32"
        mean, scale = ([0.0], [1.0]) if dtype == "uint8" else moments(images.reshape(-1, 1))
        seed = getattr(template, "permutation_seed", None)
        order = None
        if seed is not None:
            # The order is stored, because later versions of NumPy may draw a different one.
            order = np.random.default_rng(seed).permutation(int(np.prod(images.shape[1:3])))
            order = order.tolist()
        return cls(template, images.shape[1:], dtype, mean, scale, order)

    def raw(self, inputs: Any, locations: Sequence[str]) -> tuple:
        images = _of_one_size(self.template, inputs, locations)
        if images.shape[1:] != self.shape:
            raise SeqzooError(
                f"Images must have shape {self.shape}, as in training, but {locations[0]} has "
                f"{images.shape[1:]}.",
                location=locations[0],
            )
        if self.dtype == "uint8" and images.dtype != np.uint8:
            types = [np.asarray(image).dtype for image in inputs]
            wrong = next(k for k, dtype in enumerate(types) if dtype != np.uint8)
            raise SeqzooError(
                f"Images must be bytes (uint8), as in training, but {locations[wrong]} is "
                f"{types[wrong]}.",
                location=locations[wrong],
            )
        if 0 in self.shape:
            raise empty(locations[0])
        images = images.astype(self.dtype, copy=False)
        if self.dtype != "uint8":
            for image, location in zip(images, locations, strict=True):
                finite(image, location)
        return (images,)

    def steps_of(self, images: Any) -> Any:
        """Converts images of `shape` to steps (batch, time, features), in the units of the data."""
        steps = int(np.prod(self.shape)) // self.step[0][0]
        values = tf.reshape(images, (-1, steps, *self.step[0]))
        if self.order is not None:
            values = tf.gather(values, self.order, axis=1)
        return values[:, : self.template.maximum_length]

    def transform(self, *raw: Any) -> tuple[Any, Any]:
        (images,) = raw
        values = self.steps_of(images)
        if self.dtype != "uint8":
            values = (values - self.mean[0]) / self.scale[0]
        return values, tf.fill(tf.shape(values)[:1], values.shape[1])

    @property
    def signature(self) -> list:
        return [tf.TensorSpec((None, *self.shape), self.dtype, "images")]

    @property
    def frame(self) -> tuple[int, int, int] | None:
        if self.template.input != "rows":
            return None
        return 1, self.shape[1], int(np.prod(self.shape[2:]))

    @property
    def step(self) -> tuple[tuple[int, ...], str]:
        first = 2 if self.template.input == "pixels" else 1
        return (int(np.prod(self.shape[first:])),), self.dtype

    def to_config(self) -> dict[str, Any]:
        return {
            "shape": list(self.shape),
            "dtype": self.dtype,
            "mean": self.mean,
            "scale": self.scale,
            "order": self.order,
        }

    @classmethod
    def from_config(cls, template: Any, config: dict, vocabularies: dict) -> "RowFeatures":
        return cls(template, **{**config, "shape": tuple(config["shape"])})


def _of_one_size(template: Any, inputs: Any, locations: Sequence[str]) -> np.ndarray:
    """Images as one array, (n, height, width[, channels]), resized if the template has a size.

    Raises:
        SeqzooError: images have different sizes, and the template has none to resize them to; or
            they have different numbers of channels.
    """
    size = getattr(template, "image_size", None)
    images = inputs if isinstance(inputs, np.ndarray) else [np.asarray(item) for item in inputs]
    if not len(images):
        return np.asarray(images)
    first = images[0]
    for image, location in zip(images, locations, strict=True):
        if image.shape == first.shape and (size is None or image.size):
            continue
        if not image.size:
            raise empty(location)
        if image.ndim != first.ndim or image.shape[2:] != first.shape[2:]:
            raise SeqzooError(
                f"Images must have the same channels, but {location} has the shape {image.shape} "
                f"and {locations[0]} has {first.shape}.",
                location=location,
            )
        if size is None:
            resizes = hasattr(template, "image_size")
            resize = ", or train with --image-size (`image_size` in Python)" if resizes else ""
            raise SeqzooError(
                f"Images must have the same size, but {location} has the shape {image.shape} and "
                f"{locations[0]} has {first.shape}; resize them to one size{resize}.",
                location=location,
            )
    if size is None or first.ndim not in (2, 3) or first.dtype.kind not in "buif":
        return np.asarray(images)
    if isinstance(images, np.ndarray):
        return _resized(images, size)
    return np.concatenate([_resized(image[None], size) for image in images])


def _resized(images: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Images, (n, height, width[, channels]), resized to another size."""
    if images.shape[1:3] == tuple(size):
        return images
    images = images if images.dtype == np.uint8 else images.astype(np.float32)
    with_channels = images if images.ndim == 4 else images[..., None]
    result = resized(tf.constant(with_channels), size).numpy()
    return result if images.ndim == 4 else result[..., 0]

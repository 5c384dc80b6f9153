"""Random views of images and spectrograms in training (augmentation)."""

from typing import Any

import keras
import tensorflow as tf

from seqzoo.tasks.fields import VIEWS


def fractions_of(template: Any) -> dict[str, float]:
    """The options of a template's random views: "shift", "zoom" and "shear"."""
    return {name.removeprefix("random_"): getattr(template, name, 0.0) for name in VIEWS}


def varied(template: Any, features: Any, values: Any, mask: Any, precision: str) -> Any:
    """Applies the random views of a template, if it has any and steps are parts of images or
    spectrograms.

    Args:
        template: may have the options `VIEWS`.
        features: the features of the sequence.
        values: shape (batch, time, features).
        mask: which steps are not padding, (batch, time).
        precision: Keras' dtype policy.
    """
    fractions = fractions_of(template)
    if features.frame is None or not any(fractions.values()):
        return values
    layer = RandomStepView(*features.frame, **fractions, dtype=precision, name="random_view")
    return layer(values, mask)


@keras.saving.register_keras_serializable(package="seqzoo")
class RandomView(keras.layers.Layer):
    """Shifts, zooms and shears images at random in training, each image independently. Pixels
    outside the image repeat those at its edge.

    Args:
        shift: maximum shift, as a fraction of height and width.
        zoom: maximum change of height and width, as a fraction.
        shear: maximum sideways shift of the top relative to the middle, as a fraction of the
            height.
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(self, shift: float = 0.0, zoom: float = 0.0, shear: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.fractions = {"shift": shift, "zoom": zoom, "shear": shear}
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, images: Any, training: bool = False) -> Any:
        """(batch, height, width, channels) -> the same shape, float32 in training."""
        if not training or not any(self.fractions.values()):
            return images
        height, width = images.shape[1:3]
        random = _random(tf.shape(images)[0], 5, self.seed_generator)
        zoom_x, zoom_y, shear, left, up = tf.unstack(random, axis=1)
        scale_x, scale_y = 1 + self.fractions["zoom"] * zoom_x, 1 + self.fractions["zoom"] * zoom_y
        slant = self.fractions["shear"] * 2 * shear
        # Transformed relative to the middle of the image, then shifted.
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        shift = self.fractions["shift"]
        from_x = middle_x * (1 - scale_x) - middle_y * slant + shift * width * left
        from_y = middle_y * (1 - scale_y) + shift * height * up
        zero = tf.zeros_like(scale_x)
        return _read(images, [scale_x, slant, from_x], [zero, scale_y, from_y])

    def get_config(self) -> dict:
        return {**super().get_config(), **self.fractions}


@keras.saving.register_keras_serializable(package="seqzoo")
class RandomStepView(keras.layers.Layer):
    """Moves, stretches and slants the steps of sequences at random in training, each sequence
    independently. What lies outside repeats the values at the edge of the sequence.

    In spectrograms a shift along the mel bands is about what another length of the vocal tract
    does (Jaitly and Hinton 2013, "Vocal Tract Length Perturbation (VTLP) improves speech
    recognition").

    Args:
        columns: number of columns per step.
        height: height of a column, or number of bands.
        channels: number of channels. Features are in the order (columns, height, channels).
        shift: maximum shift along the height, as a fraction of it.
        zoom: maximum change of the height, as a fraction.
        shear: maximum shift in time of both ends of a column, in opposite directions, as a fraction
            of the height. The number of steps stays the same, so what moves out of the sequence is
            lost.
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(
        self,
        columns: int,
        height: int,
        channels: int = 1,
        *,
        shift: float = 0.0,
        zoom: float = 0.0,
        shear: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.frame = {"columns": columns, "height": height, "channels": channels}
        self.fractions = {"shift": shift, "zoom": zoom, "shear": shear}
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, values: Any, mask: Any, training: bool = False) -> Any:
        """Computes the view of each sequence.

        Args:
            values: shape (batch, time, columns * height * channels).
            mask: which steps are not padding, (batch, time). In training, padding is arbitrary
                afterwards.
            training: whether to change the values.
        """
        if not training:
            return values
        columns, height, channels = self.frame.values()
        batch, time, _ = tf.unstack(tf.shape(values))
        images = tf.reshape(values, (batch, time * columns, height, channels))
        if self.fractions["shear"]:
            # What is moved in from after the end of a sequence repeats its last column.
            last = tf.reduce_sum(tf.cast(mask, tf.int32), 1) * columns - 1
            positions = tf.minimum(tf.range(time * columns), tf.maximum(last, 0)[:, None])
            images = tf.gather(images, positions, batch_dims=1)
        random = _random(batch, 3, self.seed_generator) * list(self.fractions.values())
        shift, zoom, shear = tf.unstack(random, axis=1)
        middle, scale, slant = (height - 1) / 2, 1 + zoom, 2 * shear
        zero, one = tf.zeros_like(scale), tf.ones_like(scale)
        from_height = [scale, zero, middle * (1 - scale) + shift * height]
        views = _read(images, from_height, [slant, one, -slant * middle])
        return tf.cast(tf.reshape(views, tf.shape(values)), values.dtype)

    def compute_output_spec(self, values: Any, mask: Any, training: bool = False) -> Any:
        return keras.KerasTensor(values.shape, self.compute_dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), **self.frame, **self.fractions}


def _random(rows: Any, count: int, seed: keras.random.SeedGenerator) -> Any:
    """Random numbers between -1 and 1, (rows, count)."""
    return keras.random.uniform((rows, count), -1.0, 1.0, "float32", seed=seed)


def _read(images: Any, from_x: list, from_y: list) -> Any:
    """Reads the pixels of images from other places, by bilinear interpolation.

    Args:
        images: shape (batch, height, width, channels).
        from_x: a, b and c of the place a * x + b * y + c from which the pixel at x (the position
            along the width) and y is read, each of shape (batch,).
        from_y: the same for the position along the height.

    Returns: float32, of the shape of the images.
    """
    zero = tf.zeros_like(from_x[0])
    views = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(images, tf.float32),
        transforms=tf.stack([*from_x, *from_y, zero, zero], 1),
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
    views.set_shape(images.shape)
    return views

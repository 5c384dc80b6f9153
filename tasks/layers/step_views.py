"""Random views of images that are read by rows or columns, and of spectrograms, in training."""

from typing import Any

import keras
import tensorflow as tf

from seqzoo.tasks.fields import VIEWS


def varied(template: Any, features: Any, values: Any) -> Any:
    """Applies the random views of a template, if it has any and steps are parts of images or
    spectrograms.

    Args:
        template: may have the options `VIEWS`.
        features: the features of the sequence.
        values: shape (batch, time, features).
    """
    fractions = fractions_of(template)
    if features.frame is None or not any(fractions.values()):
        return values
    layer = RandomStepView(*features.frame, **fractions, dtype=values.dtype, name="random_view")
    return layer(values)


def fractions_of(template: Any) -> dict[str, float]:
    """The options of a template's random views: "shift", "zoom" and "shear"."""
    return {name.removeprefix("random_"): getattr(template, name, 0.0) for name in VIEWS}


@keras.saving.register_keras_serializable(package="seqzoo")
class RandomStepView(keras.layers.Layer):
    """Moves, stretches and slants the steps of sequences at random in training, each sequence
    independently. What lies outside repeats the values at the edge.

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
            of the height.
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

    def call(self, values: Any, training: bool = False) -> Any:
        """(batch, time, columns * height * channels) -> the same shape."""
        if not training:
            return values
        columns, height, channels = self.frame.values()
        batch, time, _ = tf.unstack(tf.shape(values))
        random = keras.random.uniform((batch, 3), -1.0, 1.0, "float32", seed=self.seed_generator)
        shift, zoom, shear = tf.unstack(random * list(self.fractions.values()), axis=1)
        # Where the value at height x of column y is read from, in the order of the operation.
        middle, scale, slant = (height - 1) / 2, 1 + zoom, 2 * shear
        zero, one = tf.zeros_like(scale), tf.ones_like(scale)
        rows = [scale, zero, middle * (1 - scale) + shift * height, slant, one, -slant * middle]
        images = tf.raw_ops.ImageProjectiveTransformV3(
            images=tf.reshape(tf.cast(values, tf.float32), (batch, -1, height, channels)),
            transforms=tf.stack([*rows, zero, zero], 1),
            output_shape=[time * columns, height],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="NEAREST",
        )
        return tf.cast(tf.reshape(images, tf.shape(values)), values.dtype)

    def compute_output_spec(self, values: Any, training: bool = False) -> Any:
        return keras.KerasTensor(values.shape, values.dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), **self.frame, **self.fractions}

"""Convolutions over the steps of an image that is read by columns, or of a spectrogram."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


def convolved(template: Any, features: Any, values: Any, mask: Any, precision: str) -> Any:
    """Applies the convolutional blocks of a template, if it has any and steps are parts of images
    or spectrograms.

    Args:
        template: may have `filters`.
        features: the features of the sequence.
        values: shape (batch, time, features).
        mask: which steps are not padding, (batch, time).
        precision: Keras' dtype policy.
    """
    filters = getattr(template, "filters", ())
    if not filters or features.frame is None:
        return values
    layer = StepConvolutions(filters, *features.frame, dtype=precision, name="convolutions")
    return layer(values, mask)


@keras.saving.register_keras_serializable(package="seqzoo")
class StepConvolutions(keras.layers.Layer):
    """Convolutional blocks before recurrent layers: (batch, time, features) -> (batch, time,
    others), as in the network of Shi et al. 2015, "An End-to-End Trainable Neural Network for
    Image-based Sequence Recognition", section 2.1, in small.

        x = max over 2 x 2 of relu(W3x3 * x + b)

    Blocks halve the height and, as long as a step has an even number of columns, the columns of a
    step, whose number of steps stays the same. Before each convolution, what lies after the end of
    a sequence is set to zero, so that outputs do not depend on the padding.

    Args:
        filters: number of filters of each block.
        columns: number of columns per step.
        height: height of a column, or number of bands.
        channels: number of channels. Features are in the order (columns, height, channels).
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(
        self, filters: Sequence[int], columns: int, height: int, channels: int = 1, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.choices = {
            "filters": list(filters),
            "columns": columns,
            "height": height,
            "channels": channels,
        }
        self.blocks = [
            keras.layers.Conv2D(
                size,
                3,
                padding="same",
                data_format="channels_last",
                activation="relu",
                kernel_initializer="he_normal",
                dtype=self.dtype_policy,
            )
            for size in filters
        ]

    def build(self, *_: Any) -> None:
        channels = self.choices["channels"]
        for size, block in zip(self.choices["filters"], self.blocks, strict=True):
            block.build((None, None, None, channels))
            channels = size
        self.built = True

    def call(self, values: Any, mask: Any) -> Any:
        """Computes the features of all steps.

        Args:
            values: shape (batch, time, columns * height * channels).
            mask: which steps are not padding, (batch, time).
        """
        batch, time = ops.shape(values)[0], ops.shape(values)[1]
        columns, height, channels = (
            self.choices[name] for name in ("columns", "height", "channels")
        )
        values = ops.reshape(values, (batch, time * columns, height, channels))
        for block in self.blocks:
            inside = ops.cast(ops.repeat(mask, columns, axis=1), values.dtype)
            width = 1 + (columns % 2 == 0)
            values = block(values * inside[:, :, None, None])
            values = ops.max_pool(values, (width, 2), padding="same", data_format="channels_last")
            columns, height = columns // width, -(-height // 2)
        features = columns * height * self.choices["filters"][-1]
        return ops.reshape(values, (batch, time, features))

    def compute_output_spec(self, values: Any, mask: Any) -> Any:
        columns, height = self.choices["columns"], self.choices["height"]
        for _ in self.blocks:
            columns, height = columns // (1 + (columns % 2 == 0)), -(-height // 2)
        features = columns * height * self.choices["filters"][-1]
        return keras.KerasTensor((*values.shape[:2], features), self.compute_dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), **self.choices}

"""Feature maps of images: convolutional blocks, or a model from keras.applications."""

import contextlib
import inspect
from collections.abc import Iterator, Sequence
from math import gcd
from types import ModuleType
from typing import Any

import keras
from keras import ops

from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.layers.batch_normalization import BatchNormalization
from seqzoo.tasks.layers.network_part import NetworkPart

GROUPS = 8
"""Maximum number of groups in group normalisation; a layer has as many as the greatest common
divisor of this number and its number of filters."""


@keras.saving.register_keras_serializable(package="seqzoo")
class ConvolutionalGrid(NetworkPart):
    """Convolutional blocks: each is a convolution, a normalisation and 2 by 2 max-pooling.

        x = max over 2 x 2 of relu(normalise(W3x3 * x))

    Args:
        filters: number of filters of each block.
        normalization: "batch" (Ioffe and Szegedy 2015), "group" (Wu and He 2018), which cannot
            tell a dark surface from a bright one, or "none".
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(self, filters: Sequence[int], normalization: str = "batch", **kwargs: Any):
        super().__init__(**kwargs)
        self.filters = list(filters)
        self.normalization = normalization
        policy = self.dtype_policy
        self.convolutions, self.normalizations = [], []
        for size in filters:
            self.convolutions.append(
                keras.layers.Conv2D(
                    size,
                    3,
                    padding="same",
                    data_format="channels_last",
                    use_bias=normalization == "none",
                    kernel_initializer="he_normal",
                    dtype=policy,
                )
            )
            if normalization == "group":
                layer = keras.layers.GroupNormalization(gcd(size, GROUPS), dtype=policy)
                self.normalizations.append(layer)
            elif normalization == "batch":
                # Low, so that short training runs do not end with statistics from their beginning.
                layer = BatchNormalization(momentum=0.9, dtype=policy)
                self.normalizations.append(layer)
        self.pool = keras.layers.MaxPooling2D(
            2, padding="same", data_format="channels_last", dtype=policy
        )

    def call(self, images: Any, valid: Any = None, training: bool = False) -> Any:
        """Images (batch, height, width, channels), 0 to 255 -> (batch, rows, columns, filters).

        Args:
            images: images with any number of channels; four are RGBA, composited over white.
            valid: which rows are images, (batch,), bool; all by default. The others are excluded
                from the batch statistics.
            training: whether to use the statistics of the batch.
        """
        values = ops.cast(opaque(images) / 255, self.compute_dtype)
        for index, convolution in enumerate(self.convolutions):
            values = convolution(values)
            if self.normalization == "batch":
                values = self.normalizations[index](values, valid, training=training)
            elif self.normalization == "group":
                values = self.normalizations[index](values)
            values = self.pool(ops.relu(values))
        return values

    def get_config(self) -> dict:
        options = {"filters": self.filters, "normalization": self.normalization}
        return {**super().get_config(), **options}


@keras.saving.register_keras_serializable(package="seqzoo")
class ApplicationGrid(NetworkPart):
    """A model from `keras.applications` without its classifier, with its own pixel preprocessing.

    Args:
        application: name of the function that creates the model, such as "MobileNetV2".
        size: height and width of the images.
        weights: path of a file, "imagenet" or None; not part of the configuration, because a saved
            layer has its own weights.
        frozen: whether the weights and statistics are frozen.
        **kwargs: passed to `keras.layers.Layer`.

    Raises:
        SeqzooError: there is no such application, images are too small for it, or the weights do
            not fit it.
    """

    def __init__(
        self,
        application: str,
        size: Sequence[int],
        weights: str | None = None,
        frozen: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.application = application
        self.size = list(size)
        self.frozen = frozen
        module = application_module(application)
        self.preprocess = module.preprocess_input
        make = getattr(module, application)
        try:
            with _configured(self.dtype_policy):
                self.network = make(include_top=False, weights=weights, input_shape=(*self.size, 3))
        except (ValueError, OSError) as error:
            reason = " ".join(str(error).split())
            raise SeqzooError(
                f"The encoder {application} cannot be built for images of {size[0]} by {size[1]}: "
                f"{reason}"
            ) from error
        self.network.trainable = not frozen

    def call(self, images: Any, valid: Any = None, training: bool = False) -> Any:
        """Images (batch, height, width, channels), 0 to 255 -> (batch, rows, columns, features).

        One channel is greyscale; four are RGBA, composited over white.
        """
        del valid  # models of `keras.applications` take no mask
        values = opaque(images)
        if values.shape[-1] == 1:
            values = ops.repeat(values, 3, axis=-1)
        values = self.preprocess(values, data_format="channels_last")
        return self.network(values, training=training and not self.frozen)

    def get_config(self) -> dict:
        options = {"application": self.application, "size": self.size, "frozen": self.frozen}
        return {**super().get_config(), **options}


def opaque(images: Any) -> Any:
    """Images as float32; RGBA images are composited over white and become RGB."""
    values = ops.cast(images, "float32")
    if values.shape[-1] != 4:
        return values
    opacity = values[..., 3:] / 255
    return values[..., :3] * opacity + 255 * (1 - opacity)


def application_module(name: str) -> ModuleType:
    """The module of `keras.applications` that an application belongs to.

    Raises:
        SeqzooError: there is no application of that name.
    """
    modules = {}
    for _, module in inspect.getmembers(keras.applications, inspect.ismodule):
        if hasattr(module, "preprocess_input"):
            functions = inspect.getmembers(module, inspect.isfunction)
            modules |= {item: module for item, _ in functions if item[0].isupper()}
    if name not in modules:
        raise SeqzooError(
            "`encoder` must be 'convolutional' or a model from keras.applications "
            f"({', '.join(sorted(modules))}), got {name!r}"
            f"{nearest(name, ['convolutional', *modules])}"
        )
    return modules[name]


@contextlib.contextmanager
def _configured(policy: Any) -> Iterator[None]:
    """A context with a different global dtype policy and with images whose last axis is that of the
    channels; applications follow only the global configuration."""
    before = keras.config.dtype_policy(), keras.config.image_data_format()
    keras.config.set_dtype_policy(policy)
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before[0])
        keras.config.set_image_data_format(before[1])

"""Networks do not depend on `keras.config.image_data_format()`."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.tasks.layers.step_convolutions import StepConvolutions
from seqzoo.tasks.layers.word_characters import ConvolvedCharacters
from seqzoo.tasks.one_to_many.convolutions import ApplicationGrid, ConvolutionalGrid

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 33, 3)).astype("float32")
STEPS = IMAGES.reshape(2, 32, 99) / 255
WORDS = np.random.default_rng(1).integers(1, 9, (2, 5, 7)).astype("int32")

LAYERS: dict[str, tuple[Callable[[], Any], list[Any]]] = {
    "blocks": (lambda: ConvolutionalGrid([4, 6], "batch"), [IMAGES]),
    "groups": (lambda: ConvolutionalGrid([4, 6], "group"), [IMAGES]),
    "steps": (lambda: StepConvolutions([4, 6], 1, 33, 3), [STEPS, np.ones((2, 32), bool)]),
    "characters": (lambda: ConvolvedCharacters(9, 4, 6), [WORDS]),
    "MobileNet": (lambda: ApplicationGrid("MobileNet", (32, 33)), [IMAGES]),
    "ResNet50": (lambda: ApplicationGrid("ResNet50", (32, 33)), [IMAGES]),
}


@pytest.fixture
def channels_first() -> Iterator[Callable[[], None]]:
    yield lambda: keras.config.set_image_data_format("channels_first")
    keras.config.set_image_data_format("channels_last")


@pytest.mark.quick_for("blocks", "steps", "characters")
@pytest.mark.parametrize("name", LAYERS)
def test_the_last_axis_is_that_of_the_channels_everywhere(name: str, channels_first) -> None:
    make, inputs = LAYERS[name]
    inputs = [tf.constant(each) for each in inputs]
    layer = make()
    expected = layer(*inputs)
    channels_first()
    np.testing.assert_array_equal(layer(*inputs), expected)
    again = make()
    again(*inputs)
    assert keras.config.image_data_format() == "channels_first"
    again.set_weights(layer.get_weights())
    np.testing.assert_allclose(again(*inputs), expected, atol=1e-5)

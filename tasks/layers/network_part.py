"""The base class of layers that a network consists of."""

from typing import Any

import keras


class NetworkPart(keras.layers.Layer):
    """A layer that contains other layers, which are built when they are first called."""

    def build(self, *_: Any) -> None:
        """Does nothing. Without this method, Keras traces `call` before it calls the layer, which
        takes a tenth of a second for each layer that contains recurrent layers."""

    def get_build_config(self) -> None:
        """None, because the network that contains this layer builds it."""

"""The base class of layers that a network consists of."""

from typing import Any

import keras


class NetworkPart(keras.layers.Layer):
    """A layer with layers of its own, which are built when the network first calls it."""

    def build(self, *_: Any) -> None:
        """Does nothing. Without this method, Keras traces `call` before it calls the layer, which
        takes a tenth of a second for each layer with recurrent ones in it."""

    def get_build_config(self) -> None:
        """None, because a network that is loaded builds its parts."""

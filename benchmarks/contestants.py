"""Forward and backward passes of each library's layer, for benchmarks.speed."""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from seqzoo.cells import CELLS, Bidirectional, Recurrent, create
from seqzoo.cells.engine.dispatch import has_gpu

try:  # imported by name, so that type checks do not need PyTorch
    torch: Any = importlib.import_module("torch")
except ImportError:
    torch = None

KERAS_LAYERS = {
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
    "vanilla": keras.layers.SimpleRNN,
}


class Shape(NamedTuple):
    """Sizes of inputs and layer."""

    batch: int
    time: int
    features: int
    units: int


class Frames(NamedTuple):
    """Sizes of inputs and layer, for frames."""

    batch: int
    time: int
    height: int
    width: int
    channels: int
    units: int


def all_of(cell: str, shape: Shape, mode: str, training: bool) -> dict[str, Callable]:
    """Functions by library; each takes no arguments, runs one pass and waits for its result."""
    inputs, upstream, mask = data(shape, mode)
    runs = {
        "seqzoo": tensorflow_run(seqzoo_layer(cell, shape, mode), inputs, upstream, mask, training),
        "Keras RNN(cell)": tensorflow_run(
            keras_layer(cell, shape, mode, wrapped=True), inputs, upstream, mask, training
        ),
    }
    if cell in KERAS_LAYERS:
        layer = keras_layer(cell, shape, mode, wrapped=False)
        runs["Keras layer"] = tensorflow_run(layer, inputs, upstream, mask, training)
    if torch is not None and cell in ("lstm", "gru") and mode != "masked":
        runs["torch"] = torch_run(cell, shape, mode, inputs, upstream, training)
    runs["limit"] = limit_run(cell, shape, mode, training)
    return runs


def pair_of(cell: str, shape: Shape | Frames, training: bool) -> dict[str, Callable]:
    """seqzoo's layer and Keras' loop around the same cell, as in `all_of`, but for any cell."""
    inputs, upstream, _ = data(shape, "plain")
    pair, merged = inputs, inputs
    if CELLS[cell].takes_time:
        elapsed = np.ones((shape.batch, shape.time), "float32")
        pair, merged = (inputs, elapsed), np.concatenate([inputs, elapsed[..., None]], -1)
    return {
        "seqzoo": tensorflow_run(
            seqzoo_layer(cell, shape, "plain"), pair, upstream, None, training
        ),
        "Keras RNN(cell)": tensorflow_run(
            keras_layer(cell, shape, "plain", wrapped=True), merged, upstream, None, training
        ),
    }


def data(shape: Shape | Frames, mode: str) -> tuple[Any, Any, Any]:
    """Random inputs, gradients of the outputs, and a mask with right padding in mode "masked"."""
    random = np.random.default_rng(0)
    inputs = random.normal(size=shape[:-1]).astype("float32")
    width = shape.units * (2 if mode == "bidirectional" else 1)
    upstream = random.normal(size=(*shape[:-2], width)).astype("float32")
    lengths = random.integers(shape.time // 2, shape.time, size=shape.batch, endpoint=True)
    mask = np.arange(shape.time) < np.maximum(lengths, 1)[:, None]
    return inputs, upstream, mask if mode == "masked" else None


def seqzoo_layer(cell: str, shape: Shape | Frames, mode: str) -> keras.layers.Layer:
    """seqzoo's layer with a cell."""
    layer_class = Bidirectional if mode == "bidirectional" else Recurrent
    return layer_class(create(cell, shape.units), return_sequences=True)


def keras_layer(cell: str, shape: Shape | Frames, mode: str, wrapped: bool) -> keras.layers.Layer:
    """Keras' own layer of that name, or with `wrapped` Keras' loop around seqzoo's cell."""
    if wrapped:
        layer = keras.layers.RNN(create(cell, shape.units), return_sequences=True)
    else:
        layer = KERAS_LAYERS[cell](shape.units, return_sequences=True)
    return keras.layers.Bidirectional(layer) if mode == "bidirectional" else layer


def wait_for(tensors: list[Any]) -> None:
    """Waits until tensors are computed; on a GPU they stay there, as those of PyTorch do."""
    if has_gpu():
        tf.test.experimental.sync_devices()
    else:
        [tensor.numpy() for tensor in tensors]


def tensorflow_run(
    layer: keras.layers.Layer, inputs: Any, upstream: Any, mask: Any, training: bool
) -> Callable:
    """A pass of a Keras layer in a `tf.function`."""
    inputs, upstream = tf.nest.map_structure(tf.constant, (inputs, upstream))
    mask = None if mask is None else tf.constant(mask)
    layer.build(tf.nest.map_structure(lambda item: tuple(item.shape), inputs))
    weights = [variable.value for variable in layer.trainable_variables]

    @tf.function
    def forward(inputs):
        return layer(inputs, mask=mask, training=False)

    @tf.function
    def both(inputs, upstream):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, mask=mask, training=True)
        gradients = tape.gradient(outputs, tf.nest.flatten(inputs) + weights, upstream)
        return [gradient for gradient in gradients if gradient is not None]

    if training:
        return lambda: wait_for(both(inputs, upstream))
    return lambda: wait_for([forward(inputs)])


def torch_run(
    cell: str, shape: Shape, mode: str, inputs: Any, upstream: Any, training: bool
) -> Callable:
    """A pass of PyTorch's layer."""
    layer_class = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell]
    layer = layer_class(
        shape.features, shape.units, batch_first=True, bidirectional=mode == "bidirectional"
    )
    device = "cuda" if has_gpu() else "cpu"
    layer = layer.to(device)
    inputs = torch.tensor(inputs, device=device, requires_grad=training)
    upstream = torch.tensor(upstream, device=device)
    weights = list(layer.parameters())
    finish = torch.cuda.synchronize if has_gpu() else lambda: None

    def both():
        outputs, _ = layer(inputs)
        torch.autograd.grad(outputs, [inputs, *weights], upstream)
        finish()

    def forward():
        with torch.no_grad():
            layer(inputs)
        finish()

    return both if training else forward


def limit_run(cell: str, shape: Shape, mode: str, training: bool) -> Callable:
    """The matrix products of the forward pass, for all steps at once; three times if training."""
    columns = len(create(cell, 1).gates) * shape.units
    rows = shape.batch * shape.time * (2 if mode == "bidirectional" else 1)
    x, h = tf.random.normal((rows, shape.features)), tf.random.normal((rows, shape.units))
    w, u = tf.random.normal((shape.features, columns)), tf.random.normal((shape.units, columns))

    def products():
        for _ in range(3 if training else 1):
            last = tf.matmul(x, w), tf.matmul(h, u)
        [product.numpy() for product in last]

    return products

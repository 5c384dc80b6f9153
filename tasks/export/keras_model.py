"""A trained model as a Keras file with only Keras' own layers, for use without seqzoo."""

import pathlib
from typing import Any

import keras
from keras import ops

from seqzoo.cells import Bidirectional, Recurrent
from seqzoo.cells.gru.gru import GRUCell
from seqzoo.cells.lstm.lstm import LSTMCell
from seqzoo.cells.private_keras import Functional
from seqzoo.cells.simple.vanilla import VanillaCell
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.export.checking import (
    EXAMPLES,
    compare,
    dummy_inputs,
    encoded_inputs,
    run_in_fresh_process,
)
from seqzoo.tasks.export.formats import Export
from seqzoo.tasks.export.parts import in_float32
from seqzoo.tasks.layers.recurrent import LengthMask, TokenEmbedding

LAYERS: dict[type, Any] = {
    LSTMCell: keras.layers.LSTM,
    GRUCell: keras.layers.GRU,
    VanillaCell: keras.layers.SimpleRNN,
}
"""Keras' equivalent of each cell."""


def keras_model(model: Any) -> Any:
    """Rebuilds a model with Keras' own layers and the same weights.

    Raises:
        SeqzooError: Keras has no equivalent of one of the model's layers.
    """
    if not isinstance(model, Functional):
        raise SeqzooError(
            f"A {type(model).__name__} generates step by step, but the model in a Keras file must "
            "consist of layers alone; export it to saved-model, onnx or litert."
        )
    other = keras.models.clone_model(model, clone_function=_layer, call_function=_called)
    other.set_weights(model.get_weights())
    return other


def _layer(layer: Any) -> Any:
    if isinstance(layer, LengthMask):
        return layer  # `_called` replaces it with operations
    if isinstance(layer, Bidirectional):
        return keras.layers.Bidirectional(
            _layer(layer.forward_layer), merge_mode=layer.merge_mode, name=layer.name
        )
    if isinstance(layer, Recurrent):
        return _recurrent(layer)
    if type(layer) is TokenEmbedding:
        return keras.layers.Embedding.from_config(layer.get_config())
    if not type(layer).__module__.startswith("keras."):
        raise SeqzooError(
            f"Keras has no layer that computes what {type(layer).__name__} ({layer.name!r}) does; "
            "export to saved-model, onnx or litert."
        )
    return type(layer).from_config(layer.get_config())


def _recurrent(layer: Any) -> Any:
    cell = layer.cell
    layer_class = LAYERS.get(type(cell))
    if layer_class is None:
        raise SeqzooError(
            f"Keras has no layer for {type(cell).__name__}; export to saved-model, onnx or litert, "
            "or train a model with the cell 'lstm', 'gru' or 'vanilla'."
        )
    equivalents = {
        "activation": keras.activations.serialize(cell.activation),
        "use_bias": cell.use_bias,
        "dropout": cell.dropout,
        "recurrent_dropout": cell.recurrent_dropout,
    }
    for name in ("recurrent_activation", "reset_after"):
        if hasattr(cell, name):
            equivalents[name] = getattr(cell, name)
    return layer_class(
        cell.units,
        return_sequences=layer.return_sequences,
        return_state=layer.return_state,
        go_backwards=layer.go_backwards,
        name=layer.name,
        **equivalents,
    )


def _called(layer: Any, *args: Any, **kwargs: Any) -> Any:
    if not isinstance(layer, LengthMask):
        return layer(*args, **kwargs)
    values, lengths = args
    first = values if len(values.shape) == 2 else values[:, :, 0]
    steps = ops.cumsum(ops.ones_like(first, dtype="int32"), axis=1)
    return ops.less_equal(steps, ops.expand_dims(lengths, 1))


def write(wanted: Export, folder: pathlib.Path) -> float | None:
    """Writes model.keras, which takes "values" and "lengths" as the model does; see
    `seqzoo.tasks.export.formats`.

    Raises:
        SeqzooError: Keras has no equivalent of one of the model's layers, or the results of the
            file differ from the model's.
    """
    task, model = wanted.task, in_float32(wanted.task, wanted.model)
    keras_model(model).save(folder / "model.keras")
    if not wanted.check:
        return None
    inputs = encoded_inputs(task, list(wanted.examples[:EXAMPLES]) or dummy_inputs(task))
    outputs = ops.convert_to_numpy(model(inputs))
    results, _ = run_in_fresh_process(folder, "keras", {"model": inputs})
    if outputs.ndim == 3:  # values in the padding do not matter
        inside = (range(outputs.shape[1]) < inputs["lengths"][:, None])[..., None]
        outputs, results["model/outputs"] = outputs * inside, results["model/outputs"] * inside
    return compare({"model/outputs": outputs}, results, "keras")

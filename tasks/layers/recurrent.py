"""Layers and stacks of layers that several templates use."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

import seqzoo.cells
from seqzoo.cells.engine.private_tensorflow import of_this_replica
from seqzoo.tasks.errors import SeqzooError

HASH = 10_007
"""A prime; its product with the number of buckets must be below 2**31."""


@keras.saving.register_keras_serializable(package="seqzoo")
class LengthMask(keras.layers.Layer):
    """True for the steps of a sequence: (batch, time, ...), lengths (batch,) -> (batch, time)."""

    def call(self, values: Any, lengths: Any) -> Any:
        steps = ops.arange(ops.shape(values)[1], dtype="int32")
        return steps[None, :] < lengths[:, None]

    def compute_output_spec(self, values: Any, lengths: Any) -> Any:
        return keras.KerasTensor(tuple(values.shape[:2]), "bool")


def sequence_inputs(features: Any) -> tuple[dict[str, Any], Any, Any]:
    """The inputs of a network that reads sequences.

    Args:
        features: how inputs become tensors.

    Returns:
        The inputs of the model, "values" (batch, time, ...) and "lengths" (batch,); "values" on
        its own; and the mask of its steps, (batch, time).
    """
    shape, dtype = features.step
    values = keras.Input((None, *shape), dtype=dtype, name="values")
    lengths = keras.Input((), dtype="int32", name="lengths")
    mask = LengthMask(name="mask")(values, lengths)
    return {"values": values, "lengths": lengths}, values, mask


@keras.saving.register_keras_serializable(package="seqzoo")
class TokenEmbedding(keras.layers.Embedding):
    """`keras.layers.Embedding` for large tables.

    Keras' own layer reads the whole table, and copies it if the optimizer updates only the rows
    that a batch uses (`embedding_updates = "lazy"`).
    """

    def call(self, inputs: Any) -> Any:
        """Ids (batch, time) -> (batch, time, output_dim)."""
        if self.lora_enabled:  # then `embeddings` is computed from several variables
            return super().call(inputs)
        rows = tf.gather(of_this_replica(self.embeddings.value), inputs)
        return keras.ops.cast(rows, self.compute_dtype)


@keras.saving.register_keras_serializable(package="seqzoo")
class NGramEmbedding(keras.layers.Layer):
    """Embedding of n-grams: ids (batch, time) -> (batch, time, size).

    The output of a step is the sum of the vectors of the n-grams that end in it, from 2-grams to
    the longest; the sequence is padded with zeros before the first step. N-grams with equal hashes
    share a vector (Bojanowski et al. 2017, section 3.2).

    Args:
        longest: length of the longest n-gram, at least 2.
        buckets: number of vectors per length.
        size: size of a vector.
    """

    def __init__(self, longest: int, buckets: int, size: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.longest = longest
        self.buckets = buckets
        self.size = size

    def build(self, input_shape: tuple) -> None:
        self.table = self.add_weight(
            shape=((self.longest - 1) * self.buckets, self.size),
            initializer=keras.initializers.RandomNormal(stddev=0.05),
            name="table",
            autocast=False,  # only the rows that are read are cast, see `call`
        )
        self.built = True

    def call(self, ids: Any) -> Any:
        # Not `ops.take`, which reads, and with sparse updates copies, the whole table.
        table = of_this_replica(self.table.value)
        total, hashed, time = 0, ops.mod(ids, self.buckets), ops.shape(ids)[1]
        for back in range(1, self.longest):
            earlier = ops.pad(ids, [[0, 0], [back, 0]])[:, :time]
            hashed = ops.mod(hashed * HASH + earlier + 1, self.buckets)
            rows = hashed + (back - 1) * self.buckets
            total += ops.cast(tf.gather(table, rows), self.compute_dtype)
        return total

    def compute_output_spec(self, ids: Any) -> Any:
        return keras.KerasTensor((*ids.shape, self.size), self.compute_dtype)

    def get_config(self) -> dict:
        config = {"longest": self.longest, "buckets": self.buckets, "size": self.size}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="seqzoo")
class MaskedPooling(keras.layers.Layer):
    """One vector from the steps of a sequence: (batch, time, units) -> (batch, units).

    The output for an empty sequence is zero.

    Args:
        mode: "mean", "max", or "sum", which is divided by the square root of the number of steps.
    """

    def __init__(self, mode: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.mode = mode
        self.supports_masking = True

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: the output has no time axis."""

    def call(self, sequence: Any, steps: Any) -> Any:
        steps = steps[:, :, None]
        if self.mode != "max":
            # A sum of many steps may exceed the range of float16.
            wide = sequence if sequence.dtype == "float64" else ops.cast(sequence, "float32")
            total = ops.sum(ops.where(steps, wide, 0), axis=1)
            count = ops.maximum(ops.sum(ops.cast(steps, total.dtype), axis=1), 1)
            count = ops.sqrt(count) if self.mode == "sum" else count
            return ops.cast(total / count, sequence.dtype)
        lowest = ops.cast(-6e4, sequence.dtype)  # the maximum of float16 is 65504
        highest = ops.max(ops.where(steps, sequence, lowest), axis=1)
        return ops.where(ops.any(steps, axis=1), highest, 0)

    def compute_output_spec(self, sequence: Any, steps: Any) -> Any:
        return keras.KerasTensor((sequence.shape[0], sequence.shape[2]), sequence.dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), "mode": self.mode}


@keras.saving.register_keras_serializable(package="seqzoo")
class LastOutputs(keras.layers.Layer):
    """The last output of each direction: (batch, time, units) -> (batch, units).

    Args:
        bidirectional: whether the second half of the units belongs to a layer that reads from the
            last step to the first.
    """

    def __init__(self, bidirectional: bool, **kwargs: Any):
        super().__init__(**kwargs)
        self.bidirectional = bidirectional
        self.supports_masking = True

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: the output has no time axis."""

    def call(self, sequence: Any, steps: Any = None) -> Any:
        """The last outputs.

        Args:
            sequence: shape (batch, time, units).
            steps: which steps are not padding, (batch, time). None, as in models that were saved
                before this argument existed, for the last step of the longest sequence.
        """
        forward = ops.split(sequence, 2, axis=-1)[0] if self.bidirectional else sequence
        if steps is None:
            last = forward[:, -1]
        else:
            # What masked steps output depends on the layer, and on the export format.
            count = ops.sum(ops.cast(steps, "int32"), axis=1, keepdims=True)
            position = ops.arange(ops.shape(steps)[1], dtype="int32")[None]
            is_last = ops.equal(position, ops.maximum(count, 1) - 1)
            last = ops.sum(ops.where(is_last[:, :, None], forward, 0), axis=1)
        if not self.bidirectional:
            return last
        return ops.concatenate([last, ops.split(sequence, 2, axis=-1)[1][:, 0]], axis=-1)

    def get_config(self) -> dict:
        return {**super().get_config(), "bidirectional": self.bidirectional}


def loss_precision(policy: str) -> str:
    """The dtype of a model's outputs, given the dtype policy of its layers: float32 or float64."""
    return "float64" if policy == "float64" else "float32"


def at_least_float32(values: Any) -> Any:
    """Values, with half precision converted to float32."""
    return values if values.dtype == tf.float64 else tf.cast(values, tf.float32)


def cell_choices(template: Any) -> dict[str, Any]:
    """The options of a template's recurrent layers, as arguments of `recurrent_layers`."""
    names = ("cell", "units", "layers", "dropout", "recurrent_dropout", "recompute")
    choices = {name: getattr(template, name) for name in names}
    return {**choices, "cell_options": dict(template.cell_options)}


def make_cell(template: Any) -> Any:
    """Makes a cell with the template's options, which checks them.

    Raises:
        SeqzooError: the cell does not exist, does not take an option, its inputs are not sequences
            of vectors, or it cannot be stacked.
    """
    choices = cell_choices(template)
    del choices["layers"]
    recompute = choices.pop("recompute")
    try:
        cell = _cell(**choices)
        if cell.input_rank == 2 and not cell.takes_time:
            seqzoo.cells.Recurrent(cell, recompute=recompute)
    except (TypeError, ValueError) as error:
        raise SeqzooError(str(error)) from error
    if cell.input_rank != 2:
        raise SeqzooError(
            field="cell",
            expected="a cell that takes vectors, not frames",
            got=template.cell,
            hint="use it with `Recurrent` in a Keras model",
        )
    if cell.takes_time and template.input != "series":
        raise SeqzooError(
            field="cell",
            expected=f"a cell that is not time-aware for input {template.input!r}",
            got=template.cell,
            hint="only input 'series' has times",
        )
    if cell.takes_mask and template.layers > 1:
        raise SeqzooError(
            field="layers",
            expected=f"1 for the cell {template.cell!r}, because the outputs of a layer have no "
            "mask of observed values",
            got=template.layers,
        )
    return cell


def takes_time(cell: str) -> bool:
    """Whether the cell of this name takes the time since the previous step."""
    return cell in seqzoo.cells.CELLS and seqzoo.cells.CELLS[cell].takes_time


def takes_mask(cell: str) -> bool:
    """Whether the cell of this name takes a mask of the values that were observed."""
    return cell in seqzoo.cells.CELLS and seqzoo.cells.CELLS[cell].takes_mask


def without_time(cell: str, values: Any) -> tuple[Any, Any]:
    """The features and the elapsed time of steps (batch, time, features).

    Returns:
        (batch, time, features - 1) and (batch, time), or `values` and None for a cell that is
        not time-aware.
    """
    return (values[..., :-1], values[..., -1]) if takes_time(cell) else (values, None)


def after_one(cell: Any, values: Any) -> Any:
    """The inputs of a cell for a step one unit of time after the previous one: values (...,
    features), with 1 as an additional last feature for a time-aware cell."""
    if not cell.takes_time:
        return values
    return ops.concatenate([values, ops.ones_like(values[..., :1])], axis=-1)


def with_time(values: Any, elapsed: Any) -> Any:
    """The inputs of a layer: a pair if there is an elapsed time."""
    return values if elapsed is None else (values, elapsed)


def recurrent_layers(
    cell: str,
    units: int,
    layers: int = 1,
    *,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    cell_options: Mapping[str, Any] | None = None,
    recompute: int | None = None,
    bidirectional: bool = False,
    last_only: bool = False,
    return_state: bool = False,
    dtype: Any = None,
    named: bool = False,
) -> list[Any]:
    """Makes the stacked recurrent layers of a network.

    Args:
        cell: name of the cell in `seqzoo.cells.CELLS`.
        units: units per layer and direction.
        layers: number of layers.
        dropout: dropout rate on each layer's inputs.
        recurrent_dropout: dropout rate on the recurrent inputs.
        cell_options: other options of the cell's class.
        recompute: see `seqzoo.cells.Recurrent`.
        bidirectional: whether each layer reads in both directions.
        last_only: whether the last layer returns only its last output.
        return_state: whether each layer also returns its last states.
        dtype: Keras' dtype policy.
        named: whether layers are named "layer_1" and so on, or by Keras.
    """
    stack = []
    for index in range(layers):
        layer_cell = _cell(cell, units, dropout, recurrent_dropout, cell_options, dtype)
        layer = seqzoo.cells.Recurrent(
            layer_cell,
            return_sequences=index + 1 < layers or not last_only,
            return_state=return_state,
            recompute=recompute,
            dtype=dtype,
            name=f"layer_{index + 1}" if named else None,
        )
        if bidirectional:
            name = f"both_ways_{index + 1}" if named else None
            layer = seqzoo.cells.Bidirectional(layer, dtype=dtype, name=name)
        stack.append(layer)
    return stack


def recurrent_stack(template: Any, values: Any, mask: Any, *, sequence: bool, dtype: str) -> Any:
    """Applies the stacked recurrent layers of a template.

    Args:
        template: has `bidirectional`, `all_layers` and the options that `cell_choices` reads; if
            it also has `residual`, `layer_norm` or `layer_activation`, these are applied, too.
        values: shape (batch, time, features); for a time-aware cell, the last feature is the time
            since the previous step.
        mask: shape (batch, time); passed to each layer, because Keras may not pass it on.
        sequence: whether the last layer returns all steps.
        dtype: Keras' dtype policy.

    Returns:
        Shape (batch, time, units) or (batch, units); the size of the last axis is doubled
        if bidirectional, and multiplied by the number of layers with `all_layers`.
    """
    values, elapsed = without_time(template.cell, values)
    stack = recurrent_layers(
        **cell_choices(template),
        bidirectional=template.bidirectional,
        last_only=not sequence,
        dtype=dtype,
        named=True,
    )
    activation = getattr(template, "layer_activation", "linear")
    last = LastOutputs(template.bidirectional, dtype=dtype, name="last_outputs")
    outputs = []
    for number, layer in enumerate(stack, 1):
        before = values
        if number > 1 and getattr(template, "layer_norm", False):
            norm = keras.layers.LayerNormalization(dtype=dtype, name=f"norm_{number}")
            values = norm(values)
        values = layer(with_time(values, elapsed), mask=mask)
        if activation != "linear":
            name = f"activation_{number}"
            values = keras.layers.Activation(activation, dtype=dtype, name=name)(values)
        if number > 1 and getattr(template, "residual", False):
            if len(values.shape) == 2:
                before = last(before, mask)
            values = keras.layers.Add(dtype=dtype, name=f"residual_{number}")([before, values])
        outputs.append(values)
    if not template.all_layers or len(outputs) == 1:
        return values
    if not sequence:
        outputs[:-1] = [last(output, mask) for output in outputs[:-1]]
    return keras.layers.Concatenate(dtype=dtype, name="all_layers")(outputs)


def zero_states(layers: Sequence[Any], rows: Any) -> list[Any]:
    """The states of layers before the first step, float32 or more precise."""
    return [
        tf.cast(item, tf.float32) if item.dtype in (tf.float16, tf.bfloat16) else item
        for layer in layers
        for item in keras.tree.flatten(layer.get_initial_state(rows))
    ]


def _cell(
    cell: str,
    units: int,
    dropout: float,
    recurrent_dropout: float,
    cell_options: Mapping[str, Any] | None,
    dtype: Any = None,
) -> Any:
    return seqzoo.cells.create(
        cell,
        units,
        dropout=dropout,
        recurrent_dropout=recurrent_dropout,
        dtype=dtype,
        **(cell_options or {}),
    )

"""The network of a forecaster: from each step to the next one, with states."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks.layers.recurrent import (
    after_one,
    recurrent_layers,
    takes_time,
    with_time,
    without_time,
)


@keras.saving.register_keras_serializable(package="seqzoo")
class NextStep(keras.Model):
    """From steps of numbers to outputs of the same size for the next steps: recurrent layers ->
    dropout -> dense.

    For a time-aware cell, the last feature of a step is the time until the next step, so that
    the model knows the time of the step that it predicts.

    Args:
        size: number of values per step.
        cell: name of the cell in `seqzoo.cells.CELLS`.
        units: units per layer.
        layers: number of recurrent layers.
        dropout: dropout rate on each layer's inputs and on the last features.
        recurrent_dropout: dropout rate on the recurrent inputs.
        cell_options: other options of the cell's class.
        recompute: see `Recurrent`.
        all_layers: whether the output layer reads the outputs of all layers, not only those of the
            last.
        precision: Keras' dtype policy for the layers.
        **kwargs: passed to `keras.Model`.
    """

    def __init__(
        self,
        size: int,
        cell: str,
        units: int,
        layers: int = 1,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        cell_options: Mapping[str, Any] | None = None,
        recompute: int | None = None,
        all_layers: bool = False,
        precision: str = "float32",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.choices = {
            "size": size,
            "cell": cell,
            "units": units,
            "layers": layers,
            "dropout": dropout,
            "recurrent_dropout": recurrent_dropout,
            "cell_options": dict(cell_options or {}),
            "recompute": recompute,
            "all_layers": all_layers,
            "precision": precision,
        }
        self.recurrent = recurrent_layers(
            cell,
            units,
            layers,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            cell_options=cell_options,
            recompute=recompute,
            return_state=True,
            dtype=precision,
        )
        self.dropout = keras.layers.Dropout(dropout, dtype=precision)
        self.output_layer = keras.layers.Dense(size, dtype="float32")

    def build(self, *_: Any) -> None:
        """Creates all weights by running one step."""
        width = self.choices["size"] + takes_time(self.choices["cell"])
        with seqzoo.cells.portable():
            self.call(tf.zeros([1, 2, width]))
        self.built = True

    def call(self, values: Any, steps: Any = None, training: bool = False) -> tuple[Any, list]:
        """Runs over sequences from zero states.

        Args:
            values: (batch, time, size), or size + 1 with the time until the next step.
            steps: (batch, time): whether each step counts; None for all.
            training: whether dropout is on.

        Returns:
            Outputs, (batch, time, size), float32, and the states of each layer after the last step
            that counts.
        """
        values, last = self.features(values, steps, training)
        return self.output_layer(values), last

    def features(self, values: Any, steps: Any = None, training: bool = False) -> tuple[Any, list]:
        """The inputs of the output layer, (batch, time, units), and the last states; see `call`."""
        last, outputs = [], []
        values, elapsed = without_time(self.choices["cell"], values)
        for layer in self.recurrent:
            values, *states = layer(with_time(values, elapsed), mask=steps, training=training)
            last.append(states)
            outputs.append(values)
        return self.dropout(self._joined(outputs), training=training), last

    def _joined(self, outputs: list) -> Any:
        """The inputs of the output layer, from the outputs of all layers."""
        return tf.concat(outputs, -1) if self.choices["all_layers"] else outputs[-1]

    def step(self, values: Any, states: Sequence) -> tuple[Any, list]:
        """Runs one step: values (rows, size) and states -> outputs (rows, size) and new states.
        Time advances by one unit, the mean time between steps in training."""
        last, outputs = [], []
        for layer, state in zip(self.recurrent, states, strict=True):
            values, new = layer.cell(after_one(layer.cell, values), state)
            last.append(list(new))
            outputs.append(values)
        return self.output_layer(self._joined(outputs)), last

    def get_config(self) -> dict:
        return {"name": self.name, **self.choices}

    def get_build_config(self) -> dict:
        return {"size": self.choices["size"]}

    def build_from_config(self, config: dict) -> None:
        self.build()

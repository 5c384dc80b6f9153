"""Diagnostics of a training run, for the history: gradient norms by layer, dead units, and spectral
radii of recurrent weights."""

import re
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.base import Task
from seqzoo.tasks.data.batches import Data, Plan, array_batches
from seqzoo.tasks.inspection.layers import recurrent_layers
from seqzoo.tasks.inspection.recurrent_weights import (
    radius_column,
    recurrent_parts,
    recurrent_spectra,
)
from seqzoo.tasks.inspection.trace import trace
from seqzoo.tasks.runs.weight_paths import weights_by_path

NORM, DEAD = "gradient_norm", "dead_units"
"""Prefixes of column names."""

UNMOVED = 1e-3
"""A unit is dead if all of its states are within this distance of each other."""

EXAMINED = 16
"""Maximum number of examples whose states are examined."""

MAX_MATRIX_ROWS = 1024
"""Maximum number of rows of a matrix whose eigenvalues are computed after each epoch."""


class GradientNorms:
    """The mean norms of an epoch's gradients before clipping: the global norm, and that of each
    layer.

    Args:
        model: the trained model.

    Attributes:
        names: the names of the columns.
        sums: variable, float64: the sum of the norms of each column, and the number of updates.
    """

    def __init__(self, model: Any):
        layers = layers_of(model)
        names = list(dict.fromkeys(layers))
        self._members = [[k for k, layer in enumerate(layers) if layer == name] for name in names]
        self.names = [NORM, *(f"{NORM}_{name}" for name in names)]
        self.sums = tf.Variable(tf.zeros(len(self.names) + 1, tf.float64), trainable=False)

    def add(self, gradients: list[Any], norm: Any, scaling: Any = None) -> None:
        """Adds the gradients of an update, unless they overflowed; `scaling` is the factor of a
        scaled loss."""
        layers = [tf.linalg.global_norm([gradients[k] for k in member]) for member in self._members]
        norms = tf.cast(tf.stack([norm, *layers]), tf.float64)
        if scaling is not None:
            norms /= tf.cast(scaling, tf.float64)
        added = tf.concat([norms, tf.ones(1, tf.float64)], 0)
        if scaling is not None:  # such an update is skipped
            added = tf.where(tf.math.is_finite(norm), added, tf.zeros_like(added))
        self.sums.assign_add(added)

    def row(self) -> dict[str, float]:
        """The mean norms of the epoch so far, by column."""
        *sums, count = self.sums.numpy()
        pairs = zip(self.names, sums, strict=True)
        return {name: float(item / max(count, 1)) for name, item in pairs}

    def reset(self) -> None:
        """Resets the sums for a new epoch."""
        self.sums.assign(tf.zeros_like(self.sums))


def layers_of(model: Any) -> list[str]:
    """The name of the layer of each trainable variable, such as "decoder_recurrent_0", which is the
    same in each process."""
    paths = {id(value): path for path, value in weights_by_path(model).items()}
    layers = [paths[id(variable)].rpartition("/")[0] for variable in model.trainable_variables]
    return [re.sub(r"\W+", "_", layer.removesuffix("/cell")).strip("_") for layer in layers]


def dead_units(task: Task, model: Any, data: Data, plan: Plan) -> dict[str, float]:
    """The fraction of dead units in each recurrent layer, on some examples.

    Args:
        task: the task of the model.
        model: a `keras.Model`.
        data: the examples, of which the first `EXAMINED` of the first batch are used.
        plan: the batches.
    """
    batch = next(array_batches(data, plan, trim=data.window is None))
    tensors: dict[str, Any] = {name: tf.constant(value[:EXAMINED]) for name, value in batch.items()}
    if task.carries:
        rows = len(tensors["weights"])
        tensors["carried"] = tuple(tf.zeros([rows, units]) for units in task.carries)
    traced = trace(model, lambda: task.forward(model, tensors, training=False))
    results = {}
    for layer in traced.layers:
        states = layer.states[0][:, 1:].reshape(-1, layer.states[0].shape[-1])
        dead = np.ptp(states, axis=0) < UNMOVED
        results[f"{DEAD}_{layer.name.replace(' ', '_')}"] = float(dead.mean())
    return results


def spectral_radii(model: Any) -> dict[str, float]:
    """The spectral radius of each gate's recurrent weights, by layer and gate, such as
    "spectral_radius_layer_1_update". Matrices that are not square are left out, and so are layers
    with a matrix of more than `MAX_MATRIX_ROWS` rows."""
    results = {}
    for name, layer in recurrent_layers(model).items():
        if any(len(matrix) > MAX_MATRIX_ROWS for matrix in recurrent_parts(layer.cell).values()):
            continue
        for item in recurrent_spectra(layer.cell):
            if item.radius is not None:
                results[radius_column(name, item.gate)] = item.radius
    return results

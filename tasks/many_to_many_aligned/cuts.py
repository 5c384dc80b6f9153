"""Cuts batches with a target at each step into windows, for truncated backpropagation."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from seqzoo.tasks.data.batches import cut_steps
from seqzoo.tasks.layers.recurrent import zero_states


class CutsAtSteps:
    """The protocol `Cuts` for targets with as many steps as the inputs."""

    def steps(self, batch: dict[str, Any]) -> Any:
        return tf.shape(batch["values"])[1]

    def first_states(
        self, model: Any, batch: dict[str, Any], layers: Sequence[Any]
    ) -> Sequence[Any]:
        return zero_states(layers, tf.shape(batch["lengths"])[0])

    def cut(self, batch: dict[str, Any], start: Any, stop: Any, size: int) -> dict[str, Any]:
        return cut_steps(batch, start, stop, size, ("values", "targets"))

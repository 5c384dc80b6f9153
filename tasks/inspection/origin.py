"""Finds where in a model the first NaN or infinity arises: layer, part and time step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqzoo.tasks.inspection.gates import gate_values
from seqzoo.tasks.inspection.trace import LayerTrace, trace
from seqzoo.tasks.runs.weight_paths import weights_by_path


@dataclass(frozen=True)
class Origin:
    """The origin of the first value that is not finite.

    Attributes:
        part: the part in which it arose: "weights", "input", the name of a gate, "state",
            "gradient" or "loss".
        layer: name of the recurrent layer, or path of the weights; empty for the loss.
        step: time step of the input, from 0; None for weights and the loss.
        row: row of the batch; None for weights and the loss.
    """

    part: str
    layer: str = ""
    step: int | None = None
    row: int | None = None

    def sentence(self) -> str:
        """The origin in words: "the first such value is in gate 'update' of layer 1, at time
        step 7 of row 3"."""
        if self.part == "loss":
            return "the first such value is the loss: all recurrent states and gradients are finite"
        if self.part == "weights":
            return f"the weights {self.layer} are not finite to begin with"
        is_gate = self.part not in ("input", "state", "gradient")
        part = f"gate {self.part!r}" if is_gate else f"the {self.part}"
        where = f"{part} of {self.layer}, at time step {self.step} of row {self.row}"
        return f"the first such value is in {where}"


def find_origin(
    model: Any, forward: Callable[[], Any], loss: Callable[[Any], Any] | None = None
) -> Origin | None:
    """Runs a batch step by step and looks for the first value that is NaN or infinite: in the
    weights, then forwards through the recurrent layers in the order in which they run, then
    backwards.

    Args:
        model: a Keras model with `Recurrent` layers.
        forward: calls the model on a batch.
        loss: computes a scalar from the result of `forward`; None to run only the forward pass.

    Returns:
        The origin, or None if all values are finite.
    """
    for path, weight in weights_by_path(model).items():
        if not np.isfinite(np.asarray(weight.value, np.float64)).all():
            return Origin("weights", path)
    traced = trace(model, forward, loss)
    for layer in traced.layers:
        if origin := _forwards(layer):
            return origin
    for layer in reversed(traced.layers):
        if origin := _backwards(layer):
            return origin
    if traced.loss is not None and not np.isfinite(traced.loss):
        return Origin("loss")
    return None


def _forwards(layer_trace: LayerTrace) -> Origin | None:
    inputs: Any = ~np.isfinite(layer_trace.inputs).all(-1)
    finite = [np.isfinite(state[:, 1:]).all(-1) for state in layer_trace.states]
    states: Any = ~np.stack(finite).all(0)
    bad: Any = inputs | states
    if not bad.any():
        return None
    step = int(np.flatnonzero(bad.any(0))[0])
    row = int(np.flatnonzero(bad[:, step])[0])
    position = int(layer_trace.positions[step])
    if inputs[row, step]:
        return Origin("input", layer_trace.name, position, row)
    for gate in gate_values(layer_trace, row):
        if not np.isfinite(gate.values[position]).all():
            return Origin(gate.name, layer_trace.name, position, row)
    return Origin("state", layer_trace.name, position, row)


def _backwards(layer_trace: LayerTrace) -> Origin | None:
    if layer_trace.gradients is None:
        return None
    finite = [np.isfinite(gradient[:, 1:]).all(-1) for gradient in layer_trace.gradients]
    bad: Any = ~np.stack(finite).all(0)
    if not bad.any():
        return None
    # Gradients are computed backwards in time, so the last step comes first.
    step = int(np.flatnonzero(bad.any(0))[-1])
    row = int(np.flatnonzero(bad[:, step])[0])
    return Origin("gradient", layer_trace.name, int(layer_trace.positions[step]), row)

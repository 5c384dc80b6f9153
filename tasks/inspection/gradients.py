"""Gradients through time: how fast the gradient of a step's loss decays over earlier states."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from seqzoo.tasks.inspection.trace import LayerTrace, Trace
from seqzoo.tasks.wording import counted

VANISHED = 0.01
"""A gradient has vanished if less than this fraction of it is left at the step furthest back."""

EXPLODED = 100.0
"""A gradient has exploded if it has grown by more than this factor at the step furthest back."""

Verdict = Literal["vanishing", "exploding", "healthy"]


@dataclass(frozen=True)
class Decay:
    """How norms change from step to step, backwards in time.

    Attributes:
        rate: factor per step back, from a straight line fitted to the logarithms of the norms: 0.9
            if a tenth is lost at each step.
        half_life: steps back after which half is left; infinite if nothing is lost; if the norm
            grows, minus the number of steps back after which it has doubled; 0 if it cannot be
            measured.
        verdict: "vanishing" if less than `VANISHED` is left at the step furthest back, "exploding"
            if the norm is more than `EXPLODED` times as large there, otherwise "healthy".
        steps: number of steps back.
    """

    rate: float
    half_life: float
    verdict: Verdict
    steps: int

    def sentence(self) -> str:
        """The verdict in a sentence."""
        if self.verdict == "healthy" and not math.isfinite(self.half_life):
            return f"healthy: nothing is lost in {self.steps} steps"
        if not self.half_life:  # it cannot be measured
            lost = "the gradient is zero after one step back"
            return f"{self.verdict}: " + ("the norm is not finite" if self.rate else lost)
        if self.half_life < 0:
            change = f"doubles every {-self.half_life:.3g} steps"
        else:
            change = f"halves every {self.half_life:.3g} steps"
        return f"{self.verdict}: the norm {change} back, over {counted(self.steps, 'step')}"


def decay(norms: np.ndarray) -> Decay:
    """The decay of norms, which are ordered from the chosen step to the step furthest back.

    Zeros after the last positive norm are due to underflow and count as zero gradients.

    Args:
        norms: (steps + 1,), of gradients or of products of Jacobians.
    """
    norms = np.asarray(norms, np.float64)
    steps = len(norms) - 1
    positive = np.flatnonzero(norms > 0)
    if not np.isfinite(norms).all():
        return Decay(math.inf, 0.0, "exploding", max(steps, 0))
    if steps < 1 or not len(positive) or not norms[0] > 0:
        return Decay(1.0, math.inf, "healthy", max(steps, 0))
    if len(positive) == 1:
        return Decay(0.0, 0.0, "vanishing", steps)
    logs = np.log(norms[positive])
    slope = float(np.polyfit(positive, logs, 1)[0])
    slope = 0.0 if abs(slope) < 1e-9 else slope
    left = norms[-1] / norms[0]
    verdict: Verdict = "healthy"
    if left < VANISHED:
        verdict = "vanishing"
    elif left > EXPLODED:
        verdict = "exploding"
    return Decay(math.exp(slope), math.log(0.5) / slope if slope else math.inf, verdict, steps)


@dataclass(frozen=True)
class GradientFlow:
    """d loss / d state of one layer, going back from the last step that the loss depends on.

    Attributes:
        name: name of the layer.
        positions: positions of the steps in the input, the chosen one first, (steps,); -1 for the
            initial state.
        norms: norms of d loss / d all states together, (steps,).
        by_state: norms of d loss / d each state, (states, steps).
        decay: the decay of `norms`.
    """

    name: str
    positions: np.ndarray
    norms: np.ndarray
    by_state: np.ndarray
    decay: Decay


def gradient_flow(traced: Trace, row: int = 0) -> list[GradientFlow]:
    """The flow of gradients through each layer that the loss of a trace depends on.

    Args:
        traced: the result of `trace` with a loss, such as that of one step; steps back are counted
            from the last step that the loss depends on.
        row: row of the batch.
    """
    return [
        _flow(layer, row)
        for layer in traced.layers
        if layer.gradients is not None and any(item[row].any() for item in layer.gradients)
    ]


def _flow(layer_trace: LayerTrace, row: int) -> GradientFlow:
    assert layer_trace.gradients is not None
    by_state = np.stack(
        [np.linalg.norm(item[row].astype(np.float64), axis=-1) for item in layer_trace.gradients]
    )
    norms = np.sqrt((by_state**2).sum(0))
    # After the chosen step, gradients are zero.
    last = int(np.flatnonzero(norms)[-1])
    positions = np.append(-1, layer_trace.positions)[last::-1]
    norms, by_state = norms[last::-1], by_state[:, last::-1]
    # The last point is the initial state, which does not belong to a step of the input.
    return GradientFlow(layer_trace.name, positions, norms, by_state, decay(norms))

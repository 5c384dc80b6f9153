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

FEW_STEPS = 10
"""Number of steps below which a healthy gradient is said to be over only a few: one that halves at
every step has vanished after 7."""

UNDERFLOW = 1e-30
"""Norm below which zeros that follow may be due to underflow; after a larger one they are exact."""

Verdict = Literal["vanishing", "exploding", "healthy"]


@dataclass(frozen=True)
class Decay:
    """How norms change from step to step, backwards in time.

    Attributes:
        rate: factor per step back, from a straight line fitted to the logarithms of the norms: 0.9
            if a tenth is lost at each step; 0 if the norm becomes exactly zero.
        half_life: steps back after which half is left; infinite if nothing is lost; if the norm
            grows, minus the number of steps back after which it has doubled; 0 if it cannot be
            measured.
        verdict: "vanishing" if less than `VANISHED` is left at the step furthest back, "exploding"
            if the norm is more than `EXPLODED` times as large there, otherwise "healthy".
        steps: number of steps back.
        zero_from: steps back from which on the norm is exactly zero; None if it never is.
    """

    rate: float
    half_life: float
    verdict: Verdict
    steps: int
    zero_from: int | None = None

    def sentence(self) -> str:
        """The verdict in a sentence."""
        if self.verdict == "healthy" and not math.isfinite(self.half_life):
            return f"healthy: nothing is lost in {self.steps} steps"
        if self.zero_from is not None:
            first = counted(self.zero_from, "step")
            return f"{self.verdict}: the norm is zero from {first} back on"
        if not self.half_life:  # it cannot be measured
            return f"{self.verdict}: the norm is not finite"
        change = "doubles" if self.half_life < 0 else "halves"
        number = f"{abs(self.half_life):.3g}"
        every = "every step" if number == "1" else f"every {number} steps"
        only = "only " * (self.verdict == "healthy" and self.steps < FEW_STEPS)
        steps = f"{only}{counted(self.steps, 'step')}"
        return f"{self.verdict}: the norm {change} {every} back, over {steps}"


def decay(norms: np.ndarray) -> Decay:
    """The decay of norms, which are ordered from the chosen step to the step furthest back.

    Zeros after a norm below `UNDERFLOW` count as norms that are too small to be measured.

    Args:
        norms: (steps + 1,), of gradients or of products of Jacobians.
    """
    with np.errstate(divide="ignore"):
        return decay_of_logarithms(np.log(np.asarray(norms, np.float64)))


def decay_of_logarithms(logarithms: np.ndarray) -> Decay:
    """Like `decay`, for norms that are given as natural logarithms, which do not underflow."""
    steps = len(logarithms) - 1
    positive = np.flatnonzero(logarithms > -math.inf)
    if np.isnan(logarithms).any() or (logarithms == math.inf).any():
        return Decay(math.inf, 0.0, "exploding", max(steps, 0))
    if steps < 1 or not len(positive) or positive[0]:
        return Decay(1.0, math.inf, "healthy", max(steps, 0))
    last = int(positive[-1])
    if last < steps and (not last or logarithms[last] > math.log(UNDERFLOW)):
        return Decay(0.0, 0.0, "vanishing", steps, last + 1)
    slope = float(np.polyfit(positive, logarithms[positive], 1)[0])
    slope = 0.0 if abs(slope) < 1e-9 else slope
    left = logarithms[-1] - logarithms[0]
    verdict: Verdict = "healthy"
    if left < math.log(VANISHED):
        verdict = "vanishing"
    elif left > math.log(EXPLODED):
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
        carried: norms of the part of the gradient that comes back from the chosen step through the
            layer's states, (steps,); the rest reaches a step in other ways, such as attention,
            pooling, a CRF or the layers above.
        decay: the decay of `carried`.
    """

    name: str
    positions: np.ndarray
    norms: np.ndarray
    by_state: np.ndarray
    carried: np.ndarray
    decay: Decay

    @property
    def direct(self) -> bool:
        """Whether some of the gradient reaches earlier steps in other ways than through the layer's
        states."""
        return not np.allclose(self.norms, self.carried, rtol=0.01, atol=UNDERFLOW, equal_nan=True)

    def sentence(self) -> str:
        """The verdict in a sentence, which says so if there are other ways to earlier steps."""
        also = "; the loss also depends on earlier steps in other ways"
        return self.decay.sentence() + also * self.direct


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
    by_state, carried_by_state = (
        np.stack([_norms(item[row].astype(np.float64)) for item in gradients])
        for gradients in (layer_trace.gradients, layer_trace.carried)
    )
    norms, carried = (_norms(item.T) for item in (by_state, carried_by_state))
    # After the chosen step, gradients are zero.
    last = int(np.flatnonzero(norms)[-1])
    positions = np.append(-1, layer_trace.positions)[last::-1]
    norms, by_state = norms[last::-1], by_state[:, last::-1]
    carried = carried[last::-1] * (norms[0] / carried[last])
    # The last point is the initial state, which does not belong to a step of the input.
    return GradientFlow(layer_trace.name, positions, norms, by_state, carried, decay(carried))


def _norms(vectors: np.ndarray) -> np.ndarray:
    """Norms over the last axis, without overflow or underflow in the squares."""
    largest = np.abs(vectors).max(-1)
    scale = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    return scale * np.linalg.norm(vectors / scale[..., None], axis=-1)

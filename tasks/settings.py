"""How a template is trained: the choices that do not belong to the model."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.kinds import TEXTS as TEXTS

Schedule = Literal["cosine", "constant"]
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
BestBy = Literal["loss", "metric", "bleu", "chrf"]

LONGEST_WARMUP = 200
"""Maximum warm-up steps by default."""

WARMUP_SHARE = 10
"""Default warm-up: one in this many training steps."""

LARGEST_SEED = 2**32 - 1
"""Largest seed that NumPy accepts."""


@dataclass(frozen=True)
class TrainingSettings:
    """How a template is trained.

    Attributes:
        epochs: passes over the training examples.
        batch_size: maximum number of examples per step, over all replicas.
        batch_steps: maximum time steps per batch, padding included, so that batches of long
            examples are smaller; None for no limit.
        learning_rate: the peak learning rate, reached after the warm-up.
        schedule: "cosine" decreases to zero at the last step; "constant" does not.
        warmup_steps: steps during which the learning rate rises linearly from zero; None for a
            tenth of all steps, at most 200.
        weight_decay: AdamW weight decay; biases are not decayed.
        clip_norm: global norm that gradients are clipped to; None for no clipping.
        patience: epochs without improvement, as measured by `best_by`, after which training stops;
            None to train all epochs.
        best_by: the validation score that chooses the best epoch: "loss" (per token for texts),
            "metric" (the one reported beside it), or "bleu" or "chrf" of texts that are generated
            after each epoch. Ties are broken by the loss. None for "loss" if texts are generated,
            because exact matches stay at zero for long, and "metric" otherwise.
        seed: random seed of weights, shuffling and dropout.
        precision: Keras' dtype policy of the layers; losses and metrics are always float32.
        buckets: maximum number of padded lengths.
        checkpoint_seconds: seconds between two checkpoints within an epoch.

    Raises:
        SeqzooError: a value is out of range.
    """

    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 2e-3
    schedule: Schedule = "cosine"
    warmup_steps: int | None = None
    weight_decay: float = 0.0
    clip_norm: float | None = 1.0
    patience: int | None = None
    seed: int = 0
    precision: Precision = "float32"
    best_by: BestBy | None = None
    batch_steps: int | None = None
    buckets: int = 6
    checkpoint_seconds: float = 60.0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "buckets"):
            if getattr(self, name) < 1:
                raise SeqzooError(field=name, expected="at least 1", got=getattr(self, name))
        for name in ("warmup_steps", "weight_decay", "seed", "checkpoint_seconds"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise SeqzooError(field=name, expected="at least 0 and finite", got=value)
        if self.seed > LARGEST_SEED:
            raise SeqzooError(field="seed", expected=f"at most {LARGEST_SEED}", got=self.seed)
        for name in ("learning_rate", "clip_norm", "patience", "batch_steps"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise SeqzooError(field=name, expected="above 0 and finite", got=value)
        choose("schedule", self.schedule, Schedule)
        choose("precision", self.precision, Precision)
        if self.best_by is not None:
            choose("best_by", self.best_by, BestBy)

    def warmup_of(self, steps: int) -> int:
        """Warm-up steps of a training with the given number of steps."""
        if self.warmup_steps is None:
            return min(LONGEST_WARMUP, steps // WARMUP_SHARE)
        return self.warmup_steps


def least(choices: object, **bounds: float) -> None:
    """Checks fields of a dataclass that are numbers or None against the least they may be.

    Raises:
        SeqzooError: one is smaller.
    """
    for name, bound in bounds.items():
        value = getattr(choices, name)
        if value is not None and not value >= bound:
            raise SeqzooError(field=name, expected=f"at least {bound}", got=value)


def between(choices: object, *names: str) -> None:
    """Checks fields of a dataclass that are shares.

    Raises:
        SeqzooError: one is not at least 0 and below 1.
    """
    for name in names:
        value = getattr(choices, name)
        if not 0 <= value < 1:
            raise SeqzooError(field=name, expected="at least 0 and below 1", got=value)


def choose(name: str, value: object, choices: object) -> None:
    """Checks that a value is one of a `Literal`'s.

    Raises:
        SeqzooError: it is not; the message names the choices.
    """
    if value not in get_args(choices):
        listed = ", ".join(repr(choice) for choice in get_args(choices))
        raise SeqzooError(field=name, expected=f"one of {listed}", got=value)

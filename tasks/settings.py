"""How a template is trained: the choices that do not belong to the model."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from seqzoo.tasks.fields import Count, Range, check
from seqzoo.tasks.kinds import TEXTS as TEXTS

Schedule = Literal["cosine", "constant"]
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
BestBy = Literal["loss", "metric", "bleu", "chrf"]
ReadoutFit = Literal["gradient", "ridge"]

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
        epochs: number of training epochs, which are passes over the training examples.
        batch_size: examples per batch, over all replicas together.
        batch_steps: maximum time steps per batch, padding included, so that batches of long
            examples are smaller. None for no limit.
        learning_rate: peak learning rate, reached after the warm-up.
        schedule: learning-rate schedule. "cosine" falls to zero at the last step; "constant" stays.
        warmup_steps: warm-up steps, in which the learning rate rises linearly from zero. None for
            a tenth of all steps, at most 200.
        weight_decay: AdamW weight decay. Biases are not decayed.
        clip_norm: maximum global norm of gradients. None for no clipping.
        patience: epochs without improvement after which training stops. None for no early stop.
        best_by: what selects the best epoch in validation. "loss" (of texts, per token), "metric"
            (what is shown beside it), or of generated texts, which are written anew after each
            epoch, "bleu" or "chrf"; of equal ones the loss decides. None for the loss of generated
            texts, whose exact matches stay at zero for long, and the metric of all else.
        initialization: initial weights of the recurrent layers, by name. "orthogonal", "identity"
            or "spectral-radius:0.9" for the matrix of each gate; "forget-bias:1" or "chrono:500"
            (the longest dependency in steps) for gates that keep a state; several as in
            "identity,chrono:500". None for the defaults of the cell.
        readout: how the output layer is trained. "gradient" trains all weights by back-propagation;
            "ridge" solves for the output layer alone, in closed form and one epoch, for cells that
            have no weights to train, such as "echo-state".
        ridge_penalty: penalty of "ridge", in units of the mean variance of the states. None for the
            best of a grid in validation.
        washout: steps at the beginning of each sequence that "ridge" is not fitted to, where each
            step has a target.
        seed: random seed of weights, shuffling and dropout; it does not affect the splits.
        precision: dtype policy of the layers (Keras mixed precision). Losses and metrics are always
            float32.
        buckets: maximum number of padded lengths.
        checkpoint_seconds: seconds between checkpoints within an epoch.

    Raises:
        SeqzooError: a value is out of range.
    """

    epochs: Count = 10
    batch_size: Count = 32
    batch_steps: Count | None = None
    learning_rate: Annotated[float, Range(above=0, below=math.inf)] = 2e-3
    schedule: Schedule = "cosine"
    warmup_steps: Annotated[int, Range(least=0)] | None = None
    weight_decay: Annotated[float, Range(least=0, below=math.inf)] = 0.0
    clip_norm: Annotated[float, Range(above=0, below=math.inf)] | None = 1.0
    patience: Count | None = None
    best_by: BestBy | None = None
    initialization: str | None = None
    readout: ReadoutFit = "gradient"
    ridge_penalty: Annotated[float, Range(least=0, below=math.inf)] | None = None
    washout: Annotated[int, Range(least=0)] = 0
    seed: Annotated[int, Range(least=0, most=LARGEST_SEED)] = 0
    precision: Precision = "float32"
    buckets: Count = 6
    checkpoint_seconds: Annotated[float, Range(least=0, below=math.inf)] = 60.0

    def __post_init__(self) -> None:
        check(self)

    def warmup_of(self, steps: int) -> int:
        """Warm-up steps of a training with the given number of steps."""
        if self.warmup_steps is None:
            return min(LONGEST_WARMUP, steps // WARMUP_SHARE)
        return self.warmup_steps

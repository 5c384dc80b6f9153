"""The optimizer and its learning-rate schedule."""

import math
from typing import Any

import keras
from keras import ops

from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.training.fused_adam import FusedAdam
from seqzoo.tasks.training.lazy_adam import LazyAdam, LazyLossScale


class LearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly for some steps, then stays constant or falls to zero along a cosine.

    Args:
        peak: the highest learning rate.
        steps: number of training steps.
        warmup: number of steps of the rise.
        cosine: whether the learning rate falls afterwards.
    """

    def __init__(self, peak: float, steps: int, warmup: int, cosine: bool):
        self.peak = peak
        self.steps = steps
        self.warmup = warmup
        self.cosine = cosine

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        # The first step uses a fraction of the peak, not zero.
        rise = ops.minimum((step + 1) / (self.warmup + 1), 1.0)
        if not self.cosine:
            return self.peak * rise
        done = ops.clip((step - self.warmup) / max(self.steps - self.warmup, 1), 0.0, 1.0)
        return self.peak * rise * 0.5 * (1 + ops.cos(math.pi * done))

    def get_config(self) -> dict:
        return {
            "peak": self.peak,
            "steps": self.steps,
            "warmup": self.warmup,
            "cosine": self.cosine,
        }


def make_optimizer(settings: TrainingSettings, steps: int, *, settable: bool = False) -> Any:
    """Makes Adam with decoupled weight decay (AdamW), and with loss scaling if gradients are
    float16.

    Args:
        settings: the training settings.
        steps: number of training steps.
        settable: whether the learning rate is a variable instead of a schedule.
    """
    warmup = settings.warmup_of(steps)
    rate: Any = settings.learning_rate
    if not settable:
        rate = LearningRate(rate, steps, warmup, settings.schedule == "cosine")
    # With a decay of None instead of 0, the optimizer skips the pass over all weights.
    lazy = settings.embedding_updates == "lazy"
    kind = LazyAdam if lazy else FusedAdam
    optimizer = kind(rate, weight_decay=settings.weight_decay or None)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    take_gradients_as_they_are(optimizer)
    if settings.precision == "mixed_float16":
        scaled = LazyLossScale if lazy else keras.optimizers.LossScaleOptimizer
        return scaled(optimizer)
    return optimizer


def take_gradients_as_they_are(optimizer: Any) -> None:
    """Keeps a Keras optimizer from summing gradients across all replicas: they have already been
    summed for clipping, and a second sum would double the traffic between machines."""
    optimizer._all_reduce_sum_gradients = list

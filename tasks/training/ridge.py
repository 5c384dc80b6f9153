"""Training in closed form: an output layer that is fitted by ridge regression in one pass."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.base import Task
from seqzoo.tasks.data.batches import Data, Plan, batches
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.fine_tuning.start import Start
from seqzoo.tasks.layers.recurrent import make_cell
from seqzoo.tasks.protocols import FitsReadout
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.training.callbacks import Callbacks
from seqzoo.tasks.training.normal_equations import Moments, ridge
from seqzoo.tasks.training.step import Loop

MAX_SCALE = 1024.0
"""Maximum factor of the log-odds, which is reached only if they separate the classes completely."""


class RidgeLoop(Loop):
    """A loop whose steps accumulate the normal equations of the output layer and change no weights.

    `finish` solves the equations. The layers before the output layer keep their initial weights, so
    the cell must have no trainable weights, as in a reservoir.

    Args:
        task: the task, which must implement `FitsReadout`.
        settings: the training settings.
        steps: number of steps in the only epoch.
        strategy: a strategy with one replica.
        callbacks: Keras callbacks.
        start: the run that fine-tuning starts from; None for training from scratch.

    Raises:
        SeqzooError: the task has no such output layer, the cell has trainable weights, or there are
            several replicas.
    """

    keeps_for_gradient = False

    def __init__(
        self,
        task: Task,
        settings: TrainingSettings,
        steps: int,
        strategy: Any,
        callbacks: Callbacks | None = None,
        start: Start | None = None,
    ):
        super().__init__(task, settings, steps, strategy, callbacks, start)
        if not isinstance(task, FitsReadout):
            raise SeqzooError(
                field="readout",
                expected="'gradient' for generated texts and language models, which have too many "
                "outputs to solve for",
                got="ridge",
            )
        if self.replicas > 1:
            raise SeqzooError(
                field="readout", expected="'gradient' on several replicas", got="ridge"
            )
        self.fitted = task
        self.layer = task.output_layer(self.model)
        cell = make_cell(task.template)
        cell.build((None, 1))
        if cell.trainable_variables:
            raise SeqzooError(
                field="readout",
                expected=f"'gradient' for cell {task.template.cell!r}, whose weights 'ridge' would "
                "leave untrained (it is for cells without trainable weights, such as 'echo-state')",
                got="ridge",
            )
        kernel, bias = self.layer.kernel, self.layer.bias
        kernel.assign(tf.zeros_like(kernel))
        bias.assign(tf.zeros_like(bias))
        self.shape = Moments.shape(*kernel.shape)
        self.moments = tf.Variable(tf.zeros(self.shape, tf.float64), trainable=False)
        self.solved = False
        self._gather = None

    def means(self, totals: Any = None) -> tuple[float, float]:
        """Loss and metric; NaN before the layer is fitted."""
        if totals is None and not self.solved:
            return math.nan, math.nan
        return super().means(totals)

    def variables(self) -> dict[str, list]:
        """All that training changes, for a checkpoint."""
        variables = super().variables()
        return variables | {"loop": [*variables["loop"], self.moments]}

    def finish(self, training: tuple[Data, Plan], validation: tuple[Data, Plan] | None) -> None:
        """Fits the output layer; sets the totals of the epoch to those of training.

        Raises:
            SeqzooError: the features are not finite, or the washout leaves no steps.
        """
        features = self.shape[0] - 1 - self.layer.bias.shape[0]
        held_out = None if validation is None else Moments(self._sums(*validation), features)
        moments = Moments(self.moments.numpy(), features)
        if not np.isfinite(moments.matrix).all():
            raise SeqzooError(
                "The states of the recurrent layers are not finite; with 'echo-state', choose a "
                "smaller `spectral_radius` or `input_scale`."
            )
        if not moments.count:
            raise SeqzooError(
                f"`washout` must leave steps of the training sequences (or windows) to fit, "
                f"got {self.settings.washout}, which leaves none.",
                field="washout",
            )
        if held_out is not None and not held_out.count:
            held_out = None
        fit = ridge(moments, held_out, self.settings.ridge_penalty)
        self._assign(fit.kernel, fit.bias)
        self.solved = True
        # Scaled by the examples that were fitted, log-odds could become arbitrarily large.
        if self.fitted.logits and validation is not None:
            self._scale(fit, validation)
        self.totals.assign(self._totals(*training))

    def _scale(self, fit: Any, examples: tuple[Data, Plan]) -> None:
        """Doubles or halves the log-odds as long as the loss falls, which is convex in their
        factor."""

        def loss(scale: float) -> float:
            self._assign(scale * fit.kernel, scale * fit.bias)
            totals = self._totals(*examples)
            return float(totals[0] / totals[1])

        best, lowest = 1.0, loss(1.0)
        for factor in (2.0, 0.5):
            while 1 / MAX_SCALE <= best * factor <= MAX_SCALE:
                changed = loss(best * factor)
                if not changed < lowest:
                    break
                best, lowest = best * factor, changed
            if best != 1:
                break
        self._assign(best * fit.kernel, best * fit.bias)

    def _assign(self, kernel: np.ndarray, bias: np.ndarray) -> None:
        self.layer.kernel.assign(kernel)
        self.layer.bias.assign(bias)

    def _totals(self, data: Data, plan: Plan) -> np.ndarray:
        """Loss, count and the terms of the metric over a plan."""
        dataset = batches(data, plan)
        score = self._scoring(dataset)
        return np.sum([score(batch).numpy() for batch in dataset], axis=0)

    def _sums(self, data: Data, plan: Plan) -> np.ndarray:
        """The moments over a plan."""
        dataset = batches(data, plan)
        if self._gather is None:
            self._gather = tf.function(
                self._of_batch, input_signature=[dataset.element_spec], autograph=False
            )
        total = np.zeros(self.shape)
        for batch in dataset:
            total += self._gather(batch).numpy()
        return total

    def _of_batch(self, batch: dict[str, Any]) -> Any:
        readout = self.fitted.readout(self.model, batch, self.settings.washout)
        weights = batch["weights"]
        per_row = tf.shape(readout.inside)[0] // tf.shape(weights)[0]
        weights = tf.repeat(tf.cast(weights, tf.float64), per_row)
        weights = tf.where(readout.inside, weights, 0.0)
        return Moments.of(readout.features, readout.targets, weights)

    def _train_step(self, batch: dict[str, Any]) -> None:
        self.moments.assign_add(self._of_batch(batch))
        self.step.assign_add(1)

    def _hold_step(self, batch: dict[str, Any]) -> None:
        # There are no gradients to accumulate over batches.
        self._train_step(batch)

"""The training step and the passes over batches, under any `tf.distribute` strategy."""

import contextlib
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.cells.engine.scan import programs_of_training
from seqzoo.tasks.base import Task
from seqzoo.tasks.data.batches import Data, Plan, batches
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.training.callbacks import Callbacks
from seqzoo.tasks.training.initialization import initialize_layers
from seqzoo.tasks.training.optimizer import make_optimizer

ONGOING = -1
"""Value of `bad` while all is well."""


class Loop:
    """A model, its optimizer, and the compiled steps over both.

    Everything that a step changes is a variable and is changed inside the compiled step, so that an
    interruption of Python between two steps leaves a consistent state.

    Attributes:
        model: the `keras.Model`.
        optimizer: of it.
        epoch: variable, epochs done.
        step: variable, steps done in this epoch.
        totals: variable, float64: loss, answers, and the metric's sums over the epoch so far.
        carried: variables, states that are passed from one batch to the next.
        bad: variable, the first step, counted from 1 over all epochs, whose loss or gradient was
            no number; else `ONGOING`.

    Args:
        task: the task.
        settings: the training settings.
        steps: number of steps per epoch.
        strategy: to train under.
        callbacks: of Keras, which may set the learning rate.
    """

    keeps_for_gradient = True
    """Whether the programs of training keep what a gradient needs."""

    def __init__(
        self,
        task: Task,
        settings: TrainingSettings,
        steps: int,
        strategy: Any,
        callbacks: Callbacks | None = None,
    ):
        self.task = task
        self.settings = settings
        self.steps = steps
        self.strategy = strategy
        self.callbacks = callbacks or Callbacks((), task, settings)
        self.replicas = strategy.num_replicas_in_sync
        with strategy.scope():
            self.model = task.build(settings.precision)
            if settings.initialization is not None:
                initialize_layers(self.model, settings.initialization, settings.seed)
            self.optimizer = make_optimizer(
                settings, steps * settings.epochs, settable=self.callbacks.sets_rate
            )
            self.optimizer.build(self.model.trainable_variables)
        # Outside of the scope: one copy, changed by the one step that spans all replicas.
        self.epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.bad = tf.Variable(ONGOING, dtype=tf.int64, trainable=False)
        self.totals = tf.Variable(tf.zeros(2 + task.sums, tf.float64), trainable=False)
        self.carried = tuple(
            tf.Variable(tf.zeros([settings.batch_size, units]), trainable=False)
            for units in task.carries
        )
        self._train = None
        self._score = None

    def train(self, data: Data, plan: Plan) -> Any:
        """Takes the steps of a plan; yields after each."""
        dataset = batches(data, plan)
        if self._train is None:
            self._train = tf.function(
                self._train_step, input_signature=[dataset.element_spec], autograph=False
            )
        first = int(self.step.numpy())
        for index, batch in enumerate(dataset, first):
            self.callbacks.begin_batch(index)
            self._train(batch)
            self.callbacks.end_batch(index, self)
            yield

    def score(self, data: Data, plan: Plan) -> tuple[float, float]:
        """Loss and metric over a plan, without training."""
        dataset = batches(data, plan)
        score = self._scoring(dataset)
        totals = np.zeros(2 + self.task.sums)
        self.forget()
        self.callbacks.begin_validation()
        for index, batch in enumerate(dataset):
            self.callbacks.begin_validation_batch(index)
            totals += score(batch).numpy()
            self.callbacks.end_validation_batch(index, self, totals)
        loss, metric = self.means(totals)
        self.callbacks.end_validation(loss, metric)
        return loss, metric

    def _scoring(self, dataset: Any) -> Any:
        """The compiled step of a validation."""
        if self._score is None:
            self._score = tf.function(
                self._score_step, input_signature=[dataset.element_spec], autograph=False
            )
        return self._score

    def finish(self, training: tuple[Data, Plan], validation: tuple[Data, Plan] | None) -> None:
        """What is left to do after the last step of an epoch; nothing here."""

    def means(self, totals: Any = None) -> tuple[float, float]:
        """Loss and metric from totals, by default those of the current epoch."""
        loss, count, *sums = self.totals.numpy() if totals is None else totals
        return float(loss / count), self.task.measure(np.array(sums), count)

    def learning_rate(self) -> float:
        """Learning rate of the last step."""
        inner = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        if self.callbacks.sets_rate:
            return float(inner.learning_rate)
        last = max(int(inner.iterations.numpy()) - 1, 0)
        return float(inner._learning_rate(last))

    def next_epoch(self) -> None:
        """Sets the counters to the beginning of the next epoch."""
        self.epoch.assign_add(1)
        self.step.assign(0)
        self.totals.assign(tf.zeros_like(self.totals))
        self.forget()

    def forget(self) -> None:
        """Sets the carried states to zero."""
        for state in self.carried:
            state.assign(tf.zeros_like(state))

    def variables(self) -> dict[str, list]:
        """All that training changes, for a checkpoint."""
        return {
            "model": [variable.value for variable in self.model.variables],
            "optimizer": [variable.value for variable in self.optimizer.variables],
            "loop": [self.epoch, self.step, self.totals, *self.carried],
        }

    def _share(self, batch: dict[str, Any]) -> dict[str, Any]:
        """This replica's rows of a batch."""
        if self.replicas == 1:
            return batch
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        rows = tf.shape(batch["weights"])[0] // self.replicas
        return tf.nest.map_structure(lambda value: value[replica * rows :][:rows], batch)

    def _forward(self, batch: dict[str, Any], training: bool) -> tuple[Any, Any, tuple]:
        """The summed loss, the totals of the batch, float64, and the states to carry on."""
        outcome = self.task.forward(self.model, batch, training)
        weights = batch["weights"]
        # Not a product: a filler row must not add 0 * NaN to the sum.
        losses = outcome.losses * tf.cast(weights, outcome.losses.dtype)
        loss = tf.reduce_sum(tf.where(weights > 0, losses, 0.0))
        shown = outcome.losses if outcome.shown is None else outcome.shown
        shown = shown * tf.cast(weights, shown.dtype)
        shown = tf.reduce_sum(tf.where(weights > 0, shown, 0.0))
        sums = tf.where(weights[:, None] > 0, outcome.sums * weights[:, None], 0.0)
        count = tf.reduce_sum(self.task.counts(batch) * weights)
        first = tf.stack([tf.cast(shown, tf.float64), tf.cast(count, tf.float64)])
        totals = tf.concat([first, tf.cast(tf.reduce_sum(sums, 0), tf.float64)], 0)
        return loss, totals, outcome.carried

    def _train_replica(self, batch: dict[str, Any]) -> tuple[Any, Any, tuple]:
        whole = tf.reduce_sum(self.task.counts(batch) * batch["weights"])
        with tf.GradientTape() as tape:
            loss, totals, carried = self._forward(self._share(batch), training=True)
            scaled = self.optimizer.scale_loss(loss / tf.cast(whole, loss.dtype))
        variables = self.model.trainable_variables
        gradients = tape.gradient(scaled, [variable.value for variable in variables])
        # Dense, because sums over the rows of a sparse gradient come in no fixed order.
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        if self.replicas > 1:
            context = tf.distribute.get_replica_context()
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        finite = tf.math.is_finite(loss)
        scaling = getattr(self.optimizer, "dynamic_scale", None)
        norm = tf.linalg.global_norm(gradients)
        if scaling is None:
            # With a scaled loss, gradients that overflow are part of the game.
            finite = tf.logical_and(finite, tf.math.is_finite(norm))
        if self.settings.clip_norm is not None:
            limit = self.settings.clip_norm
            limit = limit if scaling is None else limit * tf.cast(scaling, norm.dtype)
            gradients, _ = tf.clip_by_global_norm(gradients, limit, norm)
        # Keras' optimizers sum over the replicas once more.
        gradients = [gradient / self.replicas for gradient in gradients]
        self.optimizer.apply(gradients, variables)
        return totals, tf.cast(finite, tf.int32), carried

    def _train_step(self, batch: dict[str, Any]) -> None:
        batch = self._with_carried(batch)
        totals, finite, carried = self.strategy.run(self._train_replica, (batch,))
        self._carry(carried)
        self.totals.assign_add(self._sum(totals))
        self.step.assign_add(1)
        bad = tf.logical_and(self._sum(finite) < self.replicas, self.bad == ONGOING)
        self.bad.assign(tf.where(bad, self.epoch * self.steps + self.step, self.bad))

    def _score_step(self, batch: dict[str, Any]) -> Any:
        # Validation during training uses compiled programs; a separate evaluation, the fastest.
        shares = self._train is not None and self.keeps_for_gradient
        scope = programs_of_training if shares else contextlib.nullcontext

        def forward(batch):
            with scope():
                return self._forward(self._share(batch), training=False)[1:]

        totals, carried = self.strategy.run(forward, (self._with_carried(batch),))
        self._carry(carried)
        return self._sum(totals)

    def _with_carried(self, batch: dict[str, Any]) -> dict[str, Any]:
        if not self.carried:
            return batch
        return {**batch, "carried": tuple(state.value() for state in self.carried)}

    def _carry(self, states: tuple) -> None:
        for variable, state in zip(self.carried, states, strict=True):
            variable.assign(self.strategy.gather(state, axis=0))

    def _sum(self, value: Any) -> Any:
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None)

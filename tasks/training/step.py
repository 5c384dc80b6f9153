"""The training step and the passes over batches, under any `tf.distribute` strategy."""

import contextlib
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.cells.engine.lengths import AdjustableLengths, use_lengths
from seqzoo.cells.engine.scan import use_training_programs
from seqzoo.tasks.base import Task
from seqzoo.tasks.data.batches import Data, Plan, batches
from seqzoo.tasks.fine_tuning.layers import freeze
from seqzoo.tasks.fine_tuning.start import Start
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.training.averaging import averaged_variables, decay_at, with_values
from seqzoo.tasks.training.callbacks import Callbacks
from seqzoo.tasks.training.clipping import clip
from seqzoo.tasks.training.health import GradientNorms
from seqzoo.tasks.training.initialization import check_effect, initialize_layers
from seqzoo.tasks.training.optimizer import make_optimizer
from seqzoo.tasks.training.sparse_gradients import nonzero_rows, sum_over_replicas, unique_rows
from seqzoo.tasks.training.truncation import truncated_gradients
from seqzoo.tasks.training.workers import SEED_STRIDE, Workers

ONGOING = -1
"""Value of `Loop.bad` while all losses and gradients are finite."""

REQUESTS = 3
"""Number of actions that a worker can request, and that all workers then take after a step."""


class Loop:
    """A model, its optimizer, and the compiled steps that train it.

    Everything that a step changes is a variable and is changed inside the compiled step, so
    interrupting Python between steps leaves a consistent state.

    Attributes:
        model: the `keras.Model`.
        optimizer: its optimizer.
        epoch: variable, the number of completed epochs.
        step: variable, the number of steps done in this epoch.
        totals: variable, float64: the sum of the losses, the number of predictions, and the terms
            of the metric, over the epoch so far.
        carried: variables, states that are passed from one batch to the next, for the rows of this
            worker; `lanes` are those for all rows, as in a checkpoint.
        workers: the processes that train together.
        requests: variable, float64: actions that this worker requests after the next step; see
            `agree`.
        updates: variable, float64: the number of weight updates in this epoch, and how many of
            them were clipped.
        average: variables, the exponential moving averages of weights; empty without averaging.
        held: variables, the gradients accumulated for the next update, and their weight; empty if
            each step is an update.
        bad: variable, the first step, counted from 1 over all epochs, whose loss or gradient was
            not finite; otherwise `ONGOING`.
        lengths: the lengths that programs are compiled for; see `program_lengths`.
        started_from: a report of the reused weights, see `Start.transfer`; None for training from
            scratch.

    Args:
        task: the task.
        settings: the training settings.
        steps: number of steps per epoch.
        strategy: the strategy to train with.
        callbacks: Keras callbacks, which may set the learning rate.
        start: the run that fine-tuning starts from; None for training from scratch.
    """

    keeps_for_gradient = True
    """Whether the compiled programs of training keep the values that gradients need."""

    def __init__(
        self,
        task: Task,
        settings: TrainingSettings,
        steps: int,
        strategy: Any,
        callbacks: Callbacks | None = None,
        start: Start | None = None,
    ):
        self.task = task
        self.settings = settings
        self.steps = steps
        self.strategy = strategy
        self.callbacks = callbacks or Callbacks((), task, settings)
        self.replicas = strategy.num_replicas_in_sync
        self.workers = Workers(strategy)
        with strategy.scope():
            self.model = task.build(settings.precision)
            if settings.initialization is not None:
                initialize_layers(self.model, settings.initialization, settings.seed)
            self.started_from = None if start is None else start.transfer(task, self.model)
            if self.started_from is not None and settings.initialization is not None:
                check_effect(self.model, self.started_from)
            if settings.freeze:
                freeze(self.model, settings.freeze)
            updates = -(-steps // settings.accumulate) * settings.epochs
            settable = self.callbacks.sets_rate
            self.optimizer = make_optimizer(settings, updates, settable=settable)
            self.optimizer.build(self.model.trainable_variables)
        # Outside the scope, so that there is one copy, changed by the step that spans all replicas.
        self.lengths = AdjustableLengths()
        self.epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.bad = tf.Variable(ONGOING, dtype=tf.int64, trainable=False)
        self.totals = tf.Variable(tf.zeros(2 + task.sums, tf.float64), trainable=False)
        self.lanes = self._states(settings.batch_size)
        self.carried = self.lanes
        if self.workers.count > 1:
            self.carried = self._states(settings.batch_size // self.workers.count)
        self.requests = tf.Variable(tf.zeros(REQUESTS, tf.float64), trainable=False)
        self._agreed = tf.Variable(tf.zeros(REQUESTS, tf.float64), trainable=False)
        self.updates = tf.Variable(tf.zeros(2, tf.float64), trainable=False)
        self.held = held_gradients(self.model) if settings.accumulate > 1 else ()
        self.average = ()
        if settings.average == "ema":
            self.average = tuple(
                tf.Variable(averaged_variable.numpy(), trainable=False)
                for averaged_variable in averaged_variables(self.model)
            )
        self.norms = GradientNorms(self.model) if settings.log_health else None
        self._train: Any = None
        self._hold: Any = None
        self._score: Any = None
        self.scatter()

    def _states(self, rows: int) -> tuple[Any, ...]:
        zeros = (tf.zeros([rows, units]) for units in self.task.carries)
        return tuple(tf.Variable(item, trainable=False) for item in zeros)

    def _batches(self, data: Data, plan: Plan) -> Any:
        """The data set of a plan's batches, with the rows of this worker."""
        workers = self.workers
        return batches(data, plan if workers.count == 1 else workers.shard(plan))

    def train(self, data: Data, plan: Plan) -> Any:
        """Runs the training steps of a plan, with this worker's rows; yields after each step."""
        dataset = self._batches(data, plan)
        if self._train is None:
            # Two functions, because an optimizer cannot update replicas inside a branch.
            self._train, self._hold = (
                tf.function(step, input_signature=[dataset.element_spec], autograph=False)
                for step in (self._train_step, self._hold_step)
            )
        first = int(self.step.numpy())
        for index, batch in enumerate(dataset, first):
            done = index + 1
            held = done % self.settings.accumulate and done < self.steps
            self.callbacks.begin_batch(index)
            (self._hold if held else self._train)(batch)
            self.callbacks.end_batch(index, self)
            yield

    def score(self, data: Data, plan: Plan) -> tuple[float, float]:
        """Loss and metric over a plan, without training."""
        dataset = self._batches(data, plan)
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
        """The compiled validation step."""
        if self._score is None:
            self._score = tf.function(
                self._score_step, input_signature=[dataset.element_spec], autograph=False
            )
        return self._score

    def finish(self, training: tuple[Data, Plan], validation: tuple[Data, Plan] | None) -> None:
        """Completes an epoch after its last step; for subclasses."""

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

    def clipped(self) -> float:
        """Fraction of the epoch's updates so far whose gradients were clipped."""
        updates, clipped = self.updates.numpy()
        return float(clipped / max(updates, 1))

    def averaged(self) -> contextlib.AbstractContextManager[None]:
        """A context in which the weights of the model are their moving averages, if there are
        any."""
        if not self.average:
            return contextlib.nullcontext()
        values = [item.numpy() for item in self.average]
        return with_values(averaged_variables(self.model), values)

    def next_epoch(self) -> None:
        """Sets the counters to the beginning of the next epoch."""
        self.updates.assign(tf.zeros_like(self.updates))
        self.epoch.assign_add(1)
        self.step.assign(0)
        self.totals.assign(tf.zeros_like(self.totals))
        if self.norms is not None:
            self.norms.reset()
        self.forget()

    def forget(self) -> None:
        """Sets the carried states to zero."""
        for state in self.carried:
            state.assign(tf.zeros_like(state))

    def agree(self, *requests: bool) -> list[bool]:
        """Agrees with the other workers on the actions to take after a step.

        Requests are exchanged together with the sums of a step, without an additional message.

        Args:
            requests: for each action, whether this worker requests it; the others learn of it in
                the next step.

        Returns:
            For each action, whether any worker had requested it before the last step.
        """
        if self.workers.count == 1:
            return list(requests)
        self.requests.assign(np.array(requests, float))
        return (self._agreed.numpy() > 0).tolist()

    def gather(self) -> None:
        """Gathers the states that all workers carry over, for a checkpoint."""
        if self.workers.count > 1:
            for lanes, item in zip(self.lanes, self.carried, strict=True):
                parts = self.workers.gather(item.numpy())  # worker i has the rows i, i + count, ...
                lanes.assign(parts.swapaxes(0, 1).reshape(lanes.shape))

    def scatter(self) -> None:
        """Sets what differs between workers and replicas, after a checkpoint is restored: the
        carried states of this worker's rows, and dropout seeds that no other one has."""
        index, count = self.workers.index, self.workers.count
        if count > 1:
            for lanes, item in zip(self.lanes, self.carried, strict=True):
                item.assign(lanes.numpy()[index::count])
            for variable in self._seeds():
                first, calls = variable.numpy()
                variable.assign(np.array([first + index * SEED_STRIDE, calls]))
        self.separate_replicas()

    def separate_replicas(self) -> None:
        """Sets the dropout seeds of this worker's replicas, after the first one's are assigned to
        all of them."""
        for variable in self._seeds():
            # One copy per replica, if there are several.
            copies: Any = getattr(variable.value, "values", ())
            for index, copy in enumerate(copies[1:], 1):
                seed, calls = copies[0].numpy()
                stride = index * self.workers.count * SEED_STRIDE
                copy.assign(np.array([seed + stride, calls], copy.dtype.as_numpy_dtype))

    def _seeds(self) -> list[Any]:
        """The states of the model's seed generators."""
        return [
            variable
            for variable in self.model.variables
            if not tf.as_dtype(variable.dtype).is_floating
        ]

    def variables(self) -> dict[str, list]:
        """All that training changes, for a checkpoint."""
        average = {"average": list(self.average)} if self.average else {}
        health = {} if self.norms is None else {"health": [self.norms.sums]}
        return (
            average
            | health
            | {
                "model": [variable.value for variable in self.model.variables],
                "optimizer": [variable.value for variable in self.optimizer.variables],
                "loop": [self.epoch, self.step, self.totals, *self.lanes],
                "updates": [self.updates, *self.held],
            }
        )

    def _shard(self, batch: dict[str, Any]) -> dict[str, Any]:
        """This replica's rows of its worker's batch."""
        per_worker = self.replicas // self.workers.count
        if per_worker == 1:
            return batch
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group % per_worker
        rows = tf.shape(batch["weights"])[0] // per_worker
        return tf.nest.map_structure(lambda value: value[replica * rows :][:rows], batch)

    def _forward(self, batch: dict[str, Any], training: bool) -> tuple[Any, Any, tuple]:
        """The summed loss, the totals of the batch, float64, and the states to carry over."""
        with use_lengths(self.lengths):
            outcome = self.task.forward(self.model, batch, training)
        weights = batch["weights"]
        if training and "importance" in batch:
            reported = outcome.losses if outcome.reported is None else outcome.reported
            weighted = outcome.losses * tf.cast(batch["importance"], outcome.losses.dtype)
            outcome = outcome._replace(losses=weighted, reported=reported)
        # Not a product: a filler row must not add 0 * NaN to the sum.
        losses = outcome.losses * tf.cast(weights, outcome.losses.dtype)
        loss = tf.reduce_sum(tf.where(weights > 0, losses, 0.0))
        reported = outcome.losses if outcome.reported is None else outcome.reported
        reported = reported * tf.cast(weights, reported.dtype)
        reported = tf.reduce_sum(tf.where(weights > 0, reported, 0.0))
        sums = tf.where(weights[:, None] > 0, outcome.sums * weights[:, None], 0.0)
        count = tf.reduce_sum(self.task.counts(batch) * weights)
        first = tf.stack([tf.cast(reported, tf.float64), tf.cast(count, tf.float64)])
        totals = tf.concat([first, tf.cast(tf.reduce_sum(sums, 0), tf.float64)], 0)
        return loss, totals, outcome.carried

    def _gradients(self, batch: dict[str, Any]) -> tuple[list, Any, Any, tuple]:
        """The gradients of the loss of a batch; the divisor of the loss; the result of
        `_exchanged`; and the states to carry over. All but the states are summed over replicas."""
        divisor = batch["weights"]
        if self.settings.loss_reduction == "mean":
            divisor = divisor * self.task.counts(batch)
        divisor = tf.reduce_sum(divisor)
        if self.workers.count > 1:
            # Summed before the gradients are, so that it arrives during the forward pass.
            context: Any = tf.distribute.get_replica_context()
            per_worker = tf.cast(self.replicas // self.workers.count, divisor.dtype)
            part = tf.identity(divisor / per_worker)
            divisor = context.all_reduce(tf.distribute.ReduceOp.SUM, part)
        shard = self._shard(batch)

        def scaled(loss: Any) -> Any:
            return self.optimizer.scale_loss(loss / tf.cast(divisor, loss.dtype))

        if self.settings.bptt_every is None:
            with tf.GradientTape() as tape:
                loss, totals, carried = self._forward(shard, training=True)
                value = scaled(loss)
            exchanged = self._exchanged(totals, tf.math.is_finite(loss))
            variables = self.model.trainable_variables
            gradients = tape.gradient(value, [variable.value for variable in variables])
        else:
            # Metrics are computed on complete sequences, because entities may span windows.
            loss, totals, carried = self._forward(shard, training=True)
            exchanged = self._exchanged(totals, tf.math.is_finite(loss))
            gradients = truncated_gradients(
                self.task,
                self.model,
                shard,
                self.settings,
                lambda part: scaled(self._forward(part, training=True)[0]),
            )
        if self.replicas > 1:
            gradients = sum_over_replicas(gradients)
        gradients = [self._row_form(gradient) for gradient in gradients]
        return gradients, divisor, exchanged, carried

    def _row_form(self, gradient: Any) -> Any:
        """A gradient in which each row of an embedding occurs once: sparse for lazy updates, dense
        otherwise.

        Keras' optimizers accept repeated rows, but sum them in no fixed order.
        """
        sparse = isinstance(gradient, tf.IndexedSlices)
        if sparse and self.settings.embedding_updates == "lazy":
            return unique_rows(gradient)
        return tf.convert_to_tensor(gradient)

    def _hold_replica(self, batch: dict[str, Any]) -> tuple[Any, tuple, list]:
        gradients, weight, exchanged, carried = self._gradients(batch)
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        sums = [gradient * tf.cast(weight, gradient.dtype) for gradient in gradients]
        return exchanged, carried, [*sums, weight]

    def _train_replica(
        self, batch: dict[str, Any], held: tuple = ()
    ) -> tuple[Any, tuple, Any, Any]:
        gradients, weight, exchanged, carried = self._gradients(batch)
        if held:
            *sums, before = held
            fraction, weight = weight / (before + weight), before + weight
            sparse = [isinstance(gradient, tf.IndexedSlices) for gradient in gradients]
            gradients = [
                item / tf.cast(weight, item.dtype)
                + tf.convert_to_tensor(gradient) * tf.cast(fraction, item.dtype)
                for item, gradient in zip(sums, gradients, strict=True)
            ]
            gradients = [
                nonzero_rows(item) if rows else item
                for item, rows in zip(gradients, sparse, strict=True)
            ]
        scaling = getattr(self.optimizer, "dynamic_scale", None)
        norm = tf.linalg.global_norm(gradients)
        finite = tf.math.is_finite(norm)
        if scaling is not None:
            # Some gradients of a scaled loss are expected to overflow, until the scale is at its
            # minimum.
            finite |= scaling > 1
        if self.norms is not None:
            self.norms.add(gradients, norm, scaling)
        gradients, clipped = clip(gradients, norm, self.settings, scaling)
        self.optimizer.apply(gradients, self.model.trainable_variables)
        return exchanged, carried, finite, tf.cast(clipped, tf.float64)

    def _train_step(self, batch: dict[str, Any]) -> None:
        held = tuple(item.value() for item in self.held)
        arguments = (self.with_carried(batch), *([held] if held else []))
        exchanged, carried, *same = self.strategy.run(self._train_replica, arguments)
        # Every replica checks and clips the same gradients.
        finite, clipped = (self._first(item) for item in same)
        self.updates.assign_add(tf.stack([tf.ones((), tf.float64), clipped]))
        for item in self.held:
            item.assign(tf.zeros_like(item))
        if self.average:
            self._update_average()
        self._end_step(exchanged, carried, finite)

    def _update_average(self) -> None:
        """Moves the averages towards the weights."""
        before = -(-self.steps // self.settings.accumulate) * self.epoch
        update = tf.cast(before, tf.float64) + self.updates[0]
        rate = 1 - decay_at(update, self.settings.decay)
        for item, variable in zip(self.average, averaged_variables(self.model), strict=True):
            weight = tf.convert_to_tensor(variable.value)
            item.assign_add(tf.cast(rate, item.dtype) * (weight - item))

    def _hold_step(self, batch: dict[str, Any]) -> None:
        arguments = (self.with_carried(batch),)
        exchanged, carried, sums = self.strategy.run(self._hold_replica, arguments)
        for item, new in zip(self.held, sums, strict=True):
            item.assign_add(self._first(new))
        self._end_step(exchanged, carried, tf.constant(True))

    def _exchanged(self, totals: Any, finite: Any) -> Any:
        """The sums over replicas of the requests, of whether the loss is finite, and of the totals.

        They are exchanged in one message before the gradients are, during the backward pass, so
        that no worker waits for it.
        """
        packed = tf.concat([self.requests.value(), [tf.cast(finite, tf.float64)], totals], 0)
        if self.replicas == 1:
            return packed
        context: Any = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.SUM, packed)

    def _first(self, value: Any) -> Any:
        """A value that is the same in all replicas."""
        return self.strategy.experimental_local_results(value)[0]

    def _end_step(self, exchanged: Any, carried: tuple, finite: Any) -> None:
        self._carry(carried)
        exchanged = self._first(exchanged)
        self._agreed.assign(exchanged[:REQUESTS])
        self.totals.assign_add(exchanged[REQUESTS + 1 :])
        self.step.assign_add(1)
        all_finite = tf.logical_and(exchanged[REQUESTS] == self.replicas, finite)
        bad = tf.logical_and(tf.logical_not(all_finite), self.bad == ONGOING)
        self.bad.assign(tf.where(bad, self.epoch * self.steps + self.step, self.bad))

    def _score_step(self, batch: dict[str, Any]) -> Any:
        # Validation during training reuses the compiled programs of training, if there are any.
        reuses = self._train is not None and self.keeps_for_gradient
        scope = use_training_programs if reuses else contextlib.nullcontext

        def forward(batch):
            with scope():
                return self._forward(self._shard(batch), training=False)[1:]

        totals, carried = self.strategy.run(forward, (self.with_carried(batch),))
        self._carry(carried)
        return self._sum(totals)

    def with_carried(self, batch: dict[str, Any]) -> dict[str, Any]:
        """A batch with the states that are carried over, if there are any."""
        if not self.carried:
            return batch
        return {**batch, "carried": tuple(state.value() for state in self.carried)}

    def _carry(self, states: tuple) -> None:
        for variable, state in zip(self.carried, states, strict=True):
            variable.assign(tf.concat(self.strategy.experimental_local_results(state), 0))

    def _sum(self, value: Any) -> Any:
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None)


def held_gradients(model: Any) -> tuple[Any, ...]:
    """Variables for accumulated gradients, one per trainable variable of a model, and for the sum
    of their weights."""
    sums = [tf.zeros(variable.shape, variable.dtype) for variable in model.trainable_variables]
    return tuple(tf.Variable(zeros, trainable=False) for zeros in (*sums, tf.zeros(())))

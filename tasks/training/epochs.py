"""The epochs of a training run: validation, history, the best model, checkpoints, and stopping."""

import contextlib
import itertools
import math
import pathlib
import shlex
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqzoo.tasks.atomic_files import naming_full_disk, replacing, write_table
from seqzoo.tasks.base import PredictionOptions, Task
from seqzoo.tasks.data.batches import Data, Padding, Plan, batches
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import DiskFull, Interrupted, SeqzooError, command
from seqzoo.tasks.fine_tuning.start import Start
from seqzoo.tasks.inspection.origin import find_origin
from seqzoo.tasks.plots import plot_history
from seqzoo.tasks.runs.layout import AVERAGED, CHECKPOINTS, HISTORY, LOGS, MODEL
from seqzoo.tasks.runs.model_file import check_model_file
from seqzoo.tasks.runs.predictor import Inference
from seqzoo.tasks.settings import TEXTS, TrainingSettings
from seqzoo.tasks.training.averaging import BestEpochs, averaged_variables, with_values
from seqzoo.tasks.training.callbacks import Callbacks
from seqzoo.tasks.training.checkpoints import Checkpoints
from seqzoo.tasks.training.clipping import clips
from seqzoo.tasks.training.health import dead_units, spectral_radii
from seqzoo.tasks.training.history import Scalars
from seqzoo.tasks.training.program_lengths import program_lengths
from seqzoo.tasks.training.progress import TrainingProgress
from seqzoo.tasks.training.ridge import RidgeLoop
from seqzoo.tasks.training.step import ONGOING, Loop

REPORT_SECONDS = 0.2
"""Minimum number of seconds between reports of the loss and the metric of a running epoch."""


class Epochs:
    """A training run from its first to its last epoch.

    Args:
        task: the task.
        settings: the training settings.
        padding: the lengths that batches are padded to.
        training: the encoded training examples.
        validation: the encoded validation examples, on which the best epoch is chosen; None to
            keep the last epoch.
        strategy: the `tf.distribute` strategy.
        examples: the raw validation examples, with which generated texts are compared.
        callbacks: Keras callbacks, in the order in which they are called.
        start: the run that fine-tuning starts from; None for training from scratch.

    Raises:
        SeqzooError: the task does not support the criterion `settings.best_by`, or a callback is
            not supported.
    """

    def __init__(
        self,
        task: Task,
        settings: TrainingSettings,
        padding: Padding,
        training: Data,
        validation: Data | None,
        strategy: Any,
        examples: Examples | None = None,
        callbacks: Sequence[Any] = (),
        start: Start | None = None,
    ):
        self.best_by: Any = settings.best_by or task.best_by
        if self.best_by not in task.criteria:
            raise SeqzooError(
                field="best_by",
                expected=f"one of {', '.join(task.criteria)} for this template",
                got=self.best_by,
            )
        self.task = task
        self.examples = examples
        if settings.readout == "ridge":
            settings = replace(settings, epochs=1)
        self.settings = settings
        self.padding = padding
        self.replicas = strategy.num_replicas_in_sync
        self.training = training
        self.validation = validation
        self.callbacks = Callbacks(callbacks, task, settings)
        kind = RidgeLoop if settings.readout == "ridge" else Loop
        self.start = start
        plan = self.plan(0)
        self.loop = kind(task, settings, len(plan), strategy, self.callbacks, start)
        units = task.template.units
        self.lengths = program_lengths(plan, settings.epochs, units)
        # Few at first, so that the first results come soon; the others are compiled afterwards.
        self.loop.lengths.set(program_lengths(plan, 1, units, self.lengths))
        self.workers = self.loop.workers
        # The Python state of the training run; stored with every checkpoint.
        self.rows: list[dict[str, Any]] = []
        self.best: list[float] | None = None
        self.waited = 0
        self.seconds = 0.0

    @property
    def command(self) -> str:
        """The command that resumes the training run."""
        words = f"train --resume --run {shlex.quote(str(self.owner or self.folder))}"
        return command(words + self.workers.resume_options)

    def plan(self, epoch: int) -> Plan:
        """The batches of an epoch, counted from 0."""
        if self.settings.readout == "ridge":
            return self._plan(self.training)  # not shuffled, since there is only one epoch
        return self._plan(self.training, (self.settings.seed, epoch))

    def _plan(self, data: Data, seed: tuple[int, ...] | None = None) -> Plan:
        return data.plan(self.padding, self.settings, multiple=self.replicas, seed=seed)

    def run(
        self,
        folder: pathlib.Path,
        progress: TrainingProgress,
        *,
        resume: bool,
        owner: pathlib.Path | None = None,
        until: int | None = None,
    ) -> None:
        """Trains the remaining epochs.

        Args:
            folder: the run folder.
            progress: receives the progress.
            resume: whether to continue from the last checkpoint, if there is one.
            owner: the run to resume after an interruption, if `folder` belongs to another run.
            until: number of epochs after which training stops, with the learning rates of all
                epochs; None for all.

        Raises:
            SeqzooError: the loss is no longer a finite number, or a checkpoint or the model of the
                best epoch is damaged.
            DiskFull: there is no room for the run's files.
            Interrupted: training was stopped by Ctrl-C; after a checkpoint, unless it was pressed
                twice.
        """
        self.folder, self.owner = folder, owner
        last = until or self.settings.epochs
        self.progress = progress
        self.checkpoints = Checkpoints(folder / CHECKPOINTS, self.loop)
        callback_state = None
        if resume and (state := self.restore()) is not None:
            try:
                self.rows = list(state["rows"])
                # Recomputed, because the stored one may come from a version with another criterion.
                self.best = max(map(self.rank, self.rows), default=None)
                self.waited, self.seconds = int(state["waited"]), float(state["seconds"])
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise SeqzooError(
                    f"The checkpoints in {folder / CHECKPOINTS} are damaged: {error!r}."
                ) from error
            callback_state = state.get("callbacks")
            if self.rows and (self.validation is not None or len(self.rows) >= last):
                # The best epoch's, since a later one need not be better.
                check_model_file(folder / MODEL)
        # The history may be older or newer than the checkpoint that training resumes from.
        self.write_rows()
        template = self.task.template
        progress.start(
            epochs=last,
            steps=self.loop.steps,
            metric=self.task.metric,
            unit="tokens" if {template.input, template.target} & {*TEXTS} else "steps",
        )
        scalars, summary = Scalars(folder / LOGS) if self.workers.chief else None, ""
        try:
            loop = self.loop
            self.callbacks.begin(
                loop.model, loop.optimizer, self.settings.epochs, loop.steps, callback_state
            )
            with self.workers.lost(self.resumption), _interruptible() as interrupted:
                while (epoch := int(self.loop.epoch.numpy())) < last:
                    if self.settings.patience and self.waited >= self.settings.patience:
                        break
                    if self.stopped():
                        break
                    self.train_epoch(epoch, interrupted)
                    row = self.end_epoch(epoch)
                    if scalars is not None:
                        scalars.row(row)
                self.workers.wait()
                if interrupted.is_set():  # while the last epoch was evaluated
                    raise Interrupted(
                        f"Stopped after the last epoch. To finish the run: {self.command}"
                    )
            summary = self.summary()
        except DiskFull as full:
            last = self.checkpoints.last
            kept = f"To resume from step {last} after that: {self.command}" if last else ""
            raise DiskFull(f"{full} {kept}".strip(), location=full.location) from full
        except KeyboardInterrupt:  # the second Ctrl-C, or no handler was installed
            last = self.checkpoints.last or 0
            raise Interrupted(
                f"Stopped immediately. To resume from step {last}: {self.command}"
            ) from None
        finally:
            with _unless_full():
                if scalars is not None:
                    scalars.close()
                    plot_history(folder, self.rows, self.task.metric)
            progress.end(summary)
            self.callbacks.end()

    def train_epoch(self, epoch: int, interrupted: threading.Event) -> None:
        """Runs the remaining steps of an epoch."""
        done = int(self.loop.step.numpy())
        self.progress.epoch(epoch + 1, done)
        plan = self.plan(epoch)
        tokens = np.cumsum(plan.time_steps(self.training))
        before, began = self.seconds, time.monotonic()
        reported = saved = began
        self.callbacks.begin_epoch(epoch, resumed=done > 0)
        for _ in self.loop.train(self.training, plan.since(done)):
            done += 1
            now = time.monotonic()
            self.seconds = before + now - began
            saving = now - saved >= self.settings.checkpoint_seconds
            stop, ended, saving = self.loop.agree(
                interrupted.is_set(), self.callbacks.stopped, saving
            )
            running = not (stop or ended) and done < self.loop.steps
            if self.workers.count > 1:
                self.check()  # so that all workers raise the error at the same step
                running = running and not saving
            if running and now - reported < REPORT_SECONDS:
                continue
            reported = now
            self.check()
            loss, metric = self.loop.means()
            try:
                self.progress.step(done, loss, metric, int(tokens[done - 1]))
            except KeyboardInterrupt:
                interrupted.set()
                stop = self.workers.count == 1
            if stop:
                self.interrupt(done, epoch)
            if ended:
                self.callbacks.stop()
                break
            if saving and done < self.loop.steps:
                self.save()
                saved = time.monotonic()

    def end_epoch(self, epoch: int) -> dict[str, Any]:
        """Evaluates an epoch, and writes its row of the history, the model if the epoch is the best
        so far, and a checkpoint."""
        began = time.monotonic()
        row: dict[str, Any] = {"epoch": epoch + 1}
        data = self.validation
        validation = None if data is None else (data, self._plan(data))
        self.loop.finish((self.training, self.plan(epoch)), validation)
        row["loss"], row[self.task.metric] = self.loop.means()
        with self.loop.averaged():
            self.evaluate_epoch(epoch, row)
            if self.settings.average == "best":
                self.average_best(row)
            if clips(self.settings) and self.settings.readout == "gradient":
                row["clipped"] = self.loop.clipped()
            if self.loop.norms is not None:
                row |= self.loop.norms.row()
                data = self.validation or self.training
                if self.workers.chief:
                    row |= dead_units(self.task, self.loop.model, data, self._plan(data))
                    row |= spectral_radii(self.loop.model)
            row["learning_rate"] = self.loop.learning_rate()
            row["seconds"] = round(self.seconds + time.monotonic() - began, 3)
            self.rows.append(row)
            self.seconds = 0.0
            self.callbacks.end_epoch(epoch, row)
        self.loop.next_epoch()
        self.loop.lengths.set(self.lengths)
        # The checkpoint comes last: if the process is killed before it, the end of the epoch is
        # repeated, with the same results.
        self.write_rows()
        self.save()
        self.progress.row(row)
        return row

    def evaluate_epoch(self, epoch: int, row: dict[str, Any]) -> None:
        """Adds the validation loss and metrics to the row of an epoch, and writes the model if the
        epoch is the best so far."""
        metric = self.task.metric
        if self.validation is not None:
            loss, value = self.loop.score(self.validation, self._plan(self.validation))
            if not math.isfinite(loss):
                raise self.not_finite((epoch + 1) * self.loop.steps, "validation loss")
            row["validation_loss"], row[f"validation_{metric}"] = loss, value
            if self.best_by not in ("loss", "metric"):
                row[f"validation_{self.best_by}"] = self.shared_text_metric()
        rank = self.rank(row)
        self.waited += 1
        if self.best is None or rank > self.best or self.validation is None:
            self.best, self.waited = rank, 0
            if self.settings.average != "best":
                self.write_model()

    def average_best(self, row: dict[str, Any]) -> None:
        """Adds the loss and the metric of the averaged weights of the best epochs to the row of an
        epoch, and writes the averaged model if the epoch is one of them."""
        chosen = self.best_epochs([*self.rows, row])
        names = ["averaged_loss", f"averaged_{self.task.metric}"]
        if row["epoch"] not in chosen:
            row |= {name: self.rows[-1][name] for name in names if name in self.rows[-1]}
            return
        variables = averaged_variables(self.loop.model)
        means = [variable.numpy() for variable in variables]
        if self.workers.chief:
            means = BestEpochs(self.folder / AVERAGED).keep(row["epoch"], variables, chosen)
        means = self.workers.from_chief([item.astype(np.float64) for item in means])
        # Random seeds change while the average is evaluated; they are restored, too, so that
        # training does not depend on the average.
        seeds = [
            variable
            for variable in self.loop.model.variables
            if all(variable is not other for other in variables)
        ]
        values = [*means, *(seed.numpy() for seed in seeds)]
        with with_values([*variables, *seeds], values):
            if self.validation is not None:
                scores = self.loop.score(self.validation, self._plan(self.validation))
                row |= dict(zip(names, scores, strict=True))
            self.write_model()
        self.loop.separate_replicas()

    def best_epochs(self, rows: list[dict[str, Any]]) -> list[int]:
        """The numbers of the best epochs, in order; the latest, if several are equally good or
        there are no validation examples."""
        ranked = sorted(rows, key=lambda row: (self.rank(row), row["epoch"]))
        return sorted(row["epoch"] for row in ranked[-self.settings.average_best :])

    def write_model(self) -> None:
        """Writes the model to the run folder, if this is the chief."""
        if not self.workers.chief:
            return
        with replacing(self.folder / MODEL) as temporary, self.callbacks.detached():
            self.loop.model.save(temporary)

    def save(self) -> None:
        """Gathers the states of all workers, and writes a checkpoint if this is the chief."""
        self.check()
        self.loop.gather()
        if not self.workers.chief:
            return
        state = {
            "rows": self.rows,
            "best": self.best,
            "waited": self.waited,
            "seconds": self.seconds,
            "callbacks": self.callbacks.state(),
        }
        self.checkpoints.save(state)

    def restore(self) -> dict[str, Any] | None:
        """Goes back to the last checkpoint and returns its state; None without one."""
        state = self.checkpoints.restore()
        if state is not None:
            self.loop.scatter()
        return state

    def write_rows(self) -> None:
        """Writes the history, if this is the chief."""
        if self.workers.chief:
            write_table(self.folder / HISTORY, self.rows)

    def stopped(self) -> bool:
        """Whether a callback in any worker has stopped the training run."""
        stopped = self.callbacks.stopped
        return stopped if self.workers.count == 1 else bool(self.workers.gather(int(stopped)).any())

    def resumption(self) -> str:
        """How training continues after the loss of a worker."""
        last = Checkpoints(self.checkpoints.folder, self.loop).last  # as the chief wrote it
        if not last:
            return "There is no checkpoint yet; start a new run."
        return f"To resume from step {last}, with all workers restarted: {self.command}"

    def check(self) -> None:
        """Checks that all losses and gradients were finite.

        Raises:
            SeqzooError: a loss or gradient was not finite; the message names the step.
        """
        step = int(self.loop.bad.numpy())
        if step != ONGOING:
            raise self.not_finite(step, "loss or gradient")

    def not_finite(self, step: int, name: str) -> SeqzooError:
        """The error for a loss or gradient that is NaN or infinite."""
        last = self.checkpoints.last
        kept = f"the checkpoint of step {last} is kept" if last else "there is no checkpoint yet"
        epoch = (step - 1) // self.loop.steps + 1
        origin = self.origin(step) if name == "loss or gradient" else ""
        return SeqzooError(
            f"The {name} is no longer a finite number at step {step} (epoch {epoch}); {origin}"
            f"{kept}. Start a new run with {self._advice(step)}."
        )

    def _advice(self, step: int) -> str:
        """What may keep losses and gradients finite, from a step on."""
        if step == 1:
            return "smaller initial weights or inputs, since no update has been made before"
        clip, rate = (
            self.settings.clip_norm,
            f"a learning rate below {self.settings.learning_rate:g}",
        )
        return f"{rate}, or with {'a' if clip is None else 'a smaller'} `clip_norm`"

    def origin(self, step: int) -> str:
        """The location of the first value that is not finite, as a part of the message; "" if it
        cannot be found.

        The training steps from the last checkpoint up to the one before `step` are repeated; the
        batch of `step` is then run one time step at a time.

        Args:
            step: the training step, counted from 1 over all epochs.
        """
        if self.workers.count > 1:
            return ""  # the batch is divided among several processes
        epoch, index = divmod(step - 1, self.loop.steps)
        plan, loop = self.plan(epoch), self.loop
        try:
            if self.checkpoints.restore() is None:
                keras.utils.set_random_seed(self.settings.seed)
                fresh = type(loop)(
                    self.task,
                    self.settings,
                    loop.steps,
                    loop.strategy,
                    self.callbacks,
                    self.start,
                )
                current, other = (tf.nest.flatten(item.variables()) for item in (loop, fresh))
                for variable, first in zip(current, other, strict=True):
                    variable.assign(first)
            loop.callbacks = Callbacks((), self.task, self.settings)
            done = int(loop.step.numpy())
            steps = loop.train(self.training, plan.since(done))
            for _ in itertools.islice(steps, index - done):
                pass
            batch = loop.with_carried(next(iter(batches(self.training, plan.since(index)))))
            result = find_origin(
                loop.model,
                lambda: self.task.forward(loop.model, batch, training=True).losses,
                tf.reduce_sum,
            )
        except (SeqzooError, tf.errors.OpError, ValueError, TypeError):
            return ""  # the explanation must not hide the error itself
        return "" if result is None else f"{result.sentence()}; "

    def interrupt(self, done: int, epoch: int) -> None:
        """Writes a checkpoint and stops.

        Raises:
            Interrupted: always.
        """
        self.save()
        self.workers.wait()  # a worker that ends would stop the chief while it writes
        raise Interrupted(
            f"Stopped at step {done} of epoch {epoch + 1}, after a checkpoint. To resume: "
            f"{self.command}"
        )

    def shared_text_metric(self) -> float:
        """The metric of generated texts, which the chief computes for all workers."""
        if self.workers.count == 1:
            return self.text_metric()
        value = np.array(self.text_metric() if self.workers.chief else 0.0)
        return float(self.workers.from_chief([value])[0])

    def text_metric(self) -> float:
        """The metric of generated texts that selects the best epoch."""
        assert self.validation is not None and self.examples is not None
        inputs = Data(self.validation.inputs, further=self.validation.further)
        result = self._inference.collect(self.task.infer, inputs, PredictionOptions())
        return self.task.criterion_value(self.best_by, result, self.examples)

    @cached_property
    def _inference(self) -> Inference:
        return Inference(self.task, self.loop.model, self.settings, self.padding)

    def rank(self, row: dict[str, Any]) -> list[float]:
        """The key by which epochs are ranked, larger for better ones. The loss breaks ties, or
        the metric if the loss ranks them."""
        if self.validation is None:
            return [math.inf, 0.0]  # the last epoch is the best
        metric = self.task.better * row[f"validation_{self.task.metric}"]
        loss = -row["validation_loss"]
        if self.best_by == "loss":
            return [loss, metric]
        return [metric if self.best_by == "metric" else row[f"validation_{self.best_by}"], loss]

    @property
    def best_epoch(self) -> int:
        """The number of the best epoch, of the last one of several that are averaged, or of the
        last one without validation examples."""
        if self.validation is None:
            return len(self.rows)
        if self.settings.average == "best":
            return self.best_epochs(self.rows)[-1]
        return max(self.rows, key=self.rank)["epoch"]

    def summary(self) -> str:
        """A sentence about the result of training."""
        if self.rows and self.settings.average == "best":
            chosen = ", ".join(map(str, self.best_epochs(self.rows)))
            kind = "last" if self.validation is None else "best"
            text = f"Kept the average weights of the {kind} epochs: {chosen} (of {len(self.rows)})"
            key = f"averaged_{self.task.metric}"
            if key not in self.rows[-1]:
                return f"{text}."
            return f"{text}, validation {key[9:].replace('_', ' ')} {self.rows[-1][key]:.4f}."
        if self.validation is None or not self.rows:
            return f"Kept the weights of the last epoch ({len(self.rows)})."
        metric = self.task.metric if self.best_by == "metric" else self.best_by
        key, best = f"validation_{metric}", max(self.rows, key=self.rank)
        return (
            f"Best epoch: {best['epoch']} of {len(self.rows)}, "
            f"{key.replace('_', ' ')} {best[key]:.4f}."
        )


@contextlib.contextmanager
def _unless_full() -> Iterator[None]:
    """A context in which a full disk is ignored, because a resumed run writes these files again."""
    with contextlib.suppress(DiskFull), naming_full_disk(""):
        yield


@contextlib.contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """A context in which the first Ctrl-C sets an event, so that no step is interrupted; the second
    one raises KeyboardInterrupt as usual."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def handle(number: int, frame: Any) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)

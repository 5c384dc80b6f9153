"""Keras callbacks in a training run: their hooks, their logs, and their state in checkpoints."""

import contextlib
import importlib.util
from collections.abc import Iterator
from typing import Any

import keras

from seqzoo.tasks.base import Task
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.settings import TrainingSettings

STATES: dict[type, tuple[str, ...]] = {
    keras.callbacks.EarlyStopping: ("wait", "best", "best_epoch", "stopped_epoch"),
    keras.callbacks.ReduceLROnPlateau: ("wait", "best", "cooldown_counter"),
    keras.callbacks.ModelCheckpoint: (
        *("best", "_batches_seen_since_last_saving", "_last_batch_seen"),
    ),
}
"""The attributes of Keras' own callbacks that change during training, which checkpoints store."""

REFUSED: dict[type, str] = {
    keras.callbacks.BackupAndRestore: (
        "keeps checkpoints of `Model.fit`; leave it out, since the run's own checkpoints resume "
        "training exactly, with resume=True"
    ),
    keras.callbacks.SwapEMAWeights: (
        "swaps in the weights that an optimizer averages with `use_ema`, which training does not "
        "use here; set average='ema' instead"
    ),
}
"""Callbacks that do not work here, and why."""

SETTERS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
"""Callbacks that set the learning rate."""


def listed_callbacks(callbacks: Any) -> list[Any]:
    """An argument that is one callback, several or None, as a list.

    Raises:
        SeqzooError: an item is not an instance of `keras.callbacks.Callback`.
    """
    if callbacks is None:
        return []
    results = list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
    for item in results:
        if not isinstance(item, keras.callbacks.Callback):
            is_class = isinstance(item, type) and issubclass(item, keras.callbacks.Callback)
            raise SeqzooError(
                field="callbacks",
                expected="a `keras.callbacks.Callback` or a list of them",
                got=item,
                hint=f"make an instance: {item.__name__}(...)" if is_class else "",
            )
    return results


class Callbacks:
    """The callbacks of a training run.

    They get the model, with its `optimizer` and `stop_training`, and logs under Keras' names:
    "loss", the metric, "val_loss" and so on.

    Args:
        callbacks: one `keras.callbacks.Callback`, a list of them, or None.
        task: the task that is trained.
        settings: the settings of the training run.

    Raises:
        SeqzooError: an item is not a callback, or is not supported here.
    """

    def __init__(self, callbacks: Any, task: Task, settings: TrainingSettings):
        self._callbacks = listed_callbacks(callbacks)
        self._task = task
        self.sets_rate = settable_rate(settings) and bool(self._callbacks)
        for callback in self._callbacks:
            for kind, reason in REFUSED.items():
                if isinstance(callback, kind):
                    raise SeqzooError(f"`callbacks`: {kind.__name__} {reason}.", field="callbacks")
            if isinstance(callback, keras.callbacks.TensorBoard) and not _importable("tensorboard"):
                raise SeqzooError(
                    "`callbacks`: TensorBoard needs the package of that name; install it with "
                    "pip install tensorboard.",
                    field="callbacks",
                )
            if isinstance(callback, SETTERS) and not settable_rate(settings):
                raise SeqzooError(
                    f"`callbacks`: {type(callback).__name__} sets the learning rate, which the "
                    "schedule sets at each step; train with schedule='constant' and "
                    "warmup_steps=0.",
                    field="callbacks",
                )

    @property
    def names(self) -> list[str]:
        """The class names of the callbacks."""
        return [type(callback).__name__ for callback in self._callbacks]

    @property
    def stopped(self) -> bool:
        """Whether a callback has set `model.stop_training`."""
        return bool(self._callbacks) and bool(self._model.stop_training)

    def stop(self) -> None:
        """Stops training because a callback in another process has stopped it."""
        if self._callbacks:
            self._model.stop_training = True

    def begin(
        self, model: Any, optimizer: Any, epochs: int, steps: int, state: dict[str, Any] | None
    ) -> None:
        """Training begins, or resumes from a state that `state` returned.

        Raises:
            SeqzooError: a resumed training run would overwrite a callback's files.
        """
        if not self._callbacks:
            return
        self._model, self._optimizer = model, optimizer
        self._attach()
        model.stop_training = False
        for callback in self._callbacks:
            if (
                state is not None
                and isinstance(callback, keras.callbacks.CSVLogger)
                and not callback.append
            ):
                raise SeqzooError(
                    "`callbacks`: a resumed training run needs CSVLogger(append=True), which "
                    f"keeps the rows of {callback.filename}.",
                    field="callbacks",
                )
            callback.set_params({"epochs": epochs, "steps": steps, "verbose": 0})
            callback.set_model(model)
            choose_mode(callback, self._task)
        self._call("on_train_begin")
        if state is not None:
            model.stop_training = state["stopped"]
            for callback, stored in zip(self._callbacks, state["states"], strict=True):
                _restore(callback, stored)

    def end(self) -> None:
        """Training has ended, or was interrupted; no-op before `begin`."""
        if self._callbacks and hasattr(self, "_model"):
            self._call("on_train_end")

    def state(self) -> dict[str, Any] | None:
        """The callbacks' state for a checkpoint, JSON-serialisable; None without callbacks."""
        if not self._callbacks:
            return None
        return {
            "stopped": self.stopped,
            "states": [_state_of(callback) for callback in self._callbacks],
        }

    def begin_epoch(self, epoch: int, resumed: bool) -> None:
        """An epoch, counted from 0, begins, or is `resumed` in the middle."""
        if not self._callbacks:
            return
        rate = float(self._optimizer.learning_rate) if self.sets_rate else 0.0
        stored = self.state()
        self._call("on_epoch_begin", epoch)
        if resumed and stored is not None:
            # The checkpoint already contains the effects of this call, so they are undone.
            if self.sets_rate:
                self._optimizer.learning_rate = rate
            for callback, before in zip(self._callbacks, stored["states"], strict=True):
                _restore(callback, before)

    def end_epoch(self, epoch: int, row: dict[str, Any]) -> None:
        """An epoch ended; `row` is its row of the history."""
        logs = {
            name.replace("validation_", "val_"): value
            for name, value in row.items()
            if name not in ("epoch", "seconds", "learning_rate")
        }
        self._call("on_epoch_end", epoch, logs=logs)

    def begin_batch(self, batch: int) -> None:
        """A training step begins."""
        self._call("on_train_batch_begin", batch)

    def end_batch(self, batch: int, loop: Any) -> None:
        """A training step ended; the logs are means over the epoch so far, as in Keras."""
        if self._overrides("on_train_batch_end", "on_batch_end"):
            loss, metric = loop.means()
            logs = {"loss": loss, self._task.metric: metric}
            self._call("on_train_batch_end", batch, logs=logs)

    def begin_validation(self) -> None:
        """The validation of an epoch begins."""
        self._call("on_test_begin")

    def begin_validation_batch(self, batch: int) -> None:
        """A validation batch begins."""
        self._call("on_test_batch_begin", batch)

    def end_validation_batch(self, batch: int, loop: Any, totals: Any) -> None:
        """A validation batch was scored; `totals` are the sums so far."""
        if self._overrides("on_test_batch_end"):
            loss, metric = loop.means(totals)
            self._call("on_test_batch_end", batch, logs={"loss": loss, self._task.metric: metric})

    def end_validation(self, loss: float, metric: float) -> None:
        """The validation of an epoch ended, with its loss and metric."""
        self._call("on_test_end", logs={"loss": loss, self._task.metric: metric})

    @contextlib.contextmanager
    def detached(self) -> Iterator[None]:
        """A context in which the model has no optimizer, to save it without one."""
        if self._callbacks:
            object.__delattr__(self._model, "optimizer")
        try:
            yield
        finally:
            if self._callbacks:
                self._attach()

    def _attach(self) -> None:
        # Bypasses Keras, which would make the optimizer a part of the model.
        object.__setattr__(self._model, "optimizer", self._optimizer)

    def _call(self, hook: str, *index: int, logs: dict[str, float] | None = None) -> None:
        for callback in self._callbacks:
            # As in Keras, only the batch hooks get `logs` by keyword.
            if "batch" in hook:
                getattr(callback, hook)(*index, logs=logs or {})
            else:
                getattr(callback, hook)(*index, logs or {})

    def _overrides(self, *hooks: str) -> bool:
        """Whether a callback overrides one of the hooks."""
        default = keras.callbacks.Callback
        return any(
            getattr(getattr(callback, hook), "__func__", None) is not getattr(default, hook)
            for callback in self._callbacks
            for hook in hooks
        )


LARGER_IS_BETTER = ("bleu", "chrf")
"""The scores of generated texts that `best_by` adds to the logs."""


def choose_mode(callback: Any, task: Task) -> None:
    """Tells a callback in which direction the metric that it monitors improves, which Keras knows
    only for its own metrics."""
    monitored = str(getattr(callback, "monitor", None)).removeprefix("val_")
    if getattr(callback, "mode", None) != "auto":
        return
    if monitored == task.metric:
        callback.mode = "max" if task.better > 0 else "min"
    elif monitored in LARGER_IS_BETTER:
        callback.mode = "max"


def settable_rate(settings: TrainingSettings) -> bool:
    """Whether the learning rate is a variable that callbacks can set, not a schedule."""
    return settings.schedule == "constant" and settings.warmup_steps == 0


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # an entry in sys.modules blocks it
        return False


def _state_of(callback: Any) -> dict[str, Any] | None:
    if hasattr(callback, "state_dict"):
        return callback.state_dict()
    for kind, names in STATES.items():
        if isinstance(callback, kind):
            return {name: getattr(callback, name) for name in names}
    return None


def _restore(callback: Any, state: dict[str, Any] | None) -> None:
    if state is None:
        return
    if hasattr(callback, "load_state_dict"):
        callback.load_state_dict(state)
        return
    for name, value in state.items():
        setattr(callback, name, value)

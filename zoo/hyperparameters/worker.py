"""A process of a search, which runs trials and scores them only on validation examples."""

import gc
import pathlib
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from seqzoo.tasks.errors import SeqzooError, called
from seqzoo.tasks.runs.layout import CHECKPOINTS, is_run
from seqzoo.zoo.config.resolve import Choices
from seqzoo.zoo.config.toml_reader import read_config
from seqzoo.zoo.hyperparameters.channel import Channel, OutOfMemory, Pruned, work
from seqzoo.zoo.hyperparameters.layout import SETTINGS, trial_folder
from seqzoo.zoo.hyperparameters.space import applied
from seqzoo.zoo.stopping import handling_signals


class TrialRunner:
    """Runs the trials of a worker, which share their data.

    Args:
        folder: the folder of the search.
        device: see `seqzoo.zoo.devices.choose`.
    """

    def __init__(self, folder: pathlib.Path, device: str | None):
        self._folder = folder
        self._device = device
        self._choices = read_config(str(folder / SETTINGS))
        self._opened: Any = None
        self._splits: Any = None
        self._source: Any = None

    def begin(self) -> dict[str, Any]:
        """Opens the data; returns the metric of the trials, and whether higher is better.

        Raises:
            SeqzooError: there are no validation examples, or the data cannot be used.
        """
        from seqzoo.tasks.startup import start_devices
        from seqzoo.zoo import devices

        devices.choose(self._device)
        start_devices()
        task, settings, source = self._choices.parts()
        splits, _ = self._open(source)
        if not splits.validation:
            raise SeqzooError(
                "A search compares trials on validation examples, and none are held out; hold some "
                "out with --validation."
            )
        adapted = self._task(task).adapt(splits.train)
        by = settings.best_by or adapted.best_by
        self._key = f"validation_{adapted.metric if by == 'metric' else by}"
        self._better = {"metric": adapted.better, "loss": -1}.get(by, 1)
        return {"metric": self._key.removeprefix("validation_"), "better": self._better}

    def train(self, message: Mapping[str, Any], channel: Channel) -> dict[str, Any]:
        """Trains a trial.

        Raises:
            Pruned: the search ended it.
            Interrupted: Ctrl-C, after a checkpoint.
            OutOfMemory: there is not enough memory.
            SeqzooError: its options are incompatible, or training failed.
        """
        folder = trial_folder(self._folder, message["number"])
        try:
            choices = applied(message["values"], self._choices)
            result = self._train(choices, folder, channel)
        except (Pruned, SeqzooError):
            raise
        except Exception as error:
            raise _explained(error) from error
        # Checkpoints are only needed to resume a trial.
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
        return result

    def _open(self, source: Any) -> tuple[Any, Any]:
        """The splits of a source, which are kept for the next trial."""
        from seqzoo.zoo.data.open import open_source

        if self._opened != source:
            self._splits, self._source = open_source(source)
            self._opened = source
        return self._splits, self._source

    def _task(self, task: Any) -> Any:
        if getattr(task, "conformal_folds", None):  # they do not change the score
            task = replace(task, conformal_folds=None)
        rate = self._source.sample_rate
        return replace(task, sample_rate=rate) if rate else task

    def _train(self, choices: Choices, folder: pathlib.Path, channel: Channel) -> dict[str, Any]:
        import keras

        from seqzoo.tasks.layers.recurrent import make_cell
        from seqzoo.tasks.training.trainer import train
        from seqzoo.zoo.config.resolve import check_times

        keras.utils.clear_session()  # the models of earlier trials
        gc.collect()
        task, settings, source = choices.parts()
        make_cell(task)
        check_times(task, source)
        splits, opened = self._open(source)
        run = train(
            self._task(task),
            splits,
            settings,
            folder,
            source=opened.to_config(),
            resume=is_run(folder),
            progress=_reports(channel, self._key),
        )
        best = max(
            run.history, key=lambda row: (self._better * row[self._key], -row["validation_loss"])
        )
        averaged = run.history[-1].get(self._key.replace("validation_", "averaged_"))
        return {
            "score": best[self._key] if averaged is None else averaged,
            "epoch": best["epoch"],
            "epochs": len(run.history),
            "parameters": run.model.count_params(),
        }


def _reports(channel: Channel, key: str) -> Any:
    """The progress of a training run, which reports the score of each epoch."""
    from seqzoo.tasks.training.progress import Silent

    class Reports(Silent):
        def row(self, row: dict[str, Any]) -> None:
            channel.report(row["epoch"], row[key])

    return Reports()


def _explained(error: Exception) -> SeqzooError:
    """An error from another library as a one-line `SeqzooError`."""
    import tensorflow as tf

    if isinstance(error, MemoryError | tf.errors.ResourceExhaustedError):
        return OutOfMemory(
            "There is not enough memory for this trial; use fewer units, a smaller batch or "
            "shorter sequences."
        )
    message = " ".join(str(error).split())
    return SeqzooError(f"{type(error).__name__}: {message[:200]}")


def main(arguments: Sequence[str]) -> int:
    """Runs the trials that a search sends.

    Args:
        arguments: the folder of the search, the device or "", and the descriptor to write to.
    """
    folder, device, descriptor = arguments
    channel = Channel(int(descriptor))
    try:
        with called("seqzoo"), handling_signals():
            runner = TrialRunner(pathlib.Path(folder), device or None)
            return work(channel, runner.begin, runner.train)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""Checkpoints that training can go on from as if it had not stopped."""

import json
import pathlib
import shutil
from typing import Any

import tensorflow as tf

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.training.step import Loop


class Checkpoints:
    """The last two states of a training, on disk.

    Args:
        folder: where they lie.
        loop: whose variables are kept.

    Raises:
        SeqzooError: what lies there is damaged.
    """

    def __init__(self, folder: pathlib.Path, loop: Loop):
        self.folder = folder
        self.loop = loop
        # What Python knows of the training goes into the same file as the weights, so that the
        # two can never be of different steps.
        self._state = tf.Variable("", dtype=tf.string, trainable=False)
        tracked = tf.train.Checkpoint(state=self._state, **loop.variables())
        try:
            self._manager = tf.train.CheckpointManager(
                tracked, str(folder), max_to_keep=2, checkpoint_name="step"
            )
        except ValueError as error:  # its list of checkpoints is no text
            raise SeqzooError(f"The checkpoints in {folder} cannot be read: {error}.") from error

    @property
    def last(self) -> int | None:
        """The step, counted over all epochs, of the last checkpoint; None without one."""
        path = self._manager.latest_checkpoint
        return None if path is None else int(path.rpartition("-")[2])

    def save(self, state: dict[str, Any]) -> None:
        """Writes a checkpoint of the variables and of a state that is fit for JSON."""
        self._state.assign(json.dumps(state))
        step = int(self.loop.epoch.numpy()) * self.loop.steps + int(self.loop.step.numpy())
        self._manager.save(step)

    def restore(self) -> dict[str, Any] | None:
        """Sets the variables to the last checkpoint and gives its state; None without one.

        Raises:
            SeqzooError: the checkpoint is damaged or of another model.
        """
        for leftover in self.folder.glob("*_temp*"):  # of a process that was killed as it wrote
            shutil.rmtree(leftover, ignore_errors=True)
        path = self._manager.latest_checkpoint
        if path is None:
            return None
        try:
            self._manager.checkpoint.restore(path).assert_consumed()
        except (AssertionError, ValueError, IndexError, tf.errors.OpError) as error:
            reason = str(error).partition("\n")[0]
            raise SeqzooError(f"The checkpoint {path} cannot be read: {reason}") from error
        return json.loads(self._state.numpy())

"""Checkpoints from which training resumes as if it had not stopped."""

import glob
import json
import os
import pathlib
import re
import shutil
import tempfile
import weakref
from typing import Any

import tensorflow as tf

from seqzoo.tasks.atomic_files import naming_full_disk, synchronise
from seqzoo.tasks.errors import DiskFull, SeqzooError
from seqzoo.tasks.training.step import Loop

NAME = "step"
"""Prefix of the names of checkpoints, followed by their step."""

LATER = ("updates",)
"""Parts of `Loop.variables` that checkpoints from older versions lack."""


class Checkpoints:
    """The last two checkpoints of a training run.

    Args:
        folder: the folder of the checkpoints.
        loop: the loop whose variables are stored.

    Raises:
        SeqzooError: a checkpoint is damaged.
    """

    def __init__(self, folder: pathlib.Path, loop: Loop):
        self.folder = folder
        self.loop = loop
        # The Python state of the training run is in the same file as the weights, so that the two
        # always belong to the same step.
        self._state = tf.Variable("", dtype=tf.string, trainable=False)
        tracked = tf.train.Checkpoint(state=self._state, **loop.variables())
        plain = str(folder)
        if glob.has_magic(plain):
            plain = _link_to(folder)
            weakref.finalize(self, shutil.rmtree, os.path.dirname(plain), ignore_errors=True)
        try:
            _check_own(folder)
            self._manager = tf.train.CheckpointManager(
                tracked, plain, max_to_keep=2, checkpoint_name=NAME
            )
        except ValueError as error:  # the list of checkpoints is not text
            raise SeqzooError(f"The checkpoints in {folder} cannot be read: {error}.") from error

    @property
    def last(self) -> int | None:
        """The step, counted over all epochs, of the last checkpoint; None without one."""
        path = self._manager.latest_checkpoint
        return None if path is None else int(path.rpartition("-")[2])

    def save(self, state: dict[str, Any]) -> None:
        """Writes a checkpoint of the variables and of a JSON-serialisable state.

        Raises:
            DiskFull: there is no room for the checkpoint; the previous one is kept.
        """
        self._state.assign(json.dumps(state))
        step = int(self.loop.epoch.numpy()) * self.loop.steps + int(self.loop.step.numpy())
        # The list of checkpoints names a checkpoint only once it is completely on the disk.
        options = tf.train.CheckpointOptions(experimental_write_callbacks=[self._synchronise])
        kept = (
            "there is no checkpoint yet"
            if self.last is None
            else f"the checkpoint of step {self.last} is kept"
        )
        path = self.folder / f"{NAME}-{step}"
        try:
            with naming_full_disk(path, kept):
                self._manager.save(step, options=options)
                synchronise(self.folder / "checkpoint")
                synchronise(self.folder)
        except DiskFull:
            if self.last != step:
                self._remove_parts(path.name)
            raise

    def _synchronise(self, path: str) -> None:
        for part in self.folder.glob(f"{pathlib.Path(path).name}.*"):
            synchronise(part)
        synchronise(self.folder)

    def _remove_parts(self, name: str = "") -> None:
        """Removes the remains of a checkpoint that was not written completely."""
        for leftover in self.folder.glob(f"{NAME}-*_temp*"):
            shutil.rmtree(leftover, ignore_errors=True)
        for leftover in self.folder.glob(f"{name}.*") if name else ():
            leftover.unlink(missing_ok=True)

    def _without_later(self, path: str) -> Any:
        """What to restore from a checkpoint: everything except the parts that it lacks if an older
        version wrote it."""
        stored = {name.partition("/")[0] for name, _ in tf.train.list_variables(path)}
        parts = {
            name: variable
            for name, variable in self.loop.variables().items()
            if name in stored or name not in LATER
        }
        return tf.train.Checkpoint(state=self._state, **parts)

    def restore(self) -> dict[str, Any] | None:
        """Restores the variables from the last checkpoint and returns its state; None without one.

        Raises:
            SeqzooError: the checkpoint is damaged or belongs to another model.
        """
        self._remove_parts()  # left by a process that was killed while writing
        path = self._manager.latest_checkpoint
        if path is None:
            return None
        try:
            self._without_later(path).restore(path).assert_consumed()
        except (AssertionError, ValueError, IndexError, tf.errors.OpError) as error:
            reason = str(error).partition("\n")[0]
            path = self.folder / pathlib.Path(path).name
            raise SeqzooError(f"The checkpoint {path} cannot be read: {reason}") from error
        try:
            state = json.loads(self._state.numpy())
            if not isinstance(state, dict):
                raise ValueError("its state is not an object")
        except (ValueError, RecursionError) as error:
            path = self.folder / pathlib.Path(path).name
            raise SeqzooError(f"The checkpoint {path} cannot be read: {error}.") from error
        return state


def _link_to(folder: pathlib.Path) -> str:
    """A link, in a folder of its own, to a folder whose path TensorFlow would read as a pattern,
    because it contains *, ? or [."""
    folder.mkdir(parents=True, exist_ok=True)
    link = os.path.join(tempfile.mkdtemp(prefix="seqzoo-"), "checkpoints")
    os.symlink(os.path.abspath(folder), link, target_is_directory=True)
    return link


def _check_own(folder: pathlib.Path) -> None:
    """Checks that the list of checkpoints names only checkpoints in its own folder, since the
    manager deletes the oldest ones.

    Raises:
        SeqzooError: the list names another file, is damaged or missing, or is itself a folder.
        ValueError: the list is not text.
    """
    if (folder / "checkpoint").is_dir():
        raise SeqzooError(f"{folder / 'checkpoint'} must be a file, got a folder; remove it.")
    state = tf.train.get_checkpoint_state(str(folder))
    if state is None and (folder / "checkpoint").exists():
        raise SeqzooError(
            f"The checkpoints in {folder} cannot be read: their list, {folder / 'checkpoint'}, is "
            "damaged."
        )
    # The list exists before the second checkpoint is written.
    unlisted = sorted(folder.glob(f"{NAME}-*.index")) if state is None else []
    if len(unlisted) > 1:
        raise SeqzooError(
            f"The checkpoints in {folder} cannot be read: their list, {folder / 'checkpoint'}, is "
            f"missing. Restore it, or remove {folder} to train from the beginning."
        )
    expected = os.path.abspath(folder)
    for path in () if state is None else state.all_model_checkpoint_paths:
        parent, name = os.path.split(os.path.abspath(path))
        if parent != expected or not re.fullmatch(rf"{NAME}-\d+", name):
            raise SeqzooError(
                f"{folder / 'checkpoint'} must name checkpoints in its own folder, got {path!r}."
            )

"""Opens runs by their folders, or by names of presets with a pretrained model, on a device."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

from seqzoo.tasks.errors import SeqzooError, check_instance, command, nearest
from seqzoo.tasks.runs.layout import (
    advice_on,
    is_export,
    is_incomplete_run,
    is_run,
    is_saved_model,
    runs_in,
)
from seqzoo.tasks.startup import start_devices
from seqzoo.zoo import devices
from seqzoo.zoo.presets import PRESETS
from seqzoo.zoo.pretrained import folder_of, list_trained


def find_run(folder: str) -> pathlib.Path:
    """The path of a run folder.

    Args:
        folder: the folder, or the name of a preset that comes with a trained model.

    Raises:
        SeqzooError: there is no such run.
    """
    path = pathlib.Path(folder).expanduser()
    if is_run(path):
        return path
    # `Run.open` would also report this, but only after TensorFlow is imported.
    if folder not in PRESETS:
        if runs_in(path) or is_incomplete_run(path) or is_saved_model(path) or is_export(path):
            raise SeqzooError(f"{path} is not a run folder; {advice_on(path)}.")
        message = f"{path} is not a run folder; name one that `{command('train')}` wrote"
        raise SeqzooError(message + nearest(folder, list_trained()))
    return folder_of(folder)


def open_run(folder: str, device: str | None) -> Any:
    """The `seqzoo.tasks.runs.run.Run` in a folder, with TensorFlow's devices started.

    Args:
        folder: see `find_run`.
        device: see `seqzoo.zoo.devices.choose`.

    Raises:
        SeqzooError: there is no such run.
    """
    path = find_run(folder)
    devices.choose(device)
    start_devices()
    from seqzoo.tasks.runs.run import Run

    return Run.open(path)


def open_runs(folder: str, others: Sequence[str], device: str | None) -> Any:
    """The run in a folder or, if there are others, the `seqzoo.tasks.Ensemble` of all of them.

    Args:
        folder: see `open_run`.
        others: further runs.
        device: see `seqzoo.zoo.devices.choose`.

    Raises:
        SeqzooError: there is no such run, or they cannot be averaged.
    """
    return ensemble([folder, *others], device) if others else open_run(folder, device)


def ensemble(runs: Sequence[Any], device: str | None = None) -> Any:
    """Opens several runs as one model that averages their predictions.

    Args:
        runs: two or more: `seqzoo.tasks.Run`, folders, or names of presets with a trained model.
        device: "cpu", "gpu" or None for a GPU if there is one.

    Returns: the `seqzoo.tasks.Ensemble`, with `predict` and `evaluate`.

    Raises:
        SeqzooError: there is no such run, or they cannot be averaged.
    """
    check_instance("runs", runs, (list, tuple), "a list of runs or of their folders")
    opened = [
        open_run(os.fspath(run), device) if isinstance(run, str | os.PathLike) else run
        for run in runs
    ]
    from seqzoo.tasks import Ensemble

    return Ensemble(opened)

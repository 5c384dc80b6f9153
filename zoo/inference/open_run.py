"""Opens a run by its folder, or by the name of a preset with a pretrained model, on a device."""

import pathlib
from typing import Any

from seqzoo.tasks.errors import SeqzooError, command, nearest
from seqzoo.tasks.runs.layout import is_run
from seqzoo.tasks.startup import start_devices
from seqzoo.zoo import devices
from seqzoo.zoo.presets import PRESETS
from seqzoo.zoo.pretrained import folder_of, list_trained


def open_run(folder: str, device: str | None) -> Any:
    """The `seqzoo.tasks.runs.run.Run` in a folder, with TensorFlow's devices started.

    Args:
        folder: of the run, or the name of a preset that comes with a trained model.
        device: see `seqzoo.zoo.devices.choose`.

    Raises:
        SeqzooError: there is none.
    """
    path = pathlib.Path(folder).expanduser()
    if not is_run(path):
        # The same check as in `Run.open`, three seconds earlier.
        if folder not in PRESETS:
            message = f"{path} is not a run folder; name one that `{command('train')}` wrote"
            raise SeqzooError(message + nearest(folder, list_trained()))
        path = folder_of(folder)
    devices.choose(device)
    start_devices()
    from seqzoo.tasks.runs.run import Run

    return Run.open(path)

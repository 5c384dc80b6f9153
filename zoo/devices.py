"""`--device`: whether a command runs on the CPU or on a GPU."""

import importlib

from seqzoo.tasks.errors import SeqzooError, command
from seqzoo.tasks.startup import start_tensorflow


def choose(device: str | None) -> None:
    """Starts TensorFlow with the chosen devices; must be called before TensorFlow uses a device.

    Args:
        device: "cpu" hides all GPUs; "gpu" checks that there is one; None uses a GPU if there is
            one.

    Raises:
        SeqzooError: there is no GPU, or `device` is "cpu" and this process already uses a GPU.
    """
    start_tensorflow()
    if device is None:
        return
    tensorflow = importlib.import_module("tensorflow")
    gpus = tensorflow.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise SeqzooError(
            "--device gpu: TensorFlow sees no GPU; leave --device out, or run "
            f"`{command('doctor')}`."
        )
    if device == "cpu" and gpus:
        try:
            tensorflow.config.set_visible_devices([], "GPU")
        except RuntimeError as error:
            raise SeqzooError("--device cpu: this process is already using a GPU.") from error

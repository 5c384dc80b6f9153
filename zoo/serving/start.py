"""Starts the server, if the packages that it needs are installed."""

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

from seqzoo.tasks.errors import not_importable
from seqzoo.tasks.startup import start_tensorflow
from seqzoo.zoo.serving.settings import ServingSettings

MODULES = ("starlette", "uvicorn")
"""The modules that the extra installs."""


def start(
    runs: Sequence[str],
    choices: dict[str, Any],
    device: str | None,
    print_fn: Callable[[str], None],
) -> None:
    """Serves runs; see `seqzoo.zoo.serving.server.serve`.

    Args:
        runs: folders of runs, names of presets, or NAME=RUN.
        choices: fields of `ServingSettings` that were given.
        device: see `seqzoo.zoo.devices.choose`.
        print_fn: prints a line.

    Raises:
        SeqzooError: the extra is not installed, a setting is out of range, or see `serve`.
    """
    missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise not_importable("The server", missing, "serve")
    settings = ServingSettings(**choices)
    start_tensorflow()  # with its messages hidden
    from seqzoo.zoo.serving.server import serve

    serve(runs, settings, device, print_fn)

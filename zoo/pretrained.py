"""Pretrained models that come with the package, each with a card."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Any

from seqzoo.tasks.atomic_files import read_json
from seqzoo.tasks.errors import SeqzooError, command
from seqzoo.tasks.runs.layout import is_run
from seqzoo.zoo.presets import PRESETS, get

if TYPE_CHECKING:
    from seqzoo.tasks.runs.run import Run

FOLDER = pathlib.Path(__file__).parent / "models"


def list_trained() -> list[str]:
    """The presets that have a trained model."""
    return [name for name in PRESETS if is_run(FOLDER / name)]


def load(name: str) -> Run:
    """The trained model of a preset, ready to predict: `load("language-id").predict(["hola"])`.

    Args:
        name: the name of a preset in `list_trained()`.

    Raises:
        SeqzooError: the preset does not exist or has no pretrained model, or `name` is a run
            folder.
    """
    if not isinstance(name, str):
        raise SeqzooError(f"`name` must be the name of a preset, got {type(name).__name__}.")
    if is_run(name):
        raise SeqzooError(f"{name} is a run folder; open it with seqzoo.tasks.Run.open.")
    folder = folder_of(name)
    from seqzoo.tasks.startup import start_tensorflow

    start_tensorflow()
    from seqzoo.tasks.runs.run import Run

    run = Run.open(folder)
    _ = run.model  # loaded now, so that the first prediction does not wait for it
    return run


def card(name: str) -> dict[str, Any]:
    """The card of a pretrained model: data and their licence, split, scores, and the command, seed
    and duration of training.

    Raises:
        SeqzooError: the preset does not exist or has no pretrained model.
    """
    return read_json(folder_of(name) / "card.json")


def folder_of(name: str) -> pathlib.Path:
    """The folder of a pretrained model.

    Raises:
        SeqzooError: the preset does not exist or has no pretrained model.
    """
    get(name)
    if name not in list_trained():
        raise SeqzooError(
            f"{name} has no pretrained model (only {', '.join(list_trained())} have one); train "
            f"it with {command(f'train {name}')}"
        )
    return FOLDER / name

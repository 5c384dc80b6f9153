"""Names of the files in a run folder, without importing TensorFlow."""

import os
import pathlib

CONFIG, HISTORY, MODEL = "config.json", "history.csv", "model.keras"
WEIGHTS = "weights.npz"
"""The file of a packed model, instead of `MODEL`."""

CALIBRATION, CONFORMAL = "calibration.json", "conformal.json"
CHECKPOINTS, LOGS, AVERAGED, SCORES = "checkpoints", "logs", "averaged", "scores"
FOLDS = "folds"


def is_run(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is a run folder."""
    return (pathlib.Path(folder) / CONFIG).is_file()


def linked_folder(folder: str | os.PathLike[str]) -> pathlib.Path | None:
    """The first folder that training writes to and that is a symbolic link, or None."""
    written = (pathlib.Path(folder) / name for name in (CHECKPOINTS, LOGS, AVERAGED, SCORES, FOLDS))
    return next((path for path in written if path.is_symlink()), None)


def advice_on(folder: str | os.PathLike[str]) -> str:
    """What to name instead of a folder that is not a run folder."""
    inner = runs_in(folder)
    if is_saved_model(folder):
        return "a SavedModel is loaded by `tf.saved_model.load`, so name the run that it comes from"
    if is_incomplete_run(folder) and not inner:
        return f"it has the other files of a run, so restore its {CONFIG}, or train a new run"
    if is_export(folder):
        return "it is an exported model, so name the run that it comes from"
    if not inner:
        return "name a folder that `train` wrote"
    return f"name one of the {len(inner):,} in it, such as {inner[0]}"


def is_saved_model(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is a SavedModel."""
    return (pathlib.Path(folder) / "saved_model.pb").is_file()


def is_incomplete_run(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder that is not a run folder has files that only training writes."""
    return any((pathlib.Path(folder) / name).exists() for name in (HISTORY, CHECKPOINTS))


def is_export(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder contains an exported model that is not a SavedModel."""
    names = ("model.json", "model.keras")
    return any((pathlib.Path(folder) / name).is_file() for name in names)


def runs_in(folder: str | os.PathLike[str]) -> list[str]:
    """The paths of the run folders in a folder, in order."""
    return sorted(str(path.parent) for path in pathlib.Path(folder).glob(f"*/{CONFIG}"))

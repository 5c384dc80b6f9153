"""Packs a run for distribution: weights in fewer bits, without checkpoints.

Large matrices are stored as bytes with a scale per row, everything else in float16. A packed run
should be evaluated again, to measure the effect.
"""

import os
import pathlib
import zipfile
from typing import Any

import numpy as np

from seqzoo.tasks.atomic_files import creating, write_json
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.runs.layout import CONFIG
from seqzoo.tasks.runs.weight_paths import weights_by_path

WEIGHTS = "weights.npz"

LARGE = 500_000
"""Minimum size of a matrix that is stored as bytes."""

LEVELS = 127
"""Quantisation levels of a byte on each side of zero."""


def pack(run: Any, folder: str | os.PathLike, card: dict[str, Any]) -> None:
    """Writes a folder that `Run.open` opens.

    Args:
        run: a `Run` that has a model.
        folder: it must not have any contents.
        card: the facts about it, written as card.json.

    Raises:
        SeqzooError: the folder exists, or there is no model.
    """
    arrays: dict[str, np.ndarray] = {}
    for path, weight in weights_by_path(run.model).items():
        for name, array in _packed(weight.numpy()).items():
            arrays[f"{path}.{name}"] = array
    # The location of the data is useless elsewhere.
    config = {**run.config, "source": {**run.source, "data_dir": None}}
    with creating(folder) as temporary:
        for name, vocabulary in run.task.vocabularies.items():
            vocabulary.save(temporary / config["vocabularies"][name])
        write_json(temporary / CONFIG, config)
        write_json(temporary / "card.json", card)
        np.savez_compressed(temporary / WEIGHTS, **arrays)  # pyright: ignore[reportArgumentType]


def unpack(model: Any, path: pathlib.Path) -> None:
    """Sets all weights of a model from a file written by `pack`, by their paths.

    Raises:
        SeqzooError: the file is damaged, or belongs to another model, with other weights, shapes or
            types.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            parts: dict[str, dict[str, np.ndarray]] = {}
            for key in arrays.files:
                place, _, name = key.rpartition(".")
                parts.setdefault(place, {})[name] = arrays[key]
        found = {place: _unpacked(part) for place, part in parts.items()}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = str(error).partition("\n")[0]
        raise SeqzooError(f"{path} cannot be read: {reason}") from error
    weights = weights_by_path(model)
    for place in [*weights, *found]:
        if place not in found or place not in weights:
            lacks, has = ("file", "model") if place in weights else ("model", "file")
            raise SeqzooError(
                f"{path} is of another model: the {has} has a weight {place!r}, the {lacks} has "
                "none; pack the run again."
            )
        weight, array = weights[place], found[place]
        if weight.shape != array.shape or weight.dtype != array.dtype:
            raise SeqzooError(
                f"{path} is of another model: {place!r} must be {weight.dtype} of shape "
                f"{tuple(weight.shape)}, got {array.dtype} of shape {array.shape}; pack the run "
                "again."
            )
    # Only now, so that a model is never left partly set.
    for place, weight in weights.items():
        weight.assign(found[place])


def _packed(weight: np.ndarray) -> dict[str, np.ndarray]:
    if weight.ndim != 2 or weight.size < LARGE:
        return {"values": weight.astype(np.float16) if weight.dtype.kind == "f" else weight}
    scales = np.maximum(np.abs(weight).max(1, keepdims=True), 1e-12) / LEVELS
    return {"bytes": np.round(weight / scales).astype(np.int8), "scales": scales}


def _unpacked(parts: dict[str, np.ndarray]) -> np.ndarray:
    if "values" in parts:
        values = parts["values"]
        return values.astype(np.float32) if values.dtype == np.float16 else values
    return parts["bytes"].astype(np.float32) * parts["scales"]

"""Packs a run for distribution: weights in fewer bits, without checkpoints.

Large matrices are stored as bytes with a scale per row, and all other
floating-point weights in float16. A packed run should be evaluated again, to measure the effect.
"""

import hashlib
import os
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from seqzoo.tasks.atomic_files import creating, write_json
from seqzoo.tasks.data.npz_members import MAX_DEFLATE_RATIO, READ_ERRORS, read_member
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.runs.layout import CONFIG, WEIGHTS
from seqzoo.tasks.runs.weight_paths import weights_by_path

DIGEST = "weights_sha256"
"""Key of the digest of the weights in config.json."""

LARGE = 500_000
"""Minimum number of elements of a matrix that is stored as bytes."""

MAX_VALUE_SIZE, MAX_HEADER_SIZE = 8, 20_000
"""Maximum number of bytes of one value, and of the header that precedes an array's values."""

LEVELS = 127
"""Quantisation levels of a byte on each side of zero."""


def pack(run: Any, folder: str | os.PathLike[str], card: dict[str, Any]) -> None:
    """Packs a run into a folder that `Run.open` can open.

    Args:
        run: a `Run` that has a model.
        folder: the folder to write, which must not have any contents.
        card: the model card, written as card.json.

    Raises:
        SeqzooError: the folder is not empty, or the run has no model.
    """
    arrays: dict[str, np.ndarray] = {}
    for path, weight in weights_by_path(run.model).items():
        for name, array in _packed(weight.numpy()).items():
            arrays[f"{path}.{name}"] = array
    # The location of the data is of no use on another machine.
    source = {**run.source, "data_dir": None} if run.source else {}
    config = {**run.config, "source": source}
    with creating(folder) as temporary:
        for name, vocabulary in run.task.vocabularies.items():
            vocabulary.save(temporary / config["vocabularies"][name])
        np.savez_compressed(temporary / WEIGHTS, **arrays)  # pyright: ignore[reportArgumentType]
        write_json(temporary / CONFIG, {**config, DIGEST: _digest(temporary / WEIGHTS)})
        write_json(temporary / "card.json", card)


def check_counts(path: pathlib.Path, options: Mapping[str, Any]) -> None:
    """Checks, before a model is built, that it is not larger than its stored weights.

    Args:
        path: the packed weights.
        options: the options of the model.

    Raises:
        ValueError: the model has more layers than the file has arrays, or more units than the file
            can hold.
        SeqzooError: the file is damaged.
    """
    try:
        with zipfile.ZipFile(path) as file:
            sizes = [member.file_size for member in file.infolist()]
    except READ_ERRORS as error:
        raise SeqzooError(f"{path} cannot be read: {error}") from error
    numbers = min(sum(sizes), path.stat().st_size * MAX_DEFLATE_RATIO)
    for name, maximum in {"layers": len(sizes), "units": numbers}.items():
        value = options.get(name)
        if isinstance(value, int) and value > maximum:
            raise ValueError(f"`{name}` is {value:,}, but {path.name} has weights for fewer.")


def unpack(model: Any, path: pathlib.Path, digest: str | None = None) -> None:
    """Sets all weights of a model from a file written by `pack`, by their paths.

    Args:
        model: the model.
        path: the file.
        digest: the SHA-256 of the file; None in runs that were packed without one.

    Raises:
        SeqzooError: the file is damaged, or belongs to another model, with different weights,
            shapes, types or values.
    """
    weights = weights_by_path(model)
    try:
        with zipfile.ZipFile(path) as file:
            stored = _stored(file)
            # Before any array is read: a small file may contain arrays of any size.
            _check_names(path, weights, stored)
            _check_sizes(path, weights, stored)
            arrays = {
                weight_path: _unpacked(
                    {name: read_member(file, member) for name, member in parts.items()}
                )
                for weight_path, parts in stored.items()
            }
    except READ_ERRORS as error:
        reason = str(error).partition("\n")[0] or "it is incomplete"
        raise SeqzooError(f"{path} cannot be read: {reason}") from error
    for weight_path in weights:
        weight, array = weights[weight_path], arrays[weight_path]
        if weight.shape != array.shape or weight.dtype != array.dtype:
            raise SeqzooError(
                f"{path} belongs to another model: {weight_path!r} must be {weight.dtype} of shape "
                f"{tuple(weight.shape)}, got {array.dtype} of shape {array.shape}; pack the run "
                "again."
            )
    if digest is not None and digest != _digest(path):
        raise SeqzooError(
            f"{path} belongs to another model: it is not the file that {CONFIG} next to it "
            "describes; copy the files of one run."
        )
    # Only after all checks, so that a model never has only some of the weights.
    for weight_path, weight in weights.items():
        weight.assign(arrays[weight_path])


def _digest(path: pathlib.Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stored(file: zipfile.ZipFile) -> dict[str, dict[str, zipfile.ZipInfo]]:
    """The arrays of a file, by the path of the weight and the name of the array: "values", or
    "bytes" and "scales"."""
    stored: dict[str, dict[str, zipfile.ZipInfo]] = {}
    for member in file.infolist():
        weight_path, _, name = member.filename.removesuffix(".npy").rpartition(".")
        stored.setdefault(weight_path, {})[name] = member
    return stored


def _check_names(path: pathlib.Path, weights: dict[str, Any], stored: dict[str, Any]) -> None:
    for weight_path in [*weights, *stored]:
        if weight_path not in stored or weight_path not in weights:
            lacks, has = ("file", "model") if weight_path in weights else ("model", "file")
            raise SeqzooError(
                f"{path} belongs to another model: the {has} has a weight {weight_path!r}, but the "
                f"{lacks} does not; pack the run again."
            )


def _check_sizes(
    path: pathlib.Path, weights: dict[str, Any], stored: dict[str, dict[str, zipfile.ZipInfo]]
) -> None:
    for weight_path, parts in stored.items():
        allowed = int(np.prod(weights[weight_path].shape)) * MAX_VALUE_SIZE + MAX_HEADER_SIZE
        for member in parts.values():
            if member.file_size > allowed:
                raise SeqzooError(
                    f"{path} belongs to another model: {weight_path!r} has {member.file_size:,} "
                    "bytes, more than an array of shape "
                    f"{tuple(weights[weight_path].shape)} can have; pack the run again."
                )


LARGEST_HALF = float(np.finfo(np.float16).max)
"""The largest float16. An array with larger weights is stored as it is."""


def _packed(weight: np.ndarray) -> dict[str, np.ndarray]:
    if weight.ndim != 2 or weight.size < LARGE:
        fits = weight.dtype.kind == "f" and not np.any(np.abs(weight) > LARGEST_HALF)
        return {"values": weight.astype(np.float16) if fits else weight}
    scales = np.maximum(np.abs(weight).max(1, keepdims=True), 1e-12) / LEVELS
    return {"bytes": np.round(weight / scales).astype(np.int8), "scales": scales}


def _unpacked(parts: dict[str, np.ndarray]) -> np.ndarray:
    if "values" in parts:
        values = parts["values"]
        return values.astype(np.float32) if values.dtype == np.float16 else values
    return parts["bytes"].astype(np.float32) * parts["scales"]

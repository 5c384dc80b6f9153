"""Images, recordings or texts in a folder per class, CLASS/*.png, or per split and class,
SPLIT/CLASS/*.png."""

import os
import pathlib
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.hugging_face import SPLIT_COLUMN
from seqzoo.zoo.data.records import (
    INPUT,
    SPLIT,
    TARGET,
    Record,
    Records,
    Request,
    decoded,
    read_bytes,
    read_text,
    refuse_columns,
)

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
"""Extensions of images."""

RECORDINGS = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff")
"""Extensions of recordings."""

SPLITS = {"train", "training", "validation", "valid", "val", "dev", "test"}
"""Names of folders that are splits rather than classes."""

TEXTS = (".txt",)
"""Extensions of texts, each of which is one input."""

KINDS = {
    **dict.fromkeys(("rows", "pixels", "columns", "image"), IMAGES),
    "audio": RECORDINGS,
    **dict.fromkeys(("words", "characters", "subwords"), TEXTS),
}
"""Input types that read such files, with their extensions."""

EARLIER_NAMES = ("image", "label")
"""The input and the target in the sources of earlier runs, which read images with TensorFlow
Datasets."""

LEFT_OUT = re.compile(r"_.*|unsup|unsupervised")
"""Names of folders whose files have no label, as in collections of reviews and of recordings."""

UNITS = {IMAGES: "image", RECORDINGS: "recording", TEXTS: "text"}
"""The word for one file in messages, for each group of extensions."""


def has_class_folders(folder: pathlib.Path) -> bool:
    """Whether a folder has subfolders of images, recordings or texts: several that are not all
    named like splits, or some in the subfolders of splits."""
    return any(_has_classes(folder, item) or _splits(folder, item) for item in UNITS)


def has_splits(folder: pathlib.Path, kind: str) -> bool:
    """Whether a folder has a subfolder per split with files for an input type."""
    suffixes = KINDS.get(kind, ())
    return not _has_classes(folder, suffixes) and bool(_splits(folder, suffixes))


def kind_of(folder: pathlib.Path) -> str:
    """The most usual input type for the files of a folder: "rows", "audio" or "words"."""
    kinds = {IMAGES: "rows", RECORDINGS: "audio"}
    return next((kind for item, kind in kinds.items() if _class_folders(folder, item)), "words")


def files_of(folder: pathlib.Path, kind: str) -> list[pathlib.Path]:
    """The files for an input type in a folder, sorted by split, class and name."""
    suffixes = KINDS.get(kind, ())
    folders = _class_folders(folder, suffixes)
    return [file for item in folders for file in sorted(_files(item, suffixes))]


def read(path: pathlib.Path, request: Request) -> Records:
    """The images, recordings or texts of a folder, sorted by split, class and name; the class is
    the name of the folder that contains them.

    Raises:
        SeqzooError: a column, inputs of another type or targets other than classes are requested,
            no subfolder contains such files, or one cannot be read.
    """
    source = request.source
    has_split = SPLIT in request.roles and source.split_column == SPLIT_COLUMN
    has_split &= has_splits(path, source.kind)
    others = tuple(role for role in request.roles if not (has_split and role == SPLIT))
    stored = (source.input, source.target) == EARLIER_NAMES and KINDS.get(source.kind) == IMAGES
    refuse_columns(path, replace(request, roles=others), named=stored)
    folders = _class_folders(path, KINDS.get(source.kind, ()))
    if not folders:
        expected = [kind for kind, suffixes in KINDS.items() if _class_folders(path, suffixes)]
        if not expected:
            raise SeqzooError(
                f"{path} must contain images, recordings or texts in a folder per class, such as "
                "CLASS/*.png or SPLIT/CLASS/*.txt."
            )
        shown = f"one of {', '.join(expected)}" if len(expected) > 1 else repr(*expected)
        raise SeqzooError(
            f"`kind` must be {shown} for the files in {path}, got {source.kind!r}.", field="kind"
        )
    if TARGET in request.roles and source.target_kind != "class":
        raise SeqzooError(
            f"`target_kind` must be 'class' for {path}, whose folders are named after classes, got "
            f"{source.target_kind!r}.",
            field="target_kind",
        )
    suffixes = KINDS[source.kind]
    files = files_of(path, source.kind)

    def fields(file: pathlib.Path) -> dict[str, Any]:
        split = {SPLIT: file.parent.parent.name} if has_split else {}
        if suffixes is TEXTS:
            text = read_text(file, blank=True, strict=request.strict)
            value: str | bytes = text.replace("\r\n", "\n").removesuffix("\n")
        else:
            value = read_bytes(file, blank=True)
        return {INPUT: value, TARGET: file.parent.name} | split

    records = (Record(number, fields(file)) for number, file in enumerate(files))
    if suffixes is TEXTS:
        records = decoded(records, strict=request.strict)
    parents = sorted({folder.parent for folder in folders})
    notes = [
        f"{item} is left out: by its name, its files have no label."
        for parent in parents
        for item in sorted(parent.iterdir())
        if LEFT_OUT.fullmatch(item.name) and item.is_dir()
    ]
    notes += _note_on_others(parents, set(map(str, files)), suffixes)
    paths = list(map(str, files))
    return Records(str(path), records, unit=UNITS[suffixes], notes=tuple(notes), locations=paths)


def _note_on_others(
    parents: list[pathlib.Path], read: set[str], suffixes: tuple[str, ...]
) -> list[str]:
    """A note on the files below folders of classes that are not among those that are read."""
    left_out = []
    for folder in (item for parent in parents for item in _subfolders(parent)):
        for place, inner, names in os.walk(folder):
            inner[:] = [name for name in inner if name[0] != "."]
            paths = (os.path.join(place, name) for name in names if name[0] != ".")
            left_out += [path for path in paths if path not in read]
    if not left_out:
        return []
    count = len(left_out)
    return [
        f"{count:,} {'file is' if count == 1 else 'files are'} left out, such as {min(left_out)}: "
        f"only {', '.join(suffixes)} files directly in the folder of a class are read."
    ]


def _class_folders(folder: pathlib.Path, suffixes: tuple[str, ...]) -> list[pathlib.Path]:
    """The folders of all classes, or of all classes of all splits."""
    if _has_classes(folder, suffixes):
        return _classes(folder, suffixes)
    splits = _splits(folder, suffixes)
    return [item for split in splits for item in _classes(split, suffixes)]


def _has_classes(folder: pathlib.Path, suffixes: tuple[str, ...]) -> bool:
    """Whether several subfolders, not all named like splits, contain files of these types."""
    names = {item.name.lower() for item in _classes(folder, suffixes)}
    return len(_classes(folder, suffixes)) > 1 and not names <= SPLITS


def _splits(folder: pathlib.Path, suffixes: tuple[str, ...]) -> list[pathlib.Path]:
    """The subfolders that have a folder per class; none if no name is that of a split."""
    found = [item for item in _subfolders(folder) if _classes(item, suffixes)]
    return found if any(item.name.lower() in SPLITS for item in found) else []


def _classes(folder: pathlib.Path, suffixes: tuple[str, ...]) -> list[pathlib.Path]:
    """The subfolders that contain files with one of the extensions."""
    return [item for item in _subfolders(folder) if any(_files(item, suffixes))]


def _subfolders(folder: pathlib.Path) -> list[pathlib.Path]:
    """The subfolders, except for hidden ones and those without labels."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.name[0] != "." and not LEFT_OUT.fullmatch(path.name) and path.is_dir()
    )


def _files(folder: pathlib.Path, suffixes: tuple[str, ...]) -> Iterator[pathlib.Path]:
    for path in folder.iterdir():
        if path.suffix.lower() in suffixes and path.name[0] != "." and path.is_file():
            yield path

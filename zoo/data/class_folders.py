"""Images or recordings in a folder per class, such as CLASS/*.png, without a folder per split."""

import pathlib

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.records import (
    INPUT,
    TARGET,
    Record,
    Records,
    Request,
    read_bytes,
    refuse_columns,
)

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
"""Extensions of images."""

RECORDINGS = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff")
"""Extensions of recordings."""

SPLITS = {"train", "training", "validation", "valid", "val", "dev", "test"}
"""Names of folders that are splits rather than classes."""

KINDS = {
    **dict.fromkeys(("rows", "pixels", "columns", "image"), IMAGES),
    "audio": RECORDINGS,
}
"""Input types that read such files, with their extensions."""


def has_class_folders(folder: pathlib.Path) -> bool:
    """Whether a folder has several subfolders of images or recordings that are not all named like
    splits."""
    return any(
        len(classes) > 1 and not {item.name.lower() for item in classes} <= SPLITS
        for classes in (_classes(folder, IMAGES), _classes(folder, RECORDINGS))
    )


def kind_of(folder: pathlib.Path) -> str:
    """The input type for the files of a folder: "audio" if it has no images."""
    return "rows" if _classes(folder, IMAGES) else "audio"


def read(path: pathlib.Path, request: Request) -> Records:
    """The images or recordings of a folder, sorted by class and name; the class is the name of the
    subfolder.

    Raises:
        SeqzooError: a column, inputs other than images and recordings or targets other than classes
            are requested, no subfolder contains such files, or one cannot be read.
    """
    refuse_columns(path, request)
    source = request.source
    if source.kind not in KINDS or not _classes(path, KINDS[source.kind]):
        expected = [kind for kind, suffixes in KINDS.items() if _classes(path, suffixes)]
        if not expected:
            raise SeqzooError(
                f"{path} must contain images or recordings in a folder per class, such as "
                "CLASS/*.png or CLASS/*.wav."
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
    files = [file for folder in _classes(path, suffixes) for file in _files(folder, suffixes)]
    records = (
        Record(number, {INPUT: read_bytes(file, blank=True), TARGET: file.parent.name})
        for number, file in enumerate(files)
    )
    unit = "recording" if suffixes is RECORDINGS else "image"
    return Records(str(path), records, unit=unit, locations=list(map(str, files)))


def _classes(folder: pathlib.Path, suffixes: tuple[str, ...]) -> list[pathlib.Path]:
    """The subfolders that contain files with one of the extensions, except for hidden ones."""
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    return [item for item in subfolders if _files(item, suffixes)]


def _files(folder: pathlib.Path, suffixes: tuple[str, ...]) -> list[pathlib.Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes and path.name[0] != "." and path.is_file()
    )

"""Images in a folder per class, CLASS/*.png, without a folder per split."""

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

SPLITS = {"train", "training", "validation", "valid", "val", "dev", "test"}
"""Names of folders that are splits rather than classes."""

KINDS = ("rows", "pixels", "columns", "image")
"""Input types that read images."""


def has_class_folders(folder: pathlib.Path) -> bool:
    """Whether a folder has several subfolders of images that are not all named like splits."""
    classes = _classes(folder)
    return len(classes) > 1 and not {item.name.lower() for item in classes} <= SPLITS


def read(path: pathlib.Path, request: Request) -> Records:
    """The images of a folder, sorted by class and name; the class is the name of the subfolder.

    Raises:
        SeqzooError: a column, inputs other than images or targets other than classes are requested,
            no subfolder contains images, or an image cannot be read.
    """
    refuse_columns(path, request)
    source = request.source
    if source.kind not in KINDS:
        raise SeqzooError(
            f"`kind` must be one of {', '.join(KINDS)} for the images in {path}, got "
            f"{source.kind!r}.",
            field="kind",
        )
    if TARGET in request.roles and source.target_kind != "class":
        raise SeqzooError(
            f"`target_kind` must be 'class' for {path}, whose folders are named after classes, got "
            f"{source.target_kind!r}.",
            field="target_kind",
        )
    images = [image for folder in _classes(path) for image in _images(folder)]
    if not images:
        raise SeqzooError(f"{path} must contain images in a folder per class, CLASS/*.png.")
    records = (
        Record(number, {INPUT: read_bytes(image, blank=True), TARGET: image.parent.name})
        for number, image in enumerate(images)
    )
    return Records(str(path), records, unit="image", locations=list(map(str, images)))


def _classes(folder: pathlib.Path) -> list[pathlib.Path]:
    """The subfolders that contain images, except for hidden ones."""
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    return [item for item in subfolders if _images(item)]


def _images(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGES and path.name[0] != "." and path.is_file()
    )

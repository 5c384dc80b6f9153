"""Checks that all training runs in a folder, whose scores are compared, use the same data.

Nothing here imports TensorFlow.
"""

import hashlib
import os
import pathlib
from collections.abc import Sequence

from seqzoo.tasks.atomic_files import read_json, write_json
from seqzoo.tasks.errors import SeqzooError, check_readable
from seqzoo.zoo.data import class_folders, hugging_face, several_files
from seqzoo.zoo.data.remote import is_remote
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.training.stored_result import check_types

DATA = "data.json"
"""The file with a digest of each data file, folder or pattern."""


def check_same_data(folder: pathlib.Path, source: Source) -> None:
    """Checks that the files of a source are those of the earlier training runs in a folder.

    The first call in a folder stores their digests there. Built-in and tfds data sets, files at
    addresses such as gs://, and images or recordings that a table names are not checked.

    Args:
        folder: the folder of a comparison, a search or repeated training.
        source: the source, with absolute paths.

    Raises:
        SeqzooError: a file has changed, or cannot be read.
    """
    file = folder / DATA
    known = read_json(file) if file.exists() else {}
    check_types(file, known, {})
    digests = {location: _digest(files) for location, files in _files_of(source).items()}
    for location, digest in digests.items():
        if known.get(location, digest) != digest:
            raise SeqzooError(
                f"The data in {location} differ from those of the earlier training runs in "
                f"{folder}; restore them, or name another folder with --run."
            )
    if digests and not known:
        write_json(file, digests)


def _files_of(source: Source) -> dict[str, list[pathlib.Path]]:
    """The files of a source by the path, or the pattern, that names them."""
    has_files = source.is_file() or source.is_folder()
    locations = [source.data] if has_files else []
    locations += [item for item in (source.validation, source.test) if isinstance(item, str)]
    return {item: _files_at(item, source.kind) for item in locations if not is_remote(item)}


def _files_at(location: str, kind: str) -> list[pathlib.Path]:
    if several_files.is_pattern(location):
        return several_files.files_of(location)
    path = pathlib.Path(location)
    if not path.is_dir():
        return [path] if path.is_file() or not path.exists() else []  # a pipe is read only once
    if hugging_face.is_dataset(path):
        return [file for file, _ in hugging_face.files_of(path)]
    if class_folders.has_class_folders(path):
        return class_folders.files_of(path, kind)
    # Of tfds, or texts in several languages.
    return sorted(item for item in path.iterdir() if item.is_file() and item.name[0] != ".")


def _digest(files: Sequence[pathlib.Path]) -> str:
    """A digest of the names and the contents of files."""
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        check_readable(file)
        digest.update(os.fsencode(file) + b"\0")
        with open(file, "rb") as content:
            digest.update(hashlib.file_digest(content, "blake2b").digest())
    return digest.hexdigest()

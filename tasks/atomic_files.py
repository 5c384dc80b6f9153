"""Files and folders that are there whole or not at all."""

import csv
import json
import os
import pathlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from seqzoo.tasks.errors import SeqzooError


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a temporary path that takes the place of a file when the block ends well.

    The temporary name ends like the file's, because writers look at the ending.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".new-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def creating(folder: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a temporary folder that becomes `folder` when the block ends well.

    Raises:
        SeqzooError: the folder exists and holds something, or cannot be made.
    """
    folder = pathlib.Path(folder).absolute()
    if occupied(folder):
        raise SeqzooError(f"{folder} exists already; name a new folder.")
    temporary = folder.with_name(f".new-{folder.name}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
    except OSError as error:
        raise SeqzooError(f"{folder} cannot be made: {error.strerror}.") from error
    try:
        yield temporary
        if folder.exists():  # an empty folder that a person made before
            folder.rmdir()
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def occupied(path: str | os.PathLike) -> bool:
    """Whether a path is a file, or a folder with something in it."""
    path = pathlib.Path(path)
    return path.exists() and not (path.is_dir() and not any(path.iterdir()))


def write_table(path: str | os.PathLike, rows: Sequence[dict[str, Any]]) -> None:
    """Writes rows with the same keys as CSV; no rows give an empty file."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        if rows:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes a value as indented JSON."""
    with replacing(path) as temporary:
        text = json.dumps(value, indent=2, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: str | os.PathLike) -> Any:
    """Reads a JSON file.

    Raises:
        SeqzooError: it holds something else.
    """
    try:
        return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise SeqzooError(f"{path} is damaged: {error}.") from error

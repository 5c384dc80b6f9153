"""Files and folders that are written completely or not at all, and errors for a full disk or a file
that would exceed the maximum size.

Data is flushed to the disk before it gets its final name, so that neither a killed process nor a
power failure leaves an incomplete file under that name.
"""

import contextlib
import csv
import errno
import json
import os
import pathlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from seqzoo.tasks.errors import DiskFull, SeqzooError
from seqzoo.tasks.unfinished import NEW, remove_abandoned, temporary_file, temporary_folder

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a full disk, an exceeded quota or a file that would exceed the maximum size."""


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Yields a temporary path, which replaces the file at `path` if the block succeeds.

    The temporary name keeps the file's extension, because writers depend on it.

    Raises:
        DiskFull: the disk is full; an existing file is kept.
    """
    path = pathlib.Path(path)
    temporary = temporary_file(path)
    kept = "its previous contents are kept" if path.exists() else ""
    try:
        with naming_full_disk(path, kept):
            yield temporary
            remove_abandoned(path)
            synchronise(temporary)
            os.replace(temporary, path)
            synchronise(path.parent)
    except OSError as error:
        if error.filename == str(temporary):  # a name that users do not know
            error.filename = str(path)
        raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def creating(folder: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Yields a temporary folder, which becomes `folder` if the block succeeds. Of several processes
    that write the same folder, the first one that succeeds gets its name.

    Raises:
        SeqzooError: the folder exists and is not empty, is the working directory, or cannot be
            created.
        DiskFull: the disk is full; no part of the folder remains.
    """
    folder = pathlib.Path(folder).absolute()
    if occupied(folder):
        raise SeqzooError(f"{folder} already exists; name a new folder.")
    if is_working_folder(folder):
        raise SeqzooError(f"{folder} is the working directory; name a new folder in it.")
    # The target of a link, since a folder cannot replace the link itself.
    target = pathlib.Path(os.path.realpath(folder)) if folder.is_symlink() else folder
    if target.is_symlink():
        raise SeqzooError(f"{folder} is a link that leads back to itself; name a new folder.")
    temporary = temporary_folder(target)
    with naming_full_disk(folder, "no part of it was kept"):
        with _naming(folder, temporary):
            target.parent.mkdir(parents=True, exist_ok=True)
            remove_abandoned(target)
            temporary.mkdir()
        try:
            yield temporary
            for path in temporary.rglob("*"):
                synchronise(path)
            synchronise(temporary)
            with _naming(folder, temporary):
                if target.exists():  # an empty folder that already exists
                    target.rmdir()
                os.replace(temporary, target)
            synchronise(target.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _naming(folder: pathlib.Path, temporary: pathlib.Path) -> Iterator[None]:
    """Converts errors of the system into one that names a folder by its final name.

    Raises:
        SeqzooError: the block raised an error, which may be that another process was faster.
    """
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise
        if occupied(folder):
            raise SeqzooError(f"{folder} already exists; name a new folder.") from error
        where = "" if error.filename in (None, str(temporary)) else f"{error.filename}: "
        raise SeqzooError(
            f"{folder} cannot be created: {where}{error.strerror or error}."
        ) from error


def is_working_folder(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is the working directory of this process, which cannot be replaced."""
    try:
        return os.path.samefile(path, os.curdir)
    except OSError:
        return False


def synchronise(path: str | os.PathLike[str]) -> None:
    """Flushes a file, or the entries of a folder, to the disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows cannot open folders, and some folders are read-only
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems do not support flushing; files can still be written to them.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


@contextmanager
def naming_full_disk(path: str | os.PathLike[str], kept: str = "") -> Iterator[None]:
    """Converts the various errors caused by a full disk, or by a file that would exceed the maximum
    size, into one that names the file and the disk.

    Args:
        path: the file that the block writes.
        kept: a clause that says what is not lost; empty for none.

    Raises:
        DiskFull: the block raised an error for which `is_full` is true.
    """
    try:
        yield
    except Exception as error:
        if not is_full(error) and not isinstance(error, DiskFull):
            raise
        if isinstance(error, DiskFull) and not _is_temporary(error.location):
            raise
        raise DiskFull(full_disk(path, error, kept), location=str(path)) from error


def _is_temporary(location: str) -> bool:
    """Whether a file is in a folder that still has its temporary name, which users do not know."""
    return any(part.startswith(NEW) for part in pathlib.Path(location).parent.parts)


def is_full(error: BaseException) -> bool:
    """Whether an error, or one of its causes, has one of the numbers in `FULL`."""
    return _number_of(error) is not None


def is_too_large(error: BaseException) -> bool:
    """Whether an error, or one of its causes, reports a file that would exceed the maximum size."""
    return _number_of(error) == errno.EFBIG


def _number_of(error: BaseException) -> int | None:
    """The number in `FULL` that an error, or one of its causes, has; None if there is none.

    TensorFlow reports a full disk as exhausted memory and a file that is too large as one that
    ended; HDF5 reports both only in the text of an error.
    """
    cause: BaseException | None = error
    while cause is not None:
        number = getattr(cause, "errno", None)
        if number in FULL:
            return number
        text = "" if isinstance(cause, SeqzooError) else str(cause)
        for number in FULL:
            if os.strerror(number) in text:
                return number
        cause = cause.__cause__ or cause.__context__
    return None


def full_disk(path: str | os.PathLike[str], error: BaseException, kept: str = "") -> str:
    """A line that names a file and the full disk it is on, or the limit that it would exceed.

    Args:
        path: the file.
        error: the error, for which `is_full` is true.
        kept: a clause that says what is not lost; empty for none.
    """
    suffix = f"; {kept}" if kept else ""
    if is_too_large(error):
        return (
            f"{path} cannot be written, because it would exceed the maximum size of a file"
            f"{suffix}. Raise the limit (`ulimit -f`), or write to another disk."
        )
    path = pathlib.Path(path)
    disk = pathlib.Path(os.path.realpath(path))
    while not disk.exists() or not os.path.ismount(disk):
        if disk == disk.parent:
            break
        disk = disk.parent
    free = shutil.disk_usage(disk).free
    return (
        f"{path} cannot be written, because the disk at {disk} is full ({free / 1e6:,.1f} MB left)"
        f"{suffix}. Make room there, or write to another disk."
    )


def occupied(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a file, or a folder that is not empty."""
    path = pathlib.Path(path)
    return path.exists() and not (path.is_dir() and not any(path.iterdir()))


def write_table(path: str | os.PathLike[str], rows: Sequence[dict[str, Any]]) -> None:
    """Writes rows, all with the same keys, as CSV; without rows, the file is empty."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        if rows:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes text as UTF-8.

    Raises:
        SeqzooError: a line is not Unicode text, since it contains a path that is not UTF-8.
    """
    with replacing(path) as temporary:
        try:
            temporary.write_text(text, encoding="utf-8")
        except UnicodeEncodeError as error:
            line = text[: error.end].rpartition("\n")[2] + text[error.end :].partition("\n")[0]
            name, line = pathlib.Path(path).name, line.strip(" ,")
            raise SeqzooError(
                f"{name} cannot contain {line!a}, which is not UTF-8; rename the file or folder."
            ) from error


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes a value as indented JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Reads a JSON file.

    Raises:
        SeqzooError: the file is not valid JSON.
    """
    try:
        return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise SeqzooError(f"{path} is damaged: {error}.") from error

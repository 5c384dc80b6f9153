"""The file of a run's model: whether it is there and complete, and what to do if it is not."""

import pathlib
import zipfile
import zlib

from seqzoo.tasks.data.npz_members import LARGE_ARRAY, MAX_COMPRESSION_RATIO
from seqzoo.tasks.errors import SeqzooError, check_readable

RESTORE = "restore the file, or train a new run"
"""What to do about a missing or damaged model, which resumed training does not write again."""


def check_model_file(path: pathlib.Path) -> None:
    """Checks that the model of a run in which an epoch has ended is there and complete.

    Args:
        path: the file of the model.

    Raises:
        SeqzooError: the file is missing or damaged.
    """
    if not path.exists():
        raise SeqzooError(f"{path} is missing, although an epoch has ended; {RESTORE}.")
    check_readable(path)
    if not zipfile.is_zipfile(path):
        raise SeqzooError(f"{path} is damaged or not a model; {RESTORE}.")
    try:
        _check_members(path)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise SeqzooError(f"{path} cannot be read: {reason}; {RESTORE}.") from error


def _check_members(path: pathlib.Path) -> None:
    """Reads a zip file to the end, where its checksums are compared; HDF5 may stop before, with an
    error that does not name the cause.

    The sizes that the members declare are added up first: a small file may unpack to any size.

    Raises:
        BadZipFile, zlib.error, EOFError, RuntimeError: the file is damaged.
        ValueError: it has two members of the same name, or unpacks to far more than its size.
    """
    with zipfile.ZipFile(path) as file:
        names = file.namelist()
        if len(set(names)) < len(names):
            raise ValueError("it has several members of the same name")
        size = sum(member.file_size for member in file.infolist())
        if size > max(LARGE_ARRAY, MAX_COMPRESSION_RATIO * path.stat().st_size):
            raise ValueError(
                f"it unpacks to {size:,} bytes, over {MAX_COMPRESSION_RATIO} times its size"
            )
        for name in names:
            with file.open(name) as member:
                while member.read(1 << 20):
                    pass

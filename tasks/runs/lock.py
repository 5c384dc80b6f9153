"""Locks on folders and files, so that two processes do not write to the same one."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

from seqzoo.tasks.errors import SeqzooError


@contextlib.contextmanager
def alone_in(folder: pathlib.Path, other: str) -> Iterator[None]:
    """A context that no other process enters for the same folder; the lock ends with the process.

    Args:
        folder: the folder, which exists.
        other: what another process in such a context is, for the message: "Another search".

    Raises:
        SeqzooError: another process is in such a context.
    """
    if os.name == "nt":  # Windows does not open folders
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        lock(descriptor, f"{other} is running in {folder}; wait until it ends.")
        yield
    finally:
        os.close(descriptor)


def lock(descriptor: int, message: str) -> None:
    """Locks an open file or folder until it is closed, or the process ends.

    Args:
        descriptor: its file descriptor.
        message: the message of the error.

    Raises:
        SeqzooError: another process has locked it.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SeqzooError(message) from error
    except OSError:  # the file system has no locks
        pass

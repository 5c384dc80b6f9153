"""A lock on a folder, so that two processes do not write to the same run or search."""

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
    try:
        import fcntl
    except ImportError:  # not on Windows
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SeqzooError(f"{other} is running in {folder}; wait until it ends.") from error
        except OSError:  # the file system has no locks
            pass
        yield
    finally:
        os.close(descriptor)

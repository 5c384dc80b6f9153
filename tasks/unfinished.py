"""Temporary names of folders that are being written, which say which process writes them."""

import contextlib
import hashlib
import os
import pathlib
import re
import secrets
import shutil
import socket
import time

NEW = ".new-"
"""Prefix of the names of files and folders that are being written."""

WRITER = r"\w+\.[0-9a-f]+-\d+"
"""The end of the names of folders that are being written: machine, token and process ID."""

MAX_NAME = 120
"""Maximum number of bytes of a folder's name that its temporary names contain as it is."""

ABANDONED_SECONDS = 86_400
"""Seconds after which an unfinished folder of another machine that has not changed is removed."""


def temporary_folder(folder: pathlib.Path) -> pathlib.Path:
    """A path next to a folder under which only the caller writes it."""
    writer = f"{host()}.{secrets.token_hex(4)}-{os.getpid()}"
    return folder.with_name(f"{_stem(folder)}-{writer}")


def remove_abandoned(folder: pathlib.Path) -> None:
    """Removes what processes that have ended left of a folder under temporary names."""
    name = re.compile(f"{re.escape(_stem(folder))}-{WRITER}")
    for path in folder.parent.glob(f"{NEW}*"):
        if name.fullmatch(path.name) and not is_being_written(path):
            shutil.rmtree(path, ignore_errors=True)


def _stem(folder: pathlib.Path) -> str:
    """The beginning of temporary names of a folder, short enough for file systems."""
    encoded = os.fsencode(folder.name)
    if len(encoded) <= MAX_NAME:
        return NEW + folder.name
    digest = hashlib.sha256(encoded).hexdigest()[:16]
    return f"{NEW}{encoded[: MAX_NAME // 2].decode(errors='ignore')}-{digest}"


def host() -> str:
    """The name of this machine or container, without characters that separate parts of names."""
    return re.sub(r"\W", "_", socket.gethostname())


def is_being_written(path: pathlib.Path) -> bool:
    """Whether an unfinished folder may still be completed: on this machine, while its process is
    running; on others that share the disk, for a day after the last change."""
    *_, writer, process = ("", "", *path.name.rsplit("-", 2))
    if writer.partition(".")[0] == host():
        return _is_running(process)
    with contextlib.suppress(OSError):
        newest = max(item.stat().st_mtime for item in (path, *path.rglob("*")))
        return time.time() - newest < ABANDONED_SECONDS
    return True


def _is_running(process: str) -> bool:
    """Whether a process on this machine is still running."""
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return False
    except OSError:  # it belongs to another user
        return True
    return True

"""Temporary names of files and folders that are being written, which say which process writes
them."""

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

WRITER = r"\w+\.[0-9a-f]{8}-\d+"
"""A part of the names of what is being written: machine, token and process ID."""

MAX_NAME = 120
"""Maximum number of bytes of a folder's name that its temporary names contain as it is."""

ABANDONED_SECONDS = 86_400
"""Seconds after which an unfinished folder of another machine that has not changed is removed."""


def temporary_folder(folder: pathlib.Path) -> pathlib.Path:
    """A path next to a folder under which only the caller writes it."""
    return folder.with_name(f"{_stem(folder)}-{_writer()}")


def temporary_file(path: pathlib.Path) -> pathlib.Path:
    """A path next to a file under which only the caller writes it, with the file's extensions."""
    return path.with_name(f"{_stem(path)}-{_writer()}{_extensions(path)}")


def remove_abandoned(path: pathlib.Path) -> None:
    """Removes what processes that have ended left of a file or folder under temporary names."""
    name = re.compile(f"{re.escape(_stem(path))}-{WRITER}({re.escape(_extensions(path))})?")
    for left in path.parent.glob(f"{NEW}*"):
        if name.fullmatch(left.name) and not is_being_written(left):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    left.unlink()


def _writer() -> str:
    """This machine, a random token and this process."""
    return f"{host()}.{secrets.token_hex(4)}-{os.getpid()}"


def _extensions(path: pathlib.Path) -> str:
    """All extensions of a file, such as `.weights.h5`, on which writers depend."""
    extensions = "".join(path.suffixes)
    return extensions if len(os.fsencode(extensions)) <= MAX_NAME // 4 else path.suffix[:10]


def _stem(path: pathlib.Path) -> str:
    """The beginning of temporary names of a file or folder, short enough for file systems."""
    encoded = os.fsencode(path.name)
    if len(encoded) <= MAX_NAME:
        return NEW + path.name
    digest = hashlib.sha256(encoded).hexdigest()[:16]
    return f"{NEW}{encoded[: MAX_NAME // 2].decode(errors='ignore')}-{digest}"


def host() -> str:
    """The name of this machine or container, without characters that separate parts of names."""
    return re.sub(r"\W", "_", socket.gethostname())


def is_being_written(path: pathlib.Path) -> bool:
    """Whether an unfinished file or folder may still be completed: on this machine, while its
    process is running; on others that share the disk, for a day after the last change."""
    name = re.match(rf".*-({WRITER})", path.name)
    writer, _, process = name[1].rpartition("-") if name else ("", "", "")
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

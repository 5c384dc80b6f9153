"""Files at addresses that TensorFlow can open, such as gs://; each is copied to the cache once.

TensorFlow is imported when the first of them is read.
"""

import glob
import re
from typing import Any

from seqzoo.tasks.errors import SeqzooError

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)

BLOCK = 1 << 22
"""Number of bytes that are copied at once."""


def is_remote(path: str) -> bool:
    """Whether a path is an address: "gs://bucket/reviews.csv"."""
    return _ADDRESS.match(path) is not None


def local(path: str) -> str:
    """A path as it is, or the path of the copy of a file at an address; see `copied`."""
    return copied(path) if is_remote(path) else path


def copied(address: str) -> str:
    """The path of the copy of a file, or a pattern of copies if the address is a pattern.

    A file is copied again when its size or its modification time changes.

    Raises:
        SeqzooError: TensorFlow cannot open the address, nothing matches it, or the cache cannot be
            written.
    """
    import tensorflow as tf

    from seqzoo.tasks.data import cache

    try:
        files = sorted(tf.io.gfile.glob(address)) if glob.has_magic(address) else [address]
        stats = [tf.io.gfile.stat(file) for file in files]
    except (tf.errors.OpError, OSError) as error:
        raise _error(address, error) from error
    if not files:
        raise SeqzooError(f"No file matches {address}.")
    states = [
        (file, int(stat.length), int(stat.mtime_nsec))
        for file, stat in zip(files, stats, strict=True)
    ]
    key = f"copy-{cache.digest_of(address, states)}"
    names = [f"{count:05d}-{file.rpartition('/')[2]}" for count, file in enumerate(files)]
    if cache.find(key) is None:
        with cache.making(key) as writer:
            for file, name in zip(files, names, strict=True):
                _copy(tf, file, name, writer)
            writer.about = {"what": address}
    folder = cache.cache_folder() / key
    if len(names) == 1:
        return str(folder / names[0])
    return f"{glob.escape(str(folder))}/{'[0-9]' * 5}-*"


def _copy(tf: Any, file: str, name: str, writer: Any) -> None:
    """Copies a file to an array of a `cache.Writer`."""
    import numpy as np

    try:
        with tf.io.gfile.GFile(file, "rb") as opened:
            writer.append(name, np.zeros(0, np.uint8))
            while block := opened.read(BLOCK):
                writer.append(name, np.frombuffer(block, np.uint8))
    except tf.errors.OpError as error:
        raise _error(file, error) from error


def _error(address: str, error: Exception) -> SeqzooError:
    reason = str(getattr(error, "message", error)).partition("\n")[0].strip().rstrip(".")
    reason = reason or "there is no such file"
    scheme = address.partition("://")[0]
    advice = ""
    if "not implemented" in reason:
        advice = f"; TensorFlow has no file system for {scheme}:// here (tensorflow-io adds some)"
    return SeqzooError(f"{address} cannot be read: {reason}{advice}.", field="data")

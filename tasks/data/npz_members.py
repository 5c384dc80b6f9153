"""Reads arrays from .npz files, without trusting what their headers declare."""

import math
import os
import tokenize
import zipfile
import zlib

import numpy as np

MAX_DEFLATE_RATIO = 1032
"""Maximum number of bytes that one byte can unpack to with DEFLATE compression."""

MAX_COMPRESSION_RATIO = 200
"""Maximum number of bytes that one byte of a compressed file may unpack to; for text, 3 to 20 are
usual."""

LARGE_ARRAY = 100_000_000
"""Size in bytes above which `MAX_COMPRESSION_RATIO` applies to an array."""

HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
"""The functions that read a header, by the version of the format."""

READ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    zipfile.BadZipFile,
    zlib.error,
    RuntimeError,
    SyntaxError,
    TypeError,
    tokenize.TokenError,
)
"""The errors that damaged files raise, the last three in the headers of arrays. Encrypted files
raise `RuntimeError`, and unknown compression methods its subclass `NotImplementedError`."""


def read_member(file: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Reads one array from an open file.

    NumPy allocates the memory that a header declares before it reads the values, so the declared
    size is first compared with that of the member.

    Raises:
        ValueError: the member is not an array, contains Python objects, has fewer values than
            its shape needs, or is too large.
    """
    with file.open(member) as content:
        version = np.lib.format.read_magic(content)
        if version not in HEADERS:
            raise ValueError(f"{member.filename} has an unknown format version, {version}")
        shape, _, dtype = HEADERS[version](content)
    if dtype.hasobject:
        raise ValueError("Object arrays are not read, since unpickling can run arbitrary code")
    size = math.prod(shape) * dtype.itemsize
    if (
        size > min(member.file_size, MAX_DEFLATE_RATIO * (member.compress_size + 1))
        or min(shape, default=0) < 0
    ):
        raise ValueError(f"{member.filename} has less data than its shape {shape} needs")
    check_size(member.filename, size, member.compress_size)
    with file.open(member) as content:
        return np.lib.format.read_array(content, allow_pickle=False)


def check_size(name: str, size: int, stored: int) -> None:
    """Checks that an array is not far larger than its file, and fits into memory.

    Args:
        name: the name of the array.
        size: its size in bytes, as the header declares it.
        stored: its compressed size in the file, in bytes.

    Raises:
        ValueError: the array is too large.
    """
    if size > max(LARGE_ARRAY, MAX_COMPRESSION_RATIO * stored):
        raise ValueError(
            f"{name} unpacks to {size:,} bytes, over {MAX_COMPRESSION_RATIO} times its size in "
            "the file; save it with numpy.savez, without compression"
        )
    available = available_memory()
    if available is not None and size > available:
        raise ValueError(
            f"{name} needs {size:,} bytes of memory, but {available:,} are available; save it in "
            "parts"
        )


def available_memory() -> int | None:
    """Bytes of memory that can be allocated without swapping; None if unknown."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return None

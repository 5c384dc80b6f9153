"""Reads arrays of .npz files, without trusting what their headers declare."""

import math
import os
import zipfile
import zlib

import numpy as np

DEFLATED = 1032
"""Maximum bytes that one compressed byte can unpack to."""

MOST_UNPACKED = 200
"""Maximum bytes that a byte of a compressed file may unpack to; text unpacks to 3 to 20."""

LARGE_ARRAY = 100_000_000
"""Size in bytes from which an array must not be compressed to less than one in `MOST_UNPACKED`."""

HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
"""The functions that read a header, by the version of the format."""

FAULTS = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, RuntimeError)
"""The errors of a damaged file; `RuntimeError` is that of an encrypted one, and with
`NotImplementedError` that of an unknown compression."""


def read_member(file: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """An array of an open file. NumPy allocates the memory that a header declares before it reads
    the numbers, so the declared size is compared with that of the member first.

    Raises:
        ValueError: it has Python objects, is shorter than its shape, is too large, or is not an
            array.
    """
    with file.open(member) as content:
        version = np.lib.format.read_magic(content)
        if version not in HEADERS:
            raise ValueError(f"{member.filename} has the unknown version {version}")
        shape, _, dtype = HEADERS[version](content)
    if dtype.hasobject:
        raise ValueError("Object arrays, which are Python programs, are not read")
    size = math.prod(shape) * dtype.itemsize
    if (
        size > min(member.file_size, DEFLATED * (member.compress_size + 1))
        or min(shape, default=0) < 0
    ):
        raise ValueError(f"{member.filename} is shorter than its shape {shape}")
    check_size(member.filename, size, member.compress_size)
    with file.open(member) as content:
        return np.lib.format.read_array(content, allow_pickle=False)


def check_size(name: str, size: int, stored: int) -> None:
    """Checks that an array is not far larger than its file, and fits into memory.

    Args:
        name: the name of the array.
        size: its size in bytes, as its header declares it.
        stored: the bytes that it takes in the file.

    Raises:
        ValueError: it is larger.
    """
    if size > max(LARGE_ARRAY, MOST_UNPACKED * stored):
        raise ValueError(
            f"{name} unpacks to {size:,} bytes, over {MOST_UNPACKED} times its size in the file; "
            "save it with numpy.savez, without compression"
        )
    available = available_memory()
    if available is not None and size > available:
        raise ValueError(
            f"{name} needs {size:,} bytes of memory, and {available:,} are available; save it in "
            "parts"
        )


def available_memory() -> int | None:
    """Bytes of memory that can be allocated without swapping; None where it is not known."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not on Windows
        return None

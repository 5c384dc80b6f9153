"""Reads arrays of .npz files, without believing what their headers declare."""

import math
import zipfile
import zlib

import numpy as np

DEFLATED = 1032
"""Maximum bytes that one compressed byte can unpack to."""

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
        ValueError: it has Python objects, is shorter than its shape, or is not an array.
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
    with file.open(member) as content:
        return np.lib.format.read_array(content, allow_pickle=False)

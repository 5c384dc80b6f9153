"""Large arrays that NumPy and TensorFlow share, so that no second copy is made."""

from collections.abc import Sequence

import numpy as np

ALIGNMENT = 64
"""TensorFlow aborts the process if an array that it is to share begins at another address than a
multiple of this number of bytes."""

SMALLEST = 1 << 20
"""The size, in bytes, from which an array is shared."""


def room_for(arrays: Sequence[np.ndarray]) -> np.ndarray | None:
    """An array for the output of `np.concatenate(arrays)`, whose memory TensorFlow can share; None
    if it would be too small."""
    dtype = np.result_type(*arrays)
    shape = (sum(map(len, arrays)), *arrays[0].shape[1:])
    if int(np.prod(shape)) * dtype.itemsize < SMALLEST:
        return None
    memory = np.empty(int(np.prod(shape)) * dtype.itemsize + ALIGNMENT, np.uint8)
    aligned = memory[-memory.ctypes.data % ALIGNMENT :][: len(memory) - ALIGNMENT]
    return aligned.view(dtype).reshape(shape)


def can_share(array: np.ndarray) -> bool:
    """Whether TensorFlow can use the memory of an array, and it is large enough to be worth it."""
    aligned = array.ctypes.data % ALIGNMENT == 0
    return array.nbytes >= SMALLEST and aligned and array.flags.carray and array.dtype != bool

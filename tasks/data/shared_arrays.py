"""Large arrays that NumPy and TensorFlow share, so that no second copy is made."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

ALIGNMENT = 64
"""TensorFlow aborts the process if an array that it is to share begins at another address than a
multiple of this number of bytes."""

SMALLEST = 1 << 20
"""The size, in bytes, from which an array is shared."""


def concatenated(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """`np.concatenate(arrays)`, in memory that `shared_tensor` can share."""
    dtype = np.result_type(*arrays)
    shape = (sum(map(len, arrays)), *arrays[0].shape[1:])
    memory = np.empty(int(np.prod(shape)) * dtype.itemsize + ALIGNMENT, np.uint8)
    aligned = memory[-memory.ctypes.data % ALIGNMENT :][: len(memory) - ALIGNMENT]
    return np.concatenate(arrays, out=aligned.view(dtype).reshape(shape))


def shared_tensor(array: np.ndarray) -> Any:
    """A tensor on the CPU with the values of an array, which must not be changed afterwards: the
    memory of the array itself if it is large and `concatenated` made it, otherwise a copy."""
    aligned = array.ctypes.data % ALIGNMENT == 0
    if array.nbytes < SMALLEST or not (aligned and array.flags.carray) or array.dtype == bool:
        with tf.device("CPU:0"):
            return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())

"""Arrays that NumPy and TensorFlow share."""

import numpy as np
import pytest

from seqzoo.tasks.data.batches import Data, Sequences, as_tensor
from seqzoo.tasks.data.shared_arrays import ALIGNMENT, SMALLEST, room_for


def concatenated(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(arrays, out=room_for(arrays))


def _address(array: np.ndarray) -> int:
    return array.ctypes.data


def _shared(array: np.ndarray) -> bool:
    tensor = as_tensor(array)
    np.testing.assert_array_equal(tensor.numpy(), array)
    assert tensor.dtype.as_numpy_dtype == array.dtype and "CPU" in tensor.device
    return _address(np.asarray(memoryview(tensor))) == _address(array)


@pytest.mark.parametrize("dtype", ["int32", "float32", "int64", "uint8", "float16"])
def test_large_concatenated_arrays_are_not_copied(dtype: str) -> None:
    parts = [
        (np.arange(3 * rows) % 200).reshape(rows, 3).astype(dtype) for rows in (7, 0, SMALLEST)
    ]
    joined = concatenated(parts)
    np.testing.assert_array_equal(joined, np.concatenate(parts))
    assert joined.dtype == dtype and _address(joined) % ALIGNMENT == 0
    assert _shared(joined)
    assert not _shared(joined[: SMALLEST // 100])


def test_other_arrays_are_copied() -> None:
    joined = concatenated([np.arange(2 * SMALLEST, dtype="int32")])
    assert not _shared(joined[1:])  # not aligned
    assert not _shared(joined[::2])
    assert not _shared(concatenated([joined > 3]))
    joined.flags.writeable = False
    assert not _shared(joined)


def test_tensors_of_sequences_are_their_arrays() -> None:
    inputs = Sequences.of([np.arange(SMALLEST), np.arange(5)])
    tensor = Data(inputs).tensors["flat"]
    assert _address(np.asarray(memoryview(tensor))) == _address(inputs.flat)


def test_tensors_outlive_the_names_of_their_arrays() -> None:
    tensor = as_tensor(concatenated([np.arange(SMALLEST), np.arange(SMALLEST)]))
    others = [concatenated([np.zeros(2 * SMALLEST, "int64")]) for _ in range(3)]
    assert int(tensor[-1]) == SMALLEST - 1 and len(others) == 3

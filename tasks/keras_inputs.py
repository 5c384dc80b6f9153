"""What Keras models of templates take: inputs and targets as lists, arrays, columns or data sets of
`tf.data`, without what only `train` supports."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.examples import Examples, is_list
from seqzoo.tasks.errors import SeqzooError


def train_only(name: str) -> SeqzooError:
    """The error for settings that only `train` supports."""
    return SeqzooError(
        f"`{name}` is for `seqzoo.tasks.train`, not for Keras models; leave it out, or train with "
        "`train`.",
        field=name,
    )


def check_unweighted(examples: Examples) -> None:
    """Checks that examples have no weights, which only `train` takes.

    Raises:
        SeqzooError: they have weights.
    """
    if examples.weights is not None:
        raise train_only("weights")


def examples_of(x: Any, y: Any) -> Examples:
    """Makes examples from raw inputs and targets.

    Raises:
        SeqzooError: there are no inputs, the targets are not a list, the numbers of inputs and
            targets differ, or the examples have weights.
    """
    if isinstance(x, Examples):
        check_unweighted(x)
        if y is not None:
            raise SeqzooError("`y` must be left out, since `x` has targets.", field="y")
        return x
    if isinstance(x, tf.data.Dataset):
        pairs = [pair_of(item, "An element of the data set") for item in _unbatched(x)]
        x = [_raw(item) for item, _ in pairs]
        y = None if not pairs or pairs[0][1] is None else [_raw(item) for _, item in pairs]
    if x is None or isinstance(x, str | bytes) or not is_list(x):
        raise SeqzooError(
            field="x", expected="a list, an array, a column or a tf.data.Dataset of inputs", got=x
        )
    examples = Examples(x, y)
    if y is not None and not is_list(examples.targets):
        raise SeqzooError(field="y", expected="a list, an array or a column of targets", got=y)
    if y is not None and len(examples.targets) != len(examples):
        raise SeqzooError(
            f"`x` and `y` must have the same length, got {len(examples)} and "
            f"{len(examples.targets)}."
        )
    return examples


def _unbatched(data: tf.data.Dataset) -> Iterator[Any]:
    """The elements of a data set's batches.

    Raises:
        SeqzooError: it is not batched, or never ends.
    """
    for spec in tf.nest.flatten(data.element_spec):
        if getattr(spec, "shape", None) is not None and spec.shape.rank == 0:
            raise SeqzooError(
                field="x", expected="a batched tf.data.Dataset: call its `batch`", got=data
            )
    if data.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise SeqzooError(
            field="x", expected="a finite tf.data.Dataset: leave out its `repeat`", got=data
        )
    return iter(data.unbatch())


def pair_of(data: Any, name: str = "`validation_data`") -> tuple[Any, Any]:
    """The inputs and the targets of a pair; None for the targets of anything else.

    Raises:
        SeqzooError: there are not two parts.
    """
    if not isinstance(data, tuple | list):
        return data, None
    if len(data) != 2:
        raise SeqzooError(
            f"{name} must be a pair of inputs and targets, got {len(data)} parts.",
            field="validation_data" if name.startswith("`") else "x",
        )
    return data[0], data[1]


def _raw(tensor: Any) -> Any:
    """The value of one example's tensor, or of each of several inputs; texts as str, and other
    bytes, such as images, unchanged."""
    if isinstance(tensor, dict):
        return {name: _raw(item) for name, item in tensor.items()}
    value = tensor.numpy()
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return [_text(item) for item in value]
    return value


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value

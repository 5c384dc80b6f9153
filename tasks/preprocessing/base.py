"""The contract of features: raw inputs in, padded tensors and lengths out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.batches import Sequences
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.data.shared_arrays import room_for
from seqzoo.tasks.data.stored_columns import TextColumn
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.vocabulary import Vocabulary

UNTRACED = 16
"""Maximum number of examples that are transformed without a graph; tracing would take longer."""


class Features(ABC):
    """An input type. `transform` is the only way from raw inputs to a model: training, prediction
    and the exported graph all use it.

    Attributes:
        chunk: number of examples that are transformed together.
        vocabulary: the vocabulary, for text; otherwise None.
        vectors: pretrained word vectors; otherwise None.
        takes_time: whether the last feature of `values` is the time since the previous step.
        in_time: whether inputs are sequences; otherwise they have a single step.
        frame: the shape of a step's features, (columns, height, channels), if a step is a part of
            an image or of a spectrogram; otherwise None.
    """

    chunk = 1024
    vocabulary: Any = None
    vectors: Any = None
    takes_time: bool = False
    in_time: bool = True
    frame: Any = None
    _encoded_examples: int = 0

    @classmethod
    @abstractmethod
    def learn(cls, template: Any, examples: Examples) -> "Features":
        """Creates features with what they learn from the training examples.

        Raises:
            SeqzooError: the examples are not of this type.
        """

    @abstractmethod
    def raw(self, inputs: Any, locations: Sequence[str]) -> tuple:
        """Converts raw inputs to the arrays that `transform` takes.

        Args:
            inputs: some of `Examples.inputs`.
            locations: the location of each input, for messages.

        Raises:
            SeqzooError: an input is empty, not finite or of the wrong shape; the message names its
                location.
        """

    @abstractmethod
    def transform(self, *raw: Any) -> tuple[Any, Any]:
        """Tensors of `signature` -> values (batch, time) or (batch, time, features), and lengths
        (batch,), int32; with TensorFlow operations only. There is at least one step, which is
        padding if all sequences are empty."""

    def tensors(self, *raw: Any) -> dict[str, Any]:
        """Tensors or arrays of `signature` -> the inputs of a network by name, "values" and
        "lengths"."""
        values, lengths = self.transform(*map(tf.convert_to_tensor, raw))
        return {"values": values, "lengths": lengths}

    @property
    def first(self) -> "Features":
        """The features of the sequence: the first input, if there are several."""
        return self

    def raw_of_first(self, raw: tuple) -> tuple:
        """Selects the raw inputs of `first`."""
        return raw

    @property
    def is_storable(self) -> bool:
        """Whether the encoded texts of a column on disk can be stored there, too."""
        return True

    @property
    def remarks(self) -> Sequence[str]:
        """Sentences that describe what was learned."""
        return ()

    @property
    @abstractmethod
    def signature(self) -> list:
        """The `tf.TensorSpec`s of raw inputs, named for the callers of an exported model."""

    @property
    @abstractmethod
    def step(self) -> tuple[tuple[int, ...], str]:
        """Shape and dtype of one step of `values`."""

    @property
    def vocabularies(self) -> dict[str, Vocabulary]:
        """Vocabularies by the names of their files."""
        return {} if self.vocabulary is None else {"vocabulary": self.vocabulary}

    @abstractmethod
    def to_config(self) -> dict[str, Any]:
        """The learned state except for the vocabulary, JSON-serialisable."""

    @classmethod
    @abstractmethod
    def from_config(cls, template: Any, config: dict[str, Any], vocabularies: dict) -> "Features":
        """The inverse of `to_config`."""

    @cached_property
    def _graph(self) -> Any:
        """`transform`, traced once for any number of examples."""
        return tf.function(self.transform, input_signature=self.signature, autograph=False)

    def encode(self, examples: Examples, *, optional: bool = False) -> Sequences:
        """Transforms all examples.

        Args:
            examples: raw examples.
            optional: whether sequences may be empty.

        Raises:
            SeqzooError: an input is empty, not finite or of the wrong shape.
        """
        if isinstance(examples.inputs, TextColumn) and self.is_storable:
            return self.encode_stored(examples)
        self._encoded_examples += len(examples)
        graph = self._graph if self._encoded_examples > UNTRACED else self._transform_now
        return self.encode_by(graph, examples, optional=optional)

    def _transform_now(self, *raw: Any) -> tuple[Any, Any]:
        """`transform` without a graph."""
        pairs = zip(raw, self.signature, strict=True)
        return self.transform(*(tf.constant(array, spec.dtype) for array, spec in pairs))

    def encode_by(self, graph: Any, examples: Examples, *, optional: bool = False) -> Sequences:
        """Transforms all examples with a function of raw inputs that returns values and lengths;
        see `encode`."""
        flat, lengths = [], []
        for start in range(0, len(examples), self.chunk):
            part = range(start, min(start + self.chunk, len(examples)))
            raw = self.raw(
                examples.inputs[part.start : part.stop], [examples.location(i) for i in part]
            )
            values, steps = (tensor.numpy() for tensor in graph(*raw))
            if not optional and not steps.all():
                raise empty(examples.location(part[int(np.argmin(steps))]))
            flat.append(values[np.arange(values.shape[1]) < steps[:, None]])
            lengths.append(steps)
        return Sequences(np.concatenate(flat, out=room_for(flat)), np.concatenate(lengths))

    def encode_stored(self, examples: Examples) -> Sequences:
        """Transforms the texts of a column on disk; the result is stored on disk, too."""
        raise NotImplementedError

    def encode_further(self, examples: Examples) -> tuple[Sequences, ...]:
        """The inputs other than the sequences that `encode` returns; none by default."""
        return ()


def empty(location: str) -> SeqzooError:
    """The error for an empty sequence."""
    return SeqzooError(
        f"A sequence must have at least one step, but {location} has none; leave it out.",
        location=location,
    )


def with_a_step(values: Any, padding: Any) -> Any:
    """Adds a step of padding to values (batch, time, ...) that have no steps, since empty loops
    have no outputs. An empty input therefore gets the same prediction in any batch."""
    missing = tf.maximum(1 - tf.shape(values)[1], 0)
    widths = [[0, 0], [0, missing]] + [[0, 0]] * (values.shape.rank - 2)
    padded = tf.pad(values, widths, constant_values=padding)
    padded.set_shape([values.shape[0], None, *values.shape[2:]])
    return padded


def for_any_batch(function: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Makes a function of tensors by name, (batch, ...) or scalars, return empty results for an
    empty batch, by computing those of a row of zeros: TensorFlow's convolutions and CTC loss raise
    errors for an empty batch."""

    def run(**tensors: Any) -> dict[str, Any]:
        tensors = {name: tf.convert_to_tensor(tensor) for name, tensor in tensors.items()}
        count = next(tf.shape(tensor)[0] for tensor in tensors.values() if tensor.shape.rank)
        for name, tensor in tensors.items():
            if tensor.shape.rank:
                shape = tf.concat([[tf.maximum(1 - count, 0)], tf.shape(tensor)[1:]], 0)
                tensors[name] = tf.concat([tensor, tf.zeros(shape, tensor.dtype)], 0)
                tensors[name].set_shape([None, *tensor.shape[1:]])
        return {name: result[:count] for name, result in function(**tensors).items()}

    return run


def finite(array: np.ndarray, location: str) -> np.ndarray:
    """Checks that the values of an example are finite, and returns them.

    Raises:
        SeqzooError: a value is NaN or infinite; the message names the location.
    """
    bad = array.size - np.count_nonzero(np.isfinite(array))
    if bad:
        raise SeqzooError(
            f"Values must be finite, but {location} contains NaN or infinite values ({bad} of "
            f"{array.size}); remove or fix it.",
            location=location,
        )
    return array


def moments(values: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation over all axes but the last; the deviation of equal values, which
    rounding may leave above zero, is one."""
    values = values.reshape(-1, values.shape[-1]).astype(np.float64)
    varies = (values != values[:1]).any(0)
    scale = np.where(varies, values.std(0), 1.0)
    return values.mean(0).tolist(), np.where(scale > 0, scale, 1.0).tolist()

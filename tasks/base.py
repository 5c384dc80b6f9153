"""What every template and its prepared form offer to training, evaluation and export."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from seqzoo.tasks.errors import SeqzooError

if TYPE_CHECKING:
    import numpy as np

    from seqzoo.tasks.batching import Data
    from seqzoo.tasks.examples import Examples
    from seqzoo.tasks.vocabulary import Vocabulary


@dataclass(frozen=True)
class Answer:
    """What a model says about one input.

    Attributes:
        label: the answer as text.
        value: the answer itself: a string, a tuple of strings, a number or a tuple of numbers.
        probability: of the answer, or None where it has none.
        alternatives: the most probable labels with their probabilities, best first.
    """

    label: str
    value: Any
    probability: float | None = None
    alternatives: tuple[tuple[str, float], ...] = ()


class Template(ABC):
    """A kind of sequence problem: a frozen dataclass of what a user chooses.

    It knows nothing of where data comes from, and its module imports neither Keras nor TensorFlow,
    so that a command line can know it without them.
    """

    name: ClassVar[str]
    """Of the template on the command line."""

    @abstractmethod
    def adapt(self, examples: Examples) -> Prepared:
        """The template with all that it learns from training examples before training.

        Raises:
            SeqzooError: it does not fit the examples, or a choice is wrong.
        """

    @abstractmethod
    def restore(self, config: dict[str, Any], vocabularies: dict[str, Vocabulary]) -> Prepared:
        """The opposite of `Prepared.to_config` and `Prepared.vocabularies`."""

    def to_config(self) -> dict[str, Any]:
        """All choices, fit for JSON."""
        return asdict(self)  # pyright: ignore[reportArgumentType]

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The opposite of `to_config`.

        Raises:
            SeqzooError: a choice is unknown, or out of its range.
        """
        try:
            return cls(**config)
        except TypeError as error:
            raise SeqzooError(f"These are not choices of {cls.name}: {error}.") from error


class Prepared(ABC):
    """A template together with what it learnt from training examples: enough to build its model,
    train it, score it, answer with it and export it.

    Attributes:
        metric: name of the figure that is shown beside the loss.
        better: 1 where a larger metric is better, -1 where a smaller one is.
    """

    metric: str
    better: int

    @abstractmethod
    def build(self, precision: str) -> Any:
        """A new `keras.Model`.

        Args:
            precision: Keras' dtype policy of its layers.

        Returns:
            A model that takes {"values", "lengths"} and gives float32 outputs.
        """

    @abstractmethod
    def data(self, examples: Examples, *, targets: bool = True) -> Data:
        """Examples as the model takes them.

        Raises:
            SeqzooError: an example is not as it should be.
        """

    @abstractmethod
    def objective(self, outputs: Any, batch: dict[str, Any]) -> tuple[Any, Any]:
        """Loss of each example, shape (batch,), and what the metric is made of, summed over
        examples: shape (batch, `sums`)."""

    @property
    @abstractmethod
    def sums(self) -> int:
        """How many numbers the metric is made of."""

    @abstractmethod
    def measure(self, sums: np.ndarray, weight: float) -> float:
        """The metric from the sums over `weight` examples."""

    @property
    @abstractmethod
    def step(self) -> tuple[tuple[int, ...], str]:
        """Shape and type of one step of the model's "values"."""

    @property
    @abstractmethod
    def signature(self) -> list:
        """The `tf.TensorSpec`s of raw inputs."""

    @abstractmethod
    def respond(self, model: Any, raw: tuple, top: int) -> dict[str, Any]:
        """Raw inputs to answers, in TensorFlow operations alone."""

    @abstractmethod
    def decode(self, outputs: Any, top: int) -> dict[str, Any]:
        """The model's outputs to answers, in TensorFlow operations alone."""

    @abstractmethod
    def answers(self, decoded: dict[str, np.ndarray]) -> list[Answer]:
        """Answers for people from what `decode` gave."""

    @abstractmethod
    def figures(self, outputs: np.ndarray, data: Data) -> dict[str, Any]:
        """All figures of an evaluation, fit for JSON, without number of examples and loss."""

    @property
    @abstractmethod
    def vocabularies(self) -> dict[str, Vocabulary]:
        """Vocabularies by the names of their files."""

    @abstractmethod
    def to_config(self) -> dict[str, Any]:
        """All that was learnt, except for vocabularies, fit for JSON."""

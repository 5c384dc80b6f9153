"""The contract of templates, and of the tasks that they become with training examples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.kinds import load
from seqzoo.tasks.settings import BestBy, TrainingSettings

if TYPE_CHECKING:
    import pathlib

    import numpy as np

    from seqzoo.tasks.data.batch_plans import Padding, Plan
    from seqzoo.tasks.data.examples import Examples
    from seqzoo.tasks.data.sequences import Data
    from seqzoo.tasks.decoding import Decoding
    from seqzoo.tasks.preprocessing.vocabulary import Vocabulary


@dataclass(frozen=True)
class Answer:
    """What a model says about one input.

    Attributes:
        label: the answer as text.
        value: the answer itself: a string, a tuple of strings, a number or a tuple of numbers.
        probability: of the answer, or None where it has none.
        alternatives: the most probable labels with their probabilities, best first.
        token_probabilities: of the alternatives that are texts, the probability of a token, which
            is the geometric mean over the tokens of the text and its end; of other answers none.
    """

    label: str
    value: Any
    probability: float | None = None
    alternatives: tuple[tuple[str, float], ...] = ()
    token_probabilities: tuple[float, ...] = ()


@dataclass(frozen=True)
class AnswerOptions:
    """How a model is asked.

    Attributes:
        top: labels an answer has, at most.
        decoding: how texts are generated; None for the template's own way.
        seed: of texts that are drawn at random; None for others each time.
    """

    top: int = 5
    decoding: Decoding | None = None
    seed: int | None = None


class Template(ABC):
    """A kind of sequence problem: a frozen dataclass of what a user chooses.

    It knows nothing of where data comes from, and its module imports neither Keras nor TensorFlow,
    so that a command line can know it without them.
    """

    name: ClassVar[str]
    """Name of the template on the command line."""

    input: Any
    """What a sequence is made of: a name in `seqzoo.tasks.kinds.INPUTS`."""

    target: Any
    """What an answer is: a name in `seqzoo.tasks.kinds.TARGETS`."""

    @property
    @abstractmethod
    def task_class(self) -> str:
        """The class of its tasks, "module:Class"; a name, because to import it takes TensorFlow."""

    @property
    def default_settings(self) -> TrainingSettings:
        """How it is trained where nothing else is chosen; docs/training.md says why so."""
        return TrainingSettings()

    def adapt(self, examples: Examples) -> Task:
        """The task: the template with all that is learnt from training examples before training.

        Raises:
            SeqzooError: it does not fit the examples, or a choice is wrong.
        """
        return load(self.task_class).adapt(self, examples)

    def restore(self, config: dict[str, Any], vocabularies: dict[str, Vocabulary]) -> Task:
        """The opposite of `Task.to_config` and `Task.vocabularies`."""
        return load(self.task_class).restore(self, config, vocabularies)

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


class Outcome(NamedTuple):
    """What a model made of a batch.

    Attributes:
        losses: of each example, summed over its steps, (batch,), float32.
        sums: what the metric is made of, summed over steps, (batch, `Task.sums`).
        carried: states for the batch that follows, each (batch, units); see `Task.carries`.
        shown: losses that people compare with those of validation, without what training alone
            adds, as label smoothing; None where they are `losses`.
    """

    losses: Any
    sums: Any
    carried: tuple[Any, ...] = ()
    shown: Any = None


class Task(ABC):
    """A template together with what it learnt from training examples: enough to build its model,
    train it, score it, answer with it and export it.

    A batch is a dictionary, see `seqzoo.tasks.data.pipeline.batches`.

    Attributes:
        template: the choices.
        features: how inputs become tensors.
        metric: name of the figure that is shown beside the loss.
        better: 1 where a larger metric is better, -1 where a smaller one is.
        sums: how many numbers the metric is made of.
        carries: units of each state that a batch hands on to the next one; none by default.
    """

    template: Any
    features: Any
    metric: str
    better: int
    sums: int
    carries: tuple[int, ...] = ()
    best_by: BestBy = "metric"
    """What the best epoch has the best of, where nothing else is said."""
    judges: tuple[BestBy, ...] = ("loss", "metric")
    """What it may have the best of."""

    @classmethod
    def adapt(cls, template: Any, examples: Examples) -> Self:
        """The task of a template and its training examples.

        Raises:
            SeqzooError: there are no examples, they do not fit the template, or it names a cell
                that is not there.
        """
        from seqzoo.tasks.layers.recurrent import make_cell

        make_cell(template)
        if not len(examples):
            raise SeqzooError("Training needs examples, but there are none.")
        return cls.learn(template, examples)

    @classmethod
    @abstractmethod
    def learn(cls, template: Any, examples: Examples) -> Self:
        """The task with all that is learnt from some examples, at least one.

        Raises:
            SeqzooError: they do not fit the template.
        """

    @classmethod
    @abstractmethod
    def restore(cls, template: Any, config: dict[str, Any], vocabularies: dict) -> Self:
        """The opposite of `to_config` and `vocabularies`."""

    @abstractmethod
    def build(self, precision: str) -> Any:
        """A new `keras.Model`.

        Args:
            precision: Keras' dtype policy of its layers.
        """

    def data(self, examples: Examples, *, targets: bool = True) -> Data:
        """Examples as the model takes them.

        Args:
            examples: raw ones.
            targets: whether their targets are wanted, too.

        Raises:
            SeqzooError: there are none, or one is empty, not finite or of the wrong shape.
        """
        if not len(examples):
            raise SeqzooError("At least one example is needed, but there are none.")
        return self.encode(examples, targets)

    @abstractmethod
    def encode(self, examples: Examples, targets: bool) -> Data:
        """What `data` makes of some examples, at least one.

        Raises:
            SeqzooError: an example is empty, not finite or of the wrong shape.
        """

    def plan(
        self,
        data: Data,
        padding: Padding,
        settings: TrainingSettings,
        *,
        multiple: int = 1,
        seed: tuple[int, ...] | None = None,
    ) -> Plan:
        """The batches of an epoch; see `seqzoo.tasks.data.batch_plans.make_plan`."""
        from seqzoo.tasks.data.batch_plans import make_plan

        return make_plan(
            data,
            padding,
            settings.batch_size,
            steps_a_batch=settings.batch_steps,
            multiple=multiple,
            seed=seed,
        )

    @abstractmethod
    def forward(self, model: Any, batch: dict[str, Any], training: bool) -> Outcome:
        """The loss of a batch with targets."""

    def counts(self, batch: dict[str, Any]) -> Any:
        """Over how many answers the loss of each example is summed, (batch,), float32."""
        import tensorflow as tf

        return tf.ones_like(batch["weights"])

    @abstractmethod
    def measure(self, sums: np.ndarray, count: float) -> float:
        """The metric from the sums over `count` answers."""

    @property
    def signature(self) -> list:
        """The `tf.TensorSpec`s of raw inputs."""
        return self.features.signature

    @abstractmethod
    def respond(self, model: Any, raw: tuple, options: AnswerOptions) -> dict[str, Any]:
        """Raw inputs to answers, in TensorFlow operations alone."""

    def signatures(self, model: Any, options: AnswerOptions) -> dict[str, tuple[Any, list]]:
        """Further signatures of an exported model by name: each a function of raw inputs by name
        to a dictionary of tensors, and the `tf.TensorSpec`s of its inputs."""
        return {}

    @abstractmethod
    def infer(self, model: Any, batch: dict[str, Any], options: AnswerOptions) -> dict[str, Any]:
        """A batch to all that `answers` and `figures` need, in TensorFlow operations alone; the
        first axis of each tensor is that of the batch."""

    def score(self, model: Any, batch: dict[str, Any], options: AnswerOptions) -> dict[str, Any]:
        """`infer`, and the "loss" and "count" of each example of a batch with targets; where states
        are carried on, "carried" too."""
        outcome = self.forward(model, batch, training=False)
        found = {"loss": outcome.losses, "count": self.counts(batch)}
        return found | self.infer(model, batch, options)

    def judge(self, by: BestBy, found: dict[str, list], examples: Examples) -> float:
        """A figure of `judges` that `forward` does not give, larger where answers are better.

        Args:
            by: which one.
            found: the tensors of `infer`, as lists with an array an example.
            examples: that were asked, with targets.
        """
        raise TypeError(f"{type(self).__name__} lists {by!r} in `judges` and does not compute it.")

    @abstractmethod
    def answers(self, found: dict[str, list], inputs: Any, options: AnswerOptions) -> list[Answer]:
        """Answers for people from what `infer` found, one array an example.

        Args:
            found: the tensors of `infer`, as lists with an array an example.
            inputs: the raw inputs.
            options: how was asked.
        """

    @abstractmethod
    def figures(
        self, found: dict[str, list], data: Data, examples: Examples, options: AnswerOptions
    ) -> dict[str, Any]:
        """All figures of an evaluation, fit for JSON, without number of examples and loss."""

    def illustrate(
        self,
        model: Any,
        examples: Examples,
        found: dict[str, list],
        folder: pathlib.Path,
        options: AnswerOptions,
    ) -> None:
        """Writes plots of some answers beside the figures of an evaluation; none by default.

        Args:
            model: the trained model.
            examples: that were scored.
            found: the tensors of `score`, as lists with an array an example.
            folder: of the evaluation.
            options: how was asked.
        """
        return None

    @property
    def vocabularies(self) -> dict[str, Vocabulary]:
        """Vocabularies by the names of their files."""
        return self.features.vocabularies

    @abstractmethod
    def to_config(self) -> dict[str, Any]:
        """All that was learnt, except for vocabularies, fit for JSON."""

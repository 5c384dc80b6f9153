"""The contract of templates, and of the tasks that they make from training examples."""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.kinds import load
from seqzoo.tasks.settings import BestBy, TrainingSettings

if TYPE_CHECKING:
    import pathlib

    import numpy as np

    from seqzoo.tasks.data.batches import Data
    from seqzoo.tasks.data.examples import Examples
    from seqzoo.tasks.decoding import Decoding
    from seqzoo.tasks.preprocessing.vocabulary import Vocabulary


@dataclass(frozen=True)
class Prediction:
    """A prediction for one input.

    Attributes:
        label: the prediction as text.
        value: the prediction: a string, a tuple of strings, a number or a tuple of numbers.
        probability: probability of the prediction, or None if it has none.
        alternatives: the most probable labels with their probabilities, best first.
        token_probabilities: for each alternative that is a text, the geometric mean of the
            probabilities of its tokens and its end token, or of its symbols if it is aligned with
            the input; empty for other predictions.
        alignment: for a text that is aligned with the steps of the input, each symbol with its
            first step and the step after its last one; empty for other predictions.
        step_probabilities: probability of each tag; empty for other predictions.
    """

    label: str
    value: Any
    probability: float | None = None
    alternatives: tuple[tuple[str, float], ...] = ()
    token_probabilities: tuple[float, ...] = ()
    alignment: tuple[tuple[str, int, int], ...] = ()
    step_probabilities: tuple[float, ...] = ()


@dataclass(frozen=True)
class PredictionOptions:
    """Prediction options.

    Attributes:
        top: maximum number of alternatives.
        decoding: how texts are generated; None for the template's default.
        seed: random seed for sampling; None for different texts each time.
        positions: the position of each input among all inputs, on which its texts depend if a seed
            is given; None for 0, 1, ...

    Raises:
        SeqzooError: `top` is below 1.
    """

    top: int = 5
    decoding: Decoding | None = None
    seed: int | None = None
    positions: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        whole = isinstance(self.top, numbers.Integral) and not isinstance(self.top, bool)
        if not whole or self.top < 1:
            raise SeqzooError(field="top", expected="a whole number of at least 1", got=self.top)


class Template(ABC):
    """A kind of sequence problem: a frozen dataclass of options.

    It does not depend on where the data comes from, and its module imports neither Keras nor
    TensorFlow, so that the command line starts quickly.
    """

    name: ClassVar[str]
    """Name of the template on the command line."""

    input: Any
    """The input type: a name in `seqzoo.tasks.kinds.INPUTS`."""

    target: Any
    """The target type: a name in `seqzoo.tasks.kinds.TARGETS`."""

    @property
    @abstractmethod
    def task_class(self) -> str:
        """The class of its tasks, "module:Class"; a string, since its module imports TensorFlow."""

    @property
    def default_settings(self) -> TrainingSettings:
        """The default training settings; docs/training.md has the reasons."""
        return TrainingSettings()

    def adapt(self, examples: Examples) -> Task:
        """Makes a task: the template with what it learns from the examples before training.

        Raises:
            SeqzooError: the template does not fit the examples, or an option is invalid.
        """
        return load(self.task_class).adapt(self, examples)

    def restore(self, config: dict[str, Any], vocabularies: dict[str, Vocabulary]) -> Task:
        """The inverse of `Task.to_config` and `Task.vocabularies`."""
        return load(self.task_class).restore(self, config, vocabularies)

    def to_config(self) -> dict[str, Any]:
        """All options as in JSON, so that a stored template equals a new one."""
        config = asdict(self)  # pyright: ignore[reportArgumentType]
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in config.items()
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of `to_config`.

        Raises:
            SeqzooError: an option is unknown or out of range.
        """
        try:
            return cls(**config)
        except TypeError as error:
            raise SeqzooError(f"The options do not fit {cls.name}: {error}.") from error


class Outcome(NamedTuple):
    """The results of a model for a batch.

    Attributes:
        losses: the loss of each example, summed over its steps, (batch,), float32.
        sums: the terms of the metric, summed over steps, (batch, `Task.sums`).
        carried: states for the next batch, each (batch, units); see `Task.carries`.
        reported: losses to report, which can be compared with validation losses: without label
            smoothing and other terms that only training has; None if they equal `losses`.
    """

    losses: Any
    sums: Any
    carried: tuple[Any, ...] = ()
    reported: Any = None


class Task(ABC):
    """A template with what it learned from training examples: enough to build the model, train it,
    evaluate it, predict with it and export it.

    A batch is a dictionary; see `seqzoo.tasks.data.batches.batches`.

    Attributes:
        template: the options.
        features: how inputs become tensors.
        metric: name of the metric that is reported alongside the loss.
        better: 1 if larger values of the metric are better, -1 if smaller ones are.
        sums: number of terms of the metric.
        carries: units of each state that is passed from one batch to the next; none by default.
    """

    template: Any
    features: Any
    metric: str
    better: int
    sums: int
    carries: tuple[int, ...] = ()
    best_by: BestBy = "metric"
    """The default criterion for the best epoch."""
    criteria: tuple[BestBy, ...] = ("loss", "metric")
    """The criteria that can be chosen."""
    default_options = PredictionOptions()
    """The default prediction options."""

    @classmethod
    def adapt(cls, template: Any, examples: Examples) -> Self:
        """Makes the task of a template from training examples.

        Raises:
            SeqzooError: there are no examples, they do not fit the template, or its cell does not
                exist.
        """
        from seqzoo.tasks.layers.recurrent import make_cell

        make_cell(template)
        if not len(examples):
            raise SeqzooError("Training needs examples, but there are none.")
        return cls.learn(template, examples)

    @classmethod
    @abstractmethod
    def learn(cls, template: Any, examples: Examples) -> Self:
        """Makes a task from at least one training example.

        Raises:
            SeqzooError: the examples do not fit the template.
        """

    @classmethod
    @abstractmethod
    def restore(cls, template: Any, config: dict[str, Any], vocabularies: dict) -> Self:
        """The inverse of `to_config` and `vocabularies`."""

    @abstractmethod
    def build(self, precision: str) -> Any:
        """A new `keras.Model`.

        Args:
            precision: Keras' dtype policy for the layers.
        """

    def data(self, examples: Examples, *, targets: bool = True) -> Data:
        """Encodes examples for the model.

        Args:
            examples: raw examples.
            targets: whether to encode their targets, too.

        Raises:
            SeqzooError: there are no examples, or one is empty, not finite or of the wrong shape.
        """
        if not len(examples):
            raise SeqzooError("At least one example is needed, but there are none.")
        return self.encode(examples, targets)

    @abstractmethod
    def encode(self, examples: Examples, targets: bool) -> Data:
        """Encodes at least one example; see `data`.

        Raises:
            SeqzooError: an example is empty, not finite or of the wrong shape.
        """

    def weigh(self, settings: TrainingSettings, data: Data) -> None:
        """Prepares `forward` for the loss weights that the training settings ask for.

        Args:
            settings: the training settings.
            data: the training examples.

        Raises:
            SeqzooError: the settings do not fit the task.
        """
        from seqzoo.tasks.targets.weighting import refuse

        refuse(settings, "the targets 'class' and 'tags'", ["class_weight"])
        refuse(settings, "the targets 'class', 'labels' and 'tags'", ["focal"])

    @abstractmethod
    def forward(self, model: Any, batch: dict[str, Any], training: bool) -> Outcome:
        """The loss and the terms of the metric for a batch with targets."""

    def counts(self, batch: dict[str, Any]) -> Any:
        """The number of predictions that each example's loss is summed over, (batch,), float32."""
        import tensorflow as tf

        return tf.ones_like(batch["weights"])

    @abstractmethod
    def measure(self, sums: np.ndarray, count: float) -> float:
        """The metric from the sums over `count` predictions."""

    @property
    def signature(self) -> list:
        """The `tf.TensorSpec`s of raw inputs."""
        return self.features.signature

    @abstractmethod
    def respond(self, model: Any, raw: tuple, options: PredictionOptions) -> dict[str, Any]:
        """Predictions for raw inputs, with TensorFlow operations only."""

    def signatures(self, model: Any, options: PredictionOptions) -> dict[str, tuple[Any, list]]:
        """Additional signatures of an exported model, by name: for each, a function from named raw
        inputs to a dictionary of tensors, and the `tf.TensorSpec`s of its inputs."""
        return {}

    def companions(self, options: PredictionOptions) -> list[Any]:
        """Other models that predictions with these options need; they are exported, too."""
        return []

    @abstractmethod
    def infer(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        """Computes what `predictions` and `compute_metrics` need, with TensorFlow operations only;
        the first axis of each tensor is the batch."""

    def traced_options(self, options: PredictionOptions) -> Any:
        """The part of the options that the graph of `infer` depends on, hashable; None if the
        options are only used after `infer`."""
        return None

    def score(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        """The tensors of `infer` and the "loss" and "count" of each example, for a batch with
        targets; also "carried" if states are carried over."""
        outcome = self.forward(model, batch, training=False)
        results = {"loss": outcome.losses, "count": self.counts(batch)}
        return results | self.infer(model, batch, options)

    def criterion_value(self, by: BestBy, results: dict[str, list], examples: Examples) -> float:
        """The value of a criterion in `criteria` that `forward` does not compute; larger is better.

        Args:
            by: the criterion.
            results: the tensors of `infer`, as lists with one array per example.
            examples: the examples, with targets.
        """
        raise TypeError(
            f"{type(self).__name__} lists {by!r} in `criteria` but does not compute it."
        )

    @abstractmethod
    def predictions(
        self, results: dict[str, list], inputs: Any, options: PredictionOptions
    ) -> list[Prediction]:
        """Predictions from the tensors of `infer`.

        Args:
            results: the tensors of `infer`, as lists with one array per example.
            inputs: the raw inputs.
            options: the prediction options.
        """

    @abstractmethod
    def compute_metrics(
        self, results: dict[str, list], data: Data, examples: Examples, options: PredictionOptions
    ) -> dict[str, Any]:
        """The metrics of an evaluation, JSON-serialisable, without the loss and the count."""

    def illustrate(
        self,
        model: Any,
        examples: Examples,
        results: dict[str, list],
        folder: pathlib.Path,
        options: PredictionOptions,
        target: str | None = None,
    ) -> None:
        """Writes plots of some predictions to the folder of an evaluation; none by default.

        Args:
            model: the trained model.
            examples: the evaluated examples.
            results: the tensors of `score`, as lists with one array per example.
            folder: the folder of the evaluation.
            options: the prediction options.
            target: the column or columns of the target, as in the source of a run; None if they
                are not known.
        """
        return None

    @property
    def vocabularies(self) -> dict[str, Vocabulary]:
        """Vocabularies by file name."""
        return self.features.vocabularies

    @abstractmethod
    def to_config(self) -> dict[str, Any]:
        """The learned state except for vocabularies, JSON-serialisable."""

"""Protocols for what only some tasks can do, to be checked with `isinstance`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from seqzoo.tasks.base import PredictionOptions
    from seqzoo.tasks.data.batches import Data
    from seqzoo.tasks.decoding import Decoding
    from seqzoo.tasks.preprocessing.base import Features
    from seqzoo.tasks.targets.texts import Texts


@runtime_checkable
class Generates(Protocol):
    """Generates predictions step by step: texts, or the continuation of a sequence."""

    @property
    def decoding(self) -> Decoding:
        """The default decoding options."""
        ...


@runtime_checkable
class StreamsText(Protocol):
    """Predicts texts that can be streamed token by token."""

    texts: Texts

    def decode_arguments(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        """The arguments of `seqzoo.tasks.decoding.decoder.decode` that generate a batch's texts."""
        ...

    def detokenize(self, tokens: Any, lengths: Any) -> Any:
        """Tokens (..., time) and lengths (...) -> their texts, strings (...)."""
        ...


@runtime_checkable
class ContinuesText(Protocol):
    """Predicts continuations of inputs that are texts."""

    def continued(self, text: str, prediction: str) -> str:
        """A text followed by its continuation, as one text."""
        ...


@runtime_checkable
class ScoresTexts(Protocol):
    """Computes the probability of a text."""

    @property
    def features(self) -> Features:
        """The tokenisation of texts."""
        ...

    def log_probabilities(self, model: Any, text: Any) -> dict[str, Any]:
        """The "log_probability" of texts, strings (batch,), with TensorFlow operations only."""
        ...


@runtime_checkable
class ShowsTokens(Protocol):
    """Makes one prediction for each token of an input."""

    def tokens(self, value: Any) -> list[str] | None:
        """The tokens of an input, or None if it consists of numbers."""
        ...


@runtime_checkable
class Transcribes(Protocol):
    """Decodes predictions from the outputs of all steps of an input."""

    def transcribe(self, outputs: Any, lengths: Any, options: PredictionOptions) -> dict[str, Any]:
        """The tensors that `Task.predictions` needs, from outputs (batch, time, size) and lengths
        (batch,)."""
        ...


class Readout(NamedTuple):
    """The inputs and targets of the output layer for a batch with n predictions, such as one per
    step.

    Attributes:
        features: inputs of the layer, (n, d).
        targets: desired outputs of the layer, (n, k).
        inside: whether each prediction counts or is padding, (n,), bool.
    """

    features: Any
    targets: Any
    inside: Any


@runtime_checkable
class FitsReadout(Protocol):
    """Has a dense output layer that can be fitted by least squares."""

    reads_out_steps: bool
    """Whether each step has a prediction."""

    @property
    def logits(self) -> bool:
        """Whether outputs are log-odds; their scale is then fitted, too."""
        ...

    def output_layer(self, model: Any) -> Any:
        """The dense layer."""
        ...

    def readout(self, model: Any, batch: dict[str, Any], washout: int) -> Readout:
        """The `Readout` of a batch, without the first `washout` steps of a sequence if each step
        has a prediction."""
        ...


@runtime_checkable
class Calibrates(Protocol):
    """Predicts class probabilities, from the logits of one layer."""

    @property
    def calibrated_layer(self) -> str | None:
        """The name of the dense layer whose outputs are the logits; None if there is none."""
        ...

    def class_logits(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        """The "logits" of a batch, (batch, ...), with TensorFlow operations only."""
        ...

    def decisions(self, results: dict[str, list], data: Data) -> tuple[np.ndarray, np.ndarray]:
        """The results of `class_logits` as (n, classes), and the indices of the true classes,
        (n,)."""
        ...


@runtime_checkable
class Corrects(Protocol):
    """Predicts quantiles that can be corrected on held-out values, through the model's
    weight `correction`."""

    def uncorrected(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        """The true values of a batch minus their uncorrected quantiles, with TensorFlow operations
        only."""
        ...

    def folds(self, training: Data, validation: Data | None, count: int) -> list[tuple[Data, Data]]:
        """Divides examples into successive folds: for each, the examples to train on, whose targets
        are not in the fold, and those of the fold, or some of them.

        Raises:
            SeqzooError: a fold is empty, or too few examples are left to train on.
        """
        ...

    def corrections(self, results: dict[str, list]) -> np.ndarray:
        """The value of the model's `correction`, from the results of `uncorrected`."""
        ...


@runtime_checkable
class Averages(Protocol):
    """Forecasts the average of a network and a linear model, whose share is the weight
    `linear.share` of the model."""

    def fit_linear(self, model: Any, training: Data) -> bool:
        """Fits the linear model to the training examples; False if there are too few."""
        ...

    def points_and_truth(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        """The point forecasts of a batch, "points", and the true values, "truth", NaN where
        unknown; with TensorFlow operations only."""
        ...


@runtime_checkable
class Cuts(Protocol):
    """Has a loss at each step, so that batches can be cut into windows."""

    def steps(self, batch: dict[str, Any]) -> Any:
        """The number of steps of a batch, padding included."""
        ...

    def first_states(
        self, model: Any, batch: dict[str, Any], layers: Sequence[Any]
    ) -> Sequence[Any]:
        """The states of the recurrent layers of a model before the first step of a batch."""
        ...

    def cut(self, batch: dict[str, Any], start: Any, stop: Any, size: int) -> dict[str, Any]:
        """Cuts a range of time steps out of a batch.

        Args:
            batch: a batch with targets.
            start: the first step.
            stop: the step after the last one; sequences are cut off there.
            size: number of time steps of the result, at least `stop` - `start`.
        """
        ...

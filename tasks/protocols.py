"""Abilities that only some tasks have: protocols to check with `isinstance`."""

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
    """Predictions are generated step by step: texts, or the continuation of a sequence."""

    @property
    def decoding(self) -> Decoding:
        """The default options."""
        ...


@runtime_checkable
class StreamsText(Protocol):
    """Predictions are texts that can be streamed token by token."""

    texts: Texts

    def opening(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        """The arguments of `seqzoo.tasks.decoding.decoder.decode` for the texts of a batch."""
        ...

    def written(self, tokens: Any, lengths: Any) -> Any:
        """Tokens (..., time) and lengths (...) -> their texts, strings (...)."""
        ...


@runtime_checkable
class ContinuesText(Protocol):
    """A prediction is a continuation of the input, which is text."""

    def continued(self, text: str, prediction: str) -> str:
        """A text followed by its continuation, as one text."""
        ...


@runtime_checkable
class ScoresTexts(Protocol):
    """It computes the probability of a text."""

    @property
    def features(self) -> Features:
        """The tokenisation of texts."""
        ...

    def rate(self, model: Any, text: Any) -> dict[str, Any]:
        """The "log_probability" of texts, strings (batch,), with TensorFlow operations only."""
        ...


@runtime_checkable
class ShowsTokens(Protocol):
    """There is one prediction for each token of an input."""

    def tokens(self, value: Any) -> list[str] | None:
        """The tokens of an input, or None if it consists of numbers."""
        ...


@runtime_checkable
class Transcribes(Protocol):
    """The prediction is decoded from the outputs of all steps of an input."""

    def transcribe(self, outputs: Any, lengths: Any, options: PredictionOptions) -> dict[str, Any]:
        """The tensors that `Task.predictions` needs, from outputs (batch, time, size) and lengths
        (batch,)."""
        ...


class Readout(NamedTuple):
    """The inputs and targets of the output layer for a batch; n is the number of predictions, such
    as steps.

    Attributes:
        features: inputs of the layer, (n, d).
        targets: its desired outputs, (n, k).
        inside: whether each counts, and is not padding, (n,) of bool.
    """

    features: Any
    targets: Any
    inside: Any


@runtime_checkable
class FitsReadout(Protocol):
    """The last layer is dense, and can be fitted by least squares."""

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
    """Its probabilities are those of classes, and come from the logits of one layer."""

    @property
    def calibrated_layer(self) -> str | None:
        """The name of the dense layer whose outputs are the logits; None if they are not."""
        ...

    def class_logits(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        """The "logits" of a batch, (batch, ...), with TensorFlow operations only."""
        ...

    def decisions(self, found: dict[str, list], data: Data) -> tuple[np.ndarray, np.ndarray]:
        """The results of `class_logits` as (n, classes), and the indices of the true classes,
        (n,)."""
        ...


@runtime_checkable
class Corrects(Protocol):
    """Its quantiles can be corrected by held-out values; the model has a weight `correction`."""

    def uncorrected(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        """How far the true values of a batch lie above the uncorrected quantiles, with TensorFlow
        operations only."""
        ...

    def corrections(self, found: dict[str, list]) -> np.ndarray:
        """The value of the model's `correction`, from the results of `uncorrected`."""
        ...


@runtime_checkable
class Cuts(Protocol):
    """There is a loss at each step, so that a batch can be cut along time."""

    def steps(self, batch: dict[str, Any]) -> Any:
        """The number of steps of a batch, padding included."""
        ...

    def first_states(
        self, model: Any, batch: dict[str, Any], layers: Sequence[Any]
    ) -> Sequence[Any]:
        """The states of the recurrent layers of a model before the first step of a batch."""
        ...

    def cut(self, batch: dict[str, Any], start: Any, stop: Any, size: int) -> dict[str, Any]:
        """A part of a batch.

        Args:
            batch: a batch with targets.
            start: its first step.
            stop: the step after its last one; sequences end there.
            size: steps of its tensors, at least those between.
        """
        ...

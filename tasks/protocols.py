"""What some tasks can do and others cannot: protocols to ask a task by `isinstance`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from seqzoo.tasks.decoding import Decoding
    from seqzoo.tasks.preprocessing.base import Features


@runtime_checkable
class Generates(Protocol):
    """Answers are generated step by step: texts, or what follows a sequence."""

    @property
    def decoding(self) -> Decoding:
        """How, where nothing else is said."""
        ...


@runtime_checkable
class ContinuesText(Protocol):
    """An answer is what follows the input, which is text."""

    def continued(self, text: str, answer: str) -> str:
        """A text with the answer behind it, as one text."""
        ...


@runtime_checkable
class ScoresTexts(Protocol):
    """It says how probable a text is."""

    @property
    def features(self) -> Features:
        """How texts are split."""
        ...

    def rate(self, model: Any, text: Any) -> dict[str, Any]:
        """The "log_probability" of texts, strings (batch,), in TensorFlow operations alone."""
        ...


@runtime_checkable
class ShowsTokens(Protocol):
    """Answers belong to the tokens of an input, one by one."""

    def tokens(self, value: Any) -> list[str] | None:
        """What one input's answers belong to, or None where it is numbers."""
        ...

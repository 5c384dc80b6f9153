"""The template with a prediction at each step: tags, numbers, or the next step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from seqzoo.tasks.base import Template
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.kinds import ALIGNED, INPUTS, TEXTS, inputs_of, targets_of
from seqzoo.tasks.settings import TrainingSettings, between, choose, least

if TYPE_CHECKING:
    AlignedInput = AlignedTarget = str
else:
    AlignedInput, AlignedTarget = inputs_of(ALIGNED), targets_of(ALIGNED)

CharacterReader = Literal["recurrent", "convolution"]

TASKS = {
    "tags": "seqzoo.tasks.many_to_many_aligned.tagger:TaggerTask",
    "values": "seqzoo.tasks.many_to_many_aligned.step_regression:StepRegressionTask",
    "next": "seqzoo.tasks.many_to_many_aligned.forecaster:ForecasterTask",
}
"""The class of tasks of each target."""

LANGUAGE_MODEL = "seqzoo.tasks.many_to_many_aligned.language_model:LanguageModelTask"
"""That of "next" for text."""


@dataclass(frozen=True)
class ManyToManyAligned(Template):
    """A sequence in, a prediction at each of its steps: recurrent layers -> dense [-> CRF].

    Attributes:
        input: what a sequence is made of: the words of a sentence, the characters of a text,
            numbers, or "notes", frames of zeros and ones of which several may sound at once.
        target: "tags", one class a step; "values", numbers a step; "next", the step that follows:
            a language model of characters, words or subwords, a forecaster of series, a composer
            of notes.
        cell: name of the cell in `seqzoo.cells.CELLS`.
        units: units per layer and direction.
        layers: number of recurrent layers.
        bidirectional: whether each layer reads in both directions; None for tags and values. What
            is "next" must not be seen beforehand.
        dropout: dropout rate on each layer's inputs and on the last features.
        recurrent_dropout: dropout rate on recurrent inputs.
        cell_options: options of the cell.
        embedding: embedding size.
        vocabulary_size: characters or words kept at most, padding and unknown included.
        minimum_count: how often a character or word must occur in training to be kept.
        lowercase: whether words are put in lower case first, except for their characters.
        nfc: whether text is put in Unicode's composed form (NFC) first, in which "é" is one
            character however it was typed. Not where each character has an answer, since it changes
            their number.
        characters: units of the layer, in both directions, that reads the characters of each word;
            0 for none. For "words" with "tags".
        character_reader: what reads them: "recurrent", the same cell as above; or "convolution", of
            twice as many filters, so that a word's vector is as large. It is three times as fast
            and, on UD English EWT, 0.2 points less right.
        character_embedding: size of the vector of a character of a word.
        word_dropout: share of words replaced by the unknown token in training; their characters
            stay. For "words" with "tags".
        crf: whether tags are decoded jointly, by a conditional random field.
        window: steps that a long sequence is cut to in training with "next", through which
            gradients flow. Texts carry the states on from window to window; series and notes take
            a window from anywhere in the sequence, and begin it with a zero state.
        horizon: steps that follow a series or notes where nothing else is said.
        whole: whether the examples are parts of one long text or series; no start or end token
            stands between the windows of a text. For "next".
        tied: whether input and output embeddings are tied.

    Raises:
        SeqzooError: a value is out of its range, or choices do not fit each other.
    """

    name: ClassVar[str] = ALIGNED
    maximum_length: ClassVar[None] = None
    """Sequences are never truncated, since each step has a target."""

    input: AlignedInput = "words"
    target: AlignedTarget = "tags"
    cell: str = "gru"
    units: int = 128
    layers: int = 1
    bidirectional: bool | None = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    cell_options: Mapping[str, Any] = field(default_factory=dict)
    embedding: int = 64
    vocabulary_size: int = 20_000
    minimum_count: int = 2
    lowercase: bool = False
    nfc: bool = False
    characters: int = 0
    character_reader: CharacterReader = "recurrent"
    character_embedding: int = 32
    word_dropout: float = 0.0
    crf: bool = False
    window: int = 100
    horizon: int = 24
    whole: bool = False
    tied: bool = False

    def __post_init__(self) -> None:
        choose("input", self.input, AlignedInput)
        choose("target", self.target, AlignedTarget)
        choose("character_reader", self.character_reader, CharacterReader)
        least(
            self,
            units=1,
            layers=1,
            embedding=1,
            vocabulary_size=5,
            minimum_count=1,
            characters=0,
            character_embedding=1,
            window=1,
            horizon=1,
        )
        between(self, "dropout", "recurrent_dropout", "word_dropout")
        for name, fits, where in (
            ("crf", self.target == "tags", "target 'tags'"),
            ("characters", (self.input, self.target) == ("words", "tags"), "words with tags"),
            ("word_dropout", (self.input, self.target) == ("words", "tags"), "words with tags"),
            ("whole", self.target == "next", "target 'next'"),
            ("tied", self.models_language, "target 'next' of texts"),
            (
                "nfc",
                (self.input, self.target == "next") != ("characters", False),
                "words, and for what is next",
            ),
        ):
            if getattr(self, name) and not fits:
                raise SeqzooError(
                    f"`{name}` is for {where}, got input {self.input!r} and target "
                    f"{self.target!r}.",
                    field=name,
                )
        stepwise = [name for name in TEXTS if INPUTS[name].tokens]
        if self.target != "next" and self.input in TEXTS and self.input not in stepwise:
            expected = f"{' or '.join(reversed(stepwise))} for target {self.target!r}"
            raise SeqzooError(field="input", expected=expected, got=self.input)
        if self.bidirectional and self.target == "next":
            raise SeqzooError(
                "`bidirectional` must be off for target 'next', since the layers would see it.",
                field="bidirectional",
            )

    @property
    def models_language(self) -> bool:
        """Whether it predicts the next character, word or subword."""
        return self.target == "next" and self.input in TEXTS

    @property
    def default_settings(self) -> TrainingSettings:
        """As for other templates, except for "next" of series and notes: there an example is a part
        of a long sequence, and an epoch of ten years of daily values has thirty of them."""
        if self.target == "next" and not self.models_language:
            return TrainingSettings(epochs=60, batch_size=16, learning_rate=3e-3)
        return super().default_settings

    @property
    def both_ways(self) -> bool:
        """Whether layers read in both directions."""
        return self.target != "next" if self.bidirectional is None else self.bidirectional

    @property
    def task_class(self) -> str:
        return LANGUAGE_MODEL if self.models_language else TASKS[self.target]

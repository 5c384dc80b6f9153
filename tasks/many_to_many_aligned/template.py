"""The template with a prediction at each step: tags, numbers, or the next step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from seqzoo.tasks.base import Template
from seqzoo.tasks.cell_names import check_cell
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.fields import Count, Named, Range, Share, check
from seqzoo.tasks.kinds import ALIGNED, INPUTS, TEXTS, check_further_inputs, inputs_of, targets_of
from seqzoo.tasks.losses import Loss, check_loss
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.vectors_options import (
    VectorsMode,
    VectorsVocabulary,
    check_features_from,
    check_vectors,
)

if TYPE_CHECKING:
    AlignedInput = AlignedTarget = str
else:
    AlignedInput, AlignedTarget = inputs_of(ALIGNED), targets_of(ALIGNED)

CharacterReader = Literal["recurrent", "convolutional"]

TASKS = {
    "tags": "seqzoo.tasks.many_to_many_aligned.tagger:TaggerTask",
    "values": "seqzoo.tasks.many_to_many_aligned.step_regression:StepRegressionTask",
    "next": "seqzoo.tasks.many_to_many_aligned.forecaster:ForecasterTask",
}
"""The task class for each target."""

LANGUAGE_MODEL = "seqzoo.tasks.many_to_many_aligned.language_model:LanguageModelTask"
"""The task class for text with target "next"."""


@dataclass(frozen=True)
class ManyToManyAligned(Template):
    """A sequence in, a prediction at each of its steps: recurrent layers -> dense [-> CRF].

    Attributes:
        input: input type: the words of a sentence, the characters of a text, numbers, or "notes",
            which are frames of zeros and ones, with any number of notes sounding at once.
        target: target type: "tags", one class per step; "values", numbers per step; or "next", the
            step that follows. "next" trains a language model of characters, words or subwords,
            a forecaster of series, or a music model of notes.
        further_inputs: inputs other than the first one, by name, and the kind of each: "number",
            "category", "static" (a number or a category, as in the training examples),
            "vector", or any kind of input. Their encoders' vectors are concatenated with each step.
            Not with target "next".
        cell: recurrent cell; see `seqzoo list cells`. A name in `seqzoo.cells.CELLS`.
        units: number of units per layer and direction.
        layers: number of recurrent layers.
        bidirectional: bidirectional layers, or forward-only ones. A model that predicts the
            "next" step must not see it. None for both directions with tags and values, and one with
            "next".
        dropout: dropout rate on layer inputs. Also before the output layer.
        recurrent_dropout: dropout rate on recurrent inputs.
        cell_options: options of the cell.
        all_layers: feed the outputs of all recurrent layers to the output layer, not only those of
            the last. Not for language models.
        recompute: gradient checkpointing: keep only the states of every N-th step and recompute the
            others in the backward pass, to fit longer sequences into memory. None to keep all.
        embedding: embedding size.
        vectors: pretrained word vectors: GloVe or word2vec text (.txt, .vec), word2vec binary
            (.bin), .npz with arrays "words" and "vectors", or a folder or installed package with an
            array and a list of words. Text files may be .gz or .zip. The vectors are concatenated
            to the trained embedding, and are kept in the run. For word inputs; None for no vectors.
        vectors_mode: whether word vectors are frozen, fine-tuned, or frozen with a trained linear
            map.
        vectors_vocabulary: words that are known in addition to those in the training examples: the
            first `vectors_keep` words in the file of word vectors, or all of them.
        vectors_keep: number of words to keep from the beginning of the file of word vectors.
        features_from: run folders of character-level language models, such as a forward and a
            backward one, whose states are concatenated with the word embeddings (contextual string
            embeddings). Each word gets the states at its end, or at its beginning if a model reads
            backward. The models are not trained further, and are kept in the run. For "words" with
            "tags".
        vocabulary_size: maximum vocabulary size. It includes the padding and unknown tokens.
        minimum_count: minimum number of occurrences in training for a token to enter the
            vocabulary.
        lowercase: lowercase text. The characters of words keep their case.
        nfc: normalise text to Unicode NFC, in which "é" is one character however it was typed. Not
            if each character has a target, since it can change the number of characters.
        characters: units of the character-level layer that reads each word; 0 for none. It is
            bidirectional; for "words" with "tags".
        character_reader: type of the character-level layer. "recurrent" uses the same cell as the
            other layers. "convolutional" is three times as fast and, on UD English EWT, 0.2 points
            less accurate; it has twice as many filters as units, so that word vectors have the same
            size.
        character_embedding: embedding size of characters, for the character-level layer.
        word_dropout: fraction of words replaced by the unknown token in training. Their characters
            stay; for "words" with "tags".
        crf: decode the tags of a sequence jointly, with a conditional random field.
        window: window length, in steps, for training on long texts and series. Gradients stay
            within a window. For texts, states are carried over from window to window; for
            series and notes, a window may begin anywhere in the sequence, with a zero state.
        horizon: default number of steps to forecast.
        whole: read the file as one long sequence, or each line as a sequence. There are no
            start or end tokens between the windows of one text. For "next".
        backward: read texts from the last character to the first, and predict the preceding one.
            For a character-level language model whose states taggers use.
        loss: loss function for numeric targets; other targets have a fixed one. None for
            "squared" with "values" and series.
        output_activation: activation of numeric outputs, by its Keras name. Targets are
            standardised only if there is none and the loss is squared, absolute or huber. None for
            no activation, or exponential with poisson, sigmoid with bernoulli and softmax with
            cross-entropy.
        tied: tie input and output embeddings.

    Raises:
        SeqzooError: a value is out of range, or options are incompatible.
    """

    name: ClassVar[str] = ALIGNED
    maximum_length: ClassVar[None] = None
    """Sequences are never truncated, since each step has a target."""

    input: AlignedInput = "words"
    target: AlignedTarget = "tags"
    further_inputs: Annotated[Mapping[str, Any], Named("further-input")] = field(
        default_factory=dict
    )
    cell: str = "gru"
    units: Count = 128
    layers: Count = 1
    bidirectional: Annotated[bool, Named(off="unidirectional")] | None = None
    dropout: Share = 0.0
    recurrent_dropout: Share = 0.0
    cell_options: Annotated[Mapping[str, Any], Named("cell-option")] = field(default_factory=dict)
    all_layers: bool = False
    recompute: Count | None = None
    embedding: Count = 64
    vectors: str | None = None
    vectors_mode: VectorsMode = "frozen"
    vectors_vocabulary: VectorsVocabulary = "frequent"
    vectors_keep: Annotated[int, Range(minimum=0)] = 100_000
    features_from: Sequence[str] | None = None
    vocabulary_size: Annotated[int, Range(minimum=5)] = 20_000
    minimum_count: Count = 2
    lowercase: Annotated[bool, Named(off="keep-case")] = False
    nfc: bool = False
    characters: Annotated[int, Range(minimum=0)] = 0
    character_reader: CharacterReader = "recurrent"
    character_embedding: Count = 32
    word_dropout: Share = 0.0
    crf: bool = False
    window: Count = 100
    horizon: Count = 24
    whole: Annotated[bool, Named(off="lines")] = False
    backward: Annotated[bool, Named(off="forward")] = False
    loss: Loss | None = None
    output_activation: str | None = None
    tied: Annotated[bool, Named(off="untied")] = False

    def __post_init__(self) -> None:
        check(self)
        check_cell(self)
        check_further_inputs(self)
        check_loss(self)
        check_vectors(self)
        check_features_from(self)
        for name, fits, where in (
            ("crf", self.target == "tags", "target 'tags'"),
            ("characters", (self.input, self.target) == ("words", "tags"), "words with tags"),
            ("word_dropout", (self.input, self.target) == ("words", "tags"), "words with tags"),
            ("features_from", (self.input, self.target) == ("words", "tags"), "words with tags"),
            ("whole", self.target == "next", "target 'next'"),
            ("all_layers", not self.models_language, "all but language models"),
            ("tied", self.models_language, "target 'next' of texts"),
            (
                "backward",
                (self.input, self.target) == ("characters", "next"),
                "characters and target 'next'",
            ),
            (
                "nfc",
                (self.input, self.target == "next") != ("characters", False),
                "words, and for target 'next'",
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
                "`bidirectional` must be off for target 'next', since layers that read backward "
                "would see the next step.",
                field="bidirectional",
            )

    @property
    def models_language(self) -> bool:
        """Whether the model predicts the next character, word or subword."""
        return self.target == "next" and self.input in TEXTS

    @property
    def default_settings(self) -> TrainingSettings:
        """The same as for other templates, except for "next" of series and notes: there an example
        is a part of a long sequence, and ten years of daily values give only about thirty."""
        if self.target == "next" and not self.models_language:
            return TrainingSettings(epochs=60, batch_size=16, learning_rate=3e-3)
        return super().default_settings

    @property
    def is_bidirectional(self) -> bool:
        """Whether layers read in both directions."""
        return self.target != "next" if self.bidirectional is None else self.bidirectional

    @property
    def task_class(self) -> str:
        return LANGUAGE_MODEL if self.models_language else TASKS[self.target]

"""The template from a sequence to one class, several labels or a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from seqzoo.tasks.base import Template
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.kinds import MANY_TO_ONE, TEXTS, inputs_of, targets_of
from seqzoo.tasks.settings import between, choose, least

if TYPE_CHECKING:
    Input = Target = str
else:
    Input, Target = inputs_of(MANY_TO_ONE), targets_of(MANY_TO_ONE)

Pooling = Literal["last", "mean", "max"]


@dataclass(frozen=True)
class ManyToOne(Template):
    """A sequence in, one prediction out: [embedding] -> recurrent layers -> pooling -> dense.

    Attributes:
        input: the input type.
        target: the target type: one class, any number of labels, or a value.
        cell: name of the cell in `seqzoo.cells.CELLS`.
        units: units per layer and direction.
        layers: number of recurrent layers.
        bidirectional: whether each layer reads the sequence in both directions.
        pooling: the last output, or the mean or maximum over all steps.
        ngrams: length of the longest n-grams of tokens, whose vectors are added to the step at
            which they end; 1 for none.
        ngram_buckets: hash buckets per n-gram length.
        bag: whether the sum of all token embeddings is also fed to the output layer (a bag of
            characters, words, subwords or n-grams).
        dropout: dropout rate on each layer's inputs and on the pooled features.
        recurrent_dropout: dropout rate on recurrent inputs.
        cell_options: options of the cell.
        embedding: embedding size.
        vocabulary_size: maximum number of tokens, padding and unknown included.
        minimum_count: how often a character or word must occur in training to be kept; with 1
            the vector of unknown tokens is never trained.
        lowercase: whether text is lowercased first.
        nfc: whether text is put in Unicode's composed form (NFC) first, in which "é" is one
            character however it was typed.
        maximum_length: steps after which a sequence is truncated; None for no limit.
        label_smoothing: label smoothing of "class" targets.
        sample_rate: of "audio", in samples per second.
        mel_bins: number of mel bands in the spectrogram of "audio".

    Raises:
        SeqzooError: a value is out of range.
    """

    name: ClassVar[str] = MANY_TO_ONE
    task_class: ClassVar[str] = "seqzoo.tasks.many_to_one.task:ManyToOneTask"

    input: Input
    target: Target = "class"
    cell: str = "gru"
    units: int = 128
    layers: int = 1
    bidirectional: bool = False
    pooling: Pooling = "last"
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    cell_options: Mapping[str, Any] = field(default_factory=dict)
    embedding: int = 64
    ngrams: int = 1
    ngram_buckets: int = 32_768
    bag: bool = False
    vocabulary_size: int = 20_000
    minimum_count: int = 2
    lowercase: bool = False
    nfc: bool = False
    maximum_length: int | None = None
    label_smoothing: float = 0.0
    sample_rate: int = 16_000
    mel_bins: int = 40

    def __post_init__(self) -> None:
        choose("input", self.input, Input)
        choose("target", self.target, Target)
        choose("pooling", self.pooling, Pooling)
        least(
            self,
            units=1,
            layers=1,
            embedding=1,
            ngrams=1,
            ngram_buckets=1,
            vocabulary_size=3,
            minimum_count=1,
            maximum_length=1,
            sample_rate=100,
            mel_bins=1,
        )
        if self.ngram_buckets > 200_000:
            raise SeqzooError(
                field="ngram_buckets", expected="at most 200000", got=self.ngram_buckets
            )
        if self.input not in TEXTS and (self.ngrams > 1 or self.bag):
            name = "bag" if self.bag else "ngrams"
            raise SeqzooError(
                f"`{name}` is for characters, words and subwords, got input {self.input!r}.",
                field=name,
            )
        between(self, "dropout", "recurrent_dropout", "label_smoothing")

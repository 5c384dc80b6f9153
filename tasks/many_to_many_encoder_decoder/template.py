"""The template from a sequence to a text of another length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from seqzoo.tasks.base import Template
from seqzoo.tasks.kinds import ENCODER_DECODER, inputs_of, targets_of
from seqzoo.tasks.settings import between, choose, least

if TYPE_CHECKING:
    Input = Target = str
else:
    Input, Target = inputs_of(ENCODER_DECODER), targets_of(ENCODER_DECODER)

AttentionKind = Literal["additive", "multiplicative", "none"]


@dataclass(frozen=True)
class ManyToManyEncoderDecoder(Template):
    """A sequence in, a text of any length out: encoder -> bridge -> decoder with attention.

    Attributes:
        input: what a sequence is made of.
        target: what a text is made of.
        cell: name of the cell in `seqzoo.cells.CELLS`, of encoder and decoder.
        units: of each layer, and of each direction of the encoder.
        layers: how many recurrent layers are stacked, in the encoder and in the decoder.
        bidirectional: whether the encoder reads the sequence in both directions.
        attention: "additive" (Bahdanau), "multiplicative" (Luong), or "none", where the decoder
            has but the encoder's last states.
        dropout: dropout rate on each layer's inputs and on the last features.
        recurrent_dropout: dropout rate on recurrent inputs.
        cell_options: options of the cell.
        embedding: embedding size.
        tied: whether input and output embeddings are tied.
        vocabulary_size: tokens kept at most, on each side.
        minimum_count: how often a character or word must occur in training to be kept.
        lowercase: whether input text is put in lower case first.
        nfc: whether texts of both sides are put in Unicode's composed form (NFC) first, in which
            "é" is one character however it was typed.
        lowercase_targets: whether target texts are put in lower case first, in training and in
            scores.
        maximum_length: steps after which an input is cut; None for no cut.
        label_smoothing: label smoothing of the tokens.
        scheduled_sampling: share of decoder inputs replaced by its own predictions in training.
        sample_rate: of "audio", in samples per second.
        mel_bins: bands of the log-mel spectrogram of "audio".

    Raises:
        SeqzooError: a value is out of range.
    """

    name: ClassVar[str] = ENCODER_DECODER
    task_class: ClassVar[str] = "seqzoo.tasks.many_to_many_encoder_decoder.task:EncoderDecoderTask"

    input: Input = "characters"
    target: Target = "characters"
    cell: str = "gru"
    units: int = 128
    layers: int = 1
    bidirectional: bool = True
    attention: AttentionKind = "additive"
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    cell_options: Mapping[str, Any] = field(default_factory=dict)
    embedding: int = 64
    tied: bool = False
    vocabulary_size: int = 20_000
    minimum_count: int = 2
    lowercase: bool = False
    nfc: bool = False
    lowercase_targets: bool = False
    maximum_length: int | None = None
    label_smoothing: float = 0.0
    scheduled_sampling: float = 0.0
    sample_rate: int = 16_000
    mel_bins: int = 40

    def __post_init__(self) -> None:
        choose("input", self.input, Input)
        choose("target", self.target, Target)
        choose("attention", self.attention, AttentionKind)
        least(
            self,
            units=1,
            layers=1,
            embedding=1,
            vocabulary_size=5,
            minimum_count=1,
            maximum_length=1,
            sample_rate=100,
            mel_bins=1,
        )
        between(self, "dropout", "recurrent_dropout", "label_smoothing", "scheduled_sampling")

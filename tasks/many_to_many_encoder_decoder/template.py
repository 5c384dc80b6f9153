"""The template from a sequence to a text of any length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from seqzoo.tasks.base import Template
from seqzoo.tasks.cell_names import check_cell
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.fields import Count, Named, Range, Share, check, check_images
from seqzoo.tasks.kinds import ENCODER_DECODER, check_further_inputs, inputs_of, targets_of
from seqzoo.tasks.vectors_options import VectorsMode, VectorsVocabulary, check_vectors

if TYPE_CHECKING:
    Input = Target = str
else:
    Input, Target = inputs_of(ENCODER_DECODER), targets_of(ENCODER_DECODER)

AttentionKind = Literal["additive", "multiplicative", "monotonic", "none"]


@dataclass(frozen=True)
class ManyToManyEncoderDecoder(Template):
    """A sequence in, a text of any length out: encoder -> bridge -> decoder with attention.

    Attributes:
        input: input type.
        target: target type: the tokens of texts.
        further_inputs: inputs other than the first one, by name, and the kind of each: "number",
            "category", "static" (a number or a category, as in the training examples),
            "vector", or any kind of input. Their encoders' vectors are concatenated with the
            features that the decoder attends to, and with those that its initial states are
            computed from.
        filters: number of filters of each convolutional block that reads images or audio, such as
            32,64. For columns, rows and audio; the blocks come before the recurrent layers, and
            each halves the width of rows, the height of columns or the number of mel bands.
        random_shift: augmentation: maximum shift of images and spectrograms, as a fraction of their
            size. Only across the steps: columns move up and down, rows sideways, and spectrograms
            along the mel bands, as with voices of other people.
        random_zoom: augmentation: maximum zoom of images and spectrograms, as a fraction of their
            size. Only across the steps.
        random_shear: augmentation: maximum shear of images, as a fraction of their height. Columns
            are slanted: their tops move sideways. Of rows, whose ends move up and down, it is a
            fraction of the width.
        cell: recurrent cell; see `seqzoo list cells`. A name in `seqzoo.cells.CELLS`. For the
            encoder and the decoder.
        units: number of units per layer and direction. Only the encoder may have two directions.
        layers: number of recurrent layers. The encoder and the decoder have this many each.
        bidirectional: bidirectional layers, or forward-only ones. For the encoder.
        attention: attention mechanism of the decoder. "additive" (Bahdanau), "multiplicative"
            (Luong), "monotonic" (Wu and Cotterell, exact and hard, for short texts in the order of
            their input), or "none", with which the decoder gets only the encoder's last states.
        copy: pointer-generator: also copy tokens from the input, including those that the target
            vocabulary lacks. For models with attention that read and write characters, words, or
            subwords, or read lemmas and write characters.
        dropout: dropout rate on layer inputs. Also before the output layer.
        recurrent_dropout: dropout rate on recurrent inputs.
        cell_options: options of the cell.
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
        tied: tie input and output embeddings.
        vocabulary_size: maximum vocabulary size. On each side.
        minimum_count: minimum number of occurrences in training for a token to enter the
            vocabulary.
        lowercase: lowercase text. For the inputs.
        nfc: normalise text to Unicode NFC, in which "é" is one character however it was typed. On
            both sides.
        lowercase_targets: lowercase target texts, for training and scoring.
        maximum_length: maximum sequence length, in steps; longer ones are truncated. None for no
            limit.
        label_smoothing: label smoothing: fraction of the target probability that is spread over all
            classes. Applies to the tokens.
        scheduled_sampling: scheduled sampling: fraction of decoder inputs that are replaced by the
            model's own predictions in training.
        columns_per_step: number of image columns per time step. With more of them the encoder has
            fewer steps.
        sample_rate: sample rate of audio, in Hz.
        mel_bins: number of mel bands of the audio spectrogram.
        mean_normalization: subtract from each mel band its mean over the recording, to compensate
            for differences between microphones and rooms. Streaming is then not possible.

    Raises:
        SeqzooError: a value is out of range.
    """

    name: ClassVar[str] = ENCODER_DECODER
    task_class: ClassVar[str] = "seqzoo.tasks.many_to_many_encoder_decoder.task:EncoderDecoderTask"

    input: Input = "characters"
    target: Target = "characters"
    further_inputs: Annotated[Mapping[str, Any], Named("further-input")] = field(
        default_factory=dict
    )
    filters: Sequence[int] = ()
    random_shift: Share = 0.0
    random_zoom: Share = 0.0
    random_shear: Share = 0.0
    cell: str = "gru"
    units: Count = 128
    layers: Count = 1
    bidirectional: Annotated[bool, Named(off="unidirectional")] = True
    attention: AttentionKind = "additive"
    copy: bool = False
    dropout: Share = 0.0
    recurrent_dropout: Share = 0.0
    cell_options: Annotated[Mapping[str, Any], Named("cell-option")] = field(default_factory=dict)
    recompute: Count | None = None
    embedding: Count = 64
    vectors: str | None = None
    vectors_mode: VectorsMode = "frozen"
    vectors_vocabulary: VectorsVocabulary = "frequent"
    vectors_keep: Annotated[int, Range(minimum=0)] = 100_000
    tied: Annotated[bool, Named(off="untied")] = False
    vocabulary_size: Annotated[int, Range(minimum=5)] = 20_000
    minimum_count: Count = 2
    lowercase: Annotated[bool, Named(off="keep-case")] = False
    nfc: bool = False
    lowercase_targets: Annotated[bool, Named(off="keep-target-case")] = False
    maximum_length: Count | None = None
    label_smoothing: Share = 0.0
    scheduled_sampling: Share = 0.0
    columns_per_step: Count = 1
    sample_rate: Annotated[int, Range(minimum=100)] = 16_000
    mel_bins: Count = 40
    mean_normalization: bool = False

    def __post_init__(self) -> None:
        check(self)
        check_cell(self)
        check_further_inputs(self)
        check_vectors(self)
        check_images(self)
        unit = "characters" if self.input == "lemma" else self.input
        if self.copy and (unit != self.target or self.attention == "none"):
            raise SeqzooError(
                "`copy` is for models with attention that read and write characters, words, or "
                f"subwords, or read lemmas and write characters, got {self.input} to {self.target} "
                f"with attention {self.attention!r}.",
                field="copy",
            )

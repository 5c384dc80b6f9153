"""The template that maps a sequence to a shorter text whose symbols are in the input's order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from seqzoo.tasks.base import Template
from seqzoo.tasks.cell_names import check_cell
from seqzoo.tasks.fields import Count, Named, Range, Share, check, check_images
from seqzoo.tasks.kinds import UNALIGNED, check_further_inputs, inputs_of, targets_of

if TYPE_CHECKING:
    Input = Target = str
else:
    Input, Target = inputs_of(UNALIGNED), targets_of(UNALIGNED)


@dataclass(frozen=True)
class ManyToManyUnaligned(Template):
    """A sequence in, a shorter text in the same order out: recurrent layers -> dense, with CTC.

    Each step predicts a symbol of the text or a blank; repeated symbols become one, and
    blanks are left out. Training sums over all such alignments, so none has to be given
    (connectionist temporal classification; Graves et al. 2006).

    Attributes:
        input: input type.
        target: target type: the tokens of texts.
        further_inputs: inputs other than the first one, by name, and the kind of each: "number",
            "category", "static" (a number or a category, as in the training examples),
            "vector", or any kind of input. Their encoders' vectors are concatenated with each step.
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
        cell: recurrent cell; see `seqzoo list cells`. A name in `seqzoo.cells.CELLS`.
        units: number of units per layer and direction.
        layers: number of recurrent layers.
        bidirectional: bidirectional layers, or forward-only ones. A model that reads in one
            direction can predict while its input is still arriving.
        dropout: dropout rate on layer inputs. Also before the output layer.
        recurrent_dropout: dropout rate on recurrent inputs.
        cell_options: options of the cell.
        all_layers: feed the outputs of all recurrent layers to the output layer, not only those of
            the last.
        recompute: gradient checkpointing: keep only the states of every N-th step and recompute the
            others in the backward pass, to fit longer sequences into memory. None to keep all.
        embedding: embedding size. For inputs of characters.
        vocabulary_size: maximum vocabulary size. On each side.
        minimum_count: minimum number of occurrences in training for a token to enter the
            vocabulary.
        lowercase: lowercase text. For the inputs.
        nfc: normalise text to Unicode NFC, in which "é" is one character however it was typed. On
            both sides.
        lowercase_targets: lowercase target texts, for training and scoring.
        maximum_length: maximum sequence length, in steps; longer ones are truncated. None for no
            limit.
        columns_per_step: number of image columns per time step. Two halve the time of training and
            prediction, but also the number of steps, which limits the length of texts.
        sample_rate: sample rate of audio, in Hz.
        mel_bins: number of mel bands of the audio spectrogram.
        mean_normalization: subtract from each mel band its mean over the recording, to compensate
            for differences between microphones and rooms. Streaming is then not possible.

    Raises:
        SeqzooError: a value is out of range.
    """

    name: ClassVar[str] = UNALIGNED
    task_class: ClassVar[str] = "seqzoo.tasks.many_to_many_unaligned.task:UnalignedTask"

    input: Input = "columns"
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
    dropout: Share = 0.0
    recurrent_dropout: Share = 0.0
    cell_options: Annotated[Mapping[str, Any], Named("cell-option")] = field(default_factory=dict)
    all_layers: bool = False
    recompute: Count | None = None
    embedding: Count = 64
    vocabulary_size: Annotated[int, Range(minimum=5)] = 20_000
    minimum_count: Count = 2
    lowercase: Annotated[bool, Named(off="keep-case")] = False
    nfc: bool = False
    lowercase_targets: Annotated[bool, Named(off="keep-target-case")] = False
    maximum_length: Count | None = None
    columns_per_step: Count = 1
    sample_rate: Annotated[int, Range(minimum=100)] = 16_000
    mel_bins: Count = 40
    mean_normalization: bool = False

    def __post_init__(self) -> None:
        check(self)
        check_cell(self)
        check_further_inputs(self)
        check_images(self)

"""The template that maps an image, a vector or a class to a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from seqzoo.tasks.base import Template
from seqzoo.tasks.cell_names import check_cell
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.fields import (
    VIEWS,
    Count,
    Named,
    Range,
    Share,
    check,
    check_kinds_of_options,
    height_and_width,
    whole_numbers,
)
from seqzoo.tasks.kinds import ONE_TO_MANY, check_further_inputs, inputs_of, targets_of

if TYPE_CHECKING:
    Input = Target = str
else:
    Input, Target = inputs_of(ONE_TO_MANY), targets_of(ONE_TO_MANY)

AttentionKind = Literal["additive", "multiplicative", "none"]
Normalization = Literal["batch", "group", "none"]
Pooling = Literal["mean", "flatten"]

CONVOLUTIONAL = "convolutional"
"""The encoder that is not from keras.applications."""

KINDS_OF_OPTIONS = {
    **dict.fromkeys(("encoder", "filters", "normalization", "pooling", *VIEWS), ("image",)),
    "image_size": ("image", "rows", "pixels"),
}
"""The kinds of inputs that an option of images is for."""


@dataclass(frozen=True)
class OneToMany(Template):
    """An image, a vector or a class in, a text of any length out: encoder -> bridge -> decoder with
    attention.

    An image becomes a grid of features. With attention the decoder attends to the grid in each step
    (Xu et al. 2015, "Show, Attend and Tell"); without it the decoder's initial states are all that
    it sees of the image (Vinyals et al. 2015, "Show and Tell"). A vector or a class is a grid of
    one position: with attention it is an input of each step. An image with an alpha channel is
    composited over white.

    Attributes:
        input: input type.
        target: target type: the tokens of texts.
        further_inputs: inputs other than the first one, by name, and the kind of each: "number",
            "category", "static" (a number or a category, as in the training examples),
            "vector", or any kind of input. Audio is not supported here. Their encoders' vectors are
            concatenated with the features that the decoder attends to, and with those that its
            initial states are computed from.
        cell: recurrent cell; see `seqzoo list cells`. A name in `seqzoo.cells.CELLS`.
        units: number of units per layer and direction.
        layers: number of recurrent layers.
        attention: attention mechanism of the decoder. "additive" (Bahdanau), "multiplicative"
            (Luong), or "none".
        encoder: image encoder: convolutional, or a model from keras.applications, such as
            MobileNetV2. "convolutional" is trained from scratch.
        filters: number of filters of each convolutional block that reads images or audio, such as
            32,64. Each block halves height and width.
        normalization: normalisation of the convolutional blocks. "batch" uses the statistics of a
            batch. "group" uses those of each example, which removes differences in brightness
            between images; it suits small batches.
        encoder_weights: weights of a keras.applications encoder: imagenet (downloaded), or a file.
            The file must not include the classifier layer. None for random weights.
        frozen: freeze the weights of a keras.applications encoder.
        image_size: height and width that images are resized to, such as 224,224. None for the
            size of the training images, which must then be the same for all.
        pooling: pooling of the image's feature map: mean, or flatten, which keeps positions. The
            initial states of the decoder are computed from the result.
        random_shift: augmentation: maximum shift of images and spectrograms, as a fraction of their
            size.
        random_zoom: augmentation: maximum zoom of images and spectrograms, as a fraction of their
            size.
        random_shear: augmentation: maximum shear of images, as a fraction of their height. The top
            moves sideways.
        dropout: dropout rate on layer inputs. Also on the encoder's features and before the
            output layer.
        recurrent_dropout: dropout rate on recurrent inputs.
        cell_options: options of the cell.
        recompute: gradient checkpointing: keep only the states of every N-th step and recompute the
            others in the backward pass, to fit longer sequences into memory. None to keep all.
        embedding: embedding size.
        tied: tie input and output embeddings.
        vocabulary_size: maximum vocabulary size.
        minimum_count: minimum number of occurrences in training for a token to enter the
            vocabulary.
        nfc: normalise text to Unicode NFC, in which "é" is one character however it was typed.
        lowercase_targets: lowercase target texts, for training and scoring.
        label_smoothing: label smoothing: fraction of the target probability that is spread over all
            classes. Applies to the tokens.
        scheduled_sampling: scheduled sampling: fraction of decoder inputs that are replaced by the
            model's own predictions in training.

    Raises:
        SeqzooError: a value is out of range.
    """

    name: ClassVar[str] = ONE_TO_MANY
    task_class: ClassVar[str] = "seqzoo.tasks.one_to_many.task:OneToManyTask"

    input: Input = "image"
    target: Target = "words"
    further_inputs: Annotated[Mapping[str, Any], Named("further-input")] = field(
        default_factory=dict
    )
    cell: str = "gru"
    units: Count = 256
    layers: Count = 1
    attention: AttentionKind = "additive"
    encoder: str = CONVOLUTIONAL
    filters: Sequence[int] = (32, 64, 128)
    normalization: Normalization = "batch"
    encoder_weights: str | None = None
    frozen: Annotated[bool, Named(off="trainable")] = False
    image_size: Sequence[int] | None = None
    pooling: Pooling = "flatten"
    random_shift: Share = 0.0
    random_zoom: Share = 0.0
    random_shear: Share = 0.0
    dropout: Share = 0.0
    recurrent_dropout: Share = 0.0
    cell_options: Annotated[Mapping[str, Any], Named("cell-option")] = field(default_factory=dict)
    recompute: Count | None = None
    embedding: Count = 64
    tied: Annotated[bool, Named(off="untied")] = False
    vocabulary_size: Annotated[int, Range(minimum=5)] = 20_000
    minimum_count: Count = 1
    nfc: bool = False
    lowercase_targets: Annotated[bool, Named(off="keep-target-case")] = False
    label_smoothing: Share = 0.0
    scheduled_sampling: Share = 0.0

    def __post_init__(self) -> None:
        check(self)
        check_cell(self)
        check_further_inputs(self)
        object.__setattr__(self, "filters", whole_numbers("filters", self.filters))
        object.__setattr__(self, "image_size", height_and_width(self.image_size))
        if self.encoder == CONVOLUTIONAL and (self.encoder_weights is not None or self.frozen):
            name = "frozen" if self.frozen else "encoder_weights"
            raise SeqzooError(
                f"`{name}` needs an encoder from keras.applications, got {self.encoder!r}.",
                field=name,
            )
        check_kinds_of_options(self, KINDS_OF_OPTIONS)

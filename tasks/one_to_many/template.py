"""The template from an image, a vector or a class to a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from seqzoo.tasks.base import Template
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.kinds import ONE_TO_MANY, inputs_of, targets_of
from seqzoo.tasks.settings import between, choose, least

if TYPE_CHECKING:
    Input = Target = str
else:
    Input, Target = inputs_of(ONE_TO_MANY), targets_of(ONE_TO_MANY)

AttentionKind = Literal["additive", "multiplicative", "none"]
Normalization = Literal["batch", "group", "none"]
Pooling = Literal["mean", "flatten"]

CONVOLUTIONAL = "convolutional"
"""The encoder that is not one of Keras' applications."""


@dataclass(frozen=True)
class OneToMany(Template):
    """One thing in, a text of any length out: encoder -> bridge -> decoder with attention.

    An image becomes a grid of features. With attention the decoder looks at the grid in each step
    (Xu et al. 2015, "Show, Attend and Tell"); without it the decoder's first states are all that
    it has of the image (Vinyals et al. 2015, "Show and Tell"). A vector or a class is a grid of one
    place: with attention it is handed to each step. The alpha channel of
    an image is composited over white.

    Attributes:
        input: what is described.
        target: what a text is made of.
        cell: name of the decoder's cell in `seqzoo.cells.CELLS`.
        units: units per layer.
        layers: number of recurrent layers.
        attention: "additive" (Bahdanau), "multiplicative" (Luong), or "none".
        encoder: "convolutional" for convolutions of its own, or the name of one of
            `keras.applications`, such as "MobileNetV2".
        filters: of "convolutional": of each stage, a convolution that halves height and width.
        normalization: of "convolutional", behind each convolution. "batch" has its statistics of
            the examples of a batch. "group" has them of one example, and so does not see how bright
            an image is; it is for batches of a few images.
        encoder_weights: weights of an application to begin with: the path of a file made without
            the classifier, "imagenet" to download them, or None for random ones.
        frozen: whether the weights of an application stay as they are.
        image_size: height and width that images are brought to; None for those of the training
            images, which must then be equal.
        pooling: how the grid becomes the decoder's first states: "mean", or "flatten", which knows
            where something is.
        random_shift: share of height and width that an image is moved by in training, at most.
        random_zoom: share that it is made larger or smaller by in training, at most.
        random_shear: share of the height that its top is moved sideways by in training, at most.
        dropout: share of the encoder's features, of each layer's inputs, and of the last features,
            dropped in training.
        recurrent_dropout: dropout rate on recurrent inputs.
        cell_options: options of the cell.
        embedding: embedding size.
        tied: whether input and output embeddings are tied.
        vocabulary_size: tokens kept at most.
        minimum_count: how often a token must occur in training to be kept.
        nfc: whether texts are put in Unicode's composed form (NFC) first, in which "é" is one
            character however it was typed.
        lowercase_targets: whether target texts are put in lower case first, in training and in
            scores.
        label_smoothing: label smoothing of the tokens.
        scheduled_sampling: share of decoder inputs replaced by its own predictions in training.

    Raises:
        SeqzooError: a value is out of range.
    """

    name: ClassVar[str] = ONE_TO_MANY
    task_class: ClassVar[str] = "seqzoo.tasks.one_to_many.task:OneToManyTask"

    input: Input = "image"
    target: Target = "words"
    cell: str = "gru"
    units: int = 256
    layers: int = 1
    attention: AttentionKind = "additive"
    encoder: str = CONVOLUTIONAL
    filters: Sequence[int] = (32, 64, 128)
    normalization: Normalization = "batch"
    encoder_weights: str | None = None
    frozen: bool = False
    image_size: Sequence[int] | None = None
    pooling: Pooling = "flatten"
    random_shift: float = 0.0
    random_zoom: float = 0.0
    random_shear: float = 0.0
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    cell_options: Mapping[str, Any] = field(default_factory=dict)
    embedding: int = 64
    tied: bool = False
    vocabulary_size: int = 20_000
    minimum_count: int = 1
    nfc: bool = False
    lowercase_targets: bool = False
    label_smoothing: float = 0.0
    scheduled_sampling: float = 0.0

    def __post_init__(self) -> None:
        choose("input", self.input, Input)
        choose("target", self.target, Target)
        choose("attention", self.attention, AttentionKind)
        choose("normalization", self.normalization, Normalization)
        choose("pooling", self.pooling, Pooling)
        least(self, units=1, layers=1, embedding=1, vocabulary_size=5, minimum_count=1)
        between(self, "dropout", "recurrent_dropout", "label_smoothing", "scheduled_sampling")
        between(self, "random_shift", "random_zoom", "random_shear")
        object.__setattr__(self, "filters", _whole("filters", self.filters))
        if self.image_size is not None:
            object.__setattr__(self, "image_size", _whole("image_size", self.image_size))
            if len(self.image_size) != 2:
                raise SeqzooError(
                    field="image_size", expected="a height and a width", got=self.image_size
                )
        if self.encoder == CONVOLUTIONAL and (self.encoder_weights is not None or self.frozen):
            name = "frozen" if self.frozen else "encoder_weights"
            raise SeqzooError(
                f"`{name}` is for an encoder that is one of Keras' applications, got encoder "
                f"{self.encoder!r}.",
                field=name,
            )

    def to_config(self) -> dict[str, Any]:
        # As JSON gives them back, so that a stored template equals a new one.
        config = super().to_config()
        lists = {name: list(config[name]) for name in ("filters", "image_size") if config[name]}
        return config | lists


def _whole(name: str, values: Any) -> tuple[int, ...]:
    """Whole numbers of at least 1, at least one of them."""
    values = tuple(values) if isinstance(values, list | tuple) else (values,)
    if not values or any(type(value) is not int or value < 1 for value in values):
        raise SeqzooError(field=name, expected="whole numbers of at least 1", got=values)
    return values

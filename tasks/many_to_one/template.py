"""The template that maps a sequence to one class, several labels or a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from seqzoo.tasks.base import Template
from seqzoo.tasks.cell_names import check_cell
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.fields import (
    Count,
    Named,
    Range,
    Share,
    check,
    check_images,
    check_kinds_of_options,
    height_and_width,
)
from seqzoo.tasks.kinds import (
    INPUTS,
    MANY_TO_ONE,
    TEXTS,
    check_further_inputs,
    inputs_of,
    targets_of,
)
from seqzoo.tasks.losses import Loss, check_loss
from seqzoo.tasks.settings import MAX_SEED
from seqzoo.tasks.vectors_options import VectorsMode, VectorsVocabulary, check_vectors

if TYPE_CHECKING:
    Input = Target = str
else:
    Input, Target = inputs_of(MANY_TO_ONE), targets_of(MANY_TO_ONE)

Pooling = Literal["last", "mean", "max"]
Join = Literal["concatenate", "compare"]
LayerActivation = Literal["linear", "relu", "gelu", "tanh"]

READABLE_TEXTS = tuple(name for name in TEXTS if MANY_TO_ONE in INPUTS[name].templates)
"""The kinds of texts that the template reads."""

KINDS_OF_OPTIONS = {
    "ngrams": READABLE_TEXTS,
    "bag": READABLE_TEXTS,
    "image_size": ("rows", "pixels"),
    "permutation_seed": ("pixels",),
    "mean_normalization": ("audio",),
    "lowercase": READABLE_TEXTS,
}
"""The kinds of inputs that an option of texts, of audio or of images of one size is for."""


@dataclass(frozen=True)
class ManyToOne(Template):
    """A sequence in, one prediction out: [embedding] -> recurrent layers -> pooling -> dense.

    Attributes:
        input: input type.
        target: target type: one class, any number of labels, or a value.
        further_inputs: inputs other than the first one, by name, and the kind of each: "number",
            "category", "static" (a number or a category, as in the training examples),
            "vector", or any kind of input. Each has its own encoder, with the same options.
        join: how the encoders' vectors u and v are joined: concatenated; or, for "compare",
            concatenated with |u - v| and u * v. Two inputs that are compared (InferSent) are of the
            same kind and share their vocabulary and their encoder; any others are concatenated.
        join_units: units of the dense layer after the joined vectors; 0 for none.
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
        residual: add the input of each recurrent layer except the first to its output.
        layer_norm: layer normalisation of the input of each recurrent layer except the first.
        layer_activation: activation after each recurrent layer. For linear cells such as "s5" and
            "lru".
        bidirectional: bidirectional layers, or forward-only ones.
        pooling: pooling over time: the last output, or the mean or maximum over all steps.
        dropout: dropout rate on layer inputs. Also on the pooled features.
        recurrent_dropout: dropout rate on recurrent inputs.
        cell_options: options of the cell.
        all_layers: feed the outputs of all recurrent layers to the output layer, not only those of
            the last.
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
        ngrams: maximum length of the token n-grams that are embedded; 1 for none. The vector of an
            n-gram is added at the step where it ends.
        ngram_buckets: number of hash buckets per n-gram length.
        bag: also feed the sum of all token embeddings to the output layer. It is a bag of
            characters, words, subwords or n-grams.
        vocabulary_size: maximum vocabulary size. The padding and unknown tokens count.
        minimum_count: minimum number of occurrences in training for a token to enter the
            vocabulary. With 1 the vector of the unknown token is never trained.
        lowercase: lowercase text.
        nfc: normalise text to Unicode NFC, in which "é" is one character however it was typed.
        maximum_length: maximum sequence length, in steps; longer ones are truncated. None for no
            limit.
        loss: loss function for numeric targets; other targets have a fixed one. None for squared
            with "value".
        output_activation: activation of numeric outputs, by its Keras name. Targets are
            standardised only if there is none and the loss is squared, absolute or huber. None for
            no activation, or exponential with poisson, sigmoid with bernoulli and softmax with
            cross-entropy.
        label_smoothing: label smoothing: fraction of the target probability that is spread over all
            classes. For "class" targets.
        sample_rate: sample rate of audio, in Hz.
        mel_bins: number of mel bands of the audio spectrogram.
        mean_normalization: subtract from each mel band its mean over the recording, to compensate
            for differences between microphones and rooms. Streaming is then not possible.
        columns_per_step: number of image columns per time step. With more of them there are fewer
            steps, each with more features.
        image_size: height and width that images are resized to, such as 224,224. For rows and
            pixels. None for those of the training images, which must then all have the same size.
        permutation_seed: random seed for the fixed permutation in which pixels are read. None for
            left to right, top to bottom.

    Raises:
        SeqzooError: a value is out of range.
    """

    name: ClassVar[str] = MANY_TO_ONE
    task_class: ClassVar[str] = "seqzoo.tasks.many_to_one.task:ManyToOneTask"

    input: Input
    target: Target = "class"
    further_inputs: Annotated[Mapping[str, Any], Named("further-input")] = field(
        default_factory=dict
    )
    join: Join = "concatenate"
    join_units: Annotated[int, Range(minimum=0)] = 128
    filters: Sequence[int] = ()
    random_shift: Share = 0.0
    random_zoom: Share = 0.0
    random_shear: Share = 0.0
    cell: str = "gru"
    units: Count = 128
    layers: Count = 1
    residual: bool = False
    layer_norm: bool = False
    layer_activation: LayerActivation = "linear"
    bidirectional: Annotated[bool, Named(off="unidirectional")] = False
    pooling: Pooling = "last"
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
    ngrams: Count = 1
    ngram_buckets: Annotated[int, Range(minimum=1, maximum=200_000)] = 32_768
    bag: bool = False
    vocabulary_size: Annotated[int, Range(minimum=3)] = 20_000
    minimum_count: Count = 2
    lowercase: Annotated[bool, Named(off="keep-case")] = False
    nfc: bool = False
    maximum_length: Count | None = None
    loss: Loss | None = None
    output_activation: str | None = None
    label_smoothing: Share = 0.0
    sample_rate: Annotated[int, Range(minimum=100)] = 16_000
    mel_bins: Count = 40
    mean_normalization: bool = False
    columns_per_step: Count = 1
    image_size: Sequence[int] | None = None
    permutation_seed: Annotated[int, Range(minimum=0, maximum=MAX_SEED)] | None = None

    def __post_init__(self) -> None:
        check(self)
        check_cell(self)
        check_loss(self)
        self._check_further_inputs()
        check_vectors(self)
        check_images(self)
        object.__setattr__(self, "image_size", height_and_width(self.image_size))
        check_kinds_of_options(self, KINDS_OF_OPTIONS)
        if self.label_smoothing and self.target != "class":
            raise SeqzooError(
                f"`label_smoothing` is for the target 'class', got {self.label_smoothing} with "
                f"target {self.target!r}.",
                field="label_smoothing",
            )

    def _check_further_inputs(self) -> None:
        """Checks the kinds of further inputs.

        Raises:
            SeqzooError: a kind does not exist, or there are not two inputs to compare.
        """
        check_further_inputs(self)
        count = list(self.further_inputs.values()).count(self.input)
        if self.join == "compare" and count != 1:
            raise SeqzooError(
                f"`join` 'compare' needs one further input of the kind {self.input!r}, got "
                f"{count}; name it in `further_inputs`, or use 'concatenate'.",
                field="join",
            )

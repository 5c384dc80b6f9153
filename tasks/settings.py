"""Training settings: options that do not belong to the model."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Literal

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.fields import Count, Range, as_python, check
from seqzoo.tasks.kinds import TEXTS as TEXTS

Schedule = Literal["cosine", "constant"]
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
Average = Literal["ema", "best"]
Reduction = Literal["mean", "sum"]
EmbeddingUpdates = Literal["dense", "lazy"]
BestBy = Literal["loss", "metric", "bleu", "chrf"]
ReadoutFit = Literal["gradient", "ridge"]

MAX_WARMUP_STEPS = 200
"""Maximum number of warm-up steps by default."""

WARMUP_SHARE = 10
"""Default warm-up: one in this many training steps."""

MAX_SEED = 2**32 - 1
"""Largest seed that NumPy accepts."""


BALANCED = "balanced"
"""Class weights that make all classes count equally in a training run."""


GRADIENT_ONLY = (
    "accumulate",
    "bptt_every",
    "loss_reduction",
    "average",
    "class_weight",
    "focal",
    "freeze",
    "clip_layer",
    "clip_norm",
    "clip_value",
    "weight_decay",
    "embedding_updates",
    "patience",
)
"""Settings that do not apply to a closed-form readout."""

FREE_TO_CHANGE = ("checkpoint_seconds",)
"""Settings that do not affect the results of a training run."""

BELONGS_TO = {
    "decay": ("average", "ema"),
    "average_best": ("average", "best"),
    "ridge_penalty": ("readout", "ridge"),
    "washout": ("readout", "ridge"),
}
"""Settings that have an effect only if another one has a certain value."""


@dataclass(frozen=True)
class TrainingSettings:
    """The options for training.

    Attributes:
        epochs: number of epochs (passes over the training examples).
        batch_size: examples per batch, in total across all replicas.
        batch_steps: maximum time steps per batch, padding included, so that batches of long
            examples are smaller. None for no limit.
        learning_rate: peak learning rate, reached after the warm-up.
        schedule: learning-rate schedule. "cosine" falls towards zero, which it would reach one
            step after the last; "constant" stays at the peak.
        warmup_steps: warm-up steps, in which the learning rate rises linearly from zero. None for
            a tenth of all steps, at most 200.
        weight_decay: AdamW weight decay. Biases are not decayed.
        embedding_updates: whether an update changes all rows of an embedding ("dense"), or only
            those that the batch uses ("lazy"). With "dense", Adam keeps moving rows that a batch
            does not contain; "lazy" (LazyAdam) is faster for large tables.
        clip_norm: maximum global norm of gradients. None for no clipping.
        clip_layer: maximum norm of the gradient of each variable (a layer's kernel or bias).
            Applied before `clip_norm`. None for no clipping.
        clip_value: maximum absolute value of each gradient element. Applied before `clip_layer` and
            `clip_norm`. None for no clipping.
        accumulate: number of batches whose gradients are accumulated for each weight update, as if
            they were one batch. An epoch's last update may have fewer.
        bptt_every: steps between successive backward passes of truncated backpropagation through
            time; see `bptt_back`. The gradients of a batch are summed over these windows. For
            templates with a prediction at each step and unidirectional layers. None for full
            backpropagation through each sequence.
        bptt_back: steps that each backward pass goes back, at least `bptt_every` (Williams and Peng
            1990). Earlier states are constants. None for `bptt_every`.
        loss_reduction: reduction of the loss over time steps. "mean" is the mean loss of all
            predictions; "sum" sums the loss over the steps of a sequence, as in the definition of
            backpropagation through time, and takes the mean over sequences. The mean is reported
            in both cases.
        average: weight averaging: the average that is evaluated and kept as the model. "ema" is an
            exponential moving average over updates (Polyak and Juditsky 1992); "best" is the mean
            of the best epochs, each evaluated with its own weights, or, without validation
            examples, of the last ones. None for the weights of the
            best epoch.
        decay: decay of the exponential moving average, for `average` "ema". It is lower during
            the first updates.
        average_best: number of best epochs to average, for `average` "best".
        class_weight: class weights in the training loss: "balanced", or by name, such as
            spam=3,ham=1. With "balanced", all classes count equally, however rare they are; a class
            without a weight has weight 1. Only the ratios matter. For the targets "class" and
            "tags"; with `crf`, the weights multiply the odds of predicted tags.
        focal: exponent (gamma) of the focal loss, which gives less weight to confident correct
            predictions. For the targets "class", "labels" and "tags". None for cross-entropy.
        calibrate: calibrate probabilities after training, by temperature scaling on the validation
            examples. Predictions, scores and exports of the model include it. For the targets
            "class", "labels" and "tags".
        patience: epochs without improvement after which training stops. None for no early stopping.
        best_by: validation criterion for the best epoch. "loss" (of texts, per token), "metric"
            (shown next to the loss) or, for encoder-decoders and one-to-many, "bleu" or "chrf", for
            which texts are generated after each epoch; the loss breaks ties. None for the loss for
            encoder-decoders, one-to-many and forecasts, and the metric otherwise.
        initialization: initialisation of the recurrent layers, such as orthogonal or chrono:500.
            "orthogonal", "identity" or "spectral-radius:0.9" for the matrix of each gate;
            "forget-bias:1" or "chrono:500" (the longest dependency in steps) for gates that keep a
            state; commas join several: "identity,chrono:500". None for the defaults of the cell.
        freeze: layers to freeze, such as embedding,layer_1. An unknown name is an error that
            lists the existing ones. None to train all layers.
        readout: how the output layer is trained: by gradient descent, or by ridge regression in
            closed form. "gradient" trains all weights by backpropagation; "ridge" solves for the
            output layer only, in one epoch, for cells that have no weights to train, such as
            "echo-state".
        ridge_penalty: penalty of the ridge regression, in units of the mean variance of the states.
            None for the one chosen from a grid by the validation score.
        washout: number of initial steps of each sequence that the ridge regression leaves out, if
            each step has a target.
        seed: random seed for weights, shuffling and dropout; it does not affect the splits.
        precision: dtype policy of the layers (Keras mixed precision). Losses and metrics are always
            float32.
        buckets: maximum number of lengths that sequences are padded to.
        checkpoint_seconds: seconds between checkpoints within an epoch.
        log_health: log gradient norms per layer, the fraction of dead units and spectral radii of
            recurrent weights, in history.csv and for TensorBoard.

    Raises:
        SeqzooError: a value is out of range.
    """

    epochs: Count = 10
    batch_size: Count = 32
    batch_steps: Count | None = None
    learning_rate: Annotated[float, Range(above=0, below=math.inf)] = 2e-3
    schedule: Schedule = "cosine"
    warmup_steps: Annotated[int, Range(minimum=0)] | None = None
    weight_decay: Annotated[float, Range(minimum=0, below=math.inf)] = 0.0
    embedding_updates: EmbeddingUpdates = "dense"
    clip_norm: Annotated[float, Range(above=0, below=math.inf)] | None = 1.0
    clip_layer: Annotated[float, Range(above=0, below=math.inf)] | None = None
    clip_value: Annotated[float, Range(above=0, below=math.inf)] | None = None
    accumulate: Count = 1
    bptt_every: Count | None = None
    bptt_back: Count | None = None
    loss_reduction: Reduction = "mean"
    average: Average | None = None
    decay: Annotated[float, Range(above=0, below=1)] = 0.999
    average_best: Annotated[int, Range(minimum=2)] = 3
    class_weight: Mapping[str, float] | str | None = None
    focal: Annotated[float, Range(above=0, below=math.inf)] | None = None
    calibrate: bool = False
    patience: Count | None = None
    best_by: BestBy | None = None
    initialization: str | None = None
    freeze: Sequence[str] | None = None
    readout: ReadoutFit = "gradient"
    ridge_penalty: Annotated[float, Range(minimum=0, below=math.inf)] | None = None
    washout: Annotated[int, Range(minimum=0)] = 0
    seed: Annotated[int, Range(minimum=0, maximum=MAX_SEED)] = 0
    precision: Precision = "float32"
    buckets: Count = 6
    checkpoint_seconds: Annotated[float, Range(minimum=0, below=math.inf)] = 60.0
    log_health: bool = False

    def __post_init__(self) -> None:
        check(self)
        self._check_class_weight()
        self._check_freeze()
        self._check_readout()
        if self.bptt_back is not None and self.bptt_back < (self.bptt_every or math.inf):
            expected = f"at least `bptt_every`, {self.bptt_every}"
            if self.bptt_every is None:
                expected = "None unless `bptt_every` is set"
            raise SeqzooError(field="bptt_back", expected=expected, got=self.bptt_back)

    def _check_freeze(self) -> None:
        names = self.freeze
        if names is None:
            return
        if isinstance(names, str) or not all(isinstance(name, str) for name in names):
            raise SeqzooError(field="freeze", expected="a list of layer names", got=names)
        # A list, as in JSON, so that stored settings equal new ones.
        object.__setattr__(self, "freeze", list(names) or None)

    def _check_readout(self) -> None:
        """Checks that no setting is changed that has no effect: one in `GRADIENT_ONLY` for a
        closed-form readout, or one in `BELONGS_TO` without the one that it belongs to."""
        defaults = {field.name: field.default for field in fields(self)}
        for name, (other, value) in BELONGS_TO.items():
            if getattr(self, name) != defaults[name] and getattr(self, other) != value:
                raise SeqzooError(
                    f"`{name}` is for {other} {value!r}, got {getattr(self, name)!r} with "
                    f"{getattr(self, other)!r}.",
                    field=name,
                )
        if self.readout == "gradient":
            return
        for name in GRADIENT_ONLY:
            value = getattr(self, name)
            if value != defaults[name]:
                raise SeqzooError(
                    f"`{name}` is for readout 'gradient', got {value!r} with {self.readout!r}.",
                    field=name,
                )

    def _check_class_weight(self) -> None:
        weights = self.class_weight
        if weights is None or weights == BALANCED:
            return
        expected = f"{BALANCED!r} or positive weights by name"
        if not isinstance(weights, Mapping) or not weights:
            raise SeqzooError(field="class_weight", expected=expected, got=weights)
        plain = {}
        for name, weight in weights.items():
            number = as_python(weight)
            valid = isinstance(name, str) and not isinstance(number, bool)
            if not (valid and isinstance(number, int | float) and 0 < number < math.inf):
                raise SeqzooError(field="class_weight", expected=expected, got={name: weight})
            plain[name] = number
        object.__setattr__(self, "class_weight", plain)

    def warmup_of(self, steps: int) -> int:
        """Number of warm-up steps in a training run of `steps` steps."""
        if self.warmup_steps is None:
            return min(MAX_WARMUP_STEPS, steps // WARMUP_SHARE)
        return self.warmup_steps

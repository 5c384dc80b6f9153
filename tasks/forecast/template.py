"""The template that forecasts all steps of a horizon from the history of series with dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from seqzoo.tasks.base import Template
from seqzoo.tasks.cell_names import check_cell
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.fields import Count, Named, Range, Share, check
from seqzoo.tasks.kinds import FORECAST, inputs_of, targets_of
from seqzoo.tasks.settings import TrainingSettings

if TYPE_CHECKING:
    ForecastInput = ForecastTarget = str
else:
    ForecastInput, ForecastTarget = inputs_of(FORECAST), targets_of(FORECAST)

DistributionName = Literal["point", "quantiles", "gaussian", "student-t", "negative-binomial"]
ForecastLoss = Literal["absolute", "squared", "huber"]
WindowNormalization = Literal["last", "mean", "season", "none"]
Transform = Literal["none", "log", "log1p"]
HorizonForm = Literal["parallel", "recurrent"]


@dataclass(frozen=True)
class Forecast(Template):
    """The history of series in, all steps of the horizon out: segments of the look-back window ->
    dense -> recurrent layers -> one step for each segment of the horizon -> dense.

    The architecture is that of SegRNN (Lin et al. 2023), with any cell. The targets are processed
    independently, with shared weights.

    Attributes:
        input: input type: a table with dates.
        target: target type: the steps of the horizon.
        cell: recurrent cell; see `seqzoo list cells`. A name in `seqzoo.cells.CELLS`.
        units: number of units per layer and direction. There is one direction.
        layers: number of recurrent layers.
        dropout: dropout rate on layer inputs. Applied to the last features, but not to the
            inputs of the first layer.
        recurrent_dropout: dropout rate on recurrent inputs.
        cell_options: options of the cell.
        recompute: gradient checkpointing: keep only the states of every N-th step and recompute the
            others in the backward pass, to fit longer sequences into memory. None to keep all.
        look_back: length of the look-back window, in steps.
        horizon: default number of steps to forecast.
        segment: segment length, in steps; the recurrent layers read one segment at a time. None for
            a season, halved until there are at least two segments.
        form: whether the segments of the horizon are forecast in parallel, or each from the
            previous one. "parallel" runs one step from the last state for each segment, given its
            position; "recurrent" feeds each segment's forecast to the next step.
        transform: function of the values, applied before all else and undone in forecasts: "log",
            the logarithm, for positive values that grow exponentially; "log1p", the logarithm of
            1 + value, for values that can be 0.
        window_normalization: normalisation of each window, undone in its forecast: "last" subtracts
            the last value; "mean" subtracts the mean and divides by the standard deviation;
            "season" subtracts the value one season earlier.
        linear: average the forecast with that of a linear model of the look-back window, fitted
            after training; its share is chosen on the validation examples.
        distribution: the kind of forecast for each step: a number, quantiles, or a distribution.
            "negative-binomial" is for counts.
        levels: quantile levels to forecast and report, between 0 and 1.
        loss: loss function for numeric targets; other targets have a fixed one. For "point"
            forecasts; the others are trained on the quantile loss or the negative log-likelihood.
        conformal: calibrate quantiles on the validation examples, by conformal prediction. It also
            gives point forecasts their intervals.
        conformal_folds: number of folds of the training examples on which quantiles are calibrated,
            too; each is forecast by a model trained without it, which takes as long as the training
            run itself. None for the validation examples alone.
        calendar: add calendar features: time of day, of the week and of the year, if the training
            data span at least two days, two weeks or two years, respectively.
        season: season length, in steps; the seasonal naive baseline uses it, too. None for the
            usual length for the frequency: 24 for hourly, 7 for daily and 12 for monthly data.
        windows: maximum number of training windows per epoch, resampled each epoch.

    Raises:
        SeqzooError: a value is out of range, or options are incompatible.
    """

    name: ClassVar[str] = FORECAST
    task_class: ClassVar[str] = "seqzoo.tasks.forecast.task:ForecastTask"
    maximum_length: ClassVar[None] = None

    input: ForecastInput = "history"
    target: ForecastTarget = "horizon"
    cell: str = "gru"
    units: Count = 128
    layers: Count = 1
    dropout: Share = 0.1
    recurrent_dropout: Share = 0.0
    cell_options: Annotated[Mapping[str, Any], Named("cell-option")] = field(default_factory=dict)
    recompute: Count | None = None
    look_back: Count = 96
    horizon: Count = 24
    segment: Count | None = None
    form: HorizonForm = "parallel"
    transform: Transform = "none"
    window_normalization: WindowNormalization = "last"
    linear: bool = False
    distribution: DistributionName = "point"
    levels: Sequence[float] = (0.1, 0.25, 0.5, 0.75, 0.9)
    loss: ForecastLoss = "absolute"
    conformal: bool = True
    conformal_folds: Annotated[int, Range(minimum=2)] | None = None
    calendar: bool = True
    season: Count | None = None
    windows: Count = 10_000

    def __post_init__(self) -> None:
        # In order, and as a tuple even if they come from the list in a run's JSON.
        given: Any = self.levels
        levels = given if isinstance(given, list | tuple) else (given,)
        if not levels or not all(isinstance(level, float) and 0 < level < 1 for level in levels):
            raise SeqzooError(
                field="levels", expected="numbers above 0 and below 1", got=list(levels)
            )
        object.__setattr__(self, "levels", tuple(sorted(levels)))
        check(self)
        check_cell(self)
        if len(set(self.levels)) < len(self.levels):
            raise SeqzooError(field="levels", expected="distinct", got=list(self.levels))
        if self.segment is not None and self.segment > min(self.look_back, self.horizon):
            expected = (
                f"at most the horizon ({self.horizon} steps) and the look-back ({self.look_back})"
            )
            raise SeqzooError(field="segment", expected=expected, got=self.segment)
        if self.loss != "absolute" and self.distribution != "point":
            raise SeqzooError(
                f"`loss` is for the distribution 'point', got {self.loss!r} with "
                f"{self.distribution!r}.",
                field="loss",
            )
        if self.transform != "none" and self.distribution == "negative-binomial":
            raise SeqzooError(
                "`transform` must be 'none' with the distribution 'negative-binomial', which is "
                f"for counts, not their logarithms, got {self.transform!r}; leave it out, or use "
                "the distribution 'quantiles'.",
                field="transform",
            )
        if self.conformal_folds is not None and not self.conformal:
            raise SeqzooError(
                f"`conformal_folds` needs `conformal`, got {self.conformal_folds} without it.",
                field="conformal_folds",
            )
        if self.linear and self.distribution == "negative-binomial":
            raise SeqzooError(
                "`linear` must be False with the distribution 'negative-binomial', whose forecasts "
                "are not linear in its parameters; leave it out, or use the distribution "
                "'quantiles'.",
                field="linear",
            )

    @property
    def default_settings(self) -> TrainingSettings:
        return TrainingSettings(epochs=30, learning_rate=3e-3, best_by="loss")

"""Backtests a forecast: scores over several origins, with or without retraining at each."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.data.frequency import shown_dates
from seqzoo.tasks.data.history import History
from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.histories import read_histories, split_by_time
from seqzoo.zoo.data.time_zones import to_local
from seqzoo.zoo.inference.forecasts import Forecaster
from seqzoo.zoo.output import metric_name, table
from seqzoo.zoo.training.temporary import train_temporarily

MEAN = "mean"
"""Name of the row with the means over all origins."""


def backtest(
    folder: str,
    *,
    given: dict[str, Any],
    origins: int = 5,
    stride: int | None = None,
    refit: bool = False,
    print_fn: Callable[[str], Any] = lambda _: None,
    device: str | None = None,
) -> dict[str, Any]:
    """Scores the forecasts of a run from several origins, the last of which is one horizon before
    the end of the data.

    Args:
        folder: the folder of the run.
        given: fields of the run's source that were given, such as `data`.
        origins: number of origins.
        stride: number of steps between successive origins; None for the horizon.
        refit: whether a model is trained at each origin, with the settings of the run, on the steps
            before it; otherwise the run's own model is used.
        print_fn: called with a sentence for each training run.
        device: see `seqzoo.zoo.devices.choose`.

    Returns: "origins", a list of dates in the table's time zone with their scores and "baselines",
        as `Run.evaluate` returns them, and "mean", the means over the origins; JSON-serialisable.

    Raises:
        SeqzooError: the run uses a different template, there are too few steps, or the run's model
            has been trained on steps after an origin.
    """
    forecaster = Forecaster.open(folder, given, device)
    run, source = forecaster.run, forecaster.source
    histories, source, _ = read_histories(source.absolute())
    horizon = run.template.horizon
    known = [history.dates[: history.end] for history in histories if history.end]
    if not known:
        raise SeqzooError(
            f"{source.data} has no numeric values to compare forecasts with.", field="data"
        )
    # Of the series that end last, the longest determines the origins.
    dates = max(known, key=lambda item: (item[-1], len(item)))
    stride = int(stride or horizon)
    first = len(dates) - horizon - (origins - 1) * stride
    if first < 2:
        maximum = max((len(dates) - horizon - 2) // stride + 1, 0)
        raise SeqzooError(
            f"`origins` must be at most {maximum} with a stride of {stride} in {len(dates):,} "
            f"steps, got {origins}.",
            field="origins",
        )
    starts = dates[first + stride * np.arange(origins)]
    until = np.datetime64(run.task.features.config["until"])
    names = shown_dates(to_local(starts, source.timezone))
    if not refit and starts[0] <= until:
        first_date, last_date = shown_dates(to_local(np.array([starts[0], until]), source.timezone))
        raise SeqzooError(
            f"The first origin, {first_date}, is within the training data of {run.folder}, "
            f"which end at {last_date}; use fewer origins, or --refit.",
            field="origins",
        )
    results = []
    for start, shown in zip(starts, names, strict=True):
        cut = _until(histories, start, horizon)
        examples = Examples(
            [item.cut(len(item), int((item.dates < start).sum())) for item in cut if item.end]
        )
        examples = examples.pick(
            [i for i, item in enumerate(examples.inputs) if 0 < item.since < item.end]
        )
        if not len(examples):
            raise SeqzooError(
                f"No series has a numeric value within the horizon ({horizon}) from {shown} on."
            )
        if refit:
            print_fn(f"Training up to {shown}.")
            splits, _ = split_by_time(
                cut, replace(source, split_at=(str(start),), date_format=None, timezone=None)
            )
            metrics = train_temporarily(run, splits).evaluate(examples)
        else:
            metrics = run.evaluate(examples)
        results.append({"origin": shown, **metrics})
    return {"origins": results, MEAN: _mean(results)}


def _until(histories: Sequence[History], start: Any, horizon: int) -> list[History]:
    """The steps of series up to one horizon after an origin."""
    cut = []
    for history in histories:
        stop = min(int((history.dates < start).sum()) + horizon, len(history))
        if stop and history.dates[0] < start:
            cut.append(history.cut(stop))
    return cut


def _mean(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The means of all scores, including those of baselines."""
    names = [name for name, value in results[0].items() if isinstance(value, float)]
    mean: dict[str, Any] = {
        name: float(np.mean([item[name] for item in results if name in item])) for name in names
    }
    baselines = {name: None for item in results for name in item["baselines"]}
    mean["baselines"] = {
        name: {
            score: float(np.mean([item["baselines"][name][score] for item in results]))
            for score in results[0]["baselines"][name]
            if all(score in item["baselines"].get(name, {}) for item in results)
        }
        for name in baselines
        if name in results[0]["baselines"]
    }
    return mean


def backtest_text(result: dict[str, Any]) -> str:
    """A table with the scores at each origin, their means, and the means of the baselines."""
    names = [name for name, value in result[MEAN].items() if isinstance(value, float)]

    def row(label: str, scores: dict[str, Any]) -> list[str]:
        return [label, *(f"{scores[name]:.3f}" if name in scores else "-" for name in names)]

    rows = [row(item["origin"], item) for item in result["origins"]]
    rows.append(row(MEAN, result[MEAN]))
    rows += [row(f"{MEAN}, {name}", item) for name, item in result[MEAN]["baselines"].items()]
    return table(["origin", *map(metric_name, names)], rows)

"""Plots of forecasts: the history, the forecast, and bands between quantiles."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from seqzoo.tasks.data.history import History
from seqzoo.tasks.plots import INK, TRAINING, VALIDATION, save

PANELS = 12
"""Maximum number of series and targets in a plot."""

SHOWN_HORIZONS = 4
"""Length of the history in a plot, in horizons; a shorter history is shown in full."""

LEGEND_COLUMNS = 5
"""Maximum number of entries of the legend side by side."""


def plot_forecasts(
    path: pathlib.Path,
    histories: Sequence[History],
    predictions: Sequence[Any],
    targets: Sequence[str],
    levels: Sequence[float],
    truths: Sequence[np.ndarray] | None = None,
    shown: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> None:
    """Draws a panel for each target of each series, up to `PANELS`.

    Args:
        path: the .png file.
        histories: the history before each forecast.
        predictions: the `ForecastPrediction` of each history.
        targets: names of the targets.
        levels: the levels of the quantiles.
        truths: the actual values, (horizon, targets) each; None if they are not known.
        shown: dates -> the dates to show, such as local times.
    """
    panels = [(item, column) for item in range(len(predictions)) for column in range(len(targets))]
    panels = panels[:PANELS]
    figure = Figure(figsize=(9, 2.6 * len(panels) + 0.6), layout="constrained")
    grid = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for axes, (index, column) in zip(grid, panels, strict=True):
        history, prediction = histories[index], predictions[index]
        dates = shown(prediction.dates)
        ahead = len(dates)
        behind = slice(max(history.end - SHOWN_HORIZONS * ahead, 0), history.end)
        axes.plot(
            shown(history.dates[behind]),
            history.values[behind, column],
            color=INK,
            lw=1,
            label="history",
        )
        values = np.asarray(prediction.value, np.float64).reshape(ahead, -1)[:, column]
        if prediction.quantiles is not None:
            quantiles = prediction.quantiles[:, column]
            for low in range(quantiles.shape[-1] // 2):
                share = levels[-1 - low] - levels[low]
                white = 0.8 ** (low + 1)
                axes.fill_between(
                    dates,
                    quantiles[:, low],
                    quantiles[:, -1 - low],
                    color=[white + (1 - white) * part for part in to_rgb(VALIDATION)],
                    lw=0,
                    label=f"{100 * share:.4g}% interval",
                )
        axes.plot(dates, values, color=VALIDATION, lw=1.4, label="forecast")
        if truths is not None:
            axes.plot(dates, truths[index][:, column], color=TRAINING, lw=1, label="observed")
        names = [name for name in (prediction.series, targets[column]) if name]
        axes.set_title(" · ".join(names), loc="left", fontsize="medium", parse_math=False)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    handles, labels = grid[0].get_legend_handles_labels()
    columns = min(len(labels), LEGEND_COLUMNS)
    figure.legend(handles, labels, frameon=False, loc="outside upper right", ncols=columns)
    save(figure, path)

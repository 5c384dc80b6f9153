"""Windows of series with dates, as a forecaster is trained and evaluated on."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqzoo.tasks.data.batches import Sequences

WINDOWS_AT_ONCE = 512
"""Number of windows in a batch outside training: of those whose scales are computed, for the
forecasts of each step of a history, and for a linear model."""


class Scales(NamedTuple):
    """Means and standard deviations of windows that are not standardised yet.

    Attributes:
        layout: the `Layout` of encoded steps.
        mean: the mean of each target, (windows, targets), float32; 0 for windows that are already
            standardised.
        scale: the standard deviation, of the same shape; 1 for such windows.
    """

    layout: Any
    mean: np.ndarray
    scale: np.ndarray

    def standardise(self, steps: np.ndarray, rows: Any) -> np.ndarray:
        """Standardises encoded steps, (..., time, features), of the windows `rows`; returns
        them."""
        mean, scale = self.mean[rows][..., None, :], self.scale[rows][..., None, :]
        parts = self.layout.split(steps)  # views
        standard = (parts["values"] - mean) / scale
        np.copyto(parts["values"], standard, where=parts["observed"] > 0)
        parts["mean"][...] = parts["mean"] + mean
        parts["scale"][...] = parts["scale"] * scale
        return steps


class HistoryWindows(Sequences):
    """Windows of equal length, which may overlap.

    Args:
        flat: the encoded steps of all series, one after another.
        starts: the first step of each window.
        length: number of steps of a window.
        examples: the index of each window's example.
        origins: the first step of each window's horizon, in its history.
        spans: the dates of the first step of each window's horizon, and of the step after the
            horizon, datetime64, (windows, 2).
        series: the name of the series of each example.
        scales: the means and standard deviations of windows that are still to be standardised,
            each by its own look-back window; None if there are no such windows.
    """

    def __init__(
        self,
        flat: np.ndarray,
        starts: np.ndarray,
        length: int,
        examples: np.ndarray,
        origins: np.ndarray,
        spans: np.ndarray,
        series: Sequence[str],
        scales: Scales | None = None,
    ):
        super().__init__(flat, np.full(len(starts), length, np.int32))
        self.starts = starts
        self.examples = examples
        self.origins = origins
        self.spans = spans
        self.series = tuple(series)
        self.scales = scales

    def __getitem__(self, index: int) -> np.ndarray:
        steps = super().__getitem__(index)
        return steps if self.scales is None else self.scales.standardise(steps.copy(), index)

    def padded(self, rows: np.ndarray, longest: int) -> np.ndarray:
        """Selected windows: (rows, time, features)."""
        steps = super().padded(rows, longest)
        return steps if self.scales is None else self.scales.standardise(steps, rows)

    def joined(self, others: "HistoryWindows") -> "HistoryWindows":
        """These windows and others of the same length, sorted by series and date; each series is
        one example."""
        unique, example = np.unique([*self.series, *others.series], return_inverse=True)
        both = HistoryWindows(
            np.concatenate([self.flat, others.flat]),
            np.concatenate([self.starts, others.starts + len(self.flat)]),
            int(self.lengths[0]),
            example[np.concatenate([self.examples, others.examples + len(self.series)])],
            np.concatenate([self.origins, others.origins]),
            np.concatenate([self.spans, others.spans]),
            unique.tolist(),
            joined_scales([self.scales, others.scales], [len(self), len(others)]),
        )
        return both.subset(np.lexsort([both.spans[:, 0], both.examples]))

    def subset(self, rows: np.ndarray) -> "HistoryWindows":
        """The windows with these indices."""
        return HistoryWindows(
            self.flat,
            self.starts[rows],
            int(self.lengths[0]),
            self.examples[rows],
            self.origins[rows],
            self.spans[rows],
            self.series,
            None if self.scales is None else _of_rows(self.scales, rows),
        )


def joined_scales(parts: Sequence[Scales | None], counts: Sequence[int]) -> Scales | None:
    """The scales of several groups of windows, some of which may have none."""
    layout = next((part.layout for part in parts if part is not None), None)
    if layout is None:
        return None
    none = (np.zeros((1, layout.mean), np.float32), np.ones((1, layout.scale), np.float32))
    pairs = [
        [np.repeat(item, count, 0) for item in none] if part is None else part[1:]
        for part, count in zip(parts, counts, strict=True)
    ]
    return Scales(layout, *(np.concatenate(items) for items in zip(*pairs, strict=True)))


def _of_rows(scales: Scales, rows: np.ndarray) -> Scales:
    return scales._replace(mean=scales.mean[rows], scale=scales.scale[rows])

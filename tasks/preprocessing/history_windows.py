"""Windows of series with dates, as a forecaster is trained and evaluated on."""

from collections.abc import Sequence

import numpy as np

from seqzoo.tasks.data.batches import Sequences


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
    ):
        super().__init__(flat, np.full(len(starts), length, np.int32))
        self.starts = starts
        self.examples = examples
        self.origins = origins
        self.spans = spans
        self.series = tuple(series)

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
        )

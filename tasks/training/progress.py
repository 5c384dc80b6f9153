"""What training tells while it runs, and how a terminal or a pipe shows it."""

import time
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column


class TrainingProgress(Protocol):
    """Hears of training; all calls come from the thread that trains."""

    def start(self, *, epochs: int, steps: int, metric: str, unit: str) -> None:
        """Training begins or goes on: epochs in all, steps an epoch, name of the metric, and what
        the time steps of an example are, as "tokens"."""

    def epoch(self, epoch: int, done: int) -> None:
        """An epoch begins, counted from 1; `done` of its steps were taken before a resume."""

    def step(self, done: int, loss: float, metric: float, tokens: int) -> None:
        """Steps taken in the epoch, its mean loss and metric, its time steps up to here, of inputs
        and targets and without padding; not told after every step."""

    def row(self, row: dict[str, Any]) -> None:
        """An epoch ended; its row of the history."""

    def end(self, message: str) -> None:
        """Training ended, with a sentence on what it reached; empty where an error tells why."""


class Silent:
    """Tells nothing."""

    def start(self, *, epochs: int, steps: int, metric: str, unit: str) -> None:
        pass

    def epoch(self, epoch: int, done: int) -> None:
        pass

    def step(self, done: int, loss: float, metric: float, tokens: int) -> None:
        pass

    def row(self, row: dict[str, Any]) -> None:
        pass

    def end(self, message: str) -> None:
        pass


class TerminalProgress:
    """A bar on a terminal, and one line an epoch there and elsewhere.

    Args:
        console: to write to; standard error by default, so that answers can be piped.
    """

    def __init__(self, console: Console | None = None):
        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None

    def start(self, *, epochs: int, steps: int, metric: str, unit: str) -> None:
        self._epochs, self._steps, self._metric, self._unit = epochs, steps, metric, unit
        self._begun: tuple[float, int | None] = (time.monotonic(), None)
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
                TextColumn("step {task.fields[step]}/{task.fields[steps]}"),
                BarColumn(bar_width=12),
                TextColumn("{task.fields[figures]}"),
                TimeRemainingColumn(compact=True, table_column=Column(min_width=5)),
                TextColumn("left"),
                console=self._console,
                transient=True,
            )
            self._task = self._bar.add_task(
                "",
                total=epochs * steps,
                epoch=1,
                epochs=epochs,
                step=0,
                steps=steps,
                figures="compiling",
            )
            self._bar.start()

    def epoch(self, epoch: int, done: int) -> None:
        self._epoch = epoch
        self._begun = (time.monotonic(), None)
        if self._bar is not None:
            completed = (epoch - 1) * self._steps + done
            self._bar.update(self._task, epoch=epoch, step=done, completed=completed)

    def step(self, done: int, loss: float, metric: float, tokens: int) -> None:
        if self._bar is None:
            return
        figures = f"loss {loss:.4f} {_words(self._metric)} {metric:.4f}"
        began, first = self._begun
        if first is None:
            # The first step of an epoch may be a compilation, and is left out of the speed.
            self._begun = (time.monotonic(), tokens)
        elif (seconds := time.monotonic() - began) > 0:
            figures += f" {(tokens - first) / seconds:,.0f} {self._unit}/s"
        completed = (self._epoch - 1) * self._steps + done
        self._bar.update(self._task, step=done, completed=completed, figures=figures)

    def row(self, row: dict[str, Any]) -> None:
        figures = [
            f"{_words(name)} {value:.4f}"
            for name, value in row.items()
            if name not in ("epoch", "learning_rate", "seconds")
        ]
        self._console.print(
            f"epoch {row['epoch']}/{self._epochs}  {'  '.join(figures)}  {row['seconds']:.1f} s"
        )

    def end(self, message: str) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        if message:
            self._console.print(message)


def _words(name: str) -> str:
    return name.replace("_", " ")

"""Progress of training, and its display on a terminal or in a pipe."""

import math
import re
import threading
import time
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

SILENCE = 30.0
"""Maximum number of seconds between successive lines that are written to a pipe, even in a long
step."""


class TrainingProgress(Protocol):
    """Receives the progress of training; all calls come from the training thread."""

    def start(self, *, epochs: int, steps: int, metric: str, unit: str) -> None:
        """Training begins or resumes.

        Args:
            epochs: number of epochs.
            steps: number of training steps per epoch.
            metric: name of the metric.
            unit: name of time steps, such as "tokens".
        """

    def note(self, text: str) -> None:
        """A sentence about the data, before training begins, or about what follows it."""

    def epoch(self, epoch: int, done: int) -> None:
        """An epoch, counted from 1, begins; `done` of its steps were run before training was
        resumed."""

    def step(self, done: int, loss: float, metric: float, tokens: int) -> None:
        """Training steps were run; not called after every step.

        Args:
            done: number of steps run in the epoch.
            loss: mean loss of the epoch so far.
            metric: the metric of the epoch so far.
            tokens: number of time steps processed in the epoch so far, in inputs and targets,
                excluding padding.
        """

    def row(self, row: dict[str, Any]) -> None:
        """An epoch ended; `row` is its row of the history."""

    def end(self, message: str) -> None:
        """Training ended, with a sentence about the result; empty if an error explains the end."""


class Silent:
    """Shows nothing."""

    def start(self, *, epochs: int, steps: int, metric: str, unit: str) -> None:
        pass

    def note(self, text: str) -> None:
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
    """A bar on a terminal; otherwise a line at least every `SILENCE` seconds, even during
    compilation and validation. Both get one line per epoch.

    Args:
        console: the console to write to; standard error by default, so that results can be piped.
    """

    def __init__(self, console: Console | None = None):
        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._pulse: _Pulse | None = None

    def start(self, *, epochs: int, steps: int, metric: str, unit: str) -> None:
        self._epochs, self._steps, self._metric, self._unit = epochs, steps, metric, unit
        self._epoch, self._done, self._figures = 1, 0, "compiling"
        self._begun: tuple[float, int, int | None] = (time.monotonic(), 0, None)
        self._speed: float | None = None
        if not self._console.is_terminal:
            self._pulse = _Pulse(self._print_progress)
            return
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

    def note(self, text: str) -> None:
        self._console.print(text, markup=False)

    def epoch(self, epoch: int, done: int) -> None:
        self._epoch, self._done = epoch, done
        self._figures = "" if self._speed else "compiling"
        self._begun = (time.monotonic(), done, None)
        if self._bar is not None:
            completed = (epoch - 1) * self._steps + done
            self._bar.update(self._task, epoch=epoch, step=done, completed=completed)

    def step(self, done: int, loss: float, metric: float, tokens: int) -> None:
        figures = f"loss {loss:.4f} {_words(self._metric)} {metric:.4f}"
        if math.isnan(loss):  # nothing is fitted before all examples are read
            figures = "fitting"
        began, before, first = self._begun
        if first is None:
            # The first step of an epoch may include compilation, so the speed excludes it.
            self._begun = (time.monotonic(), done, tokens)
        elif (seconds := time.monotonic() - began) > 0 and done > before:
            self._speed = (done - before) / seconds
            figures += f" {(tokens - first) / seconds:,.0f} {self._unit}/s"
        self._done, self._figures = done, figures
        if self._bar is not None:
            completed = (self._epoch - 1) * self._steps + done
            self._bar.update(self._task, step=done, completed=completed, figures=figures)
        elif self._pulse is not None:
            self._pulse.call_if_due()

    def row(self, row: dict[str, Any]) -> None:
        figures = [
            f"{_words(name)} {value:.4f}"
            for name, value in row.items()
            if name not in ("epoch", "learning_rate", "seconds")
            and not name.startswith(("gradient_norm", "dead_units", "spectral_radius"))
        ]
        self._print(
            f"epoch {row['epoch']}/{self._epochs}  {'  '.join(figures)}  {row['seconds']:.1f} s"
        )

    def end(self, message: str) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        if self._pulse is not None:
            self._pulse.stop()
            self._pulse = None
        if message:
            self._console.print(message)

    def _print(self, line: str) -> None:
        self._console.print(line)
        if self._pulse is not None:
            self._pulse.restart()

    def _print_progress(self) -> None:
        """Prints a line with the progress of training."""
        figures = "validating" if self._done == self._steps else self._figures
        parts = [f"epoch {self._epoch}/{self._epochs}", f"step {self._done}/{self._steps}"]
        parts += [figures] if figures else []
        if self._speed:
            left = (self._epochs - self._epoch + 1) * self._steps - self._done
            parts.append(f"{_duration(left / self._speed)} left")
        self._console.print("  ".join(parts))


class _Pulse:
    """Calls a function if it has not been called for `SILENCE` seconds, from a separate thread if
    the training thread is busy, since a step may include minutes of compilation.

    Args:
        function: the function.
    """

    def __init__(self, function: Any):
        self._function = function
        self._lock = threading.Lock()
        self._last_call = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def call_if_due(self) -> None:
        with self._lock:
            if time.monotonic() - self._last_call >= SILENCE and not self._ended.is_set():
                self._function()
                self._last_call = time.monotonic()

    def restart(self) -> None:
        """Restarts the timer, since something else was printed."""
        self._last_call = time.monotonic()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(max(0.01, self._last_call + SILENCE - time.monotonic())):
            self.call_if_due()


def _words(name: str) -> str:
    return re.sub(r"\bf1\b", "F1", name.replace("_", " "))


def _duration(seconds: float) -> str:
    """A duration as text: "1:02:03", or "2:03"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

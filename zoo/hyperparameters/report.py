"""The report of a search: a table of trials, a plot, and a sentence about the best trial."""

import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from seqzoo.tasks.atomic_files import write_json, write_table
from seqzoo.zoo.hyperparameters.channel import COMPLETE, FAILED, PRUNED, UNFINISHED
from seqzoo.zoo.hyperparameters.layout import BEST
from seqzoo.zoo.output import metric_name

ORDER = (COMPLETE, PRUNED, UNFINISHED, FAILED)
"""States in the order of the table."""


@dataclass(frozen=True)
class TrialResult:
    """The result of a trial.

    Attributes:
        number: its number, from 0; its run folder is trials/NUMBER.
        state: "complete", "pruned", "failed" or "unfinished".
        score: validation score of its best epoch so far; None before the first epoch.
        epoch: the best epoch, from 1; None before the first epoch.
        epochs: number of epochs that it was trained for.
        parameters: parameter count of the model; None unless the trial is complete.
        seconds: training time, in seconds.
        options: the values of the options that are searched.
        given: whether these are the values of the settings that the search was started with.
        error: why it failed; empty if it did not.
        same_as: the earlier trial with the same options, whose result was used; or None.
    """

    number: int
    state: str
    score: float | None
    epoch: int | None
    epochs: int
    parameters: int | None
    seconds: float
    options: dict[str, Any]
    given: bool = False
    error: str = ""
    same_as: int | None = None


@dataclass(frozen=True)
class Search:
    """A search with all of its trials.

    Attributes:
        name: the name of the preset, template or file that was trained.
        metric: name of the score.
        better: 1 if a larger score is better, -1 if a smaller one is.
        trials: the trials, in the order in which they began.
        importances: importance of each option, from the highest to the lowest, summing to 1; empty
            if too few trials are complete.
        folder: the folder that the search is written to.
    """

    name: str
    metric: str
    better: int
    trials: Sequence[TrialResult]
    importances: Mapping[str, float]
    folder: pathlib.Path

    @property
    def best(self) -> TrialResult | None:
        """The complete trial with the best score, the first one if scores are equal; None if no
        trial is complete."""
        done = [trial for trial in self.trials if trial.state == COMPLETE]
        return min(done, key=self._rank, default=None)

    @property
    def config(self) -> pathlib.Path:
        """The configuration file of the best trial, for `seqzoo train`."""
        return self.folder / BEST

    def ordered(self) -> list[TrialResult]:
        """Complete trials from the best to the worst, then pruned, unfinished and failed ones."""
        return sorted(self.trials, key=lambda item: (ORDER.index(item.state), self._rank(item)))

    def _rank(self, trial: TrialResult) -> float:
        return float("inf") if trial.score is None else -self.better * trial.score

    def result_line(self, trial: TrialResult) -> str:
        """The result of a trial: "validation accuracy 0.8412 in epoch 2 of 3, 12.1 s"."""
        if trial.state == FAILED:
            return f"failed: {trial.error}"
        score = f"validation {metric_name(self.metric)} {_number(trial.score)}"
        if trial.same_as is not None:
            return f"{score}, as in trial {trial.same_as}"
        progress = f"epoch {trial.epoch} of {trial.epochs}"
        if trial.state == COMPLETE:
            return f"{score} in {progress}, {trial.seconds:.1f} s"
        return f"{trial.state} after epoch {trial.epochs}, {score}, {trial.seconds:.1f} s"

    def rows(self) -> list[dict[str, Any]]:
        """The table: one row of plain values per trial; None for missing values."""
        return [
            {
                "trial": item.number,
                "state": item.state,
                "score": item.score,
                "epoch": item.epoch,
                "epochs": item.epochs,
                "parameters": item.parameters,
                "seconds": item.seconds,
                **item.options,
                "error": item.error,
            }
            for item in self.ordered()
        ]

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Column names and rows of a readable table."""
        names = list(dict.fromkeys(name for trial in self.trials for name in trial.options))
        headers = ["trial", f"validation {metric_name(self.metric)}", "epoch", "parameters"]
        headers += ["seconds", *names, "state"]
        rows = [
            [
                str(item.number),
                _number(item.score),
                "-" if item.epoch is None else f"{item.epoch}/{item.epochs}",
                "-" if item.parameters is None else f"{item.parameters:,}",
                f"{item.seconds:.1f}",
                *(_value(item.options[name]) if name in item.options else "-" for name in names),
                item.state,
            ]
            for item in self.ordered()
        ]
        return headers, rows

    def verdict(self) -> str:
        """The best trial, the trial with the given options, and the importance of each option."""
        best = self.best
        if best is None:
            return "No trial is complete."
        metric = f"validation {metric_name(self.metric)}"
        sentence = f"Best: trial {best.number}, {metric} {_number(best.score)}"
        given = next(
            (trial for trial in self.trials if trial.given and trial.state == COMPLETE), None
        )
        if given is not None:
            before = f"{_number(given.score)} with the given options"
            sentence += f", {before}" if given is not best else ", which has the given options"
        counts = {state: sum(trial.state == state for trial in self.trials) for state in ORDER}
        parts = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        lines = [f"{sentence}. Trials: {parts}."]
        if self.importances:
            listed = ", ".join(f"{name} {value:.0%}" for name, value in self.importances.items())
            lines.append(f"Importance: {listed}.")
        lines += [
            f"Trial {trial.number} failed: {trial.error}" for trial in self.trials if trial.error
        ]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The search, JSON-serialisable."""
        best = self.best
        return {
            "name": self.name,
            "metric": self.metric,
            "better": self.better,
            "split": "validation",
            "best": None if best is None else {**asdict(best), "config": str(self.config)},
            "importances": dict(self.importances),
            "trials": [asdict(trial) for trial in self.trials],
        }

    def write(self) -> None:
        """Writes search.csv, search.json and search.png to the folder."""
        write_table(self.folder / "search.csv", self.rows())
        write_json(self.folder / "search.json", self.to_json())
        if self.best is not None:
            self.plot(self.folder / "search.png")

    def plot(self, path: pathlib.Path) -> None:
        """Plots the score of each trial with the best so far, and the importance of each option."""
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator

        from seqzoo.tasks.plots import INK, TRAINING, VALIDATION, save

        both = bool(self.importances)
        figure = Figure(figsize=(11 if both else 6.5, 4.2), layout="constrained")
        axes = figure.add_subplot(1, 1 + both, 1)
        better = "higher" if self.better > 0 else "lower"
        metric = metric_name(self.metric)
        for state, mark, label in ((COMPLETE, "o", "complete"), (PRUNED, "x", "pruned")):
            selected = [
                trial for trial in self.trials if trial.state == state and trial.score is not None
            ]
            if selected:
                scores: list[Any] = [trial.score for trial in selected]
                axes.plot(
                    [trial.number for trial in selected],
                    scores,
                    mark,
                    color=TRAINING,
                    alpha=0.7,
                    label=label,
                )
        steps: list[tuple[int, float]] = []
        for trial in self.trials:
            if trial.state == COMPLETE and trial.score is not None:
                if not steps or self.better * trial.score > self.better * steps[-1][1]:
                    steps.append((trial.number, trial.score))
        last = max(trial.number for trial in self.trials)
        axes.step(
            [*(number for number, _ in steps), last],
            [*(score for _, score in steps), steps[-1][1]],
            where="post",
            color=VALIDATION,
            label="best so far",
        )
        axes.set_xlabel("trial")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_ylabel(f"validation {metric} ({better} is better)")
        axes.set_title(self.name.replace("$", r"\$"), color=INK)
        axes.legend(frameon=False)
        axes.grid(axis="y", alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        if both:
            axes = figure.add_subplot(1, 2, 2)
            names = list(self.importances)[::-1]
            bars = axes.barh(names, [self.importances[name] for name in names], color=TRAINING)
            axes.bar_label(bars, fmt="{:.0%}", padding=3, color=INK)
            axes.set_title("importance", color=INK)
            axes.set_xlim(0, 1.15 * max(self.importances.values()))
            axes.xaxis.set_visible(False)
            axes.spines[["top", "right", "bottom"]].set_visible(False)
        save(figure, path)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

"""Searches hyperparameters: samples trials, trains them in worker processes, and keeps the best.

Nothing here imports TensorFlow.
"""

import contextlib
import importlib.util
import os
import pathlib
import queue
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

from seqzoo.tasks.atomic_files import occupied, write_text
from seqzoo.tasks.errors import Interrupted, SeqzooError, check_same, not_importable
from seqzoo.tasks.fields import checked_count
from seqzoo.tasks.runs.lock import alone_in
from seqzoo.tasks.settings import MAX_SEED
from seqzoo.zoo.config import toml_writer
from seqzoo.zoo.config.resolve import CONFIG, Choices, chosen
from seqzoo.zoo.config.toml_reader import read_config, read_search_table
from seqzoo.zoo.hyperparameters import workers as processes
from seqzoo.zoo.hyperparameters.channel import COMPLETE, FAILED, PRUNED, UNFINISHED
from seqzoo.zoo.hyperparameters.layout import BEST, JOURNAL, SEARCHES, SETTINGS, trial_folder
from seqzoo.zoo.hyperparameters.report import Search, TrialResult
from seqzoo.zoo.hyperparameters.space import (
    Space,
    applied,
    current,
    default_space,
    located,
    read_space,
)
from seqzoo.zoo.hyperparameters.workers import Worker
from seqzoo.zoo.output import metric_name
from seqzoo.zoo.training.local_workers import share_of_cores
from seqzoo.zoo.training.same_data import check_same_data

Pruner = Literal["median", "hyperband", "none"]

TRIALS = 30
"""Number of trials if neither a number nor a time limit is given."""

STUDY = "search"
"""Name of the study in the journal."""

MIN_COMPLETE = 4
"""Minimum number of complete trials for pruning by the median and for computing importances."""


def search(
    name: str,
    *,
    trials: int | None = None,
    seconds: float | None = None,
    space: Mapping[str, Any] | None = None,
    parallel: int = 1,
    pruner: Pruner = "median",
    folder: str | os.PathLike[str] | None = None,
    device: str | None = None,
    print_fn: Callable[[str], Any] = print,
    **options: Any,
) -> Search:
    """Searches hyperparameters: `seqzoo search` from Python.

    Each trial is a training run with different options, which Optuna's tree-structured Parzen
    estimator (Bergstra et al. 2011) samples from the space. The first one has the given options, if
    they are in the space. Trials are compared by the validation score of their best epoch; test
    examples are not used. A call with the folder of an earlier search continues it.

    Args:
        name: the name of a preset or a template, or the path of a configuration file.
        trials: number of trials in the folder; None for 30, or as many as `seconds` allows.
        seconds: seconds for all trials in the folder; trials still running at the end are stopped
            after a checkpoint. None for no limit.
        space: the options to search, by name, each with a list of choices or a range such as
            {"low": 0.1, "high": 0.5}; None for the [search] table of the file, or a default.
        parallel: number of processes that train at the same time.
        pruner: the rule for stopping trials early: "median", after an epoch in which a trial is
            worse than the median of the others (Golovin et al. 2017); "hyperband" (Li et al. 2018);
            or "none".
        folder: the folder to write to; None for searches/NAME.
        device: the device to train on: "cpu", "gpu" or None for a GPU if there is one.
        print_fn: called with a line about each trial.
        **options: the options of source, template and training, named as in `seqzoo search`:
            `epochs=1`, `data="prices.tsv"`, `kind="series"`.

    Returns: the search with its trials; the folder contains them as a table, JSON and a plot, and
        the configuration of the best trial as best.toml.

    Raises:
        SeqzooError: Optuna is not installed, a name, an option or the space is not valid, the
            folder contains another search, there are no validation examples, or no trial is
            complete.
        Interrupted: Ctrl-C was pressed; the same call continues the search.
    """
    if importlib.util.find_spec("optuna") is None:
        raise not_importable("A search", ["optuna"], "search")
    trials = None if trials is None else checked_count("trials", trials)
    parallel = checked_count("parallel", parallel)
    if seconds is not None and not seconds > 0:
        raise SeqzooError(field="seconds", expected="above 0", got=seconds)
    if pruner not in ("median", "hyperband", "none"):
        raise SeqzooError(field="pruner", expected="median, hyperband or none", got=pruner)
    if trials is None and seconds is None:
        trials = TRIALS
    choices = chosen(name, options)
    choices = choices.absolute()
    searched = _space(name, space, choices)
    stem = pathlib.Path(name).stem if name.endswith(CONFIG) else name
    path = pathlib.Path(folder).expanduser() if folder is not None else SEARCHES / stem
    with _locked_folder(path, choices, searched) as base:
        running = _Running(path, stem, base, searched, pruner, device, print_fn)
        running.run(trials, seconds, parallel)
        return running.result()


def _space(name: str, given: Mapping[str, Any] | None, choices: Choices) -> Space:
    """The given space, that of the file, or the default one.

    Raises:
        SeqzooError: it is not valid; if it is in a file, the message names the line.
    """
    location = None
    if given is None and name.endswith(CONFIG):
        given, location = read_search_table(name)
    if location is not None and not given:
        given = None
    try:
        return default_space(choices) if given is None else read_space(given, choices)
    except SeqzooError as error:
        raise located(error, location) from error


@contextlib.contextmanager
def _locked_folder(path: pathlib.Path, choices: Choices, space: Space) -> Iterator[Choices]:
    """Creates the folder of a search, or opens one with the same settings, and keeps it locked.

    A new folder is removed again if no trial has started.

    Raises:
        SeqzooError: the folder has other settings, is not a search, or is used by another process.
    """
    is_new = not (path / SETTINGS).exists()
    if is_new and occupied(path):
        raise SeqzooError(
            f"{path} already exists and is not a search; name another folder with --run."
        )
    if not is_new:
        hint = "continue with the same settings, or name another folder with --run"
        stored = read_config(str(path / SETTINGS))
        for old, new in zip(stored.parts(), choices.parts(), strict=True):
            check_same(path, vars(old), vars(new), hint)
        old_space = _table(read_space(read_search_table(str(path / SETTINGS))[0], stored))
        new_space = _table(space)
        names = dict.fromkeys([*old_space, *new_space])
        check_same(path, {name: old_space.get(name) for name in names}, new_space, hint)
        choices = stored
    # Settings that a file cannot represent are reported before the folder is created.
    text = toml_writer.config(choices, "Settings of a search.", str(path / SETTINGS), "")
    path.mkdir(parents=True, exist_ok=True)
    with alone_in(path, "Another search"):
        try:
            if is_new:
                write_text(path / SETTINGS, text + toml_writer.search_table(_table(space)))
            yield choices
        finally:
            if is_new and not (path / JOURNAL).exists():
                shutil.rmtree(path)


def _table(space: Space) -> dict[str, Any]:
    return {name: value.to_config() for name, value in space.items()}


class _Running:
    """A search while it runs.

    Args:
        path: its folder.
        name: the name of the preset, template or file that is trained.
        base: the settings, some of which trials change.
        space: the space.
        pruner: see `search`.
        device: see `search`.
        print_fn: called with a line about each trial.
    """

    def __init__(
        self,
        path: pathlib.Path,
        name: str,
        base: Choices,
        space: Space,
        pruner: Pruner,
        device: str | None,
        print_fn: Callable[[str], Any],
    ):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.path, self.name, self.base, self.space = path, name, base, space
        self.device, self.print_fn = device, print_fn
        self.distributions = {key: part.distribution() for key, part in space.items()}
        self.pruner = {
            "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=MIN_COMPLETE),
            "hyperband": lambda: optuna.pruners.HyperbandPruner(max_resource=base.settings.epochs),
            "none": optuna.pruners.NopPruner,
        }[pruner]()
        self.study: Any = None
        self.events: Any = queue.Queue()
        self.workers: list[Worker] = []
        self.interrupted: list[int] = []
        self.began: dict[int, float] = {}
        self.counted = time.monotonic()
        self.total: int | None = None
        if (path / JOURNAL).exists():
            self._open({})

    def _open(self, shared: Mapping[str, Any]) -> None:
        """Opens the study, or creates it with the values that trials share ("metric", "better")."""
        import optuna
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        file = self.path / JOURNAL
        # A process that was killed while writing leaves a lock and an incomplete line.
        file.with_name(f"{JOURNAL}.lock").unlink(missing_ok=True)
        if file.exists():
            content = file.read_bytes()
            os.truncate(file, content.rfind(b"\n") + 1)
        lock = JournalFileOpenLock(str(file))
        is_new = not file.exists() or not file.stat().st_size
        if is_new and not shared:
            return  # killed before the first line
        try:
            storage = optuna.storages.JournalStorage(JournalFileBackend(str(file), lock_obj=lock))
            known = storage.get_all_studies()
            if not known and not is_new:
                raise ValueError("it has no study")
            trials = [trial for item in known for trial in storage.get_all_trials(item._study_id)]
        except (
            ArithmeticError,
            AssertionError,
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:  # Optuna does not check what it reads
            reason = str(error) if isinstance(error, ValueError) else repr(error)
            raise SeqzooError(
                f"{file} is damaged: {reason}; restore it from a copy, or name another folder "
                "for a new search."
            ) from error
        stored = known[0].user_attrs if known else {}
        # A process that was killed while creating the study leaves one without some of these.
        is_complete = bool(trials) and {"metric", "better", "seconds"} <= stored.keys()
        if not is_complete and not shared:
            return
        direction: Any = "maximize" if not known and shared["better"] > 0 else "minimize"
        if known:
            direction = known[0].directions[0]
        self.study = optuna.create_study(
            study_name=STUDY,
            storage=storage,
            direction=direction,
            load_if_exists=True,
            pruner=self.pruner,
        )
        earlier = self.study.get_trials(deepcopy=False)
        # A resumed search has a different seed, so that it does not sample the same trials again.
        self.study.sampler = optuna.samplers.TPESampler(
            seed=(self.base.settings.seed + len(earlier)) % (MAX_SEED + 1), constant_liar=True
        )
        if not is_complete:
            for key, value in {"seconds": 0.0, **shared, **stored}.items():
                self.study.set_user_attr(key, value)
        if not trials:
            given = current(self.space, self.base)
            if given is None:
                self.print_fn(
                    "No trial has the given settings, some of which are not in the space."
                )
            else:
                drawn = {name: self.space[name].drawn(value) for name, value in given.items()}
                self.study.enqueue_trial(drawn, user_attrs={"given": True})
        self.interrupted = [item.number for item in earlier if item.state.name == "RUNNING"]

    def run(self, trials: int | None, seconds: float | None, parallel: int) -> None:
        """Runs trials until there are enough, or the time is up.

        Raises:
            Interrupted: Ctrl-C.
            SeqzooError: a worker cannot train any trial.
        """
        self.total = trials
        self.counted = time.monotonic()
        if self._seconds_left(seconds) <= 0 or not self._trials_left():
            return
        try:
            cores = share_of_cores(parallel) if parallel > 1 else [set()]
            for index in range(min(parallel, self._trials_left())):
                self._start(index + 1, cores[index], shared=parallel > 1)
            while processes.running(self.workers):
                left = self._seconds_left(seconds)
                if left <= 0:
                    self.print_fn("The time is up; running trials are stopped after a checkpoint.")
                    self._stop()
                    return
                with contextlib.suppress(queue.Empty):
                    number, event = self.events.get(timeout=min(left, 3600.0))
                    self._handle(number, event, parallel)
        except KeyboardInterrupt:
            self._stop()
            done = f"{len(self._finished())} of {trials}" if trials else len(self._finished())
            if self.study is not None:
                self._search().write()
            raise Interrupted(
                f"Stopped; complete trials, kept in {self.path}: {done}. "
                "Run the same command again to resume."
            ) from None
        finally:
            for worker in self.workers:
                worker.kill()

    def _start(self, index: int, cores: set[int], *, shared: bool) -> None:
        check_same_data(self.path, self.base.source)
        worker = Worker(index, self.path, self.device, self.events, cores, shared=shared)
        self.workers.append(worker)

    def _seconds_left(self, seconds: float | None) -> float:
        """The seconds that are left; adds those since the last call to the seconds spent."""
        now = time.monotonic()
        if self.study is None:
            self.counted, spent = now, 0.0
        else:
            spent = self.study.user_attrs["seconds"] + now - self.counted
            self.counted = now
            self.study.set_user_attr("seconds", spent)
        return float("inf") if seconds is None else seconds - spent

    def _finished(self) -> list[Any]:
        if self.study is None:
            return []
        return [
            trial for trial in self.study.get_trials(deepcopy=False) if trial.state.is_finished()
        ]

    def _trials_left(self) -> int:
        """The number of trials that are still to be started or resumed."""
        if self.total is None:
            return 1 << 30
        running = sum(item.number is not None for item in processes.running(self.workers))
        return max(0, self.total - len(self._finished()) - running)

    def _handle(self, worker: Worker, event: Mapping[str, Any] | None, parallel: int) -> None:
        """Handles an event of a worker; None means that it has exited."""
        if event is None:
            worker.ended = True
            if worker.number is not None:
                self._end(worker, {"state": FAILED, "error": worker.reason()})
            elif not worker.ready:
                raise SeqzooError(worker.reason())
            if self._trials_left():
                cores = share_of_cores(parallel)[worker.index - 1] if parallel > 1 else set()
                self._start(worker.index, cores, shared=parallel > 1)
        elif event["event"] == "error":
            raise SeqzooError(event["message"])
        elif event["event"] == "ready":
            worker.ready = True
            if self.study is None:
                self._open({key: event[key] for key in ("metric", "better")})
                self.counted = time.monotonic()
            self._give(worker)
        elif event["event"] == "epoch":
            worker.send(prune=self._report(worker.number, event["epoch"], event["score"]))
        else:
            number = worker.number
            self._end(worker, event)
            if event["state"] == UNFINISHED:
                assert number is not None
                self.interrupted.append(number)  # another process continues it
            elif "exits" not in event:
                self._give(worker)

    def _trial(self, number: int | None) -> Any:
        """A running trial, which may have been sampled by an earlier process."""
        import optuna

        (stored,) = (
            trial for trial in self.study.get_trials(deepcopy=False) if trial.number == number
        )
        return optuna.trial.Trial(self.study, stored._trial_id)

    def _give(self, worker: Worker) -> None:
        """Gives a worker its next trial, or tells it to exit if there is none."""
        while self._trials_left():
            if self.interrupted:
                number = self.interrupted.pop(0)
            else:
                number = self.study.ask(self.distributions).number
            trial = self._trial(number)
            # The process may have ended before all options of an interrupted trial were sampled.
            for name, distribution in self.distributions.items():
                if name not in trial.params:
                    _suggest(trial, name, distribution)
            if self._repeats(trial):
                continue
            worker.number = number
            self.began[number] = time.monotonic()
            worker.send(number=number, values=self._values(trial.params))
            return
        worker.send()

    def _values(self, sampled: Mapping[str, Any]) -> dict[str, Any]:
        """Converts the values that Optuna has sampled to values of the options."""
        return {name: self.space[name].value(value) for name, value in sampled.items()}

    def _repeats(self, trial: Any) -> bool:
        """Whether a trial has the values of a complete one; if so, it gets the same result, since
        training is deterministic."""
        for item in self._finished():
            if item.state.name == "COMPLETE" and item.params == trial.params:
                for key in ("epoch", "epochs", "parameters"):
                    trial.set_user_attr(key, item.user_attrs[key])
                trial.set_user_attr("same_as", item.number)
                trial.set_user_attr("seconds", 0.0)
                self.study.tell(trial.number, item.value)
                self._tell(trial.number)
                return True
        return False

    def _report(self, number: int | None, epoch: int, score: float) -> bool:
        """Records the score of an epoch; returns whether to stop the trial."""
        trial = self._trial(number)
        known = self.study.get_trials(deepcopy=False)[trial.number].intermediate_values
        if epoch not in known:  # a resumed trial may report it again
            trial.report(score, epoch)
        # A trial is not pruned after its last epoch, since it is complete.
        last = self._values(trial.params).get("epochs", self.base.settings.epochs)
        return epoch < last and bool(trial.should_prune())

    def _end(self, worker: Worker, event: Mapping[str, Any]) -> None:
        """Records the result of a worker's trial."""
        import optuna

        number, worker.number = worker.number, None
        assert number is not None
        trial = self._trial(number)
        before = trial.user_attrs.get("seconds", 0.0)
        spent = before + time.monotonic() - self.began.pop(number)
        trial.set_user_attr("seconds", round(spent, 3))
        for key in ("epoch", "epochs", "parameters", "error"):
            if key in event:
                trial.set_user_attr(key, event[key])
        states = {
            PRUNED: optuna.trial.TrialState.PRUNED,
            FAILED: optuna.trial.TrialState.FAIL,
        }
        if event["state"] == COMPLETE:
            self.study.tell(number, event["score"])
        elif event["state"] in states:
            self.study.tell(number, state=states[event["state"]])
        if event["state"] in states:
            shutil.rmtree(trial_folder(self.path, number), ignore_errors=True)
        if event["state"] != UNFINISHED:
            self._tell(number)

    def _tell(self, number: int) -> None:
        """Reports the result of a trial, and writes its configuration if it is the best one."""
        result = self._search()
        (finished,) = (trial for trial in result.trials if trial.number == number)
        best = result.best is not None and result.best.number == number
        if best:
            self._write_best(result)
        total = f"/{self.total}" if self.total else ""
        line = f"{len(self._finished())}{total}  trial {number}: {result.result_line(finished)}"
        options = ", ".join(f"{name}={_shown(value)}" for name, value in finished.options.items())
        self.print_fn(f"{line}{', best so far' if best else ''}  ({options})")

    def _stop(self) -> None:
        """Has all workers write a checkpoint and exit; records the results that they still send."""
        for worker in processes.running(self.workers):
            worker.stop()
        until = time.monotonic() + processes.SECONDS_TO_SAVE
        while processes.running(self.workers) and time.monotonic() < until:
            with contextlib.suppress(queue.Empty):
                worker, event = self.events.get(timeout=max(0.01, until - time.monotonic()))
                if event is None:
                    worker.ended = True
                elif event["event"] == "end":
                    self._end(worker, event)
                    worker.send()  # it may have ended its trial before the signal arrived
                elif event["event"] == "epoch":
                    worker.send(prune=self._report(worker.number, event["epoch"], event["score"]))

    def _search(self) -> Search:
        """The search with its trials so far."""
        attributes = self.study.user_attrs
        metric, better = attributes["metric"], attributes["better"]
        trials = []
        for trial in self.study.get_trials(deepcopy=False):
            if trial.state.name == "WAITING":
                continue
            scores = trial.intermediate_values
            state = {"COMPLETE": COMPLETE, "PRUNED": PRUNED, "FAIL": FAILED}
            recorded = trial.user_attrs
            best = max(scores, key=lambda epoch: better * scores[epoch], default=None)
            trials.append(
                TrialResult(
                    number=trial.number,
                    state=state.get(trial.state.name, UNFINISHED),
                    score=trial.value if trial.state.name == "COMPLETE" else scores.get(best),
                    epoch=recorded.get("epoch", best),
                    epochs=recorded.get("epochs", max(scores, default=0)),
                    parameters=recorded.get("parameters"),
                    seconds=recorded.get("seconds", 0.0),
                    options=self._values(trial.params),
                    given=recorded.get("given", False),
                    error=recorded.get("error", ""),
                    same_as=recorded.get("same_as"),
                )
            )
        return Search(self.name, metric, better, trials, {}, self.path)

    def _write_best(self, search: Search) -> None:
        best = search.best
        assert best is not None and best.score is not None
        origin = (
            f"Trial {best.number} of a search for {self.name}: validation "
            f"{metric_name(search.metric)} {best.score:.4f}."
        )
        choices = applied(best.options, self.base)
        text = toml_writer.config(choices, origin, str(self.path / BEST), "")
        write_text(self.path / BEST, text)

    def result(self) -> Search:
        """Writes the search so far to the folder, and returns it.

        Raises:
            SeqzooError: no trial is complete.
        """
        results = replace(self._search(), importances=_importances(self.study))
        results.write()
        if results.best is None:
            failed = [trial for trial in results.trials if trial.state == FAILED]
            if failed and len(failed) == len(results.trials):
                raise SeqzooError(f"All trials failed: {failed[0].error}")
            raise SeqzooError(
                f"No trial in {self.path} is complete yet; run the same command with more time."
            )
        self._write_best(results)
        return results


def _importances(study: Any) -> dict[str, float]:
    """The importance of each option, from the highest to the lowest, summing to 1; empty if too few
    trials are complete."""
    import optuna

    done = [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    if len(done) < MIN_COMPLETE or len({item.value for item in done}) < 2:
        return {}
    return dict(optuna.importance.get_param_importances(study))


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _suggest(trial: Any, name: str, distribution: Any) -> None:
    """Samples one option of a trial."""
    if hasattr(distribution, "choices"):
        trial.suggest_categorical(name, distribution.choices)
        return
    low, high, step, log = (getattr(distribution, key) for key in ("low", "high", "step", "log"))
    if isinstance(low, float):
        trial.suggest_float(name, low, high, step=step, log=log)
    else:
        trial.suggest_int(name, low, high, step=step, log=log)

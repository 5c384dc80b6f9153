"""`seqzoo predict` of .npz files: the arrays that training reads, with no targets."""

import csv
import json
import re

import numpy as np
import pytest
from cli_cases import seqzoo

from seqzoo.tasks.runs.run import Run

RANDOM = np.random.default_rng(0)
LENGTHS = RANDOM.integers(2, 6, 20)
PADDED = RANDOM.normal(size=(20, 5, 3)).astype(np.float32)
SERIES = [item[:length] for item, length in zip(PADDED, LENGTHS, strict=True)]
TRAIN = "--units 3 --epochs 1 --batch-size 8 --quiet".split()


def train(folder, kind: str, target_kind: str, arrays: dict) -> str:
    """Trains on arrays; returns the run."""
    np.savez(folder / "data.npz", **arrays)
    run = str(folder / "run")
    named = ["--data", folder / "data.npz", "--kind", kind, "--target-kind", target_kind]
    result = seqzoo("train", "many-to-one", *named, *TRAIN, "--run", run)
    assert result.exit_code == 0, result.stderr
    return run


def asked(run: str, path, *words: object) -> list[dict]:
    """The answers to a file."""
    result = seqzoo("predict", run, "--input-file", path, "--json", *words)
    assert (result.exit_code, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture(scope="module")
def series_run(tmp_path_factory) -> str:
    arrays = {"inputs": PADDED, "lengths": LENGTHS, "targets": PADDED[:, 0, 0]}
    return train(tmp_path_factory.mktemp("series"), "series", "value", arrays)


@pytest.mark.slow
def test_padded_and_joined_series_are_predicted_as_in_python(series_run, tmp_path) -> None:
    expected = [answer.value for answer in Run.open(series_run).predict(SERIES)]
    path = tmp_path / "new.npz"
    for arrays in (
        {"inputs": PADDED, "lengths": LENGTHS},
        {"inputs": np.concatenate(SERIES), "lengths": LENGTHS},
    ):
        np.savez(path, **arrays)
        answers = asked(series_run, path)
        assert [answer["line"] for answer in answers] == list(range(1, 21))
        assert [answer["answer"] for answer in answers] == pytest.approx(expected, abs=1e-6)
    np.savez(path, X=SERIES[3])  # one sequence, since each step has three numbers
    (answer,) = asked(series_run, path, "--input", "X")
    assert answer["answer"] == pytest.approx(expected[3], abs=1e-6)


@pytest.mark.parametrize(
    "arrays, words, message",
    [
        ({"X": PADDED}, [], r"`input` must name an array of .*new.npz \(X\)\."),
        ({"X": PADDED}, ["--input", "x"], r"got 'x'"),
        ({"inputs": PADDED[0, 0, 0]}, [], "'inputs' must have shape"),
        ({"inputs": PADDED * np.nan}, [], "example 0: 'inputs' contains NaN"),
        ({"inputs": PADDED[:, :, :2]}, [], "'inputs' must have 3 numbers per step.* 20x5x2"),
    ],
)
def test_arrays_that_do_not_fit_are_named(series_run, tmp_path, arrays, words, message) -> None:
    np.savez(tmp_path / "new.npz", **arrays)
    result = seqzoo("predict", series_run, "--input-file", tmp_path / "new.npz", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.search(message, result.stderr), result.stderr


def test_texts_in_an_array_are_predicted_as_lines_are(trained, tmp_path) -> None:
    texts = ["axyz1", "bzzy2", "axxy3"]
    np.savez(tmp_path / "texts.npz", text=np.array(texts))
    lines = seqzoo("predict", trained / "run", *texts).stdout.splitlines()
    words = ["--input-file", tmp_path / "texts.npz", "--format", "csv"]
    result = seqzoo("predict", trained / "run", *words)
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert [row["answer"] for row in rows] == [line.split("\t")[0] for line in lines]


@pytest.mark.slow
def test_audio_of_another_rate_is_an_error(tmp_path) -> None:
    sounds = RANDOM.uniform(-1, 1, (20, 2000)).astype(np.float32)
    classes = np.arange(20) % 2
    run = train(
        tmp_path, "audio", "class", {"inputs": sounds, "targets": classes, "sample_rate": 8000}
    )
    path = tmp_path / "new.npz"
    np.savez(path, inputs=sounds[:3], sample_rate=8000)
    expected = [answer.label for answer in Run.open(run).predict(list(sounds[:3]))]
    assert [answer["answer"] for answer in asked(run, path)] == expected
    np.savez(path, inputs=sounds[:3], sample_rate=16000)
    result = seqzoo("predict", run, "--input-file", path)
    message = f"Error: {path} has 16,000 samples per second, expected 8,000; "
    message += "--resample converts all audio to one rate.\n"
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", message)


@pytest.mark.slow
def test_a_forecaster_generates_what_it_predicts(tmp_path) -> None:
    series = np.sin(np.arange(120) * 0.7).astype(np.float32)
    np.savez(tmp_path / "data.npz", inputs=series)
    run = tmp_path / "run"
    named = ["--data", tmp_path / "data.npz", "--kind", "series", "--target-kind", "next"]
    result = seqzoo("train", "many-to-many-aligned", *named, *TRAIN, "--run", run)
    assert result.exit_code == 0, result.stderr
    arguments = [run, "0.1 0.2 0.3", "--maximum-length", 4]
    generated, predicted = (
        seqzoo("generate", *arguments).stdout,
        seqzoo("predict", *arguments).stdout,
    )
    assert generated == predicted and len(generated.split()) == 4
    wrong = seqzoo("generate", run, "0.1 x")
    assert (wrong.exit_code, wrong.stdout) == (2, "") and wrong.stderr.startswith("Error: Text 1 ")

"""`seqzoo compare`: equal sizes, nothing trained twice, and a conclusion that the scores
support."""

import contextlib
import csv
import io
import json
import math
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cli_cases import COLUMNS, ROOT, SMALL, files, seqzoo, table
from figure_boxes import disjoint, saved_figures

from seqzoo.tasks import SeqzooError
from seqzoo.tasks.runs.lock import alone_in
from seqzoo.tasks.training.clusters import STARTER
from seqzoo.zoo.comparison import compare as comparing
from seqzoo.zoo.comparison import gradient_flow, processes, sizing
from seqzoo.zoo.comparison.processes import Ended
from seqzoo.zoo.comparison.report import Comparison, Result, ordered
from seqzoo.zoo.training.local_workers import LOST

# Sizes


def test_nearest_units_are_those_of_an_exhaustive_search() -> None:
    draw = np.random.default_rng(0)
    for _ in range(200):
        a, b, c = draw.integers(0, 9), draw.integers(1, 400), draw.integers(0, 3000)
        wanted, start = int(draw.integers(0, 100_000)), int(draw.integers(1, 300))
        asked = []

        def count(units, a=a, b=b, c=c, asked=asked) -> int:
            asked.append(units)
            return int(a * units * units + b * units + c)

        result = sizing.nearest_units(count, wanted, start)
        differences = [abs(a * u * u + b * u + c - wanted) for u in range(1, 100_000 // b + 2)]
        assert result >= 1 and differences[result - 1] == min(differences)
        assert len(set(asked)) < 30


# Processes


def test_memory_is_only_that_of_the_process() -> None:
    # In a separate process, since a large one starts others that count as large.
    program = (
        "import sys\n"
        "from seqzoo.zoo.comparison.processes import run\n"
        "def peak(mebibytes):\n"
        "    code = f'x = bytearray({mebibytes} << 20); y = bytes(x)'\n"
        "    ended = run([sys.executable, '-c', code], {})\n"
        "    assert ended.code == 0\n"
        "    return ended.peak_bytes / 2**20\n"
        "print(peak(200), peak(5), peak(100))\n"
        "print([name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    large, small, middle = map(float, result.stdout.splitlines()[0].split())
    assert 380 < large - small < 400 and 185 < middle - small < 195, result
    assert result.stdout.splitlines()[1] == "[]"


def test_what_a_process_says(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = "import os, sys; print(os.environ['A'], 'ü'); sys.exit('first\\nError: too late')"
    ended = processes.run([sys.executable, "-X", "utf8", "-c", code], {"A": "b"})
    assert (ended.code, ended.output, ended.reason) == (1, "b ü\n", "too late")
    killed = processes.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], {})
    assert (killed.code, killed.reason) == (-9, "it exited with code -9")
    # The command line is found from any folder.
    ended = processes.run([sys.executable, "-m", "seqzoo.cli", "--version"], {})
    assert ended.code == 0 and ended.output.startswith("seqzoo ")


@pytest.mark.parametrize("times", [1, 2])
def test_control_c_is_passed_on_once_and_kills_the_second_time(tmp_path, times) -> None:
    code = (
        "import pathlib, signal, sys, time\n"
        "def hear(*_):\n"
        "    pathlib.Path('heard').open('a').write('x')\n"
        f"    {'sys.exit(0)' if times == 1 else 'pass'}\n"
        "signal.signal(signal.SIGTERM, hear)\n"
        "pathlib.Path('ready').touch()\n"
        "while True: time.sleep(0.05)"
    )

    def press() -> None:
        while not (tmp_path / "ready").exists():
            time.sleep(0.02)
        time.sleep(0.2)  # until this process waits for the other one
        os.kill(os.getpid(), signal.SIGINT)
        if times == 2:
            while not (tmp_path / "heard").exists():
                time.sleep(0.02)
            os.kill(os.getpid(), signal.SIGINT)

    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        thread = threading.Thread(target=press)
        thread.start()
        ended = processes.run([sys.executable, "-c", code], {})
        thread.join()
    finally:
        os.chdir(here)
    assert ended.code == processes.STOPPED
    assert (tmp_path / "heard").read_text() == "x"


def test_a_process_ends_with_the_one_that_started_it(tmp_path) -> None:
    child = (
        "import os, pathlib\n"
        "pathlib.Path('started').touch()\n"
        f"os.read(int(os.environ[{STARTER!r}]), 1)\n"
        "pathlib.Path('ended').touch()"
    )
    program = (
        "import sys\n"
        "from seqzoo.zoo.comparison.processes import run\n"
        f"run([sys.executable, '-c', {child!r}], {{}})"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, env=environment) as parent:
        while not (tmp_path / "started").exists():
            assert parent.poll() is None
            time.sleep(0.02)
        time.sleep(0.1)
        assert not (tmp_path / "ended").exists()
        parent.kill()
    until = time.monotonic() + 60
    while not (tmp_path / "ended").exists():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize(
    "words",
    [
        ["seqzoo.zoo.comparison.sizing", "base.toml", "gru"],
        ["seqzoo.zoo.comparison.gradient_flow", "{}", "."],
        ["seqzoo.cli", "train", "language-id"],
    ],
)
def test_every_process_of_a_comparison_ends_with_it(words, tmp_path) -> None:
    receiver, sender = os.pipe()
    os.close(sender)
    environment = {**processes.environment(), STARTER: str(receiver)}
    command = [sys.executable, "-m", *words]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, pass_fds=[receiver], timeout=100)
    os.close(receiver)
    assert ended.returncode == LOST and not any(tmp_path.iterdir())


# Training runs; here in this process, which has TensorFlow already.


class Inside:
    """Runs what `comparing.run` would run, without a process; remembers what it was.

    Training runs of seeds other than 5 are not run: they give their seed, in tenths, as accuracy.
    """

    def __init__(self):
        self.trained: list[str] = []
        self.sized: list[str] = []
        self.flows = 0
        self.stop_at: int | None = None
        self.failing = ""

    def __call__(self, words, variables) -> Ended:
        if "seqzoo.cli" not in words:
            assert variables == {"CUDA_VISIBLE_DEVICES": "-1"}
            assert words[1:3] == ["-P", "-m"]  # no modules from the folder of the user
            flows = words[3] == gradient_flow.__name__
            self.flows += flows
            self.sized += [] if flows else words[5:]
            main = gradient_flow.main if flows else sizing.main
            output, errors = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
                code = main(words[4:])
            return Ended(code, output.getvalue(), errors.getvalue(), 1)
        run = pathlib.Path(words[words.index("--run") + 1])
        if self.stop_at == len(self.trained):
            run.mkdir()
            (run / "config.json").touch()
            return Ended(processes.STOPPED, "", "Stopped at step 3", 7 << 30)
        if run.name == self.failing:
            return Ended(2, "", "Error: The loss is no longer a finite number.\n", 1)
        self.trained.append(run.name + " resumed" * ("--resume" in words))
        peak = len(self.trained) << 20
        if run.name.endswith("-5"):
            result = seqzoo(*words[4:])
            return Ended(result.exit_code, result.stdout, result.stderr, peak)
        told = {"metric": "accuracy", "better": 1, "split": "test", "seconds": [9.0, 1.0, 2.0]}
        told["metrics"] = {"accuracy": int(words[words.index("--seed") + 1]) / 10}
        return Ended(0, json.dumps(told) + "\n", "", peak)


@pytest.fixture
def inside(monkeypatch, plain_loop) -> Inside:
    made = Inside()
    monkeypatch.setattr(comparing, "run", made)
    return made


@pytest.fixture
def command(tmp_path, monkeypatch) -> list:
    monkeypatch.chdir(tmp_path)
    data = table(tmp_path / "data.csv", 24)
    options = [*SMALL, "--units", 9, "--epochs", 1, "--seed", 5]
    return ["compare", "many-to-one", *COLUMNS, *options, "--data", data.name]


@pytest.mark.slow
def test_the_gradient_flow_of_the_cells(command, inside, tmp_path) -> None:
    command[command.index("--seed") + 1] = 7  # not trained
    arguments = [*command, "--cells", "gru,vanilla", "--seeds", 1, "--gradient-flow"]
    report = json.loads(seqzoo(*arguments, "--json").stdout)
    units = {row["cell"]: row["units"] for row in report["cells"]}
    gru, vanilla = report["gradient_flow"]
    assert (gru["cell"], gru["units"]) == ("gru", 9) and vanilla["units"] == units["vanilla"]
    assert list(gru["shares"]) == ["10", "100", "1000"]
    assert vanilla["shares"]["100"] < 1e-3 * vanilla["shares"]["10"]
    assert vanilla["verdict"].startswith("vanishing: the norm halves every")
    # It is computed once, and is in all files.
    result = seqzoo(*arguments)
    assert inside.flows == 1 and "100 steps back" in result.stdout
    folder = tmp_path / "comparisons/many-to-one"
    page = (folder / "comparison.md").read_text()
    assert "## Gradient flow" in page and "![gradient flow](gradient-flow.png)" in page
    assert (folder / "gradient-flow.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_comparison(command, inside, tmp_path) -> None:
    arguments = [
        *command,
        "--cells",
        "gru,vanilla",
        "--seeds",
        2,
        "--cell-option",
        "reset_after=false",
    ]
    inside.stop_at = 2
    stopped = seqzoo(*arguments)
    assert (stopped.exit_code, stopped.stdout) == (130, "")
    assert "Stopped during gru, seed 6. Run the same command again to resume." in stopped.stderr
    assert not (tmp_path / "comparisons/many-to-one/comparison.md").exists()

    inside.stop_at = None
    result = seqzoo(*arguments, "--json")
    assert result.exit_code == 0, result.output
    assert inside.trained == ["gru-5", "vanilla-5", "gru-6 resumed", "vanilla-6"]
    assert inside.sized == ["gru", "vanilla"]
    assert result.stderr.count("already trained") == 2
    report = json.loads(result.stdout)
    folder = tmp_path / "comparisons/many-to-one"
    assert json.loads((folder / "comparison.json").read_text()) == report
    rows = {row["cell"]: row for row in report["cells"]}

    # Sizes: the first cell has the units that were typed, and the other as many parameters.
    from seqzoo.tasks.runs.run import Run

    for cell, row in rows.items():
        run = Run.open(folder / "runs" / f"{cell}-5")
        assert (run.template.cell, run.template.units) == (cell, row["units"])
        assert row["parameters"] == sum(weight.size for weight in run.model.get_weights())
        assert (run.settings.seed, run.settings.epochs) == (5, 1)
    assert rows["gru"]["units"] == 9 and rows["gru"]["parameters_difference"] == 0
    f, u, classes = 4, 9, 2
    recurrent = 3 * (f * u + u * u + u)  # with one offset a gate, for reset_after is off
    counts = {v: f * v + v * v + v + classes * v for v in range(1, 60)}
    nearest = min(counts, key=lambda v: abs(counts[v] - recurrent - classes * u))
    assert rows["vanilla"]["units"] == nearest

    # Scores are those of the runs, and the table is the same everywhere.
    for cell, row in rows.items():
        path = folder / "runs" / f"{cell}-5" / "scores" / "evaluation.json"
        score = json.loads(path.read_text())["accuracy"]
        assert row["scores"] == {"5": score, "6": 0.6}
        assert row["score"] == pytest.approx((score + 0.6) / 2)
        assert (row["lowest"], row["highest"]) == (min(score, 0.6), max(score, 0.6))
        # Of one epoch, which is the only one, and two after the first.
        history = (folder / "runs" / f"{cell}-5" / "history.csv").read_text()
        only = float(history.splitlines()[-1].rpartition(",")[2])
        assert row["seconds_an_epoch"] == pytest.approx(np.median([only, 1.0, 2.0]))
    # The third training run was stopped at a higher peak than it ended with.
    assert rows["gru"]["peak_bytes"] == 7 << 30 and rows["vanilla"]["peak_bytes"] == 4 << 20
    with open(folder / "comparison.csv", newline="") as file:
        read = list(csv.DictReader(file))
    assert [row["cell"] for row in read] == [row["cell"] for row in report["cells"]]
    assert [int(row["parameters"]) for row in read] == [
        row["parameters"] for row in report["cells"]
    ]
    assert report["verdict"] in (folder / "comparison.md").read_text()
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")

    # More cells add to what there is; the table of a person tells the same.
    more = seqzoo(*arguments, "--cells", "gru,vanilla,lstm", "--seed", 6)
    assert more.exit_code == 0, more.output
    added = ["lstm-6", "gru-7", "vanilla-7", "lstm-7"]
    assert inside.trained[4:] == added and inside.sized[2:] == ["lstm"]
    assert more.stdout.splitlines()[0].startswith(
        "cell\tunits\tparameters\trelative to gru\taccuracy"
    )
    assert {line.split("\t")[0] for line in more.stdout.splitlines()[1:4]} == {*rows, "lstm"}
    # Other choices are another comparison.
    before = files(tmp_path)
    other = seqzoo(*arguments, "--units", 8)
    assert other.exit_code == 2 and "was started with units=9, got 8" in other.stderr
    assert files(tmp_path) == before


def test_a_training_run_that_fails_is_reported_and_the_others_continue(
    command, inside, tmp_path
) -> None:
    inside.failing = "vanilla-6"
    command += ["--seed", 6, "--seeds", 1]
    result = seqzoo(*command, "--cells", "vanilla,gru")
    assert result.exit_code == 0, result.output
    assert "Training runs of vanilla failed." in result.stdout
    page = (tmp_path / "comparisons/many-to-one/comparison.md").read_text()
    assert "- vanilla, seed 6: The loss is no longer a finite number." in page
    assert "| vanilla | 9 | " in page and "| - | - | - | - |" in page
    result = seqzoo(*command, "--cells", "vanilla")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "All training runs failed: The loss is no longer" in result.stderr
    inside.failing = ""  # it is tried again
    assert seqzoo(*command, "--cells", "vanilla").exit_code == 0
    assert inside.trained == ["gru-6", "vanilla-6"]


def test_a_second_comparison_in_a_folder_is_refused(command, inside, tmp_path) -> None:
    command += ["--cells", "gru", "--seeds", 1, "--seed", 6]
    assert seqzoo(*command).exit_code == 0
    folder = pathlib.Path("comparisons/many-to-one")
    before = files(tmp_path)
    with alone_in(folder, "The first"):
        result = seqzoo(*command, "--seeds", 2)
    assert result.exit_code == 2
    message = f"Another comparison is running in {folder}; wait until it ends."
    assert result.stderr == f"Error: {message}\n" and files(tmp_path) == before


def test_a_run_that_another_process_trains_has_not_failed(command, inside) -> None:
    run = pathlib.Path("comparisons/many-to-one/runs/gru-6")
    command += ["--cells", "gru", "--seed", 6]
    inside.stop_at = 0
    assert seqzoo(*command).exit_code == 130
    inside.stop_at, inside.failing = None, run.name
    with alone_in(run, "The first"):
        result = seqzoo(*command)
    assert result.exit_code == 2
    message = f"Another training process is running in {run}; wait until it ends."
    assert result.stderr == f"Error: {message}\n"
    assert "failed" not in json.loads(run.with_name("gru-6.json").read_text())


def test_a_comparison_trains_all_cells_on_the_same_data(command, inside, tmp_path) -> None:
    command += ["--seed", 6, "--seeds", 1]
    assert seqzoo(*command, "--cells", "gru").exit_code == 0
    data = tmp_path / "data.csv"
    data.write_text(data.read_text().replace("a", "b", 1))
    for words in (["gru", "--seeds", 2], ["gru,vanilla"]):
        result = seqzoo(*command, "--cells", *words)
        assert result.exit_code == 2, result.output
        message = "Error: The data in data.csv differ from those of the earlier training runs"
        assert result.stderr.splitlines()[-1].startswith(message)
    assert inside.trained == ["gru-6"] and inside.sized == ["gru"]
    assert seqzoo(*command, "--cells", "gru").exit_code == 0  # all of it is trained


def test_cells_that_are_added_may_come_first(command, inside) -> None:
    """The size is still that of the cell that came first at first."""
    command += ["--seed", 6, "--seeds", 1]
    assert seqzoo(*command, "--cells", "gru").exit_code == 0
    result = seqzoo(*command, "--cells", "vanilla,gru")
    assert result.exit_code == 0, result.output
    assert inside.trained == ["gru-6", "vanilla-6"]


FLOWS = (
    *("3", "[3]", "{}", '[{"cell": "gru"}]'),
    '{"cell": "gru", "units": 1, "shares": {}, "verdict": ""}',
    '[{"cell": "gru", "units": 1, "shares": {"10": null}, "verdict": ""}]',
)
"""Contents of a file of gradient flow that it cannot have."""


def test_damaged_files_of_a_comparison_are_named(command, inside) -> None:
    command += ["--cells", "gru", "--seeds", 1, "--seed", 6]
    assert seqzoo(*command).exit_code == 0
    folder = pathlib.Path("comparisons/many-to-one")
    for name, contents, words in (
        ("gradient-flow.json", FLOWS, ["--gradient-flow"]),
        ("runs/gru-6.json", ("{}", "[]", "3", '{"peak_bytes": 1, "metrics": {}}'), []),
        ("sizes.json", ("[]", '{"lstm": {}}', '{"gru": 3}', '{"gru": {"units": 1}}'), []),
    ):
        for content in contents:
            (folder / name).write_text(content)
            result = seqzoo(*command, *words)
            assert result.exit_code == 2, result.output
            assert re.fullmatch(
                f"Error: {folder / name} is damaged: .*; delete it and run the command again.",
                result.stderr.strip(),
            ), result.stderr


def test_mistakes_leave_nothing(command, inside, tmp_path) -> None:
    before = files(tmp_path)
    for words, message in (
        (["--cells", "gru,lstn"], "no cell 'lstn'; did you mean 'lstm'"),
        (["--cells", "gru", "--seeds", 0], "must be at least 1, got 0"),
        (["--cells", "gru", "--units", 0], "`units` must be at least 1"),
        (["--cells", "gru", "--input", "txt"], "got 'txt'; did you mean 'text'"),
        (["--cells", "gru", "--cell-option", "bais=1"], "bais"),
        (["--cells", "gru", "--run", "."], "is not a comparison"),
        ([], "Missing option '--cells'"),
    ):
        result = seqzoo(*command, *words)
        assert (result.exit_code, result.stdout) == (2, ""), result.output
        assert len(result.stderr.splitlines()) == 1
        assert re.search(message, result.stderr), result.stderr
        assert files(tmp_path) == before
    assert inside.trained == []
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"cells": []}, r"`cells` must be a list of names of cells, got \[\]"),
        ({"cells": "gru"}, "`cells` must be a list of names of cells, got 'gru'"),
        ({"cells": ["gru"], "seeds": 0}, "`seeds` must be a whole number of at least 1, got 0"),
        ({"cells": ["gru"], "seeds": 1.5}, "`seeds` must be a whole number of at least 1, got 1"),
    )
    for choices, message in wrong:
        with pytest.raises(SeqzooError, match=message):
            comparing.compare("language-id", **choices)


# The conclusion


def _result(cell: str, *scores: float, failed: bool = False) -> Result:
    return Result(
        cell, 3, 10, dict(enumerate(scores)), [1.0], 1, {9: "it failed"} if failed else {}
    )


def _comparison(*results: Result, better: int = 1) -> Comparison:
    return Comparison(
        "x", "exact_match", better, "test", "gru", 10, [0, 1], ordered(results, better)
    )


@pytest.mark.parametrize(
    "results, better, best, words",
    [
        ([("a", 0.5, 0.52), ("b", 0.7, 0.74)], 1, "b", ["0.2100, is larger", "choose b."]),
        ([("a", 0.5, 0.52), ("b", 0.7, 0.74)], -1, "a", ["0.2100, is larger", "choose a."]),
        ([("a", 0.5, 0.7), ("b", 0.7, 0.74)], 1, "b", ["is not larger", "not tell b and a apart"]),
        # The one that follows is steady, the third is not.
        (
            [("a", 0.1, 0.8), ("b", 0.7, 0.74), ("c", 0.6, 0.61)],
            1,
            "b",
            ["0.1150, is larger than the spread over seeds, 0.0400", "not tell b and a apart"],
        ),
        ([("a", 0.5), ("b", 0.7)], 1, "b", ["One seed says nothing"]),
        ([("a", 0.5, 0.6)], 1, "a", ["no other cell"]),
    ],
)
def test_verdict(results, better, best, words) -> None:
    comparison = _comparison(*(_result(*result) for result in results), better=better)
    verdict = comparison.verdict()
    assert f"Best on test examples: {best}, exact match" in verdict
    assert all(word in verdict for word in words), verdict
    assert [row["cell"] for row in comparison.rows()][0] == best


def test_long_names_of_cells_do_not_overlap_in_the_plot(tmp_path, monkeypatch) -> None:
    figures = saved_figures(monkeypatch)
    cells = ("multiplicative-lstm", "working-memory-lstm", "gated-antisymmetric", "MyVeryLongCells")
    _comparison(*(_result(cell, 0.5, 0.6) for cell in cells)).plot(tmp_path / "comparison.png")
    assert disjoint(figures[0], figures[0].axes[0].get_xticklabels())


def test_names_may_have_characters_without_a_glyph(tmp_path) -> None:
    comparison = replace(_comparison(_result("a", 0.5, 0.6)), name="\U00013000")  # a hieroglyph
    comparison.plot(tmp_path / "comparison.png")
    assert (tmp_path / "comparison.png").stat().st_size > 1000


def test_cells_without_a_score_come_last(tmp_path) -> None:
    comparison = _comparison(_result("a", failed=True), _result("b", 0.1), _result("c", 0.3))
    assert [row["cell"] for row in comparison.rows()] == ["c", "b", "a"]
    assert comparison.verdict().endswith("Training runs of a failed.")
    replace(comparison, folder=tmp_path).write()
    assert "c" in (tmp_path / "comparison.md").read_text()
    undefined = _comparison(_result("a", math.nan), _result("b", 0.1), better=-1)
    assert [row["cell"] for row in undefined.rows()] == ["b", "a"]
    nothing = _comparison(_result("a", failed=True))
    assert nothing.verdict() == "No cell has a score. Training runs of a failed."

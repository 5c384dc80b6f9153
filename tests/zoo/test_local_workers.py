"""`seqzoo train --workers`: processes that are started, watched and ended together."""

import os
import pathlib
import signal
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest
from cli_cases import MANY_TO_ONE, ROOT, process, seqzoo, table
from training_cases import history

from seqzoo.tasks.errors import Interrupted, SeqzooError
from seqzoo.tasks.training import trainer
from seqzoo.tasks.training.workers import Workers
from seqzoo.zoo import stopping
from seqzoo.zoo.training import local_workers
from seqzoo.zoo.training import train as planned
from seqzoo.zoo.training.local_workers import LOST, free_addresses, run_workers, share_of_cores

PROGRAM = """
import json, os, sys, time
task = json.loads(os.environ["TF_CONFIG"])["task"]
print("worker", task["index"], *sys.argv[1:], flush=True)
exec(sys.argv[1 + task["index"]])
"""


@pytest.fixture
def run(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    """Runs two workers that each run the given code; their folder already exists."""
    program, folder = tmp_path / "program.py", tmp_path / "run"
    program.write_text(PROGRAM)
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    monkeypatch.setattr(sys, "argv", [str(program)])
    return lambda *words: run_workers(2, words, folder, "seqzoo train --resume")


def test_output_of_the_chief_is_shown_and_others_are_kept(run, tmp_path, capfd) -> None:
    assert run("0", "print('done')") == 0
    assert capfd.readouterr().out == "worker 0 0 print('done')\n"
    log = tmp_path / "run" / "logs" / "worker-1.log"
    assert log.read_text() == "worker 1 0 print('done')\ndone\n"


@pytest.mark.parametrize(
    "first, second, message",
    [
        (f"os._exit({LOST})", "sys.exit('no data')", r"Worker 1 failed \(exit 1\); its output is"),
        ("time.sleep(60)", "os.kill(os.getpid(), 9)", "Worker 1 was killed by SIGKILL; its output"),
        ("os.kill(os.getpid(), 9)", f"os._exit({LOST})", "Worker 0 was killed by SIGKILL"),
        ("os.kill(os.getpid(), 9)", "time.sleep(60)", "Worker 0 was killed by SIGKILL"),
        (f"os._exit({LOST})", f"os._exit({LOST})", "The workers lost contact"),
    ],
)
def test_a_worker_that_fails_stops_the_others(run, first, second, message, monkeypatch) -> None:
    if "sleep" in first + second:
        monkeypatch.setattr(local_workers, "SECONDS_TO_NOTICE", 0.2)
    with pytest.raises(SeqzooError, match=f"{message}.* To resume: seqzoo train --resume"):
        run(first, second)


@pytest.mark.parametrize("ending", ["sys.exit(130)", "os.kill(os.getpid(), 15)"])
def test_a_worker_that_is_stopped_before_training_stops_the_others(run, ending, monkeypatch):
    monkeypatch.setattr(local_workers, "SECONDS_TO_LEAVE", 0.2)
    waiting = "import signal; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
    with pytest.raises(Interrupted, match="Worker 1 was stopped. To resume: "):
        run(waiting, ending)


def test_the_exit_code_of_a_chief_that_says_why_it_failed(run) -> None:
    assert run("sys.exit(130)", "sys.exit(130)") == 130
    assert run("sys.exit(2)", f"os._exit({LOST})") == 2


def test_signals_are_passed_on_and_acknowledged_by_the_workers_alone(monkeypatch, capfd) -> None:
    monkeypatch.setattr(stopping, "SECONDS_TO_END", 0.05)
    passed: list[int] = []
    process = SimpleNamespace(poll=lambda: None, send_signal=passed.append)
    worker: Any = SimpleNamespace(process=process)
    with stopping.handling_signals(), local_workers._passing_signals([worker]):
        signal.raise_signal(signal.SIGTERM)
        time.sleep(0.2)
    assert passed == [signal.SIGTERM] and capfd.readouterr().err == ""


def test_workers_end_with_the_process_that_started_them() -> None:
    program = (
        "import signal\n"
        "from seqzoo.zoo.training.local_workers import end_with_starter\n"
        "end_with_starter()\n"
        "signal.pause()\n"
    )
    receiver, sender = os.pipe()
    environment = {**os.environ, local_workers.STARTER: str(receiver), "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen([sys.executable, "-c", program], env=environment, pass_fds=[receiver])
    os.close(receiver)
    assert child.poll() is None
    os.close(sender)
    assert child.wait(60) == LOST


def test_each_worker_has_its_address_and_cores(monkeypatch) -> None:
    addresses = free_addresses(3)
    assert len(set(addresses)) == 3 and all(
        address.startswith("127.0.0.1:") for address in addresses
    )
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 4, 5, 6, 7}, raising=False)
    assert share_of_cores(2) == [{3, 4}, {5, 6}]
    assert share_of_cores(6) == 6 * [set()]


def test_the_command_passes_its_options_on(tmp_path, monkeypatch) -> None:
    calls = []
    monkeypatch.setattr(local_workers, "run_workers", lambda *given: calls.append(given) or 7)
    words = [*MANY_TO_ONE, "--data", str(table(tmp_path / "data.csv")), "--workers", "2"]
    folder = tmp_path / "run"
    assert seqzoo(*words, "--run", folder).exit_code == 7
    count, arguments, path, resume = calls[0]
    passed = ["train", "--distribute", "multi-worker", "--run", str(folder)]
    assert (count, path) == (2, folder) and arguments == [*passed, *words[1:], "--run", str(folder)]
    assert resume == f"seqzoo train --resume --run {folder} --workers 2"
    alone = seqzoo(*words[:-2], "--distribute", "multi-worker")
    assert alone.exit_code == 2 and "needs --run DIR, a folder that all workers" in alone.stderr
    nowhere = seqzoo(*words[:-2], "--distribute", "multi-worker", "--run", folder)
    assert nowhere.exit_code == 2 and "finds no workers: set TF_CONFIG" in nowhere.stderr
    assert len(calls) == 1 and not folder.exists()


def test_a_worker_that_is_stopped_at_once_says_how_to_resume_all(tmp_path, monkeypatch) -> None:
    def failing(*given, **options):
        raise SeqzooError("Not trained.")

    messages = []
    monkeypatch.setattr(Workers, "resume_options", " --workers 2")
    monkeypatch.setattr(trainer, "train", failing)
    monkeypatch.setattr(planned, "set_exit_message", messages.append)
    seqzoo(*MANY_TO_ONE, "--data", table(tmp_path / "data.csv"), "--run", "somewhere")
    assert messages[0].endswith(": seqzoo train --resume --run somewhere --workers 2")


@pytest.mark.slow
def test_two_workers_start_from_a_run_like_one_process(tmp_path) -> None:
    old, alone, together = (tmp_path / name for name in ("old", "alone", "together"))
    data = ["--data", table(tmp_path / "data.csv")]
    # Five texts in each batch, which two workers cannot divide evenly.
    assert seqzoo(*MANY_TO_ONE, *data, "--batch-steps", 30, "--run", old).exit_code == 0
    assert seqzoo("train", "--from", old, "--run", alone).exit_code == 0
    for words in (["--run", together], ["--run", together, "--resume"]):
        both = process("train", "--from", old, *words, "--workers", 2, timeout=200)
        assert both.returncode == 0, both.stderr
        one, two = (
            [{**row, "seconds": 0} for row in history(folder)] for folder in (alone, together)
        )
        assert len(two) == 2
        for row, same in zip(two, one, strict=True):
            assert row == pytest.approx(same, rel=1e-4, abs=1e-5)

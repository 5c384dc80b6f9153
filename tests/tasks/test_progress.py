"""Training progress in a terminal and in a pipe."""

import io
import re
import time

import pytest
from rich.console import Console

from seqzoo.tasks.training import progress as progress_module
from seqzoo.tasks.training.progress import TerminalProgress


def _printed(console: Console) -> str:
    progress = TerminalProgress(console)
    progress.start(epochs=2, steps=10, metric="micro_f1", unit="tokens")
    for epoch in (1, 2):
        progress.epoch(epoch, 0)
        for done in (1, 5, 10):
            progress.step(done, 0.5, 0.25, done * 8)
        progress.row(
            {
                "epoch": epoch,
                "loss": 0.5,
                "micro_f1": 0.25,
                "validation_loss": 0.75,
                "validation_micro_f1": 0.125,
                "learning_rate": 0.1,
                "seconds": 1.25,
            }
        )
    progress.end("All done.")
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_pipe_gets_one_line_per_epoch() -> None:
    lines = _printed(Console(file=io.StringIO(), width=200))
    metrics = (
        "loss 0.5000  micro F1 0.2500  validation loss 0.7500  validation micro F1 0.1250  1.2 s"
    )
    assert lines.splitlines() == [f"epoch 1/2  {metrics}", f"epoch 2/2  {metrics}", "All done."]


def test_a_terminal_gets_a_bar_with_metrics_and_time_left() -> None:
    lines = _printed(Console(file=io.StringIO(), width=200, force_terminal=True))
    for part in ("step 0/10", "compiling", "loss 0.5000 micro F1 0.2500", "tokens/s", "left"):
        assert part in lines
    assert "\x1b[?25h" in lines  # the cursor is shown again


def test_an_end_without_a_message_prints_none(capsys: pytest.CaptureFixture) -> None:
    progress = TerminalProgress()
    progress.end("")
    assert capsys.readouterr() == ("", "")


def test_a_pipe_gets_a_line_in_time_regardless_of_training(monkeypatch) -> None:
    monkeypatch.setattr(progress_module, "SILENCE", 0.2)
    console = Console(file=io.StringIO(), width=200)
    progress = TerminalProgress(console)
    progress.start(epochs=2, steps=10, metric="accuracy", unit="tokens")
    progress.epoch(1, 0)
    time.sleep(0.5)  # the first step compiles
    progress.step(1, 0.5, 0.25, 8)
    time.sleep(0.1)
    progress.step(6, 0.5, 0.25, 48)
    time.sleep(0.3)
    progress.step(10, 0.5, 0.25, 80)
    time.sleep(0.3)
    progress.end("")
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    time.sleep(0.3)
    assert console.file.getvalue().splitlines() == lines  # nothing comes after the end
    rest = r"loss 0\.5000 accuracy 0\.2500 [\d,]+ tokens/s  0:0\d left"
    # In this order; how many of each depends on how busy the machine is.
    patterns = ["step 0/10  compiling", f"step 6/10  {rest}", r"step 10/10  validating  0:0\d left"]
    results = [
        [n for n, line in enumerate(lines) if re.fullmatch(f"epoch 1/2  {one}", line)]
        for one in patterns
    ]
    assert all(results) and sum(results, []) == sorted(sum(results, [])), lines


@pytest.mark.parametrize("seconds, formatted", [(4.4, "0:04"), (125, "2:05"), (3723, "1:02:03")])
def test_time_left_is_formatted_like_a_clock(seconds, formatted) -> None:
    assert progress_module._duration(seconds) == formatted

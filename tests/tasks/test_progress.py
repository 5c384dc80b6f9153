"""What a terminal and a pipe see of a training."""

import io

import pytest
from rich.console import Console

from seqzoo.tasks.training.progress import TerminalProgress


def _told(console: Console) -> str:
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


def test_a_pipe_gets_one_line_an_epoch() -> None:
    told = _told(Console(file=io.StringIO(), width=200))
    figures = (
        "loss 0.5000  micro f1 0.2500  validation loss 0.7500  validation micro f1 0.1250  1.2 s"
    )
    assert told.splitlines() == [f"epoch 1/2  {figures}", f"epoch 2/2  {figures}", "All done."]


def test_a_terminal_gets_a_bar_with_figures_and_time_left() -> None:
    told = _told(Console(file=io.StringIO(), width=200, force_terminal=True))
    for part in ("step 0/10", "compiling", "loss 0.5000 micro f1 0.2500", "tokens/s", "left"):
        assert part in told
    assert "\x1b[?25h" in told  # the cursor is shown again


def test_an_end_without_words_prints_none(capsys: pytest.CaptureFixture) -> None:
    progress = TerminalProgress()
    progress.end("")
    assert capsys.readouterr() == ("", "")

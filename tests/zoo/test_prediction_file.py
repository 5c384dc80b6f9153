"""`seqzoo predict --output`: predictions in a file, continued where they were stopped."""

import errno
import os
from types import SimpleNamespace

import pytest

from seqzoo.tasks.errors import Interrupted, SeqzooError
from seqzoo.zoo.inference import prediction_file
from seqzoo.zoo.inference.prediction_file import (
    PredictionFile,
    identity,
    progress_path,
    write_predictions,
)
from seqzoo.zoo.inference.reply import Reply

SETTINGS = {"run": "a", "option": {"top": 1}}
AT_ONCE = 3


def lines_of(count: int, *, stop: int | None = None):
    """What `prediction_lines` does: one line per input but for a bad one, some inputs at once."""

    def lines(skip, complete):
        if not skip:
            yield Reply("head")
        for start in range(skip, count, AT_ONCE):
            for number in range(start, min(start + AT_ONCE, count)):
                if number == stop:
                    raise KeyboardInterrupt
                yield Reply(f"line {number}", bad=number == 1)
            complete(min(start + AT_ONCE, count))

    return lines


@pytest.mark.parametrize("stop", [0, 1, 4, 9])
def test_a_stopped_file_is_continued(tmp_path, stop) -> None:
    whole, path, messages = tmp_path / "whole", tmp_path / "answers", []
    PredictionFile(whole, SETTINGS, resume=False).write(lines_of(10), messages.append)
    started = PredictionFile(path, SETTINGS, resume=True)
    with pytest.raises(Interrupted, match="the same command with --resume continues"):
        started.write(lines_of(10, stop=stop), messages.append)
    with pytest.raises(SeqzooError, match="already exists; --resume continues it"):
        PredictionFile(path, SETTINGS, resume=False)
    with pytest.raises(SeqzooError, match="started with a different option"):
        PredictionFile(path, SETTINGS | {"option": {"top": 2}}, resume=True)
    with path.open("ab") as file:  # lines that were written after the last complete ones
        file.write(b"x" * 1000)
    continued = PredictionFile(path, SETTINGS, resume=True)
    assert continued.inputs == stop // AT_ONCE * AT_ONCE
    continued.write(lines_of(10), messages.append)
    assert path.read_text() == whole.read_text()
    assert continued.failed and set(messages) == {"line 1"}
    assert not progress_path(path).exists()
    with pytest.raises(SeqzooError, match="is finished, or was not written by"):
        PredictionFile(path, SETTINGS, resume=True)


def test_a_file_that_is_being_written_is_left_alone(tmp_path) -> None:
    whole, path = tmp_path / "whole", tmp_path / "answers"

    def lines(skip, complete):
        for reply in lines_of(10)(skip, complete):
            if reply.text == "line 7":
                other = PredictionFile(path, SETTINGS, resume=True)
                with pytest.raises(SeqzooError, match="Another command is writing .*/answers; "):
                    other.write(lines_of(10), print)
            yield reply

    PredictionFile(whole, SETTINGS, resume=False).write(lines_of(10), print)
    started = PredictionFile(path, SETTINGS, resume=False)
    also = PredictionFile(path, SETTINGS, resume=False)
    started.write(lines, print)
    with pytest.raises(SeqzooError, match="answers cannot be written: File exists"):
        also.write(lines_of(10), print)
    assert path.read_text() == whole.read_text() and not progress_path(path).exists()


def test_the_rate_is_that_since_the_command_started(tmp_path, monkeypatch) -> None:
    path, clock = tmp_path / "answers", iter(range(0, 1000, 2))
    with pytest.raises(Interrupted):
        PredictionFile(path, SETTINGS, resume=False).write(lines_of(600, stop=299), print)
    monkeypatch.setattr(prediction_file, "SECONDS_BETWEEN", 120)
    monkeypatch.setattr(prediction_file, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    messages: list[str] = []
    PredictionFile(path, SETTINGS, resume=True).write(lines_of(600), messages.append)
    # Three inputs every two seconds, after the 297 that were there.
    assert messages == ["477 inputs, 1.5 per second"]


def test_a_file_that_was_changed_is_not_continued(tmp_path) -> None:
    path = tmp_path / "answers"
    with pytest.raises(Interrupted, match="the same command with --resume continues"):
        PredictionFile(path, SETTINGS, resume=False).write(lines_of(10, stop=8), print)
    path.write_text("short")
    with pytest.raises(SeqzooError, match="cannot be continued"):
        PredictionFile(path, SETTINGS, resume=True)
    progress_path(path).write_text('{"bytes": 0}')
    with pytest.raises(SeqzooError, match="cannot be continued"):
        PredictionFile(path, SETTINGS, resume=True)


def test_an_error_before_the_first_prediction_leaves_nothing(tmp_path) -> None:
    def lines(skip, complete):
        yield Reply("head")
        raise SeqzooError("There is no run.")

    with pytest.raises(SeqzooError, match="no run"):
        PredictionFile(tmp_path / "answers", SETTINGS, resume=False).write(lines, print)
    assert not list(tmp_path.iterdir())


def test_a_record_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch) -> None:
    def full(path, value):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(prediction_file, "write_json", full)
    with pytest.raises(SeqzooError, match="answers cannot be written, because the disk"):
        PredictionFile(tmp_path / "answers", SETTINGS, resume=False).write(lines_of(9), print)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "number, reason",
    [
        (errno.EFBIG, ", because it would exceed the maximum size of a file; --resume continues"),
        (errno.EIO, ": Input/output error; --resume continues"),
    ],
)
def test_a_file_that_may_grow_no_further_is_named(tmp_path, number, reason) -> None:
    def lines(skip, complete):
        yield Reply("one")
        raise OSError(number, os.strerror(number))

    with pytest.raises(SeqzooError, match=f"answers cannot be written{reason}"):
        PredictionFile(tmp_path / "answers", SETTINGS, resume=False).write(lines, print)


def test_the_input_file_may_have_a_name_that_is_not_utf_8(tmp_path) -> None:
    given, path = tmp_path / "x\udcff.txt", tmp_path / "answers"
    given.write_text("abc")
    options = {"settings": SETTINGS, "print_fn": print, "resume": False}
    assert not write_predictions(path, lines_of(3), given, **options)  # one input is invalid
    assert path.read_text() == "head\nline 0\nline 2\n"


def test_a_run_that_was_replaced_is_another(tmp_path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.keras").write_text("weights")
    before = identity(str(tmp_path))
    assert len(before) == 2 and before == identity(str(tmp_path))
    (tmp_path / "predictions.jsonl").write_text("other files are no part of the model")
    (tmp_path / "more").mkdir()
    assert before == identity(str(tmp_path / "more" / ".."))
    (tmp_path / "model.keras").write_text("other weights")
    assert identity(str(tmp_path)) != before
    assert identity("language-id") and identity("language-id") != identity("date-normaliser")

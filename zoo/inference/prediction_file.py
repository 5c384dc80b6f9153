"""Writes predictions for a file of any size to another file, and resumes where it was stopped.

Until all inputs are predicted, ".NAME.progress" next to the file records how much is complete.
"""

import json
import os
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from seqzoo.tasks.atomic_files import is_full, naming_full_disk, write_json
from seqzoo.tasks.errors import Interrupted, SeqzooError, check_regular
from seqzoo.tasks.runs.layout import CONFIG, MODEL, WEIGHTS, is_run
from seqzoo.tasks.runs.lock import lock
from seqzoo.tasks.wording import counted
from seqzoo.zoo.data.records import read_bytes
from seqzoo.zoo.inference.reply import Reply
from seqzoo.zoo.presets import PRESETS
from seqzoo.zoo.pretrained import folder_of

SECONDS_BETWEEN = 30.0
"""Seconds between successive progress messages."""


def progress_path(path: pathlib.Path) -> pathlib.Path:
    """The file that records how many of the predictions in `path` are complete."""
    return path.with_name(f".{path.name}.progress")


class PredictionFile:
    """A file of predictions that is being written.

    Args:
        path: the file.
        settings: JSON values on which predictions depend; resuming with others is an error.
        resume: whether to continue an unfinished file.

    Attributes:
        inputs: number of inputs whose predictions are complete.
        failed: whether an input was invalid.

    Raises:
        SeqzooError: the file exists, or cannot be continued.
    """

    def __init__(self, path: pathlib.Path, settings: dict[str, Any], *, resume: bool):
        self.path = path
        self.settings = json.loads(json.dumps(settings))
        self.inputs = 0
        self.failed = False
        known = self._read() if resume else None
        if known is None and path.exists():
            advice = "--resume continues it, or name" if progress_path(path).exists() else "name"
            raise SeqzooError(f"{path} already exists; {advice} another file.", field="output")
        self._mode = "xb" if known is None else "r+b"
        if known is None:
            self._size = 0
            return
        if known["settings"] != self.settings:
            recorded = self.settings
            names = [name for name in recorded if known["settings"].get(name) != recorded[name]]
            raise SeqzooError(
                f"{path} was started with a different {' and '.join(names)}; repeat that command "
                "with --resume, or name another file.",
                field="output",
            )
        self.inputs, self.failed, self._size = known["inputs"], known["failed"], known["bytes"]

    def _read(self) -> dict[str, Any] | None:
        """The progress that was recorded for the file; None if there is no file yet.

        Raises:
            SeqzooError: it is finished, or shorter than it was.
        """
        try:
            known = json.loads(progress_path(self.path).read_text(encoding="utf-8"))
            complete = self.path.stat().st_size >= known["bytes"] >= 0
            complete &= isinstance(known["settings"], dict)
            complete &= isinstance(known["inputs"], int) and isinstance(known["failed"], bool)
        except FileNotFoundError as error:
            if not self.path.exists():
                return None
            raise SeqzooError(
                f"{self.path} is finished, or was not written by `predict`; remove it, or name "
                "another file.",
                field="output",
            ) from error
        except (OSError, ValueError, KeyError, TypeError):
            complete = False
        if not complete:
            raise SeqzooError(
                f"{self.path} cannot be continued, since it or {progress_path(self.path)} has "
                "changed; remove both.",
                field="output",
            )
        return known

    def write(
        self,
        lines: Callable[..., Iterator[Reply]],
        print_fn: Callable[[str], Any],
    ) -> None:
        """Writes predictions for all remaining inputs, and reports errors and progress.

        Args:
            lines: called like `prediction_lines`, with `skip` and `complete`.
            print_fn: called with each error and progress message.

        Raises:
            DiskFull: the disk is full; the file can be continued.
            Interrupted: Ctrl-C; the file can be continued.
            SeqzooError: the file cannot be written, or another process is writing it.
        """
        try:
            opened = self.path.open(self._mode)
        except OSError as error:
            raise SeqzooError(
                f"{self.path} cannot be written: {error.strerror or error}.", field="output"
            ) from error
        began, first, reported = time.monotonic(), self.inputs, time.monotonic()

        def complete(inputs: int) -> None:
            nonlocal reported
            opened.flush()
            os.fsync(opened.fileno())
            self.inputs, self._size = inputs, opened.tell()
            self._record()
            now = time.monotonic()
            if now - reported >= SECONDS_BETWEEN:
                reported = now
                rate = (inputs - first) / (now - began)
                shown = f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
                print_fn(f"{inputs:,} inputs, {shown} per second")

        with naming_full_disk(self.path, "--resume continues it"), opened:
            lock(opened.fileno(), f"Another command is writing {self.path}; wait until it ends.")
            opened.seek(self._size)
            opened.truncate()
            try:
                self._record()
            except BaseException:
                if not self.inputs:  # without a record, the file would count as finished
                    self.path.unlink()
                raise
            try:
                for line in lines(skip=self.inputs, complete=complete):
                    self.failed |= line.bad
                    if line.bad or line.aside:
                        print_fn(line.text)
                    else:
                        opened.write(line.text.encode() + b"\n")
            except SeqzooError:
                if not self.inputs:  # nothing to continue, for example if the run does not exist
                    self.path.unlink()
                    progress_path(self.path).unlink()
                raise
            except KeyboardInterrupt as stopped:
                raise Interrupted(
                    f"Stopped after {counted(self.inputs, 'input')}; the same command with "
                    f"--resume continues {self.path}."
                ) from stopped
            except OSError as error:
                if is_full(error) or error.filename:
                    raise
                raise SeqzooError(
                    f"{self.path} cannot be written: {error.strerror or error}; --resume continues "
                    "it.",
                    field="output",
                ) from error
            complete(self.inputs)
            progress_path(self.path).unlink()

    def _record(self) -> None:
        known = {
            "inputs": self.inputs,
            "bytes": self._size,
            "failed": self.failed,
            "settings": self.settings,
        }
        write_json(progress_path(self.path), known)


def write_predictions(
    path: pathlib.Path,
    lines: Callable[..., Iterator[Reply]],
    given: pathlib.Path,
    settings: dict[str, Any],
    print_fn: Callable[[str], Any],
    *,
    resume: bool,
) -> bool:
    """Writes the predictions of a file; see `PredictionFile`.

    Args:
        path: the file of predictions.
        lines: called like `prediction_lines`, with `skip` and `complete`.
        given: the file of inputs.
        settings: JSON values on which predictions depend, in addition to the inputs.
        print_fn: called with each error and progress message.
        resume: whether to continue an unfinished file.

    Returns:
        Whether all inputs were valid.

    Raises:
        SeqzooError: the file of inputs does not exist, or is a pipe or a device; see also
            `PredictionFile`.
    """
    check_regular(given)
    if not given.is_file():
        read_bytes(given)  # raises an error that says why
    output = PredictionFile(path, {"input file": _identity(given), **settings}, resume=resume)
    output.write(lines, print_fn)
    return not output.failed


def identity(name: str) -> list[dict[str, Any]]:
    """JSON values that identify a run, by its folder or the name of a preset, and change when its
    model does, but not when the folder gets another name or other files."""
    folder = pathlib.Path(name).expanduser()
    if not is_run(folder) and name in PRESETS:
        folder = folder_of(name)
    files = [folder / file for file in (CONFIG, MODEL, WEIGHTS)]
    return [{"file": file.name, **_version(file)} for file in files if file.is_file()]


def _identity(path: pathlib.Path) -> dict[str, Any]:
    """JSON values that identify a file and change when it changes."""
    name = str(path.resolve()).encode("utf-8", "backslashreplace").decode()
    return {"path": name, **_version(path)}


def _version(path: pathlib.Path) -> dict[str, int]:
    known = path.stat()
    return {"bytes": known.st_size, "changed": known.st_mtime_ns}

"""Files are written completely or not at all: after a power failure, and on a full disk."""

import errno
import os
import pathlib
import re
import subprocess
import sys

import pytest
import tensorflow as tf
from cli_cases import MANY_TO_ONE, ROOT, files, seqzoo, table
from task_data import settings, splits, template

from seqzoo.tasks import atomic_files, unfinished
from seqzoo.tasks.atomic_files import creating, full_disk, is_full, replacing, write_json
from seqzoo.tasks.errors import DiskFull, SeqzooError
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.training import checkpoints
from seqzoo.tasks.training.trainer import train
from seqzoo.zoo.training import train as training

NO_ROOM = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def log(monkeypatch) -> list[str]:
    """The calls of fsync and rename, in order: "sync a.json", "rename a.json"."""
    results: list[str] = []
    replace = os.replace

    def renamed(source, target) -> None:
        results.append(f"rename {pathlib.Path(target).name}")
        replace(source, target)

    def synchronised(path) -> None:
        results.append(f"sync {pathlib.Path(path).name}")
        synchronise(path)

    synchronise = atomic_files.synchronise
    for module in (atomic_files, checkpoints):
        monkeypatch.setattr(module, "synchronise", synchronised)
    monkeypatch.setattr(os, "replace", renamed)
    return results


@pytest.fixture
def full(monkeypatch):
    """A disk that has no room for files with a name of a pattern: writes to them are
    reported as lost on fsync, as by file systems that allocate space late."""
    waited = os.fsync

    def of(pattern: str) -> None:
        def fsync(descriptor: int) -> None:
            path = os.readlink(f"/proc/self/fd/{descriptor}")
            if re.search(pattern, path):
                raise NO_ROOM
            waited(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)

    return of


def test_a_file_takes_its_name_when_it_is_on_the_disk(tmp_path, log) -> None:
    write_json(tmp_path / "a.json", 1)
    first, *others = log
    assert re.fullmatch(rf"sync \.new-a\.json-{unfinished.WRITER}\.json", first)
    assert others == ["rename a.json", f"sync {tmp_path.name}"]


def test_two_processes_may_write_the_same_file(tmp_path) -> None:
    with replacing(tmp_path / "a.csv") as one:
        one.write_text("one")
        with replacing(tmp_path / "a.csv") as other:
            other.write_text("other")
        assert (tmp_path / "a.csv").read_text() == "other"
    assert (tmp_path / "a.csv").read_text() == "one"
    assert files(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("name", ["a.weights.h5", "a.5-7", "b" * 251 + ".csv", ".x" * 120])
def test_what_processes_that_have_ended_left_of_a_file_is_removed(name, tmp_path) -> None:
    path = tmp_path / name
    temporary = unfinished.temporary_file(path).name
    assert temporary.endswith(path.suffix)
    mine = f"-{os.getpid()}"
    assert temporary.count(mine) == 1
    (tmp_path / temporary.replace(mine, f"-{2**22 + 1}")).touch()  # above all process numbers
    with replacing(path) as writing:
        writing.touch()
    assert files(tmp_path) == [name]


def test_a_path_that_is_not_utf_8_is_named(tmp_path) -> None:
    with pytest.raises(SeqzooError) as error:
        write_json(tmp_path / "a.json", {"data": "x\udcff.csv", "kind": "words"})
    line = r"""'"data": "x\udcff.csv"'"""
    assert str(error.value).startswith(f"a.json cannot contain {line}, which is not UTF-8; rename")
    assert not files(tmp_path)


def test_a_folder_takes_its_name_when_all_of_it_is_on_the_disk(tmp_path, log) -> None:
    with creating(tmp_path / "one") as folder:
        (folder / "in").mkdir()
        (folder / "in" / "a").touch()
    assert set(log[:2]) == {"sync in", "sync a"}
    assert log[2:] == [f"sync {folder.name}", "rename one", f"sync {tmp_path.name}"]


def test_the_first_of_two_writers_gets_the_name_of_a_folder(tmp_path) -> None:
    with pytest.raises(SeqzooError, match=f"^{tmp_path}/one already exists; name a new folder"):
        with creating(tmp_path / "one") as slow:
            (slow / "a").touch()
            with creating(tmp_path / "one") as fast:
                (fast / "b").touch()
            assert files(slow) == ["a"]
    assert files(tmp_path) == ["one", "one/b"]


@pytest.mark.parametrize("name", ["b" * 250, "ü" * 125])
def test_a_folder_may_have_a_name_as_long_as_file_systems_allow(name, tmp_path) -> None:
    left = unfinished.temporary_folder(tmp_path / name).name.rpartition("-")[0] + "-999999999"
    (tmp_path / left).mkdir()
    with creating(tmp_path / name) as temporary:
        (temporary / "x").write_text("1")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_only_what_processes_that_have_ended_left_of_a_folder_is_removed(tmp_path) -> None:
    ended = f"{unfinished.host()}.00000000-{2**22 + 1}"  # above all process numbers
    for name in (f".new-one-{ended}", f".new-two-{ended}", ".new-one", ".new-one-more"):
        (tmp_path / name / "in").mkdir(parents=True)
    with creating(tmp_path / "one"), creating(tmp_path / "one-2"):
        pass
    kept = {".new-one", ".new-one-more", f".new-two-{ended}"}
    assert {path.name for path in tmp_path.iterdir()} == {"one", "one-2"} | kept


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_named_by_a_link_is_made_where_the_link_leads(exists: bool, tmp_path) -> None:
    if exists:
        (tmp_path / "disk" / "one").mkdir(parents=True)
    (tmp_path / "link").symlink_to("disk/one")
    with creating(tmp_path / "link") as folder:
        (folder / "a").touch()
    assert (tmp_path / "link").is_symlink()
    assert files(tmp_path / "disk") == ["one", "one/a"]


def test_a_folder_that_cannot_be_created_is_refused_at_once(tmp_path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    for name, message in (
        ("loop", "loop is a link that leads back to itself; name a new folder"),
        ("file/one", f"file/one cannot be created: {tmp_path}/file: (File exists|Not a directory)"),
    ):
        with pytest.raises(SeqzooError, match=message), creating(tmp_path / name):
            pytest.fail("the folder should be refused before anything is written")


def test_fsync_reaches_the_file_itself(tmp_path, monkeypatch) -> None:
    reached = []
    monkeypatch.setattr(os, "fsync", lambda item: reached.append(os.fstat(item).st_ino))
    write_json(tmp_path / "a.json", 1)
    assert reached == [(tmp_path / "a.json").stat().st_ino, tmp_path.stat().st_ino]


@pytest.mark.usefixtures("plain_loop")
def test_a_checkpoint_is_named_as_the_last_when_it_is_on_the_disk(tmp_path, monkeypatch) -> None:
    named = []

    def synchronised(path) -> None:
        path = pathlib.Path(path)
        index = path.parent / "checkpoint"
        index_text = index.read_text() if index.exists() else ""
        named.append((path.name, f"{path.name.partition('.')[0]}" in index_text))

    monkeypatch.setattr(checkpoints, "synchronise", synchronised)
    train(template(), splits(), settings(epochs=1), tmp_path / "run")
    parts = [item for item in named if item[0].startswith("step-")]
    assert len(parts) == 2 and not any(flagged for _, flagged in parts)
    assert [name for name, _ in named[-3:]] == ["checkpoints", "checkpoint", "checkpoints"]


def test_a_full_disk_is_named_and_existing_files_stay(tmp_path, full) -> None:
    path = tmp_path / "a.json"
    write_json(path, "old")
    full(r"a\.json")
    with pytest.raises(DiskFull) as error:
        write_json(path, "new")
    disk = next(item for item in [tmp_path, *tmp_path.parents] if os.path.ismount(item))
    assert error.value.location == str(path)
    assert re.fullmatch(
        rf"{path} cannot be written, because the disk at {disk} is full \([\d,.]+ MB left\); its "
        r"previous contents are kept\. Make room there, or write to another disk\.",
        str(error.value),
    )
    assert files(tmp_path) == ["a.json"] and atomic_files.read_json(path) == "old"
    with pytest.raises(DiskFull, match="no part of it was kept"), creating(tmp_path / "b") as new:
        (new / "a.json").touch()
    assert files(tmp_path) == ["a.json"]
    # The folder is named, not the temporary one that is written first.
    with pytest.raises(DiskFull, match=f"^{tmp_path}/b cannot.*; no part of it"):
        with creating(tmp_path / "b") as new:
            write_json(new / "a.json", "new")
    assert files(tmp_path) == ["a.json"]


def test_all_errors_of_a_full_disk_are_known() -> None:
    raised = tf.errors.ResourceExhaustedError(None, None, "/x/step-4; No space left on device")
    hdf5 = OSError("Can't write data (file write failed: error message = 'Disk quota exceeded')")
    wrapped = ValueError("cannot save")
    wrapped.__cause__ = NO_ROOM
    large = tf.errors.OutOfRangeError(None, None, "/x/part-00000-of-00001; File too large")
    errors = (NO_ROOM, OSError(errno.EDQUOT, "x"), raised, hdf5, wrapped, large)
    for error in errors:
        assert is_full(error)
        with pytest.raises(DiskFull), replacing("/tmp/none"):
            raise error
    memory = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
    for error in (memory, MemoryError(), PermissionError(errno.EACCES, "x"), ValueError()):
        assert not is_full(error)


@pytest.fixture
def limited():
    """A limit of 1,000 bytes on the size of files."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_would_be_too_large_is_named(tmp_path, limited) -> None:
    path = tmp_path / "a.json"
    reason = "cannot be written, because it would exceed the maximum size of a file"
    with pytest.raises(DiskFull) as error:
        write_json(path, "x" * 2000)
    assert str(error.value).startswith(f"{path} {reason}. Raise the limit (`ulimit -f`), or ")
    with pytest.raises(DiskFull, match=f"^{tmp_path}/b {reason}; no part of it was kept"):
        with creating(tmp_path / "b") as new:
            tf.saved_model.save(tf.train.Checkpoint(x=tf.Variable(tf.zeros(1000))), str(new))
    assert not files(tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("plain_loop", "every_step")
def test_training_that_fills_the_disk_resumes_where_there_is_room(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "run"
    write = tf.train.Checkpoint._write

    def filled(self, prefix, **options):
        path = pathlib.Path(prefix)
        if not path.name.endswith("-6"):
            return write(self, prefix, **options)
        path.with_name(f"{path.name}.data-00000-of-00001").write_bytes(b"a part")
        (path.parent / f"{path.name}_temp").mkdir()
        raise tf.errors.ResourceExhaustedError(None, None, f"{path}; No space left on device")

    monkeypatch.setattr(tf.train.Checkpoint, "_write", filled)
    chosen = {"settings": settings(epochs=3, batch_size=48), "splits": splits()}
    with pytest.raises(DiskFull) as error:
        train(template(), folder=folder, **chosen)
    assert f"{folder}/checkpoints/step-6 cannot be written" in str(error.value)
    assert "the checkpoint of step 4 is kept" in str(error.value)
    assert str(error.value).endswith(
        f"To resume from step 4 after that: seqzoo train --resume --run {folder}"
    )
    assert not [name for name in files(folder / "checkpoints") if "step-6" in name]
    monkeypatch.undo()
    train(template(), folder=folder, resume=True, **chosen)
    assert [row["epoch"] for row in Run.open(folder).history] == [1, 2, 3]


@pytest.mark.slow
def test_the_command_line_names_file_and_disk(tmp_path, full, monkeypatch) -> None:
    data = table(tmp_path / "data.csv")
    full(r"model\.keras")
    result = seqzoo(*MANY_TO_ONE, "--data", data, "--run", tmp_path / "run")
    (line,) = [item for item in result.stderr.splitlines() if item.startswith("Error")]
    assert result.exit_code == 2
    assert f"{tmp_path}/run/model.keras cannot be written, because the disk at" in line
    assert "memory" not in line

    # Files that others write, too: what the error names is said.
    def fails(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "x", str(tmp_path / "other"))

    monkeypatch.setattr(training, "plan_new", fails)
    line = seqzoo("train", "language-id", "--run", tmp_path / "new").stderr
    assert line.startswith(f"Error: {tmp_path}/other cannot be written, because the disk at ")


def test_output_to_a_full_disk_is_reported() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    command = [sys.executable, str(ROOT / "cli.py"), "list", "cells"]
    with open("/dev/full", "w") as output:
        result = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 2
    assert result.stderr == (
        "Error: Standard output cannot be written, because its disk is full; what has been "
        "written so far is kept. Make room there, or write to another disk.\n"
    )


def test_a_disk_is_named_if_the_folder_does_not_exist_yet(tmp_path) -> None:
    path = tmp_path / "no" / "file"
    assert full_disk(path, NO_ROOM).startswith(f"{tmp_path}/no/file cannot be written")

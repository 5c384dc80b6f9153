"""The cache on disk: arrays that are made from data once and looked up by their origin.

An entry is a folder of files, one per array, with a manifest that is written last. The folder gets
its name only when it is complete, so an incomplete entry left by a killed process is never read. A
damaged entry, or one from another version, counts as missing and is rebuilt.
"""

import contextlib
import hashlib
import json
import mmap
import os
import pathlib
import re
import shutil
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from seqzoo.tasks.atomic_files import naming_full_disk, replacing, synchronise, write_json
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.unfinished import NEW, host, is_being_written, temporary_folder

CACHE_FORMAT = 1
"""Version of the file format, increased when the meaning of the contents changes."""

VARIABLE = "SEQZOO_CACHE"
"""Environment variable that names the cache folder."""

MANIFEST = "manifest.json"

ENTRY = re.compile(rf"(?:{re.escape(NEW)})?[a-z]+-[0-9a-f]{{32}}(?:-[^/]*)?")
"""The names of entries, finished or not; the folder also has those of built-in data sets."""

SAMPLED_BYTES = 1 << 16
"""Number of bytes that a file's digest covers at its beginning, in its middle and at its end."""

MAPPED = 1 << 23
"""Number of bytes read from a file after which its pages are released from memory."""

PAGES = 1 << 16
"""Number of bytes that the operating system reads from the disk when any of them is needed."""


def cache_folder() -> pathlib.Path:
    """The cache folder: $SEQZOO_CACHE, or seqzoo in $XDG_CACHE_HOME or ~/.cache."""
    if configured := os.environ.get(VARIABLE):
        return pathlib.Path(configured).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (pathlib.Path(shared) if shared else pathlib.Path.home() / ".cache") / "seqzoo"


def digest_of(*parts: Any) -> str:
    """A digest of bytes, arrays and JSON values, as 32 hexadecimal characters."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            part = str((part.shape, part.dtype)).encode() + np.ascontiguousarray(part).tobytes()
        if not isinstance(part, bytes):
            part = json.dumps(part, sort_keys=True).encode()
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def file_digest(path: pathlib.Path) -> str:
    """A digest of a file's size and of samples of its contents."""
    size = path.stat().st_size
    parts = [str(size).encode()]
    with path.open("rb") as file:
        for start in (0, max(size // 2 - SAMPLED_BYTES // 2, 0), max(size - SAMPLED_BYTES, 0)):
            file.seek(start)
            parts.append(file.read(SAMPLED_BYTES))
    return digest_of(*parts)


class Mapped:
    """An array in a file, which is read in pieces that are released before they fill the memory.

    Args:
        path: the file.
        dtype: the dtype of the array.
        shape: the shape of the array.
    """

    def __init__(self, path: pathlib.Path, dtype: str, shape: tuple[int, ...]):
        empty = not np.prod(shape)
        self._array = np.zeros(shape, dtype) if empty else np.memmap(path, dtype, "r", shape=shape)
        self._touched = 0

    def __len__(self) -> int:
        return len(self._array)

    @property
    def dtype(self) -> np.dtype:
        return self._array.dtype

    def __getitem__(self, index: Any) -> np.ndarray:
        """A copy of a slice, or of the elements of an array of indices."""
        first = index[0] if isinstance(index, tuple) else index
        return self.take(index, len(first) if isinstance(first, np.ndarray) else 1)

    def take(self, index: Any, pieces: int) -> np.ndarray:
        """A copy of the elements at `index`, which are in `pieces` places of the file."""
        result = np.array(self._array[index])
        self._touched += max(result.nbytes, min(pieces * PAGES, self._array.nbytes))
        if self._touched > MAPPED:
            self.release()
        return result

    def release(self) -> None:
        """Releases the pages that were read; the system keeps them as long as it has room."""
        self._touched = 0
        mapped: Any = getattr(self._array, "_mmap", None)
        if hasattr(mapped, "madvise"):  # not on Windows
            mapped.madvise(mmap.MADV_DONTNEED)


class Entry:
    """An entry of the cache.

    Args:
        folder: the folder of the entry.
        manifest: the contents of the manifest.
    """

    def __init__(self, folder: pathlib.Path, manifest: dict[str, Any]):
        self.folder = folder
        self.manifest = manifest

    @property
    def key(self) -> str:
        """The entry's name, which identifies its origin."""
        return self.folder.name

    @property
    def about(self) -> dict[str, Any]:
        """The description that was stored with the arrays."""
        return self.manifest["about"]

    @property
    def size(self) -> int:
        """Size of the files, in bytes."""
        return sum(path.stat().st_size for path in self.folder.iterdir())

    def array(self, name: str) -> Mapped:
        """One of the arrays, by name."""
        info = self.manifest["arrays"][name]
        return Mapped(self.folder / name, info["dtype"], tuple(info["shape"]))

    def remembered(self, *parts: Any) -> str | None:
        """The text that `remember` stored for these values; None if there is none."""
        try:
            return self._note(parts).read_text(encoding="utf-8") or None
        except (OSError, UnicodeDecodeError):
            return None

    def remember(self, text: str, *parts: Any) -> None:
        """Stores a text that is slow to compute, keyed by the values that it was computed from."""
        with contextlib.suppress(SeqzooError, OSError), replacing(self._note(parts)) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def _note(self, parts: tuple) -> pathlib.Path:
        return self.folder / f"note-{digest_of(*parts)}"


class Writer:
    """Writes the arrays of an entry, piece by piece.

    Args:
        folder: the folder that the files are written to.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.about: dict[str, Any] = {}
        self._arrays: dict[str, dict[str, Any]] = {}
        self._files: dict[str, Any] = {}

    def append(self, name: str, piece: np.ndarray) -> None:
        """Appends to an array along its first axis."""
        if name not in self._files:
            self._files[name] = (self.folder / name).open("wb")
            self._arrays[name] = {"dtype": piece.dtype.str, "shape": [0, *piece.shape[1:]]}
        array = self._arrays[name]
        if [piece.dtype.str, *piece.shape[1:]] != [array["dtype"], *array["shape"][1:]]:
            raise ValueError(f"{name}: {piece.dtype} {piece.shape} cannot be appended to {array}")
        self._files[name].write(np.ascontiguousarray(piece).data)
        array["shape"][0] += len(piece)

    def read(self, name: str) -> Mapped:
        """The part of an array that has been written so far."""
        self._files[name].flush()
        array = self._arrays[name]
        return Mapped(self.folder / name, array["dtype"], tuple(array["shape"]))

    def widen(self, name: str, dtype: str) -> None:
        """Converts an array to another dtype, including the part that has been written."""
        if name not in self._files:
            return
        stored = self._arrays[name]
        self._files.pop(name).close()
        old = self.folder / f"{name}.narrow"
        os.replace(self.folder / name, old)
        count, shape = stored["shape"][0], stored["shape"][1:]
        array = Mapped(old, stored["dtype"], (count, *shape))
        self._files[name] = (self.folder / name).open("wb")
        for start in range(0, count, SAMPLED_BYTES):
            self._files[name].write(array[start : start + SAMPLED_BYTES].astype(dtype).data)
        stored["dtype"] = np.dtype(dtype).str
        old.unlink()

    def finish(self) -> None:
        """Writes the manifest, after everything else."""
        for name, file in self._files.items():
            file.close()
            synchronise(self.folder / name)
        for name, array in self._arrays.items():
            array["digest"] = file_digest(self.folder / name)
        manifest = {"format": CACHE_FORMAT, "about": self.about, "arrays": self._arrays}
        write_json(self.folder / MANIFEST, manifest)

    def close(self) -> None:
        """Closes files that an error left open."""
        for file in self._files.values():
            with contextlib.suppress(OSError):  # the disk may be full
                file.close()


def find(key: str) -> Entry | None:
    """The entry for a key; None if there is none, or if it is damaged or from another version."""
    folder = cache_folder() / key
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != CACHE_FORMAT or not isinstance(manifest["about"], dict):
            return None
        for name, value in manifest["arrays"].items():
            if file_digest(folder / name) != value["digest"]:
                return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Entry(folder, manifest)


def find_made(key: str) -> Entry:
    """The entry for a key that has just been made.

    Raises:
        SeqzooError: it is no longer there.
    """
    entry = find(key)
    if entry is None:
        raise SeqzooError(
            f"{cache_folder() / key} was removed while it was being read; repeat the command."
        )
    return entry


@contextlib.contextmanager
def making(key: str) -> Iterator[Writer]:
    """Yields the writer of a new entry; the entry exists once the block has succeeded.

    Raises:
        DiskFull: the disk is full; no part of the entry remains.
        SeqzooError: the cache folder cannot be written to.
    """
    root = cache_folder()
    folder = root / key
    temporary = temporary_folder(folder)
    elsewhere = f"set {VARIABLE} to a folder on another disk, or choose --storage memory"
    try:
        root.mkdir(parents=True, exist_ok=True)
        remove_unfinished(root)
        temporary.mkdir()
    except OSError as error:
        with naming_full_disk(folder, elsewhere):
            raise SeqzooError(
                f"The cache {root} cannot be written to: {error.strerror or error}; {elsewhere}."
            ) from error
    writer = Writer(temporary)
    try:
        with naming_full_disk(folder, f"no part of it was kept; {elsewhere}"):
            yield writer
            writer.finish()
            if find(key) is None:  # another process may have been faster
                shutil.rmtree(folder, ignore_errors=True)
                os.replace(temporary, folder)
                synchronise(root)
    finally:
        writer.close()
        shutil.rmtree(temporary, ignore_errors=True)


def remove_unfinished(root: pathlib.Path) -> None:
    """Removes unfinished entries of processes that have ended."""
    for path in root.glob(f"{NEW}*"):
        if ENTRY.fullmatch(path.name) and not is_being_written(path):
            shutil.rmtree(path, ignore_errors=True)


class Listed(NamedTuple):
    """An entry as `list_cache` reports it."""

    key: str
    bytes: int
    usable: bool
    about: dict[str, Any]


def list_cache() -> list[Listed]:
    """All entries, largest first; entries that are damaged, unfinished or from another version
    are not usable."""
    root = cache_folder()
    results = []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if not (ENTRY.fullmatch(folder.name) and folder.is_dir()):
            continue
        entry = find(folder.name)
        with contextlib.suppress(OSError):  # removed in the meantime
            size = sum(path.stat().st_size for path in folder.iterdir())
            results.append(
                Listed(folder.name, size, entry is not None, entry.about if entry else {})
            )
    return sorted(results, key=lambda item: -item.bytes)


def clear_cache() -> int:
    """Removes all entries, except for those that another process is writing.

    Returns: the number of bytes freed.
    """
    freed = 0
    for item in list_cache():
        path = cache_folder() / item.key
        own = item.key.endswith(f"-{os.getpid()}") and f"-{host()}." in item.key
        if item.key.startswith(NEW) and is_being_written(path) and not own:
            continue
        shutil.rmtree(cache_folder() / item.key, ignore_errors=True)
        freed += item.bytes
    return freed

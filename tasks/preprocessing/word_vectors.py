"""Pretrained word vectors: GloVe, word2vec, fastText, or arrays with a list of words."""

import codecs
import contextlib
import gzip
import importlib.util
import io
import json
import pathlib
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple, Self

import numpy as np

from seqzoo.tasks.data.npz_members import READ_ERRORS, read_member
from seqzoo.tasks.errors import SeqzooError, some_of, unreadable
from seqzoo.tasks.preprocessing.vocabulary import SPECIAL, Vocabulary
from seqzoo.tasks.preprocessing.word_joiners import JOINER

ARRAY, WORDS = ".npy", (".txt", ".vocab", ".json", ".parquet")
"""Extensions of files in a folder: of the array of vectors, and of lists of words."""

FASTTEXT = (793_712_314).to_bytes(4, "little")
"""First bytes of fastText's binary models, which have n-grams instead of a table."""

NAMED = ("words", "vectors")
"""Names of the arrays of an .npz file."""

MAX_DIMENSION = 1_000_000
"""Maximum dimension of the vectors in a binary file."""

MAX_LINE_SIZE = 1 << 24
"""Limit on the length of a line of a text file, in bytes."""

DECIMAL = re.compile(rb"\s[+-]?(?:\d*\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)$")
WHOLE = re.compile(rb"\s[+-]?\d+$")
"""The end of a word that is a number of its vector."""

MAX_WORD_SIZE = 10_000
"""Maximum length of a word in a binary file, in bytes; a longer one means that the file is
damaged."""


@dataclass(frozen=True)
class WordVectors:
    """Vectors for the ids of a vocabulary.

    Attributes:
        trained_ids: number of ids, padding and unknown included, that also have a trained
            embedding; the tokens after them occur only in the file of vectors.
        dimension: number of dimensions of the vectors.
        coverage: fraction of the training examples' tokens that have a vector.
        table: the vectors, (ids, dimension), float32, zeros for tokens without one; None in a
            loaded run, whose model contains them.
        notes: remarks on how the file was read.
    """

    trained_ids: int
    dimension: int
    coverage: float
    table: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def to_config(self) -> dict[str, Any]:
        """All but the table, JSON-serialisable."""
        return {"own": self.trained_ids, "dimension": self.dimension, "coverage": self.coverage}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of `to_config`."""
        return cls(config["own"], config["dimension"], config["coverage"])


class Table(NamedTuple):
    """The words and vectors of a file that were kept."""

    words: list[str]
    vectors: np.ndarray
    notes: tuple[str, ...] = ()


def add_vectors(
    vocabulary: Vocabulary, counts: Counter[bytes], path: str, keep: int | None
) -> tuple[Vocabulary, WordVectors]:
    """Adds the words of a file of vectors to a vocabulary; returns it and the vectors of its ids.

    A token has the vector of its exact spelling, or else that of its lowercase form, in both cases
    without joiners (see `word_joiners`).

    Args:
        vocabulary: the vocabulary of the training examples.
        counts: how often each token, UTF-8, occurs in the training examples.
        path: the path of the vectors, see `read_vectors`.
        keep: number of words at the beginning of the file to keep even if they do not occur in the
            examples, for predictions; None for all.

    Raises:
        SeqzooError: the vectors cannot be read, or no token has a vector.
    """
    tokens = {token.decode("utf-8"): count for token, count in counts.items()}
    words = {token.strip(JOINER) for token in tokens}
    result = read_vectors(path, {*words, *map(str.lower, words)}, keep)
    positions = {word: position for position, word in enumerate(result.words)}

    def row_of(token: str) -> int | None:
        word = token.strip(JOINER)
        return positions.get(word, positions.get(word.lower()))

    covered = sum(count for token, count in tokens.items() if row_of(token) is not None)
    if not covered:
        raise SeqzooError(
            f"`vectors`: none of the {len(tokens):,} distinct words in the training examples is "
            f"in {path}; is it for another language?",
            field="vectors",
        )
    known = set(vocabulary.tokens)
    joined = Vocabulary([*vocabulary.tokens, *(word for word in result.words if word not in known)])
    table = np.zeros((len(joined), result.vectors.shape[1]), np.float32)
    for position, token in enumerate(joined.tokens, SPECIAL):
        if (row := row_of(token)) is not None:
            table[position] = result.vectors[row]
    coverage = covered / sum(tokens.values())
    return joined, WordVectors(len(vocabulary), table.shape[1], coverage, table, result.notes)


def read_vectors(path: str, wanted: Collection[str], keep: int | None) -> Table:
    """Reads vectors in one pass; vectors that are not kept are not parsed.

    Args:
        path: GloVe or word2vec text (.txt, .vec), word2vec binary (.bin), each also as .gz or .zip
            (FILE.zip/MEMBER names one of several members); .npz with the arrays `words` and
            `vectors`; a folder or an installed package with one .npy array and a list of words.
        wanted: words to keep.
        keep: number of words to keep from the beginning of the file, too; None for all.

    Raises:
        SeqzooError: the file does not exist, is truncated or is malformed; the message says where.
    """
    rows = _rows(path)
    words: dict[str, int] = {}
    kept: list[np.ndarray] = []
    notes = []
    width = None
    for position, (word, vector) in enumerate(rows, 1):
        if (keep is None or position <= keep or word in wanted) and word:
            if word in words:
                notes.append(f"{path} has two vectors for {word!r}; the first one is used.")
                continue
            numbers = vector()
            if width is None:
                width = len(numbers)
            if len(numbers) != width or not np.isfinite(numbers).all():
                raise _error(
                    path,
                    f"does not have {width} finite numbers for word {position:,}, {word!r}",
                )
            words[word] = len(kept)
            kept.append(numbers)
    if not kept:
        raise _error(path, "contains no vector for any word of the training examples")
    return Table(list(words), np.stack(kept), tuple(notes[:3]))


def check_readable(path: str) -> None:
    """Reads the first vector, so that an error is reported before the data are read.

    Args:
        path: see `read_vectors`.

    Raises:
        SeqzooError: there is no such file, or it does not begin with a vector.
    """
    for _, vector in _rows(path):
        vector()
        return
    raise _error(path, "has no vectors")


Rows = Iterator[tuple[str, Any]]
"""Words in the order of a file, each with a function that returns its vector, (dimension,)."""


def _rows(path: str) -> Rows:
    file = pathlib.Path(path).expanduser()
    if file.is_dir():
        return _rows_from_folder(path, file)
    package = None if file.exists() or "/" in path else _package(path)
    if package is not None:
        return _rows_from_folder(path, package)
    name = file.name.lower()
    if name.endswith(".npz"):
        return _rows_from_npz(path, file)
    return _rows_from_stream(path, file)


def _package(name: str) -> pathlib.Path | None:
    """The folder of an installed package."""
    if "." in name:  # Python would import the package to find a module in it
        return None
    try:
        spec = importlib.util.find_spec(name.replace("-", "_"))
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return pathlib.Path(next(iter(spec.submodule_search_locations)))


def _rows_from_folder(path: str, folder: pathlib.Path) -> Rows:
    arrays = sorted(folder.rglob(f"*{ARRAY}"))
    lists = sorted(item for item in folder.rglob("*") if item.suffix.lower() in WORDS)
    if len(arrays) != 1:
        raise _error(path, f"must contain one {ARRAY} array, but has {len(arrays)}")
    try:
        table = np.load(arrays[0], mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise _error(path, f"cannot be read: {arrays[0].name}: {error}") from error
    table = _array(path, table)
    for file in lists:
        try:
            words = _words(file)
        except (OSError, ValueError, RecursionError) as error:  # Arrow's errors are subclasses
            raise _error(path, f"cannot be read: {file.name}: {_reason(error)}") from error
        if len(words) == len(table):
            return _rows_from_array(words, table)
    listed = some_of([item.name for item in lists]) or "none"
    raise _error(
        path,
        f"must contain a list of {len(table):,} words ({', '.join(WORDS)}) next to "
        f"{arrays[0].name}, but has {listed}",
    )


def _words(file: pathlib.Path) -> Sequence[str]:
    """Reads a list of words: one per line, a JSON list, or the first column of a Parquet file."""
    if file.suffix.lower() == ".parquet":
        import pyarrow.parquet as pq

        return [str(item) for item in pq.read_table(file).column(0).to_pylist()]
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    if file.suffix.lower() == ".json":
        result = json.loads(text)
        return [str(item) for item in result] if isinstance(result, list) else []
    # Not `splitlines`, which also splits at characters that may be words.
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def _rows_from_npz(path: str, file: pathlib.Path) -> Rows:
    try:
        with zipfile.ZipFile(file) as opened:
            members = {item.filename: item for item in opened.infolist()}
            missing = [name for name in NAMED if f"{name}.npy" not in members]
            if missing:
                needed = "must contain the arrays `words` and `vectors`"
                raise _error(path, f"{needed}, but lacks {' and '.join(missing)}")
            words, table = (read_member(opened, members[f"{name}.npy"]) for name in NAMED)
    except FileNotFoundError as error:
        raise unreadable(path, error) from error
    except READ_ERRORS as error:
        raise _error(path, f"cannot be read: {_reason(error)}") from error
    table = _array(path, table)
    if words.ndim != 1:
        raise _error(path, f"must contain a list of words, got an array with {words.ndim} axes")
    if len(words) != len(table):
        raise _error(path, f"has {len(words):,} words and {len(table):,} vectors")
    names = np.char.decode(words, "utf-8") if words.dtype.kind == "S" else words
    return _rows_from_array([str(word) for word in names], table)


def _array(path: str, table: np.ndarray) -> np.ndarray:
    if table.ndim != 2 or table.dtype.kind not in "fiu":
        shape = " x ".join(map(str, table.shape))
        raise _error(
            path,
            f"must contain an array of numbers of shape (words, dimension), got {shape} of type "
            f"{table.dtype}",
        )
    return table


def _rows_from_array(words: Sequence[str], table: np.ndarray) -> Rows:
    for position, word in enumerate(words):
        yield word, lambda position=position: _float32(table[position])


def _float32(numbers: Any) -> np.ndarray:
    """Converts one vector; numbers that are too large become infinite, which the caller reports."""
    with np.errstate(over="ignore"):
        return np.asarray(numbers, np.float32)


def _rows_from_stream(path: str, file: pathlib.Path) -> Rows:
    """The rows of a text or binary file."""
    with _opened(path, file) as stream:
        try:
            yield from _parsed(path, stream)
        except (EOFError, zlib.error, zipfile.BadZipFile, OSError, RuntimeError) as error:
            raise _error(path, f"is truncated or damaged ({error})") from error


def _parsed(path: str, stream: Any) -> Rows:
    if stream.peek(MAX_WORD_SIZE).startswith(codecs.BOM_UTF8):
        stream.read(len(codecs.BOM_UTF8))
    first = stream.peek(MAX_WORD_SIZE)
    if first.startswith(FASTTEXT):
        raise _error(path, "is a fastText model; use the .vec file instead")
    head = first.partition(b"\n")[0].split()
    counted = len(head) == 2 and all(item.isdigit() and len(item) < 20 for item in head)
    if counted:
        stream.readline()
        if not 0 < int(head[1]) <= MAX_DIMENSION:
            raise _error(path, f"declares vectors of {int(head[1]):,} numbers")
    if counted and _is_binary(first, int(head[1])):
        return _binary(path, stream, int(head[0]), int(head[1]))
    if counted:
        return _text(path, stream, int(head[1]), int(head[0]))
    return _text(path, stream, len(head) - 1)


@contextlib.contextmanager
def _opened(path: str, file: pathlib.Path) -> Iterator[Any]:
    """Opens a file, which may be compressed, for buffered reading."""
    archives = [
        item for item in (file, *file.parents) if item.suffix.lower() == ".zip" and item.is_file()
    ]
    with contextlib.ExitStack() as stack:
        try:
            if archives:
                zipped = stack.enter_context(zipfile.ZipFile(archives[0]))
                opened: Any = zipped.open(_member(path, archives[0], file, zipped))
            elif file.name.lower().endswith(".gz"):
                opened = gzip.open(file, "rb")
            else:
                opened = file.open("rb", buffering=0)
        except (zipfile.BadZipFile, RuntimeError) as error:  # also if encrypted or unsupported
            raise _error(path, f"is damaged ({error})") from error
        except OSError as error:
            raise unreadable(path, error) from error
        yield stack.enter_context(io.BufferedReader(opened, 1 << 20))


def _member(path: str, archive: pathlib.Path, file: pathlib.Path, zipped: zipfile.ZipFile) -> str:
    """The name of the member of an archive that a path names."""
    names = [item.filename for item in zipped.infolist() if not item.is_dir()]
    wanted = file.relative_to(archive).as_posix()
    chosen = names if wanted == "." else [wanted]
    if len(chosen) != 1 or chosen[0] not in names:
        raise _error(path, f"must name one of {archive}/{{{some_of(names)}}}")
    return chosen[0]


def _is_binary(first: bytes, width: int) -> bool:
    """Whether the line after the header does not consist of a word and `width` numbers as text."""
    line, end, _ = first.partition(b"\n")[2].partition(b"\n")
    fields = line.split() if end else line.split()[:-1]  # the last one may be cut off
    try:
        # A word may contain spaces; the numbers come last.
        [float(field) for field in fields[1:][-min(width, 3) :]]
    except ValueError:
        return True
    return len(fields) < 2


def _text(path: str, stream: BinaryIO, width: int, count: int | None = None) -> Rows:
    """The rows of a text file with `width` numbers per word, and `count` words if it says so."""
    if width < 1:
        raise _error(path, "must begin with a word and its numbers, or with two numbers")
    number = 0
    for number, line in enumerate(iter(lambda: stream.readline(MAX_LINE_SIZE), b""), 1):
        if len(line) == MAX_LINE_SIZE:
            raise _error(path, f"has a line that is too long, at word {number:,}")
        line = line.rstrip()
        if line.count(b" ") < width and line.count(b"\t") < width:
            got = max(len(line.split()) - 1, 0)
            raise _error(path, f"has {got} instead of {width} numbers for {_named(number, line)}")
        # A word may contain spaces; the numbers come last.
        word, *numbers = line.rsplit(None, width)
        are_whole = all(item.lstrip(b"+-").isdigit() for item in numbers)
        if DECIMAL.search(word) or (are_whole and WHOLE.search(word)):
            raise _error(path, f"has more than {width} numbers for {_named(number, line)}")

        def vector(
            numbers: list[bytes] = numbers, number: int = number, line: bytes = line
        ) -> np.ndarray:
            try:
                return _float32(numbers)
            except ValueError as error:
                raise _error(
                    path, f"does not have {width} numbers for {_named(number, line)} ({error})"
                ) from error

        yield word.decode("utf-8", "replace"), vector
    if count is not None and number < count:
        raise _error(path, f"is truncated: it has {number:,} of {count:,} vectors")


def _named(number: int, line: bytes) -> str:
    """How messages name the word of a line."""
    word = line.partition(b" ")[0].partition(b"\t")[0].decode("utf-8", "replace")
    return f"word {number:,}, {word!r}"


def _binary(path: str, stream: BinaryIO, count: int, width: int) -> Rows:
    size = 4 * width
    for number in range(1, count + 1):
        word = bytearray()
        while (byte := stream.read(1)) not in (b" ", b""):
            if byte != b"\n":  # some writers end each vector with a line break
                word += byte
            if len(word) > MAX_WORD_SIZE:
                raise _error(path, f"is damaged at word {number:,}")
        numbers = stream.read(size)
        if len(numbers) < size:
            raise _error(path, f"is truncated: it has {number - 1:,} of {count:,} vectors")
        yield (
            word.decode("utf-8", "replace"),
            lambda numbers=numbers: np.frombuffer(numbers, "<f4").astype(np.float32),
        )


def _reason(error: BaseException) -> str:
    """The first line of an error's message."""
    return str(error).partition("\n")[0].rstrip(".") or "it is incomplete"


def _error(path: str, message: str) -> SeqzooError:
    return SeqzooError(f"`vectors`: {path} {message}.", field="vectors", location=path)

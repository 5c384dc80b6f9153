"""Converts a field to a raw input or a target: numbers, labels, audio, images.

A field is text, a JSON value, the bytes of a file, or a value of an array or a data set: a NumPy
array or a number. Each function raises a `SeqzooError` that says what is wrong with the field; the
caller says where it is.
"""

import json
import math
import pathlib
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np

from seqzoo.tasks.data.timed_series import seconds_since_1970
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.kinds import STATICS, TEXTS
from seqzoo.tasks.preprocessing.bmp import bmp_fault
from seqzoo.zoo.data.audio import read_audio
from seqzoo.zoo.data.image_size import HUGE, pixel_count

MAX_PIXELS = 100_000_000
"""Maximum number of pixels of an image; larger ones are not decoded."""

MAX_NUMBER = float(np.finfo(np.float32).max)
"""Largest number that is accepted; models compute in float32."""

_DECIMAL_COMMA = re.compile(r"'([-+]?(?:\d+|\d{1,3}(?:\.\d{3})+)),(\d+)'")
"""Matches a shown number such as '1.234,5'."""

_THOUSANDS_COMMAS = re.compile(r"'([-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?)'")
"""Matches a shown number such as '1,234.5' or '1,234'."""

_QUOTED = re.compile(r"\s*\[\s*[\"']")
"""Matches the beginning of a list of quoted names, in JSON or as Python prints it."""

_PRINTED = re.compile(r"""\s*\[\s*(?:(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")[\s,]*)+\]\s*""")
"""Matches a list of strings as Python or NumPy prints it."""

_NESTED = re.compile(r"\s*\[\s*(\[|\]?\s*$|[-\d.]+\s*(,|\]\s*$))")
"""Matches the beginning of a list of numbers, but not a file name that begins with a bracket."""


def text(field: Any) -> str:
    """A text with at least one character other than whitespace; bytes are UTF-8."""
    field = _decoded(field)
    if not isinstance(field, str):
        raise SeqzooError(f"must be text, got {_shown(field)}")
    if not field.strip():
        raise SeqzooError("is empty; fill it in or leave it out")
    try:
        field.encode("utf-8")
    except UnicodeEncodeError as error:  # JSON may contain a lone surrogate: "\\ud800"
        raise SeqzooError(
            f"is not Unicode text (character {error.start + 1} is a lone surrogate)"
        ) from error
    return field


def label(field: Any) -> str:
    """A class name; integers and booleans from JSON or arrays are converted to text, 3.0 to "3"."""
    if isinstance(field, np.generic) and not isinstance(field, np.str_):
        field = field.item()
    if isinstance(field, float):
        if not field.is_integer():
            raise SeqzooError(f"must be text or a whole number, got {field}")
        field = int(field)
    if isinstance(field, bool | int):
        return json.dumps(field)
    return text(field).strip()


def labels(field: Any, separator: str = ",") -> tuple[str, ...]:
    """Any number of labels: a list, or text separated by `separator`.

    A label may begin with a bracket: text is read as a list only if all of it is a list.
    """
    field = _decoded(field)
    if isinstance(field, np.ndarray | tuple):
        field = list(field)
    if isinstance(field, str):
        field = _as_list(field)
    if isinstance(field, str):
        field = [part for part in field.split(separator) if part.strip()]
    if not isinstance(field, list):
        raise SeqzooError(f"must be a list of labels, got {_shown(field)}")
    return tuple(label(part) for part in field)


def words(field: Any) -> tuple[str, ...]:
    """The words of a sentence: a list, a JSON list of strings, or text separated by whitespace."""
    if isinstance(field, str):
        field = _as_words(field)
    if not isinstance(field, list | tuple):
        return tuple(text(field).split())
    if not field:
        raise SeqzooError("is empty; fill it in or leave it out")
    results = []
    for number, word in enumerate(field, 1):
        try:
            results.append(text(word))
        except SeqzooError as error:
            raise SeqzooError(f"contains a word (number {number}) that {error}") from error
    return tuple(results)


def target_reader(kind: str, separator: str) -> Callable[[Any], Any]:
    """The function that reads a target of the given kind."""
    return {
        "class": label,
        "labels": lambda field: labels(field, separator),
        "value": value,
        "characters": text,
        "words": text,
        "subwords": text,
        "tags": tags,
        "values": values,
    }[kind]


def tags(field: Any) -> tuple[str, ...]:
    """One tag per step: a JSON list, or text separated by whitespace."""
    field = _decoded(field)
    if isinstance(field, str):
        field = _as_list(field)
    return labels(field.split() if isinstance(field, str) else field)


def values(field: Any) -> np.ndarray:
    """Numbers at each step, float32, (time,) or (time, numbers)."""
    return series(field)


def vector(field: Any) -> np.ndarray:
    """Numbers, float32, (numbers,): separated by spaces, or a JSON list."""
    numbers = _numbers(field)
    if numbers.ndim > 1:
        raise SeqzooError(f"must be a list of numbers, got {_shown(field)}")
    return numbers.astype(np.float32)


def image(field: Any, folder: pathlib.Path) -> bytes | np.ndarray:
    """The contents of a PNG, JPEG, BMP or GIF file, given as its path or as these bytes; arrays are
    already images and are returned unchanged."""
    if isinstance(field, np.ndarray):
        return field
    if isinstance(field, bytes):
        return _decodable(field)
    path = _file(field, folder)
    try:
        return _decodable(path.read_bytes(), path)
    except OSError as error:
        raise SeqzooError(f"{path} cannot be read: {error.strerror or error}") from error


def _decodable(data: bytes, path: pathlib.Path | None = None) -> bytes:
    """The contents of an image file, unless its header is damaged, or declares a huge image or a
    palette that is not read."""
    pixels, name = pixel_count(data), path or f"of {len(data):,} bytes"
    if pixels == HUGE:
        raise SeqzooError(
            f"{name} has a damaged header or is an animated WebP; save it again as PNG or JPEG"
        )
    if pixels > MAX_PIXELS:
        raise SeqzooError(f"{name} declares {pixels:,} pixels; at most {MAX_PIXELS:,} are decoded")
    if wrong := bmp_fault(data):
        raise SeqzooError(f"{name} {wrong}")
    return data


def value(field: Any) -> float | tuple[float, ...]:
    """A number, or several: separated by spaces, or a JSON list."""
    numbers = _numbers(field)
    if numbers.ndim > 1:
        raise SeqzooError(f"must be a number or a list of numbers, got {_shown(field)}")
    return float(numbers[0]) if numbers.size == 1 else tuple(map(float, numbers))


def weight(field: Any) -> float:
    """The weight of an example, at least 0."""
    numbers = _numbers(field)
    if numbers.shape != (1,) or numbers[0] < 0:
        raise SeqzooError(f"must be a non-negative number, got {_shown(field)}")
    return float(numbers[0])


def series(field: Any) -> np.ndarray:
    """A series of numbers, float32: (time,) or, from a list of lists, (time, features)."""
    numbers = _numbers(field)
    if numbers.ndim > 2:
        raise SeqzooError(f"must be a list of numbers or of lists of numbers, got {_shown(field)}")
    return numbers.astype(np.float32)


def times(field: Any) -> np.ndarray:
    """The times of a series' steps, float64, (time,): numbers, or ISO 8601 dates and times.

    Dates become seconds since 1970; dates without a time zone are in UTC.
    """
    result = _dates(field)
    numbers = _numbers(field) if result is None else np.array(result)
    if numbers.ndim > 1:
        raise SeqzooError(f"must be a time or a list of times, got {_shown(field)}")
    return numbers


def _dates(field: Any) -> list[float] | None:
    """Dates and times as seconds; None if the first is a number."""
    field = _decoded(field)
    if isinstance(field, str):
        stripped = field.strip()
        field = _json(stripped) if stripped.startswith("[") else [stripped]
        if len(field) == 1 and isinstance(field[0], str) and seconds_since_1970(field[0]) is None:
            field = field[0].split()
    field = [field] if isinstance(field, datetime) else field
    if not isinstance(field, list | tuple) or not field or _is_number(field[0]):
        return None
    results = [seconds_since_1970(item) for item in field]
    if None in results:
        wrong = _shown(field[results.index(None)])
        raise SeqzooError(f"must be times: numbers, or dates such as 2020-01-31T12:00, got {wrong}")
    return [item for item in results if item is not None]


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return not (isinstance(value, str) and "_" in value)


def rows(field: Any, folder: pathlib.Path) -> np.ndarray:
    """An image: a PNG, JPEG, BMP or GIF file, by its path or its bytes, or rows of numbers in lists
    or an array.

    Returns: (height, width) or (height, width, channels); uint8 from a file, float32 from lists.
    """
    if isinstance(field, np.ndarray) and field.dtype == np.uint8:
        return _without_channel(field)
    # An image is a list of lists; the name of a file may also begin with a bracket.
    if isinstance(field, bytes) or (isinstance(field, str) and not _NESTED.match(field)):
        path = None if isinstance(field, bytes) else _file(field, folder)
        import tensorflow as tf

        try:
            data: Any = field if path is None else path.read_bytes()
            image = tf.io.decode_image(_decodable(data, path), expand_animations=False).numpy()
        except (tf.errors.InvalidArgumentError, OSError) as error:
            name = path or f"of {len(field):,} bytes"
            raise SeqzooError(f"{name} is not a PNG, JPEG, BMP or GIF image") from error
        return _without_channel(image)
    numbers = _numbers(field)
    if numbers.ndim not in (2, 3):
        raise SeqzooError(f"must be a list of rows of numbers, got {_shown(field)}")
    result = numbers.astype(np.float32)
    return _without_channel(result) if isinstance(field, np.ndarray) else result


def _without_channel(image: np.ndarray) -> np.ndarray:
    """An image without the channel axis, if it has one channel."""
    return image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image


def audio(field: Any, folder: pathlib.Path) -> tuple[np.ndarray, int]:
    """An audio file, by its path or bytes, read by `read_audio`; or samples and their sample rate.

    Returns: float32 of shape (samples,), and the sample rate.
    """
    if isinstance(field, tuple):
        return field
    return read_audio(field if isinstance(field, bytes) else _file(field, folder))


def reader(kind: str, folder: pathlib.Path) -> Callable[[Any], Any]:
    """The function that reads an input of the given kind; paths in it are relative to `folder`."""
    return {
        "characters": text,
        "words": text,
        "subwords": text,
        "lemma": text,
        "series": series,
        "notes": series,
        "vector": vector,
        "class": label,
        "image": lambda field: image(field, folder),
        "rows": lambda field: rows(field, folder),
        "pixels": lambda field: rows(field, folder),
        "columns": lambda field: rows(field, folder),
        "audio": lambda field: audio(field, folder),
        "history": no_history,
    }[kind]


def further_reader(kind: str, folder: pathlib.Path) -> Callable[[Any], Any]:
    """The function that reads a further input of the given kind; texts, numbers and categories
    may be missing."""
    if kind in STATICS:
        return static
    read = reader(kind, folder)
    if kind not in TEXTS:
        return read
    return lambda field: "" if _is_empty(field) else read(field)


def static(field: Any) -> Any:
    """A number or a category, unchanged; None if it is missing."""
    if _is_empty(field):
        return None
    if isinstance(field, np.generic):
        return field.item()
    if not isinstance(field, str | bytes | int | float):
        raise SeqzooError(f"must be a number or a name, got {_shown(field)}")
    return text(field).strip() if isinstance(field, str | bytes) else field


def _is_empty(field: Any) -> bool:
    return field is None or (isinstance(field, str | bytes) and not field.strip())


def no_history(field: Any) -> Any:
    """Raises an error, because a field cannot be a table with dates."""
    raise SeqzooError("must be a table with dates, which `predict --input-file` reads")


def _file(field: Any, folder: pathlib.Path) -> pathlib.Path:
    path = folder / pathlib.Path(text(field).strip()).expanduser()
    if path.is_dir():
        raise SeqzooError(f"names a folder instead of a file: {path}")
    if not path.is_file():
        raise SeqzooError(f"names a file that does not exist: {path}")
    return path


def _numbers(field: Any) -> np.ndarray:
    """An array of at least one finite number, with at least one dimension."""
    field = text = _decoded(field)
    if isinstance(field, str):
        stripped = field.strip()
        if not stripped:
            raise SeqzooError("is empty; fill it in or leave it out")
        field = _json(stripped) if stripped.startswith("[") else stripped.split()
    try:
        if isinstance(text, str) and "_" in text:  # Python would read "1_000" as a number
            raise ValueError
        numbers = np.asarray(field, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        wrong = _first_wrong(field)
        reason = f"{wrong} is not a number" if wrong else "its lists have different lengths"
        reason += _advice(wrong)
        raise SeqzooError(f"must contain numbers, but {reason}") from error
    numbers = np.atleast_1d(numbers)
    if numbers.size == 0:
        raise SeqzooError("is empty; fill it in or leave it out")
    if not np.isfinite(numbers).all():
        position = np.argwhere(~np.isfinite(numbers))[0]
        number = numbers[tuple(position)]
        shown = "NaN" if math.isnan(number) else "an infinite number"
        number = int(position[0]) + 1
        raise SeqzooError(f"contains {shown} at position {number}; fill it in or leave it out")
    if np.abs(numbers).max() > MAX_NUMBER:
        raise SeqzooError(f"contains a number beyond {MAX_NUMBER:.2g}; scale all numbers down")
    return numbers


def _advice(wrong: str) -> str:
    """How to write a shown number with a comma or a percent sign; empty if it is not one."""
    decimal = _DECIMAL_COMMA.fullmatch(wrong)
    point = f"write a decimal point, {decimal[1].replace('.', '')}.{decimal[2]}" if decimal else ""
    if number := _THOUSANDS_COMMAS.fullmatch(wrong):
        advice = f"leave out thousands separators, {number[1].replace(',', '')}"
        return f"; {advice}, or {point}" if point else f"; {advice}"
    if point:
        return f"; {point}"
    return "; leave out the percent sign" if re.fullmatch(r"'[-+]?[\d.,]+ ?%'", wrong) else ""


def _first_wrong(field: Any) -> str:
    """The first element of nested lists that is not a number, as shown in a message; "" if all are
    numbers."""
    if isinstance(field, list):
        return next(filter(None, map(_first_wrong, field)), "")
    try:
        float(field)
    except (TypeError, ValueError, OverflowError):
        return _shown(field)
    return _shown(field) if isinstance(field, str) and "_" in field else ""


def _decoded(field: Any) -> Any:
    """Bytes decoded as UTF-8, and other values unchanged, unless they are missing."""
    if field is None:
        raise SeqzooError("is missing (null); fill it in or leave it out")
    if not isinstance(field, bytes):
        return field
    try:
        return field.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"byte {error.start + 1} is {field[error.start]:#04x}"
        raise SeqzooError(f"is not UTF-8: {byte}") from error


def _as_list(field: str) -> Any:
    """A JSON list of names; other text, such as "[CLS] B-PER", unchanged.

    Raises:
        SeqzooError: it begins with a bracket and a quote, but is not a list.
    """
    if not field.lstrip().startswith("["):
        return field
    try:
        return _json(field)
    except SeqzooError:
        if _QUOTED.match(field):  # a truncated list, or one that Python printed
            raise
        return field


def _as_words(field: str) -> Any:
    """A JSON list of strings; other text, such as "[1]", unchanged.

    Raises:
        SeqzooError: it is a list as Python prints it.
    """
    try:
        items = json.loads(field)
    except (ValueError, RecursionError):
        return _json(field) if _PRINTED.fullmatch(field) else field
    strings = isinstance(items, list) and all(isinstance(item, str) for item in items)
    return items if strings else field


def _json(field: str) -> Any:
    try:
        return json.loads(field)
    except json.JSONDecodeError as error:
        problem = f"{error.msg}, character {error.colno}"
        if field.lstrip().startswith("['"):
            problem = "it has single quotes, as Python prints lists; write it with json.dumps"
        raise SeqzooError(f"is not a JSON list ({problem})") from error
    except (ValueError, RecursionError) as error:  # huge numbers; deeply nested lists
        raise SeqzooError(f"is a JSON list that cannot be read ({error})") from error


def _shown(field: Any) -> str:
    shown = repr(field)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."

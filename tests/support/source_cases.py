"""Writes files to read, and opens sources; for tests of sources."""

import pathlib
import wave
from typing import Any

import numpy as np

from seqzoo.zoo.data import open as sources
from seqzoo.zoo.data.source import Source


def write(path: pathlib.Path, text: str | bytes) -> pathlib.Path:
    """Writes a file; returns its path."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


def reviews(folder: pathlib.Path, count: int = 40, name: str = "reviews.csv") -> pathlib.Path:
    """Writes a CSV file of texts and two labels; every fourth text repeats the one before it."""
    lines = [f"text {i - i % 4 // 3},{'good' if i % 2 else 'bad'}" for i in range(count)]
    return write(folder / name, "text,label\n" + "\n".join(lines) + "\n")


def csv_source(path: pathlib.Path, **choices) -> Source:
    """A source of texts and their labels."""
    choices = {"kind": "words", "input": "text", "target": "label", **choices}
    return Source(data=str(path), **choices)


def sound(path: pathlib.Path, samples: np.ndarray, rate: int = 8000, width: int = 2) -> str:
    """Writes a WAV file of (samples,) or (samples, channels), integers of `width` bytes.

    Returns:
        The name of the file.
    """
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        if width == 3:
            data = samples.astype("<i4").tobytes()
            data = b"".join(data[i : i + 3] for i in range(0, len(data), 4))
        else:
            data = samples.astype({1: np.uint8, 2: "<i2", 4: "<i4"}[width]).tobytes()
        file.writeframes(data)
    return path.name


def open_source(source: Source) -> tuple[Any, Source]:
    """As `sources.open_source`, but typed as if no split were missing."""
    return sources.open_source(source)


def inputs_of(splits) -> list[list[str]]:
    """The inputs of the training, validation and test splits."""
    return [
        [] if part is None else list(part.inputs)
        for part in (splits.train, splits.validation, splits.test)
    ]

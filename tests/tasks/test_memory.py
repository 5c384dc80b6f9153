"""Memory that allocators keep."""

import pathlib

import pytest

from seqzoo.tasks.data.memory import release_unused

STATUS = pathlib.Path("/proc/self/status")

PIECE, PIECES = 100_000, 1_000
"""Size and number of pieces of memory; they are below the size that the C library returns at once."""


def resident() -> int:
    """Own memory of this process, in bytes."""
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(lines["RssAnon"].split()[0]) * 1024


@pytest.mark.skipif(not STATUS.exists(), reason="measures memory as Linux reports it")
def test_freed_memory_is_returned() -> None:
    pieces, kept = [], []
    for number in range(PIECES):
        pieces.append(bytearray(PIECE))
        kept.append(bytes(1_000 + number))  # between the pieces, so that they are not at the end
    pieces.clear()
    before = resident()
    release_unused()
    assert before - resident() > PIECE * PIECES * 0.8
    assert kept


def test_systems_without_such_allocators_are_left_alone(monkeypatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    release_unused()

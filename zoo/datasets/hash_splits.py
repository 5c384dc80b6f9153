"""Decides by a hash which examples are held out, so that splits are the same everywhere."""

import functools
import hashlib


@functools.cache
def split_of(item: str) -> str:
    """The split of all examples of an item: a tenth for validation and a tenth for testing."""
    return {0: "test", 1: "validation"}.get(draw(item) % 10, "train")


def draw(item: str) -> int:
    """A pseudorandom number below 2**64 that depends only on the item."""
    return int.from_bytes(hashlib.sha256(item.encode("utf-8")).digest()[:8], "big")

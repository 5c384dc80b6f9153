"""Attention on a terminal: shades are below their characters, whatever their width."""

from types import SimpleNamespace

import numpy as np

from seqzoo.tasks.runs.interlinear import columns
from seqzoo.zoo.inference.attention_text import as_text


def test_shades_are_below_wide_characters_and_letters_with_marks() -> None:
    source = ("日", "本", "a", "b")
    attention_map = SimpleNamespace(
        source=source, tokens=("月", "xy"), weights=np.eye(4)[[1, 2]], grid=None
    )
    header, first, second = as_text(attention_map).splitlines()
    assert header == "    日本ab"
    assert columns(first[: first.index("█")]) == columns(header[: header.index("本")]) == 6
    assert first.count("█") == 2 and second == "xy      █"

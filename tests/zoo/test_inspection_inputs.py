"""The held-out examples that `seqzoo inspect` reads."""

import pathlib
from types import SimpleNamespace

import pytest

from seqzoo.tasks import Examples
from seqzoo.zoo.inspection.inputs import LONGEST_TEXT, held_out_inputs, shortened


def test_texts_are_cut_by_what_the_model_reads() -> None:
    words = [f"w{k}" for k in range(LONGEST_TEXT + 5)]
    assert shortened("a" * (LONGEST_TEXT + 5), True) == "a" * LONGEST_TEXT
    assert shortened(" ".join(words), False) == " ".join(words[:LONGEST_TEXT])
    assert shortened(words, False) == words[:LONGEST_TEXT]
    assert shortened("one  two", False) == "one  two"


@pytest.mark.parametrize(("short", "cut"), [(30, False), (1, True)])
def test_long_texts_are_avoided(monkeypatch, short: int, cut: bool) -> None:
    texts = ["b" * 5] * short + ["a" * 10_000] * 30
    for name, value in {
        "open.open_examples": lambda *_: Examples(texts, texts),
        "source.Source.of_run": lambda *_: None,
    }.items():
        monkeypatch.setattr(f"seqzoo.zoo.data.{name}", value)
    run = SimpleNamespace(
        source={"data": "x"}, folder=pathlib.Path(), template=SimpleNamespace(input="characters")
    )
    inputs = held_out_inputs(run, 3)
    assert len(inputs) == 3
    assert max(map(len, inputs)) == (LONGEST_TEXT if cut else 5)

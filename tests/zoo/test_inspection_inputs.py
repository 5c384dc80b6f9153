"""The held-out examples that `seqzoo inspect` reads."""

import pathlib
from types import SimpleNamespace

import pytest

from seqzoo.tasks import Examples
from seqzoo.zoo.inspection.inputs import MAX_TEXT_LENGTH, held_out_inputs, shortened


def test_texts_are_cut_by_what_the_model_reads() -> None:
    words = [f"w{k}" for k in range(MAX_TEXT_LENGTH + 5)]
    assert shortened("a" * (MAX_TEXT_LENGTH + 5), True) == "a" * MAX_TEXT_LENGTH
    assert shortened(" ".join(words), False) == " ".join(words[:MAX_TEXT_LENGTH])
    assert shortened(words, False) == words[:MAX_TEXT_LENGTH]
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
        source={"data": "x"},
        folder=pathlib.Path(),
        template=SimpleNamespace(name="many-to-one", input="characters"),
    )
    inputs = held_out_inputs(run, 3)
    assert len(inputs) == 3
    assert max(map(len, inputs)) == (MAX_TEXT_LENGTH if cut else 5)


def test_the_texts_of_several_inputs_are_cut(monkeypatch) -> None:
    rows = [{"title": "a b", "body": "c" * 100, "age": 3.0}] * 5
    monkeypatch.setattr("seqzoo.zoo.data.open.open_examples", lambda *_: Examples(rows, rows))
    monkeypatch.setattr("seqzoo.zoo.data.source.Source.of_run", lambda *_: None)
    further = {"body": "characters", "age": "number"}
    template = SimpleNamespace(name="many-to-one", input="words", further_inputs=further)
    run = SimpleNamespace(source={"data": "x"}, folder=pathlib.Path(), template=template)
    assert held_out_inputs(run, 1) == [{**rows[0], "body": "c" * MAX_TEXT_LENGTH}]

"""The registry of kinds: each line names an existing class, and the templates use it."""

from typing import get_args, get_type_hints

import numpy as np
import pytest

from seqzoo.tasks import TEMPLATES, Examples, ManyToManyAligned, SeqzooError
from seqzoo.tasks.kinds import INPUTS, TARGETS, Form, features_class, load, targets_class
from seqzoo.tasks.preprocessing.base import Features
from seqzoo.tasks.protocols import ContinuesText, Generates, ScoresTexts
from seqzoo.tasks.targets.steps import StepTargets


@pytest.mark.parametrize("name", INPUTS)
def test_an_input_names_its_classes(name: str) -> None:
    kind = INPUTS[name]
    assert kind.form in get_args(Form)
    assert issubclass(features_class(name), Features)
    assert issubclass(features_class(name, tokens=True), Features)
    if kind.following:
        assert issubclass(load(kind.following), StepTargets)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_names_its_class(name: str) -> None:
    assert targets_class(name).__module__.startswith("seqzoo.tasks.targets.")


def test_templates_take_the_kinds_that_name_them() -> None:
    for kinds, field in ((INPUTS, "input"), (TARGETS, "target")):
        assert {one for kind in kinds.values() for one in kind.templates} == TEMPLATES.keys()
        for name, template in TEMPLATES.items():
            taken = get_args(get_type_hints(template)[field])
            assert taken == tuple(key for key, kind in kinds.items() if name in kind.templates)


def test_a_prediction_per_step_needs_tokens() -> None:
    with pytest.raises(SeqzooError, match="words or characters for target 'tags', got 'subwords'"):
        ManyToManyAligned("subwords", "tags")


def test_tasks_say_what_they_can_do() -> None:
    series = Examples([np.arange(4.0)[:, None]])
    tasks = {
        "language model": ManyToManyAligned("words", "next", minimum_count=1).adapt(
            Examples(["a b"])
        ),
        "forecaster": ManyToManyAligned("series", "next").adapt(series),
        "regression": ManyToManyAligned("series", "values").adapt(
            Examples(series.inputs, [[1.0] * 4])
        ),
    }
    for protocol, able in (
        (Generates, {"language model", "forecaster"}),
        (ScoresTexts, {"language model"}),
        (ContinuesText, {"language model"}),
    ):
        assert {name for name, task in tasks.items() if isinstance(task, protocol)} == able


@pytest.mark.parametrize(
    "kind, text, answer, whole",
    [("words", "a", "b", "a b"), ("words", "", " b", "b"), ("characters", "a", "b", "ab")],
)
def test_a_text_and_its_continuation_are_one_text(kind, text, answer, whole) -> None:
    task = ManyToManyAligned(kind, "next", minimum_count=1).adapt(Examples(["a b"]))
    assert isinstance(task, ContinuesText)
    if kind == "words":  # today's words include the space before them
        answer = f" {answer.strip()}"
    assert task.continued(text, answer) == whole

"""Lines of predictions: samples by their position, attention to what was sampled, and JSON."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cli_cases import seqzoo

from seqzoo.tasks import Decoding, PredictionOptions, SeqzooError
from seqzoo.tasks.base import Prediction
from seqzoo.tasks.export.predict.generation import _randoms
from seqzoo.tasks.inspection.attention import AttentionMap
from seqzoo.tasks.runs.run import Run
from seqzoo.zoo.data.prediction_inputs import RawInput
from seqzoo.zoo.inference import prediction_lines
from seqzoo.zoo.inference.attention_text import AttentionOutput
from seqzoo.zoo.inference.prediction_lines import _formatted, replies_of
from seqzoo.zoo.pretrained import folder_of

OPTIONS = PredictionOptions(1, Decoding("sample", temperature=30.0, maximum_length=6), seed=3)


class _Echo:
    """A run that answers with the position of each input, and takes no "bad" one."""

    template = SimpleNamespace(target="characters")

    def predict(self, inputs: list, options: PredictionOptions, **_: Any) -> list[Prediction]:
        if "bad" in inputs:
            raise SeqzooError("It is bad.")
        assert options.positions is not None
        return [Prediction(str(position), position) for position in options.positions]


@pytest.mark.parametrize("bad", [False, True])
def test_a_sample_depends_on_the_position_among_all_inputs(bad: bool) -> None:
    chunk = [RawInput(number, "text", None, "Line") for number in (7, 8, 9)]
    chunk.insert(1, RawInput(20, "", "is empty", "Line"))
    if bad:
        chunk.append(RawInput(21, "bad", None, "Line"))
    replies = list(replies_of(_Echo(), chunk, OPTIONS, "jsonl", None, first=512))
    answers = [json.loads(item.text)["answer"] for item in replies if not item.bad]
    assert answers == [512, 514, 515]


def test_samples_of_a_run_are_those_of_their_positions() -> None:
    run = Run.open(folder_of("date-normaliser"))
    texts = ["3 mars 2021"] * 5
    whole = [item.value for item in run.predict(texts, OPTIONS)]
    assert len(set(whole)) > 3
    later = PredictionOptions(1, OPTIONS.decoding, 3, positions=(4, 2))
    assert [item.value for item in run.predict(texts[:2], later)] == [whole[4], whole[2]]
    assert run.attention(texts[:2], later)[0].answer == whole[4]
    with pytest.raises(SeqzooError, match="`positions` must be one number per input, 3 in all, g"):
        run.predict(texts[:3], later)


def test_attention_is_that_of_the_text_that_was_sampled() -> None:
    words = ["--json", "--attention", "--method", "sample", "--temperature", 3, "3 mars 2021"]
    for _ in range(3):
        found = json.loads(seqzoo("predict", "date-normaliser", *words).stdout)
        assert "".join(found["attention"]["tokens"]) == found["answer"]


def test_samples_of_exports_depend_on_nothing_but_seed_position_and_text() -> None:
    options = {"seed": 1, "positions": (5, 9)}
    one, two = _randoms(options, 2, 0)
    (again,) = _randoms({"seed": 1, "positions": (9,)}, 1, 0)
    (other,) = _randoms({"seed": 1, "positions": (9,)}, 1, 1)
    number = two.random()
    assert again.random() == number and len({number, one.random(), other.random()}) == 3
    plain = [item.random() for item in _randoms({"seed": 1, "positions": None}, 6, 0)]
    assert plain[5] == _randoms(options, 2, 0)[0].random()


def test_numbers_that_json_lacks_are_null() -> None:
    line = _formatted(1, Prediction("nan", (float("nan"), 1.0)), 1, "jsonl")
    assert json.loads(line, parse_constant=pytest.fail)["answer"] == [None, 1.0]


def test_an_empty_text_has_no_picture(tmp_path) -> None:
    maps = [
        AttentionMap(("a",), (), np.zeros((0, 4)), (2, 2), ""),
        AttentionMap(("a",), ("b",), np.full((1, 4), 0.25), (2, 2), "b"),
    ]
    for suffix in ("html", "png"):
        output = AttentionOutput(str(tmp_path / f"a.{suffix}"))
        for item in maps:
            output.keep(item)
        output.write()
    page = (tmp_path / "a.html").read_text()
    assert page.count("<img") == 1 and "The text is empty." in page
    assert [path.name for path in tmp_path.glob("*.png")] == ["a-2.png"]


@pytest.mark.parametrize("form", ["text", "csv"])
def test_several_labels_are_ranked_in_json_alone(form: Any, monkeypatch) -> None:
    template = SimpleNamespace(target="labels", input="characters")
    run = SimpleNamespace(template=template, task=None, folder="run")
    monkeypatch.setattr(prediction_lines, "open_runs", lambda *_: run)
    monkeypatch.setattr(prediction_lines, "prediction_options", lambda *_: PredictionOptions(3))
    lines = prediction_lines.prediction_lines(
        "run", ("a",), top=3, form=form, decoding={}, device=None
    )
    with pytest.raises(SeqzooError, match="^--top with target 'labels' is for --json"):
        next(iter(lines))


def test_a_text_of_several_alternatives_has_the_probability_of_the_first() -> None:
    same = Prediction("a b", 0.5, alternatives=(("a b", 0.5), ("a", 0.3), ("a b", 0.1)))
    fields = prediction_lines.prediction_fields(same, 3)
    assert list(fields["alternatives"].items()) == [("a b", 0.5), ("a", 0.3)]

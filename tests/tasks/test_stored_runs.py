"""Runs written by an earlier version can be opened, and predict as they did then.

The folders in `stored_runs` are of the version before tasks got their present names: one a kind of
network, so that each name under which a layer is stored stays readable.
"""

import json
import pathlib
from typing import Any

import numpy as np
import pytest

from seqzoo.tasks import Decoding, Examples, ManyToOne, PredictionOptions, TrainingSettings
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.training.trainer import describe

FOLDER = pathlib.Path(__file__).parent / "stored_runs"

STORED: dict[str, Any] = json.loads((FOLDER / "answers.json").read_text())
"""By folder, inputs and the answers to them."""

DECODING = {
    "encoder-decoder": Decoding("beam", beam_width=3, count=3, maximum_length=6),
    "language-model": Decoding("greedy", maximum_length=6),
    "one-to-many": Decoding("beam", beam_width=3, count=3, maximum_length=3),
}

NUMBERS = {"forecaster": "float32", "one-to-many": "uint8"}
"""Types of inputs that are not text."""


@pytest.mark.quick_for("many-to-one", "tagger", "language-model", "forecaster")
@pytest.mark.parametrize("name", STORED)
def test_a_stored_run_predicts_as_before(name: str) -> None:
    run, stored = Run.open(FOLDER / name), STORED[name]
    inputs = stored["inputs"]
    if name in NUMBERS:
        inputs = [np.asarray(one, NUMBERS[name]) for one in inputs]
    answers = run.predict(inputs, PredictionOptions(decoding=DECODING.get(name)))
    assert len(answers) == len(stored["answers"])
    for answer, before in zip(answers, stored["answers"], strict=True):
        if name == "forecaster":
            np.testing.assert_allclose(answer.value, before["value"], rtol=1e-4)
            continue
        same = tuple(before["value"]) if isinstance(before["value"], list) else before["value"]
        assert answer.value == same
        assert answer.probability == pytest.approx(before["probability"], rel=1e-4)
        if name == "tagger":  # which had no alternatives when it was stored
            assert answer.alternatives[0] == (answer.label, answer.probability)
            continue
        labels, probabilities = zip(*before["alternatives"] or [("", 0.0)], strict=True)
        said, found = zip(*answer.alternatives or [("", 0.0)], strict=True)
        assert said == labels
        assert found == pytest.approx(probabilities, rel=1e-4)


def test_config_json_is_written_with_the_same_keys() -> None:
    """So that versions that open these folders, which have no digests of vocabularies, open those
    of today, too."""
    template = ManyToOne("characters", units=2, embedding=2)
    task = template.adapt(Examples(["ab", "ba"], ["first", "last"]))
    today = describe(template, task, TrainingSettings(), {}, Padding([2], []))
    before = json.loads((FOLDER / "many-to-one" / "config.json").read_text())
    assert today.keys() - {"vocabulary_digests"} == before.keys() - {"data"}
    assert today["prepared"].keys() == before["prepared"].keys()

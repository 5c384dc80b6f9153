"""The sample predictions after training agree with the scores above them."""

from types import SimpleNamespace
from typing import Any

import pytest

from seqzoo.tasks import Examples, ManyToManyEncoderDecoder
from seqzoo.zoo.training.summary import _texts_table


@pytest.mark.parametrize("target", ["characters", "words"])
def test_a_text_is_wrong_only_if_no_normalised_target_of_its_input_equals_it(target) -> None:
    inputs, targets = ["a", "b", "a", "c"], ["Un  deux", "Trois", "deux un", "quatre"]
    examples = Examples(inputs, targets)
    template = ManyToManyEncoderDecoder(
        input="characters", target=target, minimum_count=1, lowercase_targets=True
    )
    task: Any = template.adapt(examples)
    labels = ["deux un", "trois", "un deux", "cinq"]
    predictions = [
        SimpleNamespace(label=label, probability=0.5, token_probabilities=(0.5,))
        for label in labels
    ]
    shown = _texts_table(task.texts, inputs, predictions, examples, [0, 1, 2, 3])
    rows = [line.split("\t") for line in shown.splitlines()]
    assert [row[3] for row in rows[1:]] == [
        "un deux | deux un",
        "trois",
        "deux un | un deux",
        "quatre",
    ]
    # Between words, the amount of whitespace does not matter.
    spaces = "x" if target == "characters" else ""
    assert [row[4] if len(row) > 4 else "" for row in rows[1:]] == ["", "", spaces, "x"]

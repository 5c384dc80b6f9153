"""What an export says about how it is used."""

from types import SimpleNamespace

import pytest

from seqzoo.zoo.inference.export import _without_tensorflow


@pytest.mark.parametrize(
    "input, target, usage",
    [
        ("notes", "next", 'model.run("serving", **model.tensors([frames]))'),
        ("series", "next", "python folder/predict.py FILE.npy"),
    ],
)
def test_only_a_predict_program_that_can_predict_is_advised(input, target, usage) -> None:
    template = SimpleNamespace(input=input, target=target)
    text = _without_tensorflow("folder", {"files": {}}, template)
    assert usage in text and ("python folder" in text) == (input == "series")

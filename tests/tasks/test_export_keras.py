"""Models exported as Keras' own layers, and those that Keras has no layers for."""

import pathlib
from typing import Any

import pytest
from export_cases import cases, make_run

from seqzoo.tasks import SeqzooError

CASES = cases()


def _run(name: str, folder: pathlib.Path, **choices: Any) -> Any:
    chosen, examples, _ = CASES[name]
    return make_run(folder / "run", type(chosen)(**{**vars(chosen), **choices}), examples)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "choices"),
    [
        pytest.param("characters", {}, marks=pytest.mark.exhaustive),
        pytest.param("rows", {}, marks=pytest.mark.exhaustive),
        ("steps", {"cell": "lstm", "bidirectional": True}),
    ],
)
def test_keras_layers_compute_the_same_where_seqzoo_is_not(
    name: str, choices: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    run = _run(name, tmp_path, **choices)
    report = run.export(tmp_path / "out", format="keras")
    assert list(report["files"]) == ["model.keras"] and report["difference"] < 1e-5


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("series", "Keras has no layer for LEMCell; export to saved-model, onnx or litert, or"),
        (
            "words",
            r"Keras has no layer that computes what MaskedPooling \('pooling'\) does; export to "
            "saved-model, onnx or litert.",
        ),
        ("language", "A LanguageModel generates step by step, but the model in a Keras"),
    ],
)
def test_models_that_keras_cannot_represent_are_refused(
    name: str, message: str, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(SeqzooError, match=message):
        _run(name, tmp_path).export(tmp_path / "out", format="keras")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]

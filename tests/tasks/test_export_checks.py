"""What an exporter refuses to write, and how exports are compared with the model."""

from types import SimpleNamespace
from typing import Any, cast

import keras
import numpy as np
import pytest
import tensorflow as tf
from export_cases import cases, make_run

from seqzoo.cells import Bidirectional, VanillaCell
from seqzoo.tasks import Decoding, Examples, ManyToManyAligned
from seqzoo.tasks.base import Prediction, PredictionOptions
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.export import saved_model
from seqzoo.tasks.export.checking import compare_predictions
from seqzoo.tasks.export.formats import Export, export
from seqzoo.tasks.export.saved_model import _repeatable


def task(respond: Any) -> Any:
    return SimpleNamespace(
        signature=[tf.TensorSpec((None, None, 2), tf.float32, "x")],
        signatures=lambda model, options: {},
        companions=lambda options: [],
        vocabularies={},
        features=None,
        respond=respond,
    )


def test_a_path_that_tensorflow_reads_as_a_pattern_is_refused(tmp_path) -> None:
    wanted = Export(task(None), keras.Model(), cast(Any, None), lambda *_: [], check=False)
    with pytest.raises(SeqzooError, match="cannot load a SavedModel from a path that contains"):
        export(wanted, tmp_path / "a [1]" / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_an_export_whose_texts_are_random_is_compared_too(tmp_path, monkeypatch) -> None:
    chosen, examples, _ = cases()["language"]
    run = make_run(tmp_path / "run", chosen, examples)
    asked, actual = {}, saved_model.run_in_fresh_process

    def changed(folder: Any, format: str, requested: dict) -> tuple[dict, list]:
        results, predictions = actual(folder, format, requested)
        asked.update(requested)
        return {**results, "generate/text": ["wrong"] * 8}, predictions

    monkeypatch.setattr(saved_model, "run_in_fresh_process", changed)
    with pytest.raises(SeqzooError, match="generate/text is 'wrong', but the model's is"):
        run.export(tmp_path / "out")
    assert asked.keys() == {"generate", "step"} and not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_model_of_music_is_exported(tmp_path) -> None:
    """Its notes are drawn at random, and it has no texts."""
    pieces = [np.random.default_rng(k).integers(0, 2, (9, 5)).astype(np.uint8) for k in range(6)]
    template = ManyToManyAligned("notes", "next", cell="gru", units=4)
    run = make_run(tmp_path / "run", template, Examples(pieces))
    run.export(tmp_path / "out")
    assert (tmp_path / "out" / "saved_model.pb").exists()


@pytest.mark.filterwarnings("ignore:Tensor Tensor:UserWarning")
def test_a_function_traced_before_is_refused_in_one_line(tmp_path) -> None:
    inputs = keras.Input((None, 2))
    model = keras.Model(inputs, Bidirectional(VanillaCell(3))(inputs))
    traced = tf.function(lambda x: model(x)).get_concrete_function(tf.TensorSpec((None, None, 2)))
    options: Any = None

    def wanted(respond: Any) -> Export:
        return Export(task(respond), model, options, lambda *_: [], check=False)

    with pytest.raises(
        SeqzooError, match="'serving_default' cannot be served: .*PartitionedCall"
    ) as refused:
        export(wanted(lambda model, raw, _: {"y": traced(raw[0])}), tmp_path / "out")
    assert "\n" not in str(refused.value) and "seqzoo.cells.portable()" in str(refused.value)
    assert not list(tmp_path.iterdir())
    export(wanted(lambda model, raw, _: {"y": model(raw[0])}), tmp_path / "out")
    served = tf.saved_model.load(tmp_path / "out").signatures["serving_default"]
    assert served(x=tf.ones((1, 4, 2)))["y"].shape == (1, 6)


def test_rounding_of_16_bits_may_decide_between_texts() -> None:
    ours = [Prediction("a b", "a b", 0.5)]
    theirs = [{"label": "a b b", "value": "a b b", "probability": 0.5}]
    compare_predictions(ours, theirs, "onnx", "float32", mixed=True)
    with pytest.raises(SeqzooError, match="predicts 'a b b', but the model predicts 'a b'"):
        compare_predictions(ours, theirs, "onnx", "float32")


@pytest.mark.parametrize(
    "method, dtype, repeatable",
    [
        ("beam", "float32", True),
        ("beam", "mixed_bfloat16", False),
        ("sample", "float32", False),
        (None, "mixed_bfloat16", True),
    ],
)
def test_texts_of_another_process_must_be_the_same_in_float32(method, dtype, repeatable) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, dtype=dtype)])
    decoding = None if method is None else Decoding(method=method)
    wanted: Any = SimpleNamespace(
        task=SimpleNamespace(decoding=decoding), model=model, options=PredictionOptions()
    )
    assert _repeatable(wanted) == repeatable

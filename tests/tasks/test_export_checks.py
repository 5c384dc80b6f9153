"""An exporter writes no graph that runs in this process alone."""

import pathlib
import wave
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.cells import Bidirectional, VanillaCell
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.export import standalone
from seqzoo.tasks.export.formats import Export, export


def task(respond: Any) -> Any:
    return SimpleNamespace(
        signature=[tf.TensorSpec((None, None, 2), tf.float32, "x")],
        signatures=lambda model, options: {},
        companions=lambda options: [],
        vocabularies={},
        features=None,
        respond=respond,
    )


@pytest.mark.filterwarnings("ignore:Tensor Tensor:UserWarning")
def test_a_function_traced_before_is_refused_in_one_line(tmp_path) -> None:
    inputs = keras.Input((None, 2))
    model = keras.Model(inputs, Bidirectional(VanillaCell(3))(inputs))
    traced = tf.function(lambda x: model(x)).get_concrete_function(tf.TensorSpec((None, None, 2)))
    options: Any = None

    def wanted(respond: Any) -> Export:
        return Export(task(respond), model, options, lambda *_: [], check=False)

    with pytest.raises(SeqzooError, match="'serving_default' cannot be served: .*Xla") as refused:
        export(wanted(lambda model, raw, _: {"y": traced(raw[0])}), tmp_path / "out")
    assert "\n" not in str(refused.value) and "seqzoo.cells.portable()" in str(refused.value)
    assert not list(tmp_path.iterdir())
    export(wanted(lambda model, raw, _: {"y": model(raw[0])}), tmp_path / "out")
    served = tf.saved_model.load(tmp_path / "out").signatures["serving_default"]
    assert served(x=tf.ones((1, 4, 2)))["y"].shape == (1, 6)


def test_predict_reads_files_of_numbers_and_sound(tmp_path: pathlib.Path) -> None:
    samples = np.array([[100, 300], [-200, 0]], np.int16)
    with wave.open(str(tmp_path / "own.wav"), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    np.save(tmp_path / "own.npy", samples)
    sound = {"kind": "sequences", "sample_rate": 8000}
    found: Any = standalone._opened(sound, str(tmp_path / "own.wav"))
    np.testing.assert_allclose(found, np.array([200, -100]) / 32768)
    found = standalone._opened({"kind": "arrays"}, str(tmp_path / "own.npy"))
    assert found.tolist() == samples.tolist()
    assert standalone._opened({"kind": "text"}, "own.wav") == "own.wav"
    with pytest.raises(ValueError, match=r"reads .npy files, got 'own.wav'"):
        standalone._opened({"kind": "arrays"}, "own.wav")
    with pytest.raises(ValueError, match="with 16000 samples of 16 bits .* has 8000 of 16"):
        standalone._opened({**sound, "sample_rate": 16000}, str(tmp_path / "own.wav"))

"""A CRF in a saved model and in an exported one."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from crf_cases import ALLOWED, EMISSIONS, LENGTHS, TAGS, TIME, make
from graphs import must_compile

from seqzoo.tasks.layers.crf import CRF
from seqzoo.tasks.metrics.bio import bio_constraints


def test_saved_in_a_model(tmp_path) -> None:
    names = ["O", "B-a", "I-a", "B-b", "I-b"]
    inputs = keras.Input((None, 4))
    outputs = CRF(5, bio_constraints(names), name="crf")(keras.layers.Dense(5)(inputs))
    model = keras.Model(inputs, outputs)
    random = np.random.default_rng(2)
    model.set_weights([random.normal(size=w.shape) for w in model.get_weights()])
    assert len(model.trainable_variables) == 5
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    x = random.normal(size=(3, 7, 4)).astype("float32")
    for a, b in zip(
        model.get_layer("crf").decode(model(x), [7, 4, 1]),
        again.get_layer("crf").decode(again(x), [7, 4, 1]),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
    config = again.get_layer("crf").get_config()
    assert config == model.get_layer("crf").get_config() and config["allowed"][1][2] is False
    assert CRF.from_config(CRF(3).get_config()).get_config()["allowed"] is None


@pytest.mark.slow
def test_exported_as_a_saved_model(tmp_path) -> None:
    layer = make(ALLOWED, dtype="float32")
    module = tf.Module()
    module.weights = [weight.value for weight in layer.weights]

    @tf.function(
        autograph=False,
        input_signature=[tf.TensorSpec((None, None, TAGS)), tf.TensorSpec((None,), tf.int32)],
    )
    def serve(emissions: Any, lengths: Any) -> dict[str, Any]:
        tags, scores = layer.decode(emissions, lengths)
        return {"tags": tags, "scores": scores, "marginals": layer.marginals(emissions, lengths)}

    module.serve = serve
    tf.saved_model.save(module, tmp_path / "saved", signatures=serve)
    assert not must_compile(serve.get_concrete_function().graph.as_graph_def())
    loaded = tf.saved_model.load(tmp_path / "saved")
    for time in (TIME, 2, 0):
        emissions = tf.constant(EMISSIONS[:, :time], tf.float32)
        lengths = tf.constant(np.minimum(LENGTHS, time), tf.int32)
        served = loaded.signatures["serving_default"](emissions=emissions, lengths=lengths)
        expected = serve(emissions, lengths)
        assert {name: value.shape for name, value in served.items()} == {
            name: value.shape for name, value in expected.items()
        }
        np.testing.assert_array_equal(served["tags"], layer.decode(emissions, lengths)[0])
        np.testing.assert_allclose(served["marginals"], expected["marginals"], atol=1e-6)

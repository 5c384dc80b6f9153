"""Translations of single operations to ONNX compute what TensorFlow does."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.tasks import SeqzooError

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

NUMBERS = np.array([[-7.5, -2.5, -0.5, 0, 0.5, 1.5, 2.5, 1e-9]] * 2, np.float32)
WHOLE = np.array([[-7, -1, 0, 3, 5, 7, 2, 9]] * 2, np.int32)


def computed(function: Callable, *arrays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The results of ONNX Runtime and of TensorFlow, for arrays of any number of rows."""
    from seqzoo.tasks.export.onnx_graph import OPSET, Translator, Writer, element_type

    specs = [
        tf.TensorSpec([None, *array.shape[1:]], array.dtype, f"x{number}")
        for number, array in enumerate(arrays)
    ]
    traced = tf.function(function, autograph=False).get_concrete_function(*specs)
    writer = Writer()
    names = {p.op.name: s.name for p, s in zip(traced.inputs, specs, strict=True)}
    output = Translator(traced, writer, names).translate(traced.outputs[0])
    writer.nodes.append(onnx.helper.make_node("Identity", [output], ["y"]))

    def value(name: str, dtype: Any, shape: Any) -> Any:
        return onnx.helper.make_tensor_value_info(name, element_type(dtype), shape)

    inputs = [value(spec.name, spec.dtype, list(spec.shape)) for spec in specs]
    outputs = [value("y", traced.outputs[0].dtype, None)]
    constants = list(writer.constants.values())
    graph = onnx.helper.make_graph(writer.nodes, "g", inputs, outputs, constants)
    opset = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    given = {spec.name: array for spec, array in zip(specs, arrays, strict=True)}
    return session.run(None, given)[0], traced(*map(tf.constant, arrays)).numpy()


@pytest.mark.parametrize(
    ("function", "array"),
    [
        (lambda x: tf.math.floormod(x, 3.0), NUMBERS),
        (lambda x: tf.math.floormod(x, -3.0), NUMBERS),
        (lambda x: tf.math.floormod(x, 3), WHOLE),
        (lambda x: tf.one_hot(x, 4), WHOLE),
        (lambda x: tf.reduce_sum(x, []), NUMBERS),
        (lambda x: tf.reduce_max(x, -1, keepdims=True), NUMBERS),
        (lambda x: tf.gather(x, tf.abs(WHOLE) % 8, batch_dims=1), NUMBERS),
        (lambda x: x[:, ::-2], NUMBERS),
        (lambda x: tf.cumsum(x, 1, exclusive=True, reverse=True), NUMBERS),
    ],
)
def test_results_are_those_of_tensorflow(function: Callable, array: np.ndarray) -> None:
    found, expected = computed(function, array)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


ACTIVATIONS = (
    "celu elu exponential gelu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu linear "
    "log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus "
    "softsign sparse_plus sparse_sigmoid sparsemax squareplus tanh tanh_shrink"
).split()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_of_keras(name: str) -> None:
    found, expected = computed(keras.activations.get(name), NUMBERS)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_gather_without_a_translation_is_refused() -> None:
    def function(x: Any) -> Any:
        return tf.gather(tf.reshape(x, (-1, 4, 2)), tf.zeros((2, 4, 2), tf.int32), batch_dims=1)

    with pytest.raises(SeqzooError, match="has no translation to ONNX"):
        computed(function, NUMBERS)

"""Models with our layers are saved, loaded and exported."""

import sys
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from cell_cases import BATCH, FEATURES, MASKS, TIME, UNITS, X, core_cell, error
from graphs import cudnn_operations, must_compile, nodes
from tensorflow.core.protobuf import saved_model_pb2

from seqzoo.cells import (
    Bidirectional,
    GatedCell,
    GRUCell,
    LSTMCell,
    Recurrent,
    VanillaCell,
    create,
    portable,
)
from seqzoo.cells.engine import portability

X32 = X.astype("float32")
# The last steps of two rows are padding, which Masking finds.
PADDED = np.where(MASKS["right"][..., None], X32, 0).astype("float32")


def randomised(model):
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.6, w.shape) for w in model.get_weights()])
    return model


def saved_and_loaded(model, folder):
    model.save(folder / "model.keras")
    return keras.saving.load_model(folder / "model.keras")


@pytest.mark.quick_for("lstm")
@core_cell
def test_each_cell_is_saved(case, tmp_path):
    inputs = keras.Input((None, FEATURES))
    cell = create(case.name, UNITS, dropout=0.1, **case.options)
    layer = Recurrent(cell, go_backwards=True, return_sequences=True, return_state=True)
    model = randomised(keras.Model(inputs, layer(keras.layers.Masking()(inputs))))
    again = saved_and_loaded(model, tmp_path)
    for a, b in zip(again(PADDED), model(PADDED), strict=True):
        assert error(a, b) < 1e-6


def test_options_of_the_layer_are_saved():
    options = {
        "return_sequences": True,
        "return_state": True,
        "go_backwards": True,
        "stateful": True,
        "unroll": True,
        "zero_output_for_mask": True,
        "fast": False,
    }
    layer = Recurrent(VanillaCell(UNITS), name="core", **options)
    again = Recurrent.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert all(getattr(again, name) == value for name, value in options.items())
    default = Recurrent(VanillaCell(UNITS)).get_config()
    assert all(default[name] != value for name, value in options.items())


@pytest.mark.slow
def test_a_model_of_everything_is_saved(tmp_path):
    """Both directions in every merge mode, a stack, stacked cells, states passed on."""
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(9, FEATURES, mask_zero=True)(ids)
    options: dict[str, Any] = {"return_sequences": True, "fast": False}
    x = Recurrent(VanillaCell(UNITS), **options)(x)
    outputs = []
    for merge_mode in ("concat", "sum", "mul", "ave", None):
        both = Bidirectional(VanillaCell(UNITS), merge_mode=merge_mode, **options)(x)
        outputs += both if merge_mode is None else [both]
    outputs.append(Recurrent([VanillaCell(UNITS), GatedCell(UNITS)])(x))
    *_, h, c = Recurrent(LSTMCell(UNITS), return_state=True)(x)
    outputs.append(Recurrent(LSTMCell(UNITS))(outputs[0], initial_state=[h, c]))
    model = randomised(keras.Model(ids, outputs))
    again = saved_and_loaded(model, tmp_path)
    words = np.random.default_rng(1).integers(1, 9, (BATCH, TIME)) * MASKS["gaps"]
    for a, b in zip(again(words), model(words), strict=True):
        assert error(a, b) < 1e-6
    copy = keras.models.clone_model(model)
    configs = [[layer.get_config() for layer in m.layers[1:]] for m in (model, copy)]
    assert configs[0] == configs[1]


@pytest.fixture(scope="module")
def model():
    inputs = keras.Input((None, FEATURES))
    x = keras.layers.Masking()(inputs)
    x = Bidirectional(GRUCell(UNITS), return_sequences=True)(x)
    return randomised(keras.Model(inputs, Recurrent(LSTMCell(UNITS))(x)))


def export(model, folder):
    """Exports the model in all ways."""
    signature = [tf.TensorSpec((None, None, FEATURES))]
    model.export(folder / "exported", verbose=False)

    def module(function):
        module = tf.Module()
        module.weights = [variable.value for variable in model.variables]
        module.function = function
        return module

    traced_there = tf.function(lambda x: model(x), input_signature=signature)
    tf.saved_model.save(module(traced_there), folder / "saved", signatures=traced_there)
    with portable():
        traced_here = tf.function(lambda x: model(x)).get_concrete_function(*signature)
    tf.saved_model.save(module(traced_here), folder / "portable", signatures=traced_here)


def assert_portable(folder):
    for name in ("exported", "saved", "portable"):
        saved = saved_model_pb2.SavedModel()
        saved.ParseFromString((folder / name / "saved_model.pb").read_bytes())
        (meta,) = saved.meta_graphs
        assert {"While", "StatelessWhile"} & {node.op for node in nodes(meta.graph_def)}
        assert not cudnn_operations(meta.graph_def)
        assert not must_compile(meta.graph_def)


@pytest.mark.slow
def test_an_exported_model_does_not_need_seqzoo(model, tmp_path, clean_tensorflow):
    longer = np.concatenate([X32, X32], axis=1)[:1]
    # Called before, which compiles loops that must not be exported.
    expected = [(x, np.array(model(x))) for x in (PADDED, longer)]
    export(model, tmp_path)
    assert_portable(tmp_path)
    for name in ("exported", "saved", "portable"):
        for x, ours in expected:
            (theirs,) = clean_tensorflow.answers(tmp_path / name, [x]).values()
            assert np.abs(theirs - ours).max() < 1e-6, (name, x.shape)


@pytest.mark.slow
def test_a_model_exported_beside_a_gpu_loads_without(model, tmp_path, gpu):
    export(model, tmp_path)
    assert_portable(tmp_path)


def test_the_layer_itself_is_what_compiles(model):
    """The operations that `must_compile` looks for are there when nothing is exported."""
    traced = tf.function(lambda x: model(x)).get_concrete_function(tf.constant(PADDED))
    assert must_compile(traced.graph.as_graph_def())


def test_a_function_that_was_traced_before_is_not_saved(model, tmp_path):
    """TensorFlow itself refuses it, and says what to do."""
    signature = [tf.TensorSpec((None, None, FEATURES))]
    traced = tf.function(lambda x: model(x)).get_concrete_function(*signature)
    module = tf.Module()
    module.weights = [variable.value for variable in model.variables]
    with pytest.raises(AssertionError, match=r"within seqzoo.cells.portable\(\)"):
        tf.saved_model.save(module, tmp_path / "saved", signatures=traced)
    assert not (tmp_path / "saved" / "saved_model.pb").exists()
    np.testing.assert_allclose(traced(tf.constant(PADDED)), model(PADDED), atol=1e-6)


@pytest.mark.slow
def test_exporters_that_are_not_recognised_write_nothing(model, tmp_path, monkeypatch):
    """No graph is written that cannot run, whatever the names of Keras' and TensorFlow's
    functions."""
    monkeypatch.setattr(portability, "_exporters", frozenset)
    with pytest.raises(AssertionError, match=r"within seqzoo.cells.portable\(\)"):
        model.export(tmp_path / "exported", verbose=False)
    serve = tf.function(lambda x: model(x), input_signature=[tf.TensorSpec((None, None, FEATURES))])
    with pytest.raises(AssertionError, match=r"within seqzoo.cells.portable\(\)"):
        tf.saved_model.save(model, tmp_path / "saved", signatures=serve)
    assert not list(tmp_path.rglob("saved_model.pb"))
    with portable():
        model.export(tmp_path / "portable", verbose=False)
    assert list(tmp_path.rglob("saved_model.pb"))


@pytest.mark.slow
def test_exporters_are_recognised_wherever_they_are(model, tmp_path, monkeypatch):
    """Other names of modules, as another release of Keras or TensorFlow may have them."""
    for name in [name for name in sys.modules if "export" in name or "saved_model" in name]:
        for module in [sys.modules[name]]:
            if name.startswith(("keras.src.export", "tensorflow.python.saved_model")):
                monkeypatch.setitem(vars(module), "__name__", "elsewhere." + name)
    export(model, tmp_path)
    assert_portable(tmp_path)


def test_a_graph_under_xla_with_the_layer_still_runs(model):
    compiled = tf.function(lambda x: model(x), jit_compile=True)
    assert error(compiled(tf.constant(PADDED)), model(PADDED)) < 1e-5


def test_operations_that_cannot_be_served_are_found(model):
    traced = tf.function(lambda x: model(x)).get_concrete_function(tf.constant(PADDED))
    result = portability.unportable_operations(traced.graph.as_graph_def())
    assert "XlaDynamicUpdateSlice" in result and len(result) > 1
    with portable():
        traced = tf.function(lambda x: model(x)).get_concrete_function(tf.constant(PADDED))
    assert not portability.unportable_operations(traced.graph.as_graph_def())

"""Exported compiled loops match the plain loop, with XLA and without."""

import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from cell_names import BEFORE_RELEASES, FRAMES

import seqzoo.cells
from seqzoo.cells import CELLS, Bidirectional, Recurrent, create
from seqzoo.cells.engine import exported_loops
from seqzoo.cells.engine.portability import unportable_operations
from seqzoo.cells.engine.runners import run_by

FEATURES, UNITS = 4, 6

QUICK = ("gru",)
SLOW = ("lru", "highway")
"""Cells of the other kinds of loops."""


def _each() -> list[Any]:
    def marks(name: str) -> Any:
        return () if name in QUICK else pytest.mark.slow if name in SLOW else BEFORE_RELEASES

    return [pytest.param(name, marks=marks(name)) for name in CELLS if name not in FRAMES]


def _without_marks(folder: pathlib.Path) -> None:
    """Makes a SavedModel run as where there is no XLA, which does not know the mark."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    file = folder / "saved_model.pb"
    saved = SavedModel.FromString(file.read_bytes())
    library = saved.meta_graphs[0].graph_def.library.function
    holders = [item for one in library for item in (one, *one.node_def)]
    marked = [holder for holder in holders if "_XlaMustCompile" in holder.attr]
    assert marked
    for item in marked:
        del item.attr["_XlaMustCompile"]
    file.write_bytes(saved.SerializeToString())


@pytest.mark.slow
@pytest.mark.parametrize("name", _each())
def test_exported_loops_compute_what_the_plain_loop_computes(
    name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exported_loops, "MIN_ROWS", 4)
    layer = Recurrent(create(name, UNITS), return_sequences=True, go_backwards=True)

    def run(values: Any, lengths: Any) -> Any:
        mask = tf.sequence_mask(lengths, tf.shape(values)[1])
        elapsed = tf.abs(values[:, :, 0])
        return layer((values, elapsed) if CELLS[name].takes_time else values, mask=mask)

    def compiled(values: Any, lengths: Any) -> Any:
        with run_by(exported_loops.run_compiled):
            return {"steps": run(values, lengths)}

    specs = [tf.TensorSpec([None, None, FEATURES]), tf.TensorSpec([None], tf.int32)]
    module: Any = tf.Module()
    with seqzoo.cells.portable():
        run(tf.zeros([1, 2, FEATURES]), tf.constant([2]))
        module.compiled = tf.function(compiled, autograph=False)
        concrete = module.compiled.get_concrete_function(*specs)
        graph = concrete.graph.as_graph_def()
        assert unportable_operations(graph)  # the marks
        assert not unportable_operations(graph, compiled=True)
        module.weights = list(concrete.graph.variables)
        tf.saved_model.save(module, str(tmp_path), signatures=concrete)
    random = np.random.default_rng(2)
    for marked in (True, False):
        if not marked:
            _without_marks(tmp_path)
        served = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
        for rows, time in ((3, 6), (5, 9)):  # the plain loop, and rows and steps that are padded
            lengths = tf.constant(random.integers(0, time + 1, rows), tf.int32)
            values = tf.constant(random.normal(size=(rows, time, FEATURES)), tf.float32)
            with seqzoo.cells.portable():
                expected = run(values, lengths)
            found = served(values=values, lengths=lengths)["steps"]
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer_type", [Recurrent, Bidirectional])
def test_an_exported_graph_has_no_seed_for_dropout(layer_type: type) -> None:
    layer: Any = Recurrent(create("gru", UNITS, dropout=0.2, recurrent_dropout=0.2, seed=1))
    layer = layer if layer_type is Recurrent else Bidirectional(layer)
    sequences = tf.random.normal([2, 3, 4])
    layer(sequences)
    with seqzoo.cells.portable():
        traced = tf.function(layer).get_concrete_function(sequences)
        assert len(traced.graph.variables) == len(layer.trainable_variables)
        dropped = layer(sequences, training=True)
    assert np.abs(dropped - traced(sequences)).max() > 1e-3

"""Lazy updates of embeddings: a slow Adam of rows, and the gradients of dense updates."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from task_data import names, settings, splits, template
from training_cases import RecordingProgress, assert_same

from seqzoo.tasks import Examples, Interrupted, ManyToManyAligned
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.layers.recurrent import TokenEmbedding
from seqzoo.tasks.training.fused_adam import FusedAdam
from seqzoo.tasks.training.lazy_adam import LazyAdam, LazyLossScale
from seqzoo.tasks.training.sparse_gradients import nonzero_rows, unique_rows
from seqzoo.tasks.training.step import Loop
from seqzoo.tasks.training.trainer import train

pytestmark = pytest.mark.usefixtures("plain_loop", "every_step")

ROWS, SIZE, DECAY = 7, 3, 0.1


class SlowLazyAdam:
    """Adam with decoupled weight decay of the rows in a list, one after the other."""

    def __init__(self, weights: np.ndarray):
        self.weights = weights.astype(np.float64)
        self.first, self.second = np.zeros_like(self.weights), np.zeros_like(self.weights)
        self.update = 0

    def apply(self, ids: np.ndarray, parts: np.ndarray, rate: float, decay: float) -> None:
        self.update += 1
        for row in sorted(set(ids.tolist())):
            gradient = sum(part for item, part in zip(ids, parts, strict=True) if item == row)
            if not np.any(gradient):
                continue
            self.first[row] = 0.9 * self.first[row] + 0.1 * gradient
            self.second[row] = 0.999 * self.second[row] + 0.001 * gradient**2
            mean = self.first[row] / (1 - 0.9**self.update)
            # Keras adds epsilon before the bias correction.
            correction = np.sqrt(1 - 0.999**self.update)
            scale = np.sqrt(self.second[row]) / correction + 1e-7 / correction
            self.weights[row] -= rate * (mean / scale + decay * self.weights[row])


@pytest.mark.parametrize("decay", [0.0, DECAY])
def test_lazy_adam_updates_only_the_rows_of_a_gradient(decay: float) -> None:
    random = np.random.default_rng(0)
    table = keras.Variable(random.normal(size=(ROWS, SIZE)), name="table")
    kernel = keras.Variable(random.normal(size=(2, 4)), name="kernel")
    other = keras.Variable(kernel.numpy(), name="kernel")
    rates = keras.optimizers.schedules.PolynomialDecay(0.1, 10)
    lazy = LazyAdam(rates, weight_decay=decay or None)
    plain = keras.optimizers.Adam(rates, weight_decay=decay or None)
    lazy.build([table, kernel])
    plain.build([other])
    slow = SlowLazyAdam(table.numpy())
    for step in range(6):
        ids = random.integers(0, ROWS - 1, 5)  # the last row never comes
        ids[1] = ids[0]
        parts = random.normal(size=(5, SIZE))
        if step == 3:
            parts[ids == ids[0]] = 0  # as of padding
        sparse = tf.IndexedSlices(tf.constant(parts, tf.float32), ids, tf.constant([ROWS, SIZE]))
        dense = tf.constant(random.normal(size=(2, 4)), tf.float32)
        slow.apply(ids, parts, float(rates(step)), decay)
        lazy.apply([unique_rows(sparse), dense], [table, kernel])
        plain.apply([dense], [other])
        np.testing.assert_allclose(table.numpy(), slow.weights, atol=2e-6)
    moments = {variable.path.rpartition("/")[2]: variable.numpy() for variable in lazy.variables}
    np.testing.assert_allclose(moments["table_momentum"], slow.first, atol=1e-6)
    np.testing.assert_allclose(moments["table_velocity"], slow.second, atol=1e-6)
    np.testing.assert_allclose(kernel.numpy(), other.numpy(), atol=1e-5)
    assert not moments["table_momentum"][-1].any()


def test_each_row_occurs_once_and_keeps_nan() -> None:
    parts = tf.constant([[1.0, 2], [3, 0], [-1, -2], [0, np.nan], [4, 5]])
    rows = unique_rows(tf.IndexedSlices(parts, tf.constant([4, 2, 4, 0, 2]), tf.constant([6, 2])))
    assert rows.indices.numpy().tolist() == [2, 0]
    np.testing.assert_array_equal(rows.values.numpy(), [[7, 5], [0, np.nan]])
    again = nonzero_rows(tf.convert_to_tensor(rows))
    assert again.indices.numpy().tolist() == [0, 2]
    np.testing.assert_array_equal(again.values.numpy(), [[0, np.nan], [7, 5]])


def test_an_overflow_in_a_row_halves_the_scale_and_moves_nothing() -> None:
    table = keras.Variable(np.ones((ROWS, SIZE)))
    optimizer = LazyLossScale(LazyAdam(0.1), initial_scale=8.0)
    optimizer.build([table])
    for value, scale in ((np.inf, 4.0), (4.0, 4.0)):
        gradient = tf.IndexedSlices([[1.0, value, 0.5]], [2], tf.constant([ROWS, SIZE]))
        optimizer.apply([gradient], [table])
        assert float(optimizer.dynamic_scale) == scale
        moved = np.abs(table.numpy() - 1).max(1) > 0
        assert moved.tolist() == [row == 2 and value == 4.0 for row in range(ROWS)]


def _trained(chosen: Any, optimizer: Any, updates: str, rows: int, **choices: Any) -> Loop:
    """The loop of a training run in the order of the examples, by an optimizer or by its own."""
    examples = choices.pop("examples", None) or names(18, 3)
    task = chosen.adapt(examples)
    data = task.data(examples)
    training_settings = settings(
        batch_size=rows, schedule="constant", **choices, embedding_updates=updates
    )
    keras.utils.set_random_seed(0)
    plan = data.plan(Padding([9], []), training_settings)
    loop = Loop(task, training_settings, len(plan), tf.distribute.get_strategy())
    if optimizer is not None:
        loop.optimizer = optimizer
        loop.optimizer.build(loop.model.trainable_variables)
    tf.config.run_functions_eagerly(True)
    try:
        for _ in loop.train(data, plan):
            pass
    finally:
        tf.config.run_functions_eagerly(False)
    return loop


LETTERS = ManyToManyAligned("characters", "next", cell="gru", units=8, embedding=4, window=8)
N_GRAMS = template(ngrams=3, ngram_buckets=50)
LIMITS = {"clip_value": 0.01, "clip_layer": 0.02, "clip_norm": 0.05, "accumulate": 2}


@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions")
@pytest.mark.quick_for("chosen0-choices0")
@pytest.mark.parametrize(
    "chosen, choices", [(N_GRAMS, LIMITS), (LETTERS, {"bptt_every": 2, "bptt_back": 4})]
)
def test_sparse_gradients_are_the_dense_ones(chosen: Any, choices: dict) -> None:
    dense, lazy = (
        _trained(chosen, keras.optimizers.SGD(0.5), updates, 6, **choices)
        for updates in ("dense", "lazy")
    )
    assert dense.clipped() == lazy.clipped()
    assert "clip_value" not in choices or lazy.clipped() > 0
    for one, other in zip(dense.model.weights, lazy.model.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-6, err_msg=one.path)


def test_no_step_reads_a_whole_table() -> None:
    task, chosen = N_GRAMS.adapt(names(6, 3)), settings(batch_size=3, embedding_updates="lazy")
    data = task.data(names(6, 3))
    plan = data.plan(Padding([9], []), chosen)
    # One replica suffices: the strategy wraps each variable.
    for strategy in (tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0"])):
        loop = Loop(task, chosen, len(plan), strategy)
        next(loop.train(data, plan))
        graph = loop._train.get_concrete_function().graph
        read = [item for item in graph.get_operations() if item.type == "ReadVariableOp"]
        table = loop.model.get_layer("ngrams").table.shape
        assert read and not [item.name for item in read if item.outputs[0].shape == table]


@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions")
def test_rows_that_a_batch_lacks_are_not_updated() -> None:
    examples = Examples(["abab", "aabb", "baab", "cdcd", "ccdd", "dccd"], [*"xyxyxy"])
    dense, lazy = (
        _trained(template(), None, updates, 3, examples=examples) for updates in ("dense", "lazy")
    )
    lazy_loop, other = (
        next(
            variable.numpy()
            for variable in loop.optimizer.variables
            if "embeddings_mom" in variable.path
        )
        for loop in (dense, lazy)
    )
    first = lazy.task.features.vocabulary.ids(tf.constant(["a", "b"])).numpy()
    # The moments of the first batch, which only the dense updates decay in the second.
    np.testing.assert_allclose(lazy_loop[first], 0.9 * other[first], rtol=1e-4)
    assert np.abs(other[first]).min() > 0
    tables = [loop.model.get_layer("embedding").embeddings.numpy() for loop in (dense, lazy)]
    assert np.abs(tables[0] - tables[1])[first].min() > 1e-4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions")
def test_both_updates_are_the_same_if_each_batch_has_all_rows() -> None:
    examples = names(12, 3)
    examples = Examples([item + "abcdefghéx" for item in examples.inputs], examples.targets)
    chosen = template(ngrams=2, ngram_buckets=3)
    choices = {"precision": "mixed_bfloat16", "average": "ema", "accumulate": 2}
    dense, lazy = (
        _trained(chosen, None, updates, 3, examples=examples, **choices)
        for updates in ("dense", "lazy")
    )
    assert type(dense.optimizer) is FusedAdam and type(lazy.optimizer) is LazyAdam
    for one, other in zip(_state(dense), _state(lazy), strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-5)


def _state(loop: Loop) -> list:
    return [*loop.model.weights, *loop.optimizer.variables, *loop.average]


@pytest.mark.slow
def test_lazy_updates_resume_as_if_never_interrupted(tmp_path) -> None:
    chosen = settings(embedding_updates="lazy", weight_decay=0.1, accumulate=2)
    options = template(ngrams=3, ngram_buckets=50)
    train(options, splits(), chosen, tmp_path / "whole", progress=RecordingProgress())
    with pytest.raises(Interrupted):
        train(options, splits(), chosen, tmp_path / "broken", progress=RecordingProgress(7))
    train(options, splits(), chosen, tmp_path / "broken", resume=True)
    assert_same(tmp_path / "whole", tmp_path / "broken")


def test_a_token_embedding_reads_only_the_rows_of_its_ids() -> None:
    ids = tf.constant([[3, 0, 3], [49, 7, 1]])
    layer = TokenEmbedding(50, 4)
    of_keras = keras.layers.Embedding(50, 4)
    layer.build()
    of_keras.build()
    of_keras.set_weights(layer.get_weights())
    np.testing.assert_array_equal(layer(ids), of_keras(ids))

    def reads(embedding) -> bool:
        graph = tf.function(embedding).get_concrete_function(ids).graph
        return any(operation.type == "ReadVariableOp" for operation in graph.get_operations())

    assert reads(of_keras) and not reads(layer)

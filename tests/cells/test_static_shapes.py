"""Static shapes in graphs: as much is known as with Keras' layers, on every path."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cell_cases import FEATURES, UNITS
from cell_names import BEFORE_RELEASES
from custom_cells import Multiplicative, StepOnly

from seqzoo.cells import (
    CELLS,
    Bidirectional,
    GRUCell,
    LSTMCell,
    Recurrent,
    VanillaCell,
    create,
    portable,
)

SIZES = [(None, None), (None, 6), (3, None), (3, 6), (None, 1)]
PATHS = {
    "scan": {},
    "loop": {"fast": False},
    "unrolled": {"unroll": True},
    "zeros": {"zero_output_for_mask": True},
    "backwards": {"go_backwards": True},
}


def shapes_in_a_graph(layer, sizes, masked):
    """Static shapes of what a layer returns for inputs of (batch, time, features)."""
    specs = [tf.TensorSpec((*sizes, FEATURES)), tf.TensorSpec(sizes, tf.bool)]
    shapes = []

    def run(x, mask):
        results = layer(x, mask=mask if masked else None)
        # A function that makes weights is traced twice.
        shapes[:] = [tuple(result.shape) for result in keras.tree.flatten(results)]
        return results

    tf.function(run).get_concrete_function(*specs)
    return shapes


@pytest.mark.quick_for("True-scan-sequences", rest="exhaustive")
@pytest.mark.parametrize("sequences", [False, True], ids=["last", "sequences"])
@pytest.mark.parametrize(
    "path",
    [p if p in ("scan", "zeros") else pytest.param(p, marks=BEFORE_RELEASES) for p in PATHS],
)
@pytest.mark.parametrize("masked", [pytest.param(False, marks=BEFORE_RELEASES), True])
def test_shapes_are_those_of_keras(path, sequences, masked):
    options = {"return_sequences": sequences, "return_state": True, **PATHS[path]}
    theirs = {name: value for name, value in options.items() if name != "fast"}
    ours, keras_layer = Recurrent(LSTMCell(UNITS), **options), keras.layers.LSTM(UNITS, **theirs)
    for sizes in SIZES:
        if path == "unrolled" and sizes[1] is None:
            continue
        batch, time = sizes
        state = (batch, UNITS)
        expected = [(batch, time, UNITS) if sequences else state, state, state]
        assert shapes_in_a_graph(ours, sizes, masked) == expected
        assert shapes_in_a_graph(keras_layer, sizes, masked) == expected


# One of each kind: hand-written gradient, automatic, general, and with states of different sizes.
CELL_KINDS = [VanillaCell, LSTMCell, StepOnly, Multiplicative, CELLS["lmu"]]


@pytest.mark.quick_for("VanillaCell", "StepOnly")
@pytest.mark.parametrize("kind", CELL_KINDS)
def test_shapes_of_cells(kind):
    sizes = keras.tree.flatten(kind(UNITS).state_size)
    for wrap, factor in ((Recurrent, 1), (Bidirectional, 2)):
        layer = wrap(kind(UNITS), return_state=True)
        output, *states = shapes_in_a_graph(layer, (None, None), masked=True)
        assert output == (None, factor * UNITS)
        assert states == factor * [(None, size) for size in sizes]
    with portable():
        assert shapes_in_a_graph(layer, (None, None), masked=False)[0] == (None, 2 * UNITS)


@pytest.mark.parametrize("masked", [False, True])
def test_shapes_on_cudnn(masked, gpu):
    """The graph is traced, not run."""
    layer = Recurrent(GRUCell(UNITS), return_sequences=True, return_state=True)
    assert layer.execution_path() == "Runs cuDNN's kernel."
    expected = [(None, None, UNITS), (None, UNITS)]
    assert shapes_in_a_graph(layer, (None, None), masked) == expected


def test_shapes_of_gradients():
    layer = Recurrent(GRUCell(UNITS))
    layer.build((None, None, FEATURES))

    @tf.function(input_signature=[tf.TensorSpec((None, None, FEATURES))])
    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=True))
        weights = [weight.value for weight in layer.trainable_variables]
        found = tape.gradient(loss, [x, *weights])
        assert [d.shape.as_list() for d in found] == [
            [None, None, FEATURES],
            *[list(weight.shape) for weight in weights],
        ]
        return found

    gradients(np.ones((2, 3, FEATURES), "float32"))


class Reader(keras.Model):
    """A model whose weights are made by `fit`."""

    def __init__(self, reader, masked):
        super().__init__()
        self.embed = keras.layers.Embedding(9, FEATURES, mask_zero=masked)
        self.reader = reader
        self.answer = keras.layers.Dense(2)

    def call(self, ids):
        return self.answer(self.reader(self.embed(ids)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, wrap, masked",
    [
        pytest.param(VanillaCell, Recurrent, False, marks=pytest.mark.exhaustive),
        (GRUCell, Bidirectional, True),
        pytest.param(Multiplicative, Recurrent, True, marks=pytest.mark.exhaustive),
    ],
)
def test_a_subclassed_model_is_built_by_fit(kind, wrap, masked):
    model = Reader(wrap(kind(UNITS)), masked)
    model.compile("sgd", "mse")
    ids = np.random.default_rng(0).integers(1, 9, (8, 5))
    model.fit(ids, np.zeros((8, 2)), verbose=0)
    assert model.answer.kernel.shape == (UNITS * (1 if wrap is Recurrent else 2), 2)
    assert model.predict(ids, verbose=0).shape == (8, 2)


@pytest.mark.parametrize(
    "name",
    [
        "orthogonal",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("lru", "s5", "rg-lru", "echo-state")
        ),
    ],
)
def test_a_cell_that_draws_its_weights_is_built_in_a_graph(name):
    x = np.ones((2, 3, FEATURES), "float32")
    keras.utils.set_random_seed(3)
    layer = Recurrent(create(name, UNITS))
    in_graph = np.array(tf.function(layer)(x))
    keras.utils.set_random_seed(3)
    assert np.allclose(np.array(Recurrent(create(name, UNITS))(x)), in_graph, atol=1e-6)

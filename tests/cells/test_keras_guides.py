"""The programs of Keras' guides, with our layers where the guides have Keras'.

Guides: working with RNNs, masking and padding, training loops, subclassing, transfer learning.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cell_cases import error
from keras import layers, ops

from seqzoo.cells import Bidirectional, GRUCell, LSTMCell, Recurrent, RecurrentCell, VanillaCell

WORDS, STEPS, FEATURES, UNITS, CLASSES = 12, 6, 4, 5, 3
rng = np.random.default_rng(0)
IDS = rng.integers(1, WORDS, (8, STEPS))
X = rng.normal(size=(8, STEPS, FEATURES)).astype("float32")
LABELS = rng.integers(0, CLASSES, 8)


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(1)


def crossentropy():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


# Working with RNNs


@pytest.mark.exhaustive
@pytest.mark.slow
def test_an_embedding_a_recurrent_layer_and_an_output():
    model = keras.Sequential(
        [
            layers.Embedding(WORDS, FEATURES),
            Recurrent(GRUCell(UNITS), return_sequences=True),
            Recurrent(VanillaCell(UNITS)),
            layers.Dense(CLASSES),
        ]
    )
    model.compile(keras.optimizers.Adam(0.05), crossentropy(), metrics=["accuracy"])
    losses = model.fit(IDS, LABELS, epochs=12, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]
    assert [layer.output.shape for layer in model.layers] == [
        (None, STEPS, FEATURES),
        (None, STEPS, UNITS),
        (None, UNITS),
        (None, CLASSES),
    ]


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_decoder_starts_from_the_states_of_an_encoder():
    source, target = keras.Input((None,)), keras.Input((None,))
    embedded = layers.Embedding(WORDS, FEATURES)(source)
    _, h, c = Recurrent(LSTMCell(UNITS), return_state=True, name="encoder")(embedded)
    decoder = Recurrent(LSTMCell(UNITS), name="decoder")
    decoded = decoder(layers.Embedding(WORDS, FEATURES)(target), initial_state=[h, c])
    model = keras.Model([source, target], layers.Dense(CLASSES)(decoded))
    answers = model([IDS, IDS[:, :3]])
    assert answers.shape == (8, CLASSES)
    assert error(model([IDS[::-1], IDS[:, :3]]), answers) > 1e-3  # the source matters
    model.compile("adam", crossentropy())
    model.fit([IDS, IDS[:, :3]], LABELS, verbose=0)


@pytest.mark.slow
def test_a_long_sequence_in_paragraphs():
    layer = Recurrent(LSTMCell(UNITS), stateful=True)
    for part in np.split(X, 3, axis=1):
        output = layer(part)
    whole = Recurrent(layer.cell)
    assert error(output, whole(X)) < 1e-5
    layer.reset_state()
    assert all((state.numpy() == 0).all() for state in layer.states)
    # The states of one layer are where another begins.
    layer(X[:, :2])
    assert error(whole(X[:, 2:], initial_state=layer.states), whole(X)) < 1e-5


def test_directions_are_stacked():
    model = keras.Sequential(
        [
            keras.Input((STEPS, FEATURES)),
            Bidirectional(Recurrent(LSTMCell(UNITS), return_sequences=True)),
            Bidirectional(LSTMCell(3)),
            layers.Dense(CLASSES),
        ]
    )
    assert [layer.output.shape[1:] for layer in model.layers[:2]] == [(STEPS, 10), (6,)]
    assert model.count_params() == 2 * 4 * 5 * (4 + 5 + 1) + 2 * 4 * 3 * (10 + 3 + 1) + 7 * 3


@keras.saving.register_keras_serializable(package="tests")
class Minimal(RecurrentCell):
    """The cell of Keras' API page: a product of the input, one of the state, and their sum."""

    gates = ("candidate",)

    def step(self, x, r, states):
        h = x.candidate + r.candidate
        return h, [h]


def test_a_custom_cell_alone_and_in_a_stack():
    x = keras.Input((None, FEATURES))
    model = keras.Model(x, Recurrent([Minimal(UNITS), Minimal(3)])(x))
    assert model(X).shape == (8, 3)
    first, second = (cell.get_weights() for cell in model.layers[-1].cell.cells)
    h, g = np.zeros((8, UNITS)), np.zeros((8, 3))
    for step in range(STEPS):
        h = X[:, step] @ first[0] + h @ first[1] + first[2]
        g = h @ second[0] + g @ second[1] + second[2]
    assert error(model(X), g) < 1e-5


# Masking and padding


def test_layers_of_a_model_make_pass_on_and_take_masks():
    padded = np.where(np.arange(STEPS) < 4, IDS, 0)
    functional_input = keras.Input((None,))
    x = layers.Embedding(WORDS, FEATURES, mask_zero=True)(functional_input)
    functional = keras.Model(functional_input, Recurrent(LSTMCell(UNITS))(x))
    assert error(functional(padded), functional(padded[:, :4])) < 1e-5
    sequential = keras.Sequential([*functional.layers[1:]])
    assert error(sequential(padded), functional(padded)) < 1e-6
    assert error(functional(IDS), functional(padded)) > 1e-3


def test_a_mask_is_passed_explicitly():
    class Reader(layers.Layer):
        def __init__(self):
            super().__init__()
            self.embed = layers.Embedding(WORDS, FEATURES, mask_zero=True)
            self.read = Recurrent(LSTMCell(UNITS))

        def call(self, ids):
            return self.read(self.embed(ids), mask=self.embed.compute_mask(ids))

    reader = Reader()
    padded = np.where(np.arange(STEPS) < 4, IDS, 0)
    assert error(reader(padded), reader(padded[:, :4])) < 1e-5


def test_layers_that_change_and_consume_masks():
    class Halves(layers.Layer):
        def call(self, x):
            return ops.split(x, 2, axis=1)

        def compute_mask(self, x, mask=None):
            return [None, None] if mask is None else ops.split(mask, 2, axis=1)

    class SoftmaxOverTime(layers.Layer):
        def __init__(self):
            super().__init__()
            self.supports_masking = True

        def call(self, x, mask=None):
            scores = ops.exp(x) * ops.expand_dims(ops.cast(mask, x.dtype), -1)
            return scores / ops.sum(scores, axis=1, keepdims=True)

    x = np.where((np.arange(STEPS) < 5)[None, :, None], X, 0)
    inputs = keras.Input((STEPS, FEATURES))
    first, second = Halves()(layers.Masking()(inputs))
    read = Recurrent(GRUCell(UNITS), return_sequences=True)
    shares = SoftmaxOverTime()(read(second))
    model = keras.Model(inputs, [SoftmaxOverTime()(read(first)), shares])
    whole, cut = (np.array(part) for part in model(x))
    np.testing.assert_allclose(whole.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(cut.sum(1), 1, rtol=1e-5)
    assert (whole > 0).all() and (cut[:, 2] == 0).all() and (cut[:, :2] > 0).all()


# Training loops and steps of one's own


@pytest.mark.slow
def test_a_training_loop_written_out():
    model = keras.Sequential(
        [layers.Embedding(WORDS, FEATURES), Recurrent(LSTMCell(UNITS)), layers.Dense(CLASSES)]
    )
    optimizer, loss_of = keras.optimizers.Adam(0.05), crossentropy()
    metric = keras.metrics.SparseCategoricalAccuracy()

    def step(ids, labels):
        with tf.GradientTape() as tape:
            logits = model(ids, training=True)
            loss = loss_of(labels, logits)
        optimizer.apply(tape.gradient(loss, model.trainable_weights), model.trainable_weights)
        metric.update_state(labels, logits)
        return loss

    eager = float(step(IDS, LABELS))
    compiled = tf.function(step)
    losses = [float(compiled(IDS, LABELS)) for _ in range(12)]
    assert losses[0] < eager
    assert losses[-1] < 0.7 * eager
    metric.reset_state()
    compiled(IDS, LABELS)
    assert float(metric.result()) > 0.5


@pytest.mark.slow
def test_a_model_with_a_train_step_of_its_own():
    class Weighted(keras.Model):
        def train_step(self, data):
            x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
            with tf.GradientTape() as tape:
                loss = self.compute_loss(x, y, self(x, training=True), weight)
            variables = self.trainable_variables
            self.optimizer.apply(tape.gradient(loss, variables), variables)
            return {"mean": loss}

    inputs = keras.Input((None, FEATURES))
    output = layers.Dense(CLASSES)(Bidirectional(GRUCell(UNITS, dropout=0.1))(inputs))
    model = Weighted(inputs, output)
    model.compile(keras.optimizers.Adam(0.05), crossentropy())
    losses = model.fit(X, LABELS, sample_weight=np.ones(8), epochs=10, verbose=0).history["mean"]
    assert losses[-1] < 0.8 * losses[0]


# Layers and models by subclassing


@keras.saving.register_keras_serializable(package="tests")
class Encoder(layers.Layer):
    """Makes its layers where it is built, and adds a penalty of its own."""

    def __init__(self, units, rate=0.01, **kwargs):
        super().__init__(**kwargs)
        self.units, self.rate = units, rate

    def build(self, shape):
        self.read = Recurrent(LSTMCell(self.units, kernel_regularizer="l2"), return_state=True)
        self.read.build(shape)

    def call(self, x, training=False):
        output, h, c = self.read(x, training=training)
        self.add_loss(self.rate * ops.mean(ops.square(c)))
        return output + h

    def get_config(self):
        return {**super().get_config(), "units": self.units, "rate": self.rate}


@pytest.mark.slow
def test_a_layer_that_contains_ours():
    inputs = keras.Input((None, FEATURES))
    model = keras.Model(inputs, layers.Dense(1)(Encoder(UNITS)(inputs)))
    assert len(model.trainable_weights) == 5
    model(X)
    penalty, on_kernel = (float(loss) for loss in model.losses)
    kernel = np.array(model.layers[1].read.cell.kernel)
    assert penalty > 0
    assert abs(on_kernel - 0.01 * (kernel**2).sum()) < 1e-5
    model.compile("adam", "mse")
    model.fit(X, LABELS, verbose=0)


def test_a_model_that_contains_ours_is_saved(tmp_path):
    inputs = keras.Input((None, FEATURES))
    model = keras.Model(inputs, layers.Dense(1)(Encoder(UNITS, name="encoder")(inputs)))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert error(again(X), model(X)) < 1e-6
    model.save_weights(tmp_path / "all.weights.h5")
    again.layers[-1].set_weights([np.zeros((UNITS, 1)), np.zeros(1)])
    again.load_weights(tmp_path / "all.weights.h5")
    assert error(again(X), model(X)) < 1e-6


# Transfer learning


@pytest.mark.slow
def test_a_layer_that_is_frozen_and_then_tuned():
    source = keras.Input((None, FEATURES))
    base = keras.Model(source, Bidirectional(LSTMCell(UNITS, dropout=0.3))(source), name="base")
    base.trainable = False
    assert not base.trainable_weights and len(base.non_trainable_weights) == 6
    inputs = keras.Input((None, FEATURES))
    model = keras.Model(inputs, layers.Dense(CLASSES)(base(inputs, training=False)))
    assert len(model.trainable_weights) == 2
    model.compile(keras.optimizers.Adam(0.05), crossentropy())
    before, head = base.get_weights(), model.layers[-1].get_weights()
    model.fit(X, LABELS, epochs=2, verbose=0)
    assert all((a == b).all() for a, b in zip(before, base.get_weights(), strict=True))
    assert error(model.layers[-1].get_weights()[0], head[0]) > 1e-3

    base.trainable = True
    model.compile(keras.optimizers.Adam(1e-3), crossentropy())
    assert len(model.trainable_weights) == 8
    model.fit(X, LABELS, epochs=2, verbose=0)
    moved = [error(a, b) for a, b in zip(base.get_weights(), before, strict=True)]
    assert all(0 < change < 0.5 for change in moved)


@pytest.mark.slow
def test_one_frozen_weight_of_a_layer_next_to_others():
    model = keras.Sequential(
        [Recurrent(GRUCell(UNITS), return_sequences=True), Recurrent(GRUCell(UNITS))]
    )
    model.build((None, STEPS, FEATURES))
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    first, second = (layer.get_weights() for layer in model.layers)
    model.fit(X, np.ones((8, UNITS)), verbose=0)
    assert all((a == b).all() for a, b in zip(first, model.layers[0].get_weights(), strict=True))
    assert error(model.layers[1].get_weights()[0], second[0]) > 0

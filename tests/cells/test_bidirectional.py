"""Both directions, stacks, and the masks that layers pass on."""

import keras
import numpy as np
import pytest
from cell_cases import BATCH, FEATURES, MASKS, TIME, UNITS, X, error

from seqzoo.cells import Bidirectional, GatedCell, GRUCell, LSTMCell, Recurrent, VanillaCell

X32 = X.astype("float32")
MASK = MASKS["gaps"] & np.array([[True], [False], [True]])
MERGES = ["concat", "sum", "mul", "ave", None]


def flat(results):
    return keras.tree.flatten(results)


@pytest.fixture(scope="module")
def layers():
    """A layer of ours and one of Keras, with the same weights; all but weights may be changed."""
    ours = Bidirectional(LSTMCell(UNITS), return_state=True)
    theirs = keras.layers.Bidirectional(keras.layers.LSTM(UNITS, return_state=True))
    rng = np.random.default_rng(0)
    for layer in (ours, theirs):
        layer.build(X32.shape)
    ours.set_weights([rng.normal(0, 0.6, w.shape) for w in ours.get_weights()])
    theirs.set_weights(ours.get_weights())
    return ours, theirs


@pytest.mark.quick_for("right-True", "gaps-False", "gaps-True", rest="exhaustive")
@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("mask", ["none", "right", "gaps"])
def test_equals_both_directions_of_keras(layers, sequences, mask):
    mask = MASKS[mask]
    for merge_mode in MERGES:
        results = []
        for layer in layers:
            layer.merge_mode = merge_mode
            for part in (layer, layer.forward_layer, layer.backward_layer):
                part.return_sequences = sequences
            results.append(flat(layer(X32, mask=mask)))
        assert all(error(a, b) < 1e-6 for a, b in zip(*results, strict=True))


def test_a_recurrent_layer_may_be_given():
    layer = Bidirectional(
        Recurrent(GatedCell(UNITS), return_sequences=True, zero_output_for_mask=True)
    )
    outputs = layer(X32, mask=MASK)
    assert outputs.shape == (BATCH, TIME, 2 * UNITS)
    assert (np.array(outputs)[~MASK] == 0).all()


def test_a_separate_backward_layer():
    backward = Recurrent(GRUCell(UNITS), go_backwards=True)
    layer = Bidirectional(LSTMCell(UNITS), backward_layer=backward)
    outputs = layer(X32)
    assert error(outputs[:, UNITS:], backward(X32)) == 0
    assert error(outputs[:, :UNITS], layer.forward_layer(X32)) == 0


def test_a_separate_backward_cell():
    cell = GRUCell(UNITS)
    layer = Bidirectional(LSTMCell(UNITS), backward_layer=cell, return_sequences=True)
    expected = Recurrent(cell, go_backwards=True, return_sequences=True)(X32)
    assert error(layer(X32)[:, :, UNITS:], expected[:, ::-1]) == 0


def test_precision_of_both_layers():
    cells = [VanillaCell(UNITS, dtype="float64") for _ in range(2)]
    layer = Bidirectional(cells[0], backward_layer=cells[1], dtype="float64")
    outputs = layer(X)
    parts = (layer.forward_layer, layer.backward_layer)
    assert [part.compute_dtype for part in parts] == ["float64"] * 2
    expected = Recurrent(layer.forward_layer.cell, dtype="float64")(X)
    assert np.array_equal(outputs[:, :UNITS], expected)


def test_initial_weights():
    wanted = Bidirectional(LSTMCell(UNITS))
    expected = wanted(X32)
    layer = Bidirectional(LSTMCell(UNITS), weights=wanted.get_weights())
    assert error(layer(X32), expected) == 0
    assert error(Bidirectional(LSTMCell(UNITS))(X32), expected) > 0.01
    with pytest.raises(ValueError, match="5 weights|length"):
        Bidirectional(LSTMCell(UNITS), weights=wanted.get_weights()[:-1])(X32)


def test_initial_states_reach_their_direction():
    layer = Bidirectional(LSTMCell(UNITS))
    states = list(np.random.default_rng(1).normal(size=(4, BATCH, UNITS)).astype("float32"))
    outputs = layer(X32, initial_state=states)
    assert error(outputs[:, :UNITS], layer.forward_layer(X32, initial_state=states[:2])) < 1e-6
    assert error(outputs[:, UNITS:], layer.backward_layer(X32, initial_state=states[2:])) < 1e-6


def test_cells_in_a_list_are_stacked():
    cells = [GRUCell(UNITS), LSTMCell(UNITS)]
    outputs = Recurrent(cells, return_sequences=True)(X32, mask=MASK)
    first = Recurrent(cells[0], return_sequences=True)(X32, mask=MASK)
    assert error(outputs, Recurrent(cells[1], return_sequences=True)(first, mask=MASK)) < 1e-6


def mask_of(output):
    """The mask that the next layer would get."""
    return keras.src.backend.get_keras_mask(output)


@pytest.mark.parametrize("wrap", [Recurrent, Bidirectional])
@pytest.mark.parametrize("state", [False, True])
def test_the_mask_is_passed_on_with_sequences(wrap, state):
    layer = wrap(VanillaCell(UNITS), return_sequences=True, return_state=state, fast=False)
    results = layer(X32, mask=MASK)
    output, *states = results if state else [results]
    np.testing.assert_array_equal(mask_of(output), MASK)
    assert all(mask_of(state) is None for state in states)
    assert len(states) == state * (1 if wrap is Recurrent else 2)
    output = layer(X32)[0] if state else layer(X32)
    assert mask_of(output) is None


@pytest.mark.parametrize("wrap", [Recurrent, Bidirectional])
@pytest.mark.parametrize("state", [False, True])
def test_the_mask_ends_with_the_last_output(wrap, state):
    results = wrap(VanillaCell(UNITS), return_state=state, fast=False)(X32, mask=MASK)
    assert all(mask_of(result) is None for result in flat(results))


@pytest.mark.parametrize("state", [False, True])
def test_the_mask_is_passed_on_with_both_directions_apart(state):
    options = {"return_sequences": True, "return_state": state, "fast": False}
    results = Bidirectional(VanillaCell(UNITS), merge_mode=None, **options)(X32, mask=MASK)
    for output in results[:2]:
        np.testing.assert_array_equal(mask_of(output), MASK)
    assert all(mask_of(rest) is None for rest in results[2:])


def test_the_mask_goes_through_a_stack():
    """Changing masked steps changes nothing, three layers later."""
    inputs = keras.Input((None, FEATURES))
    x = keras.layers.Masking()(inputs)
    x = Bidirectional(VanillaCell(UNITS), return_sequences=True)(x)
    x = Recurrent(VanillaCell(UNITS), return_sequences=True)(x)
    model = keras.Model(inputs, Recurrent(VanillaCell(UNITS))(x))
    padded = np.concatenate([X32[:, :4], np.zeros((BATCH, 3, FEATURES), "float32")], axis=1)
    assert error(model(padded), model(X32[:, :4])) < 1e-6
    assert error(model(X32), model(X32[:, :4])) > 0.01


KERAS_LAYERS = {
    "vanilla": lambda **options: keras.layers.SimpleRNN(UNITS, **options),
    "lstm": lambda **options: keras.layers.LSTM(UNITS, **options),
    "stack": lambda **options: keras.layers.RNN(
        [keras.layers.LSTMCell(UNITS), keras.layers.GRUCell(UNITS)], **options
    ),
}


@pytest.mark.parametrize("kind", KERAS_LAYERS)
def test_layers_of_keras_are_reset(kind):
    layer = Bidirectional(KERAS_LAYERS[kind](stateful=True))
    layer.reset_state()  # before there is a state
    first = layer(X32)
    assert error(layer(X32), first) > 0.01
    layer.reset_state()
    assert error(layer(X32), first) < 1e-6
    layer.reset_state([1])
    for direction in (layer.forward_layer, layer.backward_layer):
        for state in flat(direction.states):
            assert (np.array(state)[1] == 0).all()
            assert (np.array(state)[[0, 2]] != 0).all()
    with pytest.raises(ValueError, match=r"`rows` must be whole numbers from 0 to 2, got \[3\]"):
        layer.reset_state([3])


def test_a_layer_with_a_reset_of_its_own_keeps_it():
    class ToOnes(keras.layers.SimpleRNN):
        def reset_state(self):
            self.states[0].assign(np.ones((BATCH, UNITS)))

    backward = ToOnes(UNITS, stateful=True, go_backwards=True)
    layer = Bidirectional(Recurrent(VanillaCell(UNITS), stateful=True), backward_layer=backward)
    layer(X32)
    layer.reset_state()
    assert (np.array(layer.forward_layer.states[0]) == 0).all()
    assert (np.array(backward.states[0]) == 1).all()


def test_each_direction_says_which_path_it_takes():
    fast = Recurrent(LSTMCell(UNITS)).execution_path()
    assert Bidirectional(LSTMCell(UNITS)).execution_path() == fast
    plain = Recurrent(GRUCell(UNITS), go_backwards=True, fast=False)
    layer = Bidirectional(LSTMCell(UNITS), backward_layer=plain)
    assert layer.execution_path() == (
        f"Forward: {fast} Backward: Runs Keras' plain loop because `fast=False`."
    )
    theirs = keras.layers.GRU(UNITS, go_backwards=True)
    layer = Bidirectional(LSTMCell(UNITS), backward_layer=theirs)
    assert layer.execution_path() == f"Forward: {fast} Backward: Runs Keras' GRU."
    assert Bidirectional(keras.layers.LSTM(UNITS)).execution_path() == "Runs Keras' LSTM."


@keras.saving.register_keras_serializable(package="tests")
class Inside(keras.layers.Layer):
    """A layer that makes its own `Bidirectional`, as a reader of words' characters does."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = Bidirectional(GRUCell(UNITS), return_sequences=True)

    def build(self, shape):
        self.inner.build(shape)
        self.built = True

    def call(self, inputs):
        return self.inner(inputs)


def test_layers_of_a_file_are_not_confused(tmp_path, monkeypatch):
    """Keras identifies objects by their address while it loads, even those that no longer exist."""
    inputs = outputs = keras.Input((None, FEATURES))
    for _ in range(3):
        outputs = Inside()(outputs)
    keras.Model(inputs, outputs).save(tmp_path / "model.keras")

    def address(value):
        """As if every copied layer had the address of the one before."""
        return 1 if isinstance(value, Recurrent) else id(value)

    monkeypatch.setattr("keras.src.saving.serialization_lib.id", address, raising=False)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    layers = [
        layer
        for item in loaded.layers[1:]
        for layer in (item.inner.forward_layer, item.inner.backward_layer)
    ]
    assert len({id(layer) for layer in layers}) == 6

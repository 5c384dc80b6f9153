"""States and gates at the ends of their ranges."""

import numpy as np
import pytest
import tensorflow as tf
from cell_cases import BATCH, FEATURES, TIME, UNITS, X, every_case, inputs, sequences

from seqzoo.cells import Recurrent, create
from seqzoo.cells.base import as_list, shape_of

X32 = X.astype("float32")


@every_case
def test_a_step_from_valid_states_is_finite(case):
    cell = case.make()
    random = np.random.default_rng(1)
    shapes = [(BATCH, *shape_of(size)) for size in as_list(cell.state_size)]
    states = cell.valid_states([tf.constant(random.normal(size=shape)) for shape in shapes])
    assert [tuple(state.shape) for state in states] == shapes
    x = sequences(cell)[:, 0]
    if cell.takes_time:
        x = np.concatenate([x, inputs(cell)[1][:, :1]], axis=-1)
    output, new = cell(tf.constant(x), states)
    assert all(np.isfinite(value).all() for value in (output, *new))


@pytest.mark.parametrize(
    "name, options",
    [
        ("slstm", {}),
        ("residual", {"cell": "slstm"}),
        ("stacked", {"cell": "slstm", "skips": False}),
        ("fast-slow", {"cell": "slstm"}),
        ("attention", {"cell": "slstm"}),
    ],
)
def test_outputs_are_bounded_from_the_first_step_on(name, options):
    cell = create(name, UNITS, **options)
    cell.build((None, UNITS))
    random = np.random.default_rng(0)
    drawn = [random.normal(size=(64, size)).astype("f") for size in as_list(cell.state_size)]
    output, _ = cell(tf.zeros((64, UNITS)), cell.valid_states([tf.constant(s) for s in drawn]))
    assert np.abs(output).max() <= 1


@pytest.mark.parametrize("dtype, bias", [("float32", -120.0), ("mixed_float16", -18.0)])
@pytest.mark.parametrize("name", ["minlstm", "slstm"])
def test_a_closed_input_gate_leaves_outputs_and_gradients_finite(name, dtype, bias):
    layer = Recurrent(create(name, UNITS, dtype=dtype), return_sequences=True, dtype=dtype)
    layer.build((BATCH, TIME, FEATURES))
    values = np.array(layer.cell.bias)
    values[UNITS : 2 * UNITS] = bias  # of the second gate, which is the input gate of both
    layer.cell.bias.assign(values)
    with tf.GradientTape() as tape:
        output = tf.cast(layer(X32), "float32")
    variables = [weight.value for weight in layer.trainable_weights]
    for value in (output, *tape.gradient(output, variables)):
        assert np.isfinite(value).all()
    assert layer.cell.gates[1] == "input"

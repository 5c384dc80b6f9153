"""For random options, our layers match Keras': values, gradients, shapes and masks."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from cell_cases import FEATURES, UNITS, Case, error, recurrent, shared
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqzoo.cells import Bidirectional

KINDS = {
    "vanilla": (Case("vanilla", {}), keras.layers.SimpleRNN),
    "lstm": (Case("lstm", {}), keras.layers.LSTM),
    "gru": (Case("gru", {}), keras.layers.GRU),
}
TOLERANCE = {"float64": 1e-12, "float32": 2e-5}

# Few sizes, so that few programs are compiled; all different from FEATURES and UNITS.
inputs = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["float64", "float64", "float32"]),
        "batch": st.sampled_from([1, 3]),
        "time": st.sampled_from([1, 2, 7]),
        "masked": st.booleans(),
        "lengths": st.lists(st.booleans(), min_size=21, max_size=21),
        "seed": st.integers(0, 9),
    }
)
modes = st.fixed_dictionaries(
    {
        "graph": st.booleans(),
        "known_batch": st.booleans(),
        "known_time": st.booleans(),
        "training": st.sampled_from([True, False, None]),
        "initial": st.booleans(),
    }
)
options = st.fixed_dictionaries(
    {
        "return_sequences": st.booleans(),
        "return_state": st.booleans(),
        "go_backwards": st.booleans(),
        "zero_output_for_mask": st.booleans(),
    }
)


@functools.cache
def pair(kind, dtype, both):
    """Our layer and Keras' with the same weights, the same for all draws: loops are shared."""
    case, keras_kind = KINDS[kind]
    ours, theirs = recurrent(shared(case, dtype)), keras_kind(UNITS, dtype=dtype)
    if both:
        ours = Bidirectional(ours, dtype=dtype)
        theirs = keras.layers.Bidirectional(theirs, dtype=dtype)
    for layer in (ours, theirs):
        layer.build((None, None, FEATURES))
    if both:
        rng = np.random.default_rng(5)
        ours.set_weights([rng.normal(0, 0.6, w.shape) for w in ours.get_weights()])
    theirs.set_weights(ours.get_weights())
    return ours, theirs


def set_flags(layer, flags):
    """Sets the options of a layer, and of both of its directions."""
    parts = [layer]
    if isinstance(layer, keras.layers.Bidirectional):
        parts += [layer.forward_layer, layer.backward_layer]
    for part in parts:
        for name, value in flags.items():
            setattr(part, name, value)
    parts[-1].go_backwards = flags["go_backwards"] != (len(parts) > 1)


def run(layer, x, mask, states, mode):
    """Results, gradients of inputs, states and weights, static shapes, and masks passed on."""
    seen = {}

    def differentiate(x, mask, states):
        weights = [variable.value for variable in layer.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch([x, states])
            results = layer(x, mask=mask, initial_state=states or None, training=mode["training"])
            results = keras.tree.flatten(results)
            rng = np.random.default_rng(4)
            weighted = [r * tf.constant(rng.normal(size=r.shape[-1]), r.dtype) for r in results]
            loss = tf.add_n([tf.reduce_sum(r) for r in weighted])
        seen["shapes"] = [tuple(result.shape) for result in results]
        masks = [keras.src.backend.get_keras_mask(result) for result in results]
        seen["masked"] = [mask is not None for mask in masks]
        gradients = tape.gradient(loss, [x, *states, *weights])
        return results, gradients, [mask for mask in masks if mask is not None]

    if not mode["graph"]:
        return (*differentiate(x, mask, states), seen)
    sizes = [
        x.shape[0] if mode["known_batch"] else None,
        x.shape[1] if mode["known_time"] else None,
    ]
    graph = tf.function(differentiate, autograph=False).get_concrete_function(
        tf.TensorSpec([*sizes, FEATURES], x.dtype),
        None if mask is None else tf.TensorSpec(sizes, tf.bool),
        [tf.TensorSpec([sizes[0], UNITS], x.dtype) for _ in states],
    )
    arguments = [x, *([] if mask is None else [mask]), *states]
    results, gradients, masks = graph(*arguments)
    return results, gradients, masks, seen


@pytest.mark.exhaustive
# The same examples each time; each is compiled again, which takes seconds.
@pytest.mark.slow
@settings(
    max_examples=16,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    kind=st.sampled_from(list(KINDS)), both=st.booleans(), drawn=inputs, mode=modes, flags=options
)
def test_our_layer_equals_that_of_keras(kind, both, drawn, mode, flags):
    rng = np.random.default_rng(drawn["seed"])
    batch, time, dtype = drawn["batch"], drawn["time"], drawn["dtype"]
    x = tf.constant(rng.normal(size=(batch, time, FEATURES)), dtype)
    mask = np.reshape(drawn["lengths"][: batch * time], (batch, time))
    mask = tf.constant(mask) if drawn["masked"] else None
    states = []
    if mode["initial"]:
        count = (2 if kind == "lstm" else 1) * (2 if both else 1)
        states = [tf.constant(rng.normal(size=(batch, UNITS)), dtype) for _ in range(count)]
    layers = pair(kind, dtype, both)
    for layer in layers:
        set_flags(layer, flags)
    actual, expected = (run(layer, x, mask, states, mode) for layer in layers)
    assert actual[3] == expected[3]
    for a, b in zip(actual[0] + actual[1], expected[0] + expected[1], strict=True):
        assert a.dtype == b.dtype
        assert np.linalg.norm(a - b) <= TOLERANCE[dtype] * (1 + np.linalg.norm(b))
    for a, b in zip(actual[2], expected[2], strict=True):
        assert error(a, b) == 0

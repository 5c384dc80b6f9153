"""Adam that updates each variable in one operation."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.tasks.training.fused_adam import FusedAdam
from seqzoo.tasks.training.lazy_adam import LazyAdam

SHAPES = ((7, 3), (5,), ())


@pytest.mark.parametrize("decay", [None, 0.1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_updates_as_in_the_paper_and_as_keras_does(decay: float | None, dtype: str) -> None:
    random = np.random.default_rng(0)
    start = [random.normal(size=shape) for shape in SHAPES]
    rates = keras.optimizers.schedules.PolynomialDecay(0.1, 10)
    ours, keras_variables = (
        [keras.Variable(value, dtype=dtype) for value in start] for _ in range(2)
    )
    fused = FusedAdam(rates, weight_decay=decay)
    plain = keras.optimizers.Adam(rates, weight_decay=decay)
    fused.build(ours)
    plain.build(keras_variables)
    update = tf.function(lambda gradients: fused.apply(gradients, ours))
    weights = [value.copy() for value in start]
    first, second = ([np.zeros_like(value) for value in start] for _ in range(2))
    for step in range(8):
        gradients = [random.normal(size=shape) for shape in SHAPES]
        tensors = [tf.constant(gradient, dtype) for gradient in gradients]
        update(tensors)
        plain.apply(tensors, keras_variables)
        for index, gradient in enumerate(gradients):
            first[index] = 0.9 * first[index] + 0.1 * gradient
            second[index] = 0.999 * second[index] + 0.001 * gradient**2
            scale = np.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.9 ** (step + 1))
            rate = float(rates(step))
            weights[index] *= 1 - rate * (decay or 0)
            weights[index] -= rate * scale * first[index] / (np.sqrt(second[index]) + 1e-7)
    # TensorFlow rounds 0.1 and 0.001, which are differences here, in the precision of the weights.
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    for variable, other, expected in zip(ours, keras_variables, weights, strict=True):
        np.testing.assert_allclose(variable.numpy(), expected, atol=tolerance)
        np.testing.assert_allclose(variable.numpy(), other.numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", [FusedAdam, LazyAdam])
def test_the_state_of_keras_adam_is_read(kind: type) -> None:
    variables = [keras.Variable(np.ones(shape)) for shape in SHAPES]
    plain, ours = keras.optimizers.Adam(0.1), kind(0.1)
    for optimizer in (plain, ours):
        optimizer.build(variables)
    gradients = [tf.fill(shape, 0.5) for shape in SHAPES]
    plain.apply(gradients, variables)
    for variable, stored in zip(ours.variables, plain.variables, strict=True):
        variable.assign(stored)
    before = [variable.numpy() for variable in variables]
    ours.apply(gradients, variables)
    fused = [variable.numpy() for variable in variables]
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)
    plain.apply(gradients, variables)
    for variable, value in zip(variables, fused, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, atol=1e-5)


def test_each_update_of_a_graph_has_its_own_number() -> None:
    variables, others = ([keras.Variable(np.ones(shape)) for shape in SHAPES] for _ in range(2))
    fused, plain = FusedAdam(0.1), keras.optimizers.Adam(0.1)
    fused.build(variables)
    plain.build(others)

    @tf.function
    def update_twice(gradients: list) -> None:
        fused.apply(gradients, variables)
        fused.apply([2 * gradient for gradient in gradients], variables)

    gradients = [tf.fill(shape, 0.5) for shape in SHAPES]
    for _ in range(2):
        update_twice(gradients)
        plain.apply(gradients, others)
        plain.apply([2 * gradient for gradient in gradients], others)
    for variable, other in zip(variables, others, strict=True):
        np.testing.assert_allclose(variable.numpy(), other.numpy(), atol=1e-5)

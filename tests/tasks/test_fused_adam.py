"""Adam in one operation a variable."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.tasks.training.fused_adam import FusedAdam

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
    for variable, other, expected in zip(ours, keras_variables, weights, strict=True):
        np.testing.assert_allclose(variable.numpy(), expected, atol=1e-5)
        np.testing.assert_allclose(variable.numpy(), other.numpy(), atol=1e-5)


def test_its_state_is_that_of_keras_so_that_old_checkpoints_are_read() -> None:
    variables = [keras.Variable(np.ones(shape), name=f"v{len(shape)}") for shape in SHAPES]
    paths = []
    for kind in (FusedAdam, keras.optimizers.Adam):
        optimizer = kind(0.1, name="adam")
        optimizer.build(variables)
        paths.append([(item.path, item.shape) for item in optimizer.variables])
    assert paths[0] == paths[1]

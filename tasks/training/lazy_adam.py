"""Adam that updates moments and weights only in the rows that a sparse gradient has."""

from typing import Any

import keras
import tensorflow as tf

from seqzoo.cells.engine.private_tensorflow import of_this_replica
from seqzoo.tasks.training.fused_adam import FusedAdam
from seqzoo.tasks.training.sparse_gradients import values_of


class LazyAdam(FusedAdam):
    """Adam with decoupled weight decay; a sparse gradient updates only the rows that it has.

    With the gradient g of a row, the moments m and s, the weights w, and update t:

        m := b1 m + (1 - b1) g
        s := b2 s + (1 - b2) g^2
        w := w - rate (sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(s) + epsilon) + decay w)

    All other rows keep their moments and weights, whereas Adam would decay the moments of each row
    at each update and keep moving its weights. t counts the updates of the model, not of the row.
    Dense gradients are applied as by `FusedAdam`. Options that training does not use, such as
    Keras' own clipping and averages, are not supported.

    A sparse gradient must contain each row only once; see `unique_rows`.
    """

    def _backend_apply_gradients(self, grads: Any, trainable_variables: Any) -> None:
        pairs = zip(grads, trainable_variables, strict=True)
        dense = [item for grad, item in pairs if not isinstance(grad, tf.IndexedSlices)]
        self._apply_weight_decay(dense)
        self._backend_update_step(grads, trainable_variables, self.learning_rate)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates a variable and its moments."""
        if not isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        dtype, rows = variable.dtype, gradient.indices
        index = self._get_variable_index(variable)
        first, second = self._momentums[index].value, self._velocities[index].value
        rate = tf.cast(learning_rate, dtype)
        update = tf.cast(self.iterations + 1, dtype)
        scale = tf.sqrt(1 - self.beta_2**update) / (1 - self.beta_1**update)

        values = tf.cast(gradient.values, dtype)
        m = tf.gather(of_this_replica(first), rows)
        m += (values - m) * (1 - self.beta_1)
        s = tf.gather(of_this_replica(second), rows)
        s += (tf.square(values) - s) * (1 - self.beta_2)
        change = scale * m / (tf.sqrt(s) + self.epsilon)
        if self.weight_decay is not None and self._use_weight_decay(variable):
            change += self.weight_decay * tf.gather(of_this_replica(variable), rows)
        first.scatter_update(tf.IndexedSlices(m, rows))
        second.scatter_update(tf.IndexedSlices(s, rows))
        variable.scatter_sub(tf.IndexedSlices(rate * change, rows))


class LazyLossScale(keras.optimizers.LossScaleOptimizer):
    """Keras' loss scaling, with a check for overflows that reads only the rows of sparse gradients,
    not entire tables."""

    def check_finite(self, grads: Any) -> Any:
        """Whether all gradients are finite."""
        return super().check_finite(
            [values_of(gradient) for gradient in grads if gradient is not None]
        )

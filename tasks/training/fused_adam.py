"""Adam whose update of a variable is a single operation."""

from typing import Any

import keras
import tensorflow as tf


class FusedAdam(keras.optimizers.Adam):
    """Adam as in Keras, up to rounding, in one pass over each variable; decoupled weight decay is a
    separate pass.

    Keras' update is a dozen operations, each of which reads or writes all weights or moments. On
    two cores they take three times as long for large variables, and twice as long to trace.
    Options that training does not use, such as `amsgrad`, are not supported.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates a variable and its moments."""
        index = self._get_variable_index(variable)
        first, second = self._momentums[index].value, self._velocities[index].value
        dtype = variable.dtype
        update = tf.cast(self.iterations + 1, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=first.handle,
            v=second.handle,
            beta1_power=self.beta_1**update,
            beta2_power=self.beta_2**update,
            lr=tf.cast(learning_rate, dtype),
            beta1=tf.constant(self.beta_1, dtype),
            beta2=tf.constant(self.beta_2, dtype),
            epsilon=tf.constant(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )

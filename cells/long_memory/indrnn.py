"""The independently recurrent network: each unit sees only its own state."""

from typing import Any

import keras

from seqzoo.cells.activation_gradients import derivative, have_derivatives
from seqzoo.cells.base import RecurrentCell


class Bound(keras.constraints.Constraint):
    """Clips weights to absolute values of at most `maximum`, after another constraint if there is
    one."""

    def __init__(self, maximum: float, other: Any = None):
        self.maximum = maximum
        self.other = other

    def __call__(self, weight: Any) -> Any:
        weight = weight if self.other is None else self.other(weight)
        return keras.ops.clip(weight, -self.maximum, self.maximum)


@keras.saving.register_keras_serializable(package="seqzoo")
class IndRNNCell(RecurrentCell):
    """h = relu(W x + u * h + b)

    u has one recurrent weight per unit, so a step has no matrix product, and the gradient of a unit
    through time is a power of its own weight. Units mix only between layers, so stack two or more
    layers. The paper bounds |u| by 2 ** (1 / steps); set `recurrent_maximum` to that value.

    Reference: Li et al., "Independently Recurrent Neural Network (IndRNN): Building A Longer and
    Deeper RNN", CVPR 2018, section 3.

    Args:
        units: size of the state.
        recurrent_maximum: bound on |u|, above 0, to which u is clipped at the start and after each
            update; None for no bound.
        **kwargs: see `RecurrentCell`; `activation` is "relu" by default. `recurrent_initializer`
            initialises u, uniformly from -1 to 1 by default.

    Raises:
        ValueError: `recurrent_maximum` is not above 0.
    """

    gates = ("candidate",)
    recurrent_gates = ()
    unit_weights = ("recurrent_weight",)

    def __init__(
        self,
        units: int,
        *,
        recurrent_maximum: float | None = None,
        activation: Any = "relu",
        recurrent_initializer: Any = None,
        **kwargs: Any,
    ):
        if recurrent_maximum is not None and recurrent_maximum <= 0:
            raise ValueError(f"`recurrent_maximum` must be above 0, got {recurrent_maximum!r}.")
        if recurrent_initializer is None:
            recurrent_initializer = keras.initializers.RandomUniform(-1, 1)
        super().__init__(
            units, activation=activation, recurrent_initializer=recurrent_initializer, **kwargs
        )
        self.recurrent_maximum = recurrent_maximum

    def initial_unit_weight(self, name, shape, dtype=None):
        u = self.recurrent_initializer(shape, dtype=dtype)
        return u if self.recurrent_maximum is None else Bound(self.recurrent_maximum)(u)

    def add_weight(self, *args: Any, **kwargs: Any) -> Any:
        """See `RecurrentCell`."""
        if kwargs.get("name") == "recurrent_weight" and self.recurrent_maximum is not None:
            kwargs["constraint"] = Bound(self.recurrent_maximum, self.recurrent_constraint)
        return super().add_weight(*args, **kwargs)

    def step_weights(self):
        ((u,),) = super().step_weights()
        if self.recurrent_maximum is not None:
            # For weights from elsewhere, until the first update.
            u = keras.ops.clip(u, -self.recurrent_maximum, self.recurrent_maximum)
        return (self.UnitWeights(u),)

    def step(self, x, r, states, w):
        (h,) = states
        h = self.activation(x.candidate + w.recurrent_weight * h)
        return h, [h]

    @property
    def has_step_gradient(self):
        return have_derivatives(self.activation)

    def step_with_values(self, x, r, states, w):
        h, new = self.step(x, r, states, w)
        return h, new, (h, states[0])

    def step_gradient(self, values, d_states, w):
        (h, before), (dh,) = values, d_states
        d = dh * derivative(self.activation, h)
        return [d], None, [d * w.recurrent_weight], [d * before]

    def get_config(self) -> dict:
        return {**super().get_config(), "recurrent_maximum": self.recurrent_maximum}

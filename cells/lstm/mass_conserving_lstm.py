"""Long short-term memory that conserves mass."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.gates import CellWithGates, masked


@keras.saving.register_keras_serializable(package="seqzoo")
class MassConservingLSTMCell(CellWithGates):
    """A memory of masses: input is stored, moved between units, or leaves as output.

        k = c / sum |c|
        I = softmax(Wi a + Ui k + bi)
        R = softmax(Wr a + Ur k + br)
        o = sigmoid(Wo a + Uo k + bo)
        m = c R + x I
        h = o * m
        c = (1 - o) * m

    x is the first `mass_features` features of the input, a the others, which control the gates. I
    has a row for each of the former and R a row for each unit; softmax makes each row sum to one,
    so the sum of the new h and c is that of x and the old c. States are [h, c], of which h is not
    fed back. Columns: output, input (row by row), redistribution (row by row): a cell has units
    squared of the last. br starts at the identity, so that masses stay where they are, and bo at
    -3, so that they leave slowly, as in the authors' code. `dropout` drops mass too, so leave it at
    zero. The cell named MCLSTM in RecurrentLayers is a different one.

    For water, energy, goods: quantities that obey a conservation law, given in the same unit. The
    paper models rainfall and runoff with 64 units.

    Reference: Hoedt, Kratzert, Klotz, Halmich, Holzleitner, Nearing, Hochreiter and Klambauer,
    "MC-LSTM: Mass-Conserving LSTM", ICML 2021, equations 3 to 8.

    Args:
        units: size of h and of c.
        mass_features: number of features, counted from the first, that are masses, at least 1.
        output_gate_bias: initial value of bo.
        **kwargs: see `RecurrentCell`.

    Raises:
        ValueError: `mass_features` is below 1 or above the features of the input.
    """

    gates = ("output", "input", "redistribution")

    def __init__(
        self,
        units: int,
        *,
        mass_features: int = 1,
        output_gate_bias: float = -3.0,
        **kwargs: Any,
    ):
        super().__init__(units, **kwargs)
        if not isinstance(mass_features, int) or mass_features < 1:
            raise ValueError(
                f"`mass_features` must be a whole number of at least 1, got {mass_features!r}."
            )
        self.mass_features = mass_features
        self.output_gate_bias = output_gate_bias

    @property
    def state_size(self):
        return [self.units, self.units]

    @property
    def _widths(self) -> list[int]:
        """Columns of each gate."""
        return [self.units, self.mass_features * self.units, self.units * self.units]

    def kernel_shape(self, features):
        if features < self.mass_features:
            raise ValueError(
                f"`mass_features={self.mass_features}` needs as many features, got {features}."
            )
        return (features - self.mass_features, sum(self._widths))

    def recurrent_kernel_shape(self):
        return (self.units, sum(self._widths))

    def bias_shape(self):
        return (sum(self._widths),)

    def initial_bias(self, shape, dtype=None):
        output, rest = self._widths[0], self._widths[1]
        start = [
            ops.full((output,), self.output_gate_bias, dtype),
            ops.zeros((rest,), dtype),
            ops.reshape(ops.eye(self.units, dtype=dtype), (-1,)),
        ]
        return super().initial_bias(shape, dtype) + ops.concatenate(start)

    def project(self, inputs):
        # The products of all steps at once would fill a matrix for each example and step.
        return inputs

    def advance(self, x, states, recurrent_mask=None):
        _, c = states
        mass, steering = ops.split(x, [self.mass_features], axis=-1)
        k = masked(self._shares(c), recurrent_mask)
        o, i, r = self._gates(super().project(steering) + self.recur(k))
        m = ops.sum(c[:, :, None] * r, axis=1) + ops.sum(mass[:, :, None] * i, axis=1)
        h = o * m
        return h, [h, (1 - o) * m]

    def joint_step(self):
        matrices = [self.input_matrix(), self.recurrent_matrix()]
        if self.bias is not None:  # adding it separately would be one more pass over the result
            matrices.append(self.input_bias()[None])
        matrix = ops.concatenate(matrices)

        def step(inputs, states, recurrent_mask=None):
            _, c = states
            mass, steering = ops.split(inputs, [self.mass_features], axis=-1)
            rows = [steering, masked(self._shares(c), recurrent_mask)]
            if self.bias is not None:
                rows.append(ops.ones_like(c[:, :1]))
            o, i, r = self._gates(ops.matmul(ops.concatenate(rows, axis=-1), matrix))
            m = ops.squeeze(ops.matmul(c[:, None], r), 1) + ops.sum(mass[:, :, None] * i, axis=1)
            h = o * m
            return h, [h, (1 - o) * m]

        return step

    def _shares(self, c: Any) -> Any:
        """k: each unit's share of all that is stored."""
        total = ops.sum(ops.abs(c), axis=-1, keepdims=True)
        return c / ops.where(total == 0, ops.ones_like(total), total)

    def _gates(self, z: Any) -> tuple[Any, Any, Any]:
        """o, I and R from the arguments of their activations."""
        output, rest, _ = self._widths
        o, i, r = ops.split(z, [output, output + rest], axis=-1)
        i = ops.softmax(ops.reshape(i, (-1, self.mass_features, self.units)), axis=-1)
        r = ops.softmax(ops.reshape(r, (-1, self.units, self.units)), axis=-1)
        return self.recurrent_activation(o), i, r

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "mass_features": self.mass_features,
            "output_gate_bias": self.output_gate_bias,
        }

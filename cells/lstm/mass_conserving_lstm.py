"""Long short-term memory that conserves mass."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.gates import CellWithGates, masked
from seqzoo.cells.options import whole_number


@keras.saving.register_keras_serializable(package="seqzoo")
class MassConservingLSTMCell(CellWithGates):
    """A memory of masses: inputs are stored, moved between units, or released as outputs.

        k = c / sum |c|
        I = softmax(Wi a + Ui k + bi)
        R = softmax(Wr a + Ur k + br)
        o = sigmoid(Wo a + Uo k + bo)
        m = c R + x I
        h = o * m
        c = (1 - o) * m

    x is the first `mass_features` features of the input, a the others, which control the gates. I
    has a row for each mass feature and R a row for each unit. The softmax makes each row sum to
    one, so the new h and c together have the mass of x and the old c. States are [h, c], of which
    h is not fed back. Columns: output, input (row by row), redistribution (row by row, units ** 2
    in all). br starts as the identity matrix and bo at -3, as in the authors' code. Masses are thus
    released slowly, but they do not stay where they are: from the softmax of br alone, a unit keeps
    e / (e + units - 1) of its mass in a step, 4% with 64 units. `dropout` drops mass, too, so leave
    it at zero. The cell named MCLSTM in RecurrentLayers.jl is a different one.

    For water, energy or goods: quantities that obey a conservation law, all in the same unit of
    measurement. The paper uses 64 units for rainfall-runoff modelling.

    Reference: Hoedt, Kratzert, Klotz, Halmich, Holzleitner, Nearing, Hochreiter and Klambauer,
    "MC-LSTM: Mass-Conserving LSTM", ICML 2021, equations 3 to 8.

    Args:
        units: size of h and of c.
        mass_features: number of leading features that are masses, at least 1.
        output_gate_bias: initial value of bo.
        **kwargs: see `RecurrentCell`.

    Raises:
        ValueError: `mass_features` is below 1 or above the number of input features.
    """

    gates = ("output", "input", "redistribution")
    unused_options = ("activation",)

    def __init__(
        self,
        units: int,
        *,
        mass_features: int = 1,
        output_gate_bias: float = -3.0,
        **kwargs: Any,
    ):
        super().__init__(units, **kwargs)
        self.mass_features = whole_number("mass_features", mass_features)
        self.output_gate_bias = output_gate_bias

    @property
    def state_size(self):
        return [self.units, self.units]

    @property
    def _widths(self) -> list[int]:
        """Number of columns of each gate."""
        return [self.units, self.mass_features * self.units, self.units * self.units]

    def kernel_shape(self, features):
        if features < self.mass_features:
            raise ValueError(
                f"`mass_features={self.mass_features}` needs at least as many features, got "
                f"{features}."
            )
        return (features - self.mass_features, sum(self._widths))

    def recurrent_kernel_shape(self):
        return (self.units, sum(self._widths))

    def bias_shape(self):
        return (sum(self._widths),)

    def initial_bias(self, shape, dtype=None):
        output_width, input_width, _ = self._widths
        start = [
            ops.full((output_width,), self.output_gate_bias, dtype),
            ops.zeros((input_width,), dtype),
            ops.reshape(ops.eye(self.units, dtype=dtype), (-1,)),
        ]
        return super().initial_bias(shape, dtype) + ops.concatenate(start)

    def project(self, inputs):
        # Projecting all steps at once would store a matrix for each example and step.
        return inputs

    def advance(self, x, states, recurrent_mask=None):
        _, c = states
        mass, auxiliary = ops.split(x, [self.mass_features], axis=-1)
        k = masked(self._shares(c), recurrent_mask)
        o, i, r = self._gates(super().project(auxiliary) + self.recur(k))
        m = ops.sum(c[:, :, None] * r, axis=1) + ops.sum(mass[:, :, None] * i, axis=1)
        h = o * m
        return h, [h, (1 - o) * m]

    def joint_step(self):
        matrices = [self.input_matrix(), self.recurrent_matrix()]
        if self.bias is not None:  # adding it separately would take another pass over the result
            matrices.append(self.input_bias()[None])
        matrix = ops.concatenate(matrices)

        def step(inputs, states, recurrent_mask=None):
            _, c = states
            mass, auxiliary = ops.split(inputs, [self.mass_features], axis=-1)
            rows = [auxiliary, masked(self._shares(c), recurrent_mask)]
            if self.bias is not None:
                rows.append(ops.ones_like(c[:, :1]))
            o, i, r = self._gates(ops.matmul(ops.concatenate(rows, axis=-1), matrix))
            m = ops.squeeze(ops.matmul(c[:, None], r), 1) + ops.sum(mass[:, :, None] * i, axis=1)
            h = o * m
            return h, [h, (1 - o) * m]

        return step

    def _shares(self, c: Any) -> Any:
        """k: each unit's share of the stored mass."""
        total = ops.sum(ops.abs(c), axis=-1, keepdims=True)
        return c / ops.where(total == 0, ops.ones_like(total), total)

    def _gates(self, z: Any) -> tuple[Any, Any, Any]:
        """o, I and R from their pre-activations."""
        output_width, input_width, _ = self._widths
        o, i, r = ops.split(z, [output_width, output_width + input_width], axis=-1)
        i = ops.softmax(ops.reshape(i, (-1, self.mass_features, self.units)), axis=-1)
        r = ops.softmax(ops.reshape(r, (-1, self.units, self.units)), axis=-1)
        return self.recurrent_activation(o), i, r

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "mass_features": self.mass_features,
            "output_gate_bias": self.output_gate_bias,
        }

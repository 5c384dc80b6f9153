"""The closed-form continuous-time cell."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.gates import clone_initializer, masked
from seqzoo.cells.options import from_keras, whole_number

VARIANTS = {"default": 4, "no-gate": 4, "pure": 1}
"""Number of heads of each variant."""


@keras.saving.register_keras_serializable(package="seqzoo")
class CfCCell(RecurrentCell):
    """A liquid network whose differential equation is solved in closed form: no solver runs.

        z = 1.7159 * tanh(2/3 * (W x + U h + b))
        g = tanh(Wg z + bg)
        k = tanh(Wk z + bk)
        s = sigmoid(-((Wa z + ba) * t + (Wb z + bb)))
        h = s * g + (1 - s) * k

    t is the time since the previous step. With `variant="no-gate"`, h = g + (1 - s) * k. With
    "pure", there is only the closed-form solution: f = Wg z + bg and h = A * (1 - f * exp(-t * (|w|
    + |f|))), where w and A have one weight per unit. z is the backbone: `backbone_layers` layers,
    each of which sees only the previous one; without any, the heads see x and h. Columns of
    `head_kernel`: g, k, a, b.

    The paper's equation has s = sigmoid(-f * t), with one head f. The authors' code adds a second
    one, b, without which g and k would have equal weight at t = 0. This cell computes what the
    PyTorch version of the code does, which has 0.666 for 2/3. The Keras version has no tanh in g
    and k, which is `activation="linear"`, and -a instead of a.

    For irregularly sampled series where an ODE solver is too slow: the paper reports speed-ups of
    one to five orders of magnitude. The paper's default backbones have 1 to 3 layers of 64 to 256
    units.

    Reference: Hasani, Lechner, Amini, Liebenwein, Ray, Tschaikowski, Teschl and Rus, "Closed-form
    continuous-time neural networks", Nature Machine Intelligence 4, 2022, equations 2 and 10; the
    authors' package ncps.

    Args:
        units: size of the state.
        variant: "default", "no-gate" or "pure".
        backbone_units: number of units in each layer of the backbone, at least 1.
        backbone_layers: number of layers of the backbone, at least 0.
        backbone_activation: "lecun_tanh", as above, or any Keras activation.
        **kwargs: see `RecurrentCell`; `activation` is that of g and k.

    Raises:
        ValueError: `variant` is not one of the three, or an option of the backbone is out of range.
    """

    gates = ("backbone",)
    has_gate_matrices = False
    takes_time = True

    def __init__(
        self,
        units: int,
        *,
        variant: str = "default",
        backbone_units: int = 128,
        backbone_layers: int = 1,
        backbone_activation: Any = "lecun_tanh",
        **kwargs: Any,
    ):
        if variant not in VARIANTS:
            raise ValueError(f"`variant` must be one of {', '.join(VARIANTS)}, got {variant!r}.")
        backbone_units = whole_number("backbone_units", backbone_units)
        backbone_layers = whole_number("backbone_layers", backbone_layers, 0)
        super().__init__(units, **kwargs)
        self.variant = variant
        self.backbone_units = backbone_units
        self.backbone_layers = backbone_layers
        self.backbone_activation: Any = (
            backbone_activation
            if backbone_activation == "lecun_tanh"
            else from_keras("backbone_activation", backbone_activation)
        )

    @property
    def _first_width(self) -> int:
        """Columns of the first layer of the backbone, or of the heads if there is no backbone."""
        heads = VARIANTS[self.variant] * self.units
        return self.backbone_units if self.backbone_layers else heads

    def activation_shape(self, option):
        return (self.backbone_units if option == "backbone_activation" else self.units,)

    def kernel_shape(self, features):
        return (features, self._first_width)

    def recurrent_kernel_shape(self):
        return (self.units, self._first_width)

    def bias_shape(self):
        return (self._first_width,)

    def build(self, input_shape):
        super().build(input_shape)
        heads = VARIANTS[self.variant] * self.units
        widths = [self.backbone_units] * (self.backbone_layers - 1) + [heads]
        names = [f"backbone_{k + 2}" for k in range(self.backbone_layers - 1)] + ["head"]
        self.further = []
        for name, width in zip(names, widths, strict=True) if self.backbone_layers else ():
            kernel = self.add_weight(
                shape=(self.backbone_units, width),
                name=f"{name}_kernel",
                initializer=clone_initializer(self.kernel_initializer),
            )
            bias = None
            if self.use_bias:
                bias = self.add_weight(
                    shape=(width,), name=f"{name}_bias", initializer=self.bias_initializer
                )
            self.further.append((kernel, bias))
        if self.variant == "pure":
            self.rate = self.add_weight(shape=(self.units,), name="rate", initializer="zeros")
            self.target = self.add_weight(shape=(self.units,), name="target", initializer="ones")

    def project(self, inputs):
        """The first layer's product with x, and the elapsed time as the last column."""
        return ops.concatenate([super().project(inputs[..., :-1]), inputs[..., -1:]], axis=-1)

    def advance(self, x, states, recurrent_mask=None):
        (h,) = states
        z, t = x[..., :-1], x[..., -1:]
        z = z + self.recur(masked(h, recurrent_mask))
        for kernel, bias in self.further:
            z = ops.matmul(self._squashed(z), ops.convert_to_tensor(kernel))
            z = z if bias is None else z + bias
        if self.variant == "pure":
            rate, target = ops.convert_to_tensor(self.rate), ops.convert_to_tensor(self.target)
            h = target * (1 - z * ops.exp(-t * (ops.abs(rate) + ops.abs(z))))
            return h, [h]
        g, k, a, b = ops.split(z, 4, axis=-1)
        g, k, s = self.activation(g), self.activation(k), ops.sigmoid(-(a * t + b))
        h = g + (1 - s) * k if self.variant == "no-gate" else s * g + (1 - s) * k
        return h, [h]

    def _squashed(self, z: Any) -> Any:
        if self.backbone_activation == "lecun_tanh":
            return 1.7159 * ops.tanh(2 / 3 * z)
        return self.backbone_activation(z)

    def get_config(self) -> dict:
        activation = self.backbone_activation
        return {
            **super().get_config(),
            "variant": self.variant,
            "backbone_units": self.backbone_units,
            "backbone_layers": self.backbone_layers,
            "backbone_activation": activation
            if activation == "lecun_tanh"
            else keras.activations.serialize(activation),
        }

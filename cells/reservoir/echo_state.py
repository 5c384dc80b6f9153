"""The echo state network's reservoir."""

from typing import Any

import keras
import numpy as np
from keras import ops

from seqzoo.cells.base import RecurrentCell


@keras.saving.register_keras_serializable(package="seqzoo")
class EchoStateCell(RecurrentCell):
    """h = (1 - leak) * h + leak * tanh(W x + U h + b), with random, untrained W, U and b.

    W and U are sparse, and U is scaled to a spectral radius. If that is below one, the effect of
    the initial state usually fades (the echo state property). Only a readout, a layer that reads
    the states, is trained. If few units are connected to the inputs, the others remember longer.

    Reference: Jaeger, "The 'echo state' approach to analysing and training recurrent neural
    networks", GMD report 148 (2001); the leak: Jaeger, Lukosevicius, Popovici and Siewert,
    "Optimization and applications of echo state networks with leaky-integrator neurons", Neural
    Networks 20 (2007), equation 2.

    Args:
        units: size of the reservoir.
        spectral_radius: largest absolute eigenvalue of U, above 0.
        leak: leaking rate, the weight of the new activation, above 0 and at most 1.
        connectivity: fraction of U's entries that are not zero, above 0 and at most 1.
        input_connectivity: fraction of W's entries that are not zero, above 0 and at most 1; each
            input has at least one such entry.
        input_scale: the nonzero entries of W are uniform from -input_scale to input_scale; above 0.
        bias_scale: the same for the entries of b, at least 0.
        **kwargs: see `RecurrentCell`.

    Raises:
        ValueError: an option is out of range, or an initializer, a regularizer or a constraint is
            passed.
    """

    gates = ("candidate",)

    def __init__(
        self,
        units: int,
        *,
        spectral_radius: float = 0.9,
        leak: float = 1.0,
        connectivity: float = 0.1,
        input_connectivity: float = 0.1,
        input_scale: float = 1.0,
        bias_scale: float = 0.0,
        **kwargs: Any,
    ):
        for name, value in (("spectral_radius", spectral_radius), ("input_scale", input_scale)):
            if value <= 0:
                raise ValueError(f"`{name}` must be above 0, got {value!r}.")
        fractions = {
            "leak": leak,
            "connectivity": connectivity,
            "input_connectivity": input_connectivity,
        }
        for name, value in fractions.items():
            if not 0 < value <= 1:
                raise ValueError(f"`{name}` must be above 0 and at most 1, got {value!r}.")
        if bias_scale < 0:
            raise ValueError(f"`bias_scale` must be at least 0, got {bias_scale!r}.")
        for weights in ("kernel", "recurrent", "bias"):
            if f"{weights}_initializer" in kwargs:
                raise ValueError(
                    f"`{weights}_initializer` has no effect in EchoStateCell, whose weights follow "
                    "`input_scale`, `spectral_radius`, `connectivity` and `bias_scale`; leave it "
                    "out."
                )
            for name in (f"{weights}_regularizer", f"{weights}_constraint"):
                if kwargs.get(name) is not None:
                    raise ValueError(
                        f"`{name}` has no effect in EchoStateCell, whose weights are not trained; "
                        "leave it out."
                    )
        super().__init__(units, **kwargs)
        self.spectral_radius = spectral_radius
        self.leak = leak
        self.connectivity = connectivity
        self.input_connectivity = input_connectivity
        self.input_scale = input_scale
        self.bias_scale = bias_scale
        self.kernel_initializer = self.initial_kernel
        self.bias_initializer = keras.initializers.RandomUniform(
            -bias_scale, bias_scale, seed=self.seed
        )

    def add_weight(self, *args, **kwargs):
        # Unlike a variable's `trainable`, this holds if a model is frozen and unfrozen.
        return super().add_weight(*args, **{**kwargs, "trainable": False})

    def initial_kernel(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """W, (features, units), drawn independently of U."""
        (rng,) = self.random_numbers().spawn(1)
        connected = rng.random(shape) < self.input_connectivity
        connected[np.arange(shape[0]), rng.integers(shape[1], size=shape[0])] = True
        return ops.cast(rng.uniform(-self.input_scale, self.input_scale, shape) * connected, dtype)

    def initial_recurrent_kernel(self, shape, dtype=None):
        rng = self.random_numbers()
        kernel = rng.uniform(-1, 1, shape) * (rng.random(shape) < self.connectivity)
        radius = np.abs(np.linalg.eigvals(kernel)).max()
        if radius < 1e-6:  # with few units, their connections may have no cycle
            kernel, radius = np.eye(shape[0]), 1.0
        return ops.cast(kernel * self.spectral_radius / radius, dtype)

    def step(self, x, r, states):
        (h,) = states
        h = h + self.leak * (self.activation(x.candidate + r.candidate) - h)
        return h, [h]

    def get_config(self) -> dict:
        config = super().get_config()
        for name in ("kernel_initializer", "bias_initializer", "recurrent_initializer"):
            del config[name]
        options = {
            "spectral_radius": self.spectral_radius,
            "leak": self.leak,
            "connectivity": self.connectivity,
            "input_connectivity": self.input_connectivity,
            "input_scale": self.input_scale,
            "bias_scale": self.bias_scale,
        }
        return {**config, **options}

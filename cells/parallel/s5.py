"""The simplified state space layer."""

from typing import Any

import keras
import numpy as np
from keras import ops

from seqzoo.cells.diagonal import DiagonalCell, fixed_initializer
from seqzoo.cells.options import whole_number


@keras.saving.register_keras_serializable(package="seqzoo")
class S5Cell(DiagonalCell):
    """A state space model that is diagonal and discretised, for all features at once.

        l = exp(L * d)                                  L = -exp(n) + i w
        s = l * s + (l - 1) / L * (B x)
        y = 2 Re(C s) + D x

    s, L, B and C are complex. Only one of each conjugate pair is kept, hence the factor 2. L starts
    at the eigenvalues of the normal part of HiPPO-LegS, and B and C start in the basis of its
    eigenvectors; the time scales d, one per pair, are drawn log-uniformly between `minimum_step`
    and `maximum_step`. States are [y, Re s, Im s]. Columns of the kernel: Re B, Im B, D; rows of
    `readout_kernel`: 2 Re C, then -2 Im C. The paper learns Re L itself; exp(n), as in S4D, keeps
    it negative. Its D is diagonal, with as many features as outputs.

    For sequences of thousands of steps. Linear throughout: alternate it with nonlinear layers, as
    the paper does (a gated GELU, layer normalisation and a residual connection), in 4 to 8 layers.

    Reference: Smith, Warrington and Linderman, "Simplified State Space Layers for Sequence
    Modeling", ICLR 2023, section 3 and appendix B; the parametrisation of L: Gu, Gupta, Goel and
    Re, "On the Parameterization and Initialization of Diagonal State Space Models", NeurIPS 2022,
    section 3.1.

    Args:
        units: size of y.
        state_pairs: number of conjugate pairs, at least 1; None for half of `units`.
        minimum_step: smallest initial time scale d, above 0.
        maximum_step: largest initial d, at least `minimum_step`.
        **kwargs: see `RecurrentCell`; the bias is added to D x.

    Raises:
        ValueError: `state_pairs` is below 1, `minimum_step` is not above 0, or `maximum_step` is
            below `minimum_step`.
    """

    gates = ("real", "imaginary", "skip")
    recurrent_gates = ()

    def __init__(
        self,
        units: int,
        *,
        state_pairs: int | None = None,
        minimum_step: float = 0.001,
        maximum_step: float = 0.1,
        **kwargs: Any,
    ):
        state_pairs = whole_number("state_pairs", state_pairs, optional=True)
        if not 0 < minimum_step <= maximum_step:
            raise ValueError(
                "`minimum_step` must be above 0 and at most `maximum_step`, got "
                f"{minimum_step!r} and {maximum_step!r}."
            )
        super().__init__(units, **kwargs)
        self.state_pairs = state_pairs
        self.minimum_step = minimum_step
        self.maximum_step = maximum_step

    @property
    def pairs(self):
        return self.state_pairs or max(1, self.units // 2)

    def kernel_shape(self, features):
        return (features, 2 * self.pairs + self.units)

    def bias_shape(self):
        return (self.units,)

    def build(self, input_shape):
        rng, pairs, features = self.random_numbers(), self.pairs, input_shape[-1]
        eigenvalues, vectors = hippo(2 * pairs)
        b = vectors.conj().T @ rng.normal(0, features**-0.5, (2 * pairs, features))
        c = rng.normal(0, (2 * pairs) ** -0.5, (self.units, 2 * pairs)) @ vectors
        self._initial_b = np.concatenate([b.real, b.imag]).T
        super().build(input_shape)
        del self._initial_b
        low, high = np.log(self.minimum_step), np.log(self.maximum_step)
        start = {
            "decay": np.log(-eigenvalues.real),
            "frequency": eigenvalues.imag,
            "log_step": rng.uniform(low, high, pairs),
        }
        for name, value in start.items():
            weight = self.add_weight(
                shape=(pairs,), name=name, initializer=fixed_initializer(value)
            )
            setattr(self, name, weight)
        self.readout_kernel = self.add_weight(
            shape=(2 * pairs, self.units),
            name="readout_kernel",
            initializer=fixed_initializer(2 * np.concatenate([c.real, -c.imag], axis=1).T),
        )

    def add_weight(self, *args: Any, **kwargs: Any) -> Any:
        """See `RecurrentCell`; `build` computes the initial B, and `kernel_initializer` draws D."""
        if kwargs.get("name") == "kernel":
            initialize_d = kwargs["initializer"]
            initial_b = self._initial_b

            def initial(shape, dtype=None):
                initial_d = initialize_d((shape[0], self.units), dtype=dtype)
                return ops.concatenate([ops.cast(initial_b, dtype), initial_d], axis=1)

            kwargs["initializer"] = initial
        return super().add_weight(*args, **kwargs)

    def _discretised(self) -> tuple[Any, Any, Any, Any]:
        """l and (l - 1) / L, as real and imaginary parts."""
        real = -ops.exp(ops.convert_to_tensor(self.decay))
        imaginary = ops.convert_to_tensor(self.frequency)
        step = ops.exp(ops.convert_to_tensor(self.log_step))
        radius, angle = ops.exp(real * step), imaginary * step
        a, b = radius * ops.cos(angle), radius * ops.sin(angle)
        square = real * real + imaginary * imaginary
        scale_real = ((a - 1) * real + b * imaginary) / square
        scale_imaginary = (b * real - (a - 1) * imaginary) / square
        return a, b, scale_real, scale_imaginary

    def coefficients(self):
        a, b, *_ = self._discretised()
        return a, b

    def drive(self, inputs):
        with self.at_least_float32():  # l - 1 is the difference of nearly equal numbers
            *_, real, imaginary = self._discretised()
        kernel = ops.cast(self.input_matrix()[:, : 2 * self.pairs], real.dtype)
        b_real, b_imaginary = ops.split(kernel, 2, axis=1)
        scaled = [
            b_real * real - b_imaginary * imaginary,
            b_real * imaginary + b_imaginary * real,
        ]
        return ops.matmul(inputs, ops.cast(ops.concatenate(scaled, axis=1), self.compute_dtype))

    def skip(self, inputs):
        y = ops.matmul(inputs, self.input_matrix()[:, 2 * self.pairs :])
        return y if self.bias is None else y + ops.convert_to_tensor(self.bias)

    def get_config(self) -> dict:
        options = {
            "state_pairs": self.state_pairs,
            "minimum_step": self.minimum_step,
            "maximum_step": self.maximum_step,
        }
        return {**super().get_config(), **options}


def hippo(size: int) -> tuple[Any, Any]:
    """The normal part of HiPPO-LegS: eigenvalues above the real axis, and their eigenvectors.

    Args:
        size: the size of the matrix, an even number.

    Returns:
        (size / 2,) and (size, size / 2), complex.
    """
    root = np.sqrt(np.arange(size) + 0.5)
    skew = np.tril(np.outer(root, root), -1)
    skew = skew.T - skew  # without the diagonal of -1/2
    frequencies, vectors = np.linalg.eigh(-1j * skew)
    above = frequencies > 0
    return -0.5 + 1j * frequencies[above], vectors[:, above]

"""Base class of cells with a linear, diagonal, complex recurrence, which has no matrix product."""

from collections.abc import Callable
from typing import Any

from keras import ops

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.private_keras import backend


class DiagonalCell(RecurrentCell):
    """A cell whose complex state follows an elementwise linear recurrence; abstract.

        s = l * s + drive(x)
        y = read(s, skip(x))

    s and l are complex, stored as real and imaginary parts. States are [y, Re s, Im s]. A subclass
    implements `coefficients`, `drive` and `skip`. Since y does not enter the recurrence, the fast
    scan computes the matrix products of all steps at once, before and after its loop.

    Args:
        units: size of y.
        **kwargs: see `RecurrentCell`.
    """

    recurrent_gates = ()
    unused_options = ("activation", "recurrent_initializer")

    @property
    def pairs(self) -> int:
        """Number of complex numbers in s."""
        return self.units

    @property
    def state_size(self):
        return [self.units, self.pairs, self.pairs]

    @property
    def has_recurrent_product(self):
        return False

    @property
    def recurs_diagonally(self):
        cell_class = type(self)
        own = cell_class.project is DiagonalCell.project
        return own and cell_class.advance is DiagonalCell.advance

    def coefficients(self) -> tuple[Any, Any]:
        """Re l and Im l, each (pairs,)."""
        raise NotImplementedError

    def at_least_float32(self) -> Any:
        """A context in which weights are read in at least single precision."""
        return backend.AutocastScope("float64" if self.compute_dtype == "float64" else "float32")

    def exact_coefficients(self) -> tuple[Any, Any]:
        """`coefficients` in at least single precision: rounded to half precision, |l| may be above
        one, and the states would grow exponentially."""
        with self.at_least_float32():
            return self.coefficients()

    def drive(self, inputs: Any) -> Any:
        """(..., features) -> (..., 2 * pairs): the input to the recurrence, real parts first."""
        raise NotImplementedError

    def skip(self, inputs: Any) -> Any:
        """(..., features) -> (..., units): the input's direct contribution to y."""
        raise NotImplementedError

    def read(self, s: Any, skip: Any) -> Any:
        """y: s (..., 2 * pairs) and `skip` (..., units) -> (..., units)."""
        return ops.matmul(s, ops.convert_to_tensor(self.readout_kernel)) + skip

    def project(self, inputs):
        return ops.concatenate([self.drive(inputs), self.skip(inputs)], axis=-1)

    def advance(self, x, states, recurrent_mask=None):
        a, b = self.exact_coefficients()
        drive_real, drive_imaginary, skip = ops.split(x, [self.pairs, 2 * self.pairs], axis=-1)
        _, real, imaginary = (ops.cast(state, a.dtype) for state in states)
        new_real = ops.cast(a * real - b * imaginary, x.dtype) + drive_real
        new_imaginary = ops.cast(b * real + a * imaginary, x.dtype) + drive_imaginary
        y = self.read(ops.concatenate([new_real, new_imaginary], axis=-1), skip)
        return y, [y, new_real, new_imaginary]


def fixed_initializer(value: Any) -> Callable:
    """An initializer that returns `value`, whatever the shape."""
    return lambda shape, dtype=None: ops.cast(value, dtype)

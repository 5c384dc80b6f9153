"""Base class of cells with a linear, diagonal, complex recurrence, which has no matrix product."""

from collections.abc import Callable
from typing import Any

from keras import ops

from seqzoo.cells.base import RecurrentCell


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
        _, real, imaginary = states
        a, b = self.coefficients()
        drive_real, drive_imaginary, skip = ops.split(x, [self.pairs, 2 * self.pairs], axis=-1)
        new_real = a * real - b * imaginary + drive_real
        new_imaginary = b * real + a * imaginary + drive_imaginary
        y = self.read(ops.concatenate([new_real, new_imaginary], axis=-1), skip)
        return y, [y, new_real, new_imaginary]


def fixed_initializer(value: Any) -> Callable:
    """An initializer that returns `value`, whatever the shape."""
    return lambda shape, dtype=None: ops.cast(value, dtype)

"""Base class of the antisymmetric recurrences: the recurrent matrix, step size and diffusion."""

from typing import Any

from keras import ops

from seqzoo.cells.base import RecurrentCell


class AntisymmetricCell(RecurrentCell):
    """A cell whose recurrent matrix is U - U^T - gamma I; abstract.

    The real parts of the matrix's eigenvalues are -gamma.

    Args:
        units: size of the state.
        epsilon: step size, above 0.
        gamma: strength of diffusion, at least 0.
        **kwargs: see `RecurrentCell`; `recurrent_initializer` is normal with variance
            1 / units by default.

    Raises:
        ValueError: `epsilon` is not above 0, or `gamma` is below 0.
    """

    def __init__(
        self,
        units: int,
        *,
        epsilon: float = 0.1,
        gamma: float = 0.01,
        recurrent_initializer: Any = "lecun_normal",
        **kwargs: Any,
    ):
        if epsilon <= 0:
            raise ValueError(f"`epsilon` must be above 0, got {epsilon!r}.")
        if gamma < 0:
            raise ValueError(f"`gamma` must be at least 0, got {gamma!r}.")
        super().__init__(units, recurrent_initializer=recurrent_initializer, **kwargs)
        self.epsilon = epsilon
        self.gamma = gamma

    def recurrent_matrix(self):
        kernel = super().recurrent_matrix()
        eye = ops.eye(kernel.shape[0], dtype=kernel.dtype)
        return kernel - ops.transpose(kernel) - self.gamma * eye

    def get_config(self) -> dict:
        return {**super().get_config(), "epsilon": self.epsilon, "gamma": self.gamma}

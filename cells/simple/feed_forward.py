"""A baseline without recurrence: a layer that sees only the last few inputs."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.activation_gradients import derivative, have_derivatives
from seqzoo.cells.base import RecurrentCell, gates_named
from seqzoo.cells.options import whole_number


@keras.saving.register_keras_serializable(package="seqzoo")
class FeedForwardCell(RecurrentCell):
    """h = f(W0 x + W1 x1 + W2 x2 + ... + b), where x1 is the input before x, x2 the one before x1.

    One layer of a time-delay network: nothing older than the window reaches the output. Inputs
    before the start of the sequence and masked inputs contribute nothing. With a window of one it
    is a dense layer at each step. A language model with this cell is the model of Bengio et al.,
    over n-grams of window + 1 tokens; averaging its outputs over all steps gives a bag of n-grams.

    States are h and, for each of the next steps, the sum of what the inputs so far contribute to
    it, starting with W1 x + W2 x1 + ..., so that a step is elementwise. Columns of the kernel: W0,
    W1, W2 and so on.

    Reference: Waibel, Hanazawa, Hinton, Shikano and Lang, "Phoneme Recognition Using Time-Delay
    Neural Networks", IEEE Transactions on Acoustics, Speech, and Signal Processing 37 (1989),
    section II; language models: Bengio, Ducharme, Vincent and Jauvin, "A Neural Probabilistic
    Language Model", JMLR 3 (2003), section 2.

    Args:
        units: size of h.
        window: number of inputs on which h depends, including the current one, at least 1.
        **kwargs: see `RecurrentCell`.

    Raises:
        ValueError: `window` is out of range; see also `RecurrentCell`.
    """

    recurrent_gates = ()
    unused_options = ("recurrent_initializer",)
    RecurrentGates = gates_named(())

    def __init__(self, units: int, *, window: int = 5, **kwargs: Any):
        window = whole_number("window", window)
        super().__init__(units, **kwargs)
        self.window = window

    @property
    def gates(self):
        return ("now", *(f"delay_{k}" for k in range(1, self.window)))

    @property
    def Gates(self):
        return gates_named(self.gates)

    @property
    def state_size(self):
        return [self.units] * self.window

    @property
    def record_states(self):
        return tuple(range(1, self.window))

    def bias_shape(self):
        return (self.units,)

    def input_bias(self):
        bias = super().input_bias()
        if bias is None or self.window == 1:
            return bias
        return ops.concatenate([bias, ops.zeros(((self.window - 1) * self.units,), bias.dtype)])

    def step(self, x, r, states):
        _, *sums = states
        h = self.activation(x.now + sums[0] if sums else x.now)
        delayed = x[1:]
        older = [a + b for a, b in zip(delayed, sums[1:], strict=False)]
        return h, [h, *older, *delayed[len(older) :]]

    @property
    def has_step_gradient(self):
        return have_derivatives(self.activation)

    def step_with_values(self, x, r, states):
        h, new = self.step(x, r, states)
        return h, new, (h,)

    def step_gradient(self, values, d_states):
        (h,), (dh, *d_sums) = values, d_states
        d_now = dh * derivative(self.activation, h)
        d_old = [d_now, *d_sums[:-1]] if d_sums else []
        return [d_now, *d_sums], None, [ops.zeros_like(dh), *d_old]

    def get_config(self) -> dict:
        return {**super().get_config(), "window": self.window}

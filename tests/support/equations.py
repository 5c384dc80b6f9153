"""The cells' equations in NumPy, written from the papers: what the cells are held against.

Each function is one time step. It takes x (batch, features), the list of states (batch, units), the
weights in the order of the cell's `get_weights`, and what dropout multiplies the recurrent input
with; after these come the cell's own options by name. It returns the list of new states, of which
the first is the output.
"""

from collections.abc import Callable

import numpy as np

ACTIVATIONS: dict[str, Callable] = {
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "relu": lambda z: np.maximum(z, 0),
    "linear": lambda z: z,
    "softsign": lambda z: z / (1 + np.abs(z)),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "hard_sigmoid": lambda z: np.clip(z / 6 + 1 / 2, 0, 1),
}


def vanilla(x, states, weights, dropped, activation="tanh", use_bias=True):
    """Elman 1990."""
    f = ACTIVATIONS[activation]
    (h,) = states
    W, U = weights[:2]
    b = weights[2] if use_bias else 0
    return [f(x @ W + (dropped * h) @ U + b)]


def gated(
    x,
    states,
    weights,
    dropped,
    activation="tanh",
    recurrent_activation="sigmoid",
    use_bias=True,
    gate_bias=False,
):
    """g = sigmoid(Wg x + Ug h); h = (1 - g) h + g f(W x + U h + b)."""
    f, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    (h,) = states
    Wg, W = np.split(weights[0], 2, axis=1)
    Ug, U = np.split(weights[1], 2, axis=1)
    bg, b = 0, 0
    if gate_bias:
        bg, b = np.split(weights[2], 2)
    elif use_bias:
        b = weights[2]
    m = dropped * h
    g = sigmoid(x @ Wg + m @ Ug + bg)
    return [(1 - g) * h + g * f(x @ W + m @ U + b)]


def lstm(
    x,
    states,
    weights,
    dropped,
    activation="tanh",
    recurrent_activation="sigmoid",
    use_bias=True,
    unit_forget_bias=True,
):
    """Gers, Schmidhuber and Cummins 2000, without peepholes; `unit_forget_bias` only begins."""
    f, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    h, c = states
    Wi, Wf, Wg, Wo = np.split(weights[0], 4, axis=1)
    Ui, Uf, Ug, Uo = np.split(weights[1], 4, axis=1)
    bi, bf, bg, bo = np.split(weights[2], 4) if use_bias else (0, 0, 0, 0)
    m = dropped * h
    input_gate = sigmoid(x @ Wi + m @ Ui + bi)
    forget_gate = sigmoid(x @ Wf + m @ Uf + bf)
    candidate = f(x @ Wg + m @ Ug + bg)
    output_gate = sigmoid(x @ Wo + m @ Uo + bo)
    c = forget_gate * c + input_gate * candidate
    return [output_gate * f(c), c]


def gru(
    x,
    states,
    weights,
    dropped,
    activation="tanh",
    recurrent_activation="sigmoid",
    use_bias=True,
    reset_after=True,
):
    """Cho et al. 2014: version 3 of the paper (reset_after), and version 1."""
    f, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    (h,) = states
    Wz, Wr, Wn = np.split(weights[0], 3, axis=1)
    Uz, Ur, Un = np.split(weights[1], 3, axis=1)
    (bz, br, bn), (cz, cr, cn) = (0, 0, 0), (0, 0, 0)
    if use_bias and reset_after:
        (bz, br, bn), (cz, cr, cn) = (np.split(row, 3) for row in weights[2])
    elif use_bias:
        bz, br, bn = np.split(weights[2], 3)
    m = dropped * h
    z = sigmoid(x @ Wz + bz + m @ Uz + cz)
    r = sigmoid(x @ Wr + br + m @ Ur + cr)
    if reset_after:
        n = f(x @ Wn + bn + r * (m @ Un + cn))
    else:
        n = f(x @ Wn + bn + (r * m) @ Un)
    return [z * h + (1 - z) * n]


def run(step, x, states, mask=None, go_backwards=False, zero_output_for_mask=False):
    """Runs a step over time.

    Args:
        step: (x, states) -> new states, of one time step.
        x: (batch, time, features).
        states: list of (batch, units).
        mask: (batch, time) of bool; false for steps that change no state and repeat the output
            of the step before (zeros before the first), or None.
        go_backwards: run from the last step to the first, and leave the outputs in that order.
        zero_output_for_mask: masked steps give zeros, not the output of the step before.

    Returns:
        Outputs (batch, time, units), the last output, and the list of last states.
    """
    batch, time, _ = x.shape
    mask = np.ones((batch, time), bool) if mask is None else mask
    outputs, shown = [], np.zeros_like(states[0])
    for t in reversed(range(time)) if go_backwards else range(time):
        live = mask[:, t, None]
        new = step(x[:, t], states)
        before = np.zeros_like(shown) if zero_output_for_mask else shown
        shown = np.where(live, new[0], before)
        states = [np.where(live, a, b) for a, b in zip(new, states, strict=True)]
        outputs.append(shown)
    return np.stack(outputs, axis=1), outputs[-1], states

"""Oracles of the GRU family."""

import numpy as np

from oracles import ACTIVATIONS, oracle


@oracle(
    {"use_bias": False, "recurrent_activation": "hard_sigmoid"},
    {"reset_after": False},
    {"reset_after": False, "use_bias": False, "activation": "relu"},
)
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
    Wz, Wr, Wn = np.split(weights["kernel"], 3, axis=1)
    Uz, Ur, Un = np.split(weights["recurrent_kernel"], 3, axis=1)
    (bz, br, bn), (cz, cr, cn) = (0, 0, 0), (0, 0, 0)
    if use_bias and reset_after:
        (bz, br, bn), (cz, cr, cn) = (np.split(row, 3) for row in weights["bias"])
    elif use_bias:
        bz, br, bn = np.split(weights["bias"], 3)
    m = dropped * h
    z = sigmoid(x @ Wz + bz + m @ Uz + cz)
    r = sigmoid(x @ Wr + br + m @ Ur + cr)
    if reset_after:
        n = f(x @ Wn + bn + r * (m @ Un + cn))
    else:
        n = f(x @ Wn + bn + (r * m) @ Un)
    return [z * h + (1 - z) * n]

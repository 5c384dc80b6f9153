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


@oracle({"use_bias": False, "activation": "tanh", "recurrent_activation": "hard_sigmoid"})
def light_gru(
    x,
    states,
    weights,
    dropped,
    activation="relu",
    recurrent_activation="sigmoid",
    use_bias=True,
):
    """Ravanelli et al. 2018, without batch normalisation."""
    f, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    (h,) = states
    Wz, Wn = np.split(weights["kernel"], 2, axis=1)
    Uz, Un = np.split(weights["recurrent_kernel"], 2, axis=1)
    bz, bn = np.split(weights["bias"], 2) if use_bias else (0, 0)
    m = dropped * h
    z = sigmoid(x @ Wz + m @ Uz + bz)
    return [z * h + (1 - z) * f(x @ Wn + m @ Un + bn)]


@oracle(
    {
        "use_bias": False,
        "activation": "softsign",
        "recurrent_activation": "hard_sigmoid",
        "update_bias": 1.0,
    }
)
def ugrnn(
    x,
    states,
    weights,
    dropped,
    activation="tanh",
    recurrent_activation="sigmoid",
    use_bias=True,
    update_bias=0.0,
):
    """Collins, Sohl-Dickstein and Sussillo 2017; `update_bias` only begins."""
    s, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    (h,) = states
    Wc, Wg = np.split(weights["kernel"], 2, axis=1)
    Uc, Ug = np.split(weights["recurrent_kernel"], 2, axis=1)
    bc, bg = np.split(weights["bias"], 2) if use_bias else (0, 0)
    m = dropped * h
    g = sigmoid(x @ Wg + m @ Ug + bg)
    return [g * h + (1 - g) * s(x @ Wc + m @ Uc + bc)]


@oracle({"use_bias": False, "activation": "relu", "recurrent_activation": "hard_sigmoid"})
def mgu(
    x,
    states,
    weights,
    dropped,
    activation="tanh",
    recurrent_activation="sigmoid",
    use_bias=True,
):
    """Zhou et al. 2016: the forget gate lets the candidate in."""
    phi, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    (h,) = states
    Wf, Wh = np.split(weights["kernel"], 2, axis=1)
    Uf, Uh = np.split(weights["recurrent_kernel"], 2, axis=1)
    bf, bh = np.split(weights["bias"], 2) if use_bias else (0, 0)
    m = dropped * h
    f = sigmoid(x @ Wf + m @ Uf + bf)
    return [(1 - f) * h + f * phi(x @ Wh + (f * m) @ Uh + bh)]

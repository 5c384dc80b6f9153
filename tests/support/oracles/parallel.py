"""Oracles of recurrences whose gates depend only on the input, and of their relatives."""

import math

import numpy as np

from oracles import ACTIVATIONS, oracle, sigmoid


@oracle({"activation": "minimal_positive"}, {"activation": "softsign", "use_bias": False})
def mingru(x, states, w, dropped, activation="linear", use_bias=True):
    """Feng et al. 2024, section 3.1; g of appendix B."""
    (h,) = states
    Wz, W = np.split(w["kernel"], 2, axis=1)
    bz, b = np.split(w["bias"], 2) if use_bias else (0, 0)
    z = sigmoid(x @ Wz + bz)
    n = x @ W + b
    if activation == "minimal_positive":
        n = np.where(n >= 0, n + 0.5, sigmoid(n))
    else:
        n = ACTIVATIONS[activation](n)
    return [(1 - z) * h + z * n]


@oracle({"activation": "softsign", "use_bias": False}, {"forget_bias": 1.0})
def minlstm(x, states, w, dropped, activation="linear", use_bias=True, forget_bias=0.0):
    """Feng et al. 2024, section 3.2, gates normalised; `forget_bias` only sets initial values."""
    (h,) = states
    Wf, Wi, W = np.split(w["kernel"], 3, axis=1)
    bf, bi, b = np.split(w["bias"], 3) if use_bias else (0, 0, 0)
    f, i = sigmoid(x @ Wf + bf), sigmoid(x @ Wi + bi)
    n = ACTIVATIONS[activation](x @ W + b)
    return [f / (f + i) * h + i / (f + i) * n]


@oracle({"activation": "softsign", "use_bias": False})
def qrnn(x, states, w, dropped, activation="tanh", use_bias=True):
    """Bradbury et al. 2017, equations 3 and 5; the last three states are V of the last input."""
    _, c, *earlier = states
    W, Wf, Wo, V, Vf, Vo = np.split(w["kernel"], 6, axis=1)
    b, bf, bo = np.split(w["bias"], 3) if use_bias else (0, 0, 0)
    n = ACTIVATIONS[activation](x @ W + earlier[0] + b)
    f = sigmoid(x @ Wf + earlier[1] + bf)
    o = sigmoid(x @ Wo + earlier[2] + bo)
    c = f * c + (1 - f) * n
    return [o * c, c, x @ V, x @ Vf, x @ Vo]


@oracle({"use_bias": False})
def sru(x, states, w, dropped, use_bias=True):
    """Lei et al. 2018, equations 1 to 4."""
    _, c = states
    W, Wf, Wr, V = np.split(w["kernel"], 4, axis=1)
    bf, br = np.split(w["bias"], 2) if use_bias else (0, 0)
    f = sigmoid(x @ Wf + w["forget_weight"] * c + bf)
    r = sigmoid(x @ Wr + w["reset_weight"] * c + br)
    c = f * c + (1 - f) * (x @ W)
    return [r * c + (1 - r) * (x @ V), c]


@oracle({"use_bias": False})
def rg_lru(x, states, w, dropped, use_bias=True):
    """De et al. 2024, section 2.4."""
    (h,) = states
    Wr, Wi, W = np.split(w["kernel"], 3, axis=1)
    br, bi, b = np.split(w["bias"], 3) if use_bias else (0, 0, 0)
    r, i = sigmoid(x @ Wr + br), sigmoid(x @ Wi + bi)
    a = sigmoid(-w["decay"]) ** (8 * r)  # exp(-softplus(l)) = sigmoid(-l)
    return [a * h + np.sqrt(1 - a**2) * (i * (x @ W + b))]


@oracle(
    {"use_bias": False},
    {"minimum": 0.5},
    {"maximum": 0.9},
    {"maximum_angle": math.pi / 4},
)
def lru(
    x,
    states,
    w,
    dropped,
    use_bias=True,
    minimum=0.0,
    maximum=0.99,
    maximum_angle=2 * math.pi,
):
    """Orvieto et al. 2023, complex; the last three options only affect initial values."""
    _, real, imaginary = states
    s = real + 1j * imaginary
    Br, Bi, D = np.split(w["kernel"], 3, axis=1)
    Cr, minus_Ci = np.split(w["readout_kernel"], 2)
    eigenvalue = np.exp(-np.exp(w["decay"]) + 1j * np.exp(w["angle"]))
    s = eigenvalue * s + np.exp(w["scale"]) * (x @ (Br + 1j * Bi))
    y = (s @ (Cr - 1j * minus_Ci)).real + x @ D + (w["bias"] if use_bias else 0)
    return [y, s.real, s.imag]


@oracle({"state_pairs": 3, "minimum_step": 0.01, "maximum_step": 1.0, "use_bias": False})
def s5(
    x,
    states,
    w,
    dropped,
    state_pairs=None,
    minimum_step=0.001,
    maximum_step=0.1,
    use_bias=True,
):
    """Smith et al. 2023, zero-order hold, complex; two options only affect initial values."""
    _, real, imaginary = states
    s, pairs = real + 1j * imaginary, real.shape[1]
    Br, Bi, D = np.split(w["kernel"], [pairs, 2 * pairs], axis=1)
    Cr, minus_Ci = np.split(w["readout_kernel"], 2)
    continuous = -np.exp(w["decay"]) + 1j * w["frequency"]
    discrete = np.exp(continuous * np.exp(w["log_step"]))
    s = discrete * s + (discrete - 1) / continuous * (x @ (Br + 1j * Bi))
    y = (s @ (Cr - 1j * minus_Ci)).real + x @ D + (w["bias"] if use_bias else 0)
    return [y, s.real, s.imag]


@oracle({"forget": "exp", "activation": "softsign"}, {"use_bias": False})
def slstm(x, states, w, dropped, forget="sigmoid", activation="tanh", use_bias=True):
    """Beck et al. 2024, equations 8 to 17."""
    h, c, n, m = states
    W, U = np.split(w["kernel"], 4, axis=1), np.split(w["recurrent_kernel"], 4, axis=1)
    b = np.split(w["bias"], 4) if use_bias else [0] * 4
    d = dropped * h
    z, i, f, o = (x @ W[k] + d @ U[k] + b[k] for k in range(4))
    f = np.log(sigmoid(f)) if forget == "sigmoid" else f
    new_m = np.maximum(f + m, i)
    kept, taken = np.exp(f + m - new_m), np.exp(i - new_m)
    c = kept * c + taken * ACTIVATIONS[activation](z)
    n = kept * n + taken
    return [sigmoid(o) * c / n, c, n, new_m]

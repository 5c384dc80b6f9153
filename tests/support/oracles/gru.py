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
    """Collins, Sohl-Dickstein and Sussillo 2017; `update_bias` only sets initial values."""
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


def _parts(array, count):
    """Columns of a matrix, or entries of a bias, one part per gate."""
    return np.split(array, count, axis=-1)


def _shortcut(x, w):
    return x @ w["shortcut_kernel"] if "shortcut_kernel" in w else x


FORMS = {"use_bias": False, "activation": "softsign", "recurrent_activation": "hard_sigmoid"}
"""Options that change the equations of most cells of this family."""


@oracle(FORMS)
def mgu1(x, states, w, dropped, activation="tanh", recurrent_activation="sigmoid", use_bias=True):
    """Heck and Salem 2017: f = sigmoid(U h + b)."""
    (h,) = states
    Uf, Uh = _parts(w["recurrent_kernel"], 2)
    bf, bh = _parts(w["bias"], 2) if use_bias else (0, 0)
    m = dropped * h
    f = ACTIVATIONS[recurrent_activation](m @ Uf + bf)
    n = ACTIVATIONS[activation](x @ w["kernel"] + (f * m) @ Uh + bh)
    return [(1 - f) * h + f * n]


@oracle(FORMS)
def mgu2(x, states, w, dropped, activation="tanh", recurrent_activation="sigmoid", use_bias=True):
    """Heck and Salem 2017: f = sigmoid(U h)."""
    (h,) = states
    Uf, Uh = _parts(w["recurrent_kernel"], 2)
    m = dropped * h
    f = ACTIVATIONS[recurrent_activation](m @ Uf)
    b = w["bias"] if use_bias else 0
    n = ACTIVATIONS[activation](x @ w["kernel"] + (f * m) @ Uh + b)
    return [(1 - f) * h + f * n]


@oracle(FORMS)
def mgu3(x, states, w, dropped, activation="tanh", recurrent_activation="sigmoid", use_bias=True):
    """Heck and Salem 2017: f = sigmoid(b)."""
    (h,) = states
    f = ACTIVATIONS[recurrent_activation](w["forget_bias"])
    b = w["bias"] if use_bias else 0
    n = ACTIVATIONS[activation](x @ w["kernel"] + (f * dropped * h) @ w["recurrent_kernel"] + b)
    return [(1 - f) * h + f * n]


@oracle(FORMS)
def light_ru(
    x, states, w, dropped, activation="tanh", recurrent_activation="sigmoid", use_bias=True
):
    """Ye et al. 2024."""
    (h,) = states
    Wn, Wf = _parts(w["kernel"], 2)
    b = w["bias"] if use_bias else 0
    f = ACTIVATIONS[recurrent_activation](x @ Wf + (dropped * h) @ w["recurrent_kernel"] + b)
    return [(1 - f) * h + f * ACTIVATIONS[activation](x @ Wn)]


@oracle(FORMS)
def mut1(x, states, w, dropped, activation="tanh", recurrent_activation="sigmoid", use_bias=True):
    """Jozefowicz et al. 2015, MUT1; x may have to be projected to the size of h."""
    f, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    (h,) = states
    Wz, Wr = _parts(w["kernel"], 2)
    Ur, Uh = _parts(w["recurrent_kernel"], 2)
    bz, br, bh = _parts(w["bias"], 3) if use_bias else (0, 0, 0)
    m = dropped * h
    z = sigmoid(x @ Wz + bz)
    r = sigmoid(x @ Wr + m @ Ur + br)
    return [f((r * m) @ Uh + f(_shortcut(x, w)) + bh) * z + h * (1 - z)]


@oracle(FORMS)
def mut2(x, states, w, dropped, activation="tanh", recurrent_activation="sigmoid", use_bias=True):
    """Jozefowicz et al. 2015, MUT2; x may have to be projected to the size of h."""
    f, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    (h,) = states
    Wz, Wh = _parts(w["kernel"], 2)
    Uz, Ur, Uh = _parts(w["recurrent_kernel"], 3)
    bz, bh, br = _parts(w["bias"], 3) if use_bias else (0, 0, 0)
    m = dropped * h
    z = sigmoid(x @ Wz + m @ Uz + bz)
    r = sigmoid(_shortcut(x, w) + m @ Ur + br)
    return [f((r * m) @ Uh + x @ Wh + bh) * z + h * (1 - z)]


@oracle(FORMS)
def mut3(x, states, w, dropped, activation="tanh", recurrent_activation="sigmoid", use_bias=True):
    """Jozefowicz et al. 2015, MUT3."""
    f, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    (h,) = states
    Wz, Wr, Wh = _parts(w["kernel"], 3)
    Uz, Ur, Uh = _parts(w["recurrent_kernel"], 3)
    bz, br, bh = _parts(w["bias"], 3) if use_bias else (0, 0, 0)
    m = dropped * h
    z = sigmoid(x @ Wz + (dropped * f(h)) @ Uz + bz)
    r = sigmoid(x @ Wr + m @ Ur + br)
    return [f((r * m) @ Uh + x @ Wh + bh) * z + h * (1 - z)]


@oracle(FORMS)
def minimal_rnn(
    x, states, w, dropped, activation="tanh", recurrent_activation="sigmoid", use_bias=True
):
    """Chen 2017, with a fully connected encoder."""
    (h,) = states
    bz, bu = _parts(w["bias"], 2) if use_bias else (0, 0)
    z = ACTIVATIONS[activation](x @ w["kernel"] + bz)
    s = (dropped * h) @ w["recurrent_kernel"] + z @ w["update_kernel"] + bu
    u = ACTIVATIONS[recurrent_activation](s)
    return [u * h + (1 - u) * z]


@oracle(FORMS)
def simple_gated_rnn(
    x, states, w, dropped, activation="tanh", recurrent_activation="sigmoid", use_bias=True
):
    """Zu et al. 2021."""
    (h,) = states
    projected = x @ w["kernel"]
    b = w["bias"] if use_bias else 0
    f = ACTIVATIONS[recurrent_activation](projected + (dropped * h) @ w["recurrent_kernel"] + b)
    return [ACTIVATIONS[activation]((1 - f) * projected + f * h)]


@oracle(
    {
        "use_bias": False,
        "activation": "softsign",
        "recurrent_activation": "sigmoid",
        "output_activation": "tanh",
    }
)
def sgu(
    x,
    states,
    w,
    dropped,
    activation="tanh",
    recurrent_activation="hard_sigmoid",
    output_activation="softplus",
    use_bias=True,
):
    """Gao and Glowacka 2016, SGU."""
    (h,) = states
    Wg, Wz = _parts(w["kernel"], 2)
    Ug, Uz = _parts(w["recurrent_kernel"], 2)
    bg, bz = _parts(w["bias"], 2) if use_bias else (0, 0)
    m = dropped * h
    gate = ACTIVATIONS[activation](((x @ Wg + bg) * m) @ Ug)
    out = ACTIVATIONS[output_activation](gate * h)
    z = ACTIVATIONS[recurrent_activation](x @ Wz + bz + m @ Uz)
    return [(1 - z) * h + z * out]


@oracle(
    {
        "use_bias": False,
        "activation": "softsign",
        "recurrent_activation": "sigmoid",
        "output_activation": "tanh",
    }
)
def dsgu(
    x,
    states,
    w,
    dropped,
    activation="tanh",
    recurrent_activation="hard_sigmoid",
    output_activation="sigmoid",
    use_bias=True,
):
    """Gao and Glowacka 2016, DSGU."""
    (h,) = states
    Wg, Wz = _parts(w["kernel"], 2)
    Ug, Uz, Uo = _parts(w["recurrent_kernel"], 3)
    bg, bz = _parts(w["bias"], 2) if use_bias else (0, 0)
    m = dropped * h
    gate = ACTIVATIONS[activation](((x @ Wg + bg) * m) @ Ug)
    out = ACTIVATIONS[output_activation]((gate * m) @ Uo)
    z = ACTIVATIONS[recurrent_activation](x @ Wz + bz + m @ Uz)
    return [(1 - z) * h + z * out]


@oracle({"use_bias": False, "recurrent_activation": "hard_sigmoid"})
def atr(x, states, w, dropped, recurrent_activation="sigmoid", use_bias=True):
    """Zhang et al. 2018."""
    sigmoid = ACTIVATIONS[recurrent_activation]
    (h,) = states
    p = x @ w["kernel"] + (w["bias"] if use_bias else 0)
    q = (dropped * h) @ w["recurrent_kernel"]
    return [sigmoid(p + q) * p + sigmoid(p - q) * h]


@oracle({"use_bias": False, "activation": "linear", "recurrent_activation": "hard_sigmoid"})
def ran(x, states, w, dropped, activation="tanh", recurrent_activation="sigmoid", use_bias=True):
    """Lee, Levy and Zettlemoyer 2017."""
    sigmoid = ACTIVATIONS[recurrent_activation]
    h, c = states
    Wi, Wf, Wc = _parts(w["kernel"], 3)
    Ui, Uf = _parts(w["recurrent_kernel"], 2)
    bi, bf = _parts(w["bias"], 2) if use_bias else (0, 0)
    m = dropped * h
    c = sigmoid(x @ Wi + m @ Ui + bi) * (x @ Wc) + sigmoid(x @ Wf + m @ Uf + bf) * c
    return [ACTIVATIONS[activation](c), c]


@oracle(FORMS)
def cfn(x, states, w, dropped, activation="tanh", recurrent_activation="sigmoid", use_bias=True):
    """Laurent and von Brecht 2017."""
    f, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    (h,) = states
    Vt, Ve, W = _parts(w["kernel"], 3)
    Ut, Ue = _parts(w["recurrent_kernel"], 2)
    bt, be = _parts(w["bias"], 2) if use_bias else (0, 0)
    m = dropped * h
    theta, eta = sigmoid(m @ Ut + x @ Vt + bt), sigmoid(m @ Ue + x @ Ve + be)
    return [theta * f(h) + eta * f(x @ W)]


@oracle({**FORMS, "update_coefficient": 0.8})
def miru1(
    x,
    states,
    w,
    dropped,
    activation="tanh",
    recurrent_activation="sigmoid",
    use_bias=True,
    update_coefficient=0.5,
):
    """Zyarah and Kudithipudi 2025, MiRU-1."""
    (h,) = states
    Wr, Wh = _parts(w["kernel"], 2)
    Ur, Uh = _parts(w["recurrent_kernel"], 2)
    br, bh = _parts(w["bias"], 2) if use_bias else (0, 0)
    m = dropped * h
    r = ACTIVATIONS[recurrent_activation](x @ Wr + br + m @ Ur)
    n = ACTIVATIONS[activation](x @ Wh + bh + (r * m) @ Uh)
    return [update_coefficient * h + (1 - update_coefficient) * n]


@oracle(
    {
        "use_bias": False,
        "activation": "softsign",
        "update_coefficient": 0.8,
        "reset_coefficient": 0.3,
    }
)
def miru2(
    x,
    states,
    w,
    dropped,
    activation="tanh",
    use_bias=True,
    update_coefficient=0.5,
    reset_coefficient=0.5,
):
    """Zyarah and Kudithipudi 2025, MiRU-2."""
    (h,) = states
    b = w["bias"] if use_bias else 0
    seen = (reset_coefficient * dropped * h) @ w["recurrent_kernel"]
    n = ACTIVATIONS[activation](x @ w["kernel"] + b + seen)
    return [update_coefficient * h + (1 - update_coefficient) * n]


@oracle({**FORMS, "delay": 3})
def tau_gru(
    x,
    states,
    w,
    dropped,
    activation="tanh",
    recurrent_activation="sigmoid",
    use_bias=True,
    delay=10,
):
    """Erichson, Lim and Mahoney 2022."""
    f, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    h, past = states
    past = np.split(past, delay, axis=1)  # newest first
    U1, U2, U3, U4 = _parts(w["kernel"], 4)
    W1, W2, W3, W4 = _parts(w["recurrent_kernel"], 4)
    b1, b2, b3, b4 = _parts(w["bias"], 4) if use_bias else (0, 0, 0, 0)
    m = dropped * h
    u = f(m @ W1 + x @ U1 + b1)
    z = f((dropped * past[-1]) @ W2 + x @ U2 + b2)
    g = sigmoid(m @ W3 + x @ U3 + b3)
    a = sigmoid(m @ W4 + x @ U4 + b4)
    return [(1 - g) * h + g * (u + a * z), np.concatenate([h, *past[:-1]], axis=1)]

"""Oracles of the LSTM family."""

import numpy as np

from oracles import ACTIVATIONS, oracle, sigmoid


@oracle(
    {"use_bias": False, "unit_forget_bias": False},
    {"activation": "softsign", "recurrent_activation": "hard_sigmoid"},
)
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
    """Gers, Schmidhuber and Cummins 2000, without peepholes; `unit_forget_bias` only sets
    initial values."""
    f, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    h, c = states
    Wi, Wf, Wg, Wo = np.split(weights["kernel"], 4, axis=1)
    Ui, Uf, Ug, Uo = np.split(weights["recurrent_kernel"], 4, axis=1)
    bi, bf, bg, bo = np.split(weights["bias"], 4) if use_bias else (0, 0, 0, 0)
    m = dropped * h
    input_gate = sigmoid(x @ Wi + m @ Ui + bi)
    forget_gate = sigmoid(x @ Wf + m @ Uf + bf)
    candidate = f(x @ Wg + m @ Ug + bg)
    output_gate = sigmoid(x @ Wo + m @ Uo + bo)
    c = forget_gate * c + input_gate * candidate
    return [output_gate * f(c), c]


@oracle(
    {
        "use_bias": False,
        "output_gate_bias": 0.0,
        "activation": "softsign",
        "recurrent_activation": "hard_sigmoid",
    }
)
def lstm_1997(
    x,
    states,
    weights,
    dropped,
    activation="tanh",
    recurrent_activation="sigmoid",
    use_bias=True,
    output_gate_bias=-1.0,
):
    """Hochreiter and Schmidhuber 1997, appendix A.1, with the squashing functions of the paper."""
    sigmoid = ACTIVATIONS[recurrent_activation]
    h, c = states
    Wi, Wg, Wo = np.split(weights["kernel"], 3, axis=1)
    Ui, Ug, Uo = np.split(weights["recurrent_kernel"], 3, axis=1)
    bi, bg, bo = np.split(weights["bias"], 3) if use_bias else (0, 0, 0)
    m = dropped * h
    net = x @ Wg + m @ Ug + bg
    if activation == "tanh":
        g, squash = 4 / (1 + np.exp(-net)) - 2, lambda z: 2 / (1 + np.exp(-z)) - 1
    else:
        g, squash = 2 * ACTIVATIONS[activation](net / 2), lambda z: ACTIVATIONS[activation](z / 2)
    c = c + sigmoid(x @ Wi + m @ Ui + bi) * g
    return [sigmoid(x @ Wo + m @ Uo + bo) * squash(c), c]


@oracle(
    {
        "use_bias": False,
        "unit_forget_bias": False,
        "activation": "softsign",
        "recurrent_activation": "hard_sigmoid",
    }
)
def peephole_lstm(
    x,
    states,
    weights,
    dropped,
    activation="tanh",
    recurrent_activation="sigmoid",
    use_bias=True,
    unit_forget_bias=True,
):
    """Gers, Schraudolph and Schmidhuber 2002: the output gate peeps at the new memory."""
    f, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    h, c = states
    Wi, Wf, Wg, Wo = np.split(weights["kernel"], 4, axis=1)
    Ui, Uf, Ug, Uo = np.split(weights["recurrent_kernel"], 4, axis=1)
    bi, bf, bg, bo = np.split(weights["bias"], 4) if use_bias else (0, 0, 0, 0)
    m = dropped * h
    input_gate = sigmoid(x @ Wi + m @ Ui + weights["input_peephole"] * c + bi)
    forget_gate = sigmoid(x @ Wf + m @ Uf + weights["forget_peephole"] * c + bf)
    new = forget_gate * c + input_gate * f(x @ Wg + m @ Ug + bg)
    output_gate = sigmoid(x @ Wo + m @ Uo + weights["output_peephole"] * new + bo)
    return [output_gate * f(new), new]


@oracle(
    {
        "use_bias": False,
        "unit_forget_bias": False,
        "activation": "softsign",
        "recurrent_activation": "hard_sigmoid",
    }
)
def coupled_lstm(
    x,
    states,
    weights,
    dropped,
    activation="tanh",
    recurrent_activation="sigmoid",
    use_bias=True,
    unit_forget_bias=True,
):
    """Greff et al. 2017, CIFG, without peepholes: f = 1 - i."""
    f, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    h, c = states
    Wi, Wg, Wo = np.split(weights["kernel"], 3, axis=1)
    Ui, Ug, Uo = np.split(weights["recurrent_kernel"], 3, axis=1)
    bi, bg, bo = np.split(weights["bias"], 3) if use_bias else (0, 0, 0)
    m = dropped * h
    i = sigmoid(x @ Wi + m @ Ui + bi)
    c = (1 - i) * c + i * f(x @ Wg + m @ Ug + bg)
    return [sigmoid(x @ Wo + m @ Uo + bo) * f(c), c]


@oracle(
    {
        "beta": 0.3,
        "longest_dependency": 20,
        "use_bias": False,
        "activation": "softsign",
        "recurrent_activation": "hard_sigmoid",
    }
)
def janet(
    x,
    states,
    weights,
    dropped,
    activation="tanh",
    recurrent_activation="sigmoid",
    use_bias=True,
    beta=1.0,
    longest_dependency=None,
):
    """Van der Westhuizen and Lasenby 2018; `longest_dependency` only sets initial values."""
    f, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    (h,) = states
    Wf, Wn = np.split(weights["kernel"], 2, axis=1)
    Uf, Un = np.split(weights["recurrent_kernel"], 2, axis=1)
    bf, bn = np.split(weights["bias"], 2) if use_bias else (0, 0)
    m = dropped * h
    s = x @ Wf + m @ Uf + bf
    n = f(x @ Wn + m @ Un + bn)
    return [sigmoid(s) * h + (1 - sigmoid(s - beta)) * n]


FORMS = {
    "use_bias": False,
    "unit_forget_bias": False,
    "activation": "softsign",
    "recurrent_activation": "hard_sigmoid",
}
"""Options that change the equations of most cells of this family, or only their initial values."""


@oracle({**FORMS, "memory_units": 7, "peepholes": False})
def projection_lstm(
    x,
    states,
    w,
    dropped,
    activation="tanh",
    recurrent_activation="sigmoid",
    use_bias=True,
    unit_forget_bias=True,
    memory_units=None,
    peepholes=True,
):
    """Sak, Senior and Beaufays 2014, LSTMP without the second projection."""
    f, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    r, c = states
    net = x @ w["kernel"] + (dropped * r) @ w["recurrent_kernel"]
    i, forget, g, o = np.split(net + (w["bias"] if use_bias else 0), 4, axis=1)
    pi, pf, po = w["peephole"] if peepholes else (0, 0, 0)
    c = sigmoid(forget + pf * c) * c + sigmoid(i + pi * c) * f(g)
    m = sigmoid(o + po * c) * f(c)
    return [m @ w["projection_kernel"], c]


@oracle(FORMS)
def multiplicative_lstm(
    x,
    states,
    w,
    dropped,
    activation="tanh",
    recurrent_activation="sigmoid",
    use_bias=True,
    unit_forget_bias=True,
):
    """Krause et al. 2017: the output gate acts inside tanh."""
    f, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    h, c = states
    *Ws, Wm = np.split(w["kernel"], 5, axis=1)
    Us = np.split(w["recurrent_kernel"], 4, axis=1)
    bs = np.split(w["bias"], 4) if use_bias else (0, 0, 0, 0)
    m = (x @ Wm) * ((dropped * h) @ w["multiplier_kernel"])
    i, forget, g, o = (x @ W + m @ U + b for W, U, b in zip(Ws, Us, bs, strict=True))
    c = sigmoid(forget) * c + sigmoid(i) * f(g)
    return [f(c * sigmoid(o)), c]


@oracle(FORMS)
def residual_lstm(
    x,
    states,
    w,
    dropped,
    activation="tanh",
    recurrent_activation="sigmoid",
    use_bias=True,
    unit_forget_bias=True,
):
    """Kim, El-Khamy and Lee 2017; x may have to be projected to the size of h."""
    f, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    h, c = states
    net = x @ w["kernel"] + (dropped * h) @ w["recurrent_kernel"]
    i, forget, g, o = np.split(net + (w["bias"] if use_bias else 0), 4, axis=1)
    pi, pf, po = w["peephole"]
    c = sigmoid(forget + pf * c) * c + sigmoid(i + pi * c) * f(g)
    shortcut = x @ w["shortcut_kernel"] if "shortcut_kernel" in w else x
    return [sigmoid(o + po * c) * (f(c) @ w["projection_kernel"] + shortcut), c]


@oracle({"use_bias": False, "activation": "softsign", "recurrent_activation": "hard_sigmoid"})
def nas(x, states, w, dropped, activation="tanh", recurrent_activation="sigmoid", use_bias=True):
    """Zoph and Le 2017, as in the authors' code, with a bias on the projected input."""
    f, s, relu = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation], ACTIVATIONS["relu"]
    h, c = states
    X = np.split(x @ w["kernel"] + (w["bias"] if use_bias else 0), 8, axis=1)
    M = np.split((dropped * h) @ w["recurrent_kernel"], 8, axis=1)
    first = [
        s(X[0] + M[0]),
        relu(X[1] + M[1]),
        s(X[2] + M[2]),
        relu(X[3] * M[3]),
        f(X[4] + M[4]),
        s(X[5] + M[5]),
        f(X[6] + M[6]),
        s(X[7] + M[7]),
    ]
    second = [
        f(first[0] * first[1]),
        f(first[2] + first[3]),
        f(first[4] * first[5]),
        s(first[6] + first[7]),
    ]
    c = f(second[0] + c) * second[1]
    return [f(c * f(second[2] + second[3])), c]


@oracle(FORMS)
def working_memory_lstm(
    x,
    states,
    w,
    dropped,
    activation="tanh",
    recurrent_activation="sigmoid",
    use_bias=True,
    unit_forget_bias=True,
):
    """Landi et al. 2021."""
    f, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    h, c = states
    net = x @ w["kernel"] + (dropped * h) @ w["recurrent_kernel"]
    i, forget, g, o = np.split(net + (w["bias"] if use_bias else 0), 4, axis=1)
    Vi, Vf, Vo = np.split(w["memory_kernel"], 3, axis=1)
    i = sigmoid(i + f((dropped * c) @ Vi))
    forget = sigmoid(forget + f((dropped * c) @ Vf))
    c = forget * c + i * f(g)
    return [sigmoid(o + f((dropped * c) @ Vo)) * f(c), c]


@oracle(
    {
        "use_bias": False,
        "mass_features": 2,
        "output_gate_bias": 0.0,
        "recurrent_activation": "hard_sigmoid",
    }
)
def mass_conserving_lstm(
    x,
    states,
    w,
    dropped,
    recurrent_activation="sigmoid",
    use_bias=True,
    mass_features=1,
    output_gate_bias=-3.0,
):
    """Hoedt et al. 2021, row by row."""
    _, c = states
    units = c.shape[1]
    new = []
    for mass, steering, before in zip(x[:, :mass_features], x[:, mass_features:], c, strict=True):
        seen = dropped if np.ndim(dropped) == 0 else dropped[len(new)]
        z = steering @ w["kernel"] + (seen * before / np.abs(before).sum()) @ w["recurrent_kernel"]
        z = z + (w["bias"] if use_bias else 0)
        o = ACTIVATIONS[recurrent_activation](z[:units])
        i = np.exp(z[units : units * (1 + mass_features)]).reshape(mass_features, units)
        r = np.exp(z[units * (1 + mass_features) :]).reshape(units, units)
        m = before @ (r / r.sum(1, keepdims=True)) + mass @ (i / i.sum(1, keepdims=True))
        new.append((o * m, m - o * m))
    return [np.stack(state) for state in zip(*new, strict=True)]


@oracle({"use_bias": False, "activation": "softsign", "recurrent_activation": "hard_sigmoid"})
def e_lstm(x, states, w, dropped, activation="tanh", recurrent_activation="sigmoid", use_bias=True):
    """Irie, Gopalakrishnan and Schmidhuber 2024."""
    sigmoid = ACTIVATIONS[recurrent_activation]
    _, c = states
    F, Z, Wo = np.split(w["kernel"], 3, axis=1)
    bf, bz, bo = np.split(w["bias"], 3) if use_bias else (0, 0, 0)
    f = sigmoid(x @ F + w["forget_weight"] * c + bf)
    z = ACTIVATIONS[activation](x @ Z + w["candidate_weight"] * c + bz)
    c = f * c + (1 - f) * z
    return [sigmoid(x @ Wo + (dropped * c) @ w["recurrent_kernel"] + bo) * c, c]


@oracle(
    {"without": "input_gate", "use_bias": False},
    {"without": "forget_gate", "peepholes": False},
    {"without": "output_gate", "activation": "softsign"},
    {"without": "input_activation"},
    {"without": "output_activation"},
)
def lstm_variant(
    x, states, w, dropped, without="nothing", peepholes=True, use_bias=True, activation="tanh"
):
    """Greff et al. 2017, section II: a gate is replaced by 1, or an activation by the identity."""
    h, c = states
    names = [n for n in ("input", "forget", "candidate", "output") if without != f"{n}_gate"]
    z = x @ w["kernel"] + (dropped * h) @ w["recurrent_kernel"] + (w["bias"] if use_bias else 0)
    parts = dict(zip(names, np.split(z, len(names), axis=1), strict=True))

    def gate(name, memory):
        if name not in parts:
            return np.ones_like(memory)
        peephole = w[f"{name}_peephole"] if peepholes else 0
        return sigmoid(parts[name] + peephole * memory)

    squash, linear = ACTIVATIONS[activation], ACTIVATIONS["linear"]
    g = (linear if without == "input_activation" else squash)(parts["candidate"])
    new = gate("forget", c) * c + gate("input", c) * g
    return [gate("output", new) * (linear if without == "output_activation" else squash)(new), new]

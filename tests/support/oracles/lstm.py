"""Oracles of the LSTM family."""

import numpy as np

from oracles import ACTIVATIONS, oracle


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
    """Gers, Schmidhuber and Cummins 2000, without peepholes; `unit_forget_bias` only begins."""
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
    """Hochreiter and Schmidhuber 1997, appendix A.1, with the squashing functions as they are."""
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
    """Van der Westhuizen and Lasenby 2018; `longest_dependency` only begins."""
    f, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    (h,) = states
    Wf, Wn = np.split(weights["kernel"], 2, axis=1)
    Uf, Un = np.split(weights["recurrent_kernel"], 2, axis=1)
    bf, bn = np.split(weights["bias"], 2) if use_bias else (0, 0)
    m = dropped * h
    s = x @ Wf + m @ Uf + bf
    n = f(x @ Wn + m @ Un + bn)
    return [sigmoid(s) * h + (1 - sigmoid(s - beta)) * n]

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

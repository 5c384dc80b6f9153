"""Oracles of the bistable cells."""

import numpy as np

from oracles import ACTIVATIONS, oracle

FORMS = {"use_bias": False, "activation": "softsign", "recurrent_activation": "hard_sigmoid"}


@oracle(FORMS)
def brc(x, states, w, dropped, activation="tanh", recurrent_activation="sigmoid", use_bias=True):
    """Vecoven, Ernst and Drion 2021."""
    f, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    (h,) = states
    Ua, Uc, U = np.split(w["kernel"], 3, axis=1)
    ba, bc = np.split(w["bias"], 2) if use_bias else (0, 0)
    a = 1 + f(x @ Ua + w["feedback_weight"] * h + ba)
    c = sigmoid(x @ Uc + w["update_weight"] * h + bc)
    return [c * h + (1 - c) * f(x @ U + a * h)]


@oracle(FORMS)
def nbrc(x, states, w, dropped, activation="tanh", recurrent_activation="sigmoid", use_bias=True):
    """Vecoven, Ernst and Drion 2021, with matrices for the recurrent weights."""
    f, sigmoid = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    (h,) = states
    Ua, Uc, U = np.split(w["kernel"], 3, axis=1)
    Wa, Wc = np.split(w["recurrent_kernel"], 2, axis=1)
    ba, bc = np.split(w["bias"], 2) if use_bias else (0, 0)
    m = dropped * h
    a = 1 + f(x @ Ua + m @ Wa + ba)
    c = sigmoid(x @ Uc + m @ Wc + bc)
    return [c * h + (1 - c) * f(x @ U + a * h)]

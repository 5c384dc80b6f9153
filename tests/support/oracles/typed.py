"""Oracles of the strongly-typed cells."""

import numpy as np

from oracles import ACTIVATIONS, oracle


@oracle({"use_bias": False, "recurrent_activation": "hard_sigmoid"})
def t_rnn(x, states, w, dropped, recurrent_activation="sigmoid", use_bias=True):
    """Balduzzi and Ghifary 2016, T-RNN."""
    (h,) = states
    z, f = np.split(x @ w["kernel"] + (w["bias"] if use_bias else 0), 2, axis=1)
    f = ACTIVATIONS[recurrent_activation](f)
    return [f * h + (1 - f) * z]


def _features(x, before, w, use_bias):
    """The three features of an input and the previous one, and what the next step needs."""
    now, following = np.split(x @ w["kernel"], 2, axis=1)
    sums = now + np.concatenate(before, axis=1) + (w["bias"] if use_bias else 0)
    return np.split(sums, 3, axis=1), np.split(following, 3, axis=1)


FORMS = {"use_bias": False, "activation": "softsign", "recurrent_activation": "hard_sigmoid"}


@oracle(FORMS)
def t_gru(x, states, w, dropped, activation="tanh", recurrent_activation="sigmoid", use_bias=True):
    """Balduzzi and Ghifary 2016, T-GRU."""
    h, *before = states
    (z, f, o), following = _features(x, before, w, use_bias)
    h = ACTIVATIONS[recurrent_activation](f) * h + z * ACTIVATIONS[activation](o)
    return [h, *following]


@oracle(FORMS)
def t_lstm(x, states, w, dropped, activation="tanh", recurrent_activation="sigmoid", use_bias=True):
    """Balduzzi and Ghifary 2016, T-LSTM."""
    _, c, *before = states
    (z, f, o), following = _features(x, before, w, use_bias)
    f = ACTIVATIONS[recurrent_activation](f)
    c = f * c + (1 - f) * z
    return [c * ACTIVATIONS[activation](o), c, *following]

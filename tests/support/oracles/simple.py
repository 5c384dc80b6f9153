"""Oracles of recurrences with at most one gate."""

import numpy as np

from oracles import ACTIVATIONS, oracle


@oracle(
    {"activation": "relu"},
    {"activation": "linear", "use_bias": False},
    {"activation": "softsign"},
)
def vanilla(x, states, weights, dropped, activation="tanh", use_bias=True):
    """Elman 1990."""
    f = ACTIVATIONS[activation]
    (h,) = states
    W, U = weights["kernel"], weights["recurrent_kernel"]
    b = weights["bias"] if use_bias else 0
    return [f(x @ W + (dropped * h) @ U + b)]


@oracle(
    {"gate_bias": True},
    {"use_bias": False, "activation": "relu"},
    {"recurrent_activation": "hard_sigmoid", "gate_bias": True},
)
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
    Wg, W = np.split(weights["kernel"], 2, axis=1)
    Ug, U = np.split(weights["recurrent_kernel"], 2, axis=1)
    bg, b = 0, 0
    if gate_bias:
        bg, b = np.split(weights["bias"], 2)
    elif use_bias:
        b = weights["bias"]
    m = dropped * h
    g = sigmoid(x @ Wg + m @ Ug + bg)
    return [(1 - g) * h + g * f(x @ W + m @ U + b)]


@oracle({"window": 1}, {"window": 3, "activation": "relu"}, {"window": 2, "use_bias": False})
def feed_forward(x, states, weights, dropped, window=5, activation="tanh", use_bias=True):
    """h = f(W0 x + W1 x1 + ... + b), x1 the previous input; the states hold the pending sums."""
    parts = [x @ W for W in np.split(weights["kernel"], window, axis=1)]
    waiting = [*states[1:], 0]
    b = weights["bias"] if use_bias else 0
    h = ACTIVATIONS[activation](parts[0] + waiting[0] + b)
    return [h, *(part + later for part, later in zip(parts[1:], waiting[1:], strict=True))]

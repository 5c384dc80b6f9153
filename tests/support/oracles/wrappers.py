"""Oracles of cells that wrap another cell, whose own oracle they call."""

import numpy as np

from oracles import ORACLES, oracle, sigmoid


@oracle({"cell": "gru", "rate": 0.3, "memory_rate": 0.1}, {"cell": "projection-lstm"})
def zoneout(x, states, w, dropped, cell="lstm", rate=0.05, memory_rate=0.5):
    """Krueger et al. 2017, in expectation."""
    new = ORACLES[cell](x, states, w, dropped)
    rates = [rate] + [memory_rate] * (len(new) - 1)
    return [p * old + (1 - p) * item for p, old, item in zip(rates, states, new, strict=True)]


@oracle({"cell": "gru", "rate": 0.2})
def weight_drop(x, states, w, dropped, cell="lstm", rate=0.5):
    """Merity et al. 2018, as in inference."""
    return ORACLES[cell](x, states, w, dropped)


@oracle({"epsilon": 0.1, "use_bias": False})
def layer_norm(x, states, w, dropped, epsilon=1e-5, use_bias=True):
    """Ba et al. 2016, equations 20 to 22, around an LSTM."""

    def normal(a):
        return (a - a.mean(1, keepdims=True)) / np.sqrt(a.var(1, keepdims=True) + epsilon)

    h, c = states
    z = normal(x @ w["kernel"]) * w["input_gain"]
    z = z + normal(dropped * h @ w["recurrent_kernel"]) * w["recurrent_gain"]
    i, f, g, o = np.split(z + (w["bias"] if use_bias else 0), 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return [sigmoid(o) * np.tanh(c), c]


@oracle({"cell": "lru"})
def residual(x, states, w, dropped, cell="lstm"):
    """Wu et al. 2016, equation 6, with a projected input."""
    new = ORACLES[cell](x, states[1:], w, dropped)
    return [x @ w["shortcut_kernel"] + new[0], *new]


@oracle({"cell": "gru", "transform_bias": 0.5})
def highway_connection(x, states, w, dropped, cell="lstm", transform_bias=-1.0):
    """Srivastava et al. 2015, equation 3; `transform_bias` only sets initial values."""
    new = ORACLES[cell](x, states[1:], w, dropped)
    t = sigmoid(x @ w["transform_kernel"] + w["transform_bias"])
    return [t * new[0] + (1 - t) * (x @ w["shortcut_kernel"]), *new]


@oracle({"cell": "gru", "layers": 3, "skips": False})
def stacked(x, states, w, dropped, cell="lstm", layers=2, skips=True):
    """Graves 2013, equations 1 to 4."""
    count = (len(states) - 1) // layers
    seen, outputs, new = x, [], []
    for k in range(layers):
        before = states[1 + k * count : 1 + (k + 1) * count]
        cell_states = ORACLES[cell](seen, before, w["cells"][k], dropped)
        outputs, new = [*outputs, cell_states[0]], [*new, *cell_states]
        seen = np.concatenate([cell_states[0], x], axis=1) if skips else cell_states[0]
    y = outputs[-1]
    if skips:
        y = np.concatenate(outputs, axis=1) @ w["readout_kernel"] + w["readout_bias"]
    return [y, *new]


@oracle({"cell": "gru", "fast_cells": 3, "slow_units": 2})
def fast_slow(x, states, w, dropped, cell="lstm", fast_cells=2, slow_units=None):
    """Mujika et al. 2017, equations 1 to 5."""
    step, half = ORACLES[cell], len(states) // 2
    *fast, slow = w["cells"]
    new = step(x, states[:half], fast[0], dropped)
    above = step(new[0], states[half:], slow, 1.0)
    new = step(above[0], new, fast[1], dropped)
    for k in range(2, fast_cells):
        new = step(np.zeros((len(x), 1)), new, fast[k], dropped)
    return [*new, *above]


@oracle({"cell": "gru", "window": 3})
def attention(x, states, w, dropped, cell="lstm", window=10):
    """Cheng et al. 2016, equations 4 to 9, on a tape of `window` steps."""
    count = (len(states) - 2) // 2
    query, tapes, filled = states[count], states[count + 1 : -1], states[-1]
    batch, units = query.shape
    memory = [tape.reshape(batch, window, units) for tape in tapes]
    attended = [np.zeros((batch, units)) for _ in tapes]
    for row in range(batch):
        # If none is filled, all have equal weight.
        positions = [k for k in range(window) if filled[row, k] > 0.5] or list(range(window))
        given = x[row] @ w["input_score_kernel"] + query[row] @ w["query_score_kernel"]
        e = [np.tanh(memory[0][row, k] @ w["memory_score_kernel"] + given) for k in positions]
        a = np.exp(np.array(e) @ w["score_kernel"][:, 0])
        if not (filled[row] > 0.5).any():
            a = np.ones_like(a)
        for whole, item in zip(memory, attended, strict=True):
            item[row] = (a / a.sum()) @ whole[row, positions]
    new = ORACLES[cell](x, attended, w, dropped)
    tapes = [np.concatenate([t[:, units:], s], axis=1) for t, s in zip(tapes, new, strict=True)]
    filled = np.concatenate([filled[:, 1:], np.ones((batch, 1))], axis=1)
    return [*new, attended[0], *tapes, filled]

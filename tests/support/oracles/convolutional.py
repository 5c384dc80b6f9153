"""Oracles of the convolutional cells."""

import numpy as np

from oracles import ACTIVATIONS, oracle, sigmoid


def convolved(x, kernel):
    """(batch, height, width, n) correlated with (rows, columns, n, m), with zero padding."""
    rows, columns = kernel.shape[:2]
    height, width = x.shape[1:3]
    padded = np.pad(x, [(0, 0), (rows // 2,) * 2, (columns // 2,) * 2, (0, 0)])
    return sum(
        padded[:, i : i + height, j : j + width] @ kernel[i, j]
        for i in range(rows)
        for j in range(columns)
    )


@oracle({"kernel_size": [3, 1], "peepholes": False, "use_bias": False, "activation": "softsign"})
def conv_lstm(
    x, states, w, dropped, kernel_size=3, peepholes=True, use_bias=True, activation="tanh"
):
    """Shi et al. 2015, equation 3."""
    h, c = states
    z = convolved(x, w["kernel"]) + convolved(dropped * h, w["recurrent_kernel"])
    i, f, g, o = np.split(z + (w["bias"] if use_bias else 0), 4, axis=3)
    peep = {
        gate: w[f"{gate}_peephole"] if peepholes else 0 for gate in ("input", "forget", "output")
    }
    squash = ACTIVATIONS[activation]
    new = sigmoid(f + peep["forget"] * c) * c + sigmoid(i + peep["input"] * c) * squash(g)
    return [sigmoid(o + peep["output"] * new) * squash(new), new]


@oracle({"kernel_size": [3, 1], "use_bias": False, "activation": "softsign"})
def conv_gru(x, states, w, dropped, kernel_size=3, use_bias=True, activation="tanh"):
    """Ballas et al. 2016, equations 6 to 9."""
    (h,) = states
    xz, xr, xn = np.split(convolved(x, w["kernel"]) + (w["bias"] if use_bias else 0), 3, axis=3)
    Uz, Ur, U = np.split(w["recurrent_kernel"], 3, axis=3)
    d = dropped * h
    z, r = sigmoid(xz + convolved(d, Uz)), sigmoid(xr + convolved(d, Ur))
    n = ACTIVATIONS[activation](xn + convolved(r * d, U))
    return [(1 - z) * h + z * n]

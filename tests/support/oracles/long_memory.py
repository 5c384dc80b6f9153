"""Oracles of the long-memory cells."""

import math

import numpy as np

from oracles import ACTIVATIONS, oracle, sigmoid


@oracle({"activation": "softsign", "use_bias": False})
def irnn(x, states, w, dropped, activation="relu", use_bias=True):
    """Le, Jaitly and Hinton 2015."""
    (h,) = states
    b = w["bias"] if use_bias else 0
    return [ACTIVATIONS[activation](x @ w["kernel"] + (dropped * h) @ w["recurrent_kernel"] + b)]


@oracle({"recurrent_maximum": 0.3}, {"activation": "softsign", "use_bias": False})
def indrnn(x, states, w, dropped, recurrent_maximum=None, activation="relu", use_bias=True):
    """Li et al. 2018, equation 2, with the constraint of section 3.2."""
    (h,) = states
    u = w["recurrent_weight"]
    if recurrent_maximum:
        u = np.clip(u, -recurrent_maximum, recurrent_maximum)
    b = w["bias"] if use_bias else 0
    return [ACTIVATIONS[activation](x @ w["kernel"] + u * h + b)]


@oracle({"epsilon": 0.5, "gamma": 0.3, "activation": "softsign"}, {"use_bias": False})
def antisymmetric(x, states, w, dropped, epsilon=0.1, gamma=0.01, activation="tanh", use_bias=True):
    """Chang et al. 2019, equation 11."""
    (h,) = states
    U = w["recurrent_kernel"]
    A = U - U.T - gamma * np.eye(len(U))
    b = w["bias"] if use_bias else 0
    f = ACTIVATIONS[activation]
    return [h + epsilon * f(x @ w["kernel"] + (dropped * h) @ A + b)]


@oracle({"epsilon": 0.5, "gamma": 0.3, "activation": "softsign"}, {"use_bias": False})
def gated_antisymmetric(
    x, states, w, dropped, epsilon=0.1, gamma=0.01, activation="tanh", use_bias=True
):
    """Chang et al. 2019, equation 13."""
    (h,) = states
    U = w["recurrent_kernel"]
    r = (dropped * h) @ (U - U.T - gamma * np.eye(len(U)))
    Wz, W = np.split(w["kernel"], 2, axis=1)
    bz, b = np.split(w["bias"], 2) if use_bias else (0, 0)
    z = sigmoid(x @ Wz + r + bz)
    return [h + epsilon * z * ACTIVATIONS[activation](x @ W + r + b)]


@oracle({"dt": 0.3, "gamma": 1.5, "epsilon": 0.7, "activation": "softsign"}, {"use_bias": False})
def cornn(
    x, states, w, dropped, dt=0.042, gamma=2.7, epsilon=4.7, activation="tanh", use_bias=True
):
    """Rusch and Mishra 2021, equation 3, damped by the old velocity."""
    y, z = states
    U, V = np.split(w["recurrent_kernel"], 2)
    b = w["bias"] if use_bias else 0
    drive = ACTIVATIONS[activation](x @ w["kernel"] + (dropped * y) @ U + z @ V + b)
    z = z + dt * (drive - gamma * y - epsilon * z)
    return [y + dt * z, z]


@oracle({"dt": 0.7, "alpha": 0.4, "activation": "softsign"}, {"use_bias": False})
def unicornn(x, states, w, dropped, dt=0.1, alpha=1.0, activation="tanh", use_bias=True):
    """Rusch and Mishra 2021 (UnICORNN), equation 3; sigmoid(c) = 0.5 + 0.5 tanh(c / 2)."""
    y, z = states
    s = dt * (0.5 + 0.5 * np.tanh(w["time_scale"] / 2))
    b = w["bias"] if use_bias else 0
    drive = ACTIVATIONS[activation](w["recurrent_weight"] * y + x @ w["kernel"] + b)
    z = z - s * (drive + alpha * y)
    return [y + s * z, z]


@oracle({"dt": 0.4, "activation": "softsign"}, {"use_bias": False})
def lem(x, states, w, dropped, dt=1.0, activation="tanh", use_bias=True):
    """Rusch et al. 2022, equation 3."""
    y, z = states
    f = ACTIVATIONS[activation]
    V1, V2, Vz, Vy = np.split(w["kernel"], 4, axis=1)
    W1, W2, Wz = np.split(w["recurrent_kernel"], 3, axis=1)
    b1, b2, bz, by = np.split(w["bias"], 4) if use_bias else (0, 0, 0, 0)
    m = dropped * y
    first = dt * sigmoid(m @ W1 + x @ V1 + b1)
    second = dt * sigmoid(m @ W2 + x @ V2 + b2)
    z = (1 - first) * z + first * f(m @ Wz + x @ Vz + bz)
    y = (1 - second) * y + second * f(z @ w["memory_kernel"] + x @ Vy + by)
    return [y, z]


@oracle({"epsilon": 0.5, "beta": 0.4, "gamma": 0.2, "activation": "softsign"}, {"use_bias": False})
def lipschitz(
    x, states, w, dropped, epsilon=0.03, beta=0.75, gamma=0.001, activation="tanh", use_bias=True
):
    """Erichson et al. 2021, equations 1 and 11."""
    (h,) = states

    def bounded(M):
        return (1 - beta) * (M + M.T) + beta * (M - M.T) - gamma * np.eye(len(M))

    A, B = (bounded(M) for M in np.split(w["recurrent_kernel"], 2, axis=1))
    b = w["bias"] if use_bias else 0
    m = dropped * h
    return [h + epsilon * (m @ A + ACTIVATIONS[activation](x @ w["kernel"] + m @ B + b))]


@oracle({"activation": "softsign"}, {"use_bias": False})
def fastrnn(x, states, w, dropped, activation="tanh", use_bias=True):
    """Kusupati et al. 2018, section 3.1."""
    (h,) = states
    b = w["bias"] if use_bias else 0
    f = ACTIVATIONS[activation]
    candidate = f(x @ w["kernel"] + (dropped * h) @ w["recurrent_kernel"] + b)
    return [sigmoid(w["candidate_weight"]) * candidate + sigmoid(w["residual_weight"]) * h]


@oracle({"activation": "softsign"}, {"use_bias": False})
def fastgrnn(x, states, w, dropped, activation="tanh", use_bias=True):
    """Kusupati et al. 2018, section 3.2."""
    (h,) = states
    s = x @ w["kernel"] + (dropped * h) @ w["recurrent_kernel"]
    bz, b = np.split(w["bias"], 2) if use_bias else (0, 0)
    z = sigmoid(s + bz)
    candidate = ACTIVATIONS[activation](s + b)
    return [(sigmoid(w["zeta"]) * (1 - z) + sigmoid(w["nu"])) * candidate + z * h]


@oracle({"activation": "softsign"}, {"use_bias": False})
def star(x, states, w, dropped, activation="tanh", use_bias=True):
    """Turkoglu et al. 2022, equation 9."""
    (h,) = states
    f = ACTIVATIONS[activation]
    W, Wk = np.split(w["kernel"], 2, axis=1)
    b, bk = np.split(w["bias"], 2) if use_bias else (0, 0)
    k = sigmoid(x @ Wk + (dropped * h) @ w["recurrent_kernel"] + bk)
    return [f((1 - k) * h + k * f(x @ W + b))]


@oracle({"depth": 2, "activation": "softsign"}, {"use_bias": False}, {"transform_bias": 0.0})
def highway(x, states, w, dropped, depth=3, activation="tanh", use_bias=True, transform_bias=-2.0):
    """Zilly et al. 2017, equations 7 to 9, with c = 1 - t; `transform_bias` only sets initial
    values."""
    (h,) = states
    W, Wt = np.split(w["kernel"], 2, axis=1)
    R = np.split(w["recurrent_kernel"], 2 * depth, axis=1)
    b = np.split(w["bias"], 2 * depth) if use_bias else [0] * 2 * depth
    for layer in range(depth):
        m = dropped * h
        first = layer == 0
        candidate = ACTIVATIONS[activation](
            m @ R[2 * layer] + b[2 * layer] + (x @ W if first else 0)
        )
        t = sigmoid(m @ R[2 * layer + 1] + b[2 * layer + 1] + (x @ Wt if first else 0))
        h = candidate * t + h * (1 - t)
    return [h]


@oracle({"alpha": 0.6, "context_units": 3}, {"activation": "softsign", "use_bias": False})
def scrn(
    x, states, w, dropped, alpha=0.95, context_units=None, activation="sigmoid", use_bias=True
):
    """Mikolov et al. 2015, equations 4 to 6."""
    _, h, s = states
    A, B = np.split(w["kernel"], [h.shape[1]], axis=1)
    P, V = np.split(w["context_kernel"], 2, axis=1)
    s = (1 - alpha) * (x @ B) + alpha * s
    b = w["bias"] if use_bias else 0
    z = s @ P + x @ A + (dropped * h) @ w["recurrent_kernel"] + b
    h = ACTIVATIONS[activation](z)
    return [h @ w["output_kernel"] + s @ V, h, s]


@oracle({"parametrization": "cayley"}, {"activation": "tanh"})
def orthogonal(x, states, w, dropped, parametrization="exponential", activation="modrelu"):
    """exp(A) from its eigenvalues, or the Cayley transform; modReLU of Arjovsky et al. 2016."""
    (h,) = states
    A = w["recurrent_kernel"] - w["recurrent_kernel"].T
    if parametrization == "cayley":
        eye = np.eye(len(A))
        Q = np.linalg.inv(eye + A) @ (eye - A)
    else:
        values, vectors = np.linalg.eig(A)
        Q = (vectors @ np.diag(np.exp(values)) @ np.linalg.inv(vectors)).real
    z = x @ w["kernel"] + (dropped * h) @ Q.T
    b = w["modulation"]
    if activation == "modrelu":
        return [np.sign(z) * np.maximum(np.abs(z) + b, 0)]
    return [ACTIVATIONS[activation](z + b)]


@oracle({"order": 4, "theta": 7.0}, {"activation": "softsign", "use_bias": True})
def lmu(x, states, w, dropped, order=16, theta=100.0, activation="tanh", use_bias=False):
    """Voelker et al. 2019, equations 1 to 7; A and B of a step by integrating the equation."""
    h, m = states
    A, B = _legendre(order, theta)
    W, ex = np.split(w["kernel"], [h.shape[1]], axis=1)
    d = dropped * h
    u = x @ ex + d @ w["hidden_encoder"] + m @ w["memory_encoder"]
    m = m @ A.T + u @ B[None]
    z = x @ W + d @ w["recurrent_kernel"] + m @ w["memory_kernel"]
    return [ACTIVATIONS[activation](z + (w["bias"] if use_bias else 0)), m]


def _legendre(order, theta):
    a, b = np.zeros((order, order)), np.zeros(order)
    for i in range(order):
        b[i] = (2 * i + 1) * (-1) ** i / theta
        for j in range(order):
            a[i, j] = (2 * i + 1) / theta * (-1 if i < j else (-1) ** (i - j + 1))
    # exp(a) and the integral of exp(a s) b from 0 to 1, by their power series.
    total, integral = np.zeros_like(a), np.zeros_like(a)
    power = np.eye(order)
    for k in range(80):
        total += power / math.factorial(k)
        integral += power / math.factorial(k + 1)
        power = power @ a
    return total, integral @ b


@oracle({"activation": "softsign", "use_bias": False})
def plrnn(x, states, w, dropped, activation="relu", use_bias=True):
    """Durstewitz 2017, equation 1, without noise."""
    (h,) = states
    U = w["recurrent_kernel"].copy()
    np.fill_diagonal(U, 0)
    b = w["bias"] if use_bias else 0
    f = ACTIVATIONS[activation]
    return [h * w["own_weight"] + (f(dropped * h)) @ U + x @ w["kernel"] + b]

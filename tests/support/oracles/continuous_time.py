"""Oracles of the continuous-time cells; the last column of x is the elapsed time."""

import numpy as np

from oracles import ACTIVATIONS, oracle, sigmoid


@oracle(
    {
        "variant": "no-gate",
        "backbone_layers": 2,
        "backbone_units": 3,
        "backbone_activation": "relu",
        "activation": "softsign",
    },
    {"variant": "pure", "backbone_layers": 0, "use_bias": False},
)
def cfc(
    x,
    states,
    w,
    dropped,
    variant="default",
    backbone_units=128,
    backbone_layers=1,
    backbone_activation=None,
    activation="tanh",
    use_bias=True,
):
    """Hasani et al. 2022, equations 2 and 10, with the authors' second time head."""
    (h,), t = states, x[:, -1:]
    seen = np.concatenate([x[:, :-1], dropped * h], axis=1)
    kernels = [np.concatenate([w["kernel"], w["recurrent_kernel"]])]
    kernels += [w[f"backbone_{k}_kernel"] for k in range(2, backbone_layers + 1)]
    names = ["bias", *(f"backbone_{k}_bias" for k in range(2, backbone_layers + 1))]
    if backbone_layers:
        kernels, names = [*kernels, w["head_kernel"]], [*names, "head_bias"]
    z = seen
    for k, (kernel, name) in enumerate(zip(kernels, names, strict=True)):
        z = z @ kernel + (w[name] if use_bias else 0)
        if k < len(kernels) - 1:
            relu = backbone_activation == "relu"
            z = np.maximum(z, 0) if relu else 1.7159 * np.tanh(z * 2 / 3)
    if variant == "pure":
        decay = np.exp(-(np.abs(w["rate"]) + np.abs(z)) * t)
        return [w["target"] - w["target"] * decay * z]
    g, k, a, b = np.split(z, 4, axis=1)
    g, k = ACTIVATIONS[activation](g), ACTIVATIONS[activation](k)
    later = sigmoid(a * t + b)  # 1 - s
    return [(1 if variant == "no-gate" else 1 - later) * g + later * k]


@oracle({"solver_steps": 2, "use_bias": False, "activation": "softplus"})
def ltc(x, states, w, dropped, solver_steps=6, use_bias=True, activation="sigmoid"):
    """Hasani et al. 2021, algorithm 1, with 1 / tau as a softplus."""
    (h,), (u, t) = states, np.split(x, [-1], axis=1)
    step = t / solver_steps
    per_tau = np.log(1 + np.exp(w["rate"]))
    for _ in range(solver_steps):
        z = u @ w["kernel"] + (dropped * h) @ w["recurrent_kernel"]
        f = ACTIVATIONS[activation](z + (w["bias"] if use_bias else 0))
        h = (h + step * f * w["target"]) / (1 + step * (per_tau + f))
    return [h]


@oracle({"mean": [0.5, -2.0], "use_bias": False, "activation": "softsign"})
def gru_d(x, states, w, dropped, mean=0.0, use_bias=True, activation="tanh"):
    """Che et al. 2018, equations 10 to 17."""
    h, last, waited = states
    value, mark, t = x[:, :2], x[:, 2:4], x[:, 4:]
    delta = t + waited
    bx, bh = (w["input_decay_bias"], w["decay_bias"]) if use_bias else (0, 0)
    gamma_x = np.exp(-np.maximum(0, w["input_decay"] * delta + bx))
    gamma_h = np.exp(-np.maximum(0, delta @ w["decay_kernel"] + bh))
    filled = mark * value + (1 - mark) * (gamma_x * last + (1 - gamma_x) * np.array(mean))
    h = gamma_h * h
    d = dropped * h
    W, V = np.split(w["kernel"], 3, axis=1), np.split(w["mark_kernel"], 3, axis=1)
    U = np.split(w["recurrent_kernel"], 3, axis=1)
    b = np.split(w["bias"], 3) if use_bias else [0] * 3
    z = sigmoid(filled @ W[0] + d @ U[0] + mark @ V[0] + b[0])
    r = sigmoid(filled @ W[1] + d @ U[1] + mark @ V[1] + b[1])
    n = ACTIVATIONS[activation](filled @ W[2] + (r * d) @ U[2] + mark @ V[2] + b[2])
    return [(1 - z) * h + z * n, mark * value + (1 - mark) * last, (1 - mark) * delta]

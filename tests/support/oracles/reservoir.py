"""Oracles of reservoirs."""

from oracles import ACTIVATIONS, oracle


@oracle(
    {"leak": 0.3, "activation": "softsign", "use_bias": False},
    {"spectral_radius": 0.5},
    {"connectivity": 0.5},
    {"input_connectivity": 0.5},
    {"input_scale": 0.5},
    {"bias_scale": 0.5},
)
def echo_state(
    x,
    states,
    w,
    dropped,
    leak=1.0,
    activation="tanh",
    use_bias=True,
    spectral_radius=0.9,
    connectivity=0.1,
    input_connectivity=0.1,
    input_scale=1.0,
    bias_scale=0.0,
):
    """Jaeger et al. 2007, equation 2; the last five options only change initial weights."""
    (h,) = states
    b = w["bias"] if use_bias else 0
    z = x @ w["kernel"] + (dropped * h) @ w["recurrent_kernel"] + b
    return [(1 - leak) * h + leak * ACTIVATIONS[activation](z)]

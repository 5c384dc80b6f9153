"""Oracle of the intersection recurrent network."""

import numpy as np

from oracles import ACTIVATIONS, oracle


@oracle(
    {
        "use_bias": False,
        "activation": "softsign",
        "recurrent_activation": "hard_sigmoid",
        "output_activation": "tanh",
    }
)
def intersection_rnn(
    x,
    states,
    w,
    dropped,
    activation="tanh",
    recurrent_activation="sigmoid",
    output_activation="relu",
    use_bias=True,
):
    """Collins, Sohl-Dickstein and Sussillo 2017; x may have to be projected to the size of y."""
    sigmoid = ACTIVATIONS[recurrent_activation]
    _, h = states
    net = x @ w["kernel"] + (dropped * h) @ w["recurrent_kernel"]
    y_in, h_in, gy, gh = np.split(net + (w["bias"] if use_bias else 0), 4, axis=1)
    gy, gh = sigmoid(gy), sigmoid(gh)
    deep = x @ w["shortcut_kernel"] if "shortcut_kernel" in w else x
    y = gy * deep + (1 - gy) * ACTIVATIONS[output_activation](y_in)
    return [y, gh * h + (1 - gh) * ACTIVATIONS[activation](h_in)]

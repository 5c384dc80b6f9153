"""The cell without recurrence: a window of inputs, and nothing beyond it."""

import numpy as np
import pytest
from cell_cases import MASKS, UNITS, X, error, recurrent

from seqzoo.cells import create


def make(window):
    cell = create("feed-forward", UNITS, window=window, dtype="float64")
    cell.build((None, X.shape[2]))
    rng = np.random.default_rng(0)
    cell.set_weights([rng.normal(size=weight.shape) for weight in cell.get_weights()])
    return cell


@pytest.mark.parametrize("window", [1, 3])
def test_a_step_sees_the_last_unmasked_inputs_of_its_window(window):
    cell, mask = make(window), MASKS["gaps"]
    kernel, bias = cell.get_weights()
    parts = np.split(kernel, window, axis=1)
    outputs = np.asarray(recurrent(cell, return_sequences=True)(X, mask=mask))
    for row in range(len(X)):
        steps = np.flatnonzero(mask[row])
        for k, t in enumerate(steps):
            seen = [X[row, s] for s in reversed(steps[max(k - window + 1, 0) : k + 1])]
            pairs = zip(seen, parts, strict=False)
            expected = np.tanh(sum(x @ part for x, part in pairs) + bias)
            assert error(outputs[row, t], expected) < 1e-9


def test_a_window_without_a_step_is_refused():
    with pytest.raises(ValueError, match="`window` must be a positive integer, got 0"):
        create("feed-forward", UNITS, window=0)

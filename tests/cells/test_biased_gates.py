"""Cells of which only some gates have a bias, as a user would write them."""

import numpy as np
import pytest
from keras import ops

from seqzoo.cells import RecurrentCell


class Mixed(RecurrentCell):
    """A cell that sums two gates, of which the second has a bias."""

    gates = ("first", "second")
    biased_gates = ("second",)

    def step(self, x, r, states):
        h = ops.tanh(x.first + r.first) - 2 * (x.second + r.second)
        return h, [h]


class Unbiased(Mixed):
    biased_gates = ()


@pytest.mark.parametrize("units", [1, 3])
def test_only_the_named_gates_have_a_bias(units):
    cell = Mixed(units, bias_initializer="ones")
    output, _ = cell(np.zeros((2, 3), "float32"), cell.get_initial_state(2))
    np.testing.assert_allclose(output, np.full((2, units), -2.0))


def test_a_cell_may_have_no_biased_gates():
    cell = Unbiased(3, bias_initializer="ones")
    output, _ = cell(np.zeros((2, 3), "float32"), cell.get_initial_state(2))
    np.testing.assert_array_equal(output, np.zeros((2, 3)))
    assert cell.bias is None

"""The fast-slow network: fast cells in sequence, and a slow one that reads the first of them."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.base import as_list
from seqzoo.cells.options import whole_number
from seqzoo.cells.wrappers.wrapper import WrapperCell, build_inner, copy_of


@keras.saving.register_keras_serializable(package="seqzoo")
class FastSlowCell(WrapperCell):
    """Several fast cells update one state in sequence; a slow cell reads the first and feeds the
    second.

        h = fast1(x, f)
        g = slow(h, s)
        h = fast2(g, f)
        h = fastk(0, f)                                for k from 3 to `fast_cells`

    Each fast cell stores its new states in f, and the slow one in s. States are f, then s; the
    output is the last h. Any cell with vector inputs of any size can be wrapped,
    except time-aware ones (`cfc`, `gru-d`, `ltc`).

    For character-level language models: the paper's FS-LSTM-4 has four fast LSTMs of 700 to 900
    units and a slow one of 400 to 1500, with zoneout and layer normalisation.

    Reference: Mujika, Meier and Steger, "Fast-Slow Recurrent Neural Networks", NeurIPS 2017,
    section 3, equations 1 to 5.

    Args:
        units: size of the output and of the fast cells.
        fast_cells: number of fast cells, at least 2.
        slow_units: size of the slow cell; None for `units`.
        **kwargs: see `WrapperCell`; `recurrent_dropout` is that of the fast cells.

    Raises:
        ValueError: `fast_cells` is below 2, `slow_units` below 1, or the cell cannot be wrapped.
    """

    def __init__(
        self, units: int, *, fast_cells: int = 2, slow_units: int | None = None, **kwargs: Any
    ):
        fast_cells = whole_number("fast_cells", fast_cells, 2)
        slow_units = whole_number("slow_units", slow_units, optional=True)
        super().__init__(units, **kwargs)
        self.fast_cells = fast_cells
        self.slow_units = slow_units
        first = self.cell
        copies = [copy_of(first, f"fast_{k}", number=k - 1) for k in range(2, fast_cells + 1)]
        slow = copy_of(first, "slow", slow_units or units, number=fast_cells)
        self.cells = [first, *copies, slow]

    @property
    def state_size(self):
        return [*as_list(self.cells[0].state_size), *as_list(self.cells[-1].state_size)]

    def inner_cells(self):
        *fast, slow = self.cells
        return {**{f"fast {k}": inner for k, inner in enumerate(fast, 1)}, "slow": slow}

    def located_cells(self):
        fast, slow = self.cells[0], self.cells[-1]
        return [(fast, 0), (slow, len(as_list(fast.state_size)))]

    def get_initial_state(self, batch_size=None):
        return [s for c in (self.cells[0], self.cells[-1]) for s in c.get_initial_state(batch_size)]

    def valid_states(self, states):
        count = len(as_list(self.cells[0].state_size))
        fast, slow = list(states[:count]), list(states[count:])
        return [*self.cells[0].valid_states(fast), *self.cells[-1].valid_states(slow)]

    def build(self, input_shape):
        super().build(input_shape)
        build_inner(self.cells[-1], (None, self.units))
        build_inner(self.cells[1], (None, self.slow_units or self.units))
        for inner in self.cells[2:-1]:
            build_inner(inner, (None, 1))

    def advance(self, x, states, recurrent_mask=None):
        count = len(as_list(self.cells[0].state_size))
        fast, slow = list(states[:count]), list(states[count:])
        first, *later, slow_cell = self.cells
        h, fast = first.advance(x, fast, recurrent_mask)
        x, slow = slow_cell.advance(slow_cell.project(h), slow)
        for inner in later:
            h, fast = inner.advance(inner.project(x), fast, recurrent_mask)
            x = ops.zeros_like(h[:, :1])
        return h, [*fast, *slow]

    def get_config(self) -> dict:
        options = {"fast_cells": self.fast_cells, "slow_units": self.slow_units}
        return {**super().get_config(), **options}

"""Several layers of a cell within one step, with skip connections."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.base import as_list
from seqzoo.cells.gates import clone_initializer
from seqzoo.cells.options import whole_number
from seqzoo.cells.wrappers.wrapper import WrapperCell, build_inner, copy_of


@keras.saving.register_keras_serializable(package="seqzoo")
class StackedCell(WrapperCell):
    """Layers of a cell: each sees the one below and the input, and the output sees all.

        h1, s1 = cell1(x, s1)
        hk, sk = cellk([h(k-1), x], sk)                 for k from 2 to `layers`
        y = V [h1, h2, ...] + b

    With `skips=False`, cellk sees only h(k-1) and y is the last h. States are y, which is not fed
    back, and those of the cells, from the bottom up. Any cell with vector inputs can be wrapped,
    except time-aware ones (`cfc`, `gru-d`, `ltc`). Stacking layers, `Recurrent` on `Recurrent`, is
    faster; this cell is for skip connections, and for code that takes a single cell.

    Reference: Graves, "Generating Sequences With Recurrent Neural Networks", arXiv 1308.0850, 2013,
    section 2, equations 1 to 4: skip connections from the input to all layers, and from all layers
    to the output. The paper uses three layers of 400 units.

    Args:
        units: size of y and of each cell.
        layers: number of cells, at least 1.
        skips: whether there are skip connections.
        **kwargs: see `WrapperCell`; b is there even without `use_bias`, and starts at 0.

    Raises:
        ValueError: `layers` is below 1, or the cell cannot be wrapped.
    """

    def __init__(self, units: int, *, layers: int = 2, skips: bool = True, **kwargs: Any):
        layers = whole_number("layers", layers)
        super().__init__(units, **kwargs)
        self.layers = layers
        self.skips = skips
        copies = [copy_of(self.cell, f"cell_{k}", number=k - 1) for k in range(2, layers + 1)]
        self.cells = [self.cell, *copies]

    @property
    def state_size(self):
        return [self.units] + [size for c in self.cells for size in as_list(c.state_size)]

    def inner_cells(self):
        return {f"cell {k}": inner for k, inner in enumerate(self.cells, 1)}

    def located_cells(self):
        results, before = [], 1
        for inner in self.cells:
            results.append((inner, before))
            before += len(as_list(inner.state_size))
        return results

    def get_initial_state(self, batch_size=None):
        output = ops.zeros((batch_size, self.units), dtype=self.compute_dtype)
        return [output, *(s for c in self.cells for s in c.get_initial_state(batch_size))]

    def valid_states(self, states):
        results, remaining = [states[0]], list(states[1:])
        for inner in self.cells:
            count = len(as_list(inner.state_size))
            results += inner.valid_states(remaining[:count])
            remaining = remaining[count:]
        return results

    def build(self, input_shape):
        super().build(input_shape)
        self.features = input_shape[-1]
        for inner in self.cells[1:]:
            build_inner(inner, (None, self.units + self.skips * self.features))
        if self.skips:
            self.readout_kernel = self.add_weight(
                shape=(self.layers * self.units, self.units),
                name="readout_kernel",
                initializer=clone_initializer(self.kernel_initializer),
            )
            self.readout_bias = self.add_weight(
                shape=(self.units,), name="readout_bias", initializer="zeros"
            )

    def project(self, inputs):
        return ops.concatenate([inputs, self.cell.project(inputs)], axis=-1)

    def advance(self, x, states, recurrent_mask=None):
        inputs, x = ops.split(x, [self.features], axis=-1)
        remaining, new, outputs = list(states[1:]), [], []
        for k, inner in enumerate(self.cells):
            if k:
                below = ops.concatenate([outputs[-1], inputs], -1) if self.skips else outputs[-1]
                x = inner.project(below)
            count = len(as_list(inner.state_size))
            h, updated = inner.advance(x, remaining[:count], recurrent_mask)
            remaining, new, outputs = remaining[count:], [*new, *updated], [*outputs, h]
        if not self.skips:
            return outputs[-1], [outputs[-1], *new]
        kernel = ops.convert_to_tensor(self.readout_kernel)
        y = ops.matmul(ops.concatenate(outputs, axis=-1), kernel)
        y = y + ops.convert_to_tensor(self.readout_bias)
        return y, [y, *new]

    def get_config(self) -> dict:
        return {**super().get_config(), "layers": self.layers, "skips": self.skips}

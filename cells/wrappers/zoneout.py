"""Zoneout: states that randomly keep their previous values."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.base import as_list
from seqzoo.cells.wrappers.wrapper import SameFormWrapper


@keras.saving.register_keras_serializable(package="seqzoo")
class ZoneoutCell(SameFormWrapper):
    """In training, each unit of each state randomly keeps its old value.

        n = cell(x, s)
        s = m * s + (1 - m) * n

    m is 1 with probability `rate` for the cell's first state and `memory_rate` for its others, 0
    otherwise, drawn independently for each step and state (once for c, n and m of `slstm`, which
    have a common scale); at inference it is that probability itself. States that store earlier
    inputs or states for later steps, such as the previous input of `qrnn` or the tapes of
    `attention`, are always replaced.
    Any cell with vector inputs can be wrapped, except time-aware ones (`cfc`, `gru-d`, `ltc`).

    A regulariser that, unlike dropout, does not erase the memory. The paper uses 0.05 for h and 0.5
    for c of an LSTM in character-level language models.

    Reference: Krueger, Maharaj, Kramar, Pezeshki, Ballas, Ke, Goyal, Bengio, Courville and Pal,
    "Zoneout: Regularizing RNNs by Randomly Preserving Hidden Activations", ICLR 2017, section 3.

    Args:
        units: size of the output and of the inner cell.
        rate: probability of keeping a unit of the first state, at least 0 and below 1.
        memory_rate: the same for the other states.
        **kwargs: see `WrapperCell`.

    Raises:
        ValueError: a rate is out of range, or the cell cannot be wrapped.
    """

    needs_product = False

    def __init__(self, units: int, *, rate: float = 0.05, memory_rate: float = 0.5, **kwargs: Any):
        for name, value in (("rate", rate), ("memory_rate", memory_rate)):
            if not 0 <= value < 1:
                raise ValueError(f"`{name}` must be at least 0 and below 1, got {value!r}.")
        super().__init__(units, **kwargs)
        self.rate = rate
        self.memory_rate = memory_rate

    @property
    def gates(self):
        """The gates of the inner cell, and a mask for each state that may be kept."""
        return (*self.cell.gates, *(f"kept_{k}" for k in self._sizes))

    @property
    def recurs_by_product(self):
        return self.cell.recurs_by_product and set(self._sizes.values()) == {self.units}

    @property
    def _sizes(self) -> dict[int, int]:
        """The size of each state that may be kept, by its index."""
        sizes, records = as_list(self.cell.state_size), self.cell.record_states
        return {index: size for index, size in enumerate(sizes) if index not in records}

    def build(self, input_shape):
        super().build(input_shape)
        self.features = input_shape[-1]

    def prepare(self, inputs, training):
        """Appends the masks of all states that may be kept, or at inference their expected
        values."""
        shape = ops.shape(inputs)[:-1]
        first = {index: group[0] for group in self.cell.joint_states for index in group}
        kept = {}
        for index, size in self._sizes.items():
            rate = self.memory_rate if index else self.rate
            if first.get(index, index) < index:
                kept[index] = kept[first[index]]
            elif training:
                drawn = keras.random.uniform((*shape, size), seed=self.seed_generator)
                kept[index] = ops.cast(drawn < rate, inputs.dtype)
            else:
                kept[index] = ops.full((*shape, size), rate, dtype=inputs.dtype)
        return ops.concatenate([inputs, *kept.values()], axis=-1)

    def project(self, inputs):
        inputs, kept = ops.split(inputs, [self.features], axis=-1)
        return ops.concatenate([self.cell.project(inputs), kept], axis=-1)

    def step(self, x, r, states, *weights):
        count = len(self.cell.gates)
        _, new = self.cell.step(self.cell.Gates(*x[:count]), r, states, *weights)
        return self._mixed(x[count:], new, states)

    def advance(self, x, states, recurrent_mask=None):
        sizes = list(self._sizes.values())
        ends = [sum(sizes[k:]) for k in range(len(sizes))]
        x, *kept = ops.split(x, [x.shape[-1] - end for end in ends], axis=-1)
        _, new = self.cell.advance(x, list(states), recurrent_mask)
        return self._mixed(kept, new, states)

    def _mixed(self, kept: Any, new: list, states: Any) -> tuple[Any, list]:
        new = list(new)
        for index, m in zip(self._sizes, kept, strict=True):
            new[index] = new[index] + m * (states[index] - new[index])
        return new[0], new

    def get_config(self) -> dict:
        return {**super().get_config(), "rate": self.rate, "memory_rate": self.memory_rate}

"""A cell that attends to its own past states."""

from typing import Any

import keras
from keras import ops

from seqzoo.cells.base import as_list
from seqzoo.cells.gates import clone_initializer
from seqzoo.cells.options import whole_number
from seqzoo.cells.wrappers.wrapper import WrapperCell


@keras.saving.register_keras_serializable(package="seqzoo")
class AttentionCell(WrapperCell):
    """A cell whose states before a step are weighted means of those of the last `window` steps.

        ek = v . tanh(Wm hk + Wx x + Wq q)             for each hk on the tape
        a = softmax(e)
        q = sum of ak * hk, and the same for each other state
        h, s = cell(x, [q, ...])

    h and the other new states are then appended to the tape, which drops the oldest. The paper's
    tape is as long as the sequence; this one has `window` steps. States are those of the cell, q, a
    tape for each state of the cell, (batch, window * units), and a mask of the filled positions.
    The tape is empty at first; if a model computes the first states, it holds those of the cell.
    All states of the inner cell must have `units` units.

    For text comprehension: the paper's LSTMN relates each word to earlier ones. It uses 300 units
    for language models and 168 for sentiment analysis.

    Reference: Cheng, Dong and Lapata, "Long Short-Term Memory-Networks for Machine Reading", EMNLP
    2016, section 3.1, equations 4 to 9.

    Args:
        units: size of the output and of the inner cell.
        window: number of steps on the tape, at least 1.
        **kwargs: see `WrapperCell`.

    Raises:
        ValueError: `window` is below 1, or the cell cannot be wrapped.
    """

    def __init__(self, units: int, *, window: int = 10, **kwargs: Any):
        window = whole_number("window", window)
        super().__init__(units, **kwargs)
        self.window = window

    def check(self, inner):
        super().check(inner)
        if set(as_list(inner.state_size)) != {inner.units}:
            self.refuse(inner, "a cell whose states all have `units` units")

    @property
    def _count(self) -> int:
        return len(as_list(self.cell.state_size))

    @property
    def state_size(self):
        tape = self.window * self.units
        return [self.units] * (self._count + 1) + [tape] * self._count + [self.window]

    @property
    def record_states(self):
        tapes_and_mask = range(self._count + 1, len(self.state_size))
        return (*super().record_states, *tapes_and_mask)

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, n), dtype=self.compute_dtype) for n in self.state_size]

    def valid_states(self, states):
        n = self._count
        inner = self.cell.valid_states(states[:n])
        none, one = ops.zeros_like(states[-1][:, 1:]), ops.ones_like(states[-1][:, :1])
        tapes = [
            ops.concatenate([ops.zeros_like(tape[:, self.units :]), state], axis=-1)
            for tape, state in zip(states[n + 1 : -1], inner, strict=True)
        ]
        return [*inner, states[n], *tapes, ops.concatenate([none, one], axis=-1)]

    def build(self, input_shape):
        super().build(input_shape)
        rows = {"memory": self.units, "input": input_shape[-1], "query": self.units}
        for name, size in rows.items():
            weight = self.add_weight(
                shape=(size, self.units),
                name=f"{name}_score_kernel",
                initializer=clone_initializer(self.kernel_initializer),
            )
            setattr(self, f"{name}_score", weight)
        self.score = self.add_weight(
            shape=(self.units, 1),
            name="score_kernel",
            initializer=clone_initializer(self.kernel_initializer),
        )

    def project(self, inputs):
        score = ops.matmul(inputs, ops.convert_to_tensor(self.input_score))
        return ops.concatenate([score, self.cell.project(inputs)], axis=-1)

    def advance(self, x, states, recurrent_mask=None):
        n = self._count
        query, tapes, filled = states[n], list(states[n + 1 : -1]), states[-1]
        score, x = ops.split(x, [self.units], axis=-1)
        score = score + ops.matmul(query, ops.convert_to_tensor(self.query_score))
        past = [ops.reshape(tape, (-1, self.window, self.units)) for tape in tapes]
        z = ops.matmul(past[0], ops.convert_to_tensor(self.memory_score)) + score[:, None]
        e = ops.matmul(ops.tanh(z), ops.convert_to_tensor(self.score))[..., 0]
        # -3e4 is within the range of float16. Before any position is filled, the tapes are zeros.
        a = ops.softmax(ops.where(filled > 0.5, e, ops.cast(-3e4, e.dtype)), axis=-1)
        attended = [ops.sum(a[..., None] * each, axis=1) for each in past]
        h, new = self.cell.advance(x, attended, recurrent_mask)
        tapes = [
            ops.concatenate([tape[:, self.units :], state], axis=-1)
            for tape, state in zip(tapes, new, strict=True)
        ]
        filled = ops.concatenate([filled[:, 1:], ops.ones_like(filled[:, :1])], axis=-1)
        return h, [*new, attended[0], *tapes, filled]

    def get_config(self) -> dict:
        return {**super().get_config(), "window": self.window}

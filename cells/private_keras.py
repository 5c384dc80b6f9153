"""The private names of Keras that seqzoo depends on, in one place; tested with 3.15."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
import keras.src.backend
import keras.src.backend.common.global_state
import keras.src.layers.rnn.dropout_rnn_cell
import keras.src.models.functional

# `backend.rnn` is the loop of keras.layers.RNN, `backend.lstm` and `backend.gru` are cuDNN's
# kernels, `backend.AutocastScope` sets the precision in which variables are read.
backend: Any = keras.src.backend

# The mixin of cells with dropout, whose masks Keras resets after each sequence.
DropoutRNNCell: Any = keras.src.layers.rnn.dropout_rnn_cell.DropoutRNNCell

# The class of `keras.Model(inputs, outputs)`.
Functional: Any = keras.src.models.functional.Functional

_state: Any = keras.src.backend.common.global_state
_SHARED = ("shared_objects/id_to_obj_map", "shared_objects/id_to_config_map")


@contextmanager
def nothing_shared() -> Iterator[None]:
    """A context in which Keras does not see the shared objects of the file that is being loaded.

    While loading a model, Keras identifies objects by their memory addresses. If a layer is copied
    through its configuration in the meantime, as `keras.layers.Bidirectional` does, the copy may be
    allocated at the address of a deleted object and be mistaken for it.
    """
    before = {name: _state.get_global_attribute(name) for name in _SHARED}
    for name in _SHARED:
        _state.set_global_attribute(name, None)
    try:
        yield
    finally:
        for name, value in before.items():
            _state.set_global_attribute(name, value)


_zeros: ContextVar[bool] = ContextVar("zeros", default=False)


@contextmanager
def initialized_with_zeros() -> Iterator[None]:
    """A context in which new floating-point weights are zeros, whatever their initializer.

    Meant for a model whose weights are read from a file: drawing random values and orthogonal
    matrices takes longer than the rest of building it. Affects only this thread, and needs
    TensorFlow.
    """
    _let_initializers_be_skipped()
    token = _zeros.set(True)
    try:
        yield
    finally:
        _zeros.reset(token)


@functools.cache
def _let_initializers_be_skipped() -> None:
    variable_class = backend.Variable
    initialize = variable_class._initialize_with_initializer

    def initialize_with_zeros(self: Any, initializer: Any) -> None:
        if _zeros.get() and str(self._dtype).startswith(("float", "bfloat")):
            initializer = keras.initializers.Zeros()
        initialize(self, initializer)

    variable_class._initialize_with_initializer = initialize_with_zeros

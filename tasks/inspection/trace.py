"""Traces one forward and one backward pass: the values of the recurrent layers at each step."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf
from keras import tree

from seqzoo.cells.engine.dispatch import keeps_contract
from seqzoo.cells.private_keras import backend
from seqzoo.tasks.inspection.layers import recurrent_layers


@dataclass(frozen=True)
class LayerTrace:
    """The values of one recurrent layer, or of one direction of a bidirectional layer.

    Steps are counted in the order in which the layer ran them; `positions` has the position of each
    step in the input. Index 0 of states and their gradients is the initial state, index t + 1 the
    state after step t.

    Attributes:
        name: name of the layer; see `recurrent_layers`. ", call 2" is appended for the second call
            of a layer, and so on.
        layer: the `Recurrent` layer.
        inputs: the inputs of the cell, (batch, time, features).
        states: one array per state, (batch, time + 1, size).
        gradients: d loss / d state, shaped like `states`; None if no loss was given or the loss
            does not depend on the layer.
        positions: position of each step in the input, (time,).
        carried: the part of the gradients that comes back through the layer's states alone, from
            the last step whose gradient is not zero: that step's gradient, divided by its largest
            absolute value so that it does not underflow, times the Jacobians of the steps in
            between; shaped like `states`. None if `gradients` is None.
    """

    name: str
    layer: Any
    inputs: np.ndarray
    states: tuple[np.ndarray, ...]
    gradients: Any
    positions: np.ndarray
    carried: Any = None

    @property
    def steps(self) -> int:
        """Number of time steps."""
        return self.inputs.shape[1]

    @property
    def cell(self) -> Any:
        """The layer's cell."""
        return self.layer.cell

    def state(self, row: int = 0) -> np.ndarray:
        """All states of one row, concatenated, (time + 1, sum of the sizes)."""
        return np.concatenate([item[row] for item in self.states], -1)

    def of_row(self, row: int) -> "LayerTrace":
        """The trace of one row of the batch."""
        part = slice(row, row + 1)
        gradients, carried = self.gradients, self.carried
        return replace(
            self,
            inputs=self.inputs[part],
            states=tuple(state[part] for state in self.states),
            gradients=gradients and tuple(gradient[part] for gradient in gradients),
            carried=carried and tuple(gradient[part] for gradient in carried),
        )

    def outputs(self, row: int = 0) -> np.ndarray:
        """The first state after each step in the order of the input, (time, units)."""
        after = np.empty_like(self.states[0][row, 1:])
        after[self.positions] = self.states[0][row, 1:]
        return after


@dataclass(frozen=True)
class Trace:
    """A forward pass through a model, and a backward pass if there is a loss.

    Attributes:
        layers: the traces of the recurrent layers, in the order in which they ran.
        outputs: the result of the traced function.
        loss: the loss, or None.
    """

    layers: tuple[LayerTrace, ...]
    outputs: Any
    loss: float | None

    def of_row(self, row: int) -> "Trace":
        """The trace of one row of the batch."""
        return replace(self, layers=tuple(layer.of_row(row) for layer in self.layers))

    def __getitem__(self, name: str) -> LayerTrace:
        """The trace of a layer by its name.

        Raises:
            KeyError: no layer of that name ran.
        """
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = ", ".join(layer.name for layer in self.layers)
        raise KeyError(f"No layer {name!r} ran (these did: {names}).")


def trace(
    model: Any, forward: Callable[[], Any], loss: Callable[[Any], Any] | None = None
) -> Trace:
    """Runs a forward and a backward pass and records the states of all recurrent layers.

    The model is not changed. During the call, its layers run their cells step by step in Python
    instead of in their usual loops, so that any cell can be traced, including Keras' own.

    Args:
        model: a Keras model or layer that contains `Recurrent` layers.
        forward: a function that calls the model: `lambda: model(inputs)`.
        loss: a function that returns a scalar loss, given the result of `forward`; None to run
            only the forward pass.

    Example:
        layer = Recurrent(LSTMCell(8), return_sequences=True)
        traced = trace(layer, lambda: layer(x), lambda outputs: tf.reduce_sum(outputs[:, -1]))
        traced.layers[0].gradients[0]  # d loss / d h, (batch, time + 1, 8)
    """
    passes: list[_Pass] = []
    with tf.GradientTape(persistent=loss is not None) as tape:
        with step_by_step(model, lambda item: passes.append(item), watch=tape.watch):
            outputs = forward()
        value = None if loss is None else loss(outputs)
    calls: dict[str, int] = {}
    for index, item in enumerate(passes):
        calls[item.name] = number = calls.get(item.name, 0) + 1
        if number > 1:
            passes[index] = replace(item, name=f"{item.name}, call {number}")
    gradients: list = [None] * len(passes)
    if value is not None:
        gradients = tape.gradient(value, [item.states for item in passes])
    return Trace(
        tuple(_layer_trace(*pair, tape) for pair in zip(passes, gradients, strict=True)),
        outputs,
        None if value is None else float(value),
    )


@dataclass(frozen=True)
class _Pass:
    """The tensors of one call of a layer. `states` has a list for the initial states and for each
    time step, with one tensor per state."""

    name: str
    layer: Any
    inputs: Any
    states: list[list[Any]]


def _layer_trace(recorded: _Pass, gradients: list[list[Any]] | None, tape: Any) -> LayerTrace:
    by_state = carried = None
    if gradients is not None and any(item is not None for item in tree.flatten(gradients)):
        pairs = zip(recorded.states, gradients, strict=True)
        by_state = _by_state(
            [
                [tf.zeros_like(a) if b is None else b for a, b in zip(*pair, strict=True)]
                for pair in pairs
            ]
        )
        carried = _carried(recorded.states, by_state, tape)
    steps = np.arange(recorded.inputs.shape[1])
    positions = steps[::-1].copy() if recorded.layer.go_backwards else steps
    inputs, states = np.asarray(recorded.inputs), _by_state(recorded.states)
    return LayerTrace(recorded.name, recorded.layer, inputs, states, by_state, positions, carried)


def _carried(
    states: list[list[Any]], gradients: tuple[np.ndarray, ...], tape: Any
) -> tuple[np.ndarray, ...]:
    """`LayerTrace.carried`, by a backward pass from the states of each row's last step whose
    gradient is not zero."""
    # In half precision, the inverse of a small gradient overflows.
    largest = np.abs(np.concatenate(gradients, -1).astype(np.float64)).max(-1)  # (batch, time + 1)
    last = largest.shape[1] - 1 - np.argmax(largest[:, ::-1] != 0, 1)
    chosen = (np.arange(largest.shape[1]) == last[:, None]) & (largest != 0)
    scale = np.divide(chosen, largest, out=np.zeros_like(largest), where=chosen)[..., None]
    with np.errstate(invalid="ignore"):  # infinite gradients of a model that diverged
        starts = [
            tf.unstack(tf.constant((item * scale).astype(item.dtype)), axis=1) for item in gradients
        ]
    return _by_state(
        tape.gradient(
            tree.flatten(states),
            states,
            [start for step in zip(*starts, strict=True) for start in step],
            unconnected_gradients="zero",
        )
    )


def _by_state(steps: list[list[Any]]) -> tuple[np.ndarray, ...]:
    """Tensors of each step and state -> one array per state, (batch, time + 1, size)."""
    return tuple(np.asarray(tf.stack(state, 1)) for state in zip(*steps, strict=True))


@contextlib.contextmanager
def step_by_step(
    model: Any,
    keep: Callable[[_Pass], Any] | None = None,
    watch: Callable[[Any], Any] | None = None,
) -> Iterator[None]:
    """A context in which layers run their cells step by step in eager mode, without dropout.

    Args:
        model: the model with the layers.
        keep: called with the tensors of each layer that has run.
        watch: called with each state before it is used.
    """
    layers = recurrent_layers(model)
    for name, layer in layers.items():

        def run(sequences, initial_state, mask, training=False, name=name, layer=layer):
            *result, kept = _run(layer, name, sequences, initial_state, mask, watch)
            if keep is not None:
                keep(kept)
            return tuple(result)

        layer.inner_loop = run
    try:
        yield
    finally:
        for layer in layers.values():
            del layer.inner_loop


def _run(layer, name, sequences, initial_state, mask, watch) -> tuple:
    """The result of `Recurrent.inner_loop`, and the `_Pass`."""
    cell = layer.cell
    sequences = tf.cast(sequences, cell.compute_dtype)
    if layer.go_backwards:
        sequences = tf.reverse(sequences, [1])
    inside = None if mask is None else tf.cast(tf.reshape(mask, sequences.shape[:2]), tf.bool)
    if inside is not None:
        inside = tf.reverse(inside, [1]) if layer.go_backwards else inside
        inside = None if np.all(inside) else tf.unstack(inside[..., None], axis=1)

    def watched(states: list[Any]) -> list[Any]:
        """Watched copies of the states after a step. Without a copy, a state that the step returns
        unchanged would share the gradient of the state before the step."""
        states = [tf.identity(state) for state in states]
        for item in states if watch is not None else ():
            watch(item)  # pyright: ignore[reportOptionalCall]
        return states

    with backend.AutocastScope(cell.compute_dtype):
        advance = cell_step(cell)
        steps = tf.unstack(projected(cell, sequences), axis=1)
        states = watched([tf.convert_to_tensor(item) for item in tree.flatten(initial_state)])
        kept, outputs = [states], []
        shown = None
        for t, x in enumerate(steps):
            output, new = advance(x, states)
            first = output is new[0]
            if inside is not None:
                new = [tf.where(inside[t], a, b) for a, b in zip(new, states, strict=True)]
            states = watched(new)
            output = states[0] if first else output
            if inside is not None:
                if layer.zero_output_for_mask:
                    shown = inside[t]
                else:
                    shown = inside[t] if shown is None else shown | inside[t]
                    if not first and outputs:
                        output = tf.where(inside[t], output, outputs[-1])
                output = tf.where(shown, output, tf.zeros_like(output))
            kept.append(states)
            outputs.append(output)
    sequence = tf.stack(outputs, 1) if layer.return_sequences else outputs[-1][:, None]
    nested = tree.pack_sequence_as(initial_state, states)
    return outputs[-1], sequence, list(nested), _Pass(name, layer, sequences, kept)


def projected(cell: Any, inputs: Any) -> Any:
    """(..., features) -> the input of `cell_step`: the projected input for cells of `seqzoo.cells`,
    the input itself for others."""
    return cell.projected(inputs) if keeps_contract(cell) else inputs


def cell_step(cell: Any) -> Callable[[Any, list[Any]], tuple[Any, list]]:
    """One step of any cell: (projected input, flat list of states) -> output, flat list of states.

    Dropout is off.
    """
    if keeps_contract(cell):

        def advance(x: Any, states: list[Any]) -> tuple[Any, list]:
            output, new = cell.advance(x, list(states))
            return output, list(new)
    else:
        nested = cell.state_size

        def advance(x: Any, states: list[Any]) -> tuple[Any, list]:
            packed = tree.pack_sequence_as(nested, states) if _is_nested(nested) else states
            output, new = cell(x, packed)
            return output, tree.flatten(new)

    return advance


def _is_nested(sizes: Any) -> bool:
    return isinstance(sizes, list | tuple)

"""The layers that run a cell through time."""

import operator
from collections.abc import Iterable
from typing import Any

import keras
from keras import ops, tree

from seqzoo.cells.base import RecurrentCell, as_list, shape_of
from seqzoo.cells.engine import dispatch as paths
from seqzoo.cells.engine.dispatch import Path
from seqzoo.cells.engine.portability import tie_to_process, within_portable
from seqzoo.cells.engine.runners import chosen_runner
from seqzoo.cells.layers.elapsed import check_elapsed, elapsed_in_order
from seqzoo.cells.options import whole_number
from seqzoo.cells.private_keras import backend, nothing_shared
from seqzoo.cells.registry import REGISTRY
from seqzoo.cells.spelling import suggestion


@keras.saving.register_keras_serializable(package="seqzoo")
class Recurrent(keras.layers.RNN):
    """Runs a cell over a sequence: a faster drop-in replacement for `keras.layers.RNN`.

    Inputs are (batch, time, features). Steps where the mask, boolean, (batch, time), is false leave
    the states unchanged and repeat the last output (zeros before the first unmasked step, or for
    all masked steps with `zero_output_for_mask`). A row that is all padding keeps its initial
    state.

    A continuous-time cell takes a pair, `layer((x, elapsed))`: elapsed, (batch, time), is the time
    since the previous step, at least 0; the first is the time before the sequence. The time of
    masked steps is added to that of the next unmasked step. A layer that runs backwards, such as
    half of a `Bidirectional`, computes the time between each step and the next itself. A cell for
    frames takes (batch, time, height, width, channels).

    Args:
        cell: a cell of `seqzoo.cells`, any cell of Keras, or a list of cells to stack.
        return_sequences: return the output of each step, (batch, time, units), instead of the
            last, (batch, units).
        return_state: return the last states as well, each (batch, units).
        go_backwards: run from the last step to the first; the outputs are in that order, too.
        stateful: start each batch from the final states of the previous batch.
        unroll: unroll the loop over the steps in the graph.
        zero_output_for_mask: return zeros for masked steps instead of repeating the last output.
        fast: whether compiled loops may be used; otherwise Keras' loop runs the cell, the only one
            that supports second-order gradients.
        recompute: gradient checkpointing, for sequences too long for memory: store only the states
            of every k-th step, and recompute the steps between them in the backward pass; None to
            store the values of every step. Memory use is lowest near the square root of the number
            of steps.
        **kwargs: passed to `keras.layers.Layer`, including `activity_regularizer`, a penalty on the
            outputs.

    Raises:
        ValueError: `cell` is a class, a name, an empty list, or a list with a time-aware cell; a
            call lacks the elapsed time that the cell needs, or has one that it does not take;
            inputs have too few or too many axes; the mask or the elapsed time has not one value
            per step, or (checked only in eager mode) a time is negative or NaN; or `recompute` is
            out of range or has no effect here.
    """

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        fast: bool = True,
        recompute: int | None = None,
        **kwargs: Any,
    ):
        if isinstance(cell, type):
            raise ValueError(
                f"`cell` must be a cell, got the class {cell.__name__}; instantiate it: "
                f"{cell.__name__}(units)."
            )
        if isinstance(cell, str):
            hint = suggestion(cell, REGISTRY) if cell not in REGISTRY else ""
            raise ValueError(
                f"`cell` must be a cell, such as create('lstm', units=64), got the string {cell!r}"
                f"{hint or '.'}"
            )
        if isinstance(cell, (list, tuple)):
            if not cell:
                raise ValueError("`cell` must have at least one cell, got an empty list.")
            timed = [type(each).__name__ for each in cell if getattr(each, "takes_time", False)]
            if timed:
                raise ValueError(
                    f"A list of cells must have none that takes elapsed times, got {timed[0]}; "
                    f"stack layers instead, each with its own: Recurrent({timed[0]}(units))."
                )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            zero_output_for_mask=zero_output_for_mask,
            **kwargs,
        )
        self.fast = fast
        self.recompute = whole_number("recompute", recompute, optional=True)
        if recompute is not None:
            self._check_recompute()
        if not self._takes_time:
            rank = getattr(cell, "input_rank", None)
            exact = {} if rank in (None, 2) else {"ndim": rank + 1}
            self.input_spec = keras.InputSpec(min_ndim=3, **exact)  # (batch, time, features)
        self.supports_jit = paths.choose(self).path is not Path.CUDNN
        self._scan: Any = None

    def __call__(self, sequences: Any, *args: Any, **kwargs: Any) -> Any:
        """See `keras.layers.RNN`."""
        pair = isinstance(sequences, (list, tuple))
        self._check_pair(len(sequences) if pair else 1)
        if pair and len(sequences) == 1:
            raise ValueError(
                f"{type(self.cell).__name__} takes one input, (batch, time, features), got a "
                f"{type(sequences).__name__} with one."
            )
        if pair:
            check_elapsed(sequences[1], sequences[0])
        return super().__call__(sequences, *args, **kwargs)

    @property
    def state_size(self) -> list:
        """Size of each state, or its shape without the batch axis; see `RecurrentCell`."""
        return as_list(self.cell.state_size)

    @state_size.setter
    def state_size(self, _: Any) -> None:
        """Ignores the value: Keras sets it before the sizes that depend on the input are known."""

    @property
    def _takes_time(self) -> bool:
        return getattr(self.cell, "takes_time", False)

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Creates the weights for inputs of shape (batch, time, features), or for a pair of these
        and elapsed times, (batch, time)."""
        super().build(self._merged_shape(sequences_shape), initial_state_shape)
        if isinstance(self.cell, RecurrentCell):
            self.cell.check_recurrent_weights()

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        """Shapes of what a call returns: the outputs, and the states with `return_state`."""
        if not isinstance(self.cell, RecurrentCell):
            return super().compute_output_shape(sequences_shape, initial_state_shape)
        batch, time = self._merged_shape(sequences_shape)[:2]
        output_size = shape_of(self.cell.output_size)
        output = (batch, time, *output_size) if self.return_sequences else (batch, *output_size)
        if not self.return_state:
            return output
        return output, *((batch, *shape_of(size)) for size in self.state_size)

    def compute_output_spec(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        """Symbolic results; for a single input, without tracing the loop, as Keras would."""
        if not isinstance(self.cell, RecurrentCell) or not _is_plain(sequences, initial_state):
            return super().compute_output_spec(sequences, initial_state, mask, training)
        shapes, dtype = self.compute_output_shape(sequences.shape), self.compute_dtype
        if not self.return_state:
            return keras.KerasTensor(shapes, dtype)
        return tuple(keras.KerasTensor(shape, dtype) for shape in shapes)

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        """Runs the cell over (batch, time, features), or over a pair with the elapsed time."""
        if isinstance(mask, (list, tuple)):
            mask = mask[0]
        inputs = self._merged(sequences, mask)
        if initial_state is not None and isinstance(self.cell, RecurrentCell):
            self._check_initial_state(initial_state, inputs.shape[0])
            initial_state = _for_all_rows(initial_state, inputs)
        try:
            return super().call(inputs, initial_state, mask, training)
        finally:  # Keras resets the masks only after a call without an error
            self._maybe_reset_dropout_masks(self.cell)

    def _check_initial_state(self, initial_state, batch):
        """Raises ValueError unless there is one tensor of the right size per state, with a row for
        each of the batch or one for all."""
        sizes = [shape_of(size) for size in self.state_size]
        shapes = [tuple(state.shape[1:]) for state in tree.flatten(initial_state)]
        fits = len(shapes) == len(sizes) and all(
            len(shape) == len(size)
            and all(a in (b, None) for a, b in zip(shape, size, strict=True))
            for shape, size in zip(shapes, sizes, strict=True)
        )
        if not fits:
            expected, got = (
                ", ".join(str(("batch", *shape)).replace("'", "") for shape in each)
                for each in (sizes, shapes)
            )
            raise ValueError(
                f"`initial_state` of {type(self.cell).__name__} must have the "
                f"shape{'s' * (len(sizes) > 1)} {expected}, got {got}."
            )
        for state in tree.flatten(initial_state):
            if batch is not None and state.shape[0] not in (None, 1, batch):
                raise ValueError(
                    f"`initial_state` of {type(self.cell).__name__} must have {batch} rows, as the "
                    f"inputs have, or 1 for all of them, got {state.shape[0]}."
                )

    def _merged(self, sequences, mask):
        """The inputs as one tensor, with the elapsed time as the last feature."""
        pair = isinstance(sequences, (list, tuple))
        self._check_pair(len(sequences) if pair else 1)
        if not pair:
            return sequences
        x, elapsed = (ops.convert_to_tensor(each) for each in sequences)
        elapsed = _by_step(elapsed, x, "elapsed")
        if mask is not None:
            mask = _by_step(ops.cast(mask, "bool"), x, "mask")
        elapsed = elapsed_in_order(elapsed, mask, self.go_backwards)
        return ops.concatenate([x, ops.cast(elapsed, x.dtype)[..., None]], axis=-1)

    def _merged_shape(self, shape):
        pair = isinstance(shape[0], (list, tuple))
        self._check_pair(len(shape) if pair else 1)
        return (*shape[0][:-1], shape[0][-1] + 1) if pair else shape

    def _check_pair(self, inputs):
        name = type(self.cell).__name__
        if self._takes_time and inputs != 2:
            raise ValueError(
                f"{name} needs the time since the previous step, (batch, time): "
                f"layer((x, elapsed)), got {inputs} input{'s' * (inputs > 1)}."
            )
        if not self._takes_time and inputs != 1:
            raise ValueError(f"{name} takes one input, (batch, time, features), got {inputs}.")

    def _check_recompute(self):
        reason = paths.obstacle_to_recomputation(self)
        if reason:
            raise ValueError(
                f"`recompute={self.recompute}` has no effect here: {reason}; leave it out."
            )

    def execution_path(self) -> str:
        """Describes the path that the layer takes in this process, and why not a faster one."""
        return paths.choose(self).sentence()

    def reset_state(self, rows: Iterable[int] | None = None) -> None:
        """Sets the states of a stateful layer to those of its cell before a sequence, mostly zeros.

        Args:
            rows: indices of the batch's rows to reset; all of them by default.

        Raises:
            ValueError: a row is not a whole number, or is outside the batch.
        """
        _reset(self.states, rows, self.cell)

    def _maybe_config_dropout_masks(self, cell: Any, inputs: Any, states: Any) -> None:
        # Keras draws the masks in each call, even where nothing is dropped: validation would change
        # the masks of later training steps, and an exported graph keep the seed as a variable. In
        # training, `_run` draws those of the layer's cell, but not those of a list of cells.
        unused = cell is self.cell or within_portable()
        if not (unused and paths.keeps_contract(cell)):
            super()._maybe_config_dropout_masks(cell, inputs, states)

    def compute_mask(self, _: Any, mask: Any) -> Any:
        """Passes the mask on with the outputs of each step."""
        mask = tree.flatten(mask)[0]
        output_mask = mask if self.return_sequences else None
        if not self.return_state:
            return output_mask
        return [output_mask, *(None for _ in self.state_size)]

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Any, Any, list]:
        """Runs the cell over (batch, time, features); see `keras.layers.RNN`."""
        runner = chosen_runner()
        if runner is not None:
            sequences = ops.cast(sequences, self.cell.compute_dtype)
            with backend.AutocastScope(self.cell.compute_dtype):
                return runner(self, sequences, list(tree.flatten(initial_state)), mask)
        path = paths.choose(self).path
        if not paths.keeps_contract(self.cell):
            return super().inner_loop(sequences, initial_state, mask, training)
        if path is not Path.LOOP:
            tie_to_process(self.cell)
        # The cell's precision may differ from the layer's.
        sequences = ops.cast(sequences, self.cell.compute_dtype)
        with backend.AutocastScope(self.cell.compute_dtype):
            last, outputs, states = self._run(path, sequences, initial_state, mask, training)
        self._set_static_shapes(sequences, last, outputs, states)
        return last, outputs, states

    def _set_static_shapes(self, sequences, last, outputs, states):
        """Sets the static shapes in a graph, regardless of the path that computed the tensors."""
        if keras.backend.backend() != "tensorflow":
            return
        batch, time = sequences.shape[:2]
        last.set_shape((batch, *shape_of(self.cell.output_size)))
        if self.return_sequences:
            outputs.set_shape((batch, time, *shape_of(self.cell.output_size)))
        for state, size in zip(states, self.state_size, strict=True):
            state.set_shape((batch, *shape_of(size)))

    def _run(self, path, sequences, initial_state, mask, training):
        input_mask = self.cell.input_mask(sequences[:, 0], training)
        if input_mask is not None:
            sequences = sequences * input_mask[:, None]
        recurrent_mask = self.cell.recurrent_mask(initial_state[0], training)
        if mask is not None:
            mask = _by_step(ops.cast(mask, "bool"), sequences, "mask")
        if path is Path.LOOP:
            return self._loop(sequences, initial_state, mask, recurrent_mask, training)
        sequences = self.cell.prepare(sequences, training)

        def fast():
            return self._fast(sequences, initial_state, mask, recurrent_mask, training)

        if path is Path.CUDNN:
            from seqzoo.cells.engine import cudnn

            return cudnn.run(self, sequences, initial_state, mask, otherwise=fast)
        return fast()

    def _loop(self, sequences, states, mask, recurrent_mask, training):
        # Keras' own `go_backwards` zeroes the wrong outputs of an unrolled loop with a mask.
        if self.cell.joins_products:
            inputs, advance = self.cell.prepare(sequences, training), self.cell.joint_step()
        else:
            inputs, advance = self.cell.projected(sequences, training), self.cell.advance
        inputs, mask = self._in_running_order(inputs, mask)
        if mask is not None and keras.backend.backend() == "jax" and len(sequences.shape) > 3:
            mask = _spread(mask, sequences)  # JAX's loop broadcasts masks only with vectors

        def step(x, states):
            return advance(x, list(states), recurrent_mask)

        return backend.rnn(
            step,
            inputs,
            states,
            mask=mask,
            unroll=self.unroll,
            input_length=sequences.shape[1],
            zero_output_for_mask=self.zero_output_for_mask,
            return_all_outputs=self.return_sequences,
        )

    def _fast(self, sequences, states, mask, recurrent_mask, training, scan=None):
        sequences, mask = self._in_running_order(sequences, mask)
        if sequences.shape[1] == 1:
            x = self.cell.project(sequences[:, 0])
            last, states = self._one_step(x, states, mask, recurrent_mask)
            return last, last[:, None], states
        if scan is None and (self._scan is None or not self._scan.fits(self.cell)):
            from seqzoo.cells.engine.scan import scan_of

            self._scan = scan_of(self.cell, self.recompute)
        outputs, states = (scan or self._scan)(
            sequences, states, mask, recurrent_mask, self.return_sequences, bool(training)
        )
        last = states[0]
        if mask is not None:
            last, outputs = self._masked(last, outputs, mask)
        return last, last[:, None] if outputs is None else outputs, states

    def _in_running_order(self, sequences, mask):
        if not self.go_backwards:
            return sequences, mask
        return ops.flip(sequences, axis=1), None if mask is None else ops.flip(mask, axis=1)

    def _one_step(self, x, states, mask, recurrent_mask):
        output, new = self.cell.advance(x, list(states), recurrent_mask)
        if mask is None:
            return output, new
        new = [ops.where(_spread(mask, a), a, b) for a, b in zip(new, states, strict=True)]
        return ops.where(_spread(mask, output), output, ops.zeros_like(output)), new

    def _masked(self, last, outputs, mask):
        """Sets the outputs of masked steps as Keras does; so far, they equal the first state."""
        if self.zero_output_for_mask:
            visible, visible_last = mask, mask[:, -1]
        else:
            visible = ops.cumsum(ops.cast(mask, "int32"), axis=1) > 0
            visible_last = visible[:, -1]
        last = ops.where(_spread(visible_last, last), last, ops.zeros_like(last))
        if outputs is not None:
            outputs = ops.where(_spread(visible, outputs), outputs, ops.zeros_like(outputs))
        return last, outputs

    def get_config(self) -> dict:
        """The configuration that the layer is rebuilt from."""
        return {**super().get_config(), "fast": self.fast, "recompute": self.recompute}


@keras.saving.register_keras_serializable(package="seqzoo")
class Bidirectional(keras.layers.Bidirectional):
    """Runs a cell in both directions: a drop-in replacement for `keras.layers.Bidirectional`.

    Args:
        layer: a cell of `seqzoo.cells`, which is wrapped in a `Recurrent`, or a recurrent layer.
        merge_mode: how the two outputs are combined: "concat", "sum", "mul", "ave", or None for
            both.
        weights: list of arrays, the initial weights, those of the forward layer first.
        backward_layer: the layer that runs backwards, or, if `layer` is a cell, its cell; a copy of
            the first by default.
        **kwargs: options of `Recurrent` if `layer` is a cell, otherwise of `keras.layers.Layer`.
    """

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ):
        if isinstance(layer, RecurrentCell):
            options = {"name": kwargs.pop("name")} if "name" in kwargs else {}
            if "dtype" in kwargs:  # of the layers, too
                options["dtype"] = kwargs["dtype"]
            if isinstance(backward_layer, RecurrentCell):
                backward_layer = Recurrent(backward_layer, **{**kwargs, "go_backwards": True})
            layer, kwargs = Recurrent(layer, **kwargs), options
        with nothing_shared():  # Keras copies the layer through its configuration
            super().__init__(layer, merge_mode, None, backward_layer, **kwargs)
        # Keras accepts `weights` but ignores them.
        self._weights_to_set = weights

    def build(self, sequences_shape: tuple, initial_state_shape: Any = None) -> None:
        """Creates the weights of both directions for inputs of shape (batch, time, features)."""
        super().build(sequences_shape, initial_state_shape)
        if self._weights_to_set is not None:
            self.set_weights(self._weights_to_set)
            self._weights_to_set = None

    def compute_output_spec(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        """Symbolic results; see `Recurrent.compute_output_spec`."""
        layers = (self.forward_layer, self.backward_layer)
        known = all(isinstance(layer, Recurrent) for layer in layers) and _is_plain(
            sequences, initial_state
        )
        if not known or self.return_state or self.merge_mode is None:
            return super().compute_output_spec(sequences, initial_state, mask, training)
        shape = self.compute_output_shape(sequences.shape)
        return keras.KerasTensor(shape, self.forward_layer.compute_dtype)

    def execution_path(self) -> str:
        """Describes the path of each direction in this process; once if both take the same path."""
        forward, backward = (
            layer.execution_path()
            if isinstance(layer, Recurrent)
            else f"Runs Keras' {type(layer).__name__}."
            for layer in (self.forward_layer, self.backward_layer)
        )
        return forward if forward == backward else f"Forward: {forward} Backward: {backward}"

    def reset_state(self, rows: Iterable[int] | None = None) -> None:
        """Resets the states of stateful layers; see `Recurrent.reset_state`.

        Rows can be selected in Keras' own layers and in stacks of cells, too.
        """
        for layer in (self.forward_layer, self.backward_layer):
            overridden = type(layer).reset_state is not keras.layers.RNN.reset_state
            if isinstance(layer, Recurrent):
                layer.reset_state(rows)
            elif rows is None and overridden:
                layer.reset_state()
            else:
                _reset(layer.states, rows, layer.cell)

    def compute_mask(self, _: Any, mask: Any) -> Any:
        """Passes the mask on with the outputs of each step."""
        mask = tree.flatten(mask)[0]
        output_mask = mask if self.return_sequences else None
        masks = [output_mask, output_mask] if self.merge_mode is None else [output_mask]
        if self.return_state:
            masks += [None] * 2 * len(self.forward_layer.state_size)
        return masks if len(masks) > 1 else output_mask


def _is_plain(sequences: Any, initial_state: Any) -> bool:
    """Whether a symbolic call has a single input and no initial state."""
    return isinstance(sequences, keras.KerasTensor) and initial_state is None


def _for_all_rows(states: Any, inputs: Any) -> Any:
    """States with a row for each of the inputs, where they have one for all."""
    if inputs.shape[0] == 1:
        return states
    return tree.map_structure(
        lambda state: (
            ops.broadcast_to(state, (ops.shape(inputs)[0], *state.shape[1:]))
            if state.shape[0] == 1
            else state
        ),
        states,
    )


def _by_step(values: Any, sequences: Any, name: str) -> Any:
    """Values of shape (batch, time), of which a last axis of size one is removed."""
    steps, shape = tuple(sequences.shape[:2]), tuple(values.shape)
    fits = len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, None))
    if not fits or any(a != b for a, b in zip(shape, steps, strict=False) if None not in (a, b)):
        raise ValueError(
            f"`{name}` must have one value per step, (batch, time): {steps}, got the shape {shape}."
        )
    return ops.reshape(values, ops.shape(sequences)[:2])


def _spread(mask: Any, tensor: Any) -> Any:
    """A mask with trailing axes of size one, so that it broadcasts with a tensor of higher rank."""
    return ops.reshape(mask, (*ops.shape(mask), *[1] * (len(tensor.shape) - len(mask.shape))))


def _reset(states: Any, rows: Iterable[int] | None, cell: Any) -> None:
    """Sets nested state variables, or some of their rows, to a cell's initial states."""
    if states is None:
        return
    variables = tree.flatten(states)
    batch = variables[0].shape[0]
    indices = set(range(batch)) if rows is None else _indices(rows, batch)
    chosen = ops.convert_to_tensor([row in indices for row in range(batch)])
    for variable, value in zip(variables, tree.flatten(cell.get_initial_state(batch)), strict=True):
        initial = ops.cast(value, variable.dtype)
        variable.assign(ops.where(_spread(chosen, initial), initial, variable.value))


def _indices(rows: Iterable[int], batch: int) -> set[int]:
    """Rows of a batch as Python integers; raises ValueError if one is none of the batch."""
    rows = list(rows)
    try:
        indices = {-1 if isinstance(row, bool) else operator.index(row) for row in rows}
    except TypeError:  # a float, or a boolean of NumPy
        indices = {-1}
    if not indices <= set(range(batch)):
        raise ValueError(f"`rows` must be whole numbers from 0 to {batch - 1}, got {rows}.")
    return indices

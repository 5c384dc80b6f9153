"""Tests whether a cell of your own satisfies the contract of `RecurrentCell`, in one call."""

import inspect
import pathlib
import tempfile
from typing import Any

import keras
import numpy as np

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        "seqzoo.cells.testing compares TensorFlow's loops and gradients, but Keras' backend is "
        f"{keras.backend.backend()!r}; set KERAS_BACKEND=tensorflow."
    )

import tensorflow as tf

from seqzoo.cells.base import RecurrentCell, as_list, shape_of
from seqzoo.cells.layers.recurrent import Recurrent

__all__ = ["run_cell_test"]

BATCH, TIME = 3, 7
MASK = np.array([[0, 1, 1, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0, 0], [1, 1, 0, 0, 1, 1, 1]], bool)
"""Gaps at the beginning, within and at the end; a row that is all padding."""

FRAME = (6, 5, 2)
"""Height, width and channels for cells of frames."""


def run_cell_test(
    cell: type[RecurrentCell],
    units: int = 5,
    *,
    input_shape: tuple[int, ...] | None = None,
    tolerance: float = 1e-9,
    **options: Any,
) -> None:
    """Runs a cell on all paths and in all the ways that layers use it.

    A step has the shapes and types that the cell declares; the configuration rebuilds the cell,
    and a saved model is loaded and gives the same outputs; half precision gives the results of full
    precision, up to rounding; each kind of dropout changes what is trained and nothing else; a
    sequence run in two parts gives the same results as in one; the fast loops, the plain loop and
    `keras.layers.RNN` give the same outputs and states, with dropout, with a mask, from given
    states and backwards; the fast loops' gradients are those of automatic differentiation; the
    values of masked steps do not matter. Takes a few seconds, mostly to compile the loops.

    Args:
        cell: the class.
        units: number of units of the cell.
        input_shape: shape of one step of one example; (4,) by default, or (6, 5, 2) for frames.
        tolerance: largest relative error between two paths, in float64.
        **options: options of the cell.

    Raises:
        AssertionError: the cell violates the contract; the message says what differs.
    """
    trial = _Trial(cell, units, input_shape, tolerance, options)
    trial.check_step()
    trial.check_configuration()
    trial.check_dropout()
    trial.check_parts()
    trial.check_precision()
    trial.check_saving()
    trial.check_paths()


class _Trial:
    """One cell with inputs for it."""

    def __init__(
        self,
        kind: type[RecurrentCell],
        units: int,
        input_shape: tuple[int, ...] | None,
        tolerance: float,
        options: dict[str, Any],
    ):
        self.kind = kind
        self.units = units
        self.options = options
        self.tolerance = tolerance
        self.shape = input_shape or ((4,) if kind.input_rank == 2 else FRAME)
        self.random = np.random.default_rng(0)
        self.x = self.random.normal(size=(BATCH, TIME, *self.shape))
        self.elapsed = self.random.uniform(0, 3, (BATCH, TIME))
        self.cell: Any = None
        self.cell = self.make()
        sizes = as_list(self.cell.state_size)
        self.states = [self.random.normal(0, 0.7, (BATCH, *shape_of(size))) for size in sizes]

    def make(self, dtype: str = "float64", **options: Any) -> RecurrentCell:
        """The built cell, with the same weights each time; random ones, even if an initializer
        returns zeros."""
        cell = self.kind(self.units, dtype=dtype, **self.options, **options)
        features = self.shape[-1] + self.kind.takes_time
        cell.build((None, *self.shape[:-1], features))
        if self.cell is not None:
            cell.set_weights(self.cell.get_weights())
            return cell
        random = np.random.default_rng(1)
        for weight in cell.trainable_variables:
            drawn = random.uniform(-0.5, 0.5, weight.shape)
            weight.assign(drawn if weight.name.endswith("kernel") else weight + drawn)
        return cell

    def layer_inputs(self, x: np.ndarray, start: int = 0, stop: int = TIME) -> Any:
        """Some steps as a layer expects them."""
        x = x[:, start:stop]
        return (x, self.elapsed[:, start:stop]) if self.kind.takes_time else x

    def step_inputs(self) -> Any:
        """The first step as a cell expects it."""
        first = self.x[:, 0]
        if self.kind.takes_time:
            first = np.concatenate([first, self.elapsed[:, :1]], axis=-1)
        return tf.constant(first)

    def check_step(self) -> None:
        cell = self.cell
        output, states = cell(self.step_inputs(), [tf.constant(state) for state in self.states])
        self.expect("the output", output, cell.output_size)
        initial = cell.get_initial_state(BATCH)
        for name, found in (("states", states), ("initial states", initial)):
            self.require(
                len(found) == len(self.states),
                f"`state_size` says {len(self.states)} states, got {len(found)} {name}",
            )
            for size, state in zip(as_list(cell.state_size), found, strict=True):
                self.expect(f"one of the {name}", state, size)

    def expect(self, what: str, tensor: Any, size: Any) -> None:
        """Checks that a tensor has the shape and the type that the cell declares."""
        shape, dtype = (BATCH, *shape_of(size)), self.cell.compute_dtype
        self.require(
            (tuple(tensor.shape), keras.backend.standardize_dtype(tensor.dtype)) == (shape, dtype),
            f"{what} must be {dtype} of shape {shape}, got {tensor.dtype} of {tensor.shape}",
        )

    def check_configuration(self) -> None:
        config = self.cell.get_config()
        taken = [
            name
            for name, parameter in inspect.signature(self.kind.__init__).parameters.items()
            if name != "self" and parameter.kind is not parameter.VAR_KEYWORD
        ]
        missing = [name for name in taken if name not in config]
        self.require(not missing, f"`get_config` lacks {', '.join(missing)}")
        again = self.kind.from_config(config)
        self.require(again.get_config() == config, "`from_config` makes a cell of another config")
        registered = keras.saving.get_registered_object(keras.saving.get_registered_name(self.kind))
        self.require(
            registered is self.kind,
            "saved models need the class registered: put "
            "`@keras.saving.register_keras_serializable()` above it",
        )

    def check_dropout(self) -> None:
        kinds = ["dropout", *["recurrent_dropout"] * self.cell.has_recurrent_product]
        for kind in kinds:
            cell = self.make(**{kind: 0.5, "seed": 3})

            def run(training: bool, cell: RecurrentCell = cell) -> Any:
                cell.reset_dropout_mask()
                cell.reset_recurrent_dropout_mask()
                states = [tf.constant(state) for state in self.states]
                return cell(self.step_inputs(), states, training=training)

            plain = self.cell(self.step_inputs(), [tf.constant(state) for state in self.states])
            self.same(f"answers with `{kind}` and without", run(False), plain)
            trained = zip(keras.tree.flatten(run(True)), keras.tree.flatten(plain), strict=True)
            self.require(
                any(_error(a, b) > self.tolerance for a, b in trained),
                f"`{kind}` changes nothing in training",
            )

    def check_parts(self) -> None:
        layer = self.layer(Recurrent, self.cell, fast=False)
        whole, *last = layer(self.layer_inputs(self.x), initial_state=self.states)
        first, *states = layer(self.layer_inputs(self.x, 0, 4), initial_state=self.states)
        second, *states = layer(self.layer_inputs(self.x, 4), initial_state=states)
        parts = [tf.concat([first, second], 1), *states]
        self.same("a sequence in two parts and in one", parts, [whole, *last])

    def check_precision(self) -> None:
        full = self.layer(Recurrent, self.cell, fast=False)(self.layer_inputs(self.x))
        for dtype in ("bfloat16", "float16"):
            cell = self.make(f"mixed_{dtype}")
            self.require(
                {weight.dtype for weight in cell.trainable_variables} <= {"float32"},
                f"under mixed_{dtype} weights must be float32",
            )
            half = self.layer(Recurrent, cell, fast=False)(self.layer_inputs(self.x))
            self.require(half[0].dtype == dtype, f"outputs must be {dtype}, got {half[0].dtype}")
            half = tf.cast(half[0], "float64")
            self.same(f"outputs in mixed_{dtype} and in float64", half, full[0], 0.1)

    def check_saving(self) -> None:
        inputs: Any = keras.Input((None, *self.shape))
        inputs = [inputs, keras.Input((None,))] if self.kind.takes_time else inputs
        layer = Recurrent(self.make("float32"), return_sequences=True, fast=False)
        model = keras.Model(inputs, layer(inputs))
        expected = (None, None, *shape_of(layer.cell.output_size))
        self.require(
            tuple(model.output.shape) == expected,
            f"in a model the output must have the shape {expected}, got {model.output.shape}",
        )
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "cell.keras"
            model.save(path)
            again = keras.saving.load_model(path)
        given = self.layer_inputs(self.x)
        given = [
            each.astype("float32") for each in (given if isinstance(given, tuple) else [given])
        ]
        given = given if len(given) > 1 else given[0]
        self.same("a saved model and the loaded one", again(given), model(given), 1e-6)

    def check_paths(self) -> None:
        rates: dict[str, Any] = {"dropout": 0.3, "recurrent_dropout": 0.3}
        if not self.cell.has_recurrent_product:
            del rates["recurrent_dropout"]
        cell = self.make(seed=5, **rates)
        fast, plain = (
            self.layer(Recurrent, cell, go_backwards=True, fast=fast) for fast in (True, False)
        )
        results, gradients = self.differentiated(fast, self.x)
        expected, slopes = self.differentiated(plain, self.x)
        self.same("results of the fast loops and of the plain one", results, expected)
        names = ["the input", *[f"state {k}" for k in range(len(self.states))]]
        names += [variable.name for variable in cell.trainable_variables]
        for name, ours, theirs in zip(names, gradients, slopes, strict=True):
            self.require((ours is None) == (theirs is None), f"one path has no gradient of {name}")
            if theirs is not None:
                self.same(f"gradients of {name} on the fast path and automatic", ours, theirs)
        if not self.kind.takes_time:
            stock = self.layer(keras.layers.RNN, cell, go_backwards=True)
            result = self.run(stock, self.x)
            self.same("results of `Recurrent` and of `keras.layers.RNN`", results, result)

        shown = MASK.reshape(BATCH, TIME, *[1] * len(self.shape))
        other = np.where(shown, self.x, self.random.normal(0, 9, self.x.shape))
        changed = self.differentiated(fast, other)
        self.same("results with other values in masked steps", changed[0], results)
        # The first gradient is the input's own.
        pairs = [(a, b) for a, b in zip(changed[1], gradients, strict=True) if b is not None]
        for ours, theirs in pairs:
            self.same("gradients with other values in masked steps", ours, theirs)

    def layer(self, kind: type, cell: RecurrentCell, **options: Any) -> Any:
        return kind(
            cell, return_sequences=True, return_state=True, dtype=cell.dtype_policy, **options
        )

    def run(self, layer: Any, x: Any, states: Any = None) -> list:
        """Outputs and last states in training, with the same dropout each time."""
        layer.cell.seed_generator.state.assign([0, 7])
        given = (x, self.elapsed) if self.kind.takes_time else x
        states = self.states if states is None else states
        return list(layer(given, initial_state=states, mask=MASK, training=True))

    def differentiated(self, layer: Any, x: np.ndarray) -> tuple[list, list]:
        """Results, and gradients of the input, the states and all weights."""
        given, states = tf.constant(x), [tf.constant(state) for state in self.states]
        random = np.random.default_rng(4)
        with tf.GradientTape() as tape:
            tape.watch([given, states])
            results = self.run(layer, given, states)
            loss = tf.add_n(
                [tf.reduce_sum(result * random.normal(size=result.shape)) for result in results]
            )
        weights = [variable.value for variable in layer.cell.trainable_variables]
        return results, tape.gradient(loss, [given, *states, *weights])

    def same(self, what: str, actual: Any, expected: Any, tolerance: float | None = None) -> None:
        """Checks that nests of tensors are equal up to rounding."""
        limit = self.tolerance if tolerance is None else tolerance
        pairs = zip(keras.tree.flatten(actual), keras.tree.flatten(expected), strict=True)
        largest = max(_error(a, b) for a, b in pairs)
        # Not the opposite comparison, so that NaN counts as an error.
        self.require(
            largest <= limit,
            f"{what} must be the same, but their relative error is {largest:.2g} "
            f"(at most {limit:.2g})",
        )

    def require(self, kept: bool, message: str) -> None:
        if not kept:
            raise AssertionError(f"{self.kind.__name__}: {message}.")


def _error(actual: Any, expected: Any) -> float:
    """The norm of the difference over the norm of the expected values."""
    a, b = (np.asarray(keras.ops.convert_to_numpy(each), np.float64) for each in (actual, expected))
    if a.shape != b.shape:
        return float("inf")
    scale = np.linalg.norm(b)
    return float(np.linalg.norm(a - b) / (scale if scale else 1))

"""One call that tests whether a custom cell satisfies the contract of `RecurrentCell`."""

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
"""Gaps at the beginning, in the middle and at the end; a row that is all padding."""

FRAME = (6, 5, 2)
"""Height, width and channels, for cells that take frames."""


def run_cell_test(
    cell: type[RecurrentCell],
    units: int = 5,
    *,
    input_shape: tuple[int, ...] | None = None,
    tolerance: float = 1e-9,
    **options: Any,
) -> None:
    """Tests a cell on every execution path and in all the ways in which layers use it.

    Checks that:

    - a step returns the shapes and dtypes that the cell declares;
    - the configuration rebuilds the cell, and a saved model gives the same outputs once loaded;
    - half precision gives the results of full precision, up to rounding;
    - both kinds of dropout change the outputs in training, and only then;
    - a sequence gives the same results when it is run in two chunks as in one;
    - the fast loops, the plain loop and `keras.layers.RNN` give the same outputs and states, with
      dropout, with a mask, from given initial states and backwards;
    - the gradients of the fast loops are those of automatic differentiation;
    - the values of masked steps have no effect.

    This takes a few seconds, mostly for compiling the loops.

    Args:
        cell: the cell's class.
        units: number of units of the cell.
        input_shape: shape of one step of one example; (4,) by default, or (6, 5, 2) for frames.
        tolerance: maximum relative error between two paths, in float64.
        **options: options of the cell.

    Raises:
        AssertionError: the cell violates the contract; the message says what differs.
    """
    test = _CellTest(cell, units, input_shape, tolerance, options)
    test.check_step()
    test.check_configuration()
    test.check_dropout()
    test.check_chunks()
    test.check_precision()
    test.check_saving()
    test.check_paths()


class _CellTest:
    """A cell, inputs for it, and the checks."""

    def __init__(
        self,
        cell_class: type[RecurrentCell],
        units: int,
        input_shape: tuple[int, ...] | None,
        tolerance: float,
        options: dict[str, Any],
    ):
        self.cell_class = cell_class
        self.units = units
        self.options = options
        self.tolerance = tolerance
        self.shape = input_shape or ((4,) if cell_class.input_rank == 2 else FRAME)
        self.random = np.random.default_rng(0)
        self.x = self.random.normal(size=(BATCH, TIME, *self.shape))
        self.elapsed = self.random.uniform(0, 3, (BATCH, TIME))
        self.cell: Any = None
        self.cell = self.make()
        sizes = as_list(self.cell.state_size)
        self.states = [self.random.normal(0, 0.7, (BATCH, *shape_of(size))) for size in sizes]

    def make(self, dtype: str = "float64", **options: Any) -> RecurrentCell:
        """A built cell with random weights, the same in each call, even for weights that start as
        zeros."""
        cell = self.cell_class(self.units, dtype=dtype, **self.options, **options)
        features = self.shape[-1] + self.cell_class.takes_time
        cell.build((None, *self.shape[:-1], features))
        if self.cell is not None:
            cell.set_weights(self.cell.get_weights())
            return cell
        random = np.random.default_rng(1)
        for weight in cell.trainable_variables:
            noise = random.uniform(-0.5, 0.5, weight.shape)
            weight.assign(noise if weight.name.endswith("kernel") else weight + noise)
        return cell

    def layer_inputs(self, x: np.ndarray, start: int = 0, stop: int = TIME) -> Any:
        """Steps `start` to `stop` in the form that a layer expects."""
        x = x[:, start:stop]
        return (x, self.elapsed[:, start:stop]) if self.cell_class.takes_time else x

    def step_inputs(self) -> Any:
        """The first step in the form that a cell expects."""
        first = self.x[:, 0]
        if self.cell_class.takes_time:
            first = np.concatenate([first, self.elapsed[:, :1]], axis=-1)
        return tf.constant(first)

    def check_step(self) -> None:
        cell = self.cell
        output, states = cell(self.step_inputs(), [tf.constant(state) for state in self.states])
        self.expect("the output", output, cell.output_size)
        initial = cell.get_initial_state(BATCH)
        for name, actual in (("states", states), ("initial states", initial)):
            self.require(
                len(actual) == len(self.states),
                f"the number of {name} must be {len(self.states)}, as in `state_size`, got "
                f"{len(actual)}",
            )
            for size, state in zip(as_list(cell.state_size), actual, strict=True):
                self.expect(f"one of the {name}", state, size)

    def expect(self, what: str, tensor: Any, size: Any) -> None:
        """Checks that a tensor has the shape and the dtype that the cell declares."""
        shape, dtype = (BATCH, *shape_of(size)), self.cell.compute_dtype
        self.require(
            (tuple(tensor.shape), keras.backend.standardize_dtype(tensor.dtype)) == (shape, dtype),
            f"{what} must be {dtype} of shape {shape}, got {tensor.dtype} of {tensor.shape}",
        )

    def check_configuration(self) -> None:
        config = self.cell.get_config()
        options = [
            name
            for name, parameter in inspect.signature(self.cell_class.__init__).parameters.items()
            if name != "self" and parameter.kind is not parameter.VAR_KEYWORD
        ]
        missing = [name for name in options if name not in config]
        self.require(not missing, f"`get_config` lacks {', '.join(missing)}")
        rebuilt = self.cell_class.from_config(config)
        self.require(
            rebuilt.get_config() == config, "`from_config` creates a cell with a different config"
        )
        registered = keras.saving.get_registered_object(
            keras.saving.get_registered_name(self.cell_class)
        )
        self.require(
            registered is self.cell_class,
            "a class must be registered so that models with it can be loaded: decorate it with "
            "`@keras.saving.register_keras_serializable()`",
        )

    def check_dropout(self) -> None:
        options = ["dropout", *["recurrent_dropout"] * self.cell.has_recurrent_product]
        for option in options:
            cell = self.make(**{option: 0.5, "seed": 3})

            def run(training: bool, cell: RecurrentCell = cell) -> Any:
                cell.reset_dropout_mask()
                cell.reset_recurrent_dropout_mask()
                states = [tf.constant(state) for state in self.states]
                return cell(self.step_inputs(), states, training=training)

            plain = self.cell(self.step_inputs(), [tf.constant(state) for state in self.states])
            self.same(f"outputs at inference with and without `{option}`", run(False), plain)
            pairs = zip(keras.tree.flatten(run(True)), keras.tree.flatten(plain), strict=True)
            self.require(
                any(_error(a, b) > self.tolerance for a, b in pairs),
                f"`{option}` has no effect in training",
            )

    def check_chunks(self) -> None:
        layer = self.layer(Recurrent, self.cell, fast=False)
        outputs, *last = layer(self.layer_inputs(self.x), initial_state=self.states)
        first, *states = layer(self.layer_inputs(self.x, 0, 4), initial_state=self.states)
        second, *states = layer(self.layer_inputs(self.x, 4), initial_state=states)
        joined = [tf.concat([first, second], 1), *states]
        self.same("results of a sequence in two chunks and in one", joined, [outputs, *last])

    def check_precision(self) -> None:
        full = self.layer(Recurrent, self.cell, fast=False)(self.layer_inputs(self.x))
        for dtype in ("bfloat16", "float16"):
            cell = self.make(f"mixed_{dtype}")
            self.require(
                {weight.dtype for weight in cell.trainable_variables} <= {"float32"},
                f"under mixed_{dtype}, weights must be float32",
            )
            half = self.layer(Recurrent, cell, fast=False)(self.layer_inputs(self.x))
            self.require(half[0].dtype == dtype, f"outputs must be {dtype}, got {half[0].dtype}")
            half = tf.cast(half[0], "float64")
            self.same(f"outputs in mixed_{dtype} and in float64", half, full[0], 0.1)

    def check_saving(self) -> None:
        inputs: Any = keras.Input((None, *self.shape))
        inputs = [inputs, keras.Input((None,))] if self.cell_class.takes_time else inputs
        layer = Recurrent(self.make("float32"), return_sequences=True, fast=False)
        model = keras.Model(inputs, layer(inputs))
        expected = (None, None, *shape_of(layer.cell.output_size))
        self.require(
            tuple(model.output.shape) == expected,
            f"in a model, the output must have the shape {expected}, got {model.output.shape}",
        )
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "cell.keras"
            model.save(path)
            loaded = keras.saving.load_model(path)
        x = self.layer_inputs(self.x)
        x = [each.astype("float32") for each in (x if isinstance(x, tuple) else [x])]
        x = x if len(x) > 1 else x[0]
        self.same("outputs of a saved model and of the loaded one", loaded(x), model(x), 1e-6)

    def check_paths(self) -> None:
        rates: dict[str, Any] = {"dropout": 0.3, "recurrent_dropout": 0.3}
        if not self.cell.has_recurrent_product:
            del rates["recurrent_dropout"]
        cell = self.make(seed=5, **rates)
        fast, plain = (
            self.layer(Recurrent, cell, go_backwards=True, fast=fast) for fast in (True, False)
        )
        results, gradients = self.differentiated(fast, self.x)
        expected, expected_gradients = self.differentiated(plain, self.x)
        self.same("results of the fast loops and of the plain one", results, expected)
        names = ["the input", *[f"state {k}" for k in range(len(self.states))]]
        names += [variable.name for variable in cell.trainable_variables]
        for name, fast_d, plain_d in zip(names, gradients, expected_gradients, strict=True):
            self.require(
                (fast_d is None) == (plain_d is None), f"one path has no gradient for {name}"
            )
            if plain_d is not None:
                self.same(f"gradients of {name} on the fast and the plain path", fast_d, plain_d)
        if not self.cell_class.takes_time:
            keras_layer = self.layer(keras.layers.RNN, cell, go_backwards=True)
            result = self.run(keras_layer, self.x)
            self.same("results of `Recurrent` and of `keras.layers.RNN`", results, result)
        unrecorded = self.run(fast, self.x)
        self.same("results of the fast loops with and without a gradient", unrecorded, results)

        unmasked = MASK.reshape(BATCH, TIME, *[1] * len(self.shape))
        other = np.where(unmasked, self.x, self.random.normal(0, 9, self.x.shape))
        changed = self.differentiated(fast, other)
        self.same("results with other values in masked steps", changed[0], results)
        pairs = [(a, b) for a, b in zip(changed[1], gradients, strict=True) if b is not None]
        for actual, original in pairs:
            self.same("gradients with other values in masked steps", actual, original)

    def layer(self, layer_class: type, cell: RecurrentCell, **options: Any) -> Any:
        return layer_class(
            cell, return_sequences=True, return_state=True, dtype=cell.dtype_policy, **options
        )

    def run(self, layer: Any, x: Any, states: Any = None) -> list:
        """Outputs and last states in training, with the same dropout each time."""
        layer.cell.seed_generator.state.assign([0, 7])
        inputs = (x, self.elapsed) if self.cell_class.takes_time else x
        states = self.states if states is None else states
        return list(layer(inputs, initial_state=states, mask=MASK, training=True))

    def differentiated(self, layer: Any, x: np.ndarray) -> tuple[list, list]:
        """Results, and gradients of the input, the states and all weights."""
        x, states = tf.constant(x), [tf.constant(state) for state in self.states]
        random = np.random.default_rng(4)
        with tf.GradientTape() as tape:
            tape.watch([x, states])
            results = self.run(layer, x, states)
            loss = tf.add_n(
                [tf.reduce_sum(result * random.normal(size=result.shape)) for result in results]
            )
        weights = [variable.value for variable in layer.cell.trainable_variables]
        return results, tape.gradient(loss, [x, *states, *weights])

    def same(self, what: str, actual: Any, expected: Any, tolerance: float | None = None) -> None:
        """Checks that nested tensors are equal up to rounding."""
        limit = self.tolerance if tolerance is None else tolerance
        pairs = zip(keras.tree.flatten(actual), keras.tree.flatten(expected), strict=True)
        largest = max(_error(a, b) for a, b in pairs)
        # Written so that NaN fails, too.
        self.require(
            largest <= limit,
            f"{what} must be the same up to a relative error of {limit:.2g}, got {largest:.2g}",
        )

    def require(self, condition: bool, message: str) -> None:
        if not condition:
            raise AssertionError(f"{self.cell_class.__name__}: {message}.")


def _error(actual: Any, expected: Any) -> float:
    """The norm of the difference over the norm of the expected values."""
    a, b = (np.asarray(keras.ops.convert_to_numpy(each), np.float64) for each in (actual, expected))
    if a.shape != b.shape:
        return float("inf")
    scale = np.linalg.norm(b)
    return float(np.linalg.norm(a - b) / (scale if scale else 1))

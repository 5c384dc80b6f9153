"""The contract of all cells: what happens in one time step."""

import operator
import random
from collections import namedtuple
from collections.abc import Callable
from functools import cache
from typing import Any

import keras
import numpy as np
from keras import ops

from seqzoo.cells.options import check_types, check_unused, from_keras, whole_number
from seqzoo.cells.private_keras import DropoutRNNCell
from seqzoo.cells.spelling import check_options


class RecurrentCell(keras.layers.Layer, DropoutRNNCell):
    """One step of a recurrence, split into parts so that layers can run it fast; abstract.

    A step has three parts:

        x = project(inputs)              everything that depends only on the input
        r = recur(h)                     the recurrent product, h being the first state
        output, states = step(x, r, states)    the rest, elementwise

    A subclass lists its gates and implements `step`, which receives `x` and `r` as named tuples
    with one tensor of shape (batch, units) per gate: `x.forget + r.forget`. `step` should be
    elementwise, because the fast loop calls it with tensors of shape (units, batch); any other,
    such as one with a softmax over the units or with a state of another size, runs on the slower
    general loop.

    Exceptions to this scheme are declared: gates without a recurrent product (`recurrent_gates`),
    weights with one value per unit that `step` reads (`unit_weights`), and matrices computed from
    the weights once per sequence (`input_matrix`, `recurrent_matrix`). `Recurrent` and
    `keras.layers.RNN` both run such a cell; `Recurrent` computes the products of all inputs at once
    and uses a hand-written backward pass. A cell whose recurrence has a different form overrides
    `advance` instead, and also `build` if its weights differ.

    Args:
        units: size of the output and of each state, at least 1.
        activation: the candidate's nonlinearity, a name or a function; any Keras activation.
        use_bias: whether the candidate and the gates have a bias.
        kernel_initializer: initializer of the input weights, shape (features, gates * units).
        recurrent_initializer: initializer of the recurrent weights, shape (units, gates * units).
        bias_initializer: initializer of the biases.
        kernel_regularizer: penalty on the input weights, and on any other matrices of the cell,
            added to the loss; any Keras regularizer.
        recurrent_regularizer: penalty on the recurrent weights.
        bias_regularizer: penalty on the biases.
        kernel_constraint: constraint on the weights that `kernel_regularizer` penalises, applied
            after each update, such as "non_neg"; any Keras constraint.
        recurrent_constraint: constraint on the recurrent weights.
        bias_constraint: constraint on the biases.
        dropout: dropout rate of the inputs, at least 0 and below 1, with one mask per sequence.
        recurrent_dropout: the same for the recurrent inputs.
        seed: random seed for the dropout masks, and for initial weights that a cell draws itself
            instead of by an initializer.

    Raises:
        ValueError: `units`, `dropout` or `recurrent_dropout` is out of range, an option does
            not exist, has the wrong type or would have no effect, or `activity_regularizer` is
            passed, which is an option of the layer.
    """

    gates: tuple[str, ...] = ()
    """Names of the gates, in the order of the columns of the kernels."""

    recurrent_gates: Any = None
    """Names of the gates that have a recurrent product, in the order of its columns; None for all
    gates. If it is `()`, the recurrence is elementwise: `recur` is skipped and r is empty."""

    biased_gates: Any = None
    """Names of the gates that have a bias, in the order of its entries; None for all gates. If it
    is `()`, the cell has no bias."""

    separate: tuple[str, ...] = ()
    """Gates for which `step` needs x and r separately; for the others it uses only the sum."""

    unit_weights: tuple[str, ...] = ()
    """Names of weights of shape (units,) or (1,) that `step` reads; they are its fourth
    argument, a named tuple of tensors that broadcast with a state."""

    bias_names: tuple[str, ...] = ()
    """Names of further weights to which the bias's regularizer and constraint apply."""

    recurrent_names: tuple[str, ...] = ()
    """Names of further weights to which the regularizer and constraint of the recurrent weights
    apply."""

    unused_options: tuple[str, ...] = ()
    """Options, out of `options.DEFAULTS`, that have no effect in the cell; values other than the
    default are refused."""

    joint_states: tuple[tuple[int, ...], ...] = ()
    """Groups of states, by index, that are relative to a scale that they share, so that they are
    kept or replaced together."""

    record_states: tuple[int, ...] = ()
    """States, by index, that store earlier inputs or states for later steps, as a delay line does.
    Each step replaces them; zoneout does not apply to them."""

    takes_time: bool = False
    """Whether the inputs' last feature is the time since the previous step, which `Recurrent`
    appends when it is called with a pair: `layer((x, elapsed))`."""

    takes_mask: bool = False
    """Whether the second half of the inputs' features says which of the first were observed."""

    has_gate_matrices: bool = True
    """Whether the recurrent matrix has a square block per gate, rather than being a layer whose
    width may be that of the state by chance."""

    draws_matrix: bool = False
    """Whether `recurrent_matrix` differs from call to call, as by random masks."""

    input_rank: int = 2
    """Number of axes of one step's inputs: 2 for (batch, features), 4 for frames, (batch, height,
    width, channels)."""

    cudnn: str | None = None
    """The cuDNN kernel that implements the cell with its default options: "lstm", "gru" or None."""

    def __new__(cls, *args: Any, **options: Any) -> Any:
        """Checks the types of the options before any of them is used."""
        check_types(cls, options)
        return super().__new__(cls, *args, **options)

    def __init__(
        self,
        units: int,
        *,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        units = whole_number("units", units)
        for name, rate in (("dropout", dropout), ("recurrent_dropout", recurrent_dropout)):
            if not 0 <= rate < 1:
                raise ValueError(f"`{name}` must be at least 0 and below 1, got {rate!r}.")
        if recurrent_dropout and not self.has_recurrent_product:
            raise ValueError(
                f"`recurrent_dropout` must be 0, got {recurrent_dropout!r}: "
                f"{type(self).__name__} has no recurrent product whose inputs it could drop; "
                "use `dropout` instead."
            )
        if kwargs.get("activity_regularizer") is not None:
            raise ValueError(
                "`activity_regularizer` belongs to the layer, which sees the outputs of all steps: "
                f"Recurrent({type(self).__name__}(...), activity_regularizer=...)."
            )
        check_options(type(self), kwargs)
        super().__init__(**kwargs)
        self.units = units
        self.activation = from_keras("activation", activation)
        self.use_bias = use_bias
        self.kernel_initializer = from_keras("kernel_initializer", kernel_initializer)
        self.recurrent_initializer = from_keras("recurrent_initializer", recurrent_initializer)
        self.bias_initializer = from_keras("bias_initializer", bias_initializer)
        self.kernel_regularizer = from_keras("kernel_regularizer", kernel_regularizer)
        self.recurrent_regularizer = from_keras("recurrent_regularizer", recurrent_regularizer)
        self.bias_regularizer = from_keras("bias_regularizer", bias_regularizer)
        self.kernel_constraint = from_keras("kernel_constraint", kernel_constraint)
        self.recurrent_constraint = from_keras("recurrent_constraint", recurrent_constraint)
        self.bias_constraint = from_keras("bias_constraint", bias_constraint)
        check_unused(self)
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.seed = None if seed is None else operator.index(seed)
        # Drawn here, in the order in which layers are created, as Keras draws its seeds.
        self._dropout_seed = random.randint(1, 10**9) if seed is None else self.seed
        self.bias = None
        self.has_recurrent_weights = False

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if isinstance(cls.gates, property):
            return  # a wrapper has the gates of its inner cell
        redefined = "gates" in vars(cls) and "recurrent_gates" not in vars(cls)
        if redefined or cls.recurrent_gates is None:
            cls.recurrent_gates = cls.gates
        cls.Gates = namedtuple("Gates", cls.gates)
        cls.RecurrentGates = namedtuple("RecurrentGates", cls.recurrent_gates)
        cls.UnitWeights = namedtuple("UnitWeights", cls.unit_weights)

    @property
    def state_size(self) -> Any:
        """Size of each state, or its shape without the batch axis; `recur` takes the first.

        Sizes that depend on the size of the input are None until the cell is built.
        """
        return self.units

    @property
    def output_size(self) -> Any:
        """Size of the output, or its shape without the batch axis."""
        return self.units

    def get_initial_state(self, batch_size: Any = None) -> list:
        """Zeros for each state, (batch_size, *size), with its size in `state_size`."""
        return [
            ops.zeros((batch_size, *shape_of(size)), dtype=self.compute_dtype)
            for size in as_list(self.state_size)
        ]

    def valid_states(self, states: list) -> list:
        """States of the right kind out of arbitrary numbers.

        For models that compute the first states, such as decoders. Cells whose states may be any
        numbers return them as they are; others change them, each row by itself.

        Args:
            states: tensors, one per state.
        """
        return list(states)

    def build(self, input_shape: tuple) -> None:
        """Creates the weights for inputs of shape (batch, features)."""
        if input_shape[-1] is None:
            raise ValueError(
                f"The number of features must be known, got inputs of shape {input_shape}."
            )
        self.kernel = self.add_weight(
            shape=self.kernel_shape(input_shape[-1] - self.takes_time),
            name="kernel",
            initializer=self.kernel_initializer,
        )
        if self.recurrent_gates:
            self.recurrent_kernel = self.add_weight(
                shape=self.recurrent_kernel_shape(),
                name="recurrent_kernel",
                initializer=self.initial_recurrent_kernel,
            )
        if self.use_bias and self.biased_gates != ():
            self.bias = self.add_weight(
                shape=self.bias_shape(),
                name="bias",
                initializer=self.initial_bias,
            )
        for name in self.unit_weights:
            weight = self.add_weight(
                shape=self.unit_weight_shape(name),
                name=name,
                initializer=lambda shape, dtype=None, name=name: self.initial_unit_weight(
                    name, shape, dtype
                ),
            )
            setattr(self, name, weight)
        for option, value in list(vars(self).items()):
            # An activation may be a layer with weights, such as `keras.layers.PReLU`.
            if isinstance(value, keras.Layer) and not isinstance(value, RecurrentCell):
                if not value.built:
                    value.build((None, *self.activation_shape(option)))
        self.built = True

    def activation_shape(self, option: str) -> tuple[int, ...]:
        """Shape of what an activation is applied to, without the batch axis.

        Args:
            option: name of the activation's option.
        """
        return shape_of(as_list(self.state_size)[0])

    def random_numbers(self) -> np.random.Generator:
        """Random generator for initial weights that a cell draws itself, seeded by `seed` or,
        without one, from NumPy's global generator.

        Unlike random tensors, NumPy arrays have values while a `tf.function` is being traced.
        """
        seed = np.random.randint(2**31) if self.seed is None else self.seed
        return np.random.default_rng(seed % 2**63)  # NumPy takes no negative seeds, as Keras does

    def kernel_shape(self, features: int) -> tuple[int, ...]:
        """Shape of the input weights."""
        return (features, len(self.gates) * self.units)

    def recurrent_kernel_shape(self) -> tuple[int, ...]:
        """Shape of the recurrent weights."""
        return (self.units, len(self.recurrent_gates) * self.units)

    def add_weight(self, *args: Any, **kwargs: Any) -> Any:
        """See `keras.layers.Layer`; adds the weight's regularizer and constraint.

        A weight that is called "recurrent_kernel" or "recurrent_weight", has the recurrent
        initializer or is in `recurrent_names` gets those of the recurrent weights; any other weight
        whose name ends in "kernel" gets those of the input weights; those whose name ends in
        "bias", and those in `bias_names`, get those of the bias.

        The first call also creates the variable that holds the state of the dropout seed generator.
        Creating it in `__init__` would initialise TensorFlow's devices, which could then no longer
        be configured.
        """
        if not hasattr(self, "seed_generator"):
            self.seed_generator = keras.random.SeedGenerator(self._dropout_seed)
        name = kwargs.get("name") or ""
        recurrent = kwargs.get("initializer") == self.initial_recurrent_kernel
        if recurrent or name in ("recurrent_kernel", "recurrent_weight", *self.recurrent_names):
            self.has_recurrent_weights = True
            kwargs = {
                "regularizer": self.recurrent_regularizer,
                "constraint": self.recurrent_constraint,
            } | kwargs
        elif name.endswith("kernel"):
            kwargs = {
                "regularizer": self.kernel_regularizer,
                "constraint": self.kernel_constraint,
            } | kwargs
        elif name.endswith("bias") or name in self.bias_names:
            kwargs = {
                "regularizer": self.bias_regularizer,
                "constraint": self.bias_constraint,
            } | kwargs
        return super().add_weight(*args, **kwargs)

    def check_recurrent_weights(self) -> None:
        """Checks that a built cell has the recurrent weights that its options are for.

        Raises:
            ValueError: the cell has a regularizer or constraint for recurrent weights, and none of
                these.
        """
        for option in ("recurrent_regularizer", "recurrent_constraint"):
            if getattr(self, option) is not None and not self.has_recurrent_weights:
                raise ValueError(
                    f"`{option}` has no effect in {type(self).__name__}, which has no recurrent "
                    "weights; leave it out."
                )

    def bias_shape(self) -> tuple[int, ...]:
        """Shape of the bias weight: one entry for each unit of each gate that has a bias."""
        return (len(self._biased()) * self.units,)

    def initial_recurrent_kernel(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Initial recurrent weights; TensorFlow cannot draw orthogonal matrices in bfloat16."""
        draw_dtype = "float32" if dtype == "bfloat16" else dtype
        return ops.cast(self.recurrent_initializer(shape, dtype=draw_dtype), dtype)

    def initial_bias(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Initial values of the biases."""
        return self.bias_initializer(shape, dtype=dtype)

    def unit_weight_shape(self, name: str) -> tuple[int, ...]:
        """Shape of one of `unit_weights`: (units,) or (1,)."""
        return (self.units,)

    def initial_unit_weight(self, name: str, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Initial values of one of `unit_weights`."""
        return ops.zeros(shape, dtype)

    def input_matrix(self) -> Any:
        """(features, gates * units): the matrix of `project`."""
        return ops.convert_to_tensor(self.kernel)

    def recurrent_matrix(self) -> Any:
        """(units, recurrent gates * units): the matrix of `recur`."""
        return ops.convert_to_tensor(self.recurrent_kernel)

    def input_bias(self) -> Any:
        """The bias of `project`, with zeros for the gates that have none, or None."""
        bias = None if self.bias is None else ops.convert_to_tensor(self.bias)
        if bias is None or self._biased() == self.gates:
            return bias
        parts = self._bias_parts(bias)
        zeros = ops.zeros((self.units,), bias.dtype)
        return ops.concatenate([parts.get(gate, zeros) for gate in self.gates])

    def recurrent_bias(self) -> Any:
        """The bias of `recur`, or None."""
        return None

    def _biased(self) -> tuple[str, ...]:
        return self.gates if self.biased_gates is None else self.biased_gates

    def _bias_parts(self, bias: Any) -> dict[str, Any]:
        names = self._biased()
        return dict(zip(names, ops.split(bias, len(names)), strict=True))

    def project(self, inputs: Any) -> Any:
        """(..., features) -> (..., gates * units): everything that depends only on the input."""
        x = ops.matmul(inputs, self.input_matrix())
        bias = self.input_bias()
        return x if bias is None else x + bias

    def recur(self, h: Any) -> Any:
        """(batch, units) -> (batch, recurrent gates * units): the recurrent product."""
        r = ops.matmul(h, self.recurrent_matrix())
        bias = self.recurrent_bias()
        return r if bias is None else r + bias

    # With `**_`, type checkers let a subclass override this with and without `weights`.
    def step(self, x: Any, r: Any, states: Any, *weights: Any, **_: Any) -> tuple[Any, list]:
        """The elementwise part of a step.

        Args:
            x: projected input, a named tuple with one tensor per gate.
            r: recurrent product, of the same form, with one tensor per recurrent gate.
            states: list of the states before the step.
            *weights: the named tuple of `unit_weights`, if the cell declares any.

        Returns:
            The output and the list of the states after the step; the output is the first of them.
        """
        raise TypeError(f"{type(self).__name__} defines neither `step` nor `advance`.")

    @property
    def has_recurrent_product(self) -> bool:
        """Whether a step multiplies a state by a matrix, so that recurrent dropout is possible."""
        return bool(self.recurrent_gates) or type(self).advance is not RecurrentCell.advance

    @property
    def recurs_by_product(self) -> bool:
        """Whether a step consists of one recurrent product and the elementwise `step`."""
        cell_class = type(self)
        return (
            cell_class.advance is RecurrentCell.advance and cell_class.recur is RecurrentCell.recur
        )

    @property
    def recurs_diagonally(self) -> bool:
        """Whether the recurrence is linear, diagonal and complex; see `DiagonalCell`."""
        return False

    @property
    def combines_output(self) -> bool:
        """Whether the output is computed from an inner cell's output and not used in later steps.

        `combine(outputs, inputs)` computes it, for one step or for all at once; see
        `OutputWrapper`.
        """
        return False

    @property
    def has_step_gradient(self) -> bool:
        """Whether `step_with_values` and `step_gradient` support the cell's options."""
        return False

    def step_with_values(
        self, x: Any, r: Any, states: Any, *weights: Any, **_: Any
    ) -> tuple[Any, list, tuple]:
        """`step`, and the values that `step_gradient` needs: tensors of the shape of a state."""
        raise TypeError(f"{type(self).__name__} has no hand-written gradient.")

    def step_gradient(self, values: Any, d_states: Any, *weights: Any, **_: Any) -> tuple:
        """The hand-written gradient of `step`; optional, a quarter faster than automatic
        differentiation.

        Args:
            values: the values that `step_with_values` returned.
            d_states: gradients of the new states.
            *weights: the named tuple of `unit_weights`, if the cell declares any.

        Returns:
            Gradients of x (one per gate), of r (or None if equal to those of x), and of the old
            states; with `unit_weights` also their gradients, in the shape of a state, not yet
            summed over the batch.
        """
        raise TypeError(f"{type(self).__name__} has no hand-written gradient.")

    def advance(self, x: Any, states: Any, recurrent_mask: Any = None) -> tuple[Any, list]:
        """One step from a projected input of shape (batch, gates * units).

        Args:
            x: `project` of the step's input.
            states: list of tensors of shape (batch, units).
            recurrent_mask: dropout mask of the recurrent input, or None.

        Returns:
            The output and the list of new states.
        """
        h = states[0] if recurrent_mask is None else states[0] * recurrent_mask
        r = self.split_recurrent(self.recur(h) if self.recurrent_gates else None)
        return self.step(self.split(x), r, states, *self.step_weights())

    def joint_step(self) -> Callable | None:
        """`project` and `advance` as one function, with one product for input and state.

        Optional, for cells whose products are too large for compiled loops. The plain loop calls
        this once before the first step, so that the weights are concatenated only once.

        Returns:
            A function (inputs, states, recurrent_mask) -> (output, new states), with inputs of
            shape (batch, features); None for cells without one.
        """
        return None

    @property
    def joins_products(self) -> bool:
        """Whether the cell has a `joint_step` that no subclass has invalidated by overriding a
        method that it takes the place of."""

        def defining_class(name):
            return next(base for base in type(self).__mro__ if name in vars(base))

        joint = defining_class("joint_step")
        return joint is not RecurrentCell and all(
            issubclass(joint, defining_class(name)) for name in JOINED
        )

    def split(self, columns: Any, axis: int = -1) -> Any:
        """Splits a projected input into a named tuple with one tensor per gate."""
        return self.Gates(*ops.split(columns, len(self.gates), axis=axis))

    def split_recurrent(self, columns: Any, axis: int = -1) -> Any:
        """Splits a recurrent product into a named tuple with one tensor per recurrent gate."""
        if not self.recurrent_gates:
            return self.RecurrentGates()
        return self.RecurrentGates(*ops.split(columns, len(self.recurrent_gates), axis=axis))

    def step_weights(self) -> tuple:
        """Additional arguments of `step`: the named tuple of `unit_weights`, if there are any."""
        if not self.unit_weights:
            return ()
        tensors = [ops.convert_to_tensor(getattr(self, name)) for name in self.unit_weights]
        return (self.UnitWeights(*tensors),)

    def prepare(self, inputs: Any, training: bool) -> Any:
        """(..., features) -> the input of `project`; the layer calls it once for all steps.

        Cells that need random numbers at each step append them here as additional columns instead
        of drawing them in the loop, so that the backward pass uses the same numbers.
        """
        return inputs

    def projected(self, inputs: Any, training: bool = False) -> Any:
        """(..., features) -> the projected inputs of the steps, by `prepare` and `project`."""
        return self.project(self.prepare(inputs, training))

    def input_mask(self, inputs: Any, training: bool) -> Any:
        """The dropout mask of the inputs, one for all steps of a sequence, or None."""
        if not (training and self.dropout):
            return None
        mask = ops.cast(self.get_dropout_mask(inputs), inputs.dtype)
        if self.takes_time:  # the elapsed time is not dropped
            mask = ops.concatenate([mask[..., :-1], ops.ones_like(mask[..., -1:])], axis=-1)
        return mask

    def recurrent_mask(self, h: Any, training: bool) -> Any:
        """The dropout mask of the recurrent input, one for all steps of a sequence, or None."""
        return self.get_recurrent_dropout_mask(h) if training and self.recurrent_dropout else None

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list]:
        """One step: (batch, features) and the states -> the output and the new states."""
        mask = self.input_mask(inputs, training)
        recurrent_mask = self.recurrent_mask(states[0], training)
        x = self.projected(inputs if mask is None else inputs * mask, training)
        return self.advance(x, list(states), recurrent_mask)

    def get_config(self) -> dict:
        """The configuration that the cell is rebuilt from."""
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": keras.initializers.serialize(self.recurrent_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "recurrent_regularizer": keras.regularizers.serialize(self.recurrent_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": keras.constraints.serialize(self.kernel_constraint),
            "recurrent_constraint": keras.constraints.serialize(self.recurrent_constraint),
            "bias_constraint": keras.constraints.serialize(self.bias_constraint),
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "seed": self.seed,
        }


JOINED = (
    *("advance", "project", "recur", "step"),
    *("input_matrix", "input_bias", "recurrent_matrix", "recurrent_bias"),
)
"""The methods that a `joint_step` takes the place of."""


def as_list(sizes: Any) -> list:
    """A cell's `state_size` as a list with one entry per state."""
    return list(sizes) if isinstance(sizes, (list, tuple)) else [sizes]


def shape_of(size: Any) -> tuple:
    """An entry of `state_size` as a shape without the batch axis."""
    return tuple(size) if isinstance(size, (list, tuple)) else (size,)


@cache
def gates_named(names: tuple[str, ...]) -> type:
    """The named tuple type with these fields; equal names give the same type."""
    return namedtuple("Gates", names)

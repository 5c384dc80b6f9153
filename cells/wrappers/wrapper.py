"""Base classes of the wrapper cells, which create, build and save the inner cell."""

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import keras
import numpy as np
from keras import ops

from seqzoo.cells.base import RecurrentCell, as_list, gates_named
from seqzoo.cells.gates import clone_initializer
from seqzoo.cells.private_keras import nothing_shared
from seqzoo.cells.registry import REGISTRY
from seqzoo.cells.spelling import check_options

INHERITED = frozenset(
    {"activation", "use_bias", "recurrent_initializer", "recurrent_regularizer"}
    | {"recurrent_constraint", "bias_initializer", "dtype"}
)
"""Options of a wrapper that only the inner cell has a use for."""

OF_WEIGHTS = frozenset(
    {"kernel_initializer", "kernel_regularizer", "kernel_constraint"}
    | {"bias_regularizer", "bias_constraint"}
)
"""Options that a wrapper also has a use for if it has kernels or biases of its own."""


class WrapperCell(RecurrentCell):
    """A cell that wraps another; abstract.

    Args:
        units: size of the output and of the inner cell.
        cell: the inner cell: its name, as for `create`, or a cell with the same number of units.
        cell_options: options of the inner cell's class, if `cell` is a name.
        **kwargs: see `RecurrentCell`; all but the dropout rates and the seed are passed to the
            inner cell, if `cell` is a name.

    Raises:
        ValueError: there is no cell of that name, its number of units differs, it has dropout, it
            cannot be wrapped, or an option would have no effect on it.
    """

    has_own_kernels: bool = True
    """Whether the wrapper has kernels or biases besides those of the inner cell."""

    needs_product: bool = False
    """Whether the step of the inner cell must be one recurrent product and elementwise
    operations."""

    def __init__(
        self,
        units: int,
        *,
        cell: Any = "lstm",
        cell_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ):
        declared = inspect.signature(RecurrentCell.__init__).parameters
        check_options(type(self), {k: v for k, v in kwargs.items() if k not in declared})
        inner = make(cell, units, cell_options, kwargs)
        if inner is cell:
            inherited = INHERITED if self.has_own_kernels else INHERITED | OF_WEIGHTS
            check_inherited(cell, {key: kwargs[key] for key in inherited & kwargs.keys()})
        check_dropout(inner)
        self.check(inner)
        if kwargs.get("recurrent_dropout") and not inner.has_recurrent_product:
            raise ValueError(
                f"`recurrent_dropout` must be 0: {type(inner).__name__} has no recurrent product "
                "whose inputs it could drop; use `dropout` instead."
            )
        if isinstance(kwargs.get("activation"), keras.Layer):
            kwargs["activation"] = None  # the inner cell has it, with its weights
        super().__init__(units, **kwargs)
        self.cell = inner

    def check(self, inner: RecurrentCell) -> None:
        """Raises ValueError if an inner cell cannot be wrapped."""
        if inner.takes_time or inner.input_rank != 2:
            self.refuse(inner, "a cell with vector inputs that is not time-aware")
        if _draws_masks(inner):
            own, name = type(self).__name__, type(inner).__name__
            advice = f"; wrap the cell in {own} first, and that in {name}"
            if _draws_masks(self) or getattr(inner, "needs_product", False):
                advice = f"; {own} and {name} cannot be combined"
            self.refuse(inner, "a cell that draws no masks in training", advice)
        if self.needs_product and not inner.recurs_by_product:
            self.refuse(
                inner, "a cell whose step is one recurrent product and elementwise operations"
            )

    def refuse(self, inner: RecurrentCell, requirement: str, advice: str = "") -> None:
        """Raises ValueError; `requirement` describes the cells that can be wrapped."""
        got = type(inner).__name__
        raise ValueError(f"{type(self).__name__} needs {requirement}, got {got}{advice}.")

    def inner_cells(self) -> dict[str, RecurrentCell]:
        """The inner cells by name; the name is empty if there is only one."""
        return {"": self.cell}

    def located_cells(self) -> list[tuple[RecurrentCell, int]]:
        """The inner cells whose states are among those of this cell, and where they begin."""
        return [(self.cell, 0)]

    @property
    def joint_states(self):
        return tuple(
            tuple(index + first for index in group)
            for cell, first in self.located_cells()
            for group in cell.joint_states
        )

    @property
    def record_states(self):
        return tuple(
            index + first for cell, first in self.located_cells() for index in cell.record_states
        )

    @property
    def state_size(self):
        return self.cell.state_size

    def get_initial_state(self, batch_size=None):
        return list(self.cell.get_initial_state(batch_size))

    def valid_states(self, states):
        return self.cell.valid_states(states)

    @property
    def has_recurrent_product(self):
        inner = getattr(self, "cell", None)  # not set yet while the base's `__init__` runs
        return inner is None or inner.has_recurrent_product

    def build(self, input_shape):
        if not hasattr(self, "seed_generator"):
            self.seed_generator = keras.random.SeedGenerator(self._dropout_seed)
        build_inner(self.cell, input_shape)
        self.built = True

    def check_recurrent_weights(self):
        """The recurrent weights are those of the inner cell, which is checked when it is built."""

    def project(self, inputs):
        return self.cell.project(inputs)

    def get_config(self) -> dict:
        # The options of the cell are in its own configuration.
        inner = keras.saving.serialize_keras_object(self.cell)
        return {**super().get_config(), "cell": inner, "cell_options": None}


class SameFormWrapper(WrapperCell):
    """A wrapper with the gates, weights and step of its inner cell; abstract.

    It runs on the same loop as the inner cell.
    """

    has_own_kernels = False
    needs_product = True

    @property
    def gates(self):
        return self.cell.gates

    @property
    def recurrent_gates(self):
        return self.cell.recurrent_gates

    @property
    def separate(self):
        return self.cell.separate

    @property
    def unit_weights(self):
        return self.cell.unit_weights

    @property
    def Gates(self):
        return gates_named(tuple(self.gates))

    @property
    def RecurrentGates(self):
        return gates_named(tuple(self.recurrent_gates))

    @property
    def UnitWeights(self):
        return self.cell.UnitWeights

    def step_weights(self):
        return self.cell.step_weights()

    def recurrent_matrix(self):
        return self.cell.recurrent_matrix()

    def recurrent_bias(self):
        return self.cell.recurrent_bias()

    def input_matrix(self):
        return self.cell.input_matrix()

    def input_bias(self):
        return self.cell.input_bias()

    def step(self, x, r, states, *weights):
        return self.cell.step(x, r, states, *weights)


class OutputWrapper(WrapperCell):
    """A wrapper that computes its output from the inner cell's output and the input; abstract.

    The output is not used in later steps, so the inner cell runs on its own fast loop, and
    `combine` is called once for all steps. States are the output, then those of the inner cell.
    """

    shortcut_kernel: Any = None

    @property
    def state_size(self):
        return [self.units, *as_list(self.cell.state_size)]

    def located_cells(self):
        return [(self.cell, 1)]

    @property
    def combines_output(self):
        return True

    def get_initial_state(self, batch_size=None):
        output = ops.zeros((batch_size, self.units), dtype=self.compute_dtype)
        return [output, *super().get_initial_state(batch_size)]

    def valid_states(self, states):
        return [states[0], *super().valid_states(states[1:])]

    def build(self, input_shape):
        super().build(input_shape)
        self.features = input_shape[-1]
        if self.features != self.units:
            self.shortcut_kernel = self.add_weight(
                shape=(self.features, self.units),
                name="shortcut_kernel",
                initializer=clone_initializer(self.kernel_initializer),
            )

    def shortcut(self, inputs: Any) -> Any:
        """The inputs, projected if the number of features differs from the number of units."""
        if self.shortcut_kernel is None:
            return inputs
        return ops.matmul(inputs, ops.convert_to_tensor(self.shortcut_kernel))

    def combine(self, outputs: Any, inputs: Any) -> Any:
        """The output: (..., units) of the inner cell and inputs (..., features) -> (..., units)."""
        raise NotImplementedError

    def project(self, inputs):
        return ops.concatenate([inputs, self.cell.project(inputs)], axis=-1)

    def advance(self, x, states, recurrent_mask=None):
        inputs, x = ops.split(x, [self.features], axis=-1)
        h, new = self.cell.advance(x, list(states[1:]), recurrent_mask)
        y = self.combine(h, inputs)
        return y, [y, *new]


def _draws_masks(cell: RecurrentCell) -> bool:
    """Whether a cell draws random masks other than those of dropout."""
    own = type(cell).prepare, type(cell).recurrent_mask
    return own != (RecurrentCell.prepare, RecurrentCell.recurrent_mask)


def make(
    cell: Any, units: int, options: Mapping[str, Any] | None, wrapper_options: Mapping[str, Any]
) -> RecurrentCell:
    """Creates an inner cell from a name or a configuration, or checks and returns a cell.

    Args:
        cell: see `WrapperCell`.
        units: number of units that the cell must have.
        options: options of the cell's class, for a name only.
        wrapper_options: options of the wrapper, most of which a cell created by name inherits.

    Raises:
        ValueError: see `WrapperCell`.
    """
    if options is not None and not isinstance(options, Mapping):
        raise ValueError(f"`cell_options` must be a dictionary or None, got {options!r}.")
    if isinstance(cell, str):
        if cell not in REGISTRY:
            raise ValueError(f"`cell` must be the name of a cell, such as 'lstm', got {cell!r}.")
        module, _, name = REGISTRY[cell].location.partition(":")
        if "units" in (options or {}):
            raise ValueError(
                "`cell_options` must not contain 'units': the inner cell has as many as the "
                f"wrapper, {units}."
            )
        not_inherited = ("dropout", "recurrent_dropout", "seed", "name")
        shared = {key: value for key, value in wrapper_options.items() if key not in not_inherited}
        cell_class = getattr(import_module(module), name)
        return cell_class(units, **{"name": "cell"} | shared | dict(options or {}))
    if options:
        raise ValueError(
            "`cell_options` needs `cell` to be a name, got a cell; pass the options to that cell."
        )
    if isinstance(cell, Mapping):
        cell = keras.saving.deserialize_keras_object(dict(cell))
    if not isinstance(cell, RecurrentCell):
        raise ValueError(f"`cell` must be a name or a seqzoo cell, got {cell!r}.")
    if cell.units != units:
        raise ValueError(f"`cell` must have {units} units, got a cell with {cell.units}.")
    return cell


def check_inherited(cell: RecurrentCell, options: Mapping[str, Any]) -> None:
    """Raises ValueError if one of a wrapper's options, which would only have an effect on an inner
    cell that was created by name, differs from that of the inner cell."""
    own = cell.get_config()
    for name in sorted(options.keys() & own.keys()):
        given = RecurrentCell(1, seed=0, **{name: options[name]}).get_config()
        if given[name] != own[name]:
            raise ValueError(
                f"`{name}` belongs to the inner cell, {type(cell).__name__}, which was created "
                f"before; pass {name}={options[name]!r} to that cell."
            )


def copy_of(
    cell: RecurrentCell, name: str, units: int | None = None, *, number: int
) -> RecurrentCell:
    """Another cell of the same configuration, with its own initializers, so that weights of equal
    shape start with different values. It is not built, and neither are the cells that it wraps.

    Args:
        cell: the cell.
        name: name of the copy.
        units: number of units of the copy and of the cells that it wraps; None for the same.
        number: number of the copy; with a seed of the cell, it gives the seed of the copy.
    """
    with nothing_shared():  # otherwise, copies made while a file is loaded may share inner cells
        config = _reseeded(_unbuilt({**cell.get_config(), "name": name}), number)
        return type(cell).from_config(config if units is None else _resized(config, units))


def _unbuilt(config: Any) -> Any:
    """A configuration without the input shapes for which Keras would build the objects in it."""
    if isinstance(config, Mapping):
        return {key: _unbuilt(value) for key, value in config.items() if key != "build_config"}
    if isinstance(config, (list, tuple)):
        return type(config)(map(_unbuilt, config))
    return config


def _reseeded(config: dict[str, Any], number: int, depth: int = 0) -> dict[str, Any]:
    if config.get("seed") is not None:
        # Without the depth, a copy of a cell that has copies would start like one of these.
        seed = np.random.SeedSequence([config["seed"] % 2**63, number, depth])
        config = {**config, "seed": int(seed.generate_state(1)[0])}
    if isinstance(inner := config.get("cell"), Mapping):
        inner_config = _reseeded(inner["config"], number, depth + 1)
        config = {**config, "cell": {**inner, "config": inner_config}}
    return config


def _resized(config: dict[str, Any], units: int) -> dict[str, Any]:
    config = {**config, "units": units}
    if isinstance(inner := config.get("cell"), Mapping):
        config["cell"] = {**inner, "config": _resized(inner["config"], units)}
    return config


def check_dropout(cell: RecurrentCell) -> None:
    """Raises ValueError if an inner cell has dropout, which only the wrapper applies."""
    for name in ("dropout", "recurrent_dropout"):
        if rate := getattr(cell, name):
            raise ValueError(
                f"`{name}` of the inner cell must be 0, got {rate!r}; pass it to the wrapper."
            )


def build_inner(cell: RecurrentCell, input_shape: tuple) -> None:
    """Creates the weights of an inner cell, if it has none yet."""
    if not cell.built:
        cell.build(input_shape)
        cell.built = True
        cell.check_recurrent_weights()

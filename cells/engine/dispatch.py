"""Chooses the path on which a layer runs its cell, and explains what prevents a faster one."""

import math
import os
from enum import Enum
from typing import Any, NamedTuple

import keras

from seqzoo.cells.base import RecurrentCell
from seqzoo.cells.engine import portability

MAX_COMPILED_WEIGHTS = 1_000_000
"""Maximum number of weights for which the loop of a cell with a `joint_step` is compiled. A
compiled loop adds up the gradients of all weights at each step; these should fit into the CPU's
cache."""


class Path(Enum):
    """The paths through time, fastest first."""

    CUDNN = "cuDNN's kernel"
    SCAN = "the fast scan (compiled time loop, hand-written backward pass)"
    AUTOMATIC = "the fast scan (compiled time loop, backward pass by automatic differentiation)"
    GENERAL = "the general scan (compiled time loop, automatic differentiation step by step)"
    LOOP = "Keras' plain loop"


class Choice(NamedTuple):
    """A path, and the reasons why no faster one can be taken (none for the fastest)."""

    path: Path
    reasons: tuple[str, ...] = ()

    def sentence(self) -> str:
        """The choice as a sentence: "Runs Keras' plain loop because `fast=False`."."""
        because = f" because {'; '.join(self.reasons)}" if self.reasons else ""
        return f"Runs {self.path.value}{because}."


def choose(layer: Any) -> Choice:
    """The path on which `layer`, a `Recurrent`, runs its cell in this process."""
    reasons = _obstacles_to_scans(layer)
    if reasons:
        return Choice(Path.LOOP, reasons)
    cell = layer.cell
    cudnn_obstacles = _obstacles_to_cudnn(cell)
    if layer.recompute is not None and has_gpu():
        cudnn_obstacles = (*cudnn_obstacles, "`recompute` is set")
    if not cudnn_obstacles:
        return Choice(Path.CUDNN)
    while cell.combines_output and keeps_contract(cell.cell):
        cell = cell.cell
    return _choose_scan(cell, cudnn_obstacles)


def obstacle_to_recomputation(layer: Any) -> str:
    """Why the steps of a layer cannot be recomputed, or need not be; "" if they can."""
    if not portability.exporting():  # an exported graph has no gradient
        reasons = _obstacles_to_scans(layer)
        if reasons:
            return (
                f"the layer runs Keras' loop, which stores every step, because {'; '.join(reasons)}"
            )
    cell = layer.cell
    while getattr(cell, "combines_output", False):
        cell = cell.cell
    if getattr(cell, "recurs_diagonally", False):
        return f"{type(cell).__name__} stores only the state of each step anyway"
    return ""


def _choose_scan(cell: RecurrentCell, cudnn_obstacles: tuple[str, ...]) -> Choice:
    if cell.recurs_diagonally:
        return Choice(Path.SCAN, cudnn_obstacles)
    if not cell.recurs_by_product:
        reason = (
            f"a step of this {type(cell).__name__} is not one recurrent product followed by "
            "elementwise operations"
        )
        return Choice(Path.GENERAL, (*cudnn_obstacles, reason))
    from seqzoo.cells.engine import step_gradients

    if step_gradients.reads_weights(cell):
        reason = f"the `step` of {type(cell).__name__} reads a weight"
        return Choice(Path.GENERAL, (*cudnn_obstacles, reason))
    if not step_gradients.is_elementwise(cell):
        reason = f"the `step` or an activation of {type(cell).__name__} is not elementwise"
        return Choice(Path.GENERAL, (*cudnn_obstacles, reason))
    if not step_gradients.defines_gradient(cell):
        reason = f"{type(cell).__name__} has no `step_gradient` for its activations"
        return Choice(Path.AUTOMATIC, (*cudnn_obstacles, reason))
    return Choice(Path.SCAN, cudnn_obstacles)


def has_gpu() -> bool:
    """Whether TensorFlow may use a GPU; calling this does not initialise the devices."""
    import tensorflow as tf

    return bool(tf.config.get_visible_devices("GPU"))


def cores() -> int:
    """Number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keeps_contract(cell: Any) -> bool:
    """Whether a cell's `call` is that of `RecurrentCell`, so that its parts can be run instead."""
    return isinstance(cell, RecurrentCell) and type(cell).call is RecurrentCell.call


def _obstacles_to_scans(layer: Any) -> tuple[str, ...]:
    cell = layer.cell
    if keras.backend.backend() != "tensorflow":
        return (f"the backend is {keras.backend.backend()}, not TensorFlow",)
    if not isinstance(cell, RecurrentCell):
        return (f"{type(cell).__name__} is not a seqzoo.cells.RecurrentCell",)
    if type(cell).call is not RecurrentCell.call:
        return (f"{type(cell).__name__} overrides `call`",)
    if not layer.fast:
        return ("`fast=False`",)
    if layer.unroll:
        return ("`unroll=True`",)
    untracked = _untracked_variable(cell)
    if untracked:
        return (
            f"`{untracked}` of {type(cell).__name__} is a `tf.Variable`, which the compiled loops "
            "cannot differentiate; make it with `add_weight`",
        )
    if cell.draws_matrix and cell.recurs_by_product:
        from seqzoo.cells.engine import step_gradients

        # The general loops, which such cells need, read the matrix within the compiled step.
        if step_gradients.reads_weights(cell) or not step_gradients.is_elementwise(cell):
            return (
                f"{type(cell).__name__} draws a matrix per batch, and `step` reads a weight or is "
                "not elementwise",
            )
    if portability.exporting():
        return ("the graph is being exported",)
    if cell.input_rank == 4 and not has_gpu():
        # On two cores, the gradient of a convolution took seven times as long when compiled.
        return ("XLA's convolutions are slow on a CPU",)
    if not has_gpu() and layer.recompute is None and _exceeds_cache(cell):
        return (
            f"{type(cell).__name__} has more than {MAX_COMPILED_WEIGHTS:,} weights here, "
            "whose gradients a compiled loop adds up at each step",
        )
    return ()


def _untracked_variable(cell: RecurrentCell) -> str:
    """The name of an attribute that is a variable of TensorFlow but not of Keras; "" if none."""
    import tensorflow as tf

    from seqzoo.cells.engine.programs import attributes_of

    attributes = attributes_of(cell).items()
    return next((name for name, value in attributes if isinstance(value, tf.Variable)), "")


def _exceeds_cache(cell: RecurrentCell) -> bool:
    """Whether a cell has so many weights that the plain loop, with `joint_step`, is faster."""
    return (
        cell.joins_products
        and cell.built
        and sum(math.prod(weight.shape) for weight in cell.weights) > MAX_COMPILED_WEIGHTS
    )


def _obstacles_to_cudnn(cell: RecurrentCell) -> tuple[str, ...]:
    from seqzoo.cells.engine import cudnn

    return cudnn.obstacles(cell) if has_gpu() else ("there is no GPU",)

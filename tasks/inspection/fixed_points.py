"""Fixed and slow points of a cell: states that a constant input leaves unchanged, or nearly so."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from keras import tree

from seqzoo.cells.private_keras import backend
from seqzoo.tasks.inspection.jacobians import ROWS_PER_CALL, jacobians_at, step_jacobians
from seqzoo.tasks.inspection.linear_algebra import eigenvalues
from seqzoo.tasks.inspection.trace import cell_step, projected

STILL = 1e-4
"""A point that moves less than this distance in one step counts as fixed."""

SAME_POINT = 1e-2
"""Distance below which two points count as one."""

ITERATIONS = 60
"""Default of the maximum number of iterations of the search."""

ROUNDING = 1e-4
"""Tolerance for rounding errors. A direction is unstable if the modulus of its eigenvalue exceeds
1 + ROUNDING; a unit whose value a gate preserves has an eigenvalue of 1, up to rounding."""


@dataclass(frozen=True)
class Point:
    """A state that a step leaves unchanged, or nearly so.

    Attributes:
        state: all states of the cell, concatenated, (n,).
        speed: the distance that it moves in one step.
        kind: "fixed" or "slow".
        eigenvalues: eigenvalues of the Jacobian there, largest modulus first, (n,).
    """

    state: np.ndarray
    speed: float
    kind: Literal["fixed", "slow"]
    eigenvalues: Any

    @property
    def unstable(self) -> int:
        """Number of unstable directions: eigenvalues outside the unit circle, up to rounding. A
        stable point has none."""
        return int((np.abs(self.eigenvalues) > 1 + ROUNDING).sum())


def fixed_points(
    cell: Any, starts: np.ndarray, inputs: np.ndarray | None = None, iterations: int = ITERATIONS
) -> list[Point]:
    """Points where q(s) = |F(s) - s|^2 / 2 has a local minimum, F being a step of the cell with a
    constant input (Sussillo and Barak 2013).

    Minimises q from all starts at once, by the Levenberg-Marquardt method. A point where q is zero
    (up to `STILL`) is fixed; any other is slow.

    Args:
        cell: any cell, built.
        starts: initial states, such as those reached on some inputs, (starts, n).
        inputs: the constant input, (features,); zeros by default. Of a time-aware cell the last one
            is the time since the previous step.
        iterations: maximum number of iterations of the search.

    Returns:
        Distinct points, the slowest first.
    """
    features = _features(cell) if inputs is None else len(inputs)
    constant = np.zeros(features) if inputs is None else np.asarray(inputs, np.float64)
    states = np.asarray(starts, np.float64).copy()
    rows, n = states.shape
    moved, minimise = _functions(cell, constant, n)
    damping, move, still_moving = np.full(rows, 1e-2), moved(states).numpy(), np.arange(rows)
    for _ in range(iterations):
        moving = still_moving
        step, tried = (
            np.concatenate(parts)
            for parts in zip(
                *(
                    minimise(states[part], move[part], damping[part])
                    for part in np.array_split(moving, -(-len(moving) * n // ROWS_PER_CALL))
                ),
                strict=True,
            )
        )
        better = np.linalg.norm(tried, axis=1) < np.linalg.norm(move[moving], axis=1)
        # A search has converged when its steps are small, or when q is almost zero.
        size = np.linalg.norm(step, axis=1)
        ended = size < 1e-6 * (1 + np.linalg.norm(states[moving], axis=1))
        states[moving[better]] += step[better]
        move[moving[better]] = tried[better]
        damping[moving] = np.where(better, damping[moving] / 5, damping[moving] * 4).clip(
            1e-12, 1e12
        )
        ended |= np.linalg.norm(move[moving], axis=1) < STILL / 100
        still_moving = moving[~ended]
        if not len(still_moving):
            break
    speeds = np.linalg.norm(move, axis=1)
    chosen: list[int] = []
    for row in np.argsort(speeds, kind="stable"):
        away = [np.linalg.norm(states[row] - states[item]) for item in chosen]
        if all(distance > SAME_POINT for distance in away):
            chosen.append(int(row))
    values = eigenvalues(
        step_jacobians(cell, np.repeat(constant[None], len(chosen), 0), states[chosen])
    )
    return [
        Point(states[row], float(speeds[row]), "fixed" if speeds[row] < STILL else "slow", value)
        for row, value in zip(chosen, values, strict=True)
    ]


def _functions(cell: Any, constant: np.ndarray, n: int) -> tuple[Callable, Callable]:
    """Two compiled functions for a constant input; their arguments and results are float64.

    The first one: states, (rows, n) -> their displacements in one step of the cell, (rows, n).
    The second one: states, their displacements, and damping, (rows,) -> a step of the
    Levenberg-Marquardt method, (rows, n), and the displacements after it.
    """
    sizes, advance, dtype = tree.flatten(cell.state_size), cell_step(cell), cell.compute_dtype
    row = tf.constant(constant[None], dtype)
    matrix, vector = tf.TensorSpec([None, n], "float64"), tf.TensorSpec([None], "float64")

    @tf.function(autograph=False, input_signature=[matrix])
    def moved(states: Any) -> Any:
        with backend.AutocastScope(dtype):
            x = projected(cell, tf.repeat(row, tf.shape(states)[0], 0))
            new = advance(x, tf.split(tf.cast(states, dtype), sizes, axis=-1))[1]
            return tf.cast(tf.concat(new, -1), tf.float64) - states

    @tf.function(autograph=False, input_signature=[matrix, matrix, vector])
    def minimise(states: Any, move: Any, damping: Any) -> tuple[Any, Any]:
        inputs = tf.repeat(row, tf.shape(states)[0], 0)
        slope = tf.cast(jacobians_at(cell, inputs, tf.cast(states, dtype)), tf.float64)
        slope -= tf.eye(n, dtype=tf.float64)
        normal = tf.matmul(slope, slope, transpose_a=True)
        normal += damping[:, None, None] * tf.eye(n, dtype=tf.float64)
        right = -tf.matmul(slope, move[..., None], transpose_a=True)
        step = tf.linalg.solve(normal, right)[..., 0]
        return step, moved(states + step)

    return moved, minimise


def _features(cell: Any) -> int:
    return int(cell.get_build_config()["input_shape"][-1])


def principal_components(states: np.ndarray, count: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """The directions in which states vary most.

    Args:
        states: (steps, n).
        count: number of directions.

    Returns:
        The mean, (n,), and the directions, orthonormal, (n, count): project with
        `(states - mean) @ directions`.
    """
    states = np.asarray(states, np.float64)
    mean = states.mean(0)
    _, _, v = tf.linalg.svd(tf.constant(states - mean), full_matrices=False)
    return mean, v.numpy()[:, :count]

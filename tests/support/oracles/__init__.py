"""The cells' equations in NumPy, written from the papers, with which the cells are compared.

Each oracle is one time step. It takes x (batch, features), the list of states (batch, size), the
weights by name, and the factor by which dropout multiplies the recurrent input, followed by the
cell's own options by name. It returns the list of new states, the first of which is the output.

An oracle has the name of its cell, with underscores instead of hyphens. Adding one file or function
here is all that a new cell needs to be covered by the contract tests.
"""

import importlib
import pathlib
import pkgutil
from collections.abc import Callable
from typing import Any

import numpy as np

ACTIVATIONS: dict[str, Callable] = {
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "relu": lambda z: np.maximum(z, 0),
    "linear": lambda z: z,
    "softsign": lambda z: z / (1 + np.abs(z)),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "hard_sigmoid": lambda z: np.clip(z / 6 + 1 / 2, 0, 1),
}
sigmoid = ACTIVATIONS["sigmoid"]

ORACLES: dict[str, Callable] = {}
VARIANTS: dict[str, tuple[dict[str, Any], ...]] = {}
"""Options of each cell for which its equations differ, the defaults first."""


def oracle(*variants: dict[str, Any]) -> Callable:
    """Registers a function as the oracle of the cell with its name.

    Args:
        *variants: options, other than the defaults, to test the cell with: every option that
            changes its equations.
    """

    def register(function: Callable) -> Callable:
        name = function.__name__.replace("_", "-")
        ORACLES[name] = function
        VARIANTS[name] = ({}, *variants)
        return function

    return register


def run(step, x, states, mask=None, go_backwards=False, zero_output_for_mask=False, elapsed=None):
    """Runs a step over time.

    Args:
        step: one time step, (x, states) -> new states.
        x: (batch, time, features), or with more axes.
        states: list of (batch, units).
        mask: (batch, time) of bool; false for steps that change no state and repeat the output
            of the previous step (zeros before the first), or None.
        go_backwards: run from the last step to the first, and leave the outputs in that order.
        zero_output_for_mask: masked steps return zeros, not the output of the previous step.
        elapsed: (batch, time), the time since the previous step. A step gets the time since the
            last unmasked step as its last feature; the step that runs first gets that of the
            first step in time.

    Returns:
        Outputs (batch, time, units), the last output, and the list of last states.
    """
    batch, time = x.shape[:2]
    mask = np.ones((batch, time), bool) if mask is None else mask
    if elapsed is not None:
        waited = _waited(elapsed, mask, go_backwards)
        x = np.concatenate([x, waited[..., None]], axis=2)
    outputs, shown = [], np.zeros_like(states[0])
    for t in reversed(range(time)) if go_backwards else range(time):
        live = mask[:, t].reshape(batch, *[1] * (x.ndim - 2))
        new = step(x[:, t], states)
        before = np.zeros_like(shown) if zero_output_for_mask else shown
        shown = np.where(live, new[0], before)
        states = [np.where(live, a, b) for a, b in zip(new, states, strict=True)]
        outputs.append(shown)
    return np.stack(outputs, axis=1), outputs[-1], states


def _waited(elapsed, mask, go_backwards):
    """The time between each unmasked step and the one that runs before it; masked steps have 0."""
    waited = np.zeros_like(elapsed)
    for row, live in enumerate(mask):
        steps = np.flatnonzero(live)
        times = np.cumsum(elapsed[row])
        for k, t in enumerate(steps):
            later = k + 1 < len(steps)
            if go_backwards and later:
                waited[row, t] = times[steps[k + 1]] - times[t]
            elif go_backwards or k == 0:
                waited[row, t] = times[steps[0]]
            else:
                waited[row, t] = times[t] - times[steps[k - 1]]
    return waited


for _module in pkgutil.iter_modules([str(pathlib.Path(__file__).parent)]):
    importlib.import_module(f"oracles.{_module.name}")

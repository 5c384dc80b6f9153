"""Every cell, on every path, against its equations in NumPy."""

import inspect
from typing import NamedTuple

import keras
import numpy as np
import oracles
import pytest
from cell_cases import (
    BATCH,
    CASES,
    CORE,
    DEFAULTS,
    FEATURES,
    GRU_BEFORE,
    MASKS,
    X,
    elapsed,
    error,
    initial_states,
    inputs,
    recurrent,
    sequences,
    shared,
    step_shape,
)
from cell_names import BEFORE_RELEASES, FIRST, by_hand, one_of_each_form
from oracles import ORACLES

import seqzoo.cells as cells


def stock(cell, **options):
    return keras.layers.RNN(cell, dtype=cell.dtype_policy, **options)


def fast(cell, **options):
    return recurrent(cell, **options)


def plain(cell, **options):
    return recurrent(cell, fast=False, **options)


def unrolled(cell, **options):
    return recurrent(cell, unroll=True, **options)


class Setting(NamedTuple):
    """How a layer is run; `given` says whether it starts from given states."""

    mask: str
    go_backwards: bool = False
    zero_output: bool = False
    sequences: bool = True
    given: bool = True

    def __str__(self) -> str:
        flags = [k for k, v in self._asdict().items() if v is True]
        return "-".join([self.mask, *flags])


# Every variant of a cell meets the first; what a mask does is the same for all, so the others are
# left to one variant a cell.
FEW = [Setting("none"), Setting("gaps", go_backwards=True)]
SETTINGS = [
    *FEW,
    Setting("none", go_backwards=True, zero_output=True, sequences=False),
    Setting("full", zero_output=True),
    Setting("right"),
    Setting("right", zero_output=True, sequences=False, given=False),
    Setting("right", go_backwards=True, sequences=False),
    Setting("left"),
    Setting("left", go_backwards=True, zero_output=True),
    Setting("gaps", zero_output=True),
    Setting("empty row"),
    Setting("empty row", go_backwards=True),
    Setting("empty row", zero_output=True, sequences=False),
    Setting("empty row", sequences=False, given=False),
]
FULL = [*DEFAULTS, GRU_BEFORE]
DRAWS = ("prepare", "recurrent_mask")
"""Methods in which a cell draws random numbers."""
WAYS = [stock, fast, plain, unrolled]


def settings_of(case, way):
    """The settings that a case meets on its way through time."""
    if case.name not in CORE:
        # Keras' loop calls the cell like the plain one, and unrolling is the same for each cell.
        return FEW[1:] if way in (fast, plain) else []
    # What Keras' own layer does with a mask is the same for each cell.
    full = [case for case in DEFAULTS if case.name == "lstm"] if way is stock else FULL
    if case in full:
        return SETTINGS
    # Without a mask a loop is another program, which the options do not touch.
    return FEW[1:] if way is fast else FEW


ELSEWHERE = {*FIRST.values(), *(name for name in cells.CELLS if by_hand(name))}
"""Cells whose compiled loops run in test_gradients.py, with gaps and backwards, and equal the plain
one."""

COMPILED = one_of_each_form([*CORE, *ELSEWHERE])


def _speed(case, way):
    """Left to releases where a loop is compiled for what the plain loop shows of a cell, too."""
    quick = case.name in CORE or (case.name in COMPILED and not case.options)
    return BEFORE_RELEASES if way is fast and not quick else []


RUNS = [
    pytest.param(case, setting, way, id=f"{case}-{setting}-{way.__name__}", marks=_speed(case, way))
    for case in CASES
    for way in WAYS
    for setting in settings_of(case, way)
]


@pytest.mark.parametrize("case, setting, way", RUNS)
def test_equals_its_equations(case, setting, way):
    cell = shared(case)
    mask, states = MASKS[setting.mask], initial_states(cell)
    if not setting.given:
        states = [np.zeros_like(state) for state in states]
    run = {"go_backwards": setting.go_backwards, "zero_output_for_mask": setting.zero_output}
    passed = elapsed(cell)
    outputs, last, new = oracles.run(
        case.step(cell), sequences(cell), states, mask, elapsed=passed, **run
    )

    layer = way(cell, return_sequences=setting.sequences, return_state=True, **run)
    start = {"initial_state": states} if setting.given else {}
    actual, *actual_states = layer(inputs(cell), mask=mask, **start)

    assert error(actual, outputs if setting.sequences else last) < 1e-12
    for a, b in zip(actual_states, new, strict=True):
        assert error(a, b) < 1e-12


def draws(case):
    """Whether a cell draws other random numbers in training, which `test_wrappers.py` tests."""
    kind = cells.CELLS[case.name]
    return any(getattr(kind, item) is not getattr(cells.RecurrentCell, item) for item in DRAWS)


def _dropout_speed(case):
    """One cell of each form is quick; the others share its code."""
    return () if case.name in COMPILED or case.name in CORE else pytest.mark.slow


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=str(case), marks=_dropout_speed(case))
        for case in CASES
        if (case.name in CORE or not case.options) and not draws(case)
    ],
)
def test_dropout_masks_one_row_for_a_whole_sequence(case):
    """Equal to the equations run with the masks themselves, so of the right size and place."""
    cell = shared(case, **case.dropouts(0.4, 0.3))
    states = initial_states(cell)
    seed = keras.ops.copy(cell.seed_generator.state)
    step_inputs = keras.ops.ones((BATCH, *step_shape(cell)[1:]), X.dtype)
    dropped = np.array(cell.input_mask(step_inputs, training=True))[..., :FEATURES]
    recurrent_dropped = np.array(
        cell.get_recurrent_dropout_mask(keras.ops.convert_to_tensor(states[0]))
    )
    cell.reset_dropout_mask()
    cell.reset_recurrent_dropout_mask()
    step = case.step(cell, recurrent_dropped)
    run = {"mask": MASKS["gaps"], "elapsed": elapsed(cell)}
    x = sequences(cell)
    expected = oracles.run(step, x * dropped[:, None], states, **run)[0]
    undropped = oracles.run(case.step(cell), x, states, **run)[0]

    assert error(expected, undropped) > 1e-3

    # test_gradients.py compares the fast loops with `plain`; the others call every cell in the same
    # way.
    for way in (stock, plain, unrolled) if case.name in CORE else (plain,):
        cell.seed_generator.state.assign(seed)
        layer = way(cell, return_sequences=True)
        actual = layer(inputs(cell), initial_state=states, mask=MASKS["gaps"], training=True)
        assert error(actual, expected) < 1e-12
        actual = layer(inputs(cell), initial_state=states, mask=MASKS["gaps"], training=False)
        assert error(actual, undropped) < 1e-12


def test_every_cell_has_an_oracle():
    assert set(ORACLES) == set(cells.CELLS)
    public = [getattr(cells, name) for name in cells.__all__]
    public = {c for c in public if isinstance(c, type) and issubclass(c, cells.RecurrentCell)}
    assert public - {cells.RecurrentCell} == set(cells.CELLS.values())


@pytest.mark.parametrize("name", cells.CELLS)
def test_every_option_that_the_equations_know_is_tested(name):
    options = list(inspect.signature(ORACLES[name]).parameters)[4:]
    tested = {option for case in CASES if case.name == name for option in case.options}
    assert set(options) <= tested

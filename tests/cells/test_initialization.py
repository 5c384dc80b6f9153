"""Initial weights by name, checked on what the cells then do."""

import itertools
import pathlib
import re

import numpy as np
import pytest

from seqzoo.cells import CELLS, create
from seqzoo.cells.initialization import initialize, keeping_gates
from seqzoo.cells.wrappers.wrapper import WrapperCell

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "training.md"


def built(name, units=6, **options):
    cell = create(name, units, dtype="float64", **options)
    cell.build((None, *(5,) * (cell.input_rank - 2), 4 + cell.takes_time))
    return cell


def blocks(cell):
    kernel = np.array(cell.recurrent_kernel)
    return np.split(kernel, kernel.shape[1] // kernel.shape[0], axis=1)


@pytest.mark.parametrize("name", ["vanilla", "gru", "lstm"])
def test_the_matrix_of_each_gate(name):
    cell = built(name)
    initialize(cell, "identity", 0.5)
    assert all(np.array_equal(block, 0.5 * np.eye(6)) for block in blocks(cell))
    initialize(cell, "orthogonal")
    assert all(np.allclose(block @ block.T, np.eye(6)) for block in blocks(cell))
    assert len({block.tobytes() for block in blocks(cell)}) == len(blocks(cell))
    initialize(cell, "spectral-radius", 0.9)
    for block in blocks(cell):
        assert np.isclose(np.abs(np.linalg.eigvals(block)).max(), 0.9)


KEEPING = {
    "lstm": {"forget": 1},
    "gru": {"update": 1},
    "gated": {"gate": -1},
    "mgu": {"forget": -1},
    "star": {"gate": -1},
    "slstm": {"forget": 1},
    "janet": {"forget": 1},
    "vanilla": {},
}


@pytest.mark.parametrize("name", KEEPING)
def test_gates_that_keep_a_state_are_found_with_their_sign(name):
    cell = built(name, **{"gate_bias": True} if name == "gated" else {})
    before = cell.get_weights()
    assert keeping_gates(cell) == KEEPING[name]
    for weight, old in zip(cell.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def supports(cell, name):
    try:
        initialize(cell, name, 5.0)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "name", [name for name in CELLS if not issubclass(type(create(name, 2)), WrapperCell)]
)
def test_documented_support(name):
    rows = [
        ("matrices and gates", True, True),
        ("matrices only", True, False),
        ("gates only", False, True),
        ("neither", False, False),
    ]
    cells = [built(name, units) for units in (3, 8)]
    support = supports(cells[0], "spectral-radius"), supports(cells[0], "chrono")
    assert support == (supports(cells[1], "spectral-radius"), supports(cells[1], "chrono"))
    for title, *expected in rows:
        (row,) = re.findall(rf"^\| {title} \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.M)
        assert (f"`{name}`" in row.split(", ")) == (tuple(expected) == support), title


@pytest.mark.parametrize(
    "name, gate",
    [("projection-lstm", 1), ("cfn", 0), ("mut2", 0), ("minlstm", 0), ("qrnn", 1), ("sru", 0)],
)
def test_the_bias_of_the_gate_is_set_where_the_cell_keeps_it(name, gate):
    cell = built(name)
    size = cell.state_size[1] if name == "projection-lstm" else 6
    before = np.array(cell.bias)
    initialize(cell, "forget-bias", 3.0)
    expected = before.copy()
    expected[gate * size : (gate + 1) * size] = -3 if name == "mut2" else 3
    np.testing.assert_array_equal(cell.bias, expected)


@pytest.mark.parametrize("name", ["zoneout", "layer-norm", "stacked", "fast-slow"])
def test_wrapped_cells_are_initialised(name):
    cell = built(name)
    initialize(cell, "identity", 0.5)
    initialize(cell, "forget-bias", 2.0)
    inner = getattr(cell, "cells", [cell.cell])
    for each in inner:
        assert all(np.array_equal(block, 0.5 * np.eye(6)) for block in blocks(each))
        assert (np.array(each.bias)[6:12] == 2).all()
    initialize(cell, "orthogonal")
    assert len({block.tobytes() for each in inner for block in blocks(each)}) == 4 * len(inner)


@pytest.mark.parametrize("name", ["lstm", "gru", "janet"])
def test_chrono_spreads_what_a_step_keeps_over_the_range(name):
    cell = built(name, 300)
    initialize(cell, "chrono", 100)
    (gate,) = keeping_gates(cell)
    part = list(cell.gates).index(gate) * 300
    bias = np.array(cell.bias).reshape(-1)[part : part + 300]
    # 1 / (1 - keep) = 1 + exp(bias) is uniform from 2 to 100.
    spans = 1 + np.exp(bias)
    assert np.allclose(np.quantile(spans, [0, 0.5, 1]), [2, 51, 100], atol=8)
    if name == "lstm":
        assert np.array_equal(np.array(cell.bias)[:300], -bias)


def test_a_forget_bias():
    cell = built("gru")
    initialize(cell, "forget-bias", 2.0)
    part = cell.gates.index("update") * 6
    expected = np.zeros((2, 18))
    expected[0, part : part + 6] = 2
    assert np.array_equal(np.array(cell.bias), expected)


@pytest.mark.parametrize(
    "make, arguments, message",
    [
        (lambda: built("vanilla"), ("chrono", 100), "retain or forget a state, which VanillaCell"),
        (lambda: built("gru", use_bias=False), ("forget-bias",), "which GRUCell does not have"),
        (lambda: built("gated"), ("chrono", 9), "GatedCell does not have without `gate_bias=true`"),
        (lambda: built("zoneout", cell="vanilla"), ("forget-bias",), "which VanillaCell does not"),
        (lambda: built("orthogonal"), ("identity",), "that of OrthogonalCell is computed from"),
        (
            lambda: built("mingru"),
            ("orthogonal",),
            "trainable recurrent matrix, which MinGRU",
        ),
        (
            lambda: built("echo-state"),
            ("identity",),
            "trainable recurrent matrix, which EchoStateCell",
        ),
        (lambda: built("plrnn"), ("identity",), "that of PLRNNCell is computed from one"),
        (lambda: built("lipschitz"), ("spectral-radius", 0.9), "that of LipschitzRNNCell is comp"),
        (lambda: built("plrnn"), ("identity", 0.001), "that of PLRNNCell is computed from one"),
        (lambda: built("lstm"), ("chrono",), "above 2, as in chrono:100, got None"),
        (lambda: built("lstm"), ("spectral-radius", -2.0), "takes a radius above 0, got -2.0"),
        (lambda: built("lstm"), ("glorot",), "must be one of orthogonal, identity"),
    ],
)
def test_what_a_cell_lacks_is_refused(make, arguments, message):
    cell = make()
    before = cell.get_weights()
    with pytest.raises(ValueError, match=message):
        initialize(cell, *arguments)
    for weight, old in zip(cell.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_a_reservoir_is_connected_to_a_share_of_its_inputs_and_to_each():
    cell = create("echo-state", 50, input_connectivity=0.2, input_scale=0.5, seed=1)
    cell.build((None, 200))
    kernel = np.asarray(cell.kernel)
    assert 0.2 < (kernel != 0).mean() < 0.24 and (kernel != 0).any(1).all()
    assert 0.49 < np.abs(kernel).max() <= 0.5
    # Not the numbers of the recurrent matrix, which has the same seed.
    pairs = np.asarray(cell.recurrent_kernel).ravel(), kernel[:50].ravel()
    both = (pairs[0] != 0) & (pairs[1] != 0)
    assert abs(np.corrcoef(pairs[0][both], pairs[1][both])[0, 1]) < 0.3
    sparse = create("echo-state", 5, input_connectivity=1e-9, seed=1)
    sparse.build((None, 20))
    assert ((np.asarray(sparse.kernel) != 0).sum(1) == 1).all()


def test_the_bias_of_a_seeded_reservoir_is_not_a_multiple_of_its_kernel():
    cell = create("echo-state", 200, bias_scale=0.5, input_connectivity=1.0, seed=1)
    cell.build((None, 1))
    kernel, bias = (np.asarray(weight).ravel() for weight in (cell.kernel, cell.bias))
    assert abs(np.corrcoef(kernel, bias)[0, 1]) < 0.3


@pytest.mark.parametrize(
    "name, options",
    [*((name, {}) for name in CELLS), ("lem", {"recurrent_initializer": "glorot_normal"})],
)
def test_weights_start_with_different_values(name, options):
    cell = create(name, 6, **options)
    cell.build((None, *(6,) * (cell.input_rank - 1 - cell.takes_time), 6 + cell.takes_time))
    drawn = [np.array(weight).ravel() for weight in cell.trainable_weights]
    drawn = [values for values in drawn if len(np.unique(values)) > 6]
    for first, second in itertools.combinations(drawn, 2):
        size = min(len(first), len(second))
        assert abs(np.corrcoef(first[:size], second[:size])[0, 1]) < 0.999


@pytest.mark.parametrize("name", ["fast-slow", "stacked"])
@pytest.mark.parametrize("inner", ["lru", "echo-state", "fast-slow"])
def test_copies_of_a_seeded_cell_start_with_different_values(name, inner):
    options = {"cell": "lru", "cell_options": {"seed": 3}} if inner == "fast-slow" else {"seed": 3}
    cells = []
    for _ in range(2):
        cell = create(name, 6, cell=inner, cell_options=options)
        cell.build((None, 6))
        cells.append([np.array(weight) for weight in cell.weights])
    seeded = [
        first.tobytes()
        for first, second in zip(*cells, strict=True)
        if len(np.unique(first)) > 3 and np.array_equal(first, second)
    ]
    assert len(seeded) > 1 and len(set(seeded)) == len(seeded)


@pytest.mark.parametrize(
    "name, options, weight, value",
    [
        ("gru-d", {}, "input_decay", 0.1),
        ("plrnn", {}, "own_weight", 0.9),
        ("ltc", {}, "rate", np.log(np.expm1(1.0))),
        ("highway", {"transform_bias": -0.3}, "bias", -0.3),
        ("highway-connection", {"transform_bias": -0.3}, "transform_bias", -0.3),
    ],
)
def test_in_float64_weights_start_at_the_number_itself(name, options, weight, value):
    cell = built(name, **options)
    (found,) = (np.array(each.value) for each in cell.weights if each.name == weight)
    np.testing.assert_allclose(found[-1], value, rtol=1e-15)

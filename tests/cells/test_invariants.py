"""Properties of cells from their papers: conserved mass, bounds, bistability, decay to zero."""

import keras
import numpy as np
import oracles
import pytest
from cell_cases import BATCH, TIME, UNITS, Case, X, error, initial_states, recurrent

from seqzoo.cells import Recurrent, create


def run(cell, x, states=None):
    """Outputs of all steps and the last states, by the plain loop, which costs no compilation."""
    layer = recurrent(cell, fast=False, return_sequences=True, return_state=True)
    outputs, *last = layer(x, initial_state=states)
    return np.array(outputs), [np.array(state) for state in last]


@pytest.mark.parametrize("mass_features", [1, 3])
def test_incoming_mass_is_kept_or_output(mass_features):
    cell = Case("mass-conserving-lstm", {"mass_features": mass_features}).make()
    start = [np.zeros((BATCH, UNITS)), np.abs(initial_states(cell)[1])]
    outputs, (_, kept) = run(cell, X, start)
    came = X[:, :, :mass_features].sum((1, 2)) + start[1].sum(1)
    assert error(outputs.sum((1, 2)) + kept.sum(1), came) < 1e-12
    assert np.linalg.norm(outputs.sum((1, 2))) > 0.1


def test_masses_initially_stay_where_they_are():
    cell = create("mass-conserving-lstm", UNITS, dtype="float64", kernel_initializer="zeros")
    cell.recurrent_initializer = keras.initializers.get("zeros")
    start = [np.zeros((1, UNITS)), np.eye(UNITS)[:1]]
    _, (h, c) = run(cell, np.zeros((1, 1, 3)), start)
    assert (h + c).argmax() == 0
    share = 1 / (1 + np.exp(3))
    assert error(h, share * (h + c)) < 1e-12


def test_a_cell_without_its_masses_is_refused():
    with pytest.raises(
        ValueError, match="`mass_features=3` needs at least as many features, got 2"
    ):
        create("mass-conserving-lstm", UNITS, mass_features=3).build((None, 2))


# The feedback a of a unit is 1 + tanh(ba) plus what the state adds, here nothing.
@pytest.mark.parametrize("name", ["brc", "nbrc"])
@pytest.mark.parametrize("bias, stable", [(2.0, 2), (-2.0, 1)])
def test_strong_feedback_has_two_stable_states_and_weak_feedback_one(name, bias, stable):
    cell = Case(name, {}).make()
    values = [np.zeros(weight.shape) for weight in cell.get_weights()]
    values[-3 if name == "brc" else -1][:UNITS] = bias
    cell.set_weights(values)
    start = np.linspace(-0.9, 0.9, 4)[:, None] * np.ones(UNITS)
    outputs, _ = run(cell, np.zeros((4, 200, 4)), [start])
    ends = outputs[:, -1]
    np.testing.assert_allclose(outputs[:, -2], ends, atol=1e-9)
    assert len(np.unique(ends[:, 0].round(6))) == stable
    if stable == 2:
        np.testing.assert_array_equal(np.sign(ends), np.sign(start))
        a = 1 + np.tanh(bias)
        np.testing.assert_allclose(ends, np.tanh(a * ends), atol=1e-9)
    else:
        np.testing.assert_allclose(ends, 0, atol=1e-9)


BOUNDED = ["brc", "nbrc", "coupled-lstm", "e-lstm", "light-ru", "mgu", "mgu1", "mgu2", "mgu3"]
BOUNDED += ["minimal-rnn", "miru1", "miru2", "mut1", "mut2", "mut3", "ugrnn"]


@pytest.mark.parametrize("name", BOUNDED)
def test_a_mixture_of_state_and_squashed_candidate_stays_within_one(name):
    cell = Case(name, {}).make()
    cell.set_weights([5 * weight for weight in cell.get_weights()])
    rng = np.random.default_rng(3)
    start = [rng.uniform(-1, 1, state.shape) for state in initial_states(cell)]
    outputs, last = run(cell, 5 * X, start)
    assert max(np.abs(outputs).max(), *(np.abs(state).max() for state in last)) <= 1
    assert np.abs(outputs).max() > 0.5


def test_states_of_the_deep_simple_gated_unit_stay_between_zero_and_one():
    cell = Case("dsgu", {}).make()
    cell.set_weights([5 * weight for weight in cell.get_weights()])
    start = np.random.default_rng(3).uniform(0, 1, (BATCH, UNITS))
    outputs, _ = run(cell, 5 * X, [start])
    assert outputs.min() >= 0 and outputs.max() <= 1


def test_the_chaos_free_network_decays_without_inputs():
    cell = Case("cfn", {}).make()
    cell.set_weights([2 * weight for weight in cell.get_weights()])
    outputs, _ = run(cell, np.zeros((BATCH, 400, 4)), initial_states(cell))
    assert (np.diff(np.abs(outputs), axis=1) <= 0).all()
    assert np.abs(outputs[:, -1]).max() < 0.1


@pytest.mark.parametrize("name", ["ran", "t-rnn", "t-gru", "t-lstm"])
def test_is_linear_in_its_memory_at_given_gates(name):
    """Twice the difference of two memories is twice the difference after the steps."""
    cell = Case(name, {}).make()
    if name == "ran":  # whose gates see h, so let them not
        weights = cell.get_weights()
        weights[1] = np.zeros_like(weights[1])
        cell.set_weights(weights)
    position = 1 if name in ("ran", "t-lstm") else 0

    def after(scale):
        states = initial_states(cell)
        states[position] = scale * states[position]
        return run(cell, X, states)[1][position]

    assert error(after(2.0) - after(0.0), 2 * (after(1.0) - after(0.0))) < 1e-12


@pytest.mark.parametrize("name", ["mut1", "mut2", "residual-lstm", "intersection-rnn"])
def test_inputs_of_the_size_of_the_units_are_not_projected(name):
    case = Case(name, {})
    cell = create(name, 4, dtype="float64")
    cell.build((None, 4))
    rng = np.random.default_rng(0)
    cell.set_weights([rng.normal(0, 0.6, w.shape) for w in cell.get_weights()])
    assert cell.shortcut_kernel is None
    states = initial_states(cell)
    expected = oracles.run(case.step(cell), X, states)[0]
    assert error(run(cell, X, states)[0], expected) < 1e-12


def test_matrices_of_one_shape_start_different():
    cell = create("minimal-rnn", UNITS)
    cell.build((None, UNITS))
    matrices = [np.array(w) for w in (cell.kernel, cell.update_kernel, cell.recurrent_kernel)]
    for a, b in zip(matrices, [*matrices[1:], matrices[0]], strict=True):
        assert error(a, b) > 0.5


def test_a_delayed_state_is_that_of_so_many_steps_before():
    cell = Case("tau-gru", {"delay": 3}).make()
    outputs, (_, past) = run(cell, X)
    before = [outputs[:, TIME - 1 - k] for k in (1, 2, 3)]
    assert error(past, np.concatenate(before, axis=1)) < 1e-12


BEGINNINGS = {
    "peephole-lstm": {"forget": 1.0},
    "projection-lstm": {"forget": 1.0},
    "multiplicative-lstm": {"forget": 1.0},
    "residual-lstm": {"forget": 1.0},
    "working-memory-lstm": {"forget": 1.0},
    "coupled-lstm": {"input": -1.0},
    "lstm-1997": {"output": -1.0},
    "janet": {"forget": 1.0},
    "cfn": {"forget": 1.0, "input": -1.0},
}


@pytest.mark.parametrize("name", BEGINNINGS)
def test_initial_biases_are_those_of_the_papers(name):
    cell = create(name, UNITS)
    cell.build((None, 4))
    parts = {k: np.array(v) for k, v in cell._bias_parts(keras.ops.copy(cell.bias)).items()}
    for gate, value in parts.items():
        np.testing.assert_array_equal(value, BEGINNINGS[name].get(gate, 0.0))


@pytest.mark.slow
def test_initial_spans_of_janet_reach_the_longest_dependency():
    cell = create("janet", 2000, longest_dependency=100, seed=1)
    cell.build((None, 1))
    spans = np.exp(np.array(cell.bias)[:2000])
    assert 1 <= spans.min() < 3 and 97 < spans.max() <= 99
    assert abs(spans.mean() - 50) < 3
    with pytest.raises(
        ValueError, match="`longest_dependency` must be a whole number of at least 3 or"
    ):
        create("janet", UNITS, longest_dependency=2)


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("tau-gru", {"delay": 0}, "`delay` must be a positive integer, got 0"),
        ("miru1", {"update_coefficient": 1.5}, "`update_coefficient` must be from 0 to 1, got 1.5"),
        ("miru2", {"reset_coefficient": -1}, "`reset_coefficient` must be from 0 to 1, got -1"),
        ("projection-lstm", {"memory_units": 0}, "`memory_units` must be a positive integer"),
        (
            "mass-conserving-lstm",
            {"mass_features": 0},
            "`mass_features` must be a positive integer",
        ),
    ],
)
def test_options_out_of_range_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        create(name, UNITS, **options)


@pytest.mark.parametrize("policy, tolerance", [("mixed_bfloat16", 0.2), ("mixed_float16", 0.04)])
@pytest.mark.parametrize("parametrization", ["exponential", "cayley"])
def test_an_orthogonal_matrix_keeps_norms_in_half_precision(parametrization, policy, tolerance):
    cell = create("orthogonal", 32, parametrization=parametrization, seed=0, dtype=policy)
    states = [np.ones((1, 32), "float32")]
    state = Recurrent(cell, dtype=policy)(np.zeros((1, 200, 4)), initial_state=states)
    ratio = np.linalg.norm(np.array(state, "float32")) / np.sqrt(32)
    assert ratio == pytest.approx(1, abs=tolerance)


def test_a_reservoir_stays_frozen_in_a_model_that_is_unfrozen():
    layer = Recurrent(create("echo-state", UNITS, bias_scale=0.1))
    model = keras.Sequential([keras.Input((None, 3)), layer, keras.layers.Dense(1)])
    weights = layer.get_weights()
    model.trainable = False
    model.trainable = True
    assert len(weights) == 3 and len(layer.trainable_weights) == 0
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 5, 3)), np.ones((4, 1)), verbose=0)
    for before, after in zip(weights, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)

"""States, fixed points and tables: against plain computations and cells with known answers."""

import dataclasses

import numpy as np
import pytest

import seqzoo.cells as cells
from seqzoo.tasks.inspection.fixed_points import Point, fixed_points, principal_components
from seqzoo.tasks.inspection.states import EVENTS, rank_units, similar_states


def test_events_are_where_they_are() -> None:
    labels = list('a "b c" (d) 1')
    assert [labels[k] for k in np.flatnonzero(EVENTS["inside quotes"](labels))] == list('b c"')
    assert [labels[k] for k in np.flatnonzero(EVENTS["inside brackets"](labels))] == ["d"]
    assert [labels[k] for k in np.flatnonzero(EVENTS["digit"](labels))] == ["1"]
    ends = np.flatnonzero(EVENTS["end of word"](list("ab c")))
    assert ends.tolist() == [1, 3]


@pytest.mark.parametrize(
    ("labels", "ends"),
    [
        (["w1", "w2", "w3", "w44"], []),
        (["the", "cat", "sat", "."], []),
        (["(start)", *"ab c"], [2, 4]),
        (list("हिन्दी है"), [5, 8]),
    ],
)
def test_words_end_among_characters_alone(labels, ends) -> None:
    assert np.flatnonzero(EVENTS["end of word"](labels)).tolist() == ends
    expected = [step for step, label in enumerate(labels) if label == "."]
    assert np.flatnonzero(EVENTS["punctuation"](labels)).tolist() == expected


@pytest.mark.parametrize(
    ("labels", "inside"),
    [
        (list("don't say it's"), []),
        (list("the dogs' and it's"), []),
        (list("he 'don't' b"), list("don't'")),
        (["(start)", *"don't"], []),
        (["I", "said", "'", "hi", "there", "'", "then"], ["hi", "there", "'"]),
        ([], []),
    ],
)
def test_apostrophes_are_not_quotes(labels, inside) -> None:
    assert [labels[k] for k in np.flatnonzero(EVENTS["inside quotes"](labels))] == inside


def test_units_are_ranked_by_their_correlation() -> None:
    random = np.random.default_rng(0)
    event = random.random(50) > 0.5
    states = random.normal(size=(50, 4))
    states[:, 2] = 0.3 - 2 * event + 0.1 * states[:, 2]
    states[:, 3] = 1.0
    ranked = rank_units(states, event)
    assert ranked[0].unit == 2
    for item in ranked[:3]:
        expected = np.corrcoef(states[:, item.unit], event)[0, 1]
        assert item.correlation == pytest.approx(expected)
    assert (ranked[3].unit, ranked[3].correlation) == (3, 0)


def test_similar_states_are_found() -> None:
    random = np.random.default_rng(1)
    states = [random.normal(size=(5, 8)), random.normal(size=(7, 8))]
    states[1][4] = 3 * states[0][2]
    first, second, *_ = similar_states(states[0][2], states, top=3)
    assert {(first.input, first.step), (second.input, second.step)} == {(0, 2), (1, 4)}
    assert second.similarity == pytest.approx(1)
    (only,) = similar_states(states[0][0], states[1:], top=1, units=[3])
    assert abs(only.similarity) == pytest.approx(1)  # of one unit, only the sign is compared


def test_fixed_points_of_a_linear_cell_are_solved_for() -> None:
    random = np.random.default_rng(2)
    matrix = 0.7 * np.linalg.qr(random.normal(size=(3, 3)))[0]
    cell = cells.create("vanilla", 3, activation="linear", dtype="float64")
    cell.build((None, 2))
    cell.set_weights([random.normal(size=(2, 3)), matrix, random.normal(size=3)])
    x = np.array([0.4, -1.0])
    kernel, _, bias = cell.get_weights()
    expected = np.linalg.solve(np.eye(3) - matrix.T, x @ kernel + bias)
    (point,) = fixed_points(cell, random.normal(size=(4, 3)), x)
    np.testing.assert_allclose(point.state, expected, atol=1e-5)
    assert point.kind == "fixed" and point.unstable == 0
    np.testing.assert_allclose(np.abs(point.eigenvalues), 0.7, atol=1e-8)


def test_a_bistable_unit_has_two_stable_points_and_a_saddle_between_them() -> None:
    # h = tanh(2 h): stable near +-0.9575, unstable at 0 with slope 2.
    cell = cells.create("vanilla", 1, use_bias=False, dtype="float64")
    cell.build((None, 1))
    cell.set_weights([np.ones((1, 1)), np.full((1, 1), 2.0)])
    result = fixed_points(cell, np.array([[-0.9], [-0.01], [0.02], [0.8]]))
    positions = sorted((float(point.state[0]), point.unstable) for point in result)
    root = 0.9575040240772687
    assert [unstable for _, unstable in positions] == [0, 1, 0]
    np.testing.assert_allclose([position for position, _ in positions], [-root, 0, root], atol=1e-4)


def test_a_unit_that_keeps_its_state_is_not_unstable() -> None:
    point = Point(np.zeros(2), 0.0, "fixed", np.array([1.00001, 0.3]))
    assert point.unstable == 0
    assert dataclasses.replace(point, eigenvalues=np.array([1.001, 1.0])).unstable == 1


def test_without_fixed_points_slow_points_are_found() -> None:
    # h = |h| + 0.1 with a floor below: the slowest place is where the steps are smallest.
    cell = cells.create("vanilla", 1, activation="softplus", dtype="float64")
    cell.build((None, 1))
    cell.set_weights([np.ones((1, 1)), np.ones((1, 1)), np.array([0.1])])
    (point, *_) = fixed_points(cell, np.array([[0.5], [3.0]]), iterations=30)
    assert point.kind == "slow" and point.speed >= 0.1


def test_principal_components_are_those_of_the_covariance() -> None:
    states = np.random.default_rng(3).normal(size=(40, 3)) * [5.0, 1.0, 0.2]
    mean, directions = principal_components(states)
    np.testing.assert_allclose(mean, states.mean(0))
    values, vectors = np.linalg.eigh(np.cov(states.T))
    for k in range(2):
        assert abs(vectors[:, -1 - k] @ directions[:, k]) == pytest.approx(1)


@pytest.mark.parametrize("name", ["layer-norm", "mass-conserving-lstm", "gru-d"])
def test_fixed_points_without_inputs_are_those_of_zeros(name: str) -> None:
    cell = cells.create(name, 2, dtype="float64")
    cell.build((None, 3))
    count = sum(cells.base.as_list(cell.state_size))
    starts = np.random.default_rng(0).normal(size=(2, count))
    without, zeros = fixed_points(cell, starts), fixed_points(cell, starts, np.zeros(3))
    assert len(without) == len(zeros) > 0
    np.testing.assert_array_equal(without[0].state, zeros[0].state)

"""Sampled tokens have the model's probabilities, and depend only on the seed and the row."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from decoding_cases import END, START, Toy, assert_scored, log_softmax, texts

from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.decoding.sampling import draw, random_numbers
from seqzoo.tasks.errors import SeqzooError

DRAWS = 6000

CASES = {
    "plain": {},
    "temperature": {"temperature": 0.6},
    "hot": {"temperature": 2.5},
    "top_k": {"top_k": 3},
    "top_p": {"top_p": 0.75},
    "all": {"temperature": 1.4, "top_k": 5, "top_p": 0.8},
}


def _probabilities(logs: np.ndarray, temperature=1.0, top_k=None, top_p=None) -> np.ndarray:
    """The distribution that one token is drawn from."""
    p = np.where(np.isin(np.arange(len(logs)), [0, 1]), 0, np.exp(logs / temperature))
    order = np.argsort(-p)
    p[order[top_k:]] = 0 if top_k else p[order[top_k:]]
    p /= p.sum()
    if top_p:
        kept = 1 + int((np.cumsum(p[order]) < top_p).sum())
        p[order[kept:]] = 0
    return p / p.sum()


def _chi_square(counts: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """The statistic, and what it stays below in all but about one of 10,000 cases."""
    assert not counts[p == 0].any()
    expected = counts.sum() * p[p > 0]
    statistic = ((counts[p > 0] - expected) ** 2 / expected).sum()
    freedom = max((p > 0).sum() - 1, 1)
    # Wilson and Hilferty 1931.
    spread = 2 / (9 * freedom)
    return statistic, freedom * (1 - spread + 3.72 * spread**0.5) ** 3


@pytest.mark.parametrize("case", CASES)
def test_frequencies_are_the_probabilities(case: str) -> None:
    toy = Toy(ids=9, rows=2, sharpness=0.4, seed=8)
    result = toy.decode(
        method="sample", count=DRAWS, maximum_length=2, more={"seed": 5}, **CASES[case]
    )
    for row, answers in enumerate(texts(result)):
        first = np.array([(*answer, END)[0] for answer in answers])
        p = _probabilities(log_softmax(toy.trace(row, [])[0])[-1], **CASES[case])
        statistic, most = _chi_square(np.bincount(first, minlength=9), p)
        assert statistic < most
        # The second token, after the most frequent first one.
        favourite = np.bincount(first[first != END]).argmax()
        second = [(*answer, END)[1] for answer in answers if answer[:1] == (favourite,)]
        p = _probabilities(log_softmax(toy.trace(row, [favourite])[0])[-1], **CASES[case])
        statistic, most = _chi_square(np.bincount(second, minlength=9), p)
        assert statistic < most and len(second) > DRAWS / 20


def test_the_cases_differ() -> None:
    # Otherwise the test above would prove less than it claims.
    logs = log_softmax(Toy(ids=9, rows=2, sharpness=0.4, seed=8).trace(0, [])[0])[-1]
    all_p = [_probabilities(logs, **choices) for choices in CASES.values()]
    for index, p in enumerate(all_p):
        for other in all_p[index + 1 :]:
            assert _chi_square_of(p, other) > 100


def _chi_square_of(p: np.ndarray, other: np.ndarray) -> float:
    if (p[other == 0] > 0).any():
        return np.inf
    return DRAWS * ((p - other)[other > 0] ** 2 / other[other > 0]).sum()


def test_sampled_texts_are_scored() -> None:
    toy = Toy(ids=7, rows=5, seed=9, source=3)
    result = toy.decode(
        method="sample", count=4, temperature=1.5, top_k=4, maximum_length=6, more={"seed": 1}
    )
    assert_scored(toy, result)
    np.testing.assert_array_equal(result.scores, result.log_probabilities)
    for row, answers in enumerate(texts(result)):
        assert len(set(answers)) > 1 or row == 0
        for index, tokens in enumerate(answers):
            expected = toy.trace(row, tokens)[1][:-1]
            attention = result.attention[row, index, : len(tokens)]
            np.testing.assert_allclose(attention, expected, rtol=1e-3)


def test_a_seed_fixes_the_samples() -> None:
    toy = Toy(ids=9, rows=6, seed=10)
    choices = {"method": "sample", "count": 3, "maximum_length": 8}

    def drawn(seed, rows: Any = slice(None)):
        return texts(toy.decode(rows, **choices, more={"seed": seed}))

    assert drawn(1) == drawn(1) == drawn((1, 0)) != drawn(2)
    assert drawn((1, 3)) != drawn(1)
    tf.random.set_seed(4)
    assert drawn(None) != drawn(None)
    # With a common seed, rows after a row change nothing; with separate seeds, no row does.
    assert drawn(1, [0, 1, 2]) == drawn(1)[:3]
    seeds = np.arange(12).reshape(6, 2)
    whole = drawn(seeds)
    assert drawn(seeds[[4, 1]], [4, 1]) == [whole[4], whole[1]]
    assert drawn(seeds[[4]], [4]) == [whole[4]]


def test_draws_of_a_row_are_independent() -> None:
    numbers = random_numbers(3, 4, 500, 6).numpy().reshape(4, 500, 6)
    # Correlations between rows, between consecutive answers, and between steps.
    pairs = [
        (numbers[0], numbers[1]),
        (numbers[:, 1:], numbers[:, :-1]),
        (numbers[..., 1:], numbers[..., :-1]),
    ]
    for one, other in pairs:
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 5 / one.size**0.5
    assert numbers.min() >= 0 and numbers.max() < 1


def test_the_ends_of_the_unit_interval() -> None:
    scores = tf.constant([[-np.inf, -1.0, -np.inf, -2.0, -np.inf]], tf.float32)
    last = float(np.nextafter(np.float32(1), np.float32(0)))
    for top_k, top_p in [(None, None), (4, None), (None, 0.999), (9, 1.0)]:
        for number, token in [(0.0, 1), (last, 3)]:
            drawn = draw(scores, tf.constant([[number]]), 1.0, top_k, top_p)
            assert drawn.numpy().tolist() == [token]
    # Nearly no temperature is greedy search; nearly no `top_p` is, too.
    for temperature, top_p in [(1e-6, None), (1.0, 1e-6)]:
        assert draw(scores, tf.constant([[last]]), temperature, None, top_p).numpy() == [1]


def test_start_may_be_given_by_row() -> None:
    toy = Toy(ids=9, rows=4, seed=11)
    common = toy.decode(maximum_length=5)
    result = toy.decode(maximum_length=5, more={"start": np.array([START, 5, START, 6])})
    tokens = result.tokens[:, 0]
    for row in (0, 2):
        length = common.lengths[row, 0]
        np.testing.assert_array_equal(tokens[row, :length], common.tokens[row, 0, :length])
    np.testing.assert_allclose(result.log_probabilities[::2], common.log_probabilities[::2])
    assert not np.allclose(result.log_probabilities[1::2], common.log_probabilities[1::2])


@pytest.mark.parametrize("seed", [None, 3, np.zeros((0, 2), np.int32)])
def test_no_rows_have_no_numbers(seed: Any) -> None:
    numbers = tf.function(lambda steps: random_numbers(seed, 0, 2, steps), autograph=False)
    assert numbers(tf.constant(5)).shape == (0, 5)


def test_numbers_of_rows_with_seeds_of_their_own() -> None:
    seeds = np.array([[1, 2], [3, 4]], np.int32)
    both = random_numbers(seeds, 2, 3, 4)
    np.testing.assert_array_equal(both[3:], random_numbers(seeds[1:], 1, 3, 4))


@pytest.mark.parametrize("temperature", [0.0, 1e-45, float("inf")])
def test_temperatures_that_leave_no_distribution_are_refused(temperature: float) -> None:
    with pytest.raises(SeqzooError, match="`temperature` must be"):
        Decoding("sample", temperature=temperature)

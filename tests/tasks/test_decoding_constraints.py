"""Constraints hold, and do not change the reported log-probabilities."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from decoding_cases import END, START, Toy, assert_scored, log_softmax, texts

from seqzoo.tasks import SeqzooError
from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.decoding.constraints import penalise_repetition, repeated_ngrams
from seqzoo.tasks.decoding.decoder import decode

METHODS = {
    "greedy": {},
    "beam": {"method": "beam", "beam_width": 4, "count": 3},
    "sample": {"method": "sample", "count": 3, "temperature": 1.3},
}
methods = pytest.mark.parametrize("method", METHODS)


def _decode(toy: Toy, method: str, more: dict | None = None, **choices):
    seed = {"seed": 3} if method == "sample" else {}
    return toy.decode(**METHODS[method], **choices, more=seed | (more or {}))


@methods
def test_lengths_are_kept(method: str) -> None:
    toy = Toy(ids=8, rows=9, seed=1)
    free = _decode(toy, method, maximum_length=9)
    assert free.lengths.min() < 2 and free.lengths.max() > 6
    most = np.array([0, 1, 2, 3, 4, 5, 6, 7, 30])
    result = _decode(toy, method, {"maximum_lengths": most}, minimum_length=3, maximum_length=6)
    exists = np.isfinite(result.scores)  # a beam may find fewer answers
    assert (result.lengths >= np.minimum(most, 3)[:, None])[exists].all() and exists[:, 0].all()
    assert (result.lengths <= np.minimum(most, 6)[:, None]).all()
    assert result.tokens.shape[2] == 6
    # A forced end still costs its log-probability.
    assert_scored(toy, result)


def test_a_minimum_length_that_texts_already_have_changes_nothing() -> None:
    toy = Toy(ids=8, rows=9, seed=1)
    free = _decode(toy, "greedy", maximum_length=9)
    lengths = free.lengths[:, 0]
    least = int(lengths[(lengths > 0) & (lengths < 9)].max())
    result = _decode(toy, "greedy", maximum_length=9, minimum_length=least)
    assert (lengths == least).any()
    for row in np.flatnonzero(lengths >= least):
        assert texts(result)[row] == texts(free)[row]


@methods
def test_banned_tokens_never_occur(method: str) -> None:
    toy = Toy(ids=6, rows=12, seed=2)
    free = _decode(toy, method, {"banned": ()}, maximum_length=6)
    inside = np.arange(free.tokens.shape[2]) < free.lengths[..., None]
    assert {0, 1} <= set(free.tokens[inside].tolist())
    result = _decode(toy, method, maximum_length=6)
    other = _decode(toy, method, {"banned": (0, 1, END, 4)}, maximum_length=6)
    for answers in texts(result):
        assert not {0, 1} & {token for answer in answers for token in answer}
    assert {token for row in texts(other) for answer in row for token in answer} == {3, 5}
    # A ban leaves the end alone.
    assert other.lengths.min() < 6


@methods
def test_prefixes_of_different_lengths(method: str) -> None:
    toy = Toy(ids=8, rows=6, seed=3)
    random = np.random.default_rng(0)
    prefix = random.integers(3, 8, (6, 5))
    prefix[2, 0] = 1  # the unknown, which is banned
    lengths = np.array([0, 1, 2, 3, 5, 4])
    more = {"prefix": prefix, "prefix_lengths": lengths}
    # Shorter than the longest prefix, which is given in full all the same.
    result = _decode(toy, method, more, maximum_length=4, no_repeat_ngram=1)
    assert_scored(toy, result)
    for row, answers in enumerate(texts(result)):
        length = lengths[row]
        count = np.isfinite(result.scores[row]).sum()  # a beam may find fewer answers
        for answer in answers[:count]:
            assert answer[:length] == tuple(prefix[row, :length])
            assert len(answer) <= max(4, length)
            rest = answer[length:]
            assert len(set(rest)) == len(rest) and not set(rest) & set(answer[:length]) - {0, 1}
    assert texts(result)[4][0] == tuple(prefix[4])
    whole = _decode(toy, method, {"prefix": prefix[:, :3]}, maximum_length=4)
    assert all(
        answer[:3] == tuple(start)
        for start, answers in zip(prefix[:, :3], texts(whole), strict=True)
        for answer in answers
    )


def test_a_prefix_that_greedy_search_would_take_changes_nothing() -> None:
    toy = Toy(ids=8, rows=6, seed=3)
    free = toy.decode(maximum_length=6)
    lengths = np.minimum(free.lengths[:, 0], [1, 2, 3, 0, 2, 3])
    more = {"prefix": free.tokens[:, 0], "prefix_lengths": lengths}
    forced = toy.decode(maximum_length=6, more=more)
    assert texts(forced) == texts(free)
    np.testing.assert_array_equal(forced.log_probabilities, free.log_probabilities)


@methods
@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_ngram_repeats(method: str, size: int) -> None:
    toy = Toy(ids=6, rows=10, seed=4)

    def repeats(found) -> int:
        count = 0
        for answers in texts(found):
            for answer in answers:
                grams = [answer[at : at + size] for at in range(len(answer) - size + 1)]
                count += len(grams) - len(set(grams))
        return count

    free = _decode(toy, method, maximum_length=14, minimum_length=10)
    assert repeats(free) > 10
    found = _decode(toy, method, maximum_length=14, minimum_length=10, no_repeat_ngram=size)
    assert repeats(found) == 0
    assert_scored(toy, found)
    # With three usable tokens, an answer ends before its minimum where nothing else is left.
    assert found.lengths.max() <= {1: 3, 2: 10, 3: 14}[size]


def test_repeated_ngrams_by_hand() -> None:
    history = tf.constant([[4, 5, 4, 5, 0, 0], [5, 5, 5, 4, 0, 0], [0, 4, 0, 0, 0, 0]])

    def banned(t, size):
        found = repeated_ngrams(history, tf.constant(t), size, 7).numpy()
        return [np.flatnonzero(row).tolist() for row in found]

    assert banned(4, 1) == [[4, 5], [4, 5], [0, 4]]
    assert banned(4, 2) == [[4], [], [0, 4]]
    assert banned(3, 2) == [[5], [5], [4]]
    assert banned(4, 3) == [[4], [], []]
    assert banned(3, 3) == [[], [5], []]
    assert banned(0, 1) == banned(1, 2) == banned(2, 3) == banned(0, 4) == [[], [], []]


def test_repetition_penalty_by_formula() -> None:
    logits = np.random.default_rng(1).normal(size=(3, 7)).astype(np.float32)
    history = np.array([[4, 5, 4, 6], [2, 2, 0, 0], [6, 1, 3, 5]])
    result = penalise_repetition(tf.constant(logits), tf.constant(history, tf.int32), 3, 1.7)
    expected = logits.copy()
    for row in range(3):
        for token in set(history[row, :3].tolist()):
            value = logits[row, token]
            expected[row, token] = value / 1.7 if value > 0 else value * 1.7
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    assert (expected != logits).sum() == 2 + 2 + 3


def test_repetition_penalty_in_greedy_search() -> None:
    toy = Toy(ids=8, rows=10, seed=6)
    result = toy.decode(maximum_length=8, repetition_penalty=1.5)
    assert texts(result) != texts(toy.decode(maximum_length=8))
    assert_scored(toy, result)
    for row, (answer,) in enumerate(texts(result)):
        logits = toy.trace(row, answer)[0]
        for t, token in enumerate([*answer, END][:8]):
            for before in set(answer[:t]):
                logits[t, before] *= 1 / 1.5 if logits[t, before] > 0 else 1.5
            logits[t, :2] = -np.inf
            assert logits[t].argmax() == token


@methods
def test_a_model_without_an_end(method: str) -> None:
    toy = Toy(ids=7, rows=4, seed=6)
    most = np.array([5, 3, 0, 4])
    more = {"maximum_lengths": most}
    result = _decode(toy, method, more | {"end": None}, maximum_length=9)
    assert (result.lengths == most[:, None])[:, 0].all()
    assert_scored(toy, result, end=None)
    assert (result.token_log_probabilities[:, 0, 5] == 0).all()
    # Where repetitions leave nothing, an answer ends all the same.
    result = _decode(
        toy, method, {"end": None, "banned": (0, 1, 2, 3)}, maximum_length=9, no_repeat_ngram=1
    )
    assert sorted(result.tokens[0, 0]) == [4, 5, 6]


def test_greedy_search_by_hand() -> None:
    toy = Toy(ids=8, rows=10, source=3, seed=7)
    result = toy.decode(maximum_length=7)
    assert_scored(toy, result)
    for row, (answer,) in enumerate(texts(result)):
        logs, attention = toy.trace(row, answer)
        logs = log_softmax(logs)
        logs[:, :2] = -np.inf
        assert logs.argmax(1)[:7].tolist() == [*answer, END][:7]
        np.testing.assert_allclose(result.attention[row, 0, : len(answer)], attention[:-1], 1e-3)
        assert not result.attention[row, 0, len(answer) :].any()


@methods
def test_a_model_that_gives_no_probability_to_what_is_forced(method: str) -> None:
    class Blocked(Toy):
        def step(self, tokens, states):
            logits, states, attention = super().step(tokens, states)
            return tf.where(np.isin(np.arange(8), [END, 4]), -np.inf, logits), states, attention

    toy = Blocked(ids=8, rows=3)
    more = {"prefix": np.array([[4], [5], [5]]), "prefix_lengths": np.array([1, 1, 0])}
    result = _decode(toy, method, more, maximum_length=3)
    assert (result.lengths[:, 0] == 3).all() and (result.tokens[:2, 0, 0] == [4, 5]).all()
    assert (result.log_probabilities == -np.inf).all()
    assert np.isfinite(result.token_log_probabilities[1:, 0, :3]).all()


@methods
def test_scores_that_are_not_numbers_end_the_search(method: str) -> None:
    class Broken(Toy):
        def step(self, tokens, states):
            logits, states, attention = super().step(tokens, states)
            return logits * np.nan, states, attention

    result = _decode(Broken(ids=8, rows=3), method, maximum_length=4)
    assert result.lengths.max() <= 5


@pytest.mark.parametrize(
    "choices, message",
    [
        ({"method": "best"}, "`method` must be one of 'greedy', 'beam', 'sample', got 'best'"),
        ({"count": 2}, "`count` must be at most 1 with the method 'greedy', got 2"),
        ({"method": "beam", "count": 5}, "at most 4 .* `beam_width`, got 5"),
        ({"beam_width": 0}, "`beam_width` must be at least 1, got 0"),
        ({"temperature": 0.0}, "`temperature` must be at least 1e-06 .*, got 0.0"),
        ({"temperature": float("nan")}, "`temperature` must be at least 1e-06"),
        ({"length_penalty": -0.5}, "`length_penalty` must be at least 0, got -0.5"),
        ({"top_p": 1.5}, "`top_p` must be above 0 and at most 1, got 1.5"),
        ({"top_k": 0}, "`top_k` must be at least 1, got 0"),
        ({"no_repeat_ngram": 10**8}, "`no_repeat_ngram` must be at least 1 and at most 100, got"),
        ({"repetition_penalty": 0}, "`repetition_penalty` must be above 0"),
        ({"minimum_length": 5, "maximum_length": 4}, "at most `maximum_length`, 4, got 5"),
    ],
)
def test_invalid_options(choices: dict, message: str) -> None:
    with pytest.raises(SeqzooError, match=message):
        Decoding(**choices)


def test_arguments_that_do_not_fit() -> None:
    toy = Toy(ids=6, rows=2)
    with pytest.raises(SeqzooError, match="`coverage_penalty` must be 0 .* got 0.5"):
        toy.decode(method="beam", coverage_penalty=0.5)
    with pytest.raises(SeqzooError, match="`end` must be .* 6, got 6"):
        toy.decode(more={"end": 6})


@pytest.mark.parametrize("more", [{"maximum_lengths": [2, 3]}, {"prefix": [[3, 4], [5, 3]]}])
def test_a_model_without_states_takes_lists(more: dict) -> None:
    logits = tf.random.stateless_normal([6, 6], [1, 2])

    def texts_of(more: dict):
        return decode(
            lambda tokens, states: (tf.gather(logits, tokens), states, None),
            (),
            choices=Decoding(maximum_length=4),
            start=START,
            end=END,
            vocabulary_size=6,
            **more,
        ).tokens.numpy()

    arrays = {name: np.array(value) for name, value in more.items()}
    np.testing.assert_array_equal(texts_of(more), texts_of(arrays))


def test_options_do_not_import_tensorflow() -> None:
    program = "import sys, seqzoo.tasks.decoding; assert 'tensorflow' not in sys.modules"
    root = pathlib.Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", program], cwd=root, check=True)

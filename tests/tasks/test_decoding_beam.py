"""Beam search against exhaustive search, against greedy search and against its definition."""

import numpy as np
import pytest
import tensorflow as tf
from decoding_cases import END, START, Toy, assert_scored, log_softmax, texts

LONGEST = 3


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"length_penalty": 1.3},
        {"length_penalty": 0.7, "minimum_length": 2},
        {"coverage_penalty": 0.8},
        {"length_penalty": 2.0, "coverage_penalty": 0.3, "minimum_length": 1},
    ],
)
def test_a_beam_of_all_texts_is_exhaustive_search(choices: dict) -> None:
    toy = Toy(ids=5, source=4, seed=1)
    result = toy.decode(
        method="beam",
        beam_width=toy.ids**LONGEST,
        count=15,
        maximum_length=LONGEST,
        **choices,
    )
    for row, answers in enumerate(texts(result)):
        expected = toy.exhaustive(
            row,
            LONGEST,
            shortest=int(choices.get("minimum_length", 0)),
            alpha=choices.get("length_penalty", 0.0),
            beta=choices.get("coverage_penalty", 0.0),
        )
        count = len(expected)
        assert count == 15 - 2 ** choices.get("minimum_length", 0) + 1
        scores, tokens, whole = zip(*expected, strict=True)
        assert answers == [*tokens, *[()] * (15 - count)]
        np.testing.assert_allclose(result.scores[row, :count], scores, rtol=1e-4)
        np.testing.assert_allclose(result.log_probabilities[row, :count], whole, rtol=1e-4)
        # Answers that do not exist have no probability.
        assert (result.scores[row, count:] == -np.inf).all()
        assert (result.log_probabilities[row, count:] == -np.inf).all()


def test_the_penalties_change_the_order() -> None:
    # Otherwise the test above would show nothing.
    toy = Toy(ids=5, source=4, seed=1)
    orders = [
        [tokens for _, tokens, _ in toy.exhaustive(0, LONGEST, alpha=alpha, beta=beta)]
        for alpha, beta in ((0.0, 0.0), (1.3, 0.0), (0.0, 0.8))
    ]
    assert orders[0] != orders[1] != orders[2] != orders[0]


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("no_repeat_ngram", [None, 2])
def test_beam_of_one_is_greedy(length_penalty: float, no_repeat_ngram: int | None) -> None:
    toy = Toy(ids=9, rows=40, source=3)
    common = {"maximum_length": 7, "no_repeat_ngram": no_repeat_ngram, "minimum_length": 1}
    greedy = toy.decode(**common, repetition_penalty=1.2)
    beam = toy.decode(
        **common,
        repetition_penalty=1.2,
        method="beam",
        beam_width=1,
        length_penalty=length_penalty,
        coverage_penalty=0.2,
    )
    assert texts(greedy) == texts(beam)
    assert len(set(greedy.lengths[:, 0])) > 3
    for name in ("log_probabilities", "token_log_probabilities", "attention"):
        np.testing.assert_allclose(getattr(greedy, name), getattr(beam, name), rtol=1e-4, atol=1e-5)


def _reference(toy: Toy, row: int, width: int, answers: int, longest: int, alpha: float) -> list:
    """Beam search as beam.py describes it, one hypothesis at a time, without stopping early."""

    def penalty(length):
        return ((5 + length + 1) / 6) ** alpha

    beams, ended = [(0.0, ())], []
    while beams:
        length = len(beams[0][1])
        candidates = []
        for whole, tokens in beams:
            logs = log_softmax(toy.trace(row, tokens)[0])[-1]
            ids = [END] if length == longest else range(2, toy.ids)
            candidates += [(whole + logs[token], (*tokens, token)) for token in ids]
        candidates = sorted(candidates, reverse=True)[: 2 * width]
        ended += [
            (whole / penalty(length), tokens[:-1])
            for whole, tokens in candidates[:width]
            if tokens[-1] == END
        ]
        beams = [candidate for candidate in candidates if candidate[1][-1] != END][:width]
        kept = sorted((score for score, _ in ended), reverse=True)[:answers]
        enough = alpha and beams and len(kept) == answers and len(ended) >= width
        if enough and beams[0][0] / penalty(length + 1) <= kept[-1]:
            break
    return sorted(ended, reverse=True)[:answers]


@pytest.mark.parametrize("alpha", [0.0, 1.2, 4.0])
@pytest.mark.parametrize("width, answers", [(2, 1), (3, 3), (5, 1)])
def test_narrow_beams_follow_the_definition(alpha: float, width: int, answers: int) -> None:
    toy = Toy(ids=8, rows=12, sharpness=0.7, seed=3)
    result = toy.decode(
        method="beam",
        beam_width=width,
        count=answers,
        length_penalty=alpha,
        maximum_length=6,
    )
    for row, ours in enumerate(texts(result)):
        expected = _reference(toy, row, width, answers, 6, alpha)
        assert ours[: len(expected)] == [tokens for _, tokens in expected]
        np.testing.assert_allclose(
            result.scores[row, : len(expected)], [score for score, _ in expected], rtol=1e-4
        )
    assert_scored(toy, result)


class Counting(Toy):
    """Most probably counts from the start token to the last id and ends; next to that, ending too
    early is the least improbable mistake."""

    def step(self, tokens, states):
        """One decoding step: logits, the states, and no attention."""
        following = tf.where(tokens + 1 < self.ids, tokens + 1, END)
        mistakes = 2.0 * tf.one_hot(END, self.ids)
        return 6 * tf.one_hot(following, self.ids) + mistakes, states, None


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("count", [1, 3])
def test_improbable_endings_do_not_end_the_search(alpha: float, count: int) -> None:
    toy = Counting(ids=14, rows=2)
    choices = {"count": count, "length_penalty": alpha, "maximum_length": 20}
    result = toy.decode(method="beam", beam_width=3, **choices)
    assert [answers[0] for answers in texts(result)] == 2 * [tuple(range(START + 1, 14))]


def test_a_longer_search_does_not_change_finished_texts() -> None:
    # Rows end at different times; those that end early wait for the others.
    toy = Toy(ids=8, rows=6, seed=10)
    choices = {"method": "beam", "beam_width": 3, "count": 3, "length_penalty": 0.5}
    together = toy.decode(**choices, maximum_length=12)
    assert together.lengths.max() > together.lengths.max(1).min() + 3
    for row in range(6):
        alone = toy.decode([row], **choices, maximum_length=12)
        assert texts(alone) == [texts(together)[row]]
        np.testing.assert_allclose(alone.scores[0], together.scores[row], rtol=1e-5)


def test_attention_is_that_of_the_beam_of_the_text() -> None:
    toy = Toy(ids=8, rows=6, source=4, sharpness=0.7, seed=5)
    result = toy.decode(method="beam", beam_width=4, count=4, maximum_length=5)
    for row, answers in enumerate(texts(result)):
        for index, tokens in enumerate(answers):
            _, expected = toy.trace(row, tokens)
            attention = result.attention[row, index]
            np.testing.assert_allclose(attention[: len(tokens)], expected[:-1], rtol=1e-3)
            assert not attention[len(tokens) :].any()


def test_padding_of_the_source_is_not_a_gap_in_coverage() -> None:
    toy = Toy(ids=5, rows=2, source=4)
    lengths = [4, 2]
    result = toy.decode(
        method="beam",
        beam_width=125,
        count=6,
        coverage_penalty=1.0,
        maximum_length=2,
        more={"source_lengths": lengths},
    )
    for row, answers in enumerate(texts(result)):
        for index, tokens in enumerate(answers):
            coverage = toy.trace(row, tokens)[1].sum(0)[: lengths[row]]
            expected = toy.log_probabilities(row, tokens).sum()
            expected += np.log(np.minimum(coverage, 1)).sum()
            np.testing.assert_allclose(result.scores[row, index], expected, rtol=1e-4)


def test_constants_are_shared_by_the_beams_of_a_row() -> None:
    toy = Toy(ids=8, rows=5, seed=6)
    choices = {"method": "beam", "beam_width": 3, "maximum_length": 5}
    moved = toy.decode(**choices)

    class Shared(Toy):
        def step(self, tokens, states, constants=None):
            logits, new, attention = Toy.step(self, tokens, {**states, "bias": constants})
            return logits, {"h": new["h"]}, attention

        def states(self, rows=slice(None)):
            return {"h": Toy.states(self, rows)["h"]}

    shared = Shared(ids=8, rows=5, seed=6)
    result = shared.decode(**choices, more={"constants": shared.bias})
    assert texts(result) == texts(moved)
    np.testing.assert_allclose(result.scores, moved.scores, rtol=1e-5)


def test_repetition_penalty_affects_choices_but_not_reported_probabilities() -> None:
    toy = Toy(ids=5, rows=4, sharpness=2.0, seed=7)
    result = toy.decode(
        method="beam", beam_width=125, count=3, maximum_length=3, repetition_penalty=2.0
    )
    assert_scored(toy, result)
    for row in range(4):
        expected = []
        for _, tokens, whole in toy.exhaustive(row, 3):
            logits = toy.trace(row, tokens)[0]
            for t in range(1, len(logits)):
                for token in set(tokens[:t]):
                    logits[t, token] *= 0.5 if logits[t, token] > 0 else 2.0
            each = log_softmax(logits)[np.arange(len(logits)), [*tokens, END]]
            expected.append((each.sum(), tokens, whole))
        best = sorted(expected, reverse=True)[:3]
        assert texts(result)[row] == [tokens for _, tokens, _ in best]
        np.testing.assert_allclose(result.scores[row], [score for score, _, _ in best], rtol=1e-4)
        np.testing.assert_allclose(
            result.log_probabilities[row], [whole for _, _, whole in best], rtol=1e-4
        )


def test_a_beam_wider_than_the_vocabulary() -> None:
    toy = Toy(ids=4, rows=2)  # one token that may be generated, and the end
    result = toy.decode(method="beam", beam_width=30, count=7, maximum_length=5)
    for row in texts(result):
        # The seventh does not exist.
        assert sorted(row) == [(), *((START,) * length for length in range(6))]

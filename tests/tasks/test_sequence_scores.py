"""Scores of sequences against worked examples, sacrebleu and seqeval, and against brute force."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf
from sacrebleu import BLEU, CHRF

from seqzoo.tasks import SeqzooError
from seqzoo.tasks.metrics.sequences import (
    bleu,
    chrf,
    edit_distance,
    error_rates,
    perplexity,
    span_scores,
)

ANSWERS = ["the cat sat on the mat .", "A dog", "we do not know , do we ?", ""]
REFERENCES = [
    ["the cat is on the mat .", "a cat sat on the mat ."],
    ["a dog barks"],
    ["we do not know , or do we ?", "who knows ?", "do we know ?"],
    ["nothing"],
]


def test_bleu_by_hand() -> None:
    """Answer of 3 tokens against 4: 3 of 3 words, 1 of 2 pairs, then smoothing halves, none."""
    scores = bleu(["a b c"], [["a b d c"]], tokenize="none")
    penalty = math.exp(1 - 4 / 3)
    assert scores["brevity_penalty"] == pytest.approx(penalty)
    assert scores["length_ratio"] == 3 / 4
    assert scores["bleu_1"] == pytest.approx(100 * penalty)
    assert scores["bleu_2"] == pytest.approx(100 * penalty * math.sqrt(1 / 2))
    assert scores["bleu_3"] == pytest.approx(100 * penalty * (1 / 2 * 1 / 2) ** (1 / 3))
    assert scores["bleu_4"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("options", [{}, {"lowercase": True}, {"tokenize": "char"}])
def test_bleu_of_each_order_is_that_of_sacrebleu(options: dict) -> None:
    scores = bleu(ANSWERS, REFERENCES, **options)
    streams: list = [[r[k] if k < len(r) else None for r in REFERENCES] for k in range(3)]
    for order in range(1, 5):
        metric = BLEU(max_ngram_order=order, force=True, **options)
        assert scores[f"bleu_{order}"] == metric.corpus_score(ANSWERS, streams).score
    assert scores["bleu_1"] > scores["bleu_4"] > 0
    assert "tok:" in scores["signature"] and "smooth:exp" in scores["signature"]
    figure = chrf(ANSWERS, REFERENCES)
    assert figure["chrf"] == CHRF().corpus_score(ANSWERS, streams).score > 0
    assert json.loads(json.dumps([scores, figure])) == [scores, figure]


def test_any_reference_is_as_good_as_the_others() -> None:
    """Their order does not matter, an answer needs only one of them, and all of them count."""
    turned = [known[::-1] for known in REFERENCES]
    assert bleu(ANSWERS, turned)["bleu_4"] == pytest.approx(bleu(ANSWERS, REFERENCES)["bleu_4"])
    assert chrf(ANSWERS, turned)["chrf"] == pytest.approx(chrf(ANSWERS, REFERENCES)["chrf"])
    answers = [known[-1] for known in REFERENCES]
    assert bleu(answers, REFERENCES)["bleu_4"] == pytest.approx(100)
    assert chrf(answers, REFERENCES)["chrf"] == pytest.approx(100)
    assert error_rates(answers, REFERENCES)["exact_match"] == 1
    assert (
        bleu(ANSWERS, [known[:1] for known in REFERENCES])["bleu_4"]
        < (bleu(ANSWERS, REFERENCES)["bleu_4"])
    )


def _levenshtein(first, second) -> int:
    """The textbook's table."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        above, row[0] = row[0], i
        for j, b in enumerate(second, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (a != b))
    return row[-1]


def test_edit_distance() -> None:
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("", "abc") == edit_distance("abc", "") == 3
    assert edit_distance([], []) == 0
    random = np.random.default_rng(5)
    for _ in range(1500):
        first, second = (random.integers(0, 4, random.integers(0, 12)).tolist() for _ in "ab")
        assert edit_distance(first, second) == _levenshtein(first, second), (first, second)
    for size, other in ((63, 64), (64, 65), (65, 130), (200, 150)):  # longer than a machine word
        first, second = random.integers(0, 9, size).tolist(), random.integers(0, 9, other).tolist()
        sparse = [tf.sparse.from_dense(np.array(x)[None] + 1) for x in (first, second)]
        expected = tf.edit_distance(*sparse, normalize=False).numpy()[0]
        assert edit_distance(first, second) == edit_distance(second, first) == expected


def test_error_rates_by_hand() -> None:
    answers = ["AH B".split(), "K AE T S".split(), "D".split(), []]
    references = [
        [["AH", "B"]],
        ["K AE T".split(), "K AH T S Z".split(), "K AE".split()],  # 1, 2 and 2 edits
        [["D", "AH"], ["D", "AH", "G"], list("QWERTY")],  # 1, 2 and 6
        [["Z"]],
    ]
    rates = error_rates(answers, references)
    assert rates == {
        "exact_match": 1 / 4,
        "sequence_error": 3 / 4,
        "token_error": (0 + 1 + 1 + 1) / (2 + 3 + 2 + 1),
        "sequences": 4,
        "edits": 3,
        "tokens": 8,
    }
    # Of two references that are one edit away, the longer one counts.
    assert error_rates(["abc"], [["ab", "abcd"]])["tokens"] == 4
    assert error_rates([""], [[""]])["token_error"] is None
    assert error_rates(["abcd"], [["x"]])["token_error"] == 4


@pytest.mark.parametrize("score", [bleu, chrf, error_rates])
@pytest.mark.parametrize(
    "answers, references, message",
    [
        ([], [], "`answers` must contain at least one sequence"),
        (["a"], [["a"], ["b"]], "the same length, got 1 and 2"),
        (["a", "b"], [["a"], []], r"`references\[1\]` must be a list of at least one .* got \[\]"),
        (["a", "b"], ["a", "b"], r"`references\[0\]` must be a list .* 'a', got 'a'"),
        ([["a"]], [["a"]], r"`references\[0\]` must be a list"),
        ([[1]], [[1]], r"`references\[0\]` must be a list"),
    ],
)
def test_invalid_references_are_refused(score, answers, references, message) -> None:
    with pytest.raises(ValueError, match=message):
        score(answers, references)


def test_perplexity() -> None:
    scores = perplexity(3 * math.log(8), 3)
    assert scores == pytest.approx({"nats": math.log(8), "bits": 3, "perplexity": 8})
    assert perplexity(0, 0) == {"nats": None, "bits": None, "perplexity": None}
    assert perplexity(8000, 10)["perplexity"] is None and perplexity(8000, 10)["nats"] == 800
    assert perplexity(math.nan, 5)["nats"] is None


def test_span_scores_by_hand() -> None:
    references = ["B-a I-a O B-b I-b".split(), "S-a O B-c E-c".split(), "O O".split()]
    answers = ["B-a I-a O B-b O".split(), "S-a O B-a E-a".split(), "O I-b".split()]
    scores = span_scores(answers, references)
    rows = {row["type"]: tuple(row.values())[1:] for row in scores["types"]}
    assert rows == {
        "a": (2 / 3, 1, 4 / 5, 2, 3, 2),
        "b": (0, 0, 0, 1, 2, 0),
        "c": (None, 0, 0, 1, 0, 0),
    }
    overall = {key: scores[key] for key in ("precision", "recall", "f1", "macro_f1")}
    assert overall == pytest.approx(
        {"precision": 2 / 5, "recall": 2 / 4, "f1": 4 / 9, "macro_f1": 4 / 15}
    )
    assert (scores["entities"], scores["answered"], scores["correct"]) == (4, 5, 2)
    assert json.loads(json.dumps(scores)) == scores
    nothing = span_scores([["O"]], [["O"]])
    assert (nothing["precision"], nothing["f1"], nothing["types"]) == (None, 0, [])


def test_span_scores_refuse_unequal_and_unknown() -> None:
    with pytest.raises(ValueError, match="the same length, got 1 and 2"):
        span_scores([["O"]], [["O"], ["O"]])
    with pytest.raises(ValueError, match=r"`answers\[1\]` and `references\[1\]`.* got 2 and 1"):
        span_scores([["O"], ["O", "O"]], [["O"], ["O"]])
    with pytest.raises(SeqzooError, match="got 'U-a'"):
        span_scores([["U-a"]], [["O"]])


@pytest.mark.parametrize("prefixes", ["BI", "BIES"])
def test_span_scores_are_those_of_seqeval(prefixes: str) -> None:
    """Most of these tags are malformed; wrong answers differ from the right ones in a few."""
    metrics = pytest.importorskip("seqeval.metrics")
    random = np.random.default_rng(len(prefixes))
    names = ["O", *(f"{prefix}{kind}" for prefix in prefixes for kind in ("-a", "-b-c", ""))]
    for size in [1] * 600 + [40] * 60:
        references, answers = [], []
        for length in random.integers(1, 15, size):
            right = random.choice(names, length)
            other = random.choice(names, length)
            references.append(right.tolist())
            answers.append(np.where(random.random(length) < 0.7, right, other).tolist())
        scores = span_scores(answers, references)
        if not scores["types"]:  # where seqeval takes the mean of nothing
            continue
        expected = metrics.classification_report(
            references, answers, output_dict=True, zero_division=0
        )
        micro, macro = expected.pop("micro avg"), expected.pop("macro avg")["f1-score"]
        expected.pop("weighted avg")
        assert scores["macro_f1"] == pytest.approx(macro, abs=1e-12)
        assert {row["type"] or "_" for row in scores["types"]} == set(expected)
        for row in [{**scores, "type": None}, *scores["types"]]:
            figures = micro if row["type"] is None else expected[row["type"] or "_"]
            ours = [row["precision"] or 0, row["recall"] or 0, row["f1"], row["entities"]]
            assert ours == pytest.approx(list(figures.values()), abs=1e-12)

"""Metrics of generated and tagged sequences, from plain lists to JSON-serialisable values.

A prediction may have several references, all of which count as correct: `references[i]` is the list
of the references of `answers[i]`.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

from sacrebleu import BLEU, CHRF

from seqzoo.tasks.metrics.bio import entity_spans
from seqzoo.tasks.metrics.classification import f1

ORDERS = 4
"""Maximum n-gram length of BLEU."""


def bleu(
    answers: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    tokenize: str = "13a",
    lowercase: bool = False,
) -> dict[str, Any]:
    """BLEU of a corpus, from 0 to 100, by sacrebleu.

    Source: Papineni et al. 2002; Post 2018 for the signature.

    Args:
        answers: predicted texts.
        references: the reference texts of each prediction.
        tokenize: sacrebleu's tokenizer; "none" for text whose tokens are already separated by
            spaces, "char" for characters.
        lowercase: whether to ignore case.

    Returns:
        "bleu_1" to "bleu_4", with n-grams of up to that many tokens; "brevity_penalty";
        "length_ratio", the number of predicted tokens divided by that of the references;
        "signature".

    Raises:
        ValueError: there are no predictions, or one has no references.
    """
    # `force` silences a warning about spaces before full stops.
    metric = BLEU(tokenize=tokenize, lowercase=lowercase, force=True, max_ngram_order=ORDERS)
    score = metric.corpus_score(*_streams(answers, references))
    metrics = {}
    for order in range(1, ORDERS + 1):
        part = BLEU.compute_bleu(
            score.counts[:order],
            score.totals[:order],
            score.sys_len,
            score.ref_len,
            smooth_method="exp",
            max_ngram_order=order,
        )
        metrics[f"bleu_{order}"] = float(part.score)
    return {
        **metrics,
        "brevity_penalty": float(score.bp),
        "length_ratio": float(score.ratio),
        "signature": str(metric.get_signature()),
    }


def chrf(answers: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Any]:
    """chrF of a corpus, from 0 to 100, by sacrebleu: F2 of character n-grams up to 6.

    Source: Popović 2015.

    Args:
        answers: predicted texts.
        references: the reference texts of each prediction.

    Returns:
        "chrf" and "signature".

    Raises:
        ValueError: there are no predictions, or one has no references.
    """
    metric = CHRF()
    score = metric.corpus_score(*_streams(answers, references))
    return {"chrf": float(score.score), "signature": str(metric.get_signature())}


def error_rates(answers: Sequence[Sequence], references: Sequence[Sequence]) -> dict[str, Any]:
    """Error rates of sequences and of tokens.

    A sequence is correct if it equals one of its references. Tokens are compared with the
    reference that needs the fewest edits (insertions, deletions, substitutions), or with the
    longest of several such references. Grapheme-to-phoneme conversion on CMUdict is evaluated in
    this way; the two rates are called word and phoneme error rate there (Yao and Zweig 2015).

    Args:
        answers: predictions: lists of tokens, or strings, whose tokens are characters.
        references: the references of each prediction, in the same form.

    Returns:
        "exact_match", "sequence_error" (1 minus that), "token_error" (edits divided by tokens of
        the references, so it may exceed 1; None without tokens), "sequences", "edits", "tokens".

    Raises:
        ValueError: there are no predictions, or one has no references.
    """
    _check(answers, references)
    exact = edits = tokens = 0
    for answer, candidates in zip(answers, references, strict=True):
        fewest, minus_size = min((edit_distance(answer, item), -len(item)) for item in candidates)
        exact += fewest == 0
        edits += fewest
        tokens -= minus_size
    return {
        "exact_match": exact / len(answers),
        "sequence_error": 1 - exact / len(answers),
        "token_error": edits / tokens if tokens else None,
        "sequences": len(answers),
        "edits": edits,
        "tokens": tokens,
    }


def edit_distance(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """The edit distance: the fewest insertions, deletions and substitutions between two sequences.

    A column of the Levenshtein table is stored as two integers with one bit per row, which say
    whether the value of a row is one more or one less than that of the previous row. So a token
    costs a dozen operations, whatever the length of the other sequence.

    Source: Myers 1999, in the form of Hyyrö 2003, "A bit-vector algorithm for computing Levenshtein
    and Damerau edit distances".
    """
    if not first:
        return len(second)
    masks: dict[Hashable, int] = {}
    for row, token in enumerate(first):
        masks[token] = masks.get(token, 0) | 1 << row
    everything = (1 << len(first)) - 1
    last = 1 << len(first) - 1
    above, below, distance = everything, 0, len(first)
    for token in second:
        equal = masks.get(token, 0)
        diagonal = (((equal & above) + above) ^ above) | equal | below
        rises = below | ~(diagonal | above)
        falls = above & diagonal
        distance += bool(rises & last) - bool(falls & last)
        rises = rises << 1 | 1
        above = (falls << 1 | ~(diagonal | rises)) & everything
        below = rises & diagonal & everything
    return distance


def perplexity(total_loss: float, tokens: float) -> dict[str, Any]:
    """Perplexity from the sum of the cross-entropies of tokens.

    Args:
        total_loss: the sum, in nats.
        tokens: the number of tokens.

    Returns:
        "nats" and "bits" per token, and "perplexity"; None for values that are not finite.
    """
    nats = total_loss / tokens if tokens else math.nan
    exponent = nats if nats < 700 else math.inf  # `math.exp` overflows for larger values
    metrics = {"nats": nats, "bits": nats / math.log(2), "perplexity": math.exp(exponent)}
    return {name: float(x) if math.isfinite(x) else None for name, x in metrics.items()}


def span_scores(
    answers: Sequence[Sequence[str]], references: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """Precision, recall and F1 of entities, which are correct if both ends and the type are.

    Source: conlleval.pl of the CoNLL-2000 shared task, also seqeval's default; see `entity_spans`
    for the entities of malformed tags.

    Args:
        answers: predicted tags of each sequence, BIO or BIOES.
        references: the true tags of each sequence.

    Returns:
        "precision", "recall" and "f1" of all entities, their counts "entities" (in the references),
        "answered" and "correct", "macro_f1" (the mean F1 of the types), and "types", a row of the
        same metrics for each type. Precision is None without predicted entities, recall without
        true ones.

    Raises:
        ValueError: the numbers of sequences differ, or the numbers of tags of a sequence.
        SeqzooError: a tag is not a BIO or BIOES tag.
    """
    if len(answers) != len(references):
        raise _unequal("answers", "references", len(answers), len(references))
    actual, predicted, correct = Counter(), Counter(), Counter()
    for index, (answer, reference) in enumerate(zip(answers, references, strict=True)):
        if len(answer) != len(reference):
            raise _unequal(f"answers[{index}]", f"references[{index}]", len(answer), len(reference))
        spans_predicted, spans_true = set(entity_spans(answer)), set(entity_spans(reference))
        for counts, spans in (
            (actual, spans_true),
            (predicted, spans_predicted),
            (correct, spans_true & spans_predicted),
        ):
            counts.update(kind for kind, _, _ in spans)
    kinds = sorted(actual | predicted)
    types = [
        {"type": kind, **_precision_and_recall(correct[kind], predicted[kind], actual[kind])}
        for kind in kinds
    ]
    return {
        **_precision_and_recall(correct.total(), predicted.total(), actual.total()),
        "macro_f1": sum(row["f1"] for row in types) / len(types) if types else 0.0,
        "types": types,
    }


def _precision_and_recall(correct: int, predicted: int, actual: int) -> dict[str, Any]:
    return {
        "precision": correct / predicted if predicted else None,
        "recall": correct / actual if actual else None,
        "f1": f1(correct, predicted, actual),
        "entities": actual,
        "answered": predicted,
        "correct": correct,
    }


def _streams(answers: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[list, list]:
    """The predictions, and the references in sacrebleu's form: all first ones, all second ones and
    so on, with None if a prediction has fewer."""
    _check(answers, references)
    max_references = max(len(texts) for texts in references)
    return list(answers), [
        [texts[position] if position < len(texts) else None for texts in references]
        for position in range(max_references)
    ]


def _check(answers: Sequence[Any], references: Sequence[Any]) -> None:
    if len(answers) != len(references):
        raise _unequal("answers", "references", len(answers), len(references))
    if not answers:
        raise ValueError("`answers` must contain at least one sequence, got none.")
    for index, (answer, candidates) in enumerate(zip(answers, references, strict=True)):
        # A single reference that is not in a list would be read as a list of its tokens.
        if (
            isinstance(candidates, str)
            or not candidates
            or not all(isinstance(item, Sequence) for item in candidates)
            or any(isinstance(item, str) != isinstance(answer, str) for item in candidates)
        ):
            raise ValueError(
                f"`references[{index}]` must be a list of at least one sequence of the same type "
                f"as the prediction {answer!r}, got {candidates!r}."
            )


def _unequal(first: str, second: str, one: int, other: int) -> ValueError:
    return ValueError(f"`{first}` and `{second}` must have the same length, got {one} and {other}.")

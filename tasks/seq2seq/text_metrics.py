"""Metrics that compare generated texts with the targets of examples."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.metrics.sequences import bleu, chrf, error_rates
from seqzoo.tasks.targets.texts import required_texts

SAMPLES = 50
"""Number of samples that are stored with the metrics."""


def scores_of(
    texts: Sequence[str],
    examples: Examples,
    tokens: Callable[[Sequence[str]], list[list[str]]],
) -> dict[str, Any]:
    """Metrics of one generated text per example.

    Examples with equal inputs count as one, with all of their targets as references.

    Args:
        texts: the generated texts.
        examples: examples with targets.
        tokens: splits texts into tokens for counting errors.

    Returns:
        "exact_match", "token_error"; if most texts have several words, "bleu_1" to "bleu_4" and
        "chrf"; "inputs", the number of distinct inputs; "samples", some of the predictions.
    """
    predicted, references, indices = _by_input(texts, examples)
    distinct = sorted({*predicted, *(text for item in references for text in item)})
    split = dict(zip(distinct, tokens(distinct), strict=True))
    rates = error_rates(
        [split[text] for text in predicted], [[split[text] for text in item] for item in references]
    )
    metrics: dict[str, Any] = {
        "inputs": len(predicted),
        # Tokens are compared; for words, the amount of whitespace does not matter.
        "exact_match": rates["exact_match"],
        "token_error": rates["token_error"],
    }
    several = [len(text.split()) > 1 for item in references for text in item]
    if sum(several) > len(several) / 2:  # otherwise n-grams of words are meaningless for most texts
        ngrams = bleu(predicted, references)
        metrics |= {f"bleu_{n}": ngrams[f"bleu_{n}"] for n in range(1, 5)}
        metrics["chrf"] = chrf(predicted, references)["chrf"]
    metrics["samples"] = [
        {
            "input": _shown(examples, index),
            "answer": answer,
            "truth": " | ".join(item),
        }
        for answer, item, index in zip(predicted[:SAMPLES], references, indices, strict=False)
    ]
    return metrics


def corpus_score(by: str, texts: Sequence[str], examples: Examples) -> float:
    """BLEU ("bleu", with n-grams of up to four words) or chrF ("chrf") of one prediction per
    example, from 0 to 100; examples with equal inputs count as one."""
    predicted, references, _ = _by_input(texts, examples)
    if by == "bleu":
        return bleu(predicted, references)["bleu_4"]
    return chrf(predicted, references)["chrf"]


def _by_input(
    texts: Sequence[str], examples: Examples
) -> tuple[list[str], list[list[str]], list[int]]:
    """For each distinct input, its prediction, its targets, and the index of its first example."""
    references: dict[bytes, list[str]] = {}
    predictions: dict[bytes, str] = {}
    indices: dict[bytes, int] = {}
    targets = required_texts(examples)
    for index, (text, target) in enumerate(zip(texts, targets, strict=True)):
        key = _key(examples.inputs[index])
        references.setdefault(key, []).append(target)
        predictions[key] = text
        indices.setdefault(key, index)
    distinct = [list(dict.fromkeys(targets)) for targets in references.values()]
    return list(predictions.values()), distinct, list(indices.values())


def references(examples: Examples, indices: Sequence[int]) -> list[list[str]]:
    """For each of some examples, the targets of all that have the same input, its own first."""
    texts = required_texts(examples)
    found = {_key(examples.inputs[index]): list[str]() for index in indices}
    for value, text in zip(examples.inputs, texts, strict=True):
        if (targets := found.get(_key(value))) is not None:
            targets.append(text)
    return [
        list(dict.fromkeys([texts[index], *found[_key(examples.inputs[index])]]))
        for index in indices
    ]


def _key(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, Mapping):  # several inputs
        return repr([(name, _key(item)) for name, item in value.items()]).encode()
    if value is None:
        return b"none"
    array = np.asarray(value)
    return repr(array.shape).encode() + array.tobytes()


def _shown(examples: Examples, index: int) -> str:
    value = examples.inputs[index]
    return value if isinstance(value, str) else examples.location(index)

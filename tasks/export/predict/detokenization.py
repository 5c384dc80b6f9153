"""Texts from the token ids that a model generates."""

import math
from collections.abc import Sequence
from typing import Any

from seqzoo.tasks.export.predict.joined_words import without_joiners
from seqzoo.tasks.export.predict.subwords import without_pieces
from seqzoo.tasks.export.predict.token_ids import SPECIAL
from seqzoo.tasks.export.predict.words import with_usual_spaces

ASCII_SPACES = " \t\n\v\f\r"


def text_of(about: dict[str, Any], ids: Sequence[int]) -> str:
    """The text of token ids; `about` is "answer" of model.json."""
    tokens = [about["vocabulary"][token - SPECIAL] for token in ids if token >= SPECIAL]
    if about["join"] == "characters":
        return "".join(tokens)
    if about["join"] == "words":
        return with_usual_spaces(" ".join(tokens).strip(ASCII_SPACES))
    text = without_pieces(tokens) if about["join"] == "subwords" else without_joiners(tokens)
    return text if about["continues"] else text.strip(ASCII_SPACES)


def text_answer(
    about: dict[str, Any], ranked: Sequence[tuple[Sequence[int], float]], ends: int
) -> dict[str, Any]:
    """The prediction for one input.

    Args:
        about: "answer" of model.json.
        ranked: the token ids and log-probability of each alternative, best first.
        ends: number of end tokens, 0 or 1, that the probability per token of a text includes.
    """
    alternatives = [(text_of(about, ids), math.exp(total)) for ids, total in ranked]
    label, probability = alternatives[0]
    return {
        "label": label,
        "value": label,
        "probability": probability,
        "alternatives": alternatives,
        "token_probabilities": [math.exp(total / max(1, len(ids) + ends)) for ids, total in ranked],
    }

"""Tables of what a model has learned: nearest neighbours of embeddings, and transition scores of
a CRF."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.preprocessing.vocabulary import SPECIAL
from seqzoo.tasks.runs.weight_paths import children


def embedding_of(run: Any) -> tuple[list[str], np.ndarray]:
    """The tokens of a model's input, and their vectors, (tokens, size).

    Raises:
        SeqzooError: the model has no embedding.
    """
    model, vocabulary = run.model, run.task.vocabularies.get("vocabulary")
    reader = getattr(model, "encoder", model)
    layer = None if vocabulary is None else _embedding(reader) or _embedding(reader, named=False)
    if layer is None or vocabulary is None:
        raise SeqzooError(f"{run.folder} has no embeddings; its inputs are numbers.")
    vectors = np.asarray(layer.embeddings, np.float64)[SPECIAL:]
    # Words that are known only by their pretrained vectors have no embedding.
    return list(vocabulary.tokens[: len(vectors)]), vectors


def _embedding(layer: Any, named: bool = True) -> Any:
    """The `Embedding` of a model's tokens: the first one of that name, or else the first one.

    Args:
        layer: the model.
        named: whether only one with the name "embedding" counts.
    """
    if isinstance(layer, keras.layers.Embedding) and (layer.name == "embedding" or not named):
        return layer
    for name, child in children(layer):
        # "characters" embeds those of a word; the other encoders are those of further inputs.
        if name != "characters" and not str(name).startswith("encoder_"):
            result = _embedding(child, named)
            if result is not None:
                return result
    return None


def neighbours(run: Any, token: str, top: int = 10) -> list[tuple[str, float]]:
    """The tokens whose vectors are most similar to that of a token, with their cosine similarities.

    Raises:
        SeqzooError: the model has no such token, or no embeddings.
    """
    tokens, vectors = embedding_of(run)
    if token not in tokens:
        raise SeqzooError(f"The model does not know the token {token!r}{nearest(token, tokens)}")
    norms = np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
    position = tokens.index(token)
    cosines = vectors @ vectors[position] / norms / norms[position]
    cosines[position] = -np.inf
    order = np.argsort(-cosines, kind="stable")[: min(top, len(tokens) - 1)]
    return [(tokens[index], float(cosines[index])) for index in order]


@dataclass(frozen=True)
class Transitions:
    """Learned scores of a CRF; minus infinity for forbidden transitions.

    Attributes:
        tags: the names of the tags.
        scores: score of each transition, from the row's tag to the column's, (tags, tags).
        start: score of beginning with each tag, (tags,).
        end: score of ending with each tag, (tags,).
    """

    tags: tuple[str, ...]
    scores: np.ndarray
    start: np.ndarray
    end: np.ndarray


def crf_transitions(run: Any) -> Transitions:
    """The transitions of a tagger's CRF.

    Raises:
        SeqzooError: the model has no CRF.
    """
    if not getattr(run.template, "crf", False):
        raise SeqzooError(f"{run.folder} has no CRF; taggers that are trained with `crf` have one.")
    layer = run.model.get_layer("crf")
    start, transitions, end = (np.asarray(score) for score in layer.scores())
    scores = (np.where(item < -1e20, -np.inf, item) for item in (transitions.T, start, end))
    return Transitions(tuple(run.task.tags.names), *scores)

"""Where a model with attention looks in its input at each step of its answer."""

from dataclasses import dataclass

import numpy as np

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.inspection.calls import changed_output
from seqzoo.tasks.inspection.subject import Subject
from seqzoo.tasks.inspection.trace import step_by_step


@dataclass(frozen=True)
class AttentionMap:
    """Attention of one input.

    Attributes:
        source: names of the input's steps, or of the places of an image's grid.
        tokens: of the answer.
        weights: (tokens, source); each row sums up to 1.
        grid: rows and columns of the places of an image; None for sequences.
    """

    source: tuple[str, ...]
    tokens: tuple[str, ...]
    weights: np.ndarray
    grid: tuple[int, int] | None = None


def has_attention(model: object) -> bool:
    """Whether a model has a decoder with attention."""
    return getattr(getattr(model, "decoder", None), "attention", None) is not None


def attention_map(subject: Subject) -> AttentionMap:
    """The attention of a model to an input as it writes its answer, its end included.

    Raises:
        SeqzooError: the model has no attention.
    """
    if not has_attention(subject.model):
        raise SeqzooError(
            f"{subject.run.folder} has no attention; models of many-to-many-encoder-decoder and "
            "one-to-many have, unless `attention` is 'none'."
        )
    kept = []

    def keep(result: tuple) -> tuple:
        kept.append(result[1])
        return result

    with step_by_step(subject.model), changed_output(subject.model.decoder.attention, keep):
        subject.scores(subject.inputs)
    weights = np.asarray(kept[0], np.float32)[0]
    places = tuple(getattr(subject.model.encoder, "places", ()))
    grid = (int(places[0]), int(places[1])) if len(places) == 2 else None
    source = subject.labels
    if grid is not None:
        source = tuple(f"{row},{column}" for row in range(grid[0]) for column in range(grid[1]))
    return AttentionMap(source, subject.steps, weights, grid)

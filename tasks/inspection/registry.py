"""The registry of analyses: for each, a summary and the function that makes its sections."""

import pkgutil
from collections.abc import Callable
from typing import Any, NamedTuple


class Analysis(NamedTuple):
    """An analysis that is imported only when it is used.

    Attributes:
        location: "module:function" that makes its sections.
        summary: a one-line description.
    """

    location: str
    summary: str

    def load(self) -> Callable[[Any], Any]:
        """The function itself: from an `Inspection` to the sections of a report."""
        return pkgutil.resolve_name(self.location)


_SECTIONS = "seqzoo.tasks.inspection.sections"

ANALYSES = {
    "attribution": Analysis(
        f"{_SECTIONS}:attribution", "Which characters, words, steps or pixels an answer rests on."
    ),
    "gradients": Analysis(
        f"{_SECTIONS}:gradients", "How far back gradients reach: vanishing, exploding or healthy."
    ),
    "gates": Analysis(
        f"{_SECTIONS}:gates",
        "What gates let through, where they saturate, how long units remember.",
    ),
    "states": Analysis(f"{_SECTIONS}:states", "States over time, and what units react to."),
    "attention": Analysis(f"{_SECTIONS}:attention", "What the decoder attends to for each token."),
    "weights": Analysis(
        f"{_SECTIONS}:weights", "Eigenvalues and singular values of the recurrent weights."
    ),
    "fixed-points": Analysis(
        f"{_SECTIONS}:fixed_points", "States that a constant input leaves unchanged."
    ),
    "transitions": Analysis(f"{_SECTIONS}:transitions", "How a CRF scores pairs of tags."),
    "embeddings": Analysis(f"{_SECTIONS}:embeddings", "Nearest neighbours of tokens."),
}
"""All analyses, in the order of a report."""

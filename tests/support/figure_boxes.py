"""Whether the parts of a figure overlap one another, or are cut at its edges."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure


def disjoint(figure: Figure, artists: Sequence[Any]) -> bool:
    """Whether artists are within a figure and none overlaps another."""
    figure.draw_without_rendering()
    boxes = [artist.get_window_extent() for artist in artists]
    inside = all(figure.bbox.contains(*box.min) and figure.bbox.contains(*box.max) for box in boxes)
    return inside and not any(
        box.padded(-0.5).overlaps(other) for k, box in enumerate(boxes) for other in boxes[k + 1 :]
    )

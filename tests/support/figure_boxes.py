"""The figures that are saved, and whether their parts overlap or are cut at the edges."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure


def saved_figures(monkeypatch: Any) -> list[Figure]:
    """A list to which each figure is added when it is saved."""
    figures: list[Figure] = []
    savefig = Figure.savefig

    def save(self: Figure, *args: Any, **options: Any) -> None:
        figures.append(self)
        savefig(self, *args, **options)

    monkeypatch.setattr(Figure, "savefig", save)
    return figures


def disjoint(figure: Figure, artists: Sequence[Any]) -> bool:
    """Whether artists are within a figure and none overlaps another."""
    figure.draw_without_rendering()
    boxes = [artist.get_window_extent() for artist in artists]
    inside = all(figure.bbox.contains(*box.min) and figure.bbox.contains(*box.max) for box in boxes)
    return inside and not any(
        box.padded(-0.5).overlaps(other) for k, box in enumerate(boxes) for other in boxes[k + 1 :]
    )

"""Lines of text drawn in the DejaVu typefaces included in matplotlib, with slant, spacing and
noise.

The raw material of the `text_lines` data set. Needs only matplotlib and NumPy.
"""

import functools
import pathlib
from typing import NamedTuple

import matplotlib
import numpy as np

from seqzoo.zoo.datasets.glyph_images import FACES

LINE_HEIGHT = 24
"""Height of an image, in pixels."""
LINE_BASELINE = 6  # from the lower edge, in pixels
MARGIN = 4  # on either side, in pixels
UNITS = 2048  # units of a face per em


class Style(NamedTuple):
    """The appearance of a line.

    Attributes:
        em: size of the letters, in pixels.
        slant: shift to the right per pixel of height.
        spacing: additional space between letters, in pixels.
        shift: upward shift of the baseline, in pixels.
        ink: brightness of letters, from 0 to 255.
        noise: standard deviation of the noise added to each pixel.
    """

    em: float
    slant: float
    spacing: float
    shift: float
    ink: float
    noise: float

    @classmethod
    def drawn(cls, random: np.random.Generator) -> "Style":
        """A random style."""
        return cls(
            em=random.uniform(14, 17),
            slant=random.uniform(-0.15, 0.25),
            spacing=random.uniform(-0.3, 2),
            shift=random.uniform(-1, 1),
            ink=random.uniform(150, 255),
            noise=random.uniform(0, 25),
        )


class Outline(NamedTuple):
    """A letter of a face: points (n, 2) with their codes, and the advance to the next letter, in
    units of the face."""

    points: np.ndarray
    codes: np.ndarray
    advance: float


@functools.cache
def outline(face: str, letter: str) -> Outline:
    """The outline of a letter in a face of `FACES`."""
    from matplotlib.ft2font import FT2Font

    path = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf", f"{FACES[face]}.ttf")
    font = FT2Font(str(path))
    # With one pixel per unit of the outlines, hinting changes nothing.
    font.set_size(UNITS, 72)
    glyph = font.load_char(ord(letter))
    points, codes = font.get_path()
    return Outline(np.reshape(points, (-1, 2)), np.asarray(codes), glyph.horiAdvance / 64)


def draw_line(face: str, text: str, style: Style, random: np.random.Generator) -> np.ndarray:
    """A line of text, white on black, uint8 of shape (LINE_HEIGHT, width).

    Args:
        face: a name in `FACES`.
        text: the text, of characters that the face has.
        style: the appearance of the line.
        random: the random number generator for the noise.
    """
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.path import Path
    from matplotlib.transforms import Affine2D

    scale, at, points, codes = style.em / UNITS, 0.0, [], []
    for letter in text:
        letter_outline = outline(face, letter)
        points.append(letter_outline.points * scale + (at, 0))
        codes.append(letter_outline.codes)
        at += letter_outline.advance * scale + style.spacing
    joined, kinds = np.concatenate(points), np.concatenate(codes)
    joined[:, 0] += joined[:, 1] * style.slant
    # The point of a CLOSEPOLY is always (0, 0) and does not belong to the outline.
    inside = joined[kinds != Path.CLOSEPOLY]
    left, right = inside[:, 0].min(), inside[:, 0].max()
    joined += (MARGIN - left, LINE_BASELINE + style.shift)
    width = int(np.ceil(right - left)) + 2 * MARGIN
    renderer = RendererAgg(width, LINE_HEIGHT, 72)
    context = renderer.new_gc()
    context.set_linewidth(0)
    context.set_snap(False)
    renderer.draw_path(context, Path(joined, kinds), Affine2D(), (1.0, 1.0, 1.0))
    ink = np.asarray(renderer.buffer_rgba())[..., 3] * (style.ink / 255)
    return np.clip(ink + random.normal(0, style.noise, ink.shape), 0, 255).astype(np.uint8)

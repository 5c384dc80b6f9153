"""Characters drawn in the DejaVu typefaces included in matplotlib, without those that look alike.

The raw material of the `glyphs` data set. Needs only matplotlib and NumPy.
"""

import collections
import pathlib
import struct
import unicodedata
import zlib
from collections.abc import Collection, Iterator

import matplotlib
import numpy as np

SIZE = 40
"""Height and width of an image, in pixels."""
EM = 28  # the height of an em, in pixels
BASELINE = 9  # from the lower edge, in pixels

FACES = {
    "DejaVu Sans": "DejaVuSans",
    "DejaVu Sans Bold": "DejaVuSans-Bold",
    "DejaVu Sans Oblique": "DejaVuSans-Oblique",
    "DejaVu Sans Bold Oblique": "DejaVuSans-BoldOblique",
    "DejaVu Sans Mono": "DejaVuSansMono",
    "DejaVu Sans Mono Bold": "DejaVuSansMono-Bold",
    "DejaVu Sans Mono Oblique": "DejaVuSansMono-Oblique",
    "DejaVu Sans Mono Bold Oblique": "DejaVuSansMono-BoldOblique",
    "DejaVu Serif": "DejaVuSerif",
    "DejaVu Serif Bold": "DejaVuSerif-Bold",
    "DejaVu Serif Italic": "DejaVuSerif-Italic",
    "DejaVu Serif Bold Italic": "DejaVuSerif-BoldItalic",
}
"""The text faces: name -> file."""

ALIKE = 1.0
"""Maximum sum of squared differences, with ink from 0 to 1, between images that are alike."""
ALIKE_SHARE = 1 / 3
"""Characters are alike if their images are alike in at least this fraction of the faces that have
both."""


def draw(face: str, characters: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Draws the characters that a face has, in the order of their code points.

    Characters are white on black and centred horizontally, all at the same size and on the same
    baseline, so that capitals are larger than lower-case letters, and accents are above or below.
    Outlines are not hinted. Characters without a Unicode name or without ink, and those larger than
    the image, are left out.

    Args:
        face: a name in `FACES`.
        characters: the characters to draw; all by default.

    Returns: character -> image, uint8 of shape (SIZE, SIZE), 0 where there is no ink.
    """
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.ft2font import FT2Font
    from matplotlib.path import Path
    from matplotlib.transforms import Affine2D

    path = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf", f"{FACES[face]}.ttf")
    font = FT2Font(str(path))
    # With one pixel per unit of the outlines, hinting changes nothing.
    font.set_size(2048, 72)
    renderer = RendererAgg(SIZE, SIZE, 72)
    context = renderer.new_gc()
    context.set_linewidth(0)
    context.set_snap(False)
    images = {}
    for number in sorted(font.get_charmap()):
        character = chr(number)
        if not unicodedata.name(character, "") or characters and character not in characters:
            continue
        font.load_char(number)
        points, codes = font.get_path()
        if not len(points):
            continue
        points = np.asarray(points) * (EM / 2048)
        # The point of a CLOSEPOLY is always (0, 0) and does not belong to the outline.
        outline = np.asarray(codes) != Path.CLOSEPOLY
        left, right = points[outline, 0].min(), points[outline, 0].max()
        points += ((SIZE - left - right) / 2, BASELINE)
        if points[outline].min() < 0 or points[outline].max() > SIZE:
            continue
        renderer.clear()
        renderer.draw_path(context, Path(points, codes), Affine2D(), (1.0, 1.0, 1.0))
        images[character] = np.asarray(renderer.buffer_rgba())[..., 3].copy()
    return images


def png(image: np.ndarray) -> bytes:
    """A greyscale image, uint8 of shape (height, width), as a PNG file.

    On a busy machine, calling TensorFlow's encoder for each image takes minutes, not seconds.
    """

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    height, width = image.shape
    lines = np.pad(image, ((0, 0), (1, 0)))  # each begins with its filter type, 0 for none
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in parts)


def look_alikes(images: dict[str, np.ndarray]) -> Iterator[tuple[str, str]]:
    """Each pair of characters whose images are alike, the one with the lower code point first."""
    characters = sorted(images)
    ink = np.stack([images[c] for c in characters]).astype(np.float32) / 255  # (n, SIZE, SIZE)
    # Squares of 4 by 4 pixels, averaged: four times their distance is never more than that of the
    # images, and is sixteen times faster to compute.
    squares = ink.reshape(-1, SIZE // 4, 4, SIZE // 4, 4).mean((2, 4)).reshape(len(ink), -1) * 4
    norms = (squares**2).sum(1)
    for start in range(0, len(ink), 512):
        rows = slice(start, start + 512)
        distances = norms[rows, None] + norms - 2 * squares[rows] @ squares.T
        # A little more than `ALIKE`, to allow for rounding errors in the line above.
        for row, column in np.argwhere(distances < ALIKE + 0.01):
            first, second = start + row, column
            if first < second and ((ink[first] - ink[second]) ** 2).sum() < ALIKE:
                yield characters[first], characters[second]


def distinct(faces: dict[str, dict[str, np.ndarray]]) -> dict[str, dict[str, np.ndarray]]:
    """Leaves out characters that look like another, such as A and the Greek Alpha. If two
    characters look alike in a face, it keeps the one with the lower code point. If they do so in at
    least a third of the faces that have both, the other is left out of all faces. No image ever
    belongs to two characters, in any face.

    Args:
        faces: face -> character -> image.

    Returns: the same without the characters that were left out, in the order of their code points.
    """
    alike: dict[tuple[str, str], set[str]] = collections.defaultdict(set)
    for face, images in faces.items():
        for pair in look_alikes(images):
            alike[pair].add(face)
    lower: dict[str, list[str]] = collections.defaultdict(list)
    for first, second in alike:
        lower[second].append(first)

    kept: dict[str, dict[str, np.ndarray]] = {face: {} for face in faces}
    used: dict[bytes, str] = {}
    for character in sorted(set().union(*faces.values())):
        drawn_in = {face for face, images in faces.items() if character in images}
        for first in lower[character]:
            shared = [face for face in drawn_in if first in faces[face]]
            standing = {face for face in alike[first, character] if first in kept[face]}
            if len(standing) >= ALIKE_SHARE * len(shared):
                drawn_in = set()
            drawn_in -= standing
        for face in drawn_in:
            image = faces[face][character]
            if used.setdefault(image.tobytes(), character) == character:
                kept[face][character] = image
    return kept

"""The `text_lines` data set: the picture of a line of words -> its text."""

import functools
import pydoc_data.topics
import re
import sys
from collections.abc import Iterator
from typing import Any

import matplotlib
import numpy as np
import tensorflow_datasets as tfds

from seqzoo.zoo.datasets import hash_splits
from seqzoo.zoo.datasets.glyph_images import FACES, png
from seqzoo.zoo.datasets.glyphs import UNSEEN_FACES
from seqzoo.zoo.datasets.line_images import LINE_HEIGHT, Style, draw_line

LINES = {"train": 8_000, "validation": 500, "test": 1_000}
"""Number of lines in each split."""

MAX_WORDS = 3
"""Maximum number of words per line."""


class TextLines(tfds.core.GeneratorBasedBuilder):
    """Pictures of lines of one to three words -> their text.

    Drawn, without a download, in the twelve DejaVu text faces included in matplotlib, each line
    with its own size, slant, spacing, brightness and noise; see `line_images.py`. The words are
    those of the help texts of Python's own library (`pydoc_data.topics`), most of them in lower
    case, some capitalised or in capitals; one in ten is followed by a comma or a full stop, and one
    in ten is a number. `image` is 24 pixels high and as wide as the line, white on black; `text` is
    its text, and `face` the typeface.

    The splits:

    - `train`: nine faces and nine in ten words, by a hash.
    - `validation`: the same words in three faces that do not occur in training (Sans Oblique, Sans
      Mono Bold, Serif Bold Italic).
    - `test`: the other words, in these three faces.
    """

    # Python's release determines the words, matplotlib's the pixels.
    VERSION = tfds.core.Version(
        "1.{}{:02d}.{}".format(
            *map(int, matplotlib.__version__.split(".")[:2]), sys.version_info.minor
        )
    )
    RELEASE_NOTES = {str(VERSION): f"First version, from matplotlib {matplotlib.__version__}."}

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=TextLines.__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(LINE_HEIGHT, None, 1), dtype=np.uint8),
                    "text": tfds.features.Text(),
                    "face": tfds.features.ClassLabel(names=list(FACES)),
                }
            ),
            supervised_keys=("image", "text"),
            homepage="https://dejavu-fonts.github.io",
            license="Bitstream Vera and Arev font licences; Python Software Foundation License",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        return {split: self._generate_examples(split) for split in LINES}

    def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        for number in range(LINES[split]):
            face, text, image = line(split, number)
            yield number, {"image": png(image), "text": text, "face": face}


def line(split: str, number: int) -> tuple[str, str, np.ndarray]:
    """The face, the text and the image of a line; the same every time."""
    random = np.random.default_rng(hash_splits.draw(f"{split}/{number}"))
    faces = [face for face in FACES if (face in UNSEEN_FACES) != (split == "train")]
    face = faces[random.integers(len(faces))]
    words = words_of(split)
    chosen = [_word(words, random) for _ in range(random.integers(1, MAX_WORDS + 1))]
    text = " ".join(chosen)
    return face, text, draw_line(face, text, Style.drawn(random), random)


def _word(words: tuple[str, ...], random: np.random.Generator) -> str:
    """A word as written in a line, or a number."""
    word = words[random.integers(len(words))]
    shape = random.random()
    if shape < 0.1:
        return str(random.integers(10 ** random.integers(1, 5)))
    if shape < 0.3:
        word = word.capitalize() if shape < 0.25 else word.upper()
    end = random.random()
    return word + (",." if end < 0.1 else "  ")[int(end < 0.05)].strip()


@functools.cache
def words_of(split: str) -> tuple[str, ...]:
    """The words of a split, in alphabetical order: one in ten, by a hash, is only in the test
    split."""
    results = {
        word.lower()
        for text in pydoc_data.topics.topics.values()
        for word in re.findall(r"(?<![\w.`'/-])[A-Za-z]{2,12}(?![\w.`'(/-])", text)
    }
    return tuple(
        word
        for word in sorted(results)
        if (hash_splits.draw(f"word/{word}") % 10 == 0) == (split == "test")
    )

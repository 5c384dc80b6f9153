"""The `glyphs` data set: the picture of a character -> its Unicode name."""

import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import tensorflow_datasets as tfds

from seqzoo.zoo.datasets import glyph_images, hash_splits

# Each combines properties that occur in training, slanted or bold, with or without serifs, fixed or
# proportional width, in a way that does not occur there.
UNSEEN_FACES = ("DejaVu Sans Oblique", "DejaVu Sans Mono Bold", "DejaVu Serif Bold Italic")

UNSEEN_CHARACTERS = 20
"""One in this many characters does not occur in training."""
VALIDATION_CHARACTERS = 4
"""In the unseen faces, one in this many characters is for validation, not for testing."""


class Glyph(NamedTuple):
    """One picture, uint8 of shape (40, 40), of a character in a face."""

    character: str
    face: str
    image: np.ndarray

    @property
    def caption(self) -> str:
        """The character's Unicode name in lower case: "greek small letter omega"."""
        return unicodedata.name(self.character).lower()


class Glyphs(tfds.core.GeneratorBasedBuilder):
    """Pictures of characters in twelve faces -> their Unicode names.

    Drawn, without a download, from the twelve DejaVu text faces included in matplotlib; see
    `glyph_images.py`. `image` is 40 by 40 pixels, white on black; `caption` is the character's
    Unicode name in lower case ("latin small letter e with acute"); `character` and `face` say what
    it is. Characters that a face lacks are left out. Many characters cannot be told apart in a
    picture: the Latin, Greek and Cyrillic A, a micro sign and a mu. Of characters that look alike
    (they differ by less ink than one pixel holds) the one with the lowest code point is kept; one
    that looks like it in a third of the faces that have both is left out of all faces, otherwise
    only of those in which they look alike. No picture has two captions.

    The splits:

    - `train`: nine faces of the seen characters.
    - `validation` and `test`: the seen characters in three faces that do not occur in training
      (Sans Oblique, Sans Mono Bold, Serif Bold Italic); a quarter of the characters for validation.
      Characters whose pixels in these faces equal those in training are left out: arrows, for
      example, are not slanted.
    - `test_characters`: one in twenty characters, by a hash, in all faces; they are in no other
      split. Their captions must be composed from words of other captions.
    """

    # The second number is matplotlib's release, which determines the pixels.
    VERSION = tfds.core.Version(
        "1.{}{:02d}.0".format(*map(int, matplotlib.__version__.split(".")[:2]))
    )
    RELEASE_NOTES = {str(VERSION): f"First version, from matplotlib {matplotlib.__version__}."}

    def _info(self) -> tfds.core.DatasetInfo:
        size = glyph_images.SIZE
        return tfds.core.DatasetInfo(
            builder=self,
            description=Glyphs.__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(size, size, 1), dtype=np.uint8),
                    "caption": tfds.features.Text(),
                    "character": tfds.features.Text(),
                    "face": tfds.features.ClassLabel(names=list(glyph_images.FACES)),
                }
            ),
            supervised_keys=("image", "caption"),
            homepage="https://dejavu-fonts.github.io",
            license="Bitstream Vera and Arev font licences; changes in the public domain",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        return {split: self._generate_examples(glyphs) for split, glyphs in split_glyphs().items()}

    def _generate_examples(self, glyphs: list[Glyph]) -> Iterator[tuple[str, dict[str, Any]]]:
        for glyph in glyphs:
            yield (
                f"{glyph.face}/{ord(glyph.character):x}",
                {
                    "image": glyph_images.png(glyph.image),
                    "caption": glyph.caption,
                    "character": glyph.character,
                    "face": glyph.face,
                },
            )


def split_glyphs() -> dict[str, list[Glyph]]:
    """Draws all faces: the name of a split -> its pictures, face by face; the same every time."""
    faces = glyph_images.distinct({face: glyph_images.draw(face) for face in glyph_images.FACES})
    splits: dict[str, list[Glyph]] = {
        name: [] for name in ("train", "validation", "test", "test_characters")
    }
    unseen = []
    for face, images in faces.items():
        for character, image in images.items():
            glyph = Glyph(character, face, image)
            if hash_splits.draw(f"unseen/{character}") % UNSEEN_CHARACTERS == 0:
                splits["test_characters"].append(glyph)
            elif face in UNSEEN_FACES:
                unseen.append(glyph)
            else:
                splits["train"].append(glyph)
    seen = {glyph.character for glyph in splits["train"]}
    pictures = {glyph.image.tobytes() for glyph in splits["train"]}
    for glyph in unseen:
        if glyph.character in seen and glyph.image.tobytes() not in pictures:
            is_validation = hash_splits.draw(f"face/{glyph.character}") % VALIDATION_CHARACTERS == 0
            splits["validation" if is_validation else "test"].append(glyph)
    return splits

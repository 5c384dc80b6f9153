"""The `glyphs` data set: the picture of a character -> its Unicode name."""

import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import tensorflow_datasets as tfds

from seqzoo.zoo.datasets import glyph_images, hash_splits

# Each is one step away from faces that are trained on: slanted, bold or both, with and without
# serifs, of fixed and of free width are all seen, these three mixtures are not.
UNSEEN_FACES = ("DejaVu Sans Oblique", "DejaVu Sans Mono Bold", "DejaVu Serif Bold Italic")

UNSEEN_CHARACTERS = 20
"""One character of so many is drawn in no picture that is trained on."""
VALIDATION_CHARACTERS = 4
"""The pictures in unseen faces of one character of so many are for validation, not for the test."""


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

    Drawn, without a download, from the twelve DejaVu text faces that matplotlib carries; see
    `glyph_images.py`. `image` is 40 by 40 pixels, white on black; `caption` is the character's
    Unicode name in lower case ("latin small letter e with acute"); `character` and `face` say what
    it is. A face's missing characters are left out.

    Many characters cannot be told from their picture: the Latin, Greek and Cyrillic A, a micro sign
    and a mu. Of characters that look alike (they differ by less ink than one pixel holds) the one
    with the lowest number stays; one that looks like it in a third of the faces that have both is
    left out of all faces, else of those alone. No picture has two captions.

    The splits:

    - `train`: nine faces of the seen characters.
    - `validation` and `test`: the seen characters in three faces that are not trained on (Sans
      Oblique, Sans Mono Bold, Serif Bold Italic); a quarter of the characters for validation. What
      looks in these faces, pixel by pixel, as it does in training is left out: arrows are not
      slanted.
    - `test_characters`: one character of twenty, by a hash, that no other split has, in all faces.
      Its caption has to be put together from the words of others.
    """

    # The second number is matplotlib's release, which decides the pixels.
    VERSION = tfds.core.Version(
        "1.{}{:02d}.0".format(*map(int, matplotlib.__version__.split(".")[:2]))
    )
    RELEASE_NOTES = {str(VERSION): f"First form, from matplotlib {matplotlib.__version__}."}

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

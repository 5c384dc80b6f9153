"""The `languages` data set: a name, in one of 163 languages, and the language it is in."""

from collections.abc import Iterator

import babel
import tensorflow_datasets as tfds

from seqzoo.zoo.datasets import cldr
from seqzoo.zoo.datasets.hash_splits import split_of

MINIMUM_NAMES = 300
"""Minimum number of names per language: a tenth of them are held out for testing."""


class Languages(tfds.core.GeneratorBasedBuilder):
    """Names of countries, languages, currencies, months and so on -> their language.

    Made, without a download, from the Unicode CLDR data included in Babel; see `cldr.py` for the
    rules and the reasons. `text` is the name, `language` the code of its language (a `ClassLabel`);
    `info.metadata["english_names"]` maps codes to English names.

    *Items* are held out, not strings: all names of one item in all languages (Peru, the euro with
    its plural forms, Tuesday) are in one split, by a hash of the item. So no string is in two
    splits, and the test names are of things that training does not name in any language.

    Names that several languages share ("Canada", "Honduras") have no single correct answer and are
    left out, ignoring case: each string has one language. Locales that copy a better-known language
    are left out, or the copied names are, so the better-known one keeps its words; Bokmål and
    Nynorsk are both Norwegian; Serbian includes both of its scripts, Chinese both simplified and
    traditional. Languages with fewer than 300 names of their own are left out.
    """

    # The second number is Babel's release, whose CLDR data determine the names: a new release makes
    # a new data set, so that data prepared with another release are not mistaken for it.
    VERSION = tfds.core.Version("1.{}{:02d}.0".format(*map(int, babel.__version__.split(".")[:2])))
    RELEASE_NOTES = {str(VERSION): f"First version, from Babel {babel.__version__}."}

    def _info(self) -> tfds.core.DatasetInfo:
        # Finding out which languages there are takes seconds, so the prepared data must include
        # them: `_split_generators` fills in the labels and the metadata, and tfds stores both.
        return tfds.core.DatasetInfo(
            builder=self,
            description=Languages.__doc__,
            features=tfds.features.FeaturesDict(
                {"text": tfds.features.Text(), "language": tfds.features.ClassLabel()}
            ),
            supervised_keys=("text", "language"),
            homepage="https://cldr.unicode.org",
            license="Unicode License v3",
            metadata=tfds.core.MetadataDict(),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        names = cldr.names(MINIMUM_NAMES)
        self.info.features["language"].names = list(names)
        self.info.metadata["english_names"] = {code: cldr.english_name(code) for code in names}
        self.info.metadata["babel"] = babel.__version__
        return {
            split: self._generate_examples(names, split)
            for split in ("train", "validation", "test")
        }

    def _generate_examples(
        self, names: dict[str, dict[str, str]], split: str
    ) -> Iterator[tuple[str, dict[str, str]]]:
        for language, items in names.items():
            for name, item in items.items():
                if split_of(item) == split:
                    yield f"{language}/{name}", {"text": name, "language": language}

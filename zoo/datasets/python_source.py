"""The `python_source` data set: the source of Python's standard library, for language models."""

from collections.abc import Iterator

import tensorflow_datasets as tfds

from seqzoo.zoo.datasets import python_library
from seqzoo.zoo.datasets.hash_splits import split_of


class PythonSource(tfds.core.GeneratorBasedBuilder):
    """The source of Python's standard library, one example per file.

    Read, without a download, from the standard library of the running interpreter; see
    `python_library.py`. `text` is the text of a file, `path` its path in the library
    ("json/decoder.py"). Tests and the folders `encodings` and `pydoc_data`, which are mostly
    generated tables, are left out. A tenth of the files are held out for validation and a tenth
    for testing, by a hash of the path.

    The version is that of Python: 1.311.7 for Python 3.11.7. Some systems ship Python without parts
    of its library (tkinter, idlelib), which are then missing here.
    """

    VERSION = tfds.core.Version(python_library.VERSION)
    RELEASE_NOTES = {python_library.VERSION: "First version."}

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=PythonSource.__doc__,
            features=tfds.features.FeaturesDict(
                {"text": tfds.features.Text(), "path": tfds.features.Text()}
            ),
            supervised_keys=("text", "text"),
            homepage="https://docs.python.org/3/library",
            license="PSF License v2",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        return {split: self._generate_examples(split) for split in ("train", "validation", "test")}

    def _generate_examples(self, split: str) -> Iterator[tuple[str, dict[str, str]]]:
        for path, text in python_library.sources():
            if split_of(path) == split:
                yield path, {"text": text, "path": path}

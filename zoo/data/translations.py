"""A folder of parallel texts, LANGUAGE.SPLIT.txt, aligned line by line."""

import pathlib

import tensorflow_datasets as tfds

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.lines import split_lines
from seqzoo.zoo.data.records import read_text


class Translations(tfds.TranslateFolder):
    """`tfds.TranslateFolder` with lines that end only at line feeds.

    tfds uses `str.splitlines`: a U+2028 or U+0085 in one language would put all lines after it
    out of step with those of the other languages.

    Args:
        folder: a folder that contains only text files.

    Raises:
        SeqzooError: a file has a different name or cannot be read, or the languages of a split have
            unequal numbers of lines.
    """

    def __init__(self, folder: pathlib.Path):
        examples: dict[str, dict[str, list[str]]] = {}
        for path in sorted(folder.iterdir()):
            if path.name.count(".") != 2 or path.suffix != ".txt":
                raise SeqzooError(
                    f"{folder} must contain only text files named LANGUAGE.SPLIT.txt, got "
                    f"{path.name}."
                )
            language, split, _ = path.name.split(".")
            examples.setdefault(split, {})[language] = split_lines(read_text(path, blank=True))
        for split, texts in examples.items():
            counts = {language: len(lines) for language, lines in texts.items()}
            if len(set(counts.values())) > 1:
                counted = ", ".join(f"{count:,} in {name}" for name, count in counts.items())
                raise SeqzooError(
                    f"{folder}: all languages must have the same number of lines in {split}, got "
                    f"{counted}."
                )
        self._split_examples = examples
        self._languages = sorted({name for texts in examples.values() for name in texts})
        # Not the constructor of `TranslateFolder`, which would split the files itself.
        tfds.core.DatasetBuilder.__init__(self, data_dir=str(folder))
        self._data_dir = str(folder)
        splits = [
            tfds.core.SplitInfo(
                name=split, shard_lengths=[len(next(iter(texts.values())))], num_bytes=0
            )
            for split, texts in examples.items()
        ]
        self.info.set_splits(tfds.core.splits.SplitDict(splits))

"""Lemmas with morphological features as token ids: features, then characters."""

import re

from seqzoo.tasks.export.predict.character_classes import split_at_white_space
from seqzoo.tasks.export.predict.texts import TextReader


class LemmaReader(TextReader):
    """Reads lemmas with features, such as "absetzen V;PST;1;PL"."""

    def split(self, text: str) -> list[str]:
        last = re.fullmatch(r"(?s)(.*[^ \t])[ \t]+([^ \t]+)[ \t]*", text)
        lemma, features = last.groups() if last else (text, "")
        names = split_at_white_space(features.replace(";", " "))
        return [*(f";{name}" for name in names), *lemma]

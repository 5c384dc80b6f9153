"""Lemmas with morphological features as token ids: features, then characters."""

import re

from seqzoo.tasks.export.predict.texts import TextReader


class LemmaReader(TextReader):
    """Reads lemmas with features, such as "absetzen V;PST;1;PL"."""

    def split(self, text: str) -> list[str]:
        last = re.fullmatch(r"(?s)(.*[^ \t])[ \t]+([^ \t]+)[ \t]*", text)
        lemma, features = last.groups() if last else (text, "")
        return [*(f";{name}" for name in features.replace(";", " ").split()), *lemma]

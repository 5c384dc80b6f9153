"""Texts split into words with joiners: marks where there was no space, so that the text can be
restored."""

import re

from seqzoo.tasks.export.predict.character_classes import pattern, split_at_white_space
from seqzoo.tasks.export.predict.texts import TextReader

JOINER = "\b"


class JoinedWordReader(TextReader):
    """Reads texts, split into words with joiners."""

    def split(self, text: str) -> list[str]:
        text = text.replace(JOINER, "")
        text = pattern("[\t-\r\x1c-\x1f\x85SPACES]+").sub(" ", text).strip(" \t\n\v\f\r")
        for expression, replacement in (
            ("([^LETTERS '’])", rf"{JOINER}\1{JOINER}"),
            (f"(\\A|[ {JOINER}])(['’]+)", rf"\1\2{JOINER}"),
            (f"(['’]+)(\\Z|[ {JOINER}])", rf"{JOINER}\1\2"),
            (f"{JOINER}* {JOINER}*", " "),
            (f"\\A{JOINER}+|{JOINER}+\\Z", ""),
            (f"{JOINER}+", JOINER),
            (f"{JOINER}([LETTERS])", rf"{JOINER} \1"),
            (f"{JOINER}([^ ])", rf" {JOINER}\1"),
        ):
            text = pattern(expression).sub(replacement, text)
        return split_at_white_space(text)


def without_joiners(tokens: list[str]) -> str:
    """Words with joiners -> the text, which begins with a space."""
    text = "".join(f" {token}" for token in tokens)
    return re.sub(f"{JOINER} {JOINER}?| {JOINER}", "", text).replace(JOINER, "")

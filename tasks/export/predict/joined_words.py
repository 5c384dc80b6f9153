"""Texts split into words with joints: marks where there was no space, so that the text can be
restored."""

import re

from seqzoo.tasks.export.predict.character_classes import pattern, split_at_white_space
from seqzoo.tasks.export.predict.texts import TextReader

JOINT = "\b"


class JoinedWordReader(TextReader):
    """Reads texts, split into words with joints."""

    def split(self, text: str) -> list[str]:
        text = text.replace(JOINT, "")
        text = pattern("[\t-\r\x1c-\x1f\x85SPACES]+").sub(" ", text).strip(" \t\n\v\f\r")
        for expression, replacement in (
            ("([^LETTERS '’])", rf"{JOINT}\1{JOINT}"),
            (f"(\\A|[ {JOINT}])(['’]+)", rf"\1\2{JOINT}"),
            (f"(['’]+)(\\Z|[ {JOINT}])", rf"{JOINT}\1\2"),
            (f"{JOINT}* {JOINT}*", " "),
            (f"\\A{JOINT}+|{JOINT}+\\Z", ""),
            (f"{JOINT}+", JOINT),
            (f"{JOINT}([LETTERS])", rf"{JOINT} \1"),
            (f"{JOINT}([^ ])", rf" {JOINT}\1"),
        ):
            text = pattern(expression).sub(replacement, text)
        return split_at_white_space(text)


def without_joints(tokens: list[str]) -> str:
    """Words with joints -> the text, which begins with a space."""
    text = "".join(f" {token}" for token in tokens)
    return re.sub(f"{JOINT} {JOINT}?| {JOINT}", "", text).replace(JOINT, "")

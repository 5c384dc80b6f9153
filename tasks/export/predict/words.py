"""Texts split into words, and words joined into a text."""

import re

from seqzoo.tasks.export.predict.character_classes import pattern, split_at_white_space
from seqzoo.tasks.export.predict.texts import TextReader


class WordReader(TextReader):
    """Reads texts, split into words: runs of letters, digits and inner apostrophes. Every other
    character is a separate word."""

    def split(self, text: str) -> list[str]:
        text = pattern(r"([^LETTERS\t\n\f\r '’])").sub(r" \1 ", text)
        text = pattern(r"(\A|[\t\n\f\rSPACES])(['’]+)").sub(r"\1\2 ", text)
        text = pattern(r"(['’]+)(\Z|[\t\n\f\rSPACES])").sub(r" \1\2", text)
        return split_at_white_space(pattern("[SPACES]").sub(" ", text))


def with_usual_spaces(text: str) -> str:
    """Words separated by spaces -> the same words with spaces where texts usually have them."""
    text = pattern(r"([UNMARKED]) - ([UNMARKED])").sub(r"\1-\2", text)
    text = re.sub(r" ([,.;:!?…)\]}])", r"\1", text)
    return re.sub(r"([(\[{]) ", r"\1", text)

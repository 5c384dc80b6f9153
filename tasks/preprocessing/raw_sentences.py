"""Splits raw sentences into words like those in a tagger's training data."""

import re
import unicodedata
from collections.abc import Sequence

APOSTROPHES = "'’"
"""Characters that are interchangeable if the training data have only one of them."""

ZERO_WIDTH_JOINER = "\u200d"
"""The zero-width joiner, which makes one emoji of several."""

_MODIFIERS = "\ufe0e\ufe0f\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"
_MODIFIED = rf"(?!\w)[#*\xa9\xae\u203c-\u3299\U0001f000-\U0001faff][{_MODIFIERS}]*"
PIECES = re.compile(
    rf"[\U0001f1e6-\U0001f1ff]{{2}}|{_MODIFIED}(?:{ZERO_WIDTH_JOINER}{_MODIFIED})*|[^\W_]+|.",
    re.DOTALL,
)
"""Matches an emoji, which may consist of several characters, letters and digits, or a character."""

MAX_SIGN_LENGTH = 40
"""Maximum number of characters of an emoji."""

MAX_CLITIC_LENGTH = 7
"""Maximum number of characters in the shorter part of a contraction."""


class SentenceSplitter:
    """Splits raw sentences by rules that are derived from the words of the training data.

    Text is split at whitespace. A word that occurs in training, such as "U.S.", is not split
    further. From other words, punctuation marks and emoji that are words in the training data are
    split off at both ends, and then the shorter parts of contractions that are words there: a
    prefix that ends in an apostrophe ("l'" of "l'homme"), a suffix that begins with an apostrophe
    or a hyphen ("'s" of "dog's", "-t-il" of "va-t-il"), or "n't". A text in which a full stop or a
    comma is a word has already been split into words, and is split only at whitespace.

    Args:
        words: the vocabulary of the training data, the most frequent first. A contraction that also
            occurs unsplit is split if both of its parts are more frequent.
        lowercase: whether `words` are lowercase even if texts are not.
    """

    def __init__(self, words: Sequence[str], lowercase: bool = False):
        self.lowercase = lowercase
        self.known = {_plain(word): word for word in words}
        self.known |= {word: word for word in words}
        self.ranks = {self._folded(word): rank for rank, word in reversed([*enumerate(words)])}
        self.signs = {word for word in words if word and first_sign(word) == word}
        self.endings = {word for word in self.known if re.fullmatch(r"[^\w\s]{2,}", word)}
        self.longest_ending = max(map(len, self.endings), default=0)
        short = [self._folded(word) for word in words if 1 < len(word) <= MAX_CLITIC_LENGTH]
        self.first = {word for word in short if re.fullmatch(r"\w+'", word)}
        self.last = {word for word in short if re.fullmatch(r"(['-]\w+)+|n't", word)}

    @property
    def remark(self) -> str:
        """Why punctuation cannot be split off; empty if it can."""
        if self.signs:
            return ""
        return (
            "The training data have no punctuation marks as separate words, so text is split only "
            "at whitespace."
        )

    def __call__(self, text: str) -> tuple[str, ...]:
        """The words of a text."""
        parts = text.split()
        if not self.signs or {".", ","} & set(parts):
            return tuple(parts)
        return tuple(word for part in parts for word in self._split(part))

    def _split(self, part: str) -> list[str]:
        before: list[str] = []
        after: list[str] = []
        while part and not self._stays(part):
            ending, first, last = self._ending(part), first_sign(part), last_sign(part)
            if ending:
                after.append(ending)
                part = part[: -len(ending)]
            elif part != first in self.signs and not self._contracts(part, self.last):
                before.append(first)
                part = part[len(first) :]
            elif part != last in self.signs and last not in APOSTROPHES:
                after.append(last)
                part = part[: -len(last)]
            else:
                break
        return [*before, *self._contraction(part), *reversed(after)]

    def _ending(self, part: str) -> str:
        """The longest sequence of punctuation marks at the end that is a word in the training data,
        such as "..."."""
        sizes = range(min(self.longest_ending, len(part) - 1), 1, -1)
        endings = (part[-size:] for size in sizes if part[-size - 1] != ZERO_WIDTH_JOINER)
        return next((ending for ending in endings if ending in self.endings), "")

    def _contraction(self, part: str) -> list[str]:
        """The parts of a contraction, spelled as in the training data."""
        before: list[str] = []
        after: list[str] = []
        while len(part) > 1 and not self._stays(part):
            size, begins = self._clitic(part)
            if begins:
                before.append(self._spelled(part[:size]))
                part = part[size:]
            elif size:
                after.append(self._spelled(part[-size:]))
                part = part[:-size]
            elif part != (last := last_sign(part)) in self.signs:  # a closing quotation mark
                after.append(last)
                part = part[: -len(last)]
            else:
                return [*before, part, *reversed(after)]
        return [*before, self._spelled(part), *reversed(after)]

    def _clitic(self, part: str) -> tuple[int, bool]:
        """The number of characters of the longest clitic at either end of a word, 0 if there is
        none, and whether it is at the beginning."""
        plain = self._folded(part)
        # The longest first: "-t-il" before "-il".
        for size in range(min(MAX_CLITIC_LENGTH, len(part) - 1), 1, -1):
            if plain[:size] in self.first:
                return size, True
            if plain[-size:] in self.last:
                return size, False
        return 0, False

    def _stays(self, part: str) -> bool:
        """Whether a word is not split: it occurs in training, more often than its parts."""
        if not self._knows(part):
            return False
        plain, last = self._folded(part), len(self.ranks)
        rank = self.ranks.get(plain, last)
        for size in range(2, min(len(plain), MAX_CLITIC_LENGTH + 1)):
            for clitic, rest, clitics in (
                (plain[:size], plain[size:], self.first),
                (plain[-size:], plain[:-size], self.last),
            ):
                ranks = [self.ranks.get(item, last) for item in (clitic, rest)]
                if clitic in clitics and max(ranks) < rank:
                    return False
        return True

    def _contracts(self, part: str, clitics: set[str]) -> bool:
        return self._folded(part) in clitics

    def _folded(self, word: str) -> str:
        """A word in the form in which contractions, which may be capitalised, are looked up."""
        return _plain(word).lower()

    def _knows(self, word: str) -> bool:
        plain = _plain(word)
        return plain in self.known or (self.lowercase and plain.lower() in self.known)

    def _spelled(self, word: str) -> str:
        """A word with the apostrophe used in the training data."""
        return word if word in self.known else self.known.get(_plain(word), word)


def _plain(word: str) -> str:
    return unicodedata.normalize("NFC", word).replace("’", "'")


def is_sign(character: str) -> bool:
    """Whether a character is a punctuation mark or a symbol."""
    return unicodedata.category(character)[0] in "PS"


def first_sign(text: str) -> str:
    """The punctuation mark, symbol or emoji at the beginning of a text; "" if there is none."""
    piece = PIECES.match(text)
    return piece[0] if piece and is_sign(piece[0][0]) else ""


def last_sign(text: str) -> str:
    """The punctuation mark, symbol or emoji at the end of a text; "" if there is none."""
    last = PIECES.findall(text[-MAX_SIGN_LENGTH:])[-1]
    return last if is_sign(last[0]) else ""

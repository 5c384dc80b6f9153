"""States over time: which units react to an event, and which steps have similar states."""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


def _in_word(character: str) -> bool:
    # In some scripts, such as Devanagari, vowels are marks, which are not alphanumeric.
    return character.isalnum() or unicodedata.category(character).startswith("M")


def _words(labels: Sequence[str]) -> np.ndarray:
    """Whether each label belongs to a word."""
    return np.array([any(map(_in_word, label)) for label in labels], bool)


def _letters(labels: Sequence[str]) -> np.ndarray:
    """Whether each label is a character of a word; none is if the labels are whole words."""
    lengths = np.array([len(label) for label in labels if label != "(start)"])
    single = np.array([len(label) == 1 for label in labels], bool)
    return single & _words(labels) & (lengths <= 1).all()


def _end_of_word(labels: Sequence[str]) -> np.ndarray:
    letters = _letters(labels)
    return letters & ~np.append(letters[1:], False)


def _inside_quotes(labels: Sequence[str]) -> np.ndarray:
    inside, opened = np.zeros(len(labels), bool), ""
    closing = {'"': '"', "'": "'", "“": "”", "«": "»"}
    # Among characters, ' between two letters is an apostrophe, and after a letter it opens nothing.
    letters = _letters(labels)
    before, after = np.append(False, letters[:-1]), np.append(letters[1:], False)
    for position, label in enumerate(labels):
        if opened:
            inside[position] = True
            if label == closing[opened] and not (label == "'" and after[position]):
                opened = ""
        elif label in closing and not (label == "'" and before[position]):
            opened = label
    return inside


def _inside_brackets(labels: Sequence[str]) -> np.ndarray:
    depth, inside = 0, np.zeros(len(labels), bool)
    for position, label in enumerate(labels):
        depth = max(0, depth - (label in (")", "]", "}")))
        inside[position] = depth > 0
        depth += label in ("(", "[", "{")
    return inside


EVENTS: dict[str, Callable[[Sequence[str]], np.ndarray]] = {
    "end of word": _end_of_word,
    "inside quotes": _inside_quotes,
    "inside brackets": _inside_brackets,
    "whitespace": lambda labels: np.array([label.isspace() for label in labels], bool),
    "digit": lambda labels: np.array([label.isdigit() for label in labels], bool),
    "upper case": lambda labels: np.array([label[:1].isupper() for label in labels], bool),
    "punctuation": lambda labels: (
        ~_words(labels) & ~np.array([label.isspace() for label in labels], bool)
    ),
    "position": lambda labels: np.arange(len(labels)),
}
"""Properties that units may react to: functions from the labels of an input's steps to a number per
step, which for most properties is 1 or 0."""


@dataclass(frozen=True)
class Reaction:
    """How strongly a unit correlates with an event.

    Attributes:
        unit: index of the unit.
        correlation: Pearson correlation between the unit's state and the event, from -1 to 1.
    """

    unit: int
    correlation: float


def rank_units(states: np.ndarray, event: np.ndarray) -> list[Reaction]:
    """Ranks all units by how strongly they react to an event, strongest first.

    Args:
        states: the states of one or several inputs, one after another, (steps, units).
        event: the event at the same steps, (steps,): booleans or numbers; see `EVENTS`.
    """
    states = np.asarray(states, np.float64)
    event = np.asarray(event, np.float64)
    states, event = states - states.mean(0), event - event.mean()
    norms = np.linalg.norm(states, axis=0) * np.linalg.norm(event)
    result = np.divide(event @ states, norms, out=np.zeros(states.shape[1]), where=norms > 0)
    order = np.argsort(-np.abs(result), kind="stable")
    return [Reaction(int(unit), float(result[unit])) for unit in order]


@dataclass(frozen=True)
class SimilarStep:
    """A step of an input whose state is similar to another state.

    Attributes:
        input: index of the input.
        step: index of the step in the input.
        similarity: cosine of the angle between the states, from -1 to 1.
    """

    input: int
    step: int
    similarity: float


def similar_states(
    state: np.ndarray, states: Sequence[np.ndarray], top: int = 10, units: Sequence[int] = ()
) -> list[SimilarStep]:
    """The steps whose states are most similar to a state, as in LSTMVis (Strobelt et al. 2018).

    Args:
        state: the state to compare with, (units,).
        states: the states of the inputs to be searched, each (steps, units).
        top: maximum number of steps, the most similar first.
        units: the units to compare; all by default.
    """
    chosen = list(units) or slice(None)
    reference = np.asarray(state, np.float64)[chosen]
    similar = []
    for index, item in enumerate(states):
        steps = np.asarray(item, np.float64)[:, chosen]
        norms = np.linalg.norm(steps, axis=1) * np.linalg.norm(reference)
        cosines = np.divide(steps @ reference, norms, out=np.zeros(len(steps)), where=norms > 0)
        similar += [SimilarStep(index, step, float(value)) for step, value in enumerate(cosines)]
    return sorted(similar, key=lambda item: -item.similarity)[:top]

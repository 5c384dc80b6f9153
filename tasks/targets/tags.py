"""Tags by name: their ids, and the transitions that are allowed between them."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.data.batches import Sequences
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.metrics.bio import bio_constraints, split_tag
from seqzoo.tasks.targets.base import required, sort_labels, unseen
from seqzoo.tasks.wording import counted


class Tags:
    """One tag per step.

    Args:
        names: the names of the tags, in the order of their ids.
        well_formed: whether all training sequences are well-formed BIO or BIOES. A CRF then allows
            only well-formed tags; otherwise, as with IOB1, it learns from the examples which
            transitions are likely.
    """

    def __init__(self, names: list[str], well_formed: bool):
        self.names = names
        self.well_formed = well_formed
        self.ids_by_name = {name: index for index, name in enumerate(names)}

    @classmethod
    def learn(cls, examples: Examples) -> "Tags":
        """Learns the names of the tags.

        Raises:
            SeqzooError: targets are not sequences of strings, or all tags are the same.
        """
        sequences = list(_sequences(examples))
        names = sort_labels({name for tags in sequences for name in tags})
        if len(names) < 2:
            raise SeqzooError(
                f"At least two tags are needed, but the training examples have only {names}."
            )
        learned = cls(names, True)
        if learned.entities:
            ids = (learned._ids(tags, examples, index) for index, tags in enumerate(sequences))
            learned.well_formed = all(learned.breach(item) is None for item in ids)
        else:
            learned.well_formed = False
        return learned

    @property
    def entities(self) -> bool:
        """Whether all tags are those of BIO or BIOES."""
        try:
            prefixes = [split_tag(name)[0] for name in self.names]  # of all, before one is judged
        except SeqzooError:
            return False
        return any(prefix != "O" for prefix in prefixes)

    @property
    def constraints(self) -> tuple | None:
        """The argument `allowed` of `CRF`."""
        return bio_constraints(self.names) if self.well_formed else None

    def encode(self, examples: Examples, lengths: np.ndarray) -> Sequences:
        """Encodes the tags of all examples as ids.

        Args:
            examples: examples with targets.
            lengths: number of steps of each input.

        Raises:
            SeqzooError: an example has more or fewer tags than steps, or a tag that does not occur
                in training.
        """
        results = []
        for index, tags in enumerate(_sequences(examples)):
            if len(tags) != lengths[index]:
                joined = len(tags) == 1 and len(tags[0]) == lengths[index]
                raise SeqzooError(
                    f"There must be one tag per step, but {examples.location(index)} has "
                    f"{counted(lengths[index], 'step')} and {counted(len(tags), 'tag')}"
                    f"{'; separate the tags by spaces' if joined else ''}.",
                    location=examples.location(index),
                )
            results.append(self._ids(tags, examples, index))
        return Sequences.of(results)

    def check(self, encoded: Sequences, examples: Examples) -> None:
        """Checks that tags are well formed if a CRF allows only well-formed ones.

        Raises:
            SeqzooError: a sequence is not well formed, and would have probability 0.
        """
        if not self.well_formed:
            return
        for index in range(len(encoded)):
            step = self.breach(encoded[index].tolist())
            if step is not None:
                raise SeqzooError(
                    "Tags must be well formed, as they all are in training, but "
                    f"{examples.location(index)}"
                    f" has {self.names[encoded[index][step]]!r} at step {step + 1}, which is "
                    "not allowed there; fix it, or train without `crf`.",
                    location=examples.location(index),
                )

    def breach(self, ids: Sequence[int] | np.ndarray) -> int | None:
        """The first step at which tags are not well formed; None if they are."""
        moves, starts, ends = bio_constraints(self.names)
        for step, tag in enumerate(ids):
            if not (moves[ids[step - 1]][tag] if step else starts[tag]):
                return step
        return None if not len(ids) or ends[ids[-1]] else len(ids) - 1

    def _ids(self, tags: Sequence[str], examples: Examples, index: int) -> list[int]:
        try:
            return [self.ids_by_name[name] for name in tags]
        except KeyError as error:
            (name,) = error.args
            hint = nearest(name, self.names)
            raise unseen(name, examples.location(index), self.names, hint) from None

    def to_config(self) -> dict[str, Any]:
        """The learned state, JSON-serialisable."""
        return {"names": self.names, "well_formed": self.well_formed}


def _sequences(examples: Examples) -> Iterable[list[str]]:
    """The tags of each example; a string is split at whitespace."""
    for index, tags in enumerate(required(examples)):
        sequence = tags.split() if isinstance(tags, str) else tags
        try:
            sequence = list(sequence)
            valid = all(isinstance(name, str) for name in sequence)
        except TypeError:
            valid = False
        if not valid:
            raise SeqzooError(
                "Tags must be a sequence of strings, or one string with spaces between them, but "
                f"{examples.location(index)} has {tags!r}.",
                location=examples.location(index),
            )
        yield sequence

"""Random but reproducible splits that keep all examples with the same input together."""

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seqzoo.tasks.data.examples import Examples, Splits
from seqzoo.tasks.data.stored_columns import ClassColumn, DigestKeys, StoredColumn
from seqzoo.tasks.errors import SeqzooError, some_of

TRAINING_NAMES = ("train", "training")
FEW_EXAMPLES, MANY_STEPS = 10, 1_000
"""Maximum number of examples in a split, and minimum mean number of steps per example, for which
the number of steps is shown."""

VALIDATION_NAMES = ("validation", "valid", "val", "dev")

SIGNS = re.compile(r"[#%&@]|(?<!\w)-(?=\d)|(?<=\d)[.,](?=\d)")
"""What Unicode counts as punctuation although it distinguishes texts as letters do: symbols such as
that of "C#", and the minus signs and decimal points of numbers."""


@dataclass(frozen=True)
class Part:
    """Examples with the information that is needed to split them.

    Attributes:
        name: name for messages: a file or a split.
        examples: the examples.
        keys: the key of each input, from `input_key`, or `DigestKeys` of inputs on disk.
        labels: labels of each example, or a `ClassColumn` on disk; None if targets are values.
        splits: the split of each example, if its file names it.
        notes: sentences that say how the file was read.
    """

    name: str
    examples: Examples
    keys: Sequence[bytes]
    labels: Sequence[tuple[str, ...]] | None
    splits: Sequence[str] | None = None
    notes: tuple[str, ...] = ()

    def pick(self, indices: Sequence[int] | np.ndarray) -> "Part":
        """The examples at some indices, in the order of the indices."""
        stored = isinstance(self.examples.inputs, StoredColumn)
        indices = np.asarray(indices, np.int32) if stored else indices

        def of(values: Any) -> Any:
            if isinstance(values, StoredColumn):
                return values.pick(indices)
            if isinstance(values, np.ndarray):
                return values[np.asarray(indices, np.int64)]
            return None if values is None else [values[index] for index in indices]

        examples = self.examples
        names = ("inputs", "targets", "lines", "weights")
        return replace(
            self,
            examples=replace(examples, **{name: of(getattr(examples, name)) for name in names}),
            keys=of(self.keys),
            labels=of(self.labels),
            splits=of(self.splits),
        )

    def of_split(self, name: str) -> "Part":
        """The examples that the file assigns to a split."""
        if isinstance(self.splits, ClassColumn):
            selected = np.flatnonzero(self.splits.is_in({name}))
        else:
            selected = [index for index, split in enumerate(self.splits or ()) if split == name]
        return replace(self.pick(selected), name=f"{self.name} ({name})")

    def split_names(self) -> list[str]:
        """The splits that the file names, in the order of their first example."""
        if isinstance(self.splits, ClassColumn):
            return list(self.splits.counts())
        return list(dict.fromkeys(self.splits or ()))

    def unknown(self, known: set[str]) -> list[int]:
        """The indices of examples with a label that is not in `known`."""
        if isinstance(self.labels, ClassColumn):
            return np.flatnonzero(~self.labels.is_in(known)).tolist()
        return [i for i, label in enumerate(self.labels or ()) if not known.issuperset(label)]

    def known(self) -> set[str]:
        """All labels of these examples."""
        return set(self.label_counts())

    def label_counts(self) -> Counter[str]:
        """How often each label occurs."""
        if isinstance(self.labels, ClassColumn):
            return self.labels.counts()
        return Counter(label for item in self.labels or () for label in item)

    def labels_of(self, index: int) -> Sequence[str]:
        """The labels of one example."""
        labels = (self.labels or ())[index]
        return (labels,) if isinstance(labels, str) else labels

    def distinct(self) -> int:
        """The number of distinct inputs."""
        if isinstance(self.keys, DigestKeys):
            return int(self.keys.shuffled()[1].sum())
        return len(set(self.keys))


def official(names: Iterable[str], owner: str) -> dict[str, str]:
    """Finds the train, validation and test splits by their usual names, ignoring case.

    Args:
        names: the names of the splits.
        owner: the file or data set that has them, for messages.

    Returns: "train", "validation" and "test", those that exist -> name of the split.

    Raises:
        SeqzooError: there is none to train on.
    """
    by_lower = {name.lower(): name for name in reversed(list(names))}
    usual = {"train": TRAINING_NAMES, "validation": VALIDATION_NAMES, "test": ("test",)}
    results = {
        split: next(by_lower[name] for name in known if name in by_lower)
        for split, known in usual.items()
        if not by_lower.keys().isdisjoint(known)
    }
    if "train" not in results:
        listed = some_of(list(dict.fromkeys(names)))
        raise SeqzooError(f"{owner} has no split 'train', only {listed}.")
    return results


def letters_of(text: str) -> str:
    """The letters, digits and symbols of a text, with their accents and vowel signs, without regard
    to case: what is left without spaces and punctuation."""
    text = unicodedata.normalize("NFC", text).casefold()
    signs = {match.start() for match in SIGNS.finditer(text)}
    kept, inside = [], False
    for at, item in enumerate(text):
        category = unicodedata.category(item)[0]
        # Vowel signs of many scripts are marks.
        inside = category in "LNS" or at in signs or (inside and category == "M")
        if inside:
            kept.append(item)
    return "".join(kept)


def input_key(value: Any) -> bytes:
    """A key that is equal for equal inputs of any type: text, numbers, images or audio."""
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, bytes):
        return value
    if isinstance(value, list | tuple):  # of words
        return json.dumps(value).encode("utf-8")
    if isinstance(value, Mapping):  # several inputs
        keys = {str(name): input_key(item) for name, item in value.items()}
        return b"".join(repr((name, len(key))).encode() + key for name, key in keys.items())
    if value is None:  # missing
        return b""
    array = np.asarray(value)
    return repr((array.shape, array.dtype.str)).encode() + array.tobytes()


def example_keys(kind: str, inputs: Iterable[Any], targets: Iterable[Any] | None) -> list[bytes]:
    """The keys of examples: of their inputs or, since all splits have all classes as inputs, of
    inputs of the kind "class" with their targets."""
    keys = [input_key(value) for value in inputs]
    if kind != "class" or targets is None:
        return keys
    pairs = zip(keys, targets, strict=True)
    return [b"%d %b%b" % (len(key), key, input_key(target)) for key, target in pairs]


def order(keys: Sequence[bytes], seed: int) -> list[int]:
    """A random order of examples that depends only on their inputs and the seed.

    It does not depend on the order of the lines in a file, and equal inputs are adjacent.
    """
    if isinstance(keys, DigestKeys) and keys.seed == seed:
        return keys.shuffled()[0].tolist()
    salt = str(seed).encode()[:16]
    digests = [hashlib.blake2b(key, digest_size=16, salt=salt).digest() for key in keys]
    return sorted(range(len(keys)), key=lambda index: (digests[index], index))


def _shuffled(keys: Sequence[bytes], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The examples in their `order`, and whether each input differs from the previous one."""
    if isinstance(keys, DigestKeys) and keys.seed == seed:
        return keys.shuffled()
    shuffled = order(keys, seed)
    is_new = [not at or keys[item] != keys[shuffled[at - 1]] for at, item in enumerate(shuffled)]
    return np.array(shuffled, np.int64), np.array(is_new, bool)


def split(whole: Part, shares: dict[str, float], seed: int) -> dict[str, Part | None]:
    """Holds out random examples; equal inputs stay together.

    If all examples of a label would be held out, they are used for training instead.

    Args:
        whole: the examples.
        shares: name of a split -> its fraction of the examples; the rest is "train".
        seed: the seed of the splits.

    Returns: the splits of `shares` and "train"; None for one that has no examples.

    Raises:
        SeqzooError: there are too few distinct inputs.
    """
    shuffled, is_new = _shuffled(whole.keys, seed)
    count, distinct = len(shuffled), int(is_new.sum())
    if distinct <= sum(share > 0 for share in shares.values()):
        raise SeqzooError(
            f"{whole.name} has {distinct} distinct input{'s' * (distinct != 1)}, too few to hold "
            f"some out for {' and '.join(name for name, share in shares.items() if share > 0)}."
        )
    ends: dict[str, int] = {}
    start = 0
    for name, share in shares.items():
        # At least one example if the fraction is not 0; equal inputs stay together.
        end = start + max(round(share * count), int(share > 0))
        while start < end < count and not is_new[end]:
            end += 1
        start = ends[name] = min(end, count)
    if start == count:
        raise SeqzooError(f"The fractions held out of {whole.name} leave no training examples.")
    held, train = shuffled[:start], shuffled[start:]
    known = whole.pick(train).known()
    lost = np.zeros(count, bool)
    lost[whole.pick(held).unknown(known)] = True
    groups = np.cumsum(is_new, dtype=np.int32)
    back = np.isin(groups[:start], groups[lost])
    parts, begin = {}, 0
    for name, end in ends.items():
        parts[name] = shuffled[begin:end][~back[begin:end]]
        begin = end
    parts["train"] = np.concatenate([train, held[back]])
    return {name: whole.pick(np.sort(part)) if len(part) else None for name, part in parts.items()}


def by_column(
    whole: Part, shares: dict[str, float], column: str, seed: int
) -> dict[str, Part | None]:
    """The splits that a file names; a missing one is held out of its training split.

    Args:
        whole: the examples, with the split of each.
        shares: name of a split -> the fraction of the training split to hold out for it if the file
            lacks it.
        column: the column that names the splits, for messages.
        seed: the seed for holding out examples.

    Raises:
        SeqzooError: it has no training split, or one with too few distinct inputs, or spells a
            split in several ways.
    """
    for known in (TRAINING_NAMES, VALIDATION_NAMES, ("test",)):
        spellings = [name for name in whole.split_names() if name.lower() in known]
        if len(spellings) > 1:
            raise SeqzooError(
                f"{whole.name}, column {column!r}, must spell each split in one way, got "
                f"{' and '.join(map(repr, spellings))}.",
                field="split_column",
            )
    names = official(whole.split_names(), f"{whole.name}, column {column!r},")
    parts: dict[str, Part | None] = {split: whole.of_split(name) for split, name in names.items()}
    train = parts.pop("train")
    assert train is not None
    lacking = {name: share for name, share in shares.items() if name not in parts}
    return {**split(train, lacking, seed), **parts}


def cut(whole: Part, shares: dict[str, float]) -> dict[str, Part | None]:
    """Holds out the end of one long sequence: first the validation split, then the test split.

    Args:
        whole: a single example: a text, or an array of shape (time, ...), with a target at each
            step, if any.
        shares: name of a split -> its fraction of the steps; the rest is "train".

    Raises:
        SeqzooError: the sequence is too short.
    """
    examples = whole.examples
    steps = len(examples.inputs[0])
    ends, start = {}, steps
    for name in ("test", "validation"):
        ends[name], start = start, start - round(shares[name] * steps)
    ends["train"] = start
    starts = {"train": 0, "validation": ends["train"], "test": ends["validation"]}
    parts: dict[str, Part | None] = {}
    for name, begin in starts.items():
        inputs, targets, labels = (
            None if values is None else [values[0][begin : ends[name]]]
            for values in (examples.inputs, examples.targets, whole.labels)
        )
        if begin == ends[name]:
            if name == "train" or shares[name]:
                unit = "characters" if isinstance(examples.inputs[0], str) else "steps"
                raise SeqzooError(f"{whole.name} has {steps} {unit}, too few to split.")
            parts[name] = None
            continue
        # With the start as part of the key, equal parts of a periodic series are not duplicates.
        key = f"{begin} ".encode() + input_key((inputs or [""])[0])
        part = replace(examples, inputs=inputs, targets=targets)
        parts[name] = Part(whole.name, part, [key], labels)
    return parts


def separate_equal_inputs(parts: dict[str, Part | None], *, keep: bool = False) -> list[str]:
    """Removes inputs from each split that also occur in a split that is evaluated later.

    Args:
        parts: the splits, in which those that lose inputs are replaced.
        keep: whether such inputs are only reported and not removed.

    Returns: notes on the inputs that were removed or kept.

    Raises:
        SeqzooError: a split would be left empty.
    """
    notes = []
    stored = [
        value.keys for value in parts.values() if value and isinstance(value.keys, DigestKeys)
    ]
    later: Any = _Digests(stored[0].seed) if stored else _Keys()
    for name in ("test", "validation", "train"):
        part = parts[name]
        if part is None:
            continue
        remaining = later.others(part.keys)
        common = len(part.keys) - len(remaining)
        inputs = f"{common:,} input{'s' * (common != 1)} in {part.name}"
        if common and keep:
            occur = "occurs" if common == 1 else "occur"
            notes.append(f"{inputs} also {occur} in other splits.")
        elif not len(remaining):
            raise SeqzooError(
                f"All inputs in {part.name} also occur in other splits (use `--duplicates keep` to "
                "keep them)."
            )
        elif common:
            were, occur, them = (
                ("was", "the same input occurs", "it")
                if common == 1
                else ("were", "the same inputs occur", "them")
            )
            notes.append(
                f"{inputs} {were} left out, because {occur} in other splits (use "
                f"`--duplicates keep` to keep {them})."
            )
            parts[name] = part.pick(remaining)
        later.add(part.keys)
    return notes


class _Keys:
    """The keys of the inputs that have been added."""

    def __init__(self) -> None:
        self.known: set[bytes] = set()

    def add(self, keys: Sequence[bytes]) -> None:
        self.known.update(keys)

    def others(self, keys: Sequence[bytes]) -> Sequence[int]:
        """The indices of the keys that have not been added."""
        return [index for index, key in enumerate(keys) if key not in self.known]


class _Digests:
    """Like `_Keys`, but compares digests, so that it scales to many keys. Keys that are not stored
    as digests are kept as they are, and digested at each comparison."""

    def __init__(self, seed: int):
        self.seed = seed
        self.known: list[Sequence[bytes]] = []

    def _of(self, keys: Sequence[bytes]) -> np.ndarray:
        return keys.halves() if isinstance(keys, DigestKeys) else digests_of(keys, self.seed)

    def add(self, keys: Sequence[bytes]) -> None:
        self.known.append(keys)

    def others(self, keys: Sequence[bytes]) -> Sequence[int]:
        kept = np.ones(len(keys), bool)
        for known in self.known:
            kept &= ~self._is_in(keys, known)
        return np.flatnonzero(kept)  # pyright: ignore[reportReturnType]

    def _is_in(self, keys: Sequence[bytes], known: Sequence[bytes]) -> np.ndarray:
        """Whether each key is one of the known ones."""
        if isinstance(keys, DigestKeys) and isinstance(known, DigestKeys):
            if keys.digests is known.digests:  # of the same file, whose equal inputs are known
                return keys.is_in(known)
        digests, others = self._of(keys), self._of(known)
        result = np.isin(digests[:, 0], others[:, 0])
        alike = np.flatnonzero(result)
        if len(alike):
            both = set(map(tuple, others[np.isin(others[:, 0], digests[alike, 0])].tolist()))
            result[[at for at in alike.tolist() if tuple(digests[at].tolist()) not in both]] = False
        return result


def digests_of(encoded: Iterable[bytes], seed: int) -> np.ndarray:
    """The digests that `order` sorts inputs by, in two halves: (n, 2), uint64."""
    salt = str(seed).encode()[:16]
    copy = hashlib.blake2b(digest_size=16, salt=salt).copy

    def digest(item: bytes) -> bytes:
        state = copy()  # faster than creating one with these parameters
        state.update(item)
        return state.digest()

    result = b"".join(map(digest, encoded))
    return np.frombuffer(result, ">u8").reshape(-1, 2).astype(np.uint64)


def check_labels(parts: dict[str, Part | None]) -> None:
    """Checks that all labels of the validation and test splits occur in training.

    Raises:
        SeqzooError: one does not.
    """
    train = parts["train"]
    known = train.known() if train else set()
    for part in filter(None, (parts["validation"], parts["test"])):
        for index in part.unknown(known):
            label = next(label for label in part.labels_of(index) if label not in known)
            raise SeqzooError(
                f"{part.name}, {part.examples.location(index)}: the label {label!r} does not occur "
                "in training."
            )


def limit(parts: dict[str, Part | None], count: int, seed: int) -> list[str]:
    """Limits each split to a random but reproducible sample.

    Examples whose label does not occur in the limited training split are left out of the others.

    Returns: notes on the examples that were left out.
    """
    for name, part in parts.items():
        if part is not None and len(part.keys) > count:
            parts[name] = part.pick(sorted(order(part.keys, seed)[:count]))
    train = parts["train"]
    known = train.known() if train else set()
    left_out = 0
    for name in ("validation", "test"):
        part = parts[name]
        if part is not None and (unknown := part.unknown(known)):
            left_out += len(unknown)
            remaining = np.delete(np.arange(len(part.keys)), unknown)
            parts[name] = part.pick(remaining) if len(remaining) else None
    if not left_out:
        return []
    examples = "example was" if left_out == 1 else "examples were"
    return [
        f"{left_out:,} {examples} left out, since the limit leaves no training examples with the "
        "same label."
    ]


def to_splits(
    name: str, parts: Mapping[str, Part | None], notes: Sequence[str], *, kind: str = "series"
) -> Splits:
    """The splits with a description: the number of examples of each, then the notes.

    Args:
        name: the name of the data.
        parts: the splits by name.
        notes: sentences for the description.
        kind: the input type.
    """
    names = {"train": "training", "validation": "validation", "test": "test"}
    results = {split: part for split in names if (part := parts.get(split))}
    counts = ", ".join(
        f"{len(part.keys):,} {names[split]} example{'s' * (len(part.keys) != 1)}{_size(part, kind)}"
        for split, part in results.items()
    )
    examples = {split: part.examples for split, part in results.items()}
    return Splits(**examples, name=name, description=" ".join([f"{name}: {counts}.", *notes]))


def _size(part: Part, kind: str) -> str:
    """The number of steps if there are only a few, long examples: " (8,640 steps)"; otherwise
    empty."""
    inputs = part.examples.inputs
    if len(part.keys) > FEW_EXAMPLES:
        return ""
    lengths = [len(value) for value in inputs if hasattr(value, "__len__")]
    if sum(lengths) < MANY_STEPS * max(len(lengths), 1):
        return ""
    unit = "samples" if kind == "audio" else "steps"
    unit = "characters" if isinstance(inputs[0], str) else unit
    return f" ({sum(lengths):,} {unit})"

"""Divides training and validation examples into equal folds, one of which is held out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seqzoo.tasks.data.examples import Examples, Splits
from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.splits import example_keys, order


def parse_fold(fold: str) -> tuple[int, int]:
    """The number of a fold, from 1, and the number of folds: (2, 5) for "2/5".

    Raises:
        SeqzooError: it has a different form, or the number is out of range.
    """
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", fold)
    number, count = map(int, match.groups()) if match else (0, 0)
    if not 1 <= number <= count or count < 2:
        raise SeqzooError(field="fold", expected="a fold such as 2/5", got=fold)
    return number, count


def hold_out(
    splits: Splits, fold: str, target_kind: str, seed: int, kind: str = "characters"
) -> Splits:
    """Splits with a fold as the test split; the original test examples are left out.

    Equal inputs stay together, and each fold has its share of each class. If all examples of a
    label would be held out, they are used for training instead. If there was a validation split,
    the same fraction of the examples outside the fold becomes the new one.

    Args:
        splits: the splits whose training and validation examples are divided into folds.
        fold: the number of the fold and the number of folds, as in "2/5".
        target_kind: the target kind of the examples.
        seed: the seed for assigning examples to folds.
        kind: the kind of the inputs.

    Raises:
        SeqzooError: there are more folds than distinct inputs, or the fold would be empty.
    """
    number, count = parse_fold(fold)
    parts = [splits.train, *filter(None, [splits.validation])]
    share = 1 - len(splits.train) / sum(map(len, parts))
    examples = _joined(parts)
    labels = [_labels(examples, index, target_kind) for index in range(len(examples))]
    of_classes = target_kind in ("class", "labels")
    if kind == "class" and not of_classes:  # the classes as inputs, which all folds have
        labels = [(str(_first(value)),) for value in examples.inputs]
        of_classes = True
    keys = example_keys(kind, examples.inputs, examples.targets)
    groups: dict[bytes, list[int]] = {}
    for index in order(keys, seed):
        groups.setdefault(keys[index], []).append(index)
    if len(groups) < count:
        raise SeqzooError(field="folds", expected=f"at most {len(groups)}", got=count)
    # Examples are assigned to the folds in turn, class by class.
    ordered = list(groups.values())
    if of_classes:
        ordered.sort(key=lambda item: labels[item[0]])
    held = ordered[number - 1 :: count]
    rest = [item for position, item in enumerate(ordered) if position % count != number - 1]
    size = min(round(share * len(rest)), len(rest) - 1)
    positions = {int((step + 0.5) * len(rest) / size) for step in range(size)}
    validation = [item for position, item in enumerate(rest) if position in positions]
    training = [item for position, item in enumerate(rest) if position not in positions]
    known = {label for item in training for index in item for label in labels[index]}
    for part in (validation, held):
        for item in list(part):
            names = {label for index in item for label in labels[index]}
            if not names <= known:
                part.remove(item)
                training.append(item)
                known |= names
    if not held:
        raise SeqzooError(
            f"Fold {fold} has no example with a label that also occurs in another fold."
        )
    results = {
        name: examples.pick(sorted(index for item in part for index in item)) if part else None
        for name, part in (("train", training), ("validation", validation), ("test", held))
    }
    sizes = [len(part) if part else 0 for part in results.values()]
    sizes_text = "{:,} training, {:,} validation, {:,} held-out examples.".format(*sizes)
    description = f"{splits.name}, fold {number} of {count}: {sizes_text}"
    return replace(splits, **results, description=description)


def _joined(parts: Sequence[Examples]) -> Examples:
    """The examples of several splits, one after another."""

    def field(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        if any(value is None for value in values):
            return None
        arrays = all(isinstance(value, np.ndarray) for value in values)
        if arrays and len({(value.shape[1:], value.dtype) for value in values}) == 1:
            return np.concatenate(values)
        return [item for value in values for item in value]

    names = ("inputs", "targets", "lines", "weights")
    return replace(parts[0], **{name: field(name) for name in names})


def _first(value: Any) -> Any:
    """The first input of an example that has several, or its only one."""
    return next(iter(value.values())) if isinstance(value, Mapping) else value


def _labels(examples: Examples, index: int, target_kind: str) -> tuple[str, ...]:
    """The labels of an example; empty if its target is a number or a text."""
    targets: Any = examples.targets
    if targets is None or target_kind not in ("class", "labels", "tags"):
        return ()
    target = targets[index]
    if target_kind == "class":
        return (str(target),)
    return tuple(target.split() if isinstance(target, str) else target)

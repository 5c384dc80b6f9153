"""Numbers and categories that accompany a sequence, and may be missing."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.data.examples import Examples, is_missing
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.base import Features
from seqzoo.tasks.preprocessing.static_numbers import is_missing_number
from seqzoo.tasks.preprocessing.text import encoded
from seqzoo.tasks.preprocessing.vocabulary import SPECIAL, Vocabulary
from seqzoo.tasks.wording import agreed, counted

NAMED_VALUES = 3
"""Maximum number of values that a remark lists."""

WRITTEN = re.compile(r"\s*[+-]?([\d.]*(,\d+)+(\.\d+)?(\s*%)?|[\d.]+\s*%)\s*")
"""Numbers with a decimal comma, with commas between thousands, or with a percent sign."""


class NumberFeatures(Features):
    """A standardised number, and whether it is missing: (batch, 1, 2).

    A missing number is NaN in the raw input, and its standardised value is 0, the mean.

    Args:
        mean: the mean of the numbers in the training examples.
        scale: their standard deviation; 1 if it is zero.
    """

    kind = "number"
    in_time = False

    def __init__(self, mean: float, scale: float):
        self.mean = mean
        self.scale = scale

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> "NumberFeatures":
        (values,) = cls(0.0, 1.0).raw(examples.inputs, examples.locations)
        known = values[np.isfinite(values)].astype(np.float64)
        if not known.size:
            return cls(0.0, 1.0)
        varies = (known != known[0]).any()
        return cls(float(known.mean()), float(known.std()) if varies else 1.0)

    def raw(self, inputs: Any, locations: Sequence[str]) -> tuple:
        numbers = [
            _number(value, location) for value, location in zip(inputs, locations, strict=True)
        ]
        return (np.array(numbers, np.float32),)

    def transform(self, *raw: Any) -> tuple[Any, Any]:
        (values,) = raw
        missing = tf.math.is_nan(values)
        scaled = tf.where(missing, 0.0, (values - self.mean) / self.scale)
        steps = tf.stack([scaled, tf.cast(missing, tf.float32)], -1)[:, None]
        return steps, tf.ones(tf.shape(values), tf.int32)

    @property
    def signature(self) -> list:
        return [tf.TensorSpec((None,), tf.float32, "number")]

    @property
    def step(self) -> tuple[tuple[int, ...], str]:
        return (2,), "float32"

    def to_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "scale": self.scale}

    @classmethod
    def from_config(cls, template: Any, config: dict, vocabularies: dict) -> "NumberFeatures":
        return cls(**config)


class CategoryFeatures(Features):
    """The id of a category: (batch, 1), int32.

    Categories that occur in training less often than `minimum_count` share the id of unknown
    categories. A missing category is the empty string, which has its own id if categories are
    missing in training.

    Args:
        vocabulary: the categories.
    """

    kind = "category"
    in_time = False

    def __init__(self, vocabulary: Vocabulary):
        self.vocabulary = vocabulary
        self._remarks: Sequence[str] = ()

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> "CategoryFeatures":
        (names,) = cls(Vocabulary([])).raw(examples.inputs, examples.locations)
        counts = Counter(names.tolist())
        return cls(Vocabulary.learn(counts, len(counts) + SPECIAL, template.minimum_count))

    def raw(self, inputs: Any, locations: Sequence[str]) -> tuple:
        names = [_name(value, location) for value, location in zip(inputs, locations, strict=True)]
        return (encoded(names, locations),)

    def transform(self, *raw: Any) -> tuple[Any, Any]:
        ids = self.vocabulary.ids(raw[0])
        return ids[:, None], tf.ones(tf.shape(ids), tf.int32)

    @property
    def remarks(self) -> Sequence[str]:
        return self._remarks

    @property
    def signature(self) -> list:
        return [tf.TensorSpec((None,), tf.string, "category")]

    @property
    def step(self) -> tuple[tuple[int, ...], str]:
        return (), "int32"

    def to_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, template: Any, config: dict, vocabularies: dict) -> "CategoryFeatures":
        return cls(vocabularies["vocabulary"])


class StaticFeatures:
    """Numbers if all training examples have numbers, otherwise categories."""

    @staticmethod
    def learn(template: Any, examples: Examples) -> Features:
        """Creates `NumberFeatures` or `CategoryFeatures`."""
        present = [value for value in examples.inputs if not _is_missing_number(value)]
        if present and all(map(_is_number, present)):
            return NumberFeatures.learn(template, examples)
        features = CategoryFeatures.learn(template, examples)
        features._remarks = mixed_remarks(present)
        return features


def mixed_remarks(values: Sequence[Any]) -> Sequence[str]:
    """A remark on values that are read as categories, although most of them are numbers, as they
    are or with commas or percent signs; none if they are not."""
    others = [value for value in values if not _is_number(value)]
    written = [value for value in others if isinstance(value, str) and WRITTEN.fullmatch(value)]
    if written and 2 * len(written) >= len(values):
        sign = "percent sign" if "%" in written[0] else "comma"
        return [
            f"{len(written):,} of {counted(len(values), 'static value')} "
            f"{agreed(len(written), 'is a number', 'are numbers')} with a {sign} ({written[0]!r}), "
            "so all are read as categories; write numbers as 1234.5."
        ]
    if 2 * len(others) >= len(values):
        return ()
    some = ", ".join(repr(value) for value in list(dict.fromkeys(others))[:NAMED_VALUES])
    return [
        f"{len(others):,} of {counted(len(values), 'static value')} "
        f"{agreed(len(others), 'is not a number', 'are not numbers')} ({some}), so all are read as "
        "categories."
    ]


def _is_missing(value: Any) -> bool:
    return is_missing(value) or (isinstance(value, str) and not value.strip())


def _is_missing_number(value: Any) -> bool:
    return is_missing(value) or is_missing_number(value)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool | np.bool_):
        return False
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return not (isinstance(value, str) and "_" in value)  # Python reads "1_000" as a number


def _number(value: Any, location: str) -> float:
    """A number; NaN for a missing one."""
    if _is_missing_number(value):
        return float("nan")
    if not isinstance(value, bool | np.bool_) and not _is_number(value):
        raise SeqzooError(
            f"A number was expected, but {location} is {value!r}; correct it, or leave it empty if "
            "it is missing.",
            location=location,
            got=value,
        )
    number = float(value)
    if abs(number) > np.finfo(np.float32).max:
        raise SeqzooError(
            f"A number must be finite, but {location} is {value!r}.", location=location
        )
    return number


def _name(value: Any, location: str) -> str:
    """A category as text, where 3.0 becomes "3" and "True", as pandas writes it, becomes "true";
    empty for a missing one."""
    if _is_missing(value):
        return ""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool | int):
        return json.dumps(value)
    if not isinstance(value, str):
        raise SeqzooError(
            f"A category must be text or a whole number, but {location} is {value!r}.",
            location=location,
            got=value,
        )
    name = value.strip()
    return name.lower() if name.lower() in ("true", "false") else name

"""Several inputs per example, each encoded by the features of its kind."""

import keyword
import re
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import tensorflow as tf

from seqzoo.tasks.data.batches import Sequences
from seqzoo.tasks.data.examples import Examples, is_missing
from seqzoo.tasks.errors import SeqzooError, nearest, some_of
from seqzoo.tasks.fields import VIEWS
from seqzoo.tasks.kinds import ENCODER_DECODER, MANY_TO_ONE, ONE_TO_MANY, TEXTS, features_class
from seqzoo.tasks.layers.recurrent import takes_time
from seqzoo.tasks.preprocessing.base import Features
from seqzoo.tasks.preprocessing.vocabulary import Vocabulary

ARGUMENTS = ("output", "maximum_length", "temperature", "top_k", "top_p", "beam", "seed")
"""Arguments, besides the inputs, of the signatures of an exported model that generates texts."""


class JoinedFeatures(Features):
    """The features of several named inputs: an example is a dictionary of inputs by name.

    The first input is the sequence that `template.input` describes; the others are those of
    `template.further_inputs`. Two inputs that are compared (`template.join`) share their features.

    Args:
        template: a template with `input` and `further_inputs`, and optionally `join`.
        names: the names of all inputs.
        kinds: the kind of each input.
        parts: the features of each input.
    """

    def __init__(
        self,
        template: Any,
        names: Sequence[str],
        kinds: Sequence[str],
        parts: Sequence[Features],
    ):
        self.template = template
        self.names = tuple(names)
        self.kinds = tuple(kinds)
        self.parts = tuple(parts)

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> "JoinedFeatures":
        further = template.further_inputs
        names = (_first_name(further, examples), *further)
        kinds = [template.input, *further.values()]
        if takes_time(template.cell):
            for name, kind in further.items():
                if getattr(features_class(kind), "in_time", False):
                    raise SeqzooError(
                        field="cell",
                        expected="a cell that is not time-aware, because the further input "
                        f"{name!r} is of kind {kind!r}",
                        got=template.cell,
                    )
        joined = cls(template, names, kinds, ())
        columns = [joined.column(examples, name) for name in names]
        compared = joined.compared
        if compared is not None:
            columns[0] = Examples([*columns[0].inputs, *columns[compared].inputs])
        parts: list[Features] = []
        for number, (kind, column) in enumerate(zip(kinds, columns, strict=True)):
            if number == compared:
                parts.append(parts[0])
                continue
            features = _class_of(template, number, kind).learn(
                part_template(template, kind), column
            )
            kinds[number] = getattr(features, "kind", kind)
            parts.append(features)
        return cls(template, names, kinds, parts)

    @property
    def first(self) -> Features:
        return self.parts[0]

    def raw_of_first(self, raw: tuple) -> tuple:
        return raw[: len(self.parts[0].signature)]

    def suffix(self, number: int) -> str:
        """The suffix of the names of an input's tensors: "" for the first one, "_1" for the next.
        If language models read the characters of the first input, their tensors take the numbers
        before those of the next input."""
        return suffix(number + len(getattr(self.first, "models", ())) if number else 0)

    @property
    def compared(self) -> int | None:
        """The index of the input that the first one is compared with, or None."""
        if getattr(self.template, "join", None) != "compare":
            return None
        return self.kinds.index(self.kinds[0], 1)

    def column(self, examples: Examples, name: str) -> Examples:
        """The values of one input in all examples.

        Raises:
            SeqzooError: an example has no such input.
        """
        values = self._values(examples.inputs, name, examples.locations)
        lines = range(len(examples)) if examples.lines is None else examples.lines
        unit = "example" if examples.lines is None else examples.unit
        return Examples(values, lines=lines, unit=f"{name!r} of {unit}")

    def _values(self, inputs: Any, name: str, locations: Sequence[str]) -> list[Any]:
        number, values = self.names.index(name), []
        empty = "" if number and self.kinds[number] in TEXTS else None
        for row, location in zip(inputs, locations, strict=True):
            if not isinstance(row, Mapping) or name not in row:
                raise self._missing_input(row, name, location)
            value = row[name]
            values.append(empty if empty is not None and is_missing(value) else value)
        return values

    def _missing_input(self, row: Any, name: str, location: str) -> SeqzooError:
        expected = ", ".join(self.names)
        if not isinstance(row, Mapping):
            return SeqzooError(
                f"Each input of this model must be a dictionary with the keys {expected}, but "
                f"{location} is of type {type(row).__name__}.",
                location=location,
            )
        return SeqzooError(
            f"Each input of this model must have the keys {expected}, but {location} lacks {name!r}"
            f"{nearest(name, map(str, row))}",
            location=location,
        )

    def raw(self, inputs: Any, locations: Sequence[str]) -> tuple:
        results: list[Any] = []
        for name, part in zip(self.names, self.parts, strict=True):
            values = self._values(inputs, name, locations)
            results += part.raw(values, [f"{name!r} of {location}" for location in locations])
        return tuple(results)

    def transform(self, *raw: Any) -> tuple[Any, Any]:
        return self.parts[0].transform(*self.raw_of_first(raw))

    def tensors(self, *raw: Any) -> dict[str, Any]:
        results: dict[str, Any] = {}
        rest = list(raw)
        for number, part in enumerate(self.parts):
            count = len(part.signature)
            part_raw, rest = rest[:count], rest[count:]
            results |= {
                f"{key}{self.suffix(number)}": value
                for key, value in part.tensors(*part_raw).items()
            }
        return results

    def encode(self, examples: Examples, *, optional: bool = False) -> Sequences:
        return self.parts[0].encode(self.column(examples, self.names[0]), optional=optional)

    def encode_further(self, examples: Examples) -> tuple[Sequences, ...]:
        of_first = self.first.encode_further(self.column(examples, self.names[0]))
        return *of_first, *(
            part.encode(self.column(examples, name), optional=True)
            for name, part in zip(self.names[1:], self.parts[1:], strict=True)
        )

    @property
    def remarks(self) -> Sequence[str]:
        named = dict(zip(reversed(self.parts), reversed(self.names), strict=True))
        return [
            *self.first.remarks,
            *(
                f"{named[part]!r}: {remark}"
                for part in dict.fromkeys(self.parts)
                if part is not self.first
                for remark in part.remarks
            ),
        ]

    @property
    def signature(self) -> list:
        generates = self.template.name in (ENCODER_DECODER, ONE_TO_MANY)
        specs, taken = [], {"self", *(ARGUMENTS if generates else ())}
        for name, part in zip(self.names, self.parts, strict=True):
            name = re.sub(r"\W", "_", name, flags=re.ASCII)
            name = name if name[:1].isalpha() else f"input_{name}"
            for spec in part.signature:
                unique_name = name if len(part.signature) == 1 else f"{name}_{spec.name}"
                # TensorFlow does not distinguish upper and lower case.
                while unique_name.lower() in taken or keyword.iskeyword(unique_name):
                    unique_name += "_"
                taken.add(unique_name.lower())
                specs.append(tf.TensorSpec(spec.shape, spec.dtype, unique_name))
        return specs

    @property
    def step(self) -> tuple[tuple[int, ...], str]:
        return self.parts[0].step

    @property
    def vocabularies(self) -> dict[str, Vocabulary]:
        return {
            f"{key}{suffix(number)}": vocabulary
            for number, part in enumerate(self.parts)
            if number != self.compared
            for key, vocabulary in part.vocabularies.items()
        }

    def to_config(self) -> dict[str, Any]:
        return {
            "names": list(self.names),
            "kinds": list(self.kinds),
            "parts": [
                None if number == self.compared else part.to_config()
                for number, part in enumerate(self.parts)
            ],
        }

    @classmethod
    def from_config(cls, template: Any, config: dict, vocabularies: dict) -> "JoinedFeatures":
        parts: list[Features] = []
        for number, (kind, item) in enumerate(zip(config["kinds"], config["parts"], strict=True)):
            if item is None:
                parts.append(parts[0])
                continue
            part_vocabularies = {}
            for key, vocabulary in vocabularies.items():
                if number == 0 or key.endswith(suffix(number)):
                    part_vocabularies[key.removesuffix(suffix(number))] = vocabulary
            options = part_template(template, kind)
            part_class = _class_of(template, number, kind)
            parts.append(part_class.from_config(options, item, part_vocabularies))
        return cls(template, config["names"], config["kinds"], parts)


def suffix(number: int) -> str:
    """The suffix of the names of an input's layers and vocabularies: "" for the first input, "_1"
    for the next."""
    return f"_{number}" if number else ""


UNSET = {
    "ngrams": 1,
    "bag": False,
    "pooling": "last",
    "all_layers": False,
    "lowercase": False,
    "nfc": False,
    "maximum_length": None,
    "image_size": None,
    "permutation_seed": None,
}
"""Default values of many-to-one's options, for the further inputs of templates that lack them."""


def part_template(template: Any, kind: str) -> Any:
    """The options of a template, together with those that an input kind needs for its features and
    layers."""
    options = UNSET | dict(vars(template)) | {"input": kind}
    if template.name != MANY_TO_ONE:
        options["pooling"] = UNSET["pooling"]
        options["bidirectional"] = getattr(
            template, "is_bidirectional", getattr(template, "bidirectional", False)
        )
    if template.name == ONE_TO_MANY:
        # It convolves and varies images in its own way.
        options |= {"filters": (), **dict.fromkeys(VIEWS, 0.0)}
    if kind != "words":
        options["vectors"] = None
    if kind not in TEXTS:
        options |= {"ngrams": 1, "bag": False}
    if kind == "audio":
        options["random_shear"] = 0.0
    return SimpleNamespace(**options)


def features_of(template: Any, *, tokens: bool = False) -> type[Features]:
    """The class of a template's features: `JoinedFeatures` if it has several inputs.

    Args:
        template: the template.
        tokens: whether there is a prediction for each token.
    """
    if getattr(template, "further_inputs", None):
        return JoinedFeatures
    return features_class(template.input, tokens=tokens)


def _class_of(template: Any, number: int, kind: str) -> Any:
    """The class of the features of an input, by its number and kind."""
    return features_class(kind, tokens=number == 0 and template.target == "tags")


def _first_name(further: Mapping[str, str], examples: Examples) -> str:
    """The name of the first input: the one that is not among the further inputs.

    Raises:
        SeqzooError: there is no such input, or more than one.
    """
    row = examples.inputs[0]
    listed = ", ".join(further)
    if not isinstance(row, Mapping):
        raise SeqzooError(
            f"Inputs must be dictionaries, because of the further inputs {listed}, but "
            f"{examples.location(0)} is of type {type(row).__name__}."
        )
    names = [name for name in row if name not in further]
    if len(names) != 1:
        got = some_of(list(map(repr, names))) or "none"
        raise SeqzooError(
            f"Inputs must have one column in addition to the further inputs {listed}, got {got}; "
            "name all others in `further_inputs`.",
            field="further_inputs",
        )
    return names[0]

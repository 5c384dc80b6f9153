"""The command-line options, generated from the fields of settings, their types and docstrings.

Nothing here depends on click: `seqzoo.zoo.commands.options` turns these into click options, and
`seqzoo show` and the reference page list them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any, Literal, get_args, get_origin

from seqzoo.tasks import TEMPLATES
from seqzoo.tasks.decoding.settings import Decoding
from seqzoo.tasks.fields import Named, NotTyped, Range, hints_of, note, plain
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.zoo.config import docstrings, field_types
from seqzoo.zoo.data.formats import SUFFIXES
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.datasets import DATASETS
from seqzoo.zoo.serving.settings import ServingSettings

TASK_NAMES = {"input": "kind", "target": "target_kind"}
"""Fields of templates whose options have other names, because --input and --target name columns."""

DEFAULTS = {
    (Source, "target_kind"): "the template's",
    (Decoding, "method"): "the model's: sample for language models, otherwise greedy, "
    "or the method that other given options are for",
    (Decoding, "maximum_length"): "the model's own limit: 10 tokens more than the longest training "
    "target, and at most 200 for language models",
}
"""Defaults that differ from those of the dataclass, because another class fills them in."""

TEXTS = {
    "further_inputs": "additional input column, given as NAME=KIND, where KIND is any --kind that "
    'many-to-one takes, or "vector", "number", "category" or "static"; repeatable',
}
"""Help of options that are typed differently from the field that the docstring describes."""

REGISTRIES = {
    "data": lambda: f"Data sets: {', '.join(DATASETS)}; files: {', '.join(SUFFIXES)}.",
}
"""Names from registries that the help of an option lists after its docstring."""


@dataclass(frozen=True)
class Option:
    """The command-line option of one field, which several templates may share.

    Attributes:
        name: the name of the field.
        flags: the flags as typed: "--units", or for a switch "--lowercase/--keep-case".
        type: the type of the value: int, float, str, bool, a `Literal`, a sequence or a mapping.
        takes_none: whether "none" may be typed for None.
        help: its description, with its range and its default.
    """

    name: str
    flags: str
    type: Any
    takes_none: bool
    help: str


def option_of(kind: type, name: str) -> str:
    """The option of a dataclass's field, such as "--cell-option"; empty if it has none."""
    hint = hints_of(kind)[name]
    if note(hint, NotTyped) is not None:
        return ""
    named = note(hint, Named) or Named()
    typed = TASK_NAMES.get(name, name) if kind in TEMPLATES.values() else name
    return f"--{named.option or typed.replace('_', '-')}"


@cache
def source_options() -> dict[str, Option]:
    """The options of a source, by the names of their fields."""
    return _options([Source], defaults=True)


@cache
def task_options() -> dict[str, Option]:
    """The options of all templates; the help of a shared option says where templates differ."""
    result = _options(list(TEMPLATES.values()))
    return {name: value for name, value in result.items() if name not in source_options()}


@cache
def training_options() -> dict[str, Option]:
    """The options of `TrainingSettings`."""
    return _options([TrainingSettings])


@cache
def decoding_options() -> dict[str, Option]:
    """The options of `Decoding`."""
    return _options([Decoding], defaults=True)


@cache
def serving_options() -> dict[str, Option]:
    """The options of `ServingSettings`."""
    return _options([ServingSettings], defaults=True)


def _options(kinds: Sequence[type], *, defaults: bool = False) -> dict[str, Option]:
    """The options of dataclasses, each once.

    Args:
        kinds: the dataclasses.
        defaults: whether the help states the fields' defaults, which presets override for templates
            and training.
    """
    owners: dict[str, list[type]] = {}
    for kind in kinds:
        for field in fields(kind):
            named_by_source = kind is not Source and field.name in TASK_NAMES
            if option_of(kind, field.name) and not named_by_source:
                owners.setdefault(field.name, []).append(kind)
    return {name: _option(name, owned, defaults) for name, owned in owners.items()}


def _option(name: str, kinds: Sequence[type], defaults: bool) -> Option:
    hints = [hints_of(kind)[name] for kind in kinds]
    types = [plain(hint) for hint in hints]
    if get_origin(types[0]) is Literal:  # the values of all templates; each template checks its own
        type_: Any = Literal[tuple(dict.fromkeys(arg for each in types for arg in get_args(each)))]
    else:
        type_ = types[0]
    flag = option_of(kinds[0], name)
    if type_ is bool:
        flag += f"/--{(note(hints[0], Named) or Named()).off or f'no-{flag[2:]}'}"
    takes_none = field_types.takes_none(hints[0])
    return Option(
        name=name,
        flags=flag,
        type=type_,
        takes_none=takes_none,
        help=_help(name, kinds, hints, type_, defaults),
    )


def _help(
    name: str, kinds: Sequence[type], hints: Sequence[Any], type_: Any, defaults: bool
) -> str:
    entries = {kind: docstrings.choices(kind)[name] for kind in kinds}
    sentences = {kind: _first_sentence(text) for kind, text in entries.items()}
    if len(set(sentences.values())) == 1:
        text = sentences[kinds[0]]
    else:
        text = "; ".join(f"{sentence} ({kind.name})" for kind, sentence in sentences.items())  # type: ignore
    if name in TEXTS:
        text = TEXTS[name]
    elif get_origin(type_) is Mapping:
        text += ", as NAME=VALUE; repeatable"
    text = _with_options(f"{text[0].upper()}{text[1:]}.", kinds[0])
    if name in REGISTRIES:
        text += f" {REGISTRIES[name]()}"
    remarks = []
    ranges = {str(note(hint, Range) or "") for hint in hints}
    if len(ranges) == 1:
        remarks += filter(None, ranges)
    (default,) = (field_types.default(field) for field in fields(kinds[0]) if field.name == name)
    meanings = {_meaning_of_none(kind, entries[kind]) for kind in kinds}
    meaning = meanings.pop()
    if meaning and not meanings:
        remarks.append(f"{'default' if default is None else field_types.NONE}: {meaning}")
    if (kinds[0], name) in DEFAULTS:
        remarks.append(f"default: {DEFAULTS[kinds[0], name]}")
    elif defaults and default not in (None, MISSING, {}) and type_ is not bool:
        shown = f"{default:g}" if isinstance(default, float) else default
        shown = "none" if shown == () else shown
        remarks.append(f"default: {shown}")
    return f"{text} [{'; '.join(remarks)}]" if remarks else text


def _meaning_of_none(kind: type, text: str) -> str:
    """What None means according to the description of a field; empty if it does not say so."""
    found = re.search(r"\b(?:None (?:for|to)|If None,) (.*?)\.?$", text)
    return _with_options(found[1], kind) if found else ""


def _with_options(text: str, kind: type) -> str:
    """A text in which names of fields are replaced by their options: "`top_k`" by "--top-k"."""
    names = {field.name for field in fields(kind)}

    def option(name: re.Match) -> str:
        return (option_of(kind, name[1]) or name[0]) if name[1] in names else name[0]

    return re.sub("`([a-z_]+)`", option, text)


def _first_sentence(text: str) -> str:
    """The text before the first full stop that ends a sentence, unlike that of "et al. 2019"."""
    return re.split(r"\.(?=\s+[A-Z\"`]|$)", text, maxsplit=1)[0]

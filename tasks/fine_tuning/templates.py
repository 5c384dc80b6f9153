"""The options that a template must share with the run that its training starts from."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from seqzoo.tasks.base import Template
from seqzoo.tasks.errors import SeqzooError, check_instance
from seqzoo.tasks.fields import IMAGE_OPTIONS, input_kinds

READING = (
    "input",
    "further_inputs",
    "join",
    "lowercase",
    "nfc",
    "backward",
    "ngrams",
    "ngram_buckets",
    "characters",
    "character_reader",
    "character_embedding",
    "vectors",
    "vectors_mode",
    "features_from",
    "sample_rate",
    "mel_bins",
    "mean_normalization",
    "permutation_seed",
    "image_size",
    "columns_per_step",
    "transform",
    "calendar",
)
"""Options that determine how inputs become tensors."""

ENCODING = (
    "cell",
    "join_units",
    "units",
    "cell_options",
    "bidirectional",
    "residual",
    "layer_norm",
    "layer_activation",
    "embedding",
    "encoder",
    "filters",
    "normalization",
)
"""Options of the layers that read inputs, except for their number."""


def matching_template(
    old: Template, kind: type[Template] | Template | None = None, **options: Any
) -> Any:
    """A template whose layers fit those of an old one.

    Args:
        old: the template of the run that training starts from.
        kind: the class of another template, whose remaining options have their default values; or
            an instance, whose options are kept. None for the old template with all its options,
            except for those that do not fit the new ones.
        **options: the options of the new template, such as `target`.

    Raises:
        SeqzooError: an option must match the old run but is given a different value, does not
            exist, or is out of range.

    Example:
        matching_template(Run.open("runs/language-model").template, ManyToOne, dropout=0.3)
    """
    check_instance("old", old, Template, "the template of a run, `Run.open(folder).template`")
    given = kind
    if isinstance(kind, Template):
        base, kind = kind.to_config(), type(kind)
    else:
        base = old.to_config() if kind in (None, type(old)) else {}
        base.pop("conformal_folds", None)  # they are for training from scratch
        kind = kind or type(old)
    names = {field.name for field in fields(kind)}  # pyright: ignore[reportArgumentType]
    required = {name: value for name, value in required_options(old).items() if name in names}
    for name in required.keys() & options.keys():
        _check(name, options[name], required[name], "leave it out")
    if "layers" in names and "layers" not in options:
        required["layers"] = getattr(old, "layers", 1)
    if isinstance(given, Template):
        return kind.from_config({**base, **required, **options})
    while True:
        try:
            return kind.from_config({**base, **required, **options})
        except SeqzooError as error:
            # An option of the old template that does not fit the new ones, such as the loss of
            # numbers with classes.
            if error.field in {*required, *options} or base.pop(str(error.field), None) is None:
                raise


def required_options(old: Any) -> dict[str, Any]:
    """The options that a template must share with an old one, if it has them."""
    results = {name: getattr(old, name) for name in (*READING, *ENCODING) if hasattr(old, name)}
    if hasattr(old, "is_bidirectional"):
        results["bidirectional"] = old.is_bidirectional
    return results


def check_matching(template: Any, old: Template) -> None:
    """Checks that the layers of a template fit those of an old one.

    Raises:
        SeqzooError: an option differs; `field` names it.
    """
    options = required_options(template)
    if getattr(old, "backward", False) and "backward" not in options:
        raise SeqzooError(
            "A language model that reads backward can only be fine-tuned as such: name a run "
            "that reads forward, or let a tagger use its states with `features_from`."
        )
    for name, unset in {"filters": (), "columns_per_step": 1}.items():
        if not set(input_kinds(template)) & set(IMAGE_OPTIONS[name]):
            continue
        new, required = (getattr(item, name, unset) for item in (template, old))
        if new != required:
            raise SeqzooError(
                f"`{name}` must be that of the run that training starts from, {required}, got "
                f"{new}; a template without `{name}` has {unset}.",
                field=name,
            )
    for name, value in required_options(old).items():
        if name in options:
            _check(
                name,
                options[name],
                value,
                "leave it as it was; in Python, `matching_template` does that",
            )


def _check(name: str, value: Any, required: Any, hint: str) -> None:
    if value != required and not (name == "bidirectional" and value is None):
        raise SeqzooError(
            field=name,
            expected=f"{required!r} as in the run that training starts from",
            got=value,
            hint=hint,
        )

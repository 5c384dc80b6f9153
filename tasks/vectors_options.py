"""Checks of the options for word vectors and for features from language models."""

from typing import Any, Literal

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.fields import input_kinds

VectorsMode = Literal["frozen", "tuned", "mapped"]
VectorsVocabulary = Literal["frequent", "all"]


def check_vectors(template: Any) -> None:
    """Checks that word vectors are only used for word inputs.

    Raises:
        SeqzooError: no input is "words", the target is "next", or `vectors_mode` is set
            without `vectors`.
    """
    if template.vectors is None:
        if template.vectors_mode != "frozen":
            raise SeqzooError(
                f"`vectors_mode` is for word vectors, got {template.vectors_mode!r} without "
                "`vectors`.",
                field="vectors_mode",
            )
        return
    kinds = input_kinds(template)
    if "words" not in kinds or template.target == "next":
        raise SeqzooError(
            f"`vectors` is for the input 'words' and targets other than 'next', got "
            f"input{'s' * (len(kinds) > 1)} {', '.join(map(repr, kinds))} and target "
            f"{template.target!r}.",
            field="vectors",
        )


def check_features_from(template: Any) -> None:
    """Checks that `features_from` is a sequence of folders, and makes it a list.

    Raises:
        SeqzooError: it is not a sequence of non-empty names.
    """
    names = template.features_from
    if names is None:
        return
    if isinstance(names, str) or not all(isinstance(name, str) and name for name in names):
        raise SeqzooError(field="features_from", expected="a list of run folders", got=names)
    # A list, as in JSON, so that stored options equal new ones.
    object.__setattr__(template, "features_from", list(names) or None)

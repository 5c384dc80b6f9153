"""The options of word vectors, which several templates have."""

from typing import Any, Literal

from seqzoo.tasks.errors import SeqzooError

VectorsMode = Literal["frozen", "tuned", "mapped"]
VectorsVocabulary = Literal["frequent", "all"]


def check_vectors(template: Any) -> None:
    """Checks that word vectors are only used for word inputs.

    Raises:
        SeqzooError: the input is not words, or the words are also predicted.
    """
    if template.vectors is None:
        if template.vectors_mode != "frozen":
            raise SeqzooError(
                f"`vectors_mode` is for word vectors, got {template.vectors_mode!r} without "
                "`vectors`.",
                field="vectors_mode",
            )
        return
    if template.input != "words" or template.target == "next":
        raise SeqzooError(
            f"`vectors` is for the input 'words' and other targets than 'next', got input "
            f"{template.input!r} and target {template.target!r}.",
            field="vectors",
        )

"""The names of losses, and which targets they are for; imported without TensorFlow."""

from typing import Any, Literal, get_args

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.kinds import TEXTS

Loss = Literal["cross-entropy", "squared", "absolute", "huber", "poisson", "bernoulli"]

NUMBERS = ("value", "values")
"""Targets that consist of numbers; they allow any loss and any output activation."""


def losses_of(input: str, target: str) -> tuple[str, ...]:
    """The losses that a template can have with this input and target, the default first."""
    if target in NUMBERS:
        return ("squared", *(name for name in get_args(Loss) if name != "squared"))
    if target == "labels" or (input, target) == ("notes", "next"):
        return ("bernoulli",)
    if target == "next" and input not in TEXTS:
        return ("squared", "absolute", "huber")
    return ("cross-entropy",)


def check_loss(template: Any) -> None:
    """Checks the `loss` and the `output_activation` of a template.

    Raises:
        SeqzooError: the loss or the activation does not fit the target.
    """
    names = losses_of(template.input, template.target)
    kind = f"target {template.target!r} with input {template.input!r}"
    if template.loss is not None and template.loss not in names:
        expected = f"{' or '.join(map(repr, names))} for {kind}"
        raise SeqzooError(field="loss", expected=expected, got=template.loss)
    if template.output_activation is not None and template.target not in NUMBERS:
        raise SeqzooError(
            f"`output_activation` is for the targets 'value' and 'values', got {kind}.",
            field="output_activation",
        )

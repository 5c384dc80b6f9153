"""Explains a prediction on a terminal: the input, coloured by the contributions of its parts."""

import os
from typing import Any, Literal

import click
import numpy as np

from seqzoo.tasks.errors import SeqzooError

Method = Literal["integrated-gradients", "occlusion"]

CONTRIBUTING_STEPS = 5
"""Maximum number of steps listed for the prediction, and of those listed against it."""

FOR, AGAINST = (214, 96, 61), (72, 120, 168)
"""Colours (red, green, blue) of contributions for and against the prediction."""


def explain(
    run: Any, value: Any, answer: str | None, step: int | None, method: Method
) -> dict[str, Any]:
    """The contributions of the parts of an input to a prediction, JSON-serialisable.

    Args:
        run: the `Run`.
        value: the input, as `Run.predict` takes it.
        answer: the class, label or text to explain; None for the prediction. For a forecast, the
            name of a target; None for the first one.
        step: the step of the prediction; None for the last one, or for all of a generated text.
        method: the attribution method.

    Returns:
        "answer"; "explained", the step of the answer that is explained, or the answer itself;
        "score" and "baseline", and "measure", which says what they are; "labels", the names of
        the steps, and "values", the contribution of each. For images, "labels" is None and
        "values" is a list of rows. If the model has several inputs, "inputs" has the number of
        labels of each, by name.

    Raises:
        SeqzooError: the input, `answer` or the step is not valid for the model, or a contribution
            is not a finite number.
    """
    from seqzoo.tasks.inspection.attribution import integrated_gradients, occlusion
    from seqzoo.tasks.inspection.subject import subject

    explained_subject = subject(run, value, answer)
    attribute = integrated_gradients if method == "integrated-gradients" else occlusion
    result = attribute(explained_subject, step)
    if not np.isfinite(result.values).all():
        raise SeqzooError(
            f"The contributions in {run.folder} are not finite numbers; its weights or its outputs "
            "have become too large or NaN."
        )
    whole = step is None and (explained_subject.whole or len(explained_subject.steps) == 1)
    explained = (
        explained_subject.answer if whole else explained_subject.steps[explained_subject.step(step)]
    )
    parts = explained_subject.parts
    return {
        "answer": explained_subject.answer,
        "explained": explained,
        "measure": explained_subject.measure,
        "score": result.score,
        "baseline": result.baseline,
        "labels": list(explained_subject.all_labels) if result.values.ndim == 1 else None,
        "values": result.values.tolist(),
    } | ({"inputs": {part.name: len(part.labels) for part in parts}} if len(parts) > 1 else {})


def terminal_text(explanation: dict[str, Any], separator: str) -> str:
    """An explanation for a terminal: the prediction, the coloured input, and its strongest steps.

    Args:
        explanation: the result of `explain`.
        separator: text between two labels; empty for characters.
    """
    from seqzoo.tasks.inspection.subject import visible

    values = np.asarray(explanation["values"])
    (explained,) = visible([explanation["explained"]])
    header = (
        f"{explained}  ({explanation['measure']} {explanation['score']:.4g}, "
        f"without any input {explanation['baseline']:.4g})"
    )
    if explanation["labels"] is None:
        return f"{header}\nThe input is an image; use `inspect` to see its attribution."
    limit = float(np.abs(values).max()) or 1.0
    parts, lines, start = [], [], 0
    for label, value in zip(explanation["labels"], values, strict=True):
        strength = abs(value) / limit
        base = FOR if value > 0 else AGAINST
        red, green, blue = (int(255 - strength * (255 - part)) for part in base)
        shown = label if label in ("\n", " ") else visible([label])[0]
        if shown != "\n" and not os.environ.get("NO_COLOR"):
            shown = click.style(shown, fg=(20, 20, 20), bg=(red, green, blue))
        parts.append(shown)
    for name, count in explanation.get("inputs", {"": len(parts)}).items():
        lines.append(f"{name}: " * bool(name) + separator.join(parts[start : start + count]))
        start += count
    return "\n".join([header, *lines, *_strongest(explanation["labels"], values)])


def _strongest(labels: list[str], values: np.ndarray) -> list[str]:
    """The steps that contribute most for and against the prediction, with their positions."""
    from seqzoo.tasks.inspection.subject import visible

    names, lines = visible(labels), []
    for word, sign in (("for", 1), ("against", -1)):
        order = [
            position
            for position in np.argsort(-sign * values, kind="stable")
            if sign * values[position] > 0
        ]
        chosen = ", ".join(
            f"{names[k]} ({k + 1}) {values[k]:+.3g}" for k in order[:CONTRIBUTING_STEPS]
        )
        if chosen:
            lines.append(f"{word}: {chosen}")
    return lines

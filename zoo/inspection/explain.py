"""Explains an answer on a terminal: the input, coloured by the contributions of its parts."""

from typing import Any, Literal

import click
import numpy as np

Method = Literal["integrated-gradients", "occlusion"]

NAMED = 5
"""Steps that are named on each side."""

FOR, AGAINST = (214, 96, 61), (72, 120, 168)
"""Colours of contributions for the answer, and against it."""


def explain(
    run: Any, value: Any, answer: str | None, step: int | None, method: Method
) -> dict[str, Any]:
    """The contributions of the parts of an input to its answer, JSON-serialisable.

    Args:
        run: the `Run`.
        value: the input, as `Run.predict` takes it.
        answer: the answer to explain, if it is not the model's own.
        step: the step of the answer; None for the last one, or for all of a generated text.
        method: how it is found.

    Returns:
        "answer", the step that is explained, "score" and "baseline", "measure", which says what
        they are, and "labels" with "values"; for images only "values", by rows.

    Raises:
        SeqzooError: the input, the answer or the step does not fit the model.
    """
    from seqzoo.tasks.inspection.attribution import integrated_gradients, occlusion
    from seqzoo.tasks.inspection.subject import subject

    explained_subject = subject(run, value, answer)
    how = integrated_gradients if method == "integrated-gradients" else occlusion
    result = how(explained_subject, step)
    whole = step is None and (explained_subject.whole or len(explained_subject.steps) == 1)
    explained = (
        explained_subject.answer if whole else explained_subject.steps[explained_subject.step(step)]
    )
    return {
        "answer": explained_subject.answer,
        "explained": explained,
        "measure": explained_subject.measure,
        "score": result.score,
        "baseline": result.baseline,
        "labels": list(explained_subject.labels) if result.values.ndim == 1 else None,
        "values": result.values.tolist(),
    }


def terminal_text(found: dict[str, Any], gap: str) -> str:
    """An explanation for a terminal: the answer, the coloured input, and its strongest steps.

    Args:
        found: the result of `explain`.
        gap: text between two labels; empty between characters.
    """
    from seqzoo.tasks.inspection.subject import visible

    values = np.asarray(found["values"])
    head = (
        f"{found['explained']}  ({found['measure']} {found['score']:.4g}, "
        f"without any input {found['baseline']:.4g})"
    )
    if found["labels"] is None:
        return f"{head}\nThe input is an image, which `inspect` draws."
    limit = float(np.abs(values).max()) or 1.0
    parts = []
    for label, value in zip(found["labels"], values, strict=True):
        strength = abs(value) / limit
        base = FOR if value > 0 else AGAINST
        red, green, blue = (int(255 - strength * (255 - part)) for part in base)
        shown = label if label in ("\n", " ") else visible([label])[0]
        parts.append(
            click.style(shown, fg=(20, 20, 20), bg=(red, green, blue)) if shown != "\n" else "\n"
        )
    return "\n".join([head, gap.join(parts), *_strongest(found["labels"], values)])


def _strongest(labels: list[str], values: np.ndarray) -> list[str]:
    """The steps that contribute most to the answer, and most against it, with their positions."""
    from seqzoo.tasks.inspection.subject import visible

    names, lines = visible(labels), []
    for word, sign in (("for", 1), ("against", -1)):
        order = [
            position
            for position in np.argsort(-sign * values, kind="stable")
            if sign * values[position] > 0
        ]
        chosen = ", ".join(f"{names[k]} ({k + 1}) {values[k]:+.3g}" for k in order[:NAMED])
        if chosen:
            lines.append(f"{word}: {chosen}")
    return lines

"""Inspects a trained model on some inputs, and writes a page, its figures and its numbers."""

import base64
import html
import math
import os
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from seqzoo.tasks.atomic_files import replacing, write_json, write_text
from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.inspection.figures import rendered
from seqzoo.tasks.inspection.registry import ANALYSES
from seqzoo.tasks.inspection.sections import Inspection, Section, layers_of, step_of
from seqzoo.tasks.inspection.subject import Part, Subject, subject, visible
from seqzoo.tasks.kinds import TEXTS

PAGE, NUMBERS = "index.html", "inspection.json"

MAX_INPUTS = 8
"""Maximum number of inputs per inspection."""


def inspect(
    run: Any,
    inputs: Sequence[Any],
    only: Sequence[str] = (),
    step: int | None = None,
    *,
    search: Sequence[Any] = (),
    reference: int | None = None,
) -> tuple[Inspection, list[Section]]:
    """Analyses what happens inside a model as it reads some inputs.

    Args:
        run: a `seqzoo.tasks.Run`.
        inputs: raw inputs, as `Run.predict` takes them, from one to `MAX_INPUTS`; the first one is
            shown in detail.
        only: names in `ANALYSES`; all of them by default.
        step: the step of the prediction that is explained and that gradients start from; by
            default the last one, or all steps of a generated text.
        search: further raw inputs, such as those of a data set, which are searched for steps with
            states similar to a state of the first input.
        reference: the step of the first input whose state is searched for, counted from 0; by
            default the one in the middle, which is also that of layers that do not read this input,
            such as decoders.

    Returns:
        The `Inspection`, and the sections of a report.

    Raises:
        SeqzooError: an input, a name or a step is not valid.
    """
    if not 1 <= len(inputs) <= MAX_INPUTS:
        raise SeqzooError(
            f"An inspection takes from 1 to {MAX_INPUTS} inputs, which are the series of a table "
            f"with dates, got {len(inputs)}."
        )
    for name in only:
        if name not in ANALYSES:
            known = ", ".join(ANALYSES)
            raise SeqzooError(
                f"`only` must name analyses ({known}), got {name!r}{nearest(name, ANALYSES)}",
                field="only",
            )
    if only and "states" not in only:
        for name, value in (("search", search or None), ("reference", reference)):
            if value is not None:
                raise SeqzooError(
                    f"`{name}` is for the analysis 'states', which `only` does not name.",
                    field=name,
                )
    subjects = tuple(subject(run, value) for value in inputs)
    # Other inputs may have fewer steps, so they are traced from their last step.
    traces = tuple(item.trace(step if item is subjects[0] else None) for item in subjects)
    count = len(subjects[0].labels)
    if reference is not None and not 0 <= reference < count:
        raise SeqzooError(
            field="reference", expected=f"from 0 to {count - 1}, a step of the input", got=reference
        )
    layers = layers_of(traces[0])
    if reference is not None and all(
        step_of(subjects[0], layer, reference) is None for layer in layers
    ):
        raise SeqzooError(
            "`reference` is for models with a recurrent layer that reads the input step by step, "
            "which this model does not have; leave it out.",
            field="reference",
        )
    searched = []
    for value in search:
        item = subject(run, value)
        searched.append((item, item.trace()))
    result = Inspection(run, subjects, traces, step, tuple(searched), reference)
    sections = []
    for name, analysis in ANALYSES.items():
        if not only or name in only:
            sections += analysis.load()(result)
    return result, sections


def write_report(
    folder: str | os.PathLike[str],
    inspection: Inspection,
    sections: Sequence[Section],
    form: str = "png",
) -> pathlib.Path:
    """Writes a self-contained page, its figures as files, and its numbers as JSON.

    Args:
        folder: created if needed; files of the same names are replaced.
        inspection: the model and its inputs.
        sections: the results.
        form: file format of the figures, "png" or "svg".

    Returns:
        The path of the page.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    parts, links = [], []
    for section in sections:
        anchor = section.name.replace(" ", "-")
        links.append(f'<a href="#{anchor}">{html.escape(section.title)}</a>')
        pictures = []
        for name, figure in section.figures.items():
            image = rendered(figure)
            encoded = base64.b64encode(image).decode()
            title = html.escape(name.replace("-", " "), quote=True)
            pictures.append(f'<img alt="{title}" src="data:image/png;base64,{encoded}">')
            with replacing(folder / f"{name}.{form}") as temporary:
                temporary.write_bytes(image if form == "png" else rendered(figure, form))
        parts.append(
            f'<section id="{anchor}"><h2>{html.escape(section.title)}</h2>{section.text}'
            f"{''.join(pictures)}</section>"
        )
    title, about = _about(inspection)
    filled = {
        "title": html.escape(title),
        "about": about,
        "links": " ".join(links),
        "sections": "\n".join(parts),
    }
    # In one pass, since a text of the user may contain the name of a placeholder.
    names = "|".join(filled)
    page = re.sub(rf"\{{({names})\}}", lambda match: filled[match[1]], TEMPLATE)
    write_text(folder / PAGE, page)
    numbers = {section.name: section.data for section in sections}
    subjects = [
        {"labels": list(item.all_labels), "answer": item.answer, "steps": list(item.steps)}
        | ({"parts": dict(_labels_by_name(item))} if len(item.parts) > 1 else {})
        for item in inspection.subjects
    ]
    write_json(folder / NUMBERS, _finite({"run": title, "inputs": subjects, **numbers}))
    return folder / PAGE


def _finite(value: Any) -> Any:
    """JSON values in which numbers that are not finite, which JSON does not have, are null."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _about(inspection: Inspection) -> tuple[str, str]:
    """The title, and a description of the model and its inputs."""
    run, template = inspection.run, inspection.run.template
    title = run.folder.name
    rows = []
    for item in inspection.subjects:
        text = "; ".join(
            f"{_isolated(part.name)}: " * bool(part.name) + _isolated(_shown(part), 300)
            for part in item.parts
        )
        (answer,) = visible([item.answer])
        rows.append(f"<tr><td>{text}</td><td>{_isolated(answer, 200)}</td></tr>")
    layers = getattr(template, "layers", 1)
    about = (
        f"<p>{html.escape(template.name)}: {html.escape(str(template.cell))} with {template.units} "
        f"units, {layers} layer{'s' * (layers != 1)}.</p>"
        f"<table><tr><th>input</th><th>answer</th></tr>{''.join(rows)}</table>"
    )
    return title, about


def _isolated(text: str, length: int = 100) -> str:
    """A text in HTML, shortened, and isolated from what is around it, whose order a text from right
    to left would change."""
    return f"<bdi>{html.escape(text if len(text) <= length else text[: length - 1] + '…')}</bdi>"


def _shown(part: Part) -> str:
    """A text in full; for other inputs, the kind and the first and last steps."""
    if part.kind in TEXTS:
        return ("" if part.kind == "characters" else " ").join(visible(part.labels))
    if len(part.labels) == 1:
        return part.labels[0] if part.name else f"1 {part.kind}"
    return f"{part.kind}, steps {part.labels[0]} to {part.labels[-1]}"


def _labels_by_name(subject: Subject) -> Iterator[tuple[str, list[str]]]:
    return ((part.name, list(part.labels)) for part in subject.parts)


TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Inside {title}</title>
<style>
:root { color-scheme: light; }
body { font: 16px/1.55 system-ui, sans-serif; color: #222; background: #fafafa; margin: 0; }
main, header { max-width: 860px; margin: 0 auto; padding: 0 16px; }
header { padding-top: 24px; }
h1 { font-size: 1.7rem; margin: 0 0 8px; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 0 0 8px; }
h3 { font-size: 1rem; margin: 16px 0 4px; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: 6px; margin: 12px 0; }
nav a { background: #fff; border: 1px solid #ddd; border-radius: 14px; color: #2c5b86;
  font-size: .85rem; padding: 2px 10px; text-decoration: none; }
section { background: #fff; border: 1px solid #e4e4e4; border-radius: 8px; margin: 16px 0;
  padding: 16px; }
img { display: block; height: auto; margin: 12px auto 0; max-width: 100%; }
table { border-collapse: collapse; display: block; font-size: .9rem; margin: 8px 0;
  overflow-x: auto; }
td, th { border-bottom: 1px solid #e8e8e8; padding: 4px 12px 4px 0; text-align: left;
  vertical-align: top; }
td + td { overflow-wrap: anywhere; }
code { background: #f3f3f3; border-radius: 3px; padding: 0 3px; }
code, .tokens { unicode-bidi: plaintext; }
small { color: #666; }
.tokens { font-family: ui-monospace, monospace; line-height: 1.9; overflow-wrap: anywhere; }
.token { border-radius: 2px; padding: 2px 1px; }
</style>
</head>
<body>
<header><h1>Inside {title}</h1>{about}<nav>{links}</nav></header>
<main>
{sections}
</main>
</body>
</html>
"""

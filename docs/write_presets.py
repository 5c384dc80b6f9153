"""Writes the pages of presets, from presets, cards and results: `python -m docs.write_presets`."""

import json
import pathlib
import re
from typing import Any

from seqzoo.tasks import TEMPLATES
from seqzoo.zoo.catalogue import describe
from seqzoo.zoo.presets import PRESETS

FOLDER = pathlib.Path(__file__).parent / "presets"
RESULTS = FOLDER.parent / "results.md"
WRITTEN = "<!-- Written by `python -m docs.write_presets`, from presets, cards and results.md. -->"


PAGES = {"forecast": "forecasts"}
"""Pages of templates that have a different name."""


def pages() -> dict[str, str]:
    """The text of each page, by its file name."""
    return {"index.md": _index()} | {f"{name}.md": _page(name) for name in PRESETS}


def _index() -> str:
    parts = [
        "# Presets",
        WRITTEN,
        "A preset is a template with data, settings and a measured score. `seqzoo train NAME` "
        "trains it, and options override any of its settings. Built-in data needs no download. "
        "Pretrained models come with the package and work at once, as in "
        "`seqzoo predict language-id Peru`.",
    ]
    head = ["| preset | task | data | pretrained | score |", "| --- | --- | --- | --- | --- |"]
    for template in TEMPLATES:
        rows = [
            f"| [`{name}`]({name}.md) | {preset.description} | {_origin(_facts(name))} "
            f"| {'yes' if _facts(name)['card'] else ''} | {preset.score or 'not measured'} |"
            for name, preset in PRESETS.items()
            if preset.task.name == template
        ]
        parts += [f"## {_title(template)}", "\n".join([*head, *rows])]
    return "\n\n".join(parts) + "\n"


def _page(name: str) -> str:
    facts = _facts(name)
    template = PRESETS[name].task.name
    card = facts["card"]
    rows = {
        "template": f"[`{template}`](../{PAGES.get(template, template)}.md)",
        "data": _data(facts),
        "licence of the data": card["licence"] if card else LICENCES[name],
        "score": facts["score"] or "not measured",
        "pretrained model": "comes with the package" if card else "none",
    }
    table = ["| | |", "| --- | --- |", *(f"| {key} | {value} |" for key, value in rows.items())]
    parts = [f"# {name}", WRITTEN, f"{facts['description']}.", "\n".join(table)]
    if name in PICTURES:
        picture, caption = PICTURES[name]
        parts += [f"![{caption}](../images/{picture})", f"*{caption}.*"]
    command = facts["command"].replace("FILE", EXAMPLES.get(name, ""))
    parts += ["## Train", f"```sh\n{command}\n```"]
    parts += _results(name) + _settings(facts)
    if card:
        parts += ["## Pretrained model", _card(name, card)]
    return "\n\n".join(parts) + "\n"


def _results(name: str) -> list[str]:
    measured = _measured(name)
    if not measured:
        return []
    return ["## Measurements", f"[How they were measured](../results.md).\n\n{measured}"]


def _settings(facts: dict[str, Any]) -> list[str]:
    rows = [
        f"| {part} | `{name}` | `{_value(value)}` |"
        for part in ("source", "task", "training")
        for name, value in facts[part].items()
    ]
    head = ["| part | setting | value |", "| --- | --- | --- |"]
    parts = ["## Settings", "Settings that differ from the template's defaults:"]
    parts.append("\n".join(head + rows))
    if facts["small"]:
        small = ", ".join(f"`{name}` {_value(value)}" for name, value in facts["small"].items())
        parts.append(f"With `--size small`: {small}.")
    return parts


def _title(template: str) -> str:
    title = template.replace("-", " ").capitalize()
    return (
        title.replace(" unaligned", ", unaligned")
        .replace(" aligned", ", aligned")
        .replace(" encoder decoder", ", encoder-decoder")
    )


PICTURES = {
    "language-id": (
        "confusion.png",
        "Confusion matrix of the pretrained model on test names in thirteen European languages",
    ),
    "glyph-captioner": (
        "captions.png",
        "Captions by the pretrained model, in a typeface not seen in training",
    ),
    "python-highlighter": ("tags.png", "Python code as the pretrained model tags it"),
    "forecaster": ("forecast.png", "Monthly sunspots: a forecast of months not seen in training"),
    "date-normaliser": (
        "attention.png",
        "Where the pretrained model attends as it generates each character of the output",
    ),
}
"""Pictures of a preset's predictions, with their captions; see `write_pictures.py`."""

LICENCES = {
    "name-nationality": "MIT (the names of PyTorch's tutorial on name classification)",
    "etth1": "Creative Commons Attribution-NoDerivatives 4.0 (ETDataset)",
    "spam-filter": "not stated; announced by its author as free for all purposes (SMS Spam "
    "Collection)",
    "spoken-digits": "CC BY-SA 4.0 (Free Spoken Digit Dataset)",
    "mnist-rows": "not stated at the source (MNIST)",
    "mnist-pixels": "not stated at the source (MNIST)",
    "mnist-permuted": "not stated at the source (MNIST)",
    "imdb-sentiment": "not stated; the authors ask for a citation (Large Movie Review Dataset)",
    "emoji-captioner": "SIL OFL 1.1 (Noto Emoji), New BSD (the captions)",
    "upos-tagger": "CC BY-SA 4.0 (the annotations of UD English EWT)",
    "entity-tagger": "CC BY 4.0 (WNUT 17)",
    "shakespeare": "public domain",
    "chorales": "not stated at the source (JSB chorales)",
    "forecaster": "not stated at the source (daily minimum temperatures in Melbourne)",
    "line-reader": "Bitstream Vera and Arev font licences (the typefaces), PSF (the words)",
    "number-reader": "not stated at the source (MNIST)",
    "pronunciation": "BSD, two clauses (CMUdict)",
    "english-french": "CC BY 2.0 (Tatoeba)",
    "inflection": "CC BY-SA (UniMorph, from Wiktionary)",
}
"""Licences of the data that the presets without a card were measured on."""

EXAMPLES = {
    "number-reader": "prepared/digit_lines/1.1.0",
    "upos-tagger": "en_ewt-ud-train.conllu",
    "entity-tagger": "train.conll",
    "shakespeare": "input.txt",
    "chorales": "chorales-train.jsonl",
    "forecaster": "temperatures.npz",
    "pronunciation": "cmudict.tsv",
    "english-french": "tatoeba.tsv",
    "inflection": "german-train-high.tsv",
    "name-nationality": "names.tsv",
    "spam-filter": "SMSSpamCollection.tsv --columns label,text",
    "spoken-digits": "digits.tsv",
    "emoji-captioner": "captions.tsv",
    "etth1": "ETTh1.csv",
}
"""Example files for presets without built-in data."""


def _facts(name: str) -> dict[str, Any]:
    (facts,) = (item for item in describe.describe(name, 1, 1, None) if item["kind"] == "preset")
    return facts


def _origin(facts: dict[str, Any]) -> str:
    """The source of the data, in a few words."""
    if facts["needs"]:
        return "your file"
    return "downloaded" if facts["data"].startswith("tfds:") else "built in"


def _data(facts: dict[str, Any]) -> str:
    if facts["needs"]:
        return facts["needs"]
    if facts["data"].startswith("tfds:"):
        return f"`{facts['data']}`, downloaded by TensorFlow Datasets"
    return f"`{facts['data']}`, built in"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _measured(name: str) -> str:
    """The rows of a preset in the tables of results.md."""
    head, rows, within = "", [], False
    for line in RESULTS.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            within = False
        elif line.startswith("| preset |"):
            header = line
        elif not line.startswith("| the same"):
            within = re.match(rf"\| `{re.escape(name)}\b(?!-)", line) is not None
        if within:
            head = header
            rows.append(line)
    if not rows:
        return ""
    columns = head.count("|") - 1
    return "\n".join([head, "|" + " --- |" * columns, *rows])


def _card(name: str, card: dict[str, Any]) -> str:
    scores = "\n".join(
        f"| {metric.replace('_', ' ')} | {value:{',' if isinstance(value, int) else '.4g'}} |"
        for metric, value in card["scores"].items()
    )
    return (
        f"`{card['command']}` trained it with seed {card['seed']} in "
        f"{card['training_seconds']:,} seconds ({card['machine']}). Use it without training:\n\n"
        f'```python\nfrom seqzoo import zoo\n\nrun = zoo.load("{name}")\n```\n\n'
        f"Scores of the packed model on the {card['split']} split:\n\n"
        f"| metric | score |\n| --- | --- |\n{scores}"
    )


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.md"):
        old.unlink()
    for file, text in pages().items():
        (FOLDER / file).write_text(text, encoding="utf-8")

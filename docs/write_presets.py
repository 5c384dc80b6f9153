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


def pages() -> dict[str, str]:
    """The text of each page, by its file name."""
    return {"index.md": _index()} | {f"{name}.md": _page(name) for name in TEMPLATES}


def _index() -> str:
    rows = [
        f"| [`{name}`]({preset.task.name}.md#{name}) | {preset.description} "
        f"| {'yes' if preset.needs or preset.source.data.startswith('tfds:') else 'no'} "
        f"| {'yes' if _facts(name)['card'] else 'no'} | {preset.score or 'not measured'} |"
        for name, preset in PRESETS.items()
    ]
    head = ["| preset | task | needs data | pretrained | score |"]
    parts = [
        "# Presets",
        WRITTEN,
        "A preset is a template with data, settings and a measured score. `seqzoo train NAME` "
        "trains it, and options override any of its settings. Presets that need no data have it "
        "built in, and pretrained ones work at once, as in `seqzoo predict language-id Peru`.",
        "\n".join([*head, "| --- | --- | --- | --- | --- |", *rows]),
    ]
    return "\n\n".join(parts) + "\n"


def _page(template: str) -> str:
    sections = [_section(name) for name, own in PRESETS.items() if own.task.name == template]
    title = template.replace("-", " ").replace("aligned", "(aligned)")
    parts = [
        f"# Presets: {title.replace('encoder decoder', '(encoder and decoder)')}",
        WRITTEN,
        f"Presets of the template [`{template}`](../{template}.md).",
    ]
    return "\n\n".join([*parts, *sections]) + "\n"


def _section(name: str) -> str:
    facts = _facts(name)
    parts = [f"## {name}", f"{facts['description']}."]
    parts.append(f"```sh\n{facts['command'].replace('FILE', EXAMPLES.get(name, ''))}\n```")
    parts.append(f"- Data: {_data(facts)}.\n- Score: {facts['score'] or 'not measured'}.")
    measured = _measured(name)
    if measured:
        parts.append(f"Measurements ([how they were made](../results.md)):\n\n{measured}")
    rows = [
        f"| {part} | `{own}` | `{_value(value)}` |"
        for part in ("source", "task", "training")
        for own, value in facts[part].items()
    ]
    head = ["| part | setting | value |", "| --- | --- | --- |"]
    parts.append("Settings that differ from the template's defaults:\n\n" + "\n".join(head + rows))
    if facts["small"]:
        small = ", ".join(f"`{own}` {_value(value)}" for own, value in facts["small"].items())
        parts.append(f"With `--size small`: {small}.")
    if facts["card"]:
        parts.append(_card(facts["card"]))
    return "\n\n".join(parts)


EXAMPLES = {
    "upos-tagger": "en_ewt-ud-train.conllu",
    "entity-tagger": "train.conll",
    "shakespeare": "input.txt",
    "chorales": "chorales-train.jsonl",
    "forecaster": "temperatures.npz",
    "pronunciation": "cmudict.tsv",
    "english-french": "tatoeba.tsv",
    "name-nationality": "names.tsv",
    "spam-filter": "SMSSpamCollection.tsv --columns label,text",
    "spoken-digits": "digits.tsv",
    "emoji-captioner": "captions.tsv",
}
"""Files that presets without data of their own are shown with."""


def _facts(name: str) -> dict[str, Any]:
    (facts,) = (own for own in describe.facts(name, 1, 1, None) if own["kind"] == "preset")
    return facts


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


def _card(card: dict[str, Any]) -> str:
    scores = ", ".join(
        f"{name.replace('_', ' ')} {value:,}" if isinstance(value, int) else f"{name} {value:.4g}"
        for name, value in card["scores"].items()
    )
    return (
        f"A trained model comes with the package. `{card['command']}` trained it with seed "
        f"{card['seed']} in {card['training_seconds']:,} seconds ({card['machine']}). Licence of "
        f"its data: {card['licence']}. Scores of the packed model on the {card['split']} split: "
        f"{scores}."
    )


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, text in pages().items():
        (FOLDER / file).write_text(text, encoding="utf-8")

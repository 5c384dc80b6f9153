"""Details of a name as readable text."""

import json
import textwrap
from collections.abc import Mapping
from typing import Any

from seqzoo.zoo.output import table


def text(found: list[dict[str, Any]], program: str) -> str:
    """The details from `seqzoo.zoo.catalogue.describe.describe` as text.

    Args:
        found: from there.
        program: the name of the program.
    """
    renderings = {"cell": _cell, "template": _template, "preset": _preset, "data set": _dataset}
    parts = [renderings[item["kind"]](item, program) for item in found]
    return "\n\n\n".join("\n".join(part) for part in parts) + "\n"


def _cell(own: dict[str, Any], program: str) -> list[str]:
    lines = [f"{own['name']}, a cell: {own['class']}", "", own["description"], ""]
    if own["reference"]:
        lines += [*_wrapped(f"Reference: {own['reference']}"), ""]
    if own["citation"]:
        lines += [own["citation"], ""]
    lines.append(f"Gates: {', '.join(own['gates']) or 'none'}.")
    sizes = f"{own['features']:,} features and {own['units']:,} units"
    if own["parameters"] is None:
        lines.append("Parameters: their number depends on required options.")
    else:
        states = " and ".join(f"{_size(size)} units" for size in own["states"])
        lines += [f"States with {sizes}: {states}.", f"Parameters: {own['parameters']:,}."]
    rows = [
        [row["name"], "" if row["required"] else _value(row["default"]), row["meaning"]]
        for row in own["options"]
    ]
    return [
        *lines,
        "",
        *_measured(own["measured"]),
        "Options, set in training with --cell-option NAME=VALUE:",
        table(["option", "default", "description"], rows),
        "",
        _training(own, program),
    ]


def _measured(measured: dict[str, Any]) -> list[str]:
    """The measured speed of a cell, and its result on the adding problem."""
    rows = [
        [
            " x ".join(map(str, item["shape"])),
            *(
                f"{time:.1f} ({times:.1f})"
                for time, times in zip(item["milliseconds"], item["times_keras"], strict=True)
            ),
        ]
        for item in measured["speed"]
    ]
    lines = []
    if rows:
        kind = "time, features" if len(measured["speed"][0]["shape"]) == 4 else "time, frame"
        lines += [
            f"Milliseconds per layer on {measured['machine']}",
            "(in brackets: how many times as long keras.layers.RNN around it takes):",
            table([f"batch, {kind}, units", "forward", "forward and backward"], rows),
        ]
    adding = measured["adding"]
    if adding is not None:
        steps = adding["steps"]
        learnt = "not learnt" if steps is None else f"learnt in {steps:,} steps"
        lines.append(f"Adding problem of 50 steps: {learnt}, squared error {adding['error']:.4f}.")
    return [*lines, ""] if lines else []


def _training(own: dict[str, Any], program: str) -> str:
    """How a model with a cell is trained."""
    if own["takes"] == "frames":
        kind = own["class"].rpartition(".")[2]
        return (
            f"It reads frames, which templates do not provide: use Recurrent({kind}(...)) in a "
            "Keras model."
        )
    times = " --time-column COLUMN" if own["takes"] == "times" else ""
    return f"To train with it: {program} train NAME --cell {own['name']}{times}"


def _size(size: int | tuple) -> str:
    """A number of units, or those of a frame: its height, width and channels."""
    return f"{size:,}" if isinstance(size, int) else " x ".join(map(str, size))


def _template(own: dict[str, Any], program: str) -> list[str]:
    rows = [
        [
            row["name"],
            row["option"],
            "" if row["required"] else _value(row["default"]),
            f"{row['meaning']} ({row['type']})",
        ]
        for row in own["choices"]
    ]
    return [
        f"{own['name']}, a template: {own['class']}",
        "",
        own["description"],
        "",
        "Settings:",
        table(["setting", "option", "default", "description"], rows),
        "",
        f"Presets of it: {', '.join(own['presets']) or 'none'}.",
        f"To train it: {program} train {own['name']} --data FILE --kind KIND",
        f"To write all settings to a file: {program} init {own['name']}",
    ]


def _preset(own: dict[str, Any], program: str) -> list[str]:
    lines = [f"{own['name']}, a preset: {own['description']}", ""]
    if own["needs"]:
        lines += _wrapped(f"Data: {own['needs']}.")
    else:
        lines.append(f"Data: {own['data']}.")
    lines += [f"Template: {own['template']}.", "Settings that differ from its defaults:"]
    rows = [
        [part, name, _value(value)]
        for part in ("source", "task", "training")
        for name, value in own[part].items()
    ]
    rows += [["task, small", name, _value(value)] for name, value in own["small"].items()]
    lines += [table(["of", "setting", "value"], rows), ""]
    lines.append(f"Cells: {own['cell']}, or with --cell any of {', '.join(own['cells'])}.")
    lines.append("Sizes: base, or with --size small the one with the settings marked so.")
    lines.append(f"Score: {own['score']}." if own["score"] else "Score: not measured yet.")
    return [
        *lines,
        *_card(own, program),
        f"To train it: {own['command'].replace('seqzoo', program, 1)}",
    ]


def _card(own: dict[str, Any], program: str) -> list[str]:
    """The card of the pretrained model, if there is one."""
    card = own["card"]
    if card is None:
        return []
    scores = ", ".join(f"{name} {round(value, 4)}" for name, value in card["scores"].items())
    return [
        "",
        f"A pretrained model comes with the package. On {card['split']} examples: {scores}.",
        f"Trained on {card['data']}, seed {card['seed']}, in {card['training_seconds']:,} s on "
        f"{card['machine']}.",
        f"Licence of the data: {card['licence']}.",
        f"To predict with it: {program} predict {own['name']}",
    ]


def _dataset(own: dict[str, Any], program: str) -> list[str]:
    lines = [f"{own['name']}, a data set, version {own['version']}", "", own["description"], ""]
    lines += [table(["feature", "description"], [list(row) for row in own["features"].items()]), ""]
    if own["prepared"]:
        rows = [[name, f"{count:,}"] for name, count in own["splits"].items()]
        size = own["bytes"] / 2**20
        lines += [table(["split", "examples"], rows), ""]
        lines.append(f"Prepared, {size:,.1f} MiB, in {own['prepared']}.")
    else:
        lines.append("Not prepared yet: splits and sizes are known once it is used.")
    return [
        *lines,
        f"From {own['homepage']}; {own['license']}.",
        f"Presets that use it: {', '.join(own['presets']) or 'none'}.",
    ]


def _value(value: Any) -> str:
    """A value as in a command."""
    if isinstance(value, str):
        return value
    if value is None:
        return "none"
    if isinstance(value, Mapping) and not value:
        return "none"
    return json.dumps(value, ensure_ascii=False, default=str)


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, 98, break_long_words=False, break_on_hyphens=False)

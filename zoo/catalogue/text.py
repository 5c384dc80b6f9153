"""The details of a cell, a template, a preset or a data set as readable text."""

import json
import textwrap
from collections.abc import Mapping
from typing import Any

from seqzoo.zoo.output import table


def text(details: list[dict[str, Any]], program: str) -> str:
    """The details from `seqzoo.zoo.catalogue.describe.describe` as text.

    Args:
        details: the details.
        program: the name of the program, for the commands in the text.
    """
    renderings = {"cell": _cell, "template": _template, "preset": _preset, "data set": _dataset}
    parts = [renderings[item["kind"]](item, program) for item in details]
    return "\n\n\n".join("\n".join(part) for part in parts) + "\n"


def _cell(details: dict[str, Any], program: str) -> list[str]:
    lines = [f"{details['name']}, a cell: {details['class']}", "", details["description"], ""]
    if details["reference"]:
        lines += [*_wrapped(f"Reference: {details['reference']}"), ""]
    if details["citation"]:
        lines += [details["citation"], ""]
    lines.append(f"Gates: {', '.join(details['gates']) or 'none'}.")
    sizes = f"{details['features']:,} features and {details['units']:,} units"
    if details["parameters"] is None:
        lines.append("Parameters: their number depends on required options.")
    else:
        states = " and ".join(f"{_size(size)} units" for size in details["states"])
        lines += [f"States with {sizes}: {states}.", f"Parameters: {details['parameters']:,}."]
    rows = [
        [row["name"], "" if row["required"] else _value(row["default"]), row["meaning"]]
        for row in details["options"]
    ]
    return [
        *lines,
        "",
        *_measured(details["measured"]),
        "Options, set in training with --cell-option NAME=VALUE:",
        table(["option", "default", "description"], rows),
        "",
        _training(details, program),
    ]


def _measured(measured: dict[str, Any]) -> list[str]:
    """The measured speed of a cell, and its result on the adding problem."""
    rows = [
        [
            " x ".join(map(str, item["shape"])),
            *(
                f"{time:.1f} ({speedup:.1f})"
                for time, speedup in zip(
                    item["milliseconds"], item["speedup_over_keras"], strict=True
                )
            ),
        ]
        for item in measured["speed"]
    ]
    lines = []
    if rows:
        axes = "time, features" if len(measured["speed"][0]["shape"]) == 4 else "time, frame"
        lines += [
            f"Milliseconds per layer on {measured['machine']}",
            "(in brackets: the speedup over keras.layers.RNN with the same cell):",
            table([f"batch, {axes}, units", "forward", "forward and backward"], rows),
        ]
    adding = measured["adding"]
    if adding is not None:
        steps = adding["steps"]
        learned = "not learned" if steps is None else f"learned in {steps:,} steps"
        lines.append(f"Adding problem of 50 steps: {learned}, squared error {adding['error']:.4f}.")
    return [*lines, ""] if lines else []


def _training(details: dict[str, Any], program: str) -> str:
    """A sentence that says how to train a model with a cell."""
    if details["takes"] == "frames":
        class_name = details["class"].rpartition(".")[2]
        return (
            "It reads frames, which templates do not provide: use "
            f"Recurrent({class_name}(...)) in a Keras model."
        )
    times = " --time-column COLUMN" if details["takes"] == "times" else ""
    return f"To train with it: {program} train NAME --cell {details['name']}{times}"


def _size(size: int | tuple) -> str:
    """A number of units, or the size of a frame: height, width and channels."""
    return f"{size:,}" if isinstance(size, int) else " x ".join(map(str, size))


def _template(details: dict[str, Any], program: str) -> list[str]:
    rows = [
        [
            row["name"],
            row["option"],
            "" if row["required"] else _value(row["default"]),
            f"{row['meaning']} ({row['type']})",
        ]
        for row in details["options"]
    ]
    return [
        f"{details['name']}, a template: {details['class']}",
        "",
        details["description"],
        "",
        "Settings:",
        table(["setting", "option", "default", "description"], rows),
        "",
        f"Presets: {', '.join(details['presets']) or 'none'}.",
        f"To train it: {program} train {details['name']} --data FILE --kind KIND",
        f"To write all settings to a file: {program} init {details['name']}",
    ]


def _preset(details: dict[str, Any], program: str) -> list[str]:
    lines = [f"{details['name']}, a preset: {details['description']}", ""]
    if details["needs"]:
        lines += _wrapped(f"Data: {details['needs']}.")
    else:
        lines.append(f"Data: {details['data']}.")
    lines += [f"Template: {details['template']}.", "Settings that differ from its defaults:"]
    rows = [
        [part, name, _value(value)]
        for part in ("source", "task", "training")
        for name, value in details[part].items()
    ]
    rows += [["task, small", name, _value(value)] for name, value in details["small"].items()]
    lines += [table(["section", "setting", "value"], rows), ""]
    others = len(details["cells"])
    lines.append(
        f"Cell: {details['cell']}; --cell selects one of the {others} others that "
        f"`{program} list cells` shows."
    )
    lines.append('Sizes: base; --size small uses the settings of the section "task, small".')
    lines.append(f"Score: {details['score']}." if details["score"] else "Score: not measured yet.")
    return [
        *lines,
        *_card(details, program),
        f"To train it: {details['command'].replace('seqzoo', program, 1)}",
    ]


def _card(details: dict[str, Any], program: str) -> list[str]:
    """The card of the pretrained model, if there is one."""
    card = details["card"]
    if card is None:
        return []
    scores = ", ".join(f"{name} {round(value, 4)}" for name, value in card["scores"].items())
    return [
        "",
        f"A pretrained model comes with the package. On {card['split']} examples: {scores}.",
        f"Trained on {card['data']}, seed {card['seed']}, in {card['training_seconds']:,} s on "
        f"{card['machine']}.",
        f"Licence of the data: {card['licence']}.",
        f"To predict with it: {program} predict {details['name']}",
    ]


def _dataset(details: dict[str, Any], program: str) -> list[str]:
    lines = [
        f"{details['name']}, a data set, version {details['version']}",
        "",
        details["description"],
        "",
    ]
    lines += [
        table(["feature", "description"], [list(row) for row in details["features"].items()]),
        "",
    ]
    if details["prepared"]:
        rows = [[name, f"{count:,}"] for name, count in details["splits"].items()]
        size = details["bytes"] / 2**20
        lines += [table(["split", "examples"], rows), ""]
        lines.append(f"Prepared, {size:,.1f} MiB, in {details['prepared']}.")
    else:
        lines.append("Not prepared yet; its splits and sizes are known once it has been used.")
    return [
        *lines,
        f"From {details['homepage']}; {details['license']}.",
        f"Presets that use it: {', '.join(details['presets']) or 'none'}.",
    ]


def _value(value: Any) -> str:
    """A value as it is typed in a command."""
    if isinstance(value, str):
        return value
    if value is None:
        return "none"
    if isinstance(value, Mapping) and not value:
        return "none"
    return json.dumps(value, ensure_ascii=False, default=str)


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, 98, break_long_words=False, break_on_hyphens=False)

"""Details of a cell, a template, a preset or a data set, as JSON-serialisable dictionaries."""

import inspect
import pathlib
import pkgutil
import re
from dataclasses import MISSING, asdict, fields
from typing import Any

from seqzoo.tasks import TEMPLATES
from seqzoo.tasks.errors import SeqzooError, command, nearest
from seqzoo.tasks.fields import hints_of
from seqzoo.tasks.startup import start_tensorflow
from seqzoo.zoo.catalogue import source_docs
from seqzoo.zoo.catalogue.citation import bibtex
from seqzoo.zoo.config import docstrings, field_types
from seqzoo.zoo.config.options import option_of
from seqzoo.zoo.datasets import DATASETS, default_data_dir
from seqzoo.zoo.presets import PRESETS
from seqzoo.zoo.pretrained import card, list_trained

DERIVED = ("data", "kind", "target_kind")
"""Fields of a source that are shown elsewhere."""


def describe(name: str, features: int, units: int, data_dir: str | None) -> list[dict[str, Any]]:
    """Details of everything that has the given name: JSON-serialisable dictionaries, one per kind.

    Args:
        name: the name of a cell, template, preset or data set.
        features: number of input features for which a cell's parameters are counted.
        units: number of units for which a cell's parameters are counted.
        data_dir: the folder in which data sets are prepared.

    Raises:
        SeqzooError: the name does not exist.
    """
    results: list[dict[str, Any]] = []
    if name in source_docs.cells():
        results.append(_cell(name, features, units))
    if name in TEMPLATES:
        results.append(_template(name))
    if name in PRESETS:
        results.append(_preset(name))
    if name in DATASETS:
        results.append(_dataset(name, data_dir))
    if not results:
        raise SeqzooError(
            f"There is no cell, template, preset or data set {name!r} (see `{command('list')}`)"
            f"{nearest(name, names())}"
        )
    return results


def names() -> list[str]:
    """The names that can be shown, each once."""
    return list(dict.fromkeys([*source_docs.cells(), *TEMPLATES, *PRESETS, *DATASETS]))


def cell_options(cell_class: type) -> list[dict[str, Any]]:
    """The options of a cell's class and of its base classes, without those that have no effect.

    Returns:
        One dictionary per option, in order of declaration: "name", "default", "required" and
        "meaning".
    """
    results: dict[str, dict[str, Any]] = {}
    left_out = {"units", *getattr(cell_class, "unused_options", ())}
    for base in cell_class.__mro__:
        if not base.__module__.startswith("seqzoo.") or "__init__" not in vars(base):
            continue
        texts = docstrings.entries(inspect.getdoc(base) or "", "Args")
        parameters = list(inspect.signature(base.__init__).parameters.values())[1:]
        for parameter in parameters:
            name, default = parameter.name, parameter.default
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                continue
            if name in results and not results[name]["meaning"]:  # only the base class documents it
                results[name]["meaning"] = texts.get(name, "")
            if name not in left_out and name not in results:
                required = default is parameter.empty
                results[name] = {
                    "name": name,
                    "default": None if required else default,
                    "required": required,
                    "meaning": texts.get(name, ""),
                }
        if parameters[-1].kind is not inspect.Parameter.VAR_KEYWORD:
            break
    return list(results.values())


def measurements(name: str) -> dict[str, Any]:
    """The measurements of a cell.

    Returns:
        "machine"; "speed", with the "milliseconds" of a `Recurrent` layer for each "shape", and
        "speedup_over_keras", the speedup over `keras.layers.RNN` with the same cell, both as
        pairs: the forward pass alone, and forward and backward; and "adding",
        the number of "steps" in which the adding problem was learned (None if it was not) and the
        final "error". Missing measurements are empty or None.
    """
    measured = source_docs.measured()
    times = measured.SPEED.get(name, {})
    speed = [
        {
            "shape": list(shape),
            "milliseconds": [forward, both],
            "speedup_over_keras": [round(keras_forward / forward, 2), round(keras_both / both, 2)],
        }
        for shape, (forward, both, keras_forward, keras_both) in times.items()
    ]
    adding = None
    if name in measured.ADDING:
        steps, error = measured.ADDING[name]
        adding = {"steps": steps, "error": error}
    return {"machine": measured.MACHINE, "speed": speed, "adding": adding}


def _cell(name: str, features: int, units: int) -> dict[str, Any]:
    start_tensorflow()
    import seqzoo.cells

    cell_class = seqzoo.cells.CELLS[name]
    text, sections = docstrings.split_sections(inspect.getdoc(cell_class) or "")
    reference = " ".join(line.strip() for line in sections.get("Reference", [])).strip()
    options = cell_options(cell_class)
    takes = "times" if cell_class.takes_time else "vectors"
    details: dict[str, Any] = {
        "kind": "cell",
        "name": name,
        "class": f"seqzoo.cells.{cell_class.__name__}",
        "description": text,
        "reference": reference,
        "citation": bibtex(name, reference),
        "gates": [] if isinstance(cell_class.gates, property) else list(cell_class.gates),
        "takes": "frames" if cell_class.input_rank == 4 else takes,
        "options": options,
        "features": features,
        "units": units,
        "states": None,
        "parameters": None,
        "measured": measurements(name),
    }
    if not any(option["required"] for option in options):
        cell = seqzoo.cells.create(name, units)
        config = cell.get_config()
        details["gates"] = list(cell.gates)  # a wrapper has those of its inner cell
        details["options"] = [option for option in options if option["name"] in config]
        frames = (8, 8) if cell.input_rank == 4 else ()
        try:
            cell.build((None, *frames, features + cell.takes_time))
        except ValueError as error:
            raise SeqzooError(str(error)) from error
        sizes = cell.state_size
        details["states"] = [sizes] if isinstance(sizes, int) else list(sizes)
        details["parameters"] = cell.count_params()
    return details


def _template(name: str) -> dict[str, Any]:
    template: Any = TEMPLATES[name]
    hints, texts = hints_of(template), docstrings.choices(template)
    rows = []
    for field in fields(template):
        default = field_types.default(field)
        rows.append(
            {
                "name": field.name,
                "option": option_of(template, field.name),
                "default": None if default is MISSING else default,
                "required": default is MISSING,
                "type": field_types.described(hints[field.name]),
                "meaning": texts[field.name],
            }
        )
    return {
        "kind": "template",
        "name": name,
        "class": f"seqzoo.tasks.{template.__name__}",
        "description": docstrings.split_sections(inspect.getdoc(template) or "")[0],
        "options": rows,
        "presets": [key for key, preset in PRESETS.items() if preset.task.name == name],
    }


def _preset(name: str) -> dict[str, Any]:
    preset = PRESETS[name]
    source = preset.source.to_config()
    task: Any = preset.task
    data = " --data FILE" if preset.needs else ""
    return {
        "kind": "preset",
        "name": name,
        "description": preset.description,
        "template": preset.task.name,
        "data": preset.source.data,
        "needs": preset.needs,
        "source": {item: source[item] for item in _changed(preset.source) if item not in DERIVED},
        "task": _changed(preset.task),
        "small": dict(preset.small),
        "cell": task.cell,
        "cells": [cell for cell in source_docs.cells() if cell != task.cell],
        "training": _changed(preset.training),
        "score": preset.score,
        "card": card(name) if name in list_trained() else None,
        "command": f"seqzoo train {name}{data}",
    }


def _changed(settings: Any) -> dict[str, Any]:
    """The fields of a dataclass whose values are not the defaults."""
    defaults = {field.name: field_types.default(field) for field in fields(settings)}
    return {name: value for name, value in asdict(settings).items() if value != defaults[name]}


def _dataset(name: str, data_dir: str | None) -> dict[str, Any]:
    start_tensorflow()
    folder = pathlib.Path(data_dir).expanduser() if data_dir else default_data_dir()
    builder: Any = pkgutil.resolve_name(DATASETS[name])(data_dir=folder)
    info = builder.info
    prepared = (pathlib.Path(builder.data_path) / "dataset_info.json").is_file()
    return {
        "kind": "data set",
        "name": name,
        "description": source_docs.datasets()[name],
        "version": str(builder.version),
        "features": {key: _feature(feature) for key, feature in info.features.items()},
        "splits": {key: split.num_examples for key, split in info.splits.items()}
        if prepared
        else {},
        "bytes": int(info.dataset_size or 0) if prepared else None,
        "prepared": str(builder.data_path) if prepared else None,
        "homepage": info.homepage or "",
        "license": (info.redistribution_info.license or "").strip(),
        "presets": [key for key, preset in PRESETS.items() if preset.source.data == name],
    }


def _feature(feature: Any) -> str:
    """A feature in words: "class label, 163 classes", "image (36, 36, 1)"."""
    inner = getattr(feature, "feature", None)
    if inner is not None:
        return f"sequence of {_feature(inner)}"
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(feature).__name__).lower()
    classes, shape = getattr(feature, "num_classes", None), tuple(feature.shape or ())
    parts = [kind, str(shape)] if shape else [kind]
    return " ".join(parts) + (f", {classes:,} classes" if classes else "")

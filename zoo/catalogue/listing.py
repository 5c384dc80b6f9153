"""Names and summaries of cells, templates, presets and data sets, read without TensorFlow."""

from fnmatch import fnmatch

from seqzoo.tasks.errors import SeqzooError, nearest_of
from seqzoo.zoo.catalogue import source_docs
from seqzoo.zoo.config.docstrings import summary
from seqzoo.zoo.output import table


def listed(what: str | None, pattern: str, family: str | None = None) -> dict[str, dict[str, str]]:
    """The names that match a pattern: kind -> name -> description; of all kinds if `what` is None.

    Raises:
        SeqzooError: the family of cells does not exist.
    """
    registry = source_docs.registry()
    families = dict.fromkeys(entry.family for entry in registry.values())
    if family is not None and family not in families:
        raise SeqzooError(
            f"There is no family of cells named {family!r}{nearest_of(family, families)}"
        )
    sections = {
        "cells": _cells,
        "templates": _templates,
        "presets": _presets,
        "datasets": _datasets,
    }
    results = {kind: sections[kind]() for kind in ([what] if what else sections)}
    return {
        kind: {
            name: text
            for name, text in entries.items()
            if fnmatch(name, pattern) and (family is None or registry[name].family == family)
        }
        for kind, entries in results.items()
    }


def listing(what: str | None, pattern: str, family: str | None = None) -> str:
    """The names that match, as tables.

    Raises:
        SeqzooError: no name matches.
    """
    result = listed(what, pattern, family)
    if not any(result.values()):
        raise SeqzooError(f"There are no {' or '.join(result)} whose names match {pattern!r}.")
    if what == "cells":
        return _cell_table(list(result["cells"])) + "\n"
    parts = [
        table([kind, ""], [[name, text] for name, text in entries.items()])
        for kind, entries in result.items()
        if entries
    ]
    return "\n\n".join(parts) + "\n"


def _cells() -> dict[str, str]:
    return {name: entry.summary for name, entry in source_docs.registry().items()}


def _cell_table(names: list[str]) -> str:
    rows = []
    for name in names:
        entry = source_docs.registry()[name]
        states, parameters = source_docs.sizes()[name]
        parallel = "yes" if entry.parallel else ""
        cells = [entry.family, str(entry.year), str(entry.products), parallel, str(states)]
        rows.append([name, *cells, f"{parameters:,}", entry.summary])
    headers = ["cell", "family", "year", "products", "parallel", "states"]
    return table([*headers, "parameters at 128 units", ""], rows)


def _templates() -> dict[str, str]:
    from seqzoo.tasks import TEMPLATES

    return {name: summary(template) for name, template in TEMPLATES.items()}


def _presets() -> dict[str, str]:
    from seqzoo.zoo.presets import PRESETS

    return {name: preset.description for name, preset in PRESETS.items()}


def _datasets() -> dict[str, str]:
    return {name: text.partition("\n")[0] for name, text in source_docs.datasets().items()}

"""Shell completion of names, runs and files, without importing TensorFlow.

Each press of the tab key starts a process, so imports are deferred until they are needed.
"""

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem, get_completion_class

from seqzoo.zoo.catalogue import source_docs
from seqzoo.zoo.datasets import DATASETS

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

FILE, FOLDER = "file", "dir"


def script(command: click.Command, shell: str) -> str:
    """The completion script for a shell.

    Args:
        command: the command line.
        shell: "bash", "zsh" or "fish".
    """
    completion_class = get_completion_class(shell)
    if completion_class is None:
        raise LookupError(f"click has no completion for {shell}.")
    return completion_class(command, {}, "seqzoo", "_SEQZOO_COMPLETE").source()


def _completes(fallback: str, *sources: Callable[[click.Context], Iterable[str]]) -> Complete:
    """Completes names from several sources, or files or folders if no name matches."""

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        names = dict.fromkeys(name for source in sources for name in source(ctx))
        items = [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return items or [CompletionItem(incomplete, type=fallback)]

    return complete


def _templates(_: click.Context) -> Iterable[str]:
    from seqzoo.tasks import TEMPLATES

    return TEMPLATES


def _presets(_: click.Context) -> Iterable[str]:
    from seqzoo.zoo.presets import PRESETS

    return PRESETS


def _trained(_: click.Context) -> Iterable[str]:
    from seqzoo.zoo.pretrained import list_trained

    return list_trained()


def _cells(_: click.Context) -> Iterable[str]:
    return source_docs.registry()


def _datasets(_: click.Context) -> Iterable[str]:
    return DATASETS


def _runs(_: click.Context) -> Iterable[str]:
    from seqzoo.tasks.runs.layout import runs_in

    return runs_in("runs")


KINDS = {
    "cells": _cells,
    "templates": _templates,
    "presets": _presets,
    "datasets": _datasets,
}
"""The kinds that `seqzoo list` lists, and the names of each kind."""


def _of_listed_kind(ctx: click.Context) -> Iterable[str]:
    kind = ctx.params.get("what")
    return KINDS[kind](ctx) if kind in KINDS else ()


trainable = _completes(FILE, _presets, _templates)
everything = _completes(FILE, *KINDS.values())
of_a_kind = _completes(FILE, _of_listed_kind)
initial = _completes(FILE, _presets, _templates, _runs)
runs = _completes(FOLDER, _runs, _trained)
cells = _completes(FILE, _cells)
data = _completes(FILE, _datasets)

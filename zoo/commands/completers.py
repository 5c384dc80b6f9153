"""What a shell completes: names of what there is, read without TensorFlow, runs and files."""

from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from seqzoo.tasks import TEMPLATES
from seqzoo.tasks.runs.layout import runs_in
from seqzoo.zoo.catalogue import source_docs
from seqzoo.zoo.datasets import DATASETS
from seqzoo.zoo.presets import PRESETS
from seqzoo.zoo.pretrained import list_trained

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

FILE, FOLDER = "file", "dir"


def script(command: click.Command, shell: str) -> str:
    """What a shell reads to complete the command.

    Args:
        command: the command line.
        shell: "bash", "zsh" or "fish".
    """
    made = get_completion_class(shell)
    if made is None:
        raise LookupError(f"click completes nothing in {shell}.")
    return made(command, {}, "seqzoo", "_SEQZOO_COMPLETE").source()


def _completes(names: Callable[[click.Context], Iterable[str]], otherwise: str) -> Complete:
    """Completes names; if none fits, files or folders as the shell does."""

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found = [CompletionItem(name) for name in names(ctx) if name.startswith(incomplete)]
        return found or [CompletionItem(incomplete, type=otherwise)]

    return complete


def _kind(ctx: click.Context) -> Iterable[str]:
    kinds: dict[Any, Iterable[str]] = {
        "cells": source_docs.cells(),
        "templates": TEMPLATES,
        "presets": PRESETS,
        "datasets": DATASETS,
    }
    return kinds.get(ctx.params.get("what"), ())


def _runs(_: click.Context) -> list[str]:
    return runs_in("runs")


trainable = _completes(lambda _: [*PRESETS, *TEMPLATES], FILE)
everything = _completes(lambda _: [*source_docs.cells(), *TEMPLATES, *PRESETS, *DATASETS], FILE)
of_a_kind = _completes(_kind, FILE)
initial = _completes(lambda ctx: [*PRESETS, *TEMPLATES, *_runs(ctx)], FILE)
runs = _completes(lambda ctx: [*_runs(ctx), *list_trained()], FOLDER)
cells = _completes(lambda _: source_docs.cells(), FILE)
data = _completes(lambda _: DATASETS, FILE)

"""All commands by name: where each is defined, and its line in the overview. `seqzoo --help` and
completion of command names read only this; a command is imported when it is called.
"""

import pkgutil
from typing import NamedTuple

import click


class Command(NamedTuple):
    """A command that has not been imported yet.

    Attributes:
        location: "module:attribute" of the `click.Command`.
        summary: one line for the overview.
    """

    location: str
    summary: str

    def load(self) -> click.Command:
        """The command itself."""
        return pkgutil.resolve_name(self.location)


COMMANDS = {
    "check": Command(
        "seqzoo.zoo.commands.check:command",
        "Check data before training.",
    ),
    "train": Command(
        "seqzoo.zoo.commands.train:command",
        "Train from a preset, template or configuration file.",
    ),
    "evaluate": Command(
        "seqzoo.zoo.commands.evaluate:command",
        "Evaluate a run on held-out examples.",
    ),
    "errors": Command(
        "seqzoo.zoo.commands.errors:command",
        "Show the most confident mistakes and likely label errors.",
    ),
    "backtest": Command(
        "seqzoo.zoo.commands.backtest:command",
        "Backtest a forecaster from several origins.",
    ),
    "predict": Command(
        "seqzoo.zoo.commands.predict:command",
        "Make predictions for text arguments, standard input or a file.",
    ),
    "generate": Command(
        "seqzoo.zoo.commands.generate:command",
        "Generate text and print it verbatim.",
    ),
    "export": Command(
        "seqzoo.zoo.commands.export:command",
        "Export a run as a SavedModel, ONNX, LiteRT or Keras model.",
    ),
    "serve": Command(
        "seqzoo.zoo.commands.serve:command",
        "Serve models over HTTP, with a page to try them out.",
    ),
    "compare": Command(
        "seqzoo.zoo.commands.compare:command",
        "Compare cells at equal parameter count.",
    ),
    "search": Command(
        "seqzoo.zoo.commands.search:command",
        "Search for the best hyperparameters.",
    ),
    "inspect": Command(
        "seqzoo.zoo.commands.inspect:command",
        "Inspect a model's gradients, gates and states on its inputs.",
    ),
    "explain": Command(
        "seqzoo.zoo.commands.explain:command",
        "Show which parts of an input a prediction depends on.",
    ),
    "init": Command(
        "seqzoo.zoo.commands.init:command",
        "Write a commented configuration file.",
    ),
    "list": Command(
        "seqzoo.zoo.commands.list:command",
        "List cells, templates, presets or data sets.",
    ),
    "show": Command(
        "seqzoo.zoo.commands.show:command",
        "Show details of a cell, template, preset or data set.",
    ),
    "cache": Command(
        "seqzoo.zoo.commands.cache:command",
        "List or clear the encoded examples from large tables.",
    ),
    "doctor": Command(
        "seqzoo.zoo.commands.doctor:command",
        "Check the installation, devices and data sets.",
    ),
    "completion": Command(
        "seqzoo.zoo.commands.completion:command",
        "Print the completion script for a shell.",
    ),
}

"""A first model to train on a data set, and the time per epoch on this machine."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from seqzoo.tasks.data.column_names import join_names
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import command
from seqzoo.tasks.printable import quoted
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.zoo.data.source import HISTORY, Source
from seqzoo.zoo.presets import PRESETS

STEPS = 3_000
"""Number of optimizer steps that a first training run should have."""

EPOCHS = (3, 40)
"""Minimum and maximum number of epochs to suggest."""

UNITS = ((2_000, 32), (20_000, 64), (200_000, 128))
"""Pairs of a maximum number of training examples and the number of units to suggest."""

MANY_UNITS = 256
"""Number of units to suggest for more training examples than `UNITS` lists."""

BATCHES = ((500, 8), (50_000, 32), (300_000, 64))
"""Pairs of a maximum number of training examples and the batch size to suggest."""

LARGE_BATCH = 128
"""Batch size to suggest for more training examples than `BATCHES` lists."""

MODEL_OPTIONS = ("cell", "units", "horizon", "look_back", "image_size")
"""Suggested options that are those of a template."""

MAX_TIMED = 512
"""Maximum number of examples on which steps are timed."""

SECONDS = 5.0
"""Seconds after which timing stops."""


@dataclass(frozen=True)
class Suggestion:
    """A first training run: a baseline, not a tuned configuration.

    Attributes:
        template: the name of the template.
        options: options of the command by name, such as "units".
        command: the complete command.
        epoch_seconds: estimated seconds per epoch on this machine; None if they were not measured.
    """

    template: str
    options: Mapping[str, Any]
    command: str
    epoch_seconds: float | None = None


def of_preset(name: str) -> Suggestion:
    """The training run of a preset, with its own settings."""
    preset = PRESETS[name]
    settings = preset.training
    options = {"batch_size": settings.batch_size, "epochs": settings.epochs}
    return Suggestion(preset.task.name, options, command(f"train {name}"))


def of_data(template: Any, source: Source, typed: Mapping[str, Any], count: int) -> Suggestion:
    """A first training run on your own data.

    Args:
        template: the template with its defaults.
        source: the source.
        typed: fields of the source that the command must set.
        count: number of training examples.
    """
    batch = next((item for limit, item in BATCHES if count <= limit), LARGE_BATCH)
    minimum, maximum = EPOCHS
    options = {
        "units": next((item for limit, item in UNITS if count <= limit), MANY_UNITS),
        "batch_size": batch,
        "epochs": min(max(round(STEPS * batch / count), minimum), maximum),
    }
    if source.kind == HISTORY:
        options = {"horizon": template.horizon, "look_back": template.look_back, **options}
    if source.target_kind == "next":  # a few long examples, which are cut into windows
        options = {"units": options["units"] if count > UNITS[0][0] else UNITS[1][1]}
    if source.time_column is not None:
        options = {"cell": template.cell, **options}
    if getattr(template, "image_size", None) is not None:
        options = {"image_size": template.image_size, **options}
    arguments = ["train", template.name, "--data", quoted(source.data)]
    named = {
        name: value for name, value in typed.items() if (name, value) != ("target_kind", "class")
    }
    return Suggestion(
        template.name, options, command(" ".join([*arguments, *flags(named), *flags(options)]))
    )


def flags(fields: Mapping[str, Any]) -> list[str]:
    """Fields of a source or of settings as command-line arguments."""
    words = []
    in_rows = fields.get("kind") == "series" and fields.get("series_column") is not None
    for name, value in fields.items():
        if isinstance(value, Mapping):
            option = f"--{name.replace('_', '-').removesuffix('s')}"
            words += [f"{option} {quoted(f'{key}={item}')}" for key, item in value.items()]
            continue
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif value not in (None, False):
            several = [value] if name == "input" and not in_rows else value
            shown = (
                join_names([*map(str, several)])
                if isinstance(several, list | tuple)
                else str(value)
            )
            words.append(f"{flag} {quoted(shown)}")
    return words


def timed(suggestion: Suggestion, template: Any, examples: Examples) -> Suggestion:
    """The suggestion with the measured time per epoch."""
    import tensorflow as tf

    from seqzoo.tasks.data.batches import Padding
    from seqzoo.tasks.training.step import Loop

    options = dict(suggestion.options)
    model_options = {name: options.pop(name) for name in MODEL_OPTIONS if name in options}
    template = replace(template, **model_options)
    settings: TrainingSettings = replace(template.default_settings, **options)
    task = template.adapt(examples)
    sample = examples.pick(examples.spread(MAX_TIMED)) if len(examples) > MAX_TIMED else examples
    data = task.data(sample)
    padding = Padding.choose(data, 1, settings.batch_size)
    plan = data.plan(padding, settings, seed=(0, 0))
    loop = Loop(task, settings, len(plan), tf.distribute.get_strategy())
    began, seconds = time.perf_counter(), []
    while True:
        last = time.perf_counter()
        for _ in loop.train(data, plan):
            now = time.perf_counter()
            seconds.append(now - last)
            last = now
            if now - began > SECONDS and len(seconds) > 3:
                break
        if last - began > SECONDS or len(seconds) > 20:
            break
        loop.next_epoch()
    steady = sorted(seconds[1:] or seconds)  # the first step includes tracing and compilation
    steps = len(examples) / len(sample) * len(plan)
    return replace(suggestion, epoch_seconds=steady[len(steady) // 2] * steps)

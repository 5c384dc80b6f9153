"""Command-line options are made from the fields of settings."""

from collections import defaultdict
from dataclasses import fields
from typing import Any

import pytest
from cli_cases import seqzoo

from seqzoo.tasks import TEMPLATES, Decoding, TrainingSettings
from seqzoo.tasks.fields import NotTyped, Range, hints_of, note
from seqzoo.zoo.commands.registry import COMMANDS
from seqzoo.zoo.config import docstrings
from seqzoo.zoo.config.options import (
    TASK_NAMES,
    _first_sentence,
    decoding_options,
    option_of,
    source_options,
    task_options,
    training_options,
)
from seqzoo.zoo.config.toml_reader import read_config
from seqzoo.zoo.data.source import Source

KINDS: list[Any] = [*TEMPLATES.values(), TrainingSettings, Source, Decoding]
OPTIONS = source_options() | task_options() | training_options() | decoding_options()
NOT_TYPED = {(Source, "seed"), (Source, "fold"), (Decoding, "count")}


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_an_option_of_a_command_or_says_why_not(kind) -> None:
    command = "predict" if kind is Decoding else "train"
    typed = {name for parameter in COMMANDS[command].load().params for name in parameter.opts}
    for field in fields(kind):
        reason = note(hints_of(kind)[field.name], NotTyped)
        assert ((kind, field.name) in NOT_TYPED) == (reason is not None)
        if reason is not None:
            assert reason.reason and not option_of(kind, field.name)
        else:
            assert option_of(kind, field.name) in typed


def test_fields_of_one_name_have_one_meaning() -> None:
    sentences = defaultdict(set)
    for template in TEMPLATES.values():
        for name, text in docstrings.choices(template).items():
            sentences[name].add(_first_sentence(text))
    several = {name for name, sentence in sentences.items() if len(sentence) > 1}
    assert several == {"input", "target", "pooling"}
    assert "pooling" in OPTIONS and TASK_NAMES.keys() == several - {"pooling"}


def test_pooling_is_that_of_both_templates() -> None:
    found = task_options()["pooling"].help
    assert "Pooling over time" in found and "(many-to-one)" in found
    assert "feature map" in found and found.endswith("(one-to-many).")


@pytest.mark.parametrize("name", OPTIONS)
def test_help_is_a_sentence_with_range_and_default(name) -> None:
    option = OPTIONS[name]
    sentence, _, remarks = option.help.partition(" [")
    assert sentence[0].isupper() and sentence.endswith(".") and "None" not in option.help
    assert len(sentence) < 260
    ranges = [
        str(note(hints_of(kind)[name], Range) or "")
        for kind in KINDS
        if name in hints_of(kind) and option_of(kind, name)
    ]
    if len(set(ranges)) == 1 and ranges[0]:
        assert remarks.startswith(ranges[0])


def test_examples_of_help() -> None:
    assert OPTIONS["cell_options"].flags == "--cell-option"
    assert OPTIONS["cell_options"].help == "Options of the cell, as NAME=VALUE; repeatable."
    assert OPTIONS["lowercase"].flags == "--lowercase/--keep-case"
    assert OPTIONS["nfc"].flags == "--nfc/--no-nfc"
    assert decoding_options()["maximum_length"].flags == "--maximum-length"
    assert OPTIONS["limit"].help.endswith(" [at least 1; default: all]")
    assert OPTIONS["clip_norm"].help.endswith(" [above 0 and finite; none: no clipping]")
    assert OPTIONS["target_kind"].help.endswith(" [default: the template's]")
    assert OPTIONS["repetition_penalty"].help == (
        "Repetition penalty (CTRL, Keskar et al. 2019); 1 disables it. [above 0; default: 1]"
    )


def test_none_can_be_typed(tmp_path) -> None:
    file = tmp_path / "a.toml"
    new = ["init", "many-to-one", "--kind", "words", "--force", "--output", file]
    result = seqzoo(*new, "--clip-norm", "none", "--warmup-steps", "none", "--patience", 3)
    assert result.exit_code == 0, result.output
    settings = read_config(str(file)).settings
    assert (settings.clip_norm, settings.warmup_steps, settings.patience) == (None, None, 3)
    for average, weight in (("ema", "balanced"), (None, None)):
        typed = ("--average", average or "none", "--class-weight", weight or "none")
        assert seqzoo(*new, *typed).exit_code == 0
        settings = read_config(str(file)).settings
        assert (settings.average, settings.class_weight) == (average, weight)
    assert "'--average': must be one of" in seqzoo(*new, "--average", "non").stderr
    message = seqzoo(*new, "--clip-norm", "nought").stderr
    assert "'--clip-norm': 'nought' is not a valid float" in message


def test_a_tab_can_be_typed_by_its_name(tmp_path) -> None:
    for text in ("tab", r"\t", "\t"):
        file = tmp_path / "a.toml"
        new = ["init", "many-to-one", "--kind", "words", "--force", "--output", file]
        assert seqzoo(*new, "--delimiter", text).exit_code == 0
        assert read_config(str(file)).source.delimiter == "\t"

"""The command line's help: quick, complete, and consistent with the documentation."""

import itertools
import os
import re
import resource
import shlex
import subprocess
import sys
import tomllib
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

import click
import pytest
from cli_cases import ROOT, seqzoo

from seqzoo.tasks import TEMPLATES, TrainingSettings, startup
from seqzoo.zoo.commands import options, reference, registry
from seqzoo.zoo.config.toml_reader import read_config
from seqzoo.zoo.data.source import SUFFIXES, Source
from seqzoo.zoo.datasets import DATASETS

COMMANDS = {name: entry.load() for name, entry in registry.COMMANDS.items()}


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    program = (
        "import sys, seqzoo.cli\n"
        "try: seqzoo.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = ('tensorflow', 'keras', 'tensorflow_datasets', 'numpy', 'rich')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    # CPU time, since other work may share the machine.
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
    )
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert result.stdout.endswith("\n[]\n") and not result.stderr, result
    seconds = ended.ru_utime - began.ru_utime + ended.ru_stime - began.ru_stime
    assert seconds < 0.5


def test_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert seqzoo("--version").stdout == f"seqzoo {version}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help_and_examples(name) -> None:
    command = COMMANDS[name]
    assert "Examples:" in (command.help or "") and f"seqzoo {name}" in (command.help or "")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help and parameter.help.endswith((".", "]")), parameter.name
    shown = seqzoo(name, "--help")
    assert shown.exit_code == 0
    # Each option is below the heading of its subject.
    for subject, listed in itertools.groupby(
        (item for item in command.params if isinstance(item, options.Grouped) and not item.hidden),
        lambda item: item.subject,
    ):
        section = shown.stdout.partition(f"{subject} options:\n")[2].partition("\n\n")[0]
        assert all(option.opts[0] in section for option in listed), subject


def test_examples_name_options_that_there_are() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    texts = [command.help or "" for command in COMMANDS.values()]
    for page in pages:
        texts += re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    lines = [line for text in texts for line in re.findall(r"^\s*seqzoo (.*)$", text, re.M)]
    assert len(lines) > 20
    for line in lines:
        words = shlex.split(re.sub("[<>]", " ", line), comments=True)
        command = COMMANDS[words[0]]
        known = {name for p in command.params for name in [*p.opts, *p.secondary_opts]}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_page_of_the_command_line_has_every_command() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    order = ["check", "train", "evaluate", "errors", "backtest", "predict", "generate"]
    order += ["export", "serve", "compare", "search", "inspect", "explain", "init"]
    order += ["list", "show", "cache", "doctor", "completion"]
    assert re.findall(r"^\| `seqzoo (\w+)", page, re.M) == order
    assert order == list(COMMANDS)


def test_page_has_every_option_as_the_help_has_it() -> None:
    page = (ROOT / "docs" / "cli-reference.md").read_text(encoding="utf-8")
    # Otherwise write it again: python -m docs.write_options
    assert page == reference.updated(page)
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    tables = {section.splitlines()[0]: section for section in sections}
    assert len(tables) == len(sections) == len(COMMANDS) + 4
    for name, command in COMMANDS.items():
        (table,) = (text for title, text in tables.items() if re.match(rf"`seqzoo {name}\b", title))
        shared = re.findall(r"\[(\w+)\]\(#\w+-options\)", table)
        text = table + "".join(tables[f"{title.capitalize()} options"] for title in shared)
        options = [
            param
            for param in command.params
            if isinstance(param, click.Option) and not param.hidden
        ]
        assert text.count("\n| `--") == len(options)
        for option in options:
            flags = "/".join([", ".join(option.opts), *option.secondary_opts])
            row = f"| `{flags}` | {str(option.help).replace('|', chr(92) + '|')}"
            assert text.count(row) == 1, row


def test_help_of_every_option_is_in_the_terminal_too() -> None:
    for name, command in COMMANDS.items():
        text = seqzoo(name, "--help").stdout
        for param in command.params:
            hidden = getattr(param, "hidden", False)
            for item in [*param.opts, *param.secondary_opts]:
                assert not item.startswith("--") or (item in text) != hidden, (name, item)


def test_only_known_startup_noise_is_suppressed(capfd) -> None:
    noise = [
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
        "I0000 00:00:17 1 cudart_stub.cc:31] Could not find cuda drivers on your machine",
        "I0000 00:00:17 1 port.cc:153] oneDNN custom operations are on. You may see slightly",
        "E0000 00:00:17 1 util.cc:131] oneDNN supports DT_BOOL only on platforms with AVX-512. Fa",
        "E0000 00:00:17 1 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error: Failed "
        "call to cuInit: UNKNOWN ERROR (303)",
    ]
    real = ["E0000 cuda_platform.cc:52] failed call to cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"]
    with pytest.raises(ImportError), startup._filtered_errors():
        os.write(2, "\n".join([*noise, *real, ""]).encode())
        raise ImportError
    assert capfd.readouterr().err.splitlines() == real


def test_every_choice_can_be_typed() -> None:
    typed = {parameter.name for parameter in COMMANDS["train"].params}
    named = {"input": "kind", "target": "target_kind"}
    kinds: list[Any] = [*TEMPLATES.values(), TrainingSettings, Source]
    for kind in kinds:
        for field in fields(kind):
            if (kind, field.name) == (Source, "fold"):
                continue  # set by --folds
            assert field.name in typed, (kind, field.name)
            assert kind is Source or named.get(field.name, field.name) in typed


def test_values_of_an_option_are_those_of_all_templates() -> None:
    options = {parameter.name: parameter.type for parameter in COMMANDS["train"].params}
    named = {"input": "kind", "target": "target_kind"}
    for template in TEMPLATES.values():
        for name, hint in get_type_hints(template).items():
            if get_origin(hint) is Literal:
                option = options[named.get(name, name)]
                assert isinstance(option, click.Choice)
                assert set(get_args(hint)) <= set(option.choices), (template, name)


@pytest.mark.parametrize(
    "words, name, value",
    [
        (["--pooling", "flatten"], "pooling", "flatten"),
        (["--filters", "8,16"], "filters", (8, 16)),
        (["--image-size", "20,30"], "image_size", (20, 30)),
        (["--encoder", "MobileNetV2", "--frozen"], "frozen", True),
        (["--normalization", "batch"], "normalization", "batch"),
        (["--lowercase-targets"], "lowercase_targets", True),
    ],
)
def test_choices_of_images_reach_the_template(tmp_path, words, name, value) -> None:
    file = tmp_path / "a.toml"
    result = seqzoo("init", "one-to-many", *words, "--output", file)
    assert result.exit_code == 0, result.output
    results = getattr(read_config(str(file)).task, name)
    assert (tuple(results) if isinstance(value, tuple) else results) == value


def test_filters_of_a_preset_are_turned_off(tmp_path) -> None:
    file = tmp_path / "a.toml"
    for words, filters in (([], [16, 32]), (["--filters", "none"], [])):
        result = seqzoo("init", "line-reader", *words, "--output", file, "--force")
        assert result.exit_code == 0, result.output
        assert list(read_config(str(file)).task.filters) == filters


def test_unsupported_pooling_is_named() -> None:
    new = ["init", "one-to-many", "--output", "-"]
    assert "`pooling` must be one of 'mean', 'flatten', got 'max'" in (
        seqzoo(*new, "--pooling", "max").stderr
    )
    assert "whole numbers such as 32,64, got '8;9'" in seqzoo(*new, "--filters", "8;9").stderr


def test_help_of_data_names_all_data_sets_and_formats() -> None:
    (option,) = (parameter for parameter in COMMANDS["train"].params if parameter.name == "data")
    assert isinstance(option, click.Option) and option.help
    for name in (*DATASETS, *SUFFIXES, "tfds:NAME", "folder"):
        assert name in option.help

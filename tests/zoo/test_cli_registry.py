"""The registry of commands: complete, and read without importing them."""

import inspect
import subprocess
import sys

import pytest
from cli_cases import ROOT, seqzoo

from seqzoo.zoo.commands.registry import COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_a_file_of_its_name(name) -> None:
    command = COMMANDS[name].load()
    assert command.name == name
    assert COMMANDS[name].location == f"seqzoo.zoo.commands.{name}:command"
    assert COMMANDS[name].summary.endswith(".") and len(COMMANDS[name].summary) < 64
    overview = seqzoo("--help").stdout
    assert f"{COMMANDS[name].summary}\n" in overview


def test_each_file_of_a_command_is_registered() -> None:
    folder = ROOT / "zoo" / "commands"
    results = {path.stem for path in folder.glob("*.py") if "@click.command(" in path.read_text()}
    assert results == set(COMMANDS)


def test_a_misspelled_command_suggests_the_nearest() -> None:
    result = seqzoo("trian")
    assert result.exit_code == 2
    assert result.stderr == "Error: No such command 'trian'; did you mean 'train'?\n"
    assert seqzoo("zzz").stderr == "Error: No such command 'zzz'.\n"


@pytest.mark.parametrize(
    "shell, text",
    [
        ("", "Usage: seqzoo"),
        ("bash_complete", "plain,check\nplain,compare\nplain,cache\nplain,completion\n"),
    ],
)
def test_overview_and_names_import_no_command(shell, text) -> None:
    program = (
        "import os, sys, seqzoo.cli\n"
        "if sys.argv[1]:\n"
        " os.environ.update(_SEQZOO_COMPLETE=sys.argv[1], COMP_WORDS='seqzoo c', COMP_CWORD='1')\n"
        "try: seqzoo.cli.main(['--help'], prog_name='seqzoo')\n"
        "except SystemExit: pass\n"
        "rooms = ('commands.', 'data', 'presets', 'config')\n"
        "print([name for name in sys.modules for room in rooms\n"
        "       if name.startswith(f'seqzoo.zoo.{room}')])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, shell], cwd=ROOT, capture_output=True, text=True
    )
    imported = ["seqzoo.zoo.commands.program", "seqzoo.zoo.commands.registry"]
    assert result.stdout.startswith(text), result
    assert result.stdout.splitlines()[-1] == repr(imported)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_defines_nothing_but_itself(name) -> None:
    assert COMMANDS[name].load()
    module = sys.modules[f"seqzoo.zoo.commands.{name}"]
    functions = [value for value in vars(module).values() if inspect.isfunction(value)]
    assert [function for function in functions if function.__module__ == module.__name__] == []

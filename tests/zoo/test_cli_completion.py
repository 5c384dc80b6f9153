"""Shell completion: names, runs and files, found without TensorFlow."""

import subprocess
import sys
from collections.abc import Iterable

import pytest
from cli_cases import ROOT, seqzoo
from click.shell_completion import ShellComplete

from seqzoo.cli import main
from seqzoo.tasks import TEMPLATES
from seqzoo.zoo.catalogue import source_docs
from seqzoo.zoo.datasets import DATASETS
from seqzoo.zoo.presets import PRESETS
from seqzoo.zoo.pretrained import list_trained


def completed(*words: str) -> list[tuple[str, str]]:
    """Type and value of what the last word may become."""
    complete = ShellComplete(main, {}, "seqzoo", "_SEQZOO_COMPLETE")
    result = complete.get_completions(list(words[:-1]), words[-1])
    return [(item.type, item.value) for item in result]


def plain(names) -> list[tuple[str, str]]:
    return [("plain", name) for name in names]


def beginning(letters: str, names: Iterable[str]) -> list[str]:
    """The names that begin with some letters."""
    return [name for name in names if name.startswith(letters)]


@pytest.mark.parametrize(
    "words, names",
    [
        (["tr"], ["train"]),
        (["train", ""], [*PRESETS, *TEMPLATES]),
        (["train", "mnist-r"], ["mnist-rows"]),
        (["train", "language-id", "--cell", ""], source_docs.cells()),
        (["train", "language-id", "--cell", "ga"], beginning("ga", source_docs.cells())),
        (["train", "language-id", "--recurrent"], ["--recurrent-dropout"]),
        (["train", "many-to-one", "--kind", "ro"], ["rows"]),
        (["train", "many-to-one", "--data", "lang"], ["languages"]),
        (["show", ""], [*source_docs.cells(), *TEMPLATES, *PRESETS, *DATASETS]),
        (["list", "da"], ["datasets"]),
        (["list", "cells", "l"], beginning("l", source_docs.cells())),
        (["list", "datasets", "l"], ["languages"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
    ],
)
def test_names(words, names) -> None:
    assert completed(*words) == plain(names)


def test_runs_and_files(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "other"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.json").touch()
    (tmp_path / "runs" / "no-run").mkdir()
    for command in ("evaluate", "predict", "generate", "export"):
        assert completed(command, "") == plain(["runs/one", "runs/other", *list_trained()])
    assert completed("predict", "runs/ot") == plain(["runs/other"])
    assert completed("predict", "elsewhere/") == [("dir", "elsewhere/")]
    assert completed("init", "runs/on") == plain(["runs/one"])
    assert completed("train", "mine") == [("file", "mine")]
    assert completed("train", "language-id", "--data", "revi") == [("file", "revi")]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_call_the_command(shell) -> None:
    result = seqzoo("completion", shell)
    assert result.exit_code == 0
    assert f"_SEQZOO_COMPLETE={shell}_complete" in result.stdout and "seqzoo" in result.stdout


def test_other_shells_are_an_error() -> None:
    result = seqzoo("completion", "tcsh")
    assert result.exit_code == 2 and "one of bash, zsh, fish, got 'tcsh'" in result.stderr


def test_completing_imports_nothing_heavy() -> None:
    program = (
        "import os, sys, seqzoo.cli\n"
        "os.environ.update(_SEQZOO_COMPLETE='bash_complete', COMP_WORDS='seqzoo show g',\n"
        "                  COMP_CWORD='2')\n"
        "try: seqzoo.cli.main(prog_name='seqzoo')\n"
        "except SystemExit: pass\n"
        "print([name for name in ('tensorflow', 'keras', 'numpy') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    names = beginning("g", [*source_docs.cells(), *TEMPLATES, *PRESETS, *DATASETS])
    assert {"gru", "glyph-captioner", "glyphs"} <= set(names)
    assert result.stdout == "".join(f"plain,{name}\n" for name in names) + "[]\n", result

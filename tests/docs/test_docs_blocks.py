"""Follows README and docs from top to bottom: every code block is run, in the page's order.

Python blocks are run unchanged. Commands are run unchanged, except that training runs and
evaluations are made short by additional options and run Keras' loop, which costs no compilation, in
a folder with the files that the page names. Independent blocks are separate tests."""

import functools
import os
import pathlib
import re
import sys

import page_stage
import pytest
from cell_names import BEFORE_RELEASES
from cli_cases import ROOT, seqzoo
from click.testing import Result
from page_blocks import Block, Command, blocks_of, commands_of, parts_of

from seqzoo.cells import portable
from seqzoo.tasks.one_to_many import convolutions
from seqzoo.tasks.runs.run import Run
from seqzoo.zoo.data.open import open_examples
from seqzoo.zoo.data.source import Source

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

ELSEWHERE = {
    "python3.11 -m venv ": "an environment: .ci/run makes it",
    ". .venv/": "an environment: .ci/run enters it",
    "python -m pip install ": "an installation: .ci/run does it",
    "python -m pytest ": "all tests: .ci/run runs them",
    "docker run ": "a server to be downloaded",
    "curl ": "a request to a server",
    "seqzoo serve ": "a server that runs until it is stopped: tests of it start it",
    "python predict.py ": "a program on a device",
}
"""Beginnings of commands that are not run here, and why; all others must be `seqzoo`."""

OTHER_LANGUAGES = ("html", "kotlin", "cpp", "rust", "bash", "yaml", "toml")
"""Languages of programs, and of scripts of clusters, that are not run here."""

FIRST_READ = ("README.md", "index.md", "tutorial.md")
"""The pages that a newcomer reads first."""

COVERED = ("deployment.md", "forecasts.md")
"""Pages whose commands slow tests of exports and forecasts run as well: left to releases."""

NOTEBOOKS = ("gradients.md", "keras.md")
"""Pages whose Python blocks use what earlier ones defined."""

EQUATION = re.compile(r"\w = ")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> pathlib.Path:
    """A home folder."""
    folder = tmp_path_factory.mktemp("home")
    (folder / ".config" / "fish" / "completions").mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def data_sets(home) -> pathlib.Path:
    """Prepared data sets in the home folder, but for the built-in ones."""
    folder = home / "tensorflow_datasets"
    page_stage.write_data_sets(folder)
    return folder


@pytest.fixture
def stage(home, part, tmp_path, monkeypatch, request) -> pathlib.Path:
    """The current folder, with the files that pages name."""
    if request.node.get_closest_marker("slow"):  # it trains
        folder = request.getfixturevalue("data_sets")
        code = "".join(block.code for block in part)
        page_stage.write_embedded(folder, code, request.getfixturevalue("embedded"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TFDS_DATA_DIR", str(home / "tensorflow_datasets"))
    page_stage.write_files(tmp_path)
    module = convolutions.application_module("MobileNetV2")
    network = module.MobileNetV2  # whose weights would be downloaded
    monkeypatch.setattr(
        module, "MobileNetV2", lambda **given: network(**{**given, "weights": None})
    )
    return home


def _parts() -> list:
    """The parts of all pages. Those that train or export are slow, and but for the pages that a
    newcomer reads, all after the first one of a page are left to releases."""
    found = []
    for path in PAGES:
        slow = 0
        for part in [blocks_of(path)] if path.name in NOTEBOOKS else parts_of(path):
            commands = "".join(block.code for block in part if block.language == "sh")
            trains = re.search(
                f"seqzoo (train|compare|check|export)|runs/({'|'.join(page_stage.RUNS)})", commands
            )
            if path.name != "README.md":
                code = "".join(block.code for block in part if block.language == "python")
                trains = trains or re.search(r"\btrain\(|\.fit\(|\.export\(|Recurrent\(", code)
            slow += bool(trains)
            # A search reads a whole data set.
            marks = [pytest.mark.slow] if trains or "--search" in commands else []
            if trains and (slow > 1 or path.name in COVERED) and path.name not in FIRST_READ:
                marks = BEFORE_RELEASES
            if "seqzoo compare" in commands:  # a process for each of many training runs
                marks = BEFORE_RELEASES
            found.append(pytest.param(part, id=f"{path.name}:{part[0].line}", marks=marks))
    return found


@pytest.mark.parametrize("part", _parts())
def test_a_page_can_be_followed(part: list[Block], stage, monkeypatch) -> None:
    if not any('report["difference"]' in block.code for block in part):
        # Comparing an export starts TensorFlow once more: done where a page shows what came out,
        # and by the tests of exports.
        monkeypatch.setattr(Run, "export", functools.partialmethod(Run.export, check=False))
    # Each export has a predict.py, which pages import from its folder.
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "predict", raising=False)
    notebook = {"__name__": "__main__"}
    for block in part:
        path = block.path
        location = f"{path.relative_to(ROOT)}, block of line {block.line}"
        if block.language == "python":
            if 'format="onnx"' in block.code:
                pytest.importorskip("onnxruntime")
            if "import pandas" in block.code:
                pytest.importorskip("pandas")
            # The newlines make a traceback name the line of the page.
            code = compile("\n" * (block.line - 1) + block.code, str(path), "exec")
            exec(code, notebook if path.name in NOTEBOOKS else {"__name__": "__main__"})
        elif block.language == "sh":
            with portable():
                for command in commands_of(block.code, stage):
                    _run(command, location)
        elif block.language not in OTHER_LANGUAGES:
            _compare(block, stage, location)


def _run(command: Command, location: str) -> None:
    if " ".join(command.words).startswith(tuple(ELSEWHERE)):
        return
    result = _answered(command)
    assert result.exit_code == 0, f"{location}: {' '.join(command.words)}: {result.stderr}"
    if command.stdout:
        pathlib.Path(command.stdout).write_text(result.stdout, encoding="utf-8")


def _answered(command: Command) -> Result:
    program, *words = command.words
    assert program == "seqzoo", f"{program} is run by no test"
    for before, word in zip(["", *words], words, strict=False):
        if re.fullmatch(r"runs/[\w-]+", word) and not pathlib.Path(word).exists():
            if words[0] != "train" or before == "--from":
                page_stage.stage_run(word.removeprefix("runs/"))
    if words[0] == "train":
        shrink = " ".join(page_stage.SHRINK)
        if "--from" in words:  # its layers are as large as those of the run
            shrink = shrink.replace("--units 6 ", "")
        words += shrink.split()
        if any(word.startswith("tfds:") for word in words) and "--data-dir" not in words:
            # tfds has read the variable when it was imported.
            words += ["--data-dir", os.environ["TFDS_DATA_DIR"]]
    elif words[0] == "compare":
        words += [*(word for word in page_stage.SHRINK if word != "--quiet")]
        words += ["--seeds", "1", "--cells", "gru,vanilla"]
    elif words[0] == "evaluate":
        words += ["--limit", "20"]
    given = pathlib.Path(command.stdin).read_bytes() if command.stdin else None
    return seqzoo(*words, stdin=given)


def _is_table(code: str) -> bool:
    """Whether it can be trained on unchanged."""
    pathlib.Path("page.csv").write_text(code, encoding="utf-8")
    source = Source("page.csv", "words", input="text", target="label")
    return len(open_examples(source, "all").inputs) == code.count("\n") - 1


def _compare(block: Block, home: pathlib.Path, location: str) -> None:
    """A block of text is a table, equations, or commands after "$" with what they print."""
    if not block.code.startswith("$ "):
        assert EQUATION.match(block.code) or _is_table(block.code), location
        return
    for part in re.split(r"^\$ ", block.code, flags=re.MULTILINE)[1:]:
        line, _, expected = part.partition("\n")
        (command,) = commands_of(line, home)
        result = _answered(command)
        pattern = re.escape(expected.strip()).replace(re.escape("..."), ".*")
        assert re.fullmatch(pattern, result.output.strip()), f"{location}: {result.output}"

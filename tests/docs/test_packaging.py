"""The wheel contains all that it must and nothing else; both lists of dependencies are equal."""

import os
import pathlib
import subprocess
import sys
import tomllib
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("cells", "tasks", "zoo")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The built wheel: the one that SEQZOO_TEST_WHEEL names, else built here."""
    if os.environ.get("SEQZOO_TEST_WHEEL"):
        return pathlib.Path(os.environ["SEQZOO_TEST_WHEEL"])
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, ROOT]
    result = subprocess.run(command, capture_output=True, text=True)
    output = result.stdout + result.stderr
    if "No module named pip" in output or "No matching distribution found for hatchling" in output:
        pytest.skip("building a wheel needs pip and a package index that offers hatchling")
    assert result.returncode == 0, output
    return next(folder.glob("seqzoo-*.whl"))


def _sources() -> set[str]:
    """Every file that the wheel must contain, as its path inside the checkout."""
    found = {"__init__.py", "__main__.py", "cli.py", "saving.py"} & set(os.listdir(ROOT))
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            hidden = path.name.startswith(".") or "__pycache__" in path.parts
            if path.is_file() and not hidden:
                found.add(path.relative_to(ROOT).as_posix())
    return found


def test_requirements_equal_the_dependencies_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == project["dependencies"]


@pytest.mark.slow
def test_wheel_installs_under_seqzoo_alone(wheel: pathlib.Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"seqzoo"}
    assert len(tops) == 2  # the package and its metadata


@pytest.mark.slow
def test_wheel_holds_every_file_of_the_package(wheel: pathlib.Path) -> None:
    # Data files too: a pattern of .gitignore that matches one would drop it without a word.
    with zipfile.ZipFile(wheel) as archive:
        held = {
            name.removeprefix("seqzoo/") for name in archive.namelist() if "dist-info" not in name
        }
        assert held == _sources()
        for name in held:
            assert archive.read(f"seqzoo/{name}") == (ROOT / name).read_bytes(), name


@pytest.mark.slow
def test_package_imports_and_its_data_open_from_the_wheel(wheel: pathlib.Path, tmp_path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    program = """
import importlib.resources, os, sys
import seqzoo
files = importlib.resources.files("seqzoo")
assert str(files).startswith(sys.path[0]), files
def walk(folder):
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from walk(entry)
        else:
            yield entry.read_bytes()
assert len(list(walk(files))) > 1
"""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    program = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n{program}"
    subprocess.run([sys.executable, "-I", "-c", program], cwd=tmp_path, env=environment, check=True)
    command = [sys.executable, "-m", "seqzoo", "list", "cells"]
    subprocess.run(command, cwd=tmp_path / "site", env=environment, check=True)


def test_the_module_is_the_command() -> None:
    words = [sys.executable, "-m", "seqzoo", "show", "nothing"]
    result = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1
    assert "`python -m seqzoo list`" in result.stderr


def test_root_package_imports_almost_nothing() -> None:
    # The command line starts at once, and pytest imports the root `__init__.py` under the folder's
    # name.
    code = "import sys, seqzoo; print([name for name in ('keras', 'numpy') if name in sys.modules])"
    words = [sys.executable, "-c", code]
    result = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"

"""Mutation testing: one mistake at a time is put into a copy of the code, and tests must fail.

    python -m benchmarks.mutations [--only PATTERN] [--jobs N]

Each group in `mutation_groups` has a file, the tests that must catch its mutations, and the
mutations: a text that occurs once in the file, and its replacement. Every mutation changes what the
code does. The tests of a group must first pass on the unchanged code. A mutation is killed if a
test then fails, and survives if all pass; the exit code is 1 unless all are killed.

TensorFlow is imported once. Each run of tests is a fork of that process, from before any operation
has run, and imports everything else from the copy.
"""

import argparse
import ast
import compileall
import contextlib
import fnmatch
import os
import pathlib
import py_compile
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from benchmarks.mutation_groups import GROUPS, Group

ROOT = pathlib.Path(__file__).resolve().parents[1]
SECONDS = 300
"""Time limit of a run of tests; if it is exceeded, the mutation counts as killed (endless loop)."""


class Mutation(NamedTuple):
    """One replacement in a file."""

    group: Group
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.group.file}: {' '.join(self.old.split())} -> {' '.join(self.new.split())}"

    def source(self, folder: pathlib.Path = ROOT) -> str:
        """The file's text after the replacement.

        Args:
            folder: the checkout, or a copy.

        Raises:
            ValueError: the old text does not occur in the file exactly once, or the mutation does
                not change the code.
        """
        before = (folder / self.group.file).read_text(encoding="utf-8")
        count = before.count(self.old)
        if count != 1:
            raise ValueError(f"{self}: the old text must occur once in the file, got {count}.")
        after = before.replace(self.old, self.new)
        if _code(before) == _code(after):
            raise ValueError(f"{self}: only a docstring or a comment is changed.")
        return after


MUTATIONS = [Mutation(group, *pair) for group in GROUPS for pair in group.mutations.items()]


def _code(source: str) -> str:
    """The syntax tree without docstrings, as text."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = None
    return ast.dump(tree)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Mutation testing: tests must catch each mistake.")
    parser.add_argument(
        "--only", default="*", help="pattern of a file or of `file: old -> new`, such as '*crf*'"
    )
    parser.add_argument("--jobs", type=int, default=1, help="number of copies to test in parallel")
    return parser.parse_args()


def _copy(folder: pathlib.Path) -> pathlib.Path:
    """Copies and compiles the checkout.

    Compiled files are validated by content, since a mutated file may have the modification time of
    the original.
    """

    def ignore(parent: str, names: list[str]) -> list[str]:
        top = pathlib.Path(parent) == ROOT
        return [
            name
            for name in names
            if name[0] == "." or name == "__pycache__" or (top and name == "runs")
        ]

    shutil.copytree(ROOT, folder, ignore=ignore)
    mode = py_compile.PycInvalidationMode.CHECKED_HASH
    for part in ("cells", "tasks", "zoo"):
        compileall.compile_dir(folder / part, quiet=1, invalidation_mode=mode)
    return folder


@contextlib.contextmanager
def _replaced(path: pathlib.Path, source: str) -> Iterator[None]:
    before = path.read_bytes()
    path.write_text(source, encoding="utf-8")
    try:
        yield
    finally:
        path.write_bytes(before)


def _test(folder: pathlib.Path, group: Group) -> int | None:
    """pytest's exit code for a group's tests in a copy; None if they took too long."""
    child = os.fork()
    if not child:
        _run_tests(folder, group)
    began = time.monotonic()
    while time.monotonic() - began < SECONDS:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _run_tests(folder: pathlib.Path, group: Group) -> None:
    """Runs the tests in the forked process, and ends it."""
    import pytest

    code = 70
    try:
        os.setsid()
        os.chdir(folder)
        sys.dont_write_bytecode = True
        sys.path = [path for path in sys.path if pathlib.Path(path or ".").resolve() != ROOT]
        log = os.open(folder / "tests.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        only = ["-k", group.only] if group.only else []
        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *only, *group.tests.split()]))
        sys.stdout.flush()
    finally:
        os._exit(code)


class Lane:
    """A copy of the checkout in which mutations are tested."""

    def __init__(self, folder: pathlib.Path):
        self.folder = _copy(folder)

    def run(self, group: Group, mutations: list[Mutation]) -> list[Mutation]:
        """Tests a group's mutations; returns those that were not killed."""
        began = time.monotonic()
        code = _test(self.folder, group)
        if code != 0:
            log = (self.folder / "tests.log").read_text(errors="replace")
            print(
                f"broken    {group.tests} -k {group.only!r}, exit code {code}:\n{log}", flush=True
            )
            return mutations
        print(
            f"pass      {group.tests} {group.only} ({time.monotonic() - began:.0f} s)", flush=True
        )
        survivors = []
        for mutation in mutations:
            began = time.monotonic()
            with _replaced(self.folder / group.file, mutation.source(self.folder)):
                code = _test(self.folder, group)
            verdict = {1: "killed", None: "killed", 0: "survived"}.get(code, f"exit {code}")
            if verdict != "killed":
                survivors.append(mutation)
            print(f"{verdict:9} {mutation} ({time.monotonic() - began:.0f} s)", flush=True)
        return survivors


def main() -> int:
    """Runs the mutations that are requested."""
    arguments = _arguments()
    pattern = arguments.only
    selected = [
        item
        for item in MUTATIONS
        if fnmatch.fnmatchcase(item.group.file, pattern) or fnmatch.fnmatchcase(str(item), pattern)
    ]
    if not selected:
        print(f"No mutation matches {pattern!r}.")
        return 2
    for mutation in selected:
        mutation.source()
    # As in tests/conftest.py, which would set them too late here.
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "Agg"}
    import keras  # noqa: F401
    import pytest  # noqa: F401
    import tensorflow  # noqa: F401

    groups = [(group, [item for item in selected if item.group is group]) for group in GROUPS]
    groups = [(group, item) for group, item in groups if item]
    survivors: list[Mutation] = []
    with tempfile.TemporaryDirectory() as name:
        lanes = [Lane(pathlib.Path(name) / str(index)) for index in range(arguments.jobs)]
        with ThreadPoolExecutor(arguments.jobs) as pool:
            shares = [groups[index :: arguments.jobs] for index in range(arguments.jobs)]
            work = [
                pool.submit(lambda lane, share: [lane.run(*each) for each in share], lane, share)
                for lane, share in zip(lanes, shares, strict=True)
            ]
            for done in work:
                survivors += [item for part in done.result() for item in part]
    print(f"{len(selected) - len(survivors)} of {len(selected)} mutations killed.")
    for mutation in survivors:
        print(f"not killed: {mutation}")
    return int(bool(survivors))


if __name__ == "__main__":
    sys.exit(main())

"""Counts the files that a value passes through: `python -m benchmarks.walks`.

Two runs are traced, with small generated data:

- a raw training example from the command line, `train many-to-one`, to its loss;
- a text from the command line, `predict`, to its printed answer.

The counting rule: the value is the text itself and everything made from it (examples, arrays,
tensors, predictions), also inside lists, tuples, dictionaries and the package's own containers. A
call is part of the walk if its function is defined in this package, an argument contains the value,
and so does its result; or if it returns None and contains such a call or the end of the walk. Other
calls only inspect the value or prepare for it; neither they nor what they call is counted: imports,
options, settings, paths, checks, lengths, learning a vocabulary, building a network, other output.

The walk is the sequence of files that a reader would open: at each call that is part of it, the
file of the caller and then that of the called function. Repeated calls of a function by the same
caller count once.

- files: number of different files in the sequence;
- returns: how often the sequence comes back to a file that it has left.

Functions that TensorFlow traces run as Python during tracing and are counted like all others.
"""

import argparse
import contextlib
import io
import json
import pathlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = ("cells", "tasks", "zoo")

WORDS = ["qazq", "qox", "xqazqx", "zqx", "qxo", "zqqz", "xqo", "qxzxq"]
"""Texts of the examples; none of them occurs in the code."""

DEPTH = 3
"""Maximum nesting of containers that are searched for the value."""


class Call:
    """A call with the value among its arguments.

    Args:
        code: the code of its function.
        within: the call that makes it, or None.
    """

    def __init__(self, code: CodeType, within: "Call | None"):
        self.code = code
        self.within = within
        self.calls: list[Call] = []
        self.returns_value: bool | None = None  # None if the result is None
        self.is_last = False
        if within is not None:
            within.calls.append(self)

    @property
    def counts(self) -> bool:
        """Whether it is part of the walk."""
        if self.returns_value or self.is_last or any(call.reaches_last for call in self.calls):
            return True
        return self.returns_value is None and any(call.counts for call in self.calls)

    @property
    def reaches_last(self) -> bool:
        """Whether the walk ends in it."""
        return self.is_last or any(call.reaches_last for call in self.calls)


class Walk:
    """Records the calls of a walk, with `sys.setprofile`.

    Args:
        values: texts that are the value.
        last: name of the function whose first return ends the walk; None to record everything.
    """

    def __init__(self, values: set[str], last: str | None = None):
        self.values = values
        self.last = last
        self.roots: list[Call] = []
        self.ended = False
        self._calls: dict[int, Call] = {}  # of the frames on the stack, by identity

    def __enter__(self) -> "Walk":
        sys.setprofile(self._event)
        return self

    def __exit__(self, *_: Any) -> None:
        sys.setprofile(None)

    def _event(self, frame: FrameType, event: str, result: Any) -> None:
        if self.ended or not _ours(frame.f_code):
            return
        if event == "return":
            call = self._calls.pop(id(frame), None)
            if call is not None:
                returns_value = result is not None and self._is_value(result, DEPTH)
                call.returns_value = None if result is None else returns_value
                self.ended = call.is_last = self.last == frame.f_code.co_name
        elif event == "call" and self._handles(frame):
            outer = frame.f_back
            while outer is not None and id(outer) not in self._calls:
                outer = outer.f_back
            within = None if outer is None else self._calls[id(outer)]
            call = Call(frame.f_code, within)
            if within is None:
                self.roots.append(call)
            self._calls[id(frame)] = call

    @property
    def edges(self) -> list[tuple[CodeType, CodeType]]:
        """Caller and called function of each call that counts, in order and without duplicates."""
        edges: dict[tuple[CodeType, CodeType], None] = {}

        def visit(call: Call, caller: CodeType | None) -> None:
            if call.counts:
                edges.setdefault((caller or call.code, call.code))
                for item in call.calls:
                    visit(item, call.code)

        for root in self.roots:
            visit(root, None)
        return list(edges)

    def _handles(self, frame: FrameType) -> bool:
        code = frame.f_code
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + 2]
        arguments = [frame.f_locals[name] for name in names if name in frame.f_locals]
        return any(self._is_value(argument, DEPTH) for argument in arguments)

    def _is_value(self, item: Any, depth: int) -> bool:
        if isinstance(item, str | bytes):
            text = item.decode("utf-8", "replace") if isinstance(item, bytes) else item
            return any(value in text for value in self.values)
        cls = type(item)
        if cls is np.ndarray:
            return item.ndim > 0
        if cls.__module__.startswith("tensorflow") and cls.__name__.endswith("Tensor"):
            return True
        if depth and isinstance(item, list | tuple):
            return any(self._is_value(each, depth - 1) for each in item[:8])
        if depth and isinstance(item, dict):
            return any(self._is_value(each, depth - 1) for each in list(item.values())[:32])
        return cls.__name__ in CONTAINERS

    @property
    def files(self) -> list[str]:
        """The files of the walk in order, without consecutive duplicates."""
        files: list[str] = []
        for edge in self.edges:
            for code in edge:
                name = str(pathlib.Path(code.co_filename).relative_to(ROOT))
                if not files or files[-1] != name:
                    files.append(name)
        return files

    def counts(self) -> dict[str, Any]:
        """The numbers "files", "returns", and "visits" of each file."""
        files = self.files
        visits = {name: files.count(name) for name in dict.fromkeys(files)}
        return {"files": len(visits), "returns": len(files) - len(visits), "visits": visits}


CONTAINERS = {"Examples", "Splits", "Sequences", "Data", "Plan", "Prediction", "Outcome", "Part"}
CONTAINERS |= {"RawInput", "Reply"}
"""Classes of this package that contain examples or something made from them."""


def _ours(code: CodeType) -> bool:
    path = code.co_filename
    if not path.startswith(f"{ROOT}/") or code.co_name == "<module>":
        return False
    return path[len(str(ROOT)) + 1 :].split("/")[0] in (*PACKAGES, "cli.py")


def walks(folder: pathlib.Path) -> Iterator[tuple[str, Walk]]:
    """Yields both walks; a table and a run are written to `folder`."""
    from seqzoo.cli import main

    table, run = folder / "words.csv", folder / "run"
    rows = [f"{word},{'long' if len(word) > 3 else 'short'}" for word in WORDS]
    table.write_text("\n".join(["text,label", *rows, *rows]) + "\n", encoding="utf-8")
    options = ["--data", table, "--kind", "characters", "--input", "text", "--target", "label"]
    options += ["--duplicates", "keep", "--epochs", 1, "--units", 3, "--embedding", 2, "--run", run]
    yield (
        "a training example to its loss",
        _walk(["train", "many-to-one", *options], {*WORDS}, main, "forward"),
    )
    yield "a text to its answer", _walk(["predict", run, WORDS[0]], {WORDS[0]}, main)


def _walk(words: list, values: set[str], main: Callable, last: str | None = None) -> Walk:
    walk = Walk(values, last)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        with contextlib.suppress(SystemExit), walk:
            main([str(word) for word in words])
    return walk


def run() -> dict[str, dict[str, Any]]:
    """The counts of both walks."""
    with tempfile.TemporaryDirectory() as folder:
        return {name: walk.counts() for name, walk in walks(pathlib.Path(folder))}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON, with each file's visits")
    parser.add_argument("--steps", action="store_true", help="print the files in order")
    args = parser.parse_args()
    if args.steps:
        with tempfile.TemporaryDirectory() as home:
            for title, walked in walks(pathlib.Path(home)):
                print(title)
                for source, target in walked.edges:
                    print(f"  {source.co_qualname} -> {target.co_qualname}  {target.co_filename}")
    else:
        results = run()
        if args.json:
            print(json.dumps(results, indent=2))
        else:
            for title, counts in results.items():
                print(f"{title}: {counts['files']} files, {counts['returns']} returns")

"""predict.py, which comes with an ONNX or LiteRT export: the parts that its model needs, in one
file."""

import ast
import importlib
import inspect
import textwrap
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

PACKAGE = "seqzoo.tasks.export.predict"

SHARED = {"raw_sentences": "seqzoo.tasks.preprocessing.raw_sentences"}
"""Modules of this package that predict.py includes, too; they import no other module of it."""

PARTS = {"onnx": ("onnx_part", "OnnxPart"), "litert": ("litert_part", "LiteRTPart")}
"""The module and class that runs a part of the model, by format."""

READERS = {
    "arrays": ("numbers", "ArrayReader"),
    "sequences": ("numbers", "SeriesReader"),
    "columns": ("numbers", "ColumnReader"),
    "audio": ("audio", "AudioReader"),
    "classes": ("class_names", "ClassNameReader"),
    "tokens": ("tagged_words", "TaggedWordReader"),
    "words and characters": ("tagged_words", "SpelledWordReader"),
    "text in characters": ("texts", "TextReader"),
    "text in words": ("words", "WordReader"),
    "text in joined words": ("joined_words", "JoinedWordReader"),
    "text in subwords": ("subwords", "SubwordReader"),
    "text in lemma": ("lemmas", "LemmaReader"),
}
"""The module and class that reads an input, by kind of input."""

ANSWERS = {
    "class": ("classes", "Classes"),
    "labels": ("classes", "Labels"),
    "value": ("values", "Values"),
    "steps": ("values", "StepValues"),
    "following": ("values", "Continuations"),
    "tags": ("tags", "Tags"),
    "best tags": ("crf", "CRFTags"),
    "texts": ("generation", "GeneratedTexts"),
    "transcripts": ("transcripts", "Transcripts"),
}
"""The module and class that computes a prediction, by its kind. Others are numbers only."""

BEGINNING = '''"""An exported model, from raw inputs to predictions.

It needs Python's standard library, NumPy and the model's runtime (onnxruntime or ai-edge-litert).

    python predict.py "a text" "another one"
    python predict.py recording.wav numbers.npy

    from predict import Model
    model = Model("folder of the export")
    model.predict(["a text"])        # predictions, a dictionary each
    model.run("step", **tensors)     # a part of the model, arrays by name
"""

'''

END = '''

class Model(BaseModel):
    """The exported model in the folder of this file."""

    part_type = {part}
    reader_type = {reader}
    answers_type = {answers}


if __name__ == "__main__":
    main(Model(), sys.argv[1:])
'''


def predict_program(about: dict[str, Any]) -> str:
    """The source of predict.py for an export.

    Args:
        about: its model.json.
    """
    chosen = _chosen(about)
    modules: dict[str, ast.Module] = {}
    for module in ("model", *(one[0] for one in chosen.values() if one), "command_line"):
        _add_module(module, modules)
    classes = {kind: one[1] if one else "None" for kind, one in chosen.items()}
    bodies = [_body(name, tree) for name, tree in modules.items()]
    return "\n\n\n".join([BEGINNING + _imports(modules.values()), *bodies]) + END.format(**classes)


def model_class(about: dict[str, Any]) -> Any:
    """`Model` as in the predict.py of an export.

    Args:
        about: its model.json.

    Raises:
        KeyError: it is of no known format or kind of input.
    """
    classes = {
        f"{kind}_type": getattr(_module(one[0]), one[1]) if one else None
        for kind, one in _chosen(about).items()
    }
    return type("Model", (_module("model").BaseModel,), classes)


def _chosen(about: dict[str, Any]) -> dict[str, Any]:
    """The module and class of each kind that a model needs."""
    reads, answers = about["input"], about["answer"]["kind"]
    kind = reads["kind"]
    if kind == "text":
        kind = f"text in {reads['split']}"
    elif kind == "sequences" and "sample_rate" in reads:
        kind = "audio"
    if answers == "tags" and about["answer"]["crf"]:
        answers = "best tags"
    return {
        "part": PARTS[about["format"]],
        "reader": READERS[kind],
        "answers": ANSWERS.get(answers),
    }


def _module(name: str) -> Any:
    return importlib.import_module(SHARED.get(name, f"{PACKAGE}.{name}"))


def _add_module(name: str, modules: dict[str, ast.Module]) -> None:
    """Adds a module after those that it imports."""
    tree = ast.parse(inspect.getsource(_module(name)))
    for imported in _of_parts(tree):
        if imported not in modules:
            _add_module(imported, modules)
    modules.setdefault(name, tree)


def _of_parts(tree: ast.Module) -> list[str]:
    """The other parts that a module imports from."""
    sources = [one.module or "" for one in tree.body if isinstance(one, ast.ImportFrom)]
    return [one.rpartition(".")[2] for one in sources if _is_part(one)]


def _is_part(module: str) -> bool:
    """Whether a module becomes a part of predict.py."""
    return module.startswith(f"{PACKAGE}.") or module in SHARED.values()


def _body(name: str, tree: ast.Module) -> str:
    """A module without its imports, headed by its docstring as a comment."""
    lines = inspect.getsource(_module(name)).splitlines()
    first = max(
        one.end_lineno or 0
        for position, one in enumerate(tree.body)
        if position == 0 or isinstance(one, ast.Import | ast.ImportFrom)
    )
    heading = " ".join((ast.get_docstring(tree) or "").split())
    comment = textwrap.fill(heading, 100, initial_indent="# ", subsequent_indent="# ")
    return "\n".join([comment, "", *lines[first:]]).strip("\n")


def _imports(trees: Iterable[ast.Module]) -> str:
    """The imports of modules, except of each other, sorted like ruff does."""
    plain, names = {"import sys"}, defaultdict[str, set[str]](set)
    for tree in trees:
        for one in tree.body:
            if isinstance(one, ast.Import):
                plain.add(ast.unparse(one))
            elif isinstance(one, ast.ImportFrom) and not _is_part(str(one.module)):
                names[str(one.module)].update(alias.name for alias in one.names)
    numpy = "import numpy as np"
    members = [f"from {name} import {', '.join(sorted(names[name]))}" for name in sorted(names)]
    return "\n".join([*sorted(plain - {numpy}), *members, "", numpy])

"""The predict.py of an ONNX or LiteRT export: one file with the modules that the model needs."""

import ast
import importlib
import inspect
import textwrap
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

PACKAGE = "seqzoo.tasks.export.predict"

SHARED = {
    "offset_dates": "seqzoo.tasks.data.offset_dates",
    "raw_sentences": "seqzoo.tasks.preprocessing.raw_sentences",
    "sample_range": "seqzoo.tasks.preprocessing.sample_range",
    "static_numbers": "seqzoo.tasks.preprocessing.static_numbers",
}
"""Other seqzoo modules that predict.py includes; they import nothing from seqzoo themselves."""

PARTS = {"onnx": ("onnx_part", "OnnxPart"), "litert": ("litert_part", "LiteRTPart")}
"""The module and class that runs a part of the model, by format."""

READERS = {
    "arrays": ("numbers", "ArrayReader"),
    "sequences": ("numbers", "SeriesReader"),
    "columns": ("numbers", "ColumnReader"),
    "audio": ("audio", "AudioReader"),
    "histories": ("histories", "HistoryReader"),
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
    "forecast": ("histories", "Forecasts"),
    "tags": ("tags", "Tags"),
    "best tags": ("crf", "CRFTags"),
    "texts": ("generation", "GeneratedTexts"),
    "transcripts": ("transcripts", "Transcripts"),
}
"""The module and class that computes a prediction, by kind of prediction. Other kinds have none:
their values come from `Model.run`."""

BEGINNING = '''"""An exported model, from raw inputs to predictions.

It needs Python's standard library, NumPy and the model's runtime (onnxruntime or ai-edge-litert).

    python predict.py "a text" "another text"
    python predict.py recording.wav
    python predict.py numbers.npy
    python predict.py history.json

    from predict import Model
    model = Model("folder of the export")
    model.predict(["a text"])        # predictions, one dictionary each
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
        about: the contents of its model.json.
    """
    chosen = _chosen(about)
    modules: dict[str, ast.Module] = {}
    for module in ("model", *(item[0] for item in chosen.values() if item), "command_line"):
        _add_module(module, modules)
    classes = {role: item[1] if item else "None" for role, item in chosen.items()}
    bodies = [_body(name, tree) for name, tree in modules.items()]
    return "\n\n\n".join([BEGINNING + _imports(modules.values()), *bodies]) + END.format(**classes)


def model_class(about: dict[str, Any]) -> Any:
    """`Model` as in the predict.py of an export.

    Args:
        about: the contents of its model.json.

    Raises:
        KeyError: the format or the kind of input is unknown.
    """
    classes = {
        f"{role}_type": getattr(_module(item[0]), item[1]) if item else None
        for role, item in _chosen(about).items()
    }
    return type("Model", (_module("model").BaseModel,), classes)


def _chosen(about: dict[str, Any]) -> dict[str, Any]:
    """The modules and classes that a model needs, by their role in `Model`."""
    input_kind, answer_kind = about["input"]["kind"], about["answer"]["kind"]
    if input_kind == "text":
        input_kind = f"text in {about['input']['split']}"
    elif input_kind == "sequences" and "sample_rate" in about["input"]:
        input_kind = "audio"
    if answer_kind == "tags" and about["answer"]["crf"]:
        answer_kind = "best tags"
    return {
        "part": PARTS[about["format"]],
        "reader": READERS[input_kind],
        "answers": ANSWERS.get(answer_kind),
    }


def _module(name: str) -> Any:
    return importlib.import_module(SHARED.get(name, f"{PACKAGE}.{name}"))


def _add_module(name: str, modules: dict[str, ast.Module]) -> None:
    """Adds a module, after the modules that it imports."""
    tree = ast.parse(inspect.getsource(_module(name)))
    for imported in _bundled_imports(tree):
        if imported not in modules:
            _add_module(imported, modules)
    modules.setdefault(name, tree)


def _bundled_imports(tree: ast.Module) -> list[str]:
    """The modules included in predict.py that a module imports from."""
    sources = [node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)]
    return [source.rpartition(".")[2] for source in sources if _is_bundled(source)]


def _is_bundled(module: str) -> bool:
    """Whether a module is included in predict.py."""
    return module.startswith(f"{PACKAGE}.") or module in SHARED.values()


def _body(name: str, tree: ast.Module) -> str:
    """A module without its imports, headed by its docstring as a comment."""
    lines = inspect.getsource(_module(name)).splitlines()
    first = max(
        node.end_lineno or 0
        for position, node in enumerate(tree.body)
        if position == 0 or isinstance(node, ast.Import | ast.ImportFrom)
    )
    heading = " ".join((ast.get_docstring(tree) or "").split())
    comment = textwrap.fill(heading, 100, initial_indent="# ", subsequent_indent="# ")
    return "\n".join([comment, "", *lines[first:]]).strip("\n")


def _imports(trees: Iterable[ast.Module]) -> str:
    """The imports of modules, except those from one another, in the order that ruff expects."""
    plain, names = {"import sys"}, defaultdict[str, set[str]](set)
    for tree in trees:
        for node in tree.body:
            if isinstance(node, ast.Import):
                plain.add(ast.unparse(node))
            elif isinstance(node, ast.ImportFrom) and not _is_bundled(str(node.module)):
                names[str(node.module)].update(alias.name for alias in node.names)
    numpy = "import numpy as np"
    members = [f"from {name} import {', '.join(sorted(names[name]))}" for name in sorted(names)]
    return "\n".join([*sorted(plain - {numpy}), *members, "", numpy])

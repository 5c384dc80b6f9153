"""Rules of the house that a reader of the code relies on."""

import ast
import pathlib
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = [*ROOT.glob("cells/**/*.py"), *ROOT.glob("tasks/**/*.py"), *ROOT.glob("zoo/**/*.py")]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE}


def test_every_package_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    imports = {
        "seqzoo",
        "docs",
        "benchmarks",
        "oracles",
        *(path.stem for path in ROOT.glob("tests/support/*.py")),
    }
    names = {
        "PIL": "pillow",
        "tensorflow_datasets": "tensorflow-datasets",
        "sklearn": "scikit-learn",
        "xdist": "pytest-xdist",
        "ai_edge_litert": "ai-edge-litert",
    }

    def missing(paths, requirements: list[str]) -> set[str]:
        declared = {re.split(r"[\[<>=]", one)[0] for one in requirements}
        # What TensorFlow and Keras cannot be without.
        known = {*declared, *imports, *sys.stdlib_module_names, "absl", "h5py"}
        found = set()
        for path in paths:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    found.add(str(node.module).partition(".")[0])
        return {name for name in found if names.get(name, name) not in known}

    extras = project["optional-dependencies"]
    # Formats of exports, the server and the search are extras.
    dependencies = [*project["dependencies"]]
    for name in ("onnx", "litert", "serve", "search"):
        dependencies += extras[name]
    assert missing([*PACKAGE, ROOT / "cli.py"], dependencies) == set()
    others = [*ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/*.py"), *ROOT.glob("docs/*.py")]
    # PyTorch, reservoirpy and Darts are compared with only where they are there.
    everything = [*dependencies, *extras["dev"], "torch", "reservoirpy", "darts"]
    assert missing(others, everything) == set()


def test_tests_are_collected_without_the_extras() -> None:
    """README's command installs the dependencies and what runs tests. Other packages are imported
    where they are used, or after `pytest.importorskip`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = (ROOT / "README.md").read_text(encoding="utf-8")
    installed = {re.split(r"[\[<>=]", one)[0] for one in project["dependencies"]}
    (words,) = re.findall(r"pip install -r requirements.txt (.*)", named)
    installed |= {*words.split(), "pillow"}  # which Matplotlib needs
    elsewhere = {re.split(r"[\[<>=]", one)[0] for one in _flat(project["optional-dependencies"])}
    names = {"PIL": "pillow", "sklearn": "scikit-learn", "ai_edge_litert": "ai-edge-litert"}
    for path in sorted(ROOT.glob("tests/**/*.py")):
        if path.name == "serving_cases.py":
            continue  # for tests that are skipped without the server
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if "importorskip" in ast.dump(node):
                break
            imported = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            imported += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            tops = {item.partition(".")[0] for item in imported}
            found = {names.get(item, item) for item in tops} & (elsewhere - installed)
            assert not found, f"{path.relative_to(ROOT)}: import {found} where it is used"


def _flat(groups: dict[str, list[str]]) -> list[str]:
    return [one for group in groups.values() for one in group]


def test_a_constant_has_one_meaning() -> None:
    results: dict[str, set] = {}
    for tree in TREES.values():
        for node in tree.body:
            if not isinstance(node, ast.Assign) or len(node.targets) != 1:
                continue
            (target,) = node.targets
            if not (isinstance(target, ast.Name) and target.id.isupper()):
                continue
            try:
                value = ast.literal_eval(node.value)
            except ValueError:
                continue
            if isinstance(value, int | float):
                results.setdefault(target.id, set()).add(value)
    assert {name: values for name, values in results.items() if len(values) > 1} == {}


def test_only_the_layout_knows_where_the_choices_of_a_run_lie() -> None:
    for path, tree in TREES.items():
        if path.name == "layout.py":
            continue
        texts = [item.value for item in ast.walk(tree) if isinstance(item, ast.Constant)]
        assert "config.json" not in texts and "*/config.json" not in texts, path


def test_arrays_of_a_plan_are_named() -> None:
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Plan":
                assert not node.args or "training" in path.parts[-1], (path, node.lineno)


def test_benchmarks_name_pages_that_there_are() -> None:
    for path in ROOT.glob("benchmarks/*.py"):
        for page in re.findall(r"docs/[\w-]+\.md", path.read_text(encoding="utf-8")):
            assert (ROOT / page).exists(), (path, page)


def test_generic_paths_name_their_type() -> None:
    """Strict type checkers call the parameters of a function with a bare `os.PathLike` unknown."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            annotations = [getattr(node, "annotation", None), getattr(node, "returns", None)]
            for text in (ast.unparse(item) for item in annotations if isinstance(item, ast.AST)):
                assert not re.search(r"PathLike(?!\[)", text), (path, text)

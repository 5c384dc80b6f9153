"""Training runs whose scores are compared use the same data: changes between them are noticed."""

import pathlib
from types import SimpleNamespace
from typing import Any

import pytest

import seqzoo.zoo as zoo
from seqzoo.tasks import SeqzooError
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.training import repeat as repeating
from seqzoo.zoo.training.same_data import DATA, check_same_data

TABLE = "text,label\nabc,a\nxyz,b\n"


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder of training runs, next to data of several forms."""
    (tmp_path / "runs").mkdir()
    for name in ("a.csv", "test.csv", "parts/1.csv", "parts/2.csv"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(TABLE)
    for name in ("images/cat/1.png", "images/dog/1.png", "texts/cs.train.txt"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_bytes(b"1")
    return tmp_path / "runs"


@pytest.mark.parametrize(
    "data, kind, changed",
    [
        ("a.csv", "words", "a.csv"),
        ("a.csv", "words", "test.csv"),
        ("parts/*.csv", "words", "parts/2.csv"),
        ("parts/*.csv", "words", "parts/3.csv"),
        ("images", "rows", "images/dog/1.png"),
        ("images", "rows", "images/cat/2.png"),
        ("texts", "words", "texts/cs.train.txt"),
    ],
)
def test_changed_files_are_named(folder, data, kind, changed) -> None:
    root = folder.parent
    source = Source(str(root / data), kind, input="text", test=str(root / "test.csv"))
    check_same_data(folder, source)
    for other in ("images/cat/notes.md", "texts/.hidden", "parts/readme.txt"):
        (root / other).write_text("is not read")
    check_same_data(folder, source)
    (root / changed).write_text(TABLE.replace("abc", "abd"))
    location = root / (changed if changed == "test.csv" else data)
    with pytest.raises(SeqzooError) as error:
        check_same_data(folder, source)
    assert str(error.value) == (
        f"The data in {location} differ from those of the earlier training runs in {folder}; "
        "restore them, or name another folder with --run."
    )
    (folder / DATA).unlink()  # an earlier version did not write it
    check_same_data(folder, source)
    (folder / DATA).write_text("[]")
    with pytest.raises(SeqzooError, match=f"{DATA} is damaged"):
        check_same_data(folder, source)


def test_names_of_data_sets_are_not_files(folder) -> None:
    check_same_data(folder, Source("languages", "characters"))
    assert not any(folder.iterdir())


@pytest.fixture
def options(tmp_path, monkeypatch) -> dict[str, Any]:
    """The options of training runs on a.csv."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text(TABLE)
    return {"data": "a.csv", "kind": "characters", "input": "text", "target": "label"}


def _result(accuracy: float) -> dict[str, Any]:
    shared = {"metric": "accuracy", "better": 1, "split": "test", "seconds": [1.0]}
    return {**shared, "metrics": {"accuracy": accuracy}}


def _change() -> None:
    pathlib.Path("a.csv").write_text(TABLE.replace(",a", ",c"))


@pytest.mark.parametrize("name", ["seeds", "folds"])
def test_runs_on_changed_data_do_not_join_repeated_training(name, options, monkeypatch) -> None:
    trained = []

    def train(plan: Any, **_: Any) -> Any:
        trained.append(plan.folder.name)
        if len(trained) == 2:
            raise SeqzooError("The disk is full.")
        return SimpleNamespace(to_json=lambda: _result(0.5))

    monkeypatch.setattr(repeating, "run_plan", train)
    folder: dict[str, Any] = {"folder": "several", name: 3, "print_fn": lambda line: None}
    with pytest.raises(SeqzooError, match="disk is full"):
        zoo.repeat("many-to-one", **folder, **options)
    pathlib.Path("a.csv").rename("b.csv")
    _change()
    with pytest.raises(SeqzooError, match="a.csv differ from those of the earlier training runs"):
        zoo.repeat(None, resume=True, **folder)
    assert len(trained) == 2
    pathlib.Path("b.csv").rename("a.csv")
    assert zoo.repeat(None, resume=True, **folder).mean() == 0.5
    _change()  # all runs are trained, so nothing is mixed
    assert zoo.repeat(None, resume=True, **folder).mean() == 0.5

"""Tables with a row per step: rows become series, from training to predictions."""

import json
import pathlib
from typing import Any

import numpy as np
import pytest
from cli_cases import seqzoo
from source_cases import open_source, write

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.config.command_line import as_options
from seqzoo.zoo.config.resolve import chosen, overridden
from seqzoo.zoo.data.source import Source

HEAD = "id,t,x,y,label,part\n"
ROWS = [
    "a,0,1,2,up,train",
    "a,2,1.5,3,up,train",
    "b,0,4,5,down,train",
    "c,1,6,7,up,test",
    "c,4,8,9,up,test",
]
KEPT: dict[str, Any] = {"validation": 0, "test": 0, "series_column": "id", "kind": "series"}


def _source(path: pathlib.Path, rows: list[str] = ROWS, **options: Any) -> Source:
    write(path, HEAD + "\n".join(rows) + "\n")
    return Source(str(path), **{**KEPT, "input": "x,y", "target": "label", **options})


def test_rows_become_series(tmp_path) -> None:
    splits, _ = open_source(_source(tmp_path / "t.csv"))
    assert [item.tolist() for item in splits.train.inputs] == [
        [[1, 2], [1.5, 3]],
        [[4, 5]],
        [[6, 7], [8, 9]],
    ]
    assert splits.train.targets == ["up", "down", "up"]
    assert splits.train.location(2) == "line 5"
    splits, _ = open_source(_source(tmp_path / "t.csv", input="x", split_column="part"))
    assert [item.tolist() for item in splits.train.inputs] == [[1, 1.5], [4]]
    assert splits.test.targets == ["up"]
    splits, _ = open_source(_source(tmp_path / "t.csv", time_column="t"))
    assert [item.elapsed.tolist() for item in splits.train.inputs] == [[0, 2], [0], [0, 3]]
    numbers: Any = {"input": "x", "target": "y", "target_kind": "values"}
    splits, _ = open_source(_source(tmp_path / "t.csv", **numbers))
    assert [np.ravel(item).tolist() for item in splits.train.targets] == [[2, 3], [5], [7, 9]]
    splits, _ = open_source(_source(tmp_path / "t.csv", target=None, target_kind="next"))
    assert [len(item) for item in splits.train.inputs] == [2, 1, 2]


@pytest.mark.parametrize(
    "row, message",
    [
        ("a,5,1,2,up,train", "line 7 has 'id' 'a', as line 2 does; the rows of a series must be c"),
        ("c,5,1,2,down,test", "line 7 has 'label' 'down', but the series began with 'up'"),
        ("c,5,1,2,up,train", "line 7 has 'part' 'train', but the series began with 'test'"),
        (" ,5,1,2,up,test", "line 7 is in no series: 'id' is empty"),
        ("d,5,1,,up,test", "line 7: 'x, y' must contain numbers, but '' is not a number"),
    ],
)
def test_contradicting_rows_are_named(tmp_path, row, message) -> None:
    source = _source(tmp_path / "t.csv", [*ROWS, row], split_column="part")
    with pytest.raises(SeqzooError, match=message):
        open_source(source)
    result = seqzoo("check", source.data, *_words(), "--split-column", "part", "--no-timing")
    assert "BROKEN  rows: 1 of" in result.output and result.exit_code == 1


def _words() -> list[str]:
    words = ["--kind", "series", "--series-column", "id", "--input", "x,y", "--target", "label"]
    return [*words, "--validation", "0", "--test", "0"]


def test_what_does_not_apply_is_refused(tmp_path) -> None:
    with pytest.raises(SeqzooError, match="`series_column` is for tables, got"):
        np.savez(tmp_path / "a.npz", inputs=np.zeros((2, 3)))
        open_source(Source(str(tmp_path / "a.npz"), **KEPT, input="inputs", target="x"))
    with pytest.raises(SeqzooError, match="`series_column` is for input 'history'"):
        Source("t.csv", "words", series_column="id")
    with pytest.raises(SeqzooError, match="can have only one role, but 'id' has two"):
        _source(tmp_path / "t.csv", target="id")
    with pytest.raises(SeqzooError, match="`input` must name the columns of .* such as x,y,z"):
        open_source(_source(tmp_path / "t.csv", input=None))


def test_options_name_the_columns_of_steps(tmp_path) -> None:
    path = _source(tmp_path / "t.csv").data
    given = {"data": path, "kind": "series", "series_column": "id", "input": "x,y"}
    choices = chosen("many-to-one", {**given, "target": "label"})
    assert choices.source.input == "x,y" and not choices.source.further_inputs
    assert "--input x,y" in as_options(choices)
    assert overridden(choices, {"input": "x,y"}).source == choices.source
    statics = chosen("many-to-one", {**given, "target": "label", "static_columns": ["part"]})
    assert statics.source.further_inputs == {"part": "static"}


@pytest.mark.slow
def test_training_and_predictions(tmp_path) -> None:
    rows = [
        f"{n},{step},{step * (n % 2)}.5,{n % 2},{('flat', 'steep')[n % 2]},train"
        for n in range(20)
        for step in range(3 + n % 3)
    ]
    path = _source(tmp_path / "t.csv", rows).data
    train = ("train", "many-to-one", "--data", path, *_words()[:-2], "--test", "0.2")
    result = seqzoo(*train, "--units", 4, "--epochs", 2, "--run", tmp_path / "run")
    assert result.exit_code == 0, result.output
    result = seqzoo("predict", tmp_path / "run", "--input-file", path, "--json")
    assert result.exit_code == 0, result.output
    replies = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(replies) == 20 and replies[1]["line"] == 5
    alone = seqzoo("predict", tmp_path / "run", "--json", "[[0.5, 0], [0.5, 0], [0.5, 0]]")
    assert json.loads(alone.stdout)["probability"] == pytest.approx(replies[0]["probability"])
    result = seqzoo("evaluate", tmp_path / "run", "--data", path, "--json")
    assert json.loads(result.stdout)["examples"] == 20
    result = seqzoo("check", path, *_words()[:-4], "--no-timing")
    assert "--series-column id --input x,y" in result.output

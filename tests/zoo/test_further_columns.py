"""Files with several columns of inputs: read, checked, and refused in one line."""

import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_cases import seqzoo

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo import check
from seqzoo.zoo.config.resolve import chosen
from seqzoo.zoo.config.toml_reader import read_config
from seqzoo.zoo.config.toml_writer import init
from seqzoo.zoo.data.open import open_examples
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data.splits import input_key

ROWS = [
    {"title": "a b", "body": "c", "age": 3, "region": "north", "label": "x"},
    {"title": "b", "body": None, "age": None, "region": None, "label": "y"},
]
FURTHER = {"body": "words", "age": "number", "region": "category"}


def table(path: pathlib.Path, rows: list[dict] = ROWS) -> pathlib.Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        lines = [
            ",".join("" if value is None else str(value) for value in r.values()) for r in rows
        ]
        path.write_text("\n".join([",".join(rows[0]), *lines]) + "\n")
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_columns_become_inputs_by_name(tmp_path, name: str) -> None:
    path = table(tmp_path / name)
    source = Source(str(path), "words", input="title", target="label", further_inputs=FURTHER)
    first, second = open_examples(source, "all").inputs
    assert float(first.pop("age")) == 3.0
    assert first == {"title": "a b", "body": "c", "region": "north"}
    assert second == {"title": "b", "body": "", "age": None, "region": None}
    assert input_key(first) != input_key({**first, "region": "south"})


def test_arrays_become_inputs_by_name(tmp_path) -> None:
    arrays = {"x": np.ones((2, 4)), "age": np.array([1.0, np.nan]), "y": np.array([0, 1])}
    np.savez(tmp_path / "a.npz", **arrays)
    further = {"age": "number"}
    result = Source(
        str(tmp_path / "a.npz"), "series", input="x", target="y", further_inputs=further
    )
    first, second = open_examples(result, "all").inputs
    assert first["age"] == 1.0 and np.isnan(second["age"]) and first["x"].shape == (4,)


def test_columns_of_the_command_line_are_distinguished(tmp_path) -> None:
    given = {"data": "t.csv", "kind": "words", "input": "title, body", "target": "label"}
    choices = chosen("many-to-one", {**given, "static_columns": ["age", "region"]})
    further = {"body": "words", "age": "static", "region": "static"}
    assert choices.task.further_inputs == choices.source.further_inputs == further
    assert choices.source.input == "title"
    path = init(
        "many-to-one", str(tmp_path / "t.toml"), {**given, "static_columns": ["age"]}, force=False
    )
    read = read_config(path)
    assert read.task.further_inputs == read.source.further_inputs
    assert read.task.further_inputs == {"body": "words", "age": "static"}
    tags = chosen("many-to-many-aligned", {**given, "target_kind": "tags"})
    assert tags.task.further_inputs == tags.source.further_inputs == {"body": "words"}
    with pytest.raises(SeqzooError, match="are for all targets but 'next'"):
        chosen("many-to-many-aligned", {**given, "target_kind": "next"})


def test_check_covers_additional_columns(tmp_path) -> None:
    rows = [{**ROWS[0], "title": f"t{n} a", "age": n, "label": "xy"[n % 2]} for n in range(60)]
    rows[7]["age"] = "old"
    path = table(tmp_path / "t.csv", rows)
    result = check(str(path), timing=False, input="title", static_columns=["age", "region"])
    texts = [finding.text() for finding in result.findings if finding.subject == "further inputs"]
    assert "not numbers (1, such as 'old')" in texts[0] and "no information" in texts[1]
    assert result.suggestion is not None
    assert "--further-input age=static --further-input region=static" in result.suggestion.command


def test_a_missing_column_is_named(tmp_path) -> None:
    words = ["--kind", "words", "--input", "title", "--static", "aeg", "--target", "label"]
    path = table(tmp_path / "t.csv")
    result = seqzoo("train", "many-to-one", "--data", path, *words, "--run", tmp_path / "run")
    assert result.exit_code == 2 and "got 'aeg'; did you mean 'age'?" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_predictions_from_a_file_and_from_json(tmp_path) -> None:
    path = table(tmp_path / "t.csv", ROWS * 20)
    words = "--kind words --input title,body --static age,region --target label --units 4".split()
    shape = "--embedding 4 --epochs 1 --quiet --test 0 --validation 0".split()
    run = tmp_path / "run"
    seqzoo("train", "many-to-one", "--data", path, *words, *shape, "--run", run)
    wrong = table(tmp_path / "new.csv", [*ROWS, {**ROWS[0], "age": "old"}])
    failed = seqzoo("predict", run, "--input-file", wrong)
    assert len(failed.stdout.splitlines()) == 2 and failed.exit_code == 2
    assert "'age' of line 4 is 'old'" in failed.stderr
    one = json.dumps({name: value for name, value in ROWS[0].items() if name != "label"})
    assert seqzoo("predict", run, one).stdout == failed.stdout.splitlines(keepends=True)[0]
    more = seqzoo("predict", run, one.replace("}", ', "titel": "a"}'))
    assert "but has 'titel'; did you mean 'title'" in more.stderr
    lacking = seqzoo("predict", run, '{"title": "a", "body": "b", "age": 2}')
    assert "Input 1 must have the inputs 'title', 'body', 'age', 'region', but lacks 'region'." in (
        lacking.stderr
    )


def test_flags_are_the_same_category_in_every_format(tmp_path) -> None:
    from seqzoo.tasks.preprocessing.statics import _name

    rows = [{"title": "a b", "vip": True, "label": "x"}, {"title": "b", "vip": False, "label": "y"}]
    names = [
        [
            _name(row["vip"], "the input")
            for row in open_examples(
                Source(
                    str(table(tmp_path / file, rows)),
                    "words",
                    input="title",
                    target="label",
                    further_inputs={"vip": "static"},
                ),
                "all",
            ).inputs
        ]
        for file in ("a.csv", "a.jsonl", "a.parquet")
    ]
    assert names == [["true", "false"]] * 3

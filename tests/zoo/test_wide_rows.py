"""Tables with a row per series and a column per step, whose columns a pattern names."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_cases import seqzoo
from source_cases import open_source, write

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.histories import read_histories
from seqzoo.zoo.data.open import open_examples
from seqzoo.zoo.data.prediction_inputs import File, of_file, read
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data_check.check import check
from seqzoo.zoo.data_check.columns import guess
from seqzoo.zoo.inference import evaluate as evaluation

OPTIONS = {"columns": ["label", "*"], "input": "*", "target": "label"}


def test_a_file_of_the_ucr_archive(tmp_path) -> None:
    path = write(tmp_path / "t.tsv", "1\t0.5\t1\t2\n-1\t3\t1e-1\tNaN\n1\t4\t\t\n")
    examples = open_examples(Source(str(path), "series", **OPTIONS), "all")
    np.testing.assert_allclose(examples.inputs[0], [0.5, 1, 2])
    np.testing.assert_allclose(examples.inputs[1], [3, 0.1])
    np.testing.assert_allclose(examples.inputs[2], [4])
    assert list(examples.targets) == ["1", "-1", "1"]
    guessed = guess(str(path), {"columns": ["label", "*"], "input": "*"}).guessed
    assert (guessed["kind"], guessed["target"]) == ("series", "label")
    plain = write(tmp_path / "plain.tsv", "1\t5\t5\n1\t5\t6\n")
    with pytest.raises(SeqzooError, match=r"name them with --columns, such as label,\* for"):
        guess(str(plain), {})


def test_all_columns_without_another_role_are_steps(tmp_path) -> None:
    text = "split,1,2,weight,class\ntrain,0.5,1,2,a\ntest,3,4,1,b\n"
    source = Source(
        str(write(tmp_path / "t.csv", text)),
        "series",
        input="*",
        target="class",
        split_column="split",
        weight_column="weight",
    )
    assert [item.tolist() for item in open_examples(source, "all").inputs] == [[0.5, 1], [3, 4]]
    plain = replace(source, split_column=None, test=source.data, duplicates="keep")
    text = text.replace("split,", "0,").replace("train,", "7,").replace("test,", "8,")
    write(tmp_path / "t.csv", text)
    assert open_examples(plain, "test").inputs[0].tolist() == [7, 0.5, 1]


def test_columns_whose_numbers_are_not_in_order_are_noted(tmp_path) -> None:
    rows = "".join(f"{n},{n + 0.5},2,{'ab'[n % 2]}\n" for n in range(40))
    for names, noted in (("t1,t2,t10", False), ("t1,t10,t2", True), ("t_x,t10,t2", False)):
        path = write(tmp_path / "t.csv", f"{names},y\n" + rows)
        parts, _ = open_source(Source(str(path), "series", input="t*", target="y"))
        note = "'t*' stands for are read in the order of the file, in which 't2' follows 't10'."
        assert (note in parts.description) == noted, names


def test_files_may_lack_the_columns_of_splits_and_weights(tmp_path) -> None:
    rows = [f"{n},{n + 0.5},2,{'ab'[n % 2]}\n" for n in range(40)]
    whole = write(tmp_path / "train.csv", "t1,t2,two,y\n" + "".join(rows))
    plain = write(tmp_path / "test.csv", "t1,t2,y\n7,7.5,a\n8,8.5,b\n")
    rows = [f"{'val' if n % 3 else 'train'},{row}" for n, row in enumerate(rows)]
    parts = write(tmp_path / "parts.csv", "part,t1,t2,two,y\n" + "".join(rows))
    source = Source(str(whole), "series", input="t*", target="y", weight_column="two")
    tested = replace(source, test=str(plain))
    assert [item.tolist() for item in open_examples(tested).inputs] == [[7, 7.5], [8, 8.5]]
    assert open_examples(replace(tested, test=str(whole), duplicates="keep")).inputs[0].size == 2
    split = Source(str(plain), "series", input="t*", target="y", split_column="part")
    assert open_examples(split, "all").inputs[0].tolist() == [7, 7.5]
    both = replace(tested, data=str(parts), input="*", split_column="part", test=str(parts))
    assert open_examples(replace(both, duplicates="keep")).inputs[0].tolist() == [0, 0.5]


def test_weights_are_no_steps_of_evaluated_files(tmp_path, monkeypatch) -> None:
    path = write(tmp_path / "t.csv", "t1,t2,w,y\n7,7.5,1,a\n8,8.5,1,b\n")
    plain = write(tmp_path / "plain.csv", "t1,t2,y\n7,7.5,a\n8,8.5,b\n")
    source = Source(str(path), "series", input="*", target="y", weight_column="w")
    run = SimpleNamespace(
        template=SimpleNamespace(input="series", target="class"),
        source=source.to_config(),
        evaluate=lambda examples, *_, **__: examples,
    )
    monkeypatch.setattr(evaluation, "open_runs", lambda *_: run)
    monkeypatch.setattr(evaluation, "prediction_options", lambda *_: None)
    for data in (path, plain):
        examples: Any = evaluation.evaluate("run", {"data": str(data)}, None, None, {})
        assert [item.tolist() for item in examples.inputs] == [[7, 7.5], [8, 8.5]]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_pattern_names_the_columns_of_steps(suffix: str, tmp_path) -> None:
    path = tmp_path / f"t{suffix}"
    rows = [{"t1": n, "t2": n + 0.5, "x": 9, "y": "ab"[n % 2]} for n in range(40)]
    if suffix == ".jsonl":
        write(path, "\n".join(map(json.dumps, rows)))
    elif suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        write(path, "t1,t2,x,y\n" + "".join(f"{','.join(map(str, r.values()))}\n" for r in rows))
    examples = open_examples(Source(str(path), "series", input="t?", target="y"), "all")
    assert examples.inputs[3].tolist() == [3, 3.5]
    report = check(str(path), timing=False, input="t*")
    assert (report.source.kind, report.source.target) == ("series", "y")
    assert not report.broken
    assert report.suggestion is not None and "--input 't*'" in report.suggestion.command
    with pytest.raises(SeqzooError, match=r"`input` must match columns of .* \(t1, t2, x, y\)"):
        open_examples(Source(str(path), "series", input="z*", target="y"), "all")


def test_one_star_stands_for_the_other_columns() -> None:
    with pytest.raises(SeqzooError, match=r"`columns` must be .* at most one \*, got '\*,y,\*'"):
        Source("t.csv", "series", columns=["*", "y", "*"], input="*", target="y")


def test_steps_may_be_many_fields_of_an_object(tmp_path) -> None:
    rows = [{"label": "ab"[n % 2], "t": {str(k): k + n for k in range(140)}} for n in range(40)]
    path = write(tmp_path / "t.jsonl", "\n".join(map(json.dumps, rows)))
    examples = open_examples(Source(str(path), "series", input="t.*", target="label"), "all")
    np.testing.assert_array_equal(examples.inputs[1], np.arange(1, 141))
    assert not check(str(path), timing=False, input="t.*", target="label").broken
    dated = [{**row, "date": f"2024-01-{n + 1:02}"} for n, row in enumerate(rows[:30])]
    write(path, "\n".join(map(json.dumps, dated)))
    source = Source(str(path), "history", date_column="date", target="t.139,t.120")
    assert read_histories(source)[0][0].values[0].tolist() == [139, 120]


def test_files_to_predict_from_may_lack_the_class(tmp_path) -> None:
    path = write(tmp_path / "t.tsv", "0.5\t1\t2\n3\t1e-1\tNaN\n")
    file = File(path, columns=["*"])
    items = list(of_file(file, Source(str(tmp_path / "train.tsv"), "series", **OPTIONS)))
    assert [item.field for item in items] == [["0.5", "1", "2"], ["3", "1e-1"]]


def test_files_without_classes_are_noticed(tmp_path) -> None:
    template = SimpleNamespace(input="series", target="class", cell="gru")
    targets = SimpleNamespace(names=["1", "2"])
    signature = [np.zeros((1, 1, 1))]
    task = SimpleNamespace(targets=targets, signature=signature, features=None)
    source = {"kind": "series", "target_kind": "class", "data": "train.tsv", **OPTIONS}
    run: Any = SimpleNamespace(template=template, task=task, source=source, folder="run")
    path = write(tmp_path / "t.tsv", "0.5\t1\t2\n3\t1e-1\tNaN\n")
    message = "'label' has none of the classes of run, but 0.5, 3; if .* use --columns \"\\*\"\\.$"
    with pytest.raises(SeqzooError, match=message):
        list(read(run, File(path)))
    assert len(list(read(run, File(path, columns=["*"])))) == 2
    for first in ("1", ""):  # the class may be missing
        write(path, f"{first}\t1\t2\n3\t1e-1\tNaN\n")
        assert [len(item.field) for item in read(run, File(path))] == [2, 1]
    np.savez(tmp_path / "t.npz", inputs=np.zeros((3, 2, 1)))
    assert len(list(read(run, File(tmp_path / "t.npz", column="inputs")))) == 3


def test_a_missing_step_between_others_is_named(tmp_path) -> None:
    path = write(tmp_path / "t.tsv", "1\t0.5\t1\t2\n2\t3\tNaN\t4\n")
    with pytest.raises(SeqzooError, match=r"line 2: '\*' contains NaN at position 2"):
        open_examples(Source(str(path), "series", **OPTIONS), "all")


@pytest.mark.slow
def test_commands(tmp_path) -> None:
    random = np.random.default_rng(0)
    rows = [
        [index % 2, *(random.normal(size=12 - index % 3) + 3 * (index % 2)), *[""] * (index % 3)]
        for index in range(60)
    ]
    text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
    path = write(tmp_path / "t.tsv", text)
    options = ("--columns", "label,*", "--kind", "series", "--input", "*", "--target", "label")
    run = tmp_path / "run"
    limits = ("--epochs", 2, "--batch-size", 16, "--units", 4, "--run", run)
    result = seqzoo("train", "many-to-one", "--data", path, *options, *limits)
    assert result.exit_code == 0, result.output
    result = seqzoo("predict", run, "--input-file", path)
    assert result.exit_code == 0 and len(result.stdout.splitlines()) == 60, result.output
    unlabelled = write(
        tmp_path / "u.tsv", "".join("\t".join(map(str, row[1:])) + "\n" for row in rows)
    )
    result = seqzoo("predict", run, "--input-file", unlabelled)
    assert result.exit_code == 2 and 'lacks this column, use --columns "*".' in result.stderr
    assert f"'label' has none of the classes of {run}, but {rows[0][1]}, " in result.stderr
    result = seqzoo("predict", run, "--input-file", unlabelled, "--columns", "*")
    assert result.exit_code == 0 and len(result.stdout.splitlines()) == 60
    result = seqzoo("evaluate", run, "--data", path)
    assert result.exit_code == 0, result.output

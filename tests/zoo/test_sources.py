"""Files become examples in splits that are the same every time."""

import dataclasses
import json
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from source_cases import csv_source, inputs_of, open_source, reviews, write

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data import splits as splitting
from seqzoo.zoo.data.open import open_examples
from seqzoo.zoo.data.prediction_inputs import File, of_file
from seqzoo.zoo.data.source import Source

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_shares_are_exact_the_same_every_time_and_keep_equal_inputs_together(tmp_path) -> None:
    source = csv_source(reviews(tmp_path, 400))
    splits, _ = open_source(source)
    train, validation, test = inputs_of(splits)
    assert (len(train), len(validation), len(test)) == (320, 40, 40)
    assert not set(train) & set(validation) and not set(train) & set(test)
    assert not set(validation) & set(test)
    assert inputs_of(open_source(source)[0]) == [train, validation, test]
    other = inputs_of(open_source(dataclasses.replace(source, seed=1))[0])
    assert set(other[2]) != set(test)
    assert (
        splits.description
        == "reviews.csv: 320 training examples, 40 validation examples, 40 test examples."
    )


def test_splits_do_not_depend_on_the_order_of_lines(tmp_path) -> None:
    path = reviews(tmp_path, 100)
    splits, _ = open_source(csv_source(path))
    head, *lines = path.read_text().splitlines()
    write(path, "\n".join([head, *reversed(lines)]))
    again, _ = open_source(csv_source(path))
    assert [sorted(item) for item in inputs_of(again)] == [
        sorted(item) for item in inputs_of(splits)
    ]


def test_examples_keep_their_lines_and_targets(tmp_path) -> None:
    path = reviews(tmp_path)
    lines = path.read_text().splitlines()
    splits, _ = open_source(csv_source(path))
    for part in (splits.train, splits.validation, splits.test):
        for text, label, line in zip(part.inputs, part.targets, part.lines, strict=True):
            assert lines[line - 1] == f"{text},{label}"


def test_no_label_is_held_out_entirely(tmp_path) -> None:
    rows = [f"text {i},{'rare' if i == 7 else 'common'}" for i in range(20)]
    path = write(tmp_path / "t.csv", "text,label\n" + "\n".join(rows))
    for seed in range(30):
        splits, _ = open_source(csv_source(path, seed=seed, validation=0.3, test=0.3))
        assert "rare" in splits.train.targets


def test_classes_as_inputs_are_in_all_splits(tmp_path) -> None:
    path = tmp_path / "a.csv"
    rows = [(f"class {n % 10}", f"text {n % 90} of {n % 10}") for n in range(100)] + [("one", "x")]
    path.write_text("c,y\n" + "".join(f"{name},{text}\n" for name, text in rows))
    splits, _ = open_source(Source(str(path), "class", "characters", input="c", target="y"))
    parts = [splits.train, splits.validation, splits.test]
    assert sum(map(len, parts)) == 101 and min(map(len, parts)) >= 9
    assert "one" in splits.train.inputs and set(splits.train.inputs) == {name for name, _ in rows}
    pairs = [set(zip(part.inputs, part.targets, strict=True)) for part in parts]
    assert not pairs[0] & pairs[1] and not pairs[0] & pairs[2] and not pairs[1] & pairs[2]
    folds = []
    for fold in ("1/3", "2/3", "3/3"):
        source = Source(str(path), "class", "characters", input="c", target="y", fold=fold)
        splits, _ = open_source(source)
        assert len(set(splits.train.inputs)) == 11 and len(set(splits.test.inputs)) == 10
        folds.append(len(splits.test))
    assert sum(folds) >= 85


def test_files_of_their_own(tmp_path) -> None:
    train = reviews(tmp_path, 40)
    test = write(tmp_path / "test.csv", "text,label\ntext 0,bad\nnew,good\n")
    splits, source = open_source(csv_source(train, test=str(test), validation=0.0))
    assert splits.validation is None
    assert list(splits.test.inputs) == ["text 0", "new"]
    assert "text 0" not in splits.train.inputs
    assert (
        "1 input in " in splits.description
        and "was left out, because the same input occurs in other splits" in splits.description
    )
    # All that was resolved opens the same again, from anywhere.
    config = json.loads(json.dumps(source.to_config()))
    assert pathlib.Path(config["test"]).is_absolute()
    assert inputs_of(open_source(Source(**config))[0]) == inputs_of(splits)


def test_label_never_seen_in_training_is_named_with_its_line(tmp_path) -> None:
    test = write(tmp_path / "test.csv", "text,label\nnew,good\nnewer,awful\n")
    with pytest.raises(SeqzooError, match=r"test\.csv, line 3: the label 'awful' does not occur"):
        open_source(csv_source(reviews(tmp_path), test=str(test)))


def test_limit_is_the_same_every_time_and_leaves_only_known_labels(tmp_path) -> None:
    rows = [f"text {i},{i % 50}" for i in range(500)]
    source = csv_source(write(tmp_path / "t.csv", "text,label\n" + "\n".join(rows)), limit=20)
    splits, _ = open_source(source)
    assert len(splits.train) == 20
    assert set(splits.validation.targets) | set(splits.test.targets) <= set(splits.train.targets)
    assert "left out, since the limit" in splits.description
    assert inputs_of(open_source(source)[0]) == inputs_of(splits)


def test_limit_of_a_whole_file_is_drawn_from_all_of_it(tmp_path) -> None:
    rows = [f"text {i},{'first' if i < 100 else 'second'}" for i in range(200)]  # sorted by label
    source = csv_source(write(tmp_path / "t.csv", "text,label\n" + "\n".join(rows)), limit=20)
    examples = open_examples(source, "all")
    assert len(examples) == 20 and set(examples.targets) == {"first", "second"}
    assert examples.lines == sorted(examples.lines or ())
    assert open_examples(source, "all").inputs == examples.inputs


def test_values_and_several_labels(tmp_path) -> None:
    rows = [json.dumps({"text": f"t {i}", "label": [i, i / 2]}) for i in range(20)]
    splits, _ = open_source(
        csv_source(write(tmp_path / "v.jsonl", "\n".join(rows)), target_kind="value")
    )
    assert splits.train.targets.shape == (16, 2) and splits.train.targets.dtype == np.float32
    rows = [f"t {i},{'a|b' if i % 2 else ''}" for i in range(20)]
    path = write(tmp_path / "l.csv", "text,label\n" + "\n".join(rows))
    splits, _ = open_source(csv_source(path, target_kind="labels", separator="|"))
    assert set(splits.train.targets) == {("a", "b"), ()}


@pytest.mark.parametrize(
    "choices, message",
    [
        ({"validation": 0.5, "test": 0.5}, "must leave training examples"),
        ({"validation": 1.0}, "`validation` must be a file or a fraction"),
        ({"limit": 0}, "`limit` must be at least 1, got 0."),
        ({"kind": "letters"}, "`kind` must be one of 'characters', 'words'"),
        ({"delimiter": "||"}, "`delimiter` must be one character"),
        ({"separator": ""}, "`separator` must be at least one character"),
        ({"resample": True}, "`resample` is for input 'audio', got input 'words'."),
        ({"sample_rate": 8000}, "`sample_rate` is for input 'audio', got input 'words'."),
        ({"time_values": "elapsed"}, "`time_values` says what `time_column` means, which"),
    ],
)
def test_options_out_of_range(tmp_path, choices, message) -> None:
    with pytest.raises(SeqzooError) as error:
        csv_source(tmp_path / "t.csv", **choices)
    assert message in str(error.value)


def test_too_few_inputs_to_split(tmp_path) -> None:
    path = write(tmp_path / "t.csv", "text,label\na,x\na,y\nb,x\n")
    with pytest.raises(SeqzooError, match="has 2 distinct inputs, too few to hold some out"):
        open_source(csv_source(path))
    splits, _ = open_source(csv_source(path, validation=0.0, test=0.0))
    assert len(splits.train) == 3 and splits.test is None


def test_all_of_a_file(tmp_path) -> None:
    path = reviews(tmp_path)
    assert len(open_examples(csv_source(path), "all")) == 40
    assert len(open_examples(csv_source(path), "validation")) == 4
    with pytest.raises(SeqzooError, match="has no examples for test"):
        open_examples(csv_source(path, test=0.0), "test")


def test_equal_arrays_have_equal_keys() -> None:
    one = np.arange(6, dtype=np.float32)
    assert splitting.input_key(one) == splitting.input_key(one.copy())
    assert splitting.input_key(one) != splitting.input_key(one.reshape(2, 3))


def test_real_files(shared_data, tmp_path) -> None:
    path = tmp_path / "sms.tsv"
    path.write_bytes((shared_data / "sms_spam" / "SMSSpamCollection").read_bytes())
    splits, _ = open_source(csv_source(path, columns=["label", "text"]))
    assert sum(map(len, inputs_of(splits))) == 5574
    assert set(splits.test.targets) == {"ham", "spam"}


def test_what_names_a_source_imports_neither_numpy_nor_tensorflow() -> None:
    program = (
        "import sys; import seqzoo.zoo.data.source, seqzoo.zoo.presets, seqzoo.cli\n"
        "print([m for m in ('numpy', 'tensorflow', 'keras', 'rich') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_other_data_have_no_part_in_separate_files() -> None:
    source = Source("x.csv", kind="words", validation="held.csv", test=0.3, weight_column="w")
    source = dataclasses.replace(source, limit=9, fold="1/2", storage="disk")
    other = source.of_other_data("y.csv")
    unset: dict[str, Any] = {"limit": None, "fold": None, "storage": "auto"}
    expected = dataclasses.replace(source, data="y.csv", validation=Source.validation, **unset)
    assert other == expected


def test_other_data_need_not_have_the_format_of_the_training_data(tmp_path) -> None:
    source = Source("x.csv", kind="words", columns=["a", "b"], delimiter=";", storage="disk")
    for data, delimiter in (("y.tsv", None), ("y.csv.gz", ";"), ("y.data", ";"), ("y.txt", None)):
        other = source.of_other_data(data)
        assert other == dataclasses.replace(source, data=data, delimiter=delimiter, storage="auto")
    path = tmp_path / "y.csv"
    path.write_text("a;b\nx, y;good\n")
    (item,) = of_file(File(path), dataclasses.replace(source, input="a", columns=None))
    assert item.field == "x, y"
    for data in ("y.jsonl", "y.parquet", "y.npz"):
        other = source.of_other_data(data)
        assert (other.columns, other.delimiter, other.storage) == (None, None, "auto")

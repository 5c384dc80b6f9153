"""Named splits: those in a column of a file, and those of tfds data sets."""

import dataclasses
import json

import numpy as np
import pytest
from cli_cases import SMALL, seqzoo
from source_cases import csv_source, inputs_of, open_source, write

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.open import open_examples
from seqzoo.zoo.data.source import Source

NAMES = np.random.default_rng(0).choice(
    ["train", "val", "test", "hard"], 60, p=[0.6, 0.1, 0.1, 0.2]
)
ROWS = [f"text {i},{'ab'[i % 2]},{name}" for i, name in enumerate(NAMES)]


def texts(name: str) -> list[str]:
    return [f"text {i}" for i, item in enumerate(NAMES) if item == name]


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "t.csv", "text,label,part\n" + "\n".join(ROWS) + "\n")


def test_a_column_says_the_splits(file) -> None:
    source = csv_source(file, split_column="part")
    splits, opened = open_source(source)
    assert inputs_of(splits) == [texts("train"), texts("val"), texts("test")]
    assert Source(**json.loads(json.dumps(opened.to_config()))) == opened
    assert open_examples(source, "hard").inputs == texts("hard")
    assert open_examples(source, "val").inputs == texts("val")
    assert open_examples(source, "validation").inputs == texts("val")
    assert len(open_examples(source, "all")) == 60
    few = open_examples(dataclasses.replace(source, limit=3), "hard")
    assert len(few) == 3 and set(few.inputs) < set(texts("hard"))
    with pytest.raises(SeqzooError) as error:
        open_examples(source, "hart")
    assert str(error.value) == (
        "`split` must be one of train, validation, test, all, "
        f"{', '.join(name for name in dict.fromkeys(NAMES) if name not in ('train', 'test'))}, "
        "got 'hart'; did you mean 'hard'?"
    )


def test_a_split_that_a_column_lacks_is_held_out_of_its_training(file) -> None:
    write(file, file.read_text().replace(",val", ",dev").replace(",test", ",harder"))
    splits, _ = open_source(csv_source(file, split_column="part", test=0.25))
    train, validation, test = inputs_of(splits)
    assert validation == texts("val")
    assert sorted(train + test) == sorted(texts("train"))
    assert len(test) == round(0.25 * len(texts("train")))


def test_equal_inputs_are_left_out_of_the_training(file) -> None:
    again = texts("test")[0]
    write(file, f"{file.read_text()}{again},a,train\n")
    splits, _ = open_source(csv_source(file, split_column="part"))
    assert again not in splits.train.inputs and again in splits.test.inputs
    assert "1 input in " in splits.description and "(train) was left out" in splits.description


def test_separate_files_for_splits_that_a_column_lacks(file, tmp_path) -> None:
    other = str(write(tmp_path / "v.csv", "text,label\nnew,a\n"))
    with pytest.raises(SeqzooError, match="`validation` must be left out if `split_column`"):
        open_source(csv_source(file, split_column="part", validation=other))
    write(file, file.read_text().replace(",val", ",train"))
    splits, _ = open_source(csv_source(file, split_column="part", validation=other))
    assert splits.validation.inputs == ["new"]


def test_bad_columns_of_splits(file, tmp_path) -> None:
    with pytest.raises(SeqzooError, match=r"`split_column` must name a column .* mean 'part'"):
        open_source(csv_source(file, split_column="parts"))
    write(file, file.read_text().replace(",train", ",learn"))
    with pytest.raises(SeqzooError, match=r"column 'part', has no split 'train', only "):
        open_source(csv_source(file, split_column="part"))
    write(file, f"{file.read_text()}more,a,\n")
    with pytest.raises(SeqzooError, match="line 62: 'part' is empty"):
        open_source(csv_source(file, split_column="part"))
    plain = Source(str(write(tmp_path / "x.txt", "a\nb\n")), "words", "next", split_column="part")
    with pytest.raises(SeqzooError, match="`split_column` is for tables and arrays"):
        open_source(plain)
    with pytest.raises(SeqzooError, match="`split_column` is for files; dates has its own splits"):
        open_source(Source("dates", "characters", "characters", split_column="part"))
    with pytest.raises(SeqzooError, match="one of train, validation, test, all, got 'hard'"):
        open_examples(csv_source(file), "hard")


def test_an_array_says_the_splits(tmp_path) -> None:
    values = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    path = tmp_path / "x.npz"
    np.savez(path, inputs=values, targets=values[:, 1], split=NAMES)
    source = Source(str(path), "series", "value", split_column="split")
    splits, _ = open_source(source)
    np.testing.assert_array_equal(splits.test.inputs, values[NAMES == "test"])
    hard = open_examples(source, "hard")
    np.testing.assert_array_equal(hard.targets, values[NAMES == "hard"][:, 1])
    np.savez(path, inputs=values, targets=values[:, 1], split=NAMES[1:])
    with pytest.raises(SeqzooError, match="'split' must name a split for each of 60 examples"):
        open_source(source)


@pytest.mark.slow
@pytest.mark.usefixtures("plain_loop")
def test_commands(file, tmp_path) -> None:
    run = tmp_path / "run"
    words = ["train", "many-to-one", "--data", file, "--kind", "characters", "--input", "text"]
    result = seqzoo(*words, "--target", "label", "--split-column", "part", "--run", run, *SMALL)
    assert result.exit_code == 0, result.output
    for split in ("hard", "test"):
        result = seqzoo("evaluate", run, "--split", split, "--json")
        assert json.loads(result.output)["examples"] == len(texts(split))
    result = seqzoo("evaluate", run, "--split", "easy")
    assert result.exit_code == 2 and "must be one of train" in result.stderr


def test_splits_of_a_data_set(tmp_path, monkeypatch) -> None:
    import tensorflow_datasets as tfds

    class Own(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # pyright: ignore
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(names="ab")}
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, dl_manager):
            sizes = {"train": 30, "test": 5, "test_far": 7, "nothing": 2}
            return {name: self._generate_examples(name, size) for name, size in sizes.items()}

        def _generate_examples(self, name, size):
            for i in range(size):
                yield i, {"text": f"{name} {i}", "label": -1 if name == "nothing" else i % 2}

    Own.name = "own"
    Own(data_dir=tmp_path).download_and_prepare()
    source = Source("tfds:own", "words", data_dir=str(tmp_path))
    far = open_examples(source, "test_far")
    assert sorted(far.inputs) == [f"test_far {i}" for i in range(7)]
    assert far.targets == ["ab"[int(text[-1]) % 2] for text in far.inputs]
    # The published test split is read alone; a limited one, and one that is held out, are not.
    for limit, split in ((None, "test"), (3, "test"), (None, "validation")):
        part = dataclasses.replace(source, limit=limit)
        expected = getattr(open_source(part)[0], split)
        examples = open_examples(part, split)
        assert list(examples.inputs) == list(expected.inputs) != []
        assert list(examples.targets) == list(expected.targets)
    with pytest.raises(SeqzooError, match="tfds:own has no examples for nothing"):
        open_examples(source, "nothing")
    with pytest.raises(
        SeqzooError,
        match="of train, validation, test, test_far, nothing, got 'test_fra'; .*'test_far'",
    ):
        open_examples(source, "test_fra")


def test_splits_are_spelled_in_one_way(tmp_path) -> None:
    rows = [f"t{i}\t{'ab'[i % 2]}\t{('train', 'Train', 'test')[i % 3]}" for i in range(30)]
    file = write(tmp_path / "t.tsv", "\n".join(["text\tlabel\tpart", *rows]) + "\n")
    with pytest.raises(SeqzooError, match="must spell each split in one way, got 'train' and 'Tr"):
        open_source(csv_source(file, split_column="part"))

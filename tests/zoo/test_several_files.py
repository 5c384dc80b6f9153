"""Data in several files: patterns, the folders of Hugging Face's datasets, and addresses."""

import gzip
import json
import pathlib
from dataclasses import replace

import pyarrow as pa
import pytest
import tensorflow as tf
from cli_cases import seqzoo

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo import check
from seqzoo.zoo.data.arrow import ArrowFiles
from seqzoo.zoo.data.arrow_tables import class_names, columns_of
from seqzoo.zoo.data.open import open_examples, open_source
from seqzoo.zoo.data.several_files import files_of
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.data_check.check import DataReport

NAMES = ["neg", "pos"]


def source_of(data: object, kind: str = "words", **options) -> Source:
    return Source(str(data), kind, input="text", target="label", **options)


def table(rows: range) -> str:
    return "text,label\n" + "".join(f"text {row},{NAMES[row % 2]}\n" for row in rows)


@pytest.fixture
def parts(tmp_path) -> pathlib.Path:
    for count in range(3):
        path = tmp_path / f"part-{count}.csv"
        path.write_text(table(range(10 * count, 10 * count + 10)))
    return tmp_path


@pytest.mark.parametrize("storage", ["memory", "disk"])
def test_files_that_match_a_pattern_are_one_table(parts, storage, monkeypatch) -> None:
    monkeypatch.setenv("SEQZOO_CACHE", str(parts / "cache"))
    whole = parts / "whole.csv"
    whole.write_text(table(range(30)))
    one, _ = open_source(source_of(whole, storage=storage))
    several, source = open_source(source_of(parts / "part-*.csv", storage=storage))
    assert source.data == str(parts / "part-*.csv")
    for split in ("train", "validation", "test"):
        expected, found = getattr(one, split), getattr(several, split)
        assert list(found.inputs) == list(expected.inputs)
        assert list(found.targets) == list(expected.targets)
        first = int(found.inputs[0].split()[1])
        assert found.location(0) == f"line {first % 10 + 2} of {parts / f'part-{first // 10}.csv'}"


def test_errors_name_the_file(parts) -> None:
    (parts / "part-1.csv").write_text("text,label\nfine,pos\n,neg\n")
    with pytest.raises(SeqzooError) as caught:
        open_source(source_of(parts / "part-*.csv"))
    assert (
        str(caught.value)
        == f"line 3 of {parts / 'part-1.csv'}: 'text' is empty; fill it in or leave it out."
    )
    (parts / "part-2.csv").write_text("text,class\nfine,pos\n")
    (parts / "part-1.csv").write_text(table(range(4)))
    with pytest.raises(SeqzooError, match="part-2.csv .text, class., got 'label'"):
        open_source(source_of(parts / "part-*.csv"))
    (parts / "part-2.tsv").write_text("text\tlabel\nfine\tpos\n")
    with pytest.raises(SeqzooError, match="the same format, got .*part-2.csv and .*part-2.tsv"):
        open_source(source_of(parts / "part-*"))
    with pytest.raises(SeqzooError, match=r"No file matches .*none-\*\.csv"):
        open_source(source_of(parts / "none-*.csv"))


def test_paths_in_fields_need_a_single_folder(tmp_path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "t.csv").write_text("text,label\nimage.png,pos\n")
    with pytest.raises(SeqzooError, match="must be in a single folder"):
        open_source(source_of(tmp_path / "*" / "t.csv", "rows"))


def test_a_pattern_from_the_command_line(parts) -> None:
    shown = seqzoo("check", str(parts / "part-*"), "--kind", "words")
    assert shown.exit_code == 0 and "24 training examples" in shown.output


def dataset(
    folder: pathlib.Path, rows: range, *, shards: int = 1, label: int | None = None
) -> None:
    """Writes a data set as `save_to_disk` does: Arrow streams, and a list of the files."""
    folder.mkdir(parents=True)
    features = {"text": {"_type": "Value"}, "label": {"_type": "ClassLabel", "names": NAMES}}
    about = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    names = [f"data-{count:05d}-of-{shards:05d}.arrow" for count in range(shards)]
    for count, name in enumerate(names):
        selected = [row for row in rows if row % shards == count]
        columns = {
            "text": [f"text {row}" for row in selected],
            "label": [row % 2 if label is None else label for row in selected],
        }
        part = pa.table(columns).replace_schema_metadata(about)
        with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_stream(file, part.schema) as w:
            w.write_table(part)
    state = {"_data_files": [{"filename": name} for name in names], "_indices_data_files": None}
    (folder / "state.json").write_text(json.dumps(state))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda item: item,
        lambda item: {"_type": "Sequence", "feature": item},
        lambda item: {"_type": "List", "feature": item},
        lambda item: [item],
    ],
)
def test_lists_of_classes_have_their_names(wrap) -> None:
    features = {"tags": wrap({"_type": "ClassLabel", "names": NAMES}), "text": {"_type": "Value"}}
    features["unknown"] = []
    about = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    schema = pa.schema([("tags", pa.list_(pa.int64()))], about)
    classes = class_names(schema)
    assert classes == {"tags": NAMES}
    batch = pa.record_batch({"tags": [[0, 1], [1]]})
    assert columns_of({"tags": batch.column("tags")}, classes) == {
        "tags": [[NAMES[0], NAMES[1]], [NAMES[1]]]
    }


def test_a_hugging_face_dataset(tmp_path) -> None:
    dataset(tmp_path / "one", range(20), shards=2)
    part = open_examples(source_of(tmp_path / "one"), "all")
    assert part.inputs[:2] == ["text 0", "text 2"] and part.targets[9:11] == ["neg", "pos"]
    assert part.location(10) == "row 11"


@pytest.mark.parametrize("storage", ["memory", "disk"])
def test_splits_of_a_hugging_face_dataset(tmp_path, storage, monkeypatch) -> None:
    monkeypatch.setenv("SEQZOO_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "splits"
    dataset(folder / "train", range(20))
    dataset(folder / "test", range(20, 26))
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    found, source = open_source(source_of(folder, storage=storage))
    assert source.split_column == "split" and found.test and found.validation
    assert sorted(found.test.inputs) == [f"text {row}" for row in range(20, 26)]
    assert len(found.train) + len(found.validation) == 20
    dataset(folder / "unsupervised", range(30, 40), label=-1)
    splits = ["train", "test", "unsupervised"]
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": splits}))
    again, _ = open_source(source_of(folder, storage=storage))
    assert "The split 'unsupervised' is left out: 'label' is missing" in again.description
    assert again.test and sorted(again.test.inputs) == sorted(found.test.inputs)
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": splits[:2]}))
    if storage == "memory":
        assert open_examples(source_of(folder), "all").inputs[-1] == "text 25"


@pytest.mark.parametrize(
    "labels, missing",
    [
        (pa.array([[0, 1]] * 3), pa.array([[-1, -1], None, []], pa.list_(pa.int64()))),
        (pa.array(["a", "b", "c"]), pa.array(["", " ", None])),
        (pa.array([["a"], ["b"], []]), pa.array([[""], None, []], pa.list_(pa.string()))),
    ],
)
def test_a_split_without_labels_is_left_out(tmp_path, labels, missing) -> None:
    features = {"tags": [{"_type": "ClassLabel", "names": NAMES}]}
    about = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    for split, column in (("train", labels), ("test", missing)):
        (tmp_path / split).mkdir()
        part = pa.table({"tags": column}).replace_schema_metadata(about)
        with pa.ipc.new_stream(str(tmp_path / split / "x.arrow"), part.schema) as writer:
            writer.write_table(part)
        state = {"_data_files": [{"filename": "x.arrow"}]}
        (tmp_path / split / "state.json").write_text(json.dumps(state))
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    files = ArrowFiles(tmp_path)
    (note,) = files.leave_out_unlabelled("tags")
    assert note.startswith("The split 'test' is left out") and len(list(files.rows())) == 3


@pytest.mark.parametrize(
    "state, expected",
    [
        ("{", "does not list the data files"),
        ('{"_data_files": [{"filename": "../x.arrow"}]}', "must name files in its folder"),
        ('{"_data_files": []}', "contains no Arrow files"),
        ('{"_data_files": [{"filename": "x.arrow"}]}', "x.arrow cannot be read: No such file"),
        (
            '{"_data_files": [{"filename": "data-00000-of-00001.arrow"}], '
            '"_indices_data_files": [{"filename": "i.arrow"}]}',
            "a selection of rows",
        ),
    ],
)
def test_damaged_datasets(tmp_path, state, expected) -> None:
    dataset(tmp_path / "one", range(4))
    (tmp_path / "one" / "state.json").write_text(state)
    with pytest.raises(SeqzooError, match=expected):
        open_source(source_of(tmp_path / "one"))


def test_damaged_arrow_files(tmp_path) -> None:
    path = tmp_path / "t.arrow"
    rows = pa.table({"text": ["a"], "label": ["pos"]})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
        writer.write_table(rows)
    whole = path.read_bytes()
    packed = tmp_path / "u.arrow.gz"
    packed.write_bytes(gzip.compress(whole))
    assert open_examples(source_of(packed), "all").inputs == ["a"]
    for damaged in (whole[:40], b"plain text, no table", b""):
        path.write_bytes(damaged)
        with pytest.raises(SeqzooError, match="t.arrow (is empty|cannot be read)"):
            open_examples(source_of(path), "all")


def test_files_at_an_address_are_copied_once(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SEQZOO_CACHE", str(tmp_path))
    for count in range(2):
        with tf.io.gfile.GFile(f"ram://bucket/{count}.csv", "w") as file:
            file.write(table(range(10 * count, 10 * count + 10)))
    for address, expected in (("ram://bucket/1.csv", 10), ("ram://bucket/*.csv", 20)):
        for _ in range(2):
            found, source = open_source(source_of(address))
            assert source.data == address
            assert (
                sum(map(len, filter(None, (found.train, found.validation, found.test)))) == expected
            )
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(SeqzooError, match="ram://bucket/none.csv cannot be read"):
        open_source(source_of("ram://bucket/none.csv"))
    with pytest.raises(SeqzooError, match="no file system for nowhere://"):
        open_source(source_of("nowhere://bucket/1.csv"))


def test_the_current_folder_may_have_brackets_in_its_name(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "project [v2]"
    (folder / "parts").mkdir(parents=True)
    (folder / "parts" / "0.csv").write_text("text,label\na,x\n")
    monkeypatch.chdir(folder)
    source = Source("parts/*.csv", kind="words").absolute()
    monkeypatch.chdir(tmp_path)
    assert [path.name for path in files_of(source.data)] == ["0.csv"]


def test_a_pattern_of_addresses_matches_all_files(parts, monkeypatch) -> None:
    monkeypatch.setenv("SEQZOO_CACHE", str(parts / "cache"))
    (parts / "part-3.csv.gz").write_bytes(gzip.compress(table(range(30, 40)).encode()))
    assert len(open_examples(source_of(f"file://{parts}/part-*.csv*"), "all")) == 40


def test_parts_without_rows_are_left_out(parts) -> None:
    for name in ("part-0.csv", "part-9.csv"):
        (parts / name).write_text("text,label\n")
    found = open_examples(source_of(parts / "part-*.csv"), "all")
    assert len(found) == 20
    assert found.location(0) == f"line 2 of {parts / 'part-1.csv'}"
    for path in parts.glob("part-[12].csv"):
        path.unlink()
    with pytest.raises(SeqzooError, match="part-9.csv has no rows below its header"):
        open_examples(source_of(parts / "part-*.csv"), "all")


def test_texts_of_several_files_are_one_text_if_they_are_read_whole(tmp_path) -> None:
    texts = [f"{letter * 40}\n" for letter in "abc"]
    for count, text in enumerate(texts):
        (tmp_path / f"p{count}.txt").write_text(text)
    source = Source(str(tmp_path / "p*.txt"), "characters", target_kind="next", whole=True)
    assert open_examples(source, "all").inputs == ["".join(texts)]
    found, _ = open_source(source)
    assert "".join(found.train.inputs).startswith(texts[0] + texts[1])
    assert found.test is not None
    assert found.test.inputs[0] == "".join(texts)[-len(found.test.inputs[0]) :]
    lines = replace(source, whole=False)
    assert open_examples(lines, "all").inputs == [text.strip() for text in texts]


def _counts(report: DataReport) -> dict:
    return next(item.values for item in report.findings if item.subject == "rows")


def test_a_check_has_the_stored_splits(tmp_path) -> None:
    folder = tmp_path / "splits"
    dataset(folder / "train", range(40))
    dataset(folder / "test", range(40, 65))
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    report = check(str(folder), timing=False)
    assert report.source.input == "text"
    found, _ = open_source(source_of(folder))
    assert _counts(report)["test"] == len(found.test or ()) == 25


def test_a_check_reads_addresses_and_paths_as_training_does(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SEQZOO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "t.csv").write_text(table(range(30)))
    for address in ("t.csv", "[t].csv"):
        report = check(f"file://{tmp_path}/{address}", timing=False)
        assert report.source.input == "text" and _counts(report)["train"] == 24
    dates = "".join(f"2024-01-{day:02},{day % 5}\n" for day in range(1, 32))
    (tmp_path / "d.csv").write_text(f"day,sold\n{dates}")
    splits, source = open_source(Source(f"file://{tmp_path}/d.csv", "history", date_column="day"))
    assert len(splits.train) == 1 and source.data == f"file://{tmp_path}/d.csv"

    (tmp_path / "images").mkdir()
    for count in range(20):
        image = tf.io.encode_png(tf.fill((8, 8, 1), tf.cast(count, tf.uint8)))
        tf.io.write_file(str(tmp_path / "images" / f"{count}.png"), image)
    rows = "".join(f"{count}.png,{NAMES[count % 2]}\n" for count in range(20))
    (tmp_path / "images" / "list.csv").write_text(f"text,label\n{rows}")
    fields = {"kind": "rows", "input": "text", "target": "label", "timing": False}
    report = check(str(tmp_path / "*" / "list.csv"), **fields)
    assert _counts(report)["train"] == 16


def test_a_check_refuses_what_training_refuses(tmp_path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "a", "label": "pos"}\n' * 3)
    with pytest.raises(SeqzooError, match="`columns` is for .csv and .tsv files"):
        check(str(path), kind="words", columns=["text", "label"], timing=False)

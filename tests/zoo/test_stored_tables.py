"""Large tables on disk: the same examples, batches and weights as in memory, and a cache that is
never half-written."""

import errno
import json
import os
import random
import time

import numpy as np
import pytest
from cli_cases import seqzoo

from seqzoo.tasks import ManyToOne, TrainingSettings, train, unfinished
from seqzoo.tasks.data import cache
from seqzoo.tasks.data.batches import Padding, batches
from seqzoo.tasks.data.stored_columns import ClassColumn, TextColumn, sort_digests
from seqzoo.tasks.errors import DiskFull, SeqzooError
from seqzoo.tasks.training.trainer import _fingerprint
from seqzoo.zoo.data import records, stored_table
from seqzoo.zoo.data.open import open_source
from seqzoo.zoo.data.source import Source

WORDS = ["alpha", "Beta", "gämma", "日本", "don't", "x!", "o", "ü", "\U0001f600z", "e\u0301"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def table(tmp_path):
    generator = random.Random(3)
    rows = ["text,label,part"]
    for number in range(240):
        text = " ".join(generator.choices(WORDS, k=generator.randint(1, 12)))
        if number % 40 == 7:
            rows.append("")  # left out
        text += "\n2" if number % 50 == 9 else ""
        part = ("train", "train", "val", "test")[number % 4]
        rows.append(f'"{text}", {generator.choice("abc")},{part}')
    path = tmp_path / "table.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def _open(path, storage, kind="words", **options):
    fields = {"input": "text", "target": "label", **options}
    return open_source(Source(str(path), kind, storage=storage, **fields))[0]


def _assert_equal(stored, plain):
    for name in ("train", "validation", "test"):
        on_disk, other = getattr(stored, name), getattr(plain, name)
        assert isinstance(on_disk.inputs, TextColumn) and isinstance(other.inputs, list)
        assert list(on_disk.inputs) == other.inputs and list(on_disk.targets) == other.targets
        assert [on_disk.location(at) for at in range(len(on_disk))] == list(other.locations)
    description = stored.description.partition(" Examples are read from disk")[0]
    assert plain.description.startswith(description.partition(".csv:")[0])


@pytest.mark.parametrize("options", [{}, {"split_column": "part"}, {"limit": 20}])
def test_the_same_splits_as_in_memory(table, options) -> None:
    _assert_equal(_open(table, "disk", **options), _open(table, "memory", **options))


def test_inputs_of_a_validation_file_are_left_out(table, tmp_path) -> None:
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "own.csv").write_text("".join([lines[0], *lines[2:9]]), encoding="utf-8")
    options = {"validation": str(tmp_path / "own.csv"), "test": 0.2}
    stored, plain = (_open(table, storage, **options) for storage in ("disk", "memory"))
    _assert_equal(stored, plain)
    assert "left out, because the same input" in stored.description


def test_inputs_in_several_splits_of_a_file_are_left_out(tmp_path) -> None:
    parts = ["train", "val", "test"]
    rows = [f"text {number % 46},{'ab'[number % 2]},{parts[number % 3]}" for number in range(60)]
    path = tmp_path / "several.csv"
    path.write_text("\n".join(["text,label,part", *rows]) + "\n")
    stored, plain = (_open(path, storage, split_column="part") for storage in ("disk", "memory"))
    _assert_equal(stored, plain)
    assert len(stored.train) < 20 and "left out, because the same input" in stored.description


def test_damaged_counts_of_tokens_are_counted_again(table, own_cache) -> None:
    template, splits = ManyToOne(input="words", minimum_count=1), _open(table, "disk")
    first = template.adapt(splits.train).vocabularies["vocabulary"].tokens
    (note,) = own_cache.glob("tokens-*/note-*")
    for damaged in ("[1,", "[1]", "{}"):
        note.write_text(damaged)
        assert template.adapt(splits.train).vocabularies["vocabulary"].tokens == first
    assert note.read_text().startswith("[") and note.read_text() != "[1]"


@pytest.mark.parametrize(
    "kind, options",
    [
        ("characters", {"lowercase": True, "nfc": True, "maximum_length": 17}),
        ("characters", {"vocabulary_size": 9}),
        ("words", {"maximum_length": 5, "vocabulary_size": 6}),
        ("subwords", {"vocabulary_size": 60}),
    ],
)
def test_the_same_batches_as_in_memory(table, kind, options) -> None:
    template = ManyToOne(input=kind, minimum_count=1, **options)
    settings, found = TrainingSettings(batch_size=16), []
    for storage in ("memory", "disk", "disk"):  # encoded, and read again
        splits = _open(table, storage, kind)
        task = template.adapt(splits.train)
        assert splits.validation is not None
        data = task.data(splits.train)
        assert data.on_disk == (storage == "disk")
        padding = Padding.choose(data, 3, 16)
        plan = data.plan(padding, settings, seed=(1, 2))
        rows = [{name: value.numpy() for name, value in row.items()} for row in batches(data, plan)]
        parts = [data, task.data(splits.validation)]
        found.append((task.vocabularies, padding, rows, _fingerprint(parts), data.inputs))
    (vocabularies, padding, rows, fingerprint, inputs), *others = found
    for other in others:
        assert other[0]["vocabulary"].tokens == vocabularies["vocabulary"].tokens
        assert other[1] == padding and other[3] == fingerprint
        np.testing.assert_array_equal(other[4].flat, inputs.flat)
        np.testing.assert_array_equal(other[4][3], inputs[3])
        for row, expected in zip(other[2], rows, strict=True):
            assert row.keys() == expected.keys()
            for name, values in expected.items():
                np.testing.assert_array_equal(row[name], values)


@pytest.mark.slow
def test_the_same_weights_as_in_memory(table, tmp_path) -> None:
    runs = []
    for storage in ("memory", "disk"):
        splits = _open(table, storage, target_kind="class")
        assert splits.test is not None
        template = ManyToOne(input="words", units=3, embedding=2, minimum_count=1)
        settings = TrainingSettings(epochs=1, batch_size=32)
        run = train(template, splits, settings, tmp_path / storage)
        runs.append((run.model.get_weights(), run.evaluate(splits.test), run.config["data"]))
    for item, expected in zip(runs[1][0], runs[0][0], strict=True):
        np.testing.assert_array_equal(item, expected)
    assert runs[1][1] == runs[0][1]
    assert runs[1][2]["fingerprint"] == runs[0][2]["fingerprint"]


@pytest.mark.parametrize("line", ["just one field", '" ",a,train', '"open,a,train'])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_same_errors_as_in_memory(table, line, end, own_cache) -> None:
    lines = table.read_text(encoding="utf-8").split("\n")
    table.write_bytes(end.join([*lines[:30], line, *lines[30:]]).encode())
    messages = []
    for storage in ("memory", "disk"):
        with pytest.raises(SeqzooError) as caught:
            _open(table, storage)
        messages.append(str(caught.value))
    assert messages[0] == messages[1] and "line 3" in messages[0]
    assert not list(own_cache.iterdir())


def _entries(folder):
    return sorted(path.name for path in folder.iterdir())


def _spoil_version(folder):
    manifest = json.loads((folder / cache.MANIFEST).read_text())
    (folder / cache.MANIFEST).write_text(json.dumps({**manifest, "format": 0}))


def _spoil_file(folder):
    data = bytearray((folder / "input").read_bytes())
    data[5] ^= 1
    (folder / "input").write_bytes(data)


def _shorten(folder):
    with (folder / "lines").open("r+b") as file:
        file.truncate(100)


def _spoil_manifest(folder):
    (folder / cache.MANIFEST).write_text('{"format":')


def _empty_manifest(folder):
    manifest = {"format": cache.CACHE_FORMAT, "arrays": {}}
    (folder / cache.MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "spoil", [_spoil_version, _spoil_file, _shorten, _spoil_manifest, _empty_manifest]
)
def test_a_damaged_or_older_cache_is_rebuilt(table, own_cache, spoil) -> None:
    expected = list(_open(table, "disk").train.inputs)
    (name,) = _entries(own_cache)
    spoil(own_cache / name)
    assert cache.find(name) is None
    listed = json.loads(seqzoo("cache", "list", "--json").stdout)["entries"]
    assert [item["usable"] for item in listed] == [False]
    assert list(_open(table, "disk").train.inputs) == expected
    assert cache.find(name) is not None and _entries(own_cache) == [name]


def test_a_changed_file_is_read_again(table, own_cache) -> None:
    _open(table, "disk")
    table.write_text(table.read_text(encoding="utf-8").replace("alpha", "omega"), encoding="utf-8")
    assert any("omega" in text for text in _open(table, "disk").train.inputs)


def test_what_a_killed_process_left_is_never_read(table, own_cache) -> None:
    _open(table, "disk")
    (name,) = _entries(own_cache)
    process = f"{unfinished.host()}.00000000-{2**22 + 1}"  # above all process numbers
    left = own_cache / f"{unfinished.NEW}{name}-{process}"
    (own_cache / name).rename(left)
    (left / cache.MANIFEST).unlink()
    assert cache.find(name) is None
    _open(table, "disk")
    assert _entries(own_cache) == [name]


def test_tokens_that_are_removed_at_once_are_one_line(table, monkeypatch) -> None:
    splits = _open(table, "disk")
    monkeypatch.setattr(cache, "find", lambda key: None)
    with pytest.raises(SeqzooError, match="tokens-.* was removed while .*; repeat the command."):
        ManyToOne(input="words").adapt(splits.train)


def test_a_full_disk_is_one_line(table, own_cache, monkeypatch) -> None:
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(stored_table._Table, "_texts", full)
    with pytest.raises(DiskFull) as caught:
        _open(table, "disk")
    assert "no part of it was kept" in str(caught.value) and "SEQZOO_CACHE" in str(caught.value)
    assert "\n" not in str(caught.value) and not _entries(own_cache)


def test_size_decides_where_examples_are(table, monkeypatch) -> None:
    assert isinstance(_open(table, "auto").train.inputs, list)
    monkeypatch.setattr(stored_table, "LARGE_TABLE", table.stat().st_size)
    result = _open(table, "auto")
    assert isinstance(result.train.inputs, TextColumn)
    assert isinstance(result.train.targets, ClassColumn)
    assert "--storage memory keeps them in memory" in result.description
    with pytest.raises(SeqzooError, match="`storage` 'disk' is for tables with one text per row"):
        _open(table, "disk", "series")


def test_the_cache_is_listed_and_cleared(table, own_cache) -> None:
    _open(table, "disk")
    (name,) = _entries(own_cache)
    (entry,) = json.loads(seqzoo("cache", "list", "--json").stdout)["entries"]
    assert entry["key"] == name and entry["of"] == str(table) and entry["usable"]
    assert str(table) in seqzoo("cache", "list").stdout
    # Built-in data sets are in the same folder, and SEQZOO_CACHE may name any.
    others = [own_cache / "languages" / "1.0.0", own_cache / ".new-photos" / "2020"]
    for other in others:
        other.mkdir(parents=True)
        (other / "file").write_text("kept")
        for path in (other / "file", other, other.parent):
            os.utime(path, (0, 0))
    assert len(json.loads(seqzoo("cache", "list", "--json").stdout)["entries"]) == 1
    assert seqzoo("cache", "clear").stdout.endswith(f"from {own_cache}.\n")
    cache.remove_unfinished(own_cache)
    assert not (own_cache / name).exists()
    assert all((other / "file").read_text() == "kept" for other in others)


def test_classes_of_more_than_a_byte(tmp_path) -> None:
    path = tmp_path / "many.csv"
    rows = "".join(f"text {number},c{number // 2}\n" for number in range(20_000))
    path.write_text("text,label\n" + rows)
    targets = _open(path, "disk", validation=0, test=0).train.targets
    assert list(targets) == [f"c{number // 2}" for number in range(20_000)]


def test_equal_first_halves_of_digests_are_distinguished() -> None:
    digests = np.array([[5, 2], [5, 1], [3, 9], [5, 2]], np.uint64)
    order, fresh = sort_digests(digests)  # pyright: ignore[reportArgumentType]
    assert order.tolist() == [2, 1, 0, 3] and fresh.tolist() == [True, True, True, False]


def test_parts_of_a_file_are_found_across_its_blocks(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(records, "BLOCK", 4)
    path = tmp_path / "a.csv"
    path.write_bytes(b'a, "b\r\nc\rd')
    file = records.TextFile(path)
    assert file.holds(b', "') and not file.holds(b'"a') and file.has_lone_returns()
    path.write_bytes(b"abc\r\ndef\r\n")
    assert not records.TextFile(path).has_lone_returns()


def test_what_other_machines_write_is_kept_for_a_day(own_cache, monkeypatch) -> None:
    with cache.making(f"table-{1:032x}") as writer:
        (entry,) = own_cache.iterdir()
        monkeypatch.setattr(unfinished.socket, "gethostname", lambda: "other.example")
        with cache.making(f"table-{2:032x}"):
            assert entry.is_dir()
        long_ago = time.time() - 2 * unfinished.ABANDONED_SECONDS
        os.utime(entry, (long_ago, long_ago))
        for path in entry.iterdir():
            os.utime(path, (long_ago, long_ago))
        cache.remove_unfinished(own_cache)
        assert not entry.exists()
        entry.mkdir()
        assert writer is not None

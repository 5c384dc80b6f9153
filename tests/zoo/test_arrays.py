"""Arrays of .npz files become examples, and bad ones are named with their examples."""

import json
import zipfile

import numpy as np
import pytest
from cli_cases import seqzoo
from source_cases import open_source

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.runs.run import Run
from seqzoo.zoo.data.open import open_examples
from seqzoo.zoo.data.source import Source

RANDOM = np.random.default_rng(0)
LENGTHS = RANDOM.integers(2, 8, 30)
SERIES = [RANDOM.normal(size=(length, 3)).astype(np.float32) for length in LENGTHS]
PADDED = np.full((30, 9, 3), np.nan, np.float32)  # what fills up must not be looked at
for padded, series in zip(PADDED, SERIES, strict=True):
    padded[: len(series)] = series
JOINED = np.concatenate(SERIES)
CLASSES = RANDOM.choice(["high", "low"], 30)


def opened(path, arrays: dict, kind: str, target_kind: str, **choices) -> Source:
    np.savez(path / "x.npz", **arrays)
    return Source(str(path / "x.npz"), kind, target_kind, **choices)


def assert_equal(found, expected) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "arrays",
    [
        {"inputs": PADDED, "lengths": LENGTHS},
        {"inputs": JOINED, "inputs_lengths": LENGTHS, "lengths": [1]},
        {"values": JOINED.astype(np.float64), "lengths": LENGTHS.astype(np.uint8)},
    ],
)
def test_padded_and_joined_series(tmp_path, arrays) -> None:
    source = opened(tmp_path, {**arrays, "targets": CLASSES}, "series", "class")
    examples = open_examples(source, "all")
    assert_equal(examples.inputs, SERIES)
    assert examples.targets == list(CLASSES)
    splits, _ = open_source(source)
    for part in (splits.train, splits.validation, splits.test):
        assert_equal(part.inputs, [SERIES[index] for index in part.lines])
        assert part.targets == [CLASSES[index] for index in part.lines]
        assert part.location(1) == f"example {part.lines[1]}"


def test_names_and_values(tmp_path) -> None:
    x, y = RANDOM.normal(size=(20, 7)), RANDOM.normal(size=(20, 2))
    source = opened(tmp_path, {"X": x, "y": y}, "series", "value", input="X", target="y")
    examples = open_examples(source, "all")
    assert_equal(examples.inputs, x.astype(np.float32))
    np.testing.assert_array_equal(examples.targets, y.astype(np.float32))


def test_one_long_series_is_held_out_from_its_end(tmp_path) -> None:
    series = np.tile([1.0, 2.0, 3.0, 4.0, 5.0], 20).astype(np.float32)  # its parts are alike
    splits, _ = open_source(opened(tmp_path, {"inputs": series}, "series", "next"))
    for part, expected in zip(
        (splits.train, splits.validation, splits.test),
        (series[:80], series[80:90], series[90:]),
        strict=True,
    ):
        assert_equal(part.inputs, [expected])
    wide = RANDOM.normal(size=(50, 4)).astype(np.float32)
    source = opened(tmp_path, {"inputs": wide}, "series", "next", test=0.2, whole=True)
    splits, _ = open_source(source)
    assert_equal(splits.test.inputs, [wide[40:]])
    source = opened(tmp_path, {"inputs": wide}, "series", "next")
    assert len(open_examples(source, "all").inputs) == 50
    notes = (wide > 0).astype(np.int8)
    source = opened(tmp_path, {"inputs": notes}, "notes", "next")
    assert_equal(open_examples(source, "all").inputs, [notes])


def test_answers_at_each_step(tmp_path) -> None:
    tags = RANDOM.integers(0, 3, len(JOINED))
    source = opened(
        tmp_path, {"inputs": JOINED, "lengths": LENGTHS, "targets": tags}, "series", "tags"
    )
    examples = open_examples(source, "all")
    assert [tag for target in examples.targets for tag in target] == list(map(str, tags))
    assert [len(target) for target in examples.targets] == list(LENGTHS)
    values = np.nan_to_num(PADDED[:, :, :2]) + 1
    source = opened(
        tmp_path, {"inputs": PADDED, "lengths": LENGTHS, "targets": values}, "series", "values"
    )
    assert_equal(open_examples(source, "all").targets, [item[:, :2] + 1 for item in SERIES])
    one = {"inputs": JOINED, "targets": JOINED[:, 0] * 2}
    splits, _ = open_source(opened(tmp_path, one, "series", "values"))
    together = [splits.train, splits.validation, splits.test]
    np.testing.assert_array_equal(
        np.concatenate([item.targets[0] for item in together]), one["targets"]
    )
    np.testing.assert_array_equal(np.concatenate([item.inputs[0] for item in together]), JOINED)
    assert len(splits.train.inputs[0]) == len(splits.train.targets[0])


def test_texts_classes_images_vectors_and_audio(tmp_path) -> None:
    texts = np.array(["günstig", "a b", "c"] * 5)
    several = RANDOM.integers(0, 2, (15, 4))
    source = opened(
        tmp_path, {"inputs": np.char.encode(texts, "utf-8"), "targets": several}, "words", "labels"
    )
    examples = open_examples(source, "all")
    assert examples.inputs == list(texts)
    assert examples.targets == [tuple(str(i) for i in range(4) if row[i]) for row in several]
    images = RANDOM.integers(0, 256, (15, 4, 5, 1), dtype=np.uint8)
    source = opened(tmp_path, {"inputs": images, "targets": np.arange(15.0) % 2}, "rows", "class")
    examples = open_examples(source, "all")
    assert examples.inputs.dtype == np.uint8 and examples.inputs.shape == (15, 4, 5)
    assert examples.targets[:3] == ["0", "1", "0"]
    source = opened(tmp_path, {"inputs": images, "targets": texts}, "image", "words")
    assert_equal(open_examples(source, "all").inputs, images[..., 0])
    vectors = RANDOM.normal(size=(15, 2)).astype(np.float32)
    source = opened(tmp_path, {"inputs": vectors, "targets": texts}, "vector", "characters")
    assert_equal(open_examples(source, "all").inputs, vectors)
    sounds = np.array([0, 16384, -32768] * 3, np.int16)
    arrays = {"inputs": sounds, "lengths": [2, 7], "targets": [True, False], "sample_rate": 8000}
    splits, source = open_source(
        opened(tmp_path, arrays, "audio", "class", validation=0.0, test=0.0)
    )
    assert source.sample_rate == 8000 and splits.train.targets == ["true", "false"]
    assert_equal(splits.train.inputs, [[0, 0.5], [-1, 0, 0.5, -1, 0, 0.5, -1]])
    for wrong, message in (
        (sounds.astype(np.int64), "contain samples as floats, int16 or int32"),
        (sounds.astype(np.float32), "contain samples between -1 and 1, got 32768"),
    ):
        with pytest.raises(SeqzooError, match=message):
            open_source(opened(tmp_path, arrays | {"inputs": wrong}, "audio", "class"))


HUGE = SERIES[0].astype(np.float64) * 1e300
BAD = {
    "unknown array": ({"input": SERIES[0]}, {}, "`input` must name an array of .*x.npz .input"),
    "nearest": (
        {"inputs": PADDED},
        {"target": "inputz"},
        "`target` .* got 'inputz'; did you mean 'inputs'",
    ),
    "objects": (
        {"inputs": np.array(SERIES, object), "targets": CLASSES},
        {},
        "'inputs' contains Python objects, which are not read; concatenate",
    ),
    "text": ({"inputs": CLASSES, "targets": CLASSES}, {}, "must contain numbers, got 30 of"),
    "complex": (
        {"inputs": np.ones(3, complex), "targets": CLASSES},
        {},
        "'inputs' must contain numbers or text, got 3 of complex128",
    ),
    "NaN": (
        {"inputs": PADDED, "targets": CLASSES},
        {},
        r"x\.npz, example 0: 'inputs' contains NaN at step \d; fill it in",
    ),
    "too large": (
        {"inputs": np.stack([SERIES[0], HUGE]), "targets": CLASSES[:2]},
        {},
        "example 1: 'inputs' contains a number beyond",
    ),
    "lengths that do not fit": (
        {"inputs": PADDED, "lengths": LENGTHS + 5, "targets": CLASSES},
        {},
        "'inputs' must fit 'lengths' .30 lengths of at most 12, .* got 30x9x3 of float32",
    ),
    "length of zero": (
        {"inputs": PADDED, "lengths": LENGTHS * (np.arange(30) != 4), "targets": CLASSES},
        {},
        "example 4: 'lengths' must be at least 1, got 0",
    ),
    "lengths of no whole numbers": (
        {"inputs": PADDED, "lengths": LENGTHS / 1, "targets": CLASSES},
        {},
        "'lengths' must be whole numbers",
    ),
    "other count": (
        {"inputs": PADDED, "lengths": LENGTHS, "targets": CLASSES[:29]},
        {},
        "'inputs' contains 30 examples, but 'targets' contains 29 examples",
    ),
    "class that is not a whole number": (
        {"inputs": PADDED, "lengths": LENGTHS, "targets": np.arange(30) / 2},
        {},
        r"example 1: 'targets' must be text or a whole number, got 0\.5",
    ),
    "empty class": (
        {"inputs": PADDED, "lengths": LENGTHS, "targets": np.where(LENGTHS, "", CLASSES)},
        {},
        "example 0: 'targets' is empty",
    ),
    "several columns": (
        {"inputs": PADDED, "lengths": LENGTHS, "targets": np.eye(30)},
        {},
        r"'targets' must have one class per example, \(n,\), got 30x30 of float64",
    ),
    "empty": ({"inputs": np.ones((0, 3)), "targets": []}, {}, "and not be empty, got 0x3"),
    "four axes": ({"inputs": np.ones((2, 3, 4, 5)), "targets": [1, 2]}, {}, "2x3x4x5"),
}


@pytest.mark.parametrize("arrays, choices, message", BAD.values(), ids=BAD)
def test_bad_arrays_are_named(tmp_path, arrays, choices, message) -> None:
    with pytest.raises(SeqzooError, match=message) as error:
        open_source(opened(tmp_path, arrays, "series", "class", **choices))
    assert "\n" not in str(error.value) and str(error.value).endswith((".", "?"))


def test_audio_without_a_rate_is_refused(tmp_path) -> None:
    source = opened(tmp_path, {"inputs": np.zeros((30, 9)), "targets": CLASSES}, "audio", "class")
    with pytest.raises(SeqzooError, match="has no array 'sample_rate', .* or set --sample-rate"):
        open_examples(source, "all")


@pytest.mark.parametrize("kind, scalar", [("values", 0.5), ("tags", "a")])
def test_a_single_value_is_no_target_of_steps(tmp_path, kind: str, scalar: object) -> None:
    arrays = {"inputs": np.ones((30, 4, 1), np.float32), "targets": np.array(scalar)}
    with pytest.raises(SeqzooError, match="must have values for each step, got a single one"):
        open_source(opened(tmp_path, arrays, "series", kind))


def test_files_that_are_not_arrays(tmp_path) -> None:
    path = tmp_path / "x.npz"
    source = Source(str(path), "series")
    path.write_bytes(b"text")
    with pytest.raises(SeqzooError, match=r"x\.npz is not an \.npz file"):
        open_source(source)
    with path.open("wb") as file:
        np.save(file, SERIES[0])
    with pytest.raises(SeqzooError, match="one array without a name"):
        open_source(source)
    np.savez(path, inputs=JOINED, lengths=LENGTHS, targets=CLASSES)
    data = bytearray(path.read_bytes())
    data[300] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(SeqzooError, match="'inputs' is damaged"):
        open_source(source)
    for shape in (b"(True,)", b"(3,(((,"):
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': " + shape
        header += b", }" * (b"True" in shape)
        header += b" " * (64 - (len(header) + 11) % 64) + b"\n"
        member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(24)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("inputs.npy", member)
        with pytest.raises(SeqzooError, match="'inputs' is damaged"):
            open_source(source)


SMALL = "--units 6 --epochs 1 --batch-size 8".split()


@pytest.mark.slow
@pytest.mark.usefixtures("plain_loop")
def test_commands(tmp_path) -> None:
    path, run = tmp_path / "x.npz", tmp_path / "run"
    np.savez(path, inputs=RANDOM.normal(size=(300, 3)))
    words = ["train", "many-to-many-aligned", "--data", path, "--kind", "series", *SMALL]
    words += ["--target-kind", "next", "--whole", "--window", 20]
    result = seqzoo(*words, "--run", run)
    assert result.exit_code == 0, result.output
    assert "1 training example, 1 validation example, 1 test example" in result.output
    assert len(Run.open(run).predict([RANDOM.normal(size=(9, 3))])[0].value) == 24
    np.savez(path, inputs=PADDED, lengths=LENGTHS, targets=CLASSES)
    words = ["train", "many-to-one", "--data", path, "--kind", "series", *SMALL]
    result = seqzoo(*words, "--run", tmp_path / "classes")
    assert result.exit_code == 0, result.output
    result = seqzoo("evaluate", tmp_path / "classes", "--data", path, "--json")
    assert result.exit_code == 0 and json.loads(result.output)["examples"] == 30

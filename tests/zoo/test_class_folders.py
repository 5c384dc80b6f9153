"""Images or recordings in a folder per class: training, evaluation and checks."""

import pathlib
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from cli_cases import seqzoo
from source_cases import inputs_of, open_source, sound

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data import class_folders
from seqzoo.zoo.data.open import open_examples
from seqzoo.zoo.data.source import Source


def save(path: pathlib.Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tf.io.encode_png(image[..., None]).numpy())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    """Forty images of 4 by 3 pixels, dark and bright ones, each different."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(40):
        bright = number % 2
        image = np.full((4, 3), 200 * bright, np.uint8)
        image.flat[number % 12] += number + 1
        save(folder / ("bright" if bright else "dark") / f"{number:02}.png", image)
    (folder / "dark" / "notes.txt").write_text("no image")
    (folder / ".cache").mkdir()
    save(folder / ".cache" / "a.png", np.zeros((4, 3), np.uint8))
    return folder


def test_classes_are_the_names_of_folders(folder) -> None:
    splits, _ = open_source(Source(str(folder), "rows"))
    parts = [splits.train, splits.validation, splits.test]
    assert [len(part) for part in parts] == [32, 4, 4]
    for part in parts:
        for image, label in zip(part.inputs, part.targets, strict=True):
            assert image.shape == (4, 3) and label == ("bright" if np.median(image) else "dark")
    again, _ = open_source(Source(str(folder), "rows"))
    other, _ = open_source(Source(str(folder), "rows", seed=1))
    first, same, moved = (np.concatenate(inputs_of(item)) for item in (splits, again, other))
    assert (first == same).all() and (first != moved).any()
    assert len(open_examples(Source(str(folder), "image"), "all")) == 40


def test_recordings_in_folders_of_classes(tmp_path) -> None:
    for number in range(20):
        folder = tmp_path / ("high" if number % 2 else "low")
        folder.mkdir(exist_ok=True)
        wave = 1000 * np.sin(np.arange(800) * (0.5 if number % 2 else 0.1) + number)
        sound(folder / f"{number} [{number}].WAV", wave)
    parts, _ = open_source(Source(str(tmp_path), "audio"))
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [16, 2, 2]
    for samples, label in zip(parts.train.inputs, parts.train.targets, strict=True):
        fast = np.abs(np.diff(np.sign(samples))).sum() > 200
        assert samples.shape == (800,) and label == ("high" if fast else "low")
    result = seqzoo("check", tmp_path, "--no-timing")
    assert "--kind audio" in result.output and "2 different labels among 16" in result.output
    with pytest.raises(SeqzooError, match="must be 'audio' for the files in .* got 'rows'"):
        open_source(Source(str(tmp_path), "rows"))
    broken = tmp_path / "low" / "b.wav"
    broken.write_bytes(b"none")
    with pytest.raises(SeqzooError, match=f"recording {re.escape(str(broken))} of 4 bytes is not"):
        open_source(Source(str(tmp_path), "audio"))


def test_sources_of_earlier_runs_name_the_features_of_tfds(folder) -> None:
    source = Source(str(folder), "rows", input="image", target="label")
    assert len(open_examples(source, "test")) == 4
    with pytest.raises(SeqzooError, match="`input` names a column, and .* has none"):
        open_source(Source(str(folder), "rows", input="photo", target="label"))


@pytest.mark.parametrize("kind", ["rows", "audio"])
def test_folders_of_splits_with_folders_of_classes(kind, tmp_path) -> None:
    for number in range(24):
        split = ("train", "train", "Test", "hard")[number % 4]
        folder = tmp_path / split / ("high" if number % 8 < 4 else "low")
        if kind == "rows":
            save(folder / f"{number}.png", np.full((4, 3), number, np.uint8))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            sound(folder / f"{number}.wav", 1000 * np.sin(np.arange(800) * 0.1 + number))
    parts, source = open_source(Source(str(tmp_path), kind, validation=0.2))
    assert source.split_column == "split"
    # Of other data, the folder itself says whether it has splits.
    other = source.of_other_data(str(tmp_path / "hard"))
    assert len(open_examples(other, "test")) == 1 and len(open_examples(other, "all")) == 6
    sizes = [len(part) for part in (parts.train, parts.validation, parts.test)]
    assert sizes == [10, 2, 6] and sorted(set(parts.test.targets)) == ["high", "low"]
    assert len(open_examples(Source(str(tmp_path), kind), "hard")) == 6
    assert len(open_examples(Source(str(tmp_path), kind), "all")) == 24
    result = seqzoo("check", tmp_path, "--no-timing")
    assert f"--kind {kind}" in result.output and "6 test examples" in result.output
    assert not class_folders.has_splits(tmp_path, "words")
    inside = tmp_path.rename(tmp_path.parent / f"{kind}-archive")
    tmp_path.mkdir()
    inside = inside.rename(tmp_path / "archive")
    with pytest.raises(SeqzooError, match=f"contains a folder that can be read; name {inside}"):
        open_source(Source(str(tmp_path), kind))
    tmp_path = inside
    with pytest.raises(SeqzooError, match="`split_column` is for tables and arrays"):
        open_source(Source(str(tmp_path), kind, split_column="part"))
    shutil.rmtree(tmp_path / "train")
    with pytest.raises(SeqzooError, match="has no split 'train', only Test, hard"):
        open_source(Source(str(tmp_path), kind))


def test_texts_in_folders_of_classes(tmp_path) -> None:
    for number in range(24):
        folder = tmp_path / ("train" if number % 3 else "test") / ("pos" if number % 2 else "neg")
        folder.mkdir(parents=True, exist_ok=True)
        word = "good" if number % 2 else "bad"
        (folder / f"{number}.txt").write_bytes(f"é {word}\r\nfilm {number}\n".encode())
    (tmp_path / "train" / "urls.txt").write_text("no review")
    (tmp_path / "train" / "unsup").mkdir()
    (tmp_path / "train" / "unsup" / "1.txt").write_text("of no class")
    parts, _ = open_source(Source(str(tmp_path), "words", validation=0.25))
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [12, 4, 8]
    assert "train/unsup is left out: by its name" in parts.description
    for text, label in zip(parts.train.inputs, parts.train.targets, strict=True):
        assert text.startswith(f"é {'good' if label == 'pos' else 'bad'}\nfilm ")
    result = seqzoo("check", tmp_path, "--no-timing")
    assert "--kind words" in result.output and "8 test examples" in result.output
    wrong = tmp_path / "train" / "pos" / "x.txt"
    for data, message in ((b"", "is empty"), (b"\xff", "line 1, byte 1: 0xff is not UTF-8")):
        wrong.write_bytes(data)
        with pytest.raises(SeqzooError, match=f"{re.escape(str(wrong))},? {message}"):
            open_source(Source(str(tmp_path), "words"))
        result = seqzoo("check", tmp_path, "--no-timing")
        assert "1 of 25" in result.output and "x.txt" in result.output, result.output


def test_images_in_splits_keep_their_channels(tmp_path) -> None:
    for channels in (1, 3):
        folder = tmp_path / str(channels)
        for split in ("train", "test"):
            for number in range(12):
                image = np.full((4, 3, channels), 20 * number + (split == "test"), np.uint8)
                path = folder / split / "ab"[number % 2] / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(tf.io.encode_png(image).numpy())
        parts, _ = open_source(Source(str(folder), "rows", validation=0.0))
        shape = (12, 4, 3) if channels == 1 else (12, 4, 3, 3)
        assert parts.train.inputs.shape == parts.test.inputs.shape == shape
        parts, _ = open_source(Source(str(folder), "image", validation=0.0, limit=3))
        assert len(parts.train) == 3 and parts.train.inputs[0].startswith(b"\x89PNG")


def test_folders_inside_those_of_classes_are_no_splits(folder, tmp_path) -> None:
    photos = shutil.copytree(folder, tmp_path / "photos")
    for name in ("dark", "bright"):
        (photos / name / "meta").mkdir()
        (photos / name / "meta" / "a.txt").write_text("a camera")
    splits, _ = open_source(Source(str(photos), "rows"))
    assert len(splits.train) == 32


def test_translations_keep_their_languages_in_other_data(tmp_path) -> None:
    (tmp_path / "en.train.txt").write_text("a\n")
    source = Source("pairs", "words", "words", input="en", target="fr")
    other = source.of_other_data(str(tmp_path))
    assert (other.input, other.target) == ("en", "fr")


def test_names_of_classes_may_differ_only_in_case(tmp_path) -> None:
    for name in ("US", "us"):
        save(tmp_path / name / "a.png", np.zeros((4, 3), np.uint8))
    if len(list(tmp_path.iterdir())) == 2:  # not so on disks that ignore case
        assert class_folders.has_class_folders(tmp_path)


@pytest.mark.slow
def test_training_evaluation_and_check_of_several_sizes(folder, tmp_path) -> None:
    photos = shutil.copytree(folder, tmp_path / "photos")
    save(photos / "dark" / "large.png", np.full((9, 8), 7, np.uint8))
    save(photos / "same.png", np.full((4, 3), 7, np.uint8))
    train = ("train", "many-to-one", "--data", photos, "--kind", "rows", "--units", 4)
    train = (*train, *("--epochs", 1, "--batch-size", 16, "--run", tmp_path / "run"))
    result = seqzoo(*train)
    assert result.exit_code == 2
    assert "large.png has the shape (9, 8)" in result.output and "--image-size" in result.output
    result = seqzoo(*train, "--image-size", "4,3")
    assert result.exit_code == 0, result.output
    assert "33 training examples" in result.output
    result = seqzoo("evaluate", tmp_path / "run", "--data", photos, "--json")
    assert result.exit_code == 0 and '"examples": 41' in result.output, result.output
    paths = (photos / "dark" / "large.png", photos / "same.png")
    large, same = seqzoo("predict", tmp_path / "run", *paths).stdout.splitlines()
    assert large == same
    result = seqzoo("check", folder, "--no-timing")
    assert "--kind rows" in result.output and "2 different labels among 32" in result.output, (
        result.output
    )


def test_what_is_wrong_is_reported(folder, tmp_path) -> None:
    with pytest.raises(SeqzooError, match="`target_kind` must be 'class'"):
        open_source(Source(str(folder), "rows", "value"))
    with pytest.raises(SeqzooError, match="`kind` must be one of rows, pixels, columns, image"):
        open_source(Source(str(folder), "words"))
    with pytest.raises(SeqzooError, match="`input` names a column, and .* has none; leave it out"):
        open_source(Source(str(folder), "rows", input="file"))
    named = Source("x.csv", "rows", input="file", target="label").of_other_data(str(folder))
    assert len(open_examples(named, "all")) == 40
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "a.csv").touch()
    with pytest.raises(SeqzooError, match=r"must contain a data set .*use --data '.*\*.csv'"):
        open_source(Source(str(tables), "rows"))
    shutil.rmtree(tables)
    for split in ("train", "test"):
        save(tmp_path / split / "a.png", np.zeros((4, 3), np.uint8))
    with pytest.raises(
        SeqzooError,
        match=r"in CLASS or SPLIT/CLASS, images \(.png, .* \(.wav, .*\) or texts \(.txt\)",
    ):
        open_source(Source(str(tmp_path), "rows"))
    broken = tmp_path / "cats" / "b.png"
    save(broken, np.zeros((4, 3), np.uint8))
    broken.write_bytes(b"none")
    with pytest.raises(SeqzooError) as error:
        open_source(Source(str(tmp_path), "rows"))
    assert str(error.value) == f"image {broken} of 4 bytes is not a PNG, JPEG, BMP or GIF image."


def test_files_that_are_not_read_are_noted(folder, tmp_path) -> None:
    copy = tmp_path / "some"
    shutil.copytree(folder, copy)
    (copy / "dark" / "notes.txt").unlink()
    assert "left out" not in open_source(Source(str(copy), "rows"))[0].description
    (copy / "webp").mkdir()
    (copy / "webp" / "1.webp").write_bytes(b"RIFF")
    save(copy / "dark" / "more" / "2.png", np.zeros((4, 3), np.uint8))
    (copy / "dark" / ".hidden").write_bytes(b"")
    parts, _ = open_source(Source(str(copy), "rows"))
    note = f"2 files are left out, such as {copy / 'dark' / 'more' / '2.png'}: only .png, .jpg, "
    assert note in parts.description
    assert note in seqzoo("check", copy, "--no-timing").output
    assert "files directly in the folder of a class are read." in parts.description

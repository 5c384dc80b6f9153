"""tfds data sets, embedded and public, become examples: features, splits, labels."""

import numpy as np
import pytest
from source_cases import inputs_of, open_source

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.datasets import cldr


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Makes small tfds data sets: `tiny(features, rows of each split)` -> (name, folder)."""
    import tensorflow_datasets as tfds

    folder = tmp_path_factory.mktemp("tiny")
    made = []

    def make(features: dict, splits: dict, supervised=None) -> tuple[str, str]:
        name = f"tiny{len(made)}"
        made.append(name)

        class Tiny(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # pyright: ignore
            VERSION = tfds.core.Version("1.0.0")

            def _info(self):
                return tfds.core.DatasetInfo(
                    builder=self,
                    features=tfds.features.FeaturesDict(features),
                    supervised_keys=supervised,
                )

            def _split_generators(self, dl_manager):
                return {name: self._generate_examples(rows) for name, rows in splits.items()}

            def _generate_examples(self, rows):
                yield from enumerate(rows)

        Tiny.name = name
        Tiny(data_dir=folder).download_and_prepare()
        return f"tfds:{name}", str(folder)

    return make


def texts(count: int, label=lambda i: i % 2) -> list[dict]:
    return [{"text": f"text {i}", "label": label(i)} for i in range(count)]


@pytest.fixture(scope="module")
def text_features():
    import tensorflow_datasets as tfds

    return {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(names=["no", "yes"])}


def test_official_splits_are_used(tiny, text_features) -> None:
    data, folder = tiny(text_features, {"train": texts(20), "dev": texts(4), "test": texts(6)})
    splits, source = open_source(Source(data, "words", data_dir=folder))
    assert tuple(map(len, inputs_of(splits))) == (20, 4, 6)
    assert set(splits.train.targets) == {"no", "yes"}
    assert (source.input, source.target) == ("text", "label")
    assert "Input 'text' and target 'label' were guessed" in splits.description


def test_validation_is_carved_from_train(tiny, text_features) -> None:
    data, folder = tiny(text_features, {"train": texts(40) + texts(5), "test": texts(6)})
    source = Source(data, "words", data_dir=folder, input="text", target="label")
    splits, _ = open_source(source)
    train, validation, test = inputs_of(splits)
    assert (len(train) + len(validation), len(test)) == (45, 6)
    assert validation and not set(train) & set(validation)
    assert inputs_of(open_source(source)[0]) == [train, validation, test]
    assert "guessed" not in splits.description


def test_test_split_with_withheld_labels_counts_as_none(tiny, text_features) -> None:
    data, folder = tiny(text_features, {"train": texts(40), "test": texts(6, lambda i: -1)})
    splits, _ = open_source(Source(data, "words", data_dir=folder))
    assert len(splits.test) == 4
    assert set(splits.test.targets) <= {"no", "yes"}


def test_series_audio_and_several_labels(tiny) -> None:
    import tensorflow_datasets as tfds

    features = {
        "series": tfds.features.Tensor(shape=(None, 2), dtype=np.float32),
        "sound": tfds.features.Audio(),
        "tags": tfds.features.Sequence(tfds.features.ClassLabel(names=["a", "b"])),
        "size": np.float32,
    }
    rows = [
        {
            "series": np.full((1 + i % 3, 2), i, np.float32),
            "sound": np.full(5 + i, 100 * i, np.int64),
            "tags": [0, 1][: i % 3],
            "size": i / 2,
        }
        for i in range(20)
    ]
    data, folder = tiny(features, {"train": rows})
    splits, _ = open_source(Source(data, "series", "labels", data_dir=folder))
    assert {series.shape for series in splits.train.inputs} == {(1, 2), (2, 2), (3, 2)}
    assert set(splits.train.targets) == {(), ("a",), ("a", "b")}
    splits, _ = open_source(Source(data, "audio", "value", data_dir=folder))
    lengths = np.array([len(samples) for samples in splits.train.inputs])
    np.testing.assert_array_equal(splits.train.targets, (lengths - 5) / np.float32(2))
    assert max(float(np.abs(samples).max()) for samples in splits.train.inputs) < 0.1


def test_features_that_cannot_be_guessed_or_do_not_fit(tiny, text_features) -> None:
    import tensorflow_datasets as tfds

    features = {**text_features, "title": tfds.features.Text()}
    data, folder = tiny(features, {"train": [{**row, "title": "t"} for row in texts(9)]})
    with pytest.raises(SeqzooError, match=r"that is text: text, title would fit \(of"):
        open_source(Source(data, "words", data_dir=folder))
    with pytest.raises(SeqzooError, match=r"that is an image: none fits \(of"):
        open_source(Source(data, "rows", data_dir=folder))
    with pytest.raises(SeqzooError, match="got 'titel'; did you mean 'title'"):
        open_source(Source(data, "words", input="titel", data_dir=folder))
    with pytest.raises(SeqzooError, match="must be text for 'words', but 'label' .* is ClassLabel"):
        open_source(Source(data, "words", input="label", data_dir=folder))
    with pytest.raises(SeqzooError, match="`test` must be a fraction"):
        open_source(Source(data, "words", test="t.csv", data_dir=folder))


def test_unknown_data_suggest_the_nearest() -> None:
    with pytest.raises(SeqzooError, match="got 'langages'; did you mean 'languages'"):
        open_source(Source("langages", "words"))
    with pytest.raises(SeqzooError, match="no data set 'mnsit'; did you mean 'mnist'"):
        open_source(Source("tfds:mnsit", "rows"))


def test_data_that_cannot_be_prepared_are_one_line(monkeypatch, tmp_path, capsys) -> None:
    import tensorflow_datasets as tfds

    def fail(self, **_):
        print("Downloading")
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(
        SeqzooError, match=r"tfds:mnist could not be prepared: no route \(`data_dir`"
    ):
        open_source(Source("tfds:mnist", "rows", data_dir=str(tmp_path)))
    captured = capsys.readouterr()
    assert captured.out == "" and "Downloading" in captured.err


def test_mnist(tfds_data_dir) -> None:
    splits, _ = open_source(Source("tfds:mnist", "rows", data_dir=str(tfds_data_dir), limit=300))
    assert splits.train.inputs.shape == (300, 28, 28) and splits.train.inputs.dtype == np.uint8
    assert set(splits.train.targets) == set("0123456789")
    assert len(splits.test) == 300


def test_imdb(tfds_data_dir) -> None:
    source = Source("tfds:imdb_reviews", "words", data_dir=str(tfds_data_dir), limit=50)
    splits, _ = open_source(source)
    assert set(splits.train.targets) == {"neg", "pos"}


def test_targets_are_english_names(tmp_path, monkeypatch) -> None:
    few = {code: {f"{code} {n}": f"items/{n}" for n in range(60)} for code in ("de", "ja")}
    monkeypatch.setattr(cldr, "names", lambda minimum: few)
    splits, _ = open_source(Source("languages", "characters", data_dir=str(tmp_path)))
    assert set(splits.train.targets) == {"German", "Japanese"}


@pytest.mark.slow
def test_languages_have_english_names(languages_data_dir) -> None:
    source = Source("languages", "characters", data_dir=str(languages_data_dir), limit=3000)
    splits, _ = open_source(source)
    assert {"German", "Japanese", "Arabic"} <= set(splits.train.targets)
    assert len(set(splits.train.targets)) > 150

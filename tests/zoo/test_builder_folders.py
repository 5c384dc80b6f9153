"""tfds builders of folders: translations, CoNLL, and nested features."""

import collections
import pathlib
from typing import Any

import numpy as np
import pytest
from cli_cases import seqzoo
from source_cases import inputs_of, open_source

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.source import Source

WORDS = ["one two", "two", "three one", "four", "five two", "six"]
MOTS = ["un deux", "deux", "trois un", "quatre", "cinq deux", "six"]
SMALL = "--units 5 --embedding 4 --batch-size 8 --epochs 1 --minimum-count 1".split()


def prepared(folder: pathlib.Path, features: Any, rows: list[dict], base=None, **members) -> str:
    """Prepares a data set of our own, as users do, and names it."""
    import tensorflow_datasets as tfds

    class Own(base or tfds.core.GeneratorBasedBuilder, skip_registration=True):  # pyright: ignore
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples(rows)}

        def _generate_examples(self, rows):
            yield from enumerate(rows)

    Own.name = "own"
    for name, member in members.items():
        setattr(Own, name, member)
    Own(data_dir=folder).download_and_prepare()
    return "tfds:own"


def train(*words: object) -> None:
    result = seqzoo("train", *words, *SMALL)
    assert result.exit_code == 0, result.output


@pytest.fixture
def translations(tmp_path) -> pathlib.Path:
    """A folder of texts in three languages, as `tfds.TranslateFolder` reads it."""
    folder = tmp_path / "pairs"
    folder.mkdir()
    for split, times in (("train", 4), ("dev", 1)):
        for language, texts in (("en", WORDS), ("fr", MOTS), ("xx", [""] * 6)):
            text = "".join(
                f"{text}{'' if split == 'dev' else i}\n" for i in range(times) for text in texts
            )
            (folder / f"{language}.{split}.txt").write_text(text)
    return folder


def test_folder_of_translations(translations) -> None:
    source = Source(str(translations), "words", "words", input="en", target="fr")
    splits, _ = open_source(source)
    assert list(splits.validation.inputs) == WORDS and splits.validation.targets == MOTS
    together = [*splits.train.inputs, *splits.test.inputs]
    assert sorted(together) == sorted(f"{text}{i}" for i in range(4) for text in WORDS)
    for text, answer in zip(splits.train.inputs, splits.train.targets, strict=True):
        assert answer == f"{MOTS[WORDS.index(text[:-1])]}{text[-1]}"
    assert splits.description.startswith("pairs: ")
    with pytest.raises(SeqzooError, match="that is text: en, fr, xx would fit"):
        open_source(Source(str(translations), "words", "words"))
    with pytest.raises(SeqzooError, match="one of the features .* got 'de'"):
        open_source(Source(str(translations), "words", "words", input="en", target="de"))
    (translations / "LICENSE").touch()
    with pytest.raises(SeqzooError, match=r"only text files named .* got LICENSE"):
        open_source(source)


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.usefixtures("plain_loop")
def test_a_translation_inside_another_feature(tmp_path) -> None:
    import tensorflow_datasets as tfds

    of = tfds.features
    features = of.FeaturesDict({"id": np.int64, "pair": of.Translation(["en", "fr"])})
    pairs = zip(4 * WORDS, 4 * MOTS, strict=True)
    rows = [{"id": i, "pair": {"en": f"{a} {i}", "fr": b}} for i, (a, b) in enumerate(pairs)]
    data = prepared(tmp_path, features, rows)
    for named in ("pair/en", "en"):
        source = Source(data, "words", "words", input=named, target="fr", data_dir=str(tmp_path))
        splits, found = open_source(source)
        assert (found.input, found.target) == ("pair/en", "pair/fr")
        for text, answer in zip(splits.train.inputs, splits.train.targets, strict=True):
            assert answer == MOTS[int(text.split()[-1]) % 6]
    # One that is all of an example.
    data = prepared(tmp_path / "other", of.Translation(["en", "fr"]), [row["pair"] for row in rows])
    all_of_it = Source(
        data, "words", "words", input="en", target="fr", data_dir=f"{tmp_path}/other"
    )
    assert inputs_of(open_source(all_of_it)[0]) == inputs_of(splits)
    # A folder of a prepared data set is one too.
    prepared_folder = str(tmp_path / "own" / "1.0.0")
    other, _ = open_source(Source(prepared_folder, "words", "words", input="en", target="fr"))
    assert inputs_of(other) == inputs_of(splits)
    train(
        *("many-to-many-encoder-decoder", "--data", data, "--data-dir", tmp_path),
        *("--run", tmp_path / "run"),
        *"--kind words --target-kind words --input pair/en --target pair/fr".split(),
    )


CONLL = """-DOCSTART- -X-

the DET
dog NOUN
barks VERB

cats NOUN
sleep VERB
"""


@pytest.mark.slow
@pytest.mark.usefixtures("plain_loop")
def test_conll_builder(tmp_path) -> None:
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.dataset_builders.conll import conll_dataset_builder

    of = tfds.features
    columns = collections.OrderedDict(
        tokens=of.Sequence(of.Text()),
        pos=of.Sequence(of.ClassLabel(names=["DET", "NOUN", "VERB"])),
    )
    base = tfds.dataset_builders.ConllDatasetBuilder
    (tmp_path / "train.txt").write_text(CONLL.replace("-DOCSTART- -X-", "")[1:] * 3 + CONLL)

    def splits(self, dl_manager):
        return {"train": self._generate_examples(str(tmp_path / "train.txt"))}

    made = conll_dataset_builder.ConllBuilderConfig(
        name="two", separator=" ", ordered_features=columns
    )
    data = prepared(
        tmp_path,
        of.FeaturesDict(columns),
        [],
        base,
        BUILDER_CONFIGS=[made],
        _split_generators=splits,
        _generate_examples=base._generate_examples,
    )
    source = Source(data, "words", "tags", data_dir=str(tmp_path), validation=0.0, test=0.0)
    found, source = open_source(source)
    assert (source.input, source.target) == ("tokens", "pos")
    tagged = dict(zip(found.train.inputs, found.train.targets, strict=True))
    assert tagged == {
        ("the", "dog", "barks"): ("DET", "NOUN", "VERB"),
        ("cats", "sleep"): ("NOUN", "VERB"),
    }
    train(
        *("many-to-many-aligned", "--data", data, "--data-dir", tmp_path, "--kind", "words"),
        *("--run", tmp_path / "run", "--target-kind", "tags", "--validation", 0, "--test", 0),
    )


def test_sequences_of_words_and_tags_inside_of_one(tmp_path) -> None:
    import tensorflow_datasets as tfds

    of = tfds.features
    inner = {"form": of.Text(), "tag": of.ClassLabel(names=["a", "b"])}
    random = np.random.default_rng(0)
    rows = []
    for index in range(20):
        tags = random.integers(0, 2, random.integers(1, 5))
        forms = [f"{'ab'[tag]}{index}" for tag in tags]
        rows.append({"sentence": {"form": forms, "tag": list(tags)}})
    data = prepared(tmp_path, of.FeaturesDict({"sentence": of.Sequence(inner)}), rows)
    folder = str(tmp_path)
    splits, source = open_source(
        Source(data, "words", "tags", input="form", target="tag", data_dir=folder)
    )
    assert source.input == "sentence/form"
    for words, tags in zip(splits.train.inputs, splits.train.targets, strict=True):
        assert "".join(word[0] for word in words) == "".join(tags)
    # Where no word is tagged, they are a text.
    splits, _ = open_source(Source(data, "words", "next", input="form", data_dir=folder))
    assert set(splits.train.inputs) < {" ".join(row["sentence"]["form"]) for row in rows}


@pytest.mark.slow
def test_audio_has_the_rate_of_its_feature(tmp_path) -> None:
    import tensorflow_datasets as tfds

    wave = np.sin(np.arange(2000) / 9)
    waves = [(wave * (10 - i) / 10).astype(np.float32) for i in range(10)]
    rows = [{"audio": one, "label": i % 2} for i, one in enumerate(waves)]
    features = tfds.features.FeaturesDict(
        {
            "audio": tfds.features.Audio(shape=(None,), dtype=np.float32, sample_rate=8000),
            "label": tfds.features.ClassLabel(num_classes=2),
        }
    )
    data = prepared(tmp_path, features, rows)
    splits, source = open_source(Source(data, "audio", data_dir=str(tmp_path)))
    assert source.sample_rate == 8000
    assert any(np.abs(splits.train.inputs[0] - one).max() < 1e-6 for one in waves)
    half = Source(data, "audio", data_dir=str(tmp_path), sample_rate=4000, resample=True)
    splits, source = open_source(half)
    assert source.sample_rate == 4000 and len(splits.train.inputs[0]) == 1000


def test_a_limit_samples_documents_that_are_in_order(tmp_path) -> None:
    for language in ("en", "fr"):
        lines = "".join(f"{language} {number}\n" for number in range(1000))
        (tmp_path / f"{language}.train.txt").write_text(lines)
    source = Source(str(tmp_path), "words", "words", input="en", target="fr", limit=20)
    splits, _ = open_source(source)
    assert max(int(text.split()[1]) for text in splits.train.inputs) > 100

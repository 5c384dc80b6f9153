"""The built-in data sets: their contents, and how they are prepared."""

import collections
import os
import pathlib
import subprocess
import sys

import pytest
import tensorflow as tf
from cell_names import BEFORE_RELEASES

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo import datasets
from seqzoo.zoo.datasets import cldr
from seqzoo.zoo.datasets.hash_splits import split_of
from seqzoo.zoo.datasets.languages import MINIMUM_NAMES

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPLITS = ("train", "validation", "test")
SMALLEST = "python_source"

# Names of their own that these languages have at least; half of what there is with Babel 2.18.
WELL_KNOWN = {
    "ar": 900, "bn": 800, "de": 400, "en": 550, "es": 390, "fa": 700, "fr": 790, "he": 1000,
    "hi": 450, "id": 220, "it": 450, "ja": 950, "ko": 1000, "nl": 360, "no": 500, "pl": 700,
    "pt": 700, "ru": 700, "sv": 550, "sw": 600, "ta": 950, "tr": 550, "uk": 900, "ur": 650,
    "vi": 650, "zh": 2000,
}  # fmt: skip


@pytest.fixture(scope="module")
def names() -> dict[str, dict[str, str]]:
    """language code -> name -> item: what `languages` is made of, without the files, which take
    twenty seconds to write."""
    return cldr.names(MINIMUM_NAMES)


@pytest.fixture(scope="module")
def examples(names) -> dict[str, list[tuple[str, str]]]:
    """split -> (text, language code) of each example."""
    found: dict[str, list[tuple[str, str]]] = {split: [] for split in SPLITS}
    for language, items in names.items():
        for name, item in items.items():
            found[split_of(item)].append((name, language))
    return found


@pytest.mark.slow
def test_the_prepared_examples_are_these(languages_data_dir, examples) -> None:
    languages = datasets.load("languages", languages_data_dir)
    code = languages.info.features["language"].int2str
    for split in SPLITS:
        # One batch: a numpy iterator over single examples would take a minute.
        data = languages.as_dataset(split=split, batch_size=-1)
        texts = [text.decode("utf-8") for text in data["text"].numpy()]
        found = zip(texts, map(code, data["language"].numpy()), strict=True)
        assert sorted(found) == sorted(examples[split])


def test_every_string_has_one_language_and_one_split(examples) -> None:
    # In lower case, so that no test name is a training name with another first letter.
    texts = collections.Counter(t.casefold() for split in SPLITS for t, _ in examples[split])
    assert [text for text, count in texts.items() if count > 1] == []
    assert len(texts) > 150_000


def test_splits_are_a_tenth_each_for_validation_and_test(examples) -> None:
    total = sum(map(len, examples.values()))
    assert 0.75 < len(examples["train"]) / total < 0.85
    assert 0.08 < len(examples["validation"]) / total < 0.12
    assert 0.08 < len(examples["test"]) / total < 0.12


def test_every_language_has_names_in_every_split(names, examples) -> None:
    codes = list(names)
    assert len(codes) >= 160
    for split, least in (("train", 200), ("validation", 15), ("test", 15)):
        counts = collections.Counter(language for _, language in examples[split])
        assert {c: counts[c] for c in codes if counts[c] < least} == {}, split


def test_well_known_languages_keep_their_names(examples) -> None:
    counts = collections.Counter(c for split in SPLITS for _, c in examples[split])
    assert {code: counts[code] for code, n in WELL_KNOWN.items() if counts[code] < n} == {}


@pytest.mark.parametrize(
    "translations",
    [
        ("mercredi", "Mittwoch", "水曜日", "Τετάρτη"),
        ("baht thaïlandais", "bahts thaïlandais", "таиландский бат", "泰铢", "泰銖"),
        ("franc burundais", "francs burundais", "бурундийский франк", "蒲隆地法郎"),
        ("Pérou", "Περού", "ペルー", "პერუ"),
    ],
)
def test_all_names_of_an_item_are_in_one_split(examples, translations) -> None:
    split = {text: name for name in SPLITS for text, _ in examples[name]}
    found = {name: split.get(name) for name in translations}
    assert len(set(found.values())) == 1 and None not in found.values(), found


def test_names_are_clean(examples) -> None:
    for text, _ in (example for split in SPLITS for example in examples[split]):
        assert text == cldr.clean(text), text


@pytest.mark.parametrize(
    "name, cleaned",
    [
        ("peso argentino (1983–1985)", "peso argentino"),
        ("俄羅斯文拼字（1917年後）", "俄羅斯文拼字"),
        ("  Côte d’Ivoire\u200f ", "Côte d’Ivoire"),
        ("Cote\u0301", "Coté"),
        ("hora\u00a0de  Chile", "hora de Chile"),
        ("نیم\u200cفاصله", "نیم\u200cفاصله"),
        ("Beulah (Dakota du Nord)", "Beulah (Dakota du Nord)"),
        ("USA", ""),
        ("XAF", ""),
        ("1996", ""),
        ("tháng 9", ""),
        ("晚", ""),
        ("°", ""),
    ],
)
def test_clean(name: str, cleaned: str) -> None:
    assert cldr.clean(name) == cleaned


def test_near_copies_are_left_out_and_variants_merged(names) -> None:
    codes = set(names)
    # Haitian Creole's CLDR inherits French; Cantonese repeats Chinese; no answer could be right.
    assert not codes & {"ht", "yue", "trw", "xnr", "nb", "nn"}
    assert {"no", "sr", "hr", "bs", "id", "ms", "zh"} <= codes


@pytest.mark.slow
def test_labels_and_english_names_are_stored(names, languages_data_dir) -> None:
    again = datasets.load("languages", languages_data_dir)
    label = again.info.features["language"]
    assert label.names == list(names) == sorted(names)
    assert all(label.int2str(label.str2int(code)) == code for code in label.names)
    english = again.info.metadata["english_names"]
    assert list(english) == label.names
    assert (english["fr"], english["zh"], english["lld"]) == ("French", "Chinese", "Ladin")
    assert [code for code, name in english.items() if code == name] == []


@pytest.mark.exhaustive
@pytest.mark.slow
def test_names_are_the_same_in_another_process(examples) -> None:
    # Another hash seed: nothing may depend on the order of sets.
    program = (
        "import hashlib; from seqzoo.zoo.datasets import cldr; names = cldr.names(300)\n"
        "print(hashlib.sha256(repr(names).encode()).hexdigest(), sum(map(len, names.values())))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert int(runs[0][1]) == sum(map(len, examples.values()))


@pytest.fixture
def few_names(monkeypatch) -> dict[str, dict[str, str]]:
    """Makes preparing quick: forty names instead of all."""
    few = {
        language: {f"{word} {'x' * n}": f"items/{n}" for n in range(1, 21)}
        for language, word in (("de", "Uhr"), ("fr", "heure"))
    }
    monkeypatch.setattr(cldr, "names", lambda minimum: few)
    return few


def test_preparing_prints_nothing_and_leaves_one_folder(tmp_path, few_names, capfd, caplog) -> None:
    builder = datasets.load("languages", tmp_path / "new" / "folder")
    # TensorFlow's own start-up messages are beyond our control.
    lines = [line for line in "".join(capfd.readouterr()).splitlines() if "absl" not in line]
    assert [line for line in lines if "cuda" not in line.lower()] == []
    assert caplog.records == []
    assert sum(split.num_examples for split in builder.info.splits.values()) == 40
    assert [p.name for p in (tmp_path / "new/folder/languages").iterdir()] == [str(builder.version)]


def test_labels_and_english_names_survive_reloading(tmp_path, few_names) -> None:
    datasets.load("languages", tmp_path)
    again = datasets.load("languages", tmp_path)
    label = again.info.features["language"]
    assert label.names == ["de", "fr"]
    assert [label.str2int(code) for code in label.names] == [0, 1]
    assert again.info.metadata["english_names"] == {"de": "German", "fr": "French"}
    for split in SPLITS:
        rows = again.as_dataset(split=split).as_numpy_iterator()
        found = [(row["text"].decode(), label.int2str(row["language"])) for row in rows]
        assert sorted(found) == [
            (name, language)
            for language, items in few_names.items()
            for name, item in items.items()
            if split_of(item) == split
        ]


def test_interrupted_preparation_leaves_nothing_behind(tmp_path, few_names, monkeypatch) -> None:
    def interrupted(name):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(cldr, "english_name", interrupted)
        datasets.load("languages", tmp_path)
    assert list((tmp_path / "languages").iterdir()) == []
    assert datasets.load("languages", tmp_path).is_prepared()


def test_another_process_that_was_faster_is_not_an_error(tmp_path, few_names, monkeypatch) -> None:
    from seqzoo.zoo.datasets.languages import Languages

    def names(minimum):
        # During one preparation another begins and ends.
        monkeypatch.setattr(cldr, "names", lambda minimum: few_names)
        Languages(data_dir=tmp_path).download_and_prepare()
        return few_names

    monkeypatch.setattr(cldr, "names", names)
    assert datasets.load("languages", tmp_path).is_prepared()
    assert len(list((tmp_path / "languages").iterdir())) == 1


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "name",
    [
        # Contents of languages and dates are redrawn in separate processes, which is quicker.
        pytest.param(name, marks=pytest.mark.slow if name == SMALLEST else BEFORE_RELEASES)
        for name in datasets.DATASETS
    ],
)
def test_preparing_again_gives_the_same(name, embedded, tmp_path) -> None:
    """The data that the tests keep from earlier runs are the data that are prepared today."""
    kept, prepared = {}, {}
    for found, folder in ((kept, embedded(name)), (prepared, tmp_path)):
        builder = datasets.load(name, folder)
        for path in pathlib.Path(builder.data_path).glob("*.tfrecord*"):
            records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
            # The order of the features within a record is not the same in each process.
            found[path.name] = [
                tf.train.Example.FromString(record).SerializeToString(deterministic=True)
                for record in records
            ]
    assert kept and kept == prepared


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(SeqzooError, match="got 'langauges'; did you mean 'languages'"):
        datasets.load("langauges")


def test_a_folder_that_cannot_be_created_is_a_clear_error(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SeqzooError, match="`data_dir` must be a folder that can be written to"):
        datasets.load("languages", tmp_path / "file" / "below")


def test_default_folder(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert datasets.default_data_dir() == tmp_path
    monkeypatch.delenv("TFDS_DATA_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert datasets.default_data_dir() == tmp_path / "seqzoo"
    monkeypatch.setenv("SEQZOO_CACHE", str(tmp_path / "own"))
    assert datasets.default_data_dir() == tmp_path / "own"


def test_importing_the_package_imports_no_tensorflow() -> None:
    program = (
        "import sys; import seqzoo.zoo.datasets\n"
        "print([m for m in ('tensorflow', 'tensorflow_datasets', 'keras') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.exhaustive
@pytest.mark.slow
def test_reading_names_does_not_change_babel() -> None:
    # Babel keeps one form of each locale for the whole process, and formats dates from it.
    program = (
        "from babel import Locale\n"
        "from seqzoo.zoo.datasets import cldr\n"
        "before = len(cldr.names(300)['fr'])\n"
        "assert Locale('fr').default_numbering_system == 'latn'\n"
        "assert Locale('ht').months['format']['wide'][1]\n"
        "assert len(cldr.names(300)['fr']) == before\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)

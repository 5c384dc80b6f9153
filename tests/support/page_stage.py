"""Creates what the pages assume: a user's files, downloaded data sets, earlier runs."""

import contextlib
import pathlib
import pkgutil
import re
import shutil
import wave
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from cli_cases import seqzoo
from PIL import Image

from seqzoo.zoo import datasets
from seqzoo.zoo.datasets import dates, glyph_images, python_library
from seqzoo.zoo.presets import PRESETS
from seqzoo.zoo.pretrained import folder_of

RANDOM = np.random.default_rng(0)
BEGINNING = RANDOM.bit_generator.state
"""The generator's state before files are written, so that they are the same for every page in any
order."""

COUNT, FEW = 40, 200
WORDS = "one two three four five six seven eight".split()
SHRINK = ["--limit", "40", "--epochs", "1", "--units", "6", "--batch-size", "16", "--quiet"]
"""Options that make any training run short."""


def _sentence(length: int = 4) -> str:
    return " ".join(RANDOM.choice(WORDS, length))


def _table(path: pathlib.Path, head: str, row: Callable[[int], tuple]) -> None:
    separator = "\t" if path.suffix == ".tsv" else ","
    lines = [head.replace(",", separator)] if head else []
    lines += [separator.join(map(str, row(index))) for index in range(COUNT)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _series() -> str:
    return " ".join(f"{number:.3f}" for number in RANDOM.normal(size=5))


def write_files(folder: pathlib.Path) -> None:
    """Writes a small file for each file that the pages name."""
    RANDOM.bit_generator.state = BEGINNING
    labels = ["bad", "good"]
    splits = ["train", "train", "train", "train", "val", "test", "hard", "train"]
    for name in ("reviews.csv", "more-reviews.csv", "labelled.csv"):
        _table(folder / name, "text,label", lambda n: (_sentence(), labels[n % 2]))
    _table(
        folder / "hard.csv",
        "text,label,split",
        lambda n: (_sentence(), labels[n // 8 % 2], splits[n % 8]),
    )
    _table(
        folder / "temperatures.csv", "date,temp", lambda n: (f"2020-01-{n}", f"{n % 7 + n / 9:.1f}")
    )
    days = np.datetime64("2020-01-01") + np.arange(COUNT)
    months = [f"{np.datetime64('2010-01') + n},{n % 12 + n / 10 + 1}\n" for n in range(144)]
    (folder / "sales.csv").write_text("date,sold\n" + "".join(months[:96]))
    for name in ("monthly-sunspots.csv", "airline-passengers.csv"):
        (folder / name).write_text("Month,count\n" + "".join(months))
    hours = np.datetime64("2020-01-01T00") + np.arange(-700, 48)
    rows = [f"{name},{hour}:00,{n % 24}\n" for name in ("H1", "H2") for n, hour in enumerate(hours)]
    (folder / "m4-hourly.csv").write_text("series,hour,value\n" + "".join(rows))
    for name, last in (("shops.csv", COUNT), ("shops-next.csv", COUNT - 10)):
        _table(
            folder / name,
            "date,shop,region,sold,price",
            lambda n, last=last: (days[n], "x", "north", n % 7 if n < last else "", n % 5),
        )
    _table(folder / "daily-min-temperatures.csv", "Date,Temp", lambda n: (days[n], n % 7 + n / 9))
    dates = np.arange("2016-07-01", "2018-03-01", dtype="datetime64[D]")
    rows = [f"{day},{step % 7},{step % 5}\n" for step, day in enumerate(dates)]
    (folder / "ETTh1.csv").write_text("date,HUFL,OT\n" + "".join(rows))
    regions = ["north", "south", ""]
    _table(
        folder / "offers.csv",
        "title,body,price,region,sold",
        lambda n: (_sentence(2), _sentence(), n if n % 5 else "", regions[n % 3], labels[n % 2]),
    )
    _table(
        folder / "entailment.tsv",
        "premise,hypothesis,label",
        lambda n: (_sentence(), _sentence(2), ["entails", "contradicts", "neutral"][n % 3]),
    )
    _table(folder / "new.csv", "text", lambda n: (_sentence(),))
    reviews = {"text": [_sentence() for _ in range(COUNT)], "label": labels * (COUNT // 2)}
    pq.write_table(pa.table(reviews), folder / "reviews.parquet")
    (folder / "parts").mkdir()
    for part in range(2):
        pq.write_table(pa.table(reviews)[part::2], folder / "parts" / f"{part}.parquet")
    _table(folder / "SMSSpamCollection.tsv", "", lambda n: (["ham", "spam"][n % 2], _sentence()))
    _table(folder / "prices.csv", "history,next", lambda n: (_series(), f"{n / COUNT:.2f}"))
    _table(folder / "pairs.csv", "source,translation", lambda n: (_sentence(), _sentence()))
    _table(folder / "tatoeba.tsv", "english,french", lambda n: (_sentence(), _sentence()))
    _table(folder / "cmudict.tsv", "word,phonemes", lambda n: (f"a{n}bc", "AH0 B S"))
    vectors = (f"{word} 0.{index} 0.5 -1\n" for index, word in enumerate(WORDS))
    (folder / "glove.txt").write_text("".join(vectors), encoding="utf-8")
    _table(folder / "names.csv", "name,country", lambda n: (f"a{n}bc", ["Peru", "Fiji"][n % 2]))
    for name in ("all.txt", "subject.txt", "texts.txt"):
        (folder / name).write_text("".join(f"{_sentence()}\n" for _ in range(COUNT)))
    (folder / "names.txt").write_text("Zuid-Korea\nbuenos días\n", encoding="utf-8")
    (folder / "input.txt").write_text("ROMEO:\nIs the day so young?\n" * 200, encoding="utf-8")
    rows = b"".join(b"%02d,good\n" % n for n in range(20))
    (folder / "latin1.csv").write_bytes(b"text,label\n" + rows + b"caf\xe9,good\n")
    _write_sounds_and_pictures(folder, splits)
    _write_sentences(folder)
    np.savez(folder / "new.npz", history=RANDOM.normal(size=(3, 5)))
    np.savez(folder / "load.npz", inputs=RANDOM.normal(size=(400, 2)))
    beats = {"inputs": RANDOM.normal(size=(COUNT, 9)), "targets": np.arange(COUNT) % 2}
    np.savez(folder / "beats.npz", **beats)
    Image.fromarray(RANDOM.integers(0, 255, (24, 90), np.uint8)).save(folder / "line.png")
    _table(folder / "transcripts.tsv", "file,text", lambda n: (digits_of(n), f"{n % 10}"))
    _table(folder / "headlines.csv", "text,headline", lambda n: (_sentence(), _sentence(2)))
    for name in ("german-train-high.tsv", "german-dev.tsv"):
        _table(folder / name, "", lambda n, name=name: (f"{name}{n}", f"{n}e", "N;NOM;PL"))
    for name in ("ECG200_TRAIN.tsv", "ECG200_TEST.tsv"):
        _table(folder / name, "", lambda n: (n % 2, *_series().split()))
    _table(folder / "UNLABELLED.tsv", "", lambda n: tuple(_series().split()))


def digits_of(number: int) -> str:
    """The path of one of the recordings."""
    return f"recordings/{number % 10}_theo_{number // 10}.wav"


def _write_sounds_and_pictures(folder: pathlib.Path, splits: list[str]) -> None:
    for name in ("recordings", "pictures"):
        (folder / name).mkdir()
    for index in range(COUNT):
        sound = folder / "recordings" / f"{index % 10}_theo_{index // 10}.wav"
        with wave.open(str(sound), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(RANDOM.integers(-999, 999, 1600, np.int16).tobytes())
        picture = RANDOM.integers(0, 255, (36, 36, 3), np.uint8)
        Image.fromarray(picture).save(folder / "pictures" / f"{index}.png")
    shutil.copy(folder / "pictures" / "0.png", folder / "letter.png")
    _table(folder / "recordings.tsv", "file,digit", lambda n: (digits_of(n), n % 10))
    shutil.copy(folder / "recordings.tsv", folder / "digits.tsv")
    _table(
        folder / "captions.tsv",
        "file,caption,en,split",
        lambda n: (f"pictures/{n}.png", _sentence(), _sentence(2), splits[n % 8]),
    )


def _write_sentences(folder: pathlib.Path) -> None:
    words = "the\tDET\na\tDET\ndog\tNOUN\nbarks\tVERB".splitlines()
    sentences = "".join("\n".join([f"w{n}\tNOUN", *words]) + "\n\n" for n in range(COUNT))
    (folder / "train.conll").write_text(sentences)
    rows = "".join(f"Sentence: {n},w{n},NN,B-geo\n,is,VBZ,O\n" for n in range(COUNT))
    (folder / "ner.csv").write_text(f"Sentence #,Word,POS,Tag\n{rows}")
    for part in ("train", "dev", "test"):
        found = [_conllu([*words, f"{part}{n}\tX"]) for n in range(COUNT)]
        (folder / f"en_ewt-ud-{part}.conllu").write_text("\n".join(found))


def _conllu(words: list[str]) -> str:
    rows = (word.split("\t") for word in words)
    return "".join(
        f"{number}\t{word}\t{word}\t{tag}" + "\t_" * 6 + "\n"
        for number, (word, tag) in enumerate(rows, 1)
    )


def write_data_sets(folder: pathlib.Path) -> None:
    """Prepares small data sets under the names of data sets that tfds downloads."""
    RANDOM.bit_generator.state = BEGINNING
    text = tfds.features.Text()
    labelled = {"label": tfds.features.ClassLabel(names=["neg", "pos"]), "text": text}
    digit = {
        "image": tfds.features.Image(shape=(28, 28, 1)),
        "label": tfds.features.ClassLabel(num_classes=10),
    }
    pictures = RANDOM.integers(0, 255, (COUNT, 28, 28, 1), np.uint8)
    sentences = [_sentence() for _ in range(COUNT)]
    made = {
        "imdb_reviews/plain_text/1.0.0": (
            tfds.features.FeaturesDict(labelled),
            {"text": sentences, "label": np.arange(COUNT) % 2},
        ),
        "mnist/3.0.1": (
            tfds.features.FeaturesDict(digit),
            {"image": pictures, "label": np.arange(COUNT) % 10},
        ),
        "ted_hrlr_translate/pt_to_en/1.0.0": (
            tfds.features.Translation(languages=["en", "pt"]),
            {"en": sentences, "pt": sentences[::-1]},
        ),
    }
    for name, (features, columns) in made.items():
        parts = name.split("/")
        rows = tf.data.Dataset.from_tensor_slices(columns)
        tfds.dataset_builders.store_as_tfds_dataset(
            name=parts[0],
            config=parts[1] if len(parts) > 2 else None,
            version=parts[-1],
            features=features,
            split_datasets={"train": rows, "test": rows},
            data_dir=folder,
        )


def write_embedded(
    folder: pathlib.Path, code: str, embedded: Callable[[str], pathlib.Path]
) -> None:
    """Prepares the built-in data sets that a page's code names, by presets too: `languages` as all
    tests share it, the others with a few hundred examples. Drawing all takes 10 to 20 seconds."""
    for name in datasets.DATASETS:
        names = [name, *(preset for preset, entry in PRESETS.items() if entry.source.data == name)]
        if not re.search(rf"\b({'|'.join(names)})\b", code) or (folder / name).is_symlink():
            continue
        if name == "languages":  # in order of their languages; quick tests have prepared it
            (folder / name).symlink_to(embedded(name) / name)
            continue
        with _few_examples(name):
            datasets.load(name, folder)


@contextlib.contextmanager
def _few_examples(name: str) -> Iterator[None]:
    builder = pkgutil.resolve_name(datasets.DATASETS[name])
    whole, draw, sources = builder._generate_examples, glyph_images.draw, python_library.sources
    letters = set(map(chr, range(0x20, 0x250)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builder, "_generate_examples", lambda *given: islice(whole(*given), FEW))
        patch.setattr(dates, "PAIRS", 10 * FEW)
        patch.setattr(glyph_images, "draw", lambda face: draw(face, letters))
        patch.setattr(python_library, "sources", lambda: islice(sources(), FEW))
        yield


RUNS = {
    "reviews": "train many-to-one --data hard.csv --kind words --input text --target label "
    "--split-column split",
    "reviews-2": "train many-to-one --data hard.csv --kind words --input text --target label "
    "--split-column split --seed 1",
    "prices": "train many-to-one --data prices.csv --kind series --input history --target next "
    "--target-kind value",
    "pronunciation": "train pronunciation --data cmudict.tsv",
}
"""The commands that train the runs that pages assume."""


def stage_run(name: str) -> None:
    """Creates runs/NAME in the current folder: trained, or the one that comes with the package."""
    run = pathlib.Path("runs") / name
    if name in RUNS:
        result = seqzoo(*RUNS[name].split(), *SHRINK, "--run", run)
        assert result.exit_code == 0, result.stderr
    else:
        shutil.copytree(folder_of(name), run)

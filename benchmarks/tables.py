"""Converts real data sets to files for `seqzoo train --data`.

    python -m benchmarks.tables DATA OUT [NAME ...]

DATA has a folder with the published files of each data set; the converted files are written to OUT.
"""

import argparse
import csv
import gzip
import io
import json
import pathlib
import re
import shutil
import tarfile
import wave
import zipfile
from collections.abc import Iterator

import numpy as np

DIGIT_RATE = 8000
"""Samples per second of the recordings of digits."""
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
"""The speakers of the recordings of digits."""
STRING_ROUNDS = 12
"""Number of strings of digits that each training recording is used in."""

M4_TEST = np.datetime64("2020-01-01T00", "h")
"""Date that the first test hour of the M4 competition's hourly series gets."""


def cmudict(source: pathlib.Path, out: pathlib.Path) -> None:
    """Words and their phonemes without stress marks, one line per pronunciation."""
    lines = ["word\tphonemes"]
    with gzip.open(source / "cmudict.dict.gz", "rt", encoding="utf-8") as file:
        for line in file:
            word, *phonemes = line.partition("#")[0].split()
            word = re.sub(r"\(\d+\)$", "", word)
            lines.append(f"{word}\t{' '.join(re.sub(r'[0-9]', '', one) for one in phonemes)}")
    write(out / "cmudict.tsv", list(dict.fromkeys(lines)))


def tatoeba(source: pathlib.Path, out: pathlib.Path) -> None:
    """English sentences and their French translations, one line per translation."""
    with zipfile.ZipFile(source / "fra-eng.zip") as archive:
        text = archive.read("fra.txt").decode("utf-8")
    pairs = [line.split("\t")[:2] for line in text.split("\n") if line]
    write(out / "tatoeba.tsv", ["english\tfrench", *("\t".join(pair) for pair in pairs)])


def shakespeare(source: pathlib.Path, out: pathlib.Path) -> None:
    """The tiny Shakespeare text, as it is."""
    out.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / "input.txt", out / "shakespeare.txt")


def ewt(source: pathlib.Path, out: pathlib.Path) -> None:
    """Sentences of the English Web Treebank, as they are."""
    out.mkdir(parents=True, exist_ok=True)
    for split in ("train", "dev", "test"):
        shutil.copy(source / f"en_ewt-ud-{split}.conllu.gz", out / f"ewt-{split}.conllu.gz")


def wnut17(source: pathlib.Path, out: pathlib.Path) -> None:
    """Sentences with emerging entities, in CoNLL format: a word and its tag per line."""
    files = ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated")
    for split, file in zip(("train", "dev", "test"), files, strict=True):
        write(out / f"wnut17-{split}.conll", (source / file).read_text("utf-8").split("\n"))


def english_texts(source: pathlib.Path, out: pathlib.Path) -> None:
    """English sentences of other data sets for language models, split into words, in random order:
    those of WNUT 17 (four times), EWT, the SMS Spam Collection, Tatoeba and IMDB."""
    data = source.parent
    conll = [(data / "wnut17" / "wnut17train.conll").read_text("utf-8").split("\n")]
    conll.append((data / "wnut17" / "emerging.dev.conll").read_text("utf-8").split("\n"))
    lines = 4 * [text for part in conll for text in _sentences(part, 0)]
    path = data / "ud_english_ewt" / "en_ewt-ud-train.conllu.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [line.strip() for line in file if not line.startswith("#")]
        lines += _sentences([row for row in rows if not re.match(r"\d+[-.]", row)], 1)
    texts = (data / "sms_spam" / "SMSSpamCollection").read_text("utf-8").splitlines()
    texts = [line.split("\t")[-1] for line in texts]
    with zipfile.ZipFile(data / "tatoeba_fra_eng" / "fra-eng.zip") as archive:
        pairs = archive.read("fra.txt").decode("utf-8").splitlines()
        texts += dict.fromkeys(line.partition("\t")[0] for line in pairs)
    with gzip.open(data / "imdb" / "train.tsv.gz", "rt", encoding="utf-8") as file:
        for line in file:
            review = line.rstrip("\n").split("\t")[-1].replace("<br />", " ")
            texts += re.split(r"(?<=[.!?])\s+(?=[A-Z\"'])", review)
    pattern = r"(?i)\w+(?=n't\b)|n't\b|'(?:s|m|re|ve|ll|d)\b|\w+(?:[-.]\w+)*|\.{2,}|[^\w\s]"
    lines += [" ".join(re.findall(pattern, text)) for text in texts]
    np.random.default_rng(0).shuffle(lines)
    write(out / "english-texts.txt", [line for line in lines if line])


def _sentences(lines: list[str], column: int) -> list[str]:
    """The sentences of a file with one word per line, from a column of it."""
    sentences: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            sentences[-1].append(line.split("\t")[column])
        elif sentences[-1]:
            sentences.append([])
    return [" ".join(words) for words in sentences if words]


def emoji(source: pathlib.Path, out: pathlib.Path) -> None:
    """Emoji on a white background, and a table with captions and two columns of splits."""
    from PIL import Image

    (out / "emoji").mkdir(parents=True, exist_ok=True)
    with tarfile.open(source / "png72.tar") as archive:
        for member in archive:
            data = archive.extractfile(member)
            if data is not None and member.name.endswith(".png"):
                image = Image.open(io.BytesIO(data.read())).convert("RGBA")
                white = Image.new("RGBA", image.size, "white")
                white.alpha_composite(image)
                white.convert("RGB").save(out / "emoji" / pathlib.Path(member.name).name)
    shutil.copy(source / "captions.tsv", out / "emoji" / "captions.tsv")


def chorales(source: pathlib.Path, out: pathlib.Path) -> None:
    """Bach's chorales as piano rolls of 88 keys: one JSON line with `notes` per chorale."""
    from scipy.io import loadmat

    data = loadmat(source / "JSB_Chorales.mat")
    for split, name in (("train", "traindata"), ("valid", "validdata"), ("test", "testdata")):
        songs = [song.astype(int).tolist() for song in data[name][0]]
        write(out / f"chorales-{split}.jsonl", [json.dumps({"notes": song}) for song in songs])


def names(source: pathlib.Path, out: pathlib.Path) -> None:
    """Family names and the nationality of each."""
    lines = ["name\tnationality"]
    for file in sorted(source.glob("*.txt")):
        result = file.read_text(encoding="utf-8").split("\n")
        lines += [f"{name.strip()}\t{file.stem}" for name in result if name.strip()]
    write(out / "names.tsv", lines)


def spam(source: pathlib.Path, out: pathlib.Path) -> None:
    """Short messages, spam or ham."""
    lines = (source / "SMSSpamCollection").read_text(encoding="utf-8").strip().split("\n")
    write(out / "spam.tsv", ["label\ttext", *lines])


def digits(source: pathlib.Path, out: pathlib.Path) -> None:
    """Recordings of digits, with the split that their authors recommend."""
    with tarfile.open(source / "recordings.tar.gz") as archive:
        archive.extractall(out / "digits", filter="data")
    lines = ["file\tdigit\tsplit"]
    for path in sorted((out / "digits").rglob("*.wav")):
        digit, _, index = path.stem.split("_")
        split = "test" if int(index) < 5 else "val" if int(index) < 10 else "train"
        lines.append(f"{path.relative_to(out)}\t{digit}\t{split}")
    write(out / "digits.tsv", lines)


def digit_strings(source: pathlib.Path, out: pathlib.Path) -> None:
    """Strings of one to seven spoken digits, in a table for each speaker, who is held out for test.

    Each string is spoken by one speaker, with pauses of up to 0.3 s. In training, each string is
    played at 0.8 to 1.25 times its speed, which changes the pitch as well, and through another
    channel. The recordings that their authors set aside are for validation. In the test split, each
    recording is used once.
    """
    recordings: dict[str, list[tuple[str, int, np.ndarray]]] = {name: [] for name in SPEAKERS}
    with tarfile.open(source / "recordings.tar.gz") as archive:
        for member in sorted(archive.getmembers(), key=lambda item: item.name):
            if not member.name.endswith(".wav"):
                continue
            digit, speaker, index = pathlib.Path(member.name).stem.split("_")
            content = archive.extractfile(member)
            assert content is not None
            with wave.open(content) as file:
                samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            recordings[speaker].append((digit, int(index), samples))
    lines: dict[tuple[str, str], list[str]] = {}
    for number, speaker in enumerate(SPEAKERS):
        random = np.random.default_rng(number)
        known = [item for item in recordings[speaker] if item[1] >= 5]
        aside = [item for item in recordings[speaker] if item[1] < 5]
        parts = {"train": known * STRING_ROUNDS, "val": aside, "test": recordings[speaker]}
        for split, chosen in parts.items():
            strings = joined_digits(chosen, random, varied=split == "train")
            lines[speaker, split] = []
            for position, (text, samples) in enumerate(strings):
                path = pathlib.Path("digit-strings", f"{speaker}-{split}-{position}.wav")
                (out / path).parent.mkdir(parents=True, exist_ok=True)
                with wave.open(str(out / path), "wb") as file:
                    file.setparams((1, 2, DIGIT_RATE, 0, "NONE", ""))
                    file.writeframes(samples.astype("<i2").tobytes())
                lines[speaker, split].append(f"{path}\t{text}\t{split}")
    for held_out in SPEAKERS:
        others = [name for name in SPEAKERS if name != held_out]
        rows = [
            line for split in ("train", "val") for name in others for line in lines[name, split]
        ]
        rows += lines[held_out, "test"]
        write(out / f"digit-strings-{held_out}.tsv", ["file\ttext\tsplit", *rows])


def joined_digits(
    recordings: list[tuple[str, int, np.ndarray]], random: np.random.Generator, varied: bool
) -> Iterator[tuple[str, np.ndarray]]:
    """Strings of recordings in a random order: their digits and their samples."""
    order, start = random.permutation(len(recordings)), 0
    while start < len(order):
        chosen = [recordings[index] for index in order[start : start + random.integers(1, 8)]]
        start += len(chosen)
        # Silence with a little noise, because digital silence has no spectrum.
        lengths = random.integers(0, int(0.3 * DIGIT_RATE), len(chosen) + 1)
        pauses = [random.normal(0, 20, length) for length in lengths]
        parts = [pauses[-1]]
        for pause, (_, _, samples) in zip(pauses, chosen, strict=False):
            parts += [pause, samples]
        samples = np.concatenate(parts)
        if varied:
            speed = random.uniform(0.8, 1.25)
            places = np.arange(0, len(samples) - 1, speed)
            samples = np.interp(places, np.arange(len(samples)), samples)
            samples = np.clip(_another_channel(samples, random), -32768, 32767)
        yield "".join(digit for digit, _, _ in chosen), samples


def _another_channel(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A recording as another microphone might have made it: louder or quieter, with each frequency
    amplified by a random smooth curve (a standard deviation of 6 dB), and with noise."""
    spectrum = np.fft.rfft(samples)
    decibels = random.normal(0, 6, 7)
    curve = np.interp(np.linspace(0, 6, len(spectrum)), np.arange(7), decibels)
    samples = np.fft.irfft(spectrum * 10 ** (curve / 20), len(samples)) * random.uniform(0.3, 2)
    return samples + random.normal(0, 10 ** random.uniform(0.3, 2.3), len(samples))


def spoken_digits(source: pathlib.Path, out: pathlib.Path) -> None:
    """Recordings of single digits, and strings of them."""
    digits(source, out)
    digit_strings(source, out)


def polarity(source: pathlib.Path, out: pathlib.Path) -> None:
    """Sentences of film reviews, positive or negative; the file is Latin-1."""
    lines = ["text\tlabel"]
    with zipfile.ZipFile(source / "sentence_polarity.zip") as archive:
        for label in ("neg", "pos"):
            text = archive.read(f"sentence_polarity/rt-polarity.{label}").decode("latin-1")
            lines += [f"{line.strip()}\t{label}" for line in text.split("\n") if line.strip()]
    write(out / "polarity.tsv", lines)


def inflection(source: pathlib.Path, out: pathlib.Path) -> None:
    """German words: the lemma with the features of a form, and the form; also copies the original
    files of German and Spanish."""
    for path in source.glob("*.tsv"):
        shutil.copy(path, out / path.name)
    lines = ["lemma\tform"]
    for line in (source / "german-train-high.tsv").read_text(encoding="utf-8").split("\n"):
        if line:
            lemma, form, features = line.split("\t")
            lines.append(f"{lemma} {features}\t{form}")
    write(out / "inflection.tsv", lines)


def transformer(source: pathlib.Path, out: pathlib.Path) -> None:
    """Two years of hourly measurements of an electricity transformer, as one series."""
    with open(source / "ETTh1.csv", encoding="utf-8", newline="") as file:
        results = [[float(value) for value in row[1:]] for row in list(csv.reader(file))[1:]]
    out.mkdir(parents=True, exist_ok=True)
    np.savez(out / "transformer.npz", inputs=np.array(results, np.float32))
    print(f"{out / 'transformer.npz'}: {len(results):,} hours")


def series(source: pathlib.Path, out: pathlib.Path) -> None:
    """Ten years of daily minimum temperatures in Melbourne, as one series."""
    with open(source / "daily-min-temperatures.csv", encoding="utf-8", newline="") as file:
        results = [float(row["Temp"]) for row in csv.DictReader(file)]
    out.mkdir(parents=True, exist_ok=True)
    np.savez(out / "temperatures.npz", inputs=np.array(results, np.float32))
    print(f"{out / 'temperatures.npz'}: {len(results):,} days")


def m4_hourly(source: pathlib.Path, out: pathlib.Path) -> None:
    """The hourly series of the M4 competition, one row per hour.

    The files have no dates; the first test hour of all series is set to `M4_TEST`.
    """
    rows = []
    parts = [source / name for name in ("Hourly-train.csv", "Hourly-test.csv")]
    train, test = (list(csv.reader(path.read_text("utf-8").splitlines()))[1:] for path in parts)
    for (name, *known), (other, *future) in zip(train, test, strict=True):
        assert name == other
        known = [value for value in known if value]
        hours = (M4_TEST + np.arange(-len(known), len(future))).astype("datetime64[m]")
        rows += [
            f"{name},{hour},{value}" for hour, value in zip(hours, known + future, strict=True)
        ]
    write(out / "m4-hourly.csv", ["series,hour,value", *rows])


def write(path: pathlib.Path, lines: list[str]) -> None:
    """Writes lines to a file and prints how many there are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    print(f"{path}: {len(lines):,} lines")


MAKERS = {
    "cmudict": cmudict,
    "tatoeba_fra_eng": tatoeba,
    "tinyshakespeare": shakespeare,
    "ud_english_ewt": ewt,
    "wnut17": wnut17,
    "english_texts": english_texts,
    "noto_emoji_captions": emoji,
    "poly_music": chorales,
    "names": names,
    "sms_spam": spam,
    "free_spoken_digits": spoken_digits,
    "ts_classics": series,
    "sentence_polarity": polarity,
    "sigmorphon2017": inflection,
    "etth1": transformer,
    "m4_hourly": m4_hourly,
}
"""Functions that make the files of each data set, by the name of its folder."""


def main() -> None:
    """Converts the data sets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=pathlib.Path, help="folder with one folder per data set")
    parser.add_argument("out", type=pathlib.Path, help="folder to write to")
    parser.add_argument("names", nargs="*", choices=[[], *MAKERS], help="data sets; all by default")
    args = parser.parse_args()
    for name in args.names or [name for name in MAKERS if (args.data / name).is_dir()]:
        MAKERS[name](args.data / name, args.out)


if __name__ == "__main__":
    main()

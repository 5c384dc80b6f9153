"""Presets: a data set, a template with its choices and how to train it, each under a name."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from typing import Any, Literal

from seqzoo.tasks.base import Template
from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.many_to_many_aligned import ManyToManyAligned
from seqzoo.tasks.many_to_many_encoder_decoder import ManyToManyEncoderDecoder
from seqzoo.tasks.many_to_one import ManyToOne
from seqzoo.tasks.one_to_many import OneToMany
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.zoo.source import Source

Size = Literal["base", "small"]


@dataclass(frozen=True)
class Preset:
    """What is ready to be trained.

    Attributes:
        description: one line for people.
        source: where its examples come from.
        task: the template with its choices.
        training: how to train it.
        score: what it reached, with seed, time and machine; empty where nobody measured it.
        small: the task's choices that differ in its small size, for less memory and time.
        needs: the files that --data, --validation and --test must name, where its source does not
            say it; empty where it needs none.
    """

    description: str
    source: Source
    task: Template
    training: TrainingSettings
    score: str = ""
    needs: str = ""
    small: Mapping[str, Any] = field(default_factory=lambda: {"units": 64})

    def sized(self, size: Size) -> Template:
        """The task in a size."""
        task: Any = self.task
        return task if size == "base" else replace(task, **self.small)


PRESETS = {
    "language-id": Preset(
        "A word or a name to its language, one of 163",
        Source(data="languages", kind="characters"),
        ManyToOne(
            input="characters",
            cell="gru",
            units=128,
            embedding=64,
            ngrams=4,
            bag=True,
            dropout=0.3,
            label_smoothing=0.1,
        ),
        TrainingSettings(epochs=3, batch_size=256, learning_rate=6e-3),
        "86.8% of 20,319 test names, seed 0",
        small={"units": 64, "embedding": 32, "ngram_buckets": 8192},
    ),
    "name-nationality": Preset(
        "A family name to where it comes from",
        Source(data="", kind="characters", input="name", target="nationality"),
        ManyToOne(
            input="characters",
            cell="gru",
            units=64,
            embedding=32,
            ngrams=4,
            bag=True,
            dropout=0.5,
            lowercase=True,
        ),
        TrainingSettings(epochs=6, batch_size=128, learning_rate=3e-3, weight_decay=0.2),
        needs="a table of names and nationalities, such as names.tsv",
        small={"units": 32, "embedding": 16, "ngram_buckets": 8192},
    ),
    "spam-filter": Preset(
        "A short message to spam or ham",
        Source(data="", kind="characters", input="text", target="label"),
        ManyToOne(
            input="characters",
            cell="gru",
            units=64,
            embedding=32,
            bidirectional=True,
            pooling="max",
            ngrams=4,
            bag=True,
            dropout=0.5,
            lowercase=True,
        ),
        TrainingSettings(epochs=8, batch_size=32, learning_rate=2e-3),
        needs="a table of messages and what they are, such as the SMS Spam Collection",
        small={"units": 16, "embedding": 16, "ngram_buckets": 8192},
    ),
    "spoken-digits": Preset(
        "A recording of a spoken digit to 0-9",
        Source(data="", kind="audio", input="file", target="digit"),
        ManyToOne(input="audio", cell="gru", units=64, bidirectional=True, dropout=0.2),
        TrainingSettings(epochs=25, batch_size=32, learning_rate=3e-3),
        needs="a table of WAV files and digits, such as the Free Spoken Digit Dataset's",
        small={"units": 32},
    ),
    "mnist-rows": Preset(
        "A handwritten digit, read row by row, to 0-9",
        Source(data="tfds:mnist", kind="rows"),
        ManyToOne(input="rows", cell="lstm", units=128),
        TrainingSettings(epochs=10, batch_size=128, learning_rate=2e-3),
        "98.83% of 10,000 test digits, seed 0",
    ),
    "mnist-pixels": Preset(
        "A handwritten digit, read pixel by pixel, to 0-9",
        Source(data="tfds:mnist", kind="pixels"),
        ManyToOne(input="pixels", cell="lstm", units=128),
        TrainingSettings(epochs=10, batch_size=128, learning_rate=1e-3),
    ),
    "imdb-sentiment": Preset(
        "A film review to praise or blame (pos, neg)",
        Source(data="tfds:imdb_reviews", kind="words"),
        ManyToOne(
            input="words",
            cell="gru",
            units=64,
            bidirectional=True,
            pooling="max",
            ngrams=2,
            bag=True,
            dropout=0.5,
            lowercase=True,
            maximum_length=400,
            label_smoothing=0.1,
        ),
        TrainingSettings(epochs=3, batch_size=64, learning_rate=1e-3, weight_decay=0.2),
        small={"units": 32, "embedding": 32, "ngram_buckets": 8192},
    ),
    "glyph-captioner": Preset(
        "A picture of a character to its Unicode name, in faces never seen",
        Source(data="glyphs", kind="image", target_kind="words"),
        OneToMany(filters=(32, 64, 128), normalization="batch", random_shift=0.02),
        TrainingSettings(epochs=14, batch_size=64, learning_rate=2e-3, warmup_steps=100),
        "93.4% exact captions of 4,807 glyphs in unseen faces, seed 0",
        small={"units": 64, "filters": (16, 32, 64)},
    ),
    "emoji-captioner": Preset(
        "An emoji to what it shows",
        Source(data="", kind="image", target_kind="words", input="file", target="caption"),
        OneToMany(
            filters=(32, 64, 128),
            normalization="batch",
            image_size=(36, 36),
            random_shift=0.03,
            random_zoom=0.05,
            dropout=0.1,
        ),
        TrainingSettings(epochs=30, batch_size=32, learning_rate=2e-3, warmup_steps=100),
        "65.0% exact captions of 454 emoji (noto_emoji_captions, split), seed 0",
        needs="a table of image files and captions, such as noto_emoji_captions' captions.tsv",
        small={"units": 64, "filters": (16, 32, 64)},
    ),
    "python-highlighter": Preset(
        "Python source to the kind of each character: keyword, name, string, comment and so on",
        Source(data="python_tokens", kind="characters", target_kind="tags"),
        ManyToManyAligned(input="characters", cell="gru", units=64, embedding=32),
        TrainingSettings(epochs=4, batch_size=32, learning_rate=4e-3),
        "99.04% of the characters of 837 test sources, seed 0",
        small={"units": 32, "embedding": 16},
    ),
    "upos-tagger": Preset(
        "A sentence to the part of speech of each word",
        Source(data="", kind="words", target_kind="tags"),
        ManyToManyAligned(cell="gru", units=128, embedding=64, characters=32, dropout=0.4),
        TrainingSettings(epochs=6, batch_size=32, learning_rate=3e-3),
        "94.17% of the words of UD English EWT's test, seed 0",
        needs="a CoNLL-U file, such as en_ewt-ud-train.conllu",
        small={"units": 64, "characters": 16},
    ),
    "entity-tagger": Preset(
        "A sentence to the people, places, products and so on that it names",
        Source(data="", kind="words", target_kind="tags"),
        ManyToManyAligned(
            cell="lstm",
            units=128,
            embedding=64,
            characters=32,
            dropout=0.3,
            word_dropout=0.1,
            lowercase=True,
            crf=True,
        ),
        TrainingSettings(epochs=10, batch_size=16, learning_rate=4e-3),
        "15.4% F1 of WNUT 17's test, without vectors trained elsewhere, seed 0",
        needs="a CoNLL file of words and their BIO tags, such as wnut17train.conll",
        small={"units": 50, "characters": 16},
    ),
    "python-source": Preset(
        "Python source, character by character: writes it",
        Source(data="python_source", kind="characters", target_kind="next"),
        ManyToManyAligned(input="characters", target="next", cell="gru", units=256),
        TrainingSettings(epochs=2, batch_size=32, learning_rate=3e-3),
        "1.73 bits a character of 60 test sources, seed 0",
        small={"units": 128},
    ),
    "shakespeare": Preset(
        "Shakespeare, character by character: writes on",
        Source(data="", kind="characters", target_kind="next", whole=True, test=0.0),
        ManyToManyAligned(
            input="characters", target="next", whole=True, cell="lstm", units=512, window=64
        ),
        TrainingSettings(epochs=4, batch_size=64, learning_rate=4e-3, warmup_steps=20),
        "1.536 nats a character of tiny Shakespeare's last tenth, seed 0",
        needs="a plain text, such as tiny Shakespeare's input.txt",
        small={"units": 256},
    ),
    "chorales": Preset(
        "Four voices, frame by frame: composes on",
        Source(data="", kind="notes", target_kind="next", input="notes"),
        ManyToManyAligned(
            input="notes",
            target="next",
            cell="lstm",
            units=200,
            recurrent_dropout=0.3,
            window=160,
        ),
        TrainingSettings(epochs=120, batch_size=16, learning_rate=4e-3),
        "8.31 nats a frame of the JSB chorales' test, seed 0",
        needs="a JSON Lines file of frames of zeros and ones, such as chorales-train.jsonl",
        small={"units": 100},
    ),
    "forecaster": Preset(
        "A series to what follows it",
        Source(data="", kind="series", target_kind="next"),
        ManyToManyAligned(
            input="series", target="next", whole=True, cell="gru", units=32, window=100, horizon=30
        ),
        TrainingSettings(epochs=80, batch_size=16, learning_rate=1e-2),
        "MAE 1.73, RMSE 2.24 degrees of the last tenth of daily temperatures, seed 0",
        needs="an .npz file of one long series, such as temperatures.npz",
        small={"units": 16},
    ),
    "date-normaliser": Preset(
        "A date as people write it, in any of many languages, to ISO 8601",
        Source(data="dates", kind="characters", target_kind="characters"),
        ManyToManyEncoderDecoder(cell="gru", units=128, embedding=32),
        TrainingSettings(epochs=5, batch_size=128, learning_rate=4e-3),
        "99.67% of 14,763 dates of days never seen, seed 0",
        small={"units": 64, "embedding": 16},
    ),
    "pronunciation": Preset(
        "An English word to its phonemes",
        Source(data="", kind="characters", target_kind="words", input="word", target="phonemes"),
        ManyToManyEncoderDecoder(
            target="words", cell="lstm", units=256, dropout=0.2, label_smoothing=0.1
        ),
        TrainingSettings(epochs=9, batch_size=256, learning_rate=4e-3),
        "6.58% phoneme error, 27.6% word error on CMUdict's test words, greedy, seed 0",
        needs="a table of words and phonemes, such as CMUdict's",
        small={"units": 128},
    ),
    "english-french": Preset(
        "An English sentence to French",
        Source(data="", kind="subwords", target_kind="subwords", input="english", target="french"),
        ManyToManyEncoderDecoder(
            input="subwords",
            target="subwords",
            cell="gru",
            units=256,
            embedding=128,
            dropout=0.2,
            label_smoothing=0.1,
            vocabulary_size=4000,
        ),
        TrainingSettings(epochs=6, batch_size=128, learning_rate=2e-3, warmup_steps=200),
        needs="a table of English sentences and their French translations, such as tatoeba.tsv",
        small={"units": 128, "embedding": 64, "vocabulary_size": 2000},
    ),
}


def get(name: str) -> Preset:
    """A preset by its name.

    Raises:
        SeqzooError: there is none of that name.
    """
    if name not in PRESETS:
        raise SeqzooError(
            f"There is no preset {name!r} (there are {', '.join(PRESETS)}){nearest(name, PRESETS)}"
        )
    return PRESETS[name]


def list_presets(pattern: str = "*") -> list[str]:
    """The names of presets, such as those of `list_presets("mnist-*")`."""
    return [name for name in PRESETS if fnmatch(name, pattern)]

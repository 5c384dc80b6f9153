"""Presets of `ManyToOne`: a class for a text, an image or a recording."""

from dataclasses import replace

from seqzoo.tasks.many_to_one.template import ManyToOne
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.presets.preset import Preset

_PIXELS = ManyToOne(
    input="pixels", cell="s5", units=128, layers=2, layer_norm=True, layer_activation="gelu"
)
"""Linear recurrences with nonlinear layers between them, for 784 steps."""

_ON_PIXELS = TrainingSettings(epochs=5, batch_size=64, learning_rate=3e-3, weight_decay=0.01)

PRESETS = {
    "language-id": Preset(
        "Identifies which of 163 languages a word or name is in",
        Source(data="languages", kind="characters"),
        ManyToOne(
            input="characters",
            cell="gru",
            units=128,
            embedding=64,
            ngrams=4,
            bag=True,
            dropout=0.3,
            label_smoothing=0.03,
            nfc=True,
        ),
        TrainingSettings(epochs=3, batch_size=256, learning_rate=6e-3, warmup_steps=0),
        "86.8% of 20,319 test names, seed 0",
        small={"units": 64, "embedding": 32, "ngram_buckets": 8192},
    ),
    "name-nationality": Preset(
        "Predicts the nationality of a family name",
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
            nfc=True,
        ),
        TrainingSettings(
            epochs=6, batch_size=128, learning_rate=3e-3, weight_decay=0.2, warmup_steps=0
        ),
        "81.9% of 2,005 test names, seed 0",
        needs="a table of names and nationalities, such as names.tsv",
        small={"units": 32, "embedding": 16, "ngram_buckets": 8192},
    ),
    "spam-filter": Preset(
        "Classifies short messages as spam or ham",
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
            nfc=True,
        ),
        TrainingSettings(epochs=8, batch_size=32, learning_rate=2e-3, warmup_steps=0),
        "98.92% of 557 test messages, F1 of spam 96.3%, seed 0",
        needs="a table of messages and labels, such as the SMS Spam Collection",
        small={"units": 16, "embedding": 16, "ngram_buckets": 8192},
    ),
    "spoken-digits": Preset(
        "Recognises spoken digits, 0 to 9",
        Source(data="", kind="audio", input="file", target="digit"),
        ManyToOne(input="audio", cell="gru", units=64, bidirectional=True, dropout=0.2),
        TrainingSettings(epochs=25, batch_size=32, learning_rate=3e-3, warmup_steps=0),
        "98.67% of 300 test recordings, seed 0",
        needs="a table of WAV files and digits, such as the Free Spoken Digit Dataset's",
        small={"units": 32},
    ),
    "mnist-rows": Preset(
        "Recognises handwritten digits, reading images row by row",
        Source(data="tfds:mnist", kind="rows"),
        ManyToOne(input="rows", cell="lstm", units=128),
        TrainingSettings(epochs=10, batch_size=128, learning_rate=2e-3, warmup_steps=0),
        "98.83% of 10,000 test digits, seed 0",
    ),
    "mnist-pixels": Preset(
        "Recognises handwritten digits, reading images pixel by pixel",
        Source(data="tfds:mnist", kind="pixels"),
        _PIXELS,
        _ON_PIXELS,
        "97.67% of 10,000 test digits, seed 0",
    ),
    "mnist-permuted": Preset(
        "Recognises handwritten digits, reading their pixels in a fixed random order",
        Source(data="tfds:mnist", kind="pixels"),
        replace(_PIXELS, permutation_seed=0),
        _ON_PIXELS,
        "96.58% of 10,000 test digits, seed 0",
    ),
    "imdb-sentiment": Preset(
        "Classifies film reviews as positive or negative",
        Source(data="tfds:imdb_reviews", kind="words"),
        ManyToOne(
            input="words",
            cell="gru",
            units=64,
            bidirectional=True,
            pooling="max",
            ngrams=2,
            ngram_buckets=150_000,
            bag=True,
            dropout=0.5,
            lowercase=True,
            nfc=True,
            maximum_length=800,
            label_smoothing=0.1,
        ),
        TrainingSettings(
            epochs=3, batch_size=64, learning_rate=1e-3, weight_decay=0.5, warmup_steps=0
        ),
        "89.45% of 25,000 test reviews, seed 0",
        small={"units": 32, "embedding": 32, "ngram_buckets": 8192},
    ),
}

"""Presets of `ManyToManyAligned`: a prediction at each step, or the next step."""

from seqzoo.tasks.many_to_many_aligned.template import ManyToManyAligned
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.presets.preset import Preset

PRESETS = {
    "python-highlighter": Preset(
        "Highlights Python code: tags each character as keyword, name, string and so on",
        Source(data="python_tokens", kind="characters", target_kind="tags"),
        ManyToManyAligned(input="characters", cell="gru", units=128, embedding=32),
        TrainingSettings(epochs=8, batch_size=32, learning_rate=4e-3, warmup_steps=0),
        "99.56% of the characters in 837 test files, seed 0",
        small={"units": 32, "embedding": 16},
    ),
    "upos-tagger": Preset(
        "Tags each word of a sentence with its part of speech",
        Source(data="", kind="words", target_kind="tags"),
        ManyToManyAligned(
            cell="gru", units=128, embedding=64, characters=32, dropout=0.4, nfc=True
        ),
        TrainingSettings(epochs=6, batch_size=32, learning_rate=3e-3, warmup_steps=0),
        "94.17% of the words in the test split of UD English EWT, seed 0",
        needs="a CoNLL-U file, such as en_ewt-ud-train.conllu",
        small={"units": 64, "characters": 16, "character_reader": "convolutional"},
    ),
    "entity-tagger": Preset(
        "Finds the people, places, products and so on that a sentence names",
        Source(data="", kind="words", target_kind="tags"),
        ManyToManyAligned(
            cell="lstm",
            units=128,
            embedding=64,
            characters=32,
            dropout=0.3,
            word_dropout=0.1,
            lowercase=True,
            nfc=True,
            crf=True,
        ),
        TrainingSettings(epochs=10, batch_size=16, learning_rate=4e-3, warmup_steps=0),
        "15.4% F1 on the test split of WNUT 17, without pretrained vectors, seed 0",
        needs="a CoNLL file of words and their BIO tags, such as wnut17train.conll",
        small={"units": 50, "characters": 16, "character_reader": "convolutional"},
    ),
    "python-source": Preset(
        "Writes Python code, character by character",
        Source(data="python_source", kind="characters", target_kind="next"),
        ManyToManyAligned(input="characters", target="next", cell="gru", units=256, nfc=True),
        TrainingSettings(epochs=2, batch_size=32, learning_rate=3e-3, warmup_steps=0),
        "1.729 bits per character on 60 test files, seed 0",
        small={"units": 128},
    ),
    "shakespeare": Preset(
        "Writes like Shakespeare, character by character",
        Source(data="", kind="characters", target_kind="next", whole=True, test=0.0),
        ManyToManyAligned(
            input="characters",
            target="next",
            whole=True,
            cell="lstm",
            units=512,
            window=64,
            nfc=True,
        ),
        TrainingSettings(epochs=4, batch_size=64, learning_rate=4e-3, warmup_steps=20),
        "1.536 nats per character on the last tenth of tiny Shakespeare, seed 0",
        needs="a plain text file, such as tiny Shakespeare's input.txt",
        small={"units": 256},
    ),
    "chorales": Preset(
        "Composes four-part chorales, frame by frame",
        Source(data="", kind="notes", target_kind="next", input="notes"),
        ManyToManyAligned(
            input="notes",
            target="next",
            cell="lstm",
            units=200,
            recurrent_dropout=0.3,
            window=160,
        ),
        TrainingSettings(epochs=120, batch_size=16, learning_rate=4e-3, warmup_steps=0),
        "8.31 nats per frame on the test split of the JSB chorales, seed 0",
        needs="a JSON Lines file of frames of zeros and ones, such as chorales-train.jsonl",
        small={"units": 100},
    ),
    "forecaster": Preset(
        "Forecasts a series",
        Source(data="", kind="series", target_kind="next", whole=True),
        ManyToManyAligned(
            input="series", target="next", whole=True, cell="gru", units=32, window=100, horizon=30
        ),
        TrainingSettings(epochs=80, batch_size=16, learning_rate=1e-2, warmup_steps=0),
        "MAE 1.725, RMSE 2.243 °C on the last tenth of daily temperatures, seed 0",
        needs="an .npz file with one long series, such as temperatures.npz",
        small={"units": 16},
    ),
}

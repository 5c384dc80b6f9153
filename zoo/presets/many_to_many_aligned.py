"""Presets of `ManyToManyAligned`: an answer at each step, or what comes next."""

from seqzoo.tasks.many_to_many_aligned.template import ManyToManyAligned
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.presets.preset import Preset

PRESETS = {
    "python-highlighter": Preset(
        "Python source to the kind of each character: keyword, name, string, comment and so on",
        Source(data="python_tokens", kind="characters", target_kind="tags"),
        ManyToManyAligned(input="characters", cell="gru", units=128, embedding=32),
        TrainingSettings(epochs=8, batch_size=32, learning_rate=4e-3, warmup_steps=0),
        "99.56% of the characters of 837 test sources, seed 0",
        small={"units": 32, "embedding": 16},
    ),
    "upos-tagger": Preset(
        "A sentence to the part of speech of each word",
        Source(data="", kind="words", target_kind="tags"),
        ManyToManyAligned(
            cell="gru", units=128, embedding=64, characters=32, dropout=0.4, nfc=True
        ),
        TrainingSettings(epochs=6, batch_size=32, learning_rate=3e-3, warmup_steps=0),
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
            nfc=True,
            crf=True,
        ),
        TrainingSettings(epochs=10, batch_size=16, learning_rate=4e-3, warmup_steps=0),
        "15.4% F1 of WNUT 17's test, without vectors trained elsewhere, seed 0",
        needs="a CoNLL file of words and their BIO tags, such as wnut17train.conll",
        small={"units": 50, "characters": 16},
    ),
    "python-source": Preset(
        "Python source, character by character: writes it",
        Source(data="python_source", kind="characters", target_kind="next"),
        ManyToManyAligned(input="characters", target="next", cell="gru", units=256, nfc=True),
        TrainingSettings(epochs=2, batch_size=32, learning_rate=3e-3, warmup_steps=0),
        "1.73 bits a character of 60 test sources, seed 0",
        small={"units": 128},
    ),
    "shakespeare": Preset(
        "Shakespeare, character by character: writes on",
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
        TrainingSettings(epochs=120, batch_size=16, learning_rate=4e-3, warmup_steps=0),
        "8.31 nats a frame of the JSB chorales' test, seed 0",
        needs="a JSON Lines file of frames of zeros and ones, such as chorales-train.jsonl",
        small={"units": 100},
    ),
    "forecaster": Preset(
        "A series to what follows it",
        Source(data="", kind="series", target_kind="next", whole=True),
        ManyToManyAligned(
            input="series", target="next", whole=True, cell="gru", units=32, window=100, horizon=30
        ),
        TrainingSettings(epochs=80, batch_size=16, learning_rate=1e-2, warmup_steps=0),
        "MAE 1.73, RMSE 2.24 degrees of the last tenth of daily temperatures, seed 0",
        needs="an .npz file of one long series, such as temperatures.npz",
        small={"units": 16},
    ),
}

"""Presets of `ManyToManyEncoderDecoder`: from a sequence to a text."""

from seqzoo.tasks.many_to_many_encoder_decoder.template import ManyToManyEncoderDecoder
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.presets.preset import Preset

PRESETS = {
    "date-normaliser": Preset(
        "Converts dates as people write them, in many languages, to ISO 8601",
        Source(data="dates", kind="characters", target_kind="characters"),
        ManyToManyEncoderDecoder(cell="gru", units=128, embedding=32, nfc=True),
        TrainingSettings(epochs=5, batch_size=128, learning_rate=4e-3, warmup_steps=0),
        "99.67% of 14,763 dates of days not seen in training, seed 0",
        small={"units": 64, "embedding": 16},
    ),
    "pronunciation": Preset(
        "Converts English words to phonemes",
        Source(data="", kind="characters", target_kind="words", input="word", target="phonemes"),
        ManyToManyEncoderDecoder(
            target="words",
            cell="lstm",
            units=256,
            layers=2,
            dropout=0.3,
            label_smoothing=0.1,
            nfc=True,
        ),
        TrainingSettings(epochs=10, batch_size=128, learning_rate=2e-3, warmup_steps=0),
        "6.16% phoneme error, 26.3% word error on held-out words of CMUdict, greedy, seed 0",
        needs="a table of words and phonemes, such as CMUdict's",
        small={"units": 128, "layers": 1},
    ),
    "english-french": Preset(
        "Translates English sentences into French",
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
            nfc=True,
        ),
        TrainingSettings(epochs=6, batch_size=128, learning_rate=2e-3),
        "38.0 BLEU, 57.2 chrF on held-out sentences of Tatoeba, greedy, seed 0",
        needs="a table of English sentences and their French translations, such as tatoeba.tsv",
        small={"units": 128, "embedding": 64, "vocabulary_size": 2000},
    ),
    "inflection": Preset(
        "Inflects lemmas for morphological features",
        Source(data="", kind="lemma", target_kind="characters", validation=0.05),
        ManyToManyEncoderDecoder(
            input="lemma",
            cell="gru",
            units=256,
            embedding=128,
            copy=True,
            nfc=True,
            dropout=0.4,
            minimum_count=1,
            label_smoothing=0.1,
        ),
        TrainingSettings(epochs=40, batch_size=64, learning_rate=3e-3),
        "96.5% of 1,000 Spanish and 90.0% of 1,000 German forms, trained on 10,000, seed 0",
        needs="a file of lemmas, forms and features, such as those of UniMorph and SIGMORPHON 2017",
        small={"units": 64, "embedding": 32},
    ),
}

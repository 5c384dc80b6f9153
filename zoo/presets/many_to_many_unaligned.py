"""Presets of `ManyToManyUnaligned`: from a sequence to a shorter text in the same order."""

from seqzoo.tasks.many_to_many_unaligned.template import ManyToManyUnaligned
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.presets.preset import Preset

PRESETS = {
    "line-reader": Preset(
        "Reads pictures of lines of text, column by column",
        Source(data="text_lines", kind="columns", target_kind="characters"),
        ManyToManyUnaligned(
            filters=(16, 32),
            cell="gru",
            units=160,
            dropout=0.1,
            minimum_count=1,
            columns_per_step=2,
        ),
        TrainingSettings(epochs=14, batch_size=32, learning_rate=4e-3),
        "0.30% of the characters wrong in 1,000 lines of unseen words in unseen typefaces, seed 0",
    ),
    "number-reader": Preset(
        "Reads handwritten numbers of one to ten digits, column by column",
        Source(data="", kind="columns", target_kind="characters"),
        ManyToManyUnaligned(
            filters=(32, 64, 128),
            cell="gru",
            units=160,
            layers=2,
            dropout=0.3,
            minimum_count=1,
            columns_per_step=4,
        ),
        TrainingSettings(epochs=9, batch_size=64, learning_rate=2e-3, average="ema"),
        "97.78% of 1,848 numbers made of unseen digits, 0.41% of the digits wrong, seed 0",
        needs="the folder of a prepared digit_lines data set, such as prepared/digit_lines/1.1.0",
    ),
}

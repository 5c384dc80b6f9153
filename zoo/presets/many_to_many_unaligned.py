"""Presets of `ManyToManyUnaligned`: from a sequence to a shorter text in its order."""

from seqzoo.tasks.many_to_many_unaligned.template import ManyToManyUnaligned
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.presets.preset import Preset

PRESETS = {
    "line-reader": Preset(
        "Reads pictures of lines of text, column by column",
        Source(data="text_lines", kind="columns", target_kind="characters"),
        ManyToManyUnaligned(cell="gru", units=128, dropout=0.2, minimum_count=1),
        TrainingSettings(epochs=12, batch_size=32, learning_rate=4e-3),
    ),
    "number-reader": Preset(
        "Reads handwritten numbers of one to ten digits, column by column",
        Source(data="", kind="columns", target_kind="characters"),
        ManyToManyUnaligned(cell="gru", units=128, dropout=0.2, minimum_count=1),
        TrainingSettings(epochs=4, batch_size=32, learning_rate=4e-3),
        needs="a folder of the data set digit_lines, such as prepared/digit_lines/1.0.0",
    ),
}

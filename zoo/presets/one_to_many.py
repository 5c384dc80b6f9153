"""Presets of `OneToMany`: an image to text."""

from seqzoo.tasks.one_to_many.template import OneToMany
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.presets.preset import Preset

PRESETS = {
    "glyph-captioner": Preset(
        "Names the character in a picture, in typefaces not seen in training",
        Source(data="glyphs", kind="image", target_kind="words"),
        OneToMany(filters=(32, 64, 128), normalization="batch", random_shift=0.02, nfc=True),
        TrainingSettings(epochs=14, batch_size=64, learning_rate=2e-3, warmup_steps=100),
        "93.4% exact captions for 4,807 glyphs in unseen typefaces, seed 0",
        small={"units": 64, "filters": (16, 32, 64)},
    ),
    "emoji-captioner": Preset(
        "Describes an emoji",
        Source(data="", kind="image", target_kind="words", input="file", target="caption"),
        OneToMany(
            filters=(32, 64, 128),
            normalization="batch",
            image_size=(36, 36),
            random_shift=0.03,
            random_zoom=0.05,
            dropout=0.1,
            nfc=True,
        ),
        TrainingSettings(epochs=30, batch_size=32, learning_rate=2e-3, warmup_steps=100),
        "65.0% exact captions for 454 emoji (noto_emoji_captions, split), seed 0",
        needs="a table of image files and captions, such as noto_emoji_captions' captions.tsv",
        small={"units": 64, "filters": (16, 32, 64)},
    ),
}

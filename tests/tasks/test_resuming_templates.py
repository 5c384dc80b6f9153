"""A training run of any template that was stopped in mid-epoch ends with the same weights."""

import pathlib
import shutil
from typing import Any

import keras
import numpy as np
import pytest
from cell_names import BEFORE_RELEASES
from one_to_many_data import captioned, template
from tagging_data import sentences, tagger
from task_data import series, settings
from training_cases import RecordingProgress, assert_same

from seqzoo.tasks import (
    Examples,
    ManyToManyAligned,
    ManyToManyEncoderDecoder,
    ManyToOne,
    Splits,
)
from seqzoo.tasks.training.progress import Silent
from seqzoo.tasks.training.trainer import train

pytestmark = pytest.mark.usefixtures("plain_loop", "every_step")

DROPPED: dict[str, Any] = {"dropout": 0.2, "recurrent_dropout": 0.1}


def _backwards() -> Examples:
    random = np.random.default_rng(0)
    words = ["".join(random.choice(list("abc"), n)) for n in random.integers(1, 7, 24)]
    return Examples(words, [word[::-1] for word in words])


def _pictures() -> Examples:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (24, 5, 4), dtype=np.uint8)
    return Examples(images, [str(number) for number in images[:, 0, 0] % 3])


CASES = {
    "tags": lambda: (
        tagger(characters=4, word_dropout=0.2, **DROPPED),
        sentences(24, 0),
    ),
    "next": lambda: (
        ManyToManyAligned(input="series", target="next", units=6, window=4, **DROPPED),
        Examples(series(24, 1)),
    ),
    "captions": lambda: (
        template("image", random_shift=0.1, normalization="batch", **DROPPED),
        captioned(count=24),
    ),
    "rows": lambda: (
        ManyToOne(
            "rows", filters=(2,), units=6, random_shift=0.1, random_zoom=0.1, random_shear=0.1
        ),
        _pictures(),
    ),
    "translations": lambda: (
        ManyToManyEncoderDecoder(
            units=6,
            embedding=5,
            attention="monotonic",
            copy=True,
            minimum_count=1,
            scheduled_sampling=0.3,
            **DROPPED,
        ),
        _backwards(),
    ),
}


class Copying(Silent):
    """Copies the folder of a run in the middle of its second epoch, as if it had been killed."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.current = 0

    def epoch(self, epoch: int, done: int) -> None:
        self.current = epoch

    def step(self, done, loss, metric, tokens) -> None:
        if (self.current, done) == (2, 3):
            shutil.copytree(self.folder, self.folder.with_name("killed"))


# test_resuming.py and test_language_model.py do this with classes and texts in each run.
SLOW = ("translations",)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=pytest.mark.slow if case in SLOW else BEFORE_RELEASES)
        for case in CASES
    ],
)
def test_resumed_in_mid_epoch_with_the_same_numbers(case: str, tmp_path) -> None:
    template, examples = CASES[case]()
    # A checkpoint after each step; the last one before the copy is of the step before.
    arguments = (template, Splits(examples), settings(batch_size=6, checkpoint_seconds=1e-9))
    # Layers have the same names in both runs, as in processes of their own: TensorFlow's graph
    # optimiser orders sums by name, and so rounds differently if names differ.
    keras.backend.clear_session()
    train(*arguments, tmp_path / "whole", progress=Copying(tmp_path / "whole"))
    killed = tmp_path / "killed"
    keras.backend.clear_session()
    train(*arguments, killed, resume=True, progress=(progress := RecordingProgress()))
    assert progress.steps[0][0] == 3
    assert_same(tmp_path / "whole", killed)

"""A training run of any template that was stopped in mid-epoch ends with the same weights."""

import pathlib
import shutil
from typing import Any

import keras
import numpy as np
import pytest
from cell_names import BEFORE_RELEASES
from export_cases import make_run
from one_to_many_data import captioned, template
from tagging_data import sentences, tagger
from task_data import series, settings
from training_cases import RecordingProgress, assert_same

from seqzoo.tasks import (
    Examples,
    ManyToManyAligned,
    ManyToManyEncoderDecoder,
    ManyToOne,
    SeqzooError,
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
    """Copies the folder of a run after some step of some epoch, as if it had been killed."""

    def __init__(self, folder: pathlib.Path, at: tuple[int, int] = (2, 3)):
        self.folder = folder
        self.at = at
        self.current = 0

    def epoch(self, epoch: int, done: int) -> None:
        self.current = epoch

    def step(self, done, loss, metric, tokens) -> None:
        if (self.current, done) == self.at:
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


def _with_vectors(folder: pathlib.Path) -> tuple[Any, Examples]:
    lines = [f"{word} {number} {number / 2} -1" for number, word in enumerate("abcdef", 1)]
    (folder / "vectors.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    options: dict[str, Any] = {"vectors": str(folder / "vectors.txt"), "minimum_count": 1}
    return ManyToOne("words", units=4, **options), Examples(["a b", "c d"] * 6, [*"xy"] * 6)


def _with_language_model(folder: pathlib.Path) -> tuple[Any, Examples]:
    model = ManyToManyAligned("characters", "next", units=5, embedding=3, minimum_count=1)
    make_run(folder / "model", model, Examples(["ab ba", "b a"]))
    return tagger(features_from=(str(folder / "model"),)), sentences(24, 0)


@pytest.mark.slow
@pytest.mark.parametrize("case", [_with_vectors, _with_language_model])
def test_before_the_first_checkpoint_files_are_read_again(case: Any, tmp_path) -> None:
    template, examples = case(tmp_path)
    arguments = (template, Splits(examples), settings(batch_size=6, epochs=1))
    keras.backend.clear_session()
    train(*arguments, tmp_path / "whole", progress=Copying(tmp_path / "whole", (1, 1)))
    shutil.copytree(tmp_path / "killed", tmp_path / "changed")
    keras.backend.clear_session()
    train(*arguments, tmp_path / "killed", resume=True)
    assert_same(tmp_path / "whole", tmp_path / "killed")
    option = "vectors" if getattr(template, "vectors", None) else "features_from"
    if option == "vectors":
        (tmp_path / "vectors.txt").write_text("a 1 2 3\nz 1 2 3\n", encoding="utf-8")
    else:
        shutil.rmtree(tmp_path / "model")
    with pytest.raises(SeqzooError, match="no checkpoint yet, and what `vectors`|no run in|model"):
        train(*arguments, tmp_path / "changed", resume=True)

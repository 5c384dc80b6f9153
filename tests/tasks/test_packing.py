"""Packed runs: fewer bits cost little, and damage is told."""

import pathlib

import numpy as np
import pytest
from task_data import settings, splits, task

import seqzoo.cells
from seqzoo.tasks import SeqzooError
from seqzoo.tasks.runs.compact_weights import LARGE, pack
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.training.trainer import train


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("packing") / "run"
    choices = task(ngrams=2, ngram_buckets=LARGE // 6 + 1)
    with seqzoo.cells.portable():
        return train(choices, splits(), settings(epochs=1), folder)


def test_a_packed_run_answers_nearly_alike(run: Run, tmp_path: pathlib.Path) -> None:
    pack(run, tmp_path / "packed", {"preset": "none"})
    packed = Run.open(tmp_path / "packed")
    weights = zip(run.model.get_weights(), packed.model.get_weights(), strict=True)
    for ours, theirs in weights:
        scale = np.abs(ours).max() or 1.0
        np.testing.assert_allclose(theirs, ours, atol=scale / 127, rtol=1e-3)
        assert not ours.size or (theirs != 0).any() == (ours != 0).any()
    examples = splits().test
    assert examples is not None
    pairs = zip(run.predict(examples.inputs), packed.predict(examples.inputs), strict=True)
    for ours, theirs in pairs:
        known = dict(theirs.alternatives)
        assert all(abs(known[label] - own) < 0.02 for label, own in ours.alternatives)
    size = (tmp_path / "packed" / "weights.npz").stat().st_size
    assert size < 0.4 * (run.folder / "model.keras").stat().st_size


def test_damaged_weights_are_told(run: Run, tmp_path: pathlib.Path) -> None:
    pack(run, tmp_path / "packed", {})
    path = tmp_path / "packed" / "weights.npz"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(SeqzooError, match="weights.npz cannot be read"):
        Run.open(tmp_path / "packed").predict(["abc"])
    with pytest.raises(SeqzooError, match="exists already"):
        pack(run, tmp_path / "packed", {})

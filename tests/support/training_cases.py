"""Records the progress of training runs, and compares what they wrote; for tests of training."""

import numpy as np
import tensorflow as tf

from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.training.progress import Silent

CHOICES = {"dropout": 0.1, "recurrent_dropout": 0.1}


class RecordingProgress(Silent):
    """Records the progress of training, and may interrupt it."""

    def __init__(self, stop_at: int | None = None):
        self.steps, self.rows, self.notes, self.stop_at = [], [], [], stop_at

    def step(self, done, loss, metric, tokens):
        self.steps.append((done, loss, metric, tokens))
        if len(self.steps) == self.stop_at:
            raise KeyboardInterrupt

    def row(self, row):
        self.rows.append(row)

    def note(self, text):
        self.notes.append(text)


def weights(folder) -> dict[str, np.ndarray]:
    """The contents of the last checkpoint: weights, optimizer, seeds and counters."""
    reader = tf.train.load_checkpoint(str(folder / "checkpoints"))
    parts = ("model/", "optimizer/", "loop/")
    keys = [key for key in reader.get_variable_to_shape_map() if key.startswith(parts)]
    assert len(keys) > 10
    return {key: reader.get_tensor(key) for key in keys}


def history(folder) -> list[dict]:
    """The training history of a run, without the seconds."""
    return [{**row, "seconds": None} for row in Run.open(folder).history]


def assert_same(one, other) -> None:
    """Checks that two runs have the same checkpoint and history."""
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for key in first:
        np.testing.assert_array_equal(first[key], second[key], err_msg=key)
    assert history(one) == history(other)

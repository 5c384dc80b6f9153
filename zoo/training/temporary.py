"""Trains the model of a run on other examples, to evaluate it or predict with it; nothing is kept
on disk."""

import pathlib
import tempfile
from typing import Any

from seqzoo.tasks.data.examples import Splits
from seqzoo.tasks.errors import Interrupted
from seqzoo.tasks.settings import TrainingSettings


def train_temporarily(run: Any, splits: Splits, settings: TrainingSettings | None = None) -> Any:
    """Trains with the template, the settings and the initial weights of a run.

    Args:
        run: the `seqzoo.tasks.runs.run.Run`.
        splits: the examples.
        settings: settings to use instead of those of the run.

    Returns: a run whose model is in memory, and whose folder is deleted.

    Raises:
        SeqzooError: the examples cannot be trained on, or the run that it starts from no longer
            exists.
        Interrupted: Ctrl-C.
    """
    from seqzoo.tasks.training.trainer import start_of, train

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "run"
        try:
            trained = train(
                run.template, splits, settings or run.settings, path, start_from=start_of(run)
            )
        except Interrupted as interruption:
            message = "Stopped; the training run is not kept. Run the command again."
            raise Interrupted(message) from interruption
        _ = trained.model
    return trained

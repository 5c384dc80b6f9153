"""Names of the files in the folder of a search."""

import pathlib

from seqzoo.zoo.config.resolve import CONFIG

SEARCHES = pathlib.Path("searches")

SETTINGS = f"search{CONFIG}"
"""The settings of the search, with the search space in the [search] table."""

BEST = f"best{CONFIG}"
"""The settings of the best trial, for `seqzoo train`."""

JOURNAL = "trials.log"
"""Optuna's journal of all trials."""


def trial_folder(folder: pathlib.Path, number: int) -> pathlib.Path:
    """The run folder of a trial."""
    return folder / "trials" / str(number)


def log_file(folder: pathlib.Path, index: int) -> pathlib.Path:
    """The log of a worker process: its standard output and standard error."""
    return folder / "logs" / f"worker-{index}.log"

"""Evaluates a run on held-out examples, or on another file."""

import pathlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data.source import HISTORY, Source
from seqzoo.zoo.inference.open_run import open_runs
from seqzoo.zoo.inference.options import prediction_options


def evaluate(
    folder: str,
    given: dict[str, Any],
    split: str | None,
    report: str | None,
    decoding: dict[str, Any],
    device: str | None = None,
    others: Sequence[str] = (),
) -> dict[str, Any]:
    """Evaluates a run.

    Args:
        folder: the folder of the run.
        given: fields of the run's source that were given; `limit` is the maximum number of examples
            to score.
        split: the split to evaluate on; None for all of a given file, otherwise the test split.
        report: folder to write tables and plots to.
        decoding: settings of `Decoding` that were given.
        device: see `seqzoo.zoo.devices.choose`.
        others: further runs, whose predictions are averaged with those of the first.

    Raises:
        SeqzooError: the run or the data do not exist, or are incompatible, or the limit is below 1.
    """
    if report is not None and pathlib.Path(report).is_file():
        raise SeqzooError(f"{report} is a file; name a folder for the report.", field="report")
    run = open_runs(folder, others, device)
    from seqzoo.zoo.data.open import open_examples, without_roles

    given = dict(given)
    limit = given.pop("limit", None)
    if others and "data" not in given:
        _check_held_out(run.runs, split)
    stored = Source.of_run(run, given.get("data"))
    if "data" in given:
        stored = stored.of_other_data(given["data"])
    # Scores do not weight examples.
    source = without_roles(replace(stored, **given), "weight_column")
    if others:  # the test examples are in no fold
        source = replace(source, fold=None)
    if "data" in given and split is None:
        split = "all" if source.is_file() else "test"
    if split == "all" and not source.is_file():
        raise SeqzooError(f"--split all is for files; {source.data} has its own splits.")
    examples = open_examples(source, split or "test")
    if limit is not None and limit < 1:
        raise SeqzooError(field="limit", expected="at least 1", got=limit)
    if limit is not None and source.kind == HISTORY:
        examples = examples.pick(range(min(limit, len(examples))))
    elif limit is not None:
        examples = _sample(examples, limit, source.seed)
    return run.evaluate(examples, prediction_options(run, None, decoding), folder=report)


def _check_held_out(runs: Sequence[Any], split: str | None) -> None:
    """Checks that no run of an ensemble was trained on examples that another held out.

    Raises:
        SeqzooError: they have different examples, or different splits of them.
    """
    first, *others = runs
    if split not in (None, "test") and any(Source.of_run(run).fold for run in runs):
        raise SeqzooError(
            f"Runs on different folds share held-out test examples, but no {split!r} examples; "
            "leave out --split, or name a file with --data."
        )
    # Where examples are kept, and their weights, do not change which are held out.
    free: dict[str, Any] = {"fold": None, "storage": "auto", "weight_column": None}
    expected = replace(Source.of_run(first), **free)
    for other in others:
        if replace(Source.of_run(other), **free) != expected:
            raise SeqzooError(
                f"{other.folder} and {first.folder} were trained on different examples, so one may "
                "have been trained on what the other held out; name a file with --data."
            )


def _sample(examples: Examples, limit: int, seed: int) -> Examples:
    """At most `limit` examples, sampled like those of a source: the same ones each time, with equal
    inputs kept together, because their targets are references for each other."""
    from seqzoo.zoo.data import splits

    keys = [splits.input_key(value) for value in examples.inputs]
    return examples.pick(sorted(splits.order(keys, seed)[:limit]))

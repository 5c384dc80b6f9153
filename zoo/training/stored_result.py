"""Reads the JSON files that comparisons and repetitions store."""

import pathlib
from collections.abc import Mapping
from typing import Any

from seqzoo.tasks.atomic_files import read_json
from seqzoo.tasks.errors import SeqzooError

FINISHED: dict[str, Any] = {
    "metric": str,
    "better": int,
    "split": str | None,
    "seconds": list,
    "metrics": dict,
}
"""The types of the values in the result of a finished training run, by name."""


def read_result(path: pathlib.Path, types: Mapping[str, Any]) -> dict[str, Any]:
    """A stored result of `seqzoo train --json`. Earlier versions called its metrics "figures".

    Args:
        path: the file.
        types: the types of the values that it must have, by name; if it has metrics, those of
            `FINISHED` are required, too.

    Raises:
        SeqzooError: the file is not valid JSON, or a value is missing or has another type.
    """
    record = read_json(path)
    if isinstance(record, dict) and "figures" in record:
        record["metrics"] = record.pop("figures")
    check_types(path, record, types)
    if "metrics" in record:
        check_types(path, record, FINISHED)
        metric = record["metric"]
        check_types(path, {metric: record["metrics"].get(metric)}, {metric: int | float | None})
    return record


def check_types(path: pathlib.Path, record: Any, types: Mapping[str, Any]) -> None:
    """Checks the types of the values in an object that a file contains.

    Args:
        path: the file, which can be deleted to create it again.
        record: the object.
        types: the types of the values that it must have, by name.

    Raises:
        SeqzooError: it is not an object, or a value is missing or has another type.
    """
    if isinstance(record, dict):
        wrong = [
            name
            for name in types
            if name not in record or not isinstance(record[name], types[name])
        ]
        if not wrong:
            return
        reason = f"{wrong[0]!r} is missing or has the wrong type"
    else:
        reason = f"it contains {record!r:.40} instead of an object"
    raise damaged(path, reason)


def damaged(path: pathlib.Path, reason: str) -> SeqzooError:
    """The error for a stored result with unexpected contents, which can be deleted."""
    return SeqzooError(f"{path} is damaged: {reason}; delete it and run the command again.")

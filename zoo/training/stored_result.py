"""Reads the results of `seqzoo train --json` that comparisons and repetitions store."""

import pathlib
from typing import Any

from seqzoo.tasks.atomic_files import read_json


def read_result(path: pathlib.Path) -> dict[str, Any]:
    """A stored result. Earlier versions called its metrics "figures".

    Raises:
        SeqzooError: the file is not valid JSON.
    """
    record = read_json(path)
    if "figures" in record:
        record["metrics"] = record.pop("figures")
    return record

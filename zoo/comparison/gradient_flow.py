"""The gradient flow of the cells in a comparison, computed in a separate process."""

import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from seqzoo.tasks.errors import SeqzooError

PLOT = "gradient-flow.png"


def flow_rows(flows: Sequence[Any]) -> list[dict[str, Any]]:
    """`CellFlow`s as JSON-serialisable rows."""
    return [
        {
            "cell": flow.cell,
            "units": flow.units,
            "shares": {str(steps): share for steps, share in flow.shares.items()},
            "verdict": flow.decay.sentence(),
        }
        for flow in flows
    ]


def flow_table(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Column names and rows of a readable table."""
    headers = ["cell", "units", *(f"{steps} steps back" for steps in rows[0]["shares"]), "verdict"]
    return headers, [
        [
            row["cell"],
            str(row["units"]),
            *(f"{share:.2g}" for share in row["shares"].values()),
            row["verdict"],
        ]
        for row in rows
    ]


def main(arguments: Sequence[str]) -> int:
    """Computes and plots the gradient flow of cells.

    Args:
        arguments: the options of each cell by name, as JSON, and the folder for the plot.

    Returns:
        0, with the rows as JSON on standard output; or 2, with an error on standard error.
    """
    from seqzoo.tasks.startup import start_devices
    from seqzoo.zoo.training.local_workers import end_with_starter

    end_with_starter()
    start_devices()
    from seqzoo.tasks.atomic_files import replacing
    from seqzoo.tasks.inspection.cell_flow import cell_flows
    from seqzoo.tasks.inspection.figures import cell_flow_figure, rendered

    try:
        flows = cell_flows(json.loads(arguments[0]))
    except SeqzooError as error:
        print(error, file=sys.stderr)
        return 2
    with replacing(pathlib.Path(arguments[1]) / PLOT) as temporary:
        temporary.write_bytes(rendered(cell_flow_figure(flows)))
    print(json.dumps(flow_rows(flows)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

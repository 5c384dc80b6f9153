"""The gradient flow of the cells of a comparison, computed in a separate process."""

import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from seqzoo.tasks.errors import SeqzooError

PLOT = "gradient-flow.png"


def flow_rows(flows: Sequence[Any]) -> list[dict[str, Any]]:
    """`CellFlow`s as rows, JSON-serialisable."""
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
    heads = ["cell", "units", *(f"{steps} steps back" for steps in rows[0]["shares"]), "verdict"]
    return heads, [
        [
            row["cell"],
            str(row["units"]),
            *(f"{share:.2g}" for share in row["shares"].values()),
            row["verdict"],
        ]
        for row in rows
    ]


def main(words: Sequence[str]) -> int:
    """Computes the flow of cells and draws it.

    Args:
        words: the options of cells by name, as JSON, and the folder that gets the plot.

    Returns:
        0, with the rows as JSON on standard output; 2, with a line on standard error.
    """
    from seqzoo.tasks.startup import start_devices

    start_devices()
    from seqzoo.tasks.atomic_files import replacing
    from seqzoo.tasks.inspection.cell_flow import cell_flows
    from seqzoo.tasks.inspection.figures import cell_flow_figure, rendered

    try:
        flows = cell_flows(json.loads(words[0]))
    except SeqzooError as error:
        print(error, file=sys.stderr)
        return 2
    with replacing(pathlib.Path(words[1]) / PLOT) as temporary:
        temporary.write_bytes(rendered(cell_flow_figure(flows)))
    print(json.dumps(flow_rows(flows)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""Writes the sizes of cells, for `seqzoo list cells`: `python -m docs.write_cell_sizes`."""

import pathlib

FEATURES, UNITS = 64, 128
FRAME = (8, 8)
FILE = pathlib.Path(__file__).parents[1] / "cells" / "sizes.py"
HEAD = f'''"""States and parameters of each cell, with {FEATURES} features and {UNITS} units.

Written by `python -m docs.write_cell_sizes`, so that listing the cells needs no TensorFlow. Frames
are {FRAME[0]} by {FRAME[1]}.
"""

'''


def sizes(name: str) -> tuple[int, int]:
    """The number of states and the number of parameters of a cell."""
    from seqzoo.cells import create
    from seqzoo.cells.base import as_list

    cell = create(name, UNITS)
    frame = FRAME if cell.input_rank == 4 else ()
    cell.build((None, *frame, FEATURES + cell.takes_time))
    return len(as_list(cell.state_size)), cell.count_params()


def text() -> str:
    """The contents of the file, for all cells."""
    from seqzoo.cells import CELLS

    lines = [f'    "{name}": {sizes(name)},' for name in CELLS]
    return HEAD + "\n".join(["SIZES: dict[str, tuple[int, int]] = {", *lines, "}"]) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")

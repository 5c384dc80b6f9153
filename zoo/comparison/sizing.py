"""Finds the number of units at which cells have equal parameter counts."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.config.resolve import Choices, check_times


@dataclass(frozen=True)
class Size:
    """A cell at the size at which it is compared.

    Attributes:
        units: units per layer.
        parameters: parameter count of the model.
        options: the options of the cell.
    """

    units: int
    parameters: int
    options: dict[str, Any]


def sizes(choices: Choices, reference: str, cells: Sequence[str]) -> dict[str, Size]:
    """The size of each cell at which its parameter count is closest to that of the reference.

    Args:
        choices: the settings of the model, with the units and options of the reference cell.
        reference: name of the reference cell.
        cells: names of the cells to size.

    Returns:
        A size for each of `cells`, and for the reference.

    Raises:
        SeqzooError: training is not possible with the data or the settings.
    """
    from seqzoo.cells import CELLS
    from seqzoo.tasks.layers.recurrent import make_cell
    from seqzoo.zoo.catalogue.describe import cell_options
    from seqzoo.zoo.data.open import open_source

    tasks = {}
    for name in dict.fromkeys([reference, *cells]):
        options = dict(choices.task.cell_options)
        if name != reference and name in CELLS:
            accepted_names = {option["name"] for option in cell_options(CELLS[name])}
            options = {key: value for key, value in options.items() if key in accepted_names}
        tasks[name] = replace(choices.task, cell=name, cell_options=options)
        make_cell(tasks[name])  # mistakes are reported before the data are read
        check_times(tasks[name], choices.source)
    splits, _ = open_source(choices.source)

    def counter(name: str) -> Callable[[int], int]:
        return cache(lambda units: _parameters(replace(tasks[name], units=units), splits.train))

    units = choices.task.units
    target = counter(reference)(units)
    results = {reference: Size(units, target, tasks[reference].cell_options)}
    for name in cells:
        if name != reference:
            count = counter(name)
            nearest = nearest_units(count, target, units)
            results[name] = Size(nearest, count(nearest), tasks[name].cell_options)
    return results


def nearest_units(count: Callable[[int], int], target: int, start: int) -> int:
    """The number of units whose parameter count is closest to a target.

    Args:
        count: a function from the number of units to the parameter count, which increases with it.
        target: the target parameter count.
        start: number of units to start from.
    """
    low = high = start
    while count(high) < target:
        low, high = high, 2 * high
    while low > 1 and count(low) > target:
        low, high = max(1, low // 2), low
    iteration = 0
    while high - low > 1:
        # Alternates between linear interpolation, which is fast, and bisection, which is safe.
        fraction = (target - count(low)) / (count(high) - count(low)) if iteration % 2 == 0 else 0.5
        middle = min(max(round(low + fraction * (high - low)), low + 1), high - 1)
        low, high = (middle, high) if count(middle) <= target else (low, middle)
        iteration += 1
    return min((low, high), key=lambda units: abs(count(units) - target))


def _parameters(task: Any, examples: Any) -> int:
    try:
        return task.adapt(examples).build("float32").count_params()
    except ValueError as error:
        raise SeqzooError(
            f"{task.cell} with {task.units} units cannot be built: {error}"
        ) from error


def main(arguments: Sequence[str]) -> int:
    """Computes the sizes of cells in a separate process.

    Args:
        arguments: a configuration file, then the names of cells.

    Returns:
        0, with the sizes as JSON on standard output; or 2, with an error on standard error.
    """
    from seqzoo.tasks.startup import start_devices
    from seqzoo.zoo.config.toml_reader import read_config
    from seqzoo.zoo.training.local_workers import end_with_starter

    end_with_starter()
    start_devices()
    try:
        choices = read_config(arguments[0])
        result = sizes(choices, choices.task.cell, arguments[1:])
    except SeqzooError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps({name: asdict(size) for name, size in result.items()}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

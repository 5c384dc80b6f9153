"""Compares cells: trains each with each seed in a separate process.

Nothing here imports TensorFlow; see `processes`.
"""

import contextlib
import json
import os
import pathlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from seqzoo.tasks import TEMPLATES
from seqzoo.tasks.atomic_files import occupied, read_json, write_json, write_text
from seqzoo.tasks.errors import Interrupted, SeqzooError, check_same, nearest_of
from seqzoo.tasks.fields import checked_count
from seqzoo.tasks.runs.layout import is_run
from seqzoo.tasks.runs.lock import alone_in
from seqzoo.tasks.settings import MAX_SEED
from seqzoo.zoo.catalogue import source_docs
from seqzoo.zoo.comparison.processes import STOPPED, run
from seqzoo.zoo.comparison.report import Comparison, Result, ordered
from seqzoo.zoo.config import toml_writer
from seqzoo.zoo.config.resolve import CONFIG, Choices, chosen
from seqzoo.zoo.config.toml_reader import read_config
from seqzoo.zoo.training.same_data import check_same_data
from seqzoo.zoo.training.stored_result import check_types, damaged, read_result

COMPARISONS = pathlib.Path("comparisons")

PEAK = {"peak_bytes": int}
SIZE = {"units": int, "parameters": int, "options": dict}
FLOW = {"cell": str, "units": int, "shares": dict, "verdict": str}
"""The types of the values in stored results, sizes and rows of gradient flow, by name."""

BASE = f"base{CONFIG}"
"""The file with the settings that all training runs of a comparison share."""


def compare(
    name: str,
    cells: Sequence[str],
    *,
    seeds: int = 3,
    gradient_flow: bool = False,
    folder: str | os.PathLike[str] | None = None,
    device: str | None = None,
    print_fn: Callable[[str], Any] = print,
    **options: Any,
) -> Comparison:
    """Compares cells at an equal number of parameters: `seqzoo compare` from Python.

    Each cell is trained with each seed, in a separate process. Training runs that the folder
    already contains are not repeated.

    Args:
        name: the name of a preset or a template, or the path of a configuration file.
        cells: names of the cells.
        seeds: number of training runs per cell; they use the seed of the settings and the numbers
            after it.
        gradient_flow: whether to measure how much of a gradient each cell passes back over 10, 100
            and 1,000 steps before any training.
        folder: the folder to write to; None for comparisons/NAME.
        device: the device to train on: "cpu", "gpu" or None for a GPU if there is one.
        print_fn: receives a line about each training run.
        **options: the options of source, template and training, named as in `seqzoo compare`:
            `epochs=1`, `data="prices.tsv"`, `kind="series"`.

    Returns: the comparison; its folder contains it as Markdown, CSV, JSON and a plot.

    Raises:
        SeqzooError: a name or a setting is not valid, the folder contains another comparison or is
            used by another process, or no cell can be trained.
        Interrupted: training was stopped by Ctrl-C; the same call continues it.
    """
    if isinstance(cells, str) or not cells:
        raise SeqzooError(field="cells", expected="a list of names of cells", got=cells)
    seeds = checked_count("seeds", seeds)
    cells = list(dict.fromkeys(cells))
    for cell in cells:
        if cell not in source_docs.cells():
            known = source_docs.cells()
            raise SeqzooError(f"There is no cell {cell!r}{nearest_of(cell, known)}")
    choices = chosen(name, options)
    stem = pathlib.Path(name).stem if name.endswith(CONFIG) else name
    path = pathlib.Path(folder).expanduser() if folder else COMPARISONS / stem
    if name in TEMPLATES and "cell" not in options:
        choices = replace(choices, task=replace(choices.task, cell=_reference(path) or cells[0]))
    choices = choices.absolute()
    last = choices.settings.seed + seeds - 1
    if last > MAX_SEED:
        raise SeqzooError(
            f"`seeds` must be at most {MAX_SEED - choices.settings.seed + 1} from the seed "
            f"{choices.settings.seed} on, got {seeds}.",
            field="seeds",
        )
    base = _shared_settings(path, choices)
    first = choices.settings.seed
    seed_numbers = list(range(first, first + seeds))
    pairs = [(cell, seed) for seed in seed_numbers for cell in cells]
    with _locked_folder(path):
        sizes = _sizes(path, base, cells)
        flow = _flow(path, sizes, cells) if gradient_flow else []
        for count, (cell, seed) in enumerate(pairs, 1):
            label = f"{count}/{len(pairs)}  {cell} with {sizes[cell]['units']} units, seed {seed}"
            print_fn(f"{label}: {_train(path, base, cell, seed, device)}")
        comparison = replace(_comparison(path, stem, base, cells, seed_numbers, sizes), flow=flow)
        comparison.write()
    return comparison


def _reference(path: pathlib.Path) -> str | None:
    """The cell whose size the others have in the comparison in a folder; None if there is none."""
    return read_config(str(path / BASE)).task.cell if (path / BASE).exists() else None


def _shared_settings(path: pathlib.Path, choices: Choices) -> Choices:
    """The settings that all training runs share: those in the folder, if it has any.

    Raises:
        SeqzooError: they differ, or the folder is not a comparison.
    """
    base = replace(choices, settings=replace(choices.settings, seed=0))
    if not (path / BASE).exists():
        if occupied(path):
            raise SeqzooError(
                f"{path} already exists and is not a comparison; name another folder with --run."
            )
        return base
    stored = read_config(str(path / BASE))
    hint = "continue with the same settings, or name another folder with --run"
    for old, new in zip(stored.parts(), base.parts(), strict=True):
        check_same(path, vars(old), vars(new), hint)
    return stored


@contextlib.contextmanager
def _locked_folder(path: pathlib.Path) -> Iterator[None]:
    """Creates the folder of a comparison, unless it exists, and keeps it locked.

    A new folder is removed again if nothing was written to it.

    Raises:
        SeqzooError: it is used by another process.
    """
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    try:
        with alone_in(path, "Another comparison"):
            yield
    finally:
        for folder in new:
            with contextlib.suppress(OSError):  # it is not empty
                folder.rmdir()


def _sizes(path: pathlib.Path, base: Choices, cells: Sequence[str]) -> dict[str, Any]:
    """Units, parameters and options of each cell, computed once and stored in the folder, together
    with a file of settings for each cell."""
    file = path / "sizes.json"
    known = read_json(file) if file.exists() else {}
    check_types(file, known, {base.task.cell: dict} if known else {})
    for size in known.values():
        check_types(file, size, SIZE)
    missing = [cell for cell in cells if cell not in known]
    if not missing:
        return known
    if known:
        check_same_data(path, base.source)
    known |= _computed_sizes(base, missing)
    _write(path / BASE, base, f"Settings that all training runs in {path} share.")
    (path / "runs").mkdir(exist_ok=True)
    for cell in missing:
        size = known[cell]
        task = replace(base.task, cell=cell, units=size["units"], cell_options=size["options"])
        _write(path / f"{cell}{CONFIG}", replace(base, task=task), f"From {path / BASE}.")
    write_json(file, known)
    return known


def _computed_sizes(base: Choices, cells: Sequence[str]) -> dict[str, Any]:
    """The sizes of cells, computed in a separate process."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / BASE
        _write(file, base, "For counting parameters.")
        command = [sys.executable, "-P", "-m", "seqzoo.zoo.comparison.sizing", str(file), *cells]
        # On the CPU, so that the GPU is free for the training runs.
        process = run(command, {"CUDA_VISIBLE_DEVICES": "-1"})
    if process.code == STOPPED:
        raise KeyboardInterrupt
    if process.code:
        raise SeqzooError(process.reason)
    return json.loads(process.output.rstrip("\n").rpartition("\n")[2])


def _flow(path: pathlib.Path, sizes: dict[str, Any], cells: Sequence[str]) -> list[dict[str, Any]]:
    """The gradient flow of cells at their sizes, computed and plotted once, in a separate
    process."""
    file = path / "gradient-flow.json"
    known = read_json(file) if file.exists() else []
    if not isinstance(known, list):
        raise damaged(file, f"it contains {known!r:.40} instead of a list")
    for row in known:
        check_types(file, row, FLOW)
        check_types(file, row["shares"], dict.fromkeys(row["shares"], (int, float)))
    if [row["cell"] for row in known] == list(cells):
        return known
    options = {name: {"units": sizes[name]["units"], **sizes[name]["options"]} for name in cells}
    command = [
        sys.executable,
        "-P",
        "-m",
        "seqzoo.zoo.comparison.gradient_flow",
        json.dumps(options),
        str(path),
    ]
    process = run(command, {"CUDA_VISIBLE_DEVICES": "-1"})
    if process.code == STOPPED:
        raise KeyboardInterrupt
    if process.code:
        raise SeqzooError(process.reason)
    rows = json.loads(process.output.rstrip("\n").rpartition("\n")[2])
    write_json(file, rows)
    return rows


def _write(path: pathlib.Path, choices: Choices, origin: str) -> None:
    text = toml_writer.config(choices, origin, str(path), "")
    write_text(path, text)


def _train(path: pathlib.Path, base: Choices, cell: str, seed: int, device: str | None) -> str:
    """Trains a cell with a seed, unless that has been done; returns the result.

    Raises:
        Interrupted: training was stopped by Ctrl-C.
        SeqzooError: another process trains it, or the data have changed.
    """
    file = path / "runs" / f"{cell}-{seed}.json"
    record = read_result(file, PEAK) if file.exists() else {"peak_bytes": 0}
    if "metrics" in record:
        return f"{_result_line(record)}, already trained"
    folder = path / "runs" / f"{cell}-{seed}"
    check_same_data(path, base.source)
    arguments = ["train", str(path / f"{cell}{CONFIG}"), "--seed", str(seed), "--run", str(folder)]
    arguments += ["--quiet", "--json", *(["--device", device] if device else [])]
    if is_run(folder):
        arguments.append("--resume")
        with alone_in(folder, "Another training process"):
            pass  # what another process trains has not failed
    process = run([sys.executable, "-P", "-m", "seqzoo.cli", *arguments], {})
    # The higher peak, if training was resumed.
    record = {"peak_bytes": max(record["peak_bytes"], process.peak_bytes)}
    if process.code == 0:
        record |= json.loads(process.output.rstrip("\n").rpartition("\n")[2])
    elif process.code != STOPPED:
        record["failed"] = process.reason
    write_json(file, record)
    if process.code and "failed" not in record:
        raise Interrupted(
            f"Stopped during {cell}, seed {seed}. Run the same command again to resume."
        )
    return f"failed: {record['failed']}" if "failed" in record else _result_line(record)


def _result_line(record: dict[str, Any]) -> str:
    score = _score(record)
    return "no score" if score is None else f"{record['metric'].replace('_', ' ')} {score:.4f}"


def _after_first(values: list[float]) -> list[float]:
    return values[1:] or values


def _score(record: dict[str, Any]) -> float | None:
    return record["metrics"].get(record["metric"])


def _comparison(
    path: pathlib.Path,
    name: str,
    base: Choices,
    cells: Sequence[str],
    seeds: Sequence[int],
    sizes: dict[str, Any],
) -> Comparison:
    """The comparison of the trained cells.

    Raises:
        SeqzooError: all training runs failed.
    """
    records = {
        (cell, seed): read_result(path / "runs" / f"{cell}-{seed}.json", PEAK)
        for cell in cells
        for seed in seeds
    }
    done = [record for record in records.values() if "metrics" in record]
    if not done:
        raise SeqzooError(f"All training runs failed: {next(iter(records.values()))['failed']}")
    results = []
    for cell in cells:
        by_seed = {seed: records[cell, seed] for seed in seeds}
        finished = {seed: record for seed, record in by_seed.items() if "metrics" in record}
        scores = {seed: _score(record) for seed, record in finished.items()}
        results.append(
            Result(
                cell,
                sizes[cell]["units"],
                sizes[cell]["parameters"],
                {seed: score for seed, score in scores.items() if score is not None},
                # The first epoch includes compilation, so it counts only if it is the only one.
                [item for record in finished.values() for item in _after_first(record["seconds"])],
                max(record["peak_bytes"] for record in by_seed.values()),
                {seed: record["failed"] for seed, record in by_seed.items() if "failed" in record},
            )
        )
    metric, better = done[0]["metric"], done[0]["better"]
    reference = base.task.cell
    return Comparison(
        name,
        metric,
        better,
        done[0]["split"] or "no",
        reference,
        sizes[reference]["parameters"],
        seeds,
        ordered(results, better),
        path,
    )

"""Benchmarks of all cells continue where they were stopped, and tables contain the measurements."""

import pathlib
import runpy

import numpy as np
import pytest

from benchmarks import adding, deployment, first_epoch, growth, memory, speed, start_up, which_cell
from benchmarks.measurements import (
    END,
    FOLDER,
    Measurements,
    machine,
    path_of,
    write_section,
)
from seqzoo.cells import CELLS
from seqzoo.tasks.data.batches import Data, Padding, Sequences, make_plan
from seqzoo.zoo.catalogue import describe, source_docs
from seqzoo.zoo.presets import PRESETS
from seqzoo.zoo.pretrained import list_trained

ROOT = pathlib.Path(__file__).parents[2]


def test_measurements_are_on_disk_at_once_and_found_again(tmp_path) -> None:
    path = tmp_path / "results" / "x.csv"
    Measurements(path, ("cell", "pass")).add({"cell": "gru", "pass": "forward", "ms": 1.5})
    again = Measurements(path, ("cell", "pass"))
    again.add({"cell": "lstm", "pass": "forward", "ms": "a, b"})
    assert path.read_text() == 'cell,pass,ms\ngru,forward,1.5\nlstm,forward,"a, b"\n'
    result = Measurements(path, ("cell", "pass"))
    assert result.find("lstm", "forward") == {"cell": "lstm", "pass": "forward", "ms": "a, b"}
    assert result.find("lstm", "backward") is None


def test_a_file_is_named_after_its_machine_and_versions() -> None:
    import tensorflow as tf

    assert f"TensorFlow {tf.__version__}" in machine() and " cores, " in machine()
    name = path_of("adding").name
    assert name.startswith("adding-") and f"tensorflow-{tf.__version__}-keras-" in name


def test_a_section_is_rewritten_in_its_place(tmp_path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\nText.\n")
    write_section(page, "make it", "## One\n")
    page.write_text(page.read_text() + "\n## Last\n")
    write_section(page, "make it", "## Two\n")
    begin = "<!-- Written by `make it`. -->"
    assert page.read_text() == f"# Title\n\nText.\n\n{begin}\n## Two\n\n{END}\n\n## Last\n"


def test_the_table_of_the_adding_problem_begins_with_the_fastest(tmp_path) -> None:
    measured = Measurements(tmp_path / "x.csv", ("cell",))
    for cell, steps, error in (
        ("lstm", "", "0.1667"),
        ("gru", 950, "0.009"),
        ("qrnn", 50, "0.001"),
    ):
        row = {"cell": cell, "parameters": 1234, "steps": steps, "seconds": "7.5", "error": error}
        measured.add(row)
    again = Measurements(tmp_path / "y.csv", ("cell", "layers", "learning_rate"))
    for rate, steps in ((adding.LEARNING_RATE, ""), (0.01, 300)):
        again.add(
            {"cell": "lstm", "layers": 2, "learning_rate": rate, "steps": steps, "error": 0.1}
        )
    assert adding.section(measured, again).split("\n")[-3:] == [
        "| `qrnn` | 1,234 | 50 | 0.0010 | |",
        "| `gru` | 1,234 | 950 | 0.0090 | |",
        "| `lstm` | 1,234 | not learned | 0.1667 "
        "| 2 layers: not learned (0.1000); 2 layers at 0.01: 300 steps (0.1000) |",
    ]


def test_sums_of_the_adding_problem_are_those_of_the_marked_numbers() -> None:
    x, y = (part.numpy() for part in adding.sequences(500, 3))
    assert x.shape == (500, adding.TIME, 2) and 0 <= x.min() and x.max() <= 1
    half = adding.TIME // 2
    assert (x[:, :half, 1].sum(1) == 1).all() and (x[:, half:, 1].sum(1) == 1).all()
    assert abs((x[..., 0] * x[..., 1]).sum(1) - y[:, 0]).max() < 1e-6
    assert abs(((y - 1) ** 2).mean() - 1 / 6) < 0.02


def test_the_table_of_every_cell_contains_ratios(tmp_path) -> None:
    measured = Measurements(tmp_path / "x.csv", ("cell", "shape", "pass"))
    for shape, training, ours, theirs in (
        ("32 100 64 128", "forward", 2.0, 5.0),
        ("32 784 1 128", "forward and backward", 4.0, 4.0),
    ):
        times = {"seqzoo, ms": ours, "Keras RNN(cell), ms": theirs}
        measured.add({"cell": "gru", "shape": shape, "pass": training, **times})
    lines = speed.section_of_every_cell(measured).split("\n")
    assert lines[-1] == "| `gru` | 2.00 (2.50) |  |  | 4.00 (1.00) |"
    assert "1.00 to 2.50 times as long as seqzoo's, median 1.75, over 2 measurements" in lines[1]


def test_every_cell_has_its_speed_and_its_result_on_the_adding_problem() -> None:
    written = runpy.run_path(str(ROOT / "docs" / "write_cell_measurements.py"))
    # If this fails, run: python -m docs.write_cell_measurements
    assert (ROOT / "cells" / "measured.py").read_text(encoding="utf-8") == written["text"]()
    measured = source_docs.measured()
    assert CELLS.keys() == measured.SPEED.keys()
    page = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    for name, times in measured.SPEED.items():
        assert list(times) == [tuple(shape) for shape in speed.shapes_of(name)], name
        assert f"| `{name}` |" in page, name
    vectors = {name for name, kind in CELLS.items() if kind.input_rank == 2}
    assert vectors == measured.ADDING.keys()
    page = (ROOT / "docs" / "cells.md").read_text(encoding="utf-8")
    again = Measurements(written["newest"]("adding-again"), ("cell", "layers", "learning_rate"))
    for name, (steps, error) in measured.ADDING.items():
        # A cell that does not learn it has its reason in the table.
        reason = name in adding.REASONS or adding.remark({"cell": name}, again)
        assert (error < adding.LEARNED) if steps else reason, name
        assert f"| `{name}` |" in page, name


def test_what_was_measured_of_a_cell() -> None:
    measured = source_docs.measured()
    forward, both, keras_forward, keras_both = measured.SPEED["gru"][32, 100, 64, 128]
    shown = describe.measurements("gru")
    assert shown["machine"] == measured.MACHINE
    assert shown["speed"][0] == {
        "shape": [32, 100, 64, 128],
        "milliseconds": [forward, both],
        "speedup_over_keras": [round(keras_forward / forward, 2), round(keras_both / both, 2)],
    }
    steps, error = measured.ADDING["lstm"]
    assert describe.measurements("lstm")["adding"] == {"steps": steps, "error": error}
    assert describe.measurements("conv-gru")["adding"] is None


@pytest.mark.parametrize("name", ["adding", "copy"])
def test_cells_that_are_compared_have_equally_many_parameters(name: str) -> None:
    problem = which_cell.PROBLEMS[name]
    for cell in ("lstm", "mingru"):
        units = which_cell.units_of(cell, problem)
        model = which_cell.model_of(cell, units, problem)
        # A unit more or less of two LSTM layers is 5% of the parameters.
        assert abs(model.count_params() / which_cell.PARAMETERS - 1) < 0.026


def test_symbols_are_copied_after_a_blank() -> None:
    x, symbols = (part.numpy() for part in which_cell.copies(3))
    ids = x.argmax(-1)
    assert ids.shape == (which_cell.BATCH, 120) and symbols.max() < which_cell.SYMBOLS
    np.testing.assert_array_equal(ids[:, :10], symbols)
    assert (ids[:, 10:109] == 8).all() and (ids[:, 109] == 9).all() and (ids[:, 110:] == 8).all()
    right = which_cell.PROBLEMS["copy"].loss(symbols, 50 * x[:, np.r_[:110, :10], :8])
    assert float(right) < 1e-3


def test_problems_of_memory_have_their_answers_in_their_inputs() -> None:
    x, y = (part.numpy() for part in memory.adding(50, 12, 3))
    assert abs((x[..., 0] * x[..., 1]).sum(1) - y[:, 0, 0]).max() < 1e-6
    x, y = (part.numpy() for part in memory.copying(50, 12, 3))
    symbols, copied = x.argmax(-1), memory.COPIED
    assert x.shape == (50, 12 + 2 * copied, memory.SYMBOLS + 2)
    assert (symbols[:, :copied] == y).all() and len(set(y.ravel())) == memory.SYMBOLS
    # Between and after the symbols there are blanks, except for the start symbol.
    assert (symbols[:, -copied - 1] == memory.SYMBOLS + 1).all()
    assert (symbols[:, copied : -copied - 1] == memory.SYMBOLS).all()
    x, y = (part.numpy() for part in memory.ordering(50, 20, 3))
    for row, order in zip(x.argmax(-1), y[:, 0], strict=True):
        (first, second) = [item for item in row if item >= memory.DISTRACTORS]
        assert 2 * (first - memory.DISTRACTORS) + second - memory.DISTRACTORS == order


def test_the_table_of_memory_begins_with_those_that_reach_furthest(tmp_path) -> None:
    measured = Measurements(tmp_path / "x.csv", ("cell", "problem"))
    for cell, reach in (("vanilla", 0), ("gru", 80)):
        row = {"cell": cell, "problem": "adding", "reach": reach, "steps": 150, "seconds": 9}
        measured.add(row)
    assert memory.section(measured).split("\n")[-2:] == [
        "| `gru` | 80 (150 steps) |  |  |",
        "| `vanilla` | none |  |  |",
    ]


def test_the_tables_of_exports_are_made_of_the_results() -> None:
    paths = {}
    for what in deployment.KEYS:
        (paths[what],) = FOLDER.glob(f"deployment-{what}-*.csv")
    assert deployment.section(paths) in deployment.PAGE.read_text(encoding="utf-8")
    times = Measurements(paths["times"], deployment.KEYS["times"])
    for model in (*deployment.SHIPPED, deployment.UNTRAINED, "spoken-digits"):
        results = {row["format"] for row in times.rows if row["model"] == model}
        assert results >= {f"{a} {b}" for a, b in deployment.FORMATS if b != "full-int8"}


def test_start_up_is_measured_for_every_pretrained_model(tmp_path) -> None:
    assert set(start_up.TEXTS | start_up.IMAGES) == set(list_trained())
    assert all(pathlib.Path(path).exists() for path in [*start_up.inputs(tmp_path).values()][-2:])
    commands = {"nothing": ["true"], "a sum": ["expr", "1", "+", "1"]}
    found = start_up.measure(commands, rounds=1)
    assert list(found) == ["nothing", "a sum"] and all(wall > 0 for wall, _ in found.values())
    assert "| `x` | 1.50 | 0.50 |" in start_up.section({"`x`": (1.5, 0.5)}, 5)


def test_growth_is_time_per_unit_of_work_relative_to_the_best() -> None:
    assert growth.relative("steps", {100: 20.0, 1_000: 100.0}) == {100: 2.0, 1_000: 1.0}
    flops = [growth.flops(growth.SHAPES["units"][units]) for units in (64, 128)]
    assert flops[1] / flops[0] == (64 + 128) * 128 / ((64 + 64) * 64)


def test_the_section_of_growth_has_every_axis() -> None:
    measured = Measurements(next(FOLDER.glob("growth-*.csv")), ("axis", "series", "size"))
    page = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    generated = growth.section(measured)
    for table in ("time steps", "batch size", "units", "words", "what"):
        (head,) = [line for line in generated.splitlines() if line.startswith(f"| {table} |")]
        assert head in page
    assert "| 10,000 | " in generated and "| 200,000 | " in generated


def test_the_first_epoch_is_measured_with_a_batch_of_each_shape() -> None:
    lengths = np.repeat([3, 3, 7, 3, 5], 2).astype(np.int32)
    data = Data(Sequences(np.arange(lengths.sum(), dtype=np.int32), lengths))
    plan = make_plan(data, Padding([3, 5, 7], []), 2, seed=(0, 0))
    found = first_epoch.shortened(plan, 1)
    assert first_epoch.shapes(found)[0] == first_epoch.shapes(plan)[0]
    assert sorted(first_epoch.shapes(found)) == [(2, 3, 0), (2, 5, 0), (2, 7, 0)]
    for start, length in zip(found.bounds[:-1], found.lengths, strict=True):
        assert lengths[found.rows[start]] == length


def test_times_are_read_from_tensorflows_log() -> None:
    log = (
        "I0000 meta_optimizer.cc:973] layout: Graph size after: 7 nodes (0), time = 0.5ms.\n"
        "I0000 device_compilation_profiler.cc:113] Compiled __inference_f_11 1 times, compile "
        "time: 113111 us, cumulative: 113111 us (0 us / 113 ms)\n"
    )
    assert first_epoch.OPTIMISED.findall(log) == ["0.5"]
    assert first_epoch.COMPILED.findall(log) == ["113111"]


def test_every_preset_has_the_files_that_its_first_epoch_reads(tmp_path) -> None:
    (tmp_path / "digit_lines" / "1.1.0").mkdir(parents=True)
    for name, preset in PRESETS.items():
        source = first_epoch.source_of(name, tmp_path, str(tmp_path))
        assert source.data and (source.data == preset.source.data) == (not preset.needs)

"""Benchmarks of all cells go on where they were stopped, and tables hold what was measured."""

from benchmarks import adding, speed
from benchmarks.measurements import END, Measurements, machine, path_of, write_section


def test_measurements_are_on_disk_at_once_and_found_again(tmp_path) -> None:
    path = tmp_path / "results" / "x.csv"
    Measurements(path, ("cell", "pass")).add({"cell": "gru", "pass": "forward", "ms": 1.5})
    again = Measurements(path, ("cell", "pass"))
    again.add({"cell": "lstm", "pass": "forward", "ms": "a, b"})
    assert path.read_text() == 'cell,pass,ms\ngru,forward,1.5\nlstm,forward,"a, b"\n'
    found = Measurements(path, ("cell", "pass"))
    assert found.find("lstm", "forward") == {"cell": "lstm", "pass": "forward", "ms": "a, b"}
    assert found.find("lstm", "backward") is None


def test_a_file_is_named_after_its_machine_and_versions() -> None:
    import tensorflow as tf

    assert f"TensorFlow {tf.__version__}" in machine() and " cores, " in machine()
    name = path_of("adding").name
    assert name.startswith("adding-") and f"tensorflow-{tf.__version__}-keras-" in name


def test_a_section_is_written_anew_in_its_place(tmp_path) -> None:
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
    assert adding.section(measured).split("\n")[-3:] == [
        "| `qrnn` | 1,234 | 50 | 7.5 | 0.0010 |",
        "| `gru` | 1,234 | 950 | 7.5 | 0.0090 |",
        "| `lstm` | 1,234 | not learnt | 7.5 | 0.1667 |",
    ]


def test_sums_of_the_adding_problem_are_those_of_the_marked_numbers() -> None:
    x, y = (part.numpy() for part in adding.sequences(500, 3))
    assert x.shape == (500, adding.TIME, 2) and 0 <= x.min() and x.max() <= 1
    half = adding.TIME // 2
    assert (x[:, :half, 1].sum(1) == 1).all() and (x[:, half:, 1].sum(1) == 1).all()
    assert abs((x[..., 0] * x[..., 1]).sum(1) - y[:, 0]).max() < 1e-6
    assert abs(((y - 1) ** 2).mean() - 1 / 6) < 0.02


def test_the_table_of_every_cell_holds_ratios(tmp_path) -> None:
    measured = Measurements(tmp_path / "x.csv", ("cell", "shape", "pass"))
    for shape, training, ours, theirs in (
        ("32 100 64 128", "forward", 2.0, 5.0),
        ("32 784 1 128", "forward and backward", 4.0, 4.0),
    ):
        times = {"seqzoo, ms": ours, "Keras RNN(cell), ms": theirs}
        measured.add({"cell": "gru", "shape": shape, "pass": training, **times})
    lines = speed.section_of_every_cell(measured).split("\n")
    assert lines[-1] == "| `gru` | 2.00 (2.50) |  |  | 4.00 (1.00) |"
    assert "1.00 to 2.50 times as long as ours, median 1.75, over 2 measurements" in lines[1]

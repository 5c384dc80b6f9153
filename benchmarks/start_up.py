"""Time of a single prediction from the shell, for each model that comes with the package.

    python -m benchmarks.start_up [--rounds 5] [--models language-id,...] [--onnx FOLDER]
        [--write docs/speed.md]

Each figure is the median over new processes, which take turns: `seqzoo predict` with one input, and
`python -c "import tensorflow"` for comparison, with and without the optional packages that it
imports. CPU time is that of all threads. With --onnx, the models that were exported to
`FOLDER/NAME` (`seqzoo export NAME FOLDER/NAME --format onnx`) are run as well.
"""

import argparse
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from benchmarks.measurements import machine, write_section

ROOT = pathlib.Path(__file__).resolve().parent.parent

TEXTS = {
    "date-normaliser": "3 mars 2021",
    "language-id": "Zuid-Korea",
    "python-highlighter": "x = 1",
    "python-source": "def ",
}
IMAGES = {"glyph-captioner": (40, 40, 1), "line-reader": (24, 120, 1)}

COMMAND = "python -m benchmarks.start_up --write docs/speed.md"

INTRODUCTION = """## Start-up
Seconds that a process takes, from its start to its end, to predict for one input, for each model
that comes with the package; medians. CPU time is that of all threads, and depends less on other
work on the machine than wall-clock time.

In an environment with scikit-learn, SciPy, JAX, pandas and matplotlib, as here, `import
tensorflow` also imports these. The commands of seqzoo hide them, psutil and huggingface_hub during
the import, and therefore take less time altogether than the import alone otherwise does. A program
that imports seqzoo gets all of them. A single prediction also draws no random weights, traces no
graph for up to 100 time steps, and composes Unicode without the tables that graphs need. While a
command imports TensorFlow, Python's garbage collector is off, and later collections leave out the
objects of the import, so that a prediction can take less time than the import alone otherwise does.
Exported models run without TensorFlow."""

OPTIONAL = ("jax", "matplotlib", "pandas", "scipy", "sklearn")
"""Packages that `import tensorflow` imports if they are installed, and does without otherwise."""

WITHOUT_OPTIONAL = f"import sys; sys.modules.update(dict.fromkeys({OPTIONAL})); import tensorflow"

HEADS = "| command | wall-clock, s | CPU time, s |\n| --- | --- | --- |"


def timed(command: Sequence[str]) -> tuple[float, float]:
    """Wall-clock and CPU seconds of a process, which must succeed."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=environment)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def inputs(folder: pathlib.Path) -> dict[str, str]:
    """An input for each model, by name; images are files in `folder`."""
    paths = {name: str(folder / f"{name}.png") for name in IMAGES}
    draw = np.random.default_rng(0)
    for name, shape in IMAGES.items():
        pixels = draw.integers(0, 256, shape, dtype=np.uint8)
        pathlib.Path(paths[name]).write_bytes(tf.io.encode_png(pixels).numpy())
    return TEXTS | paths


def measure(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, tuple[float, float]]:
    """Median seconds of each command, wall-clock and CPU time."""
    seconds: dict[str, list[tuple[float, float]]] = {title: [] for title in commands}
    for command in commands.values():
        timed(command)  # writes the bytecode
    for _ in range(rounds):
        for title, command in commands.items():
            seconds[title].append(timed(command))
    return {
        title: tuple(statistics.median(column) for column in zip(*rows, strict=True))
        for title, rows in seconds.items()
    }


def section(seconds: dict[str, tuple[float, float]], rounds: int) -> str:
    """The section of docs/speed.md."""
    rows = [f"| {title} | {wall:.2f} | {cpu:.2f} |" for title, (wall, cpu) in seconds.items()]
    made = f"{machine()}; {rounds} per command. Measured by\n\n    {COMMAND}\n"
    return "\n".join([INTRODUCTION, made, HEADS, *rows])


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", default=",".join(sorted(TEXTS | IMAGES)))
    parser.add_argument("--onnx", type=pathlib.Path)
    parser.add_argument("--write", type=pathlib.Path)
    args = parser.parse_args()
    cli = [sys.executable, str(ROOT / "cli.py")]
    commands: dict[str, Sequence[str]] = {
        "`import tensorflow`": [sys.executable, "-c", "import tensorflow"],
        "the same without optional packages": [sys.executable, "-c", WITHOUT_OPTIONAL],
    }
    with tempfile.TemporaryDirectory() as folder:
        given = inputs(pathlib.Path(folder))
        for name in args.models.split(","):
            commands[f"`seqzoo predict {name}`"] = [*cli, "predict", name, given[name]]
            if args.onnx is not None:
                export = args.onnx / name
                if not export.exists():
                    continue
                title = f"`seqzoo predict` of {name} as ONNX"
                commands[title] = [*cli, "predict", str(export), given[name]]
        seconds = measure(commands, args.rounds)
    text = section(seconds, args.rounds)
    print(text)
    if args.write is not None:
        write_section(args.write, COMMAND, text)


if __name__ == "__main__":
    main()

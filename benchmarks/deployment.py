"""Measures exported models: size, load time, a step, a request, memory and quality by format.

    python -m benchmarks.deployment export FOLDER [--models language-id,...]
    python -m benchmarks.deployment measure FOLDER [--models language-id,...]
    python -m benchmarks.deployment layers FOLDER
    python -m benchmarks.deployment tables FOLDER

The first writes all exports, the second runs each in a process that has its runtime alone, the
third compares bare layers of 128 units in ONNX and in SavedModels over 100 steps of 64 numbers, and
the last writes docs/deployment.md's tables. Results lie in FOLDER as PROCESSOR.json. Models
are those that come with the package, two with initial weights, see `untrained`, and run folders by
their paths.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
import pathlib
import platform
import re
import subprocess
import sys
from typing import Any

import numpy as np

from benchmarks import deployed
from seqzoo.tasks.base import AnswerOptions
from seqzoo.tasks.decoding import Decoding

FORMATS = [
    ("saved-model", "float32"),
    ("onnx", "float32"),
    ("onnx", "int8"),
    ("litert", "float32"),
    ("litert", "float16"),
    ("litert", "int8"),
]

SHIPPED = ["language-id", "python-highlighter", "date-normaliser", "python-source"]
SHIPPED += ["glyph-captioner"]

SHORT = {"python-highlighter": "x = [a for a in range(3)]", "python-source": "def f("}
"""What is asked where held-out examples are long."""

HELD_OUT = 300
"""Examples that quality is measured on."""

PAGE = pathlib.Path("docs/deployment.md")


def processor() -> str:
    """The processor's name, fit for a file's name."""
    name = platform.processor() or platform.machine()
    try:
        found = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
        name = found.group(1) if found else name
    except OSError:
        pass
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def untrained(name: str) -> tuple[Any, list, list]:
    """A run with initial weights: "lstm-256", one LSTM over 64 numbers a step, or "audio-gru-64",
    what `seqzoo train spoken-digits --one-direction` trains, whose step is a frame of 10 ms."""
    import tempfile

    from seqzoo.tasks import Examples, ManyToManyAligned, ManyToOne, TrainingSettings
    from seqzoo.tasks.data.batches import Padding
    from seqzoo.tasks.runs.run import Run
    from seqzoo.tasks.training.trainer import describe

    random = np.random.default_rng(0)
    if name == "lstm-256":
        inputs = [random.normal(size=(20, 64)).astype("float32") for _ in range(4)]
        chosen = ManyToManyAligned("series", "values", cell="lstm", units=256, bidirectional=False)
        examples = Examples(inputs, [own[:, :1] for own in inputs])
    else:
        inputs = [random.normal(0, 0.1, 4000).astype("float32") for _ in range(20)]
        chosen = ManyToOne("audio", cell="gru", units=64, sample_rate=8000)
        examples = Examples(inputs, [str(n % 10) for n in range(20)])
    task = chosen.adapt(examples)
    folder = pathlib.Path(tempfile.mkdtemp()) / "run"
    described = describe(chosen, task, TrainingSettings(), {}, Padding([400], []))
    run = Run.create(folder, described, task)
    task.build("float32").save(folder / "model.keras")
    return run, inputs[:1], []


UNTRAINED = ["lstm-256", "audio-gru-64"]


def opened(name: str) -> tuple[Any, list, list]:
    """A run, an input to ask, and held-out pairs of a text and its answer."""
    from seqzoo.tasks.runs.run import Run
    from seqzoo.zoo import load
    from seqzoo.zoo.data.open import open_examples
    from seqzoo.zoo.data.source import Source

    if name in UNTRAINED:
        return untrained(name)
    run = load(name) if name in SHIPPED else Run.open(name)
    examples = open_examples(Source.of_run(run, None), "test")
    chosen = [examples.inputs[own] for own in examples.spread(HELD_OUT)]
    held_out = []
    texts = isinstance(chosen[0], str)
    if examples.targets is not None and (texts or run.template.input == "audio"):
        targets = [examples.targets[own] for own in examples.spread(HELD_OUT)]
        if isinstance(targets[0], str):
            inputs = chosen if texts else [np.asarray(own).tolist() for own in chosen]
            held_out = list(zip(inputs, targets, strict=True))
    first = SHORT.get(name, chosen[0])
    return run, [first if isinstance(first, str) else np.asarray(first)], held_out


def export_all(folder: pathlib.Path, models: list[str]) -> None:
    """Writes the exports that are not there yet, and what each is asked."""
    from seqzoo.tasks.export.checking import raw_tensors

    for name in models:
        run, inputs, held_out = opened(name)
        place = folder / pathlib.Path(name).name
        options = AnswerOptions()
        if getattr(run.task, "decoding", None) is not None:
            options = AnswerOptions(1, Decoding(maximum_length=40))
        raw = raw_tensors(run.task, inputs)
        asked: dict[str, Any] = {
            "inputs": [own if isinstance(own, str) else own.tolist() for own in inputs],
            "dtype": "object" if isinstance(inputs[0], str) else str(inputs[0].dtype),
            "raw": {
                key: {
                    "values": [
                        own.decode() if isinstance(own, bytes) else own.tolist() for own in value
                    ],
                    "dtype": str(value.dtype),
                }
                for key, value in raw.items()
            },
            "held_out": held_out,
        }
        place.mkdir(parents=True, exist_ok=True)
        (place / "asked.json").write_text(json.dumps(asked), encoding="utf-8")
        for format, precision in FORMATS:
            target = place / f"{format}-{precision}"
            if not target.exists():
                run.export(target, options, format=format, precision=precision, check=False)
                print(target, flush=True)


def measure_all(folder: pathlib.Path, models: list[str]) -> None:
    """Measures exports one after the other, and adds the figures to the results."""
    path = folder / f"deployment-{processor()}.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    for model in models:
        name = pathlib.Path(model).name
        for format, precision in FORMATS:
            place = folder / name / f"{format}-{precision}"
            program = [sys.executable, "-I", "-B", deployed.__file__]
            asked = folder / name / "asked.json"
            done = subprocess.run(
                [*program, format, str(place), str(asked)], capture_output=True, text=True
            )
            if done.returncode:
                print(place, done.stderr.strip().splitlines()[-1:], flush=True)
                continue
            figures = json.loads(done.stdout.strip().splitlines()[-1])
            figures["bytes"] = sum(
                own.stat().st_size for own in place.rglob("*") if own.suffix != ".py"
            )
            results.setdefault(name, {})[f"{format} {precision}"] = figures
            print(name, format, precision, figures, flush=True)
            path.write_text(json.dumps(results, indent=1))


LAYERS = ["lstm", "gru", "vanilla", "mgu", "lem", "indrnn", "highway"]
"""Cells that become ONNX' own operators, and some that become a Scan."""


def _run_of(layer: Any) -> Any:
    return lambda values: {"steps": layer(values)}


def layers(folder: pathlib.Path) -> None:
    """Measures layers of cells as ONNX and as SavedModels, in turn, in one process."""
    import onnxruntime
    import tensorflow as tf

    import seqzoo.cells
    from seqzoo.tasks.export.onnx_model import onnx_model
    from seqzoo.tasks.export.parts import Part

    path = folder / f"layers-{processor()}.json"
    results = {}
    spec = tf.TensorSpec([None, None, 64], tf.float32, "values")
    for name in LAYERS:
        layer = seqzoo.cells.Recurrent(seqzoo.cells.create(name, 128), return_sequences=True)
        with seqzoo.cells.portable():
            layer(tf.zeros([1, 2, 64]))

        run = _run_of(layer)
        one_thread = onnxruntime.SessionOptions()
        one_thread.intra_op_num_threads = 1  # as predict.py asks
        session = onnxruntime.InferenceSession(
            onnx_model(Part(run, (spec,))).SerializeToString(),
            one_thread,
            providers=["CPUExecutionProvider"],
        )
        module = tf.Module()
        module.weights = [own.value for own in layer.variables]
        with seqzoo.cells.portable():
            module.run = tf.function(run, autograph=False, input_signature=[spec])
            tf.saved_model.save(module, str(folder / "layer"), signatures=module.run)
        served = tf.saved_model.load(str(folder / "layer")).signatures["serving_default"]
        results[name] = {}
        for rows in (1, 64):
            values = np.random.default_rng(0).normal(size=(rows, 100, 64)).astype("float32")
            tensor = tf.constant(values)
            calls = {
                "onnx": lambda own=session, values=values: own.run(None, {"values": values}),
                "saved-model": lambda own=served, tensor=tensor: own(values=tensor),
            }
            for format, call in calls.items():
                results[name][f"{format} {rows}"] = deployed.percentiles(call, 0.7)[0]
        print(name, results[name], flush=True)
    path.write_text(json.dumps(results, indent=1))


def tables(folder: pathlib.Path) -> None:
    """Writes the tables into docs/deployment.md."""
    parts = []
    for path in sorted(folder.glob("layers-*.json")):
        parts += [
            "Layers of 128 units over 100 steps of 64 numbers, milliseconds; ONNX with one thread:",
            "",
            "| cell | ONNX, batch 1 | SavedModel, 1 | ONNX, 64 | SavedModel, 64 |",
            "| --- | --- | --- | --- | --- |",
        ]
        for name, own in json.loads(path.read_text()).items():
            cells = [
                f"{own[f'{what} {n}']:.3g}" for n in (1, 64) for what in ("onnx", "saved-model")
            ]
            parts.append(f"| `{name}` | {' | '.join(cells)} |")
        parts.append("")
    for path in sorted(folder.glob("deployment-*.json")):
        parts.append(f"Processor: {path.stem.removeprefix('deployment-')}.")
        for name, rows in json.loads(path.read_text()).items():
            parts += ["", f"**{name}**", ""]
            parts += [
                "| format | MB | load | step, batch 1 | step, 64 | request, 1 | request, 64 "
                "| memory, of which runtime | right |",
                "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
            ]
            for format, own in rows.items():
                times = [own[f"{what}_{n}"] for what in ("step", "request") for n in (1, 64)]
                cells = ["-" if t is None else f"{t[0]:.3g} / {t[1]:.3g}" for t in times]
                right = "-" if own.get("right") is None else f"{100 * own['right']:.1f}%"
                memory = f"{own['memory_mb']:.0f}, {own['runtime_mb']:.0f} MB"
                parts.append(
                    f"| {format} | {own['bytes'] / 1e6:.2f} | {own['load_ms']:.0f} ms | "
                    f"{' | '.join(cells)} | {memory} | {right} |"
                )
    text = PAGE.read_text(encoding="utf-8")
    start, end = "<!-- Measured. -->\n", "\n<!-- End of what is measured. -->"
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    PAGE.write_text(before + start + "\n".join(parts) + end + after, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["export", "measure", "layers", "tables"])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--models", default=",".join([*SHIPPED, *UNTRAINED]))
    asked = parser.parse_args()
    if asked.what in ("layers", "tables"):
        {"layers": layers, "tables": tables}[asked.what](asked.folder)
    else:
        ways = {"export": export_all, "measure": measure_all}
        ways[asked.what](asked.folder, asked.models.split(","))


if __name__ == "__main__":
    main()

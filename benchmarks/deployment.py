"""Measures exported models by format: size, load time, time per step and request, memory, score.

    python -m benchmarks.deployment export FOLDER [--models language-id,runs/spoken-digits,...]
    python -m benchmarks.deployment score FOLDER [--models language-id,...]
    python -m benchmarks.deployment measure FOLDER [--models language-id,...]
    python -m benchmarks.deployment layers FOLDER
    python -m benchmarks.deployment tables FOLDER

`export` writes all exports to FOLDER. `score` and `measure` run each one in a process that has only
its runtime, and measure its accuracy on held-out examples and its speed. `layers` compares single
layers of 128 units over 100 steps of 64 features, and `tables` writes the tables of
docs/deployment.md. Results are rows of files in benchmarks/results; existing rows are not measured
again. --models takes names of pretrained models, "lstm-256" (initial weights) and paths of run
folders; the streaming model in the table was trained with

    python cli.py train spoken-digits --unidirectional --data digits.tsv --run runs/spoken-digits
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np

from benchmarks import deployed
from benchmarks.measurements import Measurements, path_of, write_section
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.errors import SeqzooError

FORMATS = [
    ("saved-model", "float32"),
    ("onnx", "float32"),
    ("onnx", "int8"),
    ("litert", "float32"),
    ("litert", "float16"),
    ("litert", "int8"),
    ("litert", "full-int8"),
]

SHIPPED = ["language-id", "python-highlighter", "date-normaliser", "python-source"]
SHIPPED += ["glyph-captioner", "line-reader"]

UNTRAINED = "lstm-256"

SHORT = {"python-highlighter": "x = [a for a in range(3)]", "python-source": "def f("}
"""Inputs of the requests to models whose held-out examples are long."""

HELD_OUT = 300
"""Number of examples on which accuracy is measured."""

CONTINUED = 300
"""Number of characters of each text whose next tokens are predicted."""

PAGE = pathlib.Path("docs/deployment.md")


def untrained() -> tuple[Any, Any]:
    """A run of an LSTM over 64 features with initial weights, and an input for it."""
    import tempfile

    from seqzoo.tasks import Examples, ManyToManyAligned, TrainingSettings
    from seqzoo.tasks.data.batches import Padding
    from seqzoo.tasks.runs.run import Run
    from seqzoo.tasks.training.trainer import describe

    random = np.random.default_rng(0)
    inputs = [random.normal(size=(20, 64)).astype("float32") for _ in range(4)]
    template = ManyToManyAligned("series", "values", cell="lstm", units=256, bidirectional=False)
    task = template.adapt(Examples(inputs, [item[:, :1] for item in inputs]))
    folder = pathlib.Path(tempfile.mkdtemp()) / "run"
    description = describe(template, task, TrainingSettings(), {}, Padding([400], []))
    run = Run.create(folder, description, task)
    task.build("float32").save(folder / "model.keras")
    return run, inputs[0]


def opened(name: str) -> tuple[Any, Any, list, list]:
    """A run, an input for requests, and held-out inputs and targets."""
    from seqzoo.tasks.runs.run import Run
    from seqzoo.zoo import load
    from seqzoo.zoo.data.open import open_examples
    from seqzoo.zoo.data.source import Source

    if name == UNTRAINED:
        return *untrained(), [], []
    run = load(name) if name in SHIPPED else Run.open(name)
    examples = open_examples(Source.of_run(run, None), "test")
    indices = examples.spread(HELD_OUT)
    inputs = [examples.inputs[index] for index in indices]
    if examples.targets is None:  # texts to be continued
        (ids, lengths) = run.task.texts.ids([text[:CONTINUED] for text in inputs])
        rows = zip(ids.numpy(), lengths.numpy(), strict=True)
        targets = [row[:length].tolist() for row, length in rows if length]
    else:
        targets = [examples.targets[index] for index in indices]
        targets = [target if isinstance(target, str) else list(target) for target in targets]
    return run, SHORT.get(name, inputs[0]), inputs, targets


def export_all(folder: pathlib.Path, models: list[str]) -> None:
    """Writes the missing exports, and for each model the inputs to measure them with."""
    from seqzoo.tasks.export.checking import raw_tensors
    from seqzoo.tasks.many_to_many_aligned.language_model import LanguageModelTask
    from seqzoo.tasks.targets.texts import START

    for name in models:
        run, first, inputs, targets = opened(name)
        model_folder = folder / pathlib.Path(name).name
        options = PredictionOptions()
        if getattr(run.task, "decoding", None) is not None:
            options = PredictionOptions(1, Decoding(maximum_length=40))
        plain = isinstance(first, str)
        request: dict[str, Any] = {
            "inputs": [first if plain else np.asarray(first).tolist()],
            "dtype": "object" if plain else str(np.asarray(first).dtype),
            "raw": {
                key: {
                    "values": [
                        item.decode() if isinstance(item, bytes) else item.tolist()
                        for item in value
                    ],
                    "dtype": str(value.dtype),
                }
                for key, value in raw_tensors(run.task, [first]).items()
            },
            "held_out": targets,
            "held_out_inputs": [],
            "arrays": str(model_folder / "held-out.npz"),
        }
        model_folder.mkdir(parents=True, exist_ok=True)
        if isinstance(run.task, LanguageModelTask):
            request["start"] = START
        elif inputs:
            raw = raw_tensors(run.task, inputs)
            arrays = {
                f"raw/{key}": item if item.dtype != object else [text.decode() for text in item]
                for key, item in raw.items()
            }
            if isinstance(inputs[0], np.ndarray):
                arrays |= {f"input/{n}": item for n, item in enumerate(inputs)}
            else:
                request["held_out_inputs"] = [
                    item if isinstance(item, str) else list(item) for item in inputs
                ]
            np.savez(model_folder / "held-out.npz", **arrays)  # pyright: ignore[reportArgumentType]
        (model_folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        for format, precision in FORMATS:
            target = model_folder / f"{format}-{precision}"
            if target.exists():
                continue
            try:
                run.export(
                    target,
                    options,
                    format=format,
                    precision=precision,
                    check=False,
                    examples=inputs[:20],
                )
            except SeqzooError as error:  # full-int8 is for models with a step
                print(target, error, flush=True)
            else:
                print(target, flush=True)


def measure_all(folder: pathlib.Path, models: list[str], what: str) -> None:
    """Measures exports one after the other, and adds the results to the file.

    Args:
        folder: the folder of the exports.
        models: the models, by name or path.
        what: "quality" or "times".
    """
    measured = Measurements(path_of(f"deployment-{what}"), KEYS[what])
    for model in models:
        name = pathlib.Path(model).name
        for format, precision in FORMATS:
            target = folder / name / f"{format}-{precision}"
            if measured.find(name, f"{format} {precision}") or not target.exists():
                continue
            program = [sys.executable, "-I", "-B", deployed.__file__, what, format, str(target)]
            done = subprocess.run(
                [*program, str(folder / name / "request.json")], capture_output=True, text=True
            )
            if done.returncode:
                print(target, done.stderr.strip().splitlines()[-1:], flush=True)
                continue
            figures = json.loads(done.stdout.strip().splitlines()[-1])
            if what == "times":
                sizes = [path.stat().st_size for path in target.rglob("*") if path.suffix != ".py"]
                figures = {"bytes": sum(sizes), **figures}
            row = {"model": name, "format": f"{format} {precision}", **figures}
            measured.add(row)
            print(row, flush=True)


LAYERS = ["lstm", "gru", "vanilla", "mgu", "lem", "indrnn", "highway"]
"""Cells with an ONNX operator, and some that are exported as a Scan."""

WAYS = ("onnx", "saved-model", "saved-model compiled", "python")


def layers(folder: pathlib.Path) -> None:
    """Measures layers as ONNX models, as SavedModels and in Python, alternating in one process."""
    import onnxruntime
    import tensorflow as tf

    import seqzoo.cells
    from seqzoo.cells.engine.exported_loops import run_compiled
    from seqzoo.cells.engine.runners import run_by
    from seqzoo.tasks.export.onnx_model import onnx_model
    from seqzoo.tasks.export.parts import Part

    measured = Measurements(path_of("deployment-layers"), KEYS["layers"])
    spec = tf.TensorSpec([None, None, 64], tf.float32, "values")

    def calls(name: str) -> dict[str, Any]:
        layer = seqzoo.cells.Recurrent(seqzoo.cells.create(name, 128), return_sequences=True)
        with seqzoo.cells.portable():
            layer(tf.zeros([1, 2, 64]))

        def run(values: Any) -> dict[str, Any]:
            return {"steps": layer(values)}

        def compiled(values: Any) -> dict[str, Any]:
            with run_by(run_compiled):
                return run(values)

        one_thread = onnxruntime.SessionOptions()
        one_thread.intra_op_num_threads = 1  # like predict.py
        session = onnxruntime.InferenceSession(
            onnx_model(Part(run, (spec,))).SerializeToString(),
            one_thread,
            providers=["CPUExecutionProvider"],
        )
        module: Any = tf.Module()
        module.weights = [variable.value for variable in layer.variables]
        with seqzoo.cells.portable():
            module.run = tf.function(run, autograph=False, input_signature=[spec])
            module.compiled = tf.function(compiled, autograph=False, input_signature=[spec])
            signatures = {"plain": module.run, "compiled": module.compiled}
            tf.saved_model.save(module, str(folder / "layer"), signatures=signatures)
        served = tf.saved_model.load(str(folder / "layer")).signatures
        fast = tf.function(run, autograph=False, input_signature=[spec])
        return {
            "onnx": lambda values, _: session.run(None, {"values": values}),
            "saved-model": lambda _, tensor: served["plain"](values=tensor),
            "saved-model compiled": lambda _, tensor: served["compiled"](values=tensor),
            "python": lambda _, tensor: fast(tensor),
        }

    for name in LAYERS:
        if measured.find(name, 1):
            continue
        functions = calls(name)
        for rows in (64, 1):
            values = np.random.default_rng(0).normal(size=(rows, 100, 64)).astype("float32")
            tensor = tf.constant(values)
            times = {
                way: round(
                    deployed.percentiles(lambda c=call, v=values, t=tensor: c(v, t), 0.4)[0], 4
                )
                for way, call in functions.items()
            }
            measured.add({"cell": name, "rows": rows, **times})
            print(name, rows, times, flush=True)


def table_of_layers(measured: Measurements) -> list[str]:
    """Table of milliseconds by cell, batch size and runtime."""
    lines = [
        "Time in milliseconds for one pass of a layer of 128 units over 100 steps of 64 features. "
        "ONNX uses one",
        "thread, like predict.py, everything else two cores. Python is the layer in a "
        "`tf.function`.",
        "",
        "| cell | ONNX, batch 1 | SavedModel, 1 | ONNX, 64 | SavedModel, 64 | "
        "`serving_compiled`, 64 | Python, 64 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in dict.fromkeys(row["cell"] for row in measured.rows):
        one, many = measured.find(name, 1), measured.find(name, 64)
        if one is None or many is None:
            continue
        times = [one["onnx"], one["saved-model"], *(many[way] for way in WAYS)]
        lines.append(f"| `{name}` | {' | '.join(f'{float(item):.3g}' for item in times)} |")
    return lines


def table_of_models(times: Measurements, quality: Measurements) -> list[str]:
    """Tables, one per model, with a row for each format and precision."""
    lines = []
    for name in dict.fromkeys(row["model"] for row in (*times.rows, *quality.rows)):
        lines += ["", f"**{name}**", ""]
        lines += [
            "| format | MB | load | step, batch 1 | step, 64 | request, 1 | request, 64 "
            "| memory, of which runtime | accuracy |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        ]
        for row in times.rows:
            if row["model"] != name:
                continue
            results = [row[f"{what}_{n}"] for what in ("step", "request") for n in (1, 64)]
            cells = [
                " / ".join(f"{item:.3g}" for item in json.loads(each)) if each[:1] == "[" else "-"
                for each in results
            ]
            scored = quality.find(name, row["format"])
            right = scored["right"] if scored else ""
            share = f"{100 * float(right):.1f}%" if right else "-"
            memory = "-"
            if row["memory_mb"]:
                memory = f"{float(row['memory_mb']):.0f}, {float(row['runtime_mb']):.0f} MB"
            lines.append(
                f"| {row['format']} | {int(row['bytes']) / 1e6:.2f} | "
                f"{float(row['load_ms']):.0f} ms | {' | '.join(cells)} | {memory} | {share} |"
            )
        for row in quality.rows:  # scored, but not yet measured on an idle machine
            if row["model"] == name and times.find(name, row["format"]) is None:
                share = f"{100 * float(row['right']):.1f}%"
                lines.append(f"| {row['format']} {'| - ' * 7}| {share} |")
    return lines


KEYS = {"layers": ("cell", "rows"), "times": ("model", "format"), "quality": ("model", "format")}
"""Columns that identify a row of each file."""


def section(paths: dict[str, pathlib.Path]) -> str:
    """The tables of docs/deployment.md.

    Args:
        paths: files of "layers", "times" and "quality".
    """
    measured = {what: Measurements(paths[what], KEYS[what]) for what in KEYS}
    lines = table_of_layers(measured["layers"])
    lines += table_of_models(measured["times"], measured["quality"])
    machine = paths["times"].stem.removeprefix("deployment-times-")
    return "\n".join([f"Measured on `{machine}`.", "", *lines])


def tables() -> None:
    """Writes the tables into docs/deployment.md."""
    paths = {what: path_of(f"deployment-{what}") for what in KEYS}
    write_section(PAGE, "python -m benchmarks.deployment tables FOLDER", section(paths))


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["export", "score", "measure", "layers", "tables"])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--models", default=",".join([*SHIPPED, UNTRAINED]))
    args = parser.parse_args()
    folder, models = args.folder, args.models.split(",")
    if args.what == "export":
        export_all(folder, models)
    elif args.what in ("score", "measure"):
        measure_all(folder, models, "quality" if args.what == "score" else "times")
    elif args.what == "layers":
        layers(folder)
    else:
        tables()


if __name__ == "__main__":
    main()

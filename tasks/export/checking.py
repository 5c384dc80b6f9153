"""Compares an export with the model in Python, in a process without seqzoo."""

import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks.base import Prediction, PredictionOptions
from seqzoo.tasks.data.timed_series import TimedSeries
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.export import fresh_process
from seqzoo.tasks.export.parts import Part, input_specs, takes_ids
from seqzoo.tasks.preprocessing.class_names import NameFeatures
from seqzoo.tasks.preprocessing.histories import HistoryFeatures
from seqzoo.tasks.preprocessing.image_columns import ColumnFeatures
from seqzoo.tasks.preprocessing.joined import JoinedFeatures
from seqzoo.tasks.preprocessing.statics import CategoryFeatures, NumberFeatures
from seqzoo.tasks.preprocessing.text import TextFeatures

TOLERANCE = {"float32": 1e-4, "float16": 2e-2, "int8": 0.3, "full-int8": 0.3}
"""The largest difference by the precision of the weights, as a share of the largest result.
Quantisation changes predictions; a test score says by how much, and this bound catches errors."""

GENERATED = 24
"""Maximum number of tokens that are generated to compare texts."""

EXAMPLES = 8
"""Number of examples that are compared."""


def dummy_inputs(task: Any) -> list[Any]:
    """Random raw inputs of the right kind; the same ones each time."""
    random, features = np.random.default_rng(0), task.features
    if isinstance(features, JoinedFeatures):
        columns = [
            dummy_inputs(SimpleNamespace(features=part, signature=part.signature))
            for part in features.parts
        ]
        return [dict(zip(features.names, row, strict=True)) for row in zip(*columns, strict=False)]
    if isinstance(features, CategoryFeatures):
        return [*features.vocabulary.tokens[: EXAMPLES - 2], "", "unknown"]
    if isinstance(features, NumberFeatures):
        return [None, *random.normal(features.mean, features.scale, EXAMPLES - 1).tolist()]
    if isinstance(features, NameFeatures):
        return list(features.vocabulary.tokens[:EXAMPLES])
    if isinstance(features, TextFeatures):
        tokens = [token for token in features.vocabulary.tokens if token.isprintable()] or ["a"]
        joint = "" if features.template.input == "characters" else " "
        return [joint.join(random.choice(tokens, size)) for size in (1, 2, 5, 9)]
    if isinstance(features, HistoryFeatures):
        return features.dummy_inputs()
    spec = task.signature[0]
    if isinstance(features, ColumnFeatures):
        shapes = [[size or width for size in features.shape] for width in (12, 9, 5, 2)]
        return [random.integers(0, 256, item).astype(features.dtype) for item in shapes]
    if spec.dtype == tf.uint8:
        shape = [item or 5 for item in spec.shape[1:]]
        return list(random.integers(0, 256, (4, *shape)).astype(np.uint8))
    if len(task.signature) == 1:
        return list(random.normal(size=(4, *spec.shape[1:])).astype(np.float32))
    longest = 4000 if spec.name == "waveforms" else 12
    sizes = [longest, longest // 2, longest // 3, longest // 4]
    series = [random.normal(0, 0.1, (size, *spec.shape[2:])) for size in sizes]
    if hasattr(features, "notes"):
        series = [item > 0 for item in series]
    if hasattr(features, "mean") and spec.name == "values":
        series = [item * features.scale + features.mean for item in series]
    if features.takes_time:
        unit = features.time_unit
        return [TimedSeries(item, random.exponential(unit, len(item))) for item in series]
    return [item.astype(np.float32) for item in series]


def comparable(task: Any, options: PredictionOptions) -> PredictionOptions:
    """How texts are generated for a comparison: as requested, but never at random, and short."""
    if getattr(task, "decoding", None) is None:
        return options
    choices = options.decoding or task.decoding
    method = "greedy" if choices.method == "sample" else choices.method
    answers = choices.count if method == "beam" else 1
    short = min(choices.maximum_length, GENERATED)
    shorter = replace(
        choices,
        method=method,
        count=answers,
        maximum_length=short,
        minimum_length=min(choices.minimum_length, short),
    )
    return replace(options, decoding=shorter)


def raw_tensors(task: Any, examples: Sequence[Any]) -> dict[str, Any]:
    """Raw inputs as the arrays of `Task.signature`, by name."""
    locations = [f"example {index}" for index in range(len(examples))]
    arrays = task.features.raw(examples, locations)
    return {spec.name: array for spec, array in zip(task.signature, arrays, strict=True)}


def encoded_inputs(task: Any, examples: Sequence[Any]) -> dict[str, np.ndarray]:
    """Raw inputs as the model takes them: "values" and "lengths"."""
    raw = [tf.constant(raw_tensor) for raw_tensor in raw_tensors(task, examples).values()]
    values, lengths = task.features.transform(*raw)
    return {"values": values.numpy(), "lengths": lengths.numpy()}


def part_inputs(task: Any, parts: dict[str, Part], examples: Sequence[Any]) -> dict[str, dict]:
    """Arrays for each part: whole inputs from the examples, steps and states at random."""
    random, found, encoded = np.random.default_rng(0), {}, {}
    raw = raw_tensors(task, examples)
    if takes_ids(task):
        raw = encoded_inputs(task, examples)
        if isinstance(task.features, NameFeatures):
            raw = {"classes": raw["values"][:, 0]}
    if isinstance(task.features, ColumnFeatures):
        steps = [task.features.steps_of(example) for example in examples]
        lengths = np.array([len(step) for step in steps], np.int32)
        longest = max(lengths)
        steps = [np.pad(step, [(0, longest - len(step)), (0, 0)]) for step in steps]
        raw = {"values": np.stack(steps), "lengths": lengths}
    names = [spec.name for spec in input_specs(task)]
    for name, part in parts.items():
        if name != "step":
            found[name] = {item: raw[item] for item in names}
            encoded = run(part, found[name])
            continue
        rows = len(examples)
        given = {}
        for spec in part.inputs:
            shape = [rows, *spec.shape[1:]]
            if spec.name in encoded:
                given[spec.name] = encoded[spec.name]
            elif spec.name in part.states:
                given[spec.name] = random.uniform(-0.5, 0.5, shape).astype(np.float32)
            elif spec.dtype.is_integer:
                high = 255 if spec.dtype == tf.uint8 else 4
                given[spec.name] = random.integers(1, high, shape).astype(spec.dtype.as_numpy_dtype)
            else:
                given[spec.name] = random.normal(size=shape).astype(np.float32)
        found[name] = given
    return found


def run(part: Part, given: dict[str, Any]) -> dict[str, np.ndarray]:
    """The results of a part in Python."""
    with seqzoo.cells.portable():
        result = part.run(**{name: tf.constant(value) for name, value in given.items()})
    return {name: value.numpy() for name, value in result.items()}


def run_in_fresh_process(
    folder: pathlib.Path,
    format: str,
    parts: dict[str, dict[str, Any]],
    inputs: Sequence[Any] = (),
    decoding: dict[str, Any] | None = None,
) -> tuple[dict[str, Any], list[dict]]:
    """The results of an export in a separate process.

    Args:
        folder: the folder of the export.
        format: its format.
        parts: inputs of its parts, or signatures, by name.
        inputs: raw inputs, for `predict`.
        decoding: how texts are generated.

    Returns:
        The results of the parts, arrays or lists of texts, named "part/result", and the answers.

    Raises:
        SeqzooError: it cannot be loaded or run there.
    """
    with tempfile.TemporaryDirectory(prefix="seqzoo-") as temporary:
        given, answered = pathlib.Path(temporary, "given"), pathlib.Path(temporary, "answered")
        given.mkdir()
        answered.mkdir()
        whole = {
            f"{part}/{name}": np.asarray(value)
            for part, all_ in parts.items()
            for name, value in all_.items()
        }
        texts = {
            key: [text.decode("utf-8") for text in value]
            for key, value in whole.items()
            if value.dtype == object
        }
        arrays = {key: value for key, value in whole.items() if key not in texts}
        plain = all(not isinstance(item, np.ndarray) for item in inputs)
        if not plain:
            arrays |= {f"raw/{n}": np.asarray(item) for n, item in enumerate(inputs)}
        np.savez(given / "arrays.npz", **arrays)  # pyright: ignore[reportArgumentType]
        request = {
            "format": format,
            "texts": texts,
            "inputs": list(inputs) if plain else [],
            "arrays": 0 if plain else len(inputs),
            "decoding": decoding,
        }
        (given / "request.json").write_text(json.dumps(request), encoding="utf-8")
        # Isolated, and in a folder without our packages.
        process = subprocess.run(
            [
                *(sys.executable, "-I", "-B", fresh_process.__file__),
                *(str(folder), str(given), str(answered)),
            ],
            cwd=temporary,
            capture_output=True,
            text=True,
            check=False,
        )
        if process.returncode:
            lines = process.stderr.strip().splitlines() or ["it exited without a message"]
            raise SeqzooError(f"The {format} export cannot be loaded and run: {lines[-1]}")
        with np.load(answered / "arrays.npz", allow_pickle=False) as file:
            results: dict[str, Any] = dict(file)
        results |= json.loads((answered / "texts.json").read_text(encoding="utf-8"))
        return results, json.loads((answered / "answers.json").read_text(encoding="utf-8"))


def compare(
    expected: dict[str, np.ndarray], found: dict[str, Any], format: str, precision: str = "float32"
) -> float:
    """The largest difference between results, relative to the largest value of each.

    Raises:
        SeqzooError: texts differ, or numbers by more than `TOLERANCE`.
    """
    worst = 0.0
    for name, value in expected.items():
        other = found.get(name)
        if value.dtype == object:
            texts = [text.decode("utf-8") for text in value.reshape(-1)]
            for text, answer in zip(texts, other or [None] * len(texts), strict=True):
                if text != answer:
                    raise SeqzooError(
                        f"The {format} export differs from the model: {name} is {answer!r} where "
                        f"the model says {text!r}."
                    )
            continue
        if other is None or other.shape != value.shape:
            raise SeqzooError(
                f"The {format} export differs from the model: {name} has the shape "
                f"{getattr(other, 'shape', None)} where the model's is {value.shape}."
            )
        if not value.size:
            continue
        ours, theirs = value.astype(np.float64), other.astype(np.float64)
        same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))  # infinities, too
        with np.errstate(invalid="ignore"):
            gaps = np.where(same, 0.0, np.abs(ours - theirs))
        known = np.abs(ours[np.isfinite(ours)])
        difference = float(np.max(gaps) / max(np.max(known, initial=0.0), 1e-6))
        if not difference <= TOLERANCE[precision]:
            raise SeqzooError(
                f"The {format} export differs from the model: {name} by {difference:.1e} of its "
                f"largest number, where {TOLERANCE[precision]:.0e} is allowed."
            )
        worst = max(worst, difference)
    return worst


def compare_predictions(
    expected: Sequence[Prediction], found: Sequence[dict], format: str, precision: str
) -> None:
    """Compares the answers of predict.py with the model's; with float32 weights they are equal.

    Raises:
        SeqzooError: a label differs, or a probability by more than `TOLERANCE`.
    """
    if precision != "float32":
        return
    for ours, theirs in zip(expected, found, strict=True):
        if isinstance(ours.value, str) and ours.label != theirs["label"]:
            raise SeqzooError(
                f"The {format} export differs from the model: it answers {theirs['label']!r} where "
                f"the model answers {ours.label!r}."
            )
        if ours.probability is None:
            close = np.allclose(_flat(ours.value), _flat(theirs["value"]), rtol=1e-3, atol=1e-4)
        else:
            close = abs(ours.probability - theirs["probability"]) <= TOLERANCE[precision]
        if not close:
            raise SeqzooError(
                f"The {format} export differs from the model: it answers {theirs['value']!r} "
                f"({theirs['probability']}) where the model answers {ours.value!r} "
                f"({ours.probability})."
            )


def _flat(value: Any) -> list[float]:
    """The numbers in any nesting; none for labels."""
    if isinstance(value, list | tuple):
        return [number for item in value for number in _flat(item)]
    return [] if isinstance(value, str) else [float(value)]


def check_parts(
    wanted: Any,
    folder: pathlib.Path,
    format: str,
    task: Any,
    parts: dict[str, Part],
    steps: Sequence[dict[str, np.ndarray]] = (),
) -> float:
    """Compares an export of parts, and the predict.py next to it, with the model.

    Args:
        wanted: the `Export`.
        folder: the folder of the export.
        format: its format.
        task: the task of the model.
        parts: the parts of the model.
        steps: arguments of the step; by default some at random.

    Raises:
        SeqzooError: its results differ.
    """
    examples = list(wanted.examples[:EXAMPLES]) or dummy_inputs(task)
    given = part_inputs(task, parts, examples)
    if steps:  # of one example, because several may differ in length
        first = [step for step in steps if _sizes(step) == _sizes(steps[0])][:EXAMPLES]
        given["step"] = {name: np.concatenate([item[name] for item in first]) for name in steps[0]}
    expected = {
        f"{name}/{key}": value
        for name, part in parts.items()
        for key, value in run(part, given[name]).items()
    }
    options = comparable(task, wanted.options)
    decoding = None if options.decoding is None else dict(vars(options.decoding))
    asks = _predictions_match(task)
    found, answers = run_in_fresh_process(folder, format, given, examples if asks else [], decoding)
    worst = compare(expected, found, format, wanted.precision)
    if asks:
        compare_predictions(wanted.predict(examples, options), answers, format, wanted.precision)
    return worst


def _sizes(tensors: dict[str, np.ndarray]) -> list[tuple]:
    return [tensor.shape for tensor in tensors.values()]


def _predictions_match(task: Any) -> bool:
    """Whether predict.py gives the same predictions as the model; it does not support notes."""
    return not hasattr(task.features, "notes")

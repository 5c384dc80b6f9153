"""Compares an export, run in a process without seqzoo, with the model in Python."""

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
from seqzoo.tasks.data.history import History
from seqzoo.tasks.data.timed_series import TimedSeries
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.export import fresh_process
from seqzoo.tasks.export.parts import Part, input_specs, is_float32, takes_ids
from seqzoo.tasks.preprocessing.class_names import NameFeatures
from seqzoo.tasks.preprocessing.histories import HistoryFeatures
from seqzoo.tasks.preprocessing.image_columns import ColumnFeatures
from seqzoo.tasks.preprocessing.image_rows import RowFeatures
from seqzoo.tasks.preprocessing.images import ImageFeatures
from seqzoo.tasks.preprocessing.joined import JoinedFeatures
from seqzoo.tasks.preprocessing.statics import CategoryFeatures, NumberFeatures
from seqzoo.tasks.preprocessing.text import TextFeatures

TOLERANCE = {"float32": 1e-4, "float16": 2e-2, "int8": 0.3, "full-int8": 0.3}
"""The largest allowed difference for each precision of the weights, relative to the largest result.
Quantisation changes predictions: only a score on test data shows by how much; this bound merely
catches faulty exports."""

GENERATED = 24
"""Maximum number of tokens that are generated to compare texts."""

EXAMPLES = 8
"""Number of examples that are compared."""


def dummy_inputs(task: Any) -> list[Any]:
    """Random raw inputs that the task accepts, the same on every call."""
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
        separator = "" if features.template.input == "characters" else " "
        return [separator.join(random.choice(tokens, size)) for size in (1, 2, 5, 9)]
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
    """The options for a comparison: as requested, but with short texts and without sampling."""
    if getattr(task, "decoding", None) is None:
        return options
    choices = options.decoding or task.decoding
    method = "greedy" if choices.method == "sample" else choices.method
    longest = min(choices.maximum_length, GENERATED)
    decoding = replace(
        choices,
        method=method,
        count=choices.count if method == "beam" else 1,
        maximum_length=longest,
        minimum_length=min(choices.minimum_length, longest),
    )
    return replace(options, decoding=decoding)


def raw_tensors(task: Any, examples: Sequence[Any]) -> dict[str, Any]:
    """Raw inputs as the arrays of `Task.signature`, by name."""
    locations = [f"example {index}" for index in range(len(examples))]
    arrays = task.features.raw(examples, locations)
    return {spec.name: array for spec, array in zip(task.signature, arrays, strict=True)}


def encoded_inputs(task: Any, examples: Sequence[Any]) -> dict[str, np.ndarray]:
    """Raw inputs, encoded for the model: "values" and "lengths"."""
    raw = [tf.constant(raw_tensor) for raw_tensor in raw_tensors(task, examples).values()]
    values, lengths = task.features.transform(*raw)
    return {"values": values.numpy(), "lengths": lengths.numpy()}


def complete_inputs(task: Any, examples: Sequence[Any]) -> dict[str, np.ndarray]:
    """Raw inputs as the arrays of `input_specs`, by name."""
    features, raw = task.features, raw_tensors(task, examples)
    if takes_ids(task):
        raw = encoded_inputs(task, examples)
        if isinstance(features, NameFeatures):
            raw = {"classes": raw["values"][:, 0]}
    if isinstance(features, ColumnFeatures):
        limit, images = features.template.maximum_length, zip(*raw.values(), strict=True)
        steps = [features.steps_of(image[:, :width])[:limit] for image, width in images]
        lengths = np.array([len(step) for step in steps], np.int32)
        longest = max(lengths)
        steps = [np.pad(step, [(0, longest - len(step)), (0, 0)]) for step in steps]
        raw = {"values": np.stack(steps), "lengths": lengths}
    if isinstance(features, HistoryFeatures) and "series" in raw:
        raw["series"] = features.indices(tf.constant(raw["series"])).numpy()
    return {spec.name: raw[spec.name] for spec in input_specs(task)}


def part_inputs(task: Any, parts: dict[str, Part], examples: Sequence[Any]) -> dict[str, dict]:
    """Arrays for each part: complete inputs come from the examples; steps and states are random."""
    random, inputs, encoded = np.random.default_rng(0), {}, {}
    complete = complete_inputs(task, examples)
    for name, part in parts.items():
        if name != "step":
            inputs[name] = complete
            encoded = run(part, inputs[name])
            continue
        rows = len(examples)
        arrays = {}
        for spec in part.inputs:
            shape = [rows, *spec.shape[1:]]
            if spec.name in encoded:
                array = encoded[spec.name]
            elif spec.name in part.states:
                array = random.uniform(-0.5, 0.5, shape).astype(np.float32)
            elif spec.dtype.is_integer:
                high = 255 if spec.dtype == tf.uint8 else 4
                array = random.integers(1, high, shape).astype(spec.dtype.as_numpy_dtype)
            else:
                array = random.normal(size=shape).astype(np.float32)
                array = np.abs(array) if spec.name == "elapsed" else array
            arrays[spec.name] = array
        inputs[name] = arrays
    return inputs


def run(part: Part, arrays: dict[str, Any]) -> dict[str, np.ndarray]:
    """Runs a part in Python and returns its results."""
    with seqzoo.cells.portable():
        result = part.run(**{name: tf.constant(value) for name, value in arrays.items()})
    return {name: value.numpy() for name, value in result.items()}


def run_in_fresh_process(
    folder: pathlib.Path,
    format: str,
    parts: dict[str, dict[str, Any]],
    inputs: Sequence[Any] = (),
    decoding: dict[str, Any] | None = None,
) -> tuple[dict[str, Any], list[dict]]:
    """Runs an export in a separate process.

    Args:
        folder: the folder of the export.
        format: its format.
        parts: the inputs of each part or signature, by name.
        inputs: raw inputs, for `predict`.
        decoding: the decoding options, for `predict`.

    Returns:
        The results of the parts, arrays or lists of texts, named "part/result", and the
        predictions.

    Raises:
        SeqzooError: the export cannot be loaded or run in that process.
    """
    with tempfile.TemporaryDirectory(prefix="seqzoo-") as temporary:
        sent, received = pathlib.Path(temporary, "inputs"), pathlib.Path(temporary, "outputs")
        sent.mkdir()
        received.mkdir()
        named = {
            f"{part}/{name}": np.asarray(value)
            for part, tensors in parts.items()
            for name, value in tensors.items()
        }
        texts = {
            key: [text.decode("utf-8") for text in value]
            for key, value in named.items()
            if value.dtype == object
        }
        arrays = {key: value for key, value in named.items() if key not in texts}
        plain = all(not isinstance(item, np.ndarray) for item in inputs)
        if not plain:
            arrays |= {f"raw/{n}": np.asarray(item) for n, item in enumerate(inputs)}
        np.savez(sent / "arrays.npz", **arrays)  # pyright: ignore[reportArgumentType]
        request = {
            "format": format,
            "texts": texts,
            "inputs": list(inputs) if plain else [],
            "arrays": 0 if plain else len(inputs),
            "decoding": decoding,
        }
        (sent / "request.json").write_text(json.dumps(request), encoding="utf-8")
        # In isolated mode (-I), and in a folder that does not contain seqzoo.
        process = subprocess.run(
            [
                *(sys.executable, "-I", "-B", fresh_process.__file__),
                *(str(folder), str(sent), str(received)),
            ],
            cwd=temporary,
            capture_output=True,
            text=True,
            check=False,
        )
        if process.returncode:
            lines = process.stderr.strip().splitlines() or ["it exited without a message"]
            raise SeqzooError(f"The {format} export cannot be loaded and run: {lines[-1]}")
        with np.load(received / "arrays.npz", allow_pickle=False) as file:
            results: dict[str, Any] = dict(file)
        results |= json.loads((received / "texts.json").read_text(encoding="utf-8"))
        return results, json.loads((received / "predictions.json").read_text(encoding="utf-8"))


def compare(
    expected: dict[str, np.ndarray],
    results: dict[str, Any],
    format: str,
    precision: str = "float32",
) -> float:
    """Compares the results of an export with those of the model.

    Args:
        expected: the results of the model, by name.
        results: the results of the export, by name.
        format: the format of the export, for messages.
        precision: the precision of its weights.

    Returns:
        The largest difference, relative to the largest value of the same result.

    Raises:
        SeqzooError: texts differ, or values differ by more than `TOLERANCE`.
    """
    worst = 0.0
    for name, value in expected.items():
        other = results.get(name)
        if value.dtype == object:
            texts = [text.decode("utf-8") for text in value.reshape(-1)]
            for text, exported in zip(texts, other or [None] * len(texts), strict=True):
                if text != exported:
                    raise SeqzooError(
                        f"The {format} export differs from the model: {name} is {exported!r}, but "
                        f"the model's is {text!r}."
                    )
            continue
        if other is None or other.shape != value.shape:
            raise SeqzooError(
                f"The {format} export differs from the model: {name} has shape "
                f"{getattr(other, 'shape', None)}, but the model's is {value.shape}."
            )
        if not value.size:
            continue
        ours, theirs = value.astype(np.float64), other.astype(np.float64)
        same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))  # infinities, too
        with np.errstate(invalid="ignore"):
            gaps = np.where(same, 0.0, np.abs(ours - theirs))
        finite = np.abs(ours[np.isfinite(ours)])
        difference = float(np.max(gaps) / max(np.max(finite, initial=0.0), 1e-6))
        if not difference <= TOLERANCE[precision]:
            raise SeqzooError(
                f"The {format} export differs from the model: {name} is off by {difference:.1e} of "
                f"its largest value, but at most {TOLERANCE[precision]:.0e} is allowed."
            )
        worst = max(worst, difference)
    return worst


def compare_predictions(
    expected: Sequence[Prediction],
    predictions: Sequence[dict],
    format: str,
    precision: str,
    *,
    mixed: bool = False,
) -> None:
    """Compares the predictions of predict.py with the model's, which they must match if the weights
    are float32; predictions with other precisions are not compared.

    Args:
        expected: the predictions of the model.
        predictions: those of predict.py.
        format: the format of the export, for messages.
        precision: the precision of its weights.
        mixed: whether the model, unlike its export, computes with 16 bits; numbers may then differ
            by more, and rounding may decide between two texts.

    Raises:
        SeqzooError: a label differs, or a value or probability differs by more than is allowed.
    """
    if precision != "float32":
        return
    for ours, theirs in zip(expected, predictions, strict=True):
        if isinstance(ours.value, str) and ours.label != theirs["label"]:
            if mixed:
                continue
            raise SeqzooError(
                f"The {format} export differs from the model: it predicts {theirs['label']!r}, but "
                f"the model predicts {ours.label!r}."
            )
        if ours.probability is None:
            value, other = (np.array(_flat(item)) for item in (ours.value, theirs["value"]))
            gap = TOLERANCE["float16" if mixed else precision]
            gap = max(1e-4, gap * np.abs(value).max(initial=0.0))
            close = np.allclose(value, other, rtol=1e-3, atol=gap)
        else:
            gap = TOLERANCE["float16" if mixed else precision]
            close = abs(ours.probability - theirs["probability"]) <= gap
        if ours.step_probabilities:
            parts = ours.step_probabilities, theirs["step_probabilities"]
            close = close and np.allclose(*parts, rtol=0.0, atol=gap)
        if not close:
            raise SeqzooError(
                f"The {format} export differs from the model: it predicts {theirs['value']!r} "
                f"({theirs['probability']}), but the model predicts {ours.value!r} "
                f"({ours.probability})."
            )


def _flat(value: Any) -> list[float]:
    """The numbers in a nested value; none for labels."""
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
        steps: arguments of the step; random ones by default.

    Returns:
        The largest difference, relative to the largest value of the same result.

    Raises:
        SeqzooError: the results of the export differ from the model's.
    """
    examples = list(wanted.examples[:EXAMPLES]) or dummy_inputs(task)
    inputs = part_inputs(task, parts, examples)
    if steps:  # only those with the shapes of the first, because examples may differ in length
        first = [step for step in steps if _sizes(step) == _sizes(steps[0])][:EXAMPLES]
        inputs["step"] = {name: np.concatenate([item[name] for item in first]) for name in steps[0]}
    expected = {
        f"{name}/{key}": value
        for name, part in parts.items()
        for key, value in run(part, inputs[name]).items()
    }
    options = comparable(task, wanted.options)
    decoding = None if options.decoding is None else dict(vars(options.decoding))
    predicts = _predictions_match(task)
    raw: list[Any] = examples
    if isinstance(task.features, HistoryFeatures):
        raw = [_as_dictionary(item) for item in examples]
    elif isinstance(task.features, ImageFeatures | RowFeatures):  # files, or of another size
        (images,) = raw_tensors(task, examples).values()
        raw = list(images)
    results, predictions = run_in_fresh_process(
        folder, format, inputs, raw if predicts else [], decoding
    )
    worst = compare(expected, results, format, wanted.precision)
    if predicts:
        expected_predictions = wanted.predict(examples, options)
        mixed = not is_float32(wanted.model)
        compare_predictions(
            expected_predictions, predictions, format, wanted.precision, mixed=mixed
        )
    return worst


def _as_dictionary(history: History) -> dict[str, Any]:
    """A history as predict.py reads it."""
    past = {"past": history.past.tolist()} if history.past.size else {}
    known = {"known": history.known.tolist()} if history.known.size else {}
    return {
        "values": history.values.tolist(),
        "dates": history.dates.astype(str).tolist(),
        **past,
        **known,
        "series": history.name,
        "static": [getattr(item, "item", lambda item=item: item)() for item in history.static],
    }


def _sizes(tensors: dict[str, np.ndarray]) -> list[tuple]:
    return [tensor.shape for tensor in tensors.values()]


def _predictions_match(task: Any) -> bool:
    """Whether predict.py makes the same predictions as the model; it does not support notes."""
    return not hasattr(task.features, "notes")

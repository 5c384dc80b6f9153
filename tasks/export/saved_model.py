"""Exports a trained model as a SavedModel that needs only TensorFlow."""

import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

import seqzoo.cells
from seqzoo.cells.engine.exported_loops import MIN_ROWS
from seqzoo.cells.engine.portability import unportable_operations
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.export.checking import (
    EXAMPLES,
    GENERATED,
    compare,
    dummy_inputs,
    part_inputs,
    raw_tensors,
    run_in_fresh_process,
)
from seqzoo.tasks.export.formats import Export
from seqzoo.tasks.export.parts import is_float32, parts_of
from seqzoo.tasks.export.signatures import COMPILED, SERVING, Signature, signatures_of


def write(wanted: Export, folder: pathlib.Path) -> float | None:
    """Writes a SavedModel with the signatures from `seqzoo.tasks.export.signatures`; see
    `seqzoo.tasks.export.formats`.

    Raises:
        SeqzooError: a graph would run only in this process, because a function in it had been
            traced before the export; or the results of the SavedModel differ from the model's.
    """
    task, model, options = wanted.task, wanted.model, wanted.options
    signatures = signatures_of(task, model, options, wanted.signatures)
    with seqzoo.cells.portable():
        module = tf.Module()
        # Only the objects that a module tracks are saved with it.
        models = [model, *task.companions(options)]
        module.weights = [variable.value for item in models for variable in item.variables]
        module.tables = [vocabulary.table for vocabulary in task.vocabularies.values()]
        module.served, concrete = {}, {}
        for name, (function, specs) in signatures.items():
            served = tf.function(function, autograph=False)
            module.served[name] = served
            concrete[name] = served.get_concrete_function(**{spec.name: spec for spec in specs})
            _check(name, concrete[name])
        tf.saved_model.save(module, str(folder), signatures=concrete)
    if not wanted.check:
        return None
    requested = _compared_inputs(wanted, signatures)
    expected = {}
    for name, inputs in requested.items():
        with seqzoo.cells.portable():
            ours = signatures[SERVING if name == COMPILED else name][0](
                **{key: tf.constant(value) for key, value in inputs.items()}
            )
        expected |= {f"{name}/{key}": value.numpy() for key, value in ours.items()}
    results, _ = run_in_fresh_process(folder, "saved-model", requested)
    precision = "float32" if is_float32(model) else "float16"
    return compare(expected, results, "saved-model", precision)


def _compared_inputs(wanted: Export, signatures: dict[str, Signature]) -> dict[str, dict[str, Any]]:
    """The inputs of each signature that is compared: of predictions, or if these are texts drawn at
    random, of greedy ones, and of "encode" and "step"."""
    task, model = wanted.task, wanted.model
    examples = list(wanted.examples[:EXAMPLES]) or dummy_inputs(task)
    inputs, requested = raw_tensors(task, examples), {}
    if _repeatable(wanted):
        requested[SERVING] = inputs
        if COMPILED in signatures:  # enough rows for the compiled loops to run
            requested[COMPILED] = {name: _repeated(value) for name, value in inputs.items()}
    elif is_float32(model) and "generate" in signatures:
        limits = {"temperature": 0.0, "top_k": 0, "top_p": 0.0, "beam": 1, "seed": 0}
        limits["maximum_length"] = GENERATED
        specs = {spec.name: spec for spec in signatures["generate"][1]}
        options = {
            name: np.array(limits[name], specs[name].dtype.as_numpy_dtype) for name in limits
        }
        requested["generate"] = {**inputs, **options}
    parts = parts_of(task, model) if "step" in signatures else {}
    parts = {name: part for name, part in parts.items() if name in signatures}
    return requested | part_inputs(task, parts, examples)


def _repeated(rows: np.ndarray) -> np.ndarray:
    """Repeats rows until there are enough for the compiled loops."""
    return rows[np.arange(MIN_ROWS) % len(rows)]


def _repeatable(wanted: Any) -> bool:
    """Whether predictions in another process must be the same. Random texts differ, and those of a
    model that computes with 16 bits may, since rounding can decide between two texts."""
    choices = wanted.options.decoding or getattr(wanted.task, "decoding", None)
    if choices is None:
        return True
    drawn = choices.method == "sample" and wanted.options.seed is None
    return not drawn and is_float32(wanted.model)


def _check(name: str, function: Any) -> None:
    """Raises an error for a graph that cannot be loaded and run in another process."""
    if operations := unportable_operations(function.graph.as_graph_def(), name == COMPILED):
        raise SeqzooError(
            f"The graph of {name!r} cannot be served: it contains {', '.join(sorted(operations))}, "
            "which runs only in this process; trace every `tf.function` that it calls within "
            "`seqzoo.cells.portable()`."
        )

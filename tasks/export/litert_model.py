"""A trained model as LiteRT files that use only built-in operations, one per part, with a plain
Python script that turns raw inputs into tensors and tensors into predictions."""

import contextlib
import io
import logging
import os
import pathlib
import re
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import tensorflow as tf

import seqzoo.cells
from seqzoo.cells.engine.runners import run_by
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.export.checking import check_parts, dummy_inputs
from seqzoo.tasks.export.description import write_description
from seqzoo.tasks.export.formats import Export
from seqzoo.tasks.export.litert_loop import run_loop
from seqzoo.tasks.export.parts import Part, in_float32, no_step, parts_of
from seqzoo.tasks.export.reading import read_by_steps
from seqzoo.tasks.preprocessing.audio import AudioFeatures
from seqzoo.tasks.preprocessing.image_columns import ColumnFeatures
from seqzoo.tasks.startup import STANDARD_ERROR

FULL = "full-int8"
"""Precision in which a step uses only integers; parts with a loop are exported in "int8"."""

CALIBRATED = 400
"""Maximum number of steps on which the ranges of activations are measured."""


def litert_model(
    part: Part,
    precision: str = "float32",
    steps: int | None = None,
    calibration: Sequence[dict[str, np.ndarray]] = (),
) -> bytes:
    """Converts a part to the bytes of a LiteRT file, for one row at a time.

    Args:
        part: the part.
        precision: the precision of the weights: "float32", "float16", or "int8", with which matrix
            products are computed on 8-bit integers if the runtime supports it.
        steps: number of time steps of the inputs; None for any number.
        calibration: example arguments of a part without a loop, which determine the range of each
            activation: with "int8", activations are 8-bit integers, too, if the runtime supports
            it; arguments and results keep their types.

    Raises:
        SeqzooError: one of the part's operations is not built into LiteRT, or the temporary files
            of the conversion cannot be written.
    """
    specs = [_row(spec, steps) for spec in part.inputs]
    with run_by(run_loop), seqzoo.cells.portable():
        function = tf.function(lambda **given: part.run(**given), autograph=False)
        concrete = function.get_concrete_function(**{spec.name: spec for spec in specs})
    module = tf.Module()
    module.variables_read = list(concrete.graph.variables)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if calibration:
        converter.representative_dataset = lambda: iter(calibration)
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
            tf.lite.OpsSet.TFLITE_BUILTINS,
        ]
    try:
        with _quiet():
            written = converter.convert()
    except Exception as error:  # of several types, with messages of hundreds of lines
        named = sorted(set(re.findall(r"tf\.[A-Z]\w+", str(error))))
        if not named:
            raise
        raise SeqzooError(
            f"LiteRT has no built-in operation for {', '.join(named)}; export to saved-model or "
            "onnx instead."
        ) from error
    if not converter.saved_model_dir:  # without its signature, the model cannot be called by name
        raise SeqzooError(
            f"LiteRT's converter cannot write its temporary files in {tempfile.gettempdir()}; make "
            "room there and raise the limit on the size of files (`ulimit -f`), or set TMPDIR to a "
            "folder on another disk."
        )
    return written


def _takes_any_length(part: Part) -> bool:
    """Whether an input of a part has a dynamic number of time steps."""
    return any(spec.shape.rank > 1 and spec.shape[1] is None for spec in part.inputs)


def _timed(part: Part) -> list[str]:
    """The names of a part's results that have as many steps as its inputs."""
    specs = [_row(spec, None) for spec in part.inputs]
    with run_by(run_loop), seqzoo.cells.portable():
        function = tf.function(lambda **given: part.run(**given), autograph=False)
        traced = function.get_concrete_function(**{spec.name: spec for spec in specs})
    results = traced.structured_outputs.items()
    return [name for name, item in results if item.shape.rank > 1 and item.shape[1] is None]


def _row(spec: Any, steps: int | None) -> Any:
    """The argument for one row, with a fixed number of steps if one is given."""
    shape = [1, *spec.shape[1:]]
    if len(shape) > 1 and shape[1] is None:
        shape[1] = steps
    return tf.TensorSpec(shape, spec.dtype, spec.name)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """A context in which the converter's own messages are silenced; other threads wait to do the
    same."""
    with STANDARD_ERROR:
        logger, level = tf.get_logger(), tf.get_logger().level
        logger.setLevel(logging.ERROR)
        # These messages are written by C++ code, which bypasses Python's streams.
        try:
            stderr = os.dup(2)
        except OSError:  # closed
            stderr = os.open(os.devnull, os.O_WRONLY)
        with (
            open(os.devnull, "w") as null,
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(action="ignore"),
        ):
            os.dup2(null.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(stderr, 2)
                os.close(stderr)
                logger.setLevel(level)


def write(wanted: Export, folder: pathlib.Path) -> float | None:
    """Writes one file per part, model.json and predict.py; see `seqzoo.tasks.export.formats`.

    Raises:
        SeqzooError: an operation is not built into LiteRT, the number of steps is given though it
            is the same for all inputs, or the results of the files differ from the model's.
    """
    task = wanted.task
    model = in_float32(task, wanted.model)
    parts = parts_of(task, model)
    if wanted.steps is not None and not any(map(_takes_any_length, parts.values())):
        raise SeqzooError(
            "`steps` must be None for this model, all of whose inputs have the same length, got "
            f"{wanted.steps}; leave it out.",
            field="steps",
        )
    files = {name: f"{name}.tflite" for name in parts}
    outputs, timed = {}, {}
    full = wanted.precision == FULL
    precision = "int8" if full else wanted.precision
    calibration = _calibration(wanted, parts, no_step(task, model)) if full else []
    for name, part in parts.items():
        ranges = calibration if name == "step" else []
        written = litert_model(part, precision, wanted.steps, ranges)
        (folder / files[name]).write_bytes(written)
        outputs[name] = []
        if wanted.steps is not None and _takes_any_length(part):
            timed[name] = _timed(part)
    write_description(
        folder,
        task,
        model,
        wanted.options,
        format="litert",
        precision=wanted.precision,
        parts=parts,
        files=files,
        outputs=outputs,
        time=wanted.steps,
        timed=timed,
    )
    if not wanted.check:
        return None
    return check_parts(_shortened(wanted), folder, "litert", task, parts, steps=calibration)


def _calibration(wanted: Export, parts: dict[str, Part], reason: str | None) -> list[dict]:
    """Arguments of the step, recorded while it reads examples.

    Args:
        wanted: the export, with the examples.
        parts: the parts of the model.
        reason: why the model has no step; None if it has one.

    Raises:
        SeqzooError: the model has no step, or reads audio.
    """
    if "step" not in parts:
        raise SeqzooError(
            f"{FULL} is for models with a `step`, but this one has none, because {reason}; the "
            "runtime has no integer loop, so export it in int8.",
            field="precision",
        )
    if isinstance(wanted.task.features, AudioFeatures):
        raise SeqzooError(
            f"{FULL} is not for models that read audio, whose spectra span more orders of "
            "magnitude than a byte can hold; export the model in int8.",
            field="precision",
        )
    examples = list(wanted.examples) or dummy_inputs(wanted.task)
    return list(islice(read_by_steps(wanted.task, parts, examples), CALIBRATED))


def _shortened(wanted: Export) -> Export:
    """The export, with its example inputs truncated to the fixed number of steps."""
    if wanted.steps is None:
        return wanted
    features = wanted.task.features
    examples = list(wanted.examples) or dummy_inputs(wanted.task)
    if isinstance(features, ColumnFeatures):
        columns = wanted.steps * features.columns
        return replace(wanted, examples=[image[:, :columns] for image in examples])
    return replace(wanted, examples=[example[: wanted.steps] for example in examples])

"""The arguments of a model's step, recorded while it reads examples step by step."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks.export.checking import GENERATED, complete_inputs, run
from seqzoo.tasks.export.parts import NEXT, Part
from seqzoo.tasks.preprocessing.image_rows import RowFeatures
from seqzoo.tasks.targets.texts import START


def read_by_steps(
    task: Any, parts: dict[str, Part], examples: Sequence[Any]
) -> Iterator[dict[str, np.ndarray]]:
    """Yields the arguments of the part "step" by name, with one row each, while the model reads
    examples one after another or, if it is an encoder-decoder, generates the most probable token at
    each step. Audio is not supported."""
    part = parts["step"]
    step = tf.function(
        lambda arguments: part.run(**arguments), autograph=False, reduce_retracing=True
    )
    with seqzoo.cells.portable():
        for example in examples:
            tensors = complete_inputs(task, [example])
            if "encode" in parts:
                yield from _written(step, run(parts["encode"], tensors))
                continue
            if isinstance(task.features, RowFeatures):
                tensors = {"values": task.features.steps_of(tensors["images"]).numpy()}
            yield from _read(step, part, tensors)


def _read(step: Any, part: Part, tensors: dict[str, Any]) -> Iterator[dict]:
    """The arguments of the steps of one input."""
    name = part.inputs[0].name
    states = {spec.name: _zeros(spec) for spec in part.inputs if spec.name in part.states}
    for values in _steps(part, tensors):
        arguments = {name: values[None], **states}
        yield arguments
        states = _next(step(arguments), states)


def _steps(part: Part, tensors: dict[str, Any]) -> np.ndarray:
    """The inputs of all steps, in order, (time, ...)."""
    spec, sequence = part.inputs[0], next(iter(tensors.values()))[0]
    if spec.name == "tokens":  # a language model begins with the start token
        sequence = np.concatenate([[START], sequence])
    return np.asarray(sequence, spec.dtype.as_numpy_dtype)


def _written(step: Any, others: dict[str, Any]) -> Iterator[dict]:
    """The arguments of the steps of a decoder that generates the most probable tokens."""
    token = np.array([START], np.int32)
    for _ in range(GENERATED):
        arguments = {"tokens": token, **others}
        yield arguments
        result = step(arguments)
        token = result["logits"].numpy().argmax(1).astype(np.int32)
        others = _next(result, others)


def _next(results: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The states after a step, and the arguments that do not change."""
    new = {name: results[f"{NEXT}{name}"].numpy() for name in before if f"{NEXT}{name}" in results}
    return {**before, **new}


def _zeros(spec: Any) -> np.ndarray:
    return np.zeros([1, *spec.shape[1:]], spec.dtype.as_numpy_dtype)

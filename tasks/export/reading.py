"""The arguments of a model's step, recorded while it reads examples step by step."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks.export.checking import GENERATED, encoded_inputs, raw_tensors
from seqzoo.tasks.export.parts import NEXT, Part, input_specs, takes_ids
from seqzoo.tasks.preprocessing.class_names import NameFeatures
from seqzoo.tasks.targets.texts import START


def read_by_steps(
    task: Any, parts: dict[str, Part], examples: Sequence[Any]
) -> Iterator[dict[str, np.ndarray]]:
    """The arguments of the part "step" by name, each of one row, while a model that does not take
    audio reads examples one after the other, or writes the text that is most probable in each
    step."""
    part = parts["step"]
    step = tf.function(lambda given: part.run(**given), autograph=False, reduce_retracing=True)
    with seqzoo.cells.portable():
        for example in examples:
            tensors = raw_tensors(task, [example])
            if takes_ids(task):
                tensors = encoded_inputs(task, [example])
                if isinstance(task.features, NameFeatures):
                    tensors = {"classes": tensors["values"][:, 0]}
            tensors = (
                {spec.name: tensors[spec.name] for spec in input_specs(task)}
                if ("encode" in parts)
                else tensors
            )
            if "encode" in parts:
                result = parts["encode"].run(
                    **{k: tf.constant(tensor) for k, tensor in tensors.items()}
                )
                yield from _written(step, result)
            else:
                yield from _read(step, part, tensors)


def _read(step: Any, part: Part, tensors: dict[str, Any]) -> Iterator[dict]:
    """The steps of one input."""
    name = part.inputs[0].name
    states = {spec.name: _zeros(spec) for spec in part.inputs if spec.name in part.states}
    for one in _steps(part, tensors):
        given = {name: one[None], **states}
        yield given
        states = _next(step(given), states)


def _steps(part: Part, tensors: dict[str, Any]) -> np.ndarray:
    """(time, ...): the inputs of the step, in order."""
    spec, whole = part.inputs[0], next(iter(tensors.values()))[0]
    if spec.name == "tokens":  # a language model begins with the start token
        whole = np.concatenate([[START], whole])
    return np.asarray(whole, spec.dtype.as_numpy_dtype)


def _written(step: Any, encoded: dict[str, Any]) -> Iterator[dict]:
    """The steps of a decoder that writes the most probable token each time."""
    known = {name: value.numpy() for name, value in encoded.items()}
    token = np.array([START], np.int32)
    for _ in range(GENERATED):
        given = {"tokens": token, **known}
        yield given
        result = step(given)
        token = result["logits"].numpy().argmax(1).astype(np.int32)
        known = _next(result, known)


def _next(found: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The states after a step, and the arguments that do not change."""
    new = {name: found[f"{NEXT}{name}"].numpy() for name in before if f"{NEXT}{name}" in found}
    return {**before, **new}


def _zeros(spec: Any) -> np.ndarray:
    return np.zeros([1, *spec.shape[1:]], spec.dtype.as_numpy_dtype)

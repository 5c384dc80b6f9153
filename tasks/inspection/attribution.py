"""Attribution of a prediction to the steps of its input: integrated gradients and occlusion."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.inspection.calls import changed_output, changed_steps, observed_inputs
from seqzoo.tasks.inspection.subject import Part, Subject
from seqzoo.tasks.inspection.trace import step_by_step
from seqzoo.tasks.layers.recurrent import NGramEmbedding
from seqzoo.tasks.layers.string_states import StringStates
from seqzoo.tasks.layers.word_characters import ConvolvedCharacters, WordCharacters
from seqzoo.tasks.layers.word_vectors import VectorTable
from seqzoo.tasks.runs.weight_paths import children

POINTS, MAX_POINTS = 64, 1024
"""Initial and maximum number of points on the path from the baseline to the input, placed by
Gauss-Legendre quadrature."""

MAX_RELATIVE_DELTA = 0.01
"""Relative convergence delta above which more points are used: quadrature converges slowly where
a network is not smooth."""

ROWS_AT_ONCE = 64
"""Maximum number of rows per call of the model."""

MAX_UNROLLED_STEPS = 100
"""Maximum number of steps for which layers run step by step, which saves compiling their loops."""

EMBEDDING_LAYERS = (
    keras.layers.Embedding,
    NGramEmbedding,
    VectorTable,
    WordCharacters,
    ConvolvedCharacters,
    StringStates,
)
"""Layers that embed the ids of an input."""

OF_STEPS = "of_steps"
"""The method that returns a vector for each step, of layers that return the sum of these."""

INTEGRATED = "integrated gradients"
"""The name of the method of `integrated_gradients`."""

REGION = 4
"""Side length of the regions of an image that occlusion covers, in pixels."""


@dataclass(frozen=True)
class Attribution:
    """The contribution of each part of an input to one step of the prediction.

    Attributes:
        values: (time,) for sequences, where the steps of further inputs follow those of the first
            (see `Subject.parts`); (height, width) for images.
        score: score of the prediction with the complete input.
        baseline: its score for the baseline input: zero vectors for tokens, zeros for numbers
            (their mean, if they are standardised; in a forecast, unobserved values), or a black
            image. If the first input is an image, further inputs are not changed.
        method: "integrated gradients" or "occlusion".
    """

    values: np.ndarray
    score: float
    baseline: float
    method: str

    @property
    def convergence_delta(self) -> float:
        """The sum of the integrated gradients minus (score - baseline); 0 if they are exact."""
        return float(self.values.sum()) - (self.score - self.baseline)


def integrated_gradients(
    subject: Subject, step: int | None = None, points: int | None = None
) -> Attribution:
    """Integrated gradients of a prediction's score (Sundararajan, Taly and Yan 2017, equation 1).

        IG_t = x_t * integral of d score(a x) / d x_t over a from 0 to 1

    x_t is the embedding of a token or n-gram, or the numbers themselves; an n-gram is attributed to
    the step in which it ends. The values of all steps add up to score - baseline.

    Args:
        subject: model, input and prediction.
        step: step of the prediction; by default all steps of a generated text, otherwise the last
            one.
        points: number of points on the path, evaluated in batches of 64; by default from 64 to
            1,024, until the sum of the values is within 1% of score - baseline.

    Raises:
        SeqzooError: the model copies tokens of its input, which is no function of their vectors.
    """
    if copies(subject):
        raise SeqzooError(
            "This model copies tokens of its input, which integrated gradients cannot follow; use "
            "occlusion.",
            field="method",
        )
    if points is None:
        points = POINTS
        while True:
            result = integrated_gradients(subject, step, points)
            span = abs(result.score - result.baseline)
            limit = MAX_RELATIVE_DELTA * span + 1e-6
            if abs(result.convergence_delta) <= limit or points >= MAX_POINTS:
                return result
            points *= 2
    nodes, weights = np.polynomial.legendre.leggauss(points)
    nodes, weights = (nodes + 1) / 2, weights / 2
    image = subject.inputs["values"].shape.rank >= 4
    total: Any = 0.0 if image else np.zeros(len(subject.all_labels))
    for start in range(0, points, ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        scale = nodes[part].astype(np.float32)
        with tf.GradientTape() as tape:
            scores, vectors = _score_scaled(subject, scale, tape.watch)
            value = tf.reduce_sum(
                subject.score(scores, step) * tf.constant(weights[part], tf.float32)
            )
        gradients = tape.gradient(value, [vector.scaled for vector in vectors])
        for vector, gradient in zip(vectors, gradients, strict=True):
            if gradient is not None:
                # The scores are weighted, so this is the weighted mean of the rows' gradients.
                summed = np.sum(np.asarray(gradient, np.float64), 0)
                values = vector.by_step(summed * np.asarray(vector.original[0]))
                if image:
                    total = total + values
                else:
                    total[vector.steps] += values
    ends, _ = _score_scaled(subject, np.array([0.0, 1.0], np.float32))
    baseline, score = np.asarray(subject.score(ends, step))
    return Attribution(np.asarray(total), float(score), float(baseline), INTEGRATED)


def occlusion(subject: Subject, step: int | None = None) -> Attribution:
    """The effect of each step of the input, or region of an image, on the score of a prediction:
    the score minus the score with the vectors of that step set to zero.

    Args:
        subject: model, input and prediction.
        step: step of the prediction; by default all steps of a generated text, otherwise the last
            one.
    """
    regions = _regions(subject)
    scores = []
    for start in range(0, len(regions), ROWS_AT_ONCE):
        part, _ = _score_scaled(subject, 1 - regions[start : start + ROWS_AT_ONCE])
        scores.append(np.asarray(subject.score(part, step)))
    occluded = np.concatenate(scores)
    ends, _ = _score_scaled(subject, np.array([0.0, 1.0], np.float32))
    baseline, score = np.asarray(subject.score(ends, step))
    values = np.einsum("r,r...->...", score - occluded, regions)
    return Attribution(values, float(score), float(baseline), "occlusion")


def copies(subject: Subject) -> bool:
    """Whether a model copies tokens of its first input into its output."""
    return bool(getattr(getattr(subject.model, "decoder", None), "copies", False))


def _without_copies(kept: Any, ids: Any) -> Any:
    """The ids that can be copied, (rows, time), without those of occluded steps."""
    return tf.where(kept, ids, tf.zeros_like(ids))


def _regions(subject: Subject) -> np.ndarray:
    """The occlusion mask of each row, with ones in the region that it covers: (rows, time), or
    (rows, height, width)."""
    values = subject.inputs["values"]
    if values.shape.rank < 4:
        return np.eye(len(subject.all_labels), dtype=np.float32)
    height, width = values.shape[2:4]
    corners = [(y, x) for y in range(0, height, REGION) for x in range(0, width, REGION)]
    regions = np.zeros((len(corners), height, width), np.float32)
    for row, (y, x) in enumerate(corners):
        regions[row, y : y + REGION, x : x + REGION] = 1
    return regions


@dataclass
class _Vectors:
    """The vectors of an input's steps, before and after they are scaled.

    Attributes:
        original: the vectors, (rows, time, ...).
        scaled: the vectors multiplied by the factors.
        steps: their slice of the concatenated steps of all inputs.
        image: whether they are the pixels of an image.
    """

    original: Any
    scaled: Any
    steps: slice
    image: bool = False

    def by_step(self, product: np.ndarray) -> np.ndarray:
        """(time, ...) -> (time,); an image (1, height, width[, channels]) -> (height, width)."""
        if self.image:
            return product[0].reshape(*product.shape[1:3], -1).sum(-1)
        return product.reshape(len(product), -1).sum(-1)


def _score_scaled(
    subject: Subject, factors: np.ndarray, watch: Any = None
) -> tuple[Any, list[_Vectors]]:
    """The scores with the input's vectors multiplied by factors, and the vectors.

    Args:
        subject: model, input and prediction.
        factors: the factors for each row of a batch: (rows,), (rows, time) or (rows, height,
            width).
        watch: called with the scaled vectors before they are used.
    """
    rows, vectors = len(factors), []
    inputs = {name: tf.repeat(value, rows, 0) for name, value in subject.inputs.items()}
    image = inputs["values"].shape.rank >= 4

    def scale(original: Any, steps: slice) -> Any:
        original = tf.convert_to_tensor(original)
        shape, factor = [rows] + [1] * (original.shape.rank - 1), factors
        if factors.ndim == 3:
            shape[2:4] = factors.shape[1:]
        elif factors.ndim == 2:
            factor = factors[:, steps]
            shape[1] = factor.shape[1]
        multiplied = original * tf.cast(tf.reshape(factor, shape), original.dtype)
        vectors.append(_Vectors(original, multiplied, steps, image))
        if watch is not None:
            watch(multiplied)
        return multiplied

    with contextlib.ExitStack() as stack:
        if len(subject.all_labels) <= MAX_UNROLLED_STEPS:
            stack.enter_context(step_by_step(subject.model))
        if copies(subject):
            by_step = factors.reshape(rows, -1)  # one column if a row has one factor
            steps = subject.parts[0].steps if factors.ndim == 2 else slice(None)
            kept = tf.constant(by_step[:, steps] != 0)
            without = partial(_without_copies, kept)
            stack.enter_context(changed_output(subject.model, without, "copies"))
        if subject.vectors:
            change = partial(scale, steps=subject.parts[0].steps)
            for method in subject.vectors:
                stack.enter_context(changed_output(subject.model, change, method))
        else:
            for reader in _readers(subject)[: 1 if image else None]:
                reader.enter(stack, scale, inputs)
        return subject.scores(inputs), vectors


class _Reader:
    """The part of a model that turns an input, or two inputs that are compared, into vectors.

    Args:
        parts: the inputs.
        layers: its layers whose outputs are the vectors; none if these are the input's values.
        encoder: the network that is called once for each input; None if there is only one.
    """

    def __init__(self, parts: Sequence[Part], layers: Sequence[Any], encoder: Any):
        self.parts, self.layers, self.encoder = parts, layers, encoder

    def enter(
        self,
        stack: contextlib.ExitStack,
        scale: Callable[[Any, slice], Any],
        inputs: dict[str, Any],
    ) -> None:
        """Replaces the vectors by `scale(vectors, steps)` until `stack` is closed.

        Args:
            stack: the stack to which the contexts are added.
            scale: returns the scaled vectors, given the vectors of one input and its steps.
            inputs: the inputs of the model, changed in place if they are the vectors.
        """
        if not self.layers:
            for part in self.parts:
                name = f"values{part.suffix}"
                inputs[name] = scale(tf.cast(inputs[name], tf.float32), part.steps)
            return
        current = self.parts[0]
        if len(self.parts) > 1:
            unread = list(self.parts)

            def observe(call: dict[str, Any]) -> None:
                nonlocal current
                values = call["values"]
                current = next(
                    part
                    for part in unread
                    if values.shape == inputs[f"values{part.suffix}"].shape
                    and bool(tf.reduce_all(values == inputs[f"values{part.suffix}"]))
                )
                unread.remove(current)

            stack.enter_context(observed_inputs(self.encoder, observe))

        def change(vectors: Any) -> Any:
            return scale(vectors, current.steps)

        for layer in self.layers:
            changed = changed_steps if hasattr(layer, OF_STEPS) else changed_output
            stack.enter_context(changed(layer, change))


def encoders_of(subject: Subject) -> dict[str | None, Any]:
    """The networks that encode separate inputs, by name; see `Part.encoder`."""
    names = {part.encoder for part in subject.parts}
    return {layer.name: layer for layer in _sublayers(subject.model) if layer.name in names}


def _readers(subject: Subject) -> list[_Reader]:
    """The readers of the inputs, in the order of the inputs."""
    model, encoders = subject.model, encoders_of(subject)
    parts_of: dict[str | None, list[Part]] = {}
    for part in subject.parts:
        # Only many-to-one has a separate encoder for the first input; in other models, the rest of
        # the model reads it.
        name = part.encoder if part.encoder in encoders else None
        parts_of.setdefault(name, []).append(part)
    readers = []
    for name, parts in parts_of.items():
        if name is None:
            layers = _vector_layers(getattr(model, "encoder", model), list(encoders.values()))
        else:
            layers = _vector_layers(encoders[name])
        if hasattr(model, "encoder"):  # image encoders rescale pixels internally
            layers = [layer for layer in layers if not isinstance(layer, keras.layers.Rescaling)]
        readers.append(_Reader(parts, layers, encoders.get(name)))
    return readers


def _vector_layers(layer: Any, excluded: Sequence[Any] = ()) -> list[Any]:
    """The layers inside a layer that turn an input into vectors, in the order of its children; of
    nested ones only the outermost."""
    if any(layer is other for other in excluded):
        return []
    if isinstance(layer, (*EMBEDDING_LAYERS, keras.layers.Rescaling)) or hasattr(layer, OF_STEPS):
        return [layer]
    return [item for _, child in children(layer) for item in _vector_layers(child, excluded)]


def _sublayers(layer: Any) -> Iterator[Any]:
    for _, child in children(layer):
        yield child
        yield from _sublayers(child)

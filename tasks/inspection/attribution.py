"""Attribution of a prediction to the steps of its input: integrated gradients and occlusion."""

import contextlib
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqzoo.tasks.inspection.calls import changed_output
from seqzoo.tasks.inspection.subject import Subject
from seqzoo.tasks.inspection.trace import step_by_step
from seqzoo.tasks.layers.recurrent import NGramEmbedding
from seqzoo.tasks.layers.string_states import StringStates
from seqzoo.tasks.layers.word_characters import ConvolvedCharacters, WordCharacters
from seqzoo.tasks.runs.weight_paths import children

POINTS, MAX_POINTS = 64, 1024
"""Initial and maximum number of points on the path from the baseline to the input, placed by
Gauss-Legendre quadrature."""

MAX_RELATIVE_DELTA = 0.01
"""Relative convergence delta above which more points are used: quadrature converges slowly where
a network is not smooth."""

ROWS_AT_ONCE = 64
"""Number of rows per call of the model."""

EMBEDDING_LAYERS = (
    keras.layers.Embedding,
    NGramEmbedding,
    WordCharacters,
    ConvolvedCharacters,
    StringStates,
)
"""Layers that embed the ids of an input."""

REGION = 4
"""Side length of the regions of an image that occlusion covers, in pixels."""


@dataclass(frozen=True)
class Attribution:
    """The contribution of each part of an input to one step of the prediction.

    Attributes:
        values: (time,) for sequences; (height, width) for images.
        score: score of the prediction with the complete input.
        baseline: its score for the baseline input: zero vectors for tokens, zeros for numbers
            (their mean, if they are standardised), or a black image.
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

    x are the embeddings of tokens and n-grams, or the numbers themselves; an n-gram is attributed
    to the step that it ends in. The values of all steps add up to score - baseline.

    Args:
        subject: model, input and prediction.
        step: step of the prediction; by default all steps of a generated text, otherwise the last
            one.
        points: number of points on the path, evaluated in batches of 64; by default from 64 to
            1,024, until the sum of the values is within 1% of score - baseline.
    """
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
    total: Any = 0.0
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
                product = summed * np.asarray(vector.original[0])
                total = total + vector.by_step(product)
    ends, _ = _score_scaled(subject, np.array([0.0, 1.0], np.float32))
    baseline, score = np.asarray(subject.score(ends, step))
    return Attribution(np.asarray(total), float(score), float(baseline), "integrated gradients")


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


def _regions(subject: Subject) -> np.ndarray:
    """The occlusion mask of each row, with ones in the region that it covers: (rows, time), or
    (rows, height, width)."""
    values = subject.inputs["values"]
    if values.shape.rank < 4:
        return np.eye(values.shape[1], dtype=np.float32)
    height, width = values.shape[2:4]
    corners = [(y, x) for y in range(0, height, REGION) for x in range(0, width, REGION)]
    regions = np.zeros((len(corners), height, width), np.float32)
    for row, (y, x) in enumerate(corners):
        regions[row, y : y + REGION, x : x + REGION] = 1
    return regions


@dataclass
class _Vectors:
    """The vectors of an input's steps, before and after they are scaled."""

    original: Any
    scaled: Any
    image: bool = False

    def by_step(self, product: np.ndarray) -> np.ndarray:
        """(time, ...) -> (time,); an image (1, height, width[, channels]) -> (height, width)."""
        if self.image:
            return product[0].reshape(*product.shape[1:3], -1).sum(-1)
        return product.reshape(len(product), -1).sum(-1)


def _score_scaled(
    subject: Subject, factors: np.ndarray, watch: Any = None
) -> tuple[Any, list[_Vectors]]:
    """The scores with the vectors of the input multiplied by factors, one set for each row of a
    batch: (rows,), (rows, time) or (rows, height, width)."""
    rows, vectors = len(factors), []
    inputs = {name: tf.repeat(value, rows, 0) for name, value in subject.inputs.items()}
    values = inputs["values"]

    def scale(original: Any) -> Any:
        original = tf.convert_to_tensor(original)
        shape = [rows] + [1] * (original.shape.rank - 1)
        if factors.ndim == 3:
            shape[2:4] = factors.shape[1:]
        elif factors.ndim == 2:
            shape[1] = factors.shape[1]
        multiplied = original * tf.cast(tf.reshape(factors, shape), original.dtype)
        image = values.shape.rank >= 4
        vectors.append(_Vectors(original, multiplied, image))
        if watch is not None:
            watch(multiplied)
        return multiplied

    with contextlib.ExitStack() as stack:
        stack.enter_context(step_by_step(subject.model))
        layers = _vector_layers(subject.model)
        if layers:
            for layer in layers:
                stack.enter_context(changed_output(layer, scale))
        else:
            inputs["values"] = scale(tf.cast(values, tf.float32))
        return subject.scores(inputs), vectors


def _vector_layers(model: Any) -> list[Any]:
    """The layers that turn the input into vectors, outermost first; in an encoder-decoder only
    those of the encoder."""
    start = getattr(model, "encoder", model)
    results: list[Any] = []

    def walk(layer: Any) -> None:
        if isinstance(layer, EMBEDDING_LAYERS):
            results.append(layer)
        elif isinstance(layer, keras.layers.Rescaling) and start is model:
            results.append(layer)
        else:
            for _, child in children(layer):
                walk(child)

    walk(start)
    return results

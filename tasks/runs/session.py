"""Sessions, which read an input in parts and keep the recurrent states between parts."""

from typing import Any

import numpy as np
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks.base import Prediction, PredictionOptions
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.export.parts import (
    initial_states,
    no_step,
    recurrent_layers,
    run_steps,
    state_specs,
    step_specs,
)
from seqzoo.tasks.many_to_many_aligned.forecaster_network import NextStep
from seqzoo.tasks.many_to_many_aligned.language_model_network import LanguageModel
from seqzoo.tasks.preprocessing.audio import AudioFeatures
from seqzoo.tasks.preprocessing.image_columns import ColumnFeatures
from seqzoo.tasks.preprocessing.image_rows import RowFeatures
from seqzoo.tasks.preprocessing.tagged_words import TokenFeatures
from seqzoo.tasks.preprocessing.text import TextFeatures
from seqzoo.tasks.preprocessing.vocabulary import SPECIAL
from seqzoo.tasks.protocols import Transcribes
from seqzoo.tasks.seq2seq.encoder_decoder import Generator
from seqzoo.tasks.targets.texts import END_TOKEN, START


class Stepper:
    """Runs a model over parts of inputs; shared by all sessions of a run.

    Args:
        task: the task.
        model: the trained model.

    Raises:
        SeqzooError: the model needs the complete input at once.
    """

    def __init__(self, task: Any, model: Any):
        reason = no_step(task, model)
        if isinstance(model, Generator):
            reason = "it reads its whole input before it generates text"
        elif getattr(task.template, "backward", False):
            reason = "it reads a text from its end"
        elif task.features.takes_time:
            reason = "its cell needs the time between steps, which parts do not include"
        if reason is not None:
            raise SeqzooError(f"This model cannot read an input part by part, because {reason}.")
        self.task = task
        self.model = model
        self.layers = recurrent_layers(model)
        specs = state_specs(self.layers)
        if isinstance(model, LanguageModel):
            steps = tf.TensorSpec([1, None], tf.int32)
        else:
            (spec,) = step_specs(task)
            steps = tf.TensorSpec([1, None, *spec.shape[1:]], spec.dtype)

        def run(steps: Any, states: list) -> tuple[Any, list]:
            with seqzoo.cells.portable():
                if isinstance(model, LanguageModel):
                    outputs, last = model(steps, states)
                    return outputs[:, -1], last
                return run_steps(task, model, [steps], states)

        unnamed = [tf.TensorSpec([1, *spec.shape[1:]], tf.float32) for spec in specs]
        self._run = tf.function(run, input_signature=[steps, unnamed], autograph=False)

    def first(self) -> list[Any]:
        """The states before the first step, each (1, units)."""
        return [
            tf.cast(initial_state, tf.float32) for initial_state in initial_states(self.layers, 1)
        ]

    def run(self, steps: np.ndarray, states: list[Any]) -> tuple[np.ndarray, list[Any]]:
        """Runs steps (time, ...) from the states before them; returns the outputs of the last step
        or of all steps, and the states after them."""
        outputs, last = self._run(tf.constant(steps[None]), states)
        return outputs.numpy(), [tf.cast(item, tf.float32) for item in last]


class Session:
    """One input that is read in parts, each of which is processed immediately and not kept.

    After each part, the prediction equals that of `Run.predict` for all parts so far, joined into
    one input, except that tags and numbers per step are only those of the last part, a forecast has
    only the next step, and a language model predicts the next token. If texts are decoded from the
    outputs of all steps, the outputs are kept, but not the input.

    Each part of a text is tokenised by itself, so a text must be cut at a space; only models that
    read characters without `nfc` and `lowercase` accept cuts anywhere.

    Args:
        stepper: the stepper of the run.
        options: the options of the predictions.
    """

    def __init__(self, stepper: Stepper, options: PredictionOptions):
        self.stepper = stepper
        self.options = options
        self.steps = 0
        self._states = stepper.first()
        self._samples = np.zeros(0, np.float32)
        self._outputs: list[np.ndarray] = []
        self._image: np.ndarray | None = None
        if isinstance(stepper.model, LanguageModel):
            _, self._states = stepper.run(np.array([START], np.int32), self._states)

    def feed(self, part: Any) -> Prediction:
        """Reads the next part of the input and makes a prediction.

        Args:
            part: the next part of an input of `Run.predict`: text, steps of a series, rows of an
                image (or its pixels), or any number of audio samples.

        Raises:
            SeqzooError: the part is empty or of the wrong shape, or the input is longer than the
                model's maximum length.
        """
        task = self.stepper.task
        if isinstance(task.features, AudioFeatures):
            return self._feed_sound(part)
        if isinstance(task.features, ColumnFeatures):
            return self._feed_columns(part)
        steps = self._encoded(part)
        self._check_limit(len(steps))
        return self._prediction(self._run(steps))

    def _check_limit(self, count: int) -> None:
        """Raises an error if the input exceeds the model's maximum length."""
        limit = getattr(self.stepper.task.template, "maximum_length", None)
        if limit is not None and self.steps + count > limit:
            raise SeqzooError(
                f"The model reads at most {limit:,} steps of an input, got "
                f"{self.steps + count:,} across all parts; start a new input."
            )

    def _run(self, steps: np.ndarray) -> np.ndarray:
        """Runs the next steps and returns their outputs; none for a `Transcribes` task, whose
        outputs are kept for decoding."""
        outputs, self._states = self.stepper.run(steps, self._states)
        self.steps += len(steps)
        if isinstance(self.stepper.task, Transcribes):
            self._outputs.append(outputs)
            outputs = outputs[:, :0]
        return outputs

    def _feed_sound(self, samples: Any) -> Prediction:
        features: AudioFeatures = self.stepper.task.features
        _, _ = features.raw([samples], ["the part"])  # checks the samples
        self._check_limit(-(-(len(self._samples) + len(samples)) // features.hop))
        self._samples = np.concatenate([self._samples, np.asarray(samples, np.float32)])
        complete = max((len(self._samples) - features.window) // features.hop + 1, 0)
        if complete:
            self._run(self._windows(complete))
            self._samples = self._samples[complete * features.hop :]
        # The rest, padded with silence as at the end of an audio input, is used only for this
        # prediction.
        rest = -(-len(self._samples) // features.hop)
        silence = np.zeros(features.window, np.float32)
        kept = self._samples
        self._samples = np.concatenate([kept, silence])
        outputs, _ = self.stepper.run(self._windows(rest), self._states)
        self._samples = kept
        return self._prediction(outputs)

    def _feed_columns(self, part: Any) -> Prediction:
        features: ColumnFeatures = self.stepper.task.features
        image = features.image(part, "the part")
        if self._image is not None:
            image = np.concatenate([self._image, image], 1)
        self._check_limit(-(-image.shape[1] // features.columns))
        complete = image.shape[1] // features.columns * features.columns
        outputs = np.zeros(0)
        if complete:
            outputs = self._run(features.steps_of(image[:, :complete]))
        self._image = image[:, complete:]
        if self._image.shape[1]:
            # The rest, padded as at the end of an image, is used only for this prediction.
            outputs, _ = self.stepper.run(features.steps_of(self._image), self._states)
        return self._prediction(outputs)

    def _windows(self, count: int) -> np.ndarray:
        features: AudioFeatures = self.stepper.task.features
        starts = np.arange(count)[:, None] * features.hop
        return self._samples[starts + np.arange(features.window)]

    def _encoded(self, part: Any) -> np.ndarray:
        """A part encoded as steps (time, ...) that match `step_specs`."""
        task, location = self.stepper.task, "the part"
        features = task.features
        if isinstance(features, TokenFeatures):
            part = features.words(part)
        if isinstance(features, TextFeatures):
            return features.encode(Examples([part], lines=[1], unit="part")).flat
        if isinstance(features, RowFeatures):
            return _rows(part, features)
        values, _ = features.raw([part], [location])
        return values[0]

    def _prediction(self, outputs: np.ndarray) -> Prediction:
        task, model = self.stepper.task, self.stepper.model
        if isinstance(model, LanguageModel):
            return _next_token(task, outputs[0], self.options.top)
        if isinstance(model, NextStep):
            following = task.targets.following(tf.constant(outputs[:, -1:]), None, 1.0)
            return Prediction(*task.targets.prediction(task.targets.unscaled(following[0])))
        if isinstance(self.stepper.task, Transcribes):
            outputs = np.concatenate([*self._outputs, outputs], 1)
            count = tf.constant([outputs.shape[1]])
            written = task.transcribe(tf.constant(outputs), count, self.options)
            results = {name: list(value.numpy()) for name, value in written.items()}
        elif outputs.ndim == 2:
            results = {"outputs": [outputs[0]]}
        elif hasattr(task, "targets"):
            results = {"outputs": [outputs[0]], "steps": [outputs.shape[1]]}
        else:
            count = tf.constant([outputs.shape[1]])
            tagged = task.tagged(model, tf.constant(outputs), count, self.options.top)
            results = {name: list(value.numpy()) for name, value in tagged.items()}
        return task.predictions(results, None, self.options)[0]


def _rows(part: Any, features: RowFeatures) -> np.ndarray:
    (size,), dtype = features.step
    try:
        rows = np.asarray(part, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise SeqzooError(f"A part must consist of numbers in rows of length {size}.") from error
    if rows.ndim == 1 and (size == 1 or rows.size == size):  # pixels, or a single row
        rows = rows.reshape(-1, size)
    if rows.shape[1:] == features.shape[1:]:  # of pixels, or with an axis of channels
        rows = rows.reshape(-1, size)
    if rows.ndim != 2 or (rows.size and rows.shape[1] != size):
        raise SeqzooError(
            f"A part must consist of rows of length {size}, (rows, {size}), got the shape "
            f"{rows.shape}."
        )
    if not rows.size or not np.isfinite(rows).all():
        raise SeqzooError(
            f"A part must consist of finite numbers in at least one row of length {size}."
        )
    if dtype == "uint8" and (rows.min() < 0 or rows.max() > 255 or (rows % 1).any()):
        raise SeqzooError("A part must consist of whole numbers from 0 to 255, as in training.")
    return rows.astype(dtype)


def _next_token(task: Any, logits: np.ndarray, top: int) -> Prediction:
    """The most probable next tokens, as a prediction."""
    scores = logits.astype(np.float64)
    probabilities = np.exp(scores - scores.max())
    probabilities /= probabilities.sum()
    names = [*[""] * SPECIAL, *task.texts.vocabulary.tokens]
    probabilities[[*range(SPECIAL), START]] = 0.0  # they are never generated
    best = np.argsort(-probabilities, kind="stable")[:top]
    ranked = tuple(
        ("" if names[n] == END_TOKEN else names[n], float(probabilities[n])) for n in best
    )
    return Prediction(ranked[0][0], ranked[0][0], ranked[0][1], ranked)

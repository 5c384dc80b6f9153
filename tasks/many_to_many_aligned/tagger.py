"""`ManyToManyAligned` for tags, with what it learned from training examples."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
import tensorflow as tf

from seqzoo.tasks.base import Outcome, Prediction, PredictionOptions, Task
from seqzoo.tasks.data.batches import Data, Sequences
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.layers.crf import CRF, FORBIDDEN
from seqzoo.tasks.layers.readout import inputs_of_layer, steps_of
from seqzoo.tasks.many_to_many_aligned.cuts import CutsAtSteps
from seqzoo.tasks.many_to_many_aligned.tagger_metrics import SAMPLES, tagging_metrics
from seqzoo.tasks.many_to_many_aligned.tagger_network import tagger_network
from seqzoo.tasks.metrics.classification import f1
from seqzoo.tasks.metrics.entity_counts import Spans
from seqzoo.tasks.preprocessing.base import Features
from seqzoo.tasks.preprocessing.joined import JoinedFeatures, features_of
from seqzoo.tasks.preprocessing.tagged_words import (
    CHARACTERS,
    WORD,
    TokenFeatures,
)
from seqzoo.tasks.preprocessing.vocabulary import UNKNOWN
from seqzoo.tasks.protocols import Readout
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.targets.tags import Tags
from seqzoo.tasks.targets.weighting import Weighting, refuse


class TaggerTask(CutsAtSteps, Task):
    """A model that predicts a tag for each step.

    The loss of a sequence is the cross-entropy of its tags, summed over steps, or, with a CRF, the
    negative log-likelihood of all tags together. The value of a `Prediction` is a tuple of tags,
    like a target, and its probability is their joint probability; with a CRF and options that ask
    for several sequences, `alternatives` has the most probable ones. The metric is the F1 of
    entities if all tags are BIO or BIOES, otherwise the accuracy of steps.

    Args:
        template: the options, a `ManyToManyAligned`.
        features: how inputs become tensors.
        tags: the meaning of the outputs.
    """

    better = 1
    default_options = PredictionOptions(top=1)  # a CRF's search for more sequences takes longer

    def __init__(self, template: Any, features: Features, tags: Tags):
        self.template = template
        self.features = features
        self.tags = tags
        self.weighting = Weighting()
        self.spans = Spans(tags.names) if tags.entities else None
        self.metric, self.sums = ("entity_f1", 3) if self.spans else ("accuracy", 1)

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> Self:
        features = features_of(template, tokens=True)
        return cls(template, features.learn(template, examples), Tags.learn(examples))

    @classmethod
    def restore(cls, template: Any, config: dict[str, Any], vocabularies: dict) -> Self:
        features = features_of(template, tokens=True)
        features = features.from_config(template, config["features"], vocabularies)
        return cls(template, features, Tags(**config["tags"]))

    def build(self, precision: str = "float32") -> Any:
        sizes = {name: len(vocabulary) for name, vocabulary in self.vocabularies.items()}
        count = len(self.tags.names)
        return tagger_network(
            self.template,
            self.features,
            sizes.get(CHARACTERS),
            CRF(count, self.tags.constraints, name="crf") if self.template.crf else None,
            count,
            precision,
        )

    def as_words(self, sentences: Any) -> Any:
        """Inputs for prediction, with raw sentences (strings) split into words as in the training
        data; other inputs are unchanged."""
        features = self.features.first
        if not isinstance(features, TokenFeatures):
            return sentences
        if not isinstance(self.features, JoinedFeatures):
            return [features.words(sentence) for sentence in sentences]
        name = self.features.names[0]
        return [
            {**row, name: features.words(row[name])}
            if isinstance(row, Mapping) and name in row
            else row
            for row in sentences
        ]

    def encode(self, examples: Examples, targets: bool) -> Data:
        if not targets:
            examples = replace(examples, inputs=self.as_words(examples.inputs))
        inputs, further = self.features.encode(examples), self.features.encode_further(examples)
        if not targets:
            return Data(inputs, further=further)
        encoded = self.tags.encode(examples, inputs.lengths)
        if self.template.crf:
            self.tags.check(encoded, examples)
        return Data(inputs, encoded, further=further)

    def forward(self, model: Any, batch: dict[str, Any], training: bool) -> Outcome:
        scores = self.scores(model, batch, training)
        best = self._best(model, scores, batch["lengths"])
        outcome = self._outcome(model, scores, batch, best)
        counted = batch.get("counted")
        if not training or (self.weighting == Weighting() and counted is None):
            return outcome
        targets = batch["targets"]
        if self.template.crf:
            adjusted = self.weighting.adjust(scores)
            losses = -self._log_likelihood(model, adjusted, targets, batch["lengths"])
            return outcome._replace(losses=losses, reported=outcome.losses)
        exact = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, scores)
        weighted = self.weighting(exact, exact, targets)
        inside = _inside(scores, batch["lengths"])
        if counted is not None:
            inside &= counted
        losses = tf.reduce_sum(tf.where(inside, weighted, 0.0), 1)
        return outcome._replace(losses=losses, reported=outcome.losses)

    def weigh(self, settings: TrainingSettings, data: Data) -> None:
        if self.template.crf:
            expected = "tags without `crf`, whose loss is that of a whole sequence"
            refuse(settings, expected, ["focal"])
        targets: Any = data.targets
        counts = np.bincount(targets.flat, minlength=len(self.tags.names))
        self.weighting = Weighting.of(settings, self.tags.names, counts)

    def scores(self, model: Any, batch: dict[str, Any], training: bool = False) -> Any:
        """The scores of each tag at each step, (batch, time, tags), float32."""
        inputs = {name: batch[name] for name in model.input}
        return tf.cast(model(inputs, training=training), tf.float32)

    def _best(self, model: Any, scores: Any, lengths: Any) -> Any:
        """The most probable tags, (batch, time), int32."""
        if self.template.crf:
            return model.get_layer("crf").best_tags(scores, lengths)
        return tf.argmax(scores, -1, tf.int32)

    def _log_likelihood(self, model: Any, scores: Any, tags: Any, lengths: Any) -> Any:
        """Log-probability of the tags of each sequence, (batch,)."""
        if self.template.crf:
            return model.get_layer("crf").log_likelihood(scores, tags, lengths)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tags, scores)
        return -tf.reduce_sum(tf.where(_inside(scores, lengths), losses, 0.0), 1)

    def _outcome(self, model: Any, scores: Any, batch: dict[str, Any], predicted: Any) -> Outcome:
        targets, lengths = batch["targets"], batch["lengths"]
        losses = -self._log_likelihood(model, scores, targets, lengths)
        inside = _inside(scores, lengths)
        if self.spans:
            return Outcome(losses, self.spans.count(predicted, targets, inside))
        correct = (predicted == targets) & inside
        return Outcome(losses, tf.reduce_sum(tf.cast(correct, tf.float32), 1)[:, None])

    logits = True

    reads_out_steps = True

    def output_layer(self, model: Any) -> Any:
        if self.template.crf:
            raise SeqzooError(field="readout", expected="'gradient' with `crf`", got="ridge")
        return model.get_layer("scores")

    def readout(self, model: Any, batch: dict[str, Any], washout: int) -> Readout:
        features = inputs_of_layer(self.output_layer(model), model, batch)
        count = len(self.tags.names)
        targets = tf.one_hot(batch["targets"], count) - 1 / count
        return steps_of(features, targets, batch["lengths"], washout)

    def counts(self, batch: dict[str, Any]) -> Any:
        return tf.cast(batch["lengths"], tf.float32)

    def measure(self, sums: np.ndarray, count: float) -> float:
        if self.spans:
            correct, predicted, actual = sums
            return f1(float(correct), float(predicted), float(actual))
        return float(sums[0] / count)

    def respond(self, model: Any, raw: tuple, options: PredictionOptions) -> dict[str, Any]:
        """Tags (batch, time), "" in the padding, with their probabilities, and the lengths; for
        text also the tokens, (batch, time)."""
        inputs = self.features.tensors(*raw)
        values, lengths = inputs["values"], inputs["lengths"]
        scores = self.scores(model, inputs)
        result = self.tagged(model, scores, lengths)
        names = tf.gather(tf.constant(self.tags.names), result["tags"])
        prediction = {
            "tags": tf.where(_inside(values, lengths), names, ""),
            "probabilities": result["probabilities"],
            "lengths": lengths,
        }
        if isinstance(self.features.first, TokenFeatures):
            prediction["tokens"] = self.features.first.tokens(*self.features.raw_of_first(raw))
        return prediction

    def traced_options(self, options: PredictionOptions) -> Any:
        return options.top if self.template.crf else None

    def infer(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        return self.tagged(model, self.scores(model, batch), batch["lengths"], options.top)

    @property
    def calibrated_layer(self) -> str | None:
        return None if self.template.crf else "scores"

    def class_logits(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        return {"logits": self.scores(model, batch), "lengths": batch["lengths"]}

    def decisions(self, results: dict[str, list], data: Data) -> tuple[np.ndarray, np.ndarray]:
        pairs = zip(results["logits"], results["lengths"], strict=True)
        targets: Any = data.targets
        return np.concatenate([item[:length] for item, length in pairs]), targets.flat

    def score(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        scores = self.scores(model, batch)
        result = self.tagged(model, scores, batch["lengths"])
        losses = self._outcome(model, scores, batch, result["tags"]).losses
        return {**result, "loss": losses, "count": self.counts(batch)}

    def tagged(self, model: Any, scores: Any, lengths: Any, top: int = 1) -> dict[str, Any]:
        """The tensors that `predictions` needs, from the scores of each tag at each step, (batch,
        time, tags).

        Args:
            model: the model.
            scores: the scores of its tags.
            lengths: number of steps of each row, (batch,).
            top: number of most probable sequences of tags that a CRF returns; if above 1, they are
                "best", (batch, top, time), with "best_log_probabilities", (batch, top).
        """
        tags = self._best(model, scores, lengths)
        marginals = self._marginals(model, scores, lengths)
        probabilities = tf.gather(marginals, tags, axis=2, batch_dims=2)
        results = {
            "tags": tags,
            "probabilities": tf.where(_inside(scores, lengths), probabilities, 0.0),
            "log_probabilities": self._log_likelihood(model, scores, tags, lengths),
            "lengths": lengths,
        }
        if not self.template.crf or top == 1:
            return results
        best, values = model.get_layer("crf").n_best(scores, lengths, top)
        logs = results["log_probabilities"][:, None] + values - values[:, :1]
        logs = tf.where(values > FORBIDDEN / 2, logs, FORBIDDEN)
        return {**results, "best": best, "best_log_probabilities": logs}

    def _marginals(self, model: Any, scores: Any, lengths: Any) -> Any:
        """The probability of each tag at each step, (batch, time, tags)."""
        if self.template.crf:
            return model.get_layer("crf").marginals(scores, lengths)
        return tf.nn.softmax(scores)

    def marginals(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        """The "probabilities" of each tag at each step, (batch, time, tags)."""
        scores = self.scores(model, batch)
        return {"probabilities": self._marginals(model, scores, batch["lengths"])}

    def predictions(
        self, results: dict[str, list], inputs: Any, options: PredictionOptions
    ) -> list[Prediction]:
        predictions = []
        names = ("tags", "lengths", "log_probabilities", "probabilities")
        parts = zip(*(results[name] for name in names), strict=True)
        for index, (ids, length, log_probability, probabilities) in enumerate(parts):
            tags = self._names(ids[:length])
            by_step = tuple(map(float, probabilities[:length]))
            probability = math.exp(float(log_probability))
            alternatives = ()
            if "best" in results:
                values = results["best_log_probabilities"][index]
                alternatives = tuple(
                    (" ".join(self._names(best[:length])), math.exp(float(value)))
                    for best, value in zip(results["best"][index], values, strict=True)
                    if value > FORBIDDEN / 2
                )
            predictions.append(
                Prediction(
                    " ".join(tags), tags, probability, alternatives, step_probabilities=by_step
                )
            )
        return predictions

    def _names(self, ids: Any) -> tuple[str, ...]:
        return tuple(self.tags.names[tag] for tag in ids)

    def compute_metrics(
        self, results: dict[str, list], data: Data, examples: Examples, options: PredictionOptions
    ) -> dict[str, Any]:
        predicted = [
            item[:length] for item, length in zip(results["tags"], results["lengths"], strict=True)
        ]
        unknown = None
        if WORD in self.vocabularies and self.template.input == "words":
            flat = data.inputs.flat
            unknown = (flat if flat.ndim == 1 else flat[:, 0]) == UNKNOWN
        tokens = [
            self._steps(examples.inputs[index]) for index in range(min(SAMPLES, len(examples)))
        ]
        assert isinstance(data.targets, Sequences)
        pairs = zip(results["probabilities"], results["lengths"], strict=True)
        probabilities = np.concatenate([item[:length] for item, length in pairs])
        return tagging_metrics(self.tags, predicted, data.targets, tokens, unknown, probabilities)

    def tokens(self, value: Any) -> list[str] | None:
        """The tokens of an input for prediction, or None if it consists of numbers."""
        (sentence,) = self.as_words([value])
        return self._steps(sentence)

    def _steps(self, value: Any) -> list[str] | None:
        """The tokens of an input in the form of training examples."""
        features = self.features.first
        if not isinstance(features, TokenFeatures):
            return None
        raw = self.features.raw([value], ["the input"])
        (row,) = features.split(*self.features.raw_of_first(raw)).to_list()
        return [token.decode("utf-8") for token in row]

    def to_config(self) -> dict[str, Any]:
        return {"features": self.features.to_config(), "tags": self.tags.to_config()}


def _inside(steps: Any, lengths: Any) -> Any:
    """Whether each step of (batch, time, ...) is not padding, (batch, time)."""
    return tf.range(tf.shape(steps)[1])[None, :] < lengths[:, None]

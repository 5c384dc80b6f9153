"""`ManyToManyUnaligned` with what it learned from training examples."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from seqzoo.tasks.base import Outcome, Prediction, PredictionOptions, Task
from seqzoo.tasks.data.batches import Data, Sequences
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.kinds import UNALIGNED
from seqzoo.tasks.layers.encoders import beside_steps
from seqzoo.tasks.layers.random_views import varied
from seqzoo.tasks.layers.recurrent import (
    at_least_float32,
    loss_precision,
    recurrent_stack,
    sequence_inputs,
)
from seqzoo.tasks.layers.step_convolutions import convolved
from seqzoo.tasks.layers.word_vectors import embed_tokens
from seqzoo.tasks.many_to_many_unaligned.ctc import (
    IMPOSSIBLE,
    best_alignment,
    ctc_losses,
)
from seqzoo.tasks.many_to_many_unaligned.joint_search import joint_search, text_scores
from seqzoo.tasks.many_to_many_unaligned.language import FusedLanguage, language_model
from seqzoo.tasks.many_to_many_unaligned.search import greedy_search, prefix_beam_search
from seqzoo.tasks.metrics.sequences import error_rates
from seqzoo.tasks.preprocessing.base import Features
from seqzoo.tasks.preprocessing.joined import features_of
from seqzoo.tasks.preprocessing.vocabulary import UNKNOWN, Vocabulary
from seqzoo.tasks.seq2seq.task import text_predictions
from seqzoo.tasks.seq2seq.text_metrics import scores_of
from seqzoo.tasks.targets.texts import END, START, TextOptions, Texts, required_texts

BANNED = (UNKNOWN, START, END)
"""Ids that are not symbols of a text."""

UNSUPPORTED = {
    "length_penalty": 0.0,
    "coverage_penalty": 0.0,
    "temperature": 1.0,
    "top_k": None,
    "top_p": None,
    "minimum_length": 0,
    "no_repeat_ngram": None,
    "repetition_penalty": 1.0,
    "replace_unknown": False,
}
"""Options of `Decoding` that are only for texts generated token by token, with the values that turn
them off."""


class UnalignedTask(Task):
    """A model that maps a sequence to a shorter text in the same order, with CTC.

    The loss is the negative logarithm of a text's probability, which is summed over its alignments;
    it is divided by the number of the text's symbols plus one for the end. The metric is the token
    error rate of greedy search.

    Args:
        template: the options, a `ManyToManyUnaligned`.
        features: how inputs become tensors.
        transcripts: how texts become symbols.
    """

    metric = "token_error"
    better = -1
    sums = 2

    transcribes = True
    """Whether the length of an output is that of its alignment, which no option limits."""

    def __init__(self, template: Any, features: Features, transcripts: Texts):
        self.template = template
        self.features = features
        self.transcripts = transcripts

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> Self:
        choices = TextOptions.of_target(template)
        transcripts = Texts.learn(choices, required_texts(examples), examples.locations)
        features = features_of(template).learn(template, examples)
        return cls(template, features, transcripts)

    @classmethod
    def restore(cls, template: Any, config: dict[str, Any], vocabularies: dict) -> Self:
        choices = TextOptions.of_target(template)
        transcripts = Texts(choices, vocabularies["target_vocabulary"], **config["transcripts"])
        features = features_of(template)
        features = features.from_config(template, config["features"], vocabularies)
        return cls(template, features, transcripts)

    def build(self, precision: str = "float32") -> Any:
        template = self.template
        inputs, values, mask = sequence_inputs(self.features)
        first = self.features.first
        if first.vocabulary is not None:
            values = embed_tokens(first, template, values, precision)
        elif first.step[1] == "uint8":
            values = keras.layers.Rescaling(1 / 255, dtype=precision, name="scale")(values)
        values = varied(template, first, values, mask, precision)
        values = convolved(template, first, values, mask, precision)
        values = beside_steps(inputs, values, template, self.features, precision)
        values = recurrent_stack(template, values, mask, sequence=True, dtype=precision)
        if template.dropout:
            values = keras.layers.Dropout(template.dropout, dtype=precision, name="dropout")(values)
        outputs = keras.layers.Dense(
            len(self.transcripts.vocabulary), dtype=loss_precision(precision), name="outputs"
        )(values)
        return keras.Model(inputs, outputs, name="many_to_many_unaligned")

    def encode(self, examples: Examples, targets: bool) -> Data:
        inputs, further = self.features.encode(examples), self.features.encode_further(examples)
        if not targets:
            return Data(inputs, further=further)
        encoded = self.transcripts.encode(required_texts(examples), examples.locations)
        self._check_steps(inputs, encoded, examples)
        return Data(inputs, encoded, further=further)

    def _check_steps(self, inputs: Sequences, targets: Sequences, examples: Examples) -> None:
        """Checks that each target has an alignment with its input.

        Raises:
            SeqzooError: a target needs more steps than its input has.
        """
        # Equal adjacent symbols. Each target ends with an end token, so they are in the same text,
        # unless the next one is empty.
        same = (targets.flat[1:] == targets.flat[:-1]) & (targets.flat[:-1] != END)
        repeats = np.append(same, False).astype(np.int64)
        needed = targets.lengths - 1 + np.add.reduceat(repeats, targets.starts)
        (too_long,) = np.nonzero(needed > inputs.lengths)
        if not len(too_long):
            return
        first = int(too_long[0])
        location = examples.location(first)
        others = len(too_long) - 1
        more = f" (and so {'is' if others == 1 else 'are'} {others:,} more)" if others else ""
        raise SeqzooError(
            f"The target of {location} is too long for its input{more}: "
            f"{targets.lengths[first] - 1} "
            f"symbols and a blank between equal adjacent symbols need {needed[first]} steps, got "
            f"{inputs.lengths[first]}. Leave out such examples, or use "
            "many-to-many-encoder-decoder.",
            location=location,
        )

    def forward(self, model: Any, batch: dict[str, Any], training: bool) -> Outcome:
        logits = self.outputs(model, batch, training)
        return self._outcome(logits, batch)

    def _outcome(self, logits: Any, batch: dict[str, Any]) -> Outcome:
        # The end token of targets is not used: a text ends with its input.
        targets, count = batch["targets"], batch["target_lengths"] - 1
        losses = ctc_losses(logits, batch["lengths"], targets, count)
        predicted, lengths, *_ = self.read(logits, batch["lengths"])
        distances = edits(predicted, lengths, targets, count)
        sums = tf.stack([distances, tf.cast(count, tf.float32)], 1)
        return Outcome(losses, tf.stop_gradient(sums))

    def outputs(self, model: Any, batch: dict[str, Any], training: bool = False) -> Any:
        """The logits for the encoded inputs of a batch, (batch, time, ids); id 0 is the blank."""
        outputs = model({name: batch[name] for name in model.input}, training=training)
        return at_least_float32(outputs)

    def read(self, logits: Any, lengths: Any) -> tuple:
        """The symbols that greedy search finds: ids (batch, time), their number (batch,), and the
        first step and the step after the last one of each, (batch, time)."""
        return greedy_search(_allowed(logits), lengths)

    def counts(self, batch: dict[str, Any]) -> Any:
        return tf.cast(batch["target_lengths"], tf.float32)

    def measure(self, sums: np.ndarray, count: float) -> float:
        return float(sums[0] / max(sums[1], 1.0))

    @property
    def decoding(self) -> Decoding:
        """The default options of the search."""
        return Decoding()

    def respond(self, model: Any, raw: tuple, options: PredictionOptions) -> dict[str, Any]:
        """The best "text" with its "log_probability"; "texts" and "log_probabilities", (batch,
        texts); the "symbols" of the best one, (batch, time), followed by "", each with its first
        step, "starts", and the step after its last one, "stops"."""
        results = self.infer(model, self.features.tensors(*raw), options)
        return {
            "text": results["texts"][:, 0],
            "log_probability": results["log_probabilities"][:, 0],
            **{name: results[name] for name in ("texts", "log_probabilities")},
            **{name: results[name] for name in ("symbols", "starts", "stops")},
        }

    def infer(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        logits = self.outputs(model, batch)
        return self.transcribe(logits, batch["lengths"], options)

    def step_outputs(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        """The logits of all steps, "outputs", (batch, time, ids), float32, and their numbers,
        "lengths"; with targets, also "loss" and "count"."""
        logits = tf.cast(self.outputs(model, batch), tf.float32)
        results = {"outputs": logits, "lengths": batch["lengths"]}
        if "targets" in batch:
            results |= {"loss": self._outcome(logits, batch).losses, "count": self.counts(batch)}
        return results

    def score(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        logits = self.outputs(model, batch)
        outcome = self._outcome(logits, batch)
        results = {"loss": outcome.losses, "count": self.counts(batch)}
        return results | self.transcribe(logits, batch["lengths"], options)

    def transcribe(self, outputs: Any, lengths: Any, options: PredictionOptions) -> dict[str, Any]:
        """Transcribes a batch.

        Args:
            outputs: logits of all steps, (batch, time, ids).
            lengths: number of steps of each row, (batch,), int32.
            options: the options of the search.

        Raises:
            SeqzooError: the options are for texts that are generated token by token.
        """
        choices = options.decoding or self.decoding
        _check_decoding(choices)
        steps = tf.maximum(lengths, 1)  # an input without steps has one step of padding
        logits = tf.cast(outputs, tf.float32)
        allowed = _allowed(tf.nn.log_softmax(logits))
        if choices.method == "greedy":
            ids, count, starts, stops = greedy_search(allowed, lengths)
            tokens, counts, ranks = (
                ids[:, None],
                count[:, None],
                tf.zeros_like(count[:, None], tf.float32),
            )
        else:
            tokens, counts, ranks = prefix_beam_search(
                allowed, lengths, choices.beam_width, choices.count, self._language_model(choices)
            )
            ids, count = tokens[:, 0], counts[:, 0]
            starts, stops = best_alignment(allowed, steps, ids, count)
        scores = text_scores(logits, lengths, tokens, counts)
        scores = tf.where(tf.math.is_finite(ranks), scores, float("-inf"))
        return self._transcripts(tokens, counts, scores, starts, stops)

    def transcribe_jointly(
        self, outputs: Sequence[Any], lengths: Any, options: PredictionOptions
    ) -> dict[str, Any]:
        """Transcribes a batch by several models; see `joint_search`. The steps of symbols are those
        of the first model.

        Args:
            outputs: logits of each model, (batch, time, ids), with the ids of this task.
            lengths: number of steps of each row, (batch,), int32.
            options: the options of the search.

        Raises:
            SeqzooError: the options are for texts that are generated token by token.
        """
        choices = options.decoding or self.decoding
        _check_decoding(choices)
        allowed = [_allowed(tf.nn.log_softmax(item)) for item in outputs]
        width = None if choices.method == "greedy" else choices.beam_width
        tokens, counts, scores = joint_search(outputs, allowed, lengths, width, choices.count)
        best = tokens[:, 0], counts[:, 0]
        starts, stops = best_alignment(allowed[0], tf.maximum(lengths, 1), *best)
        return self._transcripts(tokens, counts, scores, starts, stops)

    def _transcripts(
        self, tokens: Any, counts: Any, scores: Any, starts: Any, stops: Any
    ) -> dict[str, Any]:
        ids, count = tokens[:, 0], counts[:, 0]
        inside = tf.cast(tf.range(tf.shape(ids)[1]) < count[:, None], tf.int32)
        return {
            "texts": self.transcripts.join(tokens, counts),
            "log_probabilities": scores,
            "token_probabilities": tf.exp(scores / tf.cast(tf.maximum(counts, 1), tf.float32)),
            "symbols": self.transcripts.join(ids[..., None], inside, continues=True),
            "starts": starts,
            "stops": stops,
        }

    def _language_model(self, choices: Any) -> FusedLanguage | None:
        folder = choices.language_model
        if folder is None:
            return None
        run = language_model(folder, self.template.target)
        return FusedLanguage(run, self.transcripts.vocabulary, choices.language_weight)

    def companions(self, options: PredictionOptions) -> list[Any]:
        choices = options.decoding or self.decoding
        fused = self._language_model(choices)
        return [] if fused is None else [fused.run.model]

    def predictions(
        self, results: dict[str, list], inputs: Any, options: PredictionOptions
    ) -> list[Prediction]:
        parts = zip(results["symbols"], results["starts"], results["stops"], strict=True)
        return [
            replace(
                prediction,
                alignment=tuple(
                    (symbol.decode("utf-8"), int(start), int(stop))
                    for symbol, start, stop in zip(*part, strict=True)
                    if stop
                ),
            )
            for prediction, part in zip(text_predictions(results), parts, strict=True)
        ]

    def compute_metrics(
        self,
        results: dict[str, list],
        data: Data | None,
        examples: Examples,
        options: PredictionOptions,
    ) -> dict[str, Any]:
        texts = [item[0].decode("utf-8") for item in results["texts"]]
        examples = self.transcripts.as_references(examples)
        metrics = scores_of(texts, examples, self.transcripts.tokens)
        truth = required_texts(examples)
        samples = metrics.pop("samples")
        for name, split in (("character_error", list), ("word_error", str.split)):
            rates = error_rates([split(item) for item in texts], [[split(item)] for item in truth])
            metrics[name] = rates["token_error"]
        return {**metrics, "samples": samples}

    @property
    def vocabularies(self) -> dict[str, Vocabulary]:
        return {"target_vocabulary": self.transcripts.vocabulary, **self.features.vocabularies}

    def to_config(self) -> dict[str, Any]:
        config = {"features": self.features.to_config()}
        return {**config, "transcripts": self.transcripts.to_config()}


def edits(predicted: Any, lengths: Any, targets: Any, target_lengths: Any) -> Any:
    """Edit distances: the number of insertions, deletions and substitutions, (batch,), float32."""

    def sparse(ids: Any, count: Any) -> Any:
        positions = tf.where(tf.range(tf.shape(ids)[1]) < count[:, None])
        shape = tf.shape(ids, out_type=tf.int64)
        return tf.SparseTensor(positions, tf.gather_nd(ids, positions), shape)

    pair = sparse(predicted, lengths), sparse(targets, target_lengths)
    return tf.edit_distance(*pair, normalize=False)


def _allowed(scores: Any) -> Any:
    """Scores (..., ids), with `IMPOSSIBLE` for ids that are not symbols of a text."""
    banned = np.zeros(scores.shape[-1], bool)
    banned[list(BANNED)] = True
    return tf.where(banned, tf.cast(IMPOSSIBLE, scores.dtype), scores)


def _check_decoding(choices: Any) -> None:
    """Checks that no option is set that a search over alignments does not support.

    Raises:
        SeqzooError: such an option is set.
    """
    if choices.method == "sample":
        expected = f"'greedy' or 'beam' for {UNALIGNED}"
        raise SeqzooError(field="method", expected=expected, got=choices.method)
    for name, off in UNSUPPORTED.items():
        value = getattr(choices, name)
        if value != off:
            raise SeqzooError(field=name, expected=f"{off} for {UNALIGNED}", got=value)

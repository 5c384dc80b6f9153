"""`ManyToManyAligned` as a language model, with what it learned from training examples."""

import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import tensorflow as tf

from seqzoo.tasks.base import Outcome, Prediction, PredictionOptions, Task
from seqzoo.tasks.data.batches import Data, Padding, Plan, Sequences, cut_steps
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.data.windows import LaneData
from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.decoding.decoder import Decoded, decode
from seqzoo.tasks.decoding.sampling import row_seeds
from seqzoo.tasks.decoding.scoring import score
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.layers.recurrent import cell_choices, make_cell
from seqzoo.tasks.many_to_many_aligned.language_model_network import LanguageModel
from seqzoo.tasks.metrics.sequences import perplexity
from seqzoo.tasks.preprocessing.text import TextFeatures
from seqzoo.tasks.preprocessing.vocabulary import PADDING, UNKNOWN
from seqzoo.tasks.seq2seq.decoder import Decoder
from seqzoo.tasks.seq2seq.task import text_predictions
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.targets.texts import END, START, TextOptions, Texts

MIN_PROMPT_LENGTH = 16
"""Minimum padded length of prompts."""


class Prompts(Data):
    """Prompts, which are far shorter than the training windows."""

    def plan(
        self,
        padding: Padding,
        settings: TrainingSettings,
        *,
        multiple: int = 1,
        seed: tuple[int, ...] | None = None,
    ) -> Plan:
        return super().plan(
            Padding([MIN_PROMPT_LENGTH], []), settings, multiple=multiple, seed=seed
        )


class LanguageModelTask(Task):
    """A language model of characters, words or subwords.

    Training runs over windows of the texts and carries the states from each to the next; see
    `seqzoo.tasks.data.windows`. The loss is the cross-entropy of all tokens, including the end of
    each text if the data are separate texts.

    Args:
        template: the options, a `ManyToManyAligned`.
        texts: how texts become tokens.
    """

    metric = "perplexity"
    better = -1
    sums = 1

    def __init__(self, template: Any, texts: Texts):
        self.template = template
        self.texts = texts
        self.end = None if template.whole else END
        size = make_cell(template).state_size
        self.carries = (
            (size,) * template.layers if isinstance(size, int) else tuple(size) * template.layers
        )

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> Self:
        options = TextOptions.of_input(template)
        return cls(template, Texts.learn(options, examples.inputs, examples.locations))

    @classmethod
    def restore(cls, template: Any, config: dict[str, Any], vocabularies: dict) -> Self:
        options = TextOptions.of_input(template)
        return cls(template, Texts(options, vocabularies["vocabulary"], **config["texts"]))

    def build(self, precision: str = "float32") -> LanguageModel:
        template = self.template
        decoder = Decoder(
            len(self.texts.vocabulary),
            **cell_choices(template),
            embedding=template.embedding,
            tied=template.tied,
            dtype=precision,
            name="decoder",
        )
        model = LanguageModel(decoder, name="language_model")
        model.build()
        return model

    def encode(self, examples: Examples, targets: bool) -> Data:
        """Encodes texts in windows for training or evaluation; without targets, texts are prompts,
        which begin with a start token."""
        encoded = self.texts.encode(examples.inputs, examples.locations)
        if targets and not self.template.whole:
            return LaneData(encoded, window=self.template.window, start=START)
        # Without the end tokens.
        flat = np.delete(encoded.flat, encoded.starts + encoded.lengths - 1)
        lengths = encoded.lengths - 1
        if targets:
            if not len(flat):
                raise SeqzooError(
                    "The text of a language model must have at least one character, but it is "
                    "empty."
                )
            joined = Sequences(flat, np.array([len(flat)], np.int32))
            return LaneData(joined, window=self.template.window, whole=True, start=START)
        starts = np.cumsum(lengths) - lengths
        return Prompts(Sequences(np.insert(flat, starts, START), lengths + 1))

    def forward(self, model: Any, batch: dict[str, Any], training: bool) -> Outcome:
        targets, lengths = batch["values"], batch["lengths"]
        tokens = tf.concat([batch["before"][:, None], targets[:, :-1]], 1)
        states = [tf.where(batch["resets"][:, None], 0.0, item) for item in batch["carried"]]
        inside = tf.range(tf.shape(targets)[1]) < lengths[:, None]
        counted = batch.get("counted")
        steps = None if counted is None else inside
        logits, last = model(tokens, states, steps, training=training)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
        if counted is not None:
            inside &= counted
        losses = tf.reduce_sum(tf.where(inside, losses, 0.0), 1)
        aside = batch["aside"][:, None]
        carried = tuple(
            tf.where(aside, old, tf.cast(new, tf.float32))
            for old, new in zip(batch["carried"], last, strict=True)
        )
        return Outcome(losses, losses[:, None], carried)

    def steps(self, batch: dict[str, Any]) -> Any:
        return tf.shape(batch["values"])[1]

    def first_states(
        self, model: Any, batch: dict[str, Any], layers: Sequence[Any]
    ) -> Sequence[Any]:
        return [tf.where(batch["resets"][:, None], 0.0, item) for item in batch["carried"]]

    def cut(self, batch: dict[str, Any], start: Any, stop: Any, size: int) -> dict[str, Any]:
        part = cut_steps(batch, start, stop, size, ("values",))
        before = tf.gather(batch["values"], tf.maximum(start - 1, 0), axis=1)
        part["before"] = tf.where(start > 0, before, batch["before"])
        return part

    def counts(self, batch: dict[str, Any]) -> Any:
        return tf.cast(batch["lengths"], tf.float32)

    def measure(self, sums: np.ndarray, count: float) -> float:
        return math.exp(min(sums[0] / count, 700.0))

    def score(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        outcome = self.forward(model, batch, training=False)
        count = self.counts(batch)
        inside = tf.range(tf.shape(batch["values"])[1]) < batch["lengths"][:, None]
        unknown = tf.cast((batch["values"] == UNKNOWN) & inside, tf.float32)
        return {
            "loss": outcome.losses,
            "count": count,
            "nats": outcome.losses,
            "tokens": count,
            "unknown": tf.reduce_sum(unknown, 1),
            "carried": outcome.carried,
        }

    def compute_metrics(
        self, results: dict[str, list], data: Data, examples: Examples, options: PredictionOptions
    ) -> dict[str, Any]:
        nats, tokens, unknown = (
            float(np.sum(results[name], dtype=np.float64)) for name in ("nats", "tokens", "unknown")
        )
        characters = sum(len(text) for text in examples.inputs)
        return {
            **perplexity(nats, tokens),
            "bits_per_character": nats / math.log(2) / characters if characters else None,
            "tokens": int(tokens),
            "unknown": unknown / tokens,
        }

    @property
    def decoding(self) -> Decoding:
        """The default options for text generation."""
        maximum = 200 if self.template.whole else min(self.texts.longest + 10, 200)
        return Decoding("sample", maximum_length=maximum)

    @property
    def features(self) -> TextFeatures:
        """The tokenisation of texts."""
        return self.texts.features

    def signatures(self, model: Any, options: PredictionOptions) -> dict[str, tuple[Any, list]]:
        def log_probabilities(text: Any) -> dict[str, Any]:
            return self.log_probabilities(model, text)

        return {"score": (log_probabilities, self.signature)}

    def log_probabilities(self, model: Any, text: Any) -> dict[str, Any]:
        """Log-probabilities of texts, with TensorFlow operations only.

        Args:
            model: the model.
            text: strings, (batch,).

        Returns:
            "log_probability", float32, and "tokens", the number of tokens, int32, (batch,) each.
            Both include the end token, if there is one, and equal those that decoding reports for
            the same text without a prompt.
        """
        tokens, lengths = self.texts.ids(text)
        states = model.decoder.zero_states(tf.shape(tokens)[0])
        log_probability, _ = score(
            model.decoder.step,
            states,
            tokens=tokens,
            lengths=lengths,
            start=START,
            end=self.end,
            vocabulary_size=len(self.texts.vocabulary),
        )
        return {"log_probability": log_probability, "tokens": lengths + (self.end is not None)}

    def respond(self, model: Any, raw: tuple, options: PredictionOptions) -> dict[str, Any]:
        tokens, lengths = self.texts.ids(*raw)
        values = tf.pad(tokens, [[0, 0], [1, 0]], constant_values=START)
        rows = tf.range(tf.shape(values)[0])
        batch = {"values": values, "lengths": lengths + 1, "rows": rows}
        result = self.infer(model, batch, options)
        return {
            "text": result["texts"][:, 0],
            "log_probability": result["log_probabilities"][:, 0],
            "texts": result["texts"],
            "log_probabilities": result["log_probabilities"],
        }

    def infer(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        decoded = self.generate(model, batch, options)
        return {
            "texts": self.detokenize(decoded.tokens, decoded.lengths),
            "log_probabilities": decoded.log_probabilities,
            "token_probabilities": decoded.token_probabilities(),
        }

    def generate(self, model: Any, batch: dict[str, Any], options: PredictionOptions) -> Decoded:
        """Generates continuations of the prompts of a batch."""
        return decode(**self.decode_arguments(model, batch, options))

    def decode_arguments(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        """The arguments of `decode` that generate continuations of the prompts of a batch."""
        values, last = batch["values"], batch["lengths"] - 1
        # All tokens but the last are read at once; decoding starts from the last one.
        _, states = model(values, steps=tf.range(tf.shape(values)[1]) < last[:, None])
        seed = options.seed
        if seed is not None:
            # A text depends on its position among all prompts, not on how these are batched.
            seed = row_seeds(seed, batch["rows"])
        return {
            "step": model.decoder.step,
            "states": tf.nest.pack_sequence_as(model.decoder.zero_states(1), states),
            "choices": options.decoding or self.decoding,
            "start": tf.gather(values, last, batch_dims=1),
            "end": self.end,
            "vocabulary_size": len(self.texts.vocabulary),
            "seed": seed,
            "banned": (PADDING, UNKNOWN, START, *(() if self.end else (END,))),
        }

    def detokenize(self, tokens: Any, lengths: Any) -> Any:
        """Tokens (..., time) and lengths (...) -> their texts, strings (...)."""
        return self.texts.join(tokens, lengths, continues=True)

    def continued(self, text: str, continuation: str) -> str:
        """A prompt and its continuation as one text, with the whitespace between them."""
        if self.template.backward:
            return f"{continuation}{text}"
        if self.texts.starts_with_space:
            return f"{text}{continuation}" if text else continuation.removeprefix(" ")
        separator = " " if text and self.template.input == "words" else ""
        return f"{text}{separator}{continuation}"

    def predictions(
        self, results: dict[str, list], inputs: Any, options: PredictionOptions
    ) -> list[Prediction]:
        return text_predictions(results)

    def to_config(self) -> dict[str, Any]:
        return {"texts": self.texts.to_config()}

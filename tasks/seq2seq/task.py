"""Code shared by tasks that generate a text from an input."""

import math
from abc import abstractmethod
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from seqzoo.tasks.base import Outcome, Prediction, PredictionOptions, Task
from seqzoo.tasks.data.batches import Data, Sequences
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.decoding.decoder import decode
from seqzoo.tasks.decoding.sampling import row_seeds
from seqzoo.tasks.decoding.scoring import score
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.layers.encoders import further_encoder
from seqzoo.tasks.layers.recurrent import at_least_float32, make_cell
from seqzoo.tasks.preprocessing.base import Features, with_a_step
from seqzoo.tasks.preprocessing.copied_tokens import EXTENDED_IDS, copied_tokens, extended_ids
from seqzoo.tasks.preprocessing.joined import JoinedFeatures, features_of
from seqzoo.tasks.preprocessing.normalization import REPLACEMENT
from seqzoo.tasks.preprocessing.text import TextFeatures
from seqzoo.tasks.preprocessing.vocabulary import PADDING, UNKNOWN, Vocabulary
from seqzoo.tasks.seq2seq.encoder_decoder import Generator
from seqzoo.tasks.seq2seq.text_metrics import corpus_score, scores_of
from seqzoo.tasks.settings import BestBy
from seqzoo.tasks.targets.texts import END, START, TextOptions, Texts, required_texts

WORDS_WITHOUT_JOINERS = r"[\x08\x1c-\x1f\x{85}]"
"""Characters that are words of their own, except where words have joiners: there they are removed
or count as spaces."""


class GeneratorTask(Task):
    """A task whose model generates a text from an input; subclasses build the network.

    The loss is the cross-entropy of the target's tokens, the end token included.

    Args:
        template: the options.
        features: how inputs become tensors.
        texts: how targets become tokens.

    Attributes:
        copies: whether the model copies tokens from its inputs.
        ids: number of token ids; the ids after those of the vocabulary represent tokens that occur
            only in the input of an example.
    """

    sums = 3
    better = 1
    metric = "exact_match"
    best_by = "loss"
    criteria = ("loss", "metric", "bleu", "chrf")

    def __init__(self, template: Any, features: Features, texts: Texts):
        self.template = template
        self.features = features
        self.texts = texts
        self.copies = getattr(template, "copy", False)
        self.ids = len(texts.vocabulary) + (EXTENDED_IDS if self.copies else 0)
        if self.copies:
            text_features: Any = features.first
            text_features.target_vocabulary = texts.vocabulary

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> Self:
        if None in np.ravel(np.array(make_cell(template).state_size, object)):
            raise SeqzooError(
                field="cell",
                expected="a cell whose state sizes do not depend on the number of input features, "
                "because the model generates texts",
                got=template.cell,
            )
        locations = examples.locations
        texts = Texts.learn(TextOptions.of_target(template), required_texts(examples), locations)
        return cls(template, features_of(template).learn(template, examples), texts)

    @classmethod
    def restore(cls, template: Any, config: dict[str, Any], vocabularies: dict) -> Self:
        choices = TextOptions.of_target(template)
        texts = Texts(choices, vocabularies["target_vocabulary"], **config["texts"])
        features = features_of(template)
        return cls(
            template, features.from_config(template, config["features"], vocabularies), texts
        )

    @abstractmethod
    def network(self, precision: str) -> Generator:
        """Builds the model, without weights."""

    def further_network(self, precision: str) -> keras.Model | None:
        """The network of further inputs; None if there are none."""
        if not isinstance(self.features, JoinedFeatures):
            return None
        return further_encoder(self.template, self.features, precision)

    def build(self, precision: str = "float32") -> Generator:
        model = self.network(precision)
        if self.template.scheduled_sampling:
            # A part of the model, so that its state is in checkpoints.
            model.seed_generator = keras.random.SeedGenerator()
        model.build()
        return model

    def encode(self, examples: Examples, targets: bool) -> Data:
        encoded, inputs = None, self.features.encode(examples)
        if targets:
            locations = examples.locations
            encoded = self.texts.encode(required_texts(examples), locations)
            if self.copies:
                extend_unknown(encoded, inputs, examples, self.features, self.texts)
        return Data(inputs, encoded, further=self.features.encode_further(examples))

    def forward(self, model: Any, batch: dict[str, Any], training: bool) -> Outcome:
        targets, lengths = batch["targets"], batch["target_lengths"]
        before = tf.pad(targets[:, :-1], [[0, 0], [1, 0]], constant_values=START)
        names = ("values", "lengths", *model.further_inputs)
        inputs = {**{name: batch[name] for name in names}, "tokens": before}
        rate = self.template.scheduled_sampling
        if training and rate:
            inputs["tokens"] = self._mixed(model, inputs, rate)
        logits = at_least_float32(model(inputs, training=training))
        inside = tf.range(tf.shape(targets)[1]) < lengths[:, None]
        exact = token_losses(logits, targets, 0.0)
        smoothing = self.template.label_smoothing if training else 0.0
        size = len(self.texts.vocabulary)
        losses = token_losses(logits, targets, smoothing, size) if smoothing else exact
        # Unknown tokens never count as correct: by default they are never generated.
        correct = (tf.argmax(logits, -1, tf.int32) == targets) & (targets != UNKNOWN)
        sums = [
            tf.reduce_sum(tf.cast(correct & inside, tf.float32), 1),
            tf.cast(tf.reduce_all(correct | ~inside, 1), tf.float32),
            tf.ones_like(batch["weights"]),
        ]

        def summed(part: Any) -> Any:
            return tf.reduce_sum(tf.where(inside, part, 0.0), 1)

        return Outcome(summed(losses), tf.stack(sums, 1), reported=summed(exact))

    def _mixed(self, model: Any, inputs: dict[str, Any], rate: float) -> Any:
        """The previous token of each step. With probability `rate`, a token is replaced by the
        model's own prediction, from one pass over the true tokens (Mihaylova and Martins 2019)."""
        logits = tf.stop_gradient(model(inputs, training=True))
        predicted = tf.argmax(tf.cast(logits, tf.float32), -1, tf.int32)
        previous = tf.pad(predicted[:, :-1], [[0, 0], [1, 0]], constant_values=START)
        random = keras.random.uniform(
            tf.shape(previous), dtype="float32", seed=model.seed_generator
        )
        chosen = random < rate
        # The token before the first one is always the start token.
        chosen &= tf.range(tf.shape(previous)[1]) > 0
        return tf.where(chosen, previous, inputs["tokens"])

    def counts(self, batch: dict[str, Any]) -> Any:
        return tf.cast(batch["target_lengths"], tf.float32)

    def measure(self, sums: np.ndarray, count: float) -> float:
        return float(sums[1] / sums[2])

    @property
    def decoding(self) -> Decoding:
        """The default options for text generation."""
        return Decoding(maximum_length=self.texts.longest + 10)

    def respond(self, model: Any, raw: tuple, options: PredictionOptions) -> dict[str, Any]:
        batch = self.features.tensors(*raw)
        result = self.infer(model, batch, options)
        if self.copies:
            tokens = self.spelled(result["tokens"], batch, raw)
            result["texts"] = self.texts.join_tokens(tokens, result["lengths"])
        elif "attended" in result:
            ids, attended = result["tokens"], result["attended"]
            result["texts"] = self.replaced(
                ids, result["lengths"], attended, self.replacements(raw)
            )
        return {
            "text": result["texts"][:, 0],
            "log_probability": result["log_probabilities"][:, 0],
            "texts": result["texts"],
            "log_probabilities": result["log_probabilities"],
        }

    def signatures(self, model: Any, options: PredictionOptions) -> dict[str, tuple[Any, list]]:
        names = [spec.name for spec in self.signature]

        def log_probabilities(output: Any, **raw: Any) -> dict[str, Any]:
            return self.output_log_probabilities(model, tuple(raw[name] for name in names), output)

        return {
            "score": (
                log_probabilities,
                [*self.signature, tf.TensorSpec([None], tf.string, "output")],
            )
        }

    def output_log_probabilities(self, model: Any, raw: tuple, output: Any) -> dict[str, Any]:
        """Log-probabilities of texts given the inputs, using only TensorFlow operations.

        Args:
            model: the model.
            raw: raw inputs.
            output: one text per input, strings, (batch,).

        Returns:
            "log_probability", float32, and "tokens", the number of tokens, int32, (batch,) each.
            Both include the end token, and equal those that decoding reports for the text.
        """
        batch = self.features.tensors(*raw)
        states, constants, _ = model.opening(batch)
        tokens, lengths = self.ids_of(output, batch, raw)
        log_probability, _ = score(
            model.decoder.step,
            states,
            tokens=tokens,
            lengths=lengths,
            start=START,
            end=END,
            vocabulary_size=self.ids,
            constants=constants,
        )
        return {"log_probability": log_probability, "tokens": lengths + 1}

    def explain(self, model: Any, raw: tuple, options: PredictionOptions) -> dict[str, Any]:
        """The best prediction with the attention of each of its tokens, using only TensorFlow
        operations.

        Returns:
            "text"; "tokens", (batch, time), "" after the text, and "lengths"; "attention",
            (batch, time, source), or for an image (batch, time, rows, columns) of the encoder's
            grid; and for text "source", the tokens of the input, (batch, source).
        """
        batch = self.features.tensors(*raw)
        decoded = self.generate(model, batch, options)
        ids, lengths, attention = (
            item[:, 0] for item in (decoded.tokens, decoded.lengths, decoded.attention)
        )
        rows, time = tf.shape(ids)[0], tf.shape(ids)[1]
        if self.replaces_unknown(options):
            attended = tf.argmax(attention, -1, tf.int32)[:, None]
            tokens = self.replacing_unknown(ids[:, None], attended, self.replacements(raw))[:, 0]
        else:
            tokens = self.spelled(ids[:, None], batch, raw)[:, 0]
        grid_shape: Any = getattr(model.encoder, "grid_shape", ())
        if len(grid_shape) == 2:
            attention = tf.reshape(attention, [rows, time, grid_shape[0], grid_shape[1]])
        inside = tf.cast(tf.range(time) < lengths[:, None], tf.int32)
        results = {
            "text": self.texts.join_tokens(tokens, lengths),
            "tokens": self.texts.join_tokens(tokens[..., None], inside, continues=True),
            "lengths": lengths,
            "attention": attention,
        }
        if isinstance(self.features.first, TextFeatures):
            results["source"] = self.features.first.tokens(*self.features.raw_of_first(raw))
        return results

    def infer(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        replaces = self.replaces_unknown(options)
        decoded = self.generate(model, batch, options, report_attention=replaces)
        results = {
            "texts": self.detokenize(decoded.tokens, decoded.lengths),
            "log_probabilities": decoded.log_probabilities,
            "token_probabilities": decoded.token_probabilities(),
        }
        if self.copies or replaces:
            results |= {"tokens": decoded.tokens, "lengths": decoded.lengths}
        if replaces:
            # The callers replace the tokens, because only they have the raw inputs.
            results["attended"] = tf.argmax(decoded.attention, -1, tf.int32)
        return results

    def replaces_unknown(self, options: PredictionOptions) -> bool:
        """Whether generated unknown tokens are replaced by tokens of the input.

        Raises:
            SeqzooError: the options ask for it, but the model copies, has no attention, or its
                input and target types differ.
        """
        if not getattr(options.decoding or self.decoding, "replace_unknown", False):
            return False
        template = self.template
        if self.copies:
            raise SeqzooError(
                "`replace_unknown` applies only to models that do not copy: this one copies "
                "unknown tokens from its input; omit `replace_unknown`.",
                field="replace_unknown",
            )
        same_type = template.input == template.target and template.input in ("characters", "words")
        if not same_type or template.attention == "none":
            raise SeqzooError(
                "`replace_unknown` applies only to models with attention whose input and target "
                f"are both words or both characters; this one has input {template.input!r}, target "
                f"{template.target!r} and attention {template.attention!r}.",
                field="replace_unknown",
            )
        return True

    def replaced(self, ids: Any, lengths: Any, attended: Any, replacements: Any) -> Any:
        """Joins tokens into texts in which unknown tokens are replaced by tokens of the inputs.

        Args:
            ids: ids of the tokens, (batch, texts, time).
            lengths: number of tokens of each text, (batch, texts).
            attended: the step of the input with the highest attention, (batch, texts, time).
            replacements: the `replacements` of the inputs, strings, (batch, source).

        Returns:
            Strings, (batch, texts).
        """
        return self.texts.join_tokens(self.replacing_unknown(ids, attended, replacements), lengths)

    def replacing_unknown(self, ids: Any, attended: Any, replacements: Any) -> Any:
        """The tokens of `replaced` before they are joined, strings (batch, texts, time)."""
        replacements = tf.gather(replacements, attended, batch_dims=1)
        return tf.where(ids == UNKNOWN, replacements, self.texts.named(ids))

    def ids_of(self, output: Any, batch: dict[str, Any], raw: tuple) -> tuple[Any, Any]:
        """The ids of the tokens of texts, without the end token, (batch, time), and their number.

        Args:
            output: strings (batch,).
            batch: the encoded inputs.
            raw: the raw inputs.
        """
        ids, lengths = self.texts.ids(output)
        if not self.copies:
            return ids, lengths
        tokens = self.texts.split(output).to_tensor("")
        return extended_ids(ids, tokens, self._copied(raw), batch["values"][..., 1]), lengths

    def spelled(self, ids: Any, batch: dict[str, Any], raw: tuple) -> Any:
        """Tokens as strings, copied tokens included, (batch, texts, time).

        Args:
            ids: (batch, texts, time).
            batch: the encoded inputs.
            raw: the raw inputs.
        """
        tokens = self.texts.named(ids)
        if not self.copies:
            return tokens
        copied = copied_tokens(ids, self._copied(raw), batch["values"][..., 1])
        return tf.where(ids < len(self.texts.vocabulary), tokens, copied)

    def _copied(self, raw: tuple) -> Any:
        """The tokens of inputs that can be copied, strings (batch, source)."""
        features: Any = self.features.first
        return features.copied(*self.features.raw_of_first(raw))

    def sources(self, raw: tuple) -> Any:
        """The tokens of inputs, (batch, source). Words keep their case, since `lowercase` does not
        change how they are split."""
        features: Any = self.features.first
        return with_a_step(features.split(self._cased(raw)).to_tensor(""), "")

    def replacements(self, raw: tuple) -> Any:
        """The `sources` in the form that they have in targets: punctuation has joiners where there
        is no space, if that of targets does."""
        features: Any = self.features.first
        if not self.texts.joined or features.joined:
            return self.sources(raw)
        # Words with joiners lack these characters, which are words without them.
        text = tf.strings.regex_replace(self._cased(raw), WORDS_WITHOUT_JOINERS, REPLACEMENT)
        joined = TextFeatures(features.template, features.vocabulary, joined=True)
        return with_a_step(joined.split(text).to_tensor(""), "")

    def _cased(self, raw: tuple) -> Any:
        """The texts that `sources` splits, strings (batch,)."""
        features: Any = self.features.first
        (text,) = self.features.raw_of_first(raw)
        return (features.composed if self.template.input == "words" else features.normalized)(text)

    def _texts_of(self, results: dict[str, list], inputs: Any) -> list:
        """The texts of generated tokens. Copied tokens come from the inputs, and so do unknown
        tokens if they are replaced."""
        if self.copies:
            return self._copied_texts(results, inputs)
        if "attended" not in results:
            return results["texts"]
        texts: list = []
        for ids, lengths, attended, value in zip(
            results["tokens"], results["lengths"], results["attended"], inputs, strict=True
        ):
            replacements = self.replacements(self.features.raw([value], ["the input"]))
            tensors = [tf.constant(item[None]) for item in (ids, lengths, attended)]
            texts.append(self.replaced(tensors[0], tensors[1], tensors[2], replacements)[0].numpy())
        return texts

    def _copied_texts(self, results: dict[str, list], inputs: Any) -> list:
        """The texts of generated tokens; a text with tokens that occur only in the input is joined
        again to include them."""
        texts, size = list(results["texts"]), len(self.texts.vocabulary)
        for index, (ids, value) in enumerate(zip(results["tokens"], inputs, strict=True)):
            if (ids >= size).any():
                raw = self.features.raw([value], ["the input"])
                values, _ = self.features.transform(*raw)
                tokens = self.spelled(tf.constant(ids[None]), {"values": values}, raw)
                texts[index] = self.texts.join_tokens(tokens, results["lengths"][index][None])
                texts[index] = texts[index][0].numpy()
        return texts

    def generate(
        self,
        model: Any,
        batch: dict[str, Any],
        options: PredictionOptions,
        *,
        report_attention: bool = True,
    ) -> Any:
        """Generates the texts of a batch, as `Decoded`."""
        arguments = self.decode_arguments(model, batch, options)
        return decode(**arguments, report_attention=report_attention)

    def decode_arguments(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        """The arguments with which `decode` generates the texts of a batch."""
        states, constants, mask = model.opening(batch)
        seed = options.seed
        if seed is not None:
            # A text depends on its position among all inputs, not on how these are batched.
            rows = batch["rows"] if "rows" in batch else tf.range(tf.shape(mask)[0])
            seed = row_seeds(seed, rows)
        return {
            "step": model.decoder.step,
            "states": states,
            "choices": options.decoding or self.decoding,
            "start": START,
            "end": END,
            "vocabulary_size": self.ids,
            "constants": constants,
            "source_lengths": tf.reduce_sum(tf.cast(mask, tf.int32), 1),
            "seed": seed,
            "banned": (PADDING, START)
            if self.replaces_unknown(options)
            else (PADDING, UNKNOWN, START),
        }

    def detokenize(self, tokens: Any, lengths: Any) -> Any:
        """Tokens (..., time) and lengths (...) -> their texts, strings (...)."""
        return self.texts.join(tokens, lengths)

    def predictions(
        self, results: dict[str, list], inputs: Any, options: PredictionOptions
    ) -> list[Prediction]:
        return text_predictions({**results, "texts": self._texts_of(results, inputs)})

    def criterion_value(self, by: BestBy, results: dict[str, list], examples: Examples) -> float:
        texts = self._texts_of(results, examples.inputs)
        answers = [item[0].decode("utf-8") for item in texts]
        return corpus_score(by, answers, self.texts.as_references(examples))

    def compute_metrics(
        self, results: dict[str, list], data: Data, examples: Examples, options: PredictionOptions
    ) -> dict[str, Any]:
        texts = [item[0].decode("utf-8") for item in self._texts_of(results, examples.inputs)]
        return scores_of(texts, self.texts.as_references(examples), self.texts.tokens)

    @property
    def vocabularies(self) -> dict[str, Vocabulary]:
        return {"target_vocabulary": self.texts.vocabulary, **self.features.vocabularies}

    def to_config(self) -> dict[str, Any]:
        return {"features": self.features.to_config(), "texts": self.texts.to_config()}


def text_predictions(results: dict[str, list]) -> list[Prediction]:
    """Predictions that are texts, from the "texts", "log_probabilities" and "token_probabilities"
    of each example, omitting entries that beam search left empty because it found fewer texts than
    requested.

    Raises:
        SeqzooError: an example has no text at all, for example because a penalty or temperature
            overflows float32.
    """
    predictions = []
    for texts, item, tokens in zip(
        results["texts"], results["log_probabilities"], results["token_probabilities"], strict=True
    ):
        finite = np.flatnonzero(np.isfinite(item))
        if not len(finite):
            raise SeqzooError(
                "No text has a finite log-probability with these decoding options; choose "
                "penalties and a temperature closer to their defaults."
            )
        ranked = tuple((texts[n].decode("utf-8"), math.exp(float(item[n]))) for n in finite)
        by_token = tuple(float(tokens[n]) for n in finite)
        predictions.append(Prediction(ranked[0][0], ranked[0][0], ranked[0][1], ranked, by_token))
    return predictions


def extend_unknown(
    encoded: Sequences, inputs: Sequences, examples: Examples, features: Any, texts: Texts
) -> None:
    """Gives unknown target tokens that occur in the input their extended ids, in place.

    Args:
        encoded: the targets.
        inputs: the inputs, with `copy_ids`.
        examples: the raw examples.
        features: how inputs become tensors.
        texts: how targets become tokens.
    """
    rows = np.repeat(np.arange(len(encoded)), encoded.lengths)
    for row in np.unique(rows[encoded.flat == UNKNOWN]).tolist():
        raw = features.raw([examples.inputs[row]], [examples.location(row)])
        sources = features.first.copied(*features.raw_of_first(raw)).numpy()[0]
        ids = dict(zip(sources.tolist(), inputs[row][:, 1].tolist(), strict=False))
        tokens = texts.split(tf.constant([required_texts(examples)[row]])).numpy()[0]
        target_ids = encoded.flat[encoded.starts[row] :][: len(tokens)]
        for position in np.flatnonzero(target_ids == UNKNOWN).tolist():
            target_ids[position] = ids.get(tokens[position], UNKNOWN)


def token_losses(logits: Any, targets: Any, smoothing: float, size: int | None = None) -> Any:
    """Cross-entropy of each token, (batch, time).

    With label smoothing, a fraction `smoothing` of the probability is spread over all ids (Szegedy
    et al. 2016, section 7), or over the first `size` ids, those of the vocabulary.
    """
    exact = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
    if not smoothing:
        return exact
    # The cross-entropy with a uniform target distribution, which needs no one-hot targets.
    spread = tf.reduce_logsumexp(logits, -1) - tf.reduce_mean(logits[..., :size], -1)
    return (1 - smoothing) * exact + smoothing * spread

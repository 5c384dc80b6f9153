"""Several generators as one model, for ensembles."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


class MeanGenerator:
    """Generators with the same inputs and token ids, whose probabilities of the next token are
    averaged:

        p(y_t | y_1 ... y_t-1, x) = mean over the models of p_i(y_t | y_1 ... y_t-1, x)

    It has the members of `seqzoo.tasks.seq2seq.encoder_decoder.Generator` that inference uses, so
    searches and losses work as for one model. The attention is averaged, too.

    Args:
        models: the generators.
    """

    def __init__(self, models: Sequence[Any]):
        self.models = tuple(models)

    def __call__(self, inputs: dict[str, Any], training: bool = False) -> Any:
        """Log-probabilities of the token that follows each of "tokens", (batch, time, ids)."""
        return _log_mean([model(inputs, training=training) for model in self.models])

    @property
    def further_inputs(self) -> dict[str, Any]:
        """The symbolic inputs of the networks of further inputs, by name."""
        return self.models[0].further_inputs

    @property
    def decoder(self) -> "MeanGenerator":
        """The object with the method `step`."""
        return self

    def opening(self, inputs: dict[str, Any]) -> tuple[list, list, Any]:
        """The initial states and the constants of each model, and the mask of the memory."""
        states, constants, masks = zip(
            *(model.opening(inputs) for model in self.models), strict=True
        )
        # An empty tuple, since None cannot be repeated for the rows of a beam.
        return list(states), [() if item is None else item for item in constants], masks[0]

    def step(self, tokens: Any, states: list, constants: list) -> tuple[Any, list, Any]:
        """Runs one step of each model; see `seqzoo.tasks.seq2seq.decoder.Decoder.step`."""
        logits, new, attention = zip(
            *(
                model.decoder.step(tokens, before, constant or None)
                for model, before, constant in zip(self.models, states, constants, strict=True)
            ),
            strict=True,
        )
        attended = [item for item in attention if item is not None]
        mean = tf.add_n(attended) / len(attended) if len(attended) == len(attention) else None
        return _log_mean(logits), list(new), mean


def _log_mean(logits: Sequence[Any]) -> Any:
    """The logarithm of the mean of the probabilities that logits, (..., ids), describe."""
    logs = [tf.nn.log_softmax(tf.cast(item, tf.float32)) for item in logits]
    return tf.reduce_logsumexp(tf.stack(logs), 0) - tf.math.log(float(len(logs)))

"""A seqzoo language model as the `LanguageModel` of a search: its scores for the next symbol."""

import functools
from typing import Any

import numpy as np
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.vocabulary import UNKNOWN, Vocabulary
from seqzoo.tasks.protocols import ScoresTexts
from seqzoo.tasks.targets.texts import END, START


class FusedLanguage:
    """Log-probabilities of a language model, times a weight (shallow fusion).

    Source: Hannun et al. 2014, "First-pass large vocabulary continuous speech recognition using
    bi-directional recurrent DNNs", section 3. A symbol that the language model does not know has
    the probability of its unknown token.

    Args:
        run: the run of the language model.
        vocabulary: the vocabulary of the transcripts.
        weight: the weight of the language model's log-probabilities.
    """

    def __init__(self, run: Any, vocabulary: Vocabulary, weight: float):
        self.run = run
        self.weight = weight
        id_of = {
            token: position for position, token in enumerate(run.task.texts.vocabulary.tokens, 2)
        }
        ids = [id_of.get(token, UNKNOWN) for token in vocabulary.tokens]
        # The first ids are the blank, which has no score, and the unknown token.
        self.ids = np.array([UNKNOWN, UNKNOWN, *ids], np.int32)

    def first(self, rows: Any) -> tuple[Any, Any, Any]:
        decoder = self.run.model.decoder
        return self._read(tf.fill([rows], START), decoder.zero_states(rows))

    def step(self, symbols: Any, states: Any) -> tuple[Any, Any, Any]:
        return self._read(tf.gather(self.ids, symbols), states)

    def _read(self, tokens: Any, states: Any) -> tuple[Any, Any, Any]:
        with seqzoo.cells.portable():
            logits, states, _ = self.run.model.decoder.step(tokens, states)
        scores = tf.nn.log_softmax(tf.cast(logits, tf.float32)) * self.weight
        end = tf.zeros_like(scores[:, 0]) if self.run.task.end is None else scores[:, END]
        return states, tf.gather(scores, self.ids, axis=1), end


@functools.lru_cache(maxsize=4)
def language_model(folder: str, target: str) -> Any:
    """Opens the run of a language model for texts of a target type, and loads its model.

    Raises:
        SeqzooError: the folder is not a run, or its model is not a language model, has tokens of
            another type, or reads texts backward.
    """
    from seqzoo.tasks.runs.run import Run

    run = Run.open(folder)
    if not isinstance(run.task, ScoresTexts):
        raise SeqzooError(
            field="language_model",
            expected="the run of a language model (many-to-many-aligned with target 'next')",
            got=folder,
        )
    if run.template.input != target:
        raise SeqzooError(
            field="language_model",
            expected=f"a language model of {target}, like the target texts",
            got=folder,
            hint=f"it is a language model of {run.template.input}",
        )
    if run.template.backward:
        raise SeqzooError(
            field="language_model",
            expected="a language model that reads texts forward, as they are written",
            got=folder,
        )
    with tf.init_scope():  # the first use may be in a graph
        _ = run.model
    return run

"""Trained character-level language models whose states are features of words: the
characters that they read, and the steps at which words end."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.layers.recurrent import cell_choices
from seqzoo.tasks.preprocessing.text import TextFeatures, split_characters
from seqzoo.tasks.preprocessing.vocabulary import PADDING, Vocabulary
from seqzoo.tasks.targets.texts import START, TextOptions

SPACE = " "
"""The separator after each word that a model reads."""


@dataclass(frozen=True)
class CharacterModel:
    """A character-level language model.

    It reads the start token and then the words of a sentence, each followed by a space; a backward
    model reads each sentence from the last character to the first, with a space after the beginning
    of each word. The state after this space represents the word (as in Flair; the paper takes the
    state at the last character of the word): it depends on all characters up to that point, and on
    the fact that the word has ended.

    Source: Akbik, Blythe and Vollgraf 2018, "Contextual String Embeddings for Sequence Labeling",
    section 2.2.

    Attributes:
        choices: the model's tokenisation options.
        vocabulary: the vocabulary of the model.
        layers: the options of its layers; see `StringStates`.
        weights: weights of the embedding and the recurrent layers; None in a loaded run, whose
            model contains them.
    """

    choices: TextOptions
    vocabulary: Vocabulary
    layers: dict[str, Any]
    weights: tuple[np.ndarray, ...] | None = None

    @classmethod
    def of_run(cls, run: Any) -> "CharacterModel":
        """Reads the language model of a run.

        Raises:
            SeqzooError: no epoch has ended yet, or the model is damaged.
        """
        template, decoder = run.template, run.model.decoder
        names = ("cell", "units", "layers", "cell_options")
        options = {name: cell_choices(template)[name] for name in names}
        weights = [decoder.embedding.embeddings]
        weights += [weight for layer in decoder.recurrent for weight in _numbers(layer)]
        return cls(
            TextOptions.of_input(template),
            run.task.texts.vocabulary,
            {**options, "embedding": template.embedding},
            tuple(np.asarray(weight, np.float32) for weight in weights),
        )

    def transform(self, tokens: Any) -> tuple[Any, Any, Any]:
        """Words, strings, ragged (batch, words) -> ids of the characters that the model reads,
        (batch, characters), their number, (batch,), and the step after each word, (batch, words),
        int32."""
        backward = self.choices.backward
        words = split_characters(self._features.normalized(tokens.flat_values))
        if backward:
            words = tf.reverse(words, [1])
        spaces = tf.fill([words.nrows(), 1], SPACE)
        words = tf.concat([words, tf.RaggedTensor.from_tensor(spaces)], 1)
        sizes = tokens.with_flat_values(tf.cast(words.row_lengths(), tf.int32)).to_tensor()
        text = tokens.with_flat_values(words)
        if backward:
            text = tf.reverse(text, [1])
        text = text.merge_dims(1, 2)
        ids = tf.ragged.map_flat_values(self.vocabulary.ids, text).to_tensor(PADDING)
        ids = tf.pad(ids, [[0, 0], [1, 0]], constant_values=START)
        lengths = 1 + tf.cast(text.row_lengths(), tf.int32)
        return ids, lengths, tf.cumsum(sizes, 1, reverse=backward)

    @property
    def _features(self) -> TextFeatures:
        return TextFeatures(self.choices, self.vocabulary)

    def to_config(self) -> dict[str, Any]:
        """All but the vocabulary and the weights, JSON-serialisable."""
        return {"choices": asdict(self.choices), "layers": self.layers}

    @classmethod
    def from_config(cls, config: dict[str, Any], vocabulary: Vocabulary) -> "CharacterModel":
        """The inverse of `to_config`."""
        return cls(TextOptions(**config["choices"]), vocabulary, config["layers"])


def read_character_models(folders: Sequence[str] | None) -> tuple[CharacterModel, ...]:
    """Reads the language models of runs.

    Raises:
        SeqzooError: see `check_character_models`; or a run has no model yet.
    """
    return tuple(CharacterModel.of_run(run) for run in check_character_models(folders))


def check_character_models(folders: Sequence[str] | None) -> list[Any]:
    """Opens runs, and checks that they are of character-level language models.

    Raises:
        SeqzooError: a folder is not a run, or its model is not a character-level language model.
    """
    from seqzoo.tasks.runs.run import Run  # runs import features

    runs = []
    for folder in folders or ():
        try:
            run = Run.open(folder)
        except SeqzooError as error:
            raise SeqzooError(f"`features_from`: {error}", field="features_from") from error
        template = run.template
        if not getattr(template, "models_language", False) or template.input != "characters":
            got = f"{folder}, a {template.name} run from {template.input} to {template.target}"
            raise SeqzooError(
                "`features_from` must name character-level language models (many-to-many-aligned "
                f"with input characters and target next), got {got}.",
                field="features_from",
                got=folder,
            )
        runs.append(run)
    return runs


def _numbers(layer: Any) -> list[Any]:
    """The weights of a layer without the states of its random generators."""
    return [item for item in layer.weights if tf.as_dtype(item.dtype).is_floating]

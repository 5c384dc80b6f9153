"""`ManyToManyEncoderDecoder` with all that it learnt from training examples."""

import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks import preprocessing as all_features
from seqzoo.tasks.base import AnswerOptions
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.layers.recurrent import make_cell
from seqzoo.tasks.plots import Look, plot_looks
from seqzoo.tasks.seq2seq.decoder import Decoder
from seqzoo.tasks.seq2seq.encoder_decoder import Generator, SequenceEncoder
from seqzoo.tasks.seq2seq.task import GeneratorTask
from seqzoo.tasks.targets.texts import TextChoices, Texts, required_texts

ATTENTION_MAPS = 6
"""Examples of an evaluation whose attention is drawn."""


class EncoderDecoderTask(GeneratorTask):
    """A model from sequences to texts; see `GeneratorTask`."""

    @classmethod
    def adapt(cls, template: Any, examples: Examples) -> "EncoderDecoderTask":
        """Learns vocabularies and scales.

        Raises:
            SeqzooError: the examples do not fit the template, or it names a cell that is not there.
        """
        make_cell(template)
        if not len(examples):
            raise SeqzooError("Training needs examples, but there are none.")
        places = [examples.place(index) for index in range(len(examples))]
        texts = Texts.learn(_text_choices(template), required_texts(examples), places)
        return cls(template, all_features.learn(template, examples), texts)

    @classmethod
    def restore(cls, template: Any, config: dict, vocabularies: dict) -> "EncoderDecoderTask":
        """The opposite of `to_config` and `vocabularies`."""
        features = all_features.FEATURES[template.input]
        texts = Texts(_text_choices(template), vocabularies["target_vocabulary"], **config["texts"])
        return cls(
            template, features.from_config(template, config["features"], vocabularies), texts
        )

    def network(self, precision: str) -> Generator:
        template = self.template
        shared = {
            "cell": template.cell,
            "units": template.units,
            "layers": template.layers,
            "embedding": template.embedding,
            "dropout": template.dropout,
            "recurrent_dropout": template.recurrent_dropout,
            "cell_options": dict(template.cell_options),
            "dtype": precision,
        }
        vocabulary, step = self.features.vocabulary, self.features.step
        encoder = SequenceEncoder(
            None if vocabulary is None else len(vocabulary),
            bidirectional=template.bidirectional,
            scale=1 / 255 if step[1] == "uint8" else 1.0,
            name="encoder",
            **shared,
        )
        decoder = Decoder(
            len(self.texts.vocabulary),
            attention=None if template.attention == "none" else template.attention,
            tied=template.tied,
            name="decoder",
            **shared,
        )
        return Generator(encoder, decoder, step, name="encoder_decoder")

    def illustrate(
        self,
        model: Any,
        examples: Examples,
        found: dict[str, list],
        folder: pathlib.Path,
        options: AnswerOptions,
    ) -> None:
        if self.template.attention == "none":
            return
        chosen = examples.spread(ATTENTION_MAPS)
        inputs = [examples.inputs[index] for index in chosen]
        places = [examples.place(index) for index in chosen]
        plot_looks(folder / "attention.png", self.looks(model, inputs, places, options))

    def looks(
        self, model: Any, inputs: Any, places: list[str], options: AnswerOptions
    ) -> list[Look]:
        """Where a model with attention looks in each of some inputs as it writes its answer."""
        raw = self.features.raw(inputs, places)
        values, lengths = self.features.transform(*raw)
        with seqzoo.cells.portable():
            decoded = self.generate(model, {"values": values, "lengths": lengths}, options)
        sources = None
        if self.features.vocabulary is not None:
            sources = self.features.split(*raw).to_list()  # pyright: ignore[reportAttributeAccessIssue]
        looks = []
        for index, steps in enumerate(np.asarray(lengths)):
            written = int(decoded.lengths[index, 0])
            ids = decoded.tokens[index, 0, :written, None]
            tokens = self.texts.join(ids, tf.ones(written, tf.int32)).numpy()
            names = range(steps) if sources is None else (own.decode() for own in sources[index])
            weights = decoded.attention[index, 0, :written, :steps].numpy()
            looks.append(Look([*map(str, names)], [own.decode() for own in tokens], weights))
        return looks


def _text_choices(template: Any) -> TextChoices:
    lowercase, nfc = template.lowercase_targets, template.nfc
    return TextChoices(
        template.target, lowercase, template.vocabulary_size, template.minimum_count, nfc=nfc
    )

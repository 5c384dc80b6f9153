"""`ManyToManyEncoderDecoder` with what it learned from training examples."""

import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.layers.random_views import fractions_of
from seqzoo.tasks.layers.recurrent import cell_choices
from seqzoo.tasks.plots import Look, plot_looks
from seqzoo.tasks.preprocessing.copied_tokens import EXTENDED_IDS
from seqzoo.tasks.preprocessing.lemmas import LemmaFeatures
from seqzoo.tasks.seq2seq.decoder import Decoder
from seqzoo.tasks.seq2seq.encoder_decoder import Generator, SequenceEncoder
from seqzoo.tasks.seq2seq.monotonic_decoder import MonotonicDecoder
from seqzoo.tasks.seq2seq.task import GeneratorTask

ATTENTION_MAPS = 6
"""Number of examples whose attention is drawn."""


class EncoderDecoderTask(GeneratorTask):
    """A model from sequences to texts; see `GeneratorTask`."""

    def network(self, precision: str) -> Generator:
        template = self.template
        shared = {
            **cell_choices(template),
            "embedding": template.embedding,
            "dtype": precision,
        }
        first = self.features.first
        vocabulary, step, vectors = first.vocabulary, first.step, first.vectors
        encoder = SequenceEncoder(
            None if vocabulary is None else len(vocabulary),
            bidirectional=template.bidirectional,
            scale=1 / 255 if step[1] == "uint8" else 1.0,
            vectors=vectors
            and {
                "own": vectors.trained_ids,
                "dimension": vectors.dimension,
                "mode": template.vectors_mode,
            },
            feature_ids=first.feature_ids if isinstance(first, LemmaFeatures) else None,
            frame=first.frame,
            filters=template.filters,
            view=fractions_of(template),
            name="encoder",
            **shared,
        )
        decoder_class = MonotonicDecoder if template.attention == "monotonic" else Decoder
        decoder = decoder_class(
            len(self.texts.vocabulary),
            attention=None if template.attention == "none" else template.attention,
            tied=template.tied,
            copies=EXTENDED_IDS if template.copy else 0,
            follows=template.copy and template.attention != "monotonic",
            name="decoder",
            **shared,
        )
        return Generator(
            encoder, decoder, step, self.further_network(precision), name="encoder_decoder"
        )

    def build(self, precision: str = "float32") -> Generator:
        model = super().build(precision)
        vectors = self.features.first.vectors
        if vectors is not None and vectors.table is not None:
            model.encoder.vectors.vectors.assign(vectors.table)
        return model

    def illustrate(
        self,
        model: Any,
        examples: Examples,
        results: dict[str, list],
        folder: pathlib.Path,
        options: PredictionOptions,
        target: str | None = None,
    ) -> None:
        if self.template.attention == "none":
            return
        chosen = examples.spread(ATTENTION_MAPS)
        inputs = [examples.inputs[index] for index in chosen]
        locations = [examples.location(index) for index in chosen]
        plot_looks(folder / "attention.png", self.looks(model, inputs, locations, options))

    def looks(
        self, model: Any, inputs: Any, locations: list[str], options: PredictionOptions
    ) -> list[Look]:
        """The attention over each input while the model generates the output."""
        raw = self.features.raw(inputs, locations)
        batch = self.features.tensors(*raw)
        lengths = batch["lengths"]
        with seqzoo.cells.portable():
            decoded = self.generate(model, batch, options)
        has_tokens = self.features.first.vocabulary is not None
        sources = self.sources(raw).numpy() if has_tokens else None
        looks, spelled = [], self.spelled(decoded.tokens, batch, raw)
        for index, steps in enumerate(np.asarray(lengths)):
            written = int(decoded.lengths[index, 0])
            column = spelled[index, 0, :written, None]
            tokens = self.texts.join_tokens(column, tf.ones(written, tf.int32)).numpy()
            names = range(steps)
            if sources is not None:
                names = (item.decode() for item in sources[index, :steps])
            weights = decoded.attention[index, 0, :written, :steps].numpy()
            looks.append(Look([*map(str, names)], [token.decode() for token in tokens], weights))
        return looks

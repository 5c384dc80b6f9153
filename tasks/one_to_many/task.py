"""`OneToMany` with what it learned from training examples."""

import pathlib
from typing import Any, Self

import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks.base import Outcome, PredictionOptions
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.layers.random_views import fractions_of
from seqzoo.tasks.layers.recurrent import cell_choices
from seqzoo.tasks.one_to_many.convolutions import (
    ApplicationGrid,
    ConvolutionalGrid,
    application_module,
)
from seqzoo.tasks.one_to_many.encoders import ImageEncoder, VectorEncoder
from seqzoo.tasks.one_to_many.template import CONVOLUTIONAL
from seqzoo.tasks.plots import plot_attention, plot_captions
from seqzoo.tasks.preprocessing.base import for_any_batch
from seqzoo.tasks.preprocessing.images import DECODED, ImageFeatures
from seqzoo.tasks.seq2seq.decoder import Decoder
from seqzoo.tasks.seq2seq.encoder_decoder import Generator
from seqzoo.tasks.seq2seq.task import GeneratorTask
from seqzoo.tasks.targets.texts import required_texts

CAPTIONED_IMAGES = 24
"""Number of images that are drawn with their captions."""


class OneToManyTask(GeneratorTask):
    """A model that maps an image, a vector or a class to a text; see `GeneratorTask`."""

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> Self:
        if template.encoder != CONVOLUTIONAL:
            application_module(template.encoder)
        return super().learn(template, examples)

    def network(self, precision: str) -> Generator:
        template = self.template
        decoder = Decoder(
            len(self.texts.vocabulary),
            **cell_choices(template),
            embedding=template.embedding,
            attention=None if template.attention == "none" else template.attention,
            tied=template.tied,
            dtype=precision,
            name="decoder",
        )
        return Generator(
            self._encoder(precision),
            decoder,
            self.features.first.step,
            self.further_network(precision),
            name="one_to_many",
        )

    def _encoder(self, precision: str) -> Any:
        template = self.template
        shared = {"dropout": template.dropout, "summaries": template.layers, "dtype": precision}
        features = self.features.first
        if not isinstance(features, ImageFeatures):
            vocabulary = features.vocabulary
            size = None if vocabulary is None else len(vocabulary)
            return VectorEncoder(size, template.units, name="encoder", **shared)
        if template.encoder == CONVOLUTIONAL:
            grid = ConvolutionalGrid(template.filters, template.normalization, dtype=precision)
        else:
            if features.channels not in DECODED:
                raise SeqzooError(
                    f"{template.encoder} takes images with 1, 3 or 4 channels, got "
                    f"{features.channels}; use the encoder 'convolutional'."
                )
            grid = ApplicationGrid(
                template.encoder,
                features.shape[:2],
                template.encoder_weights,
                template.frozen,
                dtype=precision,
            )
        return ImageEncoder(
            grid,
            pooling=template.pooling,
            view=fractions_of(template),
            name="encoder",
            **shared,
        )

    def forward(self, model: Any, batch: dict[str, Any], training: bool) -> Outcome:
        # Tells the encoder which rows are filler.
        lengths = tf.where(batch["weights"] > 0, batch["lengths"], 0)
        return super().forward(model, {**batch, "lengths": lengths}, training)

    def signatures(self, model: Any, options: PredictionOptions) -> dict[str, tuple[Any, list]]:
        signatures, features = super().signatures(model, options), self.features
        if not isinstance(features, ImageFeatures) or features.channels not in DECODED:
            return signatures
        (spec,) = features.encoded_signature

        def respond(images: Any) -> dict[str, Any]:
            return self.respond(model, (images,), options)

        def read(**raw: Any) -> dict[str, Any]:
            return for_any_batch(respond)(images=features.decode(raw[spec.name]))

        return {**signatures, "bytes": (read, [spec])}

    def illustrate(
        self,
        model: Any,
        examples: Examples,
        results: dict[str, list],
        folder: pathlib.Path,
        options: PredictionOptions,
        target: str | None = None,
    ) -> None:
        if not isinstance(self.features.first, ImageFeatures):
            return
        chosen = examples.spread(CAPTIONED_IMAGES)
        inputs = [examples.inputs[index] for index in chosen]
        raw = self.features.raw(inputs, [examples.location(index) for index in chosen])
        (images,) = self.features.raw_of_first(raw)
        captions = [results["texts"][index][0].decode("utf-8") for index in chosen]
        targets = required_texts(examples)
        truths = [str(targets[index]) for index in chosen]
        # As in the metrics, texts with equal tokens are equal: they differ only in whitespace.
        pairs = zip(self.texts.tokens(captions), self.texts.tokens(truths), strict=True)
        captions = [
            true if equal else caption
            for caption, true, equal in zip(
                captions, truths, (a == b for a, b in pairs), strict=True
            )
        ]
        plot_captions(folder / "captions.png", images, captions, truths)
        if self.template.attention == "none":
            return
        first = self.features.tensors(*(tf.constant(array[:1]) for array in raw))
        with seqzoo.cells.portable():
            decoded = self.generate(model, first, options)
        length = int(decoded.lengths[0, 0])
        tokens = self.texts.join(decoded.tokens[0, 0, :length, None], tf.ones(length, tf.int32))
        maps = tf.reshape(decoded.attention[0, 0, :length], (length, *model.encoder.grid_shape))
        names = [token.decode("utf-8") for token in tokens.numpy()]
        plot_attention(folder / "attention.png", images[0], names, maps.numpy())

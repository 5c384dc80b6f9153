"""`ManyToManyEncoderDecoder` with all that it learnt from training examples."""

from typing import Any

from seqzoo.tasks import features as all_features
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.examples import Examples
from seqzoo.tasks.generation.decoder import Decoder
from seqzoo.tasks.generation.network import Generator, SequenceEncoder
from seqzoo.tasks.generation.prepared import PreparedGenerator
from seqzoo.tasks.generation.texts import TextChoices, Texts, required_texts
from seqzoo.tasks.networks import make_cell


class PreparedEncoderDecoder(PreparedGenerator):
    """A model from sequences to texts; see `PreparedGenerator`."""

    @classmethod
    def learn(cls, task: Any, examples: Examples) -> "PreparedEncoderDecoder":
        """Learns vocabularies and scales.

        Raises:
            SeqzooError: the examples do not fit the task, or it names a cell that is not there.
        """
        make_cell(task)
        if not len(examples):
            raise SeqzooError("Training needs examples, but there are none.")
        places = [examples.place(index) for index in range(len(examples))]
        texts = Texts.learn(_text_choices(task), required_texts(examples), places)
        return cls(task, all_features.learn(task, examples), texts)

    @classmethod
    def restore(cls, task: Any, config: dict, vocabularies: dict) -> "PreparedEncoderDecoder":
        """The opposite of `to_config` and `vocabularies`."""
        features = all_features.FEATURES[task.input]
        texts = Texts(_text_choices(task), vocabularies["target_vocabulary"], **config["texts"])
        return cls(task, features.from_config(task, config["features"], vocabularies), texts)

    def network(self, precision: str) -> Generator:
        task = self.task
        shared = {
            "cell": task.cell,
            "units": task.units,
            "layers": task.layers,
            "embedding": task.embedding,
            "dropout": task.dropout,
            "recurrent_dropout": task.recurrent_dropout,
            "cell_options": dict(task.cell_options),
            "dtype": precision,
        }
        vocabulary, step = self.features.vocabulary, self.features.step
        encoder = SequenceEncoder(
            None if vocabulary is None else len(vocabulary),
            bidirectional=task.bidirectional,
            scale=1 / 255 if step[1] == "uint8" else 1.0,
            name="encoder",
            **shared,
        )
        decoder = Decoder(
            len(self.texts.vocabulary),
            attention=None if task.attention == "none" else task.attention,
            tied=task.tied,
            name="decoder",
            **shared,
        )
        return Generator(encoder, decoder, step, name="encoder_decoder")


def _text_choices(task: Any) -> TextChoices:
    return TextChoices(task.target, False, task.vocabulary_size, task.minimum_count)

"""Generation of texts and series, token by token, for every template that generates."""

from seqzoo.tasks.decoding.settings import Decoding

# `seqzoo.tasks.decoding.decoder.decode` and `seqzoo.tasks.decoding.scoring.score` are not imported
# here: they need TensorFlow, and a `Decoding` does not.

__all__ = ["Decoding"]

"""Generation of texts and series, token by token, for every template that generates."""

from seqzoo.tasks.decoding.settings import Decoding

# `seqzoo.tasks.decoding.decoder.decode` and `seqzoo.tasks.decoding.scoring.score` import
# TensorFlow and stay out of here, so that templates can hold a `Decoding` without it.

__all__ = ["Decoding"]

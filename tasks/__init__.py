"""What a kind of sequence problem needs, from raw examples to answers."""

from seqzoo.tasks.base import Answer, AnswerOptions, Template
from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.errors import Interrupted, SeqzooError
from seqzoo.tasks.examples import Examples, Splits
from seqzoo.tasks.many_to_many_aligned import ManyToManyAligned
from seqzoo.tasks.many_to_many_encoder_decoder import ManyToManyEncoderDecoder
from seqzoo.tasks.many_to_one import ManyToOne
from seqzoo.tasks.one_to_many import OneToMany
from seqzoo.tasks.settings import TrainingSettings

# `seqzoo.tasks.training.train` and `seqzoo.tasks.run.Run` import TensorFlow and stay out of here,
# so that a command line can know templates and settings without it.

TEMPLATES: dict[str, type[Template]] = {
    template.name: template
    for template in (ManyToOne, OneToMany, ManyToManyAligned, ManyToManyEncoderDecoder)
}

__all__ = [
    "TEMPLATES",
    "Answer",
    "AnswerOptions",
    "Decoding",
    "Examples",
    "Interrupted",
    "ManyToManyAligned",
    "ManyToManyEncoderDecoder",
    "ManyToOne",
    "OneToMany",
    "SeqzooError",
    "Splits",
    "TrainingSettings",
]

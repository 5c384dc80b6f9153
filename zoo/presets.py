"""Presets: a data set, a template with its choices and how to train it, each under a name."""

from dataclasses import dataclass
from fnmatch import fnmatch

from seqzoo.tasks.base import Template
from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.many_to_many_encoder_decoder import ManyToManyEncoderDecoder
from seqzoo.tasks.many_to_one import ManyToOne
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.zoo.source import Source


@dataclass(frozen=True)
class Preset:
    """What is ready to be trained.

    Attributes:
        description: one line for people.
        source: where its examples come from.
        task: the template with its choices.
        training: how to train it.
        score: what it reached, with seed, time and machine; empty where nobody measured it.
        needs: the files that --data, --validation and --test must name, where its source does not
            say it; empty where it needs none.
    """

    description: str
    source: Source
    task: Template
    training: TrainingSettings
    score: str = ""
    needs: str = ""


PRESETS = {
    "language-id": Preset(
        "A word or a name to its language, one of 163",
        Source(data="languages", kind="characters"),
        ManyToOne(input="characters", cell="gru", units=128, embedding=64),
        TrainingSettings(epochs=5, batch_size=256, learning_rate=6e-3),
        "81.7% of 20,319 test names, seed 0",
    ),
    "mnist-rows": Preset(
        "A handwritten digit, read row by row, to 0-9",
        Source(data="tfds:mnist", kind="rows"),
        ManyToOne(input="rows", cell="lstm", units=128),
        TrainingSettings(epochs=10, batch_size=128, learning_rate=2e-3),
        "98.83% of 10,000 test digits, seed 0",
    ),
    "imdb-sentiment": Preset(
        "A film review to praise or blame (pos, neg)",
        Source(data="tfds:imdb_reviews", kind="words"),
        ManyToOne(
            input="words",
            cell="gru",
            units=64,
            bidirectional=True,
            pooling="max",
            dropout=0.3,
            lowercase=True,
            maximum_length=300,
        ),
        TrainingSettings(epochs=4, batch_size=64, learning_rate=1e-3),
    ),
    "date-normaliser": Preset(
        "A date as people write it, in any of many languages, to ISO 8601",
        Source(data="dates", kind="characters", target_kind="characters"),
        ManyToManyEncoderDecoder(cell="gru", units=128, embedding=32),
        TrainingSettings(epochs=6, batch_size=128, learning_rate=4e-3),
    ),
}


def get(name: str) -> Preset:
    """A preset by its name.

    Raises:
        SeqzooError: there is none of that name.
    """
    if name not in PRESETS:
        raise SeqzooError(
            f"There is no preset {name!r} (there are {', '.join(PRESETS)}){nearest(name, PRESETS)}"
        )
    return PRESETS[name]


def list_presets(pattern: str = "*") -> list[str]:
    """The names of presets, such as those of `list_presets("mnist-*")`."""
    return [name for name in PRESETS if fnmatch(name, pattern)]

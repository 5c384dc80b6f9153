"""The inputs of an inspection: typed ones, or held-out examples of the run's data."""

import pathlib
from collections.abc import Sequence
from typing import Any

from seqzoo.tasks.errors import SeqzooError, command
from seqzoo.tasks.kinds import TEXTS
from seqzoo.zoo.data import prediction_inputs
from seqzoo.zoo.data.lines import BYTE_ORDER_MARK

LONGEST_TEXT = 60
"""Maximum number of characters or words of a held-out text: the time and the memory of an
inspection grow with the square of the length."""


def typed_inputs(run: Any, texts: Sequence[str], *, resample: bool = False) -> list[Any]:
    """Typed inputs, converted for `Run.predict`: texts, numbers, or paths of audio files and
    images.

    Raises:
        SeqzooError: one cannot be read.
    """
    if run.template.input in TEXTS:
        return [text.removeprefix(BYTE_ORDER_MARK) for text in texts]
    read = prediction_inputs.reader(run, pathlib.Path.cwd(), resample=resample)
    values = []
    for number, text in enumerate(texts, 1):
        try:
            values.append(read(text))
        except SeqzooError as error:
            raise SeqzooError(f"Input {number} {error}.") from error
    return values


def held_out_inputs(run: Any, count: int) -> list[Any]:
    """Some inputs of the run's test split, evenly spaced.

    Texts of up to `LONGEST_TEXT` characters or words are preferred; longer ones are cut.

    Raises:
        SeqzooError: its data cannot be opened.
    """
    from seqzoo.zoo.data.open import open_examples
    from seqzoo.zoo.data.source import Source

    if not run.source:
        raise SeqzooError(
            f"{run.folder} does not say where its data is; give an input: "
            f"`{command('inspect')} RUN INPUT`."
        )
    examples = open_examples(Source.of_run(run, None), "test")
    if run.template.input not in TEXTS:
        return [examples.inputs[index] for index in examples.spread(count)]
    candidates = [examples.inputs[index] for index in examples.spread(10 * count)]
    characters = run.template.input == "characters"
    whole = [value for value in candidates if shortened(value, characters) == value]
    if len(whole) < count:
        whole = [shortened(value, characters) for value in candidates]
    return whole[:: max(1, len(whole) // count)][:count]


def shortened(value: str | Sequence[str], characters: bool) -> str | Sequence[str]:
    """A text without what follows its first `LONGEST_TEXT` characters or words."""
    if characters or not isinstance(value, str):
        return value[:LONGEST_TEXT]
    words = value.split()
    return value if len(words) <= LONGEST_TEXT else " ".join(words[:LONGEST_TEXT])

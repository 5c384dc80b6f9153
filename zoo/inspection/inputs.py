"""The inputs of an inspection: those given on the command line, or held-out examples."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from seqzoo.tasks.errors import SeqzooError, command
from seqzoo.tasks.kinds import FORECAST, TEXTS
from seqzoo.zoo.data import prediction_inputs
from seqzoo.zoo.data.lines import BYTE_ORDER_MARK

MAX_TEXT_LENGTH = 60
"""Maximum number of characters or words of a held-out text: the time and memory that an inspection
takes grow with the square of the length."""


def command_line_inputs(
    run: Any, texts: Sequence[str], *, resample: bool = False, date_format: str | None = None
) -> list[Any]:
    """The inputs given on the command line, converted for `Run.predict`.

    Args:
        run: the `Run`.
        texts: the arguments: texts, numbers, paths of audio files and images, JSON objects for
            several inputs, or for a forecast the paths of tables, whose series are the inputs.
        resample: whether to convert audio to the sample rate of the model.
        date_format: format of the dates in the tables of a forecast; None for that in training.

    Raises:
        SeqzooError: an input cannot be read, no input is audio to be converted, or `date_format`
            is given for a run that is no forecast.
    """
    prediction_inputs.check_resample(run.folder, run.template, resample=resample)
    if run.template.name == FORECAST:
        from seqzoo.zoo.inference.forecasts import Forecaster

        forecaster = Forecaster(run, {"date_format": date_format} if date_format else None)
        return [history for path in texts for history in forecaster.read(path)[0]]
    if date_format:
        raise SeqzooError(
            f"--date-format is for runs of the `{FORECAST}` template, and {run.folder} is a run of "
            f"{run.template.name}; leave it out."
        )
    if run.template.input in TEXTS and not getattr(run.template, "further_inputs", None):
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

    Texts of up to `MAX_TEXT_LENGTH` characters or words are preferred; longer ones are cut. The
    values of a history over its last horizon are removed, to be forecast.

    Raises:
        SeqzooError: the run's data cannot be opened.
    """
    from seqzoo.zoo.data.open import open_examples
    from seqzoo.zoo.data.source import Source

    if not run.source:
        raise SeqzooError(
            f"{run.folder} does not say where its data is; give an input: "
            f"`{command('inspect')} RUN INPUT`."
        )
    examples = open_examples(Source.of_run(run, None), "test")
    if run.template.name == FORECAST:
        chosen = [examples.inputs[index] for index in examples.spread(count)]
        return [history.without_last(run.template.horizon) for history in chosen]
    kinds = {"": run.template.input} | dict(getattr(run.template, "further_inputs", None) or {})
    if not any(kind in TEXTS for kind in kinds.values()):
        return [examples.inputs[index] for index in examples.spread(count)]
    candidates = [examples.inputs[index] for index in examples.spread(10 * count)]
    short = [_shortened(value, kinds) for value in candidates]
    whole = [pair[0] for pair in zip(candidates, short, strict=True) if _is_same(*pair)]
    chosen = short if len(whole) < count else whole
    return chosen[:: max(1, len(chosen) // count)][:count]


def _shortened(value: Any, kinds: Mapping[str, str]) -> Any:
    """A raw input with all of its texts shortened.

    Args:
        value: the input; a dictionary if there are several.
        kinds: the kind of each further input by name, and that of the first under "".
    """
    if isinstance(value, Mapping):
        return {
            name: _shortened(item, {"": kinds.get(name, kinds[""])}) for name, item in value.items()
        }
    text = kinds[""] in TEXTS and isinstance(value, str | list | tuple)
    return shortened(value, kinds[""] == "characters") if text else value


def _is_same(value: Any, short: Any) -> bool:
    """Whether `short` is all of `value`. Compares the lengths of texts, since other inputs, such as
    arrays, are never cut."""
    if isinstance(value, Mapping):
        return all(_is_same(item, short[name]) for name, item in value.items())
    return len(value) == len(short) if isinstance(value, str | list | tuple) else True


def shortened(value: str | Sequence[str], characters: bool) -> str | Sequence[str]:
    """The first `MAX_TEXT_LENGTH` characters or words of a text.

    Args:
        value: the text, or a list of words.
        characters: whether to count characters instead of words.
    """
    if characters or not isinstance(value, str):
        return value[:MAX_TEXT_LENGTH]
    words = value.split()
    return value if len(words) <= MAX_TEXT_LENGTH else " ".join(words[:MAX_TEXT_LENGTH])

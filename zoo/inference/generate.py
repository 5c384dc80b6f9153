"""Generates text for printing; language models continue their prompts."""

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from seqzoo.tasks.errors import SeqzooError, command
from seqzoo.tasks.protocols import ContinuesText, Generates
from seqzoo.zoo.data import prediction_inputs
from seqzoo.zoo.data.lines import BYTE_ORDER_MARK
from seqzoo.zoo.inference.open_run import open_run
from seqzoo.zoo.inference.options import prediction_options


def generate(
    folder: str,
    inputs: Sequence[str],
    count: int,
    decoding: dict[str, Any],
    device: str | None = None,
    *,
    resample: bool = False,
) -> Iterator[str]:
    """Texts for each input; for a language model, the prompt with its continuation.

    Args:
        folder: the folder of the run.
        inputs: texts, as in files; a language model also takes an empty text.
        count: texts per input.
        decoding: settings of `Decoding` that were given.
        device: see `seqzoo.zoo.devices.choose`.
        resample: whether audio with a different sample rate is converted to the model's.

    Raises:
        SeqzooError: the run does not exist, does not generate text, or an input is malformed.
    """
    run = open_run(folder, device)
    if not isinstance(run.task, Generates):
        raise SeqzooError(f"{run.folder} does not generate text; use `{command('predict')}`.")
    task = run.task
    if not inputs and not isinstance(task, ContinuesText):
        raise SeqzooError(f"{run.folder} needs an input to generate from; give one.")
    values: list[Any] = [text.removeprefix(BYTE_ORDER_MARK) for text in inputs] or [""]
    if not isinstance(task, ContinuesText):
        read = prediction_inputs.reader(run, pathlib.Path.cwd(), resample=resample)
        for index, value in enumerate(values):
            try:
                values[index] = read(value)
            except SeqzooError as error:
                raise SeqzooError(f"Text {index + 1} {error}.") from error
    for value, prediction in zip(
        values, run.predict(values, prediction_options(run, count, decoding)), strict=True
    ):
        for text, _ in prediction.alternatives or ((prediction.label, None),):
            yield task.continued(value, text) if isinstance(task, ContinuesText) else text

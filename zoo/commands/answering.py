"""`seqzoo evaluate`, `generate` and `export`: commands on a run folder."""

import pathlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from seqzoo.tasks.base import AnswerOptions
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.errors import SeqzooError, command, nearest
from seqzoo.tasks.runs.layout import is_run
from seqzoo.tasks.settings import TEXTS
from seqzoo.tasks.startup import start_devices
from seqzoo.zoo.commands import devices
from seqzoo.zoo.data import prediction_inputs as inputs_of
from seqzoo.zoo.data.lines import BYTE_ORDER_MARK
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.presets import PRESETS
from seqzoo.zoo.pretrained import folder_of, list_trained


def evaluate(
    folder: str,
    given: dict[str, Any],
    split: str | None,
    report: str | None,
    decoding: dict[str, Any],
    device: str | None = None,
) -> dict[str, Any]:
    """Evaluates a run.

    Args:
        folder: of the run.
        given: fields of its source from the command line; a limit applies to the evaluated
            examples.
        split: the split to evaluate on; None for all of a given file, otherwise the test split.
        report: folder to write tables and plots to.
        decoding: the given options of text generation.
        device: see `devices.choose`.

    Raises:
        SeqzooError: the run or the data do not exist, or do not fit each other.
    """
    run = open_run(folder, device)
    from seqzoo.zoo.data.open import open_examples

    given = dict(given)
    limit = given.pop("limit", None)
    stored = Source.of_run(run, given.get("data"))
    source = replace(stored, **given)
    if "data" in given and split is None:
        split = "all" if source.is_file() else "test"
    if split == "all" and not source.is_file():
        raise SeqzooError(f"--split all is for files; {source.data} has splits of its own.")
    examples = open_examples(source, split or "test")
    if limit is not None:  # of these alone: what the model was trained on has its own limit
        examples = _drawn(examples, limit, source.seed)
    return run.evaluate(examples, asking(run, None, decoding), folder=report)


def _drawn(examples: Examples, limit: int, seed: int) -> Examples:
    """So many examples at most, drawn as a source draws them: the same every time, and equal inputs
    together, whose targets are references of each other.

    Raises:
        SeqzooError: the limit is below 1.
    """
    from seqzoo.zoo.data import splits as splitting

    if limit < 1:
        raise SeqzooError(f"`limit` must be at least 1, got {limit}.")
    keys = [splitting.input_key(value) for value in examples.inputs]
    return examples.pick(sorted(splitting.order(keys, seed)[:limit]))


def generated(
    folder: str,
    inputs: Sequence[str],
    count: int,
    decoding: dict[str, Any],
    device: str | None = None,
    *,
    resample: bool = False,
) -> Iterator[str]:
    """Texts for each input: of a language model, the input and what follows it.

    Args:
        folder: of the run.
        inputs: texts as in files; a language model also takes an empty one.
        count: texts an input.
        decoding: the given options of text generation.
        device: see `devices.choose`.
        resample: whether to convert audio to the sample rate of the model.

    Raises:
        SeqzooError: there is no such run, it generates no texts, or an input is not as it should
            be.
    """
    run = open_run(folder, device)
    if getattr(run.task, "decoding", None) is None:
        raise SeqzooError(f"{run.folder} generates no texts; ask it with `{command('predict')}`.")
    goes_on = run.template.target == "next" and run.template.input in TEXTS
    if not inputs and not goes_on:
        raise SeqzooError(f"{run.folder} needs an input to generate from; name one.")
    values: list[Any] = [text.removeprefix(BYTE_ORDER_MARK) for text in inputs] or [""]
    if not goes_on:
        read = inputs_of.reader(run, pathlib.Path.cwd(), resample=resample)
        for place, value in enumerate(values):
            try:
                values[place] = read(value)
            except SeqzooError as error:
                raise SeqzooError(f"Text {place + 1} {error}.") from error
    for value, answer in zip(
        values, run.predict(values, asking(run, count, decoding)), strict=True
    ):
        for text, _ in answer.alternatives or ((answer.label, None),):
            if not goes_on:
                yield text
            elif run.task.texts.brings_space:
                yield f"{value}{text}" if value else text.removeprefix(" ")
            else:
                separator = " " if run.template.input == "words" and value else ""
                yield f"{value}{separator}{text}"


def export(
    folder: str,
    target: str,
    top: int | None,
    decoding: dict[str, Any],
    device: str | None = None,
) -> str:
    """Exports a run's model; returns how to load it.

    Raises:
        SeqzooError: the run does not exist, or the target exists.
    """
    run = open_run(folder, device)
    run.export(target, asking(run, top, decoding))
    told = ""
    if run.template.input in TEXTS:
        raw = 'tf.constant(["a text"])'
    else:  # by name, without which TensorFlow takes no more than one
        specs = run.task.signature
        raw = ", ".join(f"{spec.name}=tf.constant({spec.name})" for spec in specs)
        told = f"\nwith {', '.join(map(_described, specs))}, a row an input."
    return (
        f"{target} answers in any program that has TensorFlow:\n"
        f"  model = tf.saved_model.load({target!r})\n"
        f"  model.signatures['serving_default']({raw}){told}"
    )


def _described(spec: Any) -> str:
    """ "values of shape (n, ?, 3), float32"."""
    axes = ["n", *("?" if own is None else str(own) for own in spec.shape[1:])]
    comma = "," if len(axes) == 1 else ""
    return f"{spec.name} of shape ({', '.join(axes)}{comma}), {spec.dtype.name}"


def asking(run: Any, top: int | None, typed: dict[str, Any]) -> AnswerOptions:
    """The options of predictions.

    Args:
        run: the run.
        top: predictions per input; None for 1 text, or 5 labels.
        typed: choices of `Decoding` that were typed, with "longest_answer" for its maximum length,
            and "seed".

    Raises:
        SeqzooError: it generates no texts, or the choices do not fit each other.
    """
    own: Decoding | None = getattr(run.task, "decoding", None)
    if own is None:
        if typed:
            option = next(iter(typed)).replace("_", "-")
            raise SeqzooError(
                f"--{option} is for models that generate text; {run.folder} does not."
            )
        return AnswerOptions(top or 5)
    top = top or 1
    typed = dict(typed)
    seed = typed.pop("seed", None)
    if "longest_answer" in typed:
        typed["maximum_length"] = typed.pop("longest_answer")
    if own.method == "greedy" and "method" not in typed:
        if top > 1 or BEAM & typed.keys():
            typed["method"] = "beam"
        elif SAMPLE & typed.keys():
            typed["method"] = "sample"
    method = typed.get("method", own.method)
    for only, choices in (("beam", BEAM), ("sample", SAMPLE)):
        for name in sorted(choices & typed.keys()):
            if method != only:
                option = name.replace("_", "-")
                raise SeqzooError(f"--{option} is for --method {only}, which is {method} here.")
    if method == "beam":
        typed.setdefault("beam_width", max(top, own.beam_width))
    return AnswerOptions(top, replace(own, answers=top, **typed), seed)


BEAM = {"beam_width", "length_penalty", "coverage_penalty"}
"""Choices that only beam search has."""

SAMPLE = {"temperature", "top_k", "top_p"}
"""Choices that only sampling has."""


def open_run(folder: str, device: str | None) -> Any:
    """The `Run` in a folder, with TensorFlow's devices started.

    Raises:
        SeqzooError: there is none.
    """
    path = pathlib.Path(folder).expanduser()
    if not is_run(path):
        # The same check as in `Run.open`, three seconds earlier.
        if folder not in PRESETS:
            told = f"{path} is not a run folder; name one that `{command('train')}` wrote"
            raise SeqzooError(told + nearest(folder, list_trained()))
        path = folder_of(folder)
    devices.choose(device)
    start_devices()
    from seqzoo.tasks.runs.run import Run

    return Run.open(path)

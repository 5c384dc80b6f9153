"""The output of predictions: a line per input, in order, with its prediction or its error."""

import io
import itertools
import json
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, Literal

from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.decoding.settings import Decoding
from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.data import prediction_inputs
from seqzoo.zoo.data.prediction_inputs import File, RawInput, Tokenization
from seqzoo.zoo.data.records import read_bytes
from seqzoo.zoo.inference.attention_text import (
    AttentionOutput,
    as_json,
    as_text,
    check_attention,
)
from seqzoo.zoo.inference.open_run import open_runs
from seqzoo.zoo.inference.options import check_top, prediction_options
from seqzoo.zoo.inference.reply import Reply
from seqzoo.zoo.inference.surface_words import surface_words
from seqzoo.zoo.output import csv_record, finite, one_line

Form = Literal["text", "jsonl", "csv", "conll", "conllu"]

TAGGED = ("conll", "conllu")
ONE_TAG_PER_WORD = "--format {} has one tag per word; leave --top out."
"""Formats for tags only: a word and its tag per line, an empty line after each sentence."""

LINES_AT_ONCE = 512
"""Number of lines that are predicted together."""

UNTRACED_STEPS = 100
"""Number of time steps, generated ones included, up to which running the operations of a model one
by one takes less time than tracing its graph first."""

_SEPARATOR = re.compile(r"[\t\r\n]|^ +| +$")
"""Whitespace that a word in CoNLL cannot contain."""


DECODING = {"seed", *(field.name for field in fields(Decoding))}
"""The options of text generation."""

MAX_LOCATIONS = 20
"""Maximum number of locations that are listed for the same error."""


def errors_once(replies: Iterable[Reply]) -> Iterator[Reply]:
    """The replies, with each error reported only once, at the first line that has it; its other
    lines are listed at the end."""
    locations: dict[str, list[str]] = {}
    counts: Counter[str] = Counter()
    for reply in replies:
        if not reply.bad:
            yield reply
            continue
        known = locations.setdefault(reply.error, [])
        counts[reply.error] += 1
        if len(known) <= MAX_LOCATIONS:
            known.append(reply.location)
        if counts[reply.error] == 1:
            yield reply
    for error, (first, *others) in locations.items():
        if others:
            more = counts[error] - 1
            unit = first.partition(" ")[0] + "s" * (more > 1)
            shown = ", ".join(location.partition(" ")[2] for location in others)
            shown += ", ..." if more > MAX_LOCATIONS else ""
            yield Reply(
                f"{more:,} more {unit} had the same error as {first}: {shown}",
                bad=True,
            )


def prediction_lines(
    folder: str,
    given: Iterator[bytes] | tuple[str, ...] | File,
    top: int,
    form: Form,
    decoding: dict[str, Any],
    device: str | None = None,
    *,
    resample: bool = False,
    attention: AttentionOutput | None = None,
    tokenize: Tokenization | None = None,
    others: Sequence[str] = (),
    skip: int = 0,
    complete: Callable[[int], None] = lambda inputs: None,
) -> Iterator[Reply]:
    """The output for each input, in order; "csv" begins with a header.

    Args:
        folder: the folder of the run.
        given: lines in UTF-8, texts from the command line, or a file.
        top: predictions per input.
        form: format of the output: tab-separated fields, a JSON object, or a CSV record.
        decoding: the given options of text generation.
        device: see `seqzoo.zoo.devices.choose`.
        resample: whether to convert audio to the sample rate of the model.
        attention: shows where the model attends; None to print only predictions.
        tokenize: how sentences are split into words for a tagger, see `prediction_inputs.reader`;
            None for "auto".
        others: further runs, whose predictions are averaged with those of the first.
        skip: number of inputs to skip at the beginning; the header is then left out.
        complete: called with the number of inputs, including skipped ones, when the output for all
            of them has been consumed.

    Raises:
        SeqzooError: the run does not exist, has no model yet, or does not support an option, or the
            file cannot be read.
    """
    if isinstance(given, File) and given.path.is_dir():
        raise SeqzooError(
            f"--input-file must be a file, got the folder {given.path}; files of images and "
            "recordings are arguments, or named by a column of a table."
        )
    if isinstance(given, File) and not given.path.exists():
        read_bytes(given.path)  # raises an error before TensorFlow is imported
    run = open_runs(folder, others, device)
    if isinstance(given, tuple) and not others:
        run.untraced_steps = UNTRACED_STEPS
    options = prediction_options(run, top, decoding)
    target = run.template.target
    if form in TAGGED and target != "tags":
        raise SeqzooError(f"--format {form} is for target 'tags', got {folder} with {target!r}.")
    if form in TAGGED and top > 1:
        raise SeqzooError(ONE_TAG_PER_WORD.format(form))
    check_top(run.template, top)
    if top > 1 and target == "labels" and form != "jsonl":
        raise SeqzooError(
            "--top with target 'labels' is for --json, since an answer may have any number of "
            f"labels; got {folder} with --format {form}."
        )
    prediction_inputs.check_resample(folder, run.template, resample=resample)
    tags_words = target == "tags" and run.template.input == "words"
    if tokenize is not None and not tags_words:
        raise SeqzooError(f"--tokenize is for tags of words, got {folder} with {target!r}.")
    tokenize = tokenize or "auto"
    raw_inputs = prediction_inputs.read(run, given, resample=resample, tokenize=tokenize)
    _ = run.model  # a missing model is reported before the first line is read
    if attention is not None:
        check_attention(run)
    if tags_words and tokenize == "auto" and (remark := run.task.features.first.splitter.remark):
        yield Reply(remark, aside=True)
    # Typed lines are predicted one at a time; files in batches of lines.
    typed = isinstance(given, io.IOBase) and given.isatty()
    size = 1 if typed else LINES_AT_ONCE
    chunk = list(itertools.islice(raw_inputs, skip, skip + size))
    if form == "csv" and not skip:
        yield Reply(csv_head(options.top))

    method = getattr(options.decoding or getattr(run.task, "decoding", None), "method", None)
    if attention is not None and method == "sample" and options.seed is None:
        options = replace(options, seed=secrets.randbits(32))  # the same texts are drawn twice

    def replies() -> Iterator[Reply]:
        nonlocal chunk
        count = skip
        while chunk:
            yield from replies_of(run, chunk, options, form, attention, first=count)
            count += len(chunk)
            complete(count)
            chunk = list(itertools.islice(raw_inputs, size))

    yield from replies() if size == 1 else errors_once(replies())
    if attention is not None:
        attention.write()


def csv_head(top: int) -> str:
    """The CSV header for a number of predictions per input."""
    further = [(f"answer_{n}", f"probability_{n}") for n in range(2, top + 1)]
    return csv_record(["line", "answer", "probability", *itertools.chain(*further)])


def replies_of(
    run: Any,
    chunk: Sequence[RawInput],
    options: PredictionOptions,
    form: Form,
    attention: AttentionOutput | None,
    *,
    first: int,
) -> Iterator[Reply]:
    """The output for some inputs, in order.

    Args:
        run: the run, or an object that predicts like one.
        chunk: the inputs.
        options: the options of the predictions.
        form: format of the output.
        attention: shows where the model attends; None to print only predictions.
        first: the position of the first of these inputs among all inputs.
    """
    positions = {item.number: first + index for index, item in enumerate(chunk)}

    def choices(numbers: Iterable[int]) -> PredictionOptions:
        if options.seed is None:
            return options
        return replace(options, positions=tuple(positions[number] for number in numbers))

    def formatted(numbers: Iterable[int], predictions: Sequence[Any]) -> dict[int, Reply]:
        numbers = list(numbers)
        maps: list[Any] = [None] * len(numbers)
        if attention is not None:
            maps = run.attention([inputs[number] for number in numbers], choices(numbers))
        return {
            number: Reply(
                _sentence(surface(number), prediction, form)
                if form in TAGGED
                else _formatted(number, prediction, options.top, form, attention_map, words(number))
            )
            for number, prediction, attention_map in zip(
                numbers, predictions, map(shown, maps), strict=True
            )
        }

    def words(number: int) -> Sequence[str] | None:
        """The words that tags belong to, which may differ from a split at whitespace."""
        pairs = surface(number) if run.template.target == "tags" and form == "jsonl" else None
        return None if pairs is None else [word for word, _ in pairs]

    def surface(number: int) -> Sequence[tuple[str, bool]] | None:
        """The tagged words as they were typed, and whether whitespace follows each."""
        return surface_words(inputs[number], run.task.tokens(inputs[number]))

    def shown(attention_map: Any) -> Any:
        if attention is None:
            return None
        attention.keep(attention_map)
        return as_json(attention_map) if form == "jsonl" else as_text(attention_map)

    replies: dict[int, Reply] = {}
    inputs: dict[int, Any] = {}
    for item in chunk:
        if item.wrong:
            replies[item.number] = _invalid(item, f" {item.wrong}.")
        else:
            inputs[item.number] = item.field
    try:
        predictions = run.predict(list(inputs.values()), choices(inputs))
        replies |= formatted(inputs, predictions)
    except SeqzooError as error:
        if error.field in DECODING:  # no input is at fault
            raise
        # One of them is invalid; predicting them one at a time shows which.
        for item in chunk:
            number = item.number
            if number not in inputs:
                continue
            try:
                unit = item.unit.lower()
                predictions = run.predict(
                    [inputs[number]], choices([number]), lines=[number], unit=unit
                )
                replies |= formatted([number], predictions)
            except SeqzooError as error:
                location = f"{item.unit} {number}"
                message = str(error if error.location else error.at(location))
                problem = re.sub(re.escape(location), "", message, flags=re.IGNORECASE)
                location = location.lower()
                replies[number] = Reply(message, bad=True, error=problem, location=location)
    for item in chunk:
        yield replies[item.number]


def _invalid(item: RawInput, error: str) -> Reply:
    location = f"{item.unit} {item.number}"
    return Reply(location + error, bad=True, error=error, location=location.lower())


def prediction_fields(prediction: Any, top: int) -> dict[str, Any]:
    """A prediction in JSON: "answer", "probability", and, where available, "token_probability",
    "probabilities" (of each tag), "alignment", "quantiles" (of each step of a forecast, by level)
    and, for a `top` above 1, "alternatives"."""
    fields = {"answer": prediction.value, "probability": prediction.probability}
    if prediction.token_probabilities:
        fields["token_probability"] = prediction.token_probabilities[0]
    if prediction.step_probabilities:
        fields["probabilities"] = list(prediction.step_probabilities)
    if prediction.alignment:
        fields["alignment"] = [list(span) for span in prediction.alignment]
    quantiles = getattr(prediction, "quantiles", None)
    if quantiles is not None and len(quantiles):
        fields["quantiles"] = quantiles
    if top > 1:
        # Other tokens can make the same text with a lower probability.
        fields["alternatives"] = alternatives = {}
        for answer, probability in prediction.alternatives[:top]:
            alternatives.setdefault(answer, probability)
    return fields


def _formatted(
    number: int,
    prediction: Any,
    top: int,
    form: Form,
    attention: Any = None,
    words: Sequence[str] | None = None,
) -> str:
    if form == "jsonl":
        reply = {"line": number, **prediction_fields(prediction, top)}
        if words is not None:
            reply["words"] = words
        if attention is not None:
            reply["attention"] = attention
        return json.dumps(finite(reply), ensure_ascii=False, allow_nan=False)
    pairs = [(prediction.label, prediction.probability), *prediction.alternatives[1:top]]
    if form == "csv":
        flat = [field for pair in pairs for field in pair]
        flat += [""] * (2 * top - len(flat))
        return csv_record([number, *("" if field is None else field for field in flat)])
    if prediction.probability is None:
        return one_line(prediction.label)
    if prediction.token_probabilities:  # the probability of a complete text is close to zero
        labels = [label for label, _ in pairs]
        pairs = list(zip(labels, prediction.token_probabilities, strict=False))
    line = "\t".join(f"{one_line(label)}\t{probability:.4f}" for label, probability in pairs)
    return line if attention is None else f"{line}\n{attention}"


def _sentence(words: Sequence[tuple[str, bool]] | None, prediction: Any, form: Form) -> str:
    """The words, tags and probabilities of a sentence, with an empty line at the end.

    In CoNLL-U the tag is UPOS, and the probability is in MISC. Whitespace that a word cannot
    contain is printed as a no-break space, as the model reads it.
    """
    words = words or [(str(step), True) for step in range(1, len(prediction.value) + 1)]
    words = [(_SEPARATOR.sub("\u00a0", word), spaced) for word, spaced in words]
    rows = zip(words, prediction.value, prediction.step_probabilities, strict=True)
    if form == "conll":
        return "".join(f"{word}\t{tag}\t{share:.4f}\n" for (word, _), tag, share in rows)
    text = "".join(f"{word} " if spaced else word for word, spaced in words).strip()
    lines = [f"# text = {text}\n"]
    for number, ((word, spaced), tag, share) in enumerate(rows, 1):
        remarks = f"Probability={share:.4f}" if spaced else f"Probability={share:.4f}|SpaceAfter=No"
        lines.append(f"{number}\t{word}\t_\t{tag}" + "\t_" * 5 + f"\t{remarks}\n")
    return "".join(lines)

"""`seqzoo predict`: inputs in, answers out, in their order."""

import csv
import io
import itertools
import json
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from seqzoo.tasks.base import AnswerOptions
from seqzoo.tasks.errors import SeqzooError
from seqzoo.zoo.commands.answering import asking, open_run
from seqzoo.zoo.commands.output import one_line
from seqzoo.zoo.data import prediction_inputs as inputs_of
from seqzoo.zoo.data.prediction_inputs import Asked, File
from seqzoo.zoo.data.source import ARRAYS, suffix_of

Form = Literal["text", "jsonl", "csv"]

CHUNK = 512
"""Lines that are answered together."""


@dataclass(frozen=True)
class Reply:
    """What to print for a line.

    Attributes:
        text: the answer, or what is wrong with the line.
        bad: whether something is.
    """

    text: str
    bad: bool = False


def answers(
    folder: str,
    given: Iterable[bytes] | File,
    top: int,
    form: Form,
    decoding: dict[str, Any],
    device: str | None = None,
) -> Iterator[Reply]:
    """A reply for each input, in their order; of "csv", the heads come first.

    Args:
        folder: of the run.
        given: lines in UTF-8, or a file.
        top: labels an input.
        form: what a reply is: fields between tabs, a JSON object, or a record of CSV.
        decoding: how texts are generated, as far as it was typed.
        device: see `devices.choose`.

    Raises:
        SeqzooError: there is no such run, it has no model yet, it generates no texts, or the file
            cannot be read.
    """
    if isinstance(given, File) and (not given.path.exists() or given.path.is_dir()):
        from seqzoo.zoo.data.tables import read_bytes

        read_bytes(given.path)  # tells why, before TensorFlow takes its seconds
    run = open_run(folder, device)
    options = asking(run, top, decoding)
    if isinstance(given, File):
        arrays = suffix_of(str(given.path)) == ARRAYS
        asked = inputs_of.of_arrays(given, run) if arrays else inputs_of.of_file(given, run.source)
        place = given.path.parent
    else:
        asked, place = inputs_of.of_lines(given), pathlib.Path.cwd()
    _ = run.model  # says that there is none before the first line is read
    # A person who types sees each answer at once; files are answered many lines at a time.
    size = 1 if getattr(given, "isatty", bool)() else CHUNK
    chunk = list(itertools.islice(asked, size))
    if form == "csv":
        further = [(f"answer_{n}", f"probability_{n}") for n in range(2, options.top + 1)]
        yield Reply(_record(["line", "answer", "probability", *itertools.chain(*further)]))
    while chunk:
        yield from _replies(run, chunk, place, options, form)
        chunk = list(itertools.islice(asked, size))


def _replies(
    run: Any, chunk: Sequence[Asked], place: pathlib.Path, options: AnswerOptions, form: Form
) -> Iterator[Reply]:
    read = inputs_of.reader(run, place)
    replies: dict[int, Reply] = {}
    inputs: dict[int, Any] = {}
    for asked in chunk:
        try:
            if asked.wrong:
                raise SeqzooError(asked.wrong)
            inputs[asked.number] = asked.field if asked.raw else read(asked.field)
        except SeqzooError as error:
            replies[asked.number] = Reply(f"Line {asked.number} {error}.", bad=True)
    try:
        found = run.predict(list(inputs.values()), options)
        replies |= {
            number: Reply(_answer(number, answer, options.top, form))
            for number, answer in zip(inputs, found, strict=True)
        }
    except SeqzooError:
        # One of them cannot be answered: one at a time shows which.
        for number, value in inputs.items():
            try:
                (answer,) = run.predict([value], options, lines=[number])
                replies[number] = Reply(_answer(number, answer, options.top, form))
            except SeqzooError as error:
                told = error if error.location else error.at(f"Line {number}")
                replies[number] = Reply(str(told), bad=True)
    for asked in chunk:
        yield replies[asked.number]


def _answer(number: int, answer: Any, top: int, form: Form) -> str:
    if form == "jsonl":
        reply = {"line": number, "answer": answer.value, "probability": answer.probability}
        if top > 1:
            reply["alternatives"] = dict(answer.alternatives[:top])
        return json.dumps(reply, ensure_ascii=False)
    pairs = [(answer.label, answer.probability), *answer.alternatives[1:top]]
    if form == "csv":
        flat = [field for pair in pairs for field in pair]
        flat += [""] * (2 * top - len(flat))
        return _record([number, *("" if field is None else field for field in flat)])
    if answer.probability is None:
        return one_line(answer.label)
    return "\t".join(f"{one_line(label)}\t{probability:.4f}" for label, probability in pairs)


def _record(fields: Sequence[Any]) -> str:
    """Fields as CSV has them, quoted where that is needed; without the line's end."""
    file = io.StringIO()
    csv.writer(file, lineterminator="").writerow(fields)
    return file.getvalue()

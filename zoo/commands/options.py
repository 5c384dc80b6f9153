"""Options that commands share, as one decorator a subject.

An option that is not typed is None: the preset, the template or the run then decides.
"""

import functools
import json
import shlex
from collections.abc import Callable
from typing import Any, get_args

import click

from seqzoo.tasks.decoding.settings import Method
from seqzoo.tasks.errors import nearest
from seqzoo.tasks.many_to_many_aligned.template import CharacterReader
from seqzoo.tasks.many_to_many_encoder_decoder.template import AttentionKind
from seqzoo.tasks.many_to_one.template import Pooling
from seqzoo.tasks.settings import Precision, Schedule
from seqzoo.zoo.commands import completers as completing
from seqzoo.zoo.data.source import Duplicates, Kind, TargetKind
from seqzoo.zoo.presets import Size


class OneOf(click.Choice):
    """One of a few names; a name that is nearly one of them is answered with that one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value not in self.choices:
            known = ", ".join(self.choices)
            self.fail(f"must be one of {known}, got {value!r}{nearest(value, self.choices)}")
        return super().convert(value, param, ctx)


class TextsCommand(click.Command):
    """A command that takes texts, and says what to type for one that begins with "-"."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        typed = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            told = error.format_message()
            text = next((own for own in typed if own.startswith(error.option_name)), "-...")
            raise click.UsageError(
                f"{told} A text that begins with - stands behind --, as in "
                f"`{ctx.command_path} RUN -- {shlex.quote(text)}`.",
                ctx,
            ) from error


def _file_or_share(_: click.Context, __: click.Parameter, text: str | None) -> float | str | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def names(_: click.Context, __: click.Parameter, text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]


def delimiter(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    return {"tab": "\t", "\\t": "\t"}.get(text, text) if text else text


def _cell_options(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict | None:
    options = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"must be NAME=VALUE, got {text!r}.")
        try:
            options[name.strip()] = json.loads(value)
        except json.JSONDecodeError:
            options[name.strip()] = value
    return options or None


def _stack(*options: Callable) -> Callable:
    """One decorator of several, in the order in which the help shows them."""
    return lambda command: functools.reduce(lambda done, add: add(done), reversed(options), command)


def _choice(name: str, values: Any, text: str) -> Callable:
    return click.option(name, type=OneOf(get_args(values)), help=text)


def _integer(name: str, text: str) -> Callable:
    return click.option(name, type=int, help=text)


def _number(name: str, text: str) -> Callable:
    return click.option(name, type=float, help=text)


resample = click.option(
    "--resample/--no-resample", default=None, help="Bring sound of other sample rates to one rate."
)

column = _stack(
    click.option("--input", help="Column or feature of the inputs."),
    click.option("--target", help="Column or feature of the targets."),
    click.option("--columns", callback=names, help="Names of a file's columns, if it has none."),
    click.option("--delimiter", callback=delimiter, help="What separates fields: ; or tab."),
    click.option("--separator", help="What separates labels in one field. [default: ,]"),
    click.option("--data-dir", help="Folder of tfds data sets."),
    resample,
    click.option("--split-column", help="Column that says which split a line is of."),
    _choice("--duplicates", Duplicates, "Inputs of several splits. [default: drop]"),
    _integer("--limit", "Take at most so many examples of each split."),
)

source = _stack(
    click.option(
        "--data",
        shell_complete=completing.data,
        help="languages, tfds:NAME, or a .csv, .tsv or .jsonl file.",
    ),
    _choice("--kind", Kind, "What an input is made of."),
    _choice("--target-kind", TargetKind, "What a target is. [default: that of the template]"),
    column,
    click.option(
        "--validation",
        callback=_file_or_share,
        help="File, or share to hold out, for choosing the best epoch. [default: 0.1]",
    ),
    click.option(
        "--test",
        callback=_file_or_share,
        help="File, or share to hold out, for the final score. [default: 0.1]",
    ),
    _integer("--sample-rate", "Of sound, a second. [default: that of the first file]"),
)

task = _stack(
    _choice("--size", Size, "Of a preset's model. [default: base]"),
    click.option(
        "--cell", shell_complete=completing.cells, help="Recurrent cell; see `seqzoo list cells`."
    ),
    _integer("--units", "Units of each layer, and of each direction."),
    _integer("--layers", "Recurrent layers."),
    click.option("--bidirectional/--one-direction", default=None, help="Read both ways, or one."),
    _choice("--pooling", Pooling, "Use the last output, or the mean or maximum of all."),
    _number("--dropout", "Share of inputs to drop in training."),
    _number("--recurrent-dropout", "Share of recurrent inputs to drop in training."),
    click.option(
        "--cell-option",
        "cell_options",
        multiple=True,
        callback=_cell_options,
        help="Further option of the cell, NAME=VALUE; may be given again.",
    ),
    _integer("--embedding", "Size of the vector of a character or word."),
    _integer("--ngrams", "Longest n-gram of characters or words with a vector of its own."),
    _integer("--ngram-buckets", "Vectors that the n-grams of one length share."),
    click.option("--bag/--no-bag", default=None, help="Hand all vectors, summed, to the end too."),
    _integer("--vocabulary-size", "Keep at most so many characters or words."),
    _integer("--minimum-count", "Keep characters or words that occur so often."),
    click.option("--lowercase/--keep-case", default=None, help="Put text in lower case, or not."),
    click.option("--nfc/--no-nfc", default=None, help="Compose letters and marks (NFC), or not."),
    _integer("--maximum-length", "Cut sequences after so many steps."),
    _number("--label-smoothing", "Share of the probability to spread over all classes."),
    _integer("--characters", "Units that read the characters of each word; 0 for none."),
    _choice("--character-reader", CharacterReader, "What reads them."),
    click.option("--crf/--no-crf", default=None, help="Choose the tags of a sequence together."),
    _number("--word-dropout", "Share of words that are unknown in training."),
    _integer("--window", "Steps that long texts are cut to in training."),
    click.option("--whole/--lines", default=None, help="Read a .txt as one text, or line by line."),
    click.option("--encoder", help="Of images: convolutional, or one of keras.applications."),
    _number("--random-shift", "Share of an image that it is moved by in training."),
    _number("--random-zoom", "Share of an image that it is enlarged by in training."),
    _choice("--attention", AttentionKind, "How a decoder looks at its input."),
    click.option("--tied/--untied", default=None, help="Share vectors of input and output tokens."),
    _number("--scheduled-sampling", "Share of its own tokens that a decoder is trained on."),
    _integer("--mel-bins", "Bands of the spectrogram of audio."),
)

device = click.option(
    "--device", type=OneOf(["cpu", "gpu"]), help="Where to compute. [default: a GPU if any]"
)

training = _stack(
    _integer("--epochs", "Passes over the training examples."),
    _integer("--batch-size", "Examples a step."),
    _integer("--batch-steps", "Time steps a batch at most, so that long examples come in fewer."),
    _number("--learning-rate", "The highest learning rate."),
    _choice("--schedule", Schedule, "How the learning rate goes on."),
    _integer(
        "--warmup-steps",
        "Steps in which the learning rate rises. [default: a tenth of all, at most 200]",
    ),
    _number("--weight-decay", "Share of each weight that AdamW takes off."),
    _number("--clip-norm", "Norm that gradients are clipped to."),
    _integer("--patience", "Stop after so many epochs without a better score."),
    _integer("--seed", "Of weights, shuffling and dropout; the splits stay."),
    _choice("--precision", Precision, "Numbers of the layers."),
)


def listed(*stacks: Callable) -> list[click.Option]:
    """The options of stacks, in their order."""
    command = click.command()(_stack(*stacks)(lambda **_: None))
    return [option for option in command.params if isinstance(option, click.Option)]


DECODING = (
    "method",
    "beam_width",
    "length_penalty",
    "coverage_penalty",
    "temperature",
    "top_k",
    "top_p",
    "minimum_length",
    "longest_answer",
    "no_repeat_ngram",
    "repetition_penalty",
    "seed",
)


def parted(choices: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was typed: choices of decoding, and all others."""
    typed = {name: value for name, value in choices.items() if value is not None}
    decoding_choices = {name: typed.pop(name) for name in DECODING if name in typed}
    return decoding_choices, typed


decoding = _stack(
    _choice("--method", Method, "How texts are generated. [default: greedy]"),
    _integer("--beam-width", "Beginnings that beam search keeps. [default: 4]"),
    _number("--length-penalty", "How much beam search favours long answers. [default: 0]"),
    _number("--coverage-penalty", "How much it favours answers that use all of the input."),
    _number("--temperature", "Of sampling. [default: 1]"),
    _integer("--top-k", "Sample from so many most probable tokens."),
    _number("--top-p", "Sample from the tokens that together have this probability."),
    _integer("--minimum-length", "Tokens that an answer has at least."),
    _integer("--longest-answer", "Tokens that an answer has at most."),
    _integer("--no-repeat-ngram", "Size of the n-grams that occur only once in an answer."),
    _number("--repetition-penalty", "What tokens lose that an answer holds already. [default: 1]"),
    _integer("--seed", "Of sampling."),
)

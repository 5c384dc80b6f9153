"""Options that commands share, one decorator per subject.

An option that is not given is None: the preset, the template or the run then decides.
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
from seqzoo.tasks.one_to_many.template import Normalization
from seqzoo.tasks.one_to_many.template import Pooling as MapPooling
from seqzoo.tasks.settings import BestBy, Precision, Schedule
from seqzoo.zoo.commands import completers
from seqzoo.zoo.data.source import SUFFIXES, TFDS, Duplicates, Kind, TargetKind
from seqzoo.zoo.datasets import DATASETS
from seqzoo.zoo.presets import Size


class OneOf(click.Choice):
    """A choice of names; the error for an unknown name suggests the nearest one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value not in self.choices:
            known = ", ".join(self.choices)
            self.fail(f"must be one of {known}, got {value!r}{nearest(value, self.choices)}")
        return super().convert(value, param, ctx)


class TextsCommand(click.Command):
    """A command that takes texts, with a hint for texts that begin with "-"."""

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


def _sizes(_: click.Context, __: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    try:
        return None if text is None else tuple(int(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"must be whole numbers such as 32,64, got {text!r}.") from None


def _integer(name: str, text: str) -> Callable:
    return click.option(name, type=int, help=text)


def _number(name: str, text: str) -> Callable:
    return click.option(name, type=float, help=text)


resample = click.option(
    "--resample/--no-resample", default=None, help="Resample audio files to one sample rate."
)

column = _stack(
    click.option("--input", help="Column or feature of the inputs."),
    click.option("--target", help="Column or feature of the targets."),
    click.option(
        "--columns", callback=names, help="Column names of a file that has no header line."
    ),
    click.option("--delimiter", callback=delimiter, help="Field delimiter, such as ; or tab."),
    click.option("--separator", help="Separator of labels within one field. [default: ,]"),
    click.option("--data-dir", help="Folder of TensorFlow Datasets."),
    resample,
    click.option("--split-column", help="Column with the split of each example."),
    _choice(
        "--duplicates",
        Duplicates,
        "What to do with inputs that are in several splits. [default: drop]",
    ),
    _integer("--limit", "Maximum number of examples per split."),
)

source = _stack(
    click.option(
        "--data",
        shell_complete=completers.data,
        help=f"{', '.join(DATASETS)}, {TFDS}NAME, or a file or folder: {', '.join(SUFFIXES)}.",
    ),
    _choice("--kind", Kind, "Input type."),
    _choice("--target-kind", TargetKind, "Target type. [default: the template's]"),
    column,
    click.option(
        "--validation",
        callback=_file_or_share,
        help="Validation file, or share of the examples to hold out for validation. [default: 0.1]",
    ),
    click.option(
        "--test",
        callback=_file_or_share,
        help="Test file, or share of the examples to hold out for testing. [default: 0.1]",
    ),
    _integer("--sample-rate", "Sample rate of audio, in Hz. [default: that of the first file]"),
)

task = _stack(
    _choice("--size", Size, "Model size of the preset. [default: base]"),
    click.option(
        "--cell", shell_complete=completers.cells, help="Recurrent cell; see `seqzoo list cells`."
    ),
    _integer("--units", "Units per layer and direction."),
    _integer("--layers", "Number of recurrent layers."),
    click.option(
        "--bidirectional/--one-direction",
        default=None,
        help="Bidirectional or forward-only layers.",
    ),
    click.option(
        "--pooling",
        type=OneOf(dict.fromkeys([*get_args(Pooling), *get_args(MapPooling)])),
        help="Pooling: last, mean or max over time; mean or flatten of an image's feature map.",
    ),
    _number("--dropout", "Dropout rate on layer inputs."),
    _number("--recurrent-dropout", "Dropout rate on recurrent inputs."),
    click.option(
        "--cell-option",
        "cell_options",
        multiple=True,
        callback=_cell_options,
        help="Option of the cell, as NAME=VALUE; repeatable.",
    ),
    _integer("--embedding", "Embedding size."),
    _integer("--ngrams", "Longest n-gram of characters or words that is embedded; 1 for none."),
    _integer("--ngram-buckets", "Hash buckets per n-gram length."),
    click.option(
        "--bag/--no-bag",
        default=None,
        help="Also feed the sum of all token embeddings to the output layer.",
    ),
    _integer("--vocabulary-size", "Maximum vocabulary size."),
    _integer(
        "--minimum-count", "Minimum number of occurrences of a token to be in the vocabulary."
    ),
    click.option("--lowercase/--keep-case", default=None, help="Lowercase text, or not."),
    click.option("--nfc/--no-nfc", default=None, help="Normalise text to Unicode NFC, or not."),
    click.option(
        "--lowercase-targets/--keep-case-of-targets",
        default=None,
        help="Lowercase target texts, or not.",
    ),
    _integer("--maximum-length", "Maximum sequence length; longer ones are truncated."),
    _number("--label-smoothing", "Label smoothing."),
    _integer("--characters", "Units of the character-level layer of each word; 0 for none."),
    _choice("--character-reader", CharacterReader, "Type of the character-level layer."),
    click.option(
        "--crf/--no-crf",
        default=None,
        help="Decode the tags of a sequence jointly, with a conditional random field.",
    ),
    _number("--word-dropout", "Share of words replaced by the unknown token in training."),
    _integer("--window", "Window length, in steps, for training on long texts and series."),
    click.option(
        "--whole/--lines",
        default=None,
        help="Treat the file as one long sequence, or each line as one.",
    ),
    click.option(
        "--encoder", help="Image encoder: convolutional, or a model of keras.applications."
    ),
    _number("--random-shift", "Augmentation: maximum shift, as a share of the image size."),
    _number("--random-zoom", "Augmentation: maximum zoom, as a share of the image size."),
    _number("--random-shear", "Augmentation: maximum shear, as a share of the image height."),
    click.option(
        "--encoder-weights", help="Weights of a keras.applications encoder: imagenet, or a file."
    ),
    click.option(
        "--frozen/--trainable", default=None, help="Freeze the weights of the image encoder."
    ),
    click.option(
        "--filters", callback=_sizes, help="Filters of each convolutional block, such as 32,64."
    ),
    _choice("--normalization", Normalization, "Normalisation of the convolutional blocks."),
    click.option("--image-size", callback=_sizes, help="HEIGHT,WIDTH that images are resized to."),
    _choice("--attention", AttentionKind, "Attention mechanism of the decoder."),
    click.option("--tied/--untied", default=None, help="Tie input and output embeddings."),
    _number(
        "--scheduled-sampling",
        "Scheduled-sampling rate: share of decoder inputs replaced by its own predictions.",
    ),
    _integer("--mel-bins", "Number of mel bands of the audio spectrogram."),
    _integer("--character-embedding", "Embedding size of the characters of a word."),
    _integer("--horizon", "Default number of steps to forecast."),
)

device = click.option(
    "--device",
    type=OneOf(["cpu", "gpu"]),
    help="Device to run on. [default: a GPU if there is one]",
)

training = _stack(
    _integer("--epochs", "Number of training epochs."),
    _integer("--batch-size", "Examples per batch."),
    _integer("--batch-steps", "Maximum time steps per batch, padding included."),
    _number("--learning-rate", "Peak learning rate."),
    _choice("--schedule", Schedule, "Learning-rate schedule."),
    _integer(
        "--warmup-steps",
        "Warm-up steps of the learning rate. [default: a tenth of all, at most 200]",
    ),
    _number("--weight-decay", "AdamW weight decay."),
    _number("--clip-norm", "Maximum global norm of gradients."),
    _integer("--patience", "Stop after this many epochs without improvement."),
    _choice(
        "--best-by",
        BestBy,
        "What selects the best epoch. [default: loss for generated texts, else metric]",
    ),
    _integer(
        "--seed", "Random seed of weights, shuffling and dropout; it does not affect the splits."
    ),
    _choice("--precision", Precision, "Dtype policy (Keras mixed precision)."),
    _integer("--buckets", "Maximum number of padded lengths."),
    _number("--checkpoint-seconds", "Seconds between checkpoints within an epoch."),
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


def given(choices: dict[str, Any]) -> dict[str, Any]:
    """The options that were given; click has None for the others."""
    return {name: value for name, value in choices.items() if value is not None}


def parted(choices: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options that were given: those of decoding, and all others."""
    typed = given(choices)
    decoding_choices = {name: typed.pop(name) for name in DECODING if name in typed}
    return decoding_choices, typed


decoding = _stack(
    _choice("--method", Method, "Decoding method. [default: greedy]"),
    _integer("--beam-width", "Beam size. [default: 4]"),
    _number(
        "--length-penalty",
        "Length penalty of beam search; higher favours longer texts. [default: 0]",
    ),
    _number(
        "--coverage-penalty",
        "Coverage penalty of beam search; higher favours texts that use all of the input.",
    ),
    _number("--temperature", "Sampling temperature. [default: 1]"),
    _integer("--top-k", "Sample from the K most probable tokens."),
    _number("--top-p", "Sample from the smallest set of tokens with this total probability."),
    _integer("--minimum-length", "Minimum length of generated texts, in tokens."),
    _integer("--longest-answer", "Maximum length of generated texts, in tokens."),
    _integer("--no-repeat-ngram", "Size of n-grams that must not repeat within a text."),
    _number(
        "--repetition-penalty",
        "Repetition penalty (CTRL, Keskar et al. 2019); 1 disables it. [default: 1]",
    ),
    _integer("--seed", "Random seed of sampling."),
)

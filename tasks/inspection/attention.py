"""Attention maps: which parts of its input a model attends to as it generates each token."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.inspection.calls import changed_output
from seqzoo.tasks.inspection.subject import Subject, input_labels
from seqzoo.tasks.inspection.trace import step_by_step


@dataclass(frozen=True)
class AttentionMap:
    """The attention over one input.

    Attributes:
        source: names of the input's steps, or of the cells of an image's grid.
        tokens: the generated tokens.
        weights: the attention weights, (tokens, source); each row sums to 1.
        grid: number of rows and columns of an image's grid; None for sequences.
        answer: the generated text.
    """

    source: tuple[str, ...]
    tokens: tuple[str, ...]
    weights: np.ndarray
    grid: tuple[int, int] | None = None
    answer: str = ""


def has_attention(model: object) -> bool:
    """Whether a model has a decoder with attention."""
    return getattr(getattr(model, "decoder", None), "attention", None) is not None


def attention_map(subject: Subject) -> AttentionMap:
    """The attention weights for each token of the subject's text, including the end token.

    Raises:
        SeqzooError: the model has no attention.
    """
    check_attention(subject.run)
    weights_of_calls = []

    def keep(result: tuple) -> tuple:
        weights_of_calls.append(result[1])
        return result

    with step_by_step(subject.model), changed_output(subject.model.decoder.attention, keep):
        subject.scores(subject.inputs)
    weights = np.asarray(weights_of_calls[0], np.float32)[0]
    grid = _grid(subject.model)
    source = subject.labels if grid is None else _cell_names(grid)
    return AttentionMap(source, subject.steps, weights, grid, subject.answer)


def attention_of(
    run: Any, inputs: Sequence[Any], options: PredictionOptions | None = None
) -> list[AttentionMap]:
    """The attention of a model while it generates the texts that `Run.predict` returns with the
    same options.

    Args:
        run: a `seqzoo.tasks.Run`.
        inputs: raw inputs, as `Run.predict` takes them.
        options: the prediction options; if an input gets several texts, the first one is used.

    Raises:
        SeqzooError: the model has no attention, or an input is not valid.
    """
    check_attention(run)
    task, model, options = run.task, run.model, options or PredictionOptions()
    raw = task.features.raw(inputs, [f"example {index}" for index in range(len(inputs))])
    batch = task.features.tensors(*raw)
    if options.positions is not None:
        batch["rows"] = tf.constant(options.positions, tf.int32)
    lengths = batch["lengths"]
    with seqzoo.cells.portable():
        decoded = task.generate(model, batch, options)
    if task.replaces_unknown(options):
        attended = tf.argmax(decoded.attention, -1, tf.int32)
        spelled = task.replacing_unknown(decoded.tokens, attended, task.replacements(raw))
    else:
        spelled = task.spelled(decoded.tokens, batch, raw)
    texts = task.texts.join_tokens(spelled[:, 0], decoded.lengths[:, 0]).numpy()
    grid, maps = _grid(model), []
    for index, steps in enumerate(lengths.numpy()):
        written = int(decoded.lengths[index, 0])
        each = spelled[index, 0, :written, None]
        tokens = task.texts.join_tokens(each, tf.ones(written, tf.int32)).numpy()
        example = tuple(array[index : index + 1] for array in task.features.raw_of_first(raw))
        first = task.features.first
        source = input_labels(first, example, steps) if grid is None else _cell_names(grid)
        weights = decoded.attention[index, 0, :written, : len(source)].numpy()
        names = tuple(token.decode("utf-8") for token in tokens)
        maps.append(AttentionMap(source, names, weights, grid, texts[index].decode("utf-8")))
    return maps


def check_attention(run: Any) -> None:
    """Checks that the model of a run has attention.

    Raises:
        SeqzooError: it has none.
    """
    if not has_attention(run.model):
        raise SeqzooError(
            f"{run.folder} has no attention; models of many-to-many-encoder-decoder and "
            "one-to-many have it, unless `attention` is 'none'."
        )


def _grid(model: Any) -> tuple[int, int] | None:
    """The number of rows and columns of an image's grid; None for sequences."""
    grid_shape = tuple(getattr(model.encoder, "grid_shape", ()))
    return (int(grid_shape[0]), int(grid_shape[1])) if len(grid_shape) == 2 else None


def _cell_names(grid: tuple[int, int]) -> tuple[str, ...]:
    """A name for each cell of an image's grid, row by row: "0,0", "0,1" and so on."""
    return tuple(f"{row},{column}" for row in range(grid[0]) for column in range(grid[1]))

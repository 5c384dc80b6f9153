"""Truncated backpropagation through time, with separate intervals and window lengths."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

import seqzoo.cells
from seqzoo.cells.engine.runners import run_by
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.protocols import Cuts
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.training.sparse_gradients import nonzero_rows


def check_truncation(task: Any, settings: TrainingSettings) -> None:
    """Checks that a task supports the truncation that the settings ask for.

    Raises:
        SeqzooError: the task has no prediction at each step, or its layers or its loss depend on
            later steps.
    """
    if settings.bptt_every is None:
        return
    template = task.template
    if not isinstance(task, Cuts):
        raise SeqzooError(
            f"`bptt_every` is for templates with a prediction at each step, got {template.name}.",
            field="bptt_every",
        )
    if getattr(template, "crf", False):
        raise SeqzooError(
            "`bptt_every` is for tags without `crf`, whose loss is that of a whole sequence.",
            field="bptt_every",
        )
    if getattr(template, "further_inputs", None):
        raise SeqzooError(
            "`bptt_every` is for models with one input, got further inputs "
            f"{', '.join(template.further_inputs)}.",
            field="bptt_every",
        )
    if getattr(template, "features_from", None):
        raise SeqzooError(
            "`bptt_every` is for taggers without `features_from`, whose language models read whole "
            "sentences.",
            field="bptt_every",
        )
    if template.is_bidirectional:
        raise SeqzooError(
            "`bptt_every` is for unidirectional layers, got bidirectional ones; add "
            "--unidirectional.",
            field="bptt_every",
        )


def truncated_gradients(
    task: Any,
    model: Any,
    batch: dict[str, Any],
    settings: TrainingSettings,
    loss: Callable[[dict[str, Any]], Any],
) -> list[Any]:
    """Gradients of a batch by truncated backpropagation through time, BPTT(h; h') of Williams and
    Peng (1990).

    After every h' = `bptt_every` steps, the loss of these steps is differentiated through the last
    h = `bptt_back` steps; earlier states are constants. The gradients are the sum over all such
    windows, with the weights at the beginning of the batch. The backward pass needs memory for
    only one window.

    Args:
        task: a task that implements `Cuts`.
        model: the model of the task.
        batch: a batch with targets.
        settings: the training settings.
        loss: the loss of a part of the batch, a scalar.

    Returns:
        One gradient per trainable variable; for lazy updates, those of embeddings are sparse and
        have each row once.
    """
    every: Any = settings.bptt_every
    back = settings.bptt_back or every
    layers = recurrent_layers(model)
    weights = [variable.value for variable in model.trainable_variables]
    sparse = [False] * len(weights)

    def body(index: Any, states: list, sums: list) -> tuple[Any, list, list]:
        end = (index + 1) * every
        start = tf.maximum(end - back, 0)
        part = task.cut(batch, start, end, back)
        counted = tf.range(back) >= index * every - start
        part["counted"] = tf.broadcast_to(counted, [tf.shape(batch["lengths"])[0], back])
        with tf.GradientTape() as tape:
            passing = Passing(layers, states)
            with run_by(passing):
                value = loss(part)
        gradients = tape.gradient(value, weights)
        sparse[:] = (isinstance(item, tf.IndexedSlices) for item in gradients)
        sums = [
            item if gradient is None else item + tf.convert_to_tensor(gradient)
            for item, gradient in zip(sums, gradients, strict=True)
        ]
        if back > every:
            # Advances the states to the beginning of the next window.
            after = tf.maximum(end + every - back, 0)
            part = task.cut(batch, start, after, every)
            part["counted"] = tf.fill([tf.shape(batch["lengths"])[0], every], True)
            passing = Passing(layers, states)
            with run_by(passing):
                loss(part)
        last = [
            tf.ensure_shape(tf.stop_gradient(tf.cast(new, state.dtype)), state.shape)
            for state, new in zip(states, passing.last, strict=True)
        ]
        return index + 1, last, sums

    count = -(-task.steps(batch) // every)
    zeros = [tf.zeros(weight.shape, weight.dtype) for weight in weights]
    states = list(task.first_states(model, batch, layers))
    _, _, sums = tf.while_loop(
        lambda index, *_: index < count, body, (tf.constant(0), states, zeros)
    )
    if settings.embedding_updates == "dense":
        return sums
    return [nonzero_rows(item) if rows else item for item, rows in zip(sums, sparse, strict=True)]


def recurrent_layers(model: Any) -> list[Any]:
    """The layers that run over the steps of sequences, in the order in which they are run."""
    layers = getattr(getattr(model, "decoder", model), "recurrent", None)
    if layers is not None:
        return list(layers)
    return [layer for layer in model.layers if isinstance(layer, seqzoo.cells.Recurrent)]


class Passing:
    """A runner (see `seqzoo.cells.engine.runners`) that passes initial states to some layers and
    keeps their final states; other layers, such as those that read the characters of words, run as
    usual.

    Args:
        layers: the layers, in the order in which they are run.
        states: the initial states of all of them, in the same order.
    """

    def __init__(self, layers: Sequence[Any], states: Sequence[Any]):
        self._layers = layers
        self._initial = list(states)
        self.last: list[Any] = []

    def __call__(
        self, layer: Any, sequences: Any, states: list, mask: Any
    ) -> tuple[Any, Any, list]:
        passes_states = any(layer is item for item in self._layers)
        if passes_states:
            initial, self._initial = self._initial[: len(states)], self._initial[len(states) :]
            states = [tf.cast(new, old.dtype) for new, old in zip(initial, states, strict=True)]
        with run_by(None):
            last, outputs, new = layer.inner_loop(sequences, states, mask, training=True)
        if passes_states:
            self.last += list(new)
        return last, outputs, list(new)

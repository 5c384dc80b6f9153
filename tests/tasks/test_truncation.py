"""Truncated backpropagation through time against its definition, step by step."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tagging_data import sentences, tagger
from task_data import series, settings
from training_cases import RecordingProgress, assert_same

from seqzoo.tasks import Examples, Interrupted, ManyToManyAligned, ManyToOne, SeqzooError, Splits
from seqzoo.tasks.data.batches import Padding, batches
from seqzoo.tasks.training.step import Loop
from seqzoo.tasks.training.trainer import train
from seqzoo.tasks.training.truncation import check_truncation, recurrent_layers

pytestmark = pytest.mark.usefixtures("plain_loop", "every_step")

ROWS = 4


def _values() -> Examples:
    inputs = series(ROWS, 5)
    return Examples(inputs, [np.cumsum(item.sum(1)) for item in inputs])


def _aligned(**choices: Any) -> ManyToManyAligned:
    return ManyToManyAligned(**{"units": 4, "embedding": 3, "minimum_count": 1, **choices})


CASES: dict[str, Any] = {
    "values": lambda: (
        _aligned(input="series", target="values", cell="lstm", layers=2, bidirectional=False),
        _values(),
    ),
    "tags": lambda: (tagger(bidirectional=False), sentences(ROWS, 0)),
    "series": lambda: (
        _aligned(input="series", target="next", window=20, cell="lstm"),
        Examples(series(ROWS, 6)),
    ),
    "text": lambda: (
        _aligned(input="characters", target="next", window=7, layers=2),
        Examples(["abcabcab", "bca", "ccabacbabcab", "ab"] * 2),
    ),
}


def _batch(task: Any, examples: Examples, loop: Loop) -> dict[str, Any]:
    data = task.data(examples)
    plan = data.plan(Padding([9], [9]), loop.settings, seed=(0, 0))
    batch = dict(next(iter(batches(data, plan))))
    if loop.carried:
        random = np.random.default_rng(4)
        batch["carried"] = tuple(
            tf.constant(random.normal(size=item.shape), tf.float32) for item in loop.carried
        )
        batch["resets"] = tf.constant([True, False] * (ROWS // 2))
    return batch


class _Slow:
    """A model that is run step by step, with the losses of each step.

    Args:
        task: its task.
        model: the model.
        batch: with targets.
    """

    def __init__(self, task: Any, model: Any, batch: dict[str, Any]):
        self.task, self.model, self.batch = task, model, batch
        self.layers = recurrent_layers(model)
        values = batch["values"]
        self.lengths = batch["lengths"]
        self.targets: Any = batch.get("targets")
        if task.template.target == "next":
            self.targets = values if task.carries else values[:, 1:]
            before = batch["before"][:, None] if task.carries else values[:, :0]
            values = tf.concat([before, values[:, :-1]], 1)
            self.lengths = self.lengths - (0 if task.carries else 1)
        self.values, self.count = values, values.shape[1]

    def first(self) -> list[list]:
        if self.task.carries:
            flat = iter(self.batch["carried"])
            resets = self.batch["resets"][:, None]
            return [
                [tf.where(resets, 0.0, next(flat)) for _ in layer.cell.get_initial_state(1)]
                for layer in self.layers
            ]
        return [list(layer.cell.get_initial_state(ROWS)) for layer in self.layers]

    def step(self, t: int, states: list[list]) -> tuple[Any, list[list]]:
        """The summed loss of a step, without ended sequences, and the states after it."""
        inside = t < self.lengths
        x, kind = self.values[:, t], self.task.template
        if kind.target == "next" and self.task.carries:
            outputs, new, _ = self.model.decoder.step(x, states)
        elif kind.target == "next":
            outputs, new = self.model.step(x, states)
        else:
            new = []
            if kind.input == "words":
                x = self.model.get_layer("embedding")(x)
            for layer, state in zip(self.layers, states, strict=True):
                x, after = layer.cell(x, state)
                new.append(list(after))
            outputs = self.model.layers[-1](x)
        truth = self.targets[:, t]
        if kind.target in ("tags",) or self.task.carries:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(truth, outputs)
        else:
            losses = tf.reduce_mean(tf.square(outputs - truth), -1)
        inside_ = inside & (self.batch["weights"] > 0)
        return tf.reduce_sum(tf.where(inside_, losses, 0.0)), [
            [tf.where(inside[:, None], a, b) for a, b in zip(one, other, strict=True)]
            for one, other in zip(new, states, strict=True)
        ]


def definition(slow: _Slow, every: int, back: int) -> list[np.ndarray]:
    """After each `every`-th step the loss of the last `every` steps is differentiated through the
    last `back` steps, before which states are constants; the sum of these gradients."""
    weights = [variable.value for variable in slow.model.trainable_variables]
    sums = [np.zeros(weight.shape) for weight in weights]
    for end in range(every, slow.count + every, every):
        states, start = slow.first(), max(end - back, 0)
        for t in range(start):
            _, states = slow.step(t, states)
        states = tf.nest.map_structure(tf.constant, [[one.numpy() for one in s] for s in states])
        total = tf.constant(0.0)
        with tf.GradientTape() as tape:
            for t in range(start, min(end, slow.count)):
                loss, states = slow.step(t, states)
                total += loss if t >= end - every else 0.0
        for item, gradient in zip(sums, tape.gradient(total, weights), strict=True):
            if gradient is not None:
                item += tf.convert_to_tensor(gradient).numpy()
    return sums


@pytest.mark.quick_for("values")
@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_the_definition(case: str) -> None:
    template, examples = CASES[case]()
    task = template.adapt(examples)
    loop = Loop(task, settings(batch_size=ROWS), 1, tf.distribute.get_strategy())
    random = np.random.default_rng(1)
    for weight in loop.model.trainable_weights:
        weight.assign(random.normal(0, 0.8, weight.shape))
    batch = _batch(task, examples, loop)
    slow = _Slow(task, loop.model, batch)
    assert slow.count >= 6
    full, whole, *_ = loop._gradients(batch)
    # All of a batch in one window is full backpropagation, to end with.
    pairs = [(2, 2), (2, 5), (3, 4), (20, 20)] if case == "values" else [(2, 3)]
    for every, back in pairs:
        loop.settings = settings(batch_size=ROWS, bptt_every=every, bptt_back=back)
        got = loop._gradients(batch)[0]
        expected = definition(slow, every, back)
        for one, other in zip(got, expected, strict=True):
            np.testing.assert_allclose(one * whole, other, rtol=1e-4, atol=1e-5)
        far = max(float(np.abs(one - other).max()) for one, other in zip(got, full, strict=True))
        assert far < 1e-5 if every == 20 else far > 1e-4


@pytest.mark.slow
@pytest.mark.exhaustive  # one of the longest
def test_truncated_training_learns_and_resumes(tmp_path) -> None:
    template = tagger(bidirectional=False, dropout=0.1, characters=3)
    given = Splits(sentences(48, 0), sentences(16, 1))
    chosen = settings(bptt_every=2, bptt_back=3, epochs=4, average="ema", decay=0.9, accumulate=2)
    train(template, given, chosen, tmp_path / "whole", progress=(progress := RecordingProgress()))
    assert progress.rows[-1]["validation_loss"] < progress.rows[0]["validation_loss"]
    with pytest.raises(Interrupted):
        train(template, given, chosen, tmp_path / "broken", progress=RecordingProgress(5))
    train(template, given, chosen, tmp_path / "broken", resume=True)
    assert_same(tmp_path / "whole", tmp_path / "broken")


@pytest.mark.parametrize(
    "template, examples, message",
    [
        (tagger(), sentences(8, 0), "is for unidirectional layers, got bidirectional ones"),
        (tagger(bidirectional=False, crf=True), sentences(8, 0), "is for tags without `crf`"),
        (
            ManyToOne("characters"),
            Examples(["ab", "b"], ["x", "y"]),
            "is for templates with a prediction at each step, got many-to-one",
        ),
    ],
)
def test_what_cannot_be_truncated_is_reported(
    template: Any, examples: Examples, message: str
) -> None:
    with pytest.raises(SeqzooError, match=f"`bptt_every` {message}"):
        check_truncation(template.adapt(examples), settings(bptt_every=3))


def test_gradients_flow_back_at_least_through_the_steps_of_their_loss() -> None:
    with pytest.raises(SeqzooError, match="`bptt_back` must be at least `bptt_every`, 5, got 3"):
        settings(bptt_every=5, bptt_back=3)
    with pytest.raises(
        SeqzooError, match="`bptt_back` must be None unless `bptt_every` is set, got 3"
    ):
        settings(bptt_back=3)

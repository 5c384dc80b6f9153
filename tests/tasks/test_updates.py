"""Updates of the weights: clipped, accumulated, summed over steps."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from task_data import names, settings, splits, template
from training_cases import RecordingProgress, assert_same

from seqzoo.tasks import Examples, Interrupted, ManyToManyAligned, SeqzooError
from seqzoo.tasks.data.batches import Padding, make_plan
from seqzoo.tasks.training.clipping import clip
from seqzoo.tasks.training.sparse_gradients import values_of
from seqzoo.tasks.training.step import ONGOING, Loop
from seqzoo.tasks.training.trainer import train

pytestmark = [
    pytest.mark.usefixtures("plain_loop", "every_step"),
    pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions"),
]

ALL = Padding([9], [])


@contextlib.contextmanager
def eager() -> Iterator[None]:
    """Steps run one operation after the other, which costs less than tracing a few of them."""
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


def _trained(
    chosen: Any, examples: Examples, rows: int, passes: int = 1, **choices: Any
) -> tuple[Loop, list[np.ndarray], list[np.ndarray]]:
    """The loop, the weights before, and those after training by plain gradient descent, one by
    one in the order of the examples."""
    task = chosen.adapt(examples)
    data = task.data(examples)
    plan = data.plan(ALL, settings(batch_size=rows))
    keras.utils.set_random_seed(0)
    training_settings = settings(batch_size=rows, **{"clip_norm": None, **choices})
    loop = Loop(task, training_settings, len(plan), tf.distribute.get_strategy())
    loop.optimizer = keras.optimizers.SGD(0.5)
    loop.optimizer.build(loop.model.trainable_variables)
    before = [weight.numpy() for weight in loop.model.trainable_variables]
    with eager():
        for _ in range(passes):
            for _ in loop.train(data, plan):
                pass
            if passes > 1:
                loop.next_epoch()
    return loop, before, [weight.numpy() for weight in loop.model.trainable_variables]


def _gradients(*arguments: Any, **choices: Any) -> list[np.ndarray]:
    _, before, after = _trained(*arguments, **choices)
    return [(one - other) / 0.5 for one, other in zip(before, after, strict=True)]


def _norm(gradients: list[np.ndarray]) -> float:
    return float(np.sqrt(sum(np.square(gradient).sum() for gradient in gradients)))


def test_gradients_are_clipped_by_value_then_by_layer_then_by_their_global_norm() -> None:
    free = _gradients(template(), names(8, 3), 8)
    by_value = [np.clip(item, -0.02, 0.02) for item in free]
    norms = [np.linalg.norm(item) for item in by_value]
    assert 0 < sum(norm > 0.1 for norm in norms) < len(norms)  # some are clipped, others are not
    by_layer = [item * min(1, 0.1 / norm) for item, norm in zip(by_value, norms, strict=True)]
    limit = 0.9 * _norm(by_layer)
    limits = {"clip_value": 0.02, "clip_layer": 0.1, "clip_norm": limit}
    for one, other in zip(_gradients(template(), names(8, 3), 8, **limits), by_layer, strict=True):
        np.testing.assert_allclose(one, 0.9 * other, atol=1e-6)
    layers = _gradients(template(), names(8, 3), 8, clip_layer=0.1)
    for one, other in zip(layers, free, strict=True):
        expected = other * min(1, 0.1 / np.linalg.norm(other))
        np.testing.assert_allclose(one, expected, atol=1e-6)


@pytest.mark.slow
def test_the_share_of_clipped_updates_is_counted() -> None:
    examples = names(24, 3)
    task = template().adapt(examples)
    data, norms = task.data(examples), []
    loop = Loop(task, settings(batch_size=4, clip_norm=None), 6, tf.distribute.get_strategy())
    # Updates that change nothing.
    loop.optimizer.apply = lambda gradients, _: norms.append(
        _norm([one.numpy() for one in gradients])
    )
    for limit in (None, "median", 1e9):
        if limit is not None:
            limit = float(np.median(norms[:6])) if limit == "median" else limit
            loop.settings = settings(batch_size=4, clip_norm=limit)
        with eager():
            for _ in loop.train(data, make_plan(data, ALL, 4)):
                pass
        assert loop.clipped() == (0.5 if limit and limit < 1e9 else 0.0)
        loop.next_epoch()
    assert len(norms) == 18 and loop.clipped() == 0.0


def test_accumulated_gradients_are_those_of_the_large_batch() -> None:
    # The last update of each epoch has two of three batches, and the last batch two of four rows.
    examples = names(18, 3)
    chosen = template()
    _, before, small = _trained(chosen, examples, 4, 2, accumulate=3, clip_norm=0.05)
    _, _, large = _trained(chosen, examples, 12, 2, clip_norm=0.05)
    for start, one, other in zip(before, small, large, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-7)
        assert np.abs(one - start).max() > 1e-4


@pytest.mark.slow
def test_accumulation_resumes_between_two_updates(tmp_path) -> None:
    # Six steps per epoch; the first resume is in the middle of an update.
    chosen = settings(accumulate=4)
    train(
        template(), splits(), chosen, tmp_path / "whole", progress=(progress := RecordingProgress())
    )
    assert len(progress.steps) == 12
    with pytest.raises(Interrupted):
        train(template(), splits(), chosen, tmp_path / "broken", progress=RecordingProgress(8))
    train(template(), splits(), chosen, tmp_path / "broken", resume=True)
    assert_same(tmp_path / "whole", tmp_path / "broken")


@pytest.mark.slow
def test_losses_are_summed_over_steps() -> None:
    random = np.random.default_rng(0)
    inputs = [random.normal(size=(length, 2)) for length in (3, 5, 2, 7)]
    examples = Examples(inputs, [item.sum(1) for item in inputs])
    chosen = ManyToManyAligned(input="series", target="values", units=4)
    mean = _gradients(chosen, examples, 4)
    summed = _gradients(chosen, examples, 4, loss_reduction="sum")
    for one, other in zip(mean, summed, strict=True):
        # 17 steps in 4 sequences.
        np.testing.assert_allclose(other, one * 17 / 4, rtol=1e-3, atol=1e-5)


def test_overflows_of_a_scaled_loss_are_not_clipped_away() -> None:
    values = tf.constant([[np.inf, 1.0, -np.inf]])
    gradients = [values, tf.IndexedSlices(values, tf.constant([1]), tf.constant([2, 3]))]
    for limit in ({"clip_value": 1.0}, {"clip_layer": 1.0}, {"clip_norm": 1.0}):
        chosen = settings(**{"clip_norm": None, **limit})
        clipped, exceeded = clip(gradients, tf.constant(np.inf), chosen, tf.constant(2.0))
        assert not any(np.isfinite(values_of(item)).all() for item in clipped), limit
        assert not exceeded
    clipped, _ = clip([values[:, 1:2]], tf.constant(1.0), settings(clip_value=0.25), 2.0)
    np.testing.assert_array_equal(clipped[0], [[0.5]])


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_only_overflows_at_the_lowest_scale_stop_training(monkeypatch, scale: float) -> None:
    task = template().adapt(names(8, 3))
    data = task.data(names(8, 3))
    chosen = settings(batch_size=8, precision="mixed_float16", log_health=True)
    loop = Loop(task, chosen, 1, tf.distribute.get_strategy())
    loop.optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5), scale)
    loop.optimizer.build(loop.model.trainable_variables)
    measured = loop._gradients

    def overflowing(batch: Any) -> tuple:
        gradients, *others = measured(batch)
        return [tf.convert_to_tensor(item) * np.inf for item in gradients], *others

    monkeypatch.setattr(loop, "_gradients", overflowing)
    with eager():
        next(loop.train(data, data.plan(ALL, chosen)))
    assert loop.bad.numpy() == (1 if scale == 1 else ONGOING)
    assert loop.norms is not None
    assert loop.norms.row()["gradient_norm"] == 0  # an update that is skipped does not count


@pytest.mark.quick_for("choices0", "choices1", "choices3")
@pytest.mark.parametrize(
    "choices",
    [
        {"accumulate": 2},
        {"average": "ema"},
        {"focal": 1.0},
        {"bptt_every": 3},
        {"clip_value": 1.0},
        {"weight_decay": 0.1},
        {"embedding_updates": "lazy"},
        {"patience": 2},
    ],
)
def test_a_readout_in_closed_form_has_no_gradients(choices: dict) -> None:
    (name,) = choices
    with pytest.raises(SeqzooError, match=f"`{name}` is for readout 'gradient', got .* 'ridge'"):
        settings(readout="ridge", **choices)

"""A convolution over the characters of words: by brute force, learned, saved, in any precision."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tagging_data import sentences, tagger
from task_data import repeat, settings

from seqzoo.tasks import SeqzooError
from seqzoo.tasks.data.batches import Padding, batches, make_plan
from seqzoo.tasks.layers.word_characters import ConvolvedCharacters
from seqzoo.tasks.training.step import Loop

LONGEST = 5


def test_each_word_is_read_by_itself_in_any_position() -> None:
    random = np.random.default_rng(3)
    layer = ConvolvedCharacters(9, 4, 6)
    values = np.zeros((3, 5, 1 + LONGEST), np.int32)
    lengths = random.integers(1, LONGEST + 1, (3, 5))
    for row, step in np.ndindex(3, 5):
        values[row, step, 1 : 1 + lengths[row, step]] = random.integers(1, 9, lengths[row, step])
    values[2, 3] = values[0, 1]
    lengths[2, 3] = lengths[0, 1]
    values[1, 4, 1:] = lengths[1, 4] = 0  # padding
    layer(tf.constant(values))
    # Vectors and biases of all signs, so that what is wrongly seen of the padding shows.
    for weight in layer.weights:
        weight.assign(random.normal(size=weight.shape))
    table, kernel, bias = (weight.numpy() for weight in layer.weights)
    got = layer(tf.constant(values)).numpy()
    assert got.shape == (3, 5, 6)
    for row, step in np.ndindex(3, 5):
        wide = np.pad(table[values[row, step, 1 : 1 + lengths[row, step]]], [(1, 1), (0, 0)])
        looked = [
            np.einsum("ks,ksu->u", wide[t : t + 3], kernel) + bias for t in range(len(wide) - 2)
        ]
        expected = np.max([np.zeros(6), *looked], 0)
        np.testing.assert_allclose(got[row, step], expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("plain_loop")
def test_it_learns_and_is_saved(tmp_path) -> None:
    examples = sentences(16, 1)
    template = tagger(characters=3, character_reader="convolutional")
    task: Any = template.adapt(examples)
    keras.utils.set_random_seed(0)
    chosen = settings(batch_size=16, precision="mixed_bfloat16")
    loop = Loop(task, chosen, 30, tf.distribute.get_strategy())
    convolution = loop.model.get_layer("characters").convolution
    assert convolution.compute_dtype == "bfloat16"
    assert convolution.filters == 6
    data = task.data(examples)
    plan = make_plan(data, Padding([7], [7]), 16)
    losses = [
        loop.means()[0] * step for step, _ in enumerate(loop.train(data, repeat(plan, 30)), 1)
    ]
    assert losses[-1] - losses[-2] < 0.6 * losses[0]
    loop.model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    batch = next(iter(batches(data, plan)))
    raw = {name: batch[name] for name in ("values", "lengths")}
    np.testing.assert_array_equal(again(raw), loop.model(raw))


def test_invalid_readers() -> None:
    with pytest.raises(SeqzooError, match="`character_reader` must be one of 'recurrent', 'conv"):
        tagger(characters=3, character_reader="attention")

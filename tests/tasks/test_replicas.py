"""Two replicas take the same step as one: weights and moving statistics in float64."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

PROGRAM = """
import sys
import keras
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, 2 * [tf.config.LogicalDeviceConfiguration()])
import seqzoo.cells
from dataclasses import replace
from seqzoo.tasks import Examples, ManyToManyEncoderDecoder, ManyToOne, OneToMany, TrainingSettings
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.training.optimizer import take_gradients_as_they_are
from seqzoo.tasks.training.sparse_gradients import LARGE
from seqzoo.tasks.training.step import Loop, held_gradients

random = np.random.default_rng(0)
words = ["abc", "b", "cab", "aaaa", "bca", "ca", "acb"]
images = random.integers(0, 256, (7, 6, 6, 1)).astype(np.uint8)
small = {"units": 4, "embedding": 3, "cell": "gru"}
# A table that is large enough for its rows to be exchanged.
large = {"ngrams": 2, "ngram_buckets": LARGE // 3 + 1, **small}
cases = {
    "class": (ManyToOne("characters", minimum_count=1, **large), Examples(words, [*"xyxyxyy"])),
    "accumulated": (ManyToOne("characters", **large), Examples(words, [*"xyxyxyy"])),
    "text": (ManyToManyEncoderDecoder(minimum_count=1, **small), Examples(words, words[::-1])),
    # The last batch has one image, and so one replica none.
    "image": (OneToMany(filters=(4, 3), **small), Examples(images, words)),
}
padding = Padding([4], [5])
# One of each: another would take the numbers of the first one's collective operations.
both = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
strategies = {1: tf.distribute.get_strategy(), 2: both}
for name, (template, examples) in cases.items():
    lazy = {"embedding_updates": "lazy", "accumulate": 2, "clip_layer": 0.05}
    choices = {"text": {"clip_norm": 0.1, "embedding_updates": "lazy"}, "accumulated": lazy}
    settings = TrainingSettings(**{"batch_size": 6, "clip_norm": None, **choices.get(name, {})})
    for replicas, strategy in strategies.items():
        task = template.adapt(examples)
        data = task.data(examples)
        keras.utils.set_random_seed(0)
        with seqzoo.cells.portable():
            # No step is told apart from another by what Adam makes of it.
            loop = Loop(task, replace(settings, precision="float32"), 2, strategy)
            with strategy.scope():
                loop.model = task.build("float64")
                loop.optimizer = keras.optimizers.SGD(0.5)
                take_gradients_as_they_are(loop.optimizer)
                loop.optimizer.build(loop.model.trainable_variables)
            loop.held = held_gradients(loop.model) if settings.accumulate > 1 else ()
            plan = data.plan(padding, settings, multiple=replicas)
            found = {}
            for step, _ in enumerate(loop.train(data, plan)):
                for index, variable in enumerate(loop.model.weights):
                    assert variable.dtype == "float64", variable.path
                    found[f"{step} {index} {variable.name}"] = variable.numpy()
            found["loss"] = loop.means()[0]
        np.savez(f"{sys.argv[1]}/{name}-{replicas}.npz", **found)

# Equal rows, with dropout.
same = Examples(["abc"] * 4, [*"xyxy"])
task = ManyToOne("characters", minimum_count=1, dropout=0.5, **small).adapt(same)
loop = Loop(task, TrainingSettings(batch_size=4), 2, both)
data = task.data(same)
batch = next(iter(loop._batches(data, data.plan(padding, loop.settings, multiple=2))))

def first_row():
    return task.outputs(loop.model, loop._shard(batch), training=True)[0]

def each():
    return np.array([value.numpy() for value in both.run(tf.function(first_row)).values])

outputs = {"first": each()}
for seed in loop._seeds():
    seed.assign(seed.numpy())  # as when a checkpoint is restored
outputs["equal"] = each()
loop.scatter()
outputs["separate"] = each()
np.savez(f"{sys.argv[1]}/outputs.npz", **outputs)
"""


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("replicas")
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)],
        env={**os.environ, "PYTHONPATH": root},
        check=True,
    )
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["class", "accumulated", "text", "image"])
def test_two_replicas_take_the_same_step_as_one(steps: pathlib.Path, name: str) -> None:
    with np.load(steps / f"{name}-1.npz") as one, np.load(steps / f"{name}-2.npz") as two:
        assert one.files == two.files and len(one.files) > 10
        moved = 0
        for key in one.files:
            np.testing.assert_allclose(two[key], one[key], rtol=1e-9, atol=1e-12, err_msg=key)
            if key.startswith("1 "):
                moved += np.abs(one[key] - one["0" + key[1:]]).max() > 1e-4
        assert moved > 5  # so that weights are not equal only because nothing has changed them
        assert name != "image" or any("moving_mean" in key for key in one.files)


@pytest.mark.slow
def test_replicas_draw_their_own_dropout_masks(steps: pathlib.Path) -> None:
    outputs = dict(np.load(steps / "outputs.npz"))
    np.testing.assert_array_equal(*outputs["equal"])
    assert np.abs(np.subtract(*outputs["first"])).max() > 1e-3
    assert np.abs(np.subtract(*outputs["separate"])).max() > 1e-3

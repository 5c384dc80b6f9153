"""Creating layers leaves TensorFlow's devices configurable."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]

SCRIPT = """
import tensorflow as tf
import seqzoo
from seqzoo.cells import CELLS, Bidirectional, Recurrent

for name, kind in CELLS.items():
    for cell in (kind(3), kind(3, dropout=0.1, seed=4)):
        layer = Recurrent(cell, stateful=True)
        assert layer.execution_path().startswith("Runs ")
        assert Bidirectional(cell).execution_path().startswith("Runs ")
(cpu,) = tf.config.list_physical_devices("CPU")
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)  # an error once devices are initialised
tf.config.set_visible_devices([], "GPU")
layer = Recurrent(CELLS["lstm"](3, dropout=0.1, recurrent_dropout=0.1))
print(len(tf.config.list_logical_devices("CPU")), layer(tf.ones((2, 3, 4))).shape)
"""


@pytest.mark.slow
def test_devices_are_configured_after_layers_are_made():
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, cwd=ROOT)
    assert run.stdout.strip() == "2 (2, 3)", run.stderr

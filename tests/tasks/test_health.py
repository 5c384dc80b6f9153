"""Health of a training run in its history: norms of gradients by layer, and dead units."""

import numpy as np
import pytest
import tensorflow as tf
from task_data import settings, splits, template

from seqzoo.tasks import train
from seqzoo.tasks.data.batches import Padding, batches
from seqzoo.tasks.inspection.layers import recurrent_layers
from seqzoo.tasks.inspection.report import inspect
from seqzoo.tasks.training.health import dead_units, layers_of, spectral_radii
from seqzoo.tasks.training.step import Loop

pytestmark = pytest.mark.usefixtures("plain_loop")


def test_norms_of_a_step_are_those_of_its_gradients() -> None:
    chosen = settings(log_health=True, clip_norm=1e-3)  # norms are those before clipping
    train_split = splits().train
    task = template().adapt(train_split)
    data = task.data(train_split)
    loop = Loop(task, chosen, 6, tf.distribute.get_strategy())
    plan = data.plan(Padding.choose(data, 1, 16), chosen, seed=(0, 0))
    batch = next(iter(batches(data, plan)))
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(task.forward(loop.model, batch, training=True).losses)
    variables = loop.model.trainable_variables
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    squares = {}
    for name, gradient in zip(layers_of(loop.model), gradients, strict=True):
        gradient = tf.convert_to_tensor(gradient)
        squares[name] = squares.get(name, 0.0) + float(tf.reduce_sum(gradient**2))
    next(loop.train(data, plan))
    assert loop.norms is not None
    row = loop.norms.row()
    assert row["gradient_norm"] == pytest.approx(np.sqrt(sum(squares.values())), rel=1e-4)
    assert {f"gradient_norm_{name}" for name in squares} == row.keys() - {"gradient_norm"}
    for name, square in squares.items():
        assert row[f"gradient_norm_{name}"] == pytest.approx(np.sqrt(square), rel=1e-4)

    # A unit whose update gate never opens keeps its state of zero.
    assert dead_units(task, loop.model, data, plan) == {"dead_units_layer_1": 0.0}
    assert set(squares) == {"embedding", "layer_1", "outputs"}
    cell = next(
        variable for variable in variables if variable.shape == (2, 24)
    )  # the bias of the cell
    bias = cell.numpy()
    bias[0, [0, 3]] = 50.0  # of the update gate, which is first
    cell.assign(bias)
    assert dead_units(task, loop.model, data, plan) == {"dead_units_layer_1": 2 / 8}


def test_spectral_radii_are_those_of_each_gate() -> None:
    task = template().adapt(splits().train)
    model = Loop(task, settings(), 6, tf.distribute.get_strategy()).model
    (layer,) = recurrent_layers(model).values()
    radii = spectral_radii(model)
    assert list(radii) == [
        f"spectral_radius_layer_1_{gate}" for gate in ("update", "reset", "candidate")
    ]
    parts = np.split(np.asarray(layer.cell.recurrent_kernel, np.float64), 3, axis=1)
    expected = [np.abs(np.linalg.eigvals(part)).max() for part in parts]
    np.testing.assert_allclose(list(radii.values()), expected, rtol=1e-6)


@pytest.mark.slow
def test_the_history_has_them_on_request(tmp_path) -> None:
    run = train(template(), splits(), settings(epochs=1, log_health=True), tmp_path / "run")
    (row,) = run.history
    assert 0 < row["gradient_norm_outputs"] < row["gradient_norm"]
    assert row["dead_units_layer_1"] == 0
    assert 0 < row["spectral_radius_layer_1_update"] < 3
    events = b"".join(path.read_bytes() for path in (tmp_path / "run" / "logs").iterdir())
    assert b"gradient_norm_outputs" in events and b"dead_units_layer_1" in events
    _, (section,) = inspect(run, ["a"], only=("weights",))
    assert section.data["spectral_radius_by_epoch"]["update"] == [
        row["spectral_radius_layer_1_update"]
    ]
    assert list(section.figures) == ["weights-layer-1", "radii-layer-1"]

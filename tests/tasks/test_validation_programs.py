"""Validation during training runs the programs that training compiled."""

import keras
import pytest
import tensorflow as tf
from task_data import names, settings, template

from seqzoo.cells.engine import programs
from seqzoo.tasks.data.batches import Padding, make_plan
from seqzoo.tasks.training.step import Loop


@pytest.mark.slow
def test_validation_during_training_compiles_nothing_new(monkeypatch):
    shared = programs.Programs()
    monkeypatch.setattr(programs, "SHARED", shared)
    examples = names(16, 1)
    task = template().adapt(examples)
    data = task.data(examples)
    plan = make_plan(data, Padding([9], []), 16)

    def loop():
        keras.utils.set_random_seed(0)
        return Loop(task, settings(batch_size=16), 1, tf.distribute.get_strategy())

    trained, alone = loop(), loop()
    list(trained.train(data, plan))
    compiled = len(shared)
    beside = trained.score(data, plan)
    assert len(shared) == compiled > 0
    alone.model.set_weights(trained.model.get_weights())
    assert alone.score(data, plan) == pytest.approx(beside, rel=1e-5)
    assert len(shared) > compiled

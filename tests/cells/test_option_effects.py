"""Each option that cells share changes something in a cell, or is refused by it."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from cell_cases import UNITS, initial_states, step_shape

from seqzoo.cells import CELLS, RecurrentCell, create
from seqzoo.cells.options import DEFAULTS

CONSTANTS = tuple(keras.initializers.Constant(value) for value in (0.25, 0.5))
CHOICES = {
    "activation": ("softsign", "elu"),
    "recurrent_activation": ("softsign", "elu"),
    "use_bias": (True, False),
    "kernel_initializer": CONSTANTS,
    "recurrent_initializer": CONSTANTS,
    "bias_initializer": CONSTANTS,
}
"""For each option two values, which must not give the same cell."""

OF_WEIGHTS = {
    "regularizer": keras.regularizers.L2(0.3),
    "constraint": keras.constraints.MaxNorm(0.3),
}


def built(name, **options):
    if "bias" in str(options.keys()):
        options = {"use_bias": True, **options}
    cell = create(name, UNITS, seed=1, dtype="float64", **options)
    cell.build(step_shape(cell))
    cell.check_recurrent_weights()
    return cell


def facts(cell, option):
    """The initial weights of a cell, or for an activation the results of a step."""
    weights = [np.array(weight.value) for weight in cell.weights]
    if not option.endswith("activation"):
        return weights
    rng = np.random.default_rng(0)
    cell.set_weights([rng.normal(0, 0.6, w.shape).astype(w.dtype) for w in weights])
    states = [tf.constant(state) for state in initial_states(cell)]
    x = rng.normal(size=(len(states[0]), *step_shape(cell)[1:]))
    return [np.array(result) for result in keras.tree.flatten(cell(tf.constant(x), states))]


def same(some, others):
    return len(some) == len(others) and all(map(np.array_equal, some, others))


@pytest.mark.quick_for("lstm", "atr", "cfn", "brc", "sru", "s5", "t-rnn", "stacked")
@pytest.mark.parametrize("name", CELLS)
def test_each_option_has_an_effect_or_is_refused(name):
    for option, values in CHOICES.items():
        try:
            some, others = (facts(built(name, **{option: value}), option) for value in values)
        except ValueError as error:
            refused = ("must be", "has no effect in", "has no option 'recurrent_activation'")
            assert any(part in str(error) for part in refused), (option, error)
        else:
            assert not same(some, others), option
    for kind, value in OF_WEIGHTS.items():
        for weights in ("kernel", "recurrent", "bias"):
            try:
                cell = built(name, **{f"{weights}_{kind}": value})
            except ValueError as error:
                assert f"`{weights}_{kind}` has no effect in" in str(error)
            else:
                config = value.get_config()
                found = [getattr(weight, kind, None) for weight in cell.weights]
                assert any(each and each.get_config() == config for each in found), (weights, kind)


@pytest.mark.parametrize(
    "name, option", [(name, option) for name in CELLS for option in CELLS[name].unused_options]
)
def test_configurations_contain_the_defaults_of_options_without_effect(name, option):
    cell = create(name, UNITS)
    config = cell.get_config()
    assert option in config
    assert type(cell).from_config(config).get_config() == config
    with pytest.raises(ValueError, match=f"^`{option}` has no effect in .*; leave it out.$"):
        create(name, UNITS, **{option: CHOICES[option][0]})


def test_the_defaults_are_those_of_the_base_class():
    parameters = inspect.signature(RecurrentCell.__init__).parameters
    for option, default in DEFAULTS.items():
        kind = getattr(keras, option.rpartition("_")[2] + "s")
        assert type(kind.get(parameters[option].default)) is type(default)
    assert keras.activations.get(parameters["activation"].default) is DEFAULTS["activation"]

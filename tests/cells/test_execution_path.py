"""The path that a layer takes, how it describes it, and how often a loop is compiled."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from cell_cases import BATCH, FEATURES, UNITS
from custom_cells import (
    Averaging,
    DecayingGRU,
    DecayingLSTM,
    Leaky,
    Multiplicative,
    Peephole,
    Projecting,
    StepOnly,
    TwoStepsBack,
)
from graphs import cudnn_operations, must_compile
from keras import ops

from seqzoo.cells import (
    Bidirectional,
    GatedCell,
    GRUCell,
    LRUCell,
    LSTMCell,
    MassConservingLSTMCell,
    Recurrent,
    VanillaCell,
    create,
    portable,
)
from seqzoo.cells.engine.lengths import (
    AdjustableLengths,
    coarse_length,
    program_length,
    round_length,
    use_lengths,
)

HAND = "Runs the fast scan (compiled time loop, hand-written backward pass)"
AUTOMATIC = "Runs the fast scan (compiled time loop, backward pass by automatic differentiation)"
GENERAL = "Runs the general scan (compiled time loop, automatic differentiation step by step)"
PLAIN = "Runs Keras' plain loop"
NO_GPU = " because there is no GPU"


@keras.saving.register_keras_serializable(package="tests")
class Calling(VanillaCell):
    """A cell that does all in `call`."""

    def call(self, inputs, states, training=False):
        return super().call(2 * inputs, states, training)


@keras.saving.register_keras_serializable(package="tests")
class Scaled(VanillaCell):
    """A cell that reads a variable which Keras does not know."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.scale = tf.Variable(1.0)


@keras.saving.register_keras_serializable(package="tests")
class Tripling(GRUCell):
    """A cell with a recurrent product of its own."""

    def recur(self, h):
        return 3 * super().recur(h)


@keras.saving.register_keras_serializable(package="tests")
class Projected(LRUCell):
    """A diagonal cell with a projection of its own."""

    def project(self, inputs):
        return super().project(2 * inputs)


@keras.saving.register_keras_serializable(package="tests")
class Ordered(VanillaCell):
    """A step that treats each unit differently, with numbers that fit any shape."""

    def step(self, x, r, states):
        h, _ = super().step(x, r, states)
        h = h + 1e-3 * ops.cast(ops.arange(h.shape[-1]), h.dtype)
        return h, [h]


SENTENCES = [
    (lambda: Recurrent(LSTMCell(UNITS)), f"{HAND}{NO_GPU}."),
    (lambda: Bidirectional(VanillaCell(UNITS)), f"{HAND}{NO_GPU}."),
    (lambda: Recurrent(Projecting(UNITS)), "`step_gradient`"),
    (
        lambda: Recurrent(GatedCell(UNITS, activation="gelu")),
        f"{AUTOMATIC}{NO_GPU}; GatedCell has no `step_gradient` for its activations.",
    ),
    (lambda: Recurrent(StepOnly(UNITS)), AUTOMATIC),
    (lambda: Recurrent(DecayingLSTM(UNITS)), AUTOMATIC),
    (
        lambda: Recurrent(GRUCell(UNITS, reset_after=False)),
        f"{GENERAL}{NO_GPU}; a step of this GRUCell is not one recurrent "
        "product followed by elementwise operations.",
    ),
    (lambda: Recurrent(DecayingGRU(UNITS)), GENERAL),
    (lambda: Recurrent(Tripling(UNITS)), GENERAL),
    (lambda: Recurrent(Projected(UNITS)), GENERAL),
    (lambda: Recurrent(create("residual", UNITS, cell=create("residual", UNITS))), HAND),
    (lambda: Recurrent(Multiplicative(UNITS)), GENERAL),
    (lambda: built(Recurrent(Peephole(UNITS))), "the `step` of Peephole reads a weight."),
    (lambda: built(Recurrent(Leaky(UNITS))), f"{GENERAL}{NO_GPU}; the `step` or an activation"),
    (lambda: built(Recurrent(Leaky(2))), "of Leaky is not elementwise."),
    (lambda: built(Recurrent(Leaky(16))), "of Leaky is not elementwise."),
    (lambda: built(Recurrent(Ordered(UNITS))), "of Ordered is not elementwise."),
    (lambda: built(Recurrent(Averaging(UNITS))), "of Averaging is not elementwise."),
    (lambda: built(Recurrent(TwoStepsBack(UNITS))), "of TwoStepsBack is not elementwise."),
    (
        lambda: Recurrent(Scaled(UNITS)),
        f"{PLAIN} because `scale` of Scaled is a `tf.Variable`, which the compiled loops cannot "
        "differentiate; make it with `add_weight`.",
    ),
    (lambda: Recurrent(Calling(UNITS)), f"{PLAIN} because Calling overrides `call`."),
    (
        lambda: Recurrent(keras.layers.LSTMCell(UNITS)),
        f"{PLAIN} because LSTMCell is not a seqzoo.cells.RecurrentCell.",
    ),
    (lambda: built(Recurrent(MassConservingLSTMCell(8))), GENERAL),
    (
        lambda: built(Recurrent(MassConservingLSTMCell(100))),
        f"{PLAIN} because MassConservingLSTMCell has more than 1,000,000 weights here",
    ),
    (lambda: built(Recurrent(MassConservingLSTMCell(100), recompute=2)), GENERAL),
    (lambda: Recurrent(LSTMCell(UNITS), fast=False), f"{PLAIN} because `fast=False`."),
    (lambda: Recurrent(LSTMCell(UNITS), unroll=True), f"{PLAIN} because `unroll=True`."),
]


def built(layer):
    layer.build((None, None, FEATURES))
    return layer


@pytest.mark.parametrize("make, sentence", SENTENCES)
def test_a_layer_says_which_path_it_takes(make, sentence):
    said = make().execution_path()
    assert sentence in said
    assert said.startswith("Runs ") and said.endswith(".")


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("epsilon", [1e-2, 1e-3, 1e-4])
def test_a_small_step_does_not_hide_that_it_is_not_elementwise(epsilon, dtype):
    options = {"epsilon": epsilon, "dtype": dtype}
    layer = Recurrent(create("antisymmetric", UNITS, activation="softmax", **options))
    assert "is not elementwise" in built(layer).execution_path()
    layer = Recurrent(create("antisymmetric", UNITS, activation="swish", **options))
    assert AUTOMATIC in built(layer).execution_path()


def test_an_error_of_a_step_reaches_the_user():
    layer = built(Recurrent(StepOnly(UNITS, activation=lambda a: ops.reshape(a, (7, 11)))))
    with pytest.raises(Exception, match="reshape"):
        layer.execution_path()


def test_a_graph_to_export_takes_the_plain_loop():
    layer = Recurrent(LSTMCell(UNITS))
    with portable():
        assert layer.execution_path() == f"{PLAIN} because the graph is being exported."
    assert layer.execution_path() == f"{HAND}{NO_GPU}."


@pytest.mark.parametrize("kind", [Calling, keras.layers.LSTMCell])
def test_a_cell_without_the_contract_still_runs(kind):
    cell = kind(UNITS)
    x = np.random.default_rng(0).normal(size=(BATCH, 3, FEATURES))
    expected = keras.layers.RNN(cell)(x)
    np.testing.assert_allclose(Recurrent(cell)(x), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: Recurrent(LSTMCell(UNITS)), "Runs cuDNN's kernel."),
        (lambda: Recurrent(GRUCell(UNITS, dropout=0.1)), "Runs cuDNN's kernel."),
        (
            lambda: Recurrent(VanillaCell(UNITS)),
            f"{HAND} because cuDNN does not implement VanillaCell.",
        ),
        (lambda: Recurrent(DecayingLSTM(UNITS)), "cuDNN does not implement DecayingLSTM"),
        (lambda: Recurrent(LSTMCell(UNITS, use_bias=False)), f"{HAND} because `use_bias=False`."),
        (
            lambda: Recurrent(LSTMCell(UNITS, recurrent_dropout=0.1)),
            f"{HAND} because `recurrent_dropout` is set.",
        ),
        (
            lambda: Recurrent(LSTMCell(UNITS, activation="relu", recurrent_activation="tanh")),
            f"{HAND} because `activation` is not tanh; `recurrent_activation` is not sigmoid.",
        ),
        (
            lambda: Recurrent(GRUCell(UNITS, reset_after=False)),
            "because `reset_after=False`; a step of this GRU",
        ),
        (lambda: Recurrent(GRUCell(UNITS, dtype="float64")), "because the precision is float64."),
        (lambda: Recurrent(LSTMCell(UNITS), fast=False), f"{PLAIN} because `fast=False`."),
    ],
)
def test_a_layer_says_what_keeps_it_off_cudnn(make, sentence, gpu):
    assert sentence in make().execution_path()


@pytest.mark.parametrize("cell", [LSTMCell, GRUCell])
@pytest.mark.parametrize("masked", [False, True])
def test_a_graph_with_a_gpu_contains_cudnn(cell, masked, gpu):
    """The graph is traced, not run."""
    layer = Recurrent(cell(UNITS), return_sequences=True)
    layer.build((None, None, FEATURES))

    @tf.function
    def run(x, mask):
        return layer(x, mask=mask if masked else None)

    specs = [tf.TensorSpec((None, None, FEATURES)), tf.TensorSpec((None, None), tf.bool)]
    graph = run.get_concrete_function(*specs).graph.as_graph_def()
    assert cudnn_operations(graph) == {"CudnnRNNV3"}
    # A mask that cuDNN does not take leaves it to the fast scan.
    assert bool(must_compile(graph)) == masked
    assert not layer.supports_jit
    with portable():
        graph = tf.function(run.python_function).get_concrete_function(*specs).graph
    assert not cudnn_operations(graph.as_graph_def())
    assert not must_compile(graph.as_graph_def())


def test_lengths_are_rounded_to_a_few():
    lengths = np.arange(1, 2000)
    rounded = np.array(round_length(tf.constant(lengths, tf.int32)))
    assert (rounded >= lengths).all()
    assert (rounded <= np.maximum(1.25 * lengths, lengths + 3)).all()
    assert len(np.unique(rounded)) <= 4 * np.log2(2000)
    rounded = np.array(coarse_length(tf.constant(lengths, tf.int32)))
    assert (rounded >= lengths).all()
    assert (rounded <= np.maximum(2 * lengths, 16)).all()
    few = [16, 32, 48, 64, 96, 128, 192, 256, 384, 512]
    assert sorted({*rounded}) == [*few, 640, 768, 896, 1024, 1280, 1536, 1792, 2048]


def test_lengths_of_a_context_replace_those_that_are_not_much_shorter():
    lengths = tf.constant([1, 16, 17, 30, 32, 33, 64, 65, 300], tf.int32)
    with use_lengths((48, 192)):
        chosen = [int(program_length(length)) for length in lengths]
    assert chosen == [48, 48, 48, 48, 48, 48, 192, 192, 384]
    assert int(program_length(tf.constant(300))) == 384
    with use_lengths((32, 48)):
        assert int(program_length(tf.constant(20))) == 32  # the shorter one of those that fit
    with use_lengths((49, 64)):
        assert int(program_length(tf.constant(2))) == 16  # 49 is more than three times as many
    assert int(program_length(tf.constant(2))) == 16


def test_lengths_can_be_set_again_after_a_trace():
    adjustable = AdjustableLengths()

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.int32)])
    def chosen(steps):
        with use_lengths(adjustable):
            return program_length(steps)

    steps = tf.constant([1, 17, 64, 300], tf.int32)
    assert chosen(steps).numpy().tolist() == [16, 32, 64, 384]
    adjustable.set((48, 192))
    assert chosen(steps).numpy().tolist() == [48, 48, 192, 384]
    adjustable.set((16, 192))
    assert chosen(steps).numpy().tolist() == [16, 32, 192, 384]


@pytest.mark.parametrize("name", ["gru", "lstm", "multiplicative-lstm", "mingru"])
def test_results_do_not_depend_on_the_lengths_of_a_context(name):
    layer = Recurrent(create(name, UNITS), return_sequences=True)
    layer.build((None, None, FEATURES))

    def program(lengths):
        @tf.function(input_signature=[tf.TensorSpec((None, None, FEATURES))])
        def run(x):
            with tf.GradientTape() as tape, use_lengths(lengths):
                tape.watch(x)
                outputs = layer(x, mask=tf.reduce_any(x > -1.5, -1))
                loss = tf.reduce_sum(outputs**2)
            return outputs, tape.gradient(loss, [x, *(w.value for w in layer.trainable_weights)])

        return run

    alone, together = program(()), program((48,))
    for steps in (3, 20, 40):
        x = tf.constant(np.random.default_rng(steps).normal(size=(5, steps, FEATURES)), tf.float32)
        for a, b in zip(*(tf.nest.flatten(run(x)) for run in (alone, together)), strict=True):
            np.testing.assert_array_equal(a, b)

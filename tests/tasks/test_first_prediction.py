"""A first prediction does only what a single one needs."""

import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqzoo.cells import Bidirectional, Recurrent, create
from seqzoo.cells.private_keras import initialized_with_zeros
from seqzoo.tasks.errors import called
from seqzoo.tasks.preprocessing.normalization import composed
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.startup import UNUSED, _without_unused
from seqzoo.zoo.pretrained import folder_of

CASES = [
    ("language-id", "Z\u00fcrich"),
    ("language-id", "Zu\u0308rich"),
    ("date-normaliser", "3 mars 2021"),
    ("python-highlighter", "x = 1"),
]


@pytest.mark.parametrize("name, text", CASES)
def test_the_same_answer_without_a_graph(name, text) -> None:
    traced, untraced = Run.open(folder_of(name)), Run.open(folder_of(name))
    untraced.untraced_steps = 100
    (expected,), (found,) = traced.predict([text]), untraced.predict([text])
    assert found.value == expected.value
    assert found.probability == pytest.approx(expected.probability, rel=1e-4)
    assert len(traced._inference._graphs) == 1
    assert not untraced._inference._graphs
    assert "_graph" not in vars(untraced.task.features)


def test_a_seed_gives_the_same_text_without_a_graph() -> None:
    texts = []
    for steps in (0, 100):
        run = Run.open(folder_of("python-source"))
        run.untraced_steps = steps
        options = run.task.default_options
        decoding = replace(run.task.decoding, maximum_length=20)
        texts.append(run.predict(["def "], replace(options, seed=3, decoding=decoding))[0].label)
    assert texts[0] == texts[1]


def test_long_inputs_are_traced() -> None:
    run = Run.open(folder_of("language-id"))
    run.untraced_steps = 5
    run.predict(["Lissabon"])
    assert run._inference._graphs


def test_texts_are_composed_as_in_a_graph() -> None:
    texts = tf.constant(["e\u0301", "\u1112\u1161\u11ab", "a\u0323\u0302", "", "\0x"])
    graph = tf.function(composed, autograph=False)
    assert composed(texts).numpy().tolist() == graph(texts).numpy().tolist()
    broken = tf.constant([b"e\xff", b"ok"])
    assert composed(broken).numpy().tolist() == graph(broken).numpy().tolist()
    assert composed(tf.constant([], tf.string)).shape == (0,)


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("state", [False, True])
def test_symbolic_results_are_those_of_a_call(dtype, sequences, state) -> None:
    options = {"return_sequences": sequences, "return_state": state, "dtype": dtype}
    for layer in (
        Recurrent(create("lstm", 3, dtype=dtype), **options),
        Bidirectional(Recurrent(create("gru", 3, dtype=dtype), **options), dtype=dtype),
    ):
        symbolic = layer(keras.Input((5, 2), batch_size=4, dtype="float32"))
        real = layer(tf.ones((4, 5, 2)))
        symbolic, real = tf.nest.flatten(symbolic), tf.nest.flatten(real)
        assert [(tuple(x.shape), x.dtype) for x in symbolic] == [
            (tuple(x.shape), x.dtype.name) for x in real
        ]


def test_weights_are_zeros_only_within_the_context() -> None:
    with initialized_with_zeros():
        layer = Recurrent(create("lstm", 3))
        layer.build((None, None, 2))
        seeds = keras.layers.Dropout(0.5, seed=5).seed_generator.state
    assert all(not np.any(weight.numpy()) for weight in layer.weights)
    assert seeds.numpy().tolist() == [5, 0]
    layer = Recurrent(create("lstm", 3))
    layer.build((None, None, 2))
    assert any(np.any(weight.numpy()) for weight in layer.weights)


def test_packages_are_hidden_only_from_the_command_line(monkeypatch) -> None:
    for name in UNUSED:
        monkeypatch.delitem(sys.modules, name, raising=False)
    with _without_unused():
        assert not set(UNUSED) & set(sys.modules)
    with called("seqzoo"), _without_unused(), pytest.raises(ModuleNotFoundError):
        import pandas  # noqa: F401
    assert not set(UNUSED) & set(sys.modules)


@pytest.mark.slow
def test_a_prediction_imports_none_of_them(tmp_path) -> None:
    code = (
        "import sys; from seqzoo.cli import main\n"
        "try: main(['predict', 'language-id', 'Zuid-Korea'])\n"
        f"finally: print(sorted(set({UNUSED}) & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "[]"

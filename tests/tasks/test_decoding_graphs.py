"""Decoding returns the same answers on every path, whatever the other rows are."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from decoding_cases import END, START, Toy
from graphs import must_compile, nodes

from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.decoding.arrays import compiled_loops
from seqzoo.tasks.decoding.decoder import Decoded, decode
from seqzoo.tasks.decoding.scoring import score

COMMON: dict[str, Any] = {"maximum_length": 7, "minimum_length": 1, "no_repeat_ngram": 3}
METHODS = {
    "greedy": Decoding(repetition_penalty=1.3, **COMMON),
    "beam": Decoding(
        "beam", count=3, length_penalty=0.8, coverage_penalty=0.3, beam_width=4, **COMMON
    ),
    "sample": Decoding("sample", count=3, temperature=1.2, top_k=5, top_p=0.9, **COMMON),
}
methods = pytest.mark.parametrize("method", METHODS)

SIGNATURE = {
    "h": tf.TensorSpec([None, 5], tf.float32, name="h"),
    "bias": tf.TensorSpec([None, 8], tf.float32, name="bias"),
    "prefix": tf.TensorSpec([None, None], tf.int32, name="prefix"),
    "prefix_lengths": tf.TensorSpec([None], tf.int32, name="prefix_lengths"),
    "source_lengths": tf.TensorSpec([None], tf.int32, name="source_lengths"),
    "maximum_lengths": tf.TensorSpec([None], tf.int32, name="maximum_lengths"),
    "seed": tf.TensorSpec([None, 2], tf.int32, name="seed"),
}


@pytest.fixture(scope="module")
def toy() -> Toy:
    return Toy(ids=8, rows=6, source=4, seed=12)


def _inputs(toy: Toy) -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    return {
        "h": toy.initial,
        "bias": toy.bias,
        "prefix": random.integers(3, 8, (6, 3)).astype(np.int32),
        "prefix_lengths": np.array([0, 2, 0, 3, 1, 0], np.int32),
        "source_lengths": np.array([4, 1, 3, 4, 2, 4], np.int32),
        "maximum_lengths": np.array([7, 7, 5, 6, 9, 7], np.int32),
        "seed": random.integers(0, 99, (6, 2)).astype(np.int32),
    }


def _function(toy: Toy, method: str):
    def run(h, bias, **more):
        states = {"h": h, "bias": bias}
        found = decode(
            toy.step,
            states,
            choices=METHODS[method],
            start=START,
            end=END,
            vocabulary_size=8,
            **more,
        )
        first = {"tokens": found.tokens[:, 0], "lengths": found.lengths[:, 0]}
        sums, _ = score(toy.step, states, **first, start=START, end=END, vocabulary_size=toy.ids)
        return {**found._asdict(), "first": sums}

    return run


def _run(toy: Toy, method: str, inputs: dict) -> dict[str, np.ndarray]:
    """Eagerly."""
    result = _function(toy, method)(**{name: tf.constant(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in result.items()}


def _assert_same(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    for name in one:
        if name in ("tokens", "lengths"):
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)
        else:
            np.testing.assert_allclose(one[name], other[name], 1e-4, 1e-5, err_msg=name)


@methods
def test_answers_are_varied(toy: Toy, method: str) -> None:
    # Otherwise the tests below would prove little.
    result = _run(toy, method, _inputs(toy))
    assert len(np.unique(result["lengths"])) > 2
    assert len(np.unique(result["tokens"])) == 6
    np.testing.assert_allclose(result["first"], result["log_probabilities"][:, 0], 1e-5)


@methods
def test_graphs_with_free_axes(toy: Toy, method: str) -> None:
    compiled = tf.function(_function(toy, method), autograph=False)
    graph = compiled.get_concrete_function(**SIGNATURE)
    for rows in ([0, 1, 2, 3, 4, 5], [5], [3, 1]):
        inputs = {name: value[rows] for name, value in _inputs(toy).items()}
        inputs["prefix"] = inputs["prefix"][:, : max(inputs["prefix_lengths"])]
        result = graph(**{name: tf.constant(value) for name, value in inputs.items()})
        _assert_same(_run(toy, method, inputs), {name: v.numpy() for name, v in result.items()})
    empty = graph(**{name: tf.constant(value[:0]) for name, value in _inputs(toy).items()})
    answers = METHODS[method].count
    assert empty["tokens"].shape == (0, answers, 0) and empty["first"].shape == (0,)
    assert empty["attention"].shape == (0, answers, 0, 4)


@methods
def test_rows_do_not_depend_on_each_other(toy: Toy, method: str) -> None:
    inputs = _inputs(toy)
    together = _run(toy, method, inputs)
    for rows in ([4], [5, 0, 2]):
        alone = _run(toy, method, {name: value[rows] for name, value in inputs.items()})
        for name, value in alone.items():
            expected = together[name][rows]
            if value.ndim > 2:  # time is that of the longest answer of a batch
                assert not expected[:, :, value.shape[2] :].any()
                expected = expected[:, :, : value.shape[2]]
            np.testing.assert_allclose(value, expected, 1e-4, 1e-5, err_msg=name)


@pytest.mark.slow
def test_exported_graphs_predict_without_seqzoo(toy: Toy, tmp_path, clean_tensorflow) -> None:
    inputs = _inputs(toy)
    for method in METHODS:
        module = tf.Module()
        function = tf.function(_function(toy, method), autograph=False)
        graph = function.get_concrete_function(**SIGNATURE)
        definition = graph.graph.as_graph_def()
        operations = {node.op for node in nodes(definition)}
        assert "While" in operations or "StatelessWhile" in operations
        assert not operations & {"PyFunc", "EagerPyFunc", "PyFuncStateless"}
        assert not must_compile(definition)
        tf.saved_model.save(module, str(tmp_path / method), signatures=graph)
        theirs = clean_tensorflow.answers(tmp_path / method, inputs)
        _assert_same(_run(toy, method, inputs), theirs)


@methods
def test_the_loop_ends_with_the_last_row(method: str) -> None:
    steps = tf.Variable(0)

    def step(tokens, states):
        steps.assign_add(1)
        # Rows that have ended continue, and must not keep the loop running.
        certain = tf.one_hot(tf.where(states == 3, END, 4), 6, 50.0, -50.0)
        return certain, states + 1, None

    def run(states):
        return decode(
            step,
            states,
            choices=Decoding(METHODS[method].method, maximum_length=90),
            start=START,
            end=END,
            vocabulary_size=6,
        )

    for function in (run, tf.function(run, autograph=False)):
        steps.assign(0)
        result = Decoded(*function(tf.constant([3, 0, 1])))
        assert result.lengths.numpy().tolist() == [[0], [3], [2]]
        assert result.attention is None and result.tokens.shape == (3, 1, 3)
        # Four to the end of the longest, and the one that shows what the step reports.
        assert steps.numpy() == 5


LEAN: dict[str, dict[str, Any]] = {
    "greedy": {},
    "beam": {"method": "beam", "beam_width": 4, "count": 3},
    "sample": {"method": "sample", "count": 3},
}
lean = pytest.mark.parametrize("method", LEAN)
ends = pytest.mark.parametrize("end", [END, None])


@lean
@ends
def test_constraints_that_forbid_nothing_change_nothing(method: str, end: int | None) -> None:
    toy = Toy(ids=8, rows=5, source=4, seed=2)
    more = {"end": end, "seed": 3}
    result = toy.decode(**LEAN[method], maximum_length=6, more=more)
    # The same by loops that keep histories, prefixes and limits.
    idle = {"prefix": np.zeros((5, 1)), "prefix_lengths": [0] * 5, "maximum_lengths": [9] * 5}
    other = toy.decode(**LEAN[method], maximum_length=6, no_repeat_ngram=7, more=more | idle)
    assert result.lengths.max() == 6 and (end is None) == (result.lengths.min() == 6)
    np.testing.assert_array_equal(result.terms, result.lengths + (end is not None))
    _assert_same(result._asdict(), other._asdict())


def _graph(toy: Toy, end: int | None, choices: Decoding, **more: Any) -> Any:
    def run(h, bias):
        found = decode(
            toy.step,
            {"h": h, "bias": bias},
            choices=choices,
            start=START,
            end=end,
            vocabulary_size=8,
            seed=3,
            **more,
        )
        return {name: value for name, value in found._asdict().items() if value is not None}

    specs = {name: SIGNATURE[name] for name in ("h", "bias")}
    return tf.function(run, autograph=False).get_concrete_function(**specs)


@pytest.mark.quick_for("2-greedy", "2-beam", rest="exhaustive")
@lean
@pytest.mark.parametrize("end", [END, pytest.param(None, marks=pytest.mark.slow)])
def test_compiled_loops_predict_like_plain_ones(method: str, end: int | None) -> None:
    toy = Toy(ids=8, rows=5, source=4, seed=2)
    choices = Decoding(**LEAN[method], maximum_length=6, minimum_length=1, no_repeat_ngram=2)
    with compiled_loops():
        graph = _graph(toy, end, choices)
    assert must_compile(graph.graph.as_graph_def())
    plain = _graph(toy, end, choices)
    assert not must_compile(plain.graph.as_graph_def())
    for rows in ([0, 1, 2, 3, 4], [3]):
        inputs = {"h": tf.constant(toy.initial[rows]), "bias": tf.constant(toy.bias[rows])}
        found, expected = graph(**inputs), plain(**inputs)
        _assert_same(
            {name: value.numpy() for name, value in found.items()},
            {name: value.numpy() for name, value in expected.items()},
        )


@lean
def test_what_is_not_requested_is_not_in_the_graph(method: str) -> None:
    toy = Toy(ids=8, rows=5, source=4, seed=2)

    def operations(**choices: Any) -> set[str]:
        graph = _graph(toy, END, Decoding(**LEAN[method], **choices), report_attention=False)
        return {node.op for node in nodes(graph.graph.as_graph_def())}

    assert "ScatterNd" not in operations() and "Pow" not in operations()
    assert "ScatterNd" in operations(no_repeat_ngram=2)
    # No text of 7 tokens contains an n-gram of 7 tokens twice.
    assert "ScatterNd" not in operations(no_repeat_ngram=7, maximum_length=7)
    assert "ScatterNd" in operations(no_repeat_ngram=6, maximum_length=7)
    if method == "beam":
        assert "Pow" in operations(length_penalty=0.5)

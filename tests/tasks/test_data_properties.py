"""For random lengths, seeds and sizes, batches contain every step once; vocabularies and
masks keep what they promise."""

import functools
from collections import Counter
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from cell_cases import Case, recurrent, shared
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqzoo.tasks.data.batches import Data, Padding, Sequences, array_batches, make_plan
from seqzoo.tasks.data.windows import crop_plan, window_plan
from seqzoo.tasks.layers.attention import Attention
from seqzoo.tasks.layers.crf import CRF
from seqzoo.tasks.layers.recurrent import MaskedPooling
from seqzoo.tasks.preprocessing.text import split_characters
from seqzoo.tasks.preprocessing.vocabulary import PADDING, SPECIAL, UNKNOWN, Vocabulary

few = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
START = 2
seeds = st.one_of(st.none(), st.tuples(st.integers(0, 3), st.integers(0, 99)))
lengths = st.lists(st.integers(1, 40), min_size=1, max_size=25)


def numbered(lengths: list[int]) -> Sequences:
    """Sequences whose steps all differ and are above 0, so that each tells where it is from."""
    sizes = np.array(lengths, np.int32)
    return Sequences(np.arange(10, 10 + sizes.sum(), dtype=np.int32), sizes)


def counts(data: Data, plan: Any) -> np.ndarray:
    """How often each step of the inputs counts, after a look at the padding of each batch."""
    counted = np.zeros(len(data.inputs.flat), int)
    for batch, longest in zip(array_batches(data, plan, trim=False), plan.lengths, strict=True):
        values, ends = batch["values"], batch["lengths"]
        assert values.shape[1] == longest and ends.max() <= longest
        for row, length, weight in zip(values, ends, batch["weights"], strict=True):
            assert weight in (0, 1) and not row[length:].any()
            assert (np.diff(row[:length]) == 1).all()
            counted[row[:length] - 10] += int(weight)
    return counted


def shapes(plan: Any) -> Counter:
    sizes = np.diff(plan.bounds).tolist()
    return Counter(zip(sizes, plan.lengths.tolist(), plan.target_lengths.tolist(), strict=True))


@few
@given(
    lengths,
    st.lists(st.integers(1, 45), min_size=1, max_size=4, unique=True),
    st.integers(1, 9),
    st.one_of(st.none(), st.integers(1, 200)),
    st.integers(1, 3),
    seeds,
    st.booleans(),
)
def test_batches_contain_every_step_once(
    step_counts, ends, size, most, multiple, seed, targets
) -> None:
    inputs = numbered(step_counts)
    data = Data(inputs, numbered([1 + length // 2 for length in step_counts]) if targets else None)
    padding = Padding(sorted(ends), sorted(ends))
    plan = make_plan(data, padding, size, steps_per_batch=most, multiple=multiple, seed=seed)
    assert (counts(data, plan) == 1).all()
    assert sorted(plan.rows[plan.weights > 0]) == list(range(len(step_counts)))
    rows = np.diff(plan.bounds)
    examples = np.add.reduceat(plan.weights, plan.bounds[:-1], dtype=int)
    assert (rows % multiple == 0).all() and (examples <= size).all()
    if most is not None:
        assert ((examples * plan.lengths <= most) | (examples == 1)).all()
    if targets:
        for batch in array_batches(data, plan, trim=False):
            assert isinstance(data.targets, Sequences)
            for row, target in zip(batch["rows"], batch["targets"], strict=True):
                answer = data.targets[row]
                assert (target[: len(answer)] == answer).all() and not target[len(answer) :].any()
    again = make_plan(data, padding, size, steps_per_batch=most, multiple=multiple, seed=seed)
    assert (again.rows == plan.rows).all()
    if seed is not None:
        how: dict[str, Any] = {"steps_per_batch": most, "multiple": multiple}
        assert len(make_plan(data, padding, size, seed=(*seed, 1), **how)) == len(plan)


@few
@given(lengths, st.integers(1, 12), st.integers(1, 5), st.booleans(), seeds)
def test_windows_contain_every_step_once_in_order(step_counts, window, size, whole, seed) -> None:
    step_counts = step_counts[:1] if whole else step_counts
    data = Data(numbered(step_counts), None, window)
    padding = Padding.choose(data, 3, size)
    plan = window_plan(data, padding, size, whole=whole, start=START, seed=seed)
    counted = counts(data, plan)
    assert counted.max() <= 1
    if (
        whole and seed is not None
    ):  # full windows from a random position: fewer than two are left out
        assert counted.sum() > sum(step_counts) - 2 * window and counted.sum() >= min(
            step_counts[0], window
        )
    else:
        assert (counted == 1).all()
    at: dict[int, int] = {}
    for batch in array_batches(data, plan, trim=False):
        for lane, length in enumerate(batch["lengths"]):
            if not length:
                continue
            steps = batch["values"][lane, :length]
            before = batch["before"][lane]
            assert before in (START, steps[0] - 1)
            if not batch["resets"][lane]:  # continues where the lane was
                assert at[lane] == before == steps[0] - 1
            if not batch["aside"][lane]:
                at[lane] = steps[-1]
    if seed is not None:
        other = window_plan(data, padding, size, whole=whole, start=START, seed=(*seed, 1))
        assert shapes(other) == shapes(plan)


@few
@given(lengths, st.integers(1, 12), st.integers(1, 5), st.tuples(st.integers(0, 99)))
def test_crops_are_parts_of_their_sequences(step_counts, steps, size, seed) -> None:
    data = Data(numbered(step_counts))
    plan = crop_plan(data, Padding([max(steps // 2, 1)], []), size, steps=steps, seed=seed)
    real = plan.rows[plan.weights > 0]
    assert Counter(real.tolist()) == {
        row: -(-length // steps) for row, length in enumerate(step_counts)
    }
    counts(data, plan)
    for batch in array_batches(data, plan, trim=False):
        for row, length, values in zip(
            batch["rows"], batch["lengths"], batch["values"], strict=True
        ):
            assert length == min(step_counts[row], steps)
            assert {values[0], values[length - 1]} <= set(data.inputs[row].tolist())


@few
@given(lengths, st.integers(1, 4), st.integers(1, 5), st.integers(0, 12), seeds)
def test_workers_divide_an_epoch(step_counts, workers, size, done, seed) -> None:
    data = Data(numbered(step_counts))
    plan = make_plan(data, Padding([10, 40], []), size * workers, multiple=workers, seed=seed)
    rest = plan.since(min(done, len(plan)))
    shards = [rest.shard(index, workers) for index in range(workers)]
    assert len({tuple(np.diff(shard.bounds)) for shard in shards}) == 1
    together = sorted(row for shard in shards for row in shard.rows[shard.weights > 0])
    first = plan.bounds[len(plan) - len(rest)]
    assert together == sorted(plan.rows[first:][plan.weights[first:] > 0])


tokens = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3)


@few
@given(
    st.dictionaries(tokens, st.integers(1, 5), max_size=12), st.integers(2, 12), st.integers(1, 4)
)
def test_a_vocabulary_is_the_most_frequent_tokens(found, size, minimum) -> None:
    counter = Counter({token.encode(): count for token, count in found.items()})
    vocabulary = Vocabulary.learn(counter, size, minimum)
    assert len(vocabulary) <= size
    frequent = sorted(
        (-count, token.encode()) for token, count in found.items() if count >= minimum
    )
    expected = [token.decode() for _, token in frequent][: size - SPECIAL]
    assert vocabulary.tokens == expected
    # The order in which tokens were met makes no difference.
    backwards = Counter(dict(reversed(counter.items())))
    assert Vocabulary.learn(backwards, size, minimum).tokens == expected


@few
@given(st.lists(tokens, min_size=1, max_size=12, unique=True), st.lists(tokens, max_size=5))
def test_ids_are_their_tokens_and_back(tmp_path, known, others) -> None:
    vocabulary = Vocabulary(known)
    ids = vocabulary.ids(tf.constant([*known, *others])).numpy().tolist()
    assert ids[: len(known)] == list(range(SPECIAL, SPECIAL + len(known)))
    for token, index in zip(others, ids[len(known) :], strict=True):
        assert index == (SPECIAL + known.index(token) if token in known else UNKNOWN)
    vocabulary.save(tmp_path / "v.jsonl")
    assert Vocabulary.load(tmp_path / "v.jsonl", len(vocabulary)).tokens == known


@few
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1))
def test_characters_are_read_back_from_their_ids(texts) -> None:
    parts = split_characters(tf.constant(texts))
    vocabulary = Vocabulary(sorted({item for text in texts for item in text}))
    ids = tf.ragged.map_flat_values(vocabulary.ids, parts).to_list()
    assert ["".join(vocabulary.tokens[index - SPECIAL] for index in row) for row in ids] == texts
    assert not {PADDING, UNKNOWN} & {index for row in ids for index in row}


BATCH, TIME, FEATURES = 3, 6, 4
padded = st.tuples(
    st.lists(st.integers(0, TIME), min_size=BATCH, max_size=BATCH),
    st.lists(st.booleans(), min_size=BATCH * TIME, max_size=BATCH * TIME),
    st.integers(0, 99),
    st.sampled_from([1e-3, 1.0, 1e6]),
)


def draw(sizes, gaps, seed, scale) -> tuple:
    """Values, the same with other padding, and the mask with gaps and that of the lengths."""
    random = np.random.default_rng(seed)
    x, other = random.normal(size=(2, BATCH, TIME, FEATURES))
    right = np.arange(TIME) < np.array(sizes)[:, None]
    mask = right & np.array(gaps).reshape(BATCH, TIME)
    return x, other * scale, mask, right


def compare(run: Any, x: Any, other: Any, mask: Any, weights: list) -> None:
    """`run` returns the same results and gradients whatever the masked values are."""
    found = []
    for values in (x, np.where(mask[..., None], x, other)):
        values = tf.constant(values)
        with tf.GradientTape() as tape:
            tape.watch(values)
            results = tf.nest.flatten(run(values))
            loss = tf.add_n([tf.reduce_sum(result * tf.cos(result)) for result in results])
        # The layer's own weights are found by its variables.
        slopes = tape.gradient(loss, [values, *weights])
        assert not np.array(slopes[0])[~mask].any()
        found.append([*results, *(slope for slope in slopes if slope is not None)])
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12)


@pytest.mark.quick_for("lstm-options0", rest="exhaustive")
@pytest.mark.parametrize("name, options", [("lstm", {}), ("gru", {"reset_after": False})])
@settings(few, max_examples=15)
@given(padded, st.booleans())
def test_padding_never_reaches_a_recurrent_layer(name, options, drawn, zero_output) -> None:
    x, other, mask, _ = draw(*drawn)
    cell = shared(Case(name, options))
    layer = recurrent(
        cell, return_sequences=True, return_state=True, zero_output_for_mask=zero_output
    )
    weights = [variable.value for variable in cell.trainable_variables]
    compare(lambda values: layer(values, mask=mask), x, other, mask, weights)


@functools.cache
def crf() -> tuple:
    """Results and gradients of a CRF, traced once for all draws; the layer keeps its weights."""
    layer = CRF(FEATURES, dtype="float64")
    random = np.random.default_rng(5)
    layer.set_weights([random.normal(size=weight.shape) for weight in layer.get_weights()])
    weights = [variable.value for variable in layer.trainable_variables]

    @tf.function(autograph=False)
    def run(values: Any, tags: Any, sizes: Any) -> tuple:
        with tf.GradientTape() as tape:
            tape.watch(values)
            likelihood = layer.log_likelihood(values, tags, sizes)
            marginals = layer.marginals(values, sizes)
            loss = tf.reduce_sum(likelihood) + tf.reduce_sum(marginals**2)
        slope, *slopes = tape.gradient(loss, [values, *weights])
        return slope, [likelihood, marginals, *layer.decode(values, sizes), *slopes]

    return layer, run


@settings(few, max_examples=25)
@given(padded, st.lists(st.integers(0, FEATURES - 1), min_size=2 * TIME, max_size=2 * TIME))
def test_padding_never_reaches_a_crf(drawn, tags) -> None:
    x, other, _, right = draw(*drawn)
    _, run = crf()
    first, second = np.array(tags, np.int32).reshape(2, 1, TIME).repeat(BATCH, axis=1)
    sizes = right.sum(1).astype(np.int32)
    slope, expected = run(x, first, sizes)
    assert not np.array(slope)[~right].any() and (np.array(expected[0]) <= 1e-9).all()
    changed = np.where(right[..., None], x, other)
    _, actual = run(changed, np.where(right, first, second), sizes)
    for one, two in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12)


@settings(few, max_examples=25)
@given(padded, st.sampled_from(["additive", "multiplicative"]))
def test_padding_never_reaches_attention(drawn, kind) -> None:
    x, other, mask, _ = draw(*drawn)
    queries = tf.constant(np.random.default_rng(1).normal(size=(BATCH, 1, FEATURES)))
    attention = Attention(kind, dtype="float64")
    attention.build(queries.shape, x.shape)
    weights = [variable.value for variable in attention.trainable_variables]
    compare(lambda values: attention(queries, values, mask=mask), x, other, mask, weights)


@settings(few, max_examples=25)
@given(padded, st.sampled_from(["mean", "max", "sum"]))
def test_padding_never_reaches_a_pooled_vector(drawn, mode) -> None:
    x, other, mask, _ = draw(*drawn)
    compare(lambda values: MaskedPooling(mode)(values, mask), x, other, mask, [])

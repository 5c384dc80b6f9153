"""Batches: every example once, the cheapest padding, the same under a seed."""

import itertools

import numpy as np
import pytest

from seqzoo.tasks import batching
from seqzoo.tasks.batching import Data, Sequences, batches, choose_lengths, make_plan


@pytest.fixture
def free_compilation(monkeypatch):
    monkeypatch.setattr(batching, "COMPILATION", 0)


def _steps(lengths: np.ndarray, padded: tuple[int, ...], batch_size: int) -> int:
    buckets = np.searchsorted(padded, lengths)
    counts = np.bincount(buckets, minlength=len(padded))
    return int((-(-counts // batch_size) * padded).sum())


@pytest.mark.parametrize("most", [1, 2, 3])
def test_padded_lengths_cost_the_fewest_steps(most: int, free_compilation) -> None:
    lengths = np.random.default_rng(0).geometric(0.2, 90)
    chosen = choose_lengths(lengths, most, 4)
    ends = np.unique(lengths)
    possible = [
        [*rest, ends[-1]]
        for count in range(most)
        for rest in itertools.combinations(ends[:-1], count)
    ]
    best = min(_steps(lengths, tuple(padded), 4) for padded in possible)
    assert chosen == sorted(chosen) and len(chosen) <= most
    assert _steps(lengths, tuple(chosen), 4) == best


def test_more_lengths_are_compiled_only_where_training_is_long() -> None:
    lengths = np.random.default_rng(0).geometric(0.1, 5000)
    counts = [len(choose_lengths(lengths, 6, 32, epochs=epochs)) for epochs in (1, 20, 500)]
    assert counts[0] == 1 < counts[1] <= counts[2] == 6


def test_a_plan_holds_every_example_once() -> None:
    lengths = np.random.default_rng(1).integers(1, 30, 101).astype(np.int32)
    plan = make_plan(lengths, [5, 12, 29], 8, seed=(3, 0))
    real = plan.weights > 0
    assert sorted(plan.indices[real]) == list(range(101))
    assert plan.indices.shape == plan.weights.shape == (len(plan), 8)
    assert set(plan.weights.reshape(-1)) == {0.0, 1.0}
    assert (lengths[plan.indices] <= plan.lengths[:, None]).all()
    shorter = {5: 0, 12: 5, 29: 12}
    assert (lengths[plan.indices] > [[shorter[end]] for end in plan.lengths]).all()


def test_a_plan_depends_on_its_seed_alone() -> None:
    lengths = np.random.default_rng(1).integers(1, 30, 101).astype(np.int32)
    first, again, other = (make_plan(lengths, [9, 29], 8, seed=(0, e)) for e in (4, 4, 5))
    assert (first.indices == again.indices).all() and (first.lengths == again.lengths).all()
    assert (first.indices != other.indices).any() and len(first) == len(other)
    # Both examples within a length and the batches are shuffled.
    assert (np.diff(first.lengths) < 0).any() and (np.diff(np.sort(first.indices[0])) != 1).any()
    rest = first.since(3)
    assert (rest.indices == first.indices[3:]).all() and len(rest) == len(first) - 3


def test_the_rest_of_an_epoch_has_the_shapes_of_all_of_it() -> None:
    # Else the step that is compiled after a resume would not take the next epoch's batches.
    data = Data(Sequences(np.ones(14, np.int32), np.array([3, 1, 4, 2, 4], np.int32)))
    for padded, static in (([4], 4), ([2, 4], None)):
        plan = make_plan(data.inputs.lengths, padded, 2)
        for rest in (plan, plan.since(len(plan) - 1), plan.since(len(plan))):
            shape = batches(data, rest).element_spec["values"].shape
            assert shape == (2, static if len(rest) else None)


def test_longer_sequences_than_training_had_double_the_length() -> None:
    plan = make_plan(np.array([2, 5, 11, 23], np.int32), [3, 6], 1)
    assert plan.lengths.tolist() == [3, 6, 12, 24]


@pytest.mark.parametrize("shape", [(), (2,)])
def test_batches_hold_the_sequences_and_zeros_behind_them(shape: tuple) -> None:
    random = np.random.default_rng(0)
    lengths = np.array([3, 1, 4, 2, 4], np.int32)
    flat = random.integers(1, 99, (14, *shape)).astype(np.float32)
    data = Data(Sequences(flat, lengths), np.arange(5, dtype=np.int32))
    rows = np.split(flat, np.cumsum(lengths)[:-1])
    seen = []
    for padded in ([4], [2, 4]):
        plan = make_plan(lengths, padded, 2, seed=(1, 2))
        for batch, longest, weights in zip(
            batches(data, plan), plan.lengths, plan.weights, strict=True
        ):
            values, targets = batch["values"].numpy(), batch["targets"].numpy()
            assert values.shape == (2, longest, *shape)
            assert (batch["weights"].numpy() == weights).all()
            for value, length, target in zip(
                values, batch["lengths"].numpy(), targets, strict=True
            ):
                assert length == lengths[target]
                assert (value[:length] == rows[target]).all() and not value[length:].any()
            seen.extend(targets[weights > 0])
    assert sorted(seen) == sorted(2 * list(range(5)))

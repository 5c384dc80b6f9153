"""Batches: every example once, the cheapest padding, the same under a seed."""

import itertools

import numpy as np
import pytest

from seqzoo.tasks.data import batches as plans
from seqzoo.tasks.data.batches import (
    Data,
    Padding,
    Plan,
    Sequences,
    array_batches,
    batches,
    choose_lengths,
    make_plan,
)
from seqzoo.tasks.data.windows import crop_plan, window_plan


@pytest.fixture
def free_compilation(monkeypatch):
    monkeypatch.setattr(plans, "COMPILATION", 0)


def _data(lengths: np.ndarray, targets: np.ndarray | None = None) -> Data:
    """Sequences of these lengths, with targets of those; all steps are different numbers."""

    def of(array: np.ndarray) -> Sequences:
        return Sequences(np.arange(array.sum(), dtype=np.int32), array.astype(np.int32))

    return Data(of(lengths), None if targets is None else of(targets))


def _batches(plan: Plan, of: np.ndarray | None = None) -> list[np.ndarray]:
    """The rows of each batch, or what belongs to them."""
    whole = plan.rows if of is None else of
    return [whole[a:b] for a, b in zip(plan.bounds, plan.bounds[1:], strict=False)]


def _steps(lengths: np.ndarray, padded: tuple[int, ...], batch_size: int) -> int:
    buckets = np.searchsorted(padded, lengths)
    counts = np.bincount(buckets, minlength=len(padded))
    return int((-(-counts // batch_size) * padded).sum())


@pytest.mark.parametrize("max_lengths", [1, 2, 3])
def test_padded_lengths_cost_the_fewest_steps(max_lengths: int, free_compilation) -> None:
    lengths = np.random.default_rng(0).geometric(0.2, 90)
    chosen = choose_lengths(lengths, max_lengths, 4)
    ends = np.unique(lengths)
    possible = [
        [*rest, ends[-1]]
        for count in range(max_lengths)
        for rest in itertools.combinations(ends[:-1], count)
    ]
    best = min(_steps(lengths, tuple(padded), 4) for padded in possible)
    assert chosen == sorted(chosen) and len(chosen) <= max_lengths
    assert _steps(lengths, tuple(chosen), 4) == best


def test_more_lengths_are_compiled_only_where_training_is_long() -> None:
    lengths = np.random.default_rng(0).geometric(0.1, 1000)
    counts = [len(choose_lengths(lengths, 6, 32, epochs=epochs)) for epochs in (1, 5, 500)]
    assert counts[0] == 1 < counts[1] < counts[2] == 6
    # Batches of more rows take longer, and compiling does not.
    wide = np.repeat(lengths, 8)
    assert len(choose_lengths(wide, 6, 256, epochs=1)) > counts[0]


def test_padded_lengths_do_not_depend_on_the_pieces_that_are_sorted_at_once(monkeypatch) -> None:
    lengths = np.random.default_rng(0).geometric(0.1, 1000)
    chosen = [choose_lengths(lengths, 6, 32, epochs=epochs) for epochs in (1, 5, 500)]
    monkeypatch.setattr("seqzoo.tasks.data.batches.SORTED_AT_ONCE", 16)
    assert chosen == [choose_lengths(lengths, 6, 32, epochs=epochs) for epochs in (1, 5, 500)]


def test_a_plan_contains_every_example_once() -> None:
    lengths = np.random.default_rng(1).integers(1, 30, 101).astype(np.int32)
    plan = make_plan(_data(lengths), Padding([5, 12, 29], []), 8, seed=(3, 0))
    assert sorted(plan.rows[plan.weights > 0]) == list(range(101))
    assert plan.size == 8 and (np.diff(plan.bounds) == 8).all() and plan.length is None
    assert set(plan.weights) == {0.0, 1.0}
    shorter = {5: 0, 12: 5, 29: 12}
    for rows, end in zip(_batches(plan), plan.lengths, strict=True):
        assert (lengths[rows] <= end).all() and (lengths[rows] > shorter[end]).all()


def test_a_plan_depends_only_on_its_seed() -> None:
    lengths = np.random.default_rng(1).integers(1, 30, 101).astype(np.int32)
    data, padding = _data(lengths), Padding([9, 29], [])
    first, again, other = (make_plan(data, padding, 8, seed=(0, e)) for e in (4, 4, 5))
    assert (first.rows == again.rows).all() and (first.lengths == again.lengths).all()
    assert (first.rows != other.rows).any() and len(first) == len(other)
    # Both examples within a length and the batches are shuffled.
    assert (np.diff(first.lengths) < 0).any()
    one, two = ({frozenset(rows) for rows in _batches(plan)} for plan in (first, other))
    assert one != two
    rest = first.since(3)
    assert len(rest) == len(first) - 3
    for one, same in zip(_batches(rest), _batches(first)[3:], strict=True):
        assert (one == same).all()


def test_batches_are_sorted_by_targets_within_a_length() -> None:
    random = np.random.default_rng(2)
    lengths, targets = random.integers(1, 20, 400), random.integers(1, 50, 400)
    data, padding = _data(lengths, targets), Padding([9, 19], [10, 20, 49])
    plan, other = (make_plan(data, padding, 16, seed=(0, epoch)) for epoch in (0, 1))
    assert sorted(plan.rows[plan.weights > 0]) == list(range(400))
    for rows, end in zip(_batches(plan), plan.target_lengths, strict=True):
        assert end == min(length for length in (10, 20, 49) if length >= targets[rows].max())
    # Most batches only contain targets of one padded length.
    assert (plan.target_lengths < 49).sum() > 0.3 * len(plan)
    shapes = [sorted(zip(p.lengths, p.target_lengths, strict=True)) for p in (plan, other)]
    assert shapes[0] == shapes[1] and (plan.rows != other.rows).any()


def test_long_batches_have_fewer_rows() -> None:
    lengths = np.random.default_rng(1).integers(1, 41, 300)
    padding = Padding([10, 20, 40], [])
    plan = make_plan(_data(lengths), padding, 32, steps_per_batch=240)
    sizes = dict(zip(plan.lengths.tolist(), np.diff(plan.bounds).tolist(), strict=True))
    assert sizes == {10: 24, 20: 12, 40: 6} and plan.size is None
    assert sorted(plan.rows[plan.weights > 0]) == list(range(300))
    assert make_plan(_data(lengths), padding, 32, steps_per_batch=5).size == 1


def test_batches_limited_in_steps_have_the_same_examples_for_any_number_of_workers() -> None:
    lengths = np.random.default_rng(1).integers(1, 41, 300)

    def examples(multiple: int, steps: int) -> list[list[int]]:
        padding, limit = Padding([10, 20, 40], []), {"steps_per_batch": steps, "seed": (1, 2)}
        plan = make_plan(_data(lengths), padding, 32, multiple=multiple, **limit)
        assert not (np.diff(plan.bounds) % multiple).any()
        pairs = zip(plan.bounds[:-1], plan.bounds[1:], strict=True)
        return [plan.rows[start:end][plan.weights[start:end] > 0].tolist() for start, end in pairs]

    for steps in (5, 130, 240):
        assert examples(1, steps) == examples(4, steps) == examples(8, steps)


def test_the_rest_of_an_epoch_has_the_shapes_of_all_of_it() -> None:
    # Else the step that is compiled after a resume would not take the next epoch's batches.
    data = _data(np.array([3, 1, 4, 2, 4]))
    for padded, static in (([4], 4), ([2, 4], None)):
        plan = make_plan(data, Padding(padded, []), 2)
        for rest in (plan, plan.since(len(plan) - 1), plan.since(len(plan))):
            assert batches(data, rest).element_spec["values"].shape == (2, static)


def test_longer_sequences_than_training_had_double_the_length() -> None:
    plan = make_plan(_data(np.array([2, 5, 11, 23])), Padding([3, 6], []), 1)
    assert plan.lengths.tolist() == [3, 6, 12, 24]


def test_batches_contain_targets_of_their_own_lengths() -> None:
    lengths, targets = np.array([3, 1, 4, 2, 4]), np.array([2, 6, 1, 3, 0])
    data, sequences = _data(lengths, targets), _data(targets).inputs
    plan = make_plan(data, Padding([4], [3, 6]), 2, seed=(0, 0))
    for batch, rows in zip(batches(data, plan), _batches(plan), strict=True):
        assert (batch["target_lengths"].numpy() == targets[rows]).all()
        for row, got in zip(rows, batch["targets"].numpy(), strict=True):
            sequence = sequences[row]
            assert (got[: len(sequence)] == sequence).all() and not got[len(sequence) :].any()


def test_the_steps_of_a_plan_are_those_of_its_sequences_without_padding() -> None:
    random = np.random.default_rng(3)
    lengths, targets = random.integers(1, 20, 50), random.integers(1, 50, 50)
    for data, each in (
        (_data(lengths), lengths),
        (_data(lengths, targets), lengths + targets),
        (_data(lengths, lengths), lengths),  # one answer per step
    ):
        plan = make_plan(data, Padding([20], [50]), 8, seed=(0, 0))
        real = zip(_batches(plan, each[plan.rows]), _batches(plan, plan.weights), strict=True)
        assert plan.time_steps(data).tolist() == [int((item * valid).sum()) for item, valid in real]


def test_the_steps_of_cropped_sequences_are_those_of_their_parts() -> None:
    lengths = np.array([3, 25, 8])
    plan = crop_plan(_data(lengths, lengths), Padding([4, 10], []), 2, steps=10, seed=(0, 0))
    assert plan.time_steps(_data(lengths, lengths)).sum() == 3 + 3 * 10 + 8


@pytest.mark.parametrize("shape", [(), (2,)])
def test_batches_contain_the_sequences_and_zeros_after_them(shape: tuple) -> None:
    random = np.random.default_rng(0)
    lengths = np.array([3, 1, 4, 2, 4], np.int32)
    flat = random.integers(1, 99, (14, *shape)).astype(np.float32)
    data = Data(Sequences(flat, lengths), np.arange(5, dtype=np.int32))
    rows = np.split(flat, np.cumsum(lengths)[:-1])
    seen = []
    for padded in ([4], [2, 4]):
        plan = make_plan(data, Padding(padded, []), 2, seed=(1, 2))
        for batch, longest, weights in zip(
            batches(data, plan), plan.lengths, _batches(plan, plan.weights), strict=True
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


@pytest.mark.parametrize("kind", ["none", "numbers", "sequences", "windows"])
def test_arrays_to_predict_from_are_the_batches_of_training(kind: str) -> None:
    random = np.random.default_rng(3)
    lengths = random.integers(1, 20, 23)
    targets = {"numbers": random.normal(size=(23, 2)), "sequences": random.integers(1, 9, 23)}
    if kind == "sequences":
        data = _data(lengths, targets[kind])
    else:
        data = Data(_data(lengths).inputs, targets.get(kind))
    if kind == "windows":
        data = Data(data.inputs, window=6)
        plan = window_plan(data, Padding([4, 6], []), 5, whole=False, start=3)
    else:
        plan = make_plan(data, Padding([5, 11], [3, 9]), 5)
    arrays = list(array_batches(data, plan, trim=False))
    for array, theirs in zip(arrays, batches(data, plan), strict=True):
        assert array.keys() == theirs.keys()
        for name, value in theirs.items():
            np.testing.assert_array_equal(array[name], value, name)
            assert array[name].dtype == value.numpy().dtype


def test_trimmed_batches_have_neither_filler_rows_nor_common_padding() -> None:
    lengths = np.array([3, 1, 7, 2, 9, 4, 8])
    data = _data(lengths, lengths[::-1].copy())
    plan = make_plan(data, Padding([5, 16], [4, 32]), 4)
    seen = []
    for batch in array_batches(data, plan, trim=True):
        seen += batch["rows"].tolist()
        for values, ends, sequences in (
            (batch["values"], batch["lengths"], data.inputs),
            (batch["targets"], batch["target_lengths"], data.targets),
        ):
            assert isinstance(sequences, Sequences)
            assert values.shape == (len(batch["rows"]), ends.max())
            for row, value, end in zip(batch["rows"], values, ends, strict=True):
                np.testing.assert_array_equal(value[:end], sequences[row])
                assert not value[end:].any()
    assert sorted(seen) == list(range(7))


def test_the_end_of_an_epoch_does_not_wait_for_a_tuner() -> None:
    data = _data(np.array([3, 1, 2]))
    plan = make_plan(data, Padding([3], []), 2)
    assert batches(data, plan).options().autotune.enabled is False

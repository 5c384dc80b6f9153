"""Several workers share out a plan: the same number of batches of equal lengths, and all of the
epoch."""

import numpy as np
import pytest

from seqzoo.tasks.data.batches import Data, Padding, Plan, Sequences, batches, make_plan
from seqzoo.tasks.data.windows import crop_plan, window_plan
from seqzoo.tasks.errors import SeqzooError

WINDOW = 6


def _data(count: int = 53, window: int | None = None) -> Data:
    """Sequences whose steps are all different, so that each says which one it is."""
    lengths = np.random.default_rng(count).integers(1, 30, count).astype(np.int32)
    return Data(Sequences(np.arange(1, lengths.sum() + 1, dtype=np.int32), lengths), None, window)


def _plan(kind: str, seed=(3, 1)) -> tuple[Data, Plan]:
    padding = Padding([9, 17, 29], [])
    if kind == "windows":
        data = _data(window=WINDOW)
        return data, window_plan(data, padding, 12, whole=False, start=2, seed=seed)
    if kind == "crops":
        return _data(), crop_plan(_data(), padding, 12, steps=7, multiple=6, seed=seed or (0, 0))
    limit = 200 if kind == "steps" else None
    plan = make_plan(_data(), padding, 12, steps_per_batch=limit, multiple=6, seed=seed)
    return _data(), plan


def _seen(data: Data, plan: Plan) -> list[list[tuple]]:
    """The steps that count, row by row, of each batch."""
    results = []
    for batch in batches(data, plan):
        rows = zip(*(batch[name].numpy() for name in ("values", "lengths", "weights")), strict=True)
        results.append([tuple(values[:length]) for values, length, weight in rows if weight])
    return results


@pytest.mark.parametrize("count", [1, 2, 3, 6])
@pytest.mark.parametrize("kind", ["lengths", "steps", "crops", "windows"])
def test_shards_together_are_the_epoch(kind: str, count: int) -> None:
    data, plan = _plan(kind)
    shards = [plan.shard(index, count) for index in range(count)]
    assert {len(shard) for shard in shards} == {len(plan)}
    seen = [_seen(data, shard) for shard in shards]
    for at, whole in enumerate(_seen(data, plan)):
        assert sorted(whole) == sorted(row for item in seen for row in item[at])
    for shard in shards:
        np.testing.assert_array_equal(shard.lengths, plan.lengths)
        np.testing.assert_array_equal(np.diff(shard.bounds) * count, np.diff(plan.bounds))
        if plan.size is not None:
            assert shard.size == plan.size // count
    # Rows that only fill up are shared out too.
    real = [shard.weights.sum() for shard in shards]
    assert max(real) - min(real) <= len(plan)


@pytest.mark.parametrize("kind", ["lengths", "windows"])
def test_shards_follow_from_the_seed_and_resume_in_mid_epoch(kind: str) -> None:
    data, plan = _plan(kind)
    again, other = _plan(kind)[1], _plan(kind, (3, 2))[1]
    assert _seen(data, again.shard(1, 3)) == _seen(data, plan.shard(1, 3))
    assert _seen(data, other.shard(1, 3)) != _seen(data, plan.shard(1, 3))
    for done in (0, 2, len(plan)):
        rest = _seen(data, plan.shard(1, 3))[done:]
        assert _seen(data, plan.shard(1, 3).since(done)) == rest
        assert _seen(data, plan.since(done).shard(1, 3)) == rest


def test_a_lane_stays_with_its_worker() -> None:
    data, plan = _plan("windows", None)
    ends: dict[int, int] = {}
    followed = 0
    for batch in batches(data, plan.shard(1, 4)):
        named = zip(
            *(batch[name].numpy() for name in ("values", "lengths", "resets", "aside")), strict=True
        )
        for lane, (values, length, resets, aside) in enumerate(named):
            if length and not resets:
                assert values[0] == ends[lane] + 1
                followed += 1
            if length and not aside:
                ends[lane] = values[length - 1]
    assert followed > 3


def test_impossible_shards() -> None:
    _, plan = _plan("lengths")
    with pytest.raises(SeqzooError, match="`index` must be at least 0 and below 3, got 3"):
        plan.shard(3, 3)
    with pytest.raises(SeqzooError, match="multiple of the 5 workers, got 12; .* `multiple`=5"):
        plan.shard(0, 5)

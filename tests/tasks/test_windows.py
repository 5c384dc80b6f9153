"""Windows over long sequences: each step once, in order, and lanes that continue where they
stopped."""

import numpy as np
import pytest
from task_data import settings

from seqzoo.tasks.data.batches import Data, Padding, Sequences, batches
from seqzoo.tasks.data.windows import WARM_UP, CropData, LaneData, crop_plan, window_plan
from seqzoo.tasks.errors import SeqzooError

START = 2


def _data(lengths, window: int) -> Data:
    """Sequences whose steps all differ, so that each tells where it is from."""
    lengths = np.array(lengths, np.int32)
    return Data(Sequences(np.arange(10, 10 + lengths.sum(), dtype=np.int32), lengths), None, window)


def _plan(data: Data, batch_size: int = 4, whole: bool = False, seed=None):
    padding = Padding.choose(data, 3, batch_size)
    return window_plan(data, padding, batch_size, whole=whole, start=START, seed=seed)


def _follow(data: Data, plan) -> np.ndarray:
    """How often each step counts, after a look at whether each lane hears what came before."""
    counted, at = np.zeros(len(data.inputs.flat), int), {}
    firsts = set((10 + data.inputs.starts).tolist())
    for batch in batches(data, plan):
        batch = {name: value.numpy() for name, value in batch.items()}
        assert (batch["aside"] == batch["aside"][0]).all()
        for lane, length in enumerate(batch["lengths"]):
            if not length:
                assert batch["weights"][lane] == 0
                continue
            steps = batch["values"][lane, :length]
            assert (np.diff(steps) == 1).all() and not batch["values"][lane, length:].any()
            assert data.inputs[batch["rows"][lane]][0] <= steps[0]
            assert data.inputs[batch["rows"][lane]][-1] >= steps[-1]
            if batch["resets"][lane]:
                begins = batch["before"][lane] == START
                assert begins or batch["before"][lane] == steps[0] - 1
                assert begins or steps[0] not in firsts
            else:
                assert not batch["aside"][lane]
                assert batch["before"][lane] == steps[0] - 1 == at[lane]
            if batch["aside"][lane]:
                assert steps[0] in firsts and steps[-1] == data.inputs[batch["rows"][lane]][-1]
            else:
                at[lane] = steps[-1]
            counted[steps - 10] += int(batch["weights"][lane])
    return counted


LENGTHS = [5, 31, 1, 64, 9, 8, 7, 150, 3, 16, 17, 2]


@pytest.mark.parametrize("seed", [None, (0, 0), (0, 7)])
@pytest.mark.parametrize("lengths", [LENGTHS, [3, 1, 8, 5, 2], [40, 90], [9]])
def test_each_step_counts_once_and_follows_the_one_before(lengths: list, seed) -> None:
    data = _data(lengths, 8)
    assert (_follow(data, _plan(data, seed=seed)) == 1).all()


def test_one_text_runs_in_full_windows_with_a_new_offset_each_epoch() -> None:
    data, phases, counts = _data([1003], 8), set(), set()
    for epoch in range(16):
        plan = _plan(data, whole=True, seed=(0, epoch))
        counted = _follow(data, plan)
        assert counted.max() == 1 and counted.sum() > 1003 - 2 * 8
        assert (plan.views["lengths"][plan.weights > 0] == 8).all()
        resets = plan.views["resets"].reshape(-1, 4)
        assert resets[0].all() and not resets[1:][plan.weights.reshape(-1, 4)[1:] > 0].any()
        assert (plan.views["before"][:4] == START).all()
        phases.add(int(plan.views["starts"][0]))
        counts.add(len(plan))
        assert plan.length == 8
    assert len(phases) > 4 and phases <= set(range(8)) and len(counts) == 1
    assert (_follow(data, _plan(data, whole=True)) == 1).all()


@pytest.mark.parametrize("length", [1, 5, 8, 9, 15, 16, 17, 23])
def test_short_texts_have_windows_too(length: int) -> None:
    data = _data([length], 8)
    sizes = {len(_plan(data, whole=True, seed=(0, epoch))) for epoch in range(20)}
    assert len(sizes) == 1
    assert _follow(data, _plan(data, whole=True, seed=(0, 3))).sum() >= min(length, 8)
    assert (_follow(data, _plan(data, whole=True)) == 1).all()


def test_a_plan_depends_only_on_its_seed() -> None:
    data = _data(LENGTHS * 5, 8)
    one, same, other = (_plan(data, seed=(3, epoch)) for epoch in (1, 1, 2))
    for name in ("rows", "weights", "lengths"):
        assert (getattr(one, name) == getattr(same, name)).all()
    assert all((one.views[name] == same.views[name]).all() for name in one.views)
    assert (one.rows != other.rows).any()
    assert len({(len(plan), plan.size, plan.length) for plan in (one, other)}) == 1
    # Short sequences come in between, and what is left of an epoch is as it would have been.
    aside = one.views["aside"].reshape(-1, 4)[:, 0]
    assert (np.diff(aside.astype(int)) != 0).sum() > 3
    rest = list(batches(data, one.since(5)))
    for late, early in zip(rest, list(batches(data, one))[5:], strict=True):
        for name in late:
            assert (late[name].numpy() == early[name].numpy()).all()


def test_scored_lanes_see_the_steps_before_them() -> None:
    data = _data([4000, 900], 16)
    plan = _plan(data, batch_size=3)
    unseen = np.zeros(len(data.inputs.flat), bool)
    heard = {}
    for batch in batches(data, plan):
        for lane in range(3):
            length = int(batch["lengths"][lane])
            heard[lane] = 0 if batch["resets"][lane] else heard[lane]
            begins = int(batch["before"][lane]) == START
            if batch["resets"][lane] and begins:
                heard[lane] = WARM_UP  # there is nothing before
            if length and batch["weights"][lane]:
                unseen[batch["values"][lane].numpy()[:length] - 10] = heard[lane] < WARM_UP
            heard[lane] += length
    assert not unseen.any()


def test_there_is_little_padding() -> None:
    random = np.random.default_rng(0)

    def share(lengths) -> float:
        data = _data(lengths, 64)
        plan = window_plan(
            data, Padding.choose(data, 6, 32, epochs=500), 32, whole=False, start=START, seed=(0, 0)
        )
        return 1 - plan.views["lengths"][plan.weights > 0].sum() / (32 * plan.lengths.sum())

    assert share(random.integers(1, 20, 5000)) < 0.12
    assert share(random.integers(1000, 9000, 100)) < 0.03
    assert share(random.lognormal(4.5, 0.8, 2000).astype(int) + 1) < 0.25


def test_crops_start_anywhere() -> None:
    data = _data([100, 7, 30, 12, 1], 0)
    seen, shapes = set(), set()
    for epoch in range(16):
        plan = crop_plan(data, Padding([9], []), 3, steps=12, seed=(0, epoch))
        shapes.add((len(plan), tuple(sorted(plan.lengths))))
        real = plan.weights > 0
        assert sorted(plan.rows[real]) == [0] * 9 + [1] + [2] * 3 + [3, 4]
        for batch in batches(data, plan):
            for row, length, steps in zip(
                batch["rows"].numpy(),
                batch["lengths"].numpy(),
                batch["values"].numpy(),
                strict=True,
            ):
                whole = data.inputs[row]
                assert length == min(len(whole), 12)
                assert steps[0] >= whole[0] and steps[length - 1] <= whole[-1]
                assert (np.diff(steps[:length]) == 1).all()
                seen.add(int(steps[0]))
    assert len(shapes) == 1
    assert len([step for step in seen if step < 99]) > 40


def test_batches_of_crops_have_at_most_so_many_steps() -> None:
    data = CropData(_data([500, 700], 0).inputs, steps=50)
    limited = settings(batch_size=32, batch_steps=100)
    plan = data.plan(Padding([500], []), limited, seed=(0,))
    sizes = np.diff(plan.bounds)
    assert (sizes * plan.lengths).max() <= 100 and len(plan) >= 12


def test_windows_of_texts_have_a_batch_size_instead() -> None:
    data = LaneData(_data([500, 700], 0).inputs, window=50)
    with pytest.raises(SeqzooError, match="`batch_steps` must be None for data in windows"):
        data.plan(Padding([500], []), settings(batch_steps=100), seed=(0,))

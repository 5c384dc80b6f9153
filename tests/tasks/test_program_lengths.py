"""The lengths that the programs of a training run are compiled for."""

from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from task_data import names, settings, template

from seqzoo.cells.engine.lengths import (
    MOST_PADDED,
    AdjustableLengths,
    program_length,
    use_lengths,
)
from seqzoo.tasks import Examples, Splits, train
from seqzoo.tasks.data.batches import COMPILATION, Data, Padding, Sequences
from seqzoo.tasks.training import epochs as epochs_module
from seqzoo.tasks.training import step
from seqzoo.tasks.training.epochs import Epochs
from seqzoo.tasks.training.program_lengths import merged, padded_step, program_lengths

UNITS = 256
"""Number of units of layers in which padded steps take time."""


def _cost(rows: dict[int, int], kept: tuple[int, ...], padded_step: float) -> float:
    total = COMPILATION * float(len(kept))
    for length, count in rows.items():
        reached = [one for one in kept if length <= one <= MOST_PADDED * length]
        total += count * padded_step * (min(reached) - length) if reached else np.inf
    return total


@pytest.mark.parametrize("scale", [1e2, 1e4, 1e5, 1e6])
def test_the_cheapest_lengths_are_kept(scale: float) -> None:
    lengths = (16, 32, 48, 64, 96, 128, 192)
    for seed in range(20):
        random = np.random.default_rng(seed)
        rows = {length: int(scale * random.exponential()) for length in lengths}
        subsets = (combinations(lengths, size) for size in range(1, 8))
        kept = [one for some in subsets for one in some]
        for padded in (0.02, 0.1):
            expected = min(_cost(rows, one, padded) for one in kept)
            assert _cost(rows, merged(rows, padded), padded) == pytest.approx(expected)
    assert merged({16: 1, 4096: 1}, 0.1) == (16, 4096)


def test_rows_of_inputs_and_targets_are_counted() -> None:
    """Rows of inputs and of targets at 16 and 32 steps, until another length is worth its time."""
    enough = int(COMPILATION / padded_step(UNITS) / 16)
    for inputs, targets, epochs in product((10, 40), (0, 10), (1, enough // 15)):
        data = Data(
            Sequences.of([np.ones(length) for length in (inputs, 20) for _ in range(10)]),
            Sequences.of([np.ones(targets)] * 20) if targets else None,
        )
        padding = Padding([*sorted({inputs, 20})], [targets] if targets else [])
        chosen = program_lengths(data.plan(padding, settings(batch_size=5)), epochs, UNITS)
        counts = {16: 10 * (inputs == 10) + 20 * (targets == 10), 32: 10, 48: 10 * (inputs == 40)}
        expected = merged(
            {length: epochs * count for length, count in counts.items() if count}, 0.1
        )
        assert chosen == expected, (inputs, targets, epochs)


def test_the_first_epoch_takes_its_lengths_from_those_of_all_epochs() -> None:
    """Enough rows that a length of their own pays off in ten epochs of a large layer, but not in
    one, and fewer of them in small layers."""
    rows = int(COMPILATION / padded_step(UNITS) / 16 / 4)
    inputs = [np.ones(length) for length in (10, 20, 40) for _ in range(rows)]
    plan = Data(Sequences.of(inputs)).plan(Padding([10, 20, 40], []), settings(batch_size=500))
    whole = program_lengths(plan, 10, UNITS)
    assert whole == (16, 32, 48)
    assert program_lengths(plan, 1, UNITS, whole) == (48,)
    assert program_lengths(plan, 1, UNITS, (32, 48)) == (48,)
    assert program_lengths(plan, 10, UNITS, (32, 48)) == (32, 48)
    assert program_lengths(plan, 10, 128) == (16, 48)


def test_steps_of_training_and_validation_use_them(tmp_path, monkeypatch) -> None:
    """Those of the first epoch until it ends with its validation, then those of all epochs."""
    used: list[Any] = []
    original = step.use_lengths
    monkeypatch.setattr(step, "use_lengths", lambda item: used.append(item) or original(item))
    at_epoch: list[list[int]] = []
    evaluated = Epochs.evaluate_epoch

    def evaluate_epoch(epochs: Epochs, epoch: int, row: dict[str, Any]) -> None:
        at_epoch.append(epochs.loop.lengths.programs.numpy().tolist())
        evaluated(epochs, epoch, row)

    monkeypatch.setattr(Epochs, "evaluate_epoch", evaluate_epoch)
    chosen = {1: (96,), 2: (48, 96)}
    monkeypatch.setattr(epochs_module, "program_lengths", lambda _, epochs, *others: chosen[epochs])
    texts, labels = names(40, 2).inputs, names(40, 2).targets
    longer = [text * 9 if at % 2 else text for at, text in enumerate(texts)]
    examples = Examples(longer, labels)
    train(template(), Splits(examples, examples), settings(epochs=2), tmp_path / "run")
    (lengths,) = set(used)
    assert len(used) == 2 and isinstance(lengths, AdjustableLengths)
    for lengths, programs in zip(chosen.values(), at_epoch, strict=True):
        with use_lengths(lengths):
            assert programs[:5] == [int(program_length(one)) for one in (16, 32, 48, 64, 96)]

"""For random inputs, labels and shares, splits contain each example once, equal ones together."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqzoo.tasks import Examples, SeqzooError
from seqzoo.zoo.data.splits import Part, cut, input_key, separate_equal_inputs, split

few = settings(max_examples=50, deadline=None, derandomize=True)
inputs = st.lists(st.sampled_from([f"text {n}" for n in range(30)]), min_size=3, max_size=80)
shares = st.fixed_dictionaries(
    {"validation": st.sampled_from([0.0, 0.1, 0.3]), "test": st.just(0.2)}
)
seeds = st.integers(0, 5)


def part(texts: list[str], labels: list | None = None) -> Part:
    """Examples whose targets are their positions, and whose labels are distinct."""
    examples = Examples(texts, list(range(len(texts))), list(range(1, 1 + len(texts))))
    return Part("t.csv", examples, [input_key(text) for text in texts], labels)


def texts_of(parts: dict[str, Part | None]) -> dict[str, list[str]]:
    return {name: list(part.examples.inputs) if part else [] for name, part in parts.items()}


def divided(whole: Part, shares: dict[str, float], seed: int) -> dict[str, Part | None] | None:
    """The splits; None where there are too few distinct inputs for them."""
    wanted = sum(share > 0 for share in shares.values())
    if len(set(whole.keys)) <= wanted:
        with pytest.raises(SeqzooError, match="too few to hold some out"):
            split(whole, shares, seed)
        return None
    try:
        return split(whole, shares, seed)
    except SeqzooError as error:  # a few inputs that occur often
        assert "leave no training examples" in str(error)
        return None


@few
@given(inputs, shares, seeds)
def test_each_example_is_in_one_split_with_its_equals(texts, shares, seed) -> None:
    result = divided(part(texts), shares, seed)
    if result is None:
        return
    positions = [target for value in result.values() if value for target in value.examples.targets]
    assert sorted(positions) == list(range(len(texts)))
    for item in filter(None, result.values()):
        # In the order of the file, with their lines.
        assert item.examples.targets == sorted(item.examples.targets)
        assert [int(line) - 1 for line in item.examples.lines or ()] == item.examples.targets
        assert [texts[position] for position in item.examples.targets] == item.examples.inputs
    held = [set(value) for value in texts_of(result).values()]
    assert sum(map(len, held)) == len(set(texts))
    # As large as requested, and larger only by duplicates of the last one.
    most = max(map(texts.count, set(texts)))
    for name, share in shares.items():
        least = max(round(share * len(texts)), int(share > 0))
        split = result[name]
        assert 0 <= (len(split.keys) if split else 0) - least < most


@few
@given(inputs, shares, seeds, st.randoms(use_true_random=False))
def test_splits_depend_only_on_inputs_and_seed(texts, shares, seed, random) -> None:
    result = divided(part(texts), shares, seed)
    if result is None:
        return
    shuffled = list(texts)
    random.shuffle(shuffled)
    again = divided(part(shuffled), shares, seed)
    assert again is not None
    first, second = texts_of(result), texts_of(again)
    assert {name: sorted(value) for name, value in first.items()} == {
        name: sorted(value) for name, value in second.items()
    }


@few
@given(inputs, shares, seeds, st.data())
def test_every_label_is_trained_on(texts, shares, seed, data) -> None:
    names = st.lists(st.sampled_from("abcd"), min_size=len(texts), max_size=len(texts))
    labels = [(item,) for item in data.draw(names)]
    result = divided(part(texts, labels), shares, seed)
    if result is None:
        return
    train = result["train"]
    assert train is not None and train.known() == {label for (label,) in labels}
    held = [set(value) for value in texts_of(result).values()]
    assert sum(map(len, held)) == len(set(texts))


@few
@given(inputs, inputs, inputs)
def test_inputs_of_two_splits_stay_where_they_are_scored_last(train, validation, test) -> None:
    parts: dict[str, Part | None] = {
        "train": part(train),
        "validation": part(validation),
        "test": part(test),
    }
    kept = {"validation": set(validation) - set(test), "train": set(train) - {*validation, *test}}
    if not all(kept.values()):
        with pytest.raises(SeqzooError, match="also occur in other splits"):
            separate_equal_inputs(parts)
        return
    notes = separate_equal_inputs(parts)
    result = texts_of(parts)
    assert result["test"] == test
    for name, original in (("validation", validation), ("train", train)):
        assert result[name] == [text for text in original if text in kept[name]]
    left_out = sum(len(item) for item in (train, validation)) - sum(
        len(result[name]) for name in ("train", "validation")
    )
    removed = [int(note.split()[0].replace(",", "")) for note in notes]
    assert sum(removed) == left_out


@few
@given(st.integers(10, 300), st.sampled_from([0.0, 0.1, 0.25]), st.booleans())
def test_one_sequence_is_cut_in_its_order(steps, validation, text) -> None:
    whole: Any = "abcdefghij" * 30 if text else np.arange(300.0)
    whole = whole[:steps]
    targets = None if text else [whole * 2]
    part = Part("t", Examples([whole], targets), [input_key(whole)], None)
    result = cut(part, {"validation": validation, "test": 0.2})
    pieces = [result[name] for name in ("train", "validation", "test")]
    joined = [piece.examples.inputs[0] for piece in pieces if piece]
    if text:
        assert "".join(joined) == whole
    else:
        np.testing.assert_array_equal(np.concatenate(joined), whole)
    assert len(joined[-1]) == round(0.2 * steps)
    assert (result["validation"] is None) == (round(validation * steps) == 0)
    assert len({piece.keys[0] for piece in pieces if piece}) == len(joined)
    for piece in filter(None, pieces):
        if piece.examples.targets is not None:
            assert (piece.examples.targets[0] == 2 * piece.examples.inputs[0]).all()

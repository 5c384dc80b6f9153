"""Ranges and names of settings; the types of fields are checked."""

import math
from dataclasses import fields
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from seqzoo.tasks import (
    Decoding,
    ManyToManyAligned,
    ManyToManyEncoderDecoder,
    ManyToManyUnaligned,
    ManyToOne,
    OneToMany,
    SeqzooError,
    TrainingSettings,
)
from seqzoo.tasks.fields import (
    Count,
    Named,
    NotTyped,
    Range,
    Share,
    checked_count,
    hints_of,
    note,
    plain,
)

KINDS: dict[type, dict[str, Any]] = {
    ManyToOne: {"input": "words"},
    OneToMany: {},
    ManyToManyAligned: {},
    ManyToManyUnaligned: {},
    ManyToManyEncoderDecoder: {},
    TrainingSettings: {},
    Decoding: {},
}
RANGES = [
    (kind, field.name, note(hints_of(kind)[field.name], Range))
    for kind in KINDS
    for field in fields(kind)
    if note(hints_of(kind)[field.name], Range)
]
EXPECTED = {
    (ManyToOne, "ngram_buckets"): "at least 1 and at most 200000",
    (ManyToOne, "vocabulary_size"): "at least 3",
    (OneToMany, "vocabulary_size"): "at least 5",
    (ManyToOne, "sample_rate"): "at least 100",
    (ManyToManyAligned, "characters"): "at least 0",
    (TrainingSettings, "learning_rate"): "above 0 and finite",
    (TrainingSettings, "warmup_steps"): "at least 0",
    (TrainingSettings, "seed"): "at least 0 and at most 4294967295",
    (Decoding, "top_p"): "above 0 and at most 1",
}
SHARES = ("dropout", "smoothing", "sampling", "random_")


def outside(allowed: Range) -> list[float]:
    """Numbers just beyond each bound of a range, and none."""
    numbers = [math.nan]
    numbers += [] if allowed.minimum is None else [allowed.minimum - 1]
    numbers += [] if allowed.above is None else [allowed.above]
    numbers += [] if allowed.maximum is None else [allowed.maximum + 1]
    return numbers + ([] if allowed.below is None else [allowed.below])


@pytest.mark.parametrize("kind, name, allowed", RANGES)
def test_values_out_of_range_are_refused_by_name(kind, name, allowed) -> None:
    for number in outside(allowed):
        with pytest.raises(SeqzooError) as caught:
            kind(**KINDS[kind], **{name: number})
        found = caught.value
        assert found.field == name and found.expected.endswith(str(allowed))
        assert found.got is number


def test_all_numbers_have_the_ranges_that_they_should() -> None:
    results = {(kind, name): str(allowed) for kind, name, allowed in RANGES}
    assert len(results) == 114
    for key, text in EXPECTED.items():
        assert results[key] == text
    for (kind, name), text in results.items():
        if name.startswith(SHARES) or name.endswith(SHARES):
            assert text == "at least 0 and below 1", (kind, name)
    least = [text for key, text in results.items() if key[1] in ("units", "layers", "embedding")]
    assert least == ["at least 1"] * 15


@pytest.mark.parametrize(
    "allowed, inside",
    [
        (Range(minimum=1), [1, 2**40]),
        (Range(above=0, below=math.inf), [1e-9, 1e300]),
        (Range(minimum=0, below=1), [0, 0.999]),
        (Range(above=0, maximum=1), [1e-9, 1]),
    ],
)
def test_what_is_inside(allowed, inside) -> None:
    assert all(number in allowed for number in inside)
    assert not any(number in allowed for number in outside(allowed))


def test_names_are_checked_even_if_none_is_allowed() -> None:
    assert TrainingSettings(best_by=None).best_by is None
    with pytest.raises(SeqzooError) as caught:
        TrainingSettings(best_by="f1")  # pyright: ignore[reportArgumentType]
    assert caught.value.field == "best_by" and "'bleu'" in caught.value.expected
    with pytest.raises(SeqzooError) as caught:
        ManyToOne("words", pooling="flatten")  # pyright: ignore[reportArgumentType]
    assert caught.value.expected == "one of 'last', 'mean', 'max'"


def test_types_and_their_descriptions() -> None:
    assert plain(Count) is int and plain(Count | None) is int
    assert plain(Literal["a"] | None) == Literal["a"]
    assert plain(float | str) == float | str
    assert note(Share | None, Range) == Range(minimum=0, below=1)
    both = Annotated[Count, Named("answers")]
    assert (note(both, Range), note(both, Named)) == (Range(minimum=1), Named("answers"))
    assert note(both, NotTyped) is None and note(int, Range) is None


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_a_count_may_be_numpys(value) -> None:
    assert type(checked_count("seeds", value)) is int
    assert checked_count("seeds", value, minimum=3, maximum=3) == 3


@pytest.mark.parametrize(
    "value, bounds, expected",
    [
        (0, {}, "a whole number of at least 1, got 0"),
        (True, {}, "a whole number of at least 1, got True"),
        (2.0, {}, "a whole number of at least 1, got 2.0"),
        ("3", {}, "a whole number of at least 1, got '3'"),
        (1, {"minimum": 2, "maximum": 9}, "a whole number of at least 2 and at most 9, got 1"),
        (10, {"minimum": 2, "maximum": 9}, "a whole number of at least 2 and at most 9, got 10"),
    ],
)
def test_an_argument_that_is_no_count_is_named(value, bounds, expected) -> None:
    with pytest.raises(SeqzooError) as error:
        checked_count("seeds", value, **bounds)
    assert str(error.value) == f"`seeds` must be {expected}."
    assert error.value.field == "seeds"

"""Spans and constraints of BIO and BIOES tags."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from seqzoo.tasks import SeqzooError
from seqzoo.tasks.metrics.bio import bio_constraints, entity_spans, split_tag
from seqzoo.tasks.metrics.entity_counts import Spans

BIO = ["I-b", "O", "B-a", "B-b", "I-a"]
BIOES = ["E-a", "O", "I-b", "S-a", "B-a", "S-b", "E-b", "I-a", "B-b"]


@pytest.mark.parametrize(
    "tags, spans",
    [
        ("", []),
        ("O O", []),
        ("B-a I-a O B-b", [("a", 0, 1), ("b", 3, 3)]),
        ("B-a B-a", [("a", 0, 0), ("a", 1, 1)]),
        ("S-a B-b I-b E-b S-a", [("a", 0, 0), ("b", 1, 3), ("a", 4, 4)]),
        # Malformed: an I or E begins an entity where it cannot continue one.
        ("I-a I-a O E-b", [("a", 0, 1), ("b", 3, 3)]),
        ("B-a I-b I-b", [("a", 0, 0), ("b", 1, 2)]),
        ("B-a E-a I-a", [("a", 0, 1), ("a", 2, 2)]),
        ("S-a I-a E-a E-a", [("a", 0, 0), ("a", 1, 2), ("a", 3, 3)]),
        ("B I O S", [("", 0, 1), ("", 3, 3)]),
        ("B-x-y I-x-y I-x", [("x-y", 0, 1), ("x", 2, 2)]),
    ],
)
def test_spans(tags: str, spans: list) -> None:
    assert entity_spans(tags.split()) == spans


@pytest.mark.parametrize("name", ["", "PER", "O-a", "b-a", "BPER", "U-a"])
def test_other_tags_are_refused(name: str) -> None:
    with pytest.raises(SeqzooError, match=f"got '{name}'"):
        split_tag(name)
    with pytest.raises(SeqzooError, match=f"got '{name}'"):
        entity_spans(["O", name])


def _allowed(path: tuple[int, ...], constraints: tuple) -> bool:
    moves, starts, ends = constraints
    inner = all(moves[i][j] for i, j in itertools.pairwise(path))
    return inner and starts[path[0]] and ends[path[-1]]


def _written(spans: list[tuple[str, int, int]], length: int, closing: bool) -> list[str]:
    """The one well-formed way to write spans."""
    tags = ["O"] * length
    for kind, first, last in spans:
        tags[first : last + 1] = [f"B-{kind}"] + [f"I-{kind}"] * (last - first)
        if closing:
            tags[last] = f"S-{kind}" if first == last else f"E-{kind}"
    return tags


@pytest.mark.parametrize("names, closing", [(BIO, False), (BIOES, True)])
@pytest.mark.parametrize("length", [1, 2, 4])
def test_only_well_formed_sequences_are_allowed(names, closing, length) -> None:
    """Over all sequences: allowed if and only if equal to what their own spans are written as."""
    constraints = bio_constraints(names)
    found = 0
    for path in itertools.product(range(len(names)), repeat=length):
        tags = [names[i] for i in path]
        well_formed = tags == _written(entity_spans(tags), length, closing)
        assert _allowed(path, constraints) == well_formed, tags
        found += well_formed
    assert 0 < found < len(names) ** length


def test_constraints_without_types_and_their_errors() -> None:
    moves, starts, ends = bio_constraints(["O", "B", "I"])
    assert moves == [[True, True, False], [True, True, True], [True, True, True]]
    assert starts == [True, True, False] and ends == [True, True, True]
    with pytest.raises(SeqzooError, match="must be unique"):
        bio_constraints(["O", "B-a", "O"])
    with pytest.raises(SeqzooError, match="got '<pad>'"):
        bio_constraints(["<pad>", "O"])


@pytest.mark.parametrize("kind", ["BIO", "BIOES"])
def test_the_graph_counts_the_same_entities(kind: str) -> None:
    random = np.random.default_rng(0)
    names = ["O", *(f"{prefix}-{item}" for prefix in kind.replace("O", "") for item in ("X", "Y"))]
    spans = Spans(names)
    lengths = random.integers(1, 12, 400)
    truth = random.integers(0, len(names), (400, 12))
    # Mostly right, so that whole entities are.
    predicted = np.where(random.random(truth.shape) < 0.2, random.integers(0, len(names)), truth)
    counted = spans.count(
        tf.constant(predicted, tf.int32),
        tf.constant(truth, tf.int32),
        tf.range(12) < tf.constant(lengths, tf.int32)[:, None],
    ).numpy()
    for row, length in enumerate(lengths):
        known, found = (
            set(entity_spans([names[tag] for tag in tags[row, :length]]))
            for tags in (truth, predicted)
        )
        assert counted[row].tolist() == [len(known & found), len(found), len(known)]
    assert counted[:, 0].sum() > 300

"""The data sets `text_lines` and `digit_lines`: what images show, and what is held out."""

import re

import numpy as np

from seqzoo.zoo.datasets.digit_lines import (
    DIGIT_SIZE,
    MAX_DIGITS,
    MAX_GAP,
    distort,
    join_digits,
)
from seqzoo.zoo.datasets.glyphs import UNSEEN_FACES
from seqzoo.zoo.datasets.line_images import LINE_HEIGHT, MARGIN, Style, draw_line
from seqzoo.zoo.datasets.text_lines import LINES, line, words_of

PLAIN = Style(em=16, slant=0, spacing=0, shift=0, ink=255, noise=0)


def test_held_out_lines_have_faces_and_words_of_their_own() -> None:
    seen, unseen = set(words_of("train")), set(words_of("test"))
    assert not seen & unseen and len(unseen) > 100 and len(seen) > 8 * len(unseen)
    assert set(words_of("validation")) == seen
    for split in LINES:
        results = [line(split, number) for number in range(40)]
        faces = {face for face, _, _ in results}
        assert faces <= set(UNSEEN_FACES) if split != "train" else not faces & set(UNSEEN_FACES)
        words = {item.lower() for _, text, _ in results for item in re.findall("[A-Za-z]+", text)}
        assert words <= (unseen if split == "test" else seen) and len(words) > 30
        assert {len(text.split()) for _, text, _ in results} == {1, 2, 3}


def test_a_line_is_drawn_the_same_every_time_and_as_wide_as_its_text() -> None:
    face, text, image = line("train", 5)
    again = line("train", 5)
    assert (face, text) == again[:2] and np.array_equal(image, again[2])
    random = np.random.default_rng(0)
    one = draw_line("DejaVu Sans Mono", "n", PLAIN, random)
    three = draw_line("DejaVu Sans Mono", "nnn", PLAIN, random)
    assert one.shape[0] == three.shape[0] == LINE_HEIGHT and one.dtype == np.uint8
    # Letters of one width: 1,233 units of 2,048 each.
    assert abs(three.shape[1] - one.shape[1] - 2 * 16 * 1233 / 2048) <= 1
    (ink,) = np.nonzero(three.max(0))
    assert ink[0] >= MARGIN - 1 and ink[-1] <= three.shape[1] - MARGIN
    assert three.max() > 200 and not three[0].any()


def test_slant_moves_what_is_above_the_baseline_to_the_right() -> None:
    random = np.random.default_rng(0)
    upright, slanted = (
        draw_line("DejaVu Sans", "l", PLAIN._replace(slant=slant), random) for slant in (0, 0.5)
    )

    def lean(image: np.ndarray) -> float:
        middle = [np.average(np.arange(len(row)), weights=row) for row in image if row.sum() > 99]
        return float(middle[0] - middle[-1])

    assert abs(lean(upright)) < 0.5 and lean(slanted) > 3


def test_numbers_are_digits_side_by_side_each_used_once() -> None:
    random = np.random.default_rng(1)
    images = np.zeros((60, DIGIT_SIZE, DIGIT_SIZE), np.uint8)
    for position, image in enumerate(images):  # each a bar, as wide as nothing else is bright
        image[4:24, 5 : 9 + position % 7] = position + 100
    labels = random.integers(0, 10, 60)
    lines = list(join_digits(images, labels, seed=3, rounds=2))
    assert 0 < len(lines) < 120 and max(len(text) for _, text in lines) == MAX_DIGITS
    used = []
    for image, text in lines:
        bright = image[10].astype(int)
        edges = np.flatnonzero(np.diff(bright))
        bars, gaps = [bright[at + 1] for at in edges[::2]], edges[2::2] - edges[1:-1:2]
        assert "".join(str(labels[bar - 100]) for bar in bars) == text
        assert image.shape[0] == DIGIT_SIZE and all(1 <= gap <= MAX_GAP for gap in gaps)
        used += [bar - 100 for bar in bars]
    assert sorted(used) == sorted([*range(60)] * 2)
    assert [text for _, text in join_digits(images, labels, 3, 2)] == [text for _, text in lines]


def test_distorted_digits_are_moved_but_keep_their_ink() -> None:
    random = np.random.default_rng(2)
    image = np.zeros((DIGIT_SIZE, DIGIT_SIZE), np.uint8)
    image[6:22, 12:15] = 200  # an upright bar
    results = np.stack([distort(image, random) for _ in range(200)]).astype(float)
    assert results.shape == (200, DIGIT_SIZE, 2 * DIGIT_SIZE) and results.max() <= 200
    ink = results.sum((1, 2)) / image.sum()  # changes with the area: 0.64 to 1.32
    assert 0.55 < ink.min() < 0.8 and 1.15 < ink.max() < 1.4
    rows, columns = np.mgrid[:DIGIT_SIZE, : 2 * DIGIT_SIZE]
    weights = results / results.sum((1, 2), keepdims=True)
    row, column = ((weights * place).sum((1, 2)) for place in (rows, columns))
    # The centre of the bar, in the middle of a frame of twice the width, moves up to 3 rows.
    assert 10 < row.min() < 11.5 and 15.5 < row.max() < 17
    assert abs(column - (13 + DIGIT_SIZE / 2)).max() < 1.2
    lean = [
        (weights[:, part].sum(1) * columns[0]).sum(1) / weights[:, part].sum((1, 2))
        for part in (slice(0, 13), slice(14, 28))
    ]
    assert (lean[0] - lean[1]).min() < -2 and (lean[0] - lean[1]).max() > 2

    lines = [list(join_digits(image[None], np.array([1]), 3, 4, item)) for item in (False, True)]
    assert [text for _, text in lines[0]] == ["1"] * 4 == [text for _, text in lines[1]]
    widths = [{item.shape[1] for item, _ in part} for part in lines]
    assert len({(item > 0).sum() for item, _ in lines[1]}) > 1 and widths[0] != widths[1]

"""The data set `glyphs`: pictures that show their characters, and unambiguous captions."""

import itertools

import numpy as np
import pytest

from seqzoo.zoo import datasets
from seqzoo.zoo.datasets import glyph_images

SANS = "DejaVu Sans"
SOME = set(map(chr, range(0x20, 0x250))) | set("ΑΒΓΔΩαβγδωАБЖабжя→⇒▲△♔♚ﬀ")
SPLITS = ("train", "validation", "test", "test_characters")


@pytest.fixture(scope="module")
def drawn() -> dict[str, dict[str, np.ndarray]]:
    """A few hundred characters in all faces: face -> character -> image."""
    return {face: glyph_images.draw(face, SOME) for face in glyph_images.FACES}


@pytest.fixture
def few(drawn, monkeypatch) -> None:
    """Makes preparing quick: some characters instead of all."""
    monkeypatch.setattr(glyph_images, "draw", lambda face: drawn[face])


def rows(image: np.ndarray) -> tuple[int, int]:
    """The first row that has ink, and the one after the last."""
    inked = np.flatnonzero(image.max(1) > 127)
    return int(inked[0]), int(inked[-1]) + 1


def test_pictures_stand_upright_on_one_baseline_in_one_size(drawn) -> None:
    images = drawn[SANS]
    baseline = glyph_images.SIZE - glyph_images.BASELINE
    capital, small = rows(images["H"]), rows(images["x"])
    assert capital[1] == small[1] == baseline
    # The face's capitals are 1,493 of its 2,048 units high, its small letters 1,120.
    assert capital[1] - capital[0] == pytest.approx(1493 / 2048 * 28, abs=1)
    assert small[1] - small[0] == pytest.approx(1120 / 2048 * 28, abs=1)
    assert rows(images["p"])[1] > baseline and rows(images["É"])[0] < capital[0]
    assert images["L"][baseline - 2].sum() > 3 * images["L"][capital[0] + 1].sum()
    assert images["T"][capital[0] + 1].sum() > 3 * images["T"][baseline - 2].sum()


def test_pictures_are_centred_and_not_mirrored(drawn) -> None:
    images = drawn[SANS]
    for character in "AHIOTVWY":  # X has a longer right leg
        np.testing.assert_allclose(images[character], images[character][:, ::-1], atol=12)
    np.testing.assert_allclose(images["b"], images["d"][:, ::-1], atol=12)
    assert images["b"][:, :20].sum() > images["b"][:, 20:].sum()
    assert images["H"].dtype == np.uint8 and images["H"].max() == 255 and images["H"].min() == 0


def test_faces_draw_their_own_shapes(drawn) -> None:
    for first, second in itertools.combinations(glyph_images.FACES, 2):
        assert (drawn[first]["R"] != drawn[second]["R"]).any(), (first, second)
    assert drawn["DejaVu Sans Bold"]["R"].sum() > 1.2 * drawn[SANS]["R"].sum()


def test_what_cannot_be_drawn_is_left_out() -> None:
    # Space has no ink, U+0007 no name; a face has no Han; U+FDFA is wider than the picture.
    assert list(glyph_images.draw(SANS, " \u0007漢b\u3000a")) == ["a", "b"]
    everything = glyph_images.draw("DejaVu Sans Mono")
    assert 3000 < len(everything) < 3400 and list(everything) == sorted(everything)
    assert all(image.any() for image in everything.values())


def test_png_holds_the_picture(drawn) -> None:
    import tensorflow as tf

    image = drawn[SANS]["R"][3:, :-5]  # not a square, to tell height from width
    np.testing.assert_array_equal(tf.io.decode_png(glyph_images.png(image))[..., 0], image)


@pytest.mark.slow
def test_look_alikes_are_those_of_brute_force() -> None:
    generator = np.random.default_rng(3)
    images = {}
    for n in range(0, 600, 6):  # more than one block of 512
        image = generator.integers(0, 256, (40, 40)) * (generator.random((40, 40)) < 0.2)
        images[chr(0x1000 + n)] = image.astype(np.uint8)
        for k, pixels in enumerate((2, 5, 40, 3, 7), start=1):
            other = image.copy()
            position = generator.integers(0, 40, (2, pixels))
            other[*position] = generator.integers(0, 256, pixels)
            images[chr(0x1000 + n + k)] = other.astype(np.uint8)
    expected = set()
    for (a, first), (b, second) in itertools.combinations(images.items(), 2):
        if ((first / 255.0 - second / 255.0) ** 2).sum() < glyph_images.ALIKE:
            expected.add((a, b))
    assert set(glyph_images.look_alikes(images)) == expected
    assert 100 < len(expected) < 1200


def test_distinct_keeps_the_lowest_number() -> None:
    generator = np.random.default_rng(4)
    shapes = generator.integers(0, 256, (40, 40, 40)).astype(np.uint8)
    fresh = iter(shapes)
    faces: dict[str, dict[str, np.ndarray]] = {f"face {n}": {} for n in range(4)}
    for images in faces.values():
        images |= {character: next(fresh) for character in "abcdefg"}
    faces["face 0"]["b"] = faces["face 0"]["a"]  # in one face of four: left out of that one
    for face in ("face 1", "face 2"):  # in two of four: left out of all
        faces[face]["d"] = faces[face]["c"]
    for face in faces:  # d is gone, but e looks like d only in two
        faces[face]["e"] = faces[face]["d"] if face in ("face 0", "face 3") else next(fresh)
    faces["face 3"]["g"] = faces["face 1"]["f"]  # one picture, two characters, two faces
    del faces["face 0"]["g"], faces["face 1"]["g"]

    kept = glyph_images.distinct(faces)
    assert {face: "".join(images) for face, images in kept.items()} == {
        "face 0": "acef",
        "face 1": "abcef",
        "face 2": "abcefg",
        "face 3": "abcef",
    }
    for face, images in kept.items():
        assert all(images[character] is faces[face][character] for character in images)


def test_letters_that_look_alike_are_latin(drawn) -> None:
    kept = glyph_images.distinct(drawn)[SANS]
    assert set("ABaßéΓΔΩβγωЖжя→") <= set(kept)
    assert not set("ΑΒАа") & set(kept)


def test_splits(few) -> None:
    from seqzoo.zoo.datasets import glyphs

    splits = glyphs.split_glyphs()
    assert tuple(splits) == SPLITS
    characters = {name: {glyph.character for glyph in split} for name, split in splits.items()}
    faces = {name: {glyph.face for glyph in split} for name, split in splits.items()}
    unseen = set(glyphs.UNSEEN_FACES)
    assert faces["train"] == set(glyph_images.FACES) - unseen
    assert faces["test"] == faces["validation"] == unseen
    assert faces["test_characters"] == set(glyph_images.FACES)
    assert not characters["test_characters"] & characters["train"]
    assert not characters["test"] & characters["validation"]
    assert characters["test"] | characters["validation"] <= characters["train"]
    assert 0.02 < len(characters["test_characters"]) / len(characters["train"]) < 0.1
    assert 0.15 < len(splits["validation"]) / len(splits["test"]) < 0.5
    # No picture has two captions, and none that is tested on is trained on.
    captions: dict[bytes, set[str]] = {}
    for glyph in (glyph for split in splits.values() for glyph in split):
        captions.setdefault(glyph.image.tobytes(), set()).add(glyph.caption)
    assert {len(caption) for caption in captions.values()} == {1}
    trained = {glyph.image.tobytes() for glyph in splits["train"]}
    assert not trained & {g.image.tobytes() for name in SPLITS[1:] for g in splits[name]}


@pytest.mark.slow
def test_prepared_pictures_are_those_drawn(few, drawn, tmp_path) -> None:
    builder = datasets.load("glyphs", tmp_path)
    face_name = builder.info.features["face"].int2str
    count = 0
    for split in SPLITS:
        data = builder.as_dataset(split=split, batch_size=-1)
        columns = (data[name].numpy() for name in ("image", "caption", "character", "face"))
        for image, caption, text, face in zip(*columns, strict=True):
            character = text.decode("utf-8")
            np.testing.assert_array_equal(image[..., 0], drawn[face_name(face)][character])
            if character == "é":
                assert caption == b"latin small letter e with acute"
            count += 1
    assert count == sum(split.num_examples for split in builder.info.splits.values()) > 3000

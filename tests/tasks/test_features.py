"""Raw inputs to tensors: the same in any batch, and clear errors for what cannot be learned
from."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from task_data import series, template

from seqzoo.tasks import Examples, ManyToOne, SeqzooError
from seqzoo.tasks.kinds import features_class
from seqzoo.tasks.preprocessing.text import split_characters, split_words
from seqzoo.tasks.preprocessing.vocabulary import PADDING, UNKNOWN, Vocabulary


def _learn(choices: ManyToOne, examples: Examples) -> Any:
    return features_class(choices.input).learn(choices, examples)


def _words(text: str) -> list[str]:
    return [word.decode() for word in split_words(tf.constant([text])).to_list()[0]]


@pytest.mark.parametrize(
    "text, words",
    [
        ("It isn't  so, is it?", ["It", "isn't", "so", ",", "is", "it", "?"]),
        ("'quoted' l’été", ["'", "quoted", "'", "l’été"]),
        ("a\tb\nc\u00a0d\u3000e", ["a", "b", "c", "d", "e"]),
        ("naïve_x 3.14", ["naïve", "_", "x", "3", ".", "14"]),
        ("你好 हिन्दी", ["你好", "हिन्दी"]),
        (" \u00a0 ", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert _words(text) == words


def test_characters_are_unicode() -> None:
    characters = split_characters(tf.constant(["aé你😀"])).to_list()[0]
    assert [character.decode() for character in characters] == ["a", "é", "你", "😀"]


def test_text_to_ids() -> None:
    examples = Examples(["aab", "abc", "zbb a"])
    text = _learn(template(minimum_count=2), examples)
    assert text.vocabulary.tokens == ["a", "b"]  # equally often, then by alphabet
    values, lengths = text.transform(tf.constant(["ba", "", "azb"]))
    assert values.numpy().tolist() == [[3, 2, 0], [0, 0, 0], [2, UNKNOWN, 3]]
    assert lengths.numpy().tolist() == [2, 0, 3] and PADDING == 0
    encoded = text.encode(examples)
    assert encoded.lengths.tolist() == [3, 3, 5]
    assert encoded.flat.tolist() == [2, 2, 3, 2, 3, 1, 1, 3, 3, 1, 2]


def test_text_is_truncated_and_lowercased() -> None:
    text = _learn(
        template(input="words", lowercase=True, maximum_length=2, minimum_count=1),
        Examples(["ÄB cd ef", "äb CD"]),
    )
    assert text.vocabulary.tokens == ["cd", "äb"]


def test_vocabulary_keeps_the_most_frequent() -> None:
    text = _learn(template(vocabulary_size=4, minimum_count=1), Examples(["abbccc"]))
    assert text.vocabulary.tokens == ["c", "b"] and len(text.vocabulary) == 4


def test_vocabulary_survives_saving_and_loading(tmp_path) -> None:
    tokens = ["a", "\n", "\u2028", '"', "", "\\", "你", "\r\n", " "]
    Vocabulary(tokens).save(tmp_path / "v.jsonl")
    assert Vocabulary.load(tmp_path / "v.jsonl").tokens == tokens
    (tmp_path / "v.jsonl").write_bytes(b'"a"\n\xff')
    with pytest.raises(SeqzooError, match="v.jsonl cannot be read"):
        Vocabulary.load(tmp_path / "v.jsonl")


def test_pixels_are_read_from_left_to_right_and_from_the_top() -> None:
    images = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    features = _learn(template(input="pixels"), Examples(images))
    values, lengths = features.transform(tf.constant(images))
    assert features.step == ((3,), "uint8") and lengths.numpy().tolist() == [20, 20]
    np.testing.assert_array_equal(values[1, 7], images[1, 1, 2])
    grey = _learn(template(input="pixels"), Examples(images[..., 0]))
    assert grey.transform(tf.constant(images[..., 0]))[0].shape == (2, 20, 1)


def test_permuted_pixels_are_read_in_one_order_that_is_stored() -> None:
    images = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)
    permuted = template(input="pixels", permutation_seed=3)
    features = _learn(permuted, Examples(images))
    values = features.transform(tf.constant(images))[0].numpy()[..., 0]
    order = np.random.default_rng(3).permutation(20)
    np.testing.assert_array_equal(values, images.reshape(2, 20)[:, order])
    config = features.to_config()
    stored = {**config, "order": config["order"][::-1]}  # drawn otherwise by another NumPy
    again = type(features).from_config(permuted, stored, {})
    found = again.transform(tf.constant(images))[0].numpy()[..., 0]
    np.testing.assert_array_equal(found, values[:, ::-1])
    with pytest.raises(SeqzooError, match="`permutation_seed` is for pixels, got input 'rows'."):
        template(input="rows", permutation_seed=0)


def test_rows_are_read_from_the_top() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 3, 2)).astype(np.uint8)
    rows = _learn(template(input="rows"), Examples(images))
    values, lengths = rows.transform(tf.constant(images))
    assert rows.step == ((6,), "uint8") and lengths.numpy().tolist() == [4] * 5
    assert (values.numpy() == images.reshape(5, 4, 6)).all()


def test_series_are_standardised_by_training() -> None:
    train, other = series(50, 0), series(5, 1)
    learned = _learn(template(input="series"), Examples(train))
    flat = learned.encode(Examples(train)).flat
    np.testing.assert_allclose(flat.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(flat.std(0), 1, atol=1e-5)
    joined = np.concatenate(train)
    expected = (np.concatenate(other) - joined.mean(0)) / joined.std(0)
    np.testing.assert_allclose(learned.encode(Examples(other)).flat, expected, atol=1e-4)


def test_audio_does_not_depend_on_its_batch() -> None:
    random = np.random.default_rng(0)
    waves = [random.normal(0, 0.1, n).astype(np.float32) for n in (4000, 1300, 7)]
    audio = _learn(template(input="audio", sample_rate=8000, mel_bins=10), Examples(waves))
    together = audio.encode(Examples(waves))
    assert together.lengths.tolist() == [50, 17, 1]  # a step each 80 samples
    alone = np.concatenate([audio.encode(Examples([wave])).flat for wave in waves])
    np.testing.assert_allclose(together.flat, alone, atol=1e-4)
    # What a caller pads with does not matter.
    padded = np.full((1, 2000), 9.0, np.float32)
    padded[0, :1300] = waves[1]
    values, lengths = audio.transform(tf.constant(padded), tf.constant([1300]))
    np.testing.assert_allclose(values[0, : lengths[0]], together.flat[50:67], atol=1e-4)


def test_a_tone_appears_in_its_band() -> None:
    rate, bins = 8000, 20
    time = np.arange(rate, dtype=np.float32) / rate
    tones = [np.sin(2 * np.pi * hertz * time) for hertz in (200, 800, 3000)]
    audio = _learn(template(input="audio", sample_rate=rate, mel_bins=bins), Examples(tones))
    audio.mean, audio.scale = [0.0] * bins, [1.0] * bins
    loudest = audio.encode(Examples(tones)).flat.reshape(3, -1, bins).mean(1).argmax(1)
    mel = 1127 * np.log1p(np.array([200, 800, 3000]) / 700)
    low, high = 1127 * np.log1p(np.array([20, 4000]) / 700)
    np.testing.assert_allclose(loudest, (mel - low) / (high - low) * (bins + 1) - 1, atol=0.8)


def test_mean_normalization_removes_the_level_of_a_recording() -> None:
    random = np.random.default_rng(0)
    waves = [random.normal(0, 0.1, n).astype(np.float32) for n in (4000, 1300)]
    chosen = template(input="audio", sample_rate=8000, mel_bins=10, mean_normalization=True)
    audio = _learn(chosen, Examples(waves))
    encoded = audio.encode(Examples(waves))
    np.testing.assert_allclose(encoded.flat[:50].mean(0), encoded.flat[50:].mean(0), atol=1e-4)
    louder = audio.encode(Examples([4 * wave for wave in waves]))
    assert np.abs(encoded.flat - louder.flat).mean() < 2e-3  # the floor stays as it is
    alone = np.concatenate([audio.encode(Examples([wave])).flat for wave in waves])
    np.testing.assert_allclose(encoded.flat, alone, atol=1e-4)
    padded = np.zeros((2, 4000), np.float32)
    for row, wave in zip(padded, waves, strict=True):
        row[: len(wave)] = wave
    values, lengths = audio.transform_by_products(tf.constant(padded), tf.constant([4000, 1300]))
    steps = tf.concat([row[:length] for row, length in zip(values, lengths, strict=True)], 0)
    np.testing.assert_allclose(steps, encoded.flat, atol=1e-3)


def test_bands_without_content_are_not_made_of_rounding_errors() -> None:
    """As those above half of the rate that a recording had before it was resampled."""
    random = np.random.default_rng(0)
    times = np.arange(22050) / 44100
    waves = [
        sum(0.1 * np.sin(2 * np.pi * f * times) for f in random.uniform(100, 3500, 5))
        * np.hanning(len(times))
        for _ in range(3)
    ]
    examples = Examples([wave.astype(np.float32) for wave in waves])
    audio = _learn(template(input="audio", sample_rate=44100), examples)
    raw = [tf.constant(item) for item in audio.raw(examples.inputs, examples.locations)]
    values, lengths = audio.transform(*raw)
    others, _ = audio.transform_by_products(*raw)
    np.testing.assert_allclose(values, others[:, : values.shape[1]], atol=2e-3)
    restored = audio.from_config(audio.template, audio.to_config(), {})
    np.testing.assert_array_equal(restored.transform(*raw)[0], values)
    old = audio.from_config(audio.template, {"mean": audio.mean, "scale": audio.scale}, {})
    assert old.floor == 1e-6 and lengths[0] == 50


@pytest.mark.parametrize("kind", ["characters", "words", "rows", "series", "audio"])
def test_features_are_rebuilt_from_their_config(kind: str) -> None:
    random = np.random.default_rng(0)
    inputs = {
        "rows": random.normal(size=(6, 3, 4)),
        "series": series(6, 0),
        "audio": [random.normal(0, 0.1, 900) for _ in range(6)],
    }.get(kind, ["a b", "b a", "a", "b", "b", "a"])
    choices = template(input=kind, sample_rate=8000, mel_bins=5)
    learned = _learn(choices, Examples(inputs))
    again = type(learned).from_config(
        choices, learned.to_config(), {"vocabulary": learned.vocabulary}
    )
    assert (again.encode(Examples(inputs)).flat == learned.encode(Examples(inputs)).flat).all()


NAN = [np.ones((2, 1)), np.array([[1.0], [np.nan]])]


@pytest.mark.parametrize(
    "choices, inputs, message",
    [
        ({}, ["ab", "", "c"], "line 12 has none"),
        ({"input": "words"}, ["ab", " \t"], "line 12 has none"),
        ({}, ["ab", "\ud800"], "line 12 is not Unicode"),
        ({}, ["ab", 3], "line 12 is of type int"),
        ({"input": "series"}, NAN, r"line 12 contains NaN or infinite values \(1 of 2\)"),
        ({"input": "series"}, [np.ones((2, 1)), np.array([[np.inf]])], r"line 12 .* \(1 of 1\)"),
        ({"input": "series"}, [np.ones((2, 1)), np.ones((2, 3))], "line 12 has 3"),
        ({"input": "series"}, [np.ones((2, 1)), np.ones((0, 1))], "line 12 has none"),
        ({"input": "series"}, [np.ones(2), ["a"]], "line 12 does not consist of numbers"),
        ({"input": "rows"}, np.array([np.ones((2, 2)), np.full((2, 2), np.nan)]), r"12 .*4 of 4"),
        ({"input": "rows"}, np.ones((2, 3)), r"shape \(2, 3\)"),
        ({"input": "audio"}, [np.ones(9, np.float32), np.ones(9, np.int16)], "line 12 is int16"),
        ({"input": "audio"}, [np.ones(9), np.zeros(0)], "line 12 has none"),
    ],
)
def test_errors_name_the_location(choices: dict, inputs, message: str) -> None:
    examples = Examples(inputs, lines=[11, 12, 13])
    with pytest.raises(SeqzooError, match=message):
        _learn(template(**choices), examples).encode(examples)


def test_locations_continue_across_chunks() -> None:
    texts = ["a"] * 2000
    texts[1500] = ""
    with pytest.raises(SeqzooError, match="example 1500 has none"):
        _learn(template(), Examples(texts)).encode(Examples(texts))


@pytest.mark.parametrize(
    "choices, message",
    [
        ({"input": "letters"}, "`input` must be one of 'characters'.*got 'letters'"),
        ({"pooling": "first"}, "`pooling` must be one of"),
        ({"units": 0}, "`units` must be at least 1, got 0"),
        ({"dropout": 1.0}, "`dropout` must be at least 0 and below 1, got 1.0"),
    ],
)
def test_options_are_checked(choices: dict, message: str) -> None:
    with pytest.raises(SeqzooError, match=message):
        ManyToOne(**{"input": "characters", **choices})


@pytest.mark.parametrize("rate", [8000, 22050])
def test_products_equal_the_fourier_transform_for_windows_of_any_length(rate: int) -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, rate // 4).astype(np.float32)
    audio = _learn(template(input="audio", sample_rate=rate, mel_bins=20), Examples([wave]))
    raw = tf.constant(wave[None]), tf.constant([len(wave)])
    expected, _ = audio.transform(*raw)
    values, _ = audio.transform_by_products(*raw)
    np.testing.assert_allclose(values[:, : expected.shape[1]], expected, atol=1e-3)

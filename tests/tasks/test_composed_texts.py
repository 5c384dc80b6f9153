"""Texts with combining marks have the predictions of composed ones if `nfc` is set."""

import unicodedata
from typing import Any

import pytest
import tensorflow as tf

from seqzoo.tasks import (
    ManyToManyAligned,
    ManyToManyEncoderDecoder,
    ManyToManyUnaligned,
    ManyToOne,
    OneToMany,
    PredictionOptions,
)
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.tagged_words import TokenFeatures
from seqzoo.tasks.preprocessing.text import TextFeatures
from seqzoo.tasks.targets.texts import TextOptions, Texts
from seqzoo.zoo.presets import PRESETS
from seqzoo.zoo.pretrained import load

COMPOSED = ["Crème brûlée", "Ελλάδα, Việt Nam", "대한민국", "ÅÅ Ångström", "が"]
APART = [unicodedata.normalize("NFD", text) for text in COMPOSED]


def same(transform) -> bool:
    first, second = (transform(tf.constant(texts, tf.string)) for texts in (COMPOSED, APART))
    return all(
        a.shape == b.shape and bool(tf.reduce_all(a == b))
        for a, b in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("kind", ["characters", "words", "subwords"])
@pytest.mark.parametrize("learned", [COMPOSED, APART])
def test_features_of_texts(kind, learned) -> None:
    choices = {"minimum_count": 1, "vocabulary_size": 100, "lowercase": True}
    examples = Examples(learned * 20)
    with_form = TextFeatures.learn(ManyToOne(kind, nfc=True, **choices), examples)
    assert same(with_form.transform)
    assert not any(unicodedata.normalize("NFC", t) != t for t in with_form.vocabulary.tokens)
    # A run of an earlier version, without this option.
    config = ManyToOne(kind, **choices).to_config()
    del config["nfc"]
    without: Any = ManyToOne.from_config(config)
    assert not without.nfc
    features = TextFeatures(without, with_form.vocabulary)
    assert not same(features.transform)


@pytest.mark.parametrize("characters", [0, 3])
def test_features_of_tagged_words(characters) -> None:
    template = ManyToManyAligned(minimum_count=1, characters=characters, nfc=True)
    features = TokenFeatures.learn(template, Examples([text.split() for text in APART]))
    assert same(features.transform)
    # An answer shows the words as they were written.
    assert features.tokens(tf.constant(APART[:1])).numpy()[0, 0].decode() == APART[0].split()[0]
    assert unicodedata.normalize("NFC", "".join(features.vocabulary.tokens)) == "".join(
        features.vocabulary.tokens
    )


def test_targets_are_composed() -> None:
    choices = TextOptions("characters", False, 100, 1, nfc=True)
    texts = Texts.learn(choices, APART, APART)
    ids, composed_ids = texts.encode(COMPOSED, COMPOSED), texts.encode(APART, APART)
    assert (ids.flat == composed_ids.flat).all() and texts.longest == max(map(len, COMPOSED))
    assert texts.tokens(APART) == texts.tokens(COMPOSED)


@pytest.mark.parametrize("target", ["tags", "values"])
def test_characters_with_a_tag_each_stay_as_they_are(target) -> None:
    with pytest.raises(SeqzooError, match="`nfc` is for words, and for target 'next', got input"):
        ManyToManyAligned("characters", target, nfc=True)
    assert ManyToManyAligned("characters", "next", nfc=True).nfc


def test_presets_of_texts_compose_them() -> None:
    texts = ("characters", "words", "subwords")
    # Code stays as it is, and the readers' texts are drawn character by character.
    as_they_are = {"python-highlighter", "line-reader", "number-reader"}
    for name, preset in PRESETS.items():
        template: Any = preset.task
        if {template.input, template.target} & set(texts):
            assert template.nfc == (name not in as_they_are), name
    assert isinstance(PRESETS["pronunciation"].task, ManyToManyEncoderDecoder)
    assert isinstance(PRESETS["emoji-captioner"].task, OneToMany)


@pytest.mark.slow
def test_a_model_and_its_export_predict_the_same_for_both_forms(tmp_path) -> None:
    run = load("language-id")
    names = ["São Tomé e Príncipe", "Türkiye", "Việt Nam", "한국어", "ελληνικά"]
    apart = [unicodedata.normalize("NFD", name) for name in names]
    assert all(a != b for a, b in zip(names, apart, strict=True))
    composed, decomposed = run.predict(names), run.predict(apart)
    assert [item.label for item in composed] == [item.label for item in decomposed]
    assert (composed[2].label, composed[3].label) == ("Vietnamese", "Korean")
    run.export(tmp_path / "exported", check=False)
    model = tf.saved_model.load(str(tmp_path / "exported")).signatures["serving_default"]
    for texts in (names, apart, [names[0], apart[1], "Zuid-Korea"]):
        result = model(tf.constant(texts))
        expected = run.predict(texts)
        labels = [label.decode() for label in result["label"].numpy()]
        assert labels == [item.label for item in expected]
    probabilities = [item.probability for item in composed]
    assert probabilities == pytest.approx([item.probability for item in decomposed], abs=1e-5)


@pytest.mark.parametrize("kind", [ManyToManyEncoderDecoder, ManyToManyUnaligned])
def test_generated_texts_are_compared_with_composed_ones(kind) -> None:
    references = [unicodedata.normalize("NFD", "Crème brûlée"), "Ångström über"]
    examples = Examples(["a" * 40, "b" * 40], references)
    options = {"minimum_count": 1, "nfc": True, "lowercase_targets": True}
    task = kind("characters", **options).adapt(examples)
    answers = [unicodedata.normalize("NFC", text).lower() for text in references]
    results = {"texts": [[text.encode()] for text in answers]}
    metrics = task.compute_metrics(results, task.data(examples), examples, PredictionOptions())
    assert metrics["exact_match"] == 1 and metrics["token_error"] == 0
    assert metrics["bleu_1"] == pytest.approx(100) and metrics["chrf"] == pytest.approx(100)
    assert not metrics.get("character_error") and not metrics.get("word_error")
    if kind is ManyToManyEncoderDecoder:
        assert task.criterion_value("chrf", results, examples) == pytest.approx(100)

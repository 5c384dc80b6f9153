"""Unknown tokens of generated texts, replaced by the token of the input that is attended to."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from seqzoo.tasks import (
    Decoding,
    Examples,
    ManyToManyEncoderDecoder,
    PredictionOptions,
    SeqzooError,
)
from seqzoo.tasks.inspection.attention import attention_of
from seqzoo.tasks.preprocessing.vocabulary import UNKNOWN
from seqzoo.tasks.targets.texts import END

TEXTS = ["a b c d", "b c d a", "c d a b"]
OPTIONS: Any = {"units": 3, "embedding": 3, "attention": "multiplicative"}


@pytest.fixture(scope="module")
def model():
    """A task of words and its model, which writes: unknown at the third word, "a", unknown at the
    first word."""
    template = ManyToManyEncoderDecoder(input="words", target="words", lowercase=True, **OPTIONS)
    task: Any = template.adapt(Examples(TEXTS, TEXTS))
    network = task.build()
    known = task.texts.vocabulary.tokens.index("a") + 2
    written = tf.constant([UNKNOWN, known, UNKNOWN, END])
    positions = tf.constant([2, 1, 0, 0])

    def step(tokens, states, constants):
        (counts,) = states
        step = tf.minimum(counts[:, 0], 3)
        logits = 9.0 * tf.one_hot(tf.gather(written, step), len(task.texts.vocabulary))
        attention = tf.one_hot(tf.gather(positions, step), tf.shape(constants[2])[1])
        return logits, [counts + 1], attention

    decode_arguments = task.decode_arguments

    def scripted(model, batch, options):
        found = decode_arguments(model, batch, options)
        counts = tf.zeros_like(batch["lengths"])[:, None]
        return {**found, "step": step, "states": [counts]}

    task.decode_arguments = scripted
    return task, network


def test_attention_maps_show_the_tokens_that_are_written(model) -> None:
    task, network = model
    run = SimpleNamespace(task=task, model=network, folder="runs/x")
    options = PredictionOptions(1, Decoding(maximum_length=6, replace_unknown=True))
    (found,) = attention_of(run, ["a b C d"], options)
    assert found.tokens == ("C", "a", "a") and found.answer == "C a a"


@pytest.mark.parametrize("method", ["greedy", "beam"])
def test_unknown_tokens_become_those_of_the_input(model, method) -> None:
    task, network = model
    inputs = ["Zürich and Köln", "x y Łódź z"]
    options = PredictionOptions(decoding=Decoding(method, maximum_length=5, replace_unknown=True))
    expected = ["Köln a Zürich", "Łódź a x"]  # as they are written, though inputs are lowercased
    raw = task.features.raw(inputs, ["", ""])
    answered = task.respond(network, tuple(map(tf.constant, raw)), options)["text"].numpy()
    assert [text.decode() for text in answered] == expected
    data = task.encode(Examples(inputs), targets=False)
    for index, text in enumerate(inputs):
        values = tf.constant(data.inputs[index][None])
        batch = {"values": values, "lengths": tf.constant([values.shape[1]])}
        results = {
            name: [value[0].numpy()] for name, value in task.infer(network, batch, options).items()
        }
        assert task.predictions(results, [text], options)[0].label == expected[index]


@pytest.mark.parametrize(
    "choices", [{"attention": "none"}, {"input": "characters"}, {"target": "subwords"}]
)
def test_models_that_cannot_replace_refuse_in_one_line(choices) -> None:
    kinds: Any = {"input": "words", "target": "words", **OPTIONS, **choices}
    template = ManyToManyEncoderDecoder(**kinds, minimum_count=1)
    task: Any = template.adapt(Examples(TEXTS, TEXTS))
    options = PredictionOptions(decoding=Decoding(replace_unknown=True))
    with pytest.raises(
        SeqzooError, match="`replace_unknown` applies only to models with attention"
    ):
        task.respond(task.build(), (tf.constant(["a b"]),), options)


def test_the_explanation_has_the_text_that_is_predicted(model) -> None:
    task, network = model
    options = PredictionOptions(1, Decoding(maximum_length=6, replace_unknown=True))
    raw = task.features.raw(["a b C d"], ["example 0"])
    found = task.explain(network, raw, options)
    assert found["text"].numpy().tolist() == [b"C a a"]
    assert b"".join(found["tokens"].numpy()[0]).decode().split() == ["C", "a", "a"]


def test_unknown_punctuation_keeps_its_spaces(model) -> None:
    task, network = model
    raw = tuple(map(tf.constant, task.features.raw(["good film? a! (b-c) it's\x08 \x85 d"], [""])))
    sources, replacements = task.sources(raw)[0].numpy(), task.replacements(raw)[0].numpy()
    words = ["good", "film", "?", "a", "!", "(", "b", "-", "c", ")", "it's"]
    assert [item.decode() for item in sources] == [*words, "\x08", "\x85", "d"]
    assert len(replacements) == len(sources)  # which the attention is over
    ids, attended = tf.fill([1, 1, 14], UNKNOWN), tf.range(14)[None, None]
    (text,) = task.replaced(ids, tf.constant([[14]]), attended, replacements[None])[0].numpy()
    assert text.decode() == "good film? a! (b-c) it's\ufffd \ufffd d"
    options = PredictionOptions(1, Decoding(maximum_length=6, replace_unknown=True))
    texts = task.respond(
        network, tuple(map(tf.constant, task.features.raw(["x y? z"], [""]))), options
    )
    assert texts["text"].numpy()[0].decode() == "? a x"
    run = SimpleNamespace(task=task, model=network, folder="runs/x")
    (found,) = attention_of(run, ["film y ? z"], options)
    assert found.answer == "? a film"


def test_there_is_a_replacement_for_each_token(model) -> None:
    task, _ = model
    letters = [*"ab1'’?!.(- \n\u00a0\u0301中😀_\x00\x08\x0b\x1c\x1d\x85\u2028"]
    random = np.random.default_rng(0)
    raw = (tf.constant(["".join(random.choice(letters, 9)) for _ in range(300)]),)
    assert ((task.sources(raw) == "") == (task.replacements(raw) == "")).numpy().all()

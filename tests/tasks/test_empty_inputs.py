"""Inputs without a step, and batches without a row: answered in exported graphs, alone as among
others, by every template."""

from typing import Any

import keras
import numpy as np
import one_to_many_data
import pytest
import tensorflow as tf

import seqzoo.cells
import seqzoo.tasks as tasks
from seqzoo.tasks import Decoding, Examples, PredictionOptions
from seqzoo.tasks.export.signatures import signatures_of
from seqzoo.tasks.preprocessing.base import for_any_batch

TEXTS = ["ab c", "b, a", "c a b!", "a b"]
RANDOM = np.random.default_rng(0)
SERIES = [RANDOM.normal(size=(length, 2)).astype(np.float32) for length in (3, 4, 5, 6)]
WAVES = [RANDOM.normal(0, 0.1, count).astype(np.float32) for count in (200, 300, 400, 500)]
TAGS = [["X", "Y", "X"], ["Y"] * 4, ["X"] * 5, ["Y"] * 6]
SMALL: dict[str, Any] = {"units": 4, "cell": "gru"}
TEXT = {**SMALL, "embedding": 3, "minimum_count": 1, "vocabulary_size": 40}
AUDIO = {**SMALL, "sample_rate": 8000, "mel_bins": 6}

CASES = {
    "class of characters": (
        tasks.ManyToOne("characters", bidirectional=True, ngrams=2, bag=True, **TEXT),
        Examples(TEXTS, [*"xyxy"]),
    ),
    "class of words": (tasks.ManyToOne("words", pooling="max", **TEXT), Examples(TEXTS, [*"xyxy"])),
    "class of subwords": (tasks.ManyToOne("subwords", **TEXT), Examples(TEXTS, [*"xyxy"])),
    "value of series": (tasks.ManyToOne("series", "value", **SMALL), Examples(SERIES, [*range(4)])),
    "class of audio": (tasks.ManyToOne("audio", **AUDIO), Examples(WAVES, [*"xyxy"])),
    "text of words": (
        tasks.ManyToManyEncoderDecoder("words", "words", **TEXT),
        Examples(TEXTS, TEXTS),
    ),
    "text of characters": (
        tasks.ManyToManyEncoderDecoder(attention="multiplicative", **TEXT),
        Examples(TEXTS, TEXTS),
    ),
    "text of series": (
        tasks.ManyToManyEncoderDecoder("series", "words", attention="none", **TEXT),
        Examples(SERIES, TEXTS),
    ),
    "next character": (tasks.ManyToManyAligned(target="next", **TEXT), Examples(TEXTS)),
    "next word": (tasks.ManyToManyAligned("words", "next", **TEXT), Examples(TEXTS)),
    "tags of words": (
        tasks.ManyToManyAligned("words", "tags", crf=True, characters=3, **TEXT),
        Examples(["a b c", "c d a b", "b c a d b", "a a b b c c"], TAGS),
    ),
    "tags of series": (
        tasks.ManyToManyAligned("series", "tags", crf=True, **SMALL),
        Examples(SERIES, TAGS),
    ),
    "values of series": (
        tasks.ManyToManyAligned("series", "values", **SMALL),
        Examples(SERIES, SERIES),
    ),
    "what follows series": (
        tasks.ManyToManyAligned("series", "next", horizon=3, **SMALL),
        Examples(SERIES),
    ),
}


def _ways(name: str) -> list:
    """The functions of a model with random weights as an export contains them."""
    choices, examples = CASES[name]
    task: Any = choices.adapt(examples)
    keras.utils.set_random_seed(0)
    with seqzoo.cells.portable():
        model = task.build("float32")
        for weight in model.weights:
            weight.assign(RANDOM.normal(0, 0.5, weight.shape))
        decoding = Decoding(maximum_length=4) if hasattr(task, "decoding") else None
        options = PredictionOptions(decoding=decoding)

        def answer(*raw: Any) -> dict[str, Any]:
            return task.respond(model, raw, options)

        ways = [tf.function(answer, input_signature=task.signature, autograph=False)]
        for way, specs in task.signatures(model, options).values():
            if len(specs) > len(task.signature):  # it takes an output, too
                continue
            ways.append(tf.function(way, input_signature=specs, autograph=False))
        for way in ways:
            way.get_concrete_function()
    return ways


def _inputs(name: str, rows: str) -> tuple:
    """Raw inputs: "none" (no row), "empty" (one, without a step), "padded" (the same, with padding
    as another export's caller has it) or "among" (the same next to one that has steps)."""
    _, examples = CASES[name]
    count = {"none": 0, "empty": 1, "padded": 1, "among": 2}[rows]
    if isinstance(examples.inputs[0], str):
        texts = [" \n\u3000" if rows == "padded" and "characters" not in name else "", TEXTS[0]]
        if "character" in name or "tags" in name:
            texts[0] = ""
        return (tf.constant(texts[:count], tf.string),)
    other = examples.inputs[0]
    values = np.full((count, 0 if rows == "empty" else len(other), *other.shape[1:]), 7, np.float32)
    if rows == "among":
        values[1] = other
    return values, np.array([0, len(other)][:count], np.int32)


@pytest.mark.quick_for("class of characters", "tags of words", rest="exhaustive")
@pytest.mark.parametrize("name", CASES)
def test_an_input_without_a_step_gets_the_same_prediction_alone_and_in_a_batch(name: str) -> None:
    for way in _ways(name):
        none = way(*_inputs(name, "none"))
        assert all(value.shape[0] == 0 for value in none.values())
        among = {key: value.numpy()[0] for key, value in way(*_inputs(name, "among")).items()}
        for rows in ("empty", "padded"):
            for key, value in way(*_inputs(name, rows)).items():
                alone, other = np.asarray(value.numpy()[0]), np.asarray(among[key])
                # The padding of the answer is as long as the longest input of the batch.
                sizes = zip(alone.shape, other.shape, strict=True)
                shared = tuple(slice(min(size)) for size in sizes)
                if alone.dtype.kind == "f":
                    assert np.isfinite(alone).all()
                    np.testing.assert_allclose(alone[shared], other[shared], atol=1e-5)
                else:
                    assert np.array_equal(alone[shared], other[shared])


def test_a_function_that_needs_a_row_is_computed_for_any_batch() -> None:
    def largest(values: Any, texts: Any, scale: Any) -> dict[str, Any]:
        tf.debugging.assert_positive(tf.shape(values)[0])
        return {"largest": tf.reduce_max(values, 1) * scale, "texts": texts + "!"}

    answer = for_any_batch(largest)
    for values in ([], [[1.0, 3.0]], [[1.0, 3.0], [5.0, 4.0]]):
        rows = np.reshape(values, (-1, 2)).astype(np.float32)
        results = answer(values=rows, texts=tf.constant(["a"] * len(rows), tf.string), scale=2.0)
        assert results["largest"].numpy().tolist() == [2 * max(row) for row in values]
        assert results["texts"].numpy().tolist() == [b"a!"] * len(rows)


COLUMNS = [RANDOM.integers(0, 256, (4, width)).astype(np.uint8) for width in (5, 4, 6, 5)]
NEEDY = {
    "CTC": (tasks.ManyToManyUnaligned("series", **SMALL), Examples(SERIES, [*"abab"])),
    "convolutions over steps": (
        tasks.ManyToManyEncoderDecoder(
            "columns", columns_per_step=2, filters=(3, 2), minimum_count=1, **SMALL
        ),
        Examples(COLUMNS, TEXTS),
    ),
    "images": (one_to_many_data.template(), one_to_many_data.captioned()),
}
"""Models with operations that raise errors for an empty batch."""


@pytest.mark.slow
@pytest.mark.parametrize("name", NEEDY)
def test_every_signature_has_empty_results_for_an_empty_batch(name: str) -> None:
    choices, examples = NEEDY[name]
    task: Any = choices.adapt(examples)
    with seqzoo.cells.portable():
        ways = signatures_of(task, task.build("float32"), PredictionOptions())
        assert "serving_default" in ways and (name != "images" or "bytes" in ways)
        for signature, (function, specs) in ways.items():
            if signature == "initial_state":
                continue
            way = tf.function(function, autograph=False)
            way = way.get_concrete_function(**{spec.name: spec for spec in specs})
            sizes = [[2 if size is None else size for size in spec.shape] for spec in specs]
            given = {
                spec.name: tf.ones([0, *size[1:]] if size else [], spec.dtype)
                if spec.dtype != tf.string
                else tf.constant([], tf.string)
                for spec, size in zip(specs, sizes, strict=True)
            }
            assert all(value.shape[0] == 0 for value in way(**given).values()), signature

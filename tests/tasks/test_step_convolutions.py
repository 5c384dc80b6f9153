"""Convolutional blocks before recurrent layers."""

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks import (
    Examples,
    ManyToManyEncoderDecoder,
    ManyToManyUnaligned,
    ManyToOne,
    Run,
    SeqzooError,
    Splits,
    TrainingSettings,
    train,
)
from seqzoo.tasks.fine_tuning.templates import matching_template
from seqzoo.tasks.layers.step_convolutions import StepConvolutions

HEIGHT, TIME, COLUMNS = 5, 3, 2


def convolved_by_definition(image: np.ndarray, layer: StepConvolutions) -> np.ndarray:
    """The features of an image, (columns, height, channels), in plain loops: 3 x 3 products, their
    positive parts, and maxima of two rows and, in the first block, two columns."""
    width = COLUMNS
    for block in layer.blocks:
        kernel, bias = (weight.numpy() for weight in block.weights)
        padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
        columns, rows = image.shape[:2]
        values = np.array(
            [
                [
                    np.tensordot(padded[left : left + 3, top : top + 3], kernel, 3) + bias
                    for top in range(rows)
                ]
                for left in range(columns)
            ]
        ).clip(0)
        image = np.array(
            [
                [
                    values[left : left + width, top : top + 2].max((0, 1))
                    for top in range(0, rows, 2)
                ]
                for left in range(0, columns, width)
            ]
        )
        width = 1
    return image.reshape(len(image), -1)


def test_the_blocks_are_those_of_the_definition() -> None:
    layer = StepConvolutions([4, 3], COLUMNS, HEIGHT, 2)
    values = np.random.default_rng(0).normal(size=(2, TIME, COLUMNS * HEIGHT * 2)).astype("f")
    mask = np.array([[True] * 3, [True, True, False]])
    results = layer(values, mask)
    assert results.shape == (2, TIME, 2 * 3)
    assert layer.compute_output_spec(tf.constant(values), mask).shape == results.shape
    for row, steps in enumerate(mask.sum(1)):
        image = values[row, :steps].reshape(steps * COLUMNS, HEIGHT, 2)
        expected = convolved_by_definition(image, layer)
        np.testing.assert_allclose(results[row, :steps], expected, rtol=1e-4, atol=1e-5)


def test_gradients_do_not_depend_on_the_padding() -> None:
    layer = StepConvolutions([4, 3], 1, HEIGHT)
    values = np.random.default_rng(0).normal(size=(1, TIME, HEIGHT)).astype("f")
    longer = np.pad(values, ((0, 0), (0, 4), (0, 0)), constant_values=9.0)

    def gradients(given: np.ndarray) -> list:
        mask = np.arange(given.shape[1])[None] < TIME
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(given, mask)[:, :TIME] ** 2)
        return tape.gradient(total, layer.trainable_variables)

    for short, long in zip(gradients(values), gradients(longer), strict=True):
        np.testing.assert_allclose(short, long, rtol=1e-4, atol=1e-5)


def _bars(count: int) -> Examples:
    """Images of a bar at a random place and height, and a symbol for each bar."""
    random = np.random.default_rng(0)
    images, texts = [], []
    for _ in range(count):
        image = np.zeros((8, 24), np.uint8)
        text = ""
        for start in (2, 10, 18):
            tall = bool(random.integers(2))
            top = random.integers(0, 2)
            image[top : top + 3 + 3 * tall, start : start + 2] = 255
            text += "i" if tall else "."
        images.append(image)
        texts.append(text)
    return Examples(images, texts)


@pytest.mark.slow
def test_a_model_with_convolutions_reads_and_is_stored(tmp_path) -> None:
    template = ManyToManyUnaligned(
        units=16, filters=(8, 8), columns_per_step=2, minimum_count=1, bidirectional=False
    )
    examples = _bars(256)
    settings = TrainingSettings(epochs=10, batch_size=32, learning_rate=1e-2)
    with seqzoo.cells.portable():
        run = train(template, Splits(examples, _bars(32)), settings, tmp_path / "run")
        again = Run.open(tmp_path / "run")
    assert run.evaluate(_bars(64))["exact_match"] > 0.9
    assert again.template == template and template.to_config()["filters"] == [8, 8]
    assert json.loads((tmp_path / "run" / "config.json").read_text())["task"]["filters"] == [8, 8]
    # Recurrent layers that read features of convolutions do not fit a template without them, or
    # with other columns per step.
    others: tuple[tuple[Any, str], ...] = (
        (ManyToManyEncoderDecoder("columns", units=16), r"`filters` .* \(8, 8\), got \(\)"),
        (ManyToOne("columns", filters=(8,)), r"`filters` .* \(8, 8\), got \(8,\)"),
        (ManyToOne("columns", filters=(8, 8)), "`columns_per_step` .* 2, got 1; a template"),
    )
    for template, message in others:
        with pytest.raises(SeqzooError, match=message):
            train(template, Splits(examples), settings, tmp_path / "other", start_from=again)
    generator = matching_template(again.template, ManyToManyEncoderDecoder)
    assert (generator.filters, generator.columns_per_step) == ((8, 8), 2)
    tuned = train(generator, Splits(examples), settings, tmp_path / "tuned", start_from=again)
    assert {"convolutions", "layer_1"} <= set(tuned.config["started_from"]["taken"])
    # Both directions are read, even with forward layers.
    with pytest.raises(SeqzooError, match="convolutions read the steps before and after"):
        again.session()


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (
            ManyToOne,
            {"input": "words", "filters": (8,)},
            "columns, rows and audio, got .*words",
        ),
        (
            ManyToOne,
            {"input": "pixels", "filters": [8]},
            "columns, rows and audio, got .*pixels",
        ),
        (ManyToManyUnaligned, {"filters": (8, 0)}, "`filters` must be whole numbers of at least 1"),
        (ManyToManyUnaligned, {"filters": "8"}, "`filters` must be whole numbers of at least 1"),
    ],
)
def test_refuses_inputs_and_numbers(kind, options, message) -> None:
    with pytest.raises(SeqzooError, match=message):
        kind(**options)

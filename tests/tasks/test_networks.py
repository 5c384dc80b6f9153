"""Layers that templates are built from, against plain loops."""

from typing import Any

import keras
import numpy as np
import pytest
from task_data import names, template

from seqzoo.cells import Recurrent
from seqzoo.tasks import Examples, ManyToManyEncoderDecoder, ManyToOne, SeqzooError
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.layers.network_part import NetworkPart
from seqzoo.tasks.layers.recurrent import HASH, MaskedPooling, NGramEmbedding, make_cell


def _ngrams(table: np.ndarray, ids: np.ndarray, longest: int, buckets: int) -> np.ndarray:
    """One n-gram after the other, each hashed from its last id to its first."""
    vectors = np.zeros((*ids.shape, table.shape[1]))
    for row, sequence in enumerate(ids):
        for end in range(len(sequence)):
            for n in range(2, longest + 1):
                hashed = sequence[end] % buckets
                for at in range(end - 1, end - n, -1):
                    hashed = (hashed * HASH + (sequence[at] if at >= 0 else 0) + 1) % buckets
                vectors[row, end] += table[(n - 2) * buckets + hashed]
    return vectors


@pytest.mark.parametrize("longest", [2, 4])
def test_a_step_has_the_vectors_of_the_ngrams_that_end_in_it(longest: int) -> None:
    layer = NGramEmbedding(longest, 53, 3)
    ids = np.random.default_rng(0).integers(0, 70_000, (4, 9)).astype(np.int32)
    result = layer(ids).numpy()
    np.testing.assert_allclose(result, _ngrams(layer.table.numpy(), ids, longest, 53), atol=1e-6)
    again = NGramEmbedding.from_config(layer.get_config())
    again.build(ids.shape)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(ids), result)


@pytest.mark.parametrize("mode", ["mean", "max", "sum"])
def test_pooling_leaves_masked_steps_out(mode: str) -> None:
    random = np.random.default_rng(0)
    sequence = random.normal(size=(3, 6, 4)).astype(np.float32) - 3
    steps = np.arange(6) < np.array([[6], [2], [0]])
    pooled = MaskedPooling(mode)(sequence, steps).numpy()
    for row, length in ((0, 6), (1, 2)):
        real_steps = sequence[row, :length]
        wanted = {
            "mean": real_steps.mean(0),
            "max": real_steps.max(0),
            "sum": real_steps.sum(0) / np.sqrt(length),
        }
        np.testing.assert_allclose(pooled[row], wanted[mode], atol=1e-5)
    assert not pooled[2].any()


@pytest.mark.parametrize("mode, wanted", [("mean", 20), ("sum", 20 * np.sqrt(4_000))])
def test_pooling_many_half_precision_steps_does_not_overflow(mode: str, wanted: float) -> None:
    layer = MaskedPooling(mode, dtype="mixed_float16")
    pooled = layer(np.full((1, 4_000, 1), 20, np.float16), np.ones((1, 4_000), bool))
    assert pooled.dtype == "float16"
    np.testing.assert_allclose(pooled, wanted, rtol=1e-3)


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_a_stack_of_residual_blocks(pooling: str) -> None:
    blocks = {"residual": True, "layer_norm": True, "layer_activation": "gelu"}
    choices = {"input": "series", "layers": 3, "pooling": pooling, **blocks}
    random = np.random.default_rng(0)
    series = [random.normal(size=(length, 2)).astype(np.float32) for length in (6, 2, 4)]
    examples = Examples(series, list("aba"))
    model = template(**choices).adapt(examples).build("float32")
    for weight in model.trainable_variables:
        weight.assign(random.normal(0, 0.5, weight.shape))
    values = np.zeros((3, 6, 2), np.float32)
    for row, item in enumerate(series):
        values[row, : len(item)] = item
    lengths = np.array([6, 2, 4], np.int32)
    result = model({"values": values, "lengths": lengths}).numpy()

    def gelu(x):
        return keras.activations.gelu(x).numpy()

    def run(number, x):
        layer = model.get_layer(f"layer_{number}")
        return gelu(Recurrent(layer.cell, return_sequences=True, fast=False)(x))

    for row, item in enumerate(series):
        x = run(1, item[None])  # to which its inputs are not added
        for number in (2, 3):
            scale, bias = (w.numpy() for w in model.get_layer(f"norm_{number}").weights)
            centred = x - x.mean(-1, keepdims=True)
            normed = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-3)
            x = x + run(number, normed * scale + bias)
        pooled = x[:, -1] if pooling == "last" else x.mean(1)
        np.testing.assert_allclose(model.get_layer("outputs")(pooled)[0], result[row], atol=1e-4)


@pytest.mark.parametrize("cell", ["lstm", "vanilla"])
def test_the_last_outputs_of_all_layers_do_not_depend_on_padding(cell: str) -> None:
    blocks: dict[str, Any] = {"residual": True, "all_layers": True, "bidirectional": True}
    random = np.random.default_rng(0)
    examples = Examples([random.normal(size=(n, 3)) for n in (7, 2, 4)], ["a", "b", "a"])
    model = (
        ManyToOne("series", cell=cell, units=5, layers=3, **blocks).adapt(examples).build("float32")
    )
    values = random.normal(size=(3, 7, 3)).astype(np.float32)
    lengths = np.array([7, 2, 1], np.int32)
    together = model({"values": values, "lengths": lengths})
    for row, length in enumerate(lengths):
        inputs = {"values": values[[row], :length], "lengths": lengths[[row]]}
        np.testing.assert_allclose(together[row], model(inputs)[0], atol=1e-6)


def test_padding_does_not_enter_a_bag_of_ngrams(tmp_path) -> None:
    task = template(ngrams=3, ngram_buckets=101, bag=True).adapt(names(20, 1))
    model = task.build("float32")
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    words = names(7, 2).inputs
    alone = [task.respond(model, ([word],), PredictionOptions(3)) for word in words]
    together = task.respond(again, (words,), PredictionOptions(3))
    for index, answer in enumerate(alone):
        np.testing.assert_allclose(
            answer["probabilities"][0], together["probabilities"][index], atol=1e-6
        )
    plain = template(ngrams=3, ngram_buckets=101).adapt(names(20, 1)).build("float32")
    assert model.count_params() == plain.count_params() + 6 * 3  # the bag's part of the last layer


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (
            {"input": "series", "ngrams": 2},
            "`ngrams` is for characters, words and subwords, got input",
        ),
        (
            {"input": "rows", "bag": True},
            "`bag` is for characters, words and subwords, got input 'rows'.",
        ),
        (
            {"ngram_buckets": 300_000},
            "`ngram_buckets` must be .* at most 200000, got 300000.",
        ),
        ({"ngrams": 0}, "`ngrams` must be at least 1, got 0."),
    ],
)
def test_invalid_ngrams(choices: dict, message: str) -> None:
    with pytest.raises(SeqzooError, match=message):
        template(**choices)


@pytest.mark.parametrize("cell", ["cfc", "gru-d"])
def test_cells_whose_inputs_a_template_does_not_have_are_refused(cell: str) -> None:
    with pytest.raises(SeqzooError, match=f"not time-aware for input .* got '{cell}'") as refused:
        make_cell(template(cell=cell))
    assert refused.value.field == "cell"


def test_a_network_of_texts_is_built_without_tracing_its_parts(monkeypatch) -> None:
    traced = []
    original = keras.src.backend.compute_output_spec

    def recorded(function: Any, *args: Any, **kwargs: Any) -> Any:
        traced.append(type(getattr(function, "__self__", None)))
        return original(function, *args, **kwargs)

    monkeypatch.setattr(keras.src.backend, "compute_output_spec", recorded)
    examples = Examples(["abc", "bcd"], ["xyz", "zzy"])
    chosen = ManyToManyEncoderDecoder(
        input="characters", target="characters", units=4, embedding=3, minimum_count=1
    )
    model: Any = chosen.adapt(examples).build("float32")
    assert model.decoder.built and model.encoder.built
    assert not [kind for kind in traced if issubclass(kind, NetworkPart)]

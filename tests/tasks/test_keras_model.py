"""Templates as Keras models: raw inputs to `fit`, `evaluate` and `predict`, files, tuning."""

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from cell_names import BEFORE_RELEASES
from cli_cases import ROOT
from task_data import names, series, settings, splits, template

import seqzoo.cells
from seqzoo.tasks import (
    Examples,
    Forecast,
    History,
    ManyToManyAligned,
    ManyToManyEncoderDecoder,
    ManyToOne,
    OneToMany,
    SeqzooError,
    keras_model,
)
from seqzoo.tasks.task_model import TaskModel

pytestmark = pytest.mark.usefixtures("plain_loop")

WORDS = ["ab cd", "cd ab ab", "ef", "ab"] * 8
TAGS = [["N" if word == "ab" else "V" for word in text.split()] for text in WORDS]
SMALL: Any = {"units": 8, "embedding": 4, "minimum_count": 1}


@pytest.fixture(scope="module")
def fitted() -> tuple[TaskModel, keras.callbacks.History]:
    """A model of names, trained on lists."""
    train, validation = splits().train, splits().validation
    assert validation is not None
    with seqzoo.cells.portable():
        model = keras_model(template(), train, settings())
        history = model.fit(
            train.inputs,
            train.targets,
            epochs=4,
            validation_data=(validation.inputs, validation.targets),
            callbacks=[keras.callbacks.EarlyStopping("val_accuracy", patience=9)],
            verbose=0,
        )
    return model, history


@pytest.mark.slow
def test_it_learns_from_lists(fitted) -> None:
    model, history = fitted
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history.history["loss"][-1] < 0.7 * history.history["loss"][0]
    assert history.history["val_accuracy"][-1] > 0.7
    examples = names(40, 2)
    found = model.predict(examples.inputs)
    assert found.shape == (40, 3) and model.classes == ["A", "B", "C"]
    right = np.array(model.classes)[found.argmax(1)] == examples.targets
    loss, accuracy = model.evaluate(examples.inputs, examples.targets, verbose=0)
    assert accuracy == pytest.approx(right.mean())
    chosen = found[np.arange(40), [model.classes.index(label) for label in examples.targets]]
    assert loss == pytest.approx(-np.log(chosen).mean(), rel=1e-5)
    assert [loss, accuracy] == pytest.approx(
        [history.history["val_loss"][-1], history.history["val_accuracy"][-1]], rel=1e-5
    )


@pytest.mark.parametrize("target", ["class", "next"])
@pytest.mark.quick_for("class")
def test_single_batches_are_raw_inputs(target: str) -> None:
    examples = names(8, 2)
    if target == "next":
        options = ManyToManyAligned(input="characters", target="next", units=8, embedding=4)
        inputs, targets = [text * 40 for text in examples.inputs], None
    else:
        options, inputs, targets = template(), examples.inputs, examples.targets
    with seqzoo.cells.portable():
        model = keras_model(options, Examples(inputs, targets), settings())
        losses = []
        for _ in range(20):
            model.reset_metrics()
            losses.append(model.train_on_batch(inputs, targets, return_dict=True)["loss"])
        assert losses[-1] < losses[0]
        model.reset_metrics()
        scores = model.test_on_batch(inputs, targets)
        assert scores == pytest.approx(model.evaluate(inputs, targets, 8, verbose=0), rel=1e-5)
        if target == "class":
            np.testing.assert_array_equal(model.predict_on_batch(inputs), model.predict(inputs))
    with pytest.raises(SeqzooError, match="A call takes tensors, such as"):
        model(["abc"])
    for name in ("train_on_batch", "test_on_batch"):
        with pytest.raises(SeqzooError, match="`sample_weight` is for `seqzoo.tasks.train`"):
            getattr(model, name)(inputs, targets, sample_weight=[1.0] * 8)


@pytest.mark.slow
def test_batches_of_all_sizes_are_predicted_by_one_graph() -> None:
    examples = names(8, 2)
    with seqzoo.cells.portable():
        model = keras_model(template(), examples, settings())
        expected = model.predict(examples.inputs)
        graphs = model.predict_function._graphs
        for count in (1, 2, 8):
            found = model.predict_on_batch(examples.inputs[:count])
            np.testing.assert_allclose(found, expected[:count], atol=1e-6)
            found = model.predict(examples.inputs, batch_size=count)
            np.testing.assert_allclose(found, expected, atol=1e-6)
            assert model.predict_function._graphs is graphs
    (graph,) = graphs.values()
    assert graph.experimental_get_tracing_count() == 1


@pytest.mark.slow
def test_arrays_columns_and_data_sets_are_the_same(fitted) -> None:
    pandas = pytest.importorskip("pandas")
    model, _ = fitted
    examples = names(20, 3)
    expected = model.evaluate(examples.inputs, examples.targets, verbose=0)
    frame = pandas.DataFrame(
        {"text": examples.inputs, "label": examples.targets}, index=range(9, 29)
    )
    pairs = tf.data.Dataset.from_tensor_slices((examples.inputs, examples.targets)).batch(8)
    for given in (
        (np.array(examples.inputs), np.array(examples.targets)),
        (frame["text"], frame["label"]),
        (pairs,),
    ):
        assert model.evaluate(*given, verbose=0) == pytest.approx(expected)
    np.testing.assert_allclose(model.predict(pairs), model.predict(examples.inputs), atol=1e-6)


LOADING = """
import sys
{imports}
model = keras.saving.load_model(sys.argv[1])
print(*model.predict(["abcx", "ghéx"]).ravel(), model.optimizer.learning_rate.numpy())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "imports",
    [
        "import keras, seqzoo",
        pytest.param("import seqzoo, keras", marks=pytest.mark.exhaustive),
    ],
)
def test_a_file_is_loaded_with_seqzoo_imported(fitted, tmp_path, imports: str) -> None:
    model, _ = fitted
    model.save(tmp_path / "model.keras")
    found = subprocess.run(
        [sys.executable, "-c", LOADING.format(imports=imports), str(tmp_path / "model.keras")],
        env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    *probabilities, rate = map(float, found.stdout.split())
    expected = model.predict(["abcx", "ghéx"]).ravel()
    np.testing.assert_allclose(probabilities, expected, rtol=1e-5)
    assert rate == pytest.approx(0.02)


def test_a_loaded_model_continues_with_its_optimizer(fitted, tmp_path) -> None:
    model, _ = fitted
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded, TaskModel)
    assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations) == 24
    np.testing.assert_array_equal(model.predict(["abcx"]), loaded.predict(["abcx"]))


def test_low_rank_adapters_change_predictions_once_the_model_is_compiled() -> None:
    examples = names(8, 2)
    with seqzoo.cells.portable():
        model = keras_model(template(), examples, settings())
        before = model.predict(examples.inputs)
        for name, suffix in (("embedding", "embeddings_b"), ("outputs", "kernel_b")):
            layer = model.network.get_layer(name)
            layer.enable_lora(2)
            weight = getattr(layer, f"lora_{suffix}")
            weight.assign(tf.random.stateless_normal(weight.shape, [1, 2]))
            model.compile("adam")
            after = model.predict(examples.inputs)
            assert np.abs(after - before).max() > 1e-3
            called = model(tf.constant(examples.inputs))["probability"]
            np.testing.assert_allclose(after.max(1), called, rtol=1e-5)
            before = after


def test_frozen_layers_stay_frozen_in_a_file_and_in_a_copy(tmp_path) -> None:
    examples = names(8, 2)
    with seqzoo.cells.portable():
        model = keras_model(template(), examples, settings())
        model.network.get_layer("embedding").trainable = False
        model.network.get_layer("layer_1").cell.trainable = False
        model.compile("adam")
        model.train_on_batch(examples)
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")  # a warning would be an error
        frozen = loaded.network.get_layer("embedding").get_weights()[0]
        assert len(loaded.trainable_variables) == len(model.trainable_variables) == 2
        assert int(loaded.optimizer.iterations) == 1
        loaded.train_on_batch(examples)
        np.testing.assert_array_equal(
            loaded.network.get_layer("embedding").get_weights()[0], frozen
        )
        model.trainable = False
        assert not keras.models.clone_model(model).trainable_variables


@pytest.mark.parametrize("part", ["model", "network"])
def test_a_quantized_model_predicts_but_is_not_stored(tmp_path, part) -> None:
    examples = names(8, 2)
    with seqzoo.cells.portable():
        model = keras_model(template(), examples, settings())
        before = model.predict(examples.inputs)
        (model if part == "model" else model.network).quantize("int8", filters="outputs")
        after = model.predict(examples.inputs)
    assert 0 < np.abs(after - before).max() < 0.01
    with pytest.raises(SeqzooError, match="The layer 'outputs' is quantized, which cannot be"):
        model.save(tmp_path / "model.keras")
    with pytest.raises(SeqzooError, match="'tf_saved_model' for quantized layers, got 'litert'"):
        model.export(tmp_path / "exported", "litert")


def test_earlier_files_may_have_several_steps_per_execution() -> None:
    model = keras_model(template(), names(8, 2), settings())
    model.compile("adam", steps_per_execution=None)
    model.compile_from_config({**model.get_compile_config(), "steps_per_execution": 2})
    assert model.steps_per_execution == 1


@pytest.mark.slow
@pytest.mark.parametrize("format", ["tf_saved_model", "onnx"])
def test_an_export_makes_the_same_predictions(fitted, tmp_path, format: str) -> None:
    if format == "onnx":
        pytest.importorskip("onnxruntime")
    model, _ = fitted
    result = model.export(tmp_path / "export", format, examples=["abcx", "ghéx"])
    assert result["difference"] < 1e-5
    if format == "tf_saved_model":
        serving = tf.saved_model.load(str(tmp_path / "export")).signatures["serving_default"]
        (name,) = serving.structured_input_signature[1]
        found = serving(**{name: tf.constant(["abcx"])})["probability"]
        np.testing.assert_allclose(found, model.predict(["abcx"]).max(1), rtol=1e-5)
    with pytest.raises(SeqzooError, match="already exists; name a new folder"):
        model.export(tmp_path / "export", format)


def test_mistakes_are_reported(fitted) -> None:
    model, _ = fitted
    with pytest.raises(SeqzooError, match="`x` and `y` must have the same length, got 2 and 1"):
        model.fit(["a", "b"], ["A"])
    with pytest.raises(SeqzooError, match="example 0 has the label 'D'"):
        model.evaluate(["a"], ["D"])
    for inputs in ("abc", {"abc"}):
        with pytest.raises(SeqzooError, match="`x` must be a list, an array"):
            model.predict(inputs)
    for targets in (3, {"A", "B"}):
        with pytest.raises(SeqzooError, match="`y` must be a list, an array or a column of tar"):
            model.fit(["a", "b"], targets)
    with pytest.raises(SeqzooError, match="`y` must be left out, since `x` has targets"):
        model.fit(Examples(["a", "b"], ["A", "B"]), ["B", "A"])
    for share, message in ((-0.1, "at least 0 and below 1"), ("0.1", "at least"), (0.01, "hold")):
        with pytest.raises(SeqzooError, match=f"`validation_split` must .*{message}"):
            model.fit(["a", "b"], ["A", "B"], validation_split=share)
    with pytest.raises(SeqzooError, match="`sample_weight` is for `seqzoo.tasks.train`"):
        model.evaluate(["a"], ["A"], sample_weight=[1.0])
    with pytest.raises(SeqzooError, match="`predict` takes top, .*, got 'step'"):
        model.predict(["a"], step=2)
    pairs = tf.data.Dataset.from_tensor_slices((["a", "b"], ["A", "B"]))
    with pytest.raises(SeqzooError, match="a batched tf.data.Dataset: call its `batch`"):
        model.evaluate(pairs)
    endless = pairs.batch(2).repeat()
    for use in (model.fit, model.evaluate, model.predict):
        with pytest.raises(SeqzooError, match="a finite tf.data.Dataset: leave out its `repeat`"):
            use(endless)
    weighted = tf.data.Dataset.from_tensors((["a"], ["A"], [1.0]))
    with pytest.raises(SeqzooError, match="An element of the data set must be a pair of inputs"):
        model.evaluate(weighted)


def test_data_sets_of_several_inputs_and_of_files() -> None:
    inputs = {"text": ["ab", "b", "ba"], "n": [1.0, 2.0, 3.0]}
    case = ManyToOne("characters", further_inputs={"n": "number"}, **SMALL)
    model = keras_model(case, Examples(inputs, ["x", "y", "x"]), settings())
    data = tf.data.Dataset.from_tensor_slices((inputs, ["x", "y", "x"])).batch(2)
    assert model.evaluate(data, verbose=0) == model.evaluate(inputs, ["x", "y", "x"], verbose=0)
    np.testing.assert_array_equal(model.predict_on_batch(data), model.predict(inputs))
    files = [tf.io.encode_png(np.full((4, 4, 1), 50 * n, np.uint8)).numpy() for n in range(3)]
    captions = ["a", "b", "ab"]
    model = keras_model(
        OneToMany("image", "characters", **SMALL), Examples(files, captions), settings()
    )
    data = tf.data.Dataset.from_tensor_slices((files, captions)).batch(2)
    assert model.evaluate(data, verbose=0) == model.evaluate(files, captions, verbose=0)


def test_a_forecaster_has_the_settings_of_its_template() -> None:
    days = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")
    examples = Examples([History(days, np.arange(len(days)) % 7.0)])
    template = Forecast(look_back=6, horizon=2, units=3)
    model = keras_model(template, examples)
    assert model.settings == template.default_settings
    with pytest.raises(SeqzooError, match="`linear` is for `seqzoo.tasks.train`"):
        keras_model(replace(template, linear=True), examples)


def _cases() -> dict:
    return {
        "labels": (template(target="labels"), WORDS, [["x"], ["x", "y"], [], ["y"]] * 8),
        "value": (
            template(input="series", target="value"),
            series(24, 1),
            np.arange(24.0),
        ),
        "tags": (ManyToManyAligned("words", crf=True, **SMALL), WORDS, TAGS),
        "language": (ManyToManyAligned("characters", "next", window=4, **SMALL), WORDS, None),
        "forecast": (
            ManyToManyAligned("series", "next", units=8, window=4, horizon=3),
            series(24, 2),
            None,
        ),
        "translation": (
            ManyToManyEncoderDecoder(target="characters", **SMALL),
            WORDS,
            [text.upper() for text in WORDS],
        ),
        "caption": (OneToMany("class", "characters", **SMALL), WORDS, WORDS),
    }


def test_settings_that_fit_does_not_have_are_refused() -> None:
    case, inputs, targets = _cases()["labels"]
    for choice in (
        {"accumulate": 2},
        {"class_weight": "balanced"},
        {"calibrate": True},
        {"embedding_updates": "lazy"},
        {"patience": 2},
        {"best_by": "metric"},
    ):
        with pytest.raises(SeqzooError, match="is for `seqzoo.tasks.train`") as caught:
            keras_model(case, Examples(inputs, targets), settings(**choice))
        assert caught.value.field == next(iter(choice))
    weighted = Examples(inputs, targets, weights=[0.5] * len(inputs))
    with pytest.raises(SeqzooError, match="`weights` is for `seqzoo.tasks.train`"):
        keras_model(case, weighted, settings())
    with pytest.raises(SeqzooError, match="`weights` is for `seqzoo.tasks.train`"):
        keras_model(case, Examples(inputs, targets), settings()).train_on_batch(weighted)


def test_the_optimizer_decays_no_biases_and_scales_losses_of_half_precision(tmp_path) -> None:
    case, inputs, targets = _cases()["labels"]
    examples = Examples(inputs, targets)
    with seqzoo.cells.portable():
        model = keras_model(case, examples, settings(weight_decay=0.5, learning_rate=0.1))
        model.save(tmp_path / "model.keras")
        for one in (model, keras.saving.load_model(tmp_path / "model.keras")):
            kernel, bias = one.network.get_layer("outputs").weights
            kernel.assign(tf.fill(kernel.shape, 10.0))
            bias.assign(tf.fill(bias.shape, 10.0))
            one.train_on_batch(inputs, targets)
            assert np.abs(bias.numpy() - 10).max() < 0.11  # a step of Adam
            assert kernel.numpy().max() < 9.7
    half = keras_model(case, examples, settings(precision="mixed_float16"))
    assert isinstance(half.optimizer, keras.optimizers.LossScaleOptimizer)
    for given in ({"loss": "mse"}, {"metrics": ["mae"]}):
        with pytest.raises(SeqzooError, match="must be left out, since the loss and the metric"):
            half.compile("sgd", **given)
    half.compile("sgd", metrics=[])
    assert isinstance(half.optimizer, keras.optimizers.LossScaleOptimizer)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        # Labels and values are treated like classes, and captions like translations.
        pytest.param(name, marks=BEFORE_RELEASES if name in ("labels", "value", "caption") else [])
        for name in _cases()
    ],
)
def test_every_template_fits_and_predicts_and_is_saved(name: str, tmp_path) -> None:
    case, inputs, targets = _cases()[name]
    model = keras_model(case, Examples(inputs, targets), settings(learning_rate=0.01))
    # Windows of series are redrawn in each epoch, so the loss falls unevenly.
    epochs = 12 if name == "forecast" else 2
    history = model.fit(inputs, targets, epochs=epochs, validation_split=0.25, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert np.isfinite(history["val_loss"]).all() and f"val_{model.task.metric}" in history
    if targets is None:  # a list of two inputs is no pair of inputs and targets
        known = model.fit(inputs, epochs=1, validation_data=inputs[:2], verbose=0).history
        assert known["val_loss"] == pytest.approx([model.evaluate(inputs[:2], verbose=0)[0]])
    requested = list(inputs[:4])
    options = {"seed": 1} if name == "language" else {}
    found = model.predict(requested, **options)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    again = loaded.predict(requested, **options)
    assert len(found) == len(again) == 4
    if name in ("language", "translation", "caption"):
        assert all(isinstance(text, str) for text in found) and list(found) == list(again)
    elif name == "tags":
        assert found == again and [len(case) for case in found] == [2, 3, 1, 1]
    else:
        np.testing.assert_allclose(found, again, rtol=1e-5)
        shapes = {"labels": (4, 2), "value": (4,), "forecast": (4, 3, 2)}
        assert np.shape(found) == shapes[name]


@pytest.mark.slow
def test_a_search_of_keras_tuner(tmp_path) -> None:
    tuner = pytest.importorskip("keras_tuner")
    train, validation = splits().train, splits().validation
    assert validation is not None

    def build(options):
        units = options.Choice("units", [4, 8])
        return keras_model(template(units=units), train, settings())

    search = tuner.RandomSearch(
        build, objective="val_accuracy", max_trials=2, directory=tmp_path, seed=0
    )
    pair = (validation.inputs, validation.targets)
    search.search(train.inputs, train.targets, epochs=2, validation_data=pair, verbose=0)
    (best,) = search.get_best_models(1)
    assert search.get_best_hyperparameters(1)[0].get("units") in (4, 8)
    assert best.predict(["abcx"]).shape == (1, 3)

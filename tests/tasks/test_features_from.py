"""Taggers whose words have features from character-level language models, forward and backward."""

import shutil
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from export_cases import make_run
from tagging_data import sentences, tagger
from task_data import settings

import seqzoo.cells
from seqzoo.tasks import (
    Decoding,
    Examples,
    ManyToManyAligned,
    PredictionOptions,
    Run,
    SeqzooError,
    Splits,
    matching_template,
    train,
)
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.preprocessing.tagged_words import TokenFeatures

SENTENCES = [("Ab", "é", "cba"), ("x",), ("ba ab", "a")]


def language_model(folder, **choices) -> Run:
    """A character-level language model with random weights."""
    small = {"embedding": 3, "units": 5, "minimum_count": 1, "cell": "gru"}
    template = ManyToManyAligned("characters", "next", **{**small, **choices})
    return make_run(folder, template, Examples(["Ab é cba", "ba\u00a0ab a"]))


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("language-models")
    return {
        "forward": language_model(folder / "forward"),
        "backward": language_model(
            folder / "backward", backward=True, lowercase=True, units=4, cell="lstm"
        ),
    }


def state_after(run: Run, text: str) -> np.ndarray:
    """The output of a language model after a text in its own order, computed by itself."""
    tokens = run.task.texts.vocabulary.tokens
    ids = [tokens.index(c) + 2 if c in tokens else 1 for c in text]
    with seqzoo.cells.portable():
        _, states = run.model(tf.constant([[2, *ids]]))
    return states[0].numpy()[0]


def folders(models: dict[str, Run]) -> list[str]:
    return [str(run.folder) for run in models.values()]


@pytest.mark.parametrize("characters", [0, 3])
def test_words_have_the_states_of_the_models_at_their_ends(models, characters) -> None:
    template = tagger(features_from=folders(models), characters=characters, minimum_count=1)
    task: Any = template.adapt(Examples(SENTENCES, [[*"abc"][: len(own)] for own in SENTENCES]))
    model = task.build()
    raw = map(tf.constant, task.features.raw(SENTENCES, ["", "", ""]))
    inputs = task.features.tensors(*raw)
    for number, (name, run) in enumerate(models.items(), 1):
        layer = model.get_layer(f"language_model_{number}")
        assert not layer.trainable_weights
        steps = model.get_layer(f"steps_{number}")(inputs["values"])
        with seqzoo.cells.portable():
            states = layer(inputs[f"values_{number}"], steps).numpy()
        for row, words in zip(states, SENTENCES, strict=True):
            words = [word.replace(" ", "\u00a0") for word in words]
            for place in range(len(words)):
                if name == "forward":
                    text = " ".join(words[: place + 1]) + " "
                else:
                    text = " ".join(words[place:]).lower()[::-1] + " "
                np.testing.assert_allclose(row[place], state_after(run, text), atol=1e-5)


@pytest.mark.slow
def test_further_inputs_are_beside_the_states_of_the_models(models, tmp_path) -> None:
    """The vector of a step is: the further inputs, the embedding, the states of both models."""
    template = tagger(
        features_from=folders(models), further_inputs={"age": "number"}, minimum_count=1
    )
    rows = [{"text": own, "age": age} for own, age in zip(SENTENCES, (1.0, 5.0, None), strict=True)]
    examples = Examples(rows, [[*"abc"][: len(own)] for own in SENTENCES])
    run = Run.open(make_run(tmp_path / "run", template, examples).folder)
    task, model = run.task, run.model
    raw = map(tf.constant, task.features.raw(rows, ["", "", ""]))
    inputs = task.features.tensors(*raw)
    assert {f"{key}_{n}" for key in ("values", "lengths") for n in (1, 2, 3)} < inputs.keys()
    beside = keras.Model(model.input, model.get_layer("beside_steps").output)
    with seqzoo.cells.portable():
        steps = beside({name: inputs[name] for name in model.input}).numpy()
    sizes = [models[name].template.units for name in ("forward", "backward")]
    for row, vectors, age in zip(rows, steps, (-1.0, 1.0, 0.0), strict=True):
        words = [word.replace(" ", "\u00a0") for word in row["text"]]
        for place, vector in enumerate(vectors[: len(words)]):
            np.testing.assert_allclose(vector[:2], [age, row["age"] is None], atol=1e-6)
            forward = state_after(models["forward"], " ".join(words[: place + 1]) + " ")
            backward = state_after(models["backward"], " ".join(words[place:]).lower()[::-1] + " ")
            np.testing.assert_allclose(vector[-sum(sizes) : -sizes[1]], forward, atol=1e-5)
            np.testing.assert_allclose(vector[-sizes[1] :], backward, atol=1e-5)
    # Batches of training and evaluation have the same inputs.
    run.padding = Padding([4], [4])
    loss = run.evaluate(examples)["loss"]
    other = Examples([{**row, "age": 9.0} for row in rows], examples.targets)
    assert abs(run.evaluate(other)["loss"] - loss) > 1e-4
    assert len(run.predict(rows)) == 3


@pytest.mark.slow
def test_the_models_travel_in_the_run(models, tmp_path) -> None:
    own = {name: tmp_path / name for name in models}
    for name, run in models.items():
        shutil.copytree(run.folder, own[name])
    examples = sentences(24, 0)
    template = tagger(features_from=[str(own[name]) for name in own], word_dropout=0.2)
    with seqzoo.cells.portable():
        run = train(template, Splits(examples), settings(epochs=1), tmp_path / "run")
    for folder in own.values():
        shutil.rmtree(folder)
    run = Run.open(run.folder)
    task, model = run.task, run.model
    assert isinstance(task.features, TokenFeatures) and len(task.features.models) == 2
    before = models["backward"].model.decoder.embedding.embeddings.numpy()
    layer = model.get_layer("language_model_2")
    np.testing.assert_array_equal(layer.embedding.embeddings, before)
    # Resuming needs them as little as predictions do.
    with seqzoo.cells.portable():
        resumed = train(template, Splits(examples), settings(epochs=1), run.folder, resume=True)
    answers = run.predict(examples.inputs[:3])
    assert [answer.label for answer in resumed.predict(examples.inputs[:3])] == [
        answer.label for answer in answers
    ]
    # Nor does further training, with other tags.
    further = Examples(examples.inputs, [[*"yz" * 9][: len(tags)] for tags in examples.targets])
    template = matching_template(run.template, dropout=0.1)
    with seqzoo.cells.portable():
        tuned = train(
            template, Splits(further), settings(epochs=1), tmp_path / "on", start_from=run
        )
    layer = tuned.model.get_layer("language_model_2")
    np.testing.assert_array_equal(layer.embedding.embeddings, before)
    assert set(tuned.predict(examples.inputs[:1])[0].value) <= {"y", "z"}


@pytest.mark.slow
@pytest.mark.usefixtures("kept_process")
def test_a_saved_model_has_the_models(models, tmp_path) -> None:
    examples = sentences(12, 0)
    template = tagger(features_from=folders(models)[1:], bidirectional=False)
    run = make_run(tmp_path / "run", template, examples)
    report = run.export(tmp_path / "out", examples=["as bé an", "ts"])
    assert report["difference"] < 1e-5


@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_other_formats_refuse_in_one_line(models, format, tmp_path) -> None:
    run = make_run(tmp_path / "run", tagger(features_from=folders(models)), sentences(4, 0))
    with pytest.raises(SeqzooError, match="must be saved-model for taggers with `features_from`"):
        run.export(tmp_path / "out", format=format)
    assert not (tmp_path / "out").exists()
    with pytest.raises(SeqzooError, match="a language model reads the characters of whole"):
        run.session()


def test_runs_that_do_not_fit_have_one_clear_line(models, tmp_path) -> None:
    words = make_run(
        tmp_path / "words", ManyToManyAligned("words", "next", minimum_count=1), Examples(["a b"])
    )
    expected = r"must name character-level language models .*, got .*words, a many-to-many-aligned"
    for folder, message in {
        str(tmp_path / "none"): "`features_from`: .*none is not a run folder",
        str(words.folder): f"{expected} run from words to next",
    }.items():
        with pytest.raises(SeqzooError, match=message) as caught:
            tagger(features_from=[folder]).adapt(sentences(4, 0))
        assert caught.value.field == "features_from"
    with pytest.raises(SeqzooError, match="`features_from` is for words with tags"):
        ManyToManyAligned("characters", "tags", features_from=["runs/a"])
    with pytest.raises(SeqzooError, match="`features_from` must be a list of run folders"):
        tagger(features_from="runs/a")
    with pytest.raises(SeqzooError, match="`backward` is for characters and target 'next'"):
        ManyToManyAligned("words", "next", backward=True)


def test_a_backward_model_is_a_forward_one_of_reversed_texts(tmp_path) -> None:
    texts = ["abc", "bcca"]
    template = ManyToManyAligned("characters", "next", units=5, embedding=3, minimum_count=1)
    forward = make_run(tmp_path / "forward", template, Examples([t[::-1] for t in texts]))
    template = ManyToManyAligned(
        "characters", "next", units=5, embedding=3, minimum_count=1, backward=True
    )
    backward = make_run(tmp_path / "backward", template, Examples(texts))
    assert backward.task.texts.vocabulary.tokens == forward.task.texts.vocabulary.tokens
    backward.model.set_weights(forward.model.get_weights())
    np.testing.assert_allclose(
        backward.score(["abca", "b"]), forward.score(["acba", "b"]), rtol=1e-6
    )
    options = PredictionOptions(decoding=Decoding("greedy", maximum_length=4, minimum_length=3))
    (one,), (other,) = backward.predict(["ab"], options), forward.predict(["ba"], options)
    assert one.label == other.label[::-1] and one.label
    assert backward.task.continued("ab", one.label) == f"{one.label}ab"

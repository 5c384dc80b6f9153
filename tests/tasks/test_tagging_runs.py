"""Runs of taggers: trained, scored, and exported to a model that only needs TensorFlow."""

import json
from typing import Any

import numpy as np
import pytest
from tagging_data import MAKERS, sentences, tagger
from task_data import settings
from tensorflow.core.protobuf import saved_model_pb2

import seqzoo.cells
from seqzoo.tasks import Examples, Splits
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.preprocessing.series import pad
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.training.trainer import describe, train

CASES = {
    "words": {"characters": 3, "crf": True, "lowercase": True},
    "characters": {"cell": "lstm", "layers": 2},
    "series": {"crf": True},
}


def _inputs(kind: str) -> list:
    """Inputs that training never saw; one word contains a space."""
    inputs = list(MAKERS[kind](6, 9).inputs)
    return [*inputs, ["New Yorks", "ÄBCT", "x" * 30 + "t"]] if kind == "words" else inputs


def _raw(kind: str, inputs: list) -> dict[str, np.ndarray]:
    """Inputs as a caller of the exported model passes them."""
    if kind == "series":
        values, lengths = pad(inputs)
        return {"values": values, "lengths": lengths}
    if kind == "words":
        inputs = [" ".join(word.replace(" ", "\u00a0") for word in words) for words in inputs]
    return {"text": np.array(inputs, object)}


def _run(folder: Any, kind: str) -> Run:
    """A run whose model has random weights, those of the CRF included."""
    template, examples = tagger(input=kind, **CASES[kind]), MAKERS[kind](30, 1)
    task = template.adapt(examples)
    run = Run.create(
        folder, describe(template, task, settings(), {}, Padding([4, 9], [4, 9])), task
    )
    model, random = task.build("float32"), np.random.default_rng(5)
    for weight in model.trainable_weights:
        weight.assign(random.normal(0, 0.5, weight.shape))
    model.save(folder / "model.keras")
    return run


@pytest.fixture(scope="module")
def exported(tmp_path_factory, clean_tensorflow) -> dict:
    """Runs, each with the answers of its exported model in a process that only has TensorFlow."""
    folder, found = tmp_path_factory.mktemp("exported"), {}
    for kind in CASES:
        run = _run(folder / kind, kind)
        run.export(folder / kind / "saved", check=False)
        raw = _raw(kind, _inputs(kind))
        found[kind] = run, clean_tensorflow.answers(folder / kind / "saved", raw)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", CASES)
def test_exported_model_predicts_like_ours_without_seqzoo(kind: str, exported: dict) -> None:
    (kept, theirs), inputs = exported[kind], _inputs(kind)
    run = Run.open(kept.folder)
    ours = run.predict(inputs)
    assert len({answer.value for answer in ours}) > 3
    assert theirs["lengths"].tolist() == [len(one) for one in inputs]
    assert ("tokens" in theirs) == (kind != "series")
    for row, (item, answer) in enumerate(zip(inputs, ours, strict=True)):
        tags, shares = theirs["tags"][row], theirs["probabilities"][row]
        assert [tag.decode() for tag in tags[: len(item)]] == list(answer.value)
        assert answer.label == " ".join(answer.value)
        assert not any(tags[len(item) :]) and not shares[len(item) :].any()
        assert (shares[: len(item)] > 0.05).all() and (shares <= 1 + 1e-6).all()
        if not CASES[kind].get("crf"):
            expected = shares[: len(item)].astype(float).prod()
            assert answer.probability == pytest.approx(expected, rel=1e-3)
        if kind != "series":
            tokens = [token.decode() for token in theirs["tokens"][row]]
            assert tokens[: len(item)] == [token.replace(" ", "\u00a0") for token in item]
            assert not any(tokens[len(item) :])


@pytest.mark.slow
@pytest.mark.parametrize("kind", CASES)
def test_exported_graph_runs_anywhere(kind: str, exported: dict) -> None:
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((exported[kind][0].folder / "saved" / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    functions = graph.library.function
    assert not any(function.attr["_XlaMustCompile"].b for function in functions)
    nodes = [*graph.node, *(node for function in functions for node in function.node_def)]
    operations = {node.op for node in nodes}
    assert "MatMul" in operations
    assert not {name for name in operations if "cudnn" in name.lower() or "Xla" in name}


@pytest.mark.slow
def test_predictions_do_not_depend_on_the_batch_or_the_form_of_inputs(exported: dict) -> None:
    run, inputs = exported["words"][0], sentences(5, 9).inputs
    together = run.predict(inputs)
    for words, answer in zip(inputs, together, strict=True):
        (alone,) = run.predict([words])
        (text,) = run.predict([" ".join(words)])
        assert alone.value == text.value == answer.value
        assert alone.probability == pytest.approx(answer.probability, rel=1e-4)
        assert text.probability == pytest.approx(answer.probability, rel=1e-4)


@pytest.mark.slow
def test_figures(exported: dict, tmp_path) -> None:
    run, examples = exported["words"][0], sentences(12, 6)
    metrics = run.evaluate(examples, folder=tmp_path / "scores")
    answers = [answer.value for answer in run.predict(examples.inputs)]
    right = [
        [predicted == true for predicted, true in zip(item, tags, strict=True)]
        for item, tags in zip(answers, examples.targets, strict=True)
    ]
    steps = sum(right, [])
    assert metrics["steps"] == len(steps) and metrics["errors"] == steps.count(False)
    assert metrics["accuracy"] == pytest.approx(sum(steps) / len(steps))
    assert metrics["sequence_accuracy"] == pytest.approx(sum(map(all, right)) / 12)
    known = set(run.task.vocabularies["vocabulary"].tokens)
    unknown = [word.lower() not in known for words in examples.inputs for word in words]
    assert 0 < sum(unknown) < len(unknown)
    assert metrics["unknown_share"] == pytest.approx(np.mean(unknown))
    assert metrics["unknown_accuracy"] == pytest.approx(np.mean(np.array(steps)[unknown]))
    entities = sum(tag[0] == "B" for tags in examples.targets for tag in tags)
    assert metrics["entities"]["entities"] == entities
    assert metrics["entities"]["answered"] == sum(t[0] == "B" for tags in answers for t in tags)
    sample = metrics["samples"][3]
    assert sample["tokens"] == examples.inputs[3] and sample["answer"] == list(answers[3])
    assert sample["truth"] == examples.targets[3]
    assert json.loads((tmp_path / "scores" / "evaluation.json").read_text()) == metrics
    names = {path.name for path in (tmp_path / "scores").iterdir()}
    assert {"per_class.csv", "confusion.png", "samples.txt"} <= names
    (first, *_) = (tmp_path / "scores" / "samples.txt").read_text().split("\n")
    assert first.split() == examples.inputs[0]


@pytest.mark.exhaustive
@pytest.mark.slow
def test_training_reaches_what_can_be_learned(tmp_path, monkeypatch) -> None:
    splits = Splits(sentences(300, 1), sentences(40, 2), sentences(40, 3), "made", "")
    template = tagger(characters=8, crf=True, word_dropout=0.1)
    with seqzoo.cells.portable():
        run = train(
            template,
            splits,
            settings(epochs=3, batch_size=10, learning_rate=0.03),
            tmp_path / "run",
        )
    assert run.history[-1]["validation_entity_f1"] > 0.9
    assert splits.test is not None
    metrics = run.evaluate(splits.test)
    assert metrics["accuracy"] > 0.95 and metrics["entities"]["f1"] > 0.93
    assert metrics["unknown_accuracy"] > 0.9
    assert run.evaluate(Examples(["as"], ["B-x"]))["unknown_accuracy"] is None

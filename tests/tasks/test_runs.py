"""Runs: predictions, scores, plots, and an export that only needs TensorFlow."""

import copy
import csv
import functools
import json
import pathlib
import pickle
from collections.abc import Callable
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from export_cases import make_run
from figure_boxes import disjoint
from task_data import names, series, settings, template
from tensorflow.core.protobuf import saved_model_pb2

from seqzoo.tasks import Examples, ManyToOne, SeqzooError, plots
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.plots import plot_confusion, plot_history
from seqzoo.tasks.preprocessing.series import pad
from seqzoo.tasks.runs.ensemble import Ensemble
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.targets.classes import ClassTargets
from seqzoo.tasks.training.trainer import describe


def _inputs(kind: str, seed: int = 0, count: int = 12) -> Any:
    random = np.random.default_rng(seed)
    if kind == "rows":
        return random.integers(0, 256, (count, 5, 4)).astype(np.uint8)
    if kind == "series":
        return series(count, seed)
    if kind == "audio":
        return [
            random.normal(0, 0.1, n).astype(np.float32) for n in range(200, 200 + 90 * count, 90)
        ]
    words = names(count, seed).inputs
    return words if kind == "characters" else [" ".join(word) + "!" for word in words]


def _targets(kind: str, count: int = 12) -> list:
    one = {"class": ["ä", "b", "c"], "labels": [["x"], ["x", "y"], []], "value": [1.0, 5.0, 2.0]}
    return [one[kind][index % 3] for index in range(count)]


def _run(folder, kind: str, target: str = "class", **choices) -> Run:
    """A run whose model has its initial weights."""
    chosen = template(input=kind, target=target, sample_rate=8000, mel_bins=6, **choices)
    task = chosen.adapt(Examples(_inputs(kind), _targets(target)))
    run = Run.create(folder, describe(chosen, task, settings(), {}, Padding([4, 9], [])), task)
    task.build("float32").save(folder / "model.keras")
    return run


CASES = {
    "characters": {"cell": "gru", "bidirectional": True},
    "words": {"cell": "lstm", "pooling": "max", "target": "labels"},
    "rows": {"cell": "vanilla", "layers": 2},
    "series": {"cell": "gated", "pooling": "mean", "target": "value"},
    "audio": {"cell": "gru"},
}


def _raw(kind: str, inputs: Any) -> dict[str, np.ndarray]:
    """Inputs as a caller of the exported model passes them."""
    if kind in ("series", "audio"):
        values, lengths = pad([np.asarray(one) for one in inputs])
        return {"values" if kind == "series" else "waveforms": values, "lengths": lengths}
    return {"images": inputs} if kind == "rows" else {"text": np.array(inputs, object)}


@pytest.fixture(scope="module")
def exported(tmp_path_factory, clean_tensorflow) -> Callable:
    """A run of a kind, with the answers of its exported model in a process that only has
    TensorFlow."""
    folder = tmp_path_factory.mktemp("exported")

    @functools.cache
    def of_kind(kind: str) -> tuple:
        run = _run(folder / kind, kind, **CASES[kind])
        run.export(folder / kind / "saved", PredictionOptions(2), check=False)
        raw = _raw(kind, _inputs(kind, seed=5, count=7))
        return run, clean_tensorflow.answers(folder / kind / "saved", raw)

    return of_kind


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.quick_for("characters", "series")
def test_exported_model_predicts_like_ours_without_seqzoo(kind: str, exported: Callable) -> None:
    run, theirs = exported(kind)
    ours = run.predict(_inputs(kind, seed=5, count=7), PredictionOptions(2))
    if run.template.target == "value":
        expected = np.array([[answer.value] for answer in ours])
        np.testing.assert_allclose(theirs["value"], expected, rtol=1e-5)
    elif run.template.target == "labels":
        for row, answer in zip(theirs["probabilities"], ours, strict=True):
            both = dict(zip(["x", "y"], row.tolist(), strict=True))
            assert both == pytest.approx(dict(answer.alternatives), rel=1e-5)
        assert theirs["labels"].tolist() == [[b"x", b"y"]] * 7
    else:
        assert theirs["label"].tolist() == [answer.label.encode() for answer in ours]
        assert theirs["labels"].shape == (7, 2)
        expected = [answer.probability for answer in ours]
        np.testing.assert_allclose(theirs["probability"], expected, rtol=1e-5)


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.quick_for("characters", "series")
def test_exported_graph_runs_anywhere(kind: str, exported: Callable) -> None:
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((exported(kind)[0].folder / "saved" / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    functions = graph.library.function
    assert not any(function.attr["_XlaMustCompile"].b for function in functions)
    nodes = [*graph.node, *(node for function in functions for node in function.node_def)]
    operations = {node.op for node in nodes}
    assert "MatMul" in operations
    assert not {name for name in operations if "cudnn" in name.lower() or "Xla" in name}


def test_an_export_overwrites_nothing(tmp_path) -> None:
    run = _run(tmp_path / "run", "characters")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "notes.txt").write_text("mine")
    with pytest.raises(SeqzooError, match="saved already exists"):
        run.export(tmp_path / "saved", check=False)
    assert [path.name for path in (tmp_path / "saved").iterdir()] == ["notes.txt"]
    assert {path.name for path in tmp_path.iterdir()} == {"run", "saved"}


def test_predictions_do_not_depend_on_the_batch(tmp_path, monkeypatch) -> None:
    run = _run(tmp_path / "run", "characters", bidirectional=True)
    inputs = names(30, 4, longest=20).inputs
    together = run.predict(inputs)
    for text, answer in zip(inputs[:4], together, strict=False):
        (alone,) = run.predict([text])
        assert alone.label == answer.label
        assert alone.probability == pytest.approx(answer.probability, rel=1e-5)
    assert run.predict([]) == []
    # Many examples take the compiled loop.
    monkeypatch.setattr("seqzoo.tasks.runs.predictor.FEW", 0)
    compiled = run.predict(inputs)
    assert [a.probability for a in compiled] == pytest.approx([a.probability for a in together])
    with pytest.raises(SeqzooError, match="example 1 has none"):
        run.predict(["a", ""])


@pytest.mark.slow
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda run: pickle.loads(pickle.dumps(run))])
def test_a_copy_predicts_the_same(copied, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = _run(pathlib.Path("run"), "characters", cell="vanilla")
    inputs = names(20, 4).inputs
    expected = run.predict(inputs)  # with graphs, which cannot be copied
    run.session().feed("a")
    other, ensemble = copied(run), copied(Ensemble([run, run]))
    monkeypatch.chdir("/")
    assert other.predict(inputs) == expected
    assert [item.folder for item in ensemble.runs] == [tmp_path / "run"] * 2


def test_scores_are_written(tmp_path) -> None:
    run = _run(tmp_path / "run", "characters")
    examples = Examples(_inputs("characters", 1), _targets("class"))
    metrics = run.evaluate(examples, folder=tmp_path / "scores")
    pairs = zip(run.predict(examples.inputs), examples.targets, strict=True)
    right = sum(answer.label == target for answer, target in pairs)
    assert (metrics["examples"], metrics["accuracy"]) == (12, right / 12)
    assert json.loads((tmp_path / "scores" / "evaluation.json").read_text()) == metrics
    with open(tmp_path / "scores" / "per_class.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["b", "c", "ä"]
    assert sum(int(row["correct"]) for row in rows) == right
    assert matplotlib.image.imread(tmp_path / "scores" / "confusion.png").shape[2] == 4
    with pytest.raises(SeqzooError, match="example 0 has the label 'Z'"):
        run.evaluate(Examples(["abc"], ["Z"]))


@pytest.mark.parametrize("classes", [3, 100])
def test_confusion_plots_show_their_matrix(classes: int, tmp_path) -> None:
    labels = [f"class ${index}$ क" for index in range(classes)]
    random = np.random.default_rng(0)
    truth = random.integers(0, classes, 3000)
    predicted = np.where(random.random(3000) < 0.8, truth, (truth + 1) % classes)
    metrics = ClassTargets(labels, 0.0).compute_metrics(np.eye(classes)[predicted], truth)
    plot_confusion(tmp_path / "one.png", metrics)
    image = matplotlib.image.imread(tmp_path / "one.png")
    assert image.shape[1] > 400 and image[..., :3].std() > 0.02
    metrics["confusion"] = np.array(metrics["confusion"]).T.tolist()
    plot_confusion(tmp_path / "other.png", metrics)
    assert (matplotlib.image.imread(tmp_path / "other.png") != image).any()


def _drawn(monkeypatch) -> list:
    """A list that plots are put into in place of files."""
    figures: list = []
    monkeypatch.setattr(plots, "save", lambda figure, _: figures.append(figure))
    return figures


@pytest.mark.parametrize("accuracy", [0.5, 1.0])
def test_a_large_confusion_plot_lists_confusions_beside_its_matrix(accuracy, monkeypatch) -> None:
    truth = np.arange(200) % 50
    predicted = np.where(np.arange(200) < 200 * accuracy, truth, (truth + 1) % 50)
    labels = [f"class {index}" for index in range(50)]
    metrics = ClassTargets(labels, 0.0).compute_metrics(np.eye(50)[predicted], truth)
    figures = _drawn(monkeypatch)
    plot_confusion(pathlib.Path("none.png"), metrics)
    left, right = figures[0].axes
    assert disjoint(figures[0], [left.title, right.title])
    assert (right.title.get_text() == "no confusions") == (accuracy == 1) != right.axison
    assert all(tick == int(tick) for tick in right.get_xticks()) or not right.axison


def test_equal_values_at_the_end_of_a_history_do_not_overlap(monkeypatch) -> None:
    figures = _drawn(monkeypatch)
    rows = [
        {"epoch": epoch, "loss": 1 / epoch, "validation_loss": 1 / epoch, "mae": 1.0}
        for epoch in (1, 2, 3)
    ]
    plot_history(pathlib.Path(), rows, "mae")
    (loss,), (mae,) = (figure.axes for figure in figures)
    assert len(loss.texts) == 2 and disjoint(figures[0], loss.texts)
    assert [text.get_text() for text in mae.texts] == [" 1"]


def test_history_plots(tmp_path, monkeypatch) -> None:
    names = ("loss", "mae", "validation_loss", "validation_mae")
    rows = [
        {"epoch": epoch, **{name: scale / epoch for scale, name in enumerate(names, 1)}}
        for epoch in range(1, 6)
    ]
    plot_history(tmp_path, rows, "mae")
    assert {path.name for path in tmp_path.iterdir()} == {"loss.png", "mae.png"}
    one = tmp_path / "one"
    one.mkdir()
    ticks = []
    monkeypatch.setattr(
        plots, "save", lambda figure, _: ticks.append(figure.axes[0].get_xticks().tolist())
    )
    plot_history(one, rows[:1], "mae")
    assert 1 in ticks[0] and all(tick == int(tick) for tick in ticks[0])
    plot_history(tmp_path, [], "accuracy")
    assert not (tmp_path / "accuracy.png").exists()


def test_a_session_of_audio_ends_at_the_maximum_length(tmp_path) -> None:
    waves = list(np.random.default_rng(0).uniform(-1, 1, (4, 400)).astype("float32"))
    template = ManyToOne("audio", units=4, sample_rate=1000, mel_bins=4, maximum_length=30)
    session = make_run(tmp_path / "run", template, Examples(waves, [*"xyxy"])).session()
    session.feed(waves[0][:200])
    with pytest.raises(SeqzooError, match="at most 30 steps of an input, got"):
        session.feed(waves[0][200:])
    assert session.feed(waves[0][:100]).label in "xy"

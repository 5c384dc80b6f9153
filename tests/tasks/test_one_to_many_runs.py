"""Runs of `OneToMany`: predictions, plots, and an export that only needs TensorFlow."""

import pathlib
from typing import Any

import matplotlib.image
import numpy as np
import pytest
import tensorflow as tf
from one_to_many_data import KINDS, captioned, inputs, template
from task_data import settings
from tensorflow.core.protobuf import saved_model_pb2

import seqzoo.cells
from seqzoo.tasks import Decoding, Examples, OneToMany, Splits
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.plots import plot_attention, plot_captions
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.training.trainer import describe, train

CHOICES: dict[str, dict[str, Any]] = {
    "image": {"cell": "gru", "random_zoom": 0.1},
    "vector": {"cell": "lstm", "attention": "none", "layers": 2, "target": "characters"},
    "class": {"cell": "vanilla", "attention": "multiplicative"},
}
ASKED = PredictionOptions(decoding=Decoding("beam", count=2, beam_width=3, maximum_length=6))


def _raw(kind: str, given: Any) -> dict[str, dict[str, Any]]:
    """Inputs as callers of the exported model pass them, by signature and name."""
    name = {"image": "images", "vector": "vectors", "class": "classes"}[kind]
    raw = {"serving_default": {name: given.astype(np.float32) if kind == "vector" else given}}
    if kind == "image":
        files = [tf.io.encode_png(image).numpy() for image in given]
        raw["bytes"] = {"encoded_images": np.array(files, object)}
    return raw


class Exported(dict):
    """Runs by kind, each with an exported model, made when they are first asked for."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__()
        self.folder = folder

    def __missing__(self, kind: str) -> Run:
        chosen, examples, folder = template(kind, **CHOICES[kind]), captioned(kind), self.folder
        if kind == "image":
            with seqzoo.cells.portable():
                run = train(chosen, Splits(examples), settings(epochs=1), folder / kind)
        else:
            task = chosen.adapt(examples)
            config = describe(chosen, task, settings(), {}, Padding([1], [5]))
            run = Run.create(folder / kind, config, task)
            task.build("float32").save(folder / kind / "model.keras")
        run.export(folder / kind / "saved", ASKED, check=False)
        self[kind] = run
        return run


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Exported:
    return Exported(tmp_path_factory.mktemp("exported"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=pytest.mark.slow) if kind == "image" else kind for kind in KINDS],
)
def test_exported_model_predicts_like_ours_without_seqzoo(
    kind: str, exported: Exported, clean_tensorflow
) -> None:
    run, given = exported[kind], inputs(kind, 5, seed=4)
    ours = run.predict(given, ASKED)
    for signature, raw in _raw(kind, given).items():
        theirs = clean_tensorflow.answers(run.folder / "saved", raw, signature)
        assert theirs["text"].tolist() == [answer.label.encode() for answer in ours]
        expected = [answer.probability for answer in ours]
        np.testing.assert_allclose(np.exp(theirs["log_probability"]), expected, rtol=1e-4)
        assert theirs["texts"].shape == (5, 2)


@pytest.mark.slow
def test_files_give_the_predictions_of_their_images(exported: Exported) -> None:
    images = inputs("image", 3, seed=4)
    files = [tf.io.encode_png(image).numpy() for image in images]
    run = exported["image"]
    assert run.predict(files) == run.predict(images)


@pytest.mark.slow
def test_exported_graph_runs_anywhere(exported: Exported) -> None:
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((exported["image"].folder / "saved" / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    functions = graph.library.function
    assert not any(function.attr["_XlaMustCompile"].b for function in functions)
    nodes = [*graph.node, *(node for function in functions for node in function.node_def)]
    operations = {node.op for node in nodes}
    assert {"Conv2D", "DecodeImage"} <= operations
    assert not {name for name in operations if "cudnn" in name.lower() or "Xla" in name}
    # Random views are for training only; the random draws here are those of sampling.
    assert not {name for name in operations if "Projective" in name}


@pytest.mark.slow
def test_an_evaluation_shows_images(exported: Exported, tmp_path) -> None:
    metrics = exported["image"].evaluate(captioned(), folder=tmp_path)
    assert metrics["samples"][0]["truth"] == "one" and len(metrics["samples"]) == 12
    for name in ("captions", "attention"):
        assert matplotlib.image.imread(tmp_path / f"{name}.png").std() > 0.02
    exported["class"].evaluate(captioned("class"), folder=tmp_path / "class")
    assert {path.name for path in (tmp_path / "class").iterdir()} == {"evaluation.json"}


@pytest.mark.slow
@pytest.mark.parametrize("channels", [(), (1,), (4,)])
def test_plots_depend_on_what_they_show(channels: tuple, tmp_path) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (7, 6, 8, *channels)).astype(np.uint8)
    captions = ["a cat", "cost: $5", "", "a long caption " * 4, "e", "f", "g"]

    def drawn(draw, *arguments) -> np.ndarray:
        draw(tmp_path / "plot.png", *arguments)
        return matplotlib.image.imread(tmp_path / "plot.png")

    right = drawn(plot_captions, images, captions, captions)
    wrong = drawn(plot_captions, images, captions, ["a dog", *captions[1:]])
    assert wrong.shape != right.shape or (wrong != right).any()
    maps = random.random((3, 2, 3))
    looks = drawn(plot_attention, images[0], captions[:3], maps)
    turned = drawn(plot_attention, images[0], captions[:3], maps[:, ::-1])
    assert looks.shape == turned.shape and (looks != turned).any()


@pytest.mark.slow
@pytest.mark.exhaustive  # docs/one-to-many.md trains this, too
def test_a_dark_image_is_told_from_a_bright_one_in_every_case(tmp_path) -> None:
    bright = np.random.default_rng(0).integers(0, 2, 48)
    images = [np.full((12, 12, 1), 40 + 180 * item, np.uint8) for item in bright]
    captions = [["a dark square", "a bright square"][item] for item in bright]
    chosen = OneToMany(units=16, embedding=8, filters=(4, 8), cell="gru")
    with seqzoo.cells.portable():
        run = train(
            chosen,
            Splits(Examples(images, captions)),
            settings(epochs=25, batch_size=16, learning_rate=0.02),
            tmp_path / "run",
        )
    assert [answer.label for answer in run.predict(images)] == captions
    # Alone, too: the statistics are the moving ones.
    run = Run.open(tmp_path / "run")
    dark, light = (run.predict([np.full((12, 12, 1), item, np.uint8)])[0] for item in (40, 220))
    assert (dark.label, light.label) == ("a dark square", "a bright square")

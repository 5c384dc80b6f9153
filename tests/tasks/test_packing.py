"""Packed runs: fewer bits lose little accuracy, and damage is reported."""

import json
import pathlib
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from task_data import settings, splits, template

import seqzoo.cells
import seqzoo.zoo as zoo
from seqzoo.tasks import SeqzooError
from seqzoo.tasks.runs.compact_weights import LARGE, pack, unpack
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.runs.weight_paths import weights_by_path
from seqzoo.tasks.training.trainer import train
from seqzoo.zoo.pretrained import FOLDER


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("packing") / "run"
    choices = template(ngrams=2, ngram_buckets=LARGE // 6 + 1)
    with seqzoo.cells.portable():
        return train(choices, splits(), settings(epochs=1), folder)


@pytest.mark.slow
def test_a_packed_run_predicts_nearly_the_same(run: Run, tmp_path: pathlib.Path) -> None:
    pack(run, tmp_path / "packed", {"preset": "none"})
    packed = Run.open(tmp_path / "packed")
    weights = zip(run.model.get_weights(), packed.model.get_weights(), strict=True)
    for ours, theirs in weights:
        scale = np.abs(ours).max() or 1.0
        np.testing.assert_allclose(theirs, ours, atol=scale / 127, rtol=1e-3)
        assert not ours.size or (theirs != 0).any() == (ours != 0).any()
    examples = splits().test
    assert examples is not None
    pairs = zip(run.predict(examples.inputs), packed.predict(examples.inputs), strict=True)
    for ours, theirs in pairs:
        known = dict(theirs.alternatives)
        assert all(abs(known[label] - item) < 0.02 for label, item in ours.alternatives)
    size = (tmp_path / "packed" / "weights.npz").stat().st_size
    assert size < 0.4 * (run.folder / "model.keras").stat().st_size


@pytest.mark.slow
def test_damaged_weights_are_reported(run: Run, tmp_path: pathlib.Path) -> None:
    pack(run, tmp_path / "packed", {})
    path = tmp_path / "packed" / "weights.npz"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(SeqzooError, match="weights.npz cannot be read"):
        Run.open(tmp_path / "packed").predict(["abc"])
    with pytest.raises(SeqzooError, match="already exists"):
        pack(run, tmp_path / "packed", {})


def _two(order: str, units: int = 3) -> keras.Model:
    """A model of two layers of one shape, made in an order."""
    inputs = keras.Input((3,))
    layers = {name: keras.layers.Dense(units if name == "b" else 3, name=name) for name in order}
    outputs = [layers[name](inputs) for name in order]
    return keras.Model(inputs, outputs)


def _packed(model: keras.Model, folder: pathlib.Path) -> pathlib.Path:
    """The weights of a model as `pack` writes them."""
    task = SimpleNamespace(vocabularies={})
    config = {"vocabularies": {}}
    pack(SimpleNamespace(model=model, task=task, config=config, source={}), folder, {})
    assert json.loads((folder / "config.json").read_text())["source"] == {}
    return folder / "weights.npz"


def test_a_layer_at_another_position_gets_its_own_weights(tmp_path: pathlib.Path) -> None:
    first, second = _two("ab"), _two("ba")
    for weight in first.weights:
        weight.assign(np.random.default_rng(0).normal(size=weight.shape))
    first.get_layer("b").kernel.assign(np.full((3, 3), 7))
    unpack(second, _packed(first, tmp_path / "packed"))
    assert (second.get_layer("b").kernel.numpy() == 7).all()
    kernels = [model.get_layer("a").kernel.numpy() for model in (first, second)]
    np.testing.assert_allclose(kernels[1], kernels[0], rtol=1e-3)


def test_large_weights_stay_finite(tmp_path: pathlib.Path) -> None:
    first, second = _two("ab"), _two("ab")
    first.get_layer("b").kernel.assign(np.full((3, 3), -7e4))
    unpack(second, _packed(first, tmp_path / "packed"))
    assert (second.get_layer("b").kernel.numpy() == -7e4).all()


@pytest.mark.parametrize(
    "other, message",
    [
        (lambda: _two("ac"), "the model has a weight 'c/kernel', but the file does not"),
        (lambda: _two("a"), "the file has a weight 'b/kernel', but the model does not"),
        (lambda: _two("ab", 4), r"'b/kernel' must be float32 of shape \(3, 4\), got float32 of"),
    ],
)
def test_weights_of_another_model_are_reported(other, message: str, tmp_path: pathlib.Path) -> None:
    path, model = _packed(_two("ab"), tmp_path / "packed"), other()
    before = model.get_weights()
    with pytest.raises(SeqzooError, match=f"belongs to another model: .*{message}"):
        unpack(model, path)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


def test_weights_of_another_type_are_reported(tmp_path: pathlib.Path) -> None:
    path = _packed(_two("a"), tmp_path / "packed")
    with np.load(path) as arrays:
        np.savez(path, **{key: arrays[key].astype(np.int32) for key in arrays.files})
    with pytest.raises(SeqzooError, match="must be float32 of shape .*, got int32"):
        unpack(_two("a"), path)


@pytest.mark.quick_for("language-id", "python-source", rest="exhaustive")
@pytest.mark.parametrize("name", zoo.list_trained())
def test_paths_do_not_depend_on_what_was_built_before(name: str) -> None:
    task = zoo.load(name).task
    paths = [list(weights_by_path(task.build("float32"))) for _ in range(2)]
    assert paths[0] == paths[1]
    with np.load(FOLDER / name / "weights.npz") as arrays:
        assert {key.rpartition(".")[0] for key in arrays.files} == set(paths[0])

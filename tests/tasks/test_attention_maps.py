"""Attention maps of an encoder-decoder: one per answer, and plots of them."""

import pathlib
from typing import Any

import matplotlib.image
import numpy as np
import pytest
import tensorflow as tf
from figure_boxes import disjoint
from task_data import series

from seqzoo.tasks import Decoding, Examples, ManyToManyEncoderDecoder, PredictionOptions, plots
from seqzoo.tasks.plots import Look, plot_looks
from seqzoo.tasks.targets.texts import START

pytestmark = pytest.mark.usefixtures("plain_loop")

TEXTS = ["ab c", "c", "baab acc", "ca"]
OPTIONS = PredictionOptions(decoding=Decoding(maximum_length=5, minimum_length=3))


def task(inputs, **choices):
    small = {"units": 7, "embedding": 5, "minimum_count": 1, **choices}
    template = ManyToManyEncoderDecoder(**small)
    return template.adapt(Examples(inputs, ["x y", "yy", "zx", "y"]))


def looks_of(adapted, model, inputs) -> list[Look]:
    return adapted.looks(model, inputs, [f"example {i}" for i in range(len(inputs))], OPTIONS)


@pytest.mark.slow
@pytest.mark.parametrize("attention", ["additive", "multiplicative"])
def test_maps_are_those_of_the_steps_that_wrote_the_tokens(attention: str) -> None:
    adapted: Any = task(TEXTS, attention=attention)
    model = adapted.build("float32")
    looks = looks_of(adapted, model, TEXTS)
    vocabulary = adapted.texts.vocabulary.tokens
    for text, look in zip(TEXTS, looks, strict=True):
        assert look.source == list(text)
        assert 3 <= len(look.tokens) <= 5 and look.weights.shape == (len(look.tokens), len(text))
        # One token after the other, of only this example.
        values, lengths = adapted.features.transform(*adapted.features.raw([text], ["it"]))
        memory, mask, states = model.encode({"values": values, "lengths": lengths})
        constants = model.decoder.look_at(memory, mask)
        token = tf.constant([START])
        for said, weights in zip(look.tokens, look.weights, strict=True):
            _, states, attended = model.decoder.step(token, states, constants)
            np.testing.assert_allclose(weights, attended[0], rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(weights.sum(), 1.0, rtol=1e-5)
            token = tf.constant([2 + vocabulary.index(said)])


def test_steps_without_names_are_numbered() -> None:
    inputs = series(4, 0)
    adapted = task(inputs, input="series")
    for one, look in zip(inputs, looks_of(adapted, adapted.build("float32"), inputs), strict=True):
        assert look.source == [str(step) for step in range(len(one))]
        assert look.weights.shape[1] == len(one)


@pytest.mark.slow
def test_an_evaluation_shows_them(tmp_path) -> None:
    for attention, files in (("additive", ["attention.png"]), ("none", [])):
        adapted = task(TEXTS, attention=attention)
        folder = tmp_path / attention
        folder.mkdir()
        adapted.illustrate(adapted.build("float32"), Examples(TEXTS), {}, folder, OPTIONS)
        assert [path.name for path in folder.iterdir()] == files


def test_plots_have_room_for_long_names_and_empty_inputs(monkeypatch) -> None:
    figures: list = []
    monkeypatch.setattr(plots, "save", lambda figure, _: figures.append(figure))
    words = ["Donaudampfschifffahrtsgesellschaft", "an", "Bord"]
    looks = [Look(words, ["x"], np.ones((1, 3))), Look([], ["x"], np.zeros((1, 0)))]
    plot_looks(pathlib.Path("none.png"), looks)
    plot_looks(pathlib.Path("none.png"), looks[1:])
    left, right = figures[0].axes
    assert disjoint(figures[0], left.get_xticklabels())
    assert right.get_title() == figures[1].axes[0].get_title() == "(nothing)"


@pytest.mark.slow
def test_plots_depend_on_what_they_show(tmp_path) -> None:
    random = np.random.default_rng(0)
    long, wide = random.random((60, 3)), random.random((2, 70))
    looks = [
        Look(["a", " ", "$"], ["word"] * 60, long),
        Look(["step"] * 70, ["x", "y"], wide),
        Look(["a"], [], np.zeros((0, 1))),
        Look(["a"], ["b"], np.ones((1, 1))),
    ]

    def drawn(looks: list[Look]) -> np.ndarray:
        plot_looks(tmp_path / "plot.png", looks)
        return matplotlib.image.imread(tmp_path / "plot.png")

    first = drawn(looks)
    turned = drawn([looks[0]._replace(weights=long[::-1]), *looks[1:]])
    assert first.shape == turned.shape and (first != turned).any()
    assert (drawn(looks) == first).all()

"""The figures of an inspection: colours, labels, and text that overlaps nothing."""

import dataclasses
import warnings
from typing import Any

import numpy as np
from figure_boxes import disjoint
from matplotlib.colors import to_rgb

from seqzoo.tasks import plots
from seqzoo.tasks.inspection import figures
from seqzoo.tasks.inspection.fixed_points import Point
from seqzoo.tasks.inspection.gates import GateTrace
from seqzoo.tasks.inspection.gradients import GradientFlow, decay
from seqzoo.tasks.inspection.jacobians import JacobianFlow
from seqzoo.tasks.inspection.recurrent_weights import spectrum
from seqzoo.tasks.inspection.tables import Transitions


def test_the_legend_of_spectra_is_beside_their_panels() -> None:
    matrices = np.random.default_rng(0).normal(0, 0.2, (3, 16, 16))
    spectra = [
        spectrum(matrices[0], "update"),
        spectrum(matrices[1][:, :9], "reset"),
        spectrum(matrices[2], "candidate"),
    ]
    figure = figures.spectrum_figure(spectra)
    (legend,), (left, right) = figure.legends, figure.axes
    assert disjoint(figure, [legend, left, right])
    first, second, third = (text.get_text() for text in legend.get_texts())
    assert (first, second) == (f"update ({spectra[0].radius:.2f})", "reset")
    assert third.startswith("candidate (")
    drawn = [np.asarray(item.get_facecolor())[0, :3] for item in left.collections]
    lines = [right.lines[0], right.lines[2]]
    for dots, line in zip(drawn, lines, strict=True):
        np.testing.assert_allclose(dots, to_rgb(line.get_color()))
    assert (right.get_ylabel(), right.get_ylim()[0]) == ("singular value", 0)


def test_figures_of_many_gates_have_room_for_their_names_and_a_line_for_each() -> None:
    names = [f"cell {k} {gate}" for k in (1, 2, 3) for gate in ("input", "forget", "output")]
    values = np.random.default_rng(0).random((5, 6))
    figure = figures.gate_histogram([GateTrace(name, values, True) for name in names])
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in shown] == names
    assert disjoint(figure, [axes.title for axes in shown])
    figure = figures.radius_figure({name: [0.5, 0.6] for name in names}, [1, 2])
    (legend,), (axes,) = figure.legends, figure.axes
    assert disjoint(figure, [legend, axes])
    spectra = [spectrum(values[:, :5], name) for name in names]
    for axes in (figure.axes[0], figures.spectrum_figure(spectra).axes[1]):
        lines = {(line.get_color(), line.get_linestyle()) for line in axes.lines}
        assert len(lines) == len(names) + 1  # and the line at 1


def test_labels_of_fixed_points_do_not_overlap() -> None:
    states = np.random.default_rng(0).normal(0, 0.01, (2, 20, 6)).cumsum(1)
    point = Point(states[0, 3], 1e-6, "fixed", np.linspace(0.9, 0, 6).astype(complex))
    figure = figures.fixed_point_figure(list(states), [point])
    left, right = figure.axes
    for axes in (left, right):
        low, high = axes.get_xlim()
        labels = axes.get_xticklabels()
        drawn = [text for text in labels if low <= text.get_position()[0] <= high]
        assert len(drawn) > 2 and disjoint(figure, drawn)
    assert disjoint(figure, [left.title, right.title])
    assert (right.get_xlabel(), right.get_ylabel()) == ("real part", "imaginary part")
    assert len(figures.fixed_point_figure(list(states), []).axes) == 1


def test_paths_of_a_state_of_one_number_lead_from_each_state_to_the_next() -> None:
    states = np.array([[0.1], [0.4], [0.5]])
    point = Point(np.array([0.6]), 1e-6, "fixed", np.array([0.5 + 0j]))
    axes = figures.fixed_point_figure([states, states[:1]], [point]).axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[0.1, 0.4], [0.4, 0.5]])
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), [[0.6, 0.6]])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("state", "next state")


def test_a_layer_has_one_colour_in_both_plots_of_gradients() -> None:
    norms = 0.5 ** np.arange(9.0)
    flows = [
        GradientFlow(name, np.arange(9)[::-1], norms, norms[None], norms, decay(norms))
        for name in ("big", "small")
    ]
    products = JacobianFlow("small", np.arange(8), norms[1:], norms[1:], norms, decay(norms))
    above, below = figures.gradient_figure(flows, [products]).axes
    assert below.lines[0].get_color() == above.lines[1].get_color() != above.lines[0].get_color()
    many = [dataclasses.replace(flows[0], name=f"layer_{k}") for k in range(40)]
    assert len(figures.gradient_figure(many, [products]).axes[0].lines) >= 40


def test_steps_have_their_names_or_their_numbers() -> None:
    def labelled(labels: list[str]) -> Any:
        figure = figures.attribution_figure(np.ones(len(labels)), labels, "occlusion")
        figure.draw_without_rendering()
        (axes,) = figure.axes
        return axes.get_xlabel(), [label.get_text() for label in axes.get_xticklabels()]

    dates = [str(day) for day in np.datetime64("2024-01-01") + np.arange(120)]
    assert labelled(dates[:28]) == ("", dates[:28])
    name, few = labelled(dates)
    assert name == "" and few[0] == dates[0] and few[-1] == dates[-1] and len(few) == 12
    assert labelled(list("ab" * 60))[1][-1] == "119"
    for labels in (list("ab" * 60), [str(step) for step in range(30)]):
        assert labelled(labels)[0] == "step"
    assert labelled(list("121")) == ("", list("121"))


def test_characters_that_the_font_lacks_are_those_of_an_installed_one(
    monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(plots, "FALLBACK_FONTS", ("Not Installed", "STIXGeneral"))
    for draw in (figures.rendered, lambda figure: plots.save(figure, tmp_path / "plot.png")):
        figure = figures.attribution_figure(np.ones(2), ["a", "\u20e6"], "occlusion")
        draw(figure)
        for label in figure.axes[0].get_xticklabels():
            assert label.get_fontfamily() == ["sans-serif", "STIXGeneral"]
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a glyph that is missing
            figure.draw_without_rendering()


def test_names_of_many_tags_do_not_overlap() -> None:
    for count, named in ((50, 50), (120, 60)):
        scores = np.random.default_rng(0).normal(size=(count, count))
        tags = tuple(f"B-LOCATION{tag}" for tag in range(count))
        figure = figures.transition_figure(Transitions(tags, scores, scores[0], scores[0]))
        axes = figure.axes[0]
        assert disjoint(figure, axes.get_xticklabels()) and disjoint(figure, axes.get_yticklabels())
        assert len(axes.get_xticks()) == named

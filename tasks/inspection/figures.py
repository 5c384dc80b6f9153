"""The figures of an inspection, drawn with Matplotlib."""

import io
import itertools
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from seqzoo.tasks.inspection.attention import AttentionMap
from seqzoo.tasks.inspection.cell_flow import CellFlow
from seqzoo.tasks.inspection.fixed_points import Point, principal_components
from seqzoo.tasks.inspection.gates import CLOSED, OPEN, GateTrace
from seqzoo.tasks.inspection.gradients import GradientFlow
from seqzoo.tasks.inspection.jacobians import JacobianFlow
from seqzoo.tasks.inspection.recurrent_weights import Spectrum
from seqzoo.tasks.inspection.subject import visible
from seqzoo.tasks.inspection.tables import Transitions
from seqzoo.tasks.plots import add_fallback_fonts

INK = "#222222"
COLOURS: tuple[str, ...] = (
    "#4878a8",
    "#d1603d",
    "#5b9a5b",
    "#8e63a8",
    "#b08a2e",
    "#3f9ba5",
    "#a34d6b",
    "#6b6b6b",
)

LABELLED_STEPS = 80
"""Maximum number of steps for which all labels are written along an axis."""

NAMED_TAGS = 100
"""Maximum number of tags of a CRF whose names are written along an axis."""

HISTOGRAMS_PER_ROW = 4
"""Maximum number of histograms side by side."""

FIGURE_WIDTH = 5.6
"""Width of a figure, in inches."""


def _panel(height: float = 3.4, columns: int = 1, rows: int = 1) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(FIGURE_WIDTH, height), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    return figure, grid


def gradient_figure(
    flows: Sequence[GradientFlow], jacobians: Sequence[JacobianFlow] = ()
) -> Figure:
    """Norms of gradients against the steps back, on a logarithmic scale, with dotted lines for the
    part that comes back through a layer's states, if it differs; and below them those of the
    products of Jacobians."""
    figure, grid = _panel(3.2 + 2.6 * bool(jacobians), rows=1 + bool(jacobians))
    axes = grid[0, 0]
    names = dict.fromkeys(flow.name for flow in (*flows, *jacobians))
    colours = dict(zip(names, _colours(), strict=False))
    for flow in flows:
        colour = colours[flow.name]
        norms = np.where(flow.norms > 0, flow.norms, np.nan)
        axes.semilogy(range(len(norms)), norms, color=colour, marker="o", ms=2.5, label=flow.name)
        if flow.direct:
            carried = np.where(flow.carried > 0, flow.carried, np.nan)
            axes.semilogy(range(len(carried)), carried, color=colour, lw=1, ls=":")
    axes.set_ylabel("|d loss / d state|")
    axes.set_xlabel("steps back from the chosen step")
    axes.legend(frameon=False, fontsize=8)
    axes.grid(alpha=0.25)
    if jacobians:
        below = grid[1, 0]
        for flow in jacobians:
            norms = np.where(flow.products > 0, flow.products, np.nan)
            below.semilogy(range(len(norms)), norms, color=colours[flow.name], label=flow.name)
        below.axhline(1, color=INK, lw=0.6, ls=":")
        below.set_ylabel("|product of Jacobians|")
        below.set_xlabel("steps back from the chosen step")
        below.grid(alpha=0.25)
    return figure


def cell_flow_figure(flows: Sequence[CellFlow]) -> Figure:
    """The fraction of the gradient that remains after a number of steps back, one line per cell;
    both axes are logarithmic."""
    figure, grid = _panel(3.6)
    axes = grid[0, 0]
    for flow, colour in zip(flows, _colours(), strict=False):
        fractions = flow.norms / flow.norms[0]
        shown = np.where(fractions > 0, fractions, np.nan)[1:]
        axes.loglog(range(1, len(shown) + 1), shown, color=colour, lw=1.4, label=flow.cell)
    axes.set_ylim(1e-12, max(1e3, axes.get_ylim()[1]) if axes.get_ylim()[1] > 10 else 10)
    axes.set_xlabel("steps back")
    axes.set_ylabel("fraction of the gradient that remains")
    axes.axhline(1, color=INK, lw=0.6, ls=":")
    axes.legend(frameon=False, fontsize=8, ncols=2, loc="lower left")
    axes.grid(alpha=0.25)
    return figure


def spectrum_figure(spectra: Sequence[Spectrum]) -> Figure:
    """Eigenvalues of the recurrent weights in the complex plane with the unit circle, and singular
    values."""
    square = [item for item in spectra if item.eigenvalues is not None]
    columns = 2 if square else 1
    figure, grid = _panel(3.7, columns=columns)
    colours = dict(zip([item.gate for item in spectra], _colours(), strict=False))
    if square:
        axes = grid[0, 0]
        angle = np.linspace(0, 2 * np.pi, 200)
        axes.plot(np.cos(angle), np.sin(angle), color=INK, lw=0.8)
        for item in square:
            values: Any = item.eigenvalues
            axes.scatter(values.real, values.imag, s=8, color=colours[item.gate], alpha=0.7)
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_xlabel("eigenvalues, real part")
        axes.set_ylabel("imaginary part")
    axes = grid[0, -1]
    for item, style in zip(spectra, _styles(), strict=False):
        positions = range(1, len(item.singular_values) + 1)
        label = item.gate if item.radius is None else f"{item.gate} ({item.radius:.2f})"
        colour = colours[item.gate]
        axes.plot(positions, item.singular_values, color=colour, ls=style, label=label)
    axes.axhline(1, color=INK, lw=0.6, ls=":")
    axes.set_ylim(0, 1.05 * max(1, *(item.singular_values[0] for item in spectra)))
    axes.set_xlabel("rank, largest first")
    axes.set_ylabel("singular value")
    figure.legend(
        loc="outside upper center",
        ncols=3,
        frameon=False,
        fontsize=7,
        title="gate (spectral radius)" if square else "gate",
        title_fontsize=7,
    )
    return figure


def radius_figure(radii: Mapping[str, Sequence[float]], epochs: Sequence[int]) -> Figure:
    """The spectral radius of each gate's recurrent weights after each epoch."""
    figure, grid = _panel(2.6)
    axes = grid[0, 0]
    lines = zip(radii.items(), _colours(), _styles(), strict=False)
    for (gate, values), colour, style in lines:
        axes.plot(epochs, values, color=colour, ls=style, marker="o", ms=3, label=gate)
    axes.axhline(1, color=INK, lw=0.6, ls=":")
    axes.set_xlabel("epoch")
    axes.set_ylabel("spectral radius")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=7)
    return figure


def gate_figure(gates: Sequence[GateTrace], labels: Sequence[str]) -> Figure:
    """One heat map per gate: units from top to bottom, those with the largest means first; steps
    from left to right."""
    figure, grid = _panel(1.6 * len(gates) + 0.6, rows=len(gates))
    for axes, gate in zip(grid[:, 0], gates, strict=True):
        values = gate.values.T[np.argsort(-gate.values.mean(0), kind="stable")]
        low = 0 if gate.bounded else -1
        image = axes.imshow(
            values,
            aspect="auto",
            cmap="viridis" if gate.bounded else "RdBu_r",
            vmin=low,
            vmax=1,
            interpolation="nearest",
        )
        axes.set_ylabel(gate.name.replace("_", " "), fontsize=8)
        axes.set_yticks([])
        axes.set_xticks([])
        axes.spines[:].set_visible(False)
        figure.colorbar(image, ax=axes, pad=0.01)
    _label_steps(grid[-1, 0], labels)
    return figure


def gate_histogram(gates: Sequence[GateTrace]) -> Figure:
    """Histograms of gate values; saturated gates are at the ends."""
    bounded = [item for item in gates if item.bounded]
    columns = max(min(len(bounded), HISTOGRAMS_PER_ROW), 1)
    rows = max(math.ceil(len(bounded) / columns), 1)
    figure, grid = _panel(2.2 * rows, columns, rows)
    for axes in grid.flat[len(bounded) :]:
        axes.set_visible(False)
    for axes, gate, colour in zip(grid.flat, bounded, _colours(), strict=False):
        axes.hist(gate.values.ravel(), bins=np.linspace(0, 1, 21), color=colour)
        axes.axvspan(0, CLOSED, color=INK, alpha=0.07)
        axes.axvspan(OPEN, 1, color=INK, alpha=0.07)
        axes.set_title(gate.name.replace("_", " "), fontsize=9)
        axes.set_yticks([])
        axes.set_xticks([0, 0.5, 1])
    return figure


def state_figure(states: np.ndarray, labels: Sequence[str], units: Sequence[int] = ()) -> Figure:
    """A heat map of states, (time, units), and line plots of some units."""
    figure, grid = _panel(2.6 + 1.9 * bool(units), rows=1 + bool(units))
    axes = grid[0, 0]
    limit = float(np.abs(states).max()) or 1.0
    image = axes.imshow(
        states.T, aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest"
    )
    figure.colorbar(image, ax=axes, pad=0.01)
    axes.set_ylabel("units")
    axes.spines[:].set_visible(False)
    _label_steps(axes, labels)
    if units:
        below = grid[1, 0]
        for unit, colour in zip(units, _colours(), strict=False):
            below.plot(states[:, unit], color=colour, lw=1.2, label=f"unit {unit}")
        below.set_xlim(-0.5, len(states) - 0.5)
        below.legend(frameon=False, fontsize=7, ncols=4)
        below.grid(alpha=0.25)
        _label_steps(below, labels)
    return figure


def fixed_point_figure(states: Sequence[np.ndarray], points: Sequence[Point]) -> Figure:
    """Trajectories in their first two principal components, or from each state to the next if it is
    a single number, with the fixed and slow points, and the eigenvalues at the slowest of them."""
    mean, directions = principal_components(np.concatenate(list(states)))
    is_number = directions.shape[1] == 1
    figure, grid = _panel(3.5, columns=1 + bool(points))
    for axes in grid.flat:
        axes.xaxis.set_major_locator(MaxNLocator(4))
    axes = grid[0, 0]
    for state in states:
        path = np.hstack([state[:-1], state[1:]]) if is_number else (state - mean) @ directions
        axes.plot(*path.T, color="#999999", lw=0.7, marker=".", ms=2)
    for point in points:
        projected = np.repeat(point.state, 2) if is_number else (point.state - mean) @ directions
        colour = COLOURS[0] if point.unstable == 0 else COLOURS[1]
        face = colour if point.kind == "fixed" else "none"
        axes.scatter(*projected, s=45, facecolor=face, edgecolor=colour, zorder=3)
    axes.set_xlabel("state" if is_number else "first principal component")
    axes.set_ylabel("next state" if is_number else "second")
    if is_number:  # where a state would be its own next state
        axes.axline((0, 0), slope=1, color=INK, lw=0.6, ls=":")
    axes.set_title("blue: stable; red: unstable; hollow: slow", fontsize=8)
    if points:
        beside = grid[0, 1]
        angle = np.linspace(0, 2 * np.pi, 200)
        beside.plot(np.cos(angle), np.sin(angle), color=INK, lw=0.8)
        values = points[0].eigenvalues
        beside.scatter(values.real, values.imag, s=9, color=COLOURS[0])
        beside.set_aspect("equal", adjustable="datalim")
        beside.set_xlabel("real part")
        beside.set_ylabel("imaginary part")
        beside.set_title("eigenvalues at the slowest point", fontsize=8)
    return figure


def attention_figure(attention_map: AttentionMap) -> Figure:
    """The input from left to right, the generated tokens from top to bottom; darker cells have
    larger weights."""
    if attention_map.grid is not None:
        columns = min(len(attention_map.tokens), 6)
        rows = -(-len(attention_map.tokens) // columns)
        figure = Figure(figsize=(FIGURE_WIDTH, 1.4 * rows), layout="constrained")
        for axes in (grid := figure.subplots(rows, columns, squeeze=False)).flat:
            axes.axis("off")
        for axes, token, weights in zip(
            grid.flat, visible(attention_map.tokens), attention_map.weights, strict=False
        ):
            axes.imshow(weights.reshape(attention_map.grid), cmap="magma", vmin=0)
            axes.set_title(_plain(token), fontsize=8)
        return figure
    height = min(0.17 * len(attention_map.tokens) + 0.9, 12)
    figure, grid = _panel(height)
    axes = grid[0, 0]
    axes.imshow(
        attention_map.weights, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest"
    )
    axes.set_yticks(
        range(len(attention_map.tokens)), [_plain(token) for token in visible(attention_map.tokens)]
    )
    axes.tick_params("y", length=0, labelsize=7)
    axes.spines[:].set_visible(False)
    _label_steps(axes, attention_map.source)
    return figure


def transition_figure(transitions: Transitions) -> Figure:
    """The transition scores of a CRF, from the tag of the row to the tag of the column; forbidden
    transitions are grey."""
    count = len(transitions.tags)
    size = max(3.4, min(0.3 * count + 1.6, FIGURE_WIDTH), 0.12 * min(count, NAMED_TAGS) + 1.8)
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.subplots()
    finite = np.isfinite(transitions.scores)
    limit = float(np.abs(transitions.scores[finite]).max()) if finite.any() else 1.0
    axes.set_facecolor("#cccccc")
    scores = np.where(finite, transitions.scores, np.nan)
    image = axes.imshow(scores, cmap="RdBu_r", vmin=-limit or -1, vmax=limit or 1)
    shown = range(0, count, -(-count // NAMED_TAGS))
    names = [_plain(transitions.tags[tag]) for tag in shown]
    axes.set_xticks(shown, names, rotation=90, fontsize=7)
    axes.set_yticks(shown, names, fontsize=7)
    axes.set_ylabel("from")
    axes.set_xlabel("to")
    figure.colorbar(image, ax=axes, shrink=0.7)
    return figure


def image_attribution_figure(image: np.ndarray, values: np.ndarray, method: str) -> Figure:
    """An image, and next to it the contribution of each pixel to the prediction: red supports it,
    blue opposes it."""
    figure = Figure(figsize=(FIGURE_WIDTH * 0.8, 2.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        axes.axis("off")
    picture = image[..., 0] if image.ndim == 3 and image.shape[2] not in (3, 4) else image
    left.imshow(picture, cmap="gray", interpolation="nearest")
    limit = float(np.abs(values).max()) or 1.0
    right.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    right.set_title(method, fontsize=9)
    return figure


def attribution_figure(values: np.ndarray, labels: Sequence[str], method: str) -> Figure:
    """One bar per step: its contribution to the prediction."""
    figure, grid = _panel(2.2)
    axes = grid[0, 0]
    colours = [COLOURS[1] if value > 0 else COLOURS[0] for value in values]
    axes.bar(range(len(values)), values, color=colours)
    axes.axhline(0, color=INK, lw=0.6)
    axes.set_ylabel(method, fontsize=8)
    axes.set_xlim(-0.5, len(values) - 0.5)
    _label_steps(axes, labels)
    return figure


def _label_steps(axes: Any, labels: Sequence[str]) -> None:
    """Labels the steps of an axis: all of them if there is room, otherwise some, by number if
    labels occur twice, as those of texts do."""
    numbers = [str(step) for step in range(len(labels))]
    if len(set(labels)) < len(labels) > LABELLED_STEPS:
        labels = numbers
    if list(labels) == numbers:
        axes.set_xlabel("step")
    names = [_plain(label) for label in visible(labels)]
    shown = range(len(names))
    if len(names) > LABELLED_STEPS:
        shown = np.linspace(0, len(names) - 1, 12).astype(int)
    axes.set_xticks(shown, [names[k] for k in shown], fontsize=7 if len(shown) < 50 else 5.5)
    if list(labels) != numbers and max(map(len, names), default=1) > 2:
        axes.tick_params("x", rotation=90)
    axes.tick_params("x", length=0)


def _plain(name: str) -> str:
    """A name for a figure: short, and with `$` escaped, which would start a formula."""
    name = name if len(name) <= 16 else name[:15] + "…"
    return name.replace("$", r"\$")


def _colours() -> Iterator[str]:
    return itertools.cycle(COLOURS)


def _styles() -> Iterator[str]:
    """Line styles; each is for as many lines as there are colours."""
    return itertools.cycle(style for style in ("-", "--", ":") for _ in COLOURS)


def rendered(figure: Figure, form: str = "png") -> bytes:
    """A figure as PNG or SVG."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A character without a glyph is drawn as a box, without a warning.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        add_fallback_fonts(figure)
        with matplotlib.rc_context({"font.size": 9}):
            figure.savefig(buffer, format=form, dpi=150)
    return buffer.getvalue()

"""Draws the pictures of the documentation with the models that come with the package.

    python -m docs.write_pictures [NAME ...] [--sunspots FILE]

The pictures show current predictions of the models. The forecast needs a CSV file of monthly
sunspots, on which it trains the preset `forecaster` first.
"""

import argparse
import csv
import itertools
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import unicodedata
from typing import Any

import keras
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqzoo import zoo
from seqzoo.tasks import PredictionOptions, Run

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "images"

INK, BLUE, RED, GREY = "#222222", "#2f6fa8", "#c8502f", "#8a8a8a"

GLYPHS = "éЖω½⇒ğ§ĳ"

CODE = """def read_lines(path, encoding="utf-8"):
    # Empty lines are skipped.
    with open(path, encoding=encoding) as file:
        return [line for line in file if line.strip()]"""

TAG_COLOURS = {
    "keyword": "#d9e6f5",
    "function": "#d6efd8",
    "builtin": "#efe3f7",
    "name": "#f2f2f2",
    "number": "#fbe6cf",
    "string": "#f9dcd6",
    "comment": "#e6e6dc",
    "operator": "#ffffff",
}

DATE = "Dienstag, 4. Mai 1999"

LANGUAGES = ("pt", "es", "ca", "it", "fr", "ro", "nl", "de", "da", "no", "sv", "fi", "et")

SHOWN_CELLS = ("vanilla", "gated", "irnn", "lstm", "janet", "gru", "lem", "lru")
"""Cells whose gradients are drawn."""

HISTORY, AHEAD = 150, 30
"""Months of history and of forecast that are drawn."""


def captions() -> Figure:
    """Characters in a typeface that the captioner did not see in training, with its captions."""
    from seqzoo.zoo.datasets.glyph_images import draw

    drawn = draw("DejaVu Serif Bold Italic", GLYPHS)
    images = [drawn[character][..., None] for character in GLYPHS]
    predictions = zoo.load("glyph-captioner").predict(images)
    figure = Figure(figsize=(8.4, 4.2), layout="constrained")
    grid = figure.subplots(2, -(-len(images) // 2), squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, character, image, prediction in zip(
        grid.flat, GLYPHS, images, predictions, strict=True
    ):
        axes.imshow(255 - image[..., 0], cmap="gray", vmin=0, vmax=255)
        truth = unicodedata.name(character).lower()
        right = prediction.label == truth
        text = textwrap.fill(prediction.label, 20)
        if not right:
            text += "\n(" + textwrap.fill(truth, 20) + ")"
        axes.set_title(text, y=-0.02, va="top", fontsize=9, color=INK if right else RED)
    return figure


def tags() -> Figure:
    """Python code with the kind of each token, as the highlighter tags it."""
    lines = CODE.split("\n")
    (prediction,) = zoo.load("python-highlighter").predict([CODE + "\n"])
    kinds = iter(prediction.value)
    rows = []
    for line in lines:
        tagged = list(zip(line + "\n", itertools.islice(kinds, len(line) + 1), strict=True))
        groups = itertools.groupby(tagged, key=lambda pair: pair[1])
        rows.append([("".join(item for item, _ in group), kind) for kind, group in groups])
    width = max(sum(_width(word, kind) for word, kind in row) for row in rows)
    figure = Figure(figsize=(0.11 * width + 0.1, 0.62 * len(lines)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(-0.5, width)
    axes.set_ylim(len(lines), 0)
    axes.axis("off")
    for row, words in enumerate(rows):
        x = 0.0
        for word, kind in words:
            if kind != "space":
                _draw_word(axes, x, row + 0.4, word, kind)
            x += _width(word, kind)
    return figure


def _width(word: str, kind: str) -> float:
    """Width of a word with the name of its kind below it, in characters."""
    unnamed = kind in ("space", "operator")
    return max(len(word.strip("\n")), 0 if unnamed else 0.58 * len(kind)) + 0.5


def _draw_word(axes: Axes, x: float, y: float, word: str, kind: str) -> None:
    box = {"facecolor": TAG_COLOURS.get(kind, "#ffffff"), "edgecolor": "none", "pad": 2}
    axes.text(x, y, word, family="DejaVu Sans Mono", fontsize=13, color=INK, va="center", bbox=box)
    if kind != "operator":
        axes.text(x, y + 0.36, kind, fontsize=7.5, color=GREY, va="center")


def attention() -> Figure:
    """The attention of the date normaliser over its input, for each character that it writes."""
    run = zoo.load("date-normaliser")
    (look,) = run.task.looks(run.model, [DATE], ["example 0"], PredictionOptions())
    figure = Figure(figsize=(6.6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(look.weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(look.source)), look.source, fontsize=11)
    axes.set_yticks(range(len(look.tokens)), look.tokens, fontsize=11)
    axes.set_xlabel("input", color=GREY)
    axes.set_ylabel("output", color=GREY)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    return figure


def confusion() -> Figure:
    """The confusion matrix of the test names of some European languages."""
    from seqzoo.zoo import datasets

    builder = datasets.load("languages")
    codes = builder.info.features["language"].names
    english = builder.info.metadata["english_names"]
    names: dict[str, list[str]] = {code: [] for code in LANGUAGES}
    for row in builder.as_dataset("test").as_numpy_iterator():
        if codes[row["language"]] in names:
            names[codes[row["language"]]].append(row["text"].decode())
    run = zoo.load("language-id")
    titles = [*(english[code] for code in LANGUAGES), "other"]
    shares = np.zeros((len(LANGUAGES), len(titles)))
    for row, code in enumerate(LANGUAGES):
        for prediction in run.predict(names[code]):
            column = titles.index(prediction.label) if prediction.label in titles else -1
            shares[row, column] += 1 / len(names[code])
    figure = Figure(figsize=(7.2, 6), layout="constrained")
    axes = figure.add_subplot()
    # Square roots, so that rare confusions show next to the diagonal.
    axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(titles)), titles, rotation=60, ha="right", fontsize=9)
    rows = [f"{english[code]} ({len(names[code])})" for code in LANGUAGES]
    axes.set_yticks(range(len(LANGUAGES)), rows, fontsize=9)
    axes.set_xlabel("predicted", color=GREY)
    axes.set_ylabel("language (test names)", color=GREY)
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.005:
            colour = "white" if share > 0.35 else INK
            axes.text(column, row, f"{share:.0%}", ha="center", va="center", fontsize=8, c=colour)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def forecast(table: pathlib.Path) -> Figure:
    """A forecast of the last two and a half years of sunspots, which training did not see."""
    with open(table, encoding="utf-8", newline="") as file:
        months = np.array([float(row["Sunspots"]) for row in csv.DictReader(file)], np.float32)
    with tempfile.TemporaryDirectory() as folder:
        data, run = pathlib.Path(folder, "sunspots.npz"), pathlib.Path(folder, "run")
        np.savez(data, inputs=months)
        words = ["train", "forecaster", "--data", str(data), "--run", str(run), "--quiet"]
        subprocess.run([sys.executable, str(ROOT / "cli.py"), *words], check=True)
        (prediction,) = Run.open(run).predict([months[-HISTORY - AHEAD : -AHEAD]])
    predicted = np.ravel(prediction.value)[:AHEAD]
    figure = Figure(figsize=(8.4, 3), layout="constrained")
    axes = figure.add_subplot()
    past, future = range(-HISTORY + 1, 1), range(1, AHEAD + 1)
    axes.plot(past, months[-HISTORY - AHEAD : -AHEAD], color=GREY, linewidth=1.2, label="history")
    axes.plot(future, months[-AHEAD:], color=INK, linewidth=1.2, label="observed")
    axes.plot(future, predicted, color=RED, linewidth=2, label="forecast")
    axes.axvline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xlabel("month", color=GREY)
    axes.set_ylabel("sunspots", color=GREY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    return figure


def linear_gradients() -> Figure:
    """Gradients of linear cells whose recurrent weights are rotations times 0.9, 1 and 1.1."""
    from seqzoo.cells import Recurrent, VanillaCell
    from seqzoo.tasks.inspection.gradients import gradient_flow
    from seqzoo.tasks.inspection.trace import trace

    random = np.random.default_rng(0)
    rotation = np.linalg.qr(random.normal(size=(4, 4)))[0]
    inputs = random.normal(size=(1, 60, 4))
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for scale, colour in ((1.1, RED), (1.0, GREY), (0.9, BLUE)):
        cell = VanillaCell(4, activation="linear", use_bias=False, dtype="float64")
        layer = Recurrent(cell, return_sequences=True, dtype="float64")
        layer.build((None, None, 4))
        layer.set_weights([np.eye(4), scale * rotation])
        traced = trace(layer, lambda layer=layer: layer(inputs), _last_square)
        norms = gradient_flow(traced)[0].norms
        axes.semilogy(norms / norms[0], color=colour, label=f"singular values {scale}")
    axes.set_xlabel("steps back")
    axes.set_ylabel("relative gradient norm")
    return _finished(axes)


def _last_square(outputs: Any) -> Any:
    return keras.ops.sum(outputs[:, -1] ** 2) / 2


def spectra() -> Figure:
    """Eigenvalues of recurrent weights with Glorot and with orthogonal initialisation."""
    from seqzoo.cells import VanillaCell
    from seqzoo.tasks.inspection.recurrent_weights import recurrent_spectra

    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    angle = np.linspace(0, 2 * np.pi, 200)
    initializers = ("glorot_uniform", "orthogonal")
    for axes, name in zip(figure.subplots(1, 2), initializers, strict=True):
        keras.utils.set_random_seed(0)
        cell = VanillaCell(64, recurrent_initializer=name)
        cell.build((None, 3))
        values = np.asarray(recurrent_spectra(cell)[0].eigenvalues)
        axes.plot(np.cos(angle), np.sin(angle), color=GREY, lw=0.8)
        axes.scatter(values.real, values.imag, s=9, color=BLUE)
        axes.set_aspect("equal")
        axes.set_title(name.replace("_", " "), fontsize=10, color=INK)
        axes.set_xlabel("real part")
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def cell_gradients() -> Figure:
    """The gradient flow of cells before any training, over 1,000 steps."""
    from seqzoo.tasks.inspection.cell_flow import cell_flows
    from seqzoo.tasks.inspection.figures import cell_flow_figure

    return cell_flow_figure(cell_flows(SHOWN_CELLS))


def adding() -> Figure:
    """Why a vanilla cell fails on the adding problem of 200 steps: its gradients and a GRU's,
    before and after training, and the errors of both as they are trained."""
    from benchmarks import memory
    from benchmarks.measurements import FOLDER as RESULTS

    figure = Figure(figsize=(8.4, 3.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    colours = {"vanilla": RED, "gru": BLUE}
    flows, rows = (
        list(csv.DictReader(next(RESULTS.glob(name)).open()))
        for name in ("adding-gradients-*.csv", "adding-curves-*.csv")
    )
    for cell, colour in colours.items():
        for when, style in (("before", ":"), ("after", "-")):
            selected = [r for r in flows if (r["cell"], r["when"]) == (cell, when)]
            points = [(int(r["back"]), float(r["share"]) or np.nan) for r in selected]
            left.semilogy(
                *zip(*points, strict=True), style, color=colour, label=f"{cell}, {when} training"
            )
    left.set_ylim(1e-12, 1e3)
    left.set_xlabel("steps back")
    left.set_ylabel("relative gradient norm")
    _finished(left)
    for cell, colour in colours.items():
        points = [(int(r["steps"]), float(r["error"])) for r in rows if r["cell"] == cell]
        right.semilogy(*zip(*points, strict=True), color=colour, label=cell)
    right.axhline(1 / 6, color=GREY, lw=0.8, ls=":")
    right.axhline(memory.CURVE_ERROR, color=GREY, lw=0.8, ls=":")
    right.set_xlabel("training steps")
    right.set_ylabel("mean squared error")
    _finished(right)
    return figure


def growth() -> Figure:
    """The time of a training step per unit of work, against steps, batch, units and words."""
    from benchmarks import growth as measured_by
    from benchmarks.measurements import FOLDER as RESULTS
    from benchmarks.measurements import Measurements

    path = next(RESULTS.glob("growth-*.csv"))
    measured = Measurements(path, ("axis", "series", "size"))
    figure = Figure(figsize=(8.4, 5.4), layout="constrained")
    lines = {"LSTM": (measured_by.LAYER, BLUE), "products alone": (measured_by.PRODUCTS, GREY)}
    grid = figure.subplots(2, 2)
    for axes, (axis, title) in zip(grid.flat, measured_by.HEADS.items(), strict=False):
        for label, (series, colour) in lines.items():
            times = measured_by.series_of(measured, axis, series)
            _draw_growth(axes, measured_by.relative(axis, times), label, colour)
        _finish_growth(axes, title)
    whole = measured_by.series_of(measured, "vocabulary", f"{measured_by.MODELS[0]}, dense")
    bare = measured_by.series_of(measured, "vocabulary", measured_by.PRODUCTS)
    curves = {
        "language model": (whole, BLUE),
        "its output layer": (measured_by.output_layer(measured), RED),
        "products alone": (bare, GREY),
    }
    for label, (times, colour) in curves.items():
        _draw_growth(grid[1, 1], measured_by.relative("vocabulary", times), label, colour)
    _finish_growth(grid[1, 1], "words in the vocabulary")
    return figure


def _draw_growth(axes: Axes, points: dict[int, float], label: str, colour: str) -> None:
    axes.loglog(*zip(*points.items(), strict=True), marker="o", ms=4, color=colour, label=label)


def _finish_growth(axes: Axes, title: str) -> None:
    axes.axhspan(1, 1.1, color=GREY, alpha=0.2, lw=0)
    axes.set_ylim(0.9, 7)
    axes.set_yticks([1, 2, 5], ["1", "2", "5"])
    axes.minorticks_off()
    axes.set_xlabel(title)
    axes.set_ylabel("time per unit, relative", color=GREY)
    _finished(axes)


def _finished(axes: Axes) -> Figure:
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    return axes.figure  # pyright: ignore[reportReturnType]


PICTURES = {
    "linear-gradients": linear_gradients,
    "spectra": spectra,
    "cell-gradients": cell_gradients,
    "adding": adding,
    "growth": growth,
    "captions": captions,
    "tags": tags,
    "attention": attention,
    "confusion": confusion,
    "forecast": forecast,
}


def main() -> None:
    """Draws the pictures that are requested."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *PICTURES], help="all by default")
    parser.add_argument("--sunspots", type=pathlib.Path, help="CSV file with a column Sunspots")
    given = parser.parse_args()
    for name in given.names or PICTURES:
        if name == "forecast" and given.sunspots is None:
            print("forecast.png is left as it is; to draw it, name a file with --sunspots")
            continue
        figure = forecast(given.sunspots) if name == "forecast" else PICTURES[name]()
        with matplotlib.rc_context({"font.size": 10}):
            # Without matplotlib's version, so that identical pictures give identical files.
            figure.savefig(FOLDER / f"{name}.png", dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()

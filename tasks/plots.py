"""Plots of a training run and of an evaluation, as PNG files."""

import pathlib
import textwrap
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqzoo.tasks.atomic_files import replacing

NUMBERED = 30
"""Maximum number of classes for which a confusion matrix has names and numbers."""

MAX_CONFUSIONS = 25
"""Maximum number of confusions listed next to a matrix that is too large for names."""

PLOTTED_STEPS = 40
"""Maximum number of steps of an input or an output in an attention plot."""

LOOKS = 24
"""Maximum number of pictures in an attention plot of an image, the image itself included."""

FALLBACK_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "IPAexGothic",
    "Hiragino Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Malgun Gothic",
)
"""Fonts for Chinese, Japanese and Korean characters, which matplotlib's own font does not have."""

INK = "#222222"
TRAINING, VALIDATION = "#4878a8", "#d1603d"


def plot_history(folder: pathlib.Path, rows: list[dict[str, Any]], metric: str) -> None:
    """Writes loss.png and a plot of the metric, for training and validation."""
    if not rows:
        return
    for name in ("loss", metric):
        figure = _figure(figsize=(7, 4.2), layout="constrained")
        axes = figure.add_subplot()
        epochs = [row["epoch"] for row in rows]
        keys = [key for key in (name, f"validation_{name}") if key in rows[0]]
        highest = max(keys, key=lambda key: rows[-1][key], default=None)
        for key in keys:
            label, colour = ("training", TRAINING) if key == name else ("validation", VALIDATION)
            values = [row[key] for row in rows]
            axes.plot(epochs, values, color=colour, marker="o", markersize=3, label=label)
            # One above its point and one below, so that they do not overlap.
            side = "bottom" if key == highest else "top"
            axes.annotate(f" {values[-1]:.4g}", (epochs[-1], values[-1]), color=colour, va=side)
        axes.set_xlabel("epoch")
        axes.set_ylabel(name.replace("_", " "))
        axes.xaxis.set_major_locator(_whole_numbers())
        axes.margins(x=0.08)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        save(figure, folder / f"{name}.png")


def plot_confusion(path: pathlib.Path, metrics: dict[str, Any]) -> None:
    """Draws the confusion matrix of `ClassTargets.compute_metrics`.

    With few classes, the matrix has names and counts; with many, it has neither, and the most
    frequent confusions are listed by name.
    """
    matrix = np.array(metrics["confusion"])
    names = [_plain(row["label"]) for row in metrics["classes"]]
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    small = len(names) <= NUMBERED
    size = max(4.5, 0.42 * len(names) + 2) if small else 7.5
    figure = _figure(figsize=(size if small else 13.5, size), layout="constrained")
    widths = (1,) if small else (3, 2)
    grid = figure.subplots(1, len(widths), squeeze=False, width_ratios=widths)
    axes = grid[0, 0]
    # Square roots, so that rare confusions are visible next to the diagonal.
    axes.imshow(np.sqrt(share), cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    total, correct = matrix.sum(), np.trace(matrix)
    title = f"{correct / total:.1%} of {total} correct"
    if small:
        _name_and_number(axes, matrix, share, names)
    else:
        title += (
            f", {len(names)} classes in the order of per_class.csv;\n"
            "darker: a larger fraction of the row"
        )
        _list_confusions(grid[0, 1], metrics)
    axes.set_title(title, fontsize=10, color=INK)
    save(figure, path)


def plot_reliability(path: pathlib.Path, calibration: dict[str, Any]) -> None:
    """Draws accuracy against mean probability; calibrated predictions lie on the diagonal.

    Args:
        path: the path of the PNG file.
        calibration: "error" and "reliability"; for a calibrated model, also "before", the same
            entries before calibration.
    """
    figure = _figure(figsize=(4.8, 4.8), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":")
    for label, item, colour in (
        ("before temperature scaling", calibration.get("before"), VALIDATION),
        ("predictions", calibration, TRAINING),
    ):
        if item is None:
            continue
        rows = item["reliability"]
        points = [[row[key] for row in rows] for key in ("probability", "accuracy")]
        shares = np.array([row["predictions"] for row in rows], float)
        axes.plot(*points, color=colour, linewidth=1)
        axes.scatter(*points, s=8 + 120 * np.sqrt(shares / shares.sum()), color=colour)
        text = f"{label}, calibration error {item['error']:.3f}"
        axes.plot([], color=colour, marker="o", label=text)
    axes.set_xlabel("mean probability of the prediction")
    axes.set_ylabel("accuracy")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left", fontsize=8)
    save(figure, path)


def plot_captions(
    path: pathlib.Path, images: np.ndarray, captions: Sequence[str], truths: Sequence[str]
) -> None:
    """Draws images with their captions below, and the true caption below a wrong one.

    Args:
        path: the path of the PNG file.
        images: (n, height, width) or (n, height, width, channels), bytes.
        captions: the predicted captions.
        truths: the true captions.
    """
    columns = min(len(images), 6)
    rows = -(-len(images) // columns)
    figure = _figure(figsize=(2.1 * columns, 2.5 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, image, caption, true in zip(grid.flat, images, captions, truths, strict=False):
        _show(axes, image)
        wrong = "" if caption == true else f"\n[{_wrapped(true)}]"
        colour = VALIDATION if wrong else INK
        text = _wrapped(caption) + wrong
        axes.text(0.5, -0.04, text, transform=axes.transAxes, ha="center", va="top", fontsize=7)
        axes.texts[-1].set_color(colour)
    save(figure, path)


def plot_attention(
    path: pathlib.Path, image: np.ndarray, tokens: Sequence[str], maps: np.ndarray
) -> None:
    """Draws the attention over an image for each generated token; brighter positions have larger
    weights.

    Args:
        path: the path of the PNG file.
        image: (height, width) or (height, width, channels), bytes.
        tokens: the tokens of the caption.
        maps: attention weights, (tokens, rows, columns).
    """
    tokens = tokens[: LOOKS - 1]
    columns = min(len(tokens) + 1, 6)
    rows = -(-(len(tokens) + 1) // columns)
    figure = _figure(figsize=(2 * columns, 2.2 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    _show(grid.flat[0], image)
    height, width = image.shape[:2]
    for axes, token, weights in zip(list(grid.flat)[1:], tokens, maps, strict=False):
        _show(axes, image)
        axes.imshow(
            weights,
            cmap="magma",
            alpha=0.65,
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
            interpolation="nearest",
            vmin=0,
        )
        axes.set_title(_plain(token), fontsize=9, color=INK)
    save(figure, path)


class Look(NamedTuple):
    """The attention of a model while it generated a text.

    Attributes:
        source: names of the steps of the input.
        tokens: the tokens of the text.
        weights: the attention weights, (tokens, steps).
    """

    source: Sequence[str]
    tokens: Sequence[str]
    weights: np.ndarray


def plot_looks(path: pathlib.Path, looks: Sequence[Look]) -> None:
    """Draws attention: one panel per text, with the steps of the input from left to right and the
    tokens of the output from top to bottom; darker cells have larger weights. Long texts are
    truncated."""
    columns = min(len(looks), 3)
    rows = -(-len(looks) // columns)
    steps = min(max(len(look.source) for look in looks), PLOTTED_STEPS)
    tokens = min(max(len(look.tokens) for look in looks), PLOTTED_STEPS)
    longest = max((len(_plain(name)) for look in looks for name in look.source), default=0)
    height = 0.19 * tokens + max(0.07 * longest + 0.4, 1.2)
    size = (columns * (0.19 * steps + 1.4), rows * height)
    figure = _figure(figsize=size, layout="compressed")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, look in zip(grid.flat, looks, strict=False):
        if not look.weights.size:
            axes.set_title("(nothing)", fontsize=9, color=INK)
            continue
        axes.axis("on")
        weights = look.weights[:PLOTTED_STEPS, :PLOTTED_STEPS]
        axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
        for axis, names in ((axes.xaxis, look.source), (axes.yaxis, look.tokens)):
            names = [_visible(_plain(name)) for name in names[:PLOTTED_STEPS]]
            axis.set_ticks(range(len(names)), names, fontsize=7)
        if max(map(len, look.source[:PLOTTED_STEPS])) > 1:
            axes.tick_params("x", rotation=90)
        axes.tick_params(length=0)
        axes.xaxis.tick_top()
        axes.spines[:].set_visible(False)
    save(figure, path)


def _visible(name: str) -> str:
    """A name; if it consists of spaces only, visible characters in their place."""
    return name if name.strip() else "␣" * max(len(name), 1)


def _show(axes: Any, image: np.ndarray) -> None:
    if image.ndim == 3 and image.shape[2] not in (3, 4):
        image = image[..., 0]
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")


def _wrapped(text: str) -> str:
    """A caption wrapped to the width of an image."""
    return "\n".join(line.replace("$", r"\$") for line in textwrap.wrap(text, 26)) or "(nothing)"


def _name_and_number(axes: Any, matrix: np.ndarray, share: np.ndarray, names: list[str]) -> None:
    ticks = range(len(names))
    axes.set_xticks(ticks, names, rotation=90, fontsize=8)
    axes.set_yticks(ticks, names, fontsize=8)
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            colour = "white" if share[row, column] > 0.35 else INK
            axes.text(column, row, count, ha="center", va="center", fontsize=7, color=colour)


def _list_confusions(axes: Any, metrics: dict[str, Any]) -> None:
    sizes = {row["label"]: row["examples"] for row in metrics["classes"]}
    top = metrics["confusions"][:MAX_CONFUSIONS]
    if not top:
        axes.axis("off")
        axes.set_title("no confusions", fontsize=10, color=INK)
        return
    labels = [f"{_plain(row['label'])} → {_plain(row['answered'])}" for row in top]
    counts = [row["count"] for row in top]
    axes.barh(range(len(top)), counts, color=VALIDATION, height=0.7)
    for index, row in enumerate(top):
        text = f" {row['count']} ({row['count'] / sizes[row['label']]:.0%})"
        axes.text(row["count"], index, text, va="center", fontsize=8, color=INK)
    axes.set_yticks(range(len(top)), labels, fontsize=8)
    axes.set_ylim(max(len(top), 8) - 0.5, -0.5)
    axes.margins(x=0.2)
    axes.xaxis.set_major_locator(_whole_numbers())
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("true → predicted: count (share of the class)", fontsize=10, color=INK)


def _whole_numbers() -> Any:
    """A locator of ticks at whole numbers."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True, min_n_ticks=1)


def _plain(name: str) -> str:
    """A name for a plot: shortened, and with `$` escaped, which marks formulas in matplotlib."""
    name = name if len(name) <= 24 else name[:23] + "…"
    return name.replace("$", r"\$")


def _figure(**options: Any) -> Any:
    """A `matplotlib.figure.Figure`; imported here, because the import takes longer than a
    prediction."""
    from matplotlib.figure import Figure

    return Figure(**options)


def add_fallback_fonts(figure: Any) -> None:
    """Lets the texts of a figure take characters that their font lacks from those of
    `FALLBACK_FONTS` that are installed."""
    from matplotlib.font_manager import fontManager
    from matplotlib.text import Text

    installed = {font.name for font in fontManager.ttflist}
    fallbacks = [name for name in FALLBACK_FONTS if name in installed]
    for text in figure.findobj(Text):
        text.set_fontfamily(list(dict.fromkeys([*text.get_fontfamily(), *fallbacks])))


def save(figure: Any, path: pathlib.Path) -> None:
    """Writes a figure as a PNG file."""
    # Characters without a glyph are drawn as boxes, without a warning for each plot.
    with warnings.catch_warnings(), replacing(path) as temporary:
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        warnings.filterwarnings("ignore", message='Creating legend with loc="best" can be slow')
        import matplotlib

        add_fallback_fonts(figure)
        with matplotlib.rc_context({"font.size": 9}):
            figure.savefig(temporary, dpi=120)

"""Attention as text for a terminal, as JSON, and as a PNG or HTML file."""

import base64
import html
import pathlib
from typing import Any

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.runs.interlinear import columns
from seqzoo.zoo.output import one_line

SHADES = " ░▒▓█"

MAX_DRAWN = 100
"""Maximum number of steps of an input that is drawn; for longer inputs the steps with the largest
weights are listed."""

ATTENDED_STEPS = 3
"""Number of steps that are listed if the input is not drawn."""


def check_attention(run: Any) -> None:
    """Checks that the model of a run has attention.

    Raises:
        SeqzooError: it has none.
    """
    from seqzoo.tasks.inspection.attention import check_attention as check

    check(run)


def as_json(attention_map: Any) -> dict[str, Any]:
    """An `AttentionMap`, JSON-serialisable; weights are rounded to four decimals."""
    results = {"source": list(attention_map.source), "tokens": list(attention_map.tokens)}
    if attention_map.grid is not None:
        results["grid"] = list(attention_map.grid)
    return results | {"weights": attention_map.weights.round(4).tolist()}


def as_text(attention_map: Any) -> str:
    """An `AttentionMap` as lines, one per token of the output: shades below the characters of the
    input, or the names of the words, frames or positions with the largest weights."""
    from seqzoo.tasks.inspection.subject import visible

    source, tokens = visible(attention_map.source), visible(attention_map.tokens)
    margin = max(map(columns, tokens), default=0)
    heads = [token + " " * (margin - columns(token)) for token in tokens]
    if (
        attention_map.grid is None
        and len(source) <= MAX_DRAWN
        and all(len(label) == 1 for label in source)
    ):
        lines = [f"{'':{margin}}  {''.join(source)}"]
        for head, weights in zip(heads, attention_map.weights, strict=True):
            shades = "".join(
                SHADES[min(int(weight * len(SHADES)), 4)] * columns(label)
                for label, weight in zip(source, weights, strict=True)
            )
            lines.append(f"{head}  {shades}".rstrip())
        return "\n".join(lines)
    lines = []
    for head, weights in zip(heads, attention_map.weights, strict=True):
        order = (-weights).argsort(kind="stable")[:ATTENDED_STEPS]
        named = ", ".join(f"{one_line(source[k])} {weights[k]:.2f}" for k in order)
        lines.append(f"{head}  {named}")
    return "\n".join(lines)


class AttentionOutput:
    """Collects attention maps, and draws them to a file at the end.

    Args:
        path: the path of a .png or .html file; None for no file.

    Raises:
        SeqzooError: the file has another extension.
    """

    def __init__(self, path: str | None = None):
        self.path = None if path is None else pathlib.Path(path).expanduser()
        self._maps: list[Any] = []
        if self.path is not None and self.path.suffix not in (".png", ".html"):
            raise SeqzooError(f"--attention-file must end in .png or .html, got {path!r}.")

    def keep(self, attention_map: Any) -> None:
        """Adds an `AttentionMap`."""
        if self.path is not None:
            self._maps.append(attention_map)

    def write(self) -> None:
        """Draws all collected maps.

        Raises:
            SeqzooError: the file cannot be written.
        """
        if self.path is None or not self._maps:
            return
        from seqzoo.tasks.atomic_files import replacing, write_text
        from seqzoo.tasks.inspection.figures import attention_figure, rendered

        # An empty text has no attention.
        images = [
            rendered(attention_figure(item)) if item.weights.size else None for item in self._maps
        ]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.suffix == ".png":
            for number, image in enumerate(images, 1):
                if image is None:
                    continue
                name = f"{self.path.stem}-{number}.png" if len(images) > 1 else self.path.name
                with replacing(self.path.with_name(name)) as temporary:
                    temporary.write_bytes(image)
            return
        parts = [
            f"<h2>{html.escape(item.answer)}</h2>{_picture(image)}"
            for item, image in zip(self._maps, images, strict=True)
        ]
        write_text(self.path, PAGE.replace("{parts}", "\n".join(parts)))


def _picture(image: bytes | None) -> str:
    if image is None:
        return "<p>The text is empty.</p>"
    return f'<img alt="attention" src="data:image/png;base64,{base64.b64encode(image).decode()}">'


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Attention</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #222; margin: 24px auto; max-width: 860px;
  padding: 0 16px; }
h2 { font-size: 1.1rem; margin: 24px 0 4px; overflow-wrap: anywhere; }
img { height: auto; max-width: 100%; }
</style>
</head>
<body>
<p>The input runs from left to right, the output from top to bottom; darker cells have more weight.
For an image, there is one picture per token, in which brighter cells have more weight.</p>
{parts}
</body>
</html>
"""

"""Exports a run's model, and explains how to load and call it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.export.formats import check_choices, check_installed
from seqzoo.tasks.kinds import FORECAST, TEXTS
from seqzoo.tasks.printable import quoted_path
from seqzoo.zoo.data.source import Source
from seqzoo.zoo.inference.open_run import open_run
from seqzoo.zoo.inference.options import check_top, prediction_options


def export(
    folder: str,
    target: str,
    top: int | None,
    decoding: dict[str, Any],
    device: str | None = None,
    *,
    format: str = "saved-model",
    precision: str = "float32",
    steps: int | None = None,
    signatures: Sequence[str] = (),
) -> str:
    """Exports a run's model.

    Args:
        folder: the folder of the run.
        target: folder to write.
        top: predictions per input; None for 5 labels, or 1 text.
        decoding: settings of `Decoding` that were given.
        device: see `seqzoo.zoo.devices.choose`.
        format: key of `seqzoo.tasks.export.formats.FORMATS`.
        precision: the precision of the weights.
        steps: fixed number of time steps; None for any.
        signatures: additional signatures of a SavedModel.

    Returns: a text that says how to load the export.

    Raises:
        SeqzooError: the run does not exist, the target exists, or the format cannot represent the
            model.
    """
    # Checked before TensorFlow is imported, which takes seconds.
    check_choices(format, precision, steps, signatures)
    check_installed(format)
    run = open_run(folder, device)
    check_top(run.template, top or 1)
    report = run.export(
        target,
        prediction_options(run, top, decoding),
        format=format,
        precision=precision,
        steps=steps,
        examples=_held_out(run),
        signatures=signatures,
    )
    if format == "keras":
        return (
            f"{target} contains Keras' own layers:\n"
            f"  model = keras.saving.load_model({f'{target}/model.keras'!r})"
        )
    if format != "saved-model":
        return _without_tensorflow(target, report, run.template)
    note = ""
    if run.template.input in TEXTS and not getattr(run.template, "further_inputs", None):
        raw = 'tf.constant(["a text"])'
        if run.template.input == "words" and run.template.target == "tags":
            raw = 'tf.constant(["Words , joined by spaces ."])'
            note = "\nwith tokenised sentences: the graph splits them at spaces only."
    else:  # by name, because TensorFlow takes only one input without a name
        specs = run.task.signature
        raw = ", ".join(f"{spec.name}=tf.constant({spec.name})" for spec in specs)
        note = f"\nwith {', '.join(map(_described, specs))}, one row per input."
    return (
        f"{target} runs in any program that has TensorFlow:\n"
        f"  model = tf.saved_model.load({target!r})\n"
        f"  model.signatures['serving_default']({raw}){note}"
    )


def _without_tensorflow(target: str, report: dict[str, Any], template: Any) -> str:
    kind = template.input
    files = {"audio": "FILE.wav ...", "class": "CLASS ...", "history": "FILE.json ..."}
    given = files.get(kind, "TEXT ..." if kind in TEXTS else "FILE.npy ...")
    sizes = [
        f"  {name}  {size / 1e6:.2f} MB"
        for name, size in report["files"].items()
        if name.endswith((".onnx", ".tflite"))
    ]
    checked = ""
    if "difference" in report:
        checked = f"; its outputs differ from the model's by at most {report['difference']:.0e}"
        checked += ", relative to the largest value"
    usage = f"python {quoted_path(f'{target}/predict.py')} {given}"
    if (kind, template.target) == ("notes", "next"):  # which predict.py does not draw
        usage = (
            "from predict import Model  # the probabilities of the notes after each step:\n"
            '  model = Model(); model.run("serving", **model.tensors([frames]))'
        )
    return "\n".join(
        [
            f"{target} runs without TensorFlow{checked}:",
            *sizes,
            f"  {usage}",
        ]
    )


LONGEST = 400
"""Number of characters, words or steps of the examples that an export is checked with."""

CUT = (str, list, tuple, np.ndarray)
"""Types of inputs that are cut to `LONGEST`."""


def _held_out(run: Any) -> list[Any]:
    """A few inputs of the run's test split; none if its data are not available."""
    from seqzoo.zoo.data.open import open_examples

    try:
        examples = open_examples(Source.of_run(run), "test")
    except (SeqzooError, OSError):
        return []
    inputs = [examples.inputs[index] for index in examples.spread(8)]
    if run.template.name == FORECAST:  # which needs covariates of the future
        horizon = run.template.horizon
        hidden = [history.without_last(horizon) for history in inputs]
        return [history for history in hidden if len(history) == history.end + horizon]
    if run.template.input in (*TEXTS, "series"):
        # An export is checked step by step, which would take minutes for a whole file of text.
        return [item[:LONGEST] if isinstance(item, CUT) else item for item in inputs]
    return inputs


def _described(spec: Any) -> str:
    """A tensor as text: "values of shape (n, ?, 3), float32"."""
    axes = ["n", *("?" if size is None else str(size) for size in spec.shape[1:])]
    shape = ", ".join(axes) if len(axes) > 1 else "n,"
    return f"{spec.name} of shape ({shape}), {spec.dtype.name}"

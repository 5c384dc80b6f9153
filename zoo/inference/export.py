"""Exports a run's model, and says how the SavedModel is loaded and called."""

from typing import Any

from seqzoo.tasks.kinds import TEXTS
from seqzoo.zoo.inference.open_run import open_run
from seqzoo.zoo.inference.options import answer_options


def export(
    folder: str,
    target: str,
    top: int | None,
    decoding: dict[str, Any],
    device: str | None = None,
) -> str:
    """Exports a run's model.

    Args:
        folder: of the run.
        target: folder to write.
        top: predictions per input; None for 5 labels, or 1 text.
        decoding: settings of `Decoding` that were given.
        device: see `seqzoo.zoo.devices.choose`.

    Returns: how to load it, for a person.

    Raises:
        SeqzooError: the run does not exist, or the target exists.
    """
    run = open_run(folder, device)
    run.export(target, answer_options(run, top, decoding))
    note = ""
    if run.template.input in TEXTS:
        raw = 'tf.constant(["a text"])'
    else:  # by name, without which TensorFlow takes no more than one
        specs = run.task.signature
        raw = ", ".join(f"{spec.name}=tf.constant({spec.name})" for spec in specs)
        note = f"\nwith {', '.join(map(_described, specs))}, one row per input."
    return (
        f"{target} runs in any program that has TensorFlow:\n"
        f"  model = tf.saved_model.load({target!r})\n"
        f"  model.signatures['serving_default']({raw}){note}"
    )


def _described(spec: Any) -> str:
    """ "values of shape (n, ?, 3), float32"."""
    axes = ["n", *("?" if size is None else str(size) for size in spec.shape[1:])]
    shape = ", ".join(axes) if len(axes) > 1 else "n,"
    return f"{spec.name} of shape ({shape}), {spec.dtype.name}"

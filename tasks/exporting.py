"""A trained model as a SavedModel that needs nothing of ours."""

import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks.base import AnswerOptions, Prepared
from seqzoo.tasks.files import creating


def export(
    prepared: Prepared, model: Any, folder: str | os.PathLike, options: AnswerOptions
) -> None:
    """Writes a SavedModel whose "serving_default" takes raw examples and returns answers.

    Each of `Prepared.entrances` is a signature of its own.

    Args:
        prepared: the template the model belongs to.
        model: the trained model.
        folder: to write; it must not hold anything yet.
        options: how it is asked.

    Raises:
        SeqzooError: the folder exists, or cannot be made.
    """

    def concrete(specs: list, enter: Callable[..., tuple]) -> Any:
        def answer(**raw: Any) -> dict[str, Any]:
            inputs = enter(*(raw[spec.name] for spec in specs))
            return prepared.respond(model, inputs, options)

        served = tf.function(answer, autograph=False)
        return served.get_concrete_function(**{spec.name: spec for spec in specs})

    with creating(folder) as temporary, seqzoo.cells.portable():
        signatures = {"serving_default": concrete(prepared.signature, lambda *raw: raw)}
        signatures |= {name: concrete(*own) for name, own in prepared.entrances.items()}
        module = tf.Module()
        # Only what a module tracks is written with it.
        module.weights = [variable.value for variable in model.variables]
        module.tables = [vocabulary.table for vocabulary in prepared.vocabularies.values()]
        tf.saved_model.save(module, str(temporary), signatures=signatures)

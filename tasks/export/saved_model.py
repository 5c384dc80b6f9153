"""A trained model as a SavedModel that needs nothing of ours."""

import os
from typing import Any

import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks.atomic_files import creating
from seqzoo.tasks.base import AnswerOptions, Prepared


def export(
    prepared: Prepared, model: Any, folder: str | os.PathLike, options: AnswerOptions
) -> None:
    """Writes a SavedModel whose "serving_default" takes raw examples and returns answers, and that
    has all `Prepared.signatures` besides.

    Args:
        prepared: the template the model belongs to.
        model: the trained model.
        folder: to write; it must not hold anything yet.
        options: how it is asked.

    Raises:
        SeqzooError: the folder exists, or cannot be made.
    """
    names = [spec.name for spec in prepared.signature]

    def answer(**raw: Any) -> dict[str, Any]:
        return prepared.respond(model, tuple(raw[name] for name in names), options)

    ways = {"serving_default": (answer, prepared.signature), **prepared.signatures(model, options)}
    with creating(folder) as temporary, seqzoo.cells.portable():
        module = tf.Module()
        # Only what a module tracks is written with it.
        module.weights = [variable.value for variable in model.variables]
        module.tables = [vocabulary.table for vocabulary in prepared.vocabularies.values()]
        module.served, concrete = {}, {}
        for name, (way, specs) in ways.items():
            served = tf.function(way, autograph=False)
            module.served[name] = served
            concrete[name] = served.get_concrete_function(**{spec.name: spec for spec in specs})
        tf.saved_model.save(module, str(temporary), signatures=concrete)

"""Exports a trained model as a SavedModel that only needs TensorFlow."""

import os
from typing import Any

import tensorflow as tf

import seqzoo.cells
from seqzoo.cells.engine.portability import unportable_operations
from seqzoo.tasks.atomic_files import creating
from seqzoo.tasks.base import AnswerOptions, Task
from seqzoo.tasks.errors import SeqzooError


def export(task: Task, model: Any, folder: str | os.PathLike, options: AnswerOptions) -> None:
    """Writes a SavedModel whose "serving_default" takes raw inputs and returns predictions, with
    all `Task.signatures`.

    Args:
        task: the task of the model.
        model: the trained model.
        folder: the folder to write; it must not have any contents.
        options: the options of the predictions.

    Raises:
        SeqzooError: the folder exists, or cannot be created; or a graph would only run in this
            process, because a function in it was traced before.
    """
    names = [spec.name for spec in task.signature]

    def answer(**raw: Any) -> dict[str, Any]:
        return task.respond(model, tuple(raw[name] for name in names), options)

    ways = {"serving_default": (answer, task.signature), **task.signatures(model, options)}
    with creating(folder) as temporary, seqzoo.cells.portable():
        module = tf.Module()
        # Only objects that a module tracks are saved with it.
        module.weights = [variable.value for variable in model.variables]
        module.tables = [vocabulary.table for vocabulary in task.vocabularies.values()]
        module.served, concrete = {}, {}
        for name, (way, specs) in ways.items():
            served = tf.function(way, autograph=False)
            module.served[name] = served
            concrete[name] = served.get_concrete_function(**{spec.name: spec for spec in specs})
            _check(name, concrete[name])
        tf.saved_model.save(module, str(temporary), signatures=concrete)


def _check(name: str, function: Any) -> None:
    """Refuses a graph that would not load and run wherever TensorFlow runs."""
    if found := unportable_operations(function.graph.as_graph_def()):
        raise SeqzooError(
            f"The graph of {name!r} cannot be served: it holds {', '.join(sorted(found))}, which "
            "runs in this process alone; trace every `tf.function` that it calls within "
            "`seqzoo.cells.portable()`."
        )

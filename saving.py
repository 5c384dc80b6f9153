"""Lets Keras load files of `seqzoo.tasks.keras_model` after `import seqzoo`, which imports neither
Keras nor TensorFlow."""

import importlib.abc
import importlib.util
import sys
from importlib import import_module
from typing import Any

NAME = "seqzoo>TaskModel"
"""The registered name of the class, which saved models have; it must not change."""


class TaskModel:
    """Takes the place of `seqzoo.tasks.task_model.TaskModel` until a file needs it."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A model from the configuration in a file."""
        return import_module("seqzoo.tasks.task_model").TaskModel.from_config(config)


def register() -> None:
    """Registers the class with Keras, whenever that is imported."""
    if "keras" in sys.modules:
        _add(sys.modules["keras"])
    else:
        sys.meta_path.insert(0, _Finder())


def _add(keras: Any) -> None:
    keras.saving.get_custom_objects().setdefault(NAME, TaskModel)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds nothing itself, but registers the class behind the import of Keras."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module: Any) -> None:
                run(module)
                _add(module)

            spec.loader.exec_module = exec_module
        return spec

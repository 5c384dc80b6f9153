"""A part of a model that LiteRT runs."""

import pathlib
from typing import Any

import numpy as np


class LiteRTPart:
    """A part that LiteRT runs, one example at a time. If it was exported for a fixed number of
    steps, inputs are padded to that number.

    Args:
        path: the path of the .tflite file.
        about: the part in model.json.
        threads: number of threads.
    """

    def __init__(self, path: pathlib.Path, about: dict[str, Any], threads: int):
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter = Interpreter(model_path=str(path), num_threads=threads)
        self.runner = self.interpreter.get_signature_runner()
        self.inputs = {spec["name"]: spec for spec in about["inputs"]}
        self.steps = about["time"]
        self.timed = about["timed"]

    def __call__(self, tensors: dict[str, Any]) -> dict[str, Any]:
        """Arrays by name -> results by name."""
        count = len(next(iter(tensors.values())))
        results = [
            self.one_example({name: array[n : n + 1] for name, array in tensors.items()})
            for n in range(count)
        ]
        return {name: np.concatenate([item[name] for item in results]) for name in results[0]}

    def one_example(self, tensors: dict[str, Any]) -> dict[str, Any]:
        """Arrays with a single row, by name -> results by name."""
        arguments, time = {}, None
        for name, array in tensors.items():
            spec = self.inputs[name]
            array = np.asarray(array, spec["dtype"])
            if self.steps and len(spec["shape"]) > 1 and spec["shape"][1] is None:
                time = array.shape[1]
                if time > self.steps:
                    raise ValueError(
                        f"This model was exported for {self.steps} steps, but {name!r} has {time}."
                    )
                missing = self.steps - time
                array = np.pad(array, [(0, 0), (0, missing)] + [(0, 0)] * (array.ndim - 2))
            arguments[name] = array
        results = self.runner(**arguments)
        if time is None:
            return results
        return {
            name: array[:, :time] if name in self.timed else array
            for name, array in results.items()
        }

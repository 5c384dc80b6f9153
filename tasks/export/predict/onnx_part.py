"""A part of a model that onnxruntime runs."""

import pathlib
from typing import Any

import numpy as np


class OnnxPart:
    """A part that onnxruntime runs.

    Args:
        path: the path of the .onnx file.
        about: the part in model.json.
        threads: number of threads.
    """

    def __init__(self, path: pathlib.Path, about: dict[str, Any], threads: int):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # errors are raised, so they need not be logged
        self.session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.inputs = {spec["name"]: np.dtype(spec["dtype"]) for spec in about["inputs"]}
        self.outputs = [output.name for output in self.session.get_outputs()]

    def __call__(self, tensors: dict[str, Any]) -> dict[str, Any]:
        """Arrays by name -> results by name."""
        feeds = {name: np.asarray(array, self.inputs[name]) for name, array in tensors.items()}
        return dict(zip(self.outputs, self.session.run(self.outputs, feeds), strict=True))

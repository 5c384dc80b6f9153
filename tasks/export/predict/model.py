"""The `Model` of predict.py, from raw inputs to predictions."""

import hashlib
import json
import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np


def check_file(path: pathlib.Path, expected: str | None) -> None:
    """Raises a ValueError for a file whose digest differs from the one in model.json."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if expected is not None and digest.hexdigest() != expected:  # older exports have none
        raise ValueError(
            f"{path.name} is not the file that model.json describes; keep the files of an export "
            "together"
        )


class BaseModel:
    """An exported model.

    Args:
        folder: the folder that contains model.json; by default that of this file.
        threads: number of threads of the runtime. More than one rarely helps: the matrix products
            of a time step are small, and threads would wait for each other at every step.

    Attributes:
        about: the contents of model.json.
        input: "input" of model.json.
        answer: "answer" of model.json.
        names: the names of the parts.
        reader: reads raw inputs.
    """

    part_type: Any
    reader_type: Any
    answers_type: Any = None  # None if only `run` gives their values

    def __init__(self, folder: str | pathlib.Path | None = None, threads: int = 1):
        self.folder = pathlib.Path(folder or pathlib.Path(__file__).parent)
        self.about = json.loads((self.folder / "model.json").read_text(encoding="utf-8"))
        self.names = tuple(self.about["parts"])
        self.parts = {}
        for name, part in self.about["parts"].items():
            # Only files in this folder, whatever paths an untrusted model.json contains.
            path = self.folder / pathlib.Path(part["file"]).name
            self.parts[name] = self.part_type(path, part, threads)
            check_file(path, part.get("sha256"))
        self.input, self.answer = self.about["input"], self.about["answer"]
        self.reader = self.reader_type(self.input)

    def run(self, name: str, **tensors: Any) -> dict[str, Any]:
        """Runs the part `name`: arrays by name -> results by name."""
        return self.parts[name](tensors)

    def initial_states(self, batch: int = 1) -> dict[str, np.ndarray]:
        """The states before the first step, zeros, by name."""
        part = self.about["parts"]["step"]
        return {
            spec["name"]: np.zeros([batch, *spec["shape"][1:]], spec["dtype"])
            for spec in part["inputs"]
            if spec["name"] in part["states"]
        }

    def step(
        self, states: dict[str, np.ndarray], **inputs: Any
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Runs one step: states and inputs by name -> results by name, and the new states."""
        results = self.run("step", **inputs, **states)
        return results, {name: results.pop(f"next_{name}") for name in states}

    def predict(
        self, inputs: Iterable[Any], decoding: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Predictions for raw inputs, each with "label", "value", "probability" and "alternatives";
        predictions of texts also have "token_probabilities", the geometric mean of the
        probabilities of each alternative's tokens, tags "step_probabilities", the probability of
        each, unaligned texts "alignment", the first step of each symbol and the step after its last
        one, and forecasts "quantiles", by level.

        Args:
            inputs: texts, class names, arrays or histories, as in training.
            decoding: decoding options that replace those in model.json.
        """
        inputs = list(inputs)
        if not inputs:
            return []
        if self.answers_type is None:
            raise ValueError(
                f"predict.py does not support predictions of the kind {self.answer['kind']!r}; get "
                'their values from model.run("serving", **model.tensors(inputs))'
            )
        return self.answers_type(self).predict(inputs, decoding)

    def tensors(self, inputs: Any) -> dict[str, np.ndarray]:
        """Raw inputs -> the arrays that "serving" or "encode" takes, by name."""
        return self.reader.tensors(inputs)

    def tokens(self, text: Any) -> list[str]:
        """The tokens of a text."""
        return self.reader.tokens(text)

    def ids(self, text: Any) -> list[Any]:
        """The ids of a text's tokens; if characters of words are read, too, a list per word."""
        return self.reader.ids(text)

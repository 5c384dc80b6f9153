"""Runs exported models in a process that has TensorFlow, but not seqzoo."""

import os
import pathlib
import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

PROGRAM = """
import os, pickle, runpy, sys, traceback

answers = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)  # so that printed text is not mistaken for an answer
for name in ("seqzoo", "keras", "sentencepiece"):
    sys.modules[name] = None  # importing them fails
import tensorflow as tf

def tensor(array):
    return tf.constant(array.tolist() if array.dtype == object else array)

kept = None, None

def loaded(folder):
    # The last model is kept: tests ask the same one several times.
    global kept
    version = folder, os.stat(os.path.join(folder, "saved_model.pb")).st_mtime_ns
    if kept[0] != version:
        kept = version, tf.saved_model.load(folder)
    return kept[1]

def answer(folder, inputs, signature):
    if signature is None:  # the program `folder`, and what it is given
        return runpy.run_path(folder)["main"](*inputs)
    served = loaded(folder).signatures[signature]
    if isinstance(inputs, dict):
        found = served(**{name: tensor(array) for name, array in inputs.items()})
    else:
        found = served(*map(tensor, inputs))
    return {name: value.numpy() for name, value in found.items()}

while True:
    try:
        asked = pickle.load(sys.stdin.buffer)
    except EOFError:
        break
    try:
        result = answer(*asked), None
    except Exception:
        result = None, traceback.format_exc()
    pickle.dump(result, answers)
    answers.flush()
"""


class CleanTensorFlow:
    """A process that runs exported models, shared by all tests because importing TensorFlow takes
    seconds; it is started when it is first needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def answers(
        self,
        folder: pathlib.Path | str,
        inputs: Mapping[str, Any] | Sequence[Any],
        signature: str = "serving_default",
    ) -> dict[str, np.ndarray]:
        """The outputs of a signature of the model in `folder`.

        Args:
            folder: folder of the SavedModel.
            inputs: arrays or lists of texts, by name or in order.
            signature: name of the signature.

        Raises:
            AssertionError: the model cannot be loaded or run there; it has the traceback.
        """
        if isinstance(inputs, Mapping):
            arrays: Any = {name: _array(value) for name, value in inputs.items()}
        else:
            arrays = [_array(item) for item in inputs]
        answers, failure = self._ask(str(folder), arrays, signature)
        assert failure is None, failure
        return answers

    def run(self, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Takes the place of `subprocess.run` where an export is tried: a SavedModel is tried in
        this process instead of a new one."""
        *_, program, folder, sent, received = command
        if '"format": "saved-model"' not in (pathlib.Path(sent) / "request.json").read_text():
            return subprocess.run(command, **options)
        _, failure = self._ask(program, (folder, sent, received), None)
        return subprocess.CompletedProcess(command, failure is not None, "", failure or "")

    def _ask(self, *question: Any) -> tuple[Any, str | None]:
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        pickle.dump(question, process.stdin)
        process.stdin.flush()
        return pickle.load(process.stdout)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                # Isolated, and in a folder without this package.
                [sys.executable, "-I", "-c", PROGRAM],
                cwd=os.path.abspath(os.sep),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        return self._process

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.communicate()
            self._process = None


def _array(value: Any) -> np.ndarray:
    """An array, with texts as objects: NumPy's own type would drop zeros at their ends."""
    array = np.asarray(value)
    return np.asarray(value, object) if array.dtype.kind in "US" else array

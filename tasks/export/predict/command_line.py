"""The command line of predict.py."""

import sys
from collections.abc import Sequence
from typing import Any


def main(model: Any, arguments: Sequence[str]) -> None:
    """Prints one prediction per line for the inputs on the command line, with its probability or,
    for generated texts, the geometric mean of the probabilities of its tokens."""
    try:
        inputs = [model.reader.from_argument(argument) for argument in arguments]
        predictions = model.predict(inputs)
    except (OSError, ValueError, EOFError) as error:
        sys.exit(f"predict.py: {error}")
    for prediction in predictions:
        # The probability of a complete text is close to zero.
        (probability, *_) = prediction.get("token_probabilities") or [prediction["probability"]]
        column = "" if probability is None else f"\t{probability:.4f}"
        label = " ".join(prediction["label"].splitlines()).replace("\t", " ")
        print(f"{label}{column}")

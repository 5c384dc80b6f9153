"""The command line of predict.py."""

import sys
from collections.abc import Sequence
from typing import Any


def main(model: Any, arguments: Sequence[str]) -> None:
    """Prints a prediction per line for the inputs of a command line."""
    try:
        answers = model.predict([model.reader.from_argument(argument) for argument in arguments])
    except (OSError, ValueError, EOFError) as error:
        sys.exit(f"predict.py: {error}")
    for answer in answers:
        probability = answer["probability"]
        shown = "" if probability is None else f"\t{probability:.4f}"
        print(f"{answer['label']}{shown}")

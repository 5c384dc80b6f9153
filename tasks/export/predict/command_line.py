"""The command line of predict.py."""

import sys
from collections.abc import Sequence
from typing import Any


def main(model: Any, arguments: Sequence[str]) -> None:
    """Prints a prediction per line for the inputs of a command line, with its probability; for
    generated texts, that of a token."""
    try:
        answers = model.predict([model.reader.from_argument(argument) for argument in arguments])
    except (OSError, ValueError, EOFError) as error:
        sys.exit(f"predict.py: {error}")
    for answer in answers:
        # The probability of a complete text is close to zero.
        (probability, *_) = answer.get("token_probabilities") or [answer["probability"]]
        shown = "" if probability is None else f"\t{probability:.4f}"
        label = " ".join(answer["label"].splitlines()).replace("\t", " ")
        print(f"{label}{shown}")

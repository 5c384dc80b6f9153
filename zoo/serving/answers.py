"""Predictions as JSON values, for responses."""

from typing import Any

from seqzoo.tasks.protocols import ShowsTokens
from seqzoo.zoo.inference.prediction_lines import prediction_fields
from seqzoo.zoo.output import finite


def prediction(run: Any, value: Any, predicted: Any, top: int) -> dict[str, Any]:
    """The fields of a prediction that `seqzoo predict --json` prints and, for tags, the "tokens".

    Args:
        run: the `seqzoo.tasks.runs.run.Run`.
        value: the raw input.
        predicted: the `Prediction` for it.
        top: maximum number of alternatives.
    """
    result = prediction_fields(predicted, top)
    if isinstance(run.task, ShowsTokens) and (tokens := run.task.tokens(value)) is not None:
        result["tokens"] = tokens
    return finite(result)

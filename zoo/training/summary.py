"""The summary of a training run: scores, sample predictions, the run folder and next commands."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.data.timed_series import TimedSeries
from seqzoo.tasks.kinds import FORECAST as FORECAST_TEMPLATE
from seqzoo.tasks.printable import printable, quoted, quoted_path
from seqzoo.tasks.wording import counted
from seqzoo.zoo.output import (
    baselines_table,
    metrics_line,
    shortened,
    shown_inputs,
    shown_target,
    table,
)
from seqzoo.zoo.training.train import Trained

SAMPLE = 8
"""Number of predictions in a summary."""

TAGGED = 3
"""Number of tagged sequences in a summary."""

EVALUATED = {"test": "", "validation": " --split validation"}
"""The option of `evaluate` for a split."""

FROM_FILE = "--input-file FILE"
"""What is suggested for inputs that cannot be typed."""

FILES = {name: "picture.png" for name in ("image", "rows", "pixels", "columns")} | {
    "audio": "recording.wav"
}
"""Placeholders for inputs that are files, by kind."""

TYPED, VECTOR = 8, 40
"""Maximum number of steps of a series, and of elements of a vector, in a suggested command."""

FORECAST = 4
"""Number of forecast steps that are shown next to the true values."""

PROMPT = 30
"""Number of characters of a prompt for a language model."""


def summary(trained: Trained, program: str) -> str:
    """The summary of a training run, as text for a terminal.

    Args:
        trained: the result of `seqzoo.zoo.training.train.run_plan`.
        program: the name of the program.
    """
    if trained.run.template.name == FORECAST_TEMPLATE:
        return _forecast_summary(trained, program)
    run, folder = trained.run, quoted_path(trained.run.folder)
    suggested, shown = _samples(run, trained.examples)
    if suggested.startswith(("-", "'-")) and suggested != FROM_FILE:  # not an option
        suggested = f"-- {suggested}"
    scored = [f"  {program} evaluate {folder}{EVALUATED[trained.split]}"] if trained.split else []
    return "\n".join(
        [
            f"\nOn {trained.split} examples: {metrics_line(trained.metrics)}."
            if trained.split
            else "\nNo examples were held out to evaluate the model on.",
            f"\nSample predictions on {trained.split or 'training'} examples:",
            shown,
            f"Saved in {run.folder}: model.keras, config.json, history.csv, plots, scores.",
            "Next steps:",
            f"  {program} predict {folder} {suggested}",
            *scored,
            f"  {program} export {folder} exported",
            "",
        ]
    )


def _forecast_summary(trained: Trained, program: str) -> str:
    """The summary of a forecast: scores next to those of baselines, and next commands."""
    folder = quoted_path(trained.run.folder)
    data = quoted_path(trained.run.source.get("data", "history.csv"))
    following = "Next steps:"
    if known := trained.run.source.get("known_columns"):
        following = (
            f"Next steps, where new.csv is a table that goes on for "
            f"{counted(trained.run.template.horizon, 'row')} after the last value, with future "
            f"values of {printable(', '.join(known))}:"
        )
        data = "new.csv"
    scores = "No steps were held out to score the model on."
    if trained.split:
        line, baselines = metrics_line(trained.metrics), baselines_table(trained.metrics)
        scores = f"On {trained.split} windows: {line}.\n\n{baselines}"
    return "\n".join(
        [
            f"\n{scores}\n",
            f"The run is in {trained.run.folder}: model.keras, config.json, history.csv, scores.",
            following,
            f"  {program} predict {folder} --input-file {data} --plot forecast.png",
            f"  {program} export {folder} exported",
            "",
        ]
    )


def _samples(run: Any, examples: Examples) -> tuple[str, str]:
    """An input for a suggested command, and some predictions."""
    # Spread over the split, so that sorted data show more than one class.
    count = TAGGED if run.template.target == "tags" else SAMPLE
    chosen = list(range(0, len(examples), max(1, len(examples) // count)))[:count]
    inputs = [examples.inputs[index] for index in chosen]
    if run.template.target == "next" and isinstance(inputs[0], str):
        # Complete texts would leave nothing to continue.
        inputs = [text[:PROMPT].replace("\n", " ") for text in inputs]
    if run.template.target == "next" and hasattr(inputs[0], "shape") and len(inputs[0]) > TYPED:
        typed_input = typed(inputs[0], run.template.input)
        return typed_input, _forecasts(run, inputs, [examples.location(index) for index in chosen])
    predictions = run.predict(inputs)
    targets = None if examples.targets is None else [examples.targets[index] for index in chosen]
    shown = [_shown(value, examples.location(i)) for value, i in zip(inputs, chosen, strict=True)]
    # The shortest text, so that it is not truncated.
    if shown[0] == examples.location(chosen[0]) or isinstance(inputs[0], Mapping):
        typed_input = typed(inputs[0], run.template.input, run.source.get("time_values", "elapsed"))
    else:
        typed_input = quoted(min(shown, key=len))
    if run.template.target == "tags" and targets is not None:
        return typed_input, _tagged(run, inputs, predictions, targets)
    task = run.template
    if (texts := _generated_texts(run.task)) is not None and targets is not None:
        return typed_input, _texts_table(texts, shown, predictions, examples, chosen)
    wrong = None
    if targets is not None:
        pairs = zip(predictions, targets, strict=True)
        wrong = [_is_wrong(task, prediction, truth) for prediction, truth in pairs]
    truths = None if targets is None else [shown_target(truth) for truth in targets]
    return typed_input, _table(shown, predictions, truths, wrong)


def _generated_texts(task: Any) -> Any:
    """The target texts of a model that generates texts for its inputs."""
    from seqzoo.tasks.targets.texts import Texts

    texts = getattr(task, "texts", None) or getattr(task, "transcripts", None)
    return texts if isinstance(texts, Texts) else None


def _texts_table(
    texts: Any,
    shown: list[str],
    predictions: Sequence[Any],
    examples: Examples,
    chosen: Sequence[int],
) -> str:
    """Generated texts, compared with targets as in the scores: normalised, and with all targets of
    an input."""
    from seqzoo.tasks.seq2seq.text_metrics import references

    truths = references(texts.as_references(examples), chosen)
    wrong = [
        texts.tokens([prediction.label])[0] not in texts.tokens(truth)
        for prediction, truth in zip(predictions, truths, strict=True)
    ]
    return _table(shown, predictions, [" | ".join(truth) for truth in truths], wrong)


def _forecasts(run: Any, inputs: list, locations: Sequence[str]) -> str:
    """Forecasts of the last steps of sequences, from the steps before them."""
    predictions = run.predict([value[:-FORECAST] for value in inputs])
    rows = []
    for location, value, prediction in zip(locations, inputs, predictions, strict=True):
        shown = (value[-2 * FORECAST : -FORECAST], prediction.value[:FORECAST], value[-FORECAST:])
        rows.append([location, *(_steps(part) for part in shown)])
    return table(["input", f"previous {FORECAST} steps", "forecast", "truth"], rows)


def _steps(values: Any) -> str:
    """Steps on one line; several values of a step are in parentheses."""
    shown = [
        f"({', '.join(f'{item:.4g}' for item in step)})" if np.ndim(step) else f"{step:.4g}"
        for step in values
    ]
    return shortened(", ".join(shown))


def _tagged(run: Any, inputs: list, predictions: Sequence[Any], targets: list) -> str:
    """Tags below their tokens, and the true tag below a wrong one."""
    from seqzoo.tasks.runs.interlinear import interlinear

    parts = []
    for value, prediction, truth in zip(inputs, predictions, targets, strict=True):
        tokens = run.task.tokens(value)
        steps = [str(step) for step in range(len(prediction.value))] if tokens is None else tokens
        parts.append(interlinear(steps, prediction.value, truth))
    return "\n\n".join(parts) + "\n"


def _table(
    shown: list[str],
    predictions: Sequence[Any],
    truths: Sequence[str] | None,
    wrong: Sequence[bool] | None,
) -> str:
    # The probability of a complete text is close to zero, and falls with its length.
    generated = any(prediction.token_probabilities for prediction in predictions)
    probability_header = "probability of a token" if generated else "probability"
    headers = ["input", "prediction", probability_header, "truth", "wrong"]
    rows = []
    for index, prediction in enumerate(predictions):
        shown_probability = (
            prediction.token_probabilities[0] if generated else prediction.probability
        )
        probability = "" if shown_probability is None else f"{shown_probability:.2f}"
        row = [shown[index], shortened(prediction.label), probability]
        if truths is not None and wrong is not None:
            row += [shortened(truths[index]), "x" if wrong[index] else ""]
        rows.append(row)
    return table(headers if truths is not None else headers[:3], rows)


def _shown(value: Any, location: str) -> str:
    if isinstance(value, str):
        return shortened(value)
    if isinstance(value, tuple) and all(isinstance(word, str) for word in value):
        return shortened(" ".join(value))
    if isinstance(value, Mapping):
        return shown_inputs(value) or location
    return location


def typed(value: Any, kind: str, time_values: str = "elapsed") -> str:
    """An input that is not text, as typed in a command: a file, or its first numbers.

    Args:
        value: the input.
        kind: the kind of the input.
        time_values: the meaning of a series' times; see `Source`.
    """
    if isinstance(value, Mapping):  # several inputs
        try:
            return quoted(json.dumps(value, ensure_ascii=False))
        except TypeError:  # some inputs are neither texts nor numbers
            return FROM_FILE
    if kind in FILES:
        return FILES[kind]
    if isinstance(value, TimedSeries):
        times = value.elapsed if time_values == "elapsed" else np.cumsum(value.elapsed)
        parts = {"values": value.values, "times": times}
        texts = {name: [_rounded(item) for item in part[:TYPED]] for name, part in parts.items()}
        return quoted(json.dumps(texts))
    array = np.asarray(value)
    count = len(array) if kind == "vector" and len(array) <= VECTOR else TYPED
    if kind == "vector" and len(array) > VECTOR:
        return f"'{len(array)} numbers separated by spaces'"
    rows = [np.atleast_1d(row) for row in array[:count]]
    texts = [[f"{float(item):.4g}" for item in row] for row in rows]
    if all(len(row) == 1 for row in texts):
        return quoted(" ".join(row[0] for row in texts))
    return quoted("[" + ", ".join(f"[{', '.join(row)}]" for row in texts) + "]")


def _rounded(value: Any) -> Any:
    """A number, or the numbers of a step, with four significant digits."""
    value = np.asarray(value)
    return [_rounded(item) for item in value] if value.ndim else float(f"{value:.4g}")


def _is_wrong(task: Any, prediction: Any, truth: Any) -> bool:
    if task.target == "labels":  # in any order
        return set(prediction.value) != set(truth)
    if task.target in ("value", "values"):  # a predicted number is never exact
        return False
    return prediction.value != truth

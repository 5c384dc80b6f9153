"""Prediction options from the given settings: method, number of predictions, seed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.protocols import Generates
from seqzoo.zoo.config.options import option_of

BEAM = {
    "beam_width",
    "length_penalty",
    "coverage_penalty",
    "language_model",
    "language_weight",
}
"""Settings that only beam search has."""

SAMPLE = {"temperature", "top_k", "top_p"}
"""Settings that only sampling has."""


def _option(name: str) -> str:
    return "--seed" if name == "seed" else option_of(Decoding, name)


def single_prediction(template: Any) -> str:
    """What a model predicts, in words, if it has a single prediction for an input; otherwise ""."""
    if template.target == "tags" and not template.crf:
        return "tags without a CRF"
    is_forecast = template.target == "next" and template.input == "series"
    return "numbers" if is_forecast or template.target in ("value", "values") else ""


def check_top(template: Any, top: int, name: str = "--top") -> None:
    """Checks that a model can rank as many predictions as were asked for.

    Args:
        template: the template of the model.
        top: number of predictions per input.
        name: the name by which the message refers to it.

    Raises:
        SeqzooError: `top` is above 1, and the model has a single prediction for an input.
    """
    single = single_prediction(template)
    if single and top != 1:
        raise SeqzooError(
            f"{name} ranks several predictions for an input, but the model predicts {single}; "
            "leave it out."
        )


def _seeds(seed: int | None, top: int) -> set[str]:
    """The name of the seed, if it is given with a request for several texts."""
    return {"seed"} if seed is not None and top > 1 else set()


def prediction_options(
    run: Any, top: int | None, given: dict[str, Any], named: Callable[[str], str] = _option
) -> PredictionOptions:
    """The prediction options.

    Args:
        run: the `seqzoo.tasks.runs.run.Run`.
        top: number of predictions per input; None for 1 text, or the default of other models.
        given: settings of `Decoding` that were given, and "seed".
        named: returns the name by which messages refer to a setting.

    Raises:
        SeqzooError: the model generates no text, or the settings contradict each other.
    """
    if not isinstance(run.task, Generates):
        if given:
            option = named(next(iter(given)))
            raise SeqzooError(f"{option} is for models that generate text; {run.folder} does not.")
        return PredictionOptions(top) if top else run.task.default_options
    if "maximum_length" in given and getattr(run.task, "transcribes", False):
        raise SeqzooError(
            f"{named('maximum_length')} is for texts that are generated token by token; the length "
            "of this model's texts follows from the input."
        )
    stored, top, given = run.task.decoding, top or 1, dict(given)
    seed = given.pop("seed", None)
    if stored.method == "greedy" and "method" not in given:
        if BEAM & given.keys():
            given["method"] = "beam"
        elif sampled := SAMPLE & given.keys() or _seeds(seed, top):
            if getattr(run.task, "transcribes", False):
                raise SeqzooError(
                    f"{named(min(sampled))} is for {named('method')} sample, which "
                    "this model does not have; its methods are greedy and beam."
                )
            given["method"] = "sample"
        elif top > 1:
            given["method"] = "beam"
    method = given.get("method", stored.method)
    if seed is not None and method != "sample":
        raise SeqzooError(
            f"{named('seed')} is for {named('method')} sample, but the method is {method}."
        )
    if "language_weight" in given and not (given.get("language_model") or stored.language_model):
        raise SeqzooError(
            f"{named('language_weight')} is the weight of {named('language_model')}, which is not "
            "given."
        )
    for needed, names in (("beam", BEAM), ("sample", SAMPLE)):
        for name in sorted(names & given.keys()):
            if method != needed:
                raise SeqzooError(
                    f"{named(name)} is for {named('method')} {needed}, but the method is {method}."
                )
    if method == "greedy" and top > 1:
        others = "beam" if getattr(run.task, "transcribes", False) else "beam or sample"
        raise SeqzooError(
            f"{named('method')} greedy finds a single text for an input, but {top} were asked for; "
            f"use {others}."
        )
    if method == "beam":
        given.setdefault("beam_width", max(top, stored.beam_width))
    return PredictionOptions(top, replace(stored, count=top, **given), seed)

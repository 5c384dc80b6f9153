"""A model that is served: loaded and warm, with its thread, its inputs and its sessions."""

import contextlib
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.decoding.settings import Method
from seqzoo.tasks.errors import SeqzooError, nearest
from seqzoo.tasks.export.checking import dummy_inputs
from seqzoo.tasks.fields import NotTyped, hints_of, note
from seqzoo.tasks.kinds import INPUTS
from seqzoo.tasks.protocols import ContinuesText, Generates, StreamsText, Transcribes
from seqzoo.zoo.config import field_types
from seqzoo.zoo.inference.options import (
    BEAM,
    SAMPLE,
    check_top,
    prediction_options,
    single_prediction,
)
from seqzoo.zoo.serving.answers import prediction
from seqzoo.zoo.serving.inputs import Inputs
from seqzoo.zoo.serving.settings import ServingSettings
from seqzoo.zoo.serving.worker import Worker

REQUEST_IMAGES = 4
"""Maximum number of pixels of all images in a request, in images of the largest size."""

TOP = 20
"""Maximum number of predictions per input."""

BEAMS = 32
"""Maximum beam size of a request."""

NOT_ALLOWED = ("language_model", "language_weight")
"""Settings of `Decoding` that a request must not set: a language model, which would be read from a
folder on the server, and its weight, which has no effect without it."""

MAX_LABELS = 1000
"""Maximum number of labels in the metadata."""


class ServedModel:
    """A run that is served.

    Attributes:
        name: its name in the routes.
        run: the `seqzoo.tasks.runs.run.Run`.
        worker: the thread that computes.
        state: "LOADING", "AVAILABLE" or "FAILED".
        error: why it failed, or None.

    Args:
        name: the name.
        run: an opened run; `start` loads its model.
        settings: contains the limits.
        observe: called with the number of inputs predicted together.
    """

    def __init__(
        self,
        name: str,
        run: Any,
        settings: ServingSettings,
        observe: Callable[[int], None] = lambda _: None,
    ):
        self.name = name
        self.run = run
        self.settings = settings
        self.inputs = Inputs(run, settings)
        self.generates = isinstance(run.task, Generates)
        self.streams = isinstance(run.task, StreamsText) and not getattr(run.task, "copies", False)
        self.no_session: str | None = None
        self.state = "LOADING"
        self.error: Exception | None = None
        self.worker = Worker(
            name,
            self.predict,
            queue_size=settings.queue_size,
            batch_size=settings.batch_size,
            wait=settings.batch_wait / 1000,
            observe=observe,
        )

    def start(self, failed: Callable[[Exception], None] = lambda _: None) -> None:
        """Starts the thread, which loads the model and makes warm-up predictions, so that the
        first request need not wait.

        Args:
            failed: called with the error if the model cannot be loaded.
        """

        def load() -> None:
            try:
                self._warm_up()
                self.state = "AVAILABLE"
            except Exception as error:
                self.state, self.error = "FAILED", error
                failed(error)

        self.worker.start()
        self.worker.call(load)

    def _warm_up(self) -> None:
        options = self.options({})
        values = dummy_inputs(self.run.task)
        value = values[0]
        # Also with the largest batch, because the first call with a new shape is slower.
        for count in (1, self.settings.batch_size):
            self.run.predict([value] * count, options)
        try:
            session = self.run.session()
        except SeqzooError as error:
            self.no_session = str(error)
        else:
            with contextlib.suppress(SeqzooError):  # the part may exceed the maximum length
                session.feed(values[-1])
        if self.streams:
            for _ in self.run.stream(value, options):
                break

    def predict(self, instances: Sequence[Any], options: PredictionOptions) -> list[dict[str, Any]]:
        """Predictions for the inputs of a request.

        Raises:
            SeqzooError: one of them is invalid; the message contains its number.
        """
        values = self.read(instances)
        numbers = list(range(len(values)))
        predictions = self.run.predict(values, options, lines=numbers, unit="instance")
        return [
            prediction(self.run, value, predicted, options.top)
            for value, predicted in zip(values, predictions, strict=True)
        ]

    def read(self, instances: Sequence[Any], *, part: bool = False) -> list[Any]:
        """The raw inputs of a request."""
        values: list[Any] = []
        pixels, maximum = 0, REQUEST_IMAGES * self.settings.pixels
        for number, instance in enumerate(instances):
            try:
                value = self.inputs.read(instance, part=part)
                pixels += self.inputs.pixels(value)
                if pixels > maximum:
                    raise SeqzooError(
                        f"is too much: the images of a request may have {maximum:,} pixels in "
                        "total; send it in another request"
                    )
            except SeqzooError as error:
                location = "The part" if part else f"Instance {number}"
                raise SeqzooError(f"{location} {error}.") from error
            values.append(value)
        return values

    def options(self, given: Mapping[str, Any]) -> PredictionOptions:
        """The prediction options.

        Args:
            given: "top", "seed" and the fields of `Decoding` by name.

        Raises:
            SeqzooError: one is unknown, out of range, or not for this model.
        """
        types = {"top": int, **self.parameters}  # `check_top` says why a model has no `top`
        typed = {}
        for name, value in given.items():
            if name not in types:
                known = ", ".join(self.parameters)
                raise SeqzooError(
                    f"{self.name} has no parameter {name!r}"
                    + (f"; its parameters are {known}" if known else "")
                    + nearest(name, self.parameters)
                )
            try:
                typed[name] = field_types.converted(value, types[name])
            except field_types.WrongType as error:
                raise SeqzooError(f"`{name}` {str(error).rstrip('.')}.", field=name) from error
        typed = {name: value for name, value in typed.items() if value is not None}
        top = typed.pop("top", None)
        for name, value, maximum in (
            ("top", top, TOP),
            ("beam_width", typed.get("beam_width"), BEAMS),
            ("maximum_length", typed.get("maximum_length"), self.settings.tokens),
            ("seed", typed.get("seed"), 2**31 - 1),
        ):
            minimum = int(name != "seed")
            if value is not None and not minimum <= value <= maximum:
                raise SeqzooError(field=name, expected=f"from {minimum} to {maximum}", got=value)
        check_top(self.run.template, top or 1, "`top`")
        options = prediction_options(self.run, top or 1, typed, named=lambda name: f"`{name}`")
        return self._limited(options)

    def _limited(self, options: PredictionOptions) -> PredictionOptions:
        """The options with at most as many tokens as the settings allow, where the request does not
        say how many."""
        decoding, tokens = options.decoding, self.settings.tokens
        if decoding is None or decoding.maximum_length <= tokens:
            return options
        shortest = min(decoding.minimum_length, tokens)
        limited = replace(decoding, maximum_length=tokens, minimum_length=shortest)
        return replace(options, decoding=limited)

    @property
    def parameters(self) -> dict[str, Any]:
        """The types of the parameters of a request, by name."""
        top = {} if single_prediction(self.run.template) else {"top": int}
        if not self.generates:
            return top
        plain = typing.get_type_hints(Decoding)
        excluded = {*NOT_ALLOWED}
        if "beam" not in self.methods:
            excluded |= BEAM
        if "sample" not in self.methods:
            excluded |= {*SAMPLE, "seed"}
        if self._forecast_methods:
            excluded |= {*plain} - {"method", "temperature", "maximum_length"}
        if len(self.methods) == 1:
            excluded.add("method")
        typed = [
            name
            for name, hint in hints_of(Decoding).items()
            if note(hint, NotTyped) is None and name not in excluded
        ]
        results = {**top, "seed": int, **{name: plain[name] for name in typed}}
        return {name: type_ for name, type_ in results.items() if name not in excluded}

    @property
    def methods(self) -> tuple[str, ...]:
        """The decoding methods of a model that generates sequences."""
        if self._forecast_methods:
            return self._forecast_methods
        if isinstance(self.run.task, Transcribes):
            return ("greedy", "beam")
        return typing.get_args(Method)

    @property
    def _forecast_methods(self) -> tuple[str, ...]:
        """The methods of a model that generates the next steps of a series or of notes."""
        return getattr(getattr(self.run.task, "targets", None), "methods", ())

    def metadata(self) -> dict[str, Any]:
        """A description of the model and its inputs."""
        run, task = self.run, self.run.task
        results: dict[str, Any] = {
            "template": run.template.name,
            "input": run.template.input,
            "form": INPUTS[run.template.input].form,
            "target": run.template.target,
            "cell": getattr(run.template, "cell", None),
            "streams": self.streams,
            "sessions": self.no_session is None,
            "continues": isinstance(task, ContinuesText),
            "instance": self.inputs.schema(),
            "parameters": list(self.parameters),
        }
        if self.generates:
            results["decoding"] = dict(vars(task.decoding))
            results["methods"] = list(self.methods)
        labels = getattr(getattr(task, "targets", None), "names", None)
        labels = getattr(getattr(task, "tags", None), "names", labels)
        if labels is not None:
            results["labels"] = list(labels[:MAX_LABELS])
        if results["form"] == "audio":
            results["sample_rate"] = run.template.sample_rate
        return results

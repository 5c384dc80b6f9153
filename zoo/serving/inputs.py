"""Converts the JSON inputs of requests to raw inputs of a model; inputs that are too large are
refused before they are decoded."""

import base64
import binascii
import io
import json
import math
import pathlib
from typing import Any

import numpy as np

from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.kinds import INPUTS
from seqzoo.tasks.preprocessing.sample_range import range_fault
from seqzoo.tasks.protocols import ContinuesText
from seqzoo.zoo.data import prediction_inputs
from seqzoo.zoo.data.audio import unsuitable_rate
from seqzoo.zoo.data.image_size import HUGE, pixel_count
from seqzoo.zoo.serving.settings import ServingSettings

SAMPLES_PER_SECOND = 192_000
"""Maximum number of samples per second of audio, summed over all channels."""

NOWHERE = pathlib.Path("/nonexistent")
"""The folder that paths in requests are relative to. It does not exist, so that they never name a
file: requests contain their inputs."""


class Inputs:
    """Reads the inputs of requests for one model.

    Args:
        run: the opened run.
        settings: contains the limits.
    """

    def __init__(self, run: Any, settings: ServingSettings):
        self.run = run
        self.settings = settings
        self.form = INPUTS[run.template.input].form
        if self.form == "history":
            raise SeqzooError(
                f"{run.folder} forecasts tables with dates, which the server does not support; use "
                "`predict --input-file`, or export a SavedModel."
            )
        if getattr(run.template, "further_inputs", None):
            raise SeqzooError(
                f"{run.folder} has several inputs, which the server does not support; use "
                "`predict --input-file`, or export a SavedModel."
            )
        self.timed = bool(getattr(run.task.features, "takes_time", False))
        self.tagged_words = run.template.input == "words" and run.template.target == "tags"
        self._read = prediction_inputs.reader(run, NOWHERE, resample=True)

    def read(self, instance: Any, *, part: bool = False) -> Any:
        """The raw input, as `Run.predict` takes it.

        Args:
            instance: a text, a list of numbers or of lists, {"b64": the bytes of a file}, or for a
                time-aware cell {"values": the steps, "times": their times}.
            part: whether it is a part of an input, as a session takes it.

        Raises:
            SeqzooError: it has the wrong type, is empty or is too large; the caller adds the
                location.
        """
        if self.form in ("text", "name"):
            return self._text(instance)
        if self.timed:
            return self._timed(instance)
        if isinstance(instance, dict):
            return self._file(instance)
        if not isinstance(instance, list):
            raise SeqzooError(f"must be {self.expected}, got {_shown(instance)}")
        if self.form == "audio":
            return self._samples(instance)
        # Columns keep the shape of an image; rows are checked by the session.
        if self.form == "image" and (not part or self.run.template.input == "columns"):
            return self._pixels(instance)
        if len(instance) > self.settings.length:
            raise SeqzooError(f"has {len(instance):,} entries; at most {self._maximum} are allowed")
        _check_numbers(instance)
        if part and self.form == "image":
            return instance
        return self._read(instance)

    def pixels(self, value: Any) -> int:
        """The number of pixels of a raw input, 0 if it is not an image."""
        if self.form != "image":
            return 0
        if isinstance(value, bytes):
            return pixel_count(value)
        return math.prod(np.shape(value)[:2])

    @property
    def expected(self) -> str:
        """A description of an input, in words."""
        if self.timed:
            return '{"values": a list of steps, "times": a list of their times}'
        return {
            "text": "text, or a list of words" if self.tagged_words else "text",
            "name": "a name",
            "numbers": "a list of numbers",
            "series": "a list of numbers, or of lists of numbers, one per step",
            "frames": "a list of frames, each a list of zeros and ones",
            "image": 'rows of numbers, or {"b64": an image file in base64}',
            "audio": 'samples as numbers, or {"b64": an audio file in base64}',
        }[self.form]

    def schema(self) -> dict[str, Any]:
        """JSON Schema of an input."""
        task = self.run.task
        number = {"type": "number"}
        file = {
            "type": "object",
            "required": ["b64"],
            "properties": {"b64": {"type": "string", "contentEncoding": "base64"}},
            "additionalProperties": False,
        }
        if self.form == "name":
            return {"type": "string", "enum": list(task.features.vocabulary.tokens)}
        if self.form == "text":
            minimum = 0 if isinstance(task, ContinuesText) else 1
            text = {"type": "string", "minLength": minimum, "maxLength": self.settings.length}
            words = {"type": "array", "items": text | {"minLength": 1}, "minItems": 1}
            return {"anyOf": [text, words]} if self.tagged_words else text
        if self.form == "audio":
            return {"anyOf": [file, {"type": "array", "items": number, "minItems": 1}]}
        if self.form == "image":
            rows: dict[str, Any] = number
            for size in reversed(self._shape):
                bounds = {"minItems": size, "maxItems": size} if size else {"minItems": 1}
                rows = {"type": "array", "items": rows, **bounds}
            return {"anyOf": [file, rows]}
        if self.form == "numbers":
            size = len(task.features.mean)
            return {"type": "array", "items": number, "minItems": size, "maxItems": size}
        if self.form == "frames":
            size, number = task.features.notes, {"type": "integer", "enum": [0, 1]}
        else:
            size = len(task.features.mean)
        step = {"type": "array", "items": number, "minItems": size, "maxItems": size}
        steps = step if size > 1 else {"anyOf": [step, number]}
        maximum = self.settings.length
        values = {"type": "array", "items": steps, "minItems": 1, "maxItems": maximum}
        if not self.timed:
            return values
        times = {"items": {"anyOf": [number, {"type": "string", "format": "date-time"}]}}
        return {
            "type": "object",
            "required": ["values", "times"],
            "properties": {"values": values, "times": values | times},
            "additionalProperties": False,
        }

    @property
    def _maximum(self) -> str:
        return f"{self.settings.length:,}"

    def _timed(self, instance: Any) -> Any:
        keys = ("values", "times")
        lists = isinstance(instance, dict) and sorted(instance) == sorted(keys)
        if not lists or not all(isinstance(instance[key], list) for key in keys):
            raise SeqzooError(f"must be {self.expected}, got {_shown(instance)}")
        for key in keys:
            if len(instance[key]) > self.settings.length:
                found = f"{len(instance[key]):,} {key}"
                raise SeqzooError(f"has {found}; at most {self._maximum} are allowed")
        _check_numbers(instance["values"])
        _check_numbers(instance["times"], (bool,))
        return self._read(instance)

    def _text(self, instance: Any) -> Any:
        words = isinstance(instance, list) and self.tagged_words
        if not isinstance(instance, str) and not words:
            raise SeqzooError(f"must be {self.expected}, got {_shown(instance)}")
        if words:
            length = len(instance) + sum(len(item) for item in instance if isinstance(item, str))
        else:
            length = len(instance)
        if length > self.settings.length:
            raise SeqzooError(f"has {length:,} characters; at most {self._maximum} are allowed")
        if instance == "" and isinstance(self.run.task, ContinuesText):
            return instance
        return self._read(instance)

    def _file(self, instance: dict[str, Any]) -> Any:
        if self.form not in ("image", "audio") or set(instance) != {"b64"}:
            raise SeqzooError(f"must be {self.expected}, got {_shown(instance)}")
        try:
            data = base64.b64decode(instance["b64"], validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise SeqzooError(f"is not base64: {error}") from error
        if not data:
            raise SeqzooError("is an empty file")
        if self.form == "audio":
            _check_audio(data, self.settings.seconds)
            return self._read(data)
        pixels, maximum = pixel_count(data), self.settings.pixels
        if maximum < pixels < HUGE:  # `_read` refuses a damaged header
            raise SeqzooError(f"has {pixels:,} pixels; at most {maximum:,} are allowed")
        return self._fitting(self._read(data))

    def _samples(self, instance: list) -> np.ndarray:
        from seqzoo.zoo.data import fields

        maximum = int(self.settings.seconds * self.run.template.sample_rate)
        if len(instance) > maximum:
            raise SeqzooError(f"has {len(instance):,} samples; at most {maximum:,} are allowed")
        _check_numbers(instance)
        samples = fields.vector(instance)
        if wrong := range_fault(samples):
            raise SeqzooError(wrong)
        return samples

    def _pixels(self, instance: list) -> np.ndarray:
        from seqzoo.zoo.data import fields

        _check_numbers(instance)
        numbers = fields.rows(instance, NOWHERE)
        if getattr(self.run.task.features, "dtype", "uint8") == "uint8":
            if numbers.min() < 0 or numbers.max() > 255 or (numbers % 1).any():
                raise SeqzooError("must consist of whole numbers from 0 to 255, as in training")
            numbers = numbers.astype(np.uint8)
        return self._fitting(numbers)

    @property
    def _shape(self) -> tuple[int | None, ...]:
        """The shape of an image, with None for sizes that may vary."""
        shape = tuple(self.run.task.features.shape)
        is_resized = self.form == "image" and getattr(self.run.template, "image_size", None)
        return (None, None, *shape[2:]) if is_resized else shape

    def _fitting(self, image: Any) -> Any:
        """An image that can be batched with others: of the shape used in training, or as bytes."""
        shape = self._shape
        if not isinstance(image, np.ndarray):
            return image
        fits = len(image.shape) == len(shape) and all(
            size in (None, item) for size, item in zip(shape, image.shape, strict=True)
        )
        if not fits:
            raise SeqzooError(f"must have shape {shape}, as in training, got {image.shape}")
        return image


def _check_numbers(instance: list, refused: tuple[type, ...] = (str, bool)) -> None:
    """Raises an error for text and Booleans in nested lists, which NumPy would turn into
    numbers."""
    values = instance
    while values:
        for value in values:
            if isinstance(value, refused):
                shown = json.dumps(value[:20] if isinstance(value, str) else value)
                raise SeqzooError(f"must contain numbers, but {shown} is not a number")
        values = [item for value in values if isinstance(value, list) for item in value]


def _check_audio(data: bytes, seconds: float) -> None:
    """Raises an error for audio that would decode to too many samples; unreadable files are
    rejected later."""
    import soundfile

    try:
        info = soundfile.info(io.BytesIO(data))
    except (soundfile.SoundFileError, OSError):
        return
    if wrong := unsuitable_rate(info.samplerate):
        raise SeqzooError(wrong)
    duration = info.frames / info.samplerate
    if duration > seconds:
        raise SeqzooError(f"lasts {duration:,.1f} s; at most {seconds:g} s are allowed")
    samples, maximum = info.frames * info.channels, round(seconds * SAMPLES_PER_SECOND)
    if samples > maximum:
        raise SeqzooError(f"has {samples:,} samples; at most {maximum:,} are allowed")


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."

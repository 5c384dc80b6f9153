"""Predictions of an exported model, with onnxruntime or LiteRT and without TensorFlow."""

import io
import itertools
import json
import os
import pathlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from seqzoo.tasks.atomic_files import read_json
from seqzoo.tasks.base import Prediction, PredictionOptions
from seqzoo.tasks.decoding.settings import Decoding
from seqzoo.tasks.errors import SeqzooError, check_readable, not_importable
from seqzoo.tasks.export.formats import FORMATS
from seqzoo.zoo.data import fields
from seqzoo.zoo.data.prediction_inputs import RawInput, of_arguments, of_lines
from seqzoo.zoo.inference.options import prediction_options
from seqzoo.zoo.inference.prediction_lines import (
    LINES_AT_ONCE,
    ONE_TAG_PER_WORD,
    TAGGED,
    Form,
    csv_head,
    errors_once,
    replies_of,
)
from seqzoo.zoo.inference.reply import Reply

DESCRIPTION = "model.json"
"""The file that describes an export."""

SUFFIXES_OF_PARTS = (".onnx", ".tflite")
"""Extensions of the files of an exported model's parts."""

FOLLOWING = "following"
"""The kind of exports that continue series."""

GENERATED = ("texts", "transcripts")
"""Kinds of predictions that are generated, with decoding options."""

RANKED = (*GENERATED, "class", "labels")  # and the tags of a CRF
"""Kinds of predictions of which an input can have several."""


def export_folder(path: str) -> pathlib.Path | None:
    """The folder of an exported model; None if the path is not one.

    Args:
        path: the folder, or one of its .onnx or .tflite files.

    Raises:
        SeqzooError: the other files of its export are missing.
    """
    result = pathlib.Path(path).expanduser()
    if result.suffix in SUFFIXES_OF_PARTS and result.is_file():
        if not (result.parent / DESCRIPTION).is_file():
            raise SeqzooError(
                f"{path} has no {DESCRIPTION} next to it, which every export has; keep the files "
                "of an export together."
            )
        return result.parent
    return result if (result / DESCRIPTION).is_file() else None


@dataclass(frozen=True)
class ExportedForecast(Prediction):
    """The forecast of an exported model.

    Attributes:
        quantiles: the quantiles of each step, by level.
    """

    quantiles: dict[str, list] = field(default_factory=dict, compare=False)


class ExportedModel:
    """An exported model that predicts like a run.

    Args:
        folder: the folder of the export.

    Raises:
        SeqzooError: its runtime is not installed, or the export is damaged.
    """

    def __init__(self, folder: pathlib.Path):
        from seqzoo.tasks.export.predict_program import model_class

        description = read_json(folder / DESCRIPTION)
        self.folder = folder
        for path in folder.iterdir():
            if path.suffix in SUFFIXES_OF_PARTS:
                check_readable(path)
        try:
            extra = FORMATS[description["format"]].extra
            self._model = model_class(description)(folder)
            self.kind = str(self._model.answer["kind"])
            names = self._model.answer.get("names") or []
            if not all(isinstance(name, str) for name in names):
                raise ValueError(f"names must be strings, got {ascii(names)[:40]}")
        except ImportError as error:
            raise not_importable(str(folder), [str(error.name)], extra) from error
        except MemoryError:
            raise
        except Exception as error:  # the files may be damaged in any way, and runtimes differ
            raise SeqzooError(f"The export in {folder} is damaged: {_reason(error)}.") from error
        self.template = SimpleNamespace(target=self.kind)
        self.task = self

    def tokens(self, value: Any) -> Sequence[str] | None:
        """The words that are tagged; None for numbers."""
        return self._model.tokens(value) if isinstance(value, str | tuple) else None

    @property
    def remark(self) -> str:
        """Why punctuation cannot be split off words for a tagger; empty if it can."""
        splitter = getattr(self._model.reader, "splitter", None)
        return "" if splitter is None else splitter.remark

    def options(self, top: int, given: dict[str, Any]) -> PredictionOptions:
        """The options of predictions; see `seqzoo.zoo.inference.options.prediction_options`.

        Raises:
            SeqzooError: the model generates no text, or the options contradict each other.
        """
        ranked = self.kind in RANKED or (self.kind == "tags" and self._model.answer["crf"])
        if top > 1 and not ranked:
            raise SeqzooError(
                "--top ranks several predictions for an input, but an exported model of this kind "
                f"({self.kind}) has one; leave it out."
            )
        if given.get("language_model") is not None or given.get("replace_unknown"):
            name = "--language-model" if "language_model" in given else "--replace-unknown"
            raise SeqzooError(f"{name} is not supported by an exported model; name the run.")
        task = SimpleNamespace()
        if self.kind == FOLLOWING and (others := given.keys() - {"maximum_length"}):
            raise SeqzooError(
                f"--{min(others).replace('_', '-')} is not supported by an exported model of this "
                f"kind ({self.kind}), which only takes --maximum-length; leave it out."
            )
        if self.kind in (*GENERATED, FOLLOWING):
            try:
                if self.kind == FOLLOWING:
                    stored = {"maximum_length": self._model.answer["horizon"]}
                else:
                    stored = dict(self._model.answer["decoding"])
                stored.pop("seed", None)
                stored.pop("answers", None)  # the name of `count` in earlier versions
                task.decoding = Decoding(**stored)
            except (KeyError, TypeError, ValueError) as error:
                reason = _reason(error)
                raise SeqzooError(f"The export in {self.folder} is damaged: {reason}.") from error
        return prediction_options(SimpleNamespace(folder=self.folder, task=task), top, given)

    def read(self, item: RawInput) -> RawInput:
        """The input as the model takes it, or marked as invalid."""
        if item.wrong:
            return item
        description, text = self._model.input, item.field
        is_numeric = description["kind"] in ("arrays", "sequences", "columns", "histories")
        if not text.strip() and (is_numeric or not self._model.answer.get("continues")):
            return replace(item, wrong="is empty; fill it in or leave it out")
        if is_numeric:
            try:
                return replace(item, field=self._parsed(text))
            except SeqzooError as error:
                return replace(item, wrong=str(error))
            except (OSError, ValueError, EOFError) as error:
                reason = getattr(error, "strerror", None)
                reason = f"{text}: {reason}" if reason else str(error).rstrip(".")
                return replace(item, wrong=f"cannot be read: {reason}")
        return item

    def _parsed(self, text: str) -> Any:
        """A series, a vector or a history as typed, or a file of numbers, audio or a history."""
        import numpy as np

        if pathlib.Path(text).suffix in (".npy", ".wav", ".json"):
            return self._model.reader.from_argument(text)
        if self._model.input["kind"] == "histories":
            try:
                return json.loads(text)
            except ValueError as error:
                expected = "a .json file, or a history as a JSON object on one line"
                raise ValueError(f"it must be {expected}") from error
        if text.lstrip().startswith("[[["):
            return np.asarray(json.loads(text), np.float32)
        try:
            return fields.series(text)
        except SeqzooError:
            if os.path.isfile(text):  # its error names the files that the model reads
                return self._model.reader.from_argument(text)
            raise

    def predict(
        self,
        inputs: Sequence[Any],
        options: PredictionOptions,
        *,
        lines: Sequence[int] = (),
        unit: str = "line",
    ) -> list[Prediction]:
        """Predictions for raw inputs, as `Run.predict` returns them.

        Raises:
            SeqzooError: an input is not one that the model takes, or the export is damaged.
        """
        decoding = None
        if options.decoding is not None:
            chosen = {"seed": options.seed, "positions": options.positions}
            decoding = {**asdict(options.decoding), **chosen}
        elif self.kind in ("class", "tags"):
            self._model.answer["top"] = options.top
        try:
            result = self._model.predict(inputs, decoding)
        except ValueError as error:
            location = f"{unit} {lines[0]}".capitalize() if lines else ""
            message = str(error).rstrip(".")
            raise SeqzooError(f"{message}.").at(location) from error
        except MemoryError:
            raise
        except Exception as error:
            reason = _reason(error)
            raise SeqzooError(f"The export in {self.folder} is damaged: {reason}.") from error
        return [_prediction(item) for item in result]


def _prediction(item: dict[str, Any]) -> Prediction:
    """A prediction of predict.py as `Run.predict` returns it."""
    fields = {
        "label": item["label"],
        "value": tuple(item["value"]) if isinstance(item["value"], list) else item["value"],
        "probability": item["probability"],
        "alternatives": tuple(item["alternatives"]),
        "token_probabilities": tuple(item.get("token_probabilities", ())),
        "step_probabilities": tuple(item.get("step_probabilities", ())),
        "alignment": tuple(map(tuple, item.get("alignment", ()))),
    }
    if "quantiles" in item:
        return ExportedForecast(**fields, quantiles=item["quantiles"])
    return Prediction(**fields)


def _reason(error: Exception) -> str:
    """An error message on one line, without onnxruntime's prefix."""
    message = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", " ".join(str(error).split()))
    bare = isinstance(error, KeyError | TypeError | IndexError | AttributeError)
    return repr(error) if bare or not message else message.rstrip(".")


def exported_lines(
    folder: pathlib.Path,
    given: Any,
    top: int,
    form: Form,
    decoding: dict[str, Any],
) -> Iterator[Reply]:
    """The output for each input, in order, as `prediction_lines` yields it for a run.

    Args:
        folder: the folder of the export.
        given: lines in UTF-8, or texts from the command line.
        top: predictions per input.
        form: format of the output.
        decoding: the given options of text generation.

    Raises:
        SeqzooError: the export cannot be run, or has no such output.
    """
    model = ExportedModel(folder)
    if form in TAGGED and model.kind != "tags":
        raise SeqzooError(f"--format {form} is for tags, got {folder} with {model.kind!r}.")
    if form in TAGGED and top > 1:
        raise SeqzooError(ONE_TAG_PER_WORD.format(form))
    if model.kind == "forecast" and form == "csv":
        raise SeqzooError(
            "--format csv of forecasts needs the names of columns, which an exported model does "
            "not have; use --json, or name the run."
        )
    if model.kind == "labels" and top > 1 and form != "jsonl":
        raise SeqzooError(
            "--top with target 'labels' is for --json, since an answer may have any number of "
            f"labels; got {folder} with --format {form}."
        )
    options = model.options(top, decoding)
    if model.remark:
        yield Reply(model.remark, aside=True)
    if form == "csv":
        yield Reply(csv_head(options.top))
    raw_inputs = of_arguments(given) if isinstance(given, tuple) else of_lines(given)
    items = map(model.read, raw_inputs)
    typed = isinstance(given, io.IOBase) and given.isatty()
    size = 1 if typed else LINES_AT_ONCE

    def replies() -> Iterator[Reply]:
        count = 0
        while chunk := list(itertools.islice(items, size)):
            yield from replies_of(model, chunk, options, form, None, first=count)
            count += len(chunk)

    yield from replies() if size == 1 else errors_once(replies())

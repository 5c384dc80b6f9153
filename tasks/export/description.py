"""model.json: what the `predict.py` next to an exported model needs to know."""

import hashlib
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from seqzoo.tasks.atomic_files import write_json
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.export.parts import Part, takes_ids
from seqzoo.tasks.export.predict_program import predict_program
from seqzoo.tasks.layers.crf import FORBIDDEN
from seqzoo.tasks.many_to_many_aligned.forecaster_network import NextStep
from seqzoo.tasks.preprocessing.audio import AudioFeatures
from seqzoo.tasks.preprocessing.class_names import NameFeatures
from seqzoo.tasks.preprocessing.histories import HistoryFeatures
from seqzoo.tasks.preprocessing.image_columns import ColumnFeatures
from seqzoo.tasks.preprocessing.tagged_words import WORD_CHARACTERS, TokenFeatures
from seqzoo.tasks.preprocessing.vocabulary import PADDING, UNKNOWN
from seqzoo.tasks.preprocessing.word_joiners import JOINER
from seqzoo.tasks.protocols import Transcribes
from seqzoo.tasks.seq2seq.encoder_decoder import Generator
from seqzoo.tasks.targets.classes import ClassTargets
from seqzoo.tasks.targets.labels import THRESHOLD, LabelTargets
from seqzoo.tasks.targets.steps import StepNotes
from seqzoo.tasks.targets.texts import END, END_TOKEN, START, START_TOKEN
from seqzoo.tasks.targets.values import ValueTargets

VERSION = 1
"""Version of model.json; increased when older copies of predict.py can no longer read it."""


def write_description(
    folder: pathlib.Path,
    task: Any,
    model: Any,
    options: PredictionOptions,
    *,
    format: str,
    precision: str,
    parts: dict[str, Part],
    files: dict[str, str],
    outputs: dict[str, list[str]],
    time: int | None = None,
    timed: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Writes model.json and predict.py.

    Args:
        folder: the folder of the export.
        task: the task of the model.
        model: the trained model.
        options: the options of the predictions.
        format: the format of the parts: "onnx" or "litert".
        precision: the precision of the weights.
        parts: the parts, by name.
        files: the name of each part's file, by part.
        outputs: the names of each part's results, by part.
        time: number of time steps of the parts' inputs, if it is fixed.
        timed: the names of each part's results that have as many steps, by part, if it is fixed.
    """
    described = {
        name: {
            "file": files[name],
            "sha256": hashlib.sha256((folder / files[name]).read_bytes()).hexdigest(),
            "inputs": [
                {"name": spec.name, "dtype": spec.dtype.name, "shape": spec.shape.as_list()}
                for spec in part.inputs
            ],
            "outputs": outputs[name],
            "states": list(part.states),
            "time": time,
            "timed": list((timed or {}).get(name, ())),
        }
        for name, part in parts.items()
    }
    about = {
        "version": VERSION,
        "format": format,
        "precision": precision,
        "parts": described,
        "input": _input(task),
        "answer": _answer(task, model, options),
    }
    write_json(folder / "model.json", about)
    (folder / "predict.py").write_text(predict_program(about), encoding="utf-8")


def _input(task: Any) -> dict[str, Any]:
    features = task.features
    if isinstance(features, NameFeatures):
        return {"kind": "classes", "vocabulary": features.vocabulary.tokens}
    if isinstance(features, HistoryFeatures):
        return _histories(features)
    if isinstance(features, ColumnFeatures):
        return {
            "kind": "columns",
            "height": features.shape[0],
            "shape": list(features.shape),
            "columns": features.columns,
            "dtype": features.dtype,
            "maximum_length": features.template.maximum_length,
        }
    if not takes_ids(task):
        specs = task.signature
        if len(specs) == 1:
            about = {"kind": "arrays", "name": specs[0].name, "dtype": specs[0].dtype.name}
            return {**about, "shape": specs[0].shape.as_list()[1:]}
        about = {
            "kind": "sequences",
            "name": specs[0].name,
            "axes": specs[0].shape.rank - 1,
            "shape": specs[0].shape.as_list()[1:],
        }
        if isinstance(features, AudioFeatures):
            about["sample_rate"] = features.template.sample_rate
        return about
    template = features.template
    about = {
        "kind": "text",
        "split": template.input,
        "lowercase": template.lowercase,
        "nfc": template.nfc,
        "removed": "",
        "maximum_length": template.maximum_length,
        "vocabulary": features.vocabulary.tokens,
        "scores": features.vocabulary.scores,
        "folded": features.vectors is not None,
    }
    if features.joined:
        about["split"] = "joined words"
    if isinstance(features, TokenFeatures):
        about["kind"] = "tokens"
        about["words_of_training"] = len(features.words_of_training)
        if features.characters is not None:
            about["kind"] = "words and characters"
            about["character_vocabulary"] = features.characters.tokens
            about["word_characters"] = WORD_CHARACTERS
    texts = getattr(task, "texts", None)
    if texts is not None and texts.features is features:  # a language model reads its own output
        about["removed"] = START_TOKEN + END_TOKEN + (JOINER if texts.joined else "")
        about["split"] = "joined words" if texts.joined else template.input
    return about


def _histories(features: HistoryFeatures) -> dict[str, Any]:
    layout, frequency = features.layout, features.frequency
    return {
        "kind": "histories",
        "inputs": [spec.name for spec in features.signature],
        "look_back": features.template.look_back,
        "horizon": features.template.horizon,
        "columns": {name: getattr(layout, name) for name in ("values", "past", "known")},
        "series": list(features.names),
        "static": features.config["static"],
        "above": features.values.above if np.isfinite(features.values.above) else None,
        "seconds": frequency.count if frequency.unit == "second" else None,
    }


def _answer(task: Any, model: Any, options: PredictionOptions) -> dict[str, Any]:
    targets = getattr(task, "targets", None)
    if isinstance(task.features, HistoryFeatures):
        has_quantiles = task.distribution.has_quantiles or model.correction.numpy().any()
        return {"kind": "forecast", "levels": list(task.template.levels) if has_quantiles else []}
    if isinstance(task, Transcribes):
        return _transcripts(task, options)
    if getattr(task, "texts", None) is not None:
        return _texts(task, model, options)
    if isinstance(targets, ClassTargets):
        return {"kind": "class", "names": targets.names, "top": min(options.top, targets.size)}
    if isinstance(targets, LabelTargets):
        return {"kind": "labels", "names": targets.names, "threshold": THRESHOLD}
    if isinstance(targets, ValueTargets):
        return {"kind": "value"}
    if isinstance(targets, StepNotes):
        return {"kind": "notes"}
    if isinstance(model, NextStep):
        horizon = (options.decoding or task.decoding).maximum_length
        return {"kind": "following", "horizon": horizon}
    if targets is not None:
        return {"kind": "steps"}
    crf = _crf(task, model)
    return {"kind": "tags", "names": task.tags.names, "crf": crf, "top": options.top if crf else 1}


def _transcripts(task: Any, options: PredictionOptions) -> dict[str, Any]:
    texts, choices = task.transcripts, options.decoding or task.decoding
    if choices.language_model is not None:
        raise SeqzooError(
            "`language_model` must be None for this format, whose predict.py does not support it, "
            f"got {choices.language_model!r}; export a saved-model.",
            field="language_model",
        )
    return {
        "kind": "transcripts",
        "vocabulary": texts.vocabulary.tokens,
        "join": "joined words" if texts.joined else texts.choices.input,
        "continues": False,
        "banned": [UNKNOWN, START, END],
        "decoding": asdict(choices),
    }


def _crf(task: Any, model: Any) -> dict[str, Any] | None:
    if not task.template.crf:
        return None
    layer = model.get_layer("crf")
    start, into, end = layer.scores()
    allowed = {"transitions": np.transpose(into), "start": start, "end": end}
    return {name: np.maximum(value, FORBIDDEN).tolist() for name, value in allowed.items()}


def _texts(task: Any, model: Any, options: PredictionOptions) -> dict[str, Any]:
    texts, decoding = task.texts, options.decoding or task.decoding
    if decoding.replace_unknown:
        raise SeqzooError(
            "`replace_unknown` is for saved-model; predict.py in this format does not support it.",
            field="replace_unknown",
        )
    end = END if isinstance(model, Generator) else task.end
    banned = [PADDING, UNKNOWN, START, *([] if end is not None else [END])]
    choices = texts.choices.input
    return {
        "kind": "texts",
        "vocabulary": texts.vocabulary.tokens,
        "join": "joined words" if texts.joined else choices,
        "continues": not isinstance(model, Generator),
        "start": START,
        "end": end,
        "banned": banned,
        "decoding": {**asdict(decoding), "seed": options.seed},
    }

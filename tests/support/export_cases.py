"""Runs of every kind of task, with random weights, that the tests of exports share."""

import importlib.util
import pathlib
from dataclasses import replace
from typing import Any

import numpy as np
import one_to_many_data
import pytest
from cell_names import BEFORE_RELEASES
from task_data import settings

from seqzoo.tasks import (
    Examples,
    ManyToManyAligned,
    ManyToManyEncoderDecoder,
    ManyToManyUnaligned,
    ManyToOne,
    Template,
)
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.data.batches import Padding
from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.export import checking
from seqzoo.tasks.export.parts import in_float32, no_step, parts_of
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.training.trainer import describe

TEXTS = [
    "Well-known, sir: it's 3.5 km (net)!",
    "café au lait, s'il vous plaît…",
    "the dogs' 'quoted' words - 10:30",
    "Ünïcode — ΣΊΣΥΦΟΣ ok",
]
"""Texts with the difficult cases of tokenisation: punctuation, apostrophes, Unicode spaces,
combining marks, capitals."""

SMALL: dict[str, Any] = {"units": 7, "minimum_count": 1}


def _numbers(count: int, width: int, low: int = 4) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.normal(3.0, 2.0, (low + n % 5, width)).astype("float32") for n in range(count)]


def _waves(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.normal(0, 0.1, 700 + 90 * n).astype("float32") for n in range(count)]


def _classes(count: int) -> list[str]:
    return [["ä", "b", "c"][n % 3] for n in range(count)]


def cases() -> dict[str, tuple[Template, Examples, list[Any]]]:
    """Templates by name, each with training examples and inputs to predict for."""
    texts = TEXTS * 3
    sentences = [text.split() for text in texts]
    tags = [
        [f"{'BI'[n % 2]}-x" if n % 3 else "O" for n in range(len(sentence))]
        for sentence in sentences
    ]
    free = [["u", "v", "w"][n % 3] for n in range(40)]
    rows = np.random.default_rng(0).integers(0, 256, (12, 5, 4)).astype(np.uint8)
    series, waves = _numbers(12, 2), _waves(12)
    images = one_to_many_data.captioned("image")
    vectors, names = one_to_many_data.captioned("vector"), one_to_many_data.captioned("class")
    return {
        "characters": (
            ManyToOne("characters", bidirectional=True, embedding=6, nfc=True, **SMALL),
            Examples(texts, _classes(12)),
            [*TEXTS, "cafe\u0301", "?"],
        ),
        "n-grams": (
            ManyToOne("characters", embedding=6, ngrams=3, bag=True, ngram_buckets=64, **SMALL),
            Examples(texts, _classes(12)),
            TEXTS,
        ),
        "all-layers": (
            ManyToOne(
                "characters",
                cell="lstm",
                layers=3,
                all_layers=True,
                residual=True,
                embedding=6,
                **SMALL,
            ),
            Examples(texts, _classes(12)),
            [*TEXTS, "?"],
        ),
        "words": (
            ManyToOne(
                "words", "labels", cell="lstm", pooling="max", lowercase=True, embedding=6, **SMALL
            ),
            Examples(texts, [["x"], ["x", "y"], []] * 4),
            TEXTS,
        ),
        "rows": (
            ManyToOne("rows", cell="vanilla", layers=2, **SMALL),
            Examples(rows, _classes(12)),
            list(rows[:4]),
        ),
        "series": (
            ManyToOne("series", "value", cell="lem", layers=2, **SMALL),
            Examples(series, [float(n) for n in range(12)]),
            series[:4],
        ),
        "audio": (
            ManyToOne("audio", cell="lstm", sample_rate=8000, mel_bins=6, **SMALL),
            Examples(waves, _classes(12)),
            waves[:4],
        ),
        "recordings": (
            ManyToOne(
                "audio", cell="lstm", sample_rate=8000, mel_bins=6, mean_normalization=True, **SMALL
            ),
            Examples(waves, _classes(12)),
            waves[:4],
        ),
        "tags": (
            ManyToManyAligned(
                "words", cell="lstm", characters=4, character_embedding=3, crf=True, **SMALL
            ),
            Examples(sentences, tags),
            [*TEXTS, ["two words", "x"]],
        ),
        "convolved": (
            ManyToManyAligned(
                "words",
                characters=4,
                character_reader="convolutional",
                bidirectional=False,
                **SMALL,
            ),
            Examples(sentences, [free[: len(sentence)] for sentence in sentences]),
            TEXTS,
        ),
        "steps": (
            ManyToManyAligned(
                "series",
                "values",
                cell="mgu",
                bidirectional=False,
                dropout=0.1,
                recurrent_dropout=0.1,
                **SMALL,
            ),
            Examples(series, [sentence[:, :1] * 2 for sentence in series]),
            series[:4],
        ),
        "lines": (
            ManyToManyUnaligned(
                columns_per_step=2, layers=2, bidirectional=False, random_shear=0.1, **SMALL
            ),
            Examples([sentence.T for sentence in rows], ["ab", "b"] * 6),
            [sentence.T[:, :width] for sentence, width in zip(rows, (5, 4, 3, 1), strict=False)],
        ),
        "convolved-lines": (
            ManyToManyUnaligned(columns_per_step=2, filters=(3, 2), **SMALL),
            Examples([sentence.T for sentence in rows], ["ab", "b"] * 6),
            [sentence.T[:, :width] for sentence, width in zip(rows, (5, 4, 3, 1), strict=False)],
        ),
        "convolved-images": (
            ManyToManyEncoderDecoder(
                "columns", columns_per_step=2, filters=(3, 2), random_shear=0.1, **SMALL
            ),
            Examples([sentence.T for sentence in rows], ["ab", "b"] * 6),
            [sentence.T[:, :width] for sentence, width in zip(rows, (5, 4, 3, 1), strict=False)],
        ),
        "forecast": (
            ManyToManyAligned("series", "next", cell="indrnn", horizon=5, **SMALL),
            Examples(series),
            series[:4],
        ),
        "language": (
            ManyToManyAligned("characters", "next", cell="lstm", layers=2, embedding=5, **SMALL),
            Examples(texts),
            ["", "the ", "Ünï"],
        ),
        "words-language": (
            ManyToManyAligned("words", "next", tied=True, embedding=5, **SMALL),
            Examples(texts),
            ["", "the dogs' 'quoted'"],
        ),
        "translation": (
            ManyToManyEncoderDecoder(
                "subwords", "words", layers=2, embedding=5, vocabulary_size=60, **SMALL
            ),
            Examples(texts, texts),
            TEXTS,
        ),
        "spelling": (
            ManyToManyEncoderDecoder(
                "words", "subwords", attention="none", embedding=5, vocabulary_size=60, **SMALL
            ),
            Examples(texts, texts),
            TEXTS,
        ),
        "images": (
            one_to_many_data.template("image", attention="multiplicative", cell="lstm"),
            images,
            list(images.inputs[:3]),
        ),
        "vectors": (one_to_many_data.template("vector"), vectors, list(vectors.inputs[:3])),
        "names": (one_to_many_data.template("class"), names, ["a", "ü b"]),
    }


VARIANTS = {"names", "vectors", "spelling", "words-language", "n-grams", "rows", "convolved"}
"""Cases that share their code with others: classes and vectors are captioned like images, spellings
are generated like translations, words like characters; the others only read inputs differently."""


def names_of_cases(quick: tuple[str, ...] = ()) -> list[Any]:
    """The cases as parameters of a test; those that only vary another one run before a release."""

    def marks(name: str) -> Any:
        if name in quick:
            return []
        return BEFORE_RELEASES if name in VARIANTS else [pytest.mark.slow]

    return [pytest.param(name, marks=marks(name)) for name in cases()]


def make_run(folder: pathlib.Path, chosen: Template, examples: Examples, noise: float = 0.3) -> Run:
    """A run with normal noise, of standard deviation `noise`, added to all weights."""
    task = chosen.adapt(examples)
    run = Run.create(folder, describe(chosen, task, settings(), {}, Padding([4, 9], [])), task)
    model = task.build("float32")
    random = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(weight + random.normal(0, noise, weight.shape))
    model.save(folder / "model.keras")
    return run


def standalone_model(folder: pathlib.Path) -> Any:
    """The `Model` of an export's predict.py."""
    spec = importlib.util.spec_from_file_location("predict", folder / "predict.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Model(folder)


def options_of(task: Any) -> PredictionOptions:
    """Options for a task: beam search with all penalties and constraints if it generates texts."""
    if hasattr(task, "transcripts"):
        return PredictionOptions(2, Decoding("beam", count=2, beam_width=3))
    if not hasattr(task, "texts"):
        return PredictionOptions(2, getattr(task, "decoding", None))
    covers = 0.2 if getattr(task.template, "attention", "none") != "none" else 0.0
    choices = Decoding(
        "beam",
        count=2,
        beam_width=3,
        maximum_length=9,
        minimum_length=2,
        length_penalty=0.7,
        coverage_penalty=covers,
        repetition_penalty=1.3,
        no_repeat_ngram=2,
    )
    return PredictionOptions(2, choices)


def check_case(name: str, format: str, folder: pathlib.Path) -> Any:
    """Exports a case, and compares all its parts and predictions with those of the model in Python.

    Returns:
        The `Model` of the export.
    """
    chosen, examples, inputs = cases()[name]
    run = make_run(folder / "run", chosen, examples)
    options = options_of(run.task)
    run.export(folder / "out", options, format=format, check=False)
    model = standalone_model(folder / "out")
    parts = parts_of(run.task, in_float32(run.task, run.model))
    assert ("step" in parts) == (no_step(run.task, run.model) is None)
    given = checking.part_inputs(run.task, parts, [item for item in inputs if len(item)])
    for part, tensors in given.items():
        ours, theirs = checking.run(parts[part], tensors), model.run(part, **tensors)
        assert checking.compare(ours, theirs, format) < 2e-5
    requested = [options]
    if hasattr(run.task, "texts") or hasattr(run.task, "transcripts"):
        requested.append(replace(options, top=1, decoding=Decoding(maximum_length=7)))
    for one in requested:
        decoding = None if one.decoding is None else dict(vars(one.decoding))
        predicted = model.predict(inputs, decoding)
        for answer, item in zip(run.predict(inputs, one), predicted, strict=True):
            _check_answer(answer, item)
    return model


def _check_answer(answer: Any, predicted: dict[str, Any]) -> None:
    if answer.probability is None and not answer.alternatives:  # numbers
        np.testing.assert_allclose(predicted["value"], answer.value, rtol=1e-4, atol=1e-5)
        return
    assert predicted["label"] == answer.label
    if answer.step_probabilities:
        found = predicted["step_probabilities"]
        np.testing.assert_allclose(found, answer.step_probabilities, rtol=1e-3, atol=1e-6)
    assert [tuple(span) for span in predicted.get("alignment", ())] == list(answer.alignment)
    if isinstance(answer.value, tuple) and not predicted["alternatives"]:
        return  # only the best tags of a CRF are exported
    labels = [label for label, _ in answer.alternatives]
    assert [label for label, _ in predicted["alternatives"]] == labels
    expected = [probability for _, probability in answer.alternatives]
    found = [probability for _, probability in predicted["alternatives"]]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)
    if answer.probability is not None:
        np.testing.assert_allclose(predicted["probability"], answer.probability, rtol=1e-3)

"""The signatures of an exported SavedModel: predictions, steps, states, generation."""

from collections.abc import Callable, Collection
from types import SimpleNamespace
from typing import Any

import tensorflow as tf

from seqzoo.cells.engine.exported_loops import run_compiled
from seqzoo.cells.engine.runners import run_by
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.errors import SeqzooError, command
from seqzoo.tasks.export.parts import (
    NEXT,
    initial_states,
    named_states,
    no_step,
    parts_of,
    prediction_of,
    recurrent_layers,
    run_steps,
    state_specs,
    takes_ids,
)
from seqzoo.tasks.many_to_many_aligned.language_model_network import LanguageModel
from seqzoo.tasks.preprocessing.base import for_any_batch
from seqzoo.tasks.preprocessing.text import TextFeatures
from seqzoo.tasks.protocols import Generates
from seqzoo.tasks.seq2seq.encoder_decoder import Generator

SERVING, EXPLAIN = "serving_default", "explain"
COMPILED = "serving_compiled"
"""The only signature whose functions are marked to be compiled by XLA. TensorFlow without XLA runs
them unchanged, but a GPU server that includes only parts of XLA may fail to run them."""

Signature = tuple[Callable[..., dict[str, Any]], list[Any]]
"""A function of tensors by name, and the `tf.TensorSpec`s of those tensors."""


def signatures_of(
    task: Any, model: Any, options: PredictionOptions, further: Collection[str] = ()
) -> dict[str, Signature]:
    """All signatures of a model by name.

        serving_default   raw inputs -> predictions
        step              one step and states -> its prediction and the states after it ("next_...")
        chunk             some steps and states -> their predictions and the states after them
        initial_state     "batch" -> the states before the first step
        encode            raw inputs, or ids -> the memory of a decoder, and its initial states
        ids               "text" -> "values" and "lengths", ids as `step` and `encode` expect them
        generate          raw inputs and decoding options -> "text" and "log_probability"

    and those of the task, such as "score" and "bytes". A model that cannot be run step by step,
    such as a bidirectional one, has no "step", "chunk" or "initial_state".

    Args:
        task: the task of the model.
        model: the trained model.
        options: the options of the predictions.
        further: names of signatures in `ON_REQUEST` to include.

    Raises:
        SeqzooError: the model does not support one of `further`.
    """
    names = [spec.name for spec in task.signature]

    def predict(**raw: Any) -> dict[str, Any]:
        return task.respond(model, tuple(raw[name] for name in names), options)

    results: dict[str, Signature] = {SERVING: (predict, list(task.signature))}
    if no_step(task, model) is None:
        results |= _steps(task, model)
    if takes_ids(task) and isinstance(task.features, TextFeatures):
        results["ids"] = (lambda text: _ids(task, text), [tf.TensorSpec([None], tf.string, "text")])
    if hasattr(task, "texts"):
        results["generate"] = _generate(task, model, options)
    results |= task.signatures(model, options)
    results |= {name: ON_REQUEST[name](task, model, options) for name in further}
    return {
        name: (function if name in ANY_BATCH else for_any_batch(function), specs)
        for name, (function, specs) in results.items()
    }


def _compiled(task: Any, model: Any, options: PredictionOptions) -> Signature:
    """The signature "serving_default", with loops that XLA compiles."""
    if isinstance(task, Generates):
        raise SeqzooError(
            f"`{COMPILED}` is for models that read complete sequences, but this one generates "
            "token by token, which is no faster when compiled. Leave it out."
        )
    names = [spec.name for spec in task.signature]

    def predict(**raw: Any) -> dict[str, Any]:
        with run_by(run_compiled):
            return task.respond(model, tuple(raw[name] for name in names), options)

    return predict, list(task.signature)


def _explain(task: Any, model: Any, options: PredictionOptions) -> Signature:
    """Raw inputs -> a text, and the attention weights of each of its tokens."""
    if getattr(getattr(model, "decoder", None), "attention", None) is None:
        raise SeqzooError(
            f"`{EXPLAIN}` shows attention, which this model does not have; models of "
            "many-to-many-encoder-decoder and one-to-many have it, unless `attention` is 'none'. "
            f"Leave it out, or explain predictions with `{command('inspect')}`."
        )
    names = [spec.name for spec in task.signature]

    def explain(**raw: Any) -> dict[str, Any]:
        return task.explain(model, tuple(raw[name] for name in names), options)

    return explain, list(task.signature)


def _ids(task: Any, text: Any) -> dict[str, Any]:
    values, lengths = task.features.transform(text)
    return {"values": values, "lengths": lengths}


def _steps(task: Any, model: Any) -> dict[str, Signature]:
    parts = parts_of(task, model)
    results = {
        name: (parts[name].run, list(parts[name].inputs))
        for name in ("step", "encode")
        if name in parts
    }
    layers = recurrent_layers(model)
    specs = state_specs(layers)
    if isinstance(model, Generator):
        return results

    def begin(batch: Any) -> dict[str, Any]:
        return named_states(specs, initial_states(layers, batch))

    results["initial_state"] = (begin, [tf.TensorSpec([], tf.int32, "batch")])

    step = parts["step"]
    step_inputs = [spec for spec in step.inputs if spec.name not in step.states]

    def chunk(**tensors: Any) -> dict[str, Any]:
        states = [tensors[spec.name] for spec in specs]
        if isinstance(model, LanguageModel):
            logits, last = model(tensors["tokens"], states)
            predictions = {"logits": tf.cast(logits, tf.float32)}
        else:
            steps = [tensors[spec.name] for spec in step_inputs]
            outputs, last = run_steps(task, model, steps, states)
            predictions = prediction_of(task, outputs)
        return {**predictions, **named_states(specs, last, NEXT)}

    chunk_inputs = [
        tf.TensorSpec([None, None, *spec.shape[1:]], spec.dtype, spec.name) for spec in step_inputs
    ]
    results["chunk"] = (chunk, [*chunk_inputs, *specs])
    return results


def _generate(task: Any, model: Any, options: PredictionOptions) -> Signature:
    """Generation with options as arguments: "maximum_length"; "beam", the beam size, 0 or 1 for no
    beam search; "temperature", 0 for greedy search; "top_k" and "top_p", 0 for all tokens; "seed",
    negative for a different one each time. Beam search takes precedence over sampling. Values out
    of range are refused when the signature is called."""
    base = vars(options.decoding or task.decoding)
    option_specs = [
        tf.TensorSpec([], tf.int32, "maximum_length"),
        tf.TensorSpec([], tf.float32, "temperature"),
        tf.TensorSpec([], tf.int32, "top_k"),
        tf.TensorSpec([], tf.float32, "top_p"),
        tf.TensorSpec([], tf.int32, "beam"),
        tf.TensorSpec([], tf.int32, "seed"),
    ]
    ids = getattr(task, "ids", len(task.texts.vocabulary))

    def generate(**arguments: Any) -> dict[str, Any]:
        raw = tuple(arguments[spec.name] for spec in task.signature)
        with tf.control_dependencies(_range_checks(arguments)):
            arguments = {spec.name: tf.identity(arguments[spec.name]) for spec in option_specs}
        random_seed = tf.random.uniform([], 0, tf.int32.max, tf.int32)
        seed = tf.where(arguments["seed"] < 0, random_seed, arguments["seed"])

        def respond(method: str, **more: Any) -> tuple[Any, Any]:
            settings = {**base, "method": method, "count": 1, **more}
            settings["maximum_length"] = arguments["maximum_length"]
            decoding = SimpleNamespace(**settings)
            results = task.respond(model, raw, PredictionOptions(1, decoding, seed))  # pyright: ignore[reportArgumentType]
            return results["text"], results["log_probability"]

        def sample() -> tuple[Any, Any]:
            top_k, top_p = arguments["top_k"], arguments["top_p"]
            return respond(
                "sample",
                temperature=arguments["temperature"],
                top_k=tf.where(top_k > 0, top_k, ids + 1),
                top_p=tf.where(top_p > 0, top_p, 1.0),
            )

        text, log_probability = tf.cond(
            (arguments["temperature"] > 0) & (arguments["beam"] < 2),
            sample,
            # With a beam size of 1, beam search is greedy search.
            lambda: respond("beam", beam_width=tf.maximum(arguments["beam"], 1)),
        )
        return {"text": text, "log_probability": log_probability}

    return generate, [*task.signature, *option_specs]


def _range_checks(arguments: dict[str, Any]) -> list[Any]:
    """Operations that fail if an option of `generate` is out of range."""
    temperature, top_p = arguments["temperature"], arguments["top_p"]
    checks = {
        "maximum_length": ("at least 1", arguments["maximum_length"] >= 1),
        "temperature": (
            "0 or from 1e-6 to 1e6",
            tf.equal(temperature, 0) | ((temperature >= 1e-6) & (temperature <= 1e6)),
        ),
        "top_k": ("at least 0", arguments["top_k"] >= 0),
        "top_p": ("from 0 to 1", (top_p >= 0) & (top_p <= 1)),
        "beam": ("at least 0", arguments["beam"] >= 0),
    }
    assertions = [
        tf.debugging.Assert(valid, [f"`{name}` must be {expected}, got", arguments[name]])
        for name, (expected, valid) in checks.items()
    ]
    return [assertion for assertion in assertions if assertion is not None]  # None outside graphs


ANY_BATCH = ("initial_state", "step", "chunk", "ids", "bytes")
"""Signatures that need no row: none of their operations does, and "bytes" has no image to add."""

ON_REQUEST = {EXPLAIN: _explain, COMPILED: _compiled}
"""Additional signatures, which make a SavedModel slower to load."""

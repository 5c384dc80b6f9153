"""The numeric functions that a model consists of, which are exported to other runtimes.

    serving    a batch of complete inputs -> predictions as numbers
    encode     a batch of complete inputs -> the memory of a decoder, and its initial states
    step       one step and the states before it -> the step's prediction and the states after it

Texts are passed as ids, both as inputs and as outputs, and images that are read by columns are
passed as columns; numbers, audio and other images are passed unchanged. States are arguments and
results, named by layer and number: "layer_1_state_1" before a step and "next_layer_1_state_1" after
it. The batch and time dimensions are dynamic.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

import seqzoo.cells
from seqzoo.cells.engine.runners import run_by
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.forecast.network import SegmentForecaster
from seqzoo.tasks.layers.recurrent import LastOutputs, MaskedPooling, NGramEmbedding, takes_time
from seqzoo.tasks.layers.step_convolutions import StepConvolutions
from seqzoo.tasks.layers.string_states import StringStates
from seqzoo.tasks.layers.word_characters import WordCharacters
from seqzoo.tasks.many_to_many_aligned.forecaster_network import NextStep
from seqzoo.tasks.many_to_many_aligned.language_model_network import LanguageModel
from seqzoo.tasks.preprocessing.audio import AudioFeatures
from seqzoo.tasks.preprocessing.class_names import NameFeatures
from seqzoo.tasks.preprocessing.histories import HistoryFeatures
from seqzoo.tasks.preprocessing.image_columns import ColumnFeatures
from seqzoo.tasks.preprocessing.image_rows import RowFeatures
from seqzoo.tasks.preprocessing.series import SeriesFeatures
from seqzoo.tasks.preprocessing.text import TextFeatures
from seqzoo.tasks.protocols import Transcribes
from seqzoo.tasks.seq2seq.encoder_decoder import Generator
from seqzoo.tasks.seq2seq.monotonic_decoder import MonotonicDecoder
from seqzoo.tasks.targets.classes import ClassTargets
from seqzoo.tasks.targets.labels import LabelTargets
from seqzoo.tasks.targets.steps import StepValues
from seqzoo.tasks.targets.values import ValueTargets

NEXT = "next_"
"""Prefix of the names of states after a step."""


@dataclass(frozen=True)
class Part:
    """A function of tensors by name.

    Attributes:
        run: tensors by name -> results by name, with TensorFlow operations only.
        inputs: the `tf.TensorSpec`s of its arguments.
        states: the names of those arguments that are states.
    """

    run: Callable[..., dict[str, Any]]
    inputs: tuple[Any, ...]
    states: tuple[str, ...] = ()


def parts_of(task: Any, model: Any) -> dict[str, Part]:
    """The parts of a model by name.

    Args:
        task: the task of the model.
        model: the trained model, in float32; see `in_float32`.
    """
    if isinstance(model, Generator):
        return _generator(task, model)
    if isinstance(model, LanguageModel):
        return _language_model(model)
    if isinstance(model, SegmentForecaster):
        return {"serving": _forecaster(task, model)}
    parts = {"serving": _serving(task, model)}
    if no_step(task, model) is None:
        parts["step"] = _step(task, model)
    return parts


def in_float32(task: Any, model: Any) -> Any:
    """The model, or a copy with the same weights if the model computes in another precision or has
    a `LastOutputs` layer: models saved by older versions do not pass the mask to that layer, and
    their exports would differ."""
    masks = not any(isinstance(layer, LastOutputs) for layer in model._flatten_layers())
    if masks and is_float32(model):
        return model
    with seqzoo.cells.portable():
        other = task.build("float32")
    other.set_weights(model.get_weights())
    return other


def is_float32(model: Any) -> bool:
    """Whether all layers of a model compute in float32."""
    layers = model._flatten_layers()  # the public list lacks nested layers
    return all(layer.compute_dtype == "float32" for layer in layers)


def no_step(task: Any, model: Any) -> str | None:
    """Why a model cannot be run step by step; None if it can."""
    if isinstance(task.features, AudioFeatures) and task.template.mean_normalization:
        return "its audio is normalised by the mean of the whole recording"
    if isinstance(model, NextStep) and takes_time(model.choices["cell"]):
        return "its prediction depends on when the next step comes"
    if isinstance(model, SegmentForecaster):
        return "it reads a window of steps at once"
    if isinstance(model, Generator) and model.further is not None:
        return "it reads several inputs"
    if isinstance(getattr(model, "decoder", None), MonotonicDecoder):
        return "its state grows with its input"
    if isinstance(model, Generator | LanguageModel | NextStep):
        return None
    if any(isinstance(layer, keras.Model) for layer in model.layers):
        return "it reads several inputs"
    if getattr(task.features, "order", None) is not None:
        return "it reads the pixels of an image in a permuted order"
    for layer in model.layers:
        if isinstance(layer, keras.layers.Bidirectional):
            return "it reads its input in both directions"
        if isinstance(layer, StepConvolutions):
            return "convolutions read the steps before and after each step"
        if isinstance(layer, MaskedPooling):
            return "it pools over all steps"
        if isinstance(layer, NGramEmbedding):
            return "it reads n-grams of its input"
        if isinstance(layer, StringStates):
            return "a language model reads the characters of whole sentences"
        if isinstance(layer, WordCharacters):
            return "a recurrent layer reads the characters of each word"
        if "crf" in layer.name:
            return "its CRF decodes the tags of a complete sequence"
    return None


def step_of(task: Any, model: Any) -> Part:
    """The part "step".

    Raises:
        SeqzooError: the model has no step.
    """
    parts = parts_of(task, model)
    if "step" not in parts:
        raise SeqzooError(
            f"This model has no `step`, because {no_step(task, model)}; run it on complete inputs, "
            "or train a model that can be run step by step."
        )
    return parts["step"]


class Carried:
    """A runner (see `seqzoo.cells.engine.runners`) that gives layers their initial states and keeps
    their final ones.

    Args:
        states: the initial states of all layers, in the order in which the layers are run.
    """

    def __init__(self, states: Sequence[Any]):
        self._initial = list(states)
        self.last: list[Any] = []

    def __call__(
        self, layer: Any, sequences: Any, states: list, mask: Any
    ) -> tuple[Any, Any, list]:
        first, self._initial = self._initial[: len(states)], self._initial[len(states) :]
        initial = [tf.cast(state, layer.cell.compute_dtype) for state in first]
        if sequences.shape[1] == 1:  # no loop
            x = layer.cell.projected(sequences[:, 0])
            output, new = layer.cell.advance(x, initial)
            last, outputs = output, output[:, None]
        else:
            with run_by(None), seqzoo.cells.portable():
                last, outputs, new = layer.inner_loop(sequences, initial, None)
        self.last += new
        return last, outputs, list(new)


def state_specs(layers: Sequence[Any]) -> tuple[Any, ...]:
    """The `tf.TensorSpec`s of the states of recurrent layers, in order."""
    specs = []
    for number, layer in enumerate(layers, 1):
        sizes = layer.cell.state_size
        sizes = sizes if isinstance(sizes, list | tuple) else [sizes]
        specs += [
            tf.TensorSpec([None, size], tf.float32, f"layer_{number}_state_{position}")
            for position, size in enumerate(sizes, 1)
        ]
    return tuple(specs)


def initial_states(layers: Sequence[Any], batch: Any) -> list[Any]:
    """The states before the first step, in the order of `state_specs`."""
    return [item for layer in layers for item in layer.cell.get_initial_state(batch)]


def recurrent_layers(model: Any) -> list[Any]:
    """The layers whose states a step carries, in the order in which they are run."""
    if isinstance(model, Generator | LanguageModel):
        return model.decoder.recurrent
    if isinstance(model, NextStep):
        return model.recurrent
    return [layer for layer in model.layers if isinstance(layer, seqzoo.cells.Recurrent)]


def named_states(specs: Sequence[Any], states: Sequence[Any], prefix: str = "") -> dict[str, Any]:
    """States in the order of `specs`, by their names."""
    pairs = zip(specs, states, strict=True)
    return {f"{prefix}{spec.name}": tf.cast(state, tf.float32) for spec, state in pairs}


def input_specs(task: Any) -> tuple[Any, ...]:
    """The `tf.TensorSpec`s of complete inputs: ids and lengths for texts, columns for images that
    are read by columns, the steps of a window for forecasts, raw inputs otherwise."""
    if isinstance(task.features, HistoryFeatures):
        return tuple(_of_window(spec, task.template) for spec in task.signature)
    if not takes_ids(task) and not isinstance(task.features, ColumnFeatures):
        return tuple(task.signature)
    if isinstance(task.features, NameFeatures):
        return (tf.TensorSpec([None], tf.int32, "classes"),)
    shape, dtype = task.features.step
    return (
        tf.TensorSpec([None, None, *shape], dtype, "values"),
        tf.TensorSpec([None], tf.int32, "lengths"),
    )


def _of_window(spec: Any, template: Any) -> Any:
    """The `tf.TensorSpec` of an input of a `Forecast`, for as many steps as it reads."""
    if spec.name == "series":
        return tf.TensorSpec([None], tf.int32, "series")
    if spec.name == "static":
        return spec
    steps = template.look_back + template.horizon * (spec.name in ("dates", "known"))
    return tf.TensorSpec([None, steps, *spec.shape[2:]], spec.dtype, spec.name)


def takes_ids(task: Any) -> bool:
    """Whether inputs are strings, which the parts take as ids."""
    return isinstance(task.features, TextFeatures | NameFeatures)


def _encoded(task: Any, tensors: dict[str, Any]) -> tuple[Any, Any]:
    """Tensors of `input_specs`, by name -> "values" and "lengths" as the model takes them."""
    if isinstance(task.features, NameFeatures):
        return tensors["classes"][:, None], tf.ones(tf.shape(tensors["classes"]), tf.int32)
    if takes_ids(task):
        return tensors["values"], tensors["lengths"]
    if isinstance(task.features, ColumnFeatures):
        return encoded_steps(task, tensors["values"]), tensors["lengths"]
    raw = [tensors[spec.name] for spec in task.signature]
    if isinstance(task.features, AudioFeatures):
        return task.features.transform_by_products(*raw)
    return task.features.transform(*raw)


def _inside(values: Any, lengths: Any) -> Any:
    return tf.range(tf.shape(values)[1]) < lengths[:, None]


def prediction_of(task: Any, outputs: Any) -> dict[str, Any]:
    """The prediction, as named tensors, from the outputs of a model."""
    targets = getattr(task, "targets", None)
    if isinstance(task, Transcribes):
        return {"log_probabilities": tf.nn.log_softmax(outputs)}
    if isinstance(targets, ClassTargets):
        return {"probabilities": tf.nn.softmax(outputs)}
    if isinstance(targets, LabelTargets):
        return {"probabilities": tf.sigmoid(outputs)}
    if isinstance(targets, ValueTargets):
        return targets.decode(outputs, 1)
    if targets is None:
        # Tags; a CRF decodes them from the scores.
        return (
            {"scores": outputs} if task.template.crf else {"probabilities": tf.nn.softmax(outputs)}
        )
    if isinstance(targets, StepValues):
        return {"predictions": targets.decode(targets.predicted(outputs))}
    return {"probabilities": tf.sigmoid(outputs)}  # of notes


def _serving(task: Any, model: Any) -> Part:
    specs = input_specs(task)

    def run(**tensors: Any) -> dict[str, Any]:
        values, lengths = _encoded(task, tensors)
        inside = _inside(values, lengths)
        if isinstance(model, NextStep):
            outputs, _ = model(values, steps=inside)
        else:
            outputs = model({"values": values, "lengths": lengths})
        results = prediction_of(task, tf.cast(outputs, tf.float32))
        if outputs.shape.rank == 3:
            return {name: tf.where(inside[..., None], item, 0.0) for name, item in results.items()}
        return results

    return Part(run, specs)


def step_specs(task: Any) -> tuple[Any, ...]:
    """The `tf.TensorSpec`s of one step's inputs: an id, values in the units of the data, or the
    samples of a window; for a time-aware cell, also the time since the previous step."""
    features = task.features
    if isinstance(features, AudioFeatures):
        return (tf.TensorSpec([None, features.window], tf.float32, "samples"),)
    shape, dtype = features.step
    if not features.takes_time:
        return (tf.TensorSpec([None, *shape], dtype, "values"),)
    return (
        tf.TensorSpec([None, shape[0] - 1], dtype, "values"),
        tf.TensorSpec([None], tf.float32, "elapsed"),
    )


def encoded_steps(task: Any, steps: Any, *elapsed: Any) -> Any:
    """Steps (batch, ...) or (batch, time, ...) of `step_specs` -> steps as the model takes them."""
    features = task.features
    if isinstance(features, AudioFeatures):
        return features.transform_windows(steps)
    if isinstance(features, SeriesFeatures):
        return features.scaled(steps, *elapsed)
    if isinstance(features, RowFeatures | ColumnFeatures) and features.dtype != "uint8":
        return (steps - features.mean[0]) / features.scale[0]
    return steps


def run_steps(
    task: Any, model: Any, steps: Sequence[Any], states: Sequence[Any]
) -> tuple[Any, list]:
    """Runs a model over some steps, starting from the states passed in.

    Args:
        task: the task that built the model.
        model: the model; neither a language model nor an encoder-decoder.
        steps: each (batch, time, ...); see `step_specs`.
        states: the states, in the order of `state_specs`.

    Returns:
        The outputs of each step, or of the last one if the model has only those, and the states
        after the last step.
    """
    values, carried = encoded_steps(task, *steps), Carried(states)
    with run_by(carried):
        if isinstance(model, NextStep):
            outputs, _ = model(values)
        else:
            count = tf.fill([tf.shape(values)[0]], tf.shape(values)[1])
            outputs = model({"values": values, "lengths": count})
    return tf.cast(outputs, tf.float32), carried.last


def _forecaster(task: Any, model: Any) -> Part:
    def run(**tensors: Any) -> dict[str, Any]:
        values, _ = task.features.transform_indexed(tensors)
        result = task.infer(model, {"values": values}, PredictionOptions())
        # "values" is the name of an input.
        return {"forecast": result["values"], "quantiles": result["quantiles"]}

    return Part(run, input_specs(task))


def _step(task: Any, model: Any) -> Part:
    specs = state_specs(recurrent_layers(model))
    step = step_specs(task)

    def run(**tensors: Any) -> dict[str, Any]:
        states = [tensors[spec.name] for spec in specs]
        steps = [tensors[spec.name][:, None] for spec in step]
        outputs, last = run_steps(task, model, steps, states)
        if outputs.shape.rank == 3:
            outputs = outputs[:, 0]
        return {**prediction_of(task, outputs), **named_states(specs, last, NEXT)}

    return Part(run, (*step, *specs), tuple(spec.name for spec in specs))


def _language_model(model: Any) -> dict[str, Part]:
    decoder = model.decoder
    specs = state_specs(decoder.recurrent)
    text_specs = (
        tf.TensorSpec([None, None], tf.int32, "values"),
        tf.TensorSpec([None], tf.int32, "lengths"),
    )

    def serve(values: Any, lengths: Any) -> dict[str, Any]:
        inside = _inside(values, lengths)
        logits, last = model(values, steps=inside)
        logits = tf.where(inside[..., None], tf.cast(logits, tf.float32), 0.0)
        return {"logits": logits, **named_states(specs, last)}

    return {"serving": Part(serve, text_specs), "step": _decoder_step(decoder, specs, ())}


def _generator(task: Any, model: Any) -> dict[str, Part]:
    decoder = model.decoder
    specs = state_specs(decoder.recurrent)

    def encode(**tensors: Any) -> dict[str, Any]:
        values, lengths = _encoded(task, tensors)
        memory, mask, states = model.encode({"values": values, "lengths": lengths})
        results = named_states(specs, tf.nest.flatten(states))
        if decoder.attention is not None:
            inside = mask[..., None]
            memory, keys, mask, *_ = decoder.look_at(memory, mask)
            results["memory"] = tf.where(inside, tf.cast(memory, tf.float32), 0.0)
            results["keys"] = tf.where(inside, tf.cast(keys, tf.float32), 0.0)
            results["mask"] = mask
        if decoder.copies:
            results["copies"] = model.copies(values)
        return results

    constants = ()
    if decoder.attention is not None:
        example = {
            spec.name: tf.zeros([2 if item is None else item for item in spec.shape], spec.dtype)
            for spec in input_specs(task)
        }
        if "lengths" in example:
            example["lengths"] = tf.constant([1, 2])
        with seqzoo.cells.portable():
            encoded = encode(**example)
        constants = (
            *(
                tf.TensorSpec([None, None, encoded[name].shape[2]], tf.float32, name)
                for name in ("memory", "keys")
            ),
            tf.TensorSpec([None, None], tf.bool, "mask"),
        )
    if decoder.copies:
        constants = (*constants, tf.TensorSpec([None, None], tf.int32, "copies"))
    return {
        "encode": Part(encode, input_specs(task)),
        "step": _decoder_step(decoder, specs, constants),
    }


def _decoder_step(decoder: Any, specs: Sequence[Any], constants: Sequence[Any]) -> Part:
    tokens = tf.TensorSpec([None], tf.int32, "tokens")

    def run(**tensors: Any) -> dict[str, Any]:
        states = [tf.cast(tensors[spec.name], decoder.compute_dtype) for spec in specs]
        nested = tf.nest.pack_sequence_as(decoder.zero_states(1), states)
        memory = tuple(tensors[spec.name] for spec in constants) or None
        logits, last, attention = decoder.step(tensors["tokens"], nested, memory)
        results = {"logits": tf.cast(logits, tf.float32)}
        if attention is not None:
            results["attention"] = attention
        return {**results, **named_states(specs, tf.nest.flatten(last), NEXT)}

    return Part(run, (tokens, *specs, *constants), tuple(spec.name for spec in specs))

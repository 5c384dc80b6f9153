"""`ManyToManyAligned` for numeric targets, with what it learned from training examples."""

from dataclasses import replace
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from seqzoo.tasks.base import Outcome, Prediction, PredictionOptions, Task
from seqzoo.tasks.data.batches import Data, Padding, Plan, Sequences
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.layers.encoders import beside_steps
from seqzoo.tasks.layers.readout import inputs_of_layer, steps_of
from seqzoo.tasks.layers.recurrent import recurrent_stack, sequence_inputs
from seqzoo.tasks.layers.word_vectors import embed_tokens
from seqzoo.tasks.many_to_many_aligned.cuts import CutsAtSteps
from seqzoo.tasks.preprocessing.base import Features, finite
from seqzoo.tasks.preprocessing.joined import features_of
from seqzoo.tasks.protocols import Readout
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.targets.base import required
from seqzoo.tasks.targets.elements import ElementLoss
from seqzoo.tasks.targets.steps import StepValues


class AlignedData(Data):
    """Sequences with targets of the same length."""

    def plan(
        self,
        padding: Padding,
        settings: TrainingSettings,
        *,
        multiple: int = 1,
        seed: tuple[int, ...] | None = None,
    ) -> Plan:
        padding = replace(padding, targets=padding.inputs)
        return super().plan(padding, settings, multiple=multiple, seed=seed)


class StepRegressionTask(CutsAtSteps, Task):
    """A model that predicts numbers at each step of a sequence.

    Args:
        template: the options, a `ManyToManyAligned`.
        features: how inputs become tensors.
        targets: the meaning of the outputs.
    """

    better = -1
    sums = 1

    def __init__(self, template: Any, features: Features, targets: StepValues):
        self.template = template
        self.features = features
        self.targets = targets
        self.metric = targets.metric

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> Self:
        loss, numbers = ElementLoss.of(template), _numbers(examples)
        loss.check(numbers, examples.locations)
        values = np.concatenate(numbers)
        targets = StepValues(*loss.scales(values), loss, values.mean(0).tolist())
        return cls(template, features_of(template).learn(template, examples), targets)

    @classmethod
    def restore(cls, template: Any, config: dict[str, Any], vocabularies: dict) -> Self:
        features = features_of(template)
        features = features.from_config(template, config["features"], vocabularies)
        targets = StepValues(**config["targets"], loss=ElementLoss.of(template))
        return cls(template, features, targets)

    def build(self, precision: str = "float32") -> Any:
        template = self.template
        inputs, values, mask = sequence_inputs(self.features)
        first = self.features.first
        if first.vocabulary is not None:
            values = embed_tokens(first, template, values, precision)
        values = beside_steps(inputs, values, template, self.features, precision)
        stack = replace(template, bidirectional=template.is_bidirectional)
        values = recurrent_stack(stack, values, mask, sequence=True, dtype=precision)
        if template.dropout:
            values = keras.layers.Dropout(template.dropout, dtype=precision, name="dropout")(values)
        outputs = keras.layers.Dense(self.targets.size, dtype="float32", name="outputs")(values)
        return keras.Model(inputs, outputs, name="steps")

    def encode(self, examples: Examples, targets: bool) -> Data:
        inputs, further = self.features.encode(examples), self.features.encode_further(examples)
        if not targets:
            return Data(inputs, further=further)
        numbers = _numbers(examples)
        self.targets.loss.check(numbers, examples.locations)
        for index, (number, steps) in enumerate(zip(numbers, inputs.lengths, strict=True)):
            location = f"the target of {examples.location(index)}"
            if number.shape != (steps, self.targets.size):
                raise SeqzooError(
                    f"The target of {examples.location(index)} must have the shape ({steps}, "
                    f"{self.targets.size}), one row per step, got {number.shape}.",
                    location=examples.location(index),
                )
            finite(number, location)
        scaled = [(number - self.targets.mean) / self.targets.scale for number in numbers]
        return AlignedData(inputs, Sequences.of(scaled, "float32"), further=further)

    def forward(self, model: Any, batch: dict[str, Any], training: bool) -> Outcome:
        outputs = self.outputs(model, batch, training)
        return self.outcome(outputs, batch["targets"], batch["lengths"], batch.get("counted"))

    def outcome(self, outputs: Any, targets: Any, lengths: Any, counted: Any = None) -> Outcome:
        """Losses and metrics, summed over the first `lengths` steps of sequences; if `counted`,
        (batch, time), is given, only over those of them that it marks."""
        inside = tf.range(tf.shape(targets)[1]) < lengths[:, None]
        if counted is not None:
            inside &= counted
        losses, metrics = (
            tf.reduce_sum(tf.where(inside, values, 0.0), 1)
            for values in self.targets.objective(outputs, targets)
        )
        return Outcome(losses, metrics[:, None])

    def outputs(self, model: Any, batch: dict[str, Any], training: bool = False) -> Any:
        """The outputs for the encoded inputs of a batch, (batch, time, outputs), float32."""
        outputs = model({name: batch[name] for name in model.input}, training=training)
        return tf.cast(outputs, tf.float32)

    @property
    def logits(self) -> bool:
        return self.targets.logits

    reads_out_steps = True

    def output_layer(self, model: Any) -> Any:
        return model.get_layer("outputs")

    def readout(self, model: Any, batch: dict[str, Any], washout: int) -> Readout:
        features = inputs_of_layer(self.output_layer(model), model, batch)
        targets = self.targets.regression_targets(batch["targets"])
        return steps_of(features, targets, batch["lengths"], washout)

    def counts(self, batch: dict[str, Any]) -> Any:
        return tf.cast(batch["lengths"], tf.float32)

    def measure(self, sums: np.ndarray, count: float) -> float:
        return float(sums[0] / count)

    def respond(self, model: Any, raw: tuple, options: PredictionOptions) -> dict[str, Any]:
        inputs = self.features.tensors(*raw)
        lengths = inputs["lengths"]
        predicted = self.targets.predicted(self.outputs(model, inputs))
        predictions = self.targets.decode(predicted)
        inside = tf.range(tf.shape(predictions)[1]) < lengths[:, None]
        return {"values": tf.where(inside[:, :, None], predictions, 0.0), "lengths": lengths}

    def infer(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        return {
            "outputs": self.outputs(model, batch),
            "steps": batch["lengths"],
        }

    def predictions(
        self, results: dict[str, list], inputs: Any, options: PredictionOptions
    ) -> list[Prediction]:
        predictions = []
        for outputs, steps in zip(results["outputs"], results["steps"], strict=True):
            numbers = self.targets.numbers(outputs[:steps])
            predictions.append(Prediction(*self.targets.prediction(numbers)))
        return predictions

    def compute_metrics(
        self, results: dict[str, list], data: Data, examples: Examples, options: PredictionOptions
    ) -> dict[str, Any]:
        targets: Any = data.targets
        predicted = [
            item[:steps] for item, steps in zip(results["outputs"], results["steps"], strict=True)
        ]
        truths = [targets[index] for index in range(len(data))]
        return self.targets.compute_metrics(predicted, truths)

    def to_config(self) -> dict[str, Any]:
        targets = {
            "mean": self.targets.mean,
            "scale": self.targets.scale,
            "training_mean": self.targets.training_mean,
        }
        return {"features": self.features.to_config(), "targets": targets}


def _numbers(examples: Examples) -> list[np.ndarray]:
    """Targets of shape (time, k), float64, with the same k for all."""
    numbers = []
    for index, item in enumerate(required(examples)):
        location = f"the target of {examples.location(index)}"
        try:
            array = np.asarray(item, np.float64)
        except (TypeError, ValueError) as error:
            raise SeqzooError(
                f"Numbers were expected, but {location} does not consist of numbers.",
                location=location,
            ) from error
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or array.shape[1] != (numbers or [array])[0].shape[1]:
            raise SeqzooError(
                "Targets must have shape (time,) or (time, k) with the same k for all, but "
                f"{location} has {np.shape(item)}.",
                location=location,
            )
        numbers.append(finite(array, location))
    return numbers

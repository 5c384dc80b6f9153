"""`ManyToOne` with what it learned from training examples."""

from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from seqzoo.tasks.base import Outcome, Prediction, PredictionOptions, Task
from seqzoo.tasks.data.batches import Data
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.kinds import targets_class
from seqzoo.tasks.layers.encoders import encode_sequence
from seqzoo.tasks.layers.readout import inputs_of_layer
from seqzoo.tasks.layers.recurrent import loss_precision, sequence_inputs
from seqzoo.tasks.many_to_one.network import encode_joined
from seqzoo.tasks.preprocessing.base import Features
from seqzoo.tasks.preprocessing.joined import JoinedFeatures, features_of
from seqzoo.tasks.protocols import Readout
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.targets.base import Targets
from seqzoo.tasks.targets.weighting import Weighting


class ManyToOneTask(Task):
    """A model with one prediction per sequence.

    Args:
        template: the options, a `ManyToOne`.
        features: how inputs become tensors.
        targets: the meaning of the outputs.
    """

    def __init__(self, template: Any, features: Features, targets: Targets):
        self.template = template
        self.features = features
        self.targets = targets
        self.metric = targets.metric
        self.better = targets.better
        self.sums = targets.sums
        self.weighting = Weighting()

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> Self:
        targets = targets_class(template.target).learn(template, examples)
        return cls(template, features_of(template).learn(template, examples), targets)

    @classmethod
    def restore(cls, template: Any, config: dict[str, Any], vocabularies: dict) -> Self:
        targets = targets_class(template.target)
        return cls(
            template,
            features_of(template).from_config(template, config["features"], vocabularies),
            targets.from_config(template, config["targets"]),
        )

    def build(self, precision: str = "float32") -> Any:
        template = self.template
        features = self.features
        if isinstance(features, JoinedFeatures):
            inputs, values = encode_joined(template, features, precision)
        else:
            inputs, values, mask = sequence_inputs(features)
            ids = inputs["values"]
            values = encode_sequence(template, features, ids, values, mask, precision)
        if template.dropout:
            values = keras.layers.Dropout(template.dropout, dtype=precision, name="dropout")(values)
        outputs = keras.layers.Dense(
            self.targets.size, dtype=loss_precision(precision), name="outputs"
        )(values)
        return keras.Model(inputs, outputs, name="many_to_one")

    def encode(self, examples: Examples, targets: bool) -> Data:
        encoded = self.targets.encode(examples) if targets else None
        features = self.features
        further = features.encode_further(examples)
        return Data(features.encode(examples), encoded, further=further)

    def forward(self, model: Any, batch: dict[str, Any], training: bool) -> Outcome:
        outputs = self.outputs(model, batch, training)
        losses, sums = self.targets.objective(outputs, batch["targets"])
        if not training:
            return Outcome(losses, sums)
        trained = self.targets.trained(losses, outputs, batch["targets"])
        if self.weighting != Weighting():
            trained = self.targets.weighted(trained, outputs, batch["targets"], self.weighting)
        return Outcome(trained, sums, reported=losses if trained is not losses else None)

    def weigh(self, settings: TrainingSettings, data: Data) -> None:
        if self.targets.weighs:
            self.weighting = self.targets.weighting(settings, np.asarray(data.targets))
        else:
            super().weigh(settings, data)

    def outputs(self, model: Any, batch: dict[str, Any], training: bool = False) -> Any:
        """The outputs for the encoded inputs of a batch, (batch, outputs), float32."""
        return model({name: batch[name] for name in model.input}, training=training)

    @property
    def logits(self) -> bool:
        return self.targets.logits

    reads_out_steps = False

    def output_layer(self, model: Any) -> Any:
        return model.get_layer("outputs")

    def readout(self, model: Any, batch: dict[str, Any], washout: int) -> Readout:
        features = inputs_of_layer(self.output_layer(model), model, batch)
        inside = tf.ones_like(batch["lengths"], tf.bool)
        return Readout(features, self.targets.regression_targets(batch["targets"]), inside)

    def measure(self, sums: np.ndarray, count: float) -> float:
        return self.targets.measure(sums, count)

    def respond(self, model: Any, raw: tuple, options: PredictionOptions) -> dict[str, Any]:
        outputs = self.outputs(model, self.features.tensors(*raw))
        return self.targets.decode(outputs, options.top)

    def infer(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        return {"outputs": self.outputs(model, batch)}

    @property
    def calibrated_layer(self) -> str | None:
        return "outputs" if self.targets.logits else None

    def class_logits(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        return {"logits": self.outputs(model, batch)}

    def decisions(self, results: dict[str, list], data: Data) -> tuple[np.ndarray, np.ndarray]:
        return self.targets.decisions(np.stack(results["logits"]), np.asarray(data.targets))

    def score(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        result = self.infer(model, batch, options)
        losses, _ = self.targets.objective(result["outputs"], batch["targets"])
        return {**result, "loss": losses, "count": self.counts(batch)}

    def predictions(
        self, results: dict[str, list], inputs: Any, options: PredictionOptions
    ) -> list[Prediction]:
        return self.targets.predictions(np.stack(results["outputs"]), options.top)

    def compute_metrics(
        self, results: dict[str, list], data: Data, examples: Examples, options: PredictionOptions
    ) -> dict[str, Any]:
        return self.targets.compute_metrics(np.stack(results["outputs"]), np.asarray(data.targets))

    def to_config(self) -> dict[str, Any]:
        return {"features": self.features.to_config(), "targets": self.targets.to_config()}

"""`ManyToOne` with what it learned from training examples."""

from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from seqzoo.tasks.base import Answer, AnswerOptions, Outcome, Task
from seqzoo.tasks.data.batches import Data
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.kinds import features_class, targets_class
from seqzoo.tasks.layers.readout import inputs_of_layer
from seqzoo.tasks.layers.recurrent import (
    MaskedPooling,
    NGramEmbedding,
    loss_precision,
    recurrent_stack,
    sequence_inputs,
)
from seqzoo.tasks.layers.word_vectors import embed_tokens
from seqzoo.tasks.preprocessing.base import Features
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
        return cls(template, features_class(template.input).learn(template, examples), targets)

    @classmethod
    def restore(cls, template: Any, config: dict[str, Any], vocabularies: dict) -> Self:
        features = features_class(template.input)
        targets = targets_class(template.target)
        return cls(
            template,
            features.from_config(template, config["features"], vocabularies),
            targets.from_config(template, config["targets"]),
        )

    def build(self, precision: str = "float32") -> Any:
        template = self.template
        inputs, values, mask = sequence_inputs(self.features)
        if self.features.vocabulary is not None:
            values = embed_tokens(self.features, template, inputs["values"], precision)
            if template.ngrams > 1:
                layer = NGramEmbedding(
                    template.ngrams,
                    template.ngram_buckets,
                    values.shape[-1],
                    dtype=precision,
                    name="ngrams",
                )
                values = keras.layers.add([values, layer(inputs["values"])])
        elif self.features.step[1] == "uint8":
            values = keras.layers.Rescaling(1 / 255, dtype=precision, name="scale")(values)
        bag = None
        if template.bag:
            bag = MaskedPooling("sum", dtype=precision, name="bag")(values, mask)
        whole = template.pooling != "last"
        values = recurrent_stack(template, values, mask, sequence=whole, dtype=precision)
        if whole:
            pool = MaskedPooling(template.pooling, dtype=precision, name="pooling")
            values = pool(values, mask)
        if bag is not None:
            values = keras.layers.concatenate([values, bag])
        if template.dropout:
            values = keras.layers.Dropout(template.dropout, dtype=precision, name="dropout")(values)
        outputs = keras.layers.Dense(
            self.targets.size, dtype=loss_precision(precision), name="outputs"
        )(values)
        return keras.Model(inputs, outputs, name="many_to_one")

    def encode(self, examples: Examples, targets: bool) -> Data:
        encoded = self.targets.encode(examples) if targets else None
        return Data(self.features.encode(examples), encoded)

    def forward(self, model: Any, batch: dict[str, Any], training: bool) -> Outcome:
        outputs = self.outputs(model, batch["values"], batch["lengths"], training)
        losses, sums = self.targets.objective(outputs, batch["targets"])
        if not training or self.weighting == Weighting():
            return Outcome(losses, sums)
        weighted = self.targets.weighted(losses, outputs, batch["targets"], self.weighting)
        return Outcome(weighted, sums, shown=losses)

    def weigh(self, settings: TrainingSettings, data: Data) -> None:
        if self.targets.weighs:
            self.weighting = self.targets.weighting(settings, np.asarray(data.targets))
        else:
            super().weigh(settings, data)

    def outputs(self, model: Any, values: Any, lengths: Any, training: bool = False) -> Any:
        """The outputs for encoded inputs, (batch, outputs), float32."""
        return model({"values": values, "lengths": lengths}, training=training)

    @property
    def logits(self) -> bool:
        return self.targets.logits

    def output_layer(self, model: Any) -> Any:
        return model.get_layer("outputs")

    def readout(self, model: Any, batch: dict[str, Any], washout: int) -> Readout:
        features = inputs_of_layer(self.output_layer(model), model, batch)
        inside = tf.ones_like(batch["lengths"], tf.bool)
        return Readout(features, self.targets.goals(batch["targets"]), inside)

    def measure(self, sums: np.ndarray, count: float) -> float:
        return self.targets.measure(sums, count)

    def respond(self, model: Any, raw: tuple, options: AnswerOptions) -> dict[str, Any]:
        outputs = self.outputs(model, *self.features.transform(*raw))
        return self.targets.decode(outputs, options.top)

    def infer(self, model: Any, batch: dict[str, Any], options: AnswerOptions) -> dict[str, Any]:
        return {"outputs": self.outputs(model, batch["values"], batch["lengths"])}

    @property
    def calibrated_layer(self) -> str | None:
        return "outputs" if self.targets.logits else None

    def class_logits(
        self, model: Any, batch: dict[str, Any], options: AnswerOptions
    ) -> dict[str, Any]:
        return {"logits": self.outputs(model, batch["values"], batch["lengths"])}

    def decisions(self, found: dict[str, list], data: Data) -> tuple[np.ndarray, np.ndarray]:
        return self.targets.decisions(np.stack(found["logits"]), np.asarray(data.targets))

    def score(self, model: Any, batch: dict[str, Any], options: AnswerOptions) -> dict[str, Any]:
        found = self.infer(model, batch, options)
        losses, _ = self.targets.objective(found["outputs"], batch["targets"])
        return {**found, "loss": losses, "count": self.counts(batch)}

    def answers(self, found: dict[str, list], inputs: Any, options: AnswerOptions) -> list[Answer]:
        return self.targets.answers(np.stack(found["outputs"]), options.top)

    def figures(
        self, found: dict[str, list], data: Data, examples: Examples, options: AnswerOptions
    ) -> dict[str, Any]:
        return self.targets.figures(np.stack(found["outputs"]), np.asarray(data.targets))

    def to_config(self) -> dict[str, Any]:
        return {"features": self.features.to_config(), "targets": self.targets.to_config()}

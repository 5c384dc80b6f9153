"""`ManyToManyAligned` as a forecaster of series or a music model of notes."""

from typing import Any, Self

import numpy as np
import tensorflow as tf

from seqzoo.tasks.base import Outcome, Prediction, PredictionOptions
from seqzoo.tasks.data.batches import Data, cut_steps
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.data.windows import CropData
from seqzoo.tasks.decoding import Decoding
from seqzoo.tasks.decoding.sampling import random_numbers, row_seeds
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.kinds import INPUTS, features_class, load
from seqzoo.tasks.layers.readout import steps_of
from seqzoo.tasks.layers.recurrent import cell_choices
from seqzoo.tasks.many_to_many_aligned.forecaster_network import NextStep
from seqzoo.tasks.many_to_many_aligned.step_regression import StepRegressionTask
from seqzoo.tasks.metrics.errors import errors
from seqzoo.tasks.preprocessing.base import Features
from seqzoo.tasks.protocols import Readout
from seqzoo.tasks.targets.elements import ElementLoss
from seqzoo.tasks.targets.steps import StepTargets, StepValues


class ForecasterTask(StepRegressionTask):
    """A model that predicts the next step in sequences of numbers, or of frames of zeros and ones.

    All steps of a sequence but the first are predicted from the steps before them. Training runs
    over parts of at most `window` predicted steps, each from a zero state; metrics are computed on
    complete sequences.

    Args:
        template: the options, a `ManyToManyAligned`.
        features: how inputs become tensors.
        training_mean: the mean over the training data, if it is not that of the features.
    """

    targets: StepTargets  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, template: Any, features: Features, training_mean: list[float] | None = None):
        self.template = template
        self.features = features
        kind = load(INPUTS[template.input].following)
        self.targets = kind.of_features(features, ElementLoss.of(template))
        if training_mean is not None and isinstance(self.targets, StepValues):
            self.targets.training_mean = training_mean
        self.metric = self.targets.metric

    @classmethod
    def learn(cls, template: Any, examples: Examples) -> Self:
        return cls(template, features_class(template.input).learn(template, examples))

    @classmethod
    def restore(cls, template: Any, config: dict[str, Any], vocabularies: dict) -> Self:
        features = features_class(template.input)
        features = features.from_config(template, config["features"], vocabularies)
        return cls(template, features, **config.get("targets", {}))

    def build(self, precision: str = "float32") -> NextStep:
        template = self.template
        model = NextStep(
            self.targets.size,
            **cell_choices(template),
            all_layers=template.all_layers,
            precision=precision,
            name="next_step",
        )
        model.build()
        return model

    def encode(self, examples: Examples, targets: bool) -> Data:
        inputs = self.features.encode(examples)
        if targets and inputs.lengths.min() < 2:
            location = examples.location(int(inputs.lengths.argmin()))
            raise SeqzooError(
                f"A sequence must have at least two steps, but {location} has only one, so there "
                "is no next step to predict; leave it out.",
                location=location,
            )
        return CropData(inputs, steps=self.template.window + 1)

    def forward(self, model: Any, batch: dict[str, Any], training: bool) -> Outcome:
        counted, inside = batch.get("counted"), None
        if counted is not None:
            inside = tf.range(tf.shape(counted)[1]) < batch["lengths"][:, None] - 1
        # Padding comes after all steps that count, so it needs no mask unless states are passed on.
        inputs, following = self._pairs(batch["values"])
        outputs, _ = model(inputs, steps=inside, training=training)
        return self.outcome(outputs, following, batch["lengths"] - 1, counted)

    def steps(self, batch: dict[str, Any]) -> Any:
        return tf.shape(batch["values"])[1] - 1

    def cut(self, batch: dict[str, Any], start: Any, stop: Any, size: int) -> dict[str, Any]:
        return cut_steps(batch, start, stop + 1, size + 1, ("values",))

    reads_out_steps = True

    def output_layer(self, model: Any) -> Any:
        return model.output_layer

    def readout(self, model: Any, batch: dict[str, Any], washout: int) -> Readout:
        inputs, following = self._pairs(batch["values"])
        features, _ = model.features(inputs)
        targets = self.targets.regression_targets(following)
        return steps_of(features, targets, batch["lengths"] - 1, washout)

    def _pairs(self, values: Any) -> tuple[Any, Any]:
        """The steps that the model reads, and the steps that follow them, (batch, time - 1, ...).
        Times are shifted by one step: a step that is read has the time until the next one, which
        the model predicts."""
        if not self.features.takes_time:
            return values[:, :-1], values[:, 1:]
        inputs = tf.concat([values[:, :-1, :-1], values[:, 1:, -1:]], -1)
        return inputs, values[:, 1:, :-1]

    def counts(self, batch: dict[str, Any]) -> Any:
        return tf.cast(batch["lengths"] - 1, tf.float32)

    def score(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        inputs, following = self._pairs(batch["values"])
        outputs, _ = model(inputs)
        outcome = self.outcome(outputs, following, batch["lengths"] - 1)
        return {
            "loss": outcome.losses,
            "count": self.counts(batch),
            "outputs": outputs,
            "steps": batch["lengths"] - 1,
        }

    def compute_metrics(
        self, results: dict[str, list], data: Data, examples: Examples, options: PredictionOptions
    ) -> dict[str, Any]:
        predicted = [
            item[:steps] for item, steps in zip(results["outputs"], results["steps"], strict=True)
        ]
        size = self.targets.size
        truth = [data.inputs[index][:, :size] for index in range(len(data))]
        metrics = self.targets.compute_metrics(predicted, [item[1:] for item in truth])
        if isinstance(self.targets, StepValues):
            # The errors of always predicting the previous step.
            last = np.concatenate([np.diff(item, axis=0) for item in truth]) * self.targets.scale
            metrics |= {f"{name}_of_last": value for name, value in errors(last).items()}
        return metrics

    @property
    def decoding(self) -> Decoding:
        """The default options for forecasts."""
        return Decoding(self.targets.methods[0], maximum_length=self.template.horizon)

    def respond(self, model: Any, raw: tuple, options: PredictionOptions) -> dict[str, Any]:
        values, lengths = self.features.transform(*raw)
        rows = tf.range(tf.shape(lengths)[0])
        batch = {"values": values, "lengths": lengths, "rows": rows}
        return {"values": self.targets.decode(self.infer(model, batch, options)["values"])}

    def infer(
        self, model: Any, batch: dict[str, Any], options: PredictionOptions
    ) -> dict[str, Any]:
        """The standardised "values" of the next steps, (batch, horizon, size); each is fed to the
        model to predict the one after it."""
        choices = self._checked(options.decoding or self.decoding)
        values, lengths = batch["values"], batch["lengths"]
        steps, size = choices.maximum_length, self.targets.size
        values = self.shifted(values, lengths)
        outputs, states = model(values, steps=tf.range(tf.shape(values)[1]) < lengths[:, None])
        # For an empty sequence, the prediction from the initial state.
        output = tf.gather(outputs, tf.maximum(lengths - 1, 0), batch_dims=1)
        numbers = None
        if choices.method == "sample":
            seed = options.seed
            if seed is not None:
                seed = row_seeds(seed, batch["rows"])
            numbers = random_numbers(seed, tf.shape(lengths)[0], 1, steps * size)
            numbers = tf.reshape(numbers, [-1, steps, size])

        def body(t, output, states, written):
            step_numbers = None if numbers is None else numbers[:, t]
            following = self.targets.following(output, step_numbers, choices.temperature)
            output, new = model.step(following, states)
            new = tf.nest.map_structure(lambda a, b: tf.ensure_shape(a, b.shape), new, states)
            return t + 1, output, new, written.write(t, following)

        array = tf.TensorArray(tf.float32, steps, element_shape=[None, size])
        *_, written = tf.while_loop(
            lambda t, *_: t < steps, body, (tf.constant(0), output, states, array)
        )
        return {"values": tf.transpose(written.stack(), [1, 0, 2])}

    def shifted(self, values: Any, lengths: Any) -> Any:
        """Steps (batch, time, features) as the model reads them: if they have times, each has the
        time until the next one; forecasts are spaced by the mean time between steps."""
        if not self.features.takes_time:
            return values
        until = tf.pad(values[:, 1:, -1], [[0, 0], [0, 1]])
        is_last = tf.range(tf.shape(values)[1]) >= lengths[:, None] - 1
        until = tf.where(is_last, tf.ones_like(until), until)
        return tf.concat([values[..., :-1], until[..., None]], -1)

    def _checked(self, choices: Decoding) -> Decoding:
        methods = sorted(self.targets.methods)
        if choices.method not in methods or choices.count > 1:
            raise SeqzooError(
                f"The continuation of {self.template.input} must be predicted with the method "
                f"{' or '.join(map(repr, methods))} and `count` 1, got "
                f"{choices.method!r} with {choices.count}."
            )
        return choices

    def predictions(
        self, results: dict[str, list], inputs: Any, options: PredictionOptions
    ) -> list[Prediction]:
        return [
            Prediction(*self.targets.prediction(self.targets.unscaled(values)))
            for values in results["values"]
        ]

    def to_config(self) -> dict[str, Any]:
        config = {"features": self.features.to_config()}
        if not isinstance(self.targets, StepValues):
            return config
        return {**config, "targets": {"training_mean": self.targets.training_mean}}

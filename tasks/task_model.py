"""A template as a `keras.Model` with `fit`, `evaluate` and `predict` on raw inputs."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from numbers import Integral, Real
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from seqzoo.tasks import TEMPLATES
from seqzoo.tasks.base import Prediction, PredictionOptions, Task, Template
from seqzoo.tasks.data.batches import Data, Padding, Plan, batches, join_plans
from seqzoo.tasks.data.examples import Examples
from seqzoo.tasks.errors import SeqzooError, check_instance, nearest
from seqzoo.tasks.export.formats import Export, export
from seqzoo.tasks.keras_inputs import check_unweighted, examples_of, pair_of, train_only
from seqzoo.tasks.preprocessing.vocabulary import Vocabulary
from seqzoo.tasks.runs.predictor import Inference, checked_options
from seqzoo.tasks.settings import TrainingSettings
from seqzoo.tasks.startup import start_devices
from seqzoo.tasks.training.callbacks import choose_mode, listed_callbacks

TRAIN_ONLY = (
    "clip_layer",
    "clip_value",
    "accumulate",
    "bptt_every",
    "loss_reduction",
    "average",
    "class_weight",
    "focal",
    "calibrate",
    "initialization",
    "freeze",
    "readout",
    "log_health",
    "embedding_updates",
    "patience",
    "best_by",
)
"""Settings of `train` that `fit` does not support."""


def keras_model(
    template: Template, examples: Examples, settings: TrainingSettings | None = None
) -> "TaskModel":
    """Makes a compiled Keras model from a template.

    Args:
        template: the template with its options.
        examples: the training examples, from which the template learns vocabularies, classes and
            scales; `fit` takes these or other examples.
        settings: settings for the batch size, the optimizer, the seed and the precision; by
            default those of the template. The epochs, the schedule and the warm-up are not used:
            `fit` takes the epochs, and Keras' callbacks do the rest.

    The intervals of forecasts are those of the network: `fit` does not correct their coverage.

    Raises:
        SeqzooError: the template does not fit the examples, or a setting or an option is only
            supported by `train`.

    Example:
        model = keras_model(ManyToOne(cell="gru"), Examples(texts, labels))
        model.fit(texts, labels, epochs=5, validation_split=0.1)
        model.predict(["a text"])  # probabilities, in the order of `model.classes`
    """
    check_instance("template", template, Template, "a template such as ManyToOne('characters')")
    check_instance("examples", examples, Examples, "`Examples(inputs, targets)`")
    check_instance("settings", settings, (TrainingSettings, type(None)), "`TrainingSettings`")
    start_devices()
    if settings is not None:
        defaults = TrainingSettings()
        for name in TRAIN_ONLY:
            if getattr(settings, name) not in (
                getattr(defaults, name),
                getattr(template.default_settings, name),
            ):
                raise train_only(name)
    for name in ("linear", "conformal_folds"):
        if getattr(template, name, None):
            raise train_only(name)
    settings = settings or template.default_settings
    check_unweighted(examples)
    keras.utils.set_random_seed(settings.seed)
    task = template.adapt(examples)
    model = TaskModel(task, settings)
    optimizer = TemplateAdam(
        settings.learning_rate,
        weight_decay=settings.weight_decay or None,
        global_clipnorm=settings.clip_norm,
    )
    model.compile(optimizer)
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)  # otherwise a file of it could not be loaded
    return model


@keras.saving.register_keras_serializable("seqzoo")
class TemplateAdam(keras.optimizers.Adam):
    """Adam whose weight decay leaves biases out, as in `train`."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.exclude_from_weight_decay(var_names=["bias"])


@keras.saving.register_keras_serializable("seqzoo")
class TaskModel(keras.Model):
    """The model of `keras_model`.

    `fit` and `evaluate` take raw inputs `x` and targets `y`: lists, arrays, pandas columns, or a
    batched `tf.data.Dataset` of pairs. The loss and the metric are those of the template;
    `compile` takes any optimizer. A `.keras` file includes the vocabularies and classes.

    Attributes:
        task: the template with what it learned from examples.
        network: the Keras model that takes encoded inputs.
    """

    def __init__(self, task: Task, settings: TrainingSettings, **options: Any):
        name = task.template.name.replace("-", "_")
        # With its policy, `compile` scales the loss in half precision; inputs stay as they are.
        super().__init__(
            **{"name": name, "dtype": settings.precision, "autocast": False, **options}
        )
        self.task: Any = task
        self.settings = settings
        self.network = task.build(settings.precision)
        self._loss = _Loss(task)
        self._metric = _Metric(task, self._loss)
        self._carried = tuple(
            tf.Variable(tf.zeros([0, units]), shape=[None, units], trainable=False)
            for units in task.carries
        )
        self._padding: Padding | None = None
        self._inferred: tuple = ()
        self.supports_jit = False  # the metric is computed outside the graph
        self.built = True

    @property
    def classes(self) -> list[str] | None:
        """The names of the classes or labels whose probabilities `predict` returns; None for other
        predictions."""
        return getattr(getattr(self.task, "targets", None), "names", None)

    @property
    def metrics(self) -> list[Any]:
        """The loss, and the metric of the template."""
        return [self._loss, self._metric]

    def call(self, inputs: Any, training: bool = False) -> dict[str, Any]:
        """Predictions for tensors of raw inputs, as an exported model returns them."""
        if isinstance(inputs, dict):
            inputs = [inputs[spec.name] for spec in self.task.signature]
        raw = inputs if isinstance(inputs, tuple | list) else (inputs,)
        return self.task.respond(self.network, tuple(raw), PredictionOptions())

    def compile(self, optimizer: Any = "rmsprop", *args: Any, **options: Any) -> None:
        """Sets the optimizer, as `keras.Model.compile` does.

        Raises:
            SeqzooError: a loss or metrics are given, instead of which the template's are used, or
                several steps per execution.
        """
        own = ("loss", "loss_weights", "metrics", "weighted_metrics")
        names = (*own, "run_eagerly", "steps_per_execution")
        named = dict(zip(names, args, strict=False)) | options
        for name in own:
            if named.get(name) not in (None, [], (), {}):
                raise SeqzooError(
                    f"`{name}` must be left out, since the loss and the metric are those of the "
                    f"template, got {named[name]!r}.",
                    field=name,
                )
        if named.get("steps_per_execution") not in (None, 1):
            raise SeqzooError(
                field="steps_per_execution",
                expected="1, because an execution may not reach into the next epoch",
                got=named["steps_per_execution"],
                hint="leave it out",
            )
        super().compile(optimizer, *args, **options)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles a loaded model; Keras leaves that out for models with their own `compile`."""
        options = keras.saving.deserialize_keras_object(config)
        options.pop("steps_per_execution", None)  # earlier files may have more than one
        self.compile(**options)
        if self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        initial_epoch: int = 0,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
        class_weight: Any = None,
        sample_weight: Any = None,
    ) -> Any:
        """Trains on raw inputs and targets, as `keras.Model.fit` does; the inputs of a batch have
        similar lengths.

        Raises:
            SeqzooError: an example does not fit the template, or class or sample weights are
                given, which only `seqzoo.tasks.train` takes.
        """
        for name, value in (("class_weight", class_weight), ("sample_weight", sample_weight)):
            if value is not None:
                raise train_only(name)
        share = validation_split
        if isinstance(share, bool) or not isinstance(share, Real) or not 0 <= share < 1:
            raise SeqzooError(
                field="validation_split", expected="at least 0 and below 1", got=share
            )
        for name, value in (("epochs", epochs), ("initial_epoch", initial_epoch)):
            if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
                raise SeqzooError(field=name, expected="a whole number of at least 0", got=value)
        callbacks = listed_callbacks(callbacks)
        examples = examples_of(x, y)
        if y is None and isinstance(x, list) and isinstance(validation_data, list):
            validation_data = (validation_data, None)  # inputs, as `x` is, and not a pair
        held_out = None if validation_data is None else examples_of(*pair_of(validation_data))
        if held_out is None and validation_split:
            first = len(examples) - int(len(examples) * validation_split)
            if first == len(examples):
                raise SeqzooError(
                    f"`validation_split` must hold out at least one of {len(examples):,} examples, "
                    f"got {validation_split}.",
                    field="validation_split",
                )
            held_out = examples.pick(range(first, len(examples)))
            examples = examples.pick(range(first))
        settings = self._settings(batch_size)
        data = self.task.data(examples)
        self._padding = Padding.choose(
            data, settings.buckets, settings.batch_size, epochs=max(epochs - initial_epoch, 1)
        )
        plans = [
            self._plan(data, settings, (settings.seed, epoch) if shuffle else None)
            for epoch in range(initial_epoch, max(epochs, initial_epoch + 1))
        ]
        validation_settings = self._settings(
            batch_size if validation_batch_size is None else validation_batch_size
        )
        validation = None if held_out is None else self._dataset(held_out, validation_settings)
        for callback in callbacks:
            choose_mode(callback, self.task)
        # Keras continues one data set over all epochs, so each epoch has different batches.
        return super().fit(
            batches(data, join_plans(plans)),
            epochs=epochs,
            verbose=verbose,
            callbacks=[
                *callbacks,
                _StateReset(self._forget, settings.batch_size, validation_settings.batch_size),
            ],
            validation_data=validation,
            initial_epoch=initial_epoch,
            shuffle=False,  # the plans are shuffled
            steps_per_epoch=len(plans[0]),
            validation_freq=validation_freq,
        )

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        callbacks: Any = None,
        return_dict: bool = False,
        **options: Any,
    ) -> Any:
        """Evaluates on raw inputs and targets; returns the loss and the metric as
        `keras.Model.evaluate` does.

        Raises:
            SeqzooError: an example does not fit the template.
        """
        if options.get("sample_weight") is not None:
            raise train_only("sample_weight")
        if "_use_cached_eval_dataset" not in options:  # otherwise `fit` calls it
            settings = self._settings(batch_size)
            x, y = self._dataset(examples_of(x, y), settings), None
            rows = settings.batch_size
            callbacks = [*listed_callbacks(callbacks), _StateReset(self._forget, rows, rows)]
        return super().evaluate(
            x, y, verbose=verbose, callbacks=callbacks, return_dict=return_dict, **options
        )

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: Any = "auto", **options: Any
    ) -> Any:
        """Predictions for raw inputs.

        Args:
            x: the inputs; if it is a data set of pairs, only their inputs are used.
            batch_size: number of inputs that are predicted together.
            verbose: ignored, as there is no progress bar.
            options: fields of `PredictionOptions`, such as `decoding` and `seed` for texts.

        Returns:
            For classes and labels, their probabilities, (n, classes); for numbers, an array (n,) or
            (n, numbers); for generated texts, an array of strings; otherwise a list with one
            prediction per input: its tags, or its numbers at each step. If there are no inputs, an
            empty array.

        Raises:
            SeqzooError: an input does not fit the template.
        """
        examples = examples_of(x, None)
        known = [field.name for field in fields(PredictionOptions)]
        for name in options:
            if name not in known:
                raise SeqzooError(
                    f"`predict` takes {', '.join(known)}, got {name!r}{nearest(name, known)}",
                    field=name,
                )
        prediction_options = checked_options(
            self.task, replace(self.task.default_options, **options)
        )
        if not len(examples):
            return np.zeros((0,) if self.classes is None else (0, len(self.classes)), np.float32)
        data = self.task.encode(examples, targets=False)
        settings = self._settings(batch_size)
        result = self._infer(data, settings, prediction_options)
        if self.classes is not None:
            outputs = np.stack(result["outputs"])
            exclusive = type(self.task.targets).__name__ == "ClassTargets"
            return (tf.nn.softmax if exclusive else tf.nn.sigmoid)(outputs).numpy()
        values = [
            prediction.value
            for prediction in self.task.predictions(result, examples.inputs, prediction_options)
        ]
        if isinstance(values[0], str):
            return np.array(values, object)
        if not isinstance(values[0], float) and isinstance(values[0][0], str):
            return values  # tags
        return np.array(values) if len({np.shape(value) for value in values}) == 1 else values

    def __call__(self, inputs: Any, *args: Any, **options: Any) -> Any:
        """Predictions for tensors of raw inputs; see `call`.

        Raises:
            SeqzooError: `inputs` is a list of texts.
        """
        first = inputs[0] if isinstance(inputs, list | tuple) and inputs else inputs
        if isinstance(first, str | bytes):
            raise SeqzooError(
                'A call takes tensors, such as model(tf.constant(["a"])); give texts to `predict`.'
            )
        return super().__call__(inputs, *args, **options)

    def export(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        filepath: str | os.PathLike[str],
        format: str = "tf_saved_model",
        verbose: Any = None,
        *,
        options: PredictionOptions | None = None,
        precision: str = "float32",
        steps: int | None = None,
        examples: Sequence[Any] = (),
        check: bool = True,
        signatures: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Exports the model as `Run.export` does: raw inputs in, predictions out.

        Args:
            filepath: the folder to write.
            format: "tf_saved_model", "onnx", "litert" or "keras"; see
                `seqzoo.tasks.export.formats`.
            verbose: ignored, as nothing is printed.
            options: see `Run.export`, as for the other arguments and the result.

        Raises:
            SeqzooError: a layer is quantized, and the format cannot represent it; see also
                `Run.export`.
        """
        chosen = "saved-model" if format == "tf_saved_model" else format
        if self._quantized() and chosen != "saved-model":
            raise SeqzooError(
                field="format",
                expected="'tf_saved_model' for quantized layers",
                got=format,
                hint="export the model before `quantize`, with precision='int8'",
            )
        request = Export(
            self.task,
            self.network,
            checked_options(self.task, options),
            self._predictions,
            examples,
            precision,
            steps,
            check,
            tuple(signatures),
        )
        return export(request, filepath, chosen)

    def _predictions(self, inputs: Any, options: PredictionOptions) -> list[Prediction]:
        examples = Examples(inputs)
        data = self.task.encode(examples, targets=False)
        results = self._infer(data, self.settings, options)
        return self.task.predictions(results, examples.inputs, options)

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on raw inputs and targets, or, for series and texts that are divided into
        windows, a step on each batch of as many windows as there are inputs; returns the loss and
        the metric as `keras.Model.train_on_batch` does, since the last `reset_metrics`.

        Raises:
            SeqzooError: an example does not fit the template, or weights are given.
        """
        for name, value in (("class_weight", class_weight), ("sample_weight", sample_weight)):
            if value is not None:
                raise train_only(name)
        self.make_train_function()
        return self._on_batch(self.train_function, x, y, return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """The loss and the metric of a batch of raw inputs and targets, like `train_on_batch`.

        Raises:
            SeqzooError: an example does not fit the template, or weights are given.
        """
        if sample_weight is not None:
            raise train_only("sample_weight")
        self.make_test_function()
        return self._on_batch(self.test_function, x, y, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Predictions for raw inputs; see `predict`."""
        examples = examples_of(x, None)
        return self.predict(examples, batch_size=max(len(examples), 1))

    def _on_batch(self, function: Any, x: Any, y: Any, return_dict: bool) -> Any:
        """The results of a step on a single batch, or of a step on each of its windows."""
        examples = examples_of(x, y)
        settings = self._settings(len(examples))
        self._forget(settings.batch_size)
        data = self.task.data(examples)
        plan = self._plan(data, settings)
        iterator, results = iter(batches(data, plan)), {}
        for _ in range(len(plan)):
            results = function(iterator)
        results = {name: float(value) for name, value in results.items()}
        return results if return_dict else list(results.values())

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = self._forward(batch, training=True)
            scaled = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables
        gradients = tape.gradient(scaled, [variable.value for variable in variables])
        self.optimizer.apply([tf.convert_to_tensor(gradient) for gradient in gradients], variables)
        return self.get_metrics_result()

    def test_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        self._forward(batch, training=False)
        return self.get_metrics_result()

    def _forward(self, batch: dict[str, Any], training: bool) -> Any:
        """The mean loss of a batch; also updates the metrics and the carried states."""
        weights = batch["weights"]
        if self._carried:
            # `_StateReset` has set their number of rows to that of the batches.
            batch = {**batch, "carried": tuple(item.read_value() for item in self._carried)}
        outcome = self.task.forward(self.network, batch, training)
        for variable, state in zip(self._carried, outcome.carried, strict=True):
            variable.assign(state)
        real = weights > 0
        losses = tf.where(real, outcome.losses, 0.0)
        reported = losses if outcome.reported is None else tf.where(real, outcome.reported, 0.0)
        count = tf.reduce_sum(tf.where(real, self.task.counts(batch), 0.0))
        sums = tf.reduce_sum(tf.where(real[:, None], outcome.sums, 0.0), 0)
        self._loss.add(tf.reduce_sum(reported), count, sums)
        return tf.reduce_sum(losses) / count

    def _forget(self, rows: int) -> None:
        """Sets the carried states to zero, for batches of `rows` rows."""
        for state in self._carried:
            state.assign(tf.zeros([rows, state.shape[1]]))

    def _settings(self, batch_size: int | None) -> TrainingSettings:
        if batch_size is None:
            return self.settings
        return replace(self.settings, batch_size=batch_size)

    def _infer(
        self, data: Data, settings: TrainingSettings, options: PredictionOptions
    ) -> dict[str, list]:
        # Keras sets `predict_function` to None if graphs may be outdated, as in `compile`, but not
        # if the network or one of its layers is quantized or gets an adapter.
        layers = self._flatten_layers()
        inferred = tuple(
            (item.dtype_policy.name, getattr(item, "lora_enabled", False)) for item in layers
        )
        if self.predict_function is None or self._inferred != inferred:
            self._inferred = inferred
            padding = self._padding or self._choose(data, settings)
            self.predict_function: Any = Inference(self.task, self.network, settings, padding)
        self.predict_function.settings = settings  # graphs take batches of any size
        return self.predict_function.collect(self.task.infer, data, options)

    def _choose(self, data: Data, settings: TrainingSettings) -> Padding:
        return Padding.choose(data, settings.buckets, settings.batch_size)

    def _plan(
        self, data: Data, settings: TrainingSettings, seed: tuple[int, ...] | None = None
    ) -> Plan:
        padding = self._padding or self._choose(data, settings)
        return data.plan(padding, settings, seed=seed)

    def _dataset(self, examples: Examples, settings: TrainingSettings) -> Any:
        data = self.task.data(examples)
        return batches(data, self._plan(data, settings))

    def _quantized(self) -> list[str]:
        """The names of the quantized layers."""
        layers = self._flatten_layers()
        return [item.name for item in layers if getattr(item, "quantization_mode", None)]

    def get_config(self) -> dict[str, Any]:
        """The configuration that the model is rebuilt from.

        Raises:
            SeqzooError: a layer is quantized.
        """
        layers = self._flatten_layers()  # the public list lacks nested layers
        quantized = self._quantized()
        if quantized:
            raise SeqzooError(
                f"The layer {quantized[0]!r} is quantized, which cannot be stored; save the model "
                "before `quantize`."
            )
        config = {
            "name": self.name,
            "template": self.task.template.name,
            "options": self.task.template.to_config(),
            "learned": self.task.to_config(),
            "vocabularies": {
                name: {"tokens": vocabulary.tokens, "scores": vocabulary.scores}
                for name, vocabulary in self.task.vocabularies.items()
            },
            "settings": asdict(self.settings),
            # By position, since Keras numbers the names of nested layers.
            "frozen": [index for index, layer in enumerate(layers) if not layer.trainable],
        }
        # As it will be read from a file, since Keras would serialise tuples differently.
        return json.loads(json.dumps(config))

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "TaskModel":
        template = TEMPLATES[config["template"]].from_config(config["options"])
        vocabularies = {name: Vocabulary(**value) for name, value in config["vocabularies"].items()}
        task = template.restore(config["learned"], vocabularies)
        model = cls(task, TrainingSettings(**config["settings"]), name=config["name"])
        frozen = config.get("frozen", ())  # not in earlier files
        for index, layer in enumerate(model._flatten_layers()):
            trainable = index not in frozen
            if layer.trainable != trainable:  # setting it also sets it in nested layers
                layer.trainable = trainable
        return model


class _Loss(keras.metrics.Metric):
    """The mean loss of all predictions since the last reset, and the sums of the metric."""

    def __init__(self, task: Any):
        super().__init__(name="loss")
        self._direction = "down"
        self.totals = self.add_variable((2 + task.sums,), "zeros", "float32", name="totals")

    def add(self, loss: Any, count: Any, sums: Any) -> None:
        """Adds the sums of a batch."""
        terms = tf.concat([[tf.cast(loss, tf.float32), count], tf.cast(sums, tf.float32)], 0)
        self.totals.assign(self.totals + terms)

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError("The loss is updated by the model's steps.")

    def result(self) -> Any:
        return self.totals[0] / tf.maximum(self.totals[1], 1.0)


class _Metric(keras.metrics.Metric):
    """The metric of a task, from the sums of the loss."""

    def __init__(self, task: Any, loss: _Loss):
        super().__init__(name=task.metric)
        self._direction = "up" if task.better > 0 else "down"
        self._task, self._sums = task, loss

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError("The metric is updated by the model's steps.")

    def reset_state(self) -> None:
        pass  # the loss resets the sums

    def result(self) -> Any:
        def measure(totals: np.ndarray) -> np.ndarray:
            _, count, *sums = totals.astype(np.float64)
            value = self._task.measure(np.array(sums), count) if count else 0.0
            return np.asarray(value, np.float32)

        results = tf.numpy_function(measure, [self._sums.totals.value], tf.float32)
        return tf.ensure_shape(results, ())


class _StateReset(keras.callbacks.Callback):
    """Resets the carried states to zero before each pass over the data."""

    def __init__(self, forget: Any, training_rows: int, validation_rows: int):
        super().__init__()
        self._forget = forget
        self._training_rows, self._validation_rows = training_rows, validation_rows

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._forget(self._training_rows)

    def on_test_begin(self, logs: Any = None) -> None:
        self._forget(self._validation_rows)

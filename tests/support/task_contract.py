"""The contract of a task: `run_task_test` tests a template against it, `cases` lists all cases."""

import json
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, get_args

import keras
import numpy as np
import tensorflow as tf
from graphs import nodes
from tensorflow.core.protobuf import saved_model_pb2

from seqzoo.tasks import (
    TEMPLATES,
    Decoding,
    Examples,
    History,
    SeqzooError,
    TimedSeries,
    TrainingSettings,
)
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.data.batches import Padding, batches
from seqzoo.tasks.kinds import (
    ENCODER_DECODER,
    INPUTS,
    MANY_TO_ONE,
    ONE_TO_MANY,
    UNALIGNED,
    inputs_of,
    targets_of,
)
from seqzoo.tasks.layers.recurrent import takes_time
from seqzoo.tasks.protocols import Generates
from seqzoo.tasks.runs.run import Run
from seqzoo.tasks.training.step import REQUESTS, Loop
from seqzoo.tasks.training.trainer import describe

COUNT = 6
"""Number of examples of a case; their lengths differ."""

SMALL = {
    "units": 5,
    "embedding": 4,
    "minimum_count": 1,
    "horizon": 3,
    "window": 4,
    "look_back": 4,
    "filters": (3, 2),
    "sample_rate": 800,
    "mel_bins": 3,
}
"""Options of a case, those that its template has."""


@dataclass(frozen=True)
class Case:
    """A template with a kind of input and of target.

    Attributes:
        template: name of the template.
        input: kind of input.
        target: kind of target.
        first: whether no earlier case of the template has an input of this form with this target.
        cell: name of the cell.
        options: other options of the template.
    """

    template: str
    input: str
    target: str
    first: bool
    cell: str = "gru"
    options: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        cell = "" if self.cell == "gru" else f"-{self.cell}"
        options = "".join(f"-{name}" for name, _ in self.options)
        return f"{self.template}-{self.input}-{self.target}{cell}{options}"

    def choices(self) -> Any:
        """The template, with options that make it small."""
        kind: Any = TEMPLATES[self.template]
        fields = kind.__dataclass_fields__
        options = {name: value for name, value in SMALL.items() if name in fields}
        if self.template != ONE_TO_MANY:
            options.pop("filters", None)
        options |= {"cell": self.cell, **dict(self.options)}
        return kind(**options, input=self.input, target=self.target)


def cases() -> Iterator[Case]:
    """Each kind of input of each template, with alternating targets; for templates that can predict
    tags, with every target that fits the input."""
    for name in TEMPLATES:
        seen: set[tuple] = set()
        targets = get_args(targets_of(name))
        for position, kind in enumerate(get_args(inputs_of(name))):
            one_by_one = "tags" in targets
            for target in targets if one_by_one else [targets[position % len(targets)]]:
                case = Case(name, kind, target, (INPUTS[kind].form, target) not in seen)
                if not one_by_one:
                    case = Case(name, kind, target, (INPUTS[kind].form,) not in seen)
                try:
                    case.choices()
                except SeqzooError:  # this input cannot have this target
                    continue
                seen |= {(INPUTS[kind].form, target), (INPUTS[kind].form,)}
                yield case
                if kind == "series":
                    generates = target == "next" or name == ENCODER_DECODER
                    yield replace(case, first=False, cell="cfc" if generates else "gru-d")
    filters = ("filters", (3, 2))
    for template in (UNALIGNED, ENCODER_DECODER):
        yield Case(template, "columns", "characters", False, options=(filters,))
    for kind in ("rows", "audio"):
        yield Case(MANY_TO_ONE, kind, "class", False, options=(filters,))
    copying = ("copy", True)
    yield Case(ENCODER_DECODER, "words", "words", False, options=(copying,))
    monotonic = ("attention", "monotonic")
    yield Case(ENCODER_DECODER, "lemma", "characters", False, options=(monotonic, copying))


def examples(case: Case) -> Examples:
    """Inputs of different lengths, with targets."""
    inputs = [_input(INPUTS[case.input].form, index) for index in range(COUNT)]
    if case.cell == "gru-d":
        inputs = [np.column_stack([item[:, :1], item[:, 1:2] > 0]) for item in inputs]
    if case.input in ("rows", "pixels"):  # all of one size
        inputs = np.stack(inputs)
    if takes_time(case.cell):
        random = np.random.default_rng(0)
        inputs = [TimedSeries(item, 9 * random.exponential(size=len(item))) for item in inputs]
    template = case.choices()
    steps = [1] * COUNT
    if case.target in ("tags", "values"):
        features = _features(template, inputs)
        steps = features.encode(Examples(inputs)).lengths.tolist()
    targets = [_target(case.target, index, steps[index]) for index in range(COUNT)]
    if case.template == "many-to-many-unaligned" and case.input != "characters":
        targets = ["ab", "b", "éa"] * (COUNT // 3)  # the shortest input has three steps
    return Examples(inputs, None if case.target in ("next", "horizon") else targets)


def _features(template: Any, inputs: Any) -> Any:
    """Features of the inputs, which determine how many steps an input has."""
    from seqzoo.tasks.kinds import features_class

    kind = features_class(template.input, tokens=template.target == "tags")
    return kind.learn(template, Examples(inputs))


def _input(form: str, index: int) -> Any:
    random, length = np.random.default_rng(index), 3 + index % 3
    if form == "text":
        return " ".join("".join(random.choice(list("abé"), 2)) for _ in range(length))
    if form == "name":
        return "xyz"[index % 3]
    if form == "image":
        return random.integers(0, 256, (5, 4)).astype(np.uint8)
    if form == "numbers":
        return random.normal(2.0, 3.0, 4)
    if form == "series":
        return random.normal(2.0, 3.0, (length, 2))
    if form == "frames":
        return (random.random((length, 3)) < 0.5).astype(float)
    if form == "audio":
        return random.normal(0, 0.1, 40 * length).astype(np.float32)
    if form == "history":  # one window
        days = np.datetime64("2020-01-01") + np.arange(7)
        return History(days, random.normal(2.0, 3.0, (7, 2)), name=f"series {index}")
    raise AssertionError(f"There is no input of the form {form!r} to test with; make one here.")


def _target(kind: str, index: int, steps: int) -> Any:
    name = "pqr"[index % 3]
    each = {
        "class": name,
        "labels": [name, "s"][: 1 + index % 2],
        "value": float(index),
        "tags": [["p", "q"][(index + step) % 2] for step in range(steps)],
        "values": np.arange(steps)[:, None] * 1.5 + index,
        "next": None,
        "horizon": None,
    }
    return each[kind] if kind in each else ["a b", "ba", "é ab a"][index % 3]


def run_task_test(case: Case, folder: pathlib.Path, clean_tensorflow: Any) -> None:
    """Trains, saves, opens, evaluates and exports a template once, and compares the predictions.

    - A few steps on a batch lower its loss.
    - Longer padding, and noise in it, does not change the losses.
    - A run that is opened has the same template, vocabularies and predictions.
    - The prediction for an example does not depend on the others in its batch.
    - An evaluation reports the loss of the batches, and its results can be written as JSON.
    - The exported model, in a process that has only TensorFlow, makes the same predictions as the
      run, and its graph contains nothing that runs only on some machines.
    """
    template, given = case.choices(), examples(case)
    task = template.adapt(given)
    generates = isinstance(task, Generates)
    decoding = Decoding("greedy", maximum_length=4) if generates else None
    options = PredictionOptions(2, decoding)
    settings = TrainingSettings(batch_size=COUNT, learning_rate=0.02, warmup_steps=0)
    keras.utils.set_random_seed(1)
    loop = Loop(task, settings, 8, tf.distribute.get_strategy())
    data = task.data(given)
    padding = Padding.choose(data, 1, COUNT)
    batch = _batch(task, data, padding, settings, loop)
    losses = [_step(loop, batch) for _ in range(8)]
    assert np.isfinite(losses).all() and losses[-1] < 0.998 * losses[0], losses

    model, random = loop.model, np.random.default_rng(2)
    for weight in model.trainable_weights:  # so that predictions differ
        weight.assign(random.normal(0, 0.7, weight.shape))
    loose = Padding(
        *([2 * length + 1 for length in lengths] for lengths in (padding.inputs, padding.targets))
    )
    whole = _batch(task, data, padding, settings, loop)
    _check_padding(task, model, whole, _batch(task, data, loose, settings, loop))

    run = Run.create(folder / "run", describe(template, task, settings, {}, padding), task)
    model.save(folder / "run" / "model.keras")
    opened = Run.open(folder / "run")
    assert opened.template == template
    assert opened.task.to_config() == json.loads(json.dumps(task.to_config()))
    assert {name: vocabulary.tokens for name, vocabulary in opened.task.vocabularies.items()} == {
        name: vocabulary.tokens for name, vocabulary in task.vocabularies.items()
    }
    answers: Any = opened.predict(given.inputs, options)
    assert len(answers) == COUNT
    assert answers == run.predict(given.inputs, options)
    alone: Any
    (alone,) = opened.predict(given.inputs[2:3], options)
    if case.input == "series" and case.target == "next":  # numbers, which rounding may change
        np.testing.assert_allclose(alone.value, answers[2].value, rtol=1e-3, atol=1e-3)
    else:
        assert alone.label == answers[2].label
    if alone.probability is not None:
        np.testing.assert_allclose(alone.probability, answers[2].probability, rtol=1e-4)

    metrics = opened.evaluate(given, options)
    json.dumps(metrics, allow_nan=False)
    assert isinstance(metrics[task.metric], float)
    outcome = task.forward(model, whole, training=False)
    counts = task.counts(whole).numpy()
    reported = outcome.losses if outcome.reported is None else outcome.reported
    if (
        not task.carries
    ):  # otherwise each window of a text starts from the state of the previous one
        np.testing.assert_allclose(
            metrics["loss"], reported.numpy().sum() / counts.sum(), rtol=1e-4
        )

    opened.export(folder / "saved", options)
    raw = task.features.raw(given.inputs, given.locations)
    names = [spec.name for spec in task.signature]
    served = clean_tensorflow.answers(folder / "saved", dict(zip(names, raw, strict=True)))
    for index, answer in enumerate(answers):
        _check_served(answer, {name: value[index] for name, value in served.items()})
    _check_graph(folder / "saved")


def _batch(task: Any, data: Any, padding: Padding, settings: Any, loop: Loop) -> dict[str, Any]:
    """The first batch of an epoch."""
    plan = data.plan(padding, settings)
    batch = dict(next(iter(batches(data, plan))))
    if loop.carried:
        batch["carried"] = tuple(
            tf.zeros([batch["weights"].shape[0], units]) for units in task.carries
        )
    return batch


def _step(loop: Loop, batch: dict[str, Any]) -> float:
    """Runs one training step in eager mode; returns the loss before it."""
    finite, loss, *_ = loop._train_replica(batch)[0].numpy()[REQUESTS:]
    assert finite
    return float(loss)


def _check_padding(task: Any, model: Any, tight: dict[str, Any], loose: dict[str, Any]) -> None:
    losses = [task.forward(model, batch, training=False).losses for batch in (tight, loose)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4, atol=1e-5)
    random, noisy = np.random.default_rng(3), dict(loose)
    for name, ends in (("values", "lengths"), ("targets", "target_lengths")):
        if name not in loose or ends not in loose:
            continue
        values = loose[name].numpy()
        behind = np.arange(values.shape[1]) >= loose[ends].numpy()[:, None]
        assert behind.any() or "carried" in loose  # windows of a text may have no padding
        values[behind] = random.integers(0, 2, values[behind].shape)
        noisy[name] = tf.constant(values)
    np.testing.assert_allclose(
        task.forward(model, noisy, training=False).losses, losses[0], rtol=1e-4, atol=1e-5
    )


def _check_served(answer: Any, served: dict[str, Any]) -> None:
    """Checks that an exported model and its run make the same prediction for an example."""
    if "text" in served:
        assert served["text"].decode() == answer.label
        np.testing.assert_allclose(np.exp(served["log_probability"]), answer.probability, rtol=1e-3)
    elif "label" in served:
        assert served["label"].decode() == answer.label
        np.testing.assert_allclose(served["probability"], answer.probability, rtol=1e-4)
    elif "labels" in served:
        results = dict(
            zip((item.decode() for item in served["labels"]), served["probabilities"], strict=True)
        )
        for name, probability in answer.alternatives:
            np.testing.assert_allclose(results[name], probability, rtol=1e-4)
    elif "tags" in served:
        tags = [item.decode() for item in served["tags"]]
        length = int(served["lengths"])
        assert tuple(tags[:length]) == answer.value and not any(tags[length:])
    elif "value" in served:
        np.testing.assert_allclose(np.squeeze(served["value"]), answer.value, rtol=1e-4)
    else:
        steps = int(served.get("lengths", len(served["values"])))
        rows = served["values"][:steps]
        if isinstance(answer.value[0], tuple) and answer.label.count("|") + 1 == steps:  # notes
            assert tuple(tuple(np.flatnonzero(row).tolist()) for row in rows) == answer.value
        else:
            np.testing.assert_allclose(np.squeeze(rows), answer.value, rtol=1e-3, atol=1e-4)


def _check_graph(folder: pathlib.Path) -> None:
    """Checks that an exported graph runs anywhere: no cuDNN, and nothing that must be compiled."""
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    assert not any(item.attr["_XlaMustCompile"].b for item in graph.library.function)
    operations = {node.op for node in nodes(graph)}
    assert "MatMul" in operations
    assert not {name for name in operations if "cudnn" in name.lower() or "Xla" in name}

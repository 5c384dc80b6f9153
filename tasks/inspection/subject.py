"""The subject of an inspection: a trained model, an example and the scores of its prediction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

import seqzoo.cells
from seqzoo.tasks.base import PredictionOptions
from seqzoo.tasks.data.column_names import target_names
from seqzoo.tasks.data.examples import is_missing
from seqzoo.tasks.data.frequency import shown_dates
from seqzoo.tasks.errors import SeqzooError, nearest, some_of
from seqzoo.tasks.inspection.trace import Trace, trace
from seqzoo.tasks.preprocessing import joined
from seqzoo.tasks.preprocessing.joined import JoinedFeatures
from seqzoo.tasks.preprocessing.tagged_words import TokenFeatures
from seqzoo.tasks.preprocessing.text import TextFeatures
from seqzoo.tasks.preprocessing.vocabulary import UNKNOWN
from seqzoo.tasks.printable import printable
from seqzoo.tasks.targets.texts import END, START

LEAST = float(np.log(np.finfo(np.float32).tiny))
"""Lowest log-probability, so that differences are finite."""

MAX_ANSWER_TOKENS = 200
"""Maximum number of tokens of a generated text that are inspected."""

NUMBERS = 8
"""Maximum number of numbers in the label of an input without steps."""

MAX_STEPS = 2_000
"""Maximum number of steps of an input; the time that occlusion takes grows with their square."""


@dataclass(frozen=True)
class Part:
    """One of the inputs of a model.

    Attributes:
        number: its position among the inputs, from 0.
        name: its name; empty if the model has only one, unless that is a series with a name.
        kind: its kind, such as "words".
        labels: a name for each of its steps: its characters or words, frame numbers, or dates. The
            only label of an input without steps is its value.
        suffix: suffix of the names of its tensors.
        steps: its slice of the concatenated steps of all inputs.
        encoder: name of the network that encodes this input, if the model has several inputs; two
            inputs that are compared share one network. If the model has no network of that name,
            the rest of the model reads the input. None if the model has only one input.
    """

    number: int
    name: str
    kind: str
    labels: tuple[str, ...]
    suffix: str
    steps: slice
    encoder: str | None = None


@dataclass(frozen=True)
class Subject:
    """A model, an input and its prediction.

    Attributes:
        run: the `Run` of the model.
        inputs: the inputs of the model, tensors by name; the first axis, of size 1, is the batch.
        parts: the inputs as parts of the example: more than one if the model has further inputs.
        answer: the prediction as text.
        steps: names of the prediction's steps: one for a class or a value, a tag per step, the
            tokens of a text.
        scores: a function: the model's inputs, of any batch size -> (batch, steps of the
            prediction), float32: the log-probability of the prediction at each step, larger if the
            model is more certain; or for numbers the standardised value.
        measure: the meaning of a score, in words.
        of_inputs: for each step of the prediction, the step of the input that it belongs to; None
            if they do not correspond.
        whole: whether the steps form one prediction, as those of a generated text do.
        segments: names of the steps of recurrent layers that read segments of the input.
        vectors: names of the model's methods whose results are a vector for each step of the
            input; none if the vectors are the embeddings of tokens, or the input itself.
        rows: the row of the recurrent layers' batch that each step of the prediction is computed
            from; None if the batch has only one row.
    """

    run: Any
    inputs: dict[str, Any]
    parts: tuple[Part, ...]
    answer: str
    steps: tuple[str, ...]
    scores: Callable[[dict[str, Any]], Any]
    measure: str = "log-probability"
    of_inputs: tuple[int, ...] | None = None
    whole: bool = False
    segments: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
    rows: tuple[int, ...] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each step of the first input."""
        return self.parts[0].labels

    @property
    def all_labels(self) -> tuple[str, ...]:
        """A name for each step of all inputs."""
        return tuple(label for part in self.parts for label in part.labels)

    @property
    def model(self) -> Any:
        """The model."""
        return self.run.model

    def step(self, step: int | None) -> int:
        """The index of a step of the prediction, from 0; None stands for the last step.

        Raises:
            SeqzooError: the step does not exist.
        """
        count = len(self.steps)
        if step is None:
            return count - 1
        if not -count <= step < count:
            raise SeqzooError(
                field="step", expected=f"from 0 to {count - 1}, a step of the answer", got=step
            )
        return step % count

    def score(self, scores: Any, step: int | None) -> Any:
        """Selects the score of one step, (batch,), from `scores`, (batch, steps). If `step` is
        None, it is the score of the last step, or for a generated text the sum over all steps."""
        if step is None and self.whole:
            return tf.reduce_sum(scores, 1)
        return scores[:, self.step(step)]

    def trace(self, step: int | None = None) -> Trace:
        """Runs one forward pass, and one backward pass from the loss of a step of the prediction:
        the negated score.

        Args:
            step: step of the prediction; the last one by default.
        """
        chosen = self.step(step)
        traced = trace(self.model, lambda: self.scores(self.inputs), lambda item: -item[0, chosen])
        return traced if self.rows is None else traced.of_row(self.rows[chosen])


def subject(run: Any, value: Any, answer: str | None = None) -> Subject:
    """Makes the subject for a trained model and one input.

    Args:
        run: a `seqzoo.tasks.Run`.
        value: a raw input, as for `Run.predict`.
        answer: the output to explain instead of the model's prediction: a class or a label, a text
            for models that generate texts, or the name of a target for forecasts, whose first one
            is the default.

    Raises:
        SeqzooError: the input is empty or of the wrong shape, or the model cannot predict the
            output.
    """
    task = run.task
    for name, make in _MAKERS.items():
        if any(kind.__name__ == name for kind in type(task).__mro__):
            return make(run, value, answer)
    raise SeqzooError(f"A {type(task).__name__} cannot be inspected with an input.")


def _encoded(run: Any, value: Any) -> tuple[dict[str, Any], tuple[Part, ...]]:
    """The model's inputs, and the parts of the example."""
    features = run.task.features
    first = features.first
    if isinstance(first, TokenFeatures):
        if isinstance(features, JoinedFeatures):
            name = features.names[0]
            if isinstance(value, Mapping) and name in value:
                value = {**value, name: first.words(value[name])}
        else:
            value = first.words(value)
    raw = tuple(map(tf.convert_to_tensor, features.raw([value], ["the input"])))
    inputs = {name: tf.convert_to_tensor(tensor) for name, tensor in features.tensors(*raw).items()}
    if not isinstance(features, JoinedFeatures):
        steps = _cut(inputs, "")
        labels = input_labels(features, raw, steps) if features.in_time else (_named(value),)
        return inputs, _parts([("", run.template.input, labels, "", None)])
    results, rest, shared = [], raw, features.compared
    for number, (name, kind) in enumerate(zip(features.names, features.kinds, strict=True)):
        part, suffix = features.parts[number], features.suffix(number)
        part_raw, rest = rest[: len(part.signature)], rest[len(part.signature) :]
        if part.in_time:
            labels = input_labels(part, part_raw, _cut(inputs, suffix))
        else:
            labels = ("(missing)" if is_missing(value[name]) else _named(value[name]),)
        encoder = f"encoder{joined.suffix(0 if number == shared else number)}"
        results.append((name, kind, labels, suffix, encoder))
    return inputs, _parts(results)


def _named(value: Any) -> str:
    """The label of an input without steps: a class, or its first numbers."""
    if isinstance(value, str):
        return value
    numbers = np.asarray(value).ravel()
    if numbers.dtype.kind not in "fiub":
        return str(value)
    shown = " ".join(f"{number:.4g}" for number in numbers[:NUMBERS])
    return f"{shown} ..." if len(numbers) > NUMBERS else shown


def _cut(inputs: dict[str, Any], suffix: str) -> int:
    """Removes the padding of an input, in place; returns its number of steps, at least 1."""
    length = int(inputs[f"lengths{suffix}"][0])
    if not length and not suffix:
        raise SeqzooError("The input is empty; give one with at least one step.")
    # A further input may be empty, but networks need one step.
    inputs[f"values{suffix}"] = inputs[f"values{suffix}"][:, : max(length, 1)]
    return max(length, 1)


def _parts(
    inputs: Sequence[tuple[str, str, tuple[str, ...], str, str | None]],
) -> tuple[Part, ...]:
    """The parts of an example, from the name, kind, labels, suffix and encoder of each input.

    Raises:
        SeqzooError: they have too many steps.
    """
    parts, start = [], 0
    for number, (name, kind, labels, suffix, encoder) in enumerate(inputs):
        steps = slice(start, start + len(labels))
        parts.append(Part(number, name, kind, labels, suffix, steps, encoder))
        start += len(labels)
    if start > MAX_STEPS:
        raise SeqzooError(
            f"An input must have at most {MAX_STEPS:,} steps, got {start:,}; give a part of it."
        )
    return tuple(parts)


def input_labels(features: Any, raw: tuple, steps: int) -> tuple[str, ...]:
    """A name for each step of one raw input: characters, words, or frame numbers."""
    if isinstance(features, TextFeatures):
        # The features of tagged words have a different `split`, of words as they are written.
        text = raw[0] if isinstance(features, TokenFeatures) else features.normalized(raw[0])
        parts = features.split(tf.constant(text) if steps else text)
        names = tuple(token.decode("utf-8") for token in parts.to_list()[0][:steps])
        return names if names or not steps else ("",)
    return tuple(str(step) for step in range(steps))


def _classes(run: Any, value: Any, answer: str | None) -> Subject:
    task, model = run.task, run.model
    inputs, parts = _encoded(run, value)

    def outputs(batch: dict[str, Any]) -> Any:
        return task.outputs(model, batch)

    names = getattr(task.targets, "names", None)
    with seqzoo.cells.portable():
        predicted = outputs(inputs)[0].numpy()
    if names is None:
        if answer is not None:
            raise SeqzooError("`answer` is for classes and labels; this model predicts numbers.")
        text = task.targets.predictions(predicted[None], 1)[0].label
        steps = (
            ("value",)
            if len(predicted) == 1
            else tuple(f"value {k + 1}" for k in range(len(predicted)))
        )
        return Subject(run, inputs, parts, text, steps, outputs, _measure(task.targets))
    name = names[int(np.argmax(predicted))]
    if answer is not None:
        name = _chosen(answer, names, "classes")
    index, exclusive = names.index(name), type(task.targets).__name__ == "ClassTargets"

    def scores(batch: dict[str, Any]) -> Any:
        logits = outputs(batch)
        logs = tf.nn.log_softmax(logits) if exclusive else tf.math.log_sigmoid(logits)
        return logs[:, index : index + 1]

    return Subject(run, inputs, parts, name, (name,), scores)


def _tags(run: Any, value: Any, answer: str | None) -> Subject:
    _refuse_answer(answer, "tags")
    task, model = run.task, run.model
    inputs, parts = _encoded(run, value)
    crf = model.get_layer("crf") if task.template.crf else None
    with seqzoo.cells.portable():
        tags = task.infer(model, inputs, task.default_options)["tags"][0].numpy()
    names = tuple(task.tags.names[tag] for tag in tags[: len(parts[0].labels)])

    def scores(batch: dict[str, Any]) -> Any:
        tag_scores = task.scores(model, batch)
        logs = (
            tf.nn.log_softmax(tag_scores)
            if crf is None
            else _log(crf.marginals(tag_scores, batch["lengths"]))
        )
        chosen = tf.tile(tf.constant(tags)[None], [tf.shape(tag_scores)[0], 1])
        return tf.gather(logs, chosen, axis=2, batch_dims=2)

    positions = tuple(range(len(parts[0].labels)))
    return Subject(run, inputs, parts, " ".join(names), names, scores, of_inputs=positions)


def _numbers(run: Any, value: Any, answer: str | None) -> Subject:
    _refuse_answer(answer, "numbers")
    task, model = run.task, run.model
    inputs, parts = _encoded(run, value)

    def scores(batch: dict[str, Any]) -> Any:
        # The score of several numbers per step is their sum.
        return tf.reduce_sum(task.outputs(model, batch), -1)

    with seqzoo.cells.portable():
        logits = task.outputs(model, inputs)
    text, _ = task.targets.prediction(task.targets.unscaled(task.targets.predicted(logits)[0]))
    positions = tuple(range(len(parts[0].labels)))
    labels = parts[0].labels
    return Subject(run, inputs, parts, text, labels, scores, _measure(task.targets), positions)


def _measure(targets: Any) -> str:
    """What the outputs for numeric targets are."""
    loss = targets.loss
    if loss.activation_name != "linear":
        return f"value before the {loss.activation_name}"
    return "standardised value" if loss.standardises else "value"


def _following(run: Any, value: Any, answer: str | None) -> Subject:
    """The subject for a model that predicts the next step of a series.

    The prediction has one step for each step of the input. For notes, its score is the
    log-probability of the notes at the next step of the input, or, after the last step, of the
    predicted notes; for other series, it is the sum of the predicted values.
    """
    _refuse_answer(answer, "the next step of a series")
    task, model = run.task, run.model
    inputs, parts = _encoded(run, value)
    notes = type(task.targets).__name__ == "StepNotes"

    def read(values: Any) -> Any:
        """The steps as the model reads them: with the time until the next one."""
        return task.shifted(values, tf.fill([tf.shape(values)[0]], tf.shape(values)[1]))

    with seqzoo.cells.portable():
        outputs, _ = model(read(inputs["values"]))
    expected = task.targets.following(outputs, None, 1.0)
    targets = None
    if notes:
        targets = tf.concat([tf.cast(inputs["values"][:, 1:], tf.float32), expected[:, -1:]], 1)
    text, _ = task.targets.prediction(task.targets.unscaled(expected[0]))

    def scores(batch: dict[str, Any]) -> Any:
        predicted, _ = model(read(batch["values"]))
        if targets is None:
            return tf.reduce_sum(predicted, -1)
        return -task.targets.objective(predicted, tf.repeat(targets, tf.shape(predicted)[0], 0))[0]

    steps = tuple(f"after {label}" for label in parts[0].labels)
    measure = "log-probability" if notes else _measure(task.targets)
    positions = tuple(range(len(parts[0].labels)))
    return Subject(run, inputs, parts, text, steps, scores, measure, positions)


def _forecast(run: Any, value: Any, answer: str | None) -> Subject:
    """The subject for a forecast: the score of a step of the horizon is the value of one target,
    the one that `answer` names, by default the first."""
    task, features = run.task, run.task.features
    names = target_names((run.source or {}).get("target"), features.targets)
    name = _chosen(answer, names, "targets") if answer is not None else names[0]
    index = names.index(name)
    raw = tuple(map(tf.convert_to_tensor, features.raw([value], ["the input"])))
    inputs = features.tensors(*raw)
    look_back, horizon, size = task.template.look_back, task.template.horizon, task.segment
    at = partial(features.frequency.at, value.dates)
    labels = tuple(shown_dates(at(np.arange(value.end - look_back, value.end))))
    dates = shown_dates(at(np.arange(value.end, value.end + horizon)))
    steps = tuple(f"{date} {name}" if features.targets > 1 else date for date in dates)
    starts = range(look_back - -(-look_back // size) * size, look_back, size)
    with seqzoo.cells.portable():
        results = task.infer(run.model, inputs, PredictionOptions())
    results = {name: [results[name][0].numpy()] for name in results}
    (prediction,) = task.predictions(results, [value], PredictionOptions())

    def scores(batch: dict[str, Any]) -> Any:
        return task.points(run.model, batch)[:, :, index]

    transform = run.template.transform
    return Subject(
        run,
        inputs,
        _parts([(value.name, run.template.input, labels, "", None)]),
        prediction.label,
        steps,
        scores,
        "standardised value" if transform == "none" else f"standardised {transform} of the value",
        segments=tuple(labels[max(start, 0)] for start in starts),
        vectors=("normalized", "without_gaps") if run.template.linear else ("normalized",),
        rows=(index,) * horizon,
    )


def _language_model(run: Any, value: Any, answer: str | None) -> Subject:
    """The subject for a language model: each score is the log-probability of the token that follows
    in the input or, after the last token, of the most probable next token."""
    _refuse_answer(answer, "the next token of a text")
    task, model = run.task, run.model
    (raw,) = task.features.raw([value], ["the input"])
    tokens = task.texts.split(tf.constant(raw))
    labels = tuple(item.decode("utf-8") for item in tokens.to_list()[0])
    ids = task.texts.vocabulary.ids(tokens.flat_values)[None]
    values = tf.concat([[[START]], tf.cast(ids, tf.int32)], 1)
    with seqzoo.cells.portable():
        logits, _ = model(values)
    banned = tf.one_hot([0, 1, START], logits.shape[-1], -1e30, 0.0)
    last = tf.argmax(logits[:, -1:] + tf.reduce_sum(banned, 0), -1, tf.int32)
    targets = tf.concat([values[:, 1:], last], 1)
    names = ["", "?", *task.texts.vocabulary.tokens]
    following = "(end)" if int(last[0, 0]) == END else names[int(last[0, 0])]

    def scores(batch: dict[str, Any]) -> Any:
        logits, _ = model(batch["values"])
        logs = tf.nn.log_softmax(tf.cast(logits, tf.float32))
        chosen = tf.repeat(targets, tf.shape(logs)[0], 0)
        return tf.gather(logs, chosen, axis=2, batch_dims=2)

    lengths = tf.constant([values.shape[1]], tf.int32)
    inputs = {"values": values, "lengths": lengths}
    labels = ("(start)", *labels)
    parts = _parts([("", run.template.input, labels, "", None)])
    steps, positions = (*labels[1:], following), tuple(range(len(labels)))
    return Subject(run, inputs, parts, following, steps, scores, of_inputs=positions)


def _texts(run: Any, value: Any, answer: str | None) -> Subject:
    task, model = run.task, run.model
    inputs, parts = _encoded(run, value)
    raw = task.features.raw([value], ["the input"])
    if answer is None:
        with seqzoo.cells.portable():
            decoded = task.generate(model, inputs, PredictionOptions(), report_attention=False)
        length = int(decoded.lengths[0, 0])
        ids = decoded.tokens[0, 0, :length].numpy()
    else:
        ids = task.ids_of(tf.constant([answer]), inputs, raw)[0].numpy()[0]
        _check_answer(task, answer, ids)
    ids = np.asarray(ids, np.int32)
    end = len(ids) <= MAX_ANSWER_TOKENS  # of a longer text, only its beginning is explained
    ids = ids[:MAX_ANSWER_TOKENS]
    targets = np.append(ids, [END] * end).astype(np.int32)
    before = tf.constant(np.append(START, ids)[None, : len(targets)], tf.int32)
    named = task.spelled(tf.constant(ids)[None, None], inputs, raw)
    texts = task.texts.join_tokens(named[0, 0, :, None], tf.ones(len(ids), tf.int32)).numpy()
    (text,) = task.texts.join_tokens(named[0], tf.constant([len(ids)])).numpy()

    def scores(batch: dict[str, Any]) -> Any:
        rows = tf.shape(batch["values"])[0]
        logits = model({**batch, "tokens": tf.repeat(before, rows, 0)})
        # A token that can only be copied has no probability if its source is hidden.
        logs = tf.maximum(tf.nn.log_softmax(tf.cast(logits, tf.float32)), LEAST)
        chosen = tf.tile(tf.constant(targets)[None], [rows, 1])
        return tf.gather(logs, chosen, axis=2, batch_dims=2)

    steps = (*(token.decode("utf-8") for token in texts), *["(end)"] * end)
    return Subject(run, inputs, parts, text.decode("utf-8"), steps, scores, whole=True)


def _check_answer(task: Any, answer: str, ids: np.ndarray) -> None:
    """Checks that a model can generate a text.

    Args:
        task: the task.
        answer: the text.
        ids: the ids of its tokens.

    Raises:
        SeqzooError: a token is not in the vocabulary, or there are too many.
    """
    if len(ids) > MAX_ANSWER_TOKENS:
        expected = f"at most {MAX_ANSWER_TOKENS} tokens long"
        raise SeqzooError(
            f"`answer` must be {expected}, got {len(ids):,}; give a part of it.", field="answer"
        )
    unknown = np.flatnonzero(np.asarray(ids) == UNKNOWN)
    if len(unknown):
        token = task.texts.split(tf.constant([answer])).numpy()[0][unknown[0]].decode("utf-8")
        raise SeqzooError(
            f"`answer` must be a text that the model can generate, but it does not know {token!r}.",
            field="answer",
        )


def _symbols(run: Any, value: Any, answer: str | None) -> Subject:
    """The subject for a transcript in the order of the input: each symbol has the score of the
    first step at which it is read."""
    _refuse_answer(answer, "a transcript aligned with the input")
    task, model = run.task, run.model
    inputs, parts = _encoded(run, value)
    with seqzoo.cells.portable():
        logits = task.outputs(model, inputs)
        ids, counts, starts, _ = task.read(logits, inputs["lengths"])
    count = int(counts[0])
    ids, starts = ids[0, :count].numpy(), starts[0, :count].numpy()
    texts = task.transcripts.join(tf.constant(ids)[:, None], tf.ones(count, tf.int32)).numpy()
    names = tuple(symbol.decode("utf-8") for symbol in texts)
    (text,) = task.transcripts.join(tf.constant(ids)[None], tf.constant([count])).numpy()
    if not count:  # only blanks
        ids, starts, names = np.array([0]), np.array([len(parts[0].labels) - 1]), ("(blank)",)

    def scores(batch: dict[str, Any]) -> Any:
        logs = tf.nn.log_softmax(task.outputs(model, batch))
        return tf.stack([logs[:, t, k] for t, k in zip(starts, ids, strict=True)], 1)

    positions = tuple(int(t) for t in starts)
    return Subject(run, inputs, parts, text.decode("utf-8"), names, scores, of_inputs=positions)


def _chosen(answer: str, names: Sequence[str], what: str) -> str:
    """Checks that the answer is one of the model's classes or targets; returns it."""
    if answer not in names:
        raise SeqzooError(
            f"`answer` must be one of the {what} of the model ({some_of(names)}), got {answer!r}"
            f"{nearest(answer, names)}",
            field="answer",
        )
    return answer


def _refuse_answer(answer: str | None, what: str) -> None:
    if answer is not None:
        raise SeqzooError(
            "`answer` is for classes, labels, generated texts and the targets of forecasts; this "
            f"model predicts {what}.",
            field="answer",
        )


def _log(probabilities: Any) -> Any:
    return tf.math.log(tf.maximum(probabilities, 1e-30))


# By class name, so that unused templates are not imported.
_MAKERS: dict[str, Callable[[Any, Any, str | None], Subject]] = {
    "ManyToOneTask": _classes,
    "TaggerTask": _tags,
    "LanguageModelTask": _language_model,
    "ForecastTask": _forecast,
    "ForecasterTask": _following,
    "StepRegressionTask": _numbers,
    "GeneratorTask": _texts,
    "UnalignedTask": _symbols,
}


def visible(labels: Sequence[str]) -> list[str]:
    """Labels with visible symbols for whitespace and the empty string, and with other control
    characters escaped."""
    symbols = {" ": "␣", "\n": "↵", "\t": "⇥", "\r": "␍", "": "∅"}
    return [symbols.get(label, printable(label)) for label in labels]
